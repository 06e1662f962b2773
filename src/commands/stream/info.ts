/** XINFO: what a stream, its groups and their consumers are like. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { NO_SUCH_KEY, ReplyError } from "../../resp/reply_error.ts";
import {
  type Consumer,
  type ConsumerGroup,
  ENTRIES_READ_UNKNOWN,
  NEVER_ACTIVE,
} from "../../values/stream/consumer_group.ts";
import { PendingPlace } from "../../values/stream/pending_ids.ts";
import type { Stream } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { writeHelp } from "../help.ts";
import { cursor, replyEntry, replyId, replyRange } from "./entry_reply.ts";
import { findGroup, noGroupOfKey, replyCount } from "./groups.ts";
import { radixTreeNodes } from "./radix_tree.ts";

const START = new StreamId();
const END = StreamId.greatest();
/** What FULL shows of each list unless asked otherwise. */
const FULL_COUNT = 10;

/** The stream at the key. Throws a ReplyError. */
function openStream({ database, words }: Call): Stream {
  const stream = view.openRead(database, words.bytes, words.starts[2], words.lengths[2]);
  if (stream === null) throw new ReplyError(NO_SUCH_KEY);
  return stream;
}

/**
 * `XINFO STREAM key [FULL [COUNT count]]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xinfo-stream/}
 */
const xinfoStream = defineCommand({
  name: "xinfo|stream",
  group: "stream",
  since: "5.0.0",
  history: [
    ["6.0.0", "`FULL`"],
    [
      "7.0.0",
      "`max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`",
    ],
  ],
  summary: "Tells about a stream",
  complexity: "O(1)",
  arity: -3,
  flags: ["readonly"],
  keys: [oneKey("RO access", 2)],
  args: "key [FULL full:([COUNT count:integer])]",
  run: runXinfoStream,
});

function runXinfoStream(call: Call): void {
  const { words, reply } = call;
  const stream = openStream(call);
  const isFull = words.count > 3;
  let count = FULL_COUNT;
  if (isFull) {
    const hasCount = words.count === 6 && words.is(4, "count");
    if (!words.is(3, "full") || (words.count !== 4 && !hasCount)) {
      throw call.subcommandSyntaxError();
    }
    if (hasCount) count = call.clampedInteger(5);
    if (count < 0) count = FULL_COUNT;
  }
  reply.map(isFull ? 9 : 10);
  reply.bulkText("length");
  reply.integer(stream.length);
  reply.bulkText("radix-tree-keys");
  reply.integer(stream.nodeCount);
  reply.bulkText("radix-tree-nodes");
  reply.integer(radixTreeNodes(stream));
  reply.bulkText("last-generated-id");
  replyId(reply, stream.lastId);
  reply.bulkText("max-deleted-entry-id");
  replyId(reply, stream.maxDeletedId);
  reply.bulkText("entries-added");
  replyCount(call, stream.entriesAdded);
  reply.bulkText("recorded-first-entry-id");
  replyId(reply, stream.firstId);
  if (isFull) replyFull(call, stream, count);
  else replyEnds(call, stream);
}

function replyEnds({ reply }: Call, stream: Stream): void {
  reply.bulkText("groups");
  reply.integer(stream.groups.items.length);
  cursor.stream = stream;
  reply.bulkText("first-entry");
  if (cursor.seekFirst(START)) replyEntry(reply, cursor);
  else reply.null();
  reply.bulkText("last-entry");
  if (cursor.seekLast(END)) replyEntry(reply, cursor);
  else reply.null();
}

/** Entries and groups, of each list `count` at most, 0 for all. */
function replyFull(call: Call, stream: Stream, count: number): void {
  const { reply } = call;
  reply.bulkText("entries");
  replyRange(reply, stream, START, END, count, false);
  reply.bulkText("groups");
  reply.array(stream.groups.items.length);
  for (const group of stream.groups.items) {
    reply.map(7);
    replyGroupHead(call, stream, group);
    reply.bulkText("pel-count");
    reply.integer(group.pending.count);
    reply.bulkText("pending");
    replyPending(call, group, null, count);
    reply.bulkText("consumers");
    reply.array(group.consumers.items.length);
    for (const consumer of group.consumers.items) replyConsumer(call, group, consumer, count);
  }
}

/** How far a group has read. */
function replyProgress(call: Call, stream: Stream, group: ConsumerGroup): void {
  const { reply } = call;
  reply.bulkText("last-delivered-id");
  replyId(reply, group.lastId);
  reply.bulkText("entries-read");
  if (group.entriesRead === ENTRIES_READ_UNKNOWN) reply.null();
  else replyCount(call, group.entriesRead);
  reply.bulkText("lag");
  const lag = stream.lagOf(group);
  if (lag === null) reply.null();
  else replyCount(call, lag);
}

