/**
 * A large hash (answered as "hashtable"): a Dict whose records are the fields. Small ones are
 * listpacks and live elsewhere.
 *
 *     record key    field
 *     record value  the value's bytes; with LONG_VALUE in the meta word, a slot number (4 bytes,
 *                   little-endian) of a value that is too long for a record
 *     meta word     bit 0 LONG_VALUE; from bit 1 on, of a field that expires, its place in `due` + 1
 *
 * What expires stands in `due` with its time; a hash in which nothing has ever expired has none, and
 * pays nothing. Whether a time is over is not looked at here.
 *
 * References are valid until the next change of the hash.
 */

import { Dict, type MoveListener } from "../arena/dict.ts";
import type { DictFill } from "../arena/dict_fill.ts";
import { DueTimes, type PlaceKeeper } from "../arena/due_times.ts";
import { INLINE_VALUE_MAX } from "../arena/record.ts";
import { copyBytes, copyWords } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import type { ElementStack } from "./element_stack.ts";
import { ElementText } from "./element_text.ts";
import { TableCopy, type ValueCopy } from "./value_copy.ts";

const LONG_VALUE = 1;
const PLACE_SHIFT = 1;
const SLOT_BYTES = 4;
const EMPTY = new Uint8Array(0);
const replacedText = new ElementText();

export class LargeHash implements MoveListener, PlaceKeeper {
  /** The fields; values only through the methods below. */
  readonly dict = new Dict();
  /** When fields expire; null as long as none ever has. */
  due: DueTimes | null = null;
  /** Place of the hash in the database's index of hashes with fields that expire, + 1; 0 for none. */
  dueAt = 0;
  #longValues: Uint8Array[] = [];
  #freeSlots: number[] = [];
  #longBytes = 0;

  /** The record of the field that `set` has given a value last, until the next change. */
  lastRef = 0;

  /** Fields in the hash. */
  get count(): number {
    return this.dict.count;
  }

  /** Bytes in use. O(1). */
  get memoryBytes(): number {
    return this.dict.memoryBytes + this.#longBytes + (this.due === null ? 0 : this.due.memoryBytes);
  }

  /** Gives the memory back. The hash may not be used any more. */
  dispose(): void {
    this.dict.dispose();
    this.due?.dispose();
  }

  /** See LargeValue; the fields have a way of their own. */
  vacateOne(): boolean {
    return this.due?.vacateOne() ?? false;
  }

  /** Makes room for `count` fields at once, while the hash is empty. */
  reserve(count: number): void {
    this.dict.reserve(count);
  }

