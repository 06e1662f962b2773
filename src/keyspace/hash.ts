/**
 * Hashes in the keyspace: `HashView` looks at one and changes it, whatever its encoding, and
 * `HashBuilder` makes new ones. Between commands (and snapshots) and values/listpack.ts,
 * values/large_hash.ts. As in Redis:
 *
 *     ENC_LISTPACK    field, value, field, value … in the record, up to `hash-max-listpack-entries`
 *                     pairs with no text longer than `hash-max-listpack-value`
 *     ENC_HASHTABLE   a LargeHash in a slot; it never becomes a listpack again
 *
 * To read a hash elsewhere (DUMP, DEBUG DIGEST, SORT BY): `view.open(database, ref)`, then `forEach`
 * or `find`. The bytes of a small one may be saved as they are, since a listpack is RDB's form too.
 *
 * To make one (RDB, COPY): `builder.begin(limits, pairs)`, `builder.set(…)` per pair (false: the field
 * came twice), then `builder.addTo(database, key…)`, which does not say `changed`; the key must not be
 * there.
 *
 * Handlers share `hashView` and `hashBuilder`, which is safe as they run one at a time; what runs
 * inside a change (the snapshot's hook) needs a view of its own.
 */

import { COMPACT_RECORDS } from "../arena/dict.ts";
import { ENC_HASHTABLE, ENC_LISTPACK, INLINE_VALUE_MAX, TYPE_HASH } from "../arena/record.ts";
import { copyBytes } from "../base/bytes.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import type { ElementStack } from "../values/element_stack.ts";
import { ElementText } from "../values/element_text.ts";
import { LargeHash } from "../values/large_hash.ts";
import {
  LP_EMPTY_BYTES,
  lpAppend,
  lpBytes,
  lpCount,
  lpDelete,
  lpEnd,
  lpFind,
  lpFirst,
  lpNew,
  lpReplace,
  lpSeek,
  lpSize,
  lpStageText,
} from "../values/listpack.ts";
import { drawIndexes, sampleDict } from "../values/sampling.ts";
import type { Database } from "./database.ts";
import type { ValueLimits } from "./keyspace.ts";

/** Sees a pair: the field's bytes, then the value's. They hold only during the call. */
export type PairVisitor = (
  field: Uint8Array,
  fieldOffset: number,
  fieldLength: number,
  value: Uint8Array,
  valueOffset: number,
  valueLength: number,
) => void;

export class HashView {
  /** The field that a walk or draw is at. */
  readonly field = new ElementText();
  /** The value that `find` or a draw came to. */
  readonly value = new ElementText();
  database!: Database;
  /** The record; changes may give it a new place. */
  ref = 0;
  /** The hash if it is a large one. */
  large: LargeHash | null = null;
  /** What `set` puts values on before others take their place, if it is to be undone; else null. */
  replaced: ElementStack | null = null;

  /** Looks at the hash of a record. */
  open(database: Database, ref: number): void {
    this.database = database;
    this.ref = ref;
    this.large = database.encodingOf(ref) === ENC_HASHTABLE
      ? database.largeValue(ref) as LargeHash
      : null;
  }

