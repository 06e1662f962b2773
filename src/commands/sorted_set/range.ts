/** Commands that read a range of a sorted set: ZRANGE and its older spellings, and ZRANGESTORE. */

import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { SCORED_ELEMENTS_MAX, ScoredElements } from "../../values/scored_elements.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { lexRange, type Range, rankRange, scoreRange } from "./bounds.ts";
import { replyElement, replyElementsHeader } from "./score_reply.ts";
import { storeResult } from "./store.ts";

const LIMIT_OF_RANKS =
  "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
const SCORES_BY_LEX = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";

/**
 * `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`.
 *
 * With REV, ranks count from the highest score and the other bounds are given highest first. A
 * negative count of LIMIT means all, a negative offset nothing.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrange/}
 */
export const zrange = defineCommand({
  name: "zrange",
  group: "sorted-set",
  since: "1.2.0",
  history: [["6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT`"]],
  summary: "Reads the members in a range of ranks, scores or bytes",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `
    key start stop
    [sortby:(BYSCORE | BYLEX)@6.2.0]
    [REV@6.2.0]
    [LIMIT offset_count:(offset:integer count:integer)@6.2.0]
    [WITHSCORES]
  `,
  run: runZrange,
});

function runZrange(call: Call): void {
  if (readRange(call, 1, null, null)) replyRange(call);
}

/**
 * `ZREVRANGE key start stop [WITHSCORES]`: ZRANGE with REV.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrevrange/}
 */
export const zrevrange = defineCommand({
  name: "zrevrange",
  group: "sorted-set",
  since: "1.2.0",
  summary: "Reads the members in a range of ranks, highest score first",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key start:integer stop:integer [WITHSCORES]",
  deprecated: { since: "6.2.0", use: "`ZRANGE` (`REV`)" },
  run: runZrevrange,
});

function runZrevrange(call: Call): void {
  if (readRange(call, 1, rankRange, true)) replyRange(call);
}

/**
 * `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`: ZRANGE with BYSCORE.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrangebyscore/}
 */
export const zrangebyscore = defineCommand({
  name: "zrangebyscore",
  group: "sorted-set",
  since: "1.0.5",
  history: [["2.0.0", "`WITHSCORES`"]],
  summary: "Reads the members in a range of scores",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `
    key min:double max:double
    [WITHSCORES@2.0.0]
    [LIMIT offset_count:(offset:integer count:integer)]
  `,
  deprecated: { since: "6.2.0", use: "`ZRANGE` (`BYSCORE`)" },
  run: runZrangebyscore,
});

function runZrangebyscore(call: Call): void {
  if (readRange(call, 1, scoreRange, false)) replyRange(call);
}

/**
 * `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`: ZRANGE with BYSCORE and REV.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrevrangebyscore/}
 */
export const zrevrangebyscore = defineCommand({
  name: "zrevrangebyscore",
  group: "sorted-set",
  since: "2.2.0",
  history: [["2.1.6", "bounds may be exclusive"]],
  summary: "Reads the members in a range of scores, highest first",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `
    key max:double min:double
    [WITHSCORES]
    [LIMIT offset_count:(offset:integer count:integer)]
  `,
  deprecated: { since: "6.2.0", use: "`ZRANGE` (`REV`, `BYSCORE`)" },
  run: runZrevrangebyscore,
});

function runZrevrangebyscore(call: Call): void {
  if (readRange(call, 1, scoreRange, true)) replyRange(call);
}

/**
 * `ZRANGEBYLEX key min max [LIMIT offset count]`: ZRANGE with BYLEX.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrangebylex/}
 */
export const zrangebylex = defineCommand({
  name: "zrangebylex",
  group: "sorted-set",
  since: "2.8.9",
  summary: "Reads the members of one score in a range of bytes",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key min max [LIMIT offset_count:(offset:integer count:integer)]",
  deprecated: { since: "6.2.0", use: "`ZRANGE` (`BYLEX`)" },
  run: runZrangebylex,
});

function runZrangebylex(call: Call): void {
  if (readRange(call, 1, lexRange, false)) replyRange(call);
}

/**
 * `ZREVRANGEBYLEX key max min [LIMIT offset count]`: ZRANGE with BYLEX and REV.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrevrangebylex/}
 */
export const zrevrangebylex = defineCommand({
  name: "zrevrangebylex",
  group: "sorted-set",
  since: "2.8.9",
  summary: "Reads the members of one score in a range of bytes, highest first",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key max min [LIMIT offset_count:(offset:integer count:integer)]",
  deprecated: { since: "6.2.0", use: "`ZRANGE` (`REV`, `BYLEX`)" },
  run: runZrevrangebylex,
});

function runZrevrangebylex(call: Call): void {
  if (readRange(call, 1, lexRange, true)) replyRange(call);
}

