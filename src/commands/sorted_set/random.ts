/** ZRANDMEMBER: members drawn at random. */

import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { drawIndexes, sampleDict } from "../../values/sampling.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { checkDraws, checkPairs, drawCount } from "../draw_count.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { replyElement, replyElementsHeader } from "./score_reply.ts";

/**
 * `ZRANDMEMBER key [count [WITHSCORES]]`: one member, or `count` different ones (all if there are no
 * more), or with a negative count that many with repetitions.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrandmember/}
 */
export const zrandmember = defineCommand({
  name: "zrandmember",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Draws members of a sorted set at random",
  complexity: "O(N) with N members drawn",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key [options:(count:integer [WITHSCORES])]",
  run: runZrandmember,
});

function runZrandmember(call: Call): void {
  const { words, reply, database } = call;
  const isSingle = words.count === 2;
  const count = isSingle ? 1 : drawCount(call, 2);
  const withScores = words.count > 3;
  if (words.count > 4 || (withScores && !words.is(3, "withscores"))) {
    return reply.error(SYNTAX_ERROR);
  }
  if (withScores) checkPairs(call, 2, count);
  if (!view.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return isSingle ? reply.null() : reply.array(0);
  }
  if (isSingle) {
    view.random();
    return reply.bulk(view.bytes, view.offset, view.length);
  }
  checkDraws(count);
  if (count >= 0) return drawDifferent(call, count, withScores);
  replyElementsHeader(reply, -count, withScores);
  for (let left = -count; left > 0 && !reply.isCut; left--) {
    view.random();
    replyElement(reply, view, withScores);
  }
}

function drawDifferent({ reply, server }: Call, count: number, withScores: boolean): void {
  const total = view.count;
  const drawn = Math.min(count, total);
  replyElementsHeader(reply, drawn, withScores);
  if (view.large !== null && drawn < total) {
    sampleDict(view.large.dict, drawn, server.draw, (ref) => {
      view.readRecord(ref);
      replyElement(reply, view, withScores);
    });
    return;
  }
  let at = -1;
  for (const index of drawIndexes(drawn, total, server.draw)) {
    if (at >= 0 && index === at + 1) view.next();
    else view.seek(index);
    at = index;
    replyElement(reply, view, withScores);
  }
}
