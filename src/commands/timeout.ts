/** The timeout of blocking commands: seconds with a fraction, 0 for none. */

import { parseDouble } from "../base/doubles.ts";
import type { Call } from "../dispatch/call.ts";
import { ReplyError } from "../resp/reply_error.ts";

/** 2^63: what does not fit 64 bits. */
const TOO_LONG = 9223372036854775808;

/** Word `index` as the Unix time in ms at which waiting ends; Infinity for never. @throws ReplyError */
export function readDeadline(call: Call, index: number): number {
  const seconds = parseDouble(call.words.text(index));
  if (seconds !== seconds) throw new ReplyError("ERR timeout is not a float or out of range");
  const ms = seconds * 1000;
  if (ms >= TOO_LONG) throw new ReplyError("ERR timeout is out of range");
  if (ms < 0 && Math.ceil(ms) <= -1) throw new ReplyError("ERR timeout is negative");
  if (ms <= 0) return Infinity;
  return call.nowMs + Math.ceil(ms);
}
