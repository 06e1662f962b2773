/** Commands that add elements at an end of a list. */

import { TYPE_LIST } from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import type { Words } from "../../resp/words.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_LIST } from "../../base/event_classes.ts";
import { listView, sizeOfWords } from "../../keyspace/list.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `LPUSH key element [element ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lpush/}
 */
export const lpush = defineCommand({
  name: "lpush",
  group: "list",
  since: "1.0.0",
  history: [["2.4.0", "several elements"]],
  summary:
    "Puts elements before the first of a list, one after the other; makes the list if needed",
  complexity: "O(N) where N is the number of elements given",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key element...",
  run: runLpush,
});

/**
 * `RPUSH key element [element ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/rpush/}
 */
export const rpush = defineCommand({
  name: "rpush",
  group: "list",
  since: "1.0.0",
  history: [["2.4.0", "several elements"]],
  summary: "Puts elements behind the last of a list; makes the list if needed",
  complexity: "O(N) where N is the number of elements given",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key element...",
  run: runRpush,
});

/**
 * `LPUSHX key element [element ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lpushx/}
 */
export const lpushx = defineCommand({
  name: "lpushx",
  group: "list",
  since: "2.2.0",
  history: [["4.0.0", "several elements"]],
  summary: "Puts elements before the first of a list that exists",
  complexity: "O(N) where N is the number of elements given",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key element...",
  run: runLpushx,
});

/**
 * `RPUSHX key element [element ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/rpushx/}
 */
export const rpushx = defineCommand({
  name: "rpushx",
  group: "list",
  since: "2.2.0",
  history: [["4.0.0", "several elements"]],
  summary: "Puts elements behind the last of a list that exists",
  complexity: "O(N) where N is the number of elements given",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key element...",
  run: runRpushx,
});

function runLpush(call: Call): void {
  push(call, true, false);
}

function runRpush(call: Call): void {
  push(call, false, false);
}

function runLpushx(call: Call): void {
  push(call, true, true);
}

function runRpushx(call: Call): void {
  push(call, false, true);
}

/** Pushes all words of a request on the open list; if memory is refused, none, and a list new to `newIn` goes. */
function pushAll(words: Words, atHead: boolean, newIn: Database | null): void {
  const { bytes, starts, lengths, count } = words;
  const list = listView;
  try {
    list.pushAll(bytes, starts, lengths, 2, count, atHead);
  } catch (error) {
    if (newIn !== null) newIn.takeBack(list.ref);
    else list.settle(true);
    throw error;
  }
}

function push({ database, words, reply }: Call, atHead: boolean, mustExist: boolean): void {
  const { bytes, starts, lengths, count } = words;
  const keyAt = starts[1];
  const keyLength = lengths[1];
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  const list = listView;
  if (ref === 0) {
    if (mustExist) return reply.integer(0);
    const size = sizeOfWords(lengths, 2, count);
    list.create(database, bytes, keyAt, keyLength, size, count - 2);
  } else {
    if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
    list.open(database, ref);
    list.makeRoomFor(lengths, 2, count);
    list.beforeWrite();
  }
  if (ref !== 0 && count === 3) list.push(bytes, starts[2], lengths[2], atHead);
  else pushAll(words, atHead, ref === 0 ? database : null);
  list.settle(false);
  reply.integer(list.length);
  database.changed(bytes, keyAt, keyLength, EVENT_LIST, atHead ? "lpush" : "rpush", count - 2);
}
