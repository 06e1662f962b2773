/**
 * The keys of a dataset by their fingerprints: 44 bytes for each, whatever it is.
 *
 *     #words    of each key eight words: three of its key's hash, three of its value's, and its expiry
 *     #kinds    of each key its type, and what has been found of it
 *     #places   a table with open addressing: numbers of keys from 1 on, by their keys' hashes
 *
 * 96 bits each: among a billion keys two are taken for the same with a chance of 10^-11.
 */

import type { Hash128 } from "./hash128.ts";

const WORDS = 8;
const EXPIRY_WORD = 6;
/** Keys in a piece of `#words`; a power of two. */
const PIECE_KEYS = 1 << 16;
const PIECE_MASK = PIECE_KEYS - 1;
const PLACES_FIRST = 1 << 12;
/** The table grows beyond this share. */
const FULL = 0.8;

interface Piece {
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly kinds: Uint8Array;
}

export class FingerprintTable {
  count = 0;
  readonly #pieces: Piece[] = [];
  #places = new Uint32Array(PLACES_FIRST);

  /** The number of a key, counted from 0; -1 when it is not there. */
  find(key: Hash128): number {
    const places = this.#places;
    const mask = places.length - 1;
    for (let at = key.a & mask; places[at] !== 0; at = (at + 1) & mask) {
      const index = places[at] - 1;
      const { words } = this.#piece(index);
      const base = (index & PIECE_MASK) * WORDS;
      if (words[base] === key.a && words[base + 1] === key.b && words[base + 2] === key.c) {
        return index;
      }
    }
    return -1;
  }

  #piece(index: number): Piece {
    return this.#pieces[index >>> 16];
  }

  /** Adds a key that is not there. `type` is below 16. */
  add(key: Hash128, value: Hash128, type: number, expiresAtMs: number): void {
    if (this.count >= this.#places.length * FULL) this.#grow();
    const index = this.count++;
    if ((index & PIECE_MASK) === 0) this.#pieces.push(newPiece());
    const { words, times, kinds } = this.#piece(index);
    const base = (index & PIECE_MASK) * WORDS;
    words[base] = key.a;
    words[base + 1] = key.b;
    words[base + 2] = key.c;
    words[base + 3] = value.a;
    words[base + 4] = value.b;
    words[base + 5] = value.c;
    times[(base + EXPIRY_WORD) >> 1] = expiresAtMs;
    kinds[index & PIECE_MASK] = type;
    this.#place(key.a, index);
  }

  #place(hash: number, index: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let at = hash & mask;
    while (places[at] !== 0) at = (at + 1) & mask;
    places[at] = index + 1;
  }

  #grow(): void {
    this.#places = new Uint32Array(this.#places.length * 2);
    for (let index = 0; index < this.count; index++) {
      this.#place(this.#piece(index).words[(index & PIECE_MASK) * WORDS], index);
    }
  }

  hasValue(index: number, value: Hash128): boolean {
    const { words } = this.#piece(index);
    const base = (index & PIECE_MASK) * WORDS;
    return words[base + 3] === value.a && words[base + 4] === value.b &&
      words[base + 5] === value.c;
  }

  typeOf(index: number): number {
    return this.#piece(index).kinds[index & PIECE_MASK] & 15;
  }

  setType(index: number, type: number): void {
    const { kinds } = this.#piece(index);
    kinds[index & PIECE_MASK] = (kinds[index & PIECE_MASK] & ~15) | type;
  }

  /** Bits that `mark` has set: 16 to 128. */
  marksOf(index: number): number {
    return this.#piece(index).kinds[index & PIECE_MASK] & ~15;
  }

  mark(index: number, bits: number): void {
    this.#piece(index).kinds[index & PIECE_MASK] |= bits;
  }

  expiryOf(index: number): number {
    return this.#piece(index).times[((index & PIECE_MASK) * WORDS + EXPIRY_WORD) >> 1];
  }

  setExpiry(index: number, expiresAtMs: number): void {
    this.#piece(index).times[((index & PIECE_MASK) * WORDS + EXPIRY_WORD) >> 1] = expiresAtMs;
  }
}

function newPiece(): Piece {
  const words = new Int32Array(PIECE_KEYS * WORDS);
  return { words, times: new Float64Array(words.buffer), kinds: new Uint8Array(PIECE_KEYS) };
}
