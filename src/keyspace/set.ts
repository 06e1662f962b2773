/**
 * Sets in the keyspace: `SetView` looks at one and changes it, whatever its encoding, and
 * `SetBuilder` makes new ones. Between commands (and snapshots) and values/intset.ts, listpack.ts,
 * large_set.ts. As in Redis 7.2:
 *
 *     ENC_INTSET      integers only, in the record, up to `set-max-intset-entries`
 *     ENC_LISTPACK    any members, in the record, up to `set-max-listpack-entries` of them and none
 *                     longer than `set-max-listpack-value`
 *     ENC_HASHTABLE   a LargeSet in a slot
 *
 * A set goes down this list as members come, never up again; only what *STORE and SPOP build anew gets
 * the encoding that fits.
 *
 * To read a set elsewhere (DEBUG DIGEST, SORT): `view.open(database, ref)`, then `forEach`. The bytes of
 * a small one may be saved as they are. To make one: `builder.begin(…)`, `builder.add(…)` per member,
 * then `builder.addTo` or `builder.replace`, which do not say `changed`.
 *
 * Handlers share `setView` and `setBuilder`, which is safe as they run one at a time; what runs inside
 * a change (the snapshot's hook) needs a view of its own.
 */

import { COMPACT_RECORDS } from "../arena/dict.ts";
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  INLINE_VALUE_MAX,
  TYPE_SET,
} from "../arena/record.ts";
import { copyBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { integerLength, parseInt64, parseInteger } from "../base/integers.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import { ElementText } from "../values/element_text.ts";
import {
  INTSET_EMPTY_BYTES,
  intsetBytes,
  intsetCount,
  intsetGet,
  intsetHas,
  intsetInsert,
  intsetNew,
  intsetRemove,
  intsetSeek,
} from "../values/intset.ts";
import { LargeSet } from "../values/large_set.ts";
import {
  LP_EMPTY_BYTES,
  lpAppend,
  lpAppendInteger,
  lpBytes,
  lpCount,
  lpDelete,
  lpEnd,
  lpFind,
  lpFirst,
  lpNew,
  lpSeek,
  lpSize,
  lpStageText,
} from "../values/listpack.ts";
import { drawIndexes, sampleDict } from "../values/sampling.ts";
import type { Database } from "./database.ts";
import type { ValueLimits } from "./keyspace.ts";

/** Sees a member, whose bytes hold only during the call; answering true ends the walk. */
export type MemberVisitor = (bytes: Uint8Array, offset: number, length: number) => boolean | void;

/** The same, told the hash of the member (`hashBytes`) too. */
export type HashedVisitor = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  hash: number,
) => boolean | void;

/** An entry of a listpack takes no more than this for an integer. */
const INTEGER_ENTRY_MAX = 11;

/** The text as a canonical 64-bit integer, or null. */
function integerOf(bytes: Uint8Array, offset: number, length: number): number | bigint | null {
  const n = parseInteger(bytes, offset, length);
  return n === n ? n : parseInt64(bytes, offset, length);
}

/** Bytes per integer that an intset with this one needs. */
function widthOf(n: number | bigint): number {
  if (n >= -0x8000 && n <= 0x7fff) return 2;
  return n >= -0x80000000 && n <= 0x7fffffff ? 4 : 8;
}

// -- what adding a member to a small set takes ---------------------------------------------------

/** The member is there. */
const PRESENT = 0;
/** It goes into the intset, as `plannedInteger`. */
const INSERT = 1;
/** It goes to the end of the listpack. */
const APPEND = 2;
/** The intset has to become a listpack first. */
const TO_LISTPACK = 3;
/** The set has to become a large one first. */
const TO_TABLE = 4;

/** INSERT and APPEND: bytes of the value afterwards. */
let plannedSize = 0;
let plannedInteger: number | bigint = 0;

