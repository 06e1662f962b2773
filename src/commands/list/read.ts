/** Commands that read lists and change nothing. */

import type { Call } from "../../dispatch/call.ts";
import { listView, writeEntry } from "../../keyspace/list.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `LLEN key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/llen/}
 */
export const llen = defineCommand({
  name: "llen",
  group: "list",
  since: "1.0.0",
  summary: "Tells how many elements a list has",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runLlen,
});

function runLlen({ database, words, reply }: Call): void {
  const isThere = listView.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  reply.integer(isThere ? listView.length : 0);
}

/**
 * `LRANGE key start stop`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lrange/}
 */
export const lrange = defineCommand({
  name: "lrange",
  group: "list",
  since: "1.0.0",
  summary: "Reads the elements from one index to another",
  complexity:
    "O(S+N) where S is the distance of the start from the nearer end and N the number of " +
    "elements read",
  arity: 4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key start:integer stop:integer",
  run: runLrange,
});

function runLrange(call: Call): void {
  const { database, words, reply } = call;
  let start = call.clampedInteger(2);
  let stop = call.clampedInteger(3);
  if (!listView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.array(0);
  }
  const list = listView;
  const length = list.length;
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  if (stop >= length) stop = length - 1;
  const count = stop < start ? 0 : stop - start + 1;
  reply.array(count);
  list.writeRange(reply, start, count);
}

/**
 * `LINDEX key index`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lindex/}
 */
export const lindex = defineCommand({
  name: "lindex",
  group: "list",
  since: "1.0.0",
  summary: "Reads the element at an index",
  complexity: "O(N) where N is the distance of the index from the nearer end",
  arity: 3,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key index:integer",
  run: runLindex,
});

function runLindex(call: Call): void {
  const { database, words, reply } = call;
  if (!listView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.null();
  }
  const list = listView;
  if (!list.seek(call.clampedInteger(2))) return reply.null();
  list.read();
  writeEntry(reply);
}

/**
 * `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/lpos/}
 */
export const lpos = defineCommand({
  name: "lpos",
  group: "list",
  since: "6.0.6",
  summary: "Finds the indexes of elements equal to a given one",
  complexity: "O(N) where N is the number of elements compared, all of them at worst",
  arity: -3,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
  run: runLpos,
});

const RANK_IS_ZERO =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative " +
  "to start from the end of the list";

function runLpos(call: Call): void {
  const { database, words, reply } = call;
  let rank = 1;
  /** Matches wanted, 0 for all; -1: one, answered without an array. */
  let wanted = -1;
  let longest = 0;
  for (let i = 3; i < words.count; i++) {
    if (i + 1 === words.count) throw new ReplyError(SYNTAX_ERROR);
    if (words.is(i, "rank")) rank = readRank(call, ++i);
    else if (words.is(i, "count")) {
      wanted = readPositive(call, ++i, "ERR COUNT can't be negative");
    } else if (words.is(i, "maxlen")) {
      longest = readPositive(call, ++i, "ERR MAXLEN can't be negative");
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  if (!listView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return wanted === -1 ? reply.null() : reply.array(0);
  }
  const list = listView;
  const length = list.length;
  const backward = rank < 0;
  let toSkip = Math.abs(rank) - 1;
  const enough = wanted === 0 ? length : Math.abs(wanted);
  const last = longest === 0 ? length : Math.min(length, longest);
  const found: number[] = [];
  list.setNeedle(words.bytes, words.starts[2], words.lengths[2]);
  let isThere = list.seek(backward ? -1 : 0);
  for (let i = 0; isThere && found.length < enough; i++) {
    const passed = list.find(backward, last - i);
    if (passed < 0) break;
    i += passed;
    if (toSkip > 0) toSkip--;
    else found.push(backward ? length - 1 - i : i);
    isThere = list.step(backward);
  }
  if (wanted === -1) {
    if (found.length === 0) return reply.null();
    return reply.integer(found[0]);
  }
  reply.array(found.length);
  for (const index of found) reply.integer(index);
}

function readRank(call: Call, index: number): number {
  const rank = call.bigInteger(index);
  if (rank === 0n) throw new ReplyError(RANK_IS_ZERO);
  if (rank === -(2n ** 63n)) {
    throw new ReplyError(
      "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
  }
  return Number(rank);
}

function readPositive(call: Call, index: number, errorText: string): number {
  const value = call.clampedInteger(index, errorText);
  if (value < 0) throw new ReplyError(errorText);
  return value;
}
