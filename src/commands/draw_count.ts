/** The count of HRANDFIELD, SRANDMEMBER and ZRANDMEMBER: negative ones ask for repetitions. */

import type { Call } from "../dispatch/call.ts";
import { OUT_OF_RANGE, ReplyError } from "../resp/reply_error.ts";

const NOT_IN_RANGE =
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const INT64_MIN = -(2n ** 63n);
/** Largest count of pairs either way. */
const PAIRS_MAX = 2n ** 62n - 1n;
/** Most elements one reply may repeat: no client takes more, and no memory would hold them. */
const REPEATED_MAX = 0x7fffffff;

/**
 * Word `index` as a count: negative for that many draws with repetitions. Throws a ReplyError when it
 * is no integer or out of range, but for `checkDraws`.
 */
export function drawCount(call: Call, index: number): number {
  const count = call.clampedInteger(index);
  if (Math.abs(count) > Number.MAX_SAFE_INTEGER && call.bigInteger(index) === INT64_MIN) {
    throw new ReplyError(NOT_IN_RANGE);
  }
  return count;
}

/** Checks a count of pairs (WITHVALUES, WITHSCORES), which take two elements each. */
export function checkPairs(call: Call, index: number, count: number): void {
  if (Math.abs(count) <= Number.MAX_SAFE_INTEGER) return;
  const exact = call.bigInteger(index);
  if (exact > PAIRS_MAX || exact < -PAIRS_MAX) throw new ReplyError(OUT_OF_RANGE);
}

/** Checks, before the reply begins, that as many draws as a negative count asks for can be sent. */
export function checkDraws(count: number): void {
  if (count < -REPEATED_MAX) throw new ReplyError(OUT_OF_RANGE);
}
