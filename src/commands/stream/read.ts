/**
 * XREAD and XREADGROUP: entries that are new to a client, or to a group of clients that share them; with
 * BLOCK it waits for some (dispatch/blocking.ts runs the request again).
 */

import { TYPE_STREAM } from "../../arena/record.ts";
import { EVENT_NONE } from "../../base/event_classes.ts";
import { isRefusal } from "../../base/refused.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysAfter, xreadgroupUsedKeys } from "../../dispatch/key_specs.ts";
import { StreamView } from "../../keyspace/stream.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { Words } from "../../resp/words.ts";
import type { Consumer, ConsumerGroup } from "../../values/stream/consumer_group.ts";
import { PendingPlace } from "../../values/stream/pending_ids.ts";
import type { Stream } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { readTimeoutMs } from "../timeout.ts";
import { cursor, EntriesInOrder, idBytes, replyEntry, replyId, replyRange } from "./entry_reply.ts";
import { findGroup, noGroup, propagateClaim, propagateGroupId, seenConsumer } from "./groups.ts";
import { readId } from "./ids.ts";

const GROUP_OF_XREAD =
  "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
const NOACK_OF_XREAD =
  "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
const NO_GROUP_OPTION = "ERR Missing GROUP option for XREADGROUP";
const LAST_OF_GROUP =
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of " +
  "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would " +
  "just return an empty result set.";
const NEW_OF_XREAD =
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> " +
  "<consumer> option.";

/**
 * `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`: the entries behind an id
 * of each stream, "$" being its last one; null when there are none, or time is up.
 *
 * @see {@link https://redis.io/docs/latest/commands/xread/}
 */
export const xread = defineCommand({
  name: "xread",
  group: "stream",
  since: "5.0.0",
  summary: "Reads new entries of streams; waits for some if asked to",
  complexity: "O(log(N)+M), N being the size of a stream and M the entries in the reply",
  arity: -4,
  flags: ["readonly", "blocking"],
  keys: [keysAfter("STREAMS", 1, "RO access", 2)],
  args: `
    [COUNT count:integer]
    [BLOCK milliseconds:integer]
    STREAMS streams:(key... id...)
  `,
  run: (call) => read(call, false),
});

/**
 * `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id
 * [id ...]`: with ">" entries that no consumer of the group has been given, which then wait for this
 * one's acknowledgement; with an id those behind it that do already.
 *
 * Enters the stream of writes as an XCLAIM of each entry (not with NOACK) and XGROUP SETID. A client that waits
 * hears when key or group go (NOGROUP).
 *
 * @see {@link https://redis.io/docs/latest/commands/xreadgroup/}
 */
export const xreadgroup = defineCommand({
  name: "xreadgroup",
  group: "stream",
  since: "5.0.0",
  summary: "Reads new entries of streams for a consumer of a group; waits for some if asked to",
  complexity: "O(M), M being the entries in the reply",
  arity: -7,
  flags: ["write", "blocking"],
  keys: [keysAfter("STREAMS", 4, "RO access", 2)],
  findUsedKeys: xreadgroupUsedKeys,
  args: `
    GROUP group_consumer:(group consumer)
    [COUNT count:integer]
    [BLOCK milliseconds:integer]
    [NOACK]
    STREAMS streams:(key... id...)
  `,
  run: (call) => read(call, true),
});

/** What a request asks for. */
interface Request {
  /** Words of the first key and of the first id, and how many there are of each. */
  readonly firstKey: number;
  readonly firstId: number;
  readonly streams: number;
  /** Most entries of a stream, 0 for all. */
  readonly count: number;
  /** How long to wait in ms, 0 for ever; null for not at all. */
  readonly blockMs: number | null;
  /** Word of the group, with the consumer behind it; 0 for XREAD. */
  readonly groupWord: number;
  readonly noAck: boolean;
}

/** From which entry on a stream is read. */
interface Position {
  readonly after: StreamId;
  readonly group: ConsumerGroup | null;
  /** ">": what no consumer has been given. */
  readonly isNew: boolean;
}

/** One view for each stream of a request would be too many: each is opened when its turn comes. */
const view = new StreamView();

const END = StreamId.greatest();
const start = new StreamId();