function planAdd(
  limits: ValueLimits,
  encoding: number,
  buf: Uint8Array,
  base: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  isNew = false,
): number {
  if (encoding === ENC_INTSET) {
    const n = integerOf(bytes, offset, length);
    const count = intsetCount(buf, base);
    if (n === null) {
      return count < limits.setMaxListpackEntries && length <= limits.setMaxListpackValue &&
          longestInteger(buf, base, count) <= limits.setMaxListpackValue &&
          LP_EMPTY_BYTES + count * INTEGER_ENTRY_MAX <= INLINE_VALUE_MAX
        ? TO_LISTPACK
        : TO_TABLE;
    }
    if (intsetHas(buf, base, n)) return PRESENT;
    const width = buf[base];
    const newWidth = widthOf(n);
    plannedInteger = n;
    plannedSize = INTSET_EMPTY_BYTES + (count + 1) * (newWidth > width ? newWidth : width);
    return count < limits.setMaxIntsetEntries && plannedSize <= INLINE_VALUE_MAX
      ? INSERT
      : TO_TABLE;
  }
  if (!isNew && lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 0) >= 0) {
    return PRESENT;
  }
  if (length > limits.setMaxListpackValue || lpCount(buf, base) >= limits.setMaxListpackEntries) {
    return TO_TABLE;
  }
  plannedSize = lpBytes(buf, base) + lpStageText(bytes, offset, length);
  return plannedSize <= INLINE_VALUE_MAX ? APPEND : TO_TABLE;
}

/** The longest text of an intset's members: it is at one of the ends. */
function longestInteger(buf: Uint8Array, base: number, count: number): number {
  if (count === 0) return 0;
  return Math.max(
    integerTextLength(intsetGet(buf, base, 0)),
    integerTextLength(intsetGet(buf, base, count - 1)),
  );
}

function integerTextLength(n: number | bigint): number {
  return typeof n === "number" ? integerLength(n) : n.toString().length;
}

/** Writes the members of an intset as a listpack, for which there is room; returns its size. */
function writeAsListpack(buf: Uint8Array, base: number, to: Uint8Array): number {
  let size = lpNew(to, 0);
  const count = intsetCount(buf, base);
  for (let i = 0; i < count; i++) size = lpAppendInteger(to, 0, to.length, intsetGet(buf, base, i));
  return size;
}

/** Visits the members of a small set; `member` holds each meanwhile. */
function forEachSmall(
  encoding: number,
  buf: Uint8Array,
  base: number,
  member: ElementText,
  visit: MemberVisitor,
): void {
  if (encoding === ENC_INTSET) {
    const count = intsetCount(buf, base);
    for (let i = 0; i < count; i++) {
      member.setInteger(intsetGet(buf, base, i));
      if (visit(member.bytes, member.offset, member.length) === true) return;
    }
    return;
  }
  const end = lpEnd(buf, base);
  for (let pos = base + LP_EMPTY_BYTES - 1; pos < end; pos += lpSize(buf, pos)) {
    member.setEntry(buf, pos);
    if (visit(member.bytes, member.offset, member.length) === true) return;
  }
}

function forEachLarge(large: LargeSet, visit: HashedVisitor): void {
  large.forEachUntil((ref) =>
    visit(large.bytesOf(ref), large.keyOffset(ref), large.keyLength(ref), large.hashOf(ref))
  );
}

function toLarge(
  encoding: number,
  buf: Uint8Array,
  base: number,
  member: ElementText,
  expected: number,
): LargeSet {
  const large = new LargeSet();
  large.reserve(expected);
  forEachSmall(encoding, buf, base, member, (bytes, offset, length) => {
    large.addMember(bytes, offset, length);
  });
  return large;
}

export class SetView {
  /** The member that a walk or draw is at. */
  readonly member = new ElementText();
  database!: Database;
  /** The record; changes may give it a new place. */
  ref = 0;
  /** ENC_* of the set. */
  encoding = 0;
  /** The set if it is a large one. */
  large: LargeSet | null = null;
  /** What `draw` came to: a record of a large set, an offset in a listpack, an index of an intset. */
  #drawn = 0;

  /** Looks at the set of a record. */
  open(database: Database, ref: number): void {
    this.database = database;
    this.ref = ref;
    this.encoding = database.encodingOf(ref);
    this.large = this.encoding === ENC_HASHTABLE ? database.largeValue(ref) as LargeSet : null;
  }

  /** Looks a key up for reading; false when it is missing. @throws ReplyError WRONGTYPE */
  openRead(database: Database, bytes: Uint8Array, offset: number, length: number): boolean {
    const ref = database.lookupRead(bytes, offset, length);
    if (ref === 0) return false;
    if (database.typeOf(ref) !== TYPE_SET) throw new ReplyError(WRONG_TYPE);
    this.open(database, ref);
    return true;
  }

  /** `open` for changing it. After the changes `measure` has to be called. */
  openToWrite(database: Database, ref: number): void {
    this.open(database, ref);
    database.beforeWrite(ref);
  }

