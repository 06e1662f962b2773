/** HRANDFIELD: fields drawn at random. */

import type { Call } from "../../dispatch/call.ts";
import { hashView } from "../../keyspace/hash.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { checkDraws, checkPairs, drawCount } from "../draw_count.ts";

/**
 * `HRANDFIELD key [count [WITHVALUES]]`: one field, or `count` different ones (all if there are no
 * more), or with a negative count that many with repetitions.
 *
 * @see {@link https://redis.io/docs/latest/commands/hrandfield/}
 */
export const hrandfield = defineCommand({
  name: "hrandfield",
  group: "hash",
  since: "6.2.0",
  summary: "Draws fields of a hash at random",
  complexity: "O(N) with N fields drawn",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key [options:(count:integer [WITHVALUES])]",
  run: runHrandfield,
});

function runHrandfield(call: Call): void {
  const { words, reply } = call;
  if (words.count === 2) return drawOne(call);
  const count = drawCount(call, 2);
  const withValues = words.count > 3;
  if (words.count > 4 || (withValues && !words.is(3, "withvalues"))) {
    return reply.error(SYNTAX_ERROR);
  }
  if (withValues) checkPairs(call, 2, count);
  drawMany(call, count, withValues);
}

/** Fields whose time is over that a call removes at most; what is left is not drawn. */
const REMOVED_MAX = 1000;

/** Opens the hash without fields whose time is over, where that is ours to do; false when nothing is left. */
function openToDraw({ database, words }: Call): boolean {
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) return false;
  if (!hashView.hasOver) return true;
  if (database.keyspace.deletesExpired) {
    try {
      hashView.removeOver(REMOVED_MAX, false);
    } finally {
      hashView.tellLapsed();
    }
  }
  return hashView.count > hashView.overCount;
}

function drawOne(call: Call): void {
  const { reply, server } = call;
  if (!openToDraw(call)) return reply.null();
  hashView.drawPair(server.draw);
  const { field } = hashView;
  reply.bulk(field.bytes, field.offset, field.length);
}

function drawMany(call: Call, count: number, withValues: boolean): void {
  const { reply, server } = call;
  if (!openToDraw(call)) return reply.array(0);
  checkDraws(count);
  const drawn = count < 0 ? -count : Math.min(count, hashView.count - hashView.overCount);
  // RESP3 gives each pair an array of its own, RESP2 field and value one after the other.
  const nested = withValues && reply.resp > 2;
  reply.array(withValues && !nested ? drawn * 2 : drawn);
  if (count < 0) {
    const { field, value } = hashView;
    for (let i = 0; i < drawn && !reply.isCut; i++) {
      hashView.drawPair(server.draw);
      if (nested) reply.array(2);
      reply.bulk(field.bytes, field.offset, field.length);
      if (withValues) reply.bulk(value.bytes, value.offset, value.length);
    }
    return;
  }
  if (drawn === 0) return;
  hashView.sample(drawn, server.draw, (field, offset, length, value, valueOffset, valueLength) => {
    if (nested) reply.array(2);
    reply.bulk(field, offset, length);
    if (withValues) reply.bulk(value, valueOffset, valueLength);
  });
}
