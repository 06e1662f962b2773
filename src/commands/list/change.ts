/** Commands that change elements anywhere in a list: LSET, LINSERT, LREM, LTRIM. */

import { TYPE_LIST } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC, EVENT_LIST } from "../../base/event_classes.ts";
import { listView } from "../../keyspace/list.ts";
import {
  INDEX_OUT_OF_RANGE,
  NO_SUCH_KEY,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `LSET key index element`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lset/}
 */
export const lset = defineCommand({
  name: "lset",
  group: "list",
  since: "1.0.0",
  summary: "Puts an element in the place of the one at an index",
  complexity: "O(N) where N is the distance of the index from the nearer end",
  arity: 4,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW update")],
  args: "key index:integer element",
  run: runLset,
});

function runLset(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.error(NO_SUCH_KEY);
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  const index = replacedIndex(call);
  const list = listView.open(database, ref);
  if (!list.seek(index)) return reply.error(INDEX_OUT_OF_RANGE);
  list.makeRoom(lengths[3], 1);
  list.beforeWrite();
  list.seek(index); // again, as the encoding may be another one now
  list.replace(bytes, starts[3], lengths[3]);
  list.settle(true);
  reply.ok();
  database.changed(bytes, starts[1], lengths[1], EVENT_LIST, "lset");
}

/**
 * The index of the element that LSET replaces. Redis since 7.2 keeps the lower 32 bits of it: with 9223372036854775807
 * its LSET replaces the last element where one of ours is refused. In a stream of writes or an append only file the
 * command stands as it was given, and has been carried out so.
 */
function replacedIndex(call: Call): number {
  const index = call.clampedInteger(2);
  if (!call.client.isMaster || index === (index | 0)) return index;
  return Number(BigInt.asIntN(32, call.bigInteger(2)));
}

/**
 * `LINSERT key <BEFORE | AFTER> pivot element`.
 *
 * @see {@link https://redis.io/docs/latest/commands/linsert/}
 */
export const linsert = defineCommand({
  name: "linsert",
  group: "list",
  since: "2.2.0",
  summary: "Puts an element beside the first one that equals a given one",
  complexity: "O(N) where N is the number of elements before the one that is found",
  arity: 5,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW insert")],
  args: "key where:(BEFORE | AFTER) pivot element",
  run: runLinsert,
});

function runLinsert({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  const before = words.is(2, "before");
  if (!before && !words.is(2, "after")) return reply.error(SYNTAX_ERROR);
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  const list = listView.open(database, ref);
  list.makeRoom(lengths[4], 1);
  list.setNeedle(bytes, starts[3], lengths[3]);
  list.seek(0);
  if (list.find(false) < 0) {
    list.settle(true);
    return reply.integer(-1);
  }
  list.beforeWrite();
  list.insert(bytes, starts[4], lengths[4], before);
  list.settle(false);
  reply.integer(list.length);
  database.changed(bytes, starts[1], lengths[1], EVENT_LIST, "linsert");
}

/**
 * `LREM key count element`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lrem/}
 */
export const lrem = defineCommand({
  name: "lrem",
  group: "list",
  since: "1.0.0",
  summary: "Removes elements that equal a given one; the key goes with the last element",
  complexity: "O(N) where N is the length of the list",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete")],
  args: "key count:integer element",
  run: runLrem,
});

function runLrem(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const wanted = call.clampedInteger(2);
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  const list = listView.open(database, ref);
  const backward = wanted < 0;
  const limit = wanted === 0 ? Infinity : Math.abs(wanted);
  let removed = 0;
  list.setNeedle(bytes, starts[3], lengths[3]);
  let isThere = list.seek(backward ? -1 : 0);
  while (isThere && removed < limit && list.find(backward) >= 0) {
    if (removed++ === 0) list.beforeWrite();
    isThere = list.remove(backward);
  }
  reply.integer(removed);
  if (removed === 0) return;
  const isEmpty = list.length === 0;
  if (!isEmpty) list.settle(true);
  database.changed(bytes, starts[1], lengths[1], EVENT_LIST, "lrem", removed);
  if (isEmpty) {
    database.removeRecord(list.ref, bytes, starts[1], lengths[1], EVENT_GENERIC, "del", 0);
  }
}

/**
 * `LTRIM key start stop`.
 *
 * @see {@link https://redis.io/docs/latest/commands/ltrim/}
 */
export const ltrim = defineCommand({
  name: "ltrim",
  group: "list",
  since: "1.0.0",
  summary: "Keeps only the elements from one index to another",
  complexity: "O(N) where N is the number of elements removed",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete")],
  args: "key start:integer stop:integer",
  run: runLtrim,
});

function runLtrim(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  let start = call.clampedInteger(2);
  let stop = call.clampedInteger(3);
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.ok();
  if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
  const list = listView.open(database, ref);
  const length = list.length;
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  if (stop >= length) stop = length - 1;
  let atHead = start;
  let atTail = length - stop - 1;
  if (start > stop) {
    atHead = length;
    atTail = 0;
  }
  const isEmpty = atHead === length;
  if (!isEmpty && atHead + atTail > 0) {
    list.beforeWrite();
    list.deleteRange(0, atHead);
    list.deleteRange(-atTail, atTail);
    list.settle(true);
  }
  reply.ok();
  // Redis tells of the command even when nothing was cut off.
  database.changed(bytes, starts[1], lengths[1], EVENT_LIST, "ltrim", atHead + atTail);
  if (isEmpty) {
    database.removeRecord(list.ref, bytes, starts[1], lengths[1], EVENT_GENERIC, "del", 0);
  }
}