  /** The record of a field, or 0. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    return this.dict.get(bytes, offset, length);
  }

  /** Points `text` at the field of a record. */
  readField(ref: number, text: ElementText): void {
    const { dict } = this;
    text.set(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref));
  }

  /** Points `text` at the value of a record. */
  readValue(ref: number, text: ElementText): void {
    const { dict } = this;
    if ((dict.metaOf(ref) & LONG_VALUE) !== 0) {
      const bytes = this.#longValues[dict.intValue(ref)];
      text.set(bytes, 0, bytes.length);
    } else text.set(dict.bytesOf(ref), dict.valueOffset(ref), dict.valueLength(ref));
  }

  /**
   * Gives a field a value; true when the field is new. The bytes are copied; `valueOwned` says that a
   * buffer which holds the value alone may be kept instead. A value that was there is put on `replaced`
   * before it goes, and its room is kept. @throws RangeError without a change when there
   * is no memory
   */
  set(
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
    valueOwned = false,
    replaced: ElementStack | null = null,
  ): boolean {
    const { dict } = this;
    let ref = dict.get(field, fieldOffset, fieldLength);
    const isNew = ref === 0;
    const isLong = valueLength > INLINE_VALUE_MAX;
    const recordBytes = isLong ? SLOT_BYTES : valueLength;
    const isAlone = valueOwned && valueLength === value.length;
    const kept = !isLong || isAlone ? value : value.slice(valueOffset, valueOffset + valueLength);
    if (isNew) {
      const meta = isLong ? LONG_VALUE : 0;
      ref = dict.add(field, fieldOffset, fieldLength, dict.hash, recordBytes, meta, NaN);
    } else {
      const wasLong = (dict.metaOf(ref) & LONG_VALUE) !== 0;
      const slot = wasLong ? dict.intValue(ref) : 0;
      if (replaced === null) ref = dict.resizeValue(ref, recordBytes);
      else ref = this.#resizeReplaced(replaced, ref, recordBytes);
      if (wasLong) this.#dropLongValue(slot);
      if (isLong !== wasLong) dict.setMeta(ref, dict.metaOf(ref) ^ LONG_VALUE);
    }
    this.lastRef = ref;
    if (isLong) this.#writeSlot(ref, this.#keep(kept));
    else copyBytes(dict.bytesOf(ref), dict.valueOffset(ref), value, valueOffset, valueLength);
    return isNew;
  }

  /**
   * Adds a field that must not be there, with a value of at most INLINE_VALUE_MAX bytes, by way of a `fill` of `dict`.
   * False when one of those added so is there twice (see DictFill). @throws RangeError when there is no memory
   */
  addWith(
    fill: DictFill,
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
  ): boolean {
    const { dict } = this;
    const hash = hashBytes(field, fieldOffset, fieldLength);
    const ref = fill.add(field, fieldOffset, fieldLength, hash, valueLength, 0);
    if (ref === 0) return false;
    copyWords(dict.bytesOf(ref), dict.valueOffset(ref), value, valueOffset, valueLength);
    return true;
  }

  /** Removes a field. */
  remove(ref: number): void {
    const { dict } = this;
    const meta = dict.metaOf(ref);
    const slot = (meta & LONG_VALUE) !== 0 ? dict.intValue(ref) : -1;
    // A snapshot still looks at the time before the record goes.
    dict.remove(ref);
    if (slot >= 0) this.#dropLongValue(slot);
    const place = meta >>> PLACE_SHIFT;
    if (place !== 0) this.due!.removeAt(place - 1);
  }

  // -- fields that expire -------------------------------------------------------------------

  /** When a field expires, in Unix ms; NaN when it does not. */
  expiryOf(ref: number): number {
    const place = this.dict.metaOf(ref) >>> PLACE_SHIFT;
    return place === 0 ? NaN : this.due!.timeAt(place - 1);
  }

  /** The earliest time at which a field expires, Infinity when none does. */
  get firstExpiryMs(): number {
    return this.due === null ? Infinity : this.due.firstMs;
  }

  /** Takes the memory for expiries of so many further fields. @throws RangeError without a change */
  reserveExpiries(count: number): void {
    if (this.due === null) {
      const due = new DueTimes(this);
      due.reserve(count);
      this.due = due;
      this.dict.listener = this;
    } else this.due.reserve(count);
  }

  /**
   * Has a field expire at this time, or with NaN not at all. @throws RangeError without a change when there
   * is no memory, which cannot be after `reserveExpiries`
   */
  setExpiry(ref: number, expiresAtMs: number): void {
    const { dict } = this;
    const place = dict.metaOf(ref) >>> PLACE_SHIFT;
    const wants = expiresAtMs === expiresAtMs;
    if (place === 0 && !wants) return;
    if (place === 0) this.reserveExpiries(1);
    if (dict.hook !== null) dict.hook.beforeRecordWrite(dict, ref);
    if (place === 0) this.due!.add(ref, expiresAtMs);
    else if (wants) this.due!.change(place - 1, expiresAtMs);
    else {
      dict.setMeta(ref, dict.metaOf(ref) & LONG_VALUE);
      this.due!.removeAt(place - 1);
    }
  }

  /** PlaceKeeper: where the expiry of a field stands. */
  placed(ref: number, place: number): void {
    const { dict } = this;
    dict.setMeta(ref, (dict.metaOf(ref) & LONG_VALUE) | ((place + 1) << PLACE_SHIFT));
  }

  /** MoveListener: a field has a new reference. */
  recordMoved(_oldRef: number, newRef: number): void {
    const place = this.dict.metaOf(newRef) >>> PLACE_SHIFT;
    if (place !== 0) this.due!.moved(place - 1, newRef);
  }

  /** A copy that shares nothing with this hash. */
  clone(): LargeHash {
    return this.beginCopy().run();
  }

  /** `clone` in pieces. */
  beginCopy(): ValueCopy<LargeHash> {
    const copy = new LargeHash();
    copy.reserve(this.count);
    return new TableCopy(copy, this.dict, (ref) => this.#copyField(copy, ref));
  }

  #copyField(copy: LargeHash, ref: number): void {
    const { dict } = this;
    const bytes = dict.bytesOf(ref);
    const at = dict.keyOffset(ref);
    const length = dict.keyLength(ref);
    if ((dict.metaOf(ref) & LONG_VALUE) !== 0) {
      const value = this.#longValues[dict.intValue(ref)];
      copy.set(bytes, at, length, value, 0, value.length);
    } else copy.set(bytes, at, length, bytes, dict.valueOffset(ref), dict.valueLength(ref));
    if (this.due === null) return;
    const expiresAtMs = this.expiryOf(ref);
    if (expiresAtMs === expiresAtMs) copy.setExpiry(copy.lastRef, expiresAtMs);
  }

  #keep(value: Uint8Array): number {
    const slot = this.#freeSlots.pop() ?? this.#longValues.length;
    this.#longValues[slot] = value;
    this.#longBytes += value.length;
    return slot;
  }

  /** Lets go of a long value, whose record a snapshot has been shown and which is gone or rewritten. */
  #dropLongValue(slot: number): void {
    this.#longBytes -= this.#longValues[slot].length;
    this.#longValues[slot] = EMPTY;
    this.#freeSlots.push(slot);
  }

  /** Puts a value on `replaced` and changes its length, so that it finds its room if it comes back. */
  #resizeReplaced(replaced: ElementStack, ref: number, recordBytes: number): number {
    const { dict } = this;
    this.readValue(ref, replacedText);
    replaced.push(replacedText.bytes, replacedText.offset, replacedText.length);
    if (recordBytes > dict.valueCapacity(ref)) return dict.resizeValue(ref, recordBytes);
    dict.hook?.beforeRecordWrite(dict, ref);
    dict.setValueLength(ref, recordBytes);
    return ref;
  }

  #writeSlot(ref: number, slot: number): void {
    const bytes = this.dict.bytesOf(ref);
    const at = this.dict.valueOffset(ref);
    for (let i = 0; i < SLOT_BYTES; i++) bytes[at + i] = slot >>> (i << 3);
  }
}
