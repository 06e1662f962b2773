/**
 * Hashes as a kind of value. In a snapshot:
 *
 *     written   16   a listpack blob
 *                4   <fields> of each <string> <string>: a table
 *     read too   9   a zipmap blob
 *               13   a ziplist blob
 *               22 to 25   fields that expire, as a table or a listpack
 *
 * Fields that expire are taken without their times, which the keyspace does not have; fields past
 * theirs are left out, and the others are counted in `fieldExpiriesDropped` so that the loader can say
 * so.
 */

import { ENC_HASHTABLE, ENC_LISTPACK, INLINE_VALUE_MAX, TYPE_HASH } from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { hashView } from "../../keyspace/hash.ts";
import { ElementText } from "../../values/element_text.ts";
import { LargeHash } from "../../values/large_hash.ts";
import { lpBytes, lpEntry, lpFirst, lpGet, lpNext } from "../../values/listpack.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { type LoadedValue, readListpack, refuseTwice, RESERVE_MAX } from "./loaded_value.ts";
import { type ValueDigest, xorPair } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ELEMENTS_AT_ONCE, TableWalk, type ValueWalk } from "./value_walk.ts";

export const hashKind: ValueKind = {
  type: TYPE_HASH,
  name: "hash",
  encodings: [ENC_LISTPACK, ENC_HASHTABLE],
  encodingName: (source, ref) => largeOf(source, ref) === null ? "listpack" : "hashtable",
  digestNumber: 4,
  addToDigest,
  rdbTypes: [
    format.TYPE_HASH,
    format.TYPE_HASH_ZIPMAP,
    format.TYPE_HASH_ZIPLIST,
    format.TYPE_HASH_LISTPACK,
    format.TYPE_HASH_METADATA_PRE_GA,
    format.TYPE_HASH_LISTPACK_EX_PRE_GA,
    format.TYPE_HASH_METADATA,
    format.TYPE_HASH_LISTPACK_EX,
  ],
  rdbTypeOf: (encoding) => encoding === ENC_LISTPACK ? format.TYPE_HASH_LISTPACK : format.TYPE_HASH,
  save,
  load,
  walk,
  tableOf: (source, ref) => largeOf(source, ref)?.dict ?? null,
};

function largeOf(source: ValueSource, ref: number): LargeHash | null {
  const encoding = (source.records.metaOf(ref) >>> 4) & 0xf;
  return encoding === ENC_HASHTABLE ? source.largeValue(ref) as LargeHash : null;
}

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  hashView.open(database, ref);
  hashView.forEach((field, fieldAt, fieldLength, value, valueAt, valueLength) =>
    xorPair(digest, field, fieldAt, fieldLength, value, valueAt, valueLength)
  );
}

// -- saving ------------------------------------------------------------------------------

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const hash = largeOf(source, ref);
  if (hash !== null) {
    out.writeLength(hash.count);
    hash.dict.forEach((field) => writeField(out, hash, field));
    return;
  }
  const bytes = source.records.bytesOf(ref);
  const at = source.records.valueOffset(ref);
  out.writeString(bytes, at, lpBytes(bytes, at));
}

const valueText = new ElementText();

/** Writes a field and its value. */
function writeField(out: RdbEncoder, hash: LargeHash, field: number): void {
  const { dict } = hash;
  out.writeString(dict.bytesOf(field), dict.keyOffset(field), dict.keyLength(field));
  hash.readValue(field, valueText);
  out.writeString(valueText.bytes, valueText.offset, valueText.length);
}

function walk(source: ValueSource, ref: number, compress: boolean): ValueWalk | null {
  const hash = largeOf(source, ref);
  if (hash === null || hash.count <= ELEMENTS_AT_ONCE) return null;
  return new TableWalk(hash, hash.dict, (out, field) => writeField(out, hash, field), compress);
}

// -- loading -----------------------------------------------------------------------------

function load(value: LoadedValue, reader: RdbReader, rdbType: number): boolean {
  switch (rdbType) {
    case format.TYPE_HASH:
      return loadFields(value, reader);
    case format.TYPE_HASH_ZIPMAP:
      return loadEntries(value, reader, value.zipmap);
    case format.TYPE_HASH_ZIPLIST:
      return loadEntries(value, reader, value.ziplist);
    case format.TYPE_HASH_LISTPACK:
      return loadListpack(value, reader);
    case format.TYPE_HASH_METADATA:
    case format.TYPE_HASH_METADATA_PRE_GA:
      return loadExpiringFields(value, reader, rdbType === format.TYPE_HASH_METADATA);
    default:
      return loadExpiringListpack(value, reader, rdbType === format.TYPE_HASH_LISTPACK_EX);
  }
}

/** A hash under construction: a listpack in `value.packed` as long as the limits let it be one. */
class HashInProgress {
  #large: LargeHash | null;
  #count = 0;

  /** `expected` fields are to come (0: not known). `at` is where the value lies in the snapshot. */
  constructor(
    readonly value: LoadedValue,
    readonly reader: RdbReader,
    readonly expected: number,
    readonly at: number,
  ) {
    const isLarge = expected > value.limits.hashMaxListpackEntries;
    this.#large = isLarge ? newHash(expected) : null;
    if (!isLarge) value.packed.beginListpack();
  }

