/** Commands that take elements from an end of a list. */

import { TYPE_LIST } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { EVENT_GENERIC, EVENT_LIST } from "../../base/event_classes.ts";
import { listView, writeEntry } from "../../keyspace/list.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, oneKey } from "../../dispatch/key_specs.ts";

const NOT_POSITIVE = "ERR value is out of range, must be positive";

/**
 * `LPOP key [count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lpop/}
 */
export const lpop = defineCommand({
  name: "lpop",
  group: "list",
  since: "1.0.0",
  history: [["6.2.0", "a count"]],
  summary: "Takes the first element, or the first few, out of a list",
  complexity: "O(N) where N is the number of elements taken",
  arity: -2,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  args: "key [count:integer@6.2.0]",
  run: runLpop,
});

/**
 * `RPOP key [count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/rpop/}
 */
export const rpop = defineCommand({
  name: "rpop",
  group: "list",
  since: "1.0.0",
  history: [["6.2.0", "a count"]],
  summary: "Takes the last element, or the last few, out of a list",
  complexity: "O(N) where N is the number of elements taken",
  arity: -2,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  args: "key [count:integer@6.2.0]",
  run: runRpop,
});

/**
 * `LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lmpop/}
 */
export const lmpop = defineCommand({
  name: "lmpop",
  group: "list",
  since: "7.0.0",
  summary: "Takes elements out of the first list that is not empty",
  complexity: "O(N+M) where N is the number of keys and M the number of elements taken",
  arity: -4,
  flags: ["write"],
  keys: [countedKeys("RW access delete")],
  args: "numkeys:integer key... where:(LEFT | RIGHT) [COUNT count:integer]",
  run: runLmpop,
});

function runLpop(call: Call): void {
  pop(call, true);
}

function runRpop(call: Call): void {
  pop(call, false);
}

function pop(call: Call, atHead: boolean): void {
  const { database, words, reply } = call;
  if (words.count > 2) return popMany(call, atHead);
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) return reply.null();
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  popOne(reply, database, ref, bytes, keyAt, keyLength, atHead);
}

/** Answers with the element at an end of this list and removes it. */
export function popOne(
  reply: ReplyWriter,
  database: Database,
  ref: number,
  bytes: Uint8Array,
  keyAt: number,
  keyLength: number,
  atHead: boolean,
): void {
  const list = listView.open(database, ref);
  list.beforeWrite();
  list.peek(atHead);
  writeEntry(reply);
  list.drop(atHead);
  elementsTaken(database, bytes, keyAt, keyLength, atHead, 1);
}

function popMany(call: Call, atHead: boolean): void {
  const { database, words, reply } = call;
  if (words.count > 3) throw call.arityError();
  const wanted = call.clampedInteger(2, NOT_POSITIVE);
  if (wanted < 0) return reply.error(NOT_POSITIVE);
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) return reply.nullArray();
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  if (wanted === 0) return reply.array(0);
  popRange(reply, database, ref, bytes, keyAt, keyLength, atHead, wanted);
}

/** Answers with up to `wanted` elements from an end of this list and removes them; says how many. */
export function popRange(
  reply: ReplyWriter,
  database: Database,
  ref: number,
  bytes: Uint8Array,
  keyAt: number,
  keyLength: number,
  atHead: boolean,
  wanted: number,
): number {
  const list = listView.open(database, ref);
  const count = Math.min(wanted, list.length);
  reply.array(count);
  if (atHead) list.writeRange(reply, 0, count);
  else {
    list.seek(-1);
    for (let i = 0; i < count; i++) {
      list.read();
      writeEntry(reply);
      list.step(true);
    }
  }
  list.beforeWrite();
  list.deleteRange(atHead ? 0 : -count, count);
  elementsTaken(database, bytes, keyAt, keyLength, atHead, count);
  return count;
}

/** Ends the removal of elements from the list that is open: event, and the key goes with the last one. */
export function elementsTaken(
  database: Database,
  bytes: Uint8Array,
  keyAt: number,
  keyLength: number,
  atHead: boolean,
  count: number,
): void {
  const list = listView;
  const isEmpty = list.length === 0;
  if (!isEmpty) list.settle(true);
  database.changed(bytes, keyAt, keyLength, EVENT_LIST, atHead ? "lpop" : "rpop", count);
  if (isEmpty) database.removeRecord(list.ref, bytes, keyAt, keyLength, EVENT_GENERIC, "del", 0);
}

function runLmpop(call: Call): void {
  multiPop(call, 1);
}

/** What the words of LMPOP, from `numkeys` at word `first` on, say beside the keys. */
export interface MultiPop {
  /** Words of the keys: from `firstKey` on. */
  readonly firstKey: number;
  readonly keyCount: number;
  readonly atHead: boolean;
  readonly wanted: number;
}

/** Reads `numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`. @throws ReplyError */
export function readMultiPop(call: Call, first: number): MultiPop {
  const { words } = call;
  const keysText = "ERR numkeys should be greater than 0";
  const keyCount = call.clampedInteger(first, keysText);
  if (keyCount < 1) throw new ReplyError(keysText);
  const where = first + keyCount + 1;
  if (where >= words.count) throw new ReplyError(SYNTAX_ERROR);
  const atHead = readEnd(call, where);
  const countText = "ERR count should be greater than 0";
  let wanted = -1;
  for (let i = where + 1; i < words.count; i++) {
    if (wanted !== -1 || !words.is(i, "count") || i + 1 === words.count) {
      throw new ReplyError(SYNTAX_ERROR);
    }
    wanted = call.clampedInteger(++i, countText);
    if (wanted < 1) throw new ReplyError(countText);
  }
  return { firstKey: first + 1, keyCount, atHead, wanted: wanted === -1 ? 1 : wanted };
}

/** Reads LEFT (true) or RIGHT (false). @throws ReplyError */
export function readEnd(call: Call, index: number): boolean {
  if (call.words.is(index, "left")) return true;
  if (call.words.is(index, "right")) return false;
  throw new ReplyError(SYNTAX_ERROR);
}

/** LMPOP with `numkeys` at word `first`. */
function multiPop(call: Call, first: number): void {
  const options = readMultiPop(call, first);
  if (!tryMultiPop(call, options)) call.reply.nullArray();
}

/** Pops from the first list of these that exists; false when there is none, or after an error reply. */
export function tryMultiPop(call: Call, options: MultiPop): boolean {
  const { database, words, reply } = call;
  const { bytes } = words;
  for (let i = options.firstKey; i < options.firstKey + options.keyCount; i++) {
    const keyAt = words.starts[i];
    const keyLength = words.lengths[i];
    const ref = database.lookupWrite(bytes, keyAt, keyLength);
    if (ref === 0) continue;
    if (database.typeOf(ref) !== TYPE_LIST) {
      reply.error(WRONG_TYPE);
      return true;
    }
    reply.array(2);
    reply.bulk(bytes, keyAt, keyLength);
    const { atHead, wanted } = options;
    const count = popRange(reply, database, ref, bytes, keyAt, keyLength, atHead, wanted);
    if (call.isPropagating) call.propagateAs(atHead ? "LPOP" : "RPOP", words.copy(i), count);
    return true;
  }
  return false;
}
