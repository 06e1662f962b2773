/** Numbers in words that C reads as an `int`: databases above all. */

import type { Call } from "../../dispatch/call.ts";
import { NOT_AN_INTEGER, ReplyError } from "../../resp/reply_error.ts";

const INT_MAX = 2147483647;

/**
 * Word `index` as an integer of 32 bits. `errorText`, if given, is the answer to everything that is
 * none. @throws ReplyError
 */
export function readInt(call: Call, index: number, errorText?: string): number {
  const value = call.clampedInteger(index, errorText ?? NOT_AN_INTEGER);
  if (value > INT_MAX || value < -INT_MAX - 1) {
    throw new ReplyError(
      errorText ??
        `ERR value is out of range, value must between ${-INT_MAX - 1} and ${INT_MAX}`,
    );
  }
  return value;
}
