/**
 * Filling a Dict that is out of everybody's reach with many records, none of which may be there twice: how a large
 * collection comes out of a snapshot.
 *
 * Whether a key is there already has to be looked up, and in a large table each lookup waits for memory. So records
 * are made first and looked for some dozens together, with what the lookups will read fetched beforehand
 * (`Dict.warm`): the waits overlap.
 *
 *     add, add, … ──► records that nobody finds ──(32 of them, or `flush`)──► looked for, and put into the table
 */

import type { Dict } from "./dict.ts";

/** Records that are looked for together. */
const BATCH = 32;

export class DictFill {
  readonly #refs = new Int32Array(BATCH);
  readonly #hashes = new Int32Array(BATCH);
  #count = 0;
  #dict: Dict | null = null;

  /** Begins to fill `dict`, which nothing else may change between an `add` and the next `flush`. */
  begin(dict: Dict): void {
    this.#dict = dict;
    this.#count = 0;
  }

  /**
   * Makes a record as `Dict.add` does; 0 when the key of one before it is there twice, which ends the filling. It is
   * found after `flush` at the latest. @throws RangeError when there is no memory
   */
  add(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    valueLength: number,
    meta: number,
  ): number {
    if (this.#count === BATCH && !this.flush()) return 0;
    const ref = this.#dict!.prepare(bytes, offset, length, hash, valueLength, meta, NaN);
    const index = this.#count++;
    this.#refs[index] = ref;
    this.#hashes[index] = hash;
    return ref;
  }

  /**
   * Brings all records within reach; false when a key is there twice: then the dict is of no further use.
   * @throws RangeError when there is no memory
   */
  flush(): boolean {
    if (this.#count === 0) return true;
    const dict = this.#dict!;
    const refs = this.#refs;
    const hashes = this.#hashes;
    const count = this.#count;
    this.#count = 0;
    dict.warm(hashes, count);
    for (let i = 0; i < count; i++) {
      const ref = refs[i];
      const bytes = dict.bytesOf(ref);
      if (dict.find(bytes, dict.keyOffset(ref), dict.keyLength(ref), hashes[i]) !== 0) return false;
      dict.addPrepared(ref);
    }
    return true;
  }
}