function read(call: Call, ofGroup: boolean): void {
  const { reply } = call;
  if (ofGroup) call.preventPropagation();
  const request = readOptions(call, ofGroup);
  const positions = readPositions(call, request);

  const mark = reply.mark();
  const open = reply.openLength();
  let served = 0;
  for (let i = 0; i < request.streams; i++) {
    if (serve(call, request, i, positions[i])) served++;
  }
  if (served > 0) {
    if (reply.resp === 2) reply.closeArray(open, served);
    else reply.closeMap(open, served);
    return;
  }
  reply.rewind(mark);
  if (request.blockMs === null || !call.mayPark) return reply.nullArray();
  park(call, request, positions);
}

/** Reads all words but the ids. Throws a ReplyError. */
function readOptions(call: Call, ofGroup: boolean): Request {
  const { words } = call;
  let count = 0;
  let blockMs: number | null = null;
  let groupWord = 0;
  let noAck = false;
  for (let at = 1; at < words.count; at++) {
    const left = words.count - at - 1;
    if (words.is(at, "block") && left >= 1) {
      if (call.client.caller !== null) throw blockInScript(words);
      blockMs = readTimeoutMs(call, ++at);
    } else if (words.is(at, "count") && left >= 1) count = Math.max(0, call.clampedInteger(++at));
    else if (words.is(at, "streams") && left >= 1) {
      if (left % 2 !== 0) throw unbalanced(call, ofGroup);
      if (ofGroup && groupWord === 0) throw new ReplyError(NO_GROUP_OPTION);
      const streams = left / 2;
      return {
        firstKey: at + 1,
        firstId: at + 1 + streams,
        streams,
        count,
        blockMs,
        groupWord,
        noAck,
      };
    } else if (words.is(at, "group") && left >= 2) {
      if (!ofGroup) throw new ReplyError(GROUP_OF_XREAD);
      groupWord = at + 1;
      at += 2;
    } else if (words.is(at, "noack")) {
      if (!ofGroup) throw new ReplyError(NOACK_OF_XREAD);
      noAck = true;
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  throw new ReplyError(SYNTAX_ERROR);
}

function blockInScript(words: Words): ReplyError {
  const name = words.text(0);
  return new ReplyError(`ERR ${name} command is not allowed with BLOCK option from scripts`);
}

function unbalanced({ command }: Call, ofGroup: boolean): ReplyError {
  return new ReplyError(
    `ERR Unbalanced '${command.fullName}' list of streams: for each stream key an ID or '${
      ofGroup ? ">" : "$"
    }' must be specified.`,
  );
}

/** Reads the ids, and finds the groups. Throws a ReplyError. */
function readPositions(call: Call, request: Request): Position[] {
  const { words } = call;
  const { groupWord } = request;
  const positions: Position[] = [];
  for (let i = 0; i < request.streams; i++) {
    const stream = open(call, request.firstKey + i);
    const group = groupWord === 0 ? null : findGroup(call, stream, groupWord);
    if (groupWord !== 0 && group === null) {
      throw noGroup(call, request.firstKey + i, groupWord, " in XREADGROUP with GROUP option");
    }
    const word = request.firstId + i;
    const after = new StreamId();
    let isNew = words.is(word, ">");
    if (words.is(word, "$")) {
      if (groupWord !== 0) throw new ReplyError(LAST_OF_GROUP);
      if (stream !== null) after.copy(stream.lastId);
    } else if (isNew) {
      if (groupWord === 0) throw new ReplyError(NEW_OF_XREAD);
    } else {
      readId(words, word, after);
      // Redis keeps ">" as the greatest id, so that this one says the same.
      if (group !== null && after.isGreatest) isNew = true;
    }
    positions.push({ after, group, isNew });
  }
  return positions;
}

function open({ database, words }: Call, key: number): Stream | null {
  return view.openRead(database, words.bytes, words.starts[key], words.lengths[key]);
}

/** Writes the name and the entries of a stream, if there is something to serve. */
function serve(call: Call, request: Request, index: number, position: Position): boolean {
  const { reply, words } = call;
  const key = request.firstKey + index;
  const stream = open(call, key);
  if (stream === null) return false;
  const { group } = position;
  start.copy(position.after);
  let consumer: Consumer | null = null;
  if (group !== null) {
    if (position.isNew) start.copy(group.lastId);
    view.beforeWrite();
    consumer = seenConsumer(call, group, key, request.groupWord + 1);
  }
  const hasHistory = group !== null && !position.isNew;
  if (!hasHistory && !hasEntryBehind(stream, start)) {
    if (group !== null) view.settle();
    return false;
  }

  start.increment();
  if (reply.resp === 2) reply.array(2);
  reply.bulk(words.bytes, words.starts[key], words.lengths[key]);
  if (group === null) replyRange(reply, stream, start, END, request.count, false);
  else {
    try {
      if (hasHistory) replyHistory(call, stream, group, consumer!, request.count);
      else deliver(call, request, key, stream, group, consumer!);
    } finally {
      view.settle();
    }
    const { database } = call;
    database.changedUnseen(words.bytes, words.starts[key], words.lengths[key], EVENT_NONE, "");
  }
  return true;
}

/** Whether a stream has an entry above an id. */
function hasEntryBehind(stream: Stream, id: StreamId): boolean {
  if (stream.length === 0) return false;
  cursor.stream = stream;
  return cursor.seekLast(END) && cursor.id.compare(id) > 0;
}

const place = new PendingPlace();

/** Writes the entries from `start` on, which are the consumer's from now on. */
function deliver(
  call: Call,
  request: Request,
  key: number,
  stream: Stream,
  group: ConsumerGroup,
  consumer: Consumer,
): void {
  const { reply } = call;
  const { count, noAck } = request;
  const openArray = reply.openLength();
  let written = 0;
  let hasMoved = false;
  cursor.stream = stream;
  for (let on = cursor.seekFirst(start); on && !reply.isCut; on = cursor.nextEntry()) {
    const { id } = cursor;
    const mark = reply.mark();
    try {
      replyEntry(reply, cursor);
      if (!noAck) giveTo(call, group, consumer, id);
    } catch (error) {
      // What has been given already is answered; the rest is there for the next time.
      if (written === 0 || !isRefusal(error)) throw error;
      reply.rewind(mark);
      break;
    }
    if (stream.countRead(group, id)) hasMoved = true;
    if (!noAck) propagateClaim(call, key, group, id, place);
    if (++written === count) break;
  }
  // An XCLAIM says which entry was the last, not how many have been read: `lag` would be lost.
  if (hasMoved) propagateGroupId(call, key, group);
  reply.closeArray(openArray, written);
}

/** The entry is the consumer's from now on. XGROUP SETID may have gone back to one that somebody has. */
function giveTo({ nowMs }: Call, group: ConsumerGroup, consumer: Consumer, id: StreamId): void {
  if (group.pending.find(place, id)) group.assign(place, id, consumer, nowMs, 1);
  else group.addPending(place, id, consumer, nowMs, 1);
  consumer.activeMs = nowMs;
}

const pendingId = new StreamId();

/** Writes the entries from `start` on that the consumer has not acknowledged. */
function replyHistory(
  { reply, nowMs }: Call,
  stream: Stream,
  group: ConsumerGroup,
  consumer: Consumer,
  count: number,
): void {
  const openArray = reply.openLength();
  const own = new PendingPlace();
  const entries = new EntriesInOrder(stream);
  let written = 0;
  for (let on = consumer.pending.seek(own, start); on; on = consumer.pending.next(own)) {
    own.chunk.readId(own.index, pendingId);
    if (!entries.reply(reply, pendingId)) {
      // It has been deleted from the stream, and still waits for its acknowledgement.
      reply.array(2);
      replyId(reply, pendingId);
      reply.nullArray();
    } else if (group.pending.find(place, pendingId)) {
      group.pending.beforeWrite(place);
      place.chunk.times[place.index] = nowMs;
      place.chunk.deliveries[place.index]++;
    }
    if (++written === count) break;
  }
  reply.closeArray(openArray, written);
}

/** Parks the client until one of the streams has something for it. */
function park(call: Call, request: Request, positions: readonly Position[]): void {
  const { words, server } = call;
  const { firstKey, streams, blockMs, groupWord } = request;
  const deadlineMs = blockMs === 0 ? Infinity : server.keyspace.steadyMs + blockMs!;
  server.dispatcher.blocking.park(call, {
    type: TYPE_STREAM,
    firstKey,
    keyCount: streams,
    deadlineMs,
    timeoutReply: "nullArray",
    words: groupWord === 0 ? withLastIds(words, request, positions) : undefined,
    hearsChanges: groupWord !== 0,
  });
}

/** The request with the id that "$" stands for now; undefined where it has none. */
function withLastIds(
  words: Words,
  { firstId, streams }: Request,
  positions: readonly Position[],
): Words | undefined {
  const isLast = (index: number) =>
    index >= firstId && index < firstId + streams && words.is(index, "$");
  const parts: Uint8Array[] = [];
  let hasLast = false;
  for (let i = 0; i < words.count; i++) {
    if (isLast(i)) hasLast = true;
    parts.push(isLast(i) ? idBytes(positions[i - firstId].after) : words.copy(i));
  }
  return hasLast ? Words.of(...parts) : undefined;
}
