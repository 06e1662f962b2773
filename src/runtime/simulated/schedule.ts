/**
 * What is going to happen in a simulated world, in order of time; and its record of what happened.
 *
 * Events of the same instant happen in the order in which they were scheduled. Each belongs to the life
 * of somebody (a process, a thread of it, or the world itself): when that life is over, what was
 * scheduled for it does not happen any more. A life can be busy: an event that comes meanwhile waits,
 * as it does for a thread that computes.
 */

import { SystemError } from "../system_error.ts";

/** Events of the record that are kept to be shown. */
const EVENTS_KEPT = 400;

/** A process or a thread: the time during which something of its own can happen. */
export class Life {
  isOver = false;
  /** Virtual time until which it computes; see `Schedule.spend`. */
  busyUntilMs = 0;
  readonly #endings = new Set<() => void>();

  constructor(readonly name: string) {}

  /** Calls `work` when this life ends; the result takes that back. */
  atEnd(work: () => void): () => void {
    this.#endings.add(work);
    return () => this.#endings.delete(work);
  }

  /** May be repeated. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const work of this.#endings) work();
    this.#endings.clear();
  }

  /** For what a thread that has ended cannot do. @throws SystemError EBADF */
  check(): void {
    if (this.isOver) throw new SystemError("EBADF");
  }
}

/** Something that is going to happen. */
export class Scheduled {
  isCancelled = false;

  /** Events of one instant happen by their order. */
  constructor(
    public dueMs: number,
    public order: number,
    readonly life: Life,
    readonly name: string,
    readonly work: () => void,
    /** Goes into the record beside the name. */
    readonly detail: number,
  ) {}
}

export class Schedule {
  /** Virtual time, in milliseconds since the world began. */
  nowMs = 0;
  readonly record = new EventRecord();
  /** A binary heap: the next event is the first. */
  readonly #heap: Scheduled[] = [];
  #order = 0;

  /**
   * Schedules `work` for `life`, `delayMs` from now. `name` and `detail` say what it is, for the
   * record.
   */
  after(delayMs: number, life: Life, name: string, work: () => void, detail = 0): Scheduled {
    return this.at(this.nowMs + delayMs, life, name, work, detail);
  }

  /** Likewise at an instant; now, if that is over. */
  at(dueMs: number, life: Life, name: string, work: () => void, detail = 0): Scheduled {
    const due = Math.max(this.nowMs, dueMs);
    const event = new Scheduled(due, this.#order++, life, name, work, detail);
    if (!life.isOver) this.#push(event);
    return event;
  }

  /** When the next event is due; Infinity when there is none. */
  get nextMs(): number {
    this.#dropDead();
    return this.#heap.length === 0 ? Infinity : this.#heap[0].dueMs;
  }

  /** Lets the next event happen, if there is one. Its errors are the caller's. */
  step(): void {
    this.#dropDead();
    if (this.#heap.length === 0) return;
    const event = this.#pop();
    this.nowMs = Math.max(this.nowMs, event.dueMs);
    const { life } = event;
    if (life.busyUntilMs > this.nowMs) {
      event.dueMs = life.busyUntilMs;
      event.order = this.#order++;
      this.#push(event);
      return;
    }
    this.record.add(this.nowMs, life.name, event.name, event.detail);
    event.work();
  }

  /** The life computes for so long, beginning now or after what it computes already. */
  spend(life: Life, ms: number): void {
    life.busyUntilMs = Math.max(life.busyUntilMs, this.nowMs) + ms;
  }

  #dropDead(): void {
    while (this.#heap.length > 0) {
      const { isCancelled, life } = this.#heap[0];
      if (!isCancelled && !life.isOver) return;
      this.#pop();
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Scheduled {
    const heap = this.#heap;
    const first = heap[0];
    const moved = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], moved)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = moved;
    return first;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** What has happened: a hash of all events, and the latest of them. */
export class EventRecord {
  count = 0;
  #low = 0x811c9dc5;
  #high = 0x01000193;
  readonly #latest: { ms: number; who: string; what: string; first: number; second: number }[] = [];
  /** Hashes of the words used so far. */
  readonly #words = new Map<string, number>();
  readonly #double = new Float64Array(1);
  readonly #halves = new Int32Array(this.#double.buffer);

  /** At `ms` virtual time; the two numbers say more about it. */
  add(ms: number, who: string, what: string, first = 0, second = 0): void {
    const latest = this.#latest[this.count % EVENTS_KEPT];
    if (latest === undefined) this.#latest.push({ ms, who, what, first, second });
    else {
      latest.ms = ms;
      latest.who = who;
      latest.what = what;
      latest.first = first;
      latest.second = second;
    }
    this.count++;
    this.#double[0] = ms;
    this.#mix(this.#halves[0]);
    this.#mix(this.#halves[1]);
    this.#mix(this.#hashOf(who));
    this.#mix(this.#hashOf(what));
    this.#mix(first);
    this.#mix(second);
  }

  #hashOf(word: string): number {
    let hash = this.#words.get(word);
    if (hash === undefined) {
      hash = 0;
      for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
      this.#words.set(word, hash);
    }
    return hash;
  }

  #mix(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193) ^ (this.#high >>> 13);
    this.#high = Math.imul(this.#high ^ word, 0x85ebca6b) ^ (this.#low >>> 15);
  }

  /** The same for two runs that went the same way. */
  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }

  /** The latest events, at most EVENTS_KEPT, the newest last; a line for each. */
  last(count: number): string[] {
    const kept = Math.min(count, this.#latest.length);
    return Array.from({ length: kept }, (_, i) => {
      const { ms, who, what, first, second } = this.#latest[(this.count - kept + i) % EVENTS_KEPT];
      const numbers = [first, second].filter((number) => number !== 0).join(" ");
      return `${ms.toFixed(3)} ${who}: ${what} ${numbers}`.trimEnd();
    });
  }
}