  /** Looks a key up for reading; false when it is missing. @throws ReplyError WRONGTYPE */
  openRead(database: Database, bytes: Uint8Array, offset: number, length: number): boolean {
    const ref = database.lookupRead(bytes, offset, length);
    if (ref === 0) return false;
    if (database.typeOf(ref) !== TYPE_HASH) throw new ReplyError(WRONG_TYPE);
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
      this.large.dict.compactStep(COMPACT_RECORDS);
      this.database.measured(this.ref, this.large.memoryBytes);
    }
  }

  /** Pairs in the hash. */
  get count(): number {
    if (this.large !== null) return this.large.count;
    const { records } = this.database;
    return lpCount(records.bytesOf(this.ref), records.valueOffset(this.ref)) >> 1;
  }

  /** Points `value` at the value of a field; false when there is no such field. */
  find(bytes: Uint8Array, offset: number, length: number): boolean {
    const { large } = this;
    if (large !== null) {
      const ref = large.find(bytes, offset, length);
      if (ref === 0) return false;
      large.readValue(ref, this.value);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 1);
    if (pos < 0) return false;
    this.value.setEntry(buf, pos + lpSize(buf, pos));
    return true;
  }

  /** Whether there is such a field. */
  has(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.large !== null) return this.large.find(bytes, offset, length) !== 0;
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    return lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 1) >= 0;
  }

  /**
   * Gives a field a value; true when the field is new. The bytes are copied; they must not lie in
   * this hash. @throws RangeError without a change when there is no memory
   */
  set(
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
  ): boolean {
    if (
      this.large === null &&
      !this.#planSet(
        field,
        fieldOffset,
        fieldLength,
        value,
        valueOffset,
        valueLength,
      )
    ) this.convert(0);
    if (this.large !== null) {
      return this.large.set(
        field,
        fieldOffset,
        fieldLength,
        value,
        valueOffset,
        valueLength,
        false,
        this.replaced,
      );
    }
    const { database } = this;
    const { records } = database;
    let buf = records.bytesOf(this.ref);
    let base = records.valueOffset(this.ref);
    const size = this.#newSize;
    if (this.#foundAt < 0) {
      this.ref = database.resizeInline(this.ref, size, size >> 3);
      buf = records.bytesOf(this.ref);
      base = records.valueOffset(this.ref);
      lpAppend(buf, base, size, field, fieldOffset, fieldLength);
      lpAppend(buf, base, size, value, valueOffset, valueLength);
      return true;
    }
    if (this.replaced !== null) {
      this.value.setEntry(buf, base + this.#foundAt);
      this.replaced.push(this.value.bytes, this.value.offset, this.value.length);
    }
    const oldSize = lpBytes(buf, base);
    if (size > oldSize) {
      this.ref = database.resizeInline(this.ref, size, size >> 3);
      buf = records.bytesOf(this.ref);
      base = records.valueOffset(this.ref);
    }
    const pos = base + this.#foundAt;
    lpReplace(buf, base, size > oldSize ? size : oldSize, pos, value, valueOffset, valueLength);
    if (size < oldSize) this.ref = database.resizeInline(this.ref, size);
    return false;
  }

  /** What `#planSet` found: offset of the field's value from the listpack's start, or -1. */
  #foundAt = -1;
  /** Bytes of the listpack after the change. */
  #newSize = 0;

  /** Works out where a pair goes in the listpack and how large that gets; false when it has no room. */
  #planSet(
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
  ): boolean {
    const { limits } = this.database.keyspace;
    const longest = limits.hashMaxListpackValue;
    if (fieldLength > longest || valueLength > longest) return false;
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), field, fieldOffset, fieldLength, 1);
    let size = lpBytes(buf, base) + lpStageText(value, valueOffset, valueLength);
    if (pos < 0) {
      if (lpCount(buf, base) >> 1 >= limits.hashMaxListpackEntries) return false;
      size += lpStageText(field, fieldOffset, fieldLength);
      this.#foundAt = -1;
    } else {
      const valueAt = pos + lpSize(buf, pos);
      size -= lpSize(buf, valueAt);
      this.#foundAt = valueAt - base;
    }
    this.#newSize = size;
    return size <= INLINE_VALUE_MAX;
  }

  /** Removes a field; false when it is not there. A hash without fields has to be removed then. */
  remove(bytes: Uint8Array, offset: number, length: number): boolean {
    const { large } = this;
    if (large !== null) {
      const ref = large.find(bytes, offset, length);
      if (ref === 0) return false;
      large.remove(ref);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 1);
    if (pos < 0) return false;
    this.ref = this.database.resizeInline(this.ref, lpDelete(buf, base, pos, 2));
    return true;
  }

  /** Makes a small hash a large one, with room for `expected` pairs in all. */
  convert(expected: number): void {
    const large = new LargeHash();
    large.reserve(Math.max(expected, this.count));
    this.forEach((f, fOff, fLen, v, vOff, vLen) => large.set(f, fOff, fLen, v, vOff, vLen));
    this.ref = this.database.replaceByLarge(this.ref, TYPE_HASH, ENC_HASHTABLE, large);
    this.large = large;
  }

  /** Visits all pairs. `visit` must not change the hash. */
  forEach(visit: PairVisitor): void {
    const { large, field, value } = this;
    if (large !== null) {
      large.dict.forEach((ref) => {
        this.#read(large, ref);
        visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
      });
      return;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    forEachPair(buf, base, field, value, visit);
  }

  /** Points `field` and `value` at a pair drawn evenly. `draw` gives [0, 1). */
  drawPair(draw: () => number): void {
    const { large } = this;
    if (large !== null) return this.#read(large, large.dict.random(draw));
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpSeek(buf, base, Math.floor(draw() * this.count) * 2);
    this.field.setEntry(buf, pos);
    this.value.setEntry(buf, pos + lpSize(buf, pos));
  }

  /** Visits `count` different pairs, drawn evenly; all when there are no more. */
  sample(count: number, draw: () => number, visit: PairVisitor): void {
    const { large, field, value } = this;
    if (large !== null) {
      sampleDict(large.dict, count, draw, (ref) => {
        this.#read(large, ref);
        visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
      });
      return;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    let pos = lpFirst(buf, records.valueOffset(this.ref));
    let at = 0;
    for (const index of drawIndexes(count, this.count, draw)) {
      for (; at < index * 2; at++) pos += lpSize(buf, pos);
      field.setEntry(buf, pos);
      value.setEntry(buf, pos + lpSize(buf, pos));
      visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
    }
  }

  #read(large: LargeHash, ref: number): void {
    large.readField(ref, this.field);
    large.readValue(ref, this.value);
  }
}

