/**
 * Which clients have read which keys: for each key the numbers of their trackers, as a record in an
 * arena (arena/dict.ts). A key that one client has read takes about 40 bytes beside its own, whatever
 * the number of keys.
 *
 *     key bytes │ number, number, … (32 bits each, little-endian, ascending)
 *
 * Databases are not told apart, as in Redis: a key is a name. A number stays when its client is gone,
 * until the key is forgotten or `sweepSome` comes by; so a client that has read a million keys leaves at
 * once.
 */

import { Dict } from "../arena/dict.ts";
import { INLINE_VALUE_MAX } from "../arena/record.ts";

const NUMBER_BYTES = 4;
/** Buckets that one slice of a resize goes over. */
const BUCKETS = 64;
/** Numbers that one slice of sweeping looks at, about: those of one bucket are looked at together. */
const SWEPT_NUMBERS = 2_000;

/** What `KeyTable.add` has done. */
export type Addition = "added" | "known" | "full";

export class KeyTable {
  #dict = new Dict();
  /** Numbers in all lists together. */
  itemCount = 0;
  #sweepCursor = 0;
  /** Numbers that the slice at hand may still look at. */
  #sweepLeft = 0;

  get keyCount(): number {
    return this.#dict.count;
  }

  /** Bytes in use. */
  get memoryBytes(): number {
    return this.#dict.count === 0 ? 0 : this.#dict.memoryBytes;
  }

  /** Bytes held from the system. */
  get reservedBytes(): number {
    return this.#dict.count === 0 ? 0 : this.#dict.reservedBytes;
  }

  /**
   * Notes that a key was read by the tracker with this number. "full": there is no room in its list for
   * one more; nothing has changed. @throws RangeError without a change when there is no memory
   */
  add(bytes: Uint8Array, offset: number, length: number, number: number): Addition {
    const dict = this.#dict;
    let ref = dict.get(bytes, offset, length);
    if (ref === 0) {
      ref = dict.add(bytes, offset, length, dict.hash, NUMBER_BYTES, 0, NaN);
      this.#write(ref, 0, number);
      this.itemCount++;
      return "added";
    }
    const count = this.countOf(ref);
    const place = this.#placeOf(ref, count, number);
    if (place < count && this.numberAt(ref, place) === number) return "known";
    const size = (count + 1) * NUMBER_BYTES;
    if (size > INLINE_VALUE_MAX) return "full";
    ref = dict.resizeValue(ref, size, size >> 1);
    const buffer = dict.bytesOf(ref);
    const at = dict.valueOffset(ref);
    const from = at + place * NUMBER_BYTES;
    buffer.copyWithin(from + NUMBER_BYTES, from, at + count * NUMBER_BYTES);
    this.#write(ref, place, number);
    this.itemCount++;
    return "added";
  }

  /** The first place in the list whose number is not below `number`. */
  #placeOf(ref: number, count: number, number: number): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.numberAt(ref, middle) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #write(ref: number, place: number, number: number): void {
    const bytes = this.#dict.bytesOf(ref);
    const at = this.#dict.valueOffset(ref) + place * NUMBER_BYTES;
    bytes[at] = number;
    bytes[at + 1] = number >>> 8;
    bytes[at + 2] = number >>> 16;
    bytes[at + 3] = number >>> 24;
  }

  // -- entries; a reference holds until the next addition or removal -------------------------

  /** The entry of a key, or 0. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    return this.#dict.count === 0 ? 0 : this.#dict.get(bytes, offset, length);
  }

  /** An entry drawn evenly, or 0. `draw` gives [0, 1). */
  random(draw: () => number): number {
    return this.#dict.random(draw);
  }

  /** Numbers in the list of an entry. */
  countOf(ref: number): number {
    return this.#dict.valueLength(ref) / NUMBER_BYTES;
  }

  numberAt(ref: number, place: number): number {
    const bytes = this.#dict.bytesOf(ref);
    const at = this.#dict.valueOffset(ref) + place * NUMBER_BYTES;
    return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
  }

  /** Where the key of an entry lies: the buffer, the offset in it, the length. */
  bytesOf(ref: number): Uint8Array {
    return this.#dict.bytesOf(ref);
  }

  offsetOf(ref: number): number {
    return this.#dict.keyOffset(ref);
  }

  lengthOf(ref: number): number {
    return this.#dict.keyLength(ref);
  }

  /** Forgets a key. */
  remove(ref: number): void {
    this.itemCount -= this.countOf(ref);
    this.#dict.remove(ref);
  }

  /** Forgets all keys. */
  clear(): void {
    if (this.#dict.count === 0) return;
    this.#dict.dispose();
    this.#dict = new Dict();
    this.itemCount = 0;
    this.#sweepCursor = 0;
  }

  // -- housekeeping, in slices --------------------------------------------------------------

  /**
   * Takes the numbers out that `isGone` says are nobody's, of some of the keys; keys that nobody else has
   * read are forgotten. True while a pass over all keys is under way.
   */
  sweepSome(isGone: (number: number) => boolean): boolean {
    const sweep = (ref: number) => this.#sweep(ref, isGone);
    this.#sweepLeft = SWEPT_NUMBERS;
    while (this.#sweepLeft > 0) {
      this.#sweepLeft--;
      this.#sweepCursor = this.#dict.scan(this.#sweepCursor, sweep);
      if (this.#sweepCursor === 0) return false;
    }
    return true;
  }

  #sweep(ref: number, isGone: (number: number) => boolean): void {
    const count = this.countOf(ref);
    this.#sweepLeft -= count;
    let kept = 0;
    for (let place = 0; place < count; place++) {
      const number = this.numberAt(ref, place);
      if (!isGone(number)) this.#write(ref, kept++, number);
    }
    if (kept === count) return;
    if (kept === 0) return this.remove(ref);
    this.#dict.setValueLength(ref, kept * NUMBER_BYTES);
    this.itemCount -= count - kept;
  }

  /** Moves a resize of the table on; true while there is more to do. */
  rehashSome(): boolean {
    return this.#dict.rehashSome(BUCKETS);
  }

  /** See `Dict.compactStep`. */
  compactStep(records: number, density: number): boolean {
    return this.#dict.compactStep(records, density);
  }

  /** See `Dict.vacateOne`. */
  vacateOne(): boolean {
    return this.#dict.vacateOne();
  }
}