  /** Adds the field that stands in `value.name`, with this value. */
  add(bytes: Uint8Array, offset: number, length: number): void {
    const { name, packed, limits } = this.value;
    if (this.#large === null) {
      const longest = limits.hashMaxListpackValue;
      if (
        this.#count < limits.hashMaxListpackEntries && name.length <= longest &&
        length <= longest && packed.fits(name.length + length)
      ) {
        packed.append(name.bytes, 0, name.length);
        packed.append(bytes, offset, length);
        this.#count++;
        return;
      }
      this.#large = hashOfListpack(
        this.value,
        this.reader,
        this.at,
        packed.bytes,
        0,
        this.expected,
      );
    }
    if (!this.#large.set(name.bytes, 0, name.length, bytes, offset, length)) {
      refuseTwice(this.reader, 2, this.at);
    }
    this.#count++;
  }

  /** Makes it the value; false when it is empty. */
  finish(): boolean {
    const { value } = this;
    if (this.#count === 0) return false;
    if (this.#large === null) {
      value.checkUnique(this.reader, value.packed.bytes, 0, 2, this.at);
      value.setListpack(TYPE_HASH);
    } else value.setLarge(TYPE_HASH, ENC_HASHTABLE, this.#large);
    return true;
  }
}

function loadFields(value: LoadedValue, reader: RdbReader): boolean {
  const at = reader.offset;
  const count = reader.readCount("fields", 2);
  const hash = new HashInProgress(value, reader, count, at);
  for (let i = 0; i < count; i++) {
    reader.readString();
    value.name.keep(reader.strBuf, reader.strOff, reader.strLen);
    reader.readString();
    hash.add(reader.strBuf, reader.strOff, reader.strLen);
  }
  return hash.finish();
}

function loadEntries(value: LoadedValue, reader: RdbReader, cursor: EntryCursor): boolean {
  reader.readString();
  const at = reader.strAt;
  cursor.open(reader.strBuf, reader.strOff, reader.strLen, at);
  const hash = new HashInProgress(value, reader, 0, at);
  while (cursor.next()) {
    cursor.toText();
    value.name.keep(cursor.buf, cursor.off, cursor.len);
    if (!cursor.next()) throw reader.error("a field without a value in the hash", at);
    cursor.toText();
    hash.add(cursor.buf, cursor.off, cursor.len);
  }
  return hash.finish();
}

function loadListpack(value: LoadedValue, reader: RdbReader): boolean {
  const count = readListpack(reader, true) >>> 1;
  const { strBuf, strOff, strLen, strAt } = reader;
  if (count === 0) return false;
  if (count > value.limits.hashMaxListpackEntries || strLen > INLINE_VALUE_MAX) {
    const hash = hashOfListpack(value, reader, strAt, strBuf, strOff, count);
    value.setLarge(TYPE_HASH, ENC_HASHTABLE, hash);
  } else {
    value.checkUnique(reader, strBuf, strOff, 2, strAt);
    value.setInline(TYPE_HASH, ENC_LISTPACK, strBuf, strOff, strLen);
  }
  return true;
}

function loadExpiringFields(value: LoadedValue, reader: RdbReader, isRelative: boolean): boolean {
  const at = reader.offset;
  const earliestMs = isRelative ? reader.readMillis() : 0;
  const count = reader.readCount("fields", 3);
  const hash = new HashInProgress(value, reader, count, at);
  for (let i = 0; i < count; i++) {
    const ttl = reader.readPlainLength("the expiry of a field");
    const expiresAtMs = ttl === 0 || !isRelative ? ttl : earliestMs + ttl - 1;
    reader.readString();
    value.name.keep(reader.strBuf, reader.strOff, reader.strLen);
    reader.readString();
    if (dropsField(value, expiresAtMs)) continue;
    hash.add(reader.strBuf, reader.strOff, reader.strLen);
  }
  return hash.finish();
}

function loadExpiringListpack(
  value: LoadedValue,
  reader: RdbReader,
  hasEarliest: boolean,
): boolean {
  if (hasEarliest) reader.readMillis();
  const count = readListpack(reader, false);
  const { strBuf, strOff, strAt } = reader;
  if (count % 3 !== 0) throw reader.error("a field without value or expiry in the hash", strAt);
  const hash = new HashInProgress(value, reader, count / 3, strAt);
  const { text, name } = value;
  for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
    text.setEntry(strBuf, pos);
    name.keep(text.bytes, text.offset, text.length);
    const valueAt = lpNext(strBuf, pos);
    const expiryAt = lpNext(strBuf, valueAt);
    lpGet(strBuf, expiryAt);
    if (!lpEntry.isInt) throw reader.error("the expiry of a field is not a number", strAt);
    const expiresAtMs = lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
    if (!dropsField(value, expiresAtMs)) {
      text.setEntry(strBuf, valueAt);
      hash.add(text.bytes, text.offset, text.length);
    }
    pos = lpNext(strBuf, expiryAt);
  }
  return hash.finish();
}

/** Whether a field is left out as its time (0: has none) is over; else the time is dropped and counted. */
function dropsField(value: LoadedValue, expiresAtMs: number): boolean {
  if (expiresAtMs === 0) return false;
  if (expiresAtMs < value.nowMs) return true;
  value.fieldExpiriesDropped++;
  return false;
}

function newHash(expected: number): LargeHash {
  const hash = new LargeHash();
  hash.reserve(Math.min(expected, RESERVE_MAX));
  return hash;
}

function hashOfListpack(
  { text, otherText }: LoadedValue,
  reader: RdbReader,
  at: number,
  listpack: Uint8Array,
  base: number,
  expected: number,
): LargeHash {
  const hash = newHash(expected);
  for (let pos = lpFirst(listpack, base); pos >= 0; pos = lpNext(listpack, pos)) {
    text.setEntry(listpack, pos);
    pos = lpNext(listpack, pos);
    otherText.setEntry(listpack, pos);
    const { bytes, offset, length } = otherText;
    if (!hash.set(text.bytes, text.offset, text.length, bytes, offset, length)) {
      refuseTwice(reader, 2, at);
    }
  }
  return hash;
}
