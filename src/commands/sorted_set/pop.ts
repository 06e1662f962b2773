/** Commands that take members from an end of a sorted set. */

import type { Call } from "../../dispatch/call.ts";
import { EVENT_ZSET } from "../../base/event_classes.ts";
import { type SortedSetView, sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, oneKey } from "../../dispatch/key_specs.ts";
import { removeIfEmpty } from "./remove.ts";
import { replyScore } from "./score_reply.ts";

const NOT_POSITIVE = "ERR value is out of range, must be positive";
const NO_KEY_COUNT = "ERR numkeys should be greater than 0";
const NO_POP_COUNT = "ERR count should be greater than 0";

/**
 * `ZPOPMIN key [count]`. A RESP3 client that names a count gets pairs; else the reply is flat.
 *
 * @see {@link https://redis.io/docs/latest/commands/zpopmin/}
 */
export const zpopmin = defineCommand({
  name: "zpopmin",
  group: "sorted-set",
  since: "5.0.0",
  summary: "Takes the members with the lowest scores out of a sorted set",
  complexity: "O(log(N)*M), N being the size of the sorted set and M the members taken",
  arity: -2,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  args: "key [count:integer]",
  run: runZpopmin,
});

function runZpopmin(call: Call): void {
  pop(call, false);
}

/**
 * `ZPOPMAX key [count]`. The reply is shaped as that of ZPOPMIN.
 *
 * @see {@link https://redis.io/docs/latest/commands/zpopmax/}
 */
export const zpopmax = defineCommand({
  name: "zpopmax",
  group: "sorted-set",
  since: "5.0.0",
  summary: "Takes the members with the highest scores out of a sorted set",
  complexity: "O(log(N)*M), N being the size of the sorted set and M the members taken",
  arity: -2,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  args: "key [count:integer]",
  run: runZpopmax,
});

function runZpopmax(call: Call): void {
  pop(call, true);
}

function pop(call: Call, highest: boolean): void {
  const { words, reply, database } = call;
  if (words.count > 3) return reply.error(SYNTAX_ERROR);
  let count = 1;
  const hasCount = words.count === 3;
  if (hasCount) {
    count = call.clampedInteger(2, NOT_POSITIVE);
    if (count < 0) return reply.error(NOT_POSITIVE);
  }
  if (!view.openWrite(database, words.bytes, words.starts[1], words.lengths[1]) || count === 0) {
    return reply.array(0);
  }
  const taken = Math.min(count, view.count);
  const asPairs = hasCount && reply.resp !== 2;
  reply.array(asPairs ? taken : taken * 2);
  popElements(call, view, 1, highest, taken, asPairs);
}

/**
 * Takes `count` elements (not more than there are) out of the set that the view is open on, and
 * writes them; `keyWord` is the word with its key. Also serves the blocking forms.
 */
export function popElements(
  call: Call,
  view: SortedSetView,
  keyWord: number,
  highest: boolean,
  count: number,
  asPairs: boolean,
): void {
  const { words, reply, database } = call;
  // All are in the reply before the first goes: there may be no memory for that.
  let on = highest ? view.last() : view.first();
  for (let left = count; left > 0 && on; left--) {
    if (asPairs) reply.array(2);
    replyPopped(reply, view);
    if (left > 1) on = highest ? view.prev() : view.next();
  }
  view.beforeWrite();
  if (count === 1) view.removeEnd(highest);
  else view.removeRange(highest ? view.count - count : 0, count);
  view.settle();
  const event = highest ? "zpopmax" : "zpopmin";
  const key = words.starts[keyWord];
  database.changed(words.bytes, key, words.lengths[keyWord], EVENT_ZSET, event, count);
  removeIfEmpty(view, words.bytes, key, words.lengths[keyWord]);
}

function replyPopped(reply: ReplyWriter, view: SortedSetView): void {
  reply.bulk(view.bytes, view.offset, view.length);
  replyScore(reply, view.score);
}

/**
 * `ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]`.
 *
 * Propagates as ZPOPMIN or ZPOPMAX of the key that it took from, with the number taken.
 *
 * @see {@link https://redis.io/docs/latest/commands/zmpop/}
 */
export const zmpop = defineCommand({
  name: "zmpop",
  group: "sorted-set",
  since: "7.0.0",
  summary: "Takes members from an end of the first sorted set that is not empty",
  complexity: "O(K) + O(M*log(N)), K being the number of keys, N the size and M the members taken",
  arity: -4,
  flags: ["write"],
  keys: [countedKeys("RW access delete")],
  args: "numkeys:integer key... where:(MIN | MAX) [COUNT count:integer]",
  run: runZmpop,
});

function runZmpop(call: Call): void {
  const request = readMultiPop(call, 1);
  if (!popFirstOf(call, request)) call.reply.nullArray();
}

/** The words of ZMPOP (and of its blocking form) after the timeout. */
export interface MultiPop {
  firstKey: number;
  lastKey: number;
  highest: boolean;
  count: number;
}

/** Reads `numkeys key... <MIN | MAX> [COUNT count]` from word `at` on. @throws ReplyError */
export function readMultiPop(call: Call, at: number): MultiPop {
  const { words } = call;
  const keys = call.clampedInteger(at, NO_KEY_COUNT);
  if (keys < 1) throw new ReplyError(NO_KEY_COUNT);
  const where = at + keys + 1;
  if (where >= words.count) throw new ReplyError(SYNTAX_ERROR);
  const highest = words.is(where, "max");
  if (!highest && !words.is(where, "min")) throw new ReplyError(SYNTAX_ERROR);
  let count = 1;
  let hasCount = false;
  for (let i = where + 1; i < words.count; i += 2) {
    if (hasCount || i + 1 >= words.count || !words.is(i, "count")) {
      throw new ReplyError(SYNTAX_ERROR);
    }
    hasCount = true;
    count = call.clampedInteger(i + 1, NO_POP_COUNT);
    if (count < 1) throw new ReplyError(NO_POP_COUNT);
  }
  return { firstKey: at + 1, lastKey: at + keys, highest, count };
}

/** Pops from the first key that is there and writes the reply; false when there is none. */
export function popFirstOf(call: Call, request: MultiPop): boolean {
  const { words, reply, database } = call;
  const { highest, count } = request;
  for (let word = request.firstKey; word <= request.lastKey; word++) {
    const offset = words.starts[word];
    const length = words.lengths[word];
    if (!view.openWrite(database, words.bytes, offset, length)) continue;
    const taken = Math.min(count, view.count);
    reply.array(2);
    reply.bulk(words.bytes, offset, length);
    reply.array(taken);
    popElements(call, view, word, highest, taken, true);
    if (call.isPropagating) {
      call.propagateAs(highest ? "ZPOPMAX" : "ZPOPMIN", words.copy(word), String(taken));
    }
    return true;
  }
  return false;
}
