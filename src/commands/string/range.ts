/** Parts of strings: APPEND, GETRANGE (once called SUBSTR), SETRANGE. */

import { TYPE_STRING } from "../../arena/record.ts";
import { copyBytes } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_STRING } from "../../base/event_classes.ts";
import { STRING_TOO_LONG, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

const EMPTY = new Uint8Array(0);

/** Whether a string of `length` bytes may be made; commands of our master are obeyed anyway. */
function isTooLong({ client, server }: Call, length: number): boolean {
  return length > server.keyspace.limits.stringBytesMax && !client.isMaster;
}

/**
 * `APPEND key value`: the new length. Makes the string if the key is missing.
 *
 * @see {@link https://redis.io/docs/latest/commands/append/}
 */
export const append = defineCommand({
  name: "append",
  group: "string",
  since: "2.0.0",
  summary: "Puts bytes behind the string at a key",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key value",
  run: runAppend,
});

function runAppend(call: Call): void {
  const { database, words, reply } = call;
  const { bytes } = words;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  const count = words.lengths[2];
  let ref = database.lookupWrite(bytes, keyOffset, keyLength);
  let before = 0;
  if (ref === 0) {
    ref = database.addString(bytes, keyOffset, keyLength, count);
    database.markAsSet(ref);
  } else {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    database.locateString(ref);
    before = database.stringLength;
    if (isTooLong(call, before + count)) return reply.error(STRING_TOO_LONG);
    ref = database.resizeString(ref, before + count);
  }
  const to = database.locateString(ref);
  copyBytes(to, database.stringOffset + before, bytes, words.starts[2], count);
  database.changed(bytes, keyOffset, keyLength, EVENT_STRING, "append");
  reply.integer(before + count);
}

/**
 * `GETRANGE key start end`: both ends included, negative ones counted from the string's end.
 *
 * @see {@link https://redis.io/docs/latest/commands/getrange/}
 */
export const getrange = defineCommand({
  name: "getrange",
  group: "string",
  since: "2.4.0",
  summary: "Reads a part of the string at a key",
  complexity: "O(N)",
  arity: 4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key start:integer end:integer",
  run: runGetrange,
});

function runGetrange(call: Call): void {
  const { database, words, reply } = call;
  let start = call.clampedInteger(2);
  let end = call.clampedInteger(3);
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.bulk(EMPTY);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const bytes = database.locateString(ref);
  const length = database.stringLength;
  // Both before the first byte would be moved onto it: a reversed range must stay empty.
  if (start < 0 && end < 0 && start > end) return reply.bulk(EMPTY);
  if (start < 0) start = Math.max(0, start + length);
  if (end < 0) end = Math.max(0, end + length);
  if (end >= length) end = length - 1;
  if (start > end) return reply.bulk(EMPTY);
  reply.bulk(bytes, database.stringOffset + start, end - start + 1);
}

/**
 * `SUBSTR key start end`: GETRANGE by its first name.
 *
 * @see {@link https://redis.io/docs/latest/commands/substr/}
 */
export const substr = defineCommand({
  name: "substr",
  group: "string",
  since: "1.0.0",
  summary: "Reads a part of the string at a key, as GETRANGE does",
  complexity: "O(N)",
  arity: 4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key start:integer end:integer",
  deprecated: { since: "2.0.0", use: "`GETRANGE`" },
  run: runGetrange,
});

/**
 * `SETRANGE key offset value`: the new length. Zero bytes fill the room between the old end and
 * `offset`. An empty value changes nothing.
 *
 * Errors: offset below 0; the result too long.
 *
 * @see {@link https://redis.io/docs/latest/commands/setrange/}
 */
export const setrange = defineCommand({
  name: "setrange",
  group: "string",
  since: "2.2.0",
  summary: "Overwrites a part of the string at a key",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW update")],
  args: "key offset:integer value",
  run: runSetrange,
});

function runSetrange(call: Call): void {
  const { database, words, reply } = call;
  const { bytes } = words;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  const count = words.lengths[3];
  const offset = call.clampedInteger(2);
  if (offset < 0) return reply.error("ERR offset is out of range");

  let ref = database.lookupWrite(bytes, keyOffset, keyLength);
  let before = 0;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    database.locateString(ref);
    before = database.stringLength;
  }
  if (count === 0) return reply.integer(before);
  if (isTooLong(call, offset + count)) return reply.error(STRING_TOO_LONG);

  const after = Math.max(before, offset + count);
  if (ref === 0) ref = database.addString(bytes, keyOffset, keyLength, after);
  else ref = database.growString(ref, after);
  const to = database.locateString(ref);
  copyBytes(to, database.stringOffset + offset, bytes, words.starts[3], count);
  database.changed(bytes, keyOffset, keyLength, EVENT_STRING, "setrange");
  reply.integer(after);
}
