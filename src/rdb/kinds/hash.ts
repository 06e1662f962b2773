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

import { ENC_HASHTABLE, ENC_LISTPACK, TYPE_HASH } from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { hashView } from "../../keyspace/hash.ts";
import { parseInt64 } from "../../base/integers.ts";
import { ElementText } from "../../values/element_text.ts";
import { LargeHash } from "../../values/large_hash.ts";
import { lpBytes, lpFirst, lpNext } from "../../values/listpack.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { type LoadedValue, refuseTwice, reservedFor, takeListpack } from "./loaded_value.ts";
import { type ValueDigest, xorPair } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ElementsLoad, LOAD_PART, PackedLoad, type ValueLoad } from "./value_load.ts";
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
  newLoad,
  walk,
  isWalked: (source, ref) => (largeOf(source, ref)?.dict.hook ?? null) !== null,
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

function walk(
  source: ValueSource,
  ref: number,
  compress: boolean,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  const hash = largeOf(source, ref);
  if (hash === null || (hash.count <= ELEMENTS_AT_ONCE && !alwaysWalks)) return null;
  return new TableWalk(hash, hash.dict, (out, field) => writeField(out, hash, field), compress);
}

// -- loading -----------------------------------------------------------------------------

function newLoad(rdbType: number): ValueLoad {
  switch (rdbType) {
    case format.TYPE_HASH:
      return new FieldsLoad();
    case format.TYPE_HASH_ZIPMAP:
    case format.TYPE_HASH_ZIPLIST:
    case format.TYPE_HASH_LISTPACK:
      return new PackedFieldsLoad(rdbType);
    case format.TYPE_HASH_METADATA:
    case format.TYPE_HASH_METADATA_PRE_GA:
      return new ExpiringFieldsLoad(rdbType === format.TYPE_HASH_METADATA);
    default:
      return new PackedExpiringFieldsLoad(rdbType === format.TYPE_HASH_LISTPACK_EX);
  }
}

/** A hash under construction: a listpack in `value.packed` as long as the limits let it be one. */
class HashInProgress {
  #large: LargeHash | null = null;
  #count = 0;
  #expected = 0;
  #at = 0;

  /** `expected` fields at least are to come (0: not known). `at` is where the value lies in the snapshot. */
  begin(value: LoadedValue, expected: number, at: number): void {
    this.#count = 0;
    this.#expected = expected;
    this.#at = at;
    const isLarge = expected > value.limits.hashMaxListpackEntries;
    this.#large = isLarge ? newHash(expected) : null;
    if (!isLarge) value.packed.beginListpack();
  }

  /** Adds the field that stands in `value.name`, with this value, which may be `owned` by the hash. */
  add(
    value: LoadedValue,
    reader: RdbReader,
    bytes: Uint8Array,
    offset: number,
    length: number,
    owned: boolean,
  ): void {
    const { name, packed, limits } = value;
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
      this.#large = hashOfListpack(value, reader, this.#at, packed.bytes, this.#expected);
    }
    if (!this.#large.set(name.bytes, 0, name.length, bytes, offset, length, owned)) {
      refuseTwice(reader, 2, this.#at);
    }
    this.#count++;
  }

