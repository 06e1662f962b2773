/**
 * Hashes as a kind of value. In a snapshot:
 *
 *     written   16   a listpack blob
 *               13   the same as a ziplist blob, before version 10
 *                4   <fields> of each <string> <string>: a table
 *               25   with fields that expire: the earliest time, a listpack blob; from version 12 on
 *               24   the same as a table
 *     read too   9   a zipmap blob
 *               22, 23   fields that expire, without the earliest time before them
 *               22   in version 80: fields that expire as Valkey writes them
 *               29 to 32   with the fields of a template: template_hash.ts
 *
 * A hash in which no field expires is written as if none ever had. Fields whose time is over are loaded as
 * the others are: they go when somebody comes upon them, and their HDEL enters the stream.
 */

import { DictFill } from "../../arena/dict_fill.ts";
import {
  ENC_HASHTABLE,
  ENC_LISTPACK,
  ENC_LISTPACK_EX,
  INLINE_VALUE_MAX,
  PLACE_BYTES,
  TYPE_HASH,
} from "../../arena/record.ts";
import { copyBytes, latin1 } from "../../base/bytes.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { firstFieldExpiry, hashView } from "../../keyspace/hash.ts";
import { parseInt64 } from "../../base/integers.ts";
import { ElementText } from "../../values/element_text.ts";
import { LargeHash } from "../../values/large_hash.ts";
import {
  lpBytes,
  lpCount,
  lpFirst,
  lpHoldEntry,
  lpNext,
  lpReleaseEntry,
} from "../../values/listpack.ts";
import {
  firstTime,
  sortTriples,
  TIME_BYTES_MAX,
  timeOfField,
  TRIPLE,
} from "../../values/timed_listpack.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { ChunkSink, RdbEncoder } from "../writer.ts";
import { writeListpack } from "../packed_writer.ts";
import { type LoadedValue, refuseTwice, reservedFor, takeListpack } from "./loaded_value.ts";
import type { HashTemplate } from "./hash_templates.ts";
import { TemplateHashLoad } from "./template_hash.ts";
import { type ValueDigest, xorPair } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import { ElementsLoad, ElementsScan, LOAD_PART, PackedLoad, type ValueLoad } from "./value_load.ts";
import { ELEMENTS_AT_ONCE, type SavedForm, TableWalk, type ValueWalk } from "./value_walk.ts";

export const hashKind: ValueKind = {
  type: TYPE_HASH,
  name: "hash",
  encodings: [ENC_LISTPACK, ENC_LISTPACK_EX, ENC_HASHTABLE],
  encodingName: (source, ref) => ENCODING_NAMES[encodingOf(source, ref)],
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
    format.TYPE_VALKEY_HASH_2,
    format.TYPE_HASH_TMPL_LP,
    format.TYPE_HASH_TMPL_LP_REF,
    format.TYPE_HASH_TMPL_ARRAY,
    format.TYPE_HASH_TMPL_ARRAY_REF,
  ],
  rdbTypeOf,
  save,
  newLoad,
  newScan,
  walk,
  isWalked: (source, ref) => (largeOf(source, ref)?.dict.hook ?? null) !== null,
  tableOf: (source, ref) => largeOf(source, ref)?.dict ?? null,
};

const ENCODING_NAMES: Readonly<Record<number, string>> = {
  [ENC_LISTPACK]: "listpack",
  [ENC_LISTPACK_EX]: "listpackex",
  [ENC_HASHTABLE]: "hashtable",
};

function encodingOf({ records }: ValueSource, ref: number): number {
  return (records.metaOf(ref) >>> 4) & 0xf;
}

function largeOf(source: ValueSource, ref: number): LargeHash | null {
  return encodingOf(source, ref) === ENC_HASHTABLE ? source.largeValue(ref) as LargeHash : null;
}

/** A digest tells of a field that it expires, not when. */
const EXPIRES = latin1("!!hexpire!!");

function addToDigest(digest: ValueDigest, database: Database, ref: number): void {
  hashView.open(database, ref);
  hashView.forEachStored((field, fieldAt, fieldLength, value, valueAt, valueLength, timeMs) => {
    const mark = timeMs === timeMs ? EXPIRES : null;
    xorPair(digest, field, fieldAt, fieldLength, value, valueAt, valueLength, mark);
  });
}

// -- saving ------------------------------------------------------------------------------