// What `readRange` has read, for the call that is running.
let range: Range = rankRange;
let reverse = false;
let withScores = false;
let limitOffset = 0;
/** Negative: no limit. */
let limitCount = -1;

/**
 * Reads the words of a range from its key at word `key` on. `fixedRange` and `fixedReverse` are what
 * the command's name says already; null leaves them to options. Answers false after an error reply.
 */
function readRange(
  call: Call,
  key: number,
  fixedRange: Range | null,
  fixedReverse: boolean | null,
): boolean {
  const { words, reply } = call;
  let kind = fixedRange;
  let direction = fixedReverse;
  withScores = false;
  limitOffset = 0;
  limitCount = -1;
  for (let at = key + 3; at < words.count; at++) {
    if (key === 1 && words.is(at, "withscores")) withScores = true;
    else if (words.is(at, "limit") && at + 2 < words.count) {
      limitOffset = call.clampedInteger(at + 1);
      limitCount = call.clampedInteger(at + 2);
      at += 2;
    } else if (direction === null && words.is(at, "rev")) direction = true;
    else if (kind === null && words.is(at, "bylex")) kind = lexRange;
    else if (kind === null && words.is(at, "byscore")) kind = scoreRange;
    else {
      reply.error(SYNTAX_ERROR);
      return false;
    }
  }
  range = kind ?? rankRange;
  reverse = direction ?? false;
  // A count of -1 is as good as no LIMIT, even where none is allowed.
  if (limitCount !== -1 && range === rankRange) {
    reply.error(LIMIT_OF_RANKS);
    return false;
  }
  if (withScores && range === lexRange) {
    reply.error(SCORES_BY_LEX);
    return false;
  }
  if (range === rankRange) {
    range.read(call, key + 1, key + 2);
  } else if (reverse) range.read(call, key + 2, key + 1);
  else range.read(call, key + 1, key + 2);
  range.reverse = reverse;
  return true;
}

/** Finds the range in the view's set; stands on its first element and returns how many to visit. */
function seekRange(): number {
  if (range === rankRange) return range.seek(view, 0, Infinity);
  if (limitOffset < 0) return 0;
  return range.seek(view, limitOffset, limitCount >= 0 ? limitCount : Infinity);
}

function replyRange({ words, reply, database }: Call): void {
  if (!view.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.array(0);
  }
  const count = seekRange();
  replyElementsHeader(reply, count, withScores);
  for (let left = count; left > 0; left--) {
    replyElement(reply, view, withScores);
    if (left > 1) step();
  }
}

/**
 * `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`.
 *
 * Replaces what is at the destination, of any type; an empty range removes it. Answers the number of
 * members stored.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrangestore/}
 */
export const zrangestore = defineCommand({
  name: "zrangestore",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Stores the members in a range of ranks, scores or bytes at another key",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members stored",
  arity: -5,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), oneKey("RO access", 2)],
  args: `
    dst:key src:key#1 min max
    [sortby:(BYSCORE | BYLEX)]
    [REV]
    [LIMIT offset_count:(offset:integer count:integer)]
  `,
  run: runZrangestore,
});

/** Short ranges on their way to the destination. */
const few = new ScoredElements();

/** Longer ranges are stored in slices, if the client may wait. */
const STORED_AT_ONCE = 10_000;

function runZrangestore(call: Call): void {
  const { makings } = call.server.dispatcher;
  const made = makings.take(call.client) as SortedSet | null;
  if (made !== null) return storeResult(call, made, "zrangestore");
  if (!readRange(call, 2, null, null)) return;
  const { words, database } = call;
  few.clear();
  if (!view.openRead(database, words.bytes, words.starts[2], words.lengths[2])) {
    return storeResult(call, few, "zrangestore");
  }
  const count = seekRange();
  const { large } = view;
  if (large !== null && count > STORED_AT_ONCE) {
    const rank = reverse ? range.first + range.count - count : range.first;
    // Once the set has changed, nobody knows whether the range is where it was.
    const parked = makings.park(
      call,
      [2],
      (_database, _words, isAsCalled) => isAsCalled ? large.beginCopy(rank, count) : null,
    );
    if (parked) return;
  }
  if (count > SCORED_ELEMENTS_MAX) return storeResult(call, copyRange(count), "zrangestore");
  for (let left = count; left > 0; left--) {
    few.add(view.bytes, view.offset, view.length, view.score);
    if (left > 1) step();
  }
  few.order();
  storeResult(call, few, "zrangestore");
}

/** The elements of a long range, from the one that the view stands on. */
function copyRange(count: number): SortedSet {
  const set = new SortedSet();
  set.reserve(count);
  for (let left = count; left > 0; left--) {
    set.addOrdered(view.bytes, view.offset, view.length, view.score);
    if (left > 1) step();
  }
  return set;
}

/** Goes on to the next element of the range. */
function step(): void {
  if (reverse) view.prev();
  else view.next();
}
