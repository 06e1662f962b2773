/**
 * Whether our dataset has parted from our master's: a command of its stream has failed here although it succeeded there,
 * or is not known here. What follows from that is said here in one place:
 *
 *     counted and named   INFO, ROLE, REPLICATION LOG, and the log once for each command and minute
 *     not acknowledged    beyond the offset at which it happened: WAIT of the master does not count us
 *     not promoted        INFO shows priority 0 to Sentinel (`replica-promote-diverged no`)
 *     healed              by a full sync, after pauses that grow from a second to an hour
 *
 * A full sync that has been taken over ends it all. See "A replica that has parted" in NOTES.
 */

import { oneLine } from "../base/printable.ts";

/** Characters of the error of a command that are kept. */
const ERROR_SHOWN_MAX = 400;
/** Failures of one command are told once within so many ms, with their number. */
const TOLD_EVERY_MS = 60_000;
/** Commands that are counted apart for that; the others are together. */
const NAMES_MAX = 100;
const NAME_SHOWN_MAX = 64;
const OTHERS = "<others>";
/** Before the first full sync that is to heal, and at most between two of them. */
const HEAL_MS_MIN = 1000;
const HEAL_MS_MAX = 3_600_000;
/** After a full sync that has healed, and as long without a failure, the pauses begin anew. */
const HEALED_MS = 600_000;

/** Scripts. Masters before Redis 5 send them as they are, so an error of theirs may be the same on both sides. */
const SCRIPTS = new Set(["eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"]);
/** Errors of a script that tell of what is not there on this side only. */
const IS_OF_THIS_SIDE = /^NOSCRIPT|unknown redis command|function not found|internal error/i;

export class Divergence {
  /** Commands that have failed since the dataset was the master's. */
  errors = 0;
  /** Offset of the stream up to which the dataset is the master's; -1: it is so to its end. */
  offset = -1;
  /** What the latest failed with, on one line; empty for none. */
  lastError = "";
  /** Keys and function libraries of the master's that the full sync has left out, as they have no place here. */
  leftOut = 0;
  /** Failures of each command since the log last told of it, and when that was, by the monotonic clock. */
  readonly #untold = new Map<string, { sinceMs: number; count: number }>();
  /** When the next full sync that is to heal is due, by the monotonic clock. */
  #healDueMs = Infinity;
  /** Full syncs that were to heal, since the pauses began anew; when the dataset last was the master's again. */
  #heals = 0;
  #healedMs = -Infinity;

  /** Whether the dataset is known to be another one than the master's. */
  get isDiverged(): boolean {
    return this.offset >= 0;
  }

  /** What may be acknowledged of a stream that has been carried out up to `offset`. */
  acknowledgeable(offset: number): number {
    return this.offset < 0 ? offset : Math.min(this.offset, offset);
  }

  /** Whether the dataset lacks something of the master's, so that it is not to be promoted by itself. */
  get isLacking(): boolean {
    return this.isDiverged || this.leftOut > 0;
  }

  /** At the start: so many commands had failed, from `offset` on the two differ (-1: nowhere for certain). */
  restore(errors: number, offset: number, leftOut: number, steadyMs: number): void {
    this.leftOut = leftOut;
    this.errors = errors;
    this.lastError = errors > 0 ? "before this server was started" : "";
    this.offset = -1;
    if (offset >= 0) this.#parts(offset, steadyMs);
  }

  /**
   * A command (null: not known here) has failed, before which the stream was carried out up to `offset`. Returns whether
   * the log is to have it now: it is the first one of this command within a minute.
   */
  failed(command: string | null, text: string, offset: number, steadyMs: number): boolean {
    const name = command ?? unknownName(text);
    this.errors++;
    this.lastError = oneLine(
      `'${command ?? "<unknown>"}' has failed here: ${text.slice(0, ERROR_SHOWN_MAX)}`,
    );
    const isOfBoth = SCRIPTS.has(name) && !IS_OF_THIS_SIDE.test(text);
    if (!isOfBoth && !this.isDiverged) {
      this.#parts(offset, steadyMs);
      // A command about what was left out: the next full sync would leave it out too.
      if (command === null && this.leftOut > 0) this.#healDueMs = Infinity;
    }
    return this.#isNews(name, steadyMs);
  }

  #parts(offset: number, steadyMs: number): void {
    this.offset = offset;
    if (steadyMs - this.#healedMs > Math.max(HEALED_MS, 2 * this.#pauseMs)) this.#heals = 0;
    this.#healDueMs = steadyMs + this.#pauseMs;
  }

  get #pauseMs(): number {
    return Math.min(HEAL_MS_MAX, HEAL_MS_MIN * 2 ** Math.min(20, this.#heals));
  }

  #isNews(name: string, steadyMs: number): boolean {
    const key = this.#untold.has(name) || this.#untold.size < NAMES_MAX ? name : OTHERS;
    const known = this.#untold.get(key);
    if (known !== undefined) known.count++;
    else this.#untold.set(key, { sinceMs: steadyMs, count: 0 });
    return known === undefined;
  }

  /** Failures that the log has not told of for a minute: each command with how often it has failed since. */
  takeUntold(steadyMs: number): { name: string; count: number }[] {
    if (this.#untold.size === 0) return [];
    const due: { name: string; count: number }[] = [];
    for (const [name, { sinceMs, count }] of this.#untold) {
      if (steadyMs - sinceMs < TOLD_EVERY_MS) continue;
      if (count === 0) this.#untold.delete(name);
      else {
        due.push({ name, count });
        this.#untold.set(name, { sinceMs: steadyMs, count: 0 });
      }
    }
    return due;
  }

  /** Whether a full sync that is to heal is due. */
  isHealDue(steadyMs: number): boolean {
    return this.isDiverged && steadyMs >= this.#healDueMs;
  }

  /** Such a one begins; returns after how many ms the next is due, should it fail. */
  healBegins(steadyMs: number): number {
    this.#heals++;
    this.#healDueMs = steadyMs + this.#pauseMs;
    return this.#pauseMs;
  }

  /** In how many seconds the next is due; -1 for none. */
  healInSeconds(steadyMs: number): number {
    return this.isDiverged && this.#healDueMs < Infinity
      ? Math.max(0, Math.ceil((this.#healDueMs - steadyMs) / 1000))
      : -1;
  }

  /** The dataset is the master's, but for so many keys and libraries. */
  ended(leftOut: number, steadyMs: number): void {
    this.leftOut = leftOut;
    this.errors = 0;
    this.lastError = "";
    this.offset = -1;
    this.#healedMs = steadyMs;
  }
}

/** The name in the answer to a command that is not known. */
function unknownName(text: string): string {
  const found = /^ERR unknown (?:sub)?command '([^']*)/.exec(text);
  return found === null ? "<unknown>" : oneLine(found[1].toLowerCase().slice(0, NAME_SHOWN_MAX));
}
