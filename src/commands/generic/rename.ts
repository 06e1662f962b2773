/** Commands that give a value another key: RENAME, RENAMENX, MOVE, COPY. */

import { equalBytes } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import { copyRecord } from "../../keyspace/copy.ts";
import type { Database } from "../../keyspace/database.ts";
import type { LargeValue, ValueWork } from "../../keyspace/value_slots.ts";
import type { Words } from "../../resp/words.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { NO_SUCH_KEY, ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { readInt } from "./numbers.ts";

const NO_SUCH_DATABASE = "ERR DB index is out of range";
const SAME_OBJECT = "ERR source and destination objects are the same";

/**
 * `RENAME key newkey`.
 *
 * @see {@link https://redis.io/docs/latest/commands/rename/}
 */
export const rename = defineCommand({
  name: "rename",
  group: "generic",
  since: "1.0.0",
  summary: "Gives a value another key, in the place of what was there",
  complexity: "O(1)",
  arity: 3,
  flags: ["write"],
  keys: [oneKey("RW access delete"), oneKey("OW update", 2)],
  args: "key newkey:key#1",
  run: runRename,
});

/**
 * `RENAMENX key newkey`.
 *
 * @see {@link https://redis.io/docs/latest/commands/renamenx/}
 */
export const renamenx = defineCommand({
  name: "renamenx",
  group: "generic",
  since: "1.0.0",
  history: [["3.2.0", "both names may be the same"]],
  summary: "Gives a value another key unless there is something at it",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete"), oneKey("OW insert", 2)],
  args: "key newkey:key#1",
  run: runRenamenx,
});

function runRename(call: Call): void {
  if (renameKey(call, true) >= 0) call.reply.ok();
}

function runRenamenx(call: Call): void {
  const renamed = renameKey(call, false);
  if (renamed >= 0) call.reply.integer(renamed);
}

/** 1 when the key was renamed, 0 when it stays as it is, -1 after an error reply. */
function renameKey({ database, words, reply }: Call, overwrites: boolean): number {
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) {
    reply.error(NO_SUCH_KEY);
    return -1;
  }
  if (equalBytes(bytes, starts[1], lengths[1], bytes, starts[2], lengths[2])) return 0;
  const old = database.lookupWrite(bytes, starts[2], lengths[2]);
  if (old !== 0 && !overwrites) return 0;
  database.putAt(old, () => database.moveRecord(ref, database, bytes, starts[2], lengths[2]));
  database.changed(bytes, starts[1], lengths[1], EVENT_GENERIC, "rename_from", 1);
  database.changed(bytes, starts[2], lengths[2], EVENT_GENERIC, "rename_to", 0);
  return 1;
}

/**
 * `MOVE key db`.
 *
 * @see {@link https://redis.io/docs/latest/commands/move/}
 */
export const move = defineCommand({
  name: "move",
  group: "generic",
  since: "1.0.0",
  summary: "Moves a key to another database unless it is there already",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "fast"],
  keys: [oneKey("RW access update")],
  args: "key db:integer",
  run: runMove,
});

function runMove(call: Call): void {
  const { database, words, reply } = call;
  const target = databaseAt(call, 2);
  if (target === database) return reply.error(SAME_OBJECT);
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (target.lookupWrite(bytes, starts[1], lengths[1]) !== 0) return reply.integer(0);
  database.moveRecord(ref, target, bytes, starts[1], lengths[1]);
  database.changed(bytes, starts[1], lengths[1], EVENT_GENERIC, "move_from", 1);
  target.changed(bytes, starts[1], lengths[1], EVENT_GENERIC, "move_to", 0);
  reply.integer(1);
}

/** The database whose number is in word `index`. @throws ReplyError */
function databaseAt(call: Call, index: number): Database {
  const { databases } = call.database.keyspace;
  const number = readInt(call, index);
  if (number < 0 || number >= databases.length) throw new ReplyError(NO_SUCH_DATABASE);
  return databases[number];
}

/**
 * `COPY source destination [DB destination-db] [REPLACE]`.
 *
 * A large value is copied while others have their turn: they may read it, and the copy appears at once.
 *
 * @see {@link https://redis.io/docs/latest/commands/copy/}
 */
export const copy = defineCommand({
  name: "copy",
  group: "generic",
  since: "6.2.0",
  summary: "Copies a value with its expiry to another key, in this database or another",
  complexity: "O(N) where N is the size of the value",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [oneKey("RO access"), oneKey("OW update", 2)],
  args: "source:key destination:key#1 [DB destination-db:integer] [REPLACE]",
  run: runCopy,
});

function runCopy(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  let target = database;
  let replaces = false;
  for (let i = 3; i < words.count; i++) {
    if (words.is(i, "replace")) replaces = true;
    else if (words.is(i, "db") && i + 1 < words.count) target = databaseAt(call, ++i);
    else throw new ReplyError(SYNTAX_ERROR);
  }
  if (
    target === database && equalBytes(bytes, starts[1], lengths[1], bytes, starts[2], lengths[2])
  ) {
    return reply.error(SAME_OBJECT);
  }
  const { makings } = call.server.dispatcher;
  // A request counts as one look at its key, however often it is run.
  const ref = makings.isAgain(call.client)
    ? database.findOrExpire(bytes, starts[1], lengths[1])
    : database.lookupRead(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  const old = target.lookupWrite(bytes, starts[2], lengths[2]);
  if (old !== 0 && !replaces) return reply.integer(0);
  if (isLong(database, ref) && makings.park(call, [1], beginCopy)) return;
  const made = makings.take(call.client) as LargeValue | null;
  target.putAt(old, () => copyRecord(database, ref, target, bytes, starts[2], lengths[2], made));
  target.changed(bytes, starts[2], lengths[2], EVENT_GENERIC, "copy_to");
  reply.integer(1);
}

/** Values that take more memory are copied in slices, if the client may wait. */
const COPY_AT_ONCE_BYTES = 256 * 1024;
/** The same of strings and lists, whose bytes are copied many at a time. */
const BYTES_AT_ONCE = 4 << 20;

function isLong(database: Database, ref: number): boolean {
  const large = database.largeValueOf(ref);
  if (large?.beginCopy === undefined) return false;
  return large.memoryBytes > (large.dict === undefined ? BYTES_AT_ONCE : COPY_AT_ONCE_BYTES);
}

/** Begins to copy the value of the key in word 1, if it is in a slot. */
function beginCopy(database: Database, { bytes, starts, lengths }: Words): ValueWork | null {
  const ref = database.records.get(bytes, starts[1], lengths[1]);
  return database.largeValueOf(ref)?.beginCopy?.() ?? null;
}
