/**
 * Hashes in the keyspace: `HashView` looks at one and changes it, whatever its encoding, and
 * `HashBuilder` makes new ones. Between commands (and snapshots) and values/listpack.ts,
 * values/timed_listpack.ts, values/large_hash.ts. As in Redis:
 *
 *     ENC_LISTPACK      field, value, field, value … in the record, up to `hash-max-listpack-entries`
 *                       pairs with no text longer than `hash-max-listpack-value`
 *     ENC_LISTPACK_EX   the same with a time behind each value, once a field was to expire
 *     ENC_HASHTABLE     a LargeHash in a slot; it never becomes a listpack again
 *
 * A field whose time is over is there and hidden: `find`, `has` and `forEach` pass it by, `count`, `set`
 * and `remove` do not. Where expired keys are ours to delete, `find` and `has` remove it; then the hash
 * may be gone, and `ref` is 0. After changes of times comes `measure`, too. See "Fields that expire" in
 * NOTES.
 *
 * To read a hash elsewhere (DEBUG DIGEST, SORT BY): `view.open(database, ref)`, then `forEachStored`
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
import {
  ENC_HASHTABLE,
  ENC_LISTPACK,
  ENC_LISTPACK_EX,
  INLINE_VALUE_MAX,
  PLACE_BYTES,
  TYPE_HASH,
} from "../arena/record.ts";
import { copyBytes } from "../base/bytes.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import type { ElementStack } from "../values/element_stack.ts";
import { ElementText } from "../values/element_text.ts";
import { LargeHash } from "../values/large_hash.ts";
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
  lpFirstAt,
  lpNew,
  lpReplace,
  lpSeek,
  lpSize,
  lpStageText,
} from "../values/listpack.ts";
import { drawIndexes, sampleDict } from "../values/sampling.ts";
import {
  addTimes,
  countBefore,
  firstNotBefore,
  firstTime,
  NO_TIME_BYTES,
  retime,
  TIME_BYTES_MAX,
  timeOfField,
  TRIPLE,
} from "../values/timed_listpack.ts";
import type { Database } from "./database.ts";
import type { ValueSource } from "./doors.ts";
import { EXPIRE_IGNORED } from "./expire_mode.ts";
import type { ValueLimits } from "./keyspace.ts";

/** Entries of a pair in a listpack without times. */
const PAIR = 2;
const ANY_TIME = -Infinity;

/** Sees a pair: the field's bytes, then the value's. They hold only during the call. */
export type PairVisitor = (
  field: Uint8Array,
  fieldOffset: number,
  fieldLength: number,
  value: Uint8Array,
  valueOffset: number,
  valueLength: number,
) => void;

/** A pair and when it expires, in Unix ms, NaN when it does not. */
export type TimedPairVisitor = (
  field: Uint8Array,
  fieldOffset: number,
  fieldLength: number,
  value: Uint8Array,
  valueOffset: number,
  valueLength: number,
  expiresAtMs: number,
) => void;

/** The earliest time at which a field of a hash expires, Infinity when none does. */
export function firstFieldExpiry(source: ValueSource, ref: number): number {
  const { records } = source;
  const encoding = (records.metaOf(ref) >>> 4) & 0xf;
  if (encoding === ENC_HASHTABLE) return (source.largeValue(ref) as LargeHash).firstExpiryMs;
  if (encoding !== ENC_LISTPACK_EX) return Infinity;
  return firstTime(records.bytesOf(ref), records.valueOffset(ref) + PLACE_BYTES);
}

/** What a view shows whose hash is gone. */
const NOTHING = new LargeHash();

/** The position of a field in a listpack of pairs, -1 when it is not there. */
function findPair(
  buf: Uint8Array,
  base: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  return lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, 1);
}

