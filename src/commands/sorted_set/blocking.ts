/**
 * The sorted set commands that wait for a member: BZPOPMIN, BZPOPMAX, BZMPOP. Each does what its
 * non-blocking form does, and parks its client when that finds nothing (dispatch/blocking.ts runs it
 * again). They enter the stream of writes in the non-blocking form.
 */

import { TYPE_ZSET } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, keyRange } from "../../dispatch/key_specs.ts";
import { readDeadline } from "../timeout.ts";
import { popElements, popFirstOf, readMultiPop } from "./pop.ts";

/**
 * `BZPOPMIN key [key ...] timeout`. Answers with key, member and score.
 *
 * @see {@link https://redis.io/docs/latest/commands/bzpopmin/}
 */
export const bzpopmin = defineCommand({
  name: "bzpopmin",
  group: "sorted-set",
  since: "5.0.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary: "Takes the member with the lowest score of the first sorted set there is; may wait",
  complexity: "O(K) + O(log(N)), K being the number of keys and N the size of the sorted set",
  arity: -3,
  flags: ["write", "blocking", "fast"],
  keys: [keyRange("RW access delete", 1, -2)],
  args: "key... timeout:double",
  run: runBzpopmin,
});

function runBzpopmin(call: Call): void {
  blockingPop(call, false);
}

/**
 * `BZPOPMAX key [key ...] timeout`. Answers with key, member and score.
 *
 * @see {@link https://redis.io/docs/latest/commands/bzpopmax/}
 */
export const bzpopmax = defineCommand({
  name: "bzpopmax",
  group: "sorted-set",
  since: "5.0.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary: "Takes the member with the highest score of the first sorted set there is; may wait",
  complexity: "O(K) + O(log(N)), K being the number of keys and N the size of the sorted set",
  arity: -3,
  flags: ["write", "blocking", "fast"],
  keys: [keyRange("RW access delete", 1, -2)],
  args: "key... timeout:double",
  run: runBzpopmax,
});

function runBzpopmax(call: Call): void {
  blockingPop(call, true);
}

function blockingPop(call: Call, highest: boolean): void {
  const { database, words, reply } = call;
  const deadlineMs = readDeadline(call, words.count - 1);
  for (let i = 1; i < words.count - 1; i++) {
    if (!view.openWrite(database, words.bytes, words.starts[i], words.lengths[i])) continue;
    reply.array(3);
    reply.bulk(words.bytes, words.starts[i], words.lengths[i]);
    popElements(call, view, i, highest, 1, false);
    if (call.isPropagating) call.propagateAs(highest ? "ZPOPMAX" : "ZPOPMIN", words.copy(i));
    return;
  }
  waitForSortedSets(call, 1, words.count - 2, deadlineMs);
}

/**
 * `BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/bzmpop/}
 */
export const bzmpop = defineCommand({
  name: "bzmpop",
  group: "sorted-set",
  since: "7.0.0",
  summary: "Takes members from an end of the first sorted set there is; waits for one if needed",
  complexity: "O(K) + O(M*log(N)), K being the number of keys, N the size and M the members taken",
  arity: -5,
  flags: ["write", "blocking"],
  keys: [countedKeys("RW access delete", 2)],
  args: "timeout:double numkeys:integer key... where:(MIN | MAX) [COUNT count:integer]",
  run: runBzmpop,
});

function runBzmpop(call: Call): void {
  const deadlineMs = readDeadline(call, 1);
  const request = readMultiPop(call, 2);
  if (popFirstOf(call, request)) return;
  const { firstKey, lastKey } = request;
  waitForSortedSets(call, firstKey, lastKey - firstKey + 1, deadlineMs);
}

/** Parks the client until one of the keys is a sorted set; where that may not be, answers at once. */
function waitForSortedSets(
  call: Call,
  firstKey: number,
  keyCount: number,
  deadlineMs: number,
): void {
  if (!call.mayPark) return call.reply.nullArray();
  call.server.dispatcher.blocking.park(call, {
    type: TYPE_ZSET,
    firstKey,
    keyCount,
    deadlineMs,
    timeoutReply: "nullArray",
  });
}
