/** GET and its relatives that answer with a whole string: MGET, GETDEL, GETEX, STRLEN. */

import { ENC_EXTERNAL, TYPE_STRING } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { EXPIRE_DELETES } from "../../keyspace/expire_mode.ts";
import { word } from "../../propagation/stream_part.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, noted, oneKey } from "../../dispatch/key_specs.ts";
import { FOR_GETEX, StringOptions } from "./expiration.ts";

/**
 * `GET key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/get/}
 */
export const get = defineCommand({
  name: "get",
  group: "string",
  since: "1.0.0",
  summary: "Reads the string at a key",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runGet,
});

function runGet({ database, words, reply }: Call): void {
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.null();
  const { records } = database;
  const meta = records.metaOf(ref);
  if ((meta & 0xf) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  if (((meta >>> 4) & 0xf) === ENC_EXTERNAL) {
    const bytes = database.locateString(ref);
    return reply.bulk(bytes, 0, database.stringLength);
  }
  reply.bulk(records.bytesOf(ref), records.valueOffset(ref), records.valueLength(ref));
}

/**
 * Answers with the string at the key of word 1, as GET does, for commands that then go on to change
 * it. False after an error: then they must stop.
 */
export function replyWithString({ database, words, reply }: Call): boolean {
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) reply.null();
  else if (database.typeOf(ref) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return false;
  } else {
    const bytes = database.locateString(ref);
    reply.bulk(bytes, database.stringOffset, database.stringLength);
  }
  return true;
}

/**
 * `MGET key [key …]`. Null stands for a missing key and for one that holds no string.
 *
 * @see {@link https://redis.io/docs/latest/commands/mget/}
 */
export const mget = defineCommand({
  name: "mget",
  group: "string",
  since: "1.0.0",
  summary: "Reads the strings at several keys",
  complexity: "O(N)",
  arity: -2,
  flags: ["readonly", "fast"],
  tips: ["request_policy:multi_shard"],
  keys: [keysToEnd("RO access")],
  args: "key...",
  run: runMget,
});

function runMget({ database, words, reply }: Call): void {
  const { count } = words;
  reply.array(count - 1);
  for (let i = 1; i < count; i++) {
    const ref = database.lookupRead(words.bytes, words.starts[i], words.lengths[i]);
    if (ref === 0 || database.typeOf(ref) !== TYPE_STRING) reply.null();
    else {
      const bytes = database.locateString(ref);
      reply.bulk(bytes, database.stringOffset, database.stringLength);
    }
  }
}

/**
 * `STRLEN key`: length in bytes.
 *
 * @see {@link https://redis.io/docs/latest/commands/strlen/}
 */
export const strlen = defineCommand({
  name: "strlen",
  group: "string",
  since: "2.2.0",
  summary: "Tells how many bytes a string has",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runStrlen,
});

function runStrlen({ database, words, reply }: Call): void {
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  database.locateString(ref);
  reply.integer(database.stringLength);
}

/**
 * `GETDEL key`. Propagates as DEL.
 *
 * @see {@link https://redis.io/docs/latest/commands/getdel/}
 */
export const getdel = defineCommand({
  name: "getdel",
  group: "string",
  since: "6.2.0",
  summary: "Reads the string at a key and deletes the key",
  complexity: "O(1)",
  arity: 2,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  args: "key",
  run: runGetdel,
});

function runGetdel(call: Call): void {
  if (!replyWithString(call)) return;
  const { database, words } = call;
  if (!database.remove(words.bytes, words.starts[1], words.lengths[1])) return;
  if (call.isPropagating) call.propagateAs("DEL", word(1));
}

/**
 * `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`. An instant that is over deletes the key.
 *
 * Errors: not an integer; invalid expire time; both only when there is a string at the key.
 * Propagates as PEXPIREAT, DEL or PERSIST; without an option it is a mere read.
 *
 * @see {@link https://redis.io/docs/latest/commands/getex/}
 */
export const getex = defineCommand({
  name: "getex",
  group: "string",
  since: "6.2.0",
  summary: "Reads the string at a key and sets or removes its expiry",
  complexity: "O(1)",
  arity: -2,
  flags: ["write", "fast"],
  keys: [noted("A new expiry is a change too.", oneKey("RW access update"))],
  args: `
    key
    [expiration:(
      EX seconds:integer |
      PX milliseconds:integer |
      EXAT unix-time-seconds:unix-time |
      PXAT unix-time-milliseconds:unix-time |
      PERSIST
    )]
  `,
  run: runGetex,
});

const options = new StringOptions();

function runGetex(call: Call): void {
  const { database, words, reply } = call;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  options.read(call, 2, FOR_GETEX);
  const ref = database.lookupRead(words.bytes, keyOffset, keyLength);
  if (ref === 0) return reply.null();
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const expiresAtMs = options.deadline(call);
  const value = database.locateString(ref);
  reply.bulk(value, database.stringOffset, database.stringLength);

  if (expiresAtMs <= call.nowMs && database.keyspace.expireMode === EXPIRE_DELETES) {
    database.removeRecord(ref, words.bytes, keyOffset, keyLength);
    if (call.isPropagating) {
      call.propagateAs(database.keyspace.unlinksExpired ? "UNLINK" : "DEL", word(1));
    }
  } else if (options.deadlineIndex !== 0) {
    database.setExpiry(ref, expiresAtMs);
    database.changed(words.bytes, keyOffset, keyLength, EVENT_GENERIC, "expire");
    if (call.isPropagating) call.propagateAs("PEXPIREAT", word(1), expiresAtMs);
  } else if (options.persists && !Number.isNaN(database.expiryOf(ref))) {
    database.setExpiry(ref, NaN);
    database.changed(words.bytes, keyOffset, keyLength, EVENT_GENERIC, "persist");
    if (call.isPropagating) call.propagateAs("PERSIST", word(1));
  }
}
