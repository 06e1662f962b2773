/**
 * The parts of a value one by one, whatever its encoding: what is common to all that shows or compares
 * values (lines of JSON, commands, fingerprints).
 */

import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import { hashView, type TimedPairVisitor } from "../../keyspace/hash.ts";
import { listView } from "../../keyspace/list.ts";
import { setView } from "../../keyspace/set.ts";
import { sortedSetView } from "../../keyspace/sorted_set.ts";
import { ElementText } from "../../values/element_text.ts";
import { lpEntry, lpEntryCopyText, lpSize } from "../../values/listpack.ts";
import type { Consumer, ConsumerGroup } from "../../values/stream/consumer_group.ts";
import { Stream, StreamCursor } from "../../values/stream/stream.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { INTEGER_TEXT_MAX } from "../../rdb/kinds/loaded_value.ts";

/** Sees bytes that hold only during the call. */
export type BytesVisitor = (bytes: Uint8Array, offset: number, length: number) => void;

/** Sees the parts of a value of each type; of a value those of its own type alone. */
export interface ValueVisitor {
  /** A string as a whole. */
  string(bytes: Uint8Array, offset: number, length: number): void;
  /** Elements of a list, head first. */
  element(bytes: Uint8Array, offset: number, length: number): void;
  /** Members of a set, in no order. */
  member(bytes: Uint8Array, offset: number, length: number): void;
  /** Members of a sorted set, from the least score on. */
  scored(bytes: Uint8Array, offset: number, length: number, score: number): void;
  /** Fields of a hash, in no order, also those whose time is over. */
  field(...pair: Parameters<TimedPairVisitor>): void;
  /** A stream as a whole. */
  stream(stream: Stream): void;
}

const digits = new Uint8Array(INTEGER_TEXT_MAX);

/** Shows the value of a record. */
export function visitValue(database: Database, ref: number, visitor: ValueVisitor): void {
  switch (database.typeOf(ref)) {
    case TYPE_STRING: {
      const bytes = database.locateString(ref);
      return visitor.string(bytes, database.stringOffset, database.stringLength);
    }
    case TYPE_LIST:
      return visitElements(database, ref, (...bytes) => visitor.element(...bytes));
    case TYPE_SET:
      setView.open(database, ref);
      return setView.forEach((bytes, offset, length) => visitor.member(bytes, offset, length));
    case TYPE_ZSET: {
      const view = sortedSetView.open(database, ref);
      for (let has = view.first(); has; has = view.next()) {
        visitor.scored(view.bytes, view.offset, view.length, view.score);
      }
      return;
    }
    case TYPE_HASH:
      hashView.open(database, ref);
      return hashView.forEachStored((...pair) => visitor.field(...pair));
    case TYPE_STREAM:
      return visitor.stream(database.largeValue(ref) as Stream);
  }
}

/** How many parts the value of a record has: elements, members, fields, entries; bytes of a string. */
export function sizeOfValue(database: Database, ref: number): number {
  switch (database.typeOf(ref)) {
    case TYPE_STRING:
      database.locateString(ref);
      return database.stringLength;
    case TYPE_LIST:
      return listView.open(database, ref).length;
    case TYPE_SET:
      setView.open(database, ref);
      return setView.count;
    case TYPE_ZSET:
      return sortedSetView.open(database, ref).count;
    case TYPE_HASH:
      hashView.open(database, ref);
      return hashView.count;
    default:
      return (database.largeValue(ref) as Stream).length;
  }
}

function visitElements(database: Database, ref: number, visit: BytesVisitor): void {
  listView.open(database, ref);
  for (let has = listView.seek(0); has; has = listView.step(false)) {
    listView.read();
    if (lpEntry.isInt) visit(digits, 0, lpEntryCopyText(digits, 0));
    else visit(lpEntry.buf, lpEntry.off, lpEntry.len);
  }
}

const START = new StreamId();

/** Shows each entry of a stream in order: what the cursor stands on, good during the call. */
export function visitEntries(stream: Stream, visit: (cursor: StreamCursor) => void): void {
  const cursor = new StreamCursor(stream);
  for (let on = cursor.seekFirst(START); on; on = cursor.nextEntry()) visit(cursor);
}

const fieldText = new ElementText();
const valueText = new ElementText();

/** Shows fields and values of the entry that a cursor stands on, good during the call. */
export function visitEntryFields(
  cursor: StreamCursor,
  visit: (field: ElementText, value: ElementText) => void,
): void {
  const { bytes } = cursor.node;
  let field = cursor.masterFieldsAt;
  let at = cursor.contentAt;
  for (let i = 0; i < cursor.fieldCount; i++) {
    if (cursor.hasMasterFields) {
      fieldText.setEntry(bytes, field);
      field += lpSize(bytes, field);
    } else {
      fieldText.setEntry(bytes, at);
      at += lpSize(bytes, at);
    }
    valueText.setEntry(bytes, at);
    at += lpSize(bytes, at);
    visit(fieldText, valueText);
  }
}

const pendingId = new StreamId();

/** Shows each id that is pending in a group, in order: good during the call. */
export function visitPending(
  { consumers, pending }: ConsumerGroup,
  visit: (id: StreamId, owner: Consumer, timeMs: number, deliveries: number) => void,
): void {
  const byNumber = new Map(consumers.items.map((consumer) => [consumer.number, consumer]));
  for (const chunk of pending.chunks()) {
    for (let i = 0; i < chunk.count; i++) {
      const owner = byNumber.get(chunk.owners[i])!;
      visit(chunk.readId(i, pendingId), owner, chunk.times[i], chunk.deliveries[i]);
    }
  }
}
