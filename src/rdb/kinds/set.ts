/**
 * Sets as a kind of value. In a snapshot:
 *
 *     written   11   an intset blob
 *                2   <members> of each <string>: a table, and a listpack, whose own type is not
 *                    known before 7.2
 *     read too  20   a listpack blob
 */

import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  INLINE_VALUE_MAX,
  TYPE_SET,
} from "../../arena/record.ts";
import { isInt64Text } from "../../base/integers.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { setView } from "../../keyspace/set.ts";
import { intsetBytes, intsetCopyText, intsetCount, intsetValidate } from "../../values/intset.ts";
import { LargeSet } from "../../values/large_set.ts";
import { lpCount, lpEntry, lpFirst, lpGet, lpNext } from "../../values/listpack.ts";
import * as format from "../format.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import {
  INTEGER_TEXT_MAX,
  type LoadedValue,
  readListpack,
  refuseTwice,
  RESERVE_MAX,
} from "./loaded_value.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ELEMENTS_AT_ONCE, TableWalk, type ValueWalk } from "./value_walk.ts";

export const setKind: ValueKind = {
  type: TYPE_SET,
  name: "set",
  encodings: [ENC_INTSET, ENC_LISTPACK, ENC_HASHTABLE],
  encodingName,
  digestNumber: 2,
  addToDigest,
  rdbTypes: [format.TYPE_SET, format.TYPE_SET_INTSET, format.TYPE_SET_LISTPACK],
  rdbTypeOf: (encoding) => encoding === ENC_INTSET ? format.TYPE_SET_INTSET : format.TYPE_SET,
  save,
  load,
  walk,
  tableOf: largeOf,
};

function encodingOf({ records }: ValueSource, ref: number): number {
  return (records.metaOf(ref) >>> 4) & 0xf;
}

function largeOf(source: ValueSource, ref: number): LargeSet | null {
  return encodingOf(source, ref) === ENC_HASHTABLE ? source.largeValue(ref) as LargeSet : null;
}

function encodingName(source: ValueSource, ref: number): string {
  const encoding = encodingOf(source, ref);
  if (encoding === ENC_HASHTABLE) return "hashtable";
  return encoding === ENC_INTSET ? "intset" : "listpack";
}

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  setView.open(database, ref);
  setView.forEach((bytes, offset, length) => digest.xor(bytes, offset, length));
}

// -- saving ------------------------------------------------------------------------------

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const encoding = encodingOf(source, ref);
  if (encoding === ENC_HASHTABLE) {
    const large = source.largeValue(ref) as LargeSet;
    out.writeLength(large.count);
    large.forEach((member) => writeMember(out, large, member));
    return;
  }
  const bytes = source.records.bytesOf(ref);
  const at = source.records.valueOffset(ref);
  if (encoding === ENC_INTSET) out.writeString(bytes, at, intsetBytes(bytes, at));
  else writeListpackMembers(out, bytes, at);
}

function writeMember(out: RdbEncoder, set: LargeSet, member: number): void {
  out.writeString(set.bytesOf(member), set.keyOffset(member), set.keyLength(member));
}

/**
 * Members of a listpack one by one. Leaves `lpEntry` as it was: a handler may be at work with it when
 * the snapshot's hook comes here.
 */
function writeListpackMembers(out: RdbEncoder, bytes: Uint8Array, base: number): void {
  const { isInt, int, big, buf, off, len } = lpEntry;
  out.writeLength(lpCount(bytes, base));
  for (let pos = lpFirst(bytes, base); pos >= 0; pos = lpNext(bytes, pos)) {
    lpGet(bytes, pos);
    if (!lpEntry.isInt) out.writeString(lpEntry.buf, lpEntry.off, lpEntry.len);
    else out.writeInteger(lpEntry.big ?? lpEntry.int);
  }
  lpEntry.isInt = isInt;
  lpEntry.int = int;
  lpEntry.big = big;
  lpEntry.buf = buf;
  lpEntry.off = off;
  lpEntry.len = len;
}

function walk(source: ValueSource, ref: number, compress: boolean): ValueWalk | null {
  const set = largeOf(source, ref);
  if (set === null || set.count <= ELEMENTS_AT_ONCE) return null;
  return new TableWalk(set, set, (out, member) => writeMember(out, set, member), compress);
}

// -- loading -----------------------------------------------------------------------------

function load(value: LoadedValue, reader: RdbReader, rdbType: number): boolean {
  if (rdbType === format.TYPE_SET) return loadMembers(value, reader);
  return rdbType === format.TYPE_SET_INTSET
    ? loadIntset(value, reader)
    : loadListpack(value, reader);
}