function rdbTypeOf(source: ValueSource, ref: number, version: number): number {
  const encoding = encodingOf(source, ref);
  if (encoding === ENC_LISTPACK) {
    const isKnown = version >= format.RDB_VERSION_LISTPACKS;
    return isKnown ? format.TYPE_HASH_LISTPACK : format.TYPE_HASH_ZIPLIST;
  }
  if (firstFieldExpiry(source, ref) === Infinity) return format.TYPE_HASH;
  return encoding === ENC_HASHTABLE ? format.TYPE_HASH_METADATA : format.TYPE_HASH_LISTPACK_EX;
}

function save(out: RdbEncoder, source: ValueSource, ref: number): void {
  const hash = largeOf(source, ref);
  if (hash !== null) return saveTable(out, hash);
  const bytes = source.records.bytesOf(ref);
  const at = source.records.valueOffset(ref);
  if (encodingOf(source, ref) === ENC_LISTPACK) return writeListpack(out, bytes, at);
  const base = at + PLACE_BYTES;
  const firstMs = firstTime(bytes, base);
  if (firstMs === Infinity) return saveTriples(out, bytes, base);
  out.writeMillis(firstMs);
  out.writeString(bytes, base, lpBytes(bytes, base));
}

function saveTable(out: RdbEncoder, hash: LargeHash): void {
  const { firstExpiryMs } = hash;
  const expires = firstExpiryMs !== Infinity;
  if (expires) out.writeMillis(firstExpiryMs);
  out.writeLength(hash.count);
  hash.dict.forEach((field) => {
    if (expires) writeTime(out, hash, field, firstExpiryMs);
    writeField(out, hash, field);
  });
}

/** Writes the fields of a listpack of triples that all do not expire. Leaves `lpEntry` as it was. */
function saveTriples(out: RdbEncoder, listpack: Uint8Array, base: number): void {
  out.writeLength(lpCount(listpack, base) / TRIPLE);
  let at = 0;
  lpHoldEntry();
  try {
    for (let pos = lpFirst(listpack, base); pos >= 0; pos = lpNext(listpack, pos)) {
      if (++at % TRIPLE === 0) continue;
      valueText.setEntry(listpack, pos);
      out.writeString(valueText.bytes, valueText.offset, valueText.length);
    }
  } finally {
    lpReleaseEntry();
  }
}

/** Writes when a field expires, counted from the earliest of its hash. */
function writeTime(out: RdbEncoder, hash: LargeHash, field: number, firstMs: number): void {
  const timeMs = hash.expiryOf(field);
  out.writeLength(timeMs === timeMs ? timeMs - firstMs + 1 : 0);
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
  form: SavedForm,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  const hash = largeOf(source, ref);
  if (hash === null || (hash.count <= ELEMENTS_AT_ONCE && !alwaysWalks)) return null;
  const { firstExpiryMs } = hash;
  if (firstExpiryMs !== Infinity) return new TimedWalk(hash, firstExpiryMs, form);
  return new TableWalk(hash, hash.dict, (out, field) => writeField(out, hash, field), form);
}

/** A walk of a hash with fields that expire: their times count from the earliest, as of its beginning. */
class TimedWalk extends TableWalk {
  readonly #firstMs: number;

  constructor(hash: LargeHash, firstMs: number, form: SavedForm) {
    super(hash, hash.dict, (out, field) => {
      writeTime(out, hash, field, firstMs);
      writeField(out, hash, field);
    }, form);
    this.#firstMs = firstMs;
  }

  override begin(main: RdbEncoder, sink: ChunkSink): void {
    main.writeMillis(this.#firstMs);
    super.begin(main, sink);
  }
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
    case format.TYPE_VALKEY_HASH_2:
      return new ValkeyFieldsLoad();
    case format.TYPE_HASH_TMPL_LP:
    case format.TYPE_HASH_TMPL_LP_REF:
    case format.TYPE_HASH_TMPL_ARRAY:
    case format.TYPE_HASH_TMPL_ARRAY_REF:
      return new TemplateFieldsLoad(rdbType);
    default:
      return new PackedExpiringFieldsLoad(rdbType === format.TYPE_HASH_LISTPACK_EX);
  }
}

function newScan(rdbType: number): ValueLoad | null {
  switch (rdbType) {
    case format.TYPE_HASH:
      return new FieldsScan();
    case format.TYPE_HASH_METADATA:
    case format.TYPE_HASH_METADATA_PRE_GA:
      return new ExpiringFieldsScan(rdbType === format.TYPE_HASH_METADATA);
    case format.TYPE_VALKEY_HASH_2:
      return new ValkeyFieldsScan();
    case format.TYPE_HASH_TMPL_ARRAY:
    case format.TYPE_HASH_TMPL_ARRAY_REF:
      return new TemplateFieldsScan(rdbType);
    default:
      return null;
  }
}

