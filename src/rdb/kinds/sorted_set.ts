/**
 * Sorted sets as a kind of value. In a snapshot:
 *
 *     written   17   a listpack blob
 *                5   <members> of each <string> <float64>, highest score first: a table and an index
 *     read too   3   <members> of each <string> and the score as text
 *               12   a ziplist blob
 */

import { ENC_LISTPACK, ENC_SKIPLIST, INLINE_VALUE_MAX, TYPE_ZSET } from "../../arena/record.ts";
import { compareBytes, latin1, toLatin1 } from "../../base/bytes.ts";
import { parseDouble } from "../../base/doubles.ts";
import { hashBytes } from "../../base/hash.ts";
import { formatPrecise } from "../../base/printf.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { sortedSetView } from "../../keyspace/sorted_set.ts";
import type { ElementText } from "../../values/element_text.ts";
import { lpBytes, lpEntry, lpFirst, lpGet, lpNext } from "../../values/listpack.ts";
import { OrderedCursor } from "../../values/ordered_index.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import * as format from "../format.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { INTEGER_TEXT_MAX, type LoadedValue, readListpack, RESERVE_MAX } from "./loaded_value.ts";
import { type ValueDigest, xorPair } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ELEMENTS_AT_ONCE, TableWalk, type ValueWalk } from "./value_walk.ts";

export const sortedSetKind: ValueKind = {
  type: TYPE_ZSET,
  name: "zset",
  encodings: [ENC_LISTPACK, ENC_SKIPLIST],
  encodingName: (source, ref) => largeOf(source, ref) === null ? "listpack" : "skiplist",
  digestNumber: 3,
  addToDigest,
  rdbTypes: [
    format.TYPE_ZSET,
    format.TYPE_ZSET_2,
    format.TYPE_ZSET_ZIPLIST,
    format.TYPE_ZSET_LISTPACK,
  ],
  rdbTypeOf: (encoding) =>
    encoding === ENC_LISTPACK ? format.TYPE_ZSET_LISTPACK : format.TYPE_ZSET_2,
  save,
  load,
  walk,
  tableOf: (source, ref) => largeOf(source, ref)?.dict ?? null,
};

function largeOf(source: ValueSource, ref: number): SortedSet | null {
  const encoding = (source.records.metaOf(ref) >>> 4) & 0xf;
  return encoding === ENC_SKIPLIST ? source.largeValue(ref) as SortedSet : null;
}

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  const view = sortedSetView.open(database, ref);
  for (let has = view.first(); has; has = view.next()) {
    const score = latin1(formatPrecise(view.score, 17));
    xorPair(digest, view.bytes, view.offset, view.length, score, 0, score.length);
  }
}

// -- saving ------------------------------------------------------------------------------

const cursor = new OrderedCursor();

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const set = largeOf(source, ref);
  if (set !== null) {
    out.writeLength(set.count);
    for (let found = set.index.last(cursor); found; found = set.index.prev(cursor)) {
      writeMember(out, set, cursor.ref);
    }
    return;
  }
  const bytes = source.records.bytesOf(ref);
  const at = source.records.valueOffset(ref);
  out.writeString(bytes, at, lpBytes(bytes, at));
}

/** Writes a member with its score. */
function writeMember(out: RdbEncoder, set: SortedSet, member: number): void {
  const { dict } = set;
  out.writeString(dict.bytesOf(member), dict.keyOffset(member), dict.keyLength(member));
  out.writeBinaryDouble(set.scoreOf(member));
}

function walk(source: ValueSource, ref: number, compress: boolean): ValueWalk | null {
  const set = largeOf(source, ref);
  if (set === null || set.count <= ELEMENTS_AT_ONCE) return null;
  return new TableWalk(set, set.dict, (out, member) => writeMember(out, set, member), compress);
}

// -- loading -----------------------------------------------------------------------------

function load(value: LoadedValue, reader: RdbReader, rdbType: number): boolean {
  switch (rdbType) {
    case format.TYPE_ZSET_LISTPACK:
      return loadListpack(value, reader);
    case format.TYPE_ZSET_ZIPLIST:
      return loadZiplist(value, reader);
    default:
      return loadMembers(value, reader, rdbType === format.TYPE_ZSET_2);
  }
}

function loadMembers(value: LoadedValue, reader: RdbReader, isBinary: boolean): boolean {
  const { name } = value;
  const at = reader.offset;
  const count = reader.readCount("members", 2);
  if (count === 0) return false;
  const set = new SortedSet();
  set.reserve(Math.min(count, RESERVE_MAX));
  let longest = 0;
  for (let i = 0; i < count; i++) {
    reader.readString();
    name.keep(reader.strBuf, reader.strOff, reader.strLen);
    if (name.length > longest) longest = name.length;
    const score = isBinary ? reader.readBinaryDouble() : reader.readTextDouble();
    add(reader, at, set, name.bytes, 0, name.length, score);
  }
  return finish(value, set, longest);
}

