/** Entries of streams, and their ids, in replies. */

import { writeEntryAt } from "../../keyspace/list.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { type Stream, StreamCursor } from "../../values/stream/stream.ts";
import { STREAM_ID_TEXT_MAX, type StreamId } from "../../values/stream/stream_id.ts";
import type { NodeCursor } from "../../values/stream/stream_node.ts";

/** The text of the last id; one with the same milliseconds needs only another sequence. */
const text = new Uint8Array(STREAM_ID_TEXT_MAX);
let textMsHigh = -1;
let textMsLow = -1;
let textSequenceAt = 0;

/** Writes an id to `text`; its length. */
function writeText(id: StreamId): number {
  if (id.msLow !== textMsLow || id.msHigh !== textMsHigh) {
    textMsLow = id.msLow;
    textMsHigh = id.msHigh;
    textSequenceAt = id.writeMs(text, 0);
  }
  return id.writeSequence(text, textSequenceAt);
}

/** Writes an id as a bulk string. */
export function replyId(reply: ReplyWriter, id: StreamId): void {
  reply.bulk(text, 0, writeText(id));
}

/** The text of an id, in bytes of its own. */
export function idBytes(id: StreamId): Uint8Array {
  return text.slice(0, writeText(id));
}

/** Writes the entry that the cursor stands on: its id, and an array of fields and values. */
export function replyEntry(reply: ReplyWriter, cursor: NodeCursor): void {
  reply.array(2);
  replyId(reply, cursor.id);
  const { bytes } = cursor.node;
  const { fieldCount } = cursor;
  reply.array(fieldCount * 2);
  let at = cursor.contentAt;
  if (cursor.hasMasterFields) {
    let field = cursor.masterFieldsAt;
    for (let i = 0; i < fieldCount; i++) {
      field = writeEntryAt(reply, bytes, field);
      at = writeEntryAt(reply, bytes, at);
    }
  } else for (let i = 0; i < 2 * fieldCount; i++) at = writeEntryAt(reply, bytes, at);
  cursor.contentEnd = at;
}

/** The cursor of the running command. */
export const cursor = new StreamCursor(null!);

/** Writes the entry with this id alone; false, and nothing, when it is not there. */
export function replyEntryOf(reply: ReplyWriter, stream: Stream, id: StreamId): boolean {
  if (!hasEntry(stream, id)) return false;
  replyEntry(reply, cursor);
  return true;
}

/** Whether the entry with this id is there; the cursor stands on it. */
export function hasEntry(stream: Stream, id: StreamId): boolean {
  cursor.stream = stream;
  return cursor.seekFirst(id) && cursor.id.equals(id);
}

/** Entries of one stream by their ids, which come in order while the stream does not change. */
export class EntriesInOrder {
  readonly #cursor: StreamCursor;

  constructor(stream: Stream) {
    this.#cursor = new StreamCursor(stream);
  }

  /** `hasEntry` */
  has(id: StreamId): boolean {
    return this.#cursor.seekAhead(id) && this.#cursor.id.equals(id);
  }

  /** `replyEntryOf` */
  reply(reply: ReplyWriter, id: StreamId): boolean {
    if (!this.has(id)) return false;
    replyEntry(reply, this.#cursor);
    return true;
  }
}

/** Writes the entries between two ids, both included, as an array; `count` at most. */
export function replyRange(
  reply: ReplyWriter,
  stream: Stream,
  start: StreamId,
  stop: StreamId,
  count: number,
  reverse: boolean,
): void {
  const open = reply.openLength();
  let written = 0;
  cursor.stream = stream;
  let on = reverse ? cursor.seekLast(stop) : cursor.seekFirst(start);
  while (on && !reply.isCut) {
    const isOutside = reverse ? cursor.id.compare(start) < 0 : cursor.id.compare(stop) > 0;
    if (isOutside) break;
    replyEntry(reply, cursor);
    if (++written === count) break;
    on = reverse ? cursor.previousEntry() : cursor.nextEntry();
  }
  reply.closeArray(open, written);
}