/**
 * A hash under construction: a listpack in `value.packed` as long as the limits let it be one, of triples
 * if it `isTimed`.
 */
class HashInProgress {
  #large: LargeHash | null = null;
  #isTimed = false;
  /** Whether the triples have come in the order of their times. */
  #isSorted = true;
  #latestMs = 0;
  #count = 0;
  #expected = 0;
  #at = 0;
  readonly #fill = new DictFill();
  /** A listpack of triples with what stands before it in a record. */
  #placed = new Uint8Array(256);

  /** `expected` fields at least are to come (0: not known). `at` is where the value lies in the snapshot. */
  begin(value: LoadedValue, expected: number, at: number, isTimed = false): void {
    this.#isTimed = isTimed;
    this.#isSorted = true;
    this.#latestMs = 0;
    this.#count = 0;
    this.#expected = expected;
    this.#at = at;
    const isLarge = expected > value.limits.hashMaxListpackEntries;
    this.#large = isLarge ? this.#filled(newHash(expected)) : null;
    if (!isLarge) value.packed.beginListpack();
  }

  /**
   * Adds the field that stands in `value.name`, with this value, which may be `owned` by the hash. It expires
   * at `timeMs`, 0 for not at all.
   */
  add(
    value: LoadedValue,
    reader: RdbReader,
    bytes: Uint8Array,
    offset: number,
    length: number,
    owned: boolean,
    timeMs = 0,
  ): void {
    if (this.#large === null && this.#pack(value, bytes, offset, length, timeMs)) return;
    this.#large ??= this.#filled(
      hashOfListpack(value, reader, this.#at, this.#expected, this.#isTimed),
    );
    if (!this.#addToLarge(this.#large, value, bytes, offset, length, owned)) {
      refuseTwice(reader, 2, this.#at);
    }
    if (timeMs !== 0) this.#large.setExpiry(this.#large.lastRef, timeMs);
    this.#count++;
  }

  #filled(large: LargeHash): LargeHash {
    this.#fill.begin(large.dict);
    return large;
  }

  /** False when a field is there twice; of those without a time, that may be told later. */
  #addToLarge(
    large: LargeHash,
    { name }: LoadedValue,
    bytes: Uint8Array,
    offset: number,
    length: number,
    owned: boolean,
  ): boolean {
    const fill = this.#fill;
    if (!this.#isTimed && length <= INLINE_VALUE_MAX) {
      return large.addWith(fill, name.bytes, 0, name.length, bytes, offset, length);
    }
    return fill.flush() && large.set(name.bytes, 0, name.length, bytes, offset, length, owned);
  }

