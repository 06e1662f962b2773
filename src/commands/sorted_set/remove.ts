/** Commands that remove members by name, rank, score or bytes. */

import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC, EVENT_ZSET } from "../../base/event_classes.ts";
import { type SortedSetView, sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { lexRange, type Range, rankRange, scoreRange } from "./bounds.ts";

/** Removes the key of a set that a command has emptied: event "del", not counted as a change. */
export function removeIfEmpty(
  view: SortedSetView,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  if (view.count > 0) return;
  view.database.removeRecord(view.ref, bytes, offset, length, EVENT_GENERIC, "del", 0);
}

/**
 * `ZREM key member [member ...]`. Answers the number of members removed.
 *
 * @see {@link https://redis.io/docs/latest/commands/zrem/}
 */
export const zrem = defineCommand({
  name: "zrem",
  group: "sorted-set",
  since: "1.2.0",
  history: [["2.4.0", "several members"]],
  summary: "Removes members from a sorted set",
  complexity: "O(M*log(N)), N being the size of the sorted set and M the members removed",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete")],
  elementWord: 2,
  args: "key member...",
  run: runZrem,
});

function runZrem({ words, reply, database }: Call): void {
  const { bytes, starts, lengths } = words;
  if (!view.openWrite(database, bytes, starts[1], lengths[1])) return reply.integer(0);
  view.beforeWrite();
  let left = view.count;
  let removed = 0;
  for (let word = 2; word < words.count && left > 0; word++) {
    if (!view.remove(bytes, starts[word], lengths[word])) continue;
    removed++;
    left--;
  }
  if (removed > 0) {
    view.settle();
    database.changed(bytes, starts[1], lengths[1], EVENT_ZSET, "zrem", removed);
    removeIfEmpty(view, bytes, starts[1], lengths[1]);
  }
  reply.integer(removed);
}

/**
 * `ZREMRANGEBYRANK key start stop`. Negative ranks count from the highest score.
 *
 * @see {@link https://redis.io/docs/latest/commands/zremrangebyrank/}
 */
export const zremrangebyrank = defineCommand({
  name: "zremrangebyrank",
  group: "sorted-set",
  since: "2.0.0",
  summary: "Removes the members whose ranks lie in a range",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members removed",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete")],
  args: "key start:integer stop:integer",
  run: runZremrangebyrank,
});

function runZremrangebyrank(call: Call): void {
  removeRange(call, rankRange, "zremrangebyrank");
}

/**
 * `ZREMRANGEBYSCORE key min max`. Bounds as those of ZRANGEBYSCORE.
 *
 * @see {@link https://redis.io/docs/latest/commands/zremrangebyscore/}
 */
export const zremrangebyscore = defineCommand({
  name: "zremrangebyscore",
  group: "sorted-set",
  since: "1.2.0",
  summary: "Removes the members whose scores lie in a range",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members removed",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete")],
  args: "key min:double max:double",
  run: runZremrangebyscore,
});

function runZremrangebyscore(call: Call): void {
  removeRange(call, scoreRange, "zremrangebyscore");
}

/**
 * `ZREMRANGEBYLEX key min max`. Bounds as those of ZRANGEBYLEX; all scores should be equal.
 *
 * @see {@link https://redis.io/docs/latest/commands/zremrangebylex/}
 */
export const zremrangebylex = defineCommand({
  name: "zremrangebylex",
  group: "sorted-set",
  since: "2.8.9",
  summary: "Removes the members of one score whose bytes lie in a range",
  complexity: "O(log(N)+M), N being the size of the sorted set and M the members removed",
  arity: 4,
  flags: ["write"],
  keys: [oneKey("RW delete")],
  args: "key min max",
  run: runZremrangebylex,
});

function runZremrangebylex(call: Call): void {
  removeRange(call, lexRange, "zremrangebylex");
}

function removeRange(call: Call, range: Range, event: string): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  range.read(call, 2, 3);
  if (!view.openWrite(database, bytes, starts[1], lengths[1])) return reply.integer(0);
  range.locate(view, 0, Infinity);
  const { count } = range;
  if (count > 0) {
    view.beforeWrite();
    view.removeRange(range.first, count);
    view.settle();
    database.changed(bytes, starts[1], lengths[1], EVENT_ZSET, event, count);
    removeIfEmpty(view, bytes, starts[1], lengths[1]);
  }
  reply.integer(count);
}
