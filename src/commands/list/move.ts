/** LMOVE and its older form: an element goes from an end of one list to an end of another. */

import { TYPE_LIST } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { equalBytes } from "../../base/bytes.ts";
import { EVENT_LIST } from "../../base/event_classes.ts";
import { listView, writeEntry } from "../../keyspace/list.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { lpEntryCopyText, lpEntryTextLength } from "../../values/listpack.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { elementsTaken, readEnd } from "./pop.ts";

/**
 * `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lmove/}
 */
export const lmove = defineCommand({
  name: "lmove",
  group: "list",
  since: "6.2.0",
  summary:
    "Takes an element from an end of a list and puts it at an end of another, or of the same",
  complexity: "O(1)",
  arity: 5,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW access delete"), oneKey("RW insert", 2)],
  args: "source:key destination:key#1 wherefrom:(LEFT | RIGHT) whereto:(LEFT | RIGHT)",
  run: runLmove,
});

function runLmove(call: Call): void {
  const fromHead = readEnd(call, 3);
  const toHead = readEnd(call, 4);
  if (!tryMove(call, fromHead, toHead)) call.reply.null();
}

/**
 * `RPOPLPUSH source destination`.
 *
 * @see {@link https://redis.io/docs/latest/commands/rpoplpush/}
 */
export const rpoplpush = defineCommand({
  name: "rpoplpush",
  group: "list",
  since: "1.2.0",
  summary: "Takes the last element of a list and puts it before the first of another",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW access delete"), oneKey("RW insert", 2)],
  args: "source:key destination:key#1",
  deprecated: { since: "6.2.0", use: "`LMOVE` (`RIGHT`, `LEFT`)" },
  run: runRpoplpush,
});

function runRpoplpush(call: Call): void {
  if (!tryMove(call, false, true)) call.reply.null();
}

/** The element on its way: it must not lie in a list when it is pushed. */
let carried = new Uint8Array(64);

/**
 * Moves an element from the list at word 1 to that at word 2; false when there is no such list. After
 * an error reply it answers true.
 */
export function tryMove(call: Call, fromHead: boolean, toHead: boolean): boolean {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const source = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (source === 0) return false;
  const isSame = equalBytes(bytes, starts[1], lengths[1], bytes, starts[2], lengths[2]);
  const target = isSame ? source : database.lookupWrite(bytes, starts[2], lengths[2]);
  if (
    database.typeOf(source) !== TYPE_LIST || (target !== 0 && database.typeOf(target) !== TYPE_LIST)
  ) {
    reply.error(WRONG_TYPE);
    return true;
  }
  const list = listView.open(database, source);
  list.beforeWrite();
  list.peek(fromHead);
  writeEntry(reply);
  const length = lpEntryTextLength();
  // The element comes before it goes: the first takes memory, which may be refused.
  if (isSame) {
    rotate(length, fromHead, toHead);
    changedList(call, 2, toHead ? "lpush" : "rpush", 0);
    changedList(call, 1, fromHead ? "lpop" : "rpop", 1);
  } else {
    carry(length);
    pushCarried(call, target, length, toHead);
    changedList(call, 2, toHead ? "lpush" : "rpush", 0);
    list.open(database, database.findOrExpire(bytes, starts[1], lengths[1]));
    list.drop(fromHead);
    elementsTaken(database, bytes, starts[1], lengths[1], fromHead, 1);
  }
  if (carried.length > 1 << 16) carried = new Uint8Array(64);
  return true;
}

/** Takes the element in `lpEntry`, whose text has `length` bytes, on its way. */
function carry(length: number): void {
  if (length > carried.length) carried = new Uint8Array(length * 2);
  lpEntryCopyText(carried, 0);
}

/** Pushes the element on its way into the list `target`, which is made if it is 0. */
function pushCarried(call: Call, target: number, length: number, toHead: boolean): void {
  const { database, words } = call;
  const { bytes, starts, lengths } = words;
  const list = listView;
  if (target === 0) list.create(database, bytes, starts[2], lengths[2], length, 1);
  else {
    list.open(database, target);
    list.makeRoom(length, 1);
    list.beforeWrite();
  }
  try {
    list.push(carried, 0, length, toHead);
  } catch (error) {
    if (target === 0) database.takeBack(list.ref);
    throw error;
  }
  list.settle(false);
}

/** Moves the element in `lpEntry` from one end of the open list to the other, or leaves it where it is. */
function rotate(length: number, fromHead: boolean, toHead: boolean): void {
  const list = listView;
  if (fromHead === toHead || list.rotate(fromHead, length)) return;
  carry(length);
  if (list.isLarge) {
    list.push(carried, 0, length, toHead);
    list.drop(fromHead);
  } else {
    // The place that it leaves is room enough; the list is empty for this moment, but keeps its key.
    list.drop(fromHead);
    list.push(carried, 0, length, toHead);
  }
  list.settle(true);
}

function changedList({ database, words }: Call, key: number, event: string, changes: number): void {
  const { bytes, starts, lengths } = words;
  database.changed(bytes, starts[key], lengths[key], EVENT_LIST, event, changes);
}
