/**
 * Sets as a kind of value. In a snapshot:
 *
 *     written   11   an intset blob
 *                2   <members> of each <string>: a table, and before version 11 a listpack
 *               20   a listpack blob, from version 11 on
 *
 * All of them are read.
 */

import { DictFill } from "../../arena/dict_fill.ts";
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  INLINE_VALUE_MAX,
  TYPE_SET,
} from "../../arena/record.ts";
import { hashBytes } from "../../base/hash.ts";
import { isInt64Text } from "../../base/integers.ts";
import type { Database } from "../../keyspace/database.ts";
import type { ValueSource } from "../../keyspace/doors.ts";
import { setView } from "../../keyspace/set.ts";
import { intsetBytes, intsetCopyText, intsetCount, intsetValidate } from "../../values/intset.ts";
import { LargeSet } from "../../values/large_set.ts";
import { lpBytes, lpCount, lpEnd, lpFirst, lpFirstAt, lpNext } from "../../values/listpack.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { RdbEncoder } from "../writer.ts";
import { writeEntries } from "../packed_writer.ts";
import {
  INTEGER_TEXT_MAX,
  type LoadedValue,
  refuseTwice,
  reservedFor,
  takeListpack,
} from "./loaded_value.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueKind } from "./value_kind.ts";
import {
  ElementsLoad,
  ElementsScan,
  LOAD_PART,
  LOAD_WHOLE,
  PackedLoad,
  type ValueLoad,
} from "./value_load.ts";
import { ELEMENTS_AT_ONCE, type SavedForm, TableWalk, type ValueWalk } from "./value_walk.ts";

export const setKind: ValueKind = {
  type: TYPE_SET,
  name: "set",
  encodings: [ENC_INTSET, ENC_LISTPACK, ENC_HASHTABLE],
  encodingName,
  digestNumber: 2,
  addToDigest,
  rdbTypes: [format.TYPE_SET, format.TYPE_SET_INTSET, format.TYPE_SET_LISTPACK],
  rdbTypeOf,
  save,
  newLoad,
  newScan: (rdbType) => rdbType === format.TYPE_SET ? new MembersScan() : null,
  walk,
  isWalked: (source, ref) => (largeOf(source, ref)?.dict.hook ?? null) !== null,
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

function rdbTypeOf(source: ValueSource, ref: number, version: number): number {
  const encoding = encodingOf(source, ref);
  if (encoding === ENC_INTSET) return format.TYPE_SET_INTSET;
  const isPacked = encoding === ENC_LISTPACK && version >= format.RDB_VERSION_SET_LISTPACKS;
  return isPacked ? format.TYPE_SET_LISTPACK : format.TYPE_SET;
}

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
  else if (out.version >= format.RDB_VERSION_SET_LISTPACKS) {
    out.writeString(bytes, at, lpBytes(bytes, at));
  } else {
    out.writeLength(lpCount(bytes, at));
    writeEntries(out, bytes, lpFirstAt(at), lpEnd(bytes, at));
  }
}

function writeMember(out: RdbEncoder, set: LargeSet, member: number): void {
  out.writeString(set.bytesOf(member), set.keyOffset(member), set.keyLength(member));
}

function walk(
  source: ValueSource,
  ref: number,
  form: SavedForm,
  _canBorrow: boolean,
  alwaysWalks = false,
): ValueWalk | null {
  const set = largeOf(source, ref);
  if (set === null || (set.count <= ELEMENTS_AT_ONCE && !alwaysWalks)) return null;
  return new TableWalk(set, set, (out, member) => writeMember(out, set, member), form);
}

// -- loading -----------------------------------------------------------------------------

function newLoad(rdbType: number): ValueLoad {
  if (rdbType === format.TYPE_SET) return new MembersLoad();
  return new PackedMembersLoad(rdbType === format.TYPE_SET_LISTPACK);
}

/** <members> of each <string>: an intset as long as they are integers, then a listpack, then a table. */
class MembersLoad extends ElementsLoad {
  #encoding = ENC_INTSET;
  #set: LargeSet | null = null;
  readonly #fill = new DictFill();
  #at = 0;
  #isEmpty = false;
  #expected = 0;
  #count = 0;
  #longest = 0;

  protected override open({ limits, packed }: LoadedValue, reader: RdbReader): number {
    this.#at = reader.offset;
    const count = reader.readCount("members");
    this.#isEmpty = count === 0;
    this.#expected = reservedFor(count, reader);
    this.#count = this.#longest = 0;
    this.#set = null;
    this.#encoding = ENC_INTSET;
    if (count <= limits.setMaxIntsetEntries) packed.beginIntset();
    else this.#becomeTable(newSet(this.#expected));
    return count;
  }

