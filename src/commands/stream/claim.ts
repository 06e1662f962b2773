/** XCLAIM and XAUTOCLAIM: pending entries go to another consumer of their group. */

import { EVENT_NONE } from "../../base/event_classes.ts";
import { isRefusal, tryAllocating } from "../../base/refused.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { Consumer, ConsumerGroup } from "../../values/stream/consumer_group.ts";
import { PendingPlace } from "../../values/stream/pending_ids.ts";
import type { Stream } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { EntriesInOrder, hasEntry, replyEntryOf, replyId } from "./entry_reply.ts";
import { findGroup, noGroup, propagateClaim, propagateGroupId, seenConsumer } from "./groups.ts";
import { ID_INVALID, parseId, readId, readStart } from "./ids.ts";

const KEY = 1;
const GROUP = 2;
const CONSUMER = 3;

const place = new PendingPlace();

/** Counts a change of the group. */
function changed({ database, words }: Call): void {
  const { bytes, starts, lengths } = words;
  database.changedUnseen(bytes, starts[KEY], lengths[KEY], EVENT_NONE, "");
}

/** Removes a pending entry, at `place`, that is not in the stream any more. */
function dropPending(call: Call, group: ConsumerGroup, id: StreamId): void {
  group.reserveChange(place, id);
  propagateClaim(call, KEY, group, id, place);
  group.removePending(place, id);
  changed(call);
}

/** What becomes of an entry that is claimed. */
interface Delivery {
  readonly timeMs: number;
  readonly deliveries: number;
}

/** Gives the entry to a consumer: the pending one at `place`, or one that was pending for nobody. */
function claim(
  call: Call,
  group: ConsumerGroup,
  consumer: Consumer,
  id: StreamId,
  isPending: boolean,
  { timeMs, deliveries }: Delivery,
): void {
  if (isPending) group.assign(place, id, consumer, timeMs, deliveries);
  else group.addPending(place, id, consumer, timeMs, deliveries);
  consumer.activeMs = call.nowMs;
  propagateClaim(call, KEY, group, id, place);
  changed(call);
}

/** Writes an entry, or its id alone. */
function replyClaimed({ reply }: Call, stream: Stream, id: StreamId, justId: boolean): void {
  if (justId) replyId(reply, id);
  else replyEntryOf(reply, stream, id);
}

/** Stream and group that the words name. Throws a ReplyError. */
function openGroup(call: Call): { stream: Stream; group: ConsumerGroup } {
  const { database, words } = call;
  const { bytes, starts, lengths } = words;
  const stream = view.openRead(database, bytes, starts[KEY], lengths[KEY]);
  const group = findGroup(call, stream, GROUP);
  if (group === null) throw noGroup(call, KEY, GROUP);
  return { stream: stream!, group };
}

/**
 * `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-ms] [RETRYCOUNT count]
 * [FORCE] [JUSTID] [LASTID id]`: the entries that the consumer has now. With FORCE also those that were
 * pending for nobody; what is not in the stream any more ceases to be pending. Enters the stream of
 * writes as an XCLAIM of each.
 *
 * @see {@link https://redis.io/docs/latest/commands/xclaim/}
 */
