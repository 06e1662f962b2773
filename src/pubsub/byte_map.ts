/**
 * A hash table from runs of bytes to objects that carry them: names of channels and patterns, found
 * without making a string of the word in the request. Open addressing with linear probing; entries
 * that are removed are closed up at once, so that there are no gaps to clean.
 */

import { equalBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";

/** An object with the bytes that it is found by, which must not change. */
export interface Named {
  readonly name: Uint8Array;
  /** `hashBytes` of the name. */
  readonly hash: number;
}

const SIZE_MIN = 16;

export class ByteMap<T extends Named> {
  count = 0;
  #slots: (T | null)[] = new Array(SIZE_MIN).fill(null);
  /**
   * Hashes of what is in the slots, so that most of what a search passes over need not be looked
   * at.
   */
  #hashes = new Int32Array(SIZE_MIN);

  /** The object with this name, or null. */
  get(bytes: Uint8Array, offset: number, length: number): T | null {
    if (this.count === 0) return null;
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    const hash = hashBytes(bytes, offset, length);
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const item = slots[at];
      if (item === null) return null;
      if (hashes[at] === hash) {
        const { name } = item;
        if (equalBytes(name, 0, name.length, bytes, offset, length)) return item;
      }
    }
  }

  /** Adds an object whose name is not there yet. */
  add(item: T): void {
    if (++this.count * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#place(item);
  }

  /** Removes an object that is there. */
  remove(item: T): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = item.hash & mask;
    while (slots[gap] !== item) gap = (gap + 1) & mask;
    // Those behind it move up, unless that would put them before the slot where a search for them begins.
    for (let at = (gap + 1) & mask;; at = (at + 1) & mask) {
      const next = slots[at];
      if (next === null) break;
      if (((at - next.hash) & mask) >= ((at - gap) & mask)) {
        slots[gap] = next;
        this.#hashes[gap] = next.hash;
        gap = at;
      }
    }
    slots[gap] = null;
    if (--this.count * 8 < slots.length && slots.length > SIZE_MIN) this.#resize(slots.length / 2);
  }

  /** All objects, in no particular order. */
  *values(): Generator<T> {
    for (const item of this.#slots) if (item !== null) yield item;
  }

  #place(item: T): void {
    const mask = this.#slots.length - 1;
    let at = item.hash & mask;
    while (this.#slots[at] !== null) at = (at + 1) & mask;
    this.#slots[at] = item;
    this.#hashes[at] = item.hash;
  }

  #resize(size: number): void {
    const old = this.#slots;
    this.#slots = new Array(size).fill(null);
    this.#hashes = new Int32Array(size);
    for (const item of old) if (item !== null) this.#place(item);
  }
}
