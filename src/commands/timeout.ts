/**
 * How long a client is to wait, as commands spell it: seconds with a fraction (BLPOP and its like) or
 * whole milliseconds (WAIT, CLIENT PAUSE). What would end beyond the last instant of 64 bits is
 * refused, as in Redis 7.2.
 */

import { parseDouble } from "../base/doubles.ts";
import type { Call } from "../dispatch/call.ts";
import { ReplyError } from "../resp/reply_error.ts";

/** 2^63, behind the last instant there is. */
const END_OF_TIME_MS = 9223372036854775808;

/**
 * Word `index`, in seconds, as the time at which waiting ends, by `Keyspace.steadyMs`; Infinity for 0, which is
 * never. @throws ReplyError
 */
export function readDeadline(call: Call, index: number): number {
  const seconds = parseDouble(call.words.text(index));
  if (seconds !== seconds) throw new ReplyError("ERR timeout is not a float or out of range");
  const ms = checked(call, Math.ceil(seconds * 1000));
  return ms === 0 ? Infinity : call.server.keyspace.steadyMs + ms;
}

/** Word `index` as a duration in whole milliseconds, 0 included. @throws ReplyError */
export function readTimeoutMs(call: Call, index: number): number {
  return checked(call, call.clampedInteger(index, "ERR timeout is not an integer or out of range"));
}

function checked({ nowMs }: Call, ms: number): number {
  if (ms >= END_OF_TIME_MS - nowMs) throw new ReplyError("ERR timeout is out of range");
  if (ms < 0) throw new ReplyError("ERR timeout is negative");
  return ms;
}