  /** Makes it the value; false when it is empty. */
  finish(value: LoadedValue, reader: RdbReader): boolean {
    if (this.#count === 0) return false;
    if (this.#large === null) {
      value.checkUnique(reader, value.packed.bytes, 0, 2, this.#at);
      value.setListpack(TYPE_HASH);
    } else value.setLarge(TYPE_HASH, ENC_HASHTABLE, this.#large);
    this.#large = null;
    return true;
  }
}

/** <fields> of each <string> <string>. */
class FieldsLoad extends ElementsLoad {
  protected readonly hash = new HashInProgress();
  /** The field stands in `value.name`, its value comes next. */
  protected hasField = false;

  protected override open(value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    const count = reader.readCount("fields", 2);
    this.hasField = false;
    this.hash.begin(value, reservedFor(count, reader), at);
    return count;
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    this.readField(value, reader);
    this.addValue(value, reader);
  }

  protected readField(value: LoadedValue, reader: RdbReader): void {
    if (this.hasField) return;
    reader.readString();
    value.name.keep(reader.strBuf, reader.strOff, reader.strLen);
    this.hasField = true;
    reader.mark();
  }

  protected addValue(value: LoadedValue, reader: RdbReader, isDropped = false): void {
    reader.readString();
    this.hasField = false;
    if (isDropped) return;
    const { strBuf, strOff, strLen, strOwned } = reader;
    this.hash.add(value, reader, strBuf, strOff, strLen, strOwned);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.hash.finish(value, reader);
  }
}

/** <earliest expiry>, where there is one, and <fields> of each <expiry> <string> <string>. */
class ExpiringFieldsLoad extends FieldsLoad {
  #earliestMs = 0;
  #expiresAtMs = 0;

  /** `isRelative`: the expiries count from the earliest. */
  constructor(readonly isRelative: boolean) {
    super();
  }

  protected override open(value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    this.#earliestMs = this.isRelative ? reader.readMillis() : 0;
    const count = reader.readCount("fields", 3);
    this.hasField = false;
    this.hash.begin(value, reservedFor(count, reader), at);
    return count;
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    if (!this.hasField) {
      const ttl = reader.readPlainLength("the expiry of a field");
      this.#expiresAtMs = ttl === 0 || !this.isRelative ? ttl : this.#earliestMs + ttl - 1;
      this.readField(value, reader);
    }
    const isOver = isFieldOver(value, this.#expiresAtMs);
    this.addValue(value, reader, isOver);
    if (!isOver && this.#expiresAtMs !== 0) value.fieldExpiriesDropped++;
  }
}

/** A zipmap, ziplist or listpack of fields and values in turn. */
class PackedFieldsLoad extends PackedLoad {
  protected override readonly name: string;
  readonly #hash = new HashInProgress();

  constructor(readonly rdbType: number) {
    super();
    if (rdbType === format.TYPE_HASH_LISTPACK) this.name = "Hash listpack";
    else this.name = rdbType === format.TYPE_HASH_ZIPLIST ? "Hash ziplist" : "Zipmap";
  }

  protected override takeWhole(value: LoadedValue, reader: RdbReader): number {
    if (this.rdbType !== format.TYPE_HASH_LISTPACK) return LOAD_PART;
    const most = value.limits.hashMaxListpackEntries;
    return takeListpack(value, reader, TYPE_HASH, 2, most, this.name);
  }

  protected override cursorOf(value: LoadedValue): EntryCursor {
    if (this.rdbType === format.TYPE_HASH_LISTPACK) return value.listpack;
    return this.rdbType === format.TYPE_HASH_ZIPLIST ? value.ziplist : value.zipmap;
  }

  protected override open(value: LoadedValue, reader: RdbReader): void {
    this.#hash.begin(value, 0, reader.strAt);
  }

  protected override readEntry(value: LoadedValue, reader: RdbReader, cursor: EntryCursor): void {
    keepName(value, cursor);
    if (!cursor.next()) throw reader.error("a field without a value in the hash", reader.strAt);
    cursor.toText();
    this.#hash.add(value, reader, cursor.buf, cursor.off, cursor.len, false);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.#hash.finish(value, reader);
  }
}

/** <earliest expiry>, where there is one, and a listpack of fields, values and expiries in turn. */
class PackedExpiringFieldsLoad extends PackedLoad {
  protected override readonly name = "Hash listpack";
  readonly #hash = new HashInProgress();
  #hasEarliest = false;

  constructor(readonly beginsWithEarliest: boolean) {
    super();
  }

  override begin(): void {
    super.begin();
    this.#hasEarliest = !this.beginsWithEarliest;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (!this.#hasEarliest) {
      reader.readMillis();
      this.#hasEarliest = true;
      reader.mark();
    }
    return super.step(value, reader);
  }

  protected override cursorOf(value: LoadedValue): EntryCursor {
    return value.listpack;
  }

  protected override open(value: LoadedValue, reader: RdbReader): void {
    this.#hash.begin(value, 0, reader.strAt);
  }

  protected override readEntry(value: LoadedValue, reader: RdbReader, cursor: EntryCursor): void {
    keepName(value, cursor);
    if (!cursor.next()) this.#endsEarly(reader);
    const { content } = value;
    content.keep(cursor.buf, cursor.off, cursor.len);
    if (!cursor.next()) this.#endsEarly(reader);
    const expiry = parseInt64(cursor.buf, cursor.off, cursor.len);
    if (expiry === null) {
      throw reader.error("the expiry of a field is not a number", reader.strAt);
    }
    const expiresAtMs = Number(expiry);
    if (isFieldOver(value, expiresAtMs)) return;
    if (expiresAtMs !== 0) value.fieldExpiriesDropped++;
    this.#hash.add(value, reader, content.bytes, 0, content.length, false);
  }

  #endsEarly(reader: RdbReader): never {
    throw reader.error("a field without value or expiry in the hash", reader.strAt);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.#hash.finish(value, reader);
  }
}

function keepName({ name }: LoadedValue, cursor: EntryCursor): void {
  cursor.toText();
  name.keep(cursor.buf, cursor.off, cursor.len);
}

/** Whether a field is left out as its time (0: has none) is over. */
function isFieldOver(value: LoadedValue, expiresAtMs: number): boolean {
  return expiresAtMs !== 0 && expiresAtMs < value.nowMs;
}

function newHash(expected: number): LargeHash {
  const hash = new LargeHash();
  hash.reserve(expected);
  return hash;
}

function hashOfListpack(
  { text, otherText }: LoadedValue,
  reader: RdbReader,
  at: number,
  listpack: Uint8Array,
  expected: number,
): LargeHash {
  const hash = newHash(expected);
  for (let pos = lpFirst(listpack, 0); pos >= 0; pos = lpNext(listpack, pos)) {
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