  /** Says that the changes are done: takes the new size into account. */
  measure(): void {
    if (this.large !== null) {
      this.large.compactStep(COMPACT_RECORDS);
      this.database.measured(this.ref, this.large.memoryBytes);
    }
  }

  /** Members in the set. */
  get count(): number {
    if (this.large !== null) return this.large.count;
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    return this.encoding === ENC_INTSET ? intsetCount(buf, base) : lpCount(buf, base);
  }

  /** Whether these bytes are a member. */
  has(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.large !== null) return this.large.get(bytes, offset, length) !== 0;
    return this.#smallHas(bytes, offset, length);
  }

  /** `has` with the member's hash (`hashBytes`) at hand: for asking several sets. */
  hasHashed(bytes: Uint8Array, offset: number, length: number, hash: number): boolean {
    if (this.large !== null) return this.large.find(bytes, offset, length, hash) !== 0;
    return this.#smallHas(bytes, offset, length);
  }

  #smallHas(bytes: Uint8Array, offset: number, length: number): boolean {
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    if (this.encoding === ENC_INTSET) {
      const n = integerOf(bytes, offset, length);
      return n !== null && intsetHas(buf, base, n);
    }
    return lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 0) >= 0;
  }

  /** Adds a member; false when it is there. The bytes are copied; they must not lie in this set. */
  add(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.large !== null) return this.large.addMember(bytes, offset, length);
    const { database } = this;
    const { records, keyspace } = database;
    for (;;) {
      const buf = records.bytesOf(this.ref);
      const base = records.valueOffset(this.ref);
      const plan = planAdd(keyspace.limits, this.encoding, buf, base, bytes, offset, length);
      if (plan === PRESENT) return false;
      if (plan === TO_TABLE) {
        this.convert(0);
        return this.large!.addMember(bytes, offset, length);
      }
      if (plan === TO_LISTPACK) {
        this.#toListpack(buf, base);
        continue;
      }
      const size = plannedSize;
      this.ref = database.resizeInline(this.ref, size, size >> 3);
      const to = records.bytesOf(this.ref);
      const at = records.valueOffset(this.ref);
      if (plan === INSERT) intsetInsert(to, at, size, plannedInteger);
      else lpAppend(to, at, size, bytes, offset, length);
      return true;
    }
  }

  /** Removes a member; false when it is not there. A set without members has to be removed then. */
  remove(bytes: Uint8Array, offset: number, length: number): boolean {
    const { large } = this;
    if (large !== null) {
      const ref = large.get(bytes, offset, length);
      if (ref === 0) return false;
      large.remove(ref);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    let size = 0;
    if (this.encoding === ENC_INTSET) {
      const n = integerOf(bytes, offset, length);
      if (n !== null) size = intsetRemove(buf, base, n);
    } else {
      const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 0);
      if (pos >= 0) size = lpDelete(buf, base, pos, 1);
    }
    if (size === 0) return false;
    this.ref = this.database.resizeInline(this.ref, size);
    return true;
  }

  /** Points `member` at a member drawn evenly. `draw` gives [0, 1). */
  draw(draw: () => number): void {
    const { large, member } = this;
    if (large !== null) {
      this.#drawn = large.random(draw);
      this.#readLarge(large, this.#drawn);
      return;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const index = Math.floor(draw() * this.count);
    if (this.encoding === ENC_INTSET) {
      this.#drawn = index;
      member.setInteger(intsetGet(buf, base, index));
    } else {
      const pos = lpSeek(buf, base, index);
      this.#drawn = pos - base;
      member.setEntry(buf, pos);
    }
  }

  /** Removes the member that `draw` came to; nothing may have changed since. */
  removeDrawn(): void {
    if (this.large !== null) {
      this.large.remove(this.#drawn);
      return;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const size = this.encoding === ENC_INTSET
      ? intsetRemove(buf, base, intsetGet(buf, base, this.#drawn))
      : lpDelete(buf, base, base + this.#drawn, 1);
    this.ref = this.database.resizeInline(this.ref, size);
  }

  /** Visits all members, until `visit` answers true. It must not change the set. */
  forEach(visit: MemberVisitor): void {
    const { large, member } = this;
    if (large !== null) return forEachLarge(large, visit);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    forEachSmall(this.encoding, buf, records.valueOffset(this.ref), member, visit);
  }

  /** `forEach` with the hash of each member (`hashBytes`), which large sets have at hand. */
  forEachHashed(visit: HashedVisitor): void {
    const { large } = this;
    if (large !== null) return forEachLarge(large, visit);
    this.forEach((bytes, offset, length) =>
      visit(bytes, offset, length, hashBytes(bytes, offset, length))
    );
  }

  /** Of an intset: the member with this index, in ascending order. */
  integerAt(index: number): number | bigint {
    const { records } = this.database;
    return intsetGet(records.bytesOf(this.ref), records.valueOffset(this.ref), index);
  }

  /** Of an intset: see `intsetSeek`. */
  seekInteger(from: number, value: number | bigint): number {
    const { records } = this.database;
    return intsetSeek(records.bytesOf(this.ref), records.valueOffset(this.ref), from, value);
  }

  /** Visits `count` different members, drawn evenly; all when there are no more. */
  sample(count: number, draw: () => number, visit: MemberVisitor): void {
    const { large } = this;
    if (large !== null) {
      sampleDict(large, count, draw, (ref) => {
        visit(large.bytesOf(ref), large.keyOffset(ref), large.keyLength(ref));
      });
      return;
    }
    const { member } = this;
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    let at = 0;
    let pos = this.encoding === ENC_INTSET ? 0 : lpFirst(buf, base);
    for (const index of drawIndexes(count, this.count, draw)) {
      if (this.encoding === ENC_INTSET) member.setInteger(intsetGet(buf, base, index));
      else {
        for (; at < index; at++) pos += lpSize(buf, pos);
        member.setEntry(buf, pos);
      }
      visit(member.bytes, member.offset, member.length);
    }
  }

  /** Says how many members will be added in a row: too many for a small set make it a large one. */
  expect(count: number): void {
    const { limits } = this.database.keyspace;
    if (
      (this.encoding === ENC_LISTPACK && count > limits.setMaxListpackEntries) ||
      (this.encoding === ENC_INTSET && count > limits.setMaxIntsetEntries)
    ) this.convert(count);
  }

  /** Makes a small set a large one, with room for `expected` members in all. */
  convert(expected: number): void {
    const { records } = this.database;
    const room = Math.max(expected, this.count);
    const buf = records.bytesOf(this.ref);
    const large = toLarge(this.encoding, buf, records.valueOffset(this.ref), this.member, room);
    this.ref = this.database.replaceByLarge(this.ref, TYPE_SET, ENC_HASHTABLE, large);
    this.encoding = ENC_HASHTABLE;
    this.large = large;
  }

  #toListpack(buf: Uint8Array, base: number): void {
    const { database } = this;
    const listpack = new Uint8Array(LP_EMPTY_BYTES + intsetCount(buf, base) * INTEGER_ENTRY_MAX);
    const size = writeAsListpack(buf, base, listpack);
    this.ref = database.replaceByInline(this.ref, TYPE_SET, ENC_LISTPACK, size, size >> 3);
    const { records } = database;
    copyBytes(records.bytesOf(this.ref), records.valueOffset(this.ref), listpack, 0, size);
    this.encoding = ENC_LISTPACK;
  }

  #readLarge(large: LargeSet, ref: number): void {
    this.member.set(large.bytesOf(ref), large.keyOffset(ref), large.keyLength(ref));
  }
}

/** Makes a set member by member before it becomes a key's value. */
export class SetBuilder {
  #limits!: ValueLimits;
  #encoding = ENC_INTSET;
  #bytes = new Uint8Array(1024);
  #large: LargeSet | null = null;
  readonly #member = new ElementText();

  /**
   * Starts anew, with ENC_INTSET (the result gets the smallest encoding that fits), ENC_LISTPACK or
   * ENC_HASHTABLE (with room for `expected` members).
   */
  begin(limits: ValueLimits, encoding: number, expected = 0): void {
    this.#limits = limits;
    this.#encoding = encoding;
    this.#large = null;
    if (encoding === ENC_INTSET) intsetNew(this.#bytes, 0);
    else if (encoding === ENC_LISTPACK) lpNew(this.#bytes, 0);
    else {
      this.#large = new LargeSet();
      this.#large.reserve(expected);
    }
  }

  /** `begin` as SADD does for a new key: by the first member and how many will come. */
  beginWith(
    limits: ValueLimits,
    bytes: Uint8Array,
    offset: number,
    length: number,
    expected: number,
  ): void {
    const isInteger = integerOf(bytes, offset, length) !== null;
    if (isInteger && expected <= limits.setMaxIntsetEntries) this.begin(limits, ENC_INTSET);
    else if (expected <= limits.setMaxListpackEntries) this.begin(limits, ENC_LISTPACK);
    else this.begin(limits, ENC_HASHTABLE, expected);
  }

  /** Members so far. */
  get count(): number {
    if (this.#large !== null) return this.#large.count;
    return this.#encoding === ENC_INTSET ? intsetCount(this.#bytes, 0) : lpCount(this.#bytes, 0);
  }

  /**
   * Adds a member; false when it is there. The bytes are copied. With `isNew` the caller knows that it is not
   * there, which saves going through a listpack.
   */
  add(bytes: Uint8Array, offset: number, length: number, isNew = false): boolean {
    if (this.#large !== null) return this.#large.addMember(bytes, offset, length);
    for (;;) {
      const plan = planAdd(
        this.#limits,
        this.#encoding,
        this.#bytes,
        0,
        bytes,
        offset,
        length,
        isNew,
      );
      if (plan === PRESENT) return false;
      if (plan === TO_TABLE) {
        this.#large = toLarge(this.#encoding, this.#bytes, 0, this.#member, this.count + 1);
        this.#encoding = ENC_HASHTABLE;
        return this.#large.addMember(bytes, offset, length);
      }
      if (plan === TO_LISTPACK) {
        const count = intsetCount(this.#bytes, 0);
        if (count === 0) lpNew(this.#bytes, 0);
        else {
          const listpack = new Uint8Array(1024 + count * INTEGER_ENTRY_MAX);
          writeAsListpack(this.#bytes, 0, listpack);
          this.#bytes = listpack;
        }
        this.#encoding = ENC_LISTPACK;
        continue;
      }
      if (plannedSize > this.#bytes.length) this.#grow(plannedSize);
      const buf = this.#bytes;
      if (plan === INSERT) intsetInsert(buf, 0, buf.length, plannedInteger);
      else lpAppend(buf, 0, buf.length, bytes, offset, length);
      return true;
    }
  }

  /** MadeValue: bytes that the set takes so far. */
  get memoryBytes(): number {
    return this.#bytes.length + (this.#large?.memoryBytes ?? 0);
  }

  /** MadeValue: gives the memory of what has not become a value back. */
  dispose(): void {
    this.#takeLarge()?.dispose();
  }

  /** Makes the set the value of a key that is not there; it must have members. Returns the record. */
  addTo(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    expiresAtMs = NaN,
  ): number {
    const large = this.#takeLarge();
    if (large !== null) {
      return database.addLarge(
        key,
        offset,
        length,
        TYPE_SET,
        ENC_HASHTABLE,
        large,
        expiresAtMs,
      );
    }
    const size = this.#size;
    const ref = database.addRecord(
      key,
      offset,
      length,
      TYPE_SET,
      this.#encoding,
      size,
      0,
      expiresAtMs,
    );
    this.#copyInto(database, ref, size);
    return ref;
  }

  /**
   * Puts the set, which must have members, in the place of a record's value, and its expiry (NaN for none)
   * if one is given; returns the record. @throws RangeError without a change when there is no memory
   */
  replace(database: Database, ref: number, expiresAtMs?: number): number {
    const large = this.#takeLarge();
    if (large !== null) {
      return database.replaceByLarge(ref, TYPE_SET, ENC_HASHTABLE, large, expiresAtMs);
    }
    const size = this.#size;
    const fresh = database.replaceByInline(ref, TYPE_SET, this.#encoding, size, 0, expiresAtMs);
    this.#copyInto(database, fresh, size);
    return fresh;
  }

  #takeLarge(): LargeSet | null {
    const large = this.#large;
    this.#large = null;
    return large;
  }

  get #size(): number {
    return this.#encoding === ENC_INTSET ? intsetBytes(this.#bytes, 0) : lpBytes(this.#bytes, 0);
  }

  #copyInto(database: Database, ref: number, size: number): void {
    const { records } = database;
    copyBytes(records.bytesOf(ref), records.valueOffset(ref), this.#bytes, 0, size);
  }

  #grow(size: number): void {
    const larger = new Uint8Array(Math.min(INLINE_VALUE_MAX, size * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** The view that handlers share. */
export const setView = new SetView();
/** The builder that handlers share. */
export const setBuilder = new SetBuilder();
