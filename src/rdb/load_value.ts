/**
 * The value of one key from the bytes of a snapshot or a DUMP payload: every type of RDB versions 2
 * to 12 whose kind of value exists here, checked and brought into the encoding that the present
 * limits ask for. The counterpart of save_value.ts, used by the loader and RESTORE.
 *
 * Nothing of the bytes is believed: packed values are walked before use, members and fields have to
 * be there once, scores must be numbers. An empty collection is no error: old servers could write
 * one, and the key is left out.
 *
 * Hashes whose fields expire (types 22 to 25) are taken without these times, which the keyspace does
 * not have; fields past theirs are left out, and the others are counted in `fieldExpiriesDropped` so
 * that the loader can say so.
 */

import { compareBytes, copyBytes, toLatin1 } from "../base/bytes.ts";
import { formatDouble, parseDouble } from "../base/doubles.ts";
import { hashBytes } from "../base/hash.ts";
import { isInt64Text, parseInt64, parseInteger } from "../base/integers.ts";
import {
  ENC_EMBSTR,
  ENC_EXTERNAL,
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  INLINE_VALUE_MAX,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from "../arena/record.ts";
import { type Database, INLINE_STRING_MAX } from "../keyspace/database.ts";
import type { ValueLimits } from "../keyspace/keyspace.ts";
import { type LargeValue, LongString } from "../keyspace/value_slots.ts";
import {
  intsetBytes,
  intsetCopyText,
  intsetCount,
  intsetInsert,
  intsetNew,
  intsetValidate,
} from "../values/intset.ts";
import {
  LP_EMPTY_BYTES,
  lpAppend,
  lpAppendInteger,
  lpBytes,
  lpCount,
  lpEntry,
  lpEntryCopyText,
  lpFirst,
  lpGet,
  lpIsNeedle,
  lpNew,
  lpNext,
  lpSetNeedle,
  lpValidate,
} from "../values/listpack.ts";
import { LargeHash } from "../values/large_hash.ts";
import { LargeSet } from "../values/large_set.ts";
import { OrderedCursor } from "../values/ordered_index.ts";
import { QuickList } from "../values/quicklist.ts";
import { SortedSet } from "../values/sorted_set.ts";
import * as format from "./format.ts";
import { type EntryCursor, ZiplistCursor, ZipmapCursor } from "./legacy.ts";
import type { RdbReader } from "./reader.ts";

/** Room for the text of an entry that is an integer. */
const INTEGER_TEXT_MAX = 24;
/** An entry of a listpack takes at most this many bytes beside its text. */
const ENTRY_OVERHEAD_MAX = 10;
/** Up to this many entries, looking through all of them is faster than a table. */
const FEW_ENTRIES = 8;
/** A table is made for at most this many elements before they have been seen. */
const RESERVE_MAX = 1 << 20;

/** Reads values; one instance serves any number of them, one at a time. */
export class ValueReader {
  /** Expiries of hash fields that were dropped, since the reader was made. */
  fieldExpiriesDropped = 0;

  // The value read last: TYPE_* and ENC_* of record.ts, and an object or bytes.
  type = 0;
  encoding = 0;
  /** The value of an encoding that lives in a slot, else null. */
  large: LargeValue | null = null;
  /** The bytes of an inline encoding: in the reader's window or in a buffer of this object. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;

  readonly #limits: ValueLimits;
  /** Unix time in ms; hash fields whose time was before are left out. */
  readonly #nowMs: number;
  readonly #ziplist = new ZiplistCursor();
  readonly #zipmap = new ZipmapCursor();
  readonly #cursor = new OrderedCursor();
  /** A listpack or intset under construction. */
  #packed = new Uint8Array(1024);
  /** A copy of a field or member, while what follows it is read. */
  #name = new Uint8Array(256);
  #nameLength = 0;
  #text = new Uint8Array(INTEGER_TEXT_MAX);
  #previousText = new Uint8Array(INTEGER_TEXT_MAX);
  #places = new Int32Array(256);

  constructor(limits: ValueLimits, nowMs: number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /**
   * Reads a value of this type byte, read at `typeAt` of the snapshot. False when it is an empty
   * collection: there is no such key then. @throws RdbError when the bytes are damaged, or of a type
   * that does not exist here
   */
  read(reader: RdbReader, type: number, typeAt: number): boolean {
    this.large = null;
    switch (type) {
      case format.TYPE_STRING:
        return this.#readString(reader);
      case format.TYPE_LIST:
      case format.TYPE_LIST_ZIPLIST:
      case format.TYPE_LIST_QUICKLIST:
      case format.TYPE_LIST_QUICKLIST_2:
        return this.#readList(reader, type);
      case format.TYPE_SET:
        return this.#readSet(reader);
      case format.TYPE_SET_INTSET:
        return this.#readIntset(reader);
      case format.TYPE_SET_LISTPACK:
        return this.#readSetListpack(reader);
      case format.TYPE_ZSET:
      case format.TYPE_ZSET_2:
        return this.#readScored(reader, type === format.TYPE_ZSET_2);
      case format.TYPE_ZSET_ZIPLIST:
        return this.#readZsetZiplist(reader);
      case format.TYPE_ZSET_LISTPACK:
        return this.#readZsetListpack(reader);
      case format.TYPE_HASH:
        return this.#readHash(reader);
      case format.TYPE_HASH_ZIPMAP:
        return this.#readHashEntries(reader, this.#zipmap);
      case format.TYPE_HASH_ZIPLIST:
        return this.#readHashEntries(reader, this.#ziplist);
      case format.TYPE_HASH_LISTPACK:
        return this.#readHashListpack(reader);
      case format.TYPE_HASH_METADATA:
      case format.TYPE_HASH_METADATA_PRE_GA:
        return this.#readHashMetadata(reader, type === format.TYPE_HASH_METADATA);
      case format.TYPE_HASH_LISTPACK_EX:
      case format.TYPE_HASH_LISTPACK_EX_PRE_GA:
        return this.#readHashListpackEx(reader, type === format.TYPE_HASH_LISTPACK_EX);
    }
    const name = format.TYPE_NAMES[type];
    if (name === undefined) throw reader.error(`unknown value type ${type}`, typeAt);
    throw reader.error(`a value of type ${type} (${name})`, typeAt, "unsupported");
  }

  /**
   * Puts the value read last into the keyspace, under a key that is not there; `hash` is that of the
   * key. Event "new"; counts no change. Returns the record.
   */
  place(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    expiresAtMs: number,
  ): number {
    const { type, encoding, large } = this;
    if (large !== null) {
      return database.addLarge(key, offset, length, type, encoding, large, expiresAtMs, hash);
    }
    const size = this.length;
    const ref = database.addRecord(
      key,
      offset,
      length,
      type,
      encoding,
      size,
      0,
      expiresAtMs,
      hash,
    );
    const { records } = database;
    copyBytes(records.bytesOf(ref), records.valueOffset(ref), this.bytes, this.offset, size);
    return ref;
  }

  // -- results --------------------------------------------------------------------------

  #isInline(type: number, encoding: number, bytes: Uint8Array, offset: number, length: number) {
    this.type = type;
    this.encoding = encoding;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    return true;
  }

  #isLarge(type: number, encoding: number, value: LargeValue): boolean {
    this.type = type;
    this.encoding = encoding;
    this.large = value;
    return true;
  }

  #isPacked(type: number): boolean {
    return this.#isInline(type, ENC_LISTPACK, this.#packed, 0, lpBytes(this.#packed, 0));
  }

  // -- strings ---------------------------------------------------------------------------

  #readString(reader: RdbReader): boolean {
    reader.readString();
    const { strBuf, strOff, strLen } = reader;
    if (strLen <= INLINE_STRING_MAX) {
      return this.#isInline(TYPE_STRING, ENC_EMBSTR, strBuf, strOff, strLen);
    }
    const bytes = reader.strOwned && strOff === 0 ? strBuf : strBuf.slice(strOff, strOff + strLen);
    return this.#isLarge(TYPE_STRING, ENC_EXTERNAL, new LongString(bytes, strLen));
  }

  // -- lists -------------------------------------------------------------------------------

  #readList(reader: RdbReader, type: number): boolean {
    const list = new QuickList(this.#limits.listMaxListpackSize);
    if (type === format.TYPE_LIST_ZIPLIST) this.#addZiplist(reader, list);
    else {
      const what = type === format.TYPE_LIST ? "elements" : "list nodes";
      for (let left = reader.readCount(what); left > 0; left--) {
        if (type === format.TYPE_LIST_QUICKLIST_2) this.#addNode(reader, list);
        else if (type === format.TYPE_LIST_QUICKLIST) this.#addZiplist(reader, list);
        else {
          reader.readString();
          list.pushTail(reader.strBuf, reader.strOff, reader.strLen);
        }
      }
    }
    const node = list.head;
    if (node === null) return false;
    const size = node.end - node.start + LP_EMPTY_BYTES;
    const isSmall = list.nodes === 1 && !node.plain && size <= list.nodeBytesMax &&
      list.count <= list.nodeCountMax && size <= INLINE_VALUE_MAX;
    if (!isSmall) return this.#isLarge(TYPE_LIST, ENC_QUICKLIST, list);
    this.#makeRoom(size);
    list.toListpack(this.#packed, 0, this.#packed.length);
    return this.#isPacked(TYPE_LIST);
  }

  #addZiplist(reader: RdbReader, list: QuickList): void {
    const cursor = this.#ziplist;
    reader.readString();
    cursor.open(reader.strBuf, reader.strOff, reader.strLen, reader.strAt);
    while (cursor.next()) {
      cursor.toText();
      list.pushTail(cursor.buf, cursor.off, cursor.len);
    }
  }

  #addNode(reader: RdbReader, list: QuickList): void {
    const at = reader.offset;
    const container = reader.readPlainLength("the container of a list node");
    if (container !== format.QUICKLIST_NODE_PLAIN && container !== format.QUICKLIST_NODE_PACKED) {
      throw reader.error(`unknown container ${container} of a list node`, at);
    }
    if (container === format.QUICKLIST_NODE_PACKED) {
      this.#readListpack(reader, false);
      list.appendListpack(reader.strBuf, reader.strOff);
      return;
    }
    reader.readString();
    if (reader.strLen === 0) throw reader.error("a list node of its own for no bytes", at);
    list.appendPlain(reader.strBuf, reader.strOff, reader.strLen);
  }

  // -- sets ----------------------------------------------------------------------------------

  /** Members one by one: an intset as long as they are integers, then a listpack, then a table. */
  #readSet(reader: RdbReader): boolean {
    const limits = this.#limits;
    const at = reader.offset;
    const count = reader.readCount("members");
    if (count === 0) return false;
    let encoding = count <= limits.setMaxIntsetEntries ? ENC_INTSET : ENC_HASHTABLE;
    let set: LargeSet | null = encoding === ENC_HASHTABLE ? newSet(count) : null;
    let longest = 0;
    if (set === null) intsetNew(this.#packed, 0);
    for (let i = 0; i < count; i++) {
      reader.readString();
      const { strBuf, strOff, strLen } = reader;
      if (strLen > longest) longest = strLen;
      if (encoding === ENC_INTSET) {
        if (isInt64Text(strBuf, strOff, strLen)) {
          const size = this.#addInteger(strBuf, strOff, strLen);
          if (size === 0) this.#isThereTwice(reader, 1, reader.strAt);
          if (size <= INLINE_VALUE_MAX) continue;
          set = this.#intsetToSet(this.#packed, 0, count);
          encoding = ENC_HASHTABLE;
          continue;
        }
        if (i < limits.setMaxListpackEntries && longest <= limits.setMaxListpackValue) {
          this.#intsetToListpack();
          encoding = ENC_LISTPACK;
        } else {
          set = this.#intsetToSet(this.#packed, 0, count);
          encoding = ENC_HASHTABLE;
        }
      }
      if (encoding === ENC_LISTPACK) {
        if (
          i < limits.setMaxListpackEntries && strLen <= limits.setMaxListpackValue &&
          this.#fits(strLen)
        ) {
          this.#append(strBuf, strOff, strLen);
          continue;
        }
        set = this.#toSet(reader, at, this.#packed, 0, count);
        encoding = ENC_HASHTABLE;
      }
      if (!set!.addMember(strBuf, strOff, strLen)) this.#isThereTwice(reader, 1, reader.strAt);
    }
    if (set !== null) return this.#isLarge(TYPE_SET, ENC_HASHTABLE, set);
    if (encoding === ENC_LISTPACK) {
      this.#checkUnique(reader, this.#packed, 0, 1, at);
      return this.#isPacked(TYPE_SET);
    }
    return this.#isInline(TYPE_SET, ENC_INTSET, this.#packed, 0, intsetBytes(this.#packed, 0));
  }

  /** Inserts into the intset under construction; 0 when it was there, else the new size. */
  #addInteger(bytes: Uint8Array, offset: number, length: number): number {
    const small = parseInteger(bytes, offset, length);
    const value = small === small ? small : parseInt64(bytes, offset, length)!;
    for (;;) {
      const size = intsetInsert(this.#packed, 0, this.#packed.length, value);
      if (size >= 0) return size;
      this.#grow(intsetBytes(this.#packed, 0), this.#packed.length * 4);
    }
  }

  #intsetToListpack(): void {
    const intset = this.#packed.slice(0, intsetBytes(this.#packed, 0));
    this.#newListpack();
    for (let i = 0; i < intsetCount(intset, 0); i++) {
      this.#append(this.#text, 0, intsetCopyText(intset, 0, i, this.#text, 0));
    }
  }

  #intsetToSet(bytes: Uint8Array, base: number, count: number): LargeSet {
    const set = newSet(count);
    const members = intsetCount(bytes, base);
    for (let i = 0; i < members; i++) {
      set.addMember(this.#text, 0, intsetCopyText(bytes, base, i, this.#text, 0));
    }
    return set;
  }

  #toSet(
    reader: RdbReader,
    at: number,
    packed: Uint8Array,
    base: number,
    count: number,
  ): LargeSet {
    const set = newSet(count);
    for (let pos = lpFirst(packed, base); pos >= 0; pos = lpNext(packed, pos)) {
      lpGet(packed, pos);
      const length = this.#entryText(this.#text);
      if (!set.addMember(this.#entryBytes, this.#entryOffset, length)) {
        this.#isThereTwice(reader, 1, at);
      }
    }
    return set;
  }

  #readIntset(reader: RdbReader): boolean {
    reader.readString();
    const { strBuf, strOff, strLen } = reader;
    if (!intsetValidate(strBuf, strOff, strLen)) {
      throw reader.error("damaged intset, value", reader.strAt);
    }
    const count = intsetCount(strBuf, strOff);
    if (count <= this.#limits.setMaxIntsetEntries && strLen <= INLINE_VALUE_MAX) {
      return this.#isInline(TYPE_SET, ENC_INTSET, strBuf, strOff, strLen);
    }
    const table = this.#intsetToSet(strBuf, strOff, count);
    return this.#isLarge(TYPE_SET, ENC_HASHTABLE, table);
  }

  #readSetListpack(reader: RdbReader): boolean {
    const count = this.#readListpack(reader, false);
    const { strBuf, strOff, strLen, strAt } = reader;
    if (count === 0) return false;
    if (count > this.#limits.setMaxListpackEntries || strLen > INLINE_VALUE_MAX) {
      const table = this.#toSet(reader, strAt, strBuf, strOff, count);
      return this.#isLarge(TYPE_SET, ENC_HASHTABLE, table);
    }
    this.#checkUnique(reader, strBuf, strOff, 1, strAt);
    return this.#isInline(TYPE_SET, ENC_LISTPACK, strBuf, strOff, strLen);
  }

  // -- hashes ----------------------------------------------------------------------------------

  /** The table of a hash under construction; null while it is the listpack in #packed. */
  #fields: LargeHash | null = null;
  #fieldCount = 0;
  #expected = 0;

  #beginHash(expected: number): void {
    this.#expected = expected;
    this.#fieldCount = 0;
    this.#fields = expected > this.#limits.hashMaxListpackEntries ? newHash(expected) : null;
    if (this.#fields === null) this.#newListpack();
  }

  /** Adds a field, which stands in #name, with its value. */
  #addField(reader: RdbReader, at: number, buf: Uint8Array, off: number, len: number): void {
    const { hashMaxListpackEntries, hashMaxListpackValue } = this.#limits;
    const nameLength = this.#nameLength;
    if (this.#fields === null) {
      if (
        this.#fieldCount < hashMaxListpackEntries && nameLength <= hashMaxListpackValue &&
        len <= hashMaxListpackValue && this.#fits(nameLength + len)
      ) {
        this.#append(this.#name, 0, nameLength);
        this.#append(buf, off, len);
        this.#fieldCount++;
        return;
      }
      this.#fields = this.#toHash(reader, at, this.#packed, 0, this.#expected);
    }
    if (!this.#fields.set(this.#name, 0, nameLength, buf, off, len)) {
      this.#isThereTwice(reader, 2, at);
    }
    this.#fieldCount++;
  }

  #endHash(reader: RdbReader, at: number): boolean {
    if (this.#fieldCount === 0) return false;
    if (this.#fields !== null) return this.#isLarge(TYPE_HASH, ENC_HASHTABLE, this.#fields);
    this.#checkUnique(reader, this.#packed, 0, 2, at);
    return this.#isPacked(TYPE_HASH);
  }

  /** Keeps a field or member while what belongs to it is read. */
  #keepName(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#name.length < length) this.#name = new Uint8Array(length * 2);
    copyBytes(this.#name, 0, bytes, offset, length);
    this.#nameLength = length;
  }

  #readHash(reader: RdbReader): boolean {
    const at = reader.offset;
    const count = reader.readCount("fields", 2);
    this.#beginHash(count);
    for (let i = 0; i < count; i++) {
      reader.readString();
      this.#keepName(reader.strBuf, reader.strOff, reader.strLen);
      reader.readString();
      this.#addField(reader, at, reader.strBuf, reader.strOff, reader.strLen);
    }
    return this.#endHash(reader, at);
  }

  #readHashEntries(reader: RdbReader, cursor: EntryCursor): boolean {
    reader.readString();
    const at = reader.strAt;
    cursor.open(reader.strBuf, reader.strOff, reader.strLen, at);
    this.#beginHash(0);
    while (cursor.next()) {
      cursor.toText();
      this.#keepName(cursor.buf, cursor.off, cursor.len);
      if (!cursor.next()) throw reader.error("a field without a value in the hash", at);
      cursor.toText();
      this.#addField(reader, at, cursor.buf, cursor.off, cursor.len);
    }
    return this.#endHash(reader, at);
  }

  #readHashListpack(reader: RdbReader): boolean {
    const count = this.#readListpack(reader, true) >>> 1;
    const { strBuf, strOff, strLen, strAt } = reader;
    if (count === 0) return false;
    if (count > this.#limits.hashMaxListpackEntries || strLen > INLINE_VALUE_MAX) {
      const hash = this.#toHash(reader, strAt, strBuf, strOff, count);
      return this.#isLarge(TYPE_HASH, ENC_HASHTABLE, hash);
    }
    this.#checkUnique(reader, strBuf, strOff, 2, strAt);
    return this.#isInline(TYPE_HASH, ENC_LISTPACK, strBuf, strOff, strLen);
  }

  #readHashMetadata(reader: RdbReader, isRelative: boolean): boolean {
    const at = reader.offset;
    const earliestMs = isRelative ? reader.readMillis() : 0;
    const count = reader.readCount("fields", 3);
    this.#beginHash(count);
    for (let i = 0; i < count; i++) {
      const ttl = reader.readPlainLength("the expiry of a field");
      const expiresAtMs = ttl === 0 || !isRelative ? ttl : earliestMs + ttl - 1;
      reader.readString();
      this.#keepName(reader.strBuf, reader.strOff, reader.strLen);
      reader.readString();
      if (this.#isFieldPast(expiresAtMs)) continue;
      this.#addField(reader, at, reader.strBuf, reader.strOff, reader.strLen);
    }
    return this.#endHash(reader, at);
  }

  #readHashListpackEx(reader: RdbReader, hasEarliest: boolean): boolean {
    if (hasEarliest) reader.readMillis();
    const count = this.#readListpack(reader, false);
    const { strBuf, strOff, strAt } = reader;
    if (count % 3 !== 0) throw reader.error("a field without value or expiry in the hash", strAt);
    this.#beginHash(count / 3);
    for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
      lpGet(strBuf, pos);
      const nameLength = this.#entryText(this.#text);
      this.#keepName(this.#entryBytes, this.#entryOffset, nameLength);
      const valueAt = lpNext(strBuf, pos);
      const expiryAt = lpNext(strBuf, valueAt);
      lpGet(strBuf, expiryAt);
      if (!lpEntry.isInt) throw reader.error("the expiry of a field is not a number", strAt);
      const expiresAtMs = lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
      if (!this.#isFieldPast(expiresAtMs)) {
        lpGet(strBuf, valueAt);
        const length = this.#entryText(this.#text);
        this.#addField(reader, strAt, this.#entryBytes, this.#entryOffset, length);
      }
      pos = lpNext(strBuf, expiryAt);
    }
    return this.#endHash(reader, strAt);
  }

  /** Whether a field is past its time (0: has none); counts the times that are not kept. */
  #isFieldPast(expiresAtMs: number): boolean {
    if (expiresAtMs === 0) return false;
    if (expiresAtMs < this.#nowMs) return true;
    this.fieldExpiriesDropped++;
    return false;
  }

  // -- sorted sets -------------------------------------------------------------------------------

  #readScored(reader: RdbReader, isBinary: boolean): boolean {
    const at = reader.offset;
    const count = reader.readCount("members", 2);
    if (count === 0) return false;
    const set = new SortedSet();
    set.reserve(Math.min(count, RESERVE_MAX));
    let longest = 0;
    for (let i = 0; i < count; i++) {
      reader.readString();
      this.#keepName(reader.strBuf, reader.strOff, reader.strLen);
      if (this.#nameLength > longest) longest = this.#nameLength;
      const score = isBinary ? reader.readBinaryDouble() : reader.readTextDouble();
      this.#addScored(reader, at, set, this.#name, 0, this.#nameLength, score);
    }
    return this.#endZset(set, longest);
  }

  #addScored(
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

  #endZset(set: SortedSet, longest: number): boolean {
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.#limits;
    if (set.count === 0) return false;
    if (set.count > zsetMaxListpackEntries || longest > zsetMaxListpackValue) {
      return this.#isLarge(TYPE_ZSET, ENC_SKIPLIST, set);
    }
    this.#newListpack();
    const cursor = this.#cursor;
    const { dict } = set;
    for (let found = set.index.first(cursor); found; found = set.index.next(cursor)) {
      const { ref, score } = cursor;
      const length = dict.keyLength(ref);
      if (!this.#fits(length + INTEGER_TEXT_MAX)) {
        return this.#isLarge(TYPE_ZSET, ENC_SKIPLIST, set);
      }
      this.#append(dict.bytesOf(ref), dict.keyOffset(ref), length);
      this.#appendScore(score);
    }
    return this.#isPacked(TYPE_ZSET);
  }

  #appendScore(score: number): void {
    if (Number.isSafeInteger(score) && !Object.is(score, -0)) {
      while (lpAppendInteger(this.#packed, 0, this.#packed.length, score) < 0) {
        this.#grow(lpBytes(this.#packed, 0), this.#packed.length * 2);
      }
      return;
    }
    const text = formatDouble(score);
    for (let i = 0; i < text.length; i++) this.#text[i] = text.charCodeAt(i);
    this.#append(this.#text, 0, text.length);
  }

  #readZsetZiplist(reader: RdbReader): boolean {
    const cursor = this.#ziplist;
    reader.readString();
    const at = reader.strAt;
    cursor.open(reader.strBuf, reader.strOff, reader.strLen, at);
    const set = new SortedSet();
    let longest = 0;
    while (cursor.next()) {
      cursor.toText();
      this.#keepName(cursor.buf, cursor.off, cursor.len);
      if (cursor.len > longest) longest = cursor.len;
      if (!cursor.next()) throw reader.error("a member without a score in the sorted set", at);
      cursor.toText();
      const score = parseDouble(toLatin1(cursor.buf, cursor.off, cursor.len));
      this.#addScored(reader, at, set, this.#name, 0, this.#nameLength, score);
    }
    return this.#endZset(set, longest);
  }

  #readZsetListpack(reader: RdbReader): boolean {
    const count = this.#readListpack(reader, true) >>> 1;
    const { strBuf, strOff, strLen, strAt } = reader;
    if (count === 0) return false;
    if (
      count <= this.#limits.zsetMaxListpackEntries && strLen <= INLINE_VALUE_MAX &&
      this.#isOrdered(strBuf, strOff)
    ) {
      this.#checkUnique(reader, strBuf, strOff, 2, strAt);
      return this.#isInline(TYPE_ZSET, ENC_LISTPACK, strBuf, strOff, strLen);
    }
    const set = new SortedSet();
    set.reserve(Math.min(count, RESERVE_MAX));
    for (let pos = lpFirst(strBuf, strOff); pos >= 0;) {
      lpGet(strBuf, pos);
      const length = this.#entryText(this.#text);
      const bytes = this.#entryBytes;
      const offset = this.#entryOffset;
      const scoreAt = lpNext(strBuf, pos);
      const score = this.#scoreAt(strBuf, scoreAt);
      this.#addScored(reader, strAt, set, bytes, offset, length, score);
      pos = lpNext(strBuf, scoreAt);
    }
    // Values longer than the limit stay in a listpack as they were, as in Redis.
    return this.#endZset(set, 0);
  }

  #scoreAt(bytes: Uint8Array, pos: number): number {
    lpGet(bytes, pos);
    if (lpEntry.isInt) return lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
    return parseDouble(toLatin1(lpEntry.buf, lpEntry.off, lpEntry.len));
  }

  /** Whether members of a listpack come by score and then by their bytes, each with a number. */
  #isOrdered(bytes: Uint8Array, base: number): boolean {
    let text = this.#text;
    let previousText = this.#previousText;
    let previousScore = -Infinity;
    let previousBytes: Uint8Array | null = null;
    let previousOffset = 0;
    let previousLength = 0;
    for (let pos = lpFirst(bytes, base); pos >= 0;) {
      lpGet(bytes, pos);
      const length = this.#entryText(text);
      const member = this.#entryBytes;
      const offset = this.#entryOffset;
      const scoreAt = lpNext(bytes, pos);
      const score = this.#scoreAt(bytes, scoreAt);
      if (!(score >= previousScore)) return false;
      if (
        previousBytes !== null && score === previousScore && compareBytes(
            previousBytes,
            previousOffset,
            previousLength,
            member,
            offset,
            length,
          ) >= 0
      ) return false;
      previousScore = score;
      previousBytes = member;
      previousOffset = offset;
      previousLength = length;
      [text, previousText] = [previousText, text];
      pos = lpNext(bytes, scoreAt);
    }
    return true;
  }

  // -- listpacks -----------------------------------------------------------------------------------

  /** Reads a listpack blob into the reader's `str`, checked; returns the number of entries. */
  #readListpack(reader: RdbReader, pairs: boolean): number {
    reader.readString();
    if (!lpValidate(reader.strBuf, reader.strOff, reader.strLen, { pairs })) {
      throw reader.error("damaged listpack, value", reader.strAt);
    }
    return lpCount(reader.strBuf, reader.strOff);
  }

  #newListpack(): void {
    lpNew(this.#packed, 0);
  }

  /** Whether a listpack of a record has room for entries of so many bytes of text, two at most. */
  #fits(bytes: number): boolean {
    return lpBytes(this.#packed, 0) + bytes + 2 * ENTRY_OVERHEAD_MAX <= INLINE_VALUE_MAX;
  }

  #append(bytes: Uint8Array, offset: number, length: number): void {
    while (lpAppend(this.#packed, 0, this.#packed.length, bytes, offset, length) < 0) {
      this.#grow(lpBytes(this.#packed, 0), this.#packed.length * 2 + length);
    }
  }

  /** Gives #packed `size` bytes, keeping the first `used`. */
  #grow(used: number, size: number): void {
    const larger = new Uint8Array(size);
    copyBytes(larger, 0, this.#packed, 0, used);
    this.#packed = larger;
  }

  #makeRoom(size: number): void {
    if (this.#packed.length < size) this.#packed = new Uint8Array(size * 2);
  }

  #entryBytes: Uint8Array = this.#text;
  #entryOffset = 0;

  /** The text of the entry in `lpEntry`: where it lies, or (an integer) written to `room`. */
  #entryText(room: Uint8Array): number {
    if (lpEntry.isInt) {
      this.#entryBytes = room;
      this.#entryOffset = 0;
      return lpEntryCopyText(room, 0);
    }
    this.#entryBytes = lpEntry.buf;
    this.#entryOffset = lpEntry.off;
    return lpEntry.len;
  }

  #toHash(
    reader: RdbReader,
    at: number,
    packed: Uint8Array,
    base: number,
    count: number,
  ): LargeHash {
    const hash = newHash(count);
    for (let pos = lpFirst(packed, base); pos >= 0; pos = lpNext(packed, pos)) {
      lpGet(packed, pos);
      const length = this.#entryText(this.#text);
      const field = this.#entryBytes;
      const offset = this.#entryOffset;
      pos = lpNext(packed, pos);
      lpGet(packed, pos);
      const valueLength = this.#entryText(this.#previousText);
      const value = this.#entryBytes;
      if (!hash.set(field, offset, length, value, this.#entryOffset, valueLength)) {
        this.#isThereTwice(reader, 2, at);
      }
    }
    return hash;
  }

  /** Refuses a listpack in which an entry is there twice; looks at each `step`th one. */
  #checkUnique(
    reader: RdbReader,
    packed: Uint8Array,
    base: number,
    step: number,
    at: number,
  ): void {
    const count = lpCount(packed, base) / step;
    if (count < 2) return;
    const usesTable = count > FEW_ENTRIES;
    let mask = 0;
    if (usesTable) {
      let size = 32;
      while (size < count * 2) size *= 2;
      if (this.#places.length < size) this.#places = new Int32Array(size);
      this.#places.fill(0, 0, size);
      mask = size - 1;
    }
    const places = this.#places;
    let found = 0;
    for (let pos = lpFirst(packed, base); pos >= 0;) {
      lpGet(packed, pos);
      const length = this.#entryText(this.#text);
      lpSetNeedle(this.#entryBytes, this.#entryOffset, length);
      if (usesTable) {
        let slot = hashBytes(this.#entryBytes, this.#entryOffset, length) & mask;
        for (; places[slot] !== 0; slot = (slot + 1) & mask) {
          if (lpIsNeedle(packed, base + places[slot])) this.#isThereTwice(reader, step, at);
        }
        places[slot] = pos - base;
      } else {
        for (let i = 0; i < found; i++) {
          if (lpIsNeedle(packed, base + places[i])) this.#isThereTwice(reader, step, at);
        }
        places[found++] = pos - base;
      }
      for (let i = 0; i < step && pos >= 0; i++) pos = lpNext(packed, pos);
    }
  }

  #isThereTwice(reader: RdbReader, step: number, at: number): never {
    throw reader.error(
      `a ${step === 2 ? "field or member" : "member"} is there twice in the value`,
      at,
    );
  }
}

function newSet(expected: number): LargeSet {
  const set = new LargeSet();
  set.reserve(Math.min(expected, RESERVE_MAX));
  return set;
}

function newHash(expected: number): LargeHash {
  const hash = new LargeHash();
  hash.reserve(Math.min(expected, RESERVE_MAX));
  return hash;
}
