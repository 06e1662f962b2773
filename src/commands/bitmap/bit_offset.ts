/** Offsets of bits, as SETBIT, GETBIT and BITFIELD read them. Bit 0 is the highest of byte 0. */

import { parseInteger } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";

const HASH = 0x23;

/**
 * Word `index` as an offset in bits. With `fieldBits` above 0, "#n" means the n-th field of that size.
 * Refuses what lies beyond the longest string allowed, except from our master.
 */
export function readBitOffset(call: Call, index: number, fieldBits = 0): number {
  const { words, client, server } = call;
  let start = words.starts[index];
  let length = words.lengths[index];
  let unit = 1;
  if (fieldBits > 0 && length > 0 && words.bytes[start] === HASH) {
    start++;
    length--;
    unit = fieldBits;
  }
  const offset = parseInteger(words.bytes, start, length) * unit;
  const { stringBytesMax } = server.keyspace.limits;
  // The first comparison is false for NaN: text that is no integer, or one beyond all strings.
  if (!(offset >= 0) || (offset / 8 >= stringBytesMax && !client.isMaster)) {
    throw new ReplyError("ERR bit offset is not an integer or out of range");
  }
  return offset;
}
