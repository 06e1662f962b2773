/** Commands that look up single members or count them. */

import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { lexRange, type Range, scoreRange } from "./bounds.ts";
import { replyScore } from "./score_reply.ts";

/**
 * `ZSCORE key member`.
 *
 * @see {@link https://redis.io/docs/latest/commands/zscore/}
 */
export const zscore = defineCommand({
  name: "zscore",
  group: "sorted-set",
  since: "1.2.0",
  summary: "Reads the score of a member",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key member",
  run: runZscore,
});

function runZscore({ words, reply, database }: Call): void {
  const { bytes, starts, lengths } = words;
  if (
    !view.openRead(database, bytes, starts[1], lengths[1]) ||
    !view.find(bytes, starts[2], lengths[2])
  ) return reply.null();
  replyScore(reply, view.score);
}

/**
 * `ZMSCORE key member [member ...]`. Answers null for members that are not there.
 *
 * @see {@link https://redis.io/docs/latest/commands/zmscore/}
 */
export const zmscore = defineCommand({
  name: "zmscore",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Reads the scores of several members",
  complexity: "O(N) where N is the number of members asked for",
  arity: -3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key member...",
  run: runZmscore,
});

function runZmscore({ words, reply, database }: Call): void {
  const { bytes, starts, lengths } = words;
  const isThere = view.openRead(database, bytes, starts[1], lengths[1]);
  reply.array(words.count - 2);
  for (let word = 2; word < words.count; word++) {
    if (isThere && view.find(bytes, starts[word], lengths[word])) replyScore(reply, view.score);
    else reply.null();
  }
}

/**
 * `ZCARD key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/zcard/}
 */
export const zcard = defineCommand({
  name: "zcard",
  group: "sorted-set",
  since: "1.2.0",
  summary: "Counts the members of a sorted set",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runZcard,
});

function runZcard({ words, reply, database }: Call): void {
  const isThere = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  reply.integer(isThere ? view.count : 0);
}

/**
 * `ZRANK key member [WITHSCORE]`. Rank 0 is the lowest score.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrank/}
 */
export const zrank = defineCommand({
  name: "zrank",
  group: "sorted-set",
  since: "2.0.0",
  history: [["7.2.0", "`WITHSCORE`"]],
  summary: "Finds the place of a member, counted from the lowest score",
  complexity: "O(log(N))",
  arity: -3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key member [WITHSCORE]",
  run: runZrank,
});

function runZrank(call: Call): void {
  rank(call, false);
}

/**
 * `ZREVRANK key member [WITHSCORE]`. Rank 0 is the highest score.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrevrank/}
 */
export const zrevrank = defineCommand({
  name: "zrevrank",
  group: "sorted-set",
  since: "2.0.0",
  history: [["7.2.0", "`WITHSCORE`"]],
  summary: "Finds the place of a member, counted from the highest score",
  complexity: "O(log(N))",
  arity: -3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key member [WITHSCORE]",
  run: runZrevrank,
});

function runZrevrank(call: Call): void {
  rank(call, true);
}

function rank(call: Call, reverse: boolean): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const withScore = words.count > 3;
  if (words.count > 4) throw call.arityError();
  if (withScore && !words.is(3, "withscore")) return reply.error(SYNTAX_ERROR);
  if (
    !view.openRead(database, bytes, starts[1], lengths[1]) ||
    !view.find(bytes, starts[2], lengths[2])
  ) return withScore ? reply.nullArray() : reply.null();
  const rank = view.rank();
  if (withScore) reply.array(2);
  reply.integer(reverse ? view.count - 1 - rank : rank);
  if (withScore) replyScore(reply, view.score);
}

/**
 * `ZCOUNT key min max`. Bounds as those of ZRANGEBYSCORE.
 *
 * @see {@link https://redis.io/docs/latest/commands/zcount/}
 */
export const zcount = defineCommand({
  name: "zcount",
  group: "sorted-set",
  since: "2.0.0",
  summary: "Counts the members whose scores lie in a range",
  complexity: "O(log(N)), N being the size of the sorted set",
  arity: 4,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key min:double max:double",
  run: runZcount,
});

function runZcount(call: Call): void {
  count(call, scoreRange);
}

/**
 * `ZLEXCOUNT key min max`. Bounds as those of ZRANGEBYLEX; all scores should be equal.
 *
 * @see {@link https://redis.io/docs/latest/commands/zlexcount/}
 */
export const zlexcount = defineCommand({
  name: "zlexcount",
  group: "sorted-set",
  since: "2.8.9",
  summary: "Counts the members of one score whose bytes lie in a range",
  complexity: "O(log(N)), N being the size of the sorted set",
  arity: 4,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key min max",
  run: runZlexcount,
});

function runZlexcount(call: Call): void {
  count(call, lexRange);
}

function count(call: Call, range: Range): void {
  const { words, reply, database } = call;
  range.read(call, 2, 3);
  if (!view.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.integer(0);
  }
  reply.integer(range.countIn(view));
}