/** Members one by one: an intset as long as they are integers, then a listpack, then a table. */
function loadMembers(value: LoadedValue, reader: RdbReader): boolean {
  const { limits, packed } = value;
  const at = reader.offset;
  const count = reader.readCount("members");
  if (count === 0) return false;
  let encoding = count <= limits.setMaxIntsetEntries ? ENC_INTSET : ENC_HASHTABLE;
  let set: LargeSet | null = encoding === ENC_HASHTABLE ? newSet(count) : null;
  let longest = 0;
  if (set === null) packed.beginIntset();
  for (let i = 0; i < count; i++) {
    reader.readString();
    const { strBuf, strOff, strLen } = reader;
    if (strLen > longest) longest = strLen;
    if (encoding === ENC_INTSET) {
      if (isInt64Text(strBuf, strOff, strLen)) {
        const size = packed.insertInteger(strBuf, strOff, strLen);
        if (size === 0) refuseTwice(reader, 1, reader.strAt);
        if (size <= INLINE_VALUE_MAX) continue;
        set = setOfIntset(packed.bytes, 0, count);
        encoding = ENC_HASHTABLE;
        continue;
      }
      if (i < limits.setMaxListpackEntries && longest <= limits.setMaxListpackValue) {
        turnIntsetIntoListpack(value);
        encoding = ENC_LISTPACK;
      } else {
        set = setOfIntset(packed.bytes, 0, count);
        encoding = ENC_HASHTABLE;
      }
    }
    if (encoding === ENC_LISTPACK) {
      if (
        i < limits.setMaxListpackEntries && strLen <= limits.setMaxListpackValue &&
        packed.fits(strLen)
      ) {
        packed.append(strBuf, strOff, strLen);
        continue;
      }
      set = setOfListpack(value, reader, at, packed.bytes, 0, count);
      encoding = ENC_HASHTABLE;
    }
    if (!set!.addMember(strBuf, strOff, strLen)) refuseTwice(reader, 1, reader.strAt);
  }
  if (set !== null) value.setLarge(TYPE_SET, ENC_HASHTABLE, set);
  else if (encoding === ENC_LISTPACK) {
    value.checkUnique(reader, packed.bytes, 0, 1, at);
    value.setListpack(TYPE_SET);
  } else value.setInline(TYPE_SET, ENC_INTSET, packed.bytes, 0, intsetBytes(packed.bytes, 0));
  return true;
}

const digits = new Uint8Array(INTEGER_TEXT_MAX);

function turnIntsetIntoListpack({ packed }: LoadedValue): void {
  const intset = packed.bytes.slice(0, intsetBytes(packed.bytes, 0));
  packed.beginListpack();
  for (let i = 0; i < intsetCount(intset, 0); i++) {
    packed.append(digits, 0, intsetCopyText(intset, 0, i, digits, 0));
  }
}

function loadIntset(value: LoadedValue, reader: RdbReader): boolean {
  reader.readString();
  const { strBuf, strOff, strLen } = reader;
  if (!intsetValidate(strBuf, strOff, strLen)) {
    throw reader.error("damaged intset, value", reader.strAt);
  }
  const count = intsetCount(strBuf, strOff);
  if (count <= value.limits.setMaxIntsetEntries && strLen <= INLINE_VALUE_MAX) {
    value.setInline(TYPE_SET, ENC_INTSET, strBuf, strOff, strLen);
  } else value.setLarge(TYPE_SET, ENC_HASHTABLE, setOfIntset(strBuf, strOff, count));
  return true;
}

function loadListpack(value: LoadedValue, reader: RdbReader): boolean {
  const count = readListpack(reader, false);
  const { strBuf, strOff, strLen, strAt } = reader;
  if (count === 0) return false;
  if (count > value.limits.setMaxListpackEntries || strLen > INLINE_VALUE_MAX) {
    const set = setOfListpack(value, reader, strAt, strBuf, strOff, count);
    value.setLarge(TYPE_SET, ENC_HASHTABLE, set);
  } else {
    value.checkUnique(reader, strBuf, strOff, 1, strAt);
    value.setInline(TYPE_SET, ENC_LISTPACK, strBuf, strOff, strLen);
  }
  return true;
}

function newSet(expected: number): LargeSet {
  const set = new LargeSet();
  set.reserve(Math.min(expected, RESERVE_MAX));
  return set;
}

function setOfIntset(bytes: Uint8Array, base: number, expected: number): LargeSet {
  const set = newSet(expected);
  const members = intsetCount(bytes, base);
  for (let i = 0; i < members; i++) {
    set.addMember(digits, 0, intsetCopyText(bytes, base, i, digits, 0));
  }
  return set;
}

function setOfListpack(
  { text }: LoadedValue,
  reader: RdbReader,
  at: number,
  listpack: Uint8Array,
  base: number,
  expected: number,
): LargeSet {
  const set = newSet(expected);
  for (let pos = lpFirst(listpack, base); pos >= 0; pos = lpNext(listpack, pos)) {
    text.setEntry(listpack, pos);
    if (!set.addMember(text.bytes, text.offset, text.length)) refuseTwice(reader, 1, at);
  }
  return set;
}
