/**
 * Which names (keys, fields, members) have come already, by 64 bits of hash each, in memory that has a bound: what comes
 * after NAMES_MAX others is not kept. Of two different names among as many, the chance to be taken for the same is below
 * one in a million.
 */

import { hashBytes } from "../base/hash.ts";

/** Names that are kept: 64 MB. */
const NAMES_MAX = 1 << 22;
/** The table begins with, and goes back to, so many places. */
const PLACES_FIRST = 1 << 10;

export class SeenNames {
  /** Pairs of 32 bits; 0, 0 is a free place. */
  #places = new Int32Array(2 * PLACES_FIRST);
  #count = 0;

  /** Forgets all. */
  begin(): void {
    if (this.#count === 0) return;
    if (this.#places.length === 2 * PLACES_FIRST) this.#places.fill(0);
    else this.#places = new Int32Array(2 * PLACES_FIRST);
    this.#count = 0;
  }

  /** Whether names have come that were not kept. */
  get isFull(): boolean {
    return this.#count >= NAMES_MAX;
  }

  /** Adds a name, told apart by `salt` from the same elsewhere; false when it has come before. */
  add(bytes: Uint8Array, offset: number, length: number, salt = 0): boolean {
    const low = hashBytes(bytes, offset, length) ^ Math.imul(salt, 0x9e3779b1);
    let high = otherHash(bytes, offset, length, salt);
    if (low === 0 && high === 0) high = 1;
    const places = this.#places;
    const mask = (places.length >>> 1) - 1;
    let place = low & mask;
    for (; places[2 * place] !== 0 || places[2 * place + 1] !== 0; place = (place + 1) & mask) {
      if (places[2 * place] === low && places[2 * place + 1] === high) return false;
    }
    if (this.isFull) return true;
    places[2 * place] = low;
    places[2 * place + 1] = high;
    if (++this.#count * 2 > mask && this.#count < NAMES_MAX) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#places;
    const places = this.#places = new Int32Array(2 * old.length);
    const mask = (places.length >>> 1) - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] === 0 && old[i + 1] === 0) continue;
      let place = old[i] & mask;
      while (places[2 * place] !== 0 || places[2 * place + 1] !== 0) place = (place + 1) & mask;
      places[2 * place] = old[i];
      places[2 * place + 1] = old[i + 1];
    }
  }
}

/** Another 32 bits than `hashBytes` gives. */
function otherHash(bytes: Uint8Array, offset: number, length: number, salt: number): number {
  let hash = (0x811c9dc5 ^ length) + Math.imul(salt, 0x85ebca6b);
  for (let i = offset, end = offset + length; i < end; i++) {
    hash = Math.imul(hash ^ bytes[i], 0x01000193);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) | 0;
}
