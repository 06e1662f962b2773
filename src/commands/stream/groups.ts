/** What the commands of consumer groups share: finding a group, its errors, what enters the stream of writes. */

import { EVENT_STREAM } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { word } from "../../propagation/stream_part.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { Consumer, ConsumerGroup } from "../../values/stream/consumer_group.ts";
import type { Count } from "../../values/stream/count64.ts";
import type { PendingPlace } from "../../values/stream/pending_ids.ts";
import type { Stream } from "../../values/stream/stream.ts";
import type { StreamId } from "../../values/stream/stream_id.ts";
import { idBytes } from "./entry_reply.ts";

/** The group that word `index` names; null when there is no such stream or group. */
export function findGroup(
  { words }: Call,
  stream: Stream | null,
  index: number,
): ConsumerGroup | null {
  if (stream === null) return null;
  return stream.groups.find(words.bytes, words.starts[index], words.lengths[index]);
}

/** There is no such group of the key, which may be missing, too. */
export function noGroup({ words }: Call, key: number, group: number, where = ""): ReplyError {
  const text = `No such key '${cText(words.text(key))}' or consumer group '${
    cText(words.text(group))
  }'`;
  return new ReplyError(`NOGROUP ${text}${where}`);
}

/** The key is a stream, and has no such group. */
export function noGroupOfKey({ words }: Call, key: number, group: number): ReplyError {
  return new ReplyError(
    `NOGROUP No such consumer group '${cText(words.text(group))}' for key name '${
      cText(words.text(key))
    }'`,
  );
}

/** A text as C prints it: up to its first zero byte. */
function cText(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/**
 * The consumer that word `index` names, seen now; made when missing, which replicas are told by itself:
 * nothing else may come of the command.
 */
export function seenConsumer(
  call: Call,
  group: ConsumerGroup,
  key: number,
  index: number,
): Consumer {
  const { database, words, nowMs } = call;
  const { bytes, starts, lengths } = words;
  const found = group.consumers.find(bytes, starts[index], lengths[index]);
  if (found !== null) {
    found.seenMs = nowMs;
    return found;
  }
  const consumer = group.addConsumer(words.copy(index), nowMs);
  const event = "xgroup-createconsumer";
  database.changedUnseen(bytes, starts[key], lengths[key], EVENT_STREAM, event);
  if (call.isPropagating) {
    call.propagateAs("XGROUP", "CREATECONSUMER", word(key), group.name, consumer.name);
  }
  return consumer;
}

/** A pending id as it is now enters the stream of writes: whose it is, since when and how often. */
export function propagateClaim(
  call: Call,
  key: number,
  group: ConsumerGroup,
  id: StreamId,
  place: PendingPlace,
): void {
  if (!call.isPropagating) return;
  const { chunk, index } = place;
  call.propagateAs(
    "XCLAIM",
    word(key),
    group.name,
    group.ownerAt(place).name,
    "0",
    idBytes(id),
    "TIME",
    chunk.times[index],
    "RETRYCOUNT",
    chunk.deliveries[index],
    "FORCE",
    "JUSTID",
    "LASTID",
    idBytes(group.lastId),
  );
}

/** How far a group has read enters the stream of writes. */
export function propagateGroupId(call: Call, key: number, group: ConsumerGroup): void {
  if (!call.isPropagating) return;
  call.propagateAs(
    "XGROUP",
    "SETID",
    word(key),
    group.name,
    idBytes(group.lastId),
    "ENTRIESREAD",
    String(group.entriesRead),
  );
}

/** A count as a reply. */
export function replyCount({ reply }: Call, count: Count): void {
  if (typeof count === "number") reply.integer(count);
  else reply.bigInteger(count);
}
