/** SETBIT and GETBIT: one bit of a string. */

import { TYPE_STRING } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_STRING } from "../../base/event_classes.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { readBitOffset } from "./bit_offset.ts";

const NOT_A_BIT = "ERR bit is not an integer or out of range";

/**
 * `SETBIT key offset value`: the bit before. The string grows, by zero bytes, up to the offset. What
 * changes neither a bit nor the length is not counted as a change.
 *
 * Errors: offset negative or beyond the longest string; value neither 0 nor 1.
 *
 * @see {@link https://redis.io/docs/latest/commands/setbit/}
 */
export const setbit = defineCommand({
  name: "setbit",
  group: "bitmap",
  since: "2.2.0",
  summary: "Sets or clears one bit of a string",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW access update")],
  args: "key offset:integer value:integer",
  run: runSetbit,
});

function runSetbit(call: Call): void {
  const { database, words, reply } = call;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  const bitOffset = readBitOffset(call, 2);
  const bit = call.clampedInteger(3, NOT_A_BIT);
  if (bit !== 0 && bit !== 1) return reply.error(NOT_A_BIT);

  let ref = database.lookupWrite(words.bytes, keyOffset, keyLength);
  const at = Math.floor(bitOffset / 8);
  const shift = 7 - (bitOffset & 7);
  if (ref === 0) ref = database.addString(words.bytes, keyOffset, keyLength, at + 1);
  else {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    database.locateString(ref);
    const length = database.stringLength;
    // Also where nothing will change: OBJECT ENCODING is "raw" from now on.
    ref = database.growString(ref, Math.max(length, at + 1));
    const bytes = database.locateString(ref);
    if (at < length && ((bytes[database.stringOffset + at] >> shift) & 1) === bit) {
      return reply.integer(bit);
    }
  }
  const bytes = database.locateString(ref);
  const position = database.stringOffset + at;
  const before = (bytes[position] >> shift) & 1;
  if (before !== bit) bytes[position] ^= 1 << shift;
  database.changed(words.bytes, keyOffset, keyLength, EVENT_STRING, "setbit");
  reply.integer(before);
}

/**
 * `GETBIT key offset`: 0 beyond the string's end.
 *
 * @see {@link https://redis.io/docs/latest/commands/getbit/}
 */
export const getbit = defineCommand({
  name: "getbit",
  group: "bitmap",
  since: "2.2.0",
  summary: "Reads one bit of a string",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key offset:integer",
  run: runGetbit,
});

function runGetbit(call: Call): void {
  const { database, words, reply } = call;
  const bitOffset = readBitOffset(call, 2);
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const bytes = database.locateString(ref);
  const at = Math.floor(bitOffset / 8);
  if (at >= database.stringLength) return reply.integer(0);
  reply.integer((bytes[database.stringOffset + at] >> (7 - (bitOffset & 7))) & 1);
}
