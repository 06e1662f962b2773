/** The expiry options that SET, SETEX, PSETEX and GETEX share: from words to an instant. */

import { INT64_MAX } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";

/** The largest instant that is stored: the last double below 2^63. See "Expiry instants" in NOTES. */
const INSTANT_MAX = 9223372036854774784;

/** How a word names an instant: in seconds or not, and from now on or not. */
export const EXPIRY_MS = 0;
export const EXPIRY_SECONDS = 1;
export const EXPIRY_FROM_NOW = 2;
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

/** Reads the options behind SET's value or GETEX's key. One instance serves all calls. */
export class StringOptions {
  onlyIfMissing = false;
  onlyIfPresent = false;
  wantsOld = false;
  keepsTtl = false;
  persists = false;
  /** Index of the word with the time; 0 when there is no expiry among the options. */
  deadlineIndex = 0;
  unit = EXPIRY_MS;

  /** Reads all words from `from` on; refuses what contradicts itself or belongs to the other command. */
  read(call: Call, from: number, isSet: boolean): void {
    const { words } = call;
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
      } else if (isSet && words.is(i, "nx") && !this.onlyIfPresent) this.onlyIfMissing = true;
      else if (isSet && words.is(i, "xx") && !this.onlyIfMissing) this.onlyIfPresent = true;
      else if (isSet && words.is(i, "get")) this.wantsOld = true;
      else if (isSet && words.is(i, "keepttl") && unitSeen === NO_UNIT) this.keepsTtl = true;
      else if (!isSet && words.is(i, "persist") && unitSeen === NO_UNIT) this.persists = true;
      else throw new ReplyError(SYNTAX_ERROR);
    }
  }

  /** The instant that the options name, NaN for none. */
  deadline(call: Call): number {
    return this.deadlineIndex === 0 ? NaN : readInstant(call, this.deadlineIndex, this.unit);
  }
}