  #becomeTable(set: LargeSet): LargeSet {
    this.#fill.begin(set);
    this.#encoding = ENC_HASHTABLE;
    return this.#set = set;
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    reader.readString();
    const { strBuf, strOff, strLen } = reader;
    if (strLen > this.#longest) this.#longest = strLen;
    const isAdded = this.#addToIntset(value, reader) || this.#addToListpack(value, reader);
    if (!isAdded) {
      const hash = hashBytes(strBuf, strOff, strLen);
      // Which member is there twice is not known when that is noticed.
      const ref = this.#fill.add(strBuf, strOff, strLen, hash, 0, 0);
      if (ref === 0) refuseTwice(reader, 1, this.#at);
    }
    this.#count++;
  }

  /** False when it is no intset any more, and the member has to be added to what it has become. */
  #addToIntset(value: LoadedValue, reader: RdbReader): boolean {
    if (this.#encoding !== ENC_INTSET) return false;
    const { limits, packed } = value;
    const { strBuf, strOff, strLen } = reader;
    if (isInt64Text(strBuf, strOff, strLen)) {
      const size = packed.insertInteger(strBuf, strOff, strLen);
      if (size === 0) refuseTwice(reader, 1, reader.strAt);
      if (size > INLINE_VALUE_MAX) this.#becomeTable(setOfIntset(packed.bytes, this.#expected));
      return true;
    }
    if (
      this.#count < limits.setMaxListpackEntries && this.#longest <= limits.setMaxListpackValue
    ) {
      turnIntsetIntoListpack(value);
      this.#encoding = ENC_LISTPACK;
    } else this.#becomeTable(setOfIntset(packed.bytes, this.#expected));
    return false;
  }

  /** False when it is no listpack (any more). */
  #addToListpack(value: LoadedValue, reader: RdbReader): boolean {
    if (this.#encoding !== ENC_LISTPACK) return false;
    const { limits, packed } = value;
    const { strBuf, strOff, strLen } = reader;
    if (
      this.#count < limits.setMaxListpackEntries && strLen <= limits.setMaxListpackValue &&
      packed.fits(strLen)
    ) {
      packed.append(strBuf, strOff, strLen);
      return true;
    }
    this.#becomeTable(setOfListpack(value, reader, this.#at, packed.bytes, this.#expected));
    return false;
  }

  protected override finish(value: LoadedValue, reader: RdbReader): boolean {
    if (this.#isEmpty) return false;
    const { packed } = value;
    const set = this.#set;
    this.#set = null;
    if (set !== null) {
      if (!this.#fill.flush()) refuseTwice(reader, 1, this.#at);
      value.setLarge(TYPE_SET, ENC_HASHTABLE, set);
    } else if (this.#encoding === ENC_LISTPACK) {
      value.checkUnique(reader, packed.bytes, 0, 1, this.#at);
      value.setListpack(TYPE_SET);
    } else value.setInline(TYPE_SET, ENC_INTSET, packed.bytes, 0, intsetBytes(packed.bytes, 0));
    return true;
  }
}

/** Passes over <members> of each <string>. */
class MembersScan extends ElementsScan {
  protected override open(value: LoadedValue, reader: RdbReader): number {
    value.beginPassing(TYPE_SET);
    return reader.readCount("members");
  }

  protected override readElement(value: LoadedValue, reader: RdbReader): void {
    value.passName(reader, 1, reader.offset);
  }
}

const digits = new Uint8Array(INTEGER_TEXT_MAX);

function turnIntsetIntoListpack({ packed }: LoadedValue): void {
  const intset = packed.bytes.slice(0, intsetBytes(packed.bytes, 0));
  packed.beginListpack();
  for (let i = 0; i < intsetCount(intset, 0); i++) {
    packed.append(digits, 0, intsetCopyText(intset, 0, i, digits, 0));
  }
}

/** An intset or a listpack: it stays one, or becomes a table. */
class PackedMembersLoad extends PackedLoad {
  protected override readonly name: string;
  #set: LargeSet | null = null;

  constructor(readonly isListpack: boolean) {
    super();
    this.name = isListpack ? "Set listpack" : "Intset";
  }

  protected override takeWhole(value: LoadedValue, reader: RdbReader): number {
    const { setMaxListpackEntries, setMaxIntsetEntries } = value.limits;
    return this.isListpack
      ? takeListpack(value, reader, TYPE_SET, 1, setMaxListpackEntries, this.name)
      : takeIntset(value, reader, setMaxIntsetEntries);
  }

  protected override cursorOf(value: LoadedValue): EntryCursor {
    return this.isListpack ? value.listpack : value.intset;
  }

  protected override open(): void {
    this.#set = newSet(0);
  }

  protected override readEntry(
    _value: LoadedValue,
    reader: RdbReader,
    cursor: EntryCursor,
  ): void {
    cursor.toText();
    if (!this.#set!.addMember(cursor.buf, cursor.off, cursor.len)) {
      refuseTwice(reader, 1, reader.strAt);
    }
  }

  protected override finish(value: LoadedValue): boolean {
    const set = this.#set!;
    this.#set = null;
    if (set.count === 0) return false;
    value.setLarge(TYPE_SET, ENC_HASHTABLE, set);
    return true;
  }
}

/** Makes the intset that the reader has just read the value as it is, if it may be one. */
function takeIntset(value: LoadedValue, reader: RdbReader, most: number): number {
  const { strBuf, strOff, strLen } = reader;
  if (strLen > INLINE_VALUE_MAX) return LOAD_PART;
  if (!intsetValidate(strBuf, strOff, strLen)) {
    throw reader.error("Intset integrity check failed, value", reader.strAt);
  }
  if (intsetCount(strBuf, strOff) > most) return LOAD_PART;
  value.setInline(TYPE_SET, ENC_INTSET, strBuf, strOff, strLen);
  return LOAD_WHOLE;
}

function newSet(expected: number): LargeSet {
  const set = new LargeSet();
  set.reserve(expected);
  return set;
}

function setOfIntset(intset: Uint8Array, expected: number): LargeSet {
  const set = newSet(expected);
  const members = intsetCount(intset, 0);
  for (let i = 0; i < members; i++) {
    set.addMember(digits, 0, intsetCopyText(intset, 0, i, digits, 0));
  }
  return set;
}

function setOfListpack(
  { text }: LoadedValue,
  reader: RdbReader,
  at: number,
  listpack: Uint8Array,
  expected: number,
): LargeSet {
  const set = newSet(expected);
  for (let pos = lpFirst(listpack, 0); pos >= 0; pos = lpNext(listpack, pos)) {
    text.setEntry(listpack, pos);
    if (!set.addMember(text.bytes, text.offset, text.length)) refuseTwice(reader, 1, at);
  }
  return set;
}