/** Visits the pairs of a listpack; `field` and `value` hold them meanwhile. */
function forEachPair(
  buf: Uint8Array,
  base: number,
  field: ElementText,
  value: ElementText,
  visit: PairVisitor,
): void {
  const end = lpEnd(buf, base);
  let pos = base + LP_EMPTY_BYTES - 1;
  while (pos < end) {
    field.setEntry(buf, pos);
    pos += lpSize(buf, pos);
    value.setEntry(buf, pos);
    pos += lpSize(buf, pos);
    visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
  }
}

/** Makes a hash pair by pair, in the encoding that fits, before it becomes a key's value. */
export class HashBuilder {
  #limits!: ValueLimits;
  #listpack = new Uint8Array(1024);
  #large: LargeHash | null = null;

  /** Starts anew; `expected` is how many pairs will come (0: not known). */
  begin(limits: ValueLimits, expected = 0): void {
    this.#limits = limits;
    this.#large = null;
    lpNew(this.#listpack, 0);
    if (expected > limits.hashMaxListpackEntries) this.#convert(expected);
  }

  /** Pairs so far. */
  get count(): number {
    return this.#large === null ? lpCount(this.#listpack, 0) >> 1 : this.#large.count;
  }

  /** Gives a field a value; true when the field is new. The bytes are copied. */
  set(
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
  ): boolean {
    const longest = this.#limits.hashMaxListpackValue;
    if (this.#large === null && (fieldLength > longest || valueLength > longest)) this.#convert(0);
    if (this.#large === null) {
      const lp = this.#listpack;
      const pos = lpFind(lp, 0, lpFirst(lp, 0), field, fieldOffset, fieldLength, 1);
      const size = lpBytes(lp, 0) + lpStageText(value, valueOffset, valueLength) +
        (pos < 0 ? lpStageText(field, fieldOffset, fieldLength) : 0);
      const isFull = pos < 0 && this.count >= this.#limits.hashMaxListpackEntries;
      if (isFull || size > INLINE_VALUE_MAX) this.#convert(0);
      else {
        if (size > lp.length) this.#grow(size);
        const buf = this.#listpack;
        if (pos >= 0) {
          const valueAt = pos + lpSize(buf, pos);
          lpReplace(buf, 0, buf.length, valueAt, value, valueOffset, valueLength);
          return false;
        }
        lpAppend(buf, 0, buf.length, field, fieldOffset, fieldLength);
        lpAppend(buf, 0, buf.length, value, valueOffset, valueLength);
        return true;
      }
    }
    return this.#large!.set(
      field,
      fieldOffset,
      fieldLength,
      value,
      valueOffset,
      valueLength,
    );
  }

  /** Makes the hash the value of a key that is not there; it must have pairs. Returns the record. */
  addTo(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    expiresAtMs = NaN,
  ): number {
    const large = this.#large;
    this.#large = null;
    if (large !== null) {
      return database.addLarge(
        key,
        offset,
        length,
        TYPE_HASH,
        ENC_HASHTABLE,
        large,
        expiresAtMs,
      );
    }
    const size = lpBytes(this.#listpack, 0);
    const ref = database.addRecord(
      key,
      offset,
      length,
      TYPE_HASH,
      ENC_LISTPACK,
      size,
      0,
      expiresAtMs,
    );
    const { records } = database;
    copyBytes(records.bytesOf(ref), records.valueOffset(ref), this.#listpack, 0, size);
    return ref;
  }

  #convert(expected: number): void {
    const large = new LargeHash();
    large.reserve(Math.max(expected, this.count));
    forEachPair(this.#listpack, 0, new ElementText(), new ElementText(), (f, fo, fl, v, vo, vl) => {
      large.set(f, fo, fl, v, vo, vl);
    });
    this.#large = large;
  }

  #grow(size: number): void {
    const larger = new Uint8Array(Math.min(INLINE_VALUE_MAX, size * 2));
    larger.set(this.#listpack);
    this.#listpack = larger;
  }
}

/** The view that handlers share. */
export const hashView = new HashView();
/** The builder that handlers share. */
export const hashBuilder = new HashBuilder();
