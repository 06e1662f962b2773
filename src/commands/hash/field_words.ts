/** What the commands for fields that expire share: reading `FIELDS numfields field …` and times. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";

const FIELDS_MISSING = "ERR Mandatory argument FIELDS is missing or not at the right position";
const WRONG_NUMBER = "ERR The `numfields` parameter must match the number of arguments";
const NEGATIVE_TIME = "ERR invalid expire time, must be >= 0";
export const FIELDS_NOT_POSITIVE = "ERR Number of fields must be a positive integer";

/** The latest time at which a field may expire, in Unix ms: of 48 bits Redis keeps two for itself. */
const TIME_MAX = 2 ** 46 - 1;

/**
 * Reads FIELDS at word `at` and the number behind it, which must be that of all words that follow.
 * Returns where the first field is.
 */
export function readFields(call: Call, at: number, notPositive = FIELDS_NOT_POSITIVE): number {
  const { words } = call;
  if (at >= words.count || !words.is(at, "fields")) throw new ReplyError(FIELDS_MISSING);
  if (at + 1 >= words.count) throw call.arityError();
  const fields = call.clampedInteger(at + 1, notPositive);
  if (fields < 1) throw new ReplyError(notPositive);
  if (fields !== words.count - at - 2) throw new ReplyError(WRONG_NUMBER);
  return at + 2;
}

/** Word `index` as a time in Unix ms, counted from `baseMs`. */
export function readTime(call: Call, index: number, isSeconds: boolean, baseMs: number): number {
  const time = call.clampedInteger(index);
  if (time < 0) throw new ReplyError(NEGATIVE_TIME);
  const ms = isSeconds ? time * 1000 : time;
  if (ms > TIME_MAX - baseMs) {
    throw new ReplyError(`ERR invalid expire time in '${call.command.fullName}' command`);
  }
  return ms + baseMs;
}

/** How an option names a time. */
interface TimeOption {
  readonly isSeconds: boolean;
  readonly fromNow: boolean;
}

const TIME_OPTIONS: readonly (readonly [word: string, option: TimeOption])[] = [
  ["ex", { isSeconds: true, fromNow: true }],
  ["px", { isSeconds: false, fromNow: true }],
  ["exat", { isSeconds: true, fromNow: false }],
  ["pxat", { isSeconds: false, fromNow: false }],
];

/** Whether word `index` is EX, PX, EXAT or PXAT. */
export function isTimeOption({ words }: Call, index: number): boolean {
  return TIME_OPTIONS.some(([word]) => words.is(index, word));
}

/** The time that such an option at word `index` names, in Unix ms. */
export function readTimeOption(call: Call, index: number): number {
  const { words, nowMs } = call;
  const [, { isSeconds, fromNow }] = TIME_OPTIONS.find(([word]) => words.is(index, word))!;
  return readTime(call, index + 1, isSeconds, fromNow ? nowMs : 0);
}