function loadZiplist(value: LoadedValue, reader: RdbReader): boolean {
  const { name, ziplist } = value;
  reader.readString();
  const at = reader.strAt;
  ziplist.open(reader.strBuf, reader.strOff, reader.strLen, at);
  const set = new SortedSet();
  let longest = 0;
  while (ziplist.next()) {
    ziplist.toText();
    name.keep(ziplist.buf, ziplist.off, ziplist.len);
    if (ziplist.len > longest) longest = ziplist.len;
    if (!ziplist.next()) throw reader.error("a member without a score in the sorted set", at);
    ziplist.toText();
    const score = parseDouble(toLatin1(ziplist.buf, ziplist.off, ziplist.len));
    add(reader, at, set, name.bytes, 0, name.length, score);
  }
  return finish(value, set, longest);
}

function loadListpack(value: LoadedValue, reader: RdbReader): boolean {
  const count = readListpack(reader, true) >>> 1;
  const { strBuf, strOff, strLen, strAt } = reader;
  if (count === 0) return false;
  if (
    count <= value.limits.zsetMaxListpackEntries && strLen <= INLINE_VALUE_MAX &&
    isInOrder(value, strBuf, strOff)
  ) {
    value.checkUnique(reader, strBuf, strOff, 2, strAt);
    value.setInline(TYPE_ZSET, ENC_LISTPACK, strBuf, strOff, strLen);
    return true;
  }
  const { text } = value;
  const set = new SortedSet();
  set.reserve(Math.min(count, RESERVE_MAX));
  for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
    text.setEntry(strBuf, pos);
    const scoreAt = lpNext(strBuf, pos);
    const score = readScore(strBuf, scoreAt);
    add(reader, strAt, set, text.bytes, text.offset, text.length, score);
    pos = lpNext(strBuf, scoreAt);
  }
  // Values longer than the limit stay in a listpack as they were, as in Redis.
  return finish(value, set, 0);
}

/** Adds a member that must not be there yet, with a score that must be a number. @throws RdbError */
function add(
  reader: RdbReader,
  at: number,
  set: SortedSet,
  bytes: Uint8Array,
  offset: number,
  length: number,
  score: number,
): void {
  if (score !== score) throw reader.error("a score that is not a number in the sorted set", at);
  const hash = hashBytes(bytes, offset, length);
  if (set.find(bytes, offset, length, hash) !== 0) {
    throw reader.error("a member is there twice in the sorted set", at);
  }
  set.addOrdered(bytes, offset, length, score, hash);
}

/** Makes the set the value, as a listpack if it may be one; false when it is empty. */
function finish(value: LoadedValue, set: SortedSet, longest: number): boolean {
  if (set.count === 0) return false;
  const { zsetMaxListpackEntries, zsetMaxListpackValue } = value.limits;
  if (
    set.count <= zsetMaxListpackEntries && longest <= zsetMaxListpackValue && pack(value, set)
  ) value.setListpack(TYPE_ZSET);
  else value.setLarge(TYPE_ZSET, ENC_SKIPLIST, set);
  return true;
}

/** Writes the set as a listpack into `value.packed`; false when a record has no room for it. */
function pack({ packed }: LoadedValue, set: SortedSet): boolean {
  packed.beginListpack();
  const { dict } = set;
  for (let found = set.index.first(cursor); found; found = set.index.next(cursor)) {
    const { ref, score } = cursor;
    const length = dict.keyLength(ref);
    if (!packed.fits(length + INTEGER_TEXT_MAX)) return false;
    packed.append(dict.bytesOf(ref), dict.keyOffset(ref), length);
    packed.appendScore(score);
  }
  return true;
}

function readScore(bytes: Uint8Array, pos: number): number {
  lpGet(bytes, pos);
  if (lpEntry.isInt) return lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
  return parseDouble(toLatin1(lpEntry.buf, lpEntry.off, lpEntry.len));
}

/** Whether members of a listpack come by score and then by their bytes, each with a number. */
function isInOrder(value: LoadedValue, bytes: Uint8Array, base: number): boolean {
  let member = value.text;
  let previous: ElementText | null = null;
  let previousScore = -Infinity;
  for (let pos = lpFirst(bytes, base); pos >= 0;) {
    member.setEntry(bytes, pos);
    const scoreAt = lpNext(bytes, pos);
    const score = readScore(bytes, scoreAt);
    if (!(score >= previousScore)) return false;
    if (previous !== null && score === previousScore && compareTexts(previous, member) >= 0) {
      return false;
    }
    const free = previous ?? value.otherText;
    previous = member;
    member = free;
    previousScore = score;
    pos = lpNext(bytes, scoreAt);
  }
  return true;
}

function compareTexts(a: ElementText, b: ElementText): number {
  return compareBytes(a.bytes, a.offset, a.length, b.bytes, b.offset, b.length);
}