function replyGroupHead(call: Call, stream: Stream, group: ConsumerGroup): void {
  call.reply.bulkText("name");
  call.reply.bulk(group.name);
  replyProgress(call, stream, group);
}

function replyConsumer(
  call: Call,
  group: ConsumerGroup,
  consumer: Consumer,
  count: number,
): void {
  const { reply } = call;
  reply.map(5);
  reply.bulkText("name");
  reply.bulk(consumer.name);
  reply.bulkText("seen-time");
  reply.integer(consumer.seenMs);
  reply.bulkText("active-time");
  reply.integer(consumer.activeMs);
  reply.bulkText("pel-count");
  reply.integer(consumer.pending.count);
  reply.bulkText("pending");
  replyPending(call, group, consumer, count);
}

const place = new PendingPlace();
const id = new StreamId();

/** What is pending in a group, with its consumers, or for one consumer. */
function replyPending(
  { reply }: Call,
  group: ConsumerGroup,
  consumer: Consumer | null,
  count: number,
): void {
  const { pending } = consumer ?? group;
  const open = reply.openLength();
  const own = new PendingPlace();
  let written = 0;
  for (let on = pending.first(own); on; on = pending.next(own)) {
    own.chunk.readId(own.index, id);
    const at = consumer === null ? own : place;
    if (consumer !== null) group.pending.find(place, id);
    const { chunk, index } = at;
    reply.array(consumer === null ? 4 : 3);
    replyId(reply, id);
    if (consumer === null) reply.bulk(group.ownerAt(own).name);
    reply.integer(chunk.times[index]);
    reply.integer(chunk.deliveries[index]);
    if (++written === count) break;
  }
  reply.closeArray(open, written);
}

/**
 * `XINFO GROUPS key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xinfo-groups/}
 */
const xinfoGroups = defineCommand({
  name: "xinfo|groups",
  group: "stream",
  since: "5.0.0",
  history: [["7.0.0", "`entries-read` and `lag`"]],
  summary: "Lists the consumer groups of a stream",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  keys: [oneKey("RO access", 2)],
  args: "key",
  run: runXinfoGroups,
});

function runXinfoGroups(call: Call): void {
  const { reply } = call;
  const stream = openStream(call);
  reply.array(stream.groups.items.length);
  for (const group of stream.groups.items) {
    reply.map(6);
    reply.bulkText("name");
    reply.bulk(group.name);
    reply.bulkText("consumers");
    reply.integer(group.consumers.items.length);
    reply.bulkText("pending");
    reply.integer(group.pending.count);
    replyProgress(call, stream, group);
  }
}

/**
 * `XINFO CONSUMERS key group`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xinfo-consumers/}
 */
const xinfoConsumers = defineCommand({
  name: "xinfo|consumers",
  group: "stream",
  since: "5.0.0",
  summary: "Lists the consumers of a group",
  complexity: "O(1)",
  arity: 4,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access", 2)],
  args: "key groupname",
  run: runXinfoConsumers,
});

function runXinfoConsumers(call: Call): void {
  const { reply, nowMs } = call;
  const group = findGroup(call, openStream(call), 3);
  if (group === null) throw noGroupOfKey(call, 2, 3);
  reply.array(group.consumers.items.length);
  for (const { name, pending, seenMs, activeMs } of group.consumers.items) {
    reply.map(4);
    reply.bulkText("name");
    reply.bulk(name);
    reply.bulkText("pending");
    reply.integer(pending.count);
    reply.bulkText("idle");
    reply.integer(Math.max(0, nowMs - seenMs));
    reply.bulkText("inactive");
    reply.integer(activeMs === NEVER_ACTIVE ? NEVER_ACTIVE : nowMs - activeMs);
  }
}

/**
 * `XINFO HELP`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xinfo-help/}
 */
const xinfoHelp = defineCommand({
  name: "xinfo|help",
  group: "stream",
  since: "5.0.0",
  summary: "Lists the subcommands of XINFO",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["CONSUMERS <key> <groupname>", "List the consumers of a group."],
      ["GROUPS <key>", "List the groups of a stream."],
      ["STREAM <key> [FULL [COUNT <count>]", "Tell about a stream."],
    ]),
});

/**
 * `XINFO <subcommand>`.
 *
 * @see {@link https://redis.io/docs/latest/commands/xinfo/}
 */
export const xinfo = defineCommand({
  name: "xinfo",
  group: "stream",
  since: "5.0.0",
  summary: "Commands that tell about streams",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [xinfoConsumers, xinfoGroups, xinfoHelp, xinfoStream],
});
