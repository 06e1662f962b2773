/**
 * What is going to happen in a simulated world, in order of time; and its record of what happened.
 *
 * Events of the same instant happen in the order in which they were scheduled. Each belongs to the life
 * of somebody (a process, a thread of it, or the world itself): when that life is over, what was
 * scheduled for it does not happen any more. A life can be busy: an event that comes meanwhile waits,
 * as it does for a thread that computes.
 */

import { SystemError } from "../system_error.ts";

/** Lines of the record that are kept to be shown. */
const LINES_KEPT = 400;

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
  ) {}
}

export class Schedule {
  /** Virtual time, in milliseconds since the world began. */
  nowMs = 0;
  readonly record = new EventRecord();
  /** A binary heap: the next event is the first. */
  readonly #heap: Scheduled[] = [];
  #order = 0;

  /** Schedules `work` for `life`, `delayMs` from now. `name` says what it is, for the record. */
  after(delayMs: number, life: Life, name: string, work: () => void): Scheduled {
    return this.at(this.nowMs + delayMs, life, name, work);
  }

  /** Likewise at an instant; now, if that is over. */
  at(dueMs: number, life: Life, name: string, work: () => void): Scheduled {
    const event = new Scheduled(Math.max(this.nowMs, dueMs), this.#order++, life, name, work);
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
    this.record.add(`${this.nowMs.toFixed(3)} ${life.name}: ${event.name}`);
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

/** What has happened: the last lines, and a hash of all of them. */
export class EventRecord {
  count = 0;
  readonly #lines: string[] = [];
  #low = 0x811c9dc5;
  #high = 0x01000193;

  add(line: string): void {
    this.count++;
    for (let i = 0; i < line.length; i++) {
      this.#low = Math.imul(this.#low ^ line.charCodeAt(i), 0x01000193);
      this.#high = Math.imul(this.#high ^ line.charCodeAt(i), 0x85ebca6b) ^ (this.#low >>> 15);
    }
    this.#lines.push(line);
    if (this.#lines.length >= 2 * LINES_KEPT) this.#lines.splice(0, LINES_KEPT);
  }

  /** The same for two runs that went the same way. */
  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }

  /** The latest lines, the newest last. */
  last(count: number): string[] {
    return this.#lines.slice(-Math.min(count, LINES_KEPT));
  }
}
