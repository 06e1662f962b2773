/** XPENDING and XACK: what has been delivered and not acknowledged. */

import { EVENT_NONE } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { ConsumerGroup } from "../../values/stream/consumer_group.ts";
import { PendingPlace } from "../../values/stream/pending_ids.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { replyId } from "./entry_reply.ts";
import { findGroup, noGroup } from "./groups.ts";
import { readIds, readStart, readStop } from "./ids.ts";

const place = new PendingPlace();
const id = new StreamId();

/**
 * `XACK key group id [id ...]`: how many entries were pending, and are not any more.
 *
 * @see {@link https://redis.io/docs/latest/commands/xack/}
 */
export const xack = defineCommand({
  name: "xack",
  group: "stream",
  since: "5.0.0",
  summary: "Acknowledges entries that a consumer group was given",
  complexity: "O(1) per entry",
  arity: -4,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key group id...",
  run: runXack,
});

function runXack(call: Call): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const stream = view.openRead(database, bytes, starts[1], lengths[1]);
  const group = findGroup(call, stream, 2);
  if (group === null) return reply.integer(0);
  const ids = readIds(words, 3);
  view.beforeWrite();
  group.reserveChanges(place, ids);
  let acknowledged = 0;
  for (const each of ids) {
    if (!group.pending.find(place, each)) continue;
    group.removePending(place, each);
    acknowledged++;
  }
  if (acknowledged > 0) {
    view.settle();
    database.changedUnseen(bytes, starts[1], lengths[1], EVENT_NONE, "", acknowledged);
  }
  reply.integer(acknowledged);
}

/**
 * `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]`: how many entries are pending,
 * from which to which, and for whom; or each of a range with its consumer, how long ago it was
 * delivered, and how often.
 *
 * @see {@link https://redis.io/docs/latest/commands/xpending/}
 */
export const xpending = defineCommand({
  name: "xpending",
  group: "stream",
  since: "5.0.0",
  history: [["6.2.0", "`IDLE`, and ends that are not included"]],
  summary: "Shows the entries that a consumer group was given and has not acknowledged",
  complexity: "O(log(N)+M), N being the pending entries and M those looked at",
  arity: -3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: `
    key group
    [filters:([IDLE min-idle-time:integer@6.2.0] start end count:integer [consumer])]
  `,
  run: runXpending,
});

const start = new StreamId();
const stop = new StreamId();

function runXpending(call: Call): void {
  const { words, reply, database } = call;
  const isSummary = words.count === 3;
  if (!isSummary && (words.count < 6 || words.count > 9)) return reply.error(SYNTAX_ERROR);
  let at = 3;
  let minIdleMs = 0;
  let count = 0;
  if (!isSummary) {
    if (words.is(3, "idle")) {
      minIdleMs = call.clampedInteger(4);
      if (words.count < 8) return reply.error(SYNTAX_ERROR);
      at = 5;
    }
    count = Math.max(0, call.clampedInteger(at + 2));
    readStart(words, at, start);
    readStop(words, at + 1, stop);
  }
  const stream = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  const group = findGroup(call, stream, 2);
  if (group === null) throw noGroup(call, 1, 2);
  if (isSummary) replySummary(call, group);
  else replyPending(call, group, at + 3, count, minIdleMs);
}

function replySummary({ reply }: Call, { pending, consumers }: ConsumerGroup): void {
  reply.array(4);
  reply.integer(pending.count);
  if (!pending.first(place)) {
    reply.null();
    reply.null();
    reply.nullArray();
    return;
  }
  replyId(reply, place.chunk.readId(place.index, id));
  pending.last(place);
  replyId(reply, place.chunk.readId(place.index, id));
  const open = reply.openLength();
  let busy = 0;
  for (const consumer of consumers.items) {
    if (consumer.pending.count === 0) continue;
    reply.array(2);
    reply.bulk(consumer.name);
    reply.bulkInteger(consumer.pending.count);
    busy++;
  }
  reply.closeArray(open, busy);
}

/** Writes what is pending from `start` to `stop`; word `consumerWord` may name a consumer. */
function replyPending(
  call: Call,
  group: ConsumerGroup,
  consumerWord: number,
  count: number,
  minIdleMs: number,
): void {
  const { words, reply, nowMs } = call;
  let { pending } = group;
  if (consumerWord < words.count) {
    const { bytes, starts, lengths } = words;
    const found = group.consumers.find(bytes, starts[consumerWord], lengths[consumerWord]);
    if (found === null) return reply.array(0);
    pending = found.pending;
  }
  const open = reply.openLength();
  const own = new PendingPlace();
  let written = 0;
  for (let on = pending.seek(own, start); on && written < count; on = pending.next(own)) {
    own.chunk.readId(own.index, id);
    if (id.compare(stop) > 0) break;
    group.pending.find(place, id);
    const { chunk, index } = place;
    const idleMs = nowMs - chunk.times[index];
    if (minIdleMs !== 0 && idleMs < minIdleMs) continue;
    reply.array(4);
    replyId(reply, id);
    reply.bulk(group.ownerAt(place).name);
    reply.integer(Math.max(0, idleMs));
    reply.integer(chunk.deliveries[index]);
    written++;
  }
  reply.closeArray(open, written);
}