  /** Adds it to the listpack; false when that may not be one any more. */
  #pack(
    { name, packed, limits }: LoadedValue,
    bytes: Uint8Array,
    offset: number,
    length: number,
    timeMs: number,
  ): boolean {
    const longest = limits.hashMaxListpackValue;
    const extra = this.#isTimed ? TIME_BYTES_MAX + PLACE_BYTES : 0;
    if (
      this.#count >= limits.hashMaxListpackEntries || name.length > longest ||
      length > longest || !packed.fits(name.length + length + extra)
    ) return false;
    packed.append(name.bytes, 0, name.length);
    packed.append(bytes, offset, length);
    this.#count++;
    if (!this.#isTimed) return true;
    packed.appendInteger(timeMs);
    const orderMs = timeMs || Infinity;
    if (orderMs < this.#latestMs) this.#isSorted = false;
    this.#latestMs = orderMs;
    return true;
  }

  /** Makes it the value; false when it is empty. */
  finish(value: LoadedValue, reader: RdbReader): boolean {
    if (this.#count === 0) return false;
    const large = this.#large;
    this.#large = null;
    if (large !== null) {
      if (!this.#fill.flush()) refuseTwice(reader, 2, this.#at);
      value.setLarge(TYPE_HASH, ENC_HASHTABLE, large);
      value.firstFieldMs = large.firstExpiryMs;
      return true;
    }
    const listpack = value.packed.bytes;
    value.checkUnique(reader, listpack, 0, this.#isTimed ? TRIPLE : 2, this.#at);
    if (this.#isTimed) this.#finishTimed(value, listpack);
    else value.setListpack(TYPE_HASH);
    return true;
  }

  #finishTimed(value: LoadedValue, listpack: Uint8Array): void {
    if (!this.#isSorted) sortTriples(listpack);
    const size = lpBytes(listpack, 0);
    if (this.#placed.length < PLACE_BYTES + size) {
      this.#placed = new Uint8Array(2 * (PLACE_BYTES + size));
    }
    copyBytes(this.#placed, PLACE_BYTES, listpack, 0, size);
    value.setInline(TYPE_HASH, ENC_LISTPACK_EX, this.#placed, 0, PLACE_BYTES + size);
    value.firstFieldMs = firstTime(listpack, 0);
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

  /** Reads the value that belongs to the field; it expires at `timeMs`, 0 for not at all. */
  protected addValue(value: LoadedValue, reader: RdbReader, timeMs = 0): void {
    reader.readString();
    this.hasField = false;
    const { strBuf, strOff, strLen, strOwned } = reader;
    this.hash.add(value, reader, strBuf, strOff, strLen, strOwned, timeMs);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.hash.finish(value, reader);
  }
}

/** The latest time of a field that Redis keeps. */
const TIME_MAX = 2 ** 48 - 2;

/** The time itself, if a field can have it. @throws RdbError */
function checkedTime(timeMs: number, reader: RdbReader, at: number): number {
  if (timeMs >= 0 && timeMs <= TIME_MAX) return timeMs;
  throw reader.error(`the expiry of a field is out of range`, at);
}

/** <earliest expiry>, where there is one, and <fields> of each <expiry> <string> <string>. */
class ExpiringFieldsLoad extends FieldsLoad {
  #earliestMs = 0;
  #timeMs = 0;

  /** `isRelative`: the expiries count from the earliest. */
  constructor(readonly isRelative: boolean) {
    super();
  }

  protected override open(value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    this.#earliestMs = this.isRelative ? reader.readMillis() : 0;
    const count = reader.readCount("fields", 3);
    this.hasField = false;
    this.hash.begin(value, reservedFor(count, reader), at, true);
    return count;
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    if (!this.hasField) {
      this.#timeMs = readFieldTime(reader, this.isRelative ? this.#earliestMs : NaN);
      this.readField(value, reader);
    }
    this.addValue(value, reader, this.#timeMs);
  }
}

/**
 * Reads the time at which the field that follows expires, 0 for none; `earliestMs` is what it counts from, NaN where it
 * is absolute.
 */
function readFieldTime(reader: RdbReader, earliestMs: number): number {
  const at = reader.offset;
  const ttl = reader.readPlainLength("the expiry of a field");
  const isRelative = earliestMs === earliestMs;
  return checkedTime(ttl === 0 || !isRelative ? ttl : earliestMs + ttl - 1, reader, at);
}

/** <fields> of each <string> <string> <expiry, -1 for none>, as Valkey 9 writes them. */
class ValkeyFieldsLoad extends FieldsLoad {
  /** The value stands in `value.content`, the expiry comes next. */
  #hasValue = false;

  protected override open(value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    const count = reader.readCount("fields", 10);
    this.hasField = this.#hasValue = false;
    this.hash.begin(value, reservedFor(count, reader), at, true);
    return count;
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    this.readField(value, reader);
    const { content } = value;
    if (!this.#hasValue) {
      reader.readString();
      content.keep(reader.strBuf, reader.strOff, reader.strLen);
      this.#hasValue = true;
      reader.mark();
    }
    const keptMs = readValkeyTime(reader);
    this.hasField = this.#hasValue = false;
    this.hash.add(value, reader, content.bytes, 0, content.length, false, keptMs);
  }
}

/** Reads the time at which the field before expires, 0 for none. */
function readValkeyTime(reader: RdbReader): number {
  const at = reader.offset;
  const timeMs = reader.readMillis();
  // 0 is a time like others there, and long over.
  return timeMs === -1 ? 0 : Math.max(1, checkedTime(timeMs, reader, at));
}

/** Values of the fields of a template. */
class TemplateFieldsLoad extends TemplateHashLoad {
  readonly #hash = new HashInProgress();

  protected override beginFields(value: LoadedValue, count: number, at: number): void {
    this.#hash.begin(value, count, at);
  }

  protected override addField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    owned = false,
  ): void {
    value.name.keep(template.bytes, template.offsetOf(index), template.lengthOf(index));
    this.#hash.add(value, reader, bytes, offset, length, owned);
  }

  protected override readField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
  ): void {
    reader.readString();
    const { strBuf, strOff, strLen, strOwned } = reader;
    this.addField(value, reader, template, index, strBuf, strOff, strLen, strOwned);
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    return this.#hash.finish(value, reader);
  }
}

/** Passes over values of the fields of a template. */
class TemplateFieldsScan extends TemplateHashLoad {
  #at = 0;

  protected override beginFields(value: LoadedValue, _count: number, at: number): void {
    this.#at = at;
    value.beginPassing(TYPE_HASH);
  }

  protected override addField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
  ): void {
    const length = template.lengthOf(index);
    value.elements++;
    value.contentBytes += length;
    const isNew = value.seen.add(template.bytes, template.offsetOf(index), length);
    if (!isNew) refuseTwice(reader, 2, this.#at);
  }

  protected override readField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
  ): void {
    value.passString(reader);
    this.addField(value, reader, template, index);
  }

  protected override finish(value: LoadedValue): boolean {
    return value.elements > 0;
  }
}

/** Passes over <fields> of each <string> <string>. */
class FieldsScan extends ElementsScan {
  /** Where the value lies in the snapshot. */
  #at = 0;

  protected override open(value: LoadedValue, reader: RdbReader): number {
    this.beginFields(value, reader);
    return reader.readCount("fields", 2);
  }

  protected beginFields(value: LoadedValue, reader: RdbReader): void {
    this.#at = reader.offset;
    value.beginPassing(TYPE_HASH);
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    value.passName(reader, 2, this.#at);
    value.passString(reader);
  }
}

/** Passes over <earliest expiry>, where there is one, and <fields> of each <expiry> <string> <string>. */
class ExpiringFieldsScan extends FieldsScan {
  #earliestMs = NaN;

  constructor(readonly isRelative: boolean) {
    super();
  }

  protected override open(value: LoadedValue, reader: RdbReader): number {
    this.beginFields(value, reader);
    if (this.isRelative) this.#earliestMs = reader.readMillis();
    return reader.readCount("fields", 3);
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    if (readFieldTime(reader, this.#earliestMs) !== 0) value.timedFields++;
    super.readElement(value, reader);
  }
}

/** Passes over <fields> of each <string> <string> <expiry, -1 for none>. */
class ValkeyFieldsScan extends FieldsScan {
  protected override open(value: LoadedValue, reader: RdbReader): number {
    this.beginFields(value, reader);
    return reader.readCount("fields", 10);
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    super.readElement(value, reader);
    if (readValkeyTime(reader) !== 0) value.timedFields++;
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

/**
 * <earliest expiry>, where there is one, and a listpack of fields, values and expiries in turn, in the order of
 * these.
 */
class PackedExpiringFieldsLoad extends PackedLoad {
  protected override readonly name = "Hash listpack";
  readonly #hash = new HashInProgress();
  #hasEarliest = false;
  /** The expiry of the field before; Infinity when it has none. */
  #latestMs = 0;

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
    this.#hash.begin(value, 0, reader.strAt, true);
    this.#latestMs = 0;
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
    const timeMs = checkedTime(Number(expiry), reader, reader.strAt);
    if ((timeMs || Infinity) < this.#latestMs) {
      throw reader.error(
        "the fields of the hash are not in the order of their expiry",
        reader.strAt,
      );
    }
    this.#latestMs = timeMs || Infinity;
    this.#hash.add(value, reader, content.bytes, 0, content.length, false, timeMs);
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

function newHash(expected: number): LargeHash {
  const hash = new LargeHash();
  hash.reserve(expected);
  return hash;
}

/** A table of what is in `value.packed`: pairs, or triples if it `isTimed`. */
function hashOfListpack(
  { packed, text, otherText }: LoadedValue,
  reader: RdbReader,
  at: number,
  expected: number,
  isTimed: boolean,
): LargeHash {
  const listpack = packed.bytes;
  const hash = newHash(expected);
  for (let pos = lpFirst(listpack, 0); pos >= 0; pos = lpNext(listpack, pos)) {
    const timeMs = isTimed ? timeOfField(listpack, pos) : 0;
    text.setEntry(listpack, pos);
    pos = lpNext(listpack, pos);
    otherText.setEntry(listpack, pos);
    const { bytes, offset, length } = otherText;
    if (!hash.set(text.bytes, text.offset, text.length, bytes, offset, length)) {
      refuseTwice(reader, 2, at);
    }
    if (isTimed) pos = lpNext(listpack, pos);
    if (timeMs !== 0) hash.setExpiry(hash.lastRef, timeMs);
  }
  return hash;
}