export const xclaim = defineCommand({
  name: "xclaim",
  group: "stream",
  since: "5.0.0",
  summary: "Gives pending entries of a consumer group to another consumer",
  complexity: "O(log(N)) per entry, N being the pending entries of the group",
  arity: -6,
  flags: ["write", "fast"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW update")],
  args: `
    key group consumer min-idle-time id...
    [IDLE ms:integer]
    [TIME unix-time-milliseconds:unix-time]
    [RETRYCOUNT count:integer]
    [FORCE]
    [JUSTID]
    [LASTID id]
  `,
  run: runXclaim,
});

/** The options of XCLAIM. */
interface ClaimOptions {
  readonly timeMs: number;
  /** How often an entry counts as delivered from now on; null to count on. */
  readonly deliveries: number | null;
  readonly force: boolean;
  readonly justId: boolean;
  readonly lastId: StreamId;
}

function runXclaim(call: Call): void {
  const { words, reply, nowMs } = call;
  call.preventPropagation();
  const { stream, group } = openGroup(call);
  const minIdleMs = Math.max(
    0,
    call.clampedInteger(4, "ERR Invalid min-idle-time argument for XCLAIM"),
  );
  const ids: StreamId[] = [];
  for (let at = 5; at < words.count; at++) {
    const id = new StreamId();
    const { bytes, starts, lengths } = words;
    if (parseId(bytes, starts[at], lengths[at], id) === ID_INVALID) break;
    ids.push(id);
  }
  const options = readClaimOptions(call, 5 + ids.length);

  view.beforeWrite();
  const isLater = options.lastId.compare(group.lastId) > 0;
  if (isLater) group.lastId.copy(options.lastId);
  const consumer = seenConsumer(call, group, KEY, CONSUMER);
  const open = reply.openLength();
  let claimed = 0;
  let isSaid = !isLater;
  for (const id of ids) {
    const isPending = group.pending.find(place, id);
    if (!hasEntry(stream, id)) {
      if (isPending) {
        dropPending(call, group, id);
        isSaid = true;
      }
      continue;
    }
    if (!isPending && !options.force) continue;
    if (isPending && nowMs - place.chunk.times[place.index] < minIdleMs) continue;
    const { timeMs, justId } = options;
    const counted = isPending ? place.chunk.deliveries[place.index] : 1;
    const deliveries = options.deliveries ?? (justId ? counted : counted + 1);
    const mark = reply.mark();
    try {
      replyClaimed(call, stream, id, justId);
      claim(call, group, consumer, id, isPending, { timeMs, deliveries });
    } catch (error) {
      // What has been claimed already is answered.
      if (claimed === 0 || !isRefusal(error)) throw error;
      reply.rewind(mark);
      break;
    }
    isSaid = true;
    claimed++;
  }
  if (!isSaid) {
    propagateGroupId(call, KEY, group);
    changed(call);
  }
  reply.closeArray(open, claimed);
  view.settle();
}

function readClaimOptions(call: Call, first: number): ClaimOptions {
  const { words, nowMs } = call;
  let timeMs = -1;
  let deliveries = -1;
  let force = false;
  let justId = false;
  const lastId = new StreamId();
  const number = (at: number, name: string) =>
    call.clampedInteger(at, `ERR Invalid ${name} option argument for XCLAIM`);
  for (let at = first; at < words.count; at++) {
    const hasMore = at + 1 < words.count;
    if (words.is(at, "force")) force = true;
    else if (words.is(at, "justid")) justId = true;
    else if (words.is(at, "idle") && hasMore) timeMs = nowMs - number(++at, "IDLE");
    else if (words.is(at, "time") && hasMore) timeMs = number(++at, "TIME");
    else if (words.is(at, "retrycount") && hasMore) deliveries = number(++at, "RETRYCOUNT");
    else if (words.is(at, "lastid") && hasMore) readId(words, ++at, lastId);
    else throw new ReplyError(`ERR Unrecognized XCLAIM option '${words.text(at)}'`);
  }
  // A time that cannot be is taken for now: clients compute it by clocks of their own.
  if (timeMs < 0 || timeMs > nowMs) timeMs = nowMs;
  const counted = deliveries < 0 ? null : Math.min(deliveries, Number.MAX_SAFE_INTEGER);
  return { timeMs, deliveries: counted, force, justId, lastId };
}

/**
 * `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`: where to go on, the entries
 * that the consumer has now, and the ids of those that are not in the stream any more and ceased to be
 * pending. Enters the stream of writes as an XCLAIM of each.
 *
 * @see {@link https://redis.io/docs/latest/commands/xautoclaim/}
 */
export const xautoclaim = defineCommand({
  name: "xautoclaim",
  group: "stream",
  since: "6.2.0",
  history: [["7.0.0", "the ids that ceased to be pending"]],
  summary: "Gives entries that have been pending for long to another consumer",
  complexity: "O(1) for a small COUNT",
  arity: -6,
  flags: ["write", "fast"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW delete")],
  args: "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
  run: runXautoclaim,
});

/** Pending entries that are looked at for each one asked for. */
const ATTEMPTS_EACH = 10;
/** 2^63 / 16: Redis's limit, from the room for so many ids. */
const COUNT_MAX = 576460752303423487;
const START_OVER = new StreamId();

function runXautoclaim(call: Call): void {
  const { words, reply, nowMs } = call;
  call.preventPropagation();
  const minIdleMs = Math.max(
    0,
    call.clampedInteger(4, "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
  );
  const id = new StreamId();
  readStart(words, 5, id);
  let count = 100;
  let justId = false;
  for (let at = 6; at < words.count; at++) {
    if (words.is(at, "count") && at + 1 < words.count) count = readCount(call, ++at);
    else if (words.is(at, "justid")) justId = true;
    else return reply.error(SYNTAX_ERROR);
  }
  const { stream, group } = openGroup(call);
  view.beforeWrite();
  const consumer = seenConsumer(call, group, KEY, CONSUMER);
  const { pending } = group;

  const claimed: StreamId[] = [];
  const dropped: StreamId[] = [];
  const entries = new EntriesInOrder(stream);
  let attempts = count * ATTEMPTS_EACH;
  let on = pending.seek(place, id);
  while (on && attempts-- > 0 && claimed.length + dropped.length < count) {
    place.chunk.readId(place.index, id);
    if (!entries.has(id)) {
      dropPending(call, group, id);
      dropped.push(id.clone());
      on = pending.seek(place, id);
      continue;
    }
    if (nowMs - place.chunk.times[place.index] >= minIdleMs) {
      const deliveries = place.chunk.deliveries[place.index] + (justId ? 0 : 1);
      const isDone = tryAllocating(() =>
        claim(call, group, consumer, id, true, { timeMs: nowMs, deliveries })
      );
      if (!isDone) break;
      claimed.push(id.clone());
    }
    on = pending.next(place);
  }
  if (on) place.chunk.readId(place.index, id);
  view.settle();

  reply.array(3);
  replyId(reply, on ? id : START_OVER);
  reply.array(claimed.length);
  const answered = new EntriesInOrder(stream);
  for (const each of claimed) {
    if (justId) replyId(reply, each);
    else answered.reply(reply, each);
  }
  reply.array(dropped.length);
  for (const each of dropped) replyId(reply, each);
}

function readCount(call: Call, at: number): number {
  const wrong = "ERR COUNT must be > 0";
  const count = call.clampedInteger(at, wrong);
  if (count < 1 || count > COUNT_MAX) throw new ReplyError(wrong);
  return count;
}
