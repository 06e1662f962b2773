/**
 * A set of byte strings for the length of a command, made once and used again and again: which members have been
 * seen, or which a listpack has, where asking the listpack itself would go through all of it each time.
 *
 * Open addressing over numbers of members; their hashes and texts lie one behind the other. Nothing is removed.
 */

import { equalBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";

const FIRST_SLOTS = 64;
/** What was larger than this is let go of by `clear`. */
const SLOTS_KEPT = 4096;

export class ScratchSet {
  /** Members in the set. */
  count = 0;
  /** Number of a member plus one; at most half of them are in use. */
  #slots = new Int32Array(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS / 2);
  /** Member n is `#texts[#ends[n] … #ends[n + 1])`. */
  #ends = new Int32Array(FIRST_SLOTS / 2 + 1);
  #texts = new Uint8Array(16 * FIRST_SLOTS);

  /** Empties the set. */
  clear(): void {
    this.count = 0;
    if (this.#slots.length <= SLOTS_KEPT) this.#slots.fill(0);
    else {
      this.#slots = new Int32Array(FIRST_SLOTS);
      this.#hashes = new Int32Array(FIRST_SLOTS / 2);
      this.#ends = new Int32Array(FIRST_SLOTS / 2 + 1);
      this.#texts = new Uint8Array(16 * FIRST_SLOTS);
    }
  }

  /** Adds a copy of the member; false when it is there already. `hash` is `hashBytes` of it. */
  add(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash = hashBytes(bytes, offset, length),
  ): boolean {
    const slot = this.#slotOf(bytes, offset, length, hash);
    if (this.#slots[slot] !== 0) return false;
    const n = this.count++;
    const start = this.#ends[n];
    if (start + length > this.#texts.length) this.#growTexts(start + length);
    for (let i = 0; i < length; i++) this.#texts[start + i] = bytes[offset + i];
    this.#ends[n + 1] = start + length;
    this.#hashes[n] = hash;
    this.#slots[slot] = n + 1;
    if (this.count * 2 === this.#slots.length) this.#growSlots();
    return true;
  }

  /** Whether the member is there. */
  has(bytes: Uint8Array, offset: number, length: number, hash: number): boolean {
    return this.#slots[this.#slotOf(bytes, offset, length, hash)] !== 0;
  }

  /** The number of a member, counted from 0 as they were added; -1 if it is not there. */
  numberOf(bytes: Uint8Array, offset: number, length: number, hash: number): number {
    return this.#slots[this.#slotOf(bytes, offset, length, hash)] - 1;
  }

  /** The bytes of all members, one behind the other; until one is added. */
  get texts(): Uint8Array {
    return this.#texts;
  }

  /** Where member `number` begins in `texts`, and the one before it ends. */
  startOf(number: number): number {
    return this.#ends[number];
  }

  /** The slot that holds the member, or the free one where it would go. */
  #slotOf(bytes: Uint8Array, offset: number, length: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let held = this.#slots[slot]; held !== 0; held = this.#slots[slot]) {
      const start = this.#ends[held - 1];
      if (
        this.#hashes[held - 1] === hash &&
        equalBytes(this.#texts, start, this.#ends[held] - start, bytes, offset, length)
      ) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #growSlots(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let n = 0; n < this.count; n++) {
      let slot = this.#hashes[n] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = n + 1;
    }
    this.#slots = slots;
    const hashes = new Int32Array(slots.length / 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const ends = new Int32Array(slots.length / 2 + 1);
    ends.set(this.#ends);
    this.#ends = ends;
  }

  #growTexts(least: number): void {
    const texts = new Uint8Array(Math.max(least, this.#texts.length * 2));
    texts.set(this.#texts);
    this.#texts = texts;
  }
}