/** Draws that may meet fields whose time is over, before those that are there are listed. */
const DRAWS_MAX = 64;

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
  /** Whether `find` and `has` leave it to `tellLapsed` to tell of the fields that they remove. */
  tellsLater = false;
  /** Fields that `find` and `has` have removed and nobody was told of. */
  #lapsed = 0;
  /** Entries of a field in the listpack of a small one: PAIR or TRIPLE. */
  #step = PAIR;

  /** Looks at the hash of a record. */
  open(database: Database, ref: number): void {
    const encoding = database.encodingOf(ref);
    this.database = database;
    this.ref = ref;
    this.large = encoding === ENC_HASHTABLE ? database.largeValue(ref) as LargeHash : null;
    this.#step = encoding === ENC_LISTPACK_EX ? TRIPLE : PAIR;
  }

  /** Where the listpack of a small one lies in its record's buffer. */
  get #base(): number {
    const at = this.database.records.valueOffset(this.ref);
    return this.#step === PAIR ? at : at + PLACE_BYTES;
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

  /** Says that the changes are done: takes the new size, and the earliest expiry, into account. */
  measure(): void {
    if (this.large !== null || this.#step !== PAIR) this.#measure(this.large);
  }

  #measure(large: LargeHash | null): void {
    const { database, ref } = this;
    if (large === null) return database.setFieldTime(ref, this.firstExpiryMs);
    if (ref === 0) return;
    large.dict.compactStep(COMPACT_RECORDS);
    database.measured(ref, large.memoryBytes);
    if (large.due !== null) database.setFieldTime(ref, large.due.firstMs);
  }

  /** Pairs in the hash; those whose time is over count. */
  get count(): number {
    if (this.large !== null) return this.large.count;
    const entries = lpCount(this.database.records.bytesOf(this.ref), this.#base);
    return this.#step === PAIR ? entries >> 1 : entries / TRIPLE;
  }

  /** Points `value` at the value of a field; false when there is no such field. */
  find(bytes: Uint8Array, offset: number, length: number): boolean {
    const { large } = this;
    if (large !== null) {
      const ref = large.find(bytes, offset, length);
      if (ref === 0) return false;
      if (large.due !== null && this.isOver(large.expiryOf(ref))) {
        return this.#lapse(bytes, offset, length);
      }
      large.readValue(ref, this.value);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const pos = this.#step === PAIR
      ? findPair(buf, records.valueOffset(this.ref), bytes, offset, length)
      : this.#findTriple(bytes, offset, length);
    if (pos < 0) return false;
    this.value.setEntry(buf, pos + lpSize(buf, pos));
    return true;
  }

  /** Whether there is such a field. */
  has(bytes: Uint8Array, offset: number, length: number): boolean {
    const { large } = this;
    if (large === null) {
      if (this.#step !== PAIR) return this.#findTriple(bytes, offset, length) >= 0;
      const { records } = this.database;
      const base = records.valueOffset(this.ref);
      return findPair(records.bytesOf(this.ref), base, bytes, offset, length) >= 0;
    }
    const ref = large.find(bytes, offset, length);
    if (ref === 0 || large.due === null || !this.isOver(large.expiryOf(ref))) return ref !== 0;
    return this.#lapse(bytes, offset, length);
  }

  /** The position of a field in the listpack of triples, -1 when it is not there or its time is over. */
  #findTriple(bytes: Uint8Array, offset: number, length: number): number {
    const buf = this.database.records.bytesOf(this.ref);
    const base = this.#base;
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, TRIPLE - 1);
    if (pos < 0 || !this.isOver(timeOfField(buf, pos) || NaN)) return pos;
    this.#lapse(bytes, offset, length);
    return -1;
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
    if (this.#foundAt >= 0) return this.#replaceValue(value, valueOffset, valueLength);
    const { database } = this;
    const { records } = database;
    const size = this.#newSize;
    const ahead = this.#step === PAIR ? 0 : PLACE_BYTES;
    const ref = this.ref = database.resizeInline(this.ref, size + ahead, size >> 3);
    const buf = records.bytesOf(ref);
    const base = records.valueOffset(ref) + ahead;
    lpAppend(buf, base, size, field, fieldOffset, fieldLength);
    lpAppend(buf, base, size, value, valueOffset, valueLength);
    if (ahead !== 0) lpAppendInteger(buf, base, size, 0);
    return true;
  }

  /** Puts a value in the place of the one that `#planSet` found. False: the field is not new. */
  #replaceValue(value: Uint8Array, valueOffset: number, valueLength: number): false {
    const { database } = this;
    const { records } = database;
    const ahead = this.#step === PAIR ? 0 : PLACE_BYTES;
    let buf = records.bytesOf(this.ref);
    let base = records.valueOffset(this.ref) + ahead;
    const size = this.#newSize;
    if (this.replaced !== null) {
      this.value.setEntry(buf, base + this.#foundAt);
      this.replaced.push(this.value.bytes, this.value.offset, this.value.length);
    }
    const oldSize = lpBytes(buf, base);
    if (size > oldSize) {
      this.ref = database.resizeInline(this.ref, size + ahead, size >> 3);
      buf = records.bytesOf(this.ref);
      base = records.valueOffset(this.ref) + ahead;
    }
    const pos = base + this.#foundAt;
    lpReplace(buf, base, size > oldSize ? size : oldSize, pos, value, valueOffset, valueLength);
    if (size < oldSize) this.ref = database.resizeInline(this.ref, size + ahead);
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
    const isTimed = this.#step !== PAIR;
    const base = records.valueOffset(this.ref) + (isTimed ? PLACE_BYTES : 0);
    const pos = isTimed
      ? lpFind(buf, base, lpFirst(buf, base), field, fieldOffset, fieldLength, TRIPLE - 1)
      : findPair(buf, base, field, fieldOffset, fieldLength);
    let size = lpBytes(buf, base) + lpStageText(value, valueOffset, valueLength);
    if (pos < 0) {
      const entries = lpCount(buf, base);
      const pairs = isTimed ? entries / TRIPLE : entries >> 1;
      if (pairs >= limits.hashMaxListpackEntries) return false;
      size += lpStageText(field, fieldOffset, fieldLength) + (isTimed ? NO_TIME_BYTES : 0);
      this.#foundAt = -1;
    } else {
      const valueAt = pos + lpSize(buf, pos);
      size -= lpSize(buf, valueAt);
      this.#foundAt = valueAt - base;
    }
    this.#newSize = size;
    return size <= (isTimed ? INLINE_VALUE_MAX - PLACE_BYTES : INLINE_VALUE_MAX);
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
    const buf = this.database.records.bytesOf(this.ref);
    const base = this.#base;
    const step = this.#step;
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, step - 1);
    if (pos < 0) return false;
    const size = lpDelete(buf, base, pos, step);
    this.ref = this.database.resizeInline(this.ref, step === PAIR ? size : size + PLACE_BYTES);
    return true;
  }

  /** Makes a small hash a large one, with room for `expected` pairs in all. */
  convert(expected: number): void {
    const large = new LargeHash();
    large.reserve(Math.max(expected, this.count));
    if (this.#step !== PAIR) large.reserveExpiries(this.count);
    this.forEachStored((f, fOff, fLen, v, vOff, vLen, expiresAtMs) => {
      large.set(f, fOff, fLen, v, vOff, vLen);
      if (expiresAtMs === expiresAtMs) large.setExpiry(large.lastRef, expiresAtMs);
    });
    this.ref = this.database.replaceByLarge(this.ref, TYPE_HASH, ENC_HASHTABLE, large);
    this.large = large;
    this.#step = PAIR;
    if (large.due !== null) this.database.setFieldTime(this.ref, large.due.firstMs);
  }

  /** Visits all pairs whose time is not over. `visit` must not change the hash. */
  forEach(visit: PairVisitor): void {
    const { large, field, value } = this;
    if (this.hasOver) return this.#forEachBut(this.database.keyspace.nowMs, visit);
    if (large !== null) {
      large.dict.forEach((ref) => {
        this.#read(large, ref);
        visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
      });
      return;
    }
    if (this.#step !== PAIR) return this.#forEachBut(ANY_TIME, visit);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    forEachPair(buf, base, field, value, visit);
  }

  /** `forEach` with the time at which each expires (NaN: it does not), whether that is over or not. */
  forEachStored(visit: TimedPairVisitor): void {
    this.#forEachBut(ANY_TIME, visit);
  }

  /** Visits all pairs but those whose time is before `untilMs`. */
  #forEachBut(untilMs: number, visit: TimedPairVisitor): void {
    const { large, field, value } = this;
    const show = (timeMs: number) =>
      visit(
        field.bytes,
        field.offset,
        field.length,
        value.bytes,
        value.offset,
        value.length,
        timeMs,
      );
    if (large !== null) {
      large.dict.forEach((ref) => {
        const timeMs = large.due === null ? NaN : large.expiryOf(ref);
        if (timeMs < untilMs) return;
        this.#read(large, ref);
        show(timeMs);
      });
      return;
    }
    const buf = this.database.records.bytesOf(this.ref);
    const base = this.#base;
    if (this.#step === PAIR) return forEachPair(buf, base, field, value, () => show(NaN));
    const end = lpEnd(buf, base);
    for (let pos = firstNotBefore(buf, base, untilMs); pos < end;) {
      const timeMs = timeOfField(buf, pos) || NaN;
      field.setEntry(buf, pos);
      pos += lpSize(buf, pos);
      value.setEntry(buf, pos);
      pos += lpSize(buf, pos);
      pos += lpSize(buf, pos);
      show(timeMs);
    }
  }

  /**
   * Points `field` and `value` at a pair drawn evenly among those whose time is not over; there must be one.
   * `draw` gives [0, 1).
   */
  drawPair(draw: () => number): void {
    const { large } = this;
    if (large !== null) return this.#read(large, this.#drawField(large, draw));
    const buf = this.database.records.bytesOf(this.ref);
    const over = this.overCount;
    const index = over + Math.floor(draw() * (this.count - over));
    const pos = lpSeek(buf, this.#base, index * this.#step);
    this.field.setEntry(buf, pos);
    this.value.setEntry(buf, pos + lpSize(buf, pos));
  }

  /** Draws until the time is not over; where that is true of few, from a list of them. */
  #drawField(large: LargeHash, draw: () => number): number {
    const { dict } = large;
    if (!this.hasOver) return dict.random(draw);
    for (let i = 0; i < DRAWS_MAX; i++) {
      const ref = dict.random(draw);
      if (!this.isOver(large.expiryOf(ref))) return ref;
    }
    const refs = this.#refsThere(large);
    return refs[Math.floor(draw() * refs.length)];
  }

  /** The fields whose time is not over. */
  #refsThere(large: LargeHash): number[] {
    const refs: number[] = [];
    large.dict.forEach((ref) => {
      if (!this.isOver(large.expiryOf(ref))) refs.push(ref);
    });
    return refs;
  }

  /** Visits `count` different pairs whose time is not over, drawn evenly; all when there are no more. */
  sample(count: number, draw: () => number, visit: PairVisitor): void {
    const { large, field, value } = this;
    if (large !== null) {
      const show = (ref: number) => {
        this.#read(large, ref);
        visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
      };
      if (!this.hasOver) return sampleDict(large.dict, count, draw, show);
      const refs = this.#refsThere(large);
      for (const index of drawIndexes(count, refs.length, draw)) show(refs[index]);
      return;
    }
    const buf = this.database.records.bytesOf(this.ref);
    const step = this.#step;
    let pos = lpFirst(buf, this.#base);
    let at = 0;
    const over = this.overCount;
    for (const index of drawIndexes(count, this.count - over, draw)) {
      for (; at < (over + index) * step; at++) pos += lpSize(buf, pos);
      field.setEntry(buf, pos);
      value.setEntry(buf, pos + lpSize(buf, pos));
      visit(field.bytes, field.offset, field.length, value.bytes, value.offset, value.length);
    }
  }

  // -- fields that expire -------------------------------------------------------------------

  /** Whether a time, NaN for none, is over, as a lookup by whoever it is just now has it. */
  isOver(timeMs: number): boolean {
    const { keyspace } = this.database;
    return timeMs < keyspace.nowMs && keyspace.expireMode !== EXPIRE_IGNORED;
  }

  /** Whether a field has or has had a time: its value may be one that HSET has to clear it of. */
  get hasTimes(): boolean {
    return this.large === null ? this.#step !== PAIR : this.large.due !== null;
  }

  /** The earliest time at which a field expires, Infinity when none does. */
  get firstExpiryMs(): number {
    if (this.large !== null) return this.large.firstExpiryMs;
    if (this.#step === PAIR) return Infinity;
    return firstTime(this.database.records.bytesOf(this.ref), this.#base);
  }

  /** Whether there are fields whose time is over. */
  get hasOver(): boolean {
    return this.hasTimes && this.isOver(this.firstExpiryMs);
  }

  /** How many those are. */
  get overCount(): number {
    if (!this.hasOver) return 0;
    const { nowMs } = this.database.keyspace;
    if (this.large !== null) return this.large.due!.countBefore(nowMs);
    return countBefore(this.database.records.bytesOf(this.ref), this.#base, nowMs);
  }

  /**
   * When a field expires, in Unix ms: NaN when it does not, -1 when there is no such field or its time is
   * over. Removes nothing.
   */
  expiryOf(bytes: Uint8Array, offset: number, length: number): number {
    const { large } = this;
    let timeMs = NaN;
    if (large !== null) {
      const ref = large.find(bytes, offset, length);
      if (ref === 0) return -1;
      timeMs = large.expiryOf(ref);
    } else {
      const buf = this.database.records.bytesOf(this.ref);
      const base = this.#base;
      const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, this.#step - 1);
      if (pos < 0) return -1;
      if (this.#step !== PAIR) timeMs = timeOfField(buf, pos) || NaN;
    }
    return this.isOver(timeMs) ? -1 : timeMs;
  }

  /**
   * Takes the memory for times of so many fields, after which `setExpiry` takes none. The hash has to be
   * open for writing. @throws RangeError with nothing changed but, perhaps, the encoding
   */
  reserveExpiries(fields: number): void {
    const { database } = this;
    database.reserveFieldTime();
    if (this.large === null) {
      const { records } = database;
      const buf = records.bytesOf(this.ref);
      const size = lpBytes(buf, this.#base);
      const added = this.#step === PAIR ? NO_TIME_BYTES * this.count : 0;
      const most = PLACE_BYTES + size + added + TIME_BYTES_MAX * fields;
      if (most > INLINE_VALUE_MAX) this.convert(0);
      else if (this.#step === PAIR) this.#addTimes(size, most);
      else this.ref = database.resizeInline(this.ref, most);
    }
    this.large?.reserveExpiries(fields);
  }

  /** Makes the listpack one of triples, in a record with room for `most` bytes. */
  #addTimes(size: number, most: number): void {
    const { database } = this;
    const { records } = database;
    const base = this.#base;
    const pairs = records.bytesOf(this.ref).slice(base, base + size);
    this.ref = database.replaceByInline(this.ref, TYPE_HASH, ENC_LISTPACK_EX, most);
    this.#step = TRIPLE;
    const buf = records.bytesOf(this.ref);
    const at = this.#base;
    buf.fill(0, at - PLACE_BYTES, at);
    addTimes(buf, at, pairs, 0);
  }

  /**
   * Has a field that is there expire at this time, or with NaN not at all. Comes after `reserveExpiries`;
   * taking a time away needs no memory.
   */
  setExpiry(bytes: Uint8Array, offset: number, length: number, expiresAtMs: number): void {
    const { large } = this;
    if (large !== null) {
      const ref = large.find(bytes, offset, length);
      if (ref !== 0) large.setExpiry(ref, expiresAtMs);
      return;
    }
    if (this.#step === PAIR) return;
    const buf = this.database.records.bytesOf(this.ref);
    const base = this.#base;
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, offset, length, TRIPLE - 1);
    if (pos < 0) return;
    const timeMs = expiresAtMs === expiresAtMs ? expiresAtMs : 0;
    if (timeOfField(buf, pos) !== timeMs) retime(buf, base, pos, timeMs);
  }

  /** Gives back what `reserveExpiries` has taken too much; then comes `measure`. */
  trim(): void {
    if (this.large !== null || this.#step === PAIR) return;
    const size = lpBytes(this.database.records.bytesOf(this.ref), this.#base);
    this.ref = this.database.resizeInline(this.ref, PLACE_BYTES + size);
  }

  /** A field was come upon whose time is over: it goes, where that is ours to do. False: it is not there. */
  #lapse(bytes: Uint8Array, offset: number, length: number): false {
    const { database } = this;
    if (!database.keyspace.deletesExpired) return false;
    database.beforeWrite(this.ref);
    database.fieldExpired(this.ref, bytes, offset, length);
    this.remove(bytes, offset, length);
    this.#lapsed++;
    if (!this.tellsLater) this.tellLapsed();
    return false;
  }

  /** Tells of the fields that have been removed as their time was over; the hash goes with the last one. */
  tellLapsed(): void {
    this.tellsLater = false;
    if (this.#lapsed === 0) return;
    this.#lapsed = 0;
    const isEmpty = this.count === 0;
    if (!isEmpty) this.measure();
    this.database.fieldsExpired(this.ref, isEmpty);
    if (!isEmpty) return;
    this.ref = 0;
    this.large = NOTHING;
    this.#step = PAIR;
  }

  /**
   * Removes up to `most` fields whose time is over, each as a unit of the stream if `inUnits`; returns how
   * many those were. Nobody is told yet, see `tellLapsed`, which has to come in any case. @throws RangeError
   * when there is no memory for the stream
   */
  removeOver(most: number, inUnits: boolean): number {
    const { database, large, field } = this;
    const { keyspace } = database;
    database.beforeWrite(this.ref);
    let removed = 0;
    for (; removed < most && this.firstExpiryMs < keyspace.nowMs; removed++) {
      if (large !== null) large.readField(large.due!.firstRef, field);
      else field.setEntry(database.records.bytesOf(this.ref), lpFirstAt(this.#base));
      const { bytes, offset, length } = field;
      if (inUnits) {
        keyspace.stream.unit(() => database.fieldExpired(this.ref, bytes, offset, length));
      } else database.fieldExpired(this.ref, bytes, offset, length);
      if (large !== null) large.remove(large.due!.firstRef);
      else this.#removeFirst();
      this.#lapsed++;
    }
    return removed;
  }

  #removeFirst(): void {
    const base = this.#base;
    const size = lpDelete(
      this.database.records.bytesOf(this.ref),
      base,
      lpFirstAt(base),
      TRIPLE,
    );
    this.ref = this.database.resizeInline(this.ref, PLACE_BYTES + size);
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
