/** The options that SET, SETEX, PSETEX, MSETEX and GETEX share: from words to an instant, and conditions. */

import { INT64_MAX } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { type Comparison, comparisonAt } from "./compare.ts";

/** The largest instant that is stored: the last double below 2^63. See "Expiry instants" in NOTES. */
const INSTANT_MAX = 9223372036854774784;

/** How a word names an instant: in seconds or not, and from now on or not. */
export const EXPIRY_MS = 0;
export const EXPIRY_SECONDS = 1;
export const EXPIRY_FROM_NOW = 2;
type Condition = "nx" | "xx" | Comparison;

/** None of the four options. */
const NO_UNIT = -1;

function unitOf({ words }: Call, index: number): number {
  if (words.is(index, "ex")) return EXPIRY_SECONDS | EXPIRY_FROM_NOW;
  if (words.is(index, "px")) return EXPIRY_FROM_NOW;
  if (words.is(index, "exat")) return EXPIRY_SECONDS;
  if (words.is(index, "pxat")) return EXPIRY_MS;
  return NO_UNIT;
}

/**
 * Word `index` as an instant, in Unix ms; `unit` is made of EXPIRY_* bits. Must be positive and, as an
 * instant, fit 64 bits. Instants beyond 2^53 (in the year 287396) are rounded.
 */
export function readInstant(call: Call, index: number, unit: number): number {
  const value = call.clampedInteger(index);
  if (value <= 0) throw invalidExpireTime(call);
  let instantMs = (unit & EXPIRY_SECONDS) !== 0 ? value * 1000 : value;
  if ((unit & EXPIRY_FROM_NOW) !== 0) instantMs += call.nowMs;
  if (instantMs <= Number.MAX_SAFE_INTEGER) return instantMs;
  let exact = call.bigInteger(index);
  if ((unit & EXPIRY_SECONDS) !== 0) exact *= 1000n;
  if ((unit & EXPIRY_FROM_NOW) !== 0) exact += BigInt(call.nowMs);
  if (exact > INT64_MAX) throw invalidExpireTime(call);
  return Math.min(Number(exact), INSTANT_MAX);
}

function invalidExpireTime(call: Call): ReplyError {
  return new ReplyError(`ERR invalid expire time in '${call.command.fullName}' command`);
}

// Which options a command has beside the four that name an instant.
const TAKES_CONDITIONS = 1;
const TAKES_COMPARISONS = 2;
const TAKES_GET = 4;
const TAKES_KEEPTTL = 8;
const TAKES_PERSIST = 16;
export const FOR_SET = TAKES_CONDITIONS | TAKES_COMPARISONS | TAKES_GET | TAKES_KEEPTTL;
export const FOR_MSETEX = TAKES_CONDITIONS | TAKES_KEEPTTL;
export const FOR_GETEX = TAKES_PERSIST;

/** Reads the options behind SET's value, MSETEX's pairs or GETEX's key. One instance serves all calls. */
export class StringOptions {
  onlyIfMissing = false;
  onlyIfPresent = false;
  /** IFEQ and its kin, with the index of the word to compare with. */
  comparison: Comparison | null = null;
  comparedIndex = 0;
  wantsOld = false;
  keepsTtl = false;
  persists = false;
  /** Index of the word with the time; 0 when there is no expiry among the options. */
  deadlineIndex = 0;
  unit = EXPIRY_MS;

  /** Reads all words from `from` on; refuses what contradicts itself or belongs to the other command. */
  read(call: Call, from: number, taken: number): void {
    const { words } = call;
    this.comparison = null;
    this.onlyIfMissing =
      this.onlyIfPresent =
      this.wantsOld =
      this.keepsTtl =
      this.persists =
        false;
    this.deadlineIndex = 0;
    let unitSeen = NO_UNIT;
    for (let i = from; i < words.count; i++) {
      const unit = unitOf(call, i);
      if (unit !== NO_UNIT) {
        // The same option again is allowed, its last time counts.
        const contradicts = this.keepsTtl || this.persists ||
          (unitSeen !== NO_UNIT && unitSeen !== unit);
        if (contradicts || i + 1 === words.count) throw new ReplyError(SYNTAX_ERROR);
        unitSeen = unit;
        this.unit = unit;
        this.deadlineIndex = ++i;
      } else if (words.is(i, "nx")) this.onlyIfMissing = this.#hasRoomFor(taken, "nx");
      else if (words.is(i, "xx")) this.onlyIfPresent = this.#hasRoomFor(taken, "xx");
      else if ((taken & TAKES_GET) !== 0 && words.is(i, "get")) this.wantsOld = true;
      else if (
        (taken & TAKES_KEEPTTL) !== 0 && unitSeen === NO_UNIT && words.is(i, "keepttl")
      ) this.keepsTtl = true;
      else if (
        (taken & TAKES_PERSIST) !== 0 && unitSeen === NO_UNIT && words.is(i, "persist")
      ) this.persists = true;
      else {
        this.#readComparison(call, i, taken);
        this.comparedIndex = ++i;
      }
    }
  }

  /** True if the condition may stand beside those that were read: the same again may. @throws ReplyError */
  #hasRoomFor(taken: number, condition: Condition): boolean {
    const { onlyIfMissing, onlyIfPresent, comparison } = this;
    const others = (onlyIfMissing && condition !== "nx") || (onlyIfPresent && condition !== "xx") ||
      (comparison !== null && condition !== comparison);
    const isTaken = (taken & TAKES_CONDITIONS) !== 0;
    if (others || !isTaken) throw new ReplyError(SYNTAX_ERROR);
    return true;
  }

  #readComparison({ words }: Call, index: number, taken: number): void {
    const comparison = comparisonAt(words, index);
    if (comparison === null || (taken & TAKES_COMPARISONS) === 0 || index + 1 === words.count) {
      throw new ReplyError(SYNTAX_ERROR);
    }
    if (this.#hasRoomFor(taken, comparison)) this.comparison = comparison;
  }

  /** The instant that the options name, NaN for none. */
  deadline(call: Call): number {
    return this.deadlineIndex === 0 ? NaN : readInstant(call, this.deadlineIndex, this.unit);
  }
}
