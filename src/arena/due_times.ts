/**
 * References to records in the order of their times: which is the first that is due. A large hash has
 * one of its fields that expire, a database one of its hashes with such fields. Beside the path: only
 * what sets, removes or looks for such times comes here.
 *
 * A heap whose nodes have four children, so that siblings share a cache line and little is moved. Where
 * a record stands in it is known to the owner, who is told of each move (`placed`) and can thus name
 * any entry without a search. It lies in chunks, so that it grows without being copied:
 *
 *     chunk   float64 times (Unix ms), then int32 references, as many of each
 *
 * Cost: a time, a reference and (with the owner) a place for each entry; O(log n) to add or remove,
 * O(1) for the first. Nothing here takes memory but `reserve` and `add`.
 */

import { blocks } from "../base/blocks.ts";
import { BLOCK_SEGMENT_MIN } from "./arena.ts";

/** Told where the entry of a record stands. */
export interface PlaceKeeper {
  placed(ref: number, place: number): void;
}

const CHUNK_SHIFT = 14;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ENTRIES - 1;
/** Entries of the first chunk, which doubles until it is as large as the others. */
const FIRST_ENTRIES = 8;
const ENTRY_BYTES = 12;
/** As many are counted one after another before all are. */
const MANY = 256;
/** What the objects of a heap and of a chunk take, about. */
const OWN_BYTES = 64;
const CHUNK_OWN_BYTES = 192;

class Chunk {
  #memory: Uint8Array;
  times!: Float64Array;
  refs!: Int32Array;

  constructor(readonly entries: number) {
    this.#memory = blocks.take(entries * ENTRY_BYTES, false, BLOCK_SEGMENT_MIN);
    this.#point();
  }

  #point(): void {
    const { buffer, byteOffset } = this.#memory;
    this.times = new Float64Array(buffer, byteOffset, this.entries);
    this.refs = new Int32Array(buffer, byteOffset + this.entries * 8, this.entries);
  }

  get bytes(): number {
    return this.entries * ENTRY_BYTES + CHUNK_OWN_BYTES;
  }

  vacate(): boolean {
    const memory = blocks.vacated(this.#memory);
    if (memory === this.#memory) return false;
    this.#memory = memory;
    this.#point();
    return true;
  }

  dispose(): void {
    blocks.give(this.#memory);
  }
}

export class DueTimes {
  #chunks: Chunk[] = [];
  #capacity = 0;
  #bytes = OWN_BYTES;
  /** Entries. */
  count = 0;

  constructor(public owner: PlaceKeeper) {}

  /** Bytes in use. */
  get memoryBytes(): number {
    return this.#bytes;
  }

  /** The earliest time, Infinity when there is none. */
  get firstMs(): number {
    return this.count === 0 ? Infinity : this.#chunks[0].times[0];
  }

  /** The record that is due first; there must be one. */
  get firstRef(): number {
    return this.#chunks[0].refs[0];
  }

  /** The time of an entry. */
  timeAt(place: number): number {
    return this.#chunks[place >>> CHUNK_SHIFT].times[place & CHUNK_MASK];
  }

  /** Takes the memory for so many further entries. @throws RangeError without a change when there is none */
  reserve(entries: number): void {
    const needed = this.count + entries;
    while (this.#capacity < needed) this.#grow(needed);
  }

  #grow(needed: number): void {
    const [first] = this.#chunks;
    if (first !== undefined && first.entries === CHUNK_ENTRIES) {
      return this.#push(new Chunk(CHUNK_ENTRIES));
    }
    let entries = first === undefined ? FIRST_ENTRIES : first.entries * 2;
    while (entries < needed && entries < CHUNK_ENTRIES) entries *= 2;
    const larger = new Chunk(entries);
    if (first !== undefined) {
      larger.times.set(first.times);
      larger.refs.set(first.refs);
      this.#pop();
    }
    this.#push(larger);
  }

  #push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#capacity += chunk.entries;
    this.#bytes += chunk.bytes;
  }

  #pop(): void {
    const chunk = this.#chunks.pop()!;
    this.#capacity -= chunk.entries;
    this.#bytes -= chunk.bytes;
    chunk.dispose();
  }

  /** Adds a record that is not there. @throws RangeError without a change when there is no memory */
  add(ref: number, timeMs: number): void {
    if (this.count === this.#capacity) this.reserve(1);
    this.#rise(this.count++, ref, timeMs);
  }

  /** Gives an entry another time. */
  change(place: number, timeMs: number): void {
    const ref = this.#chunks[place >>> CHUNK_SHIFT].refs[place & CHUNK_MASK];
    if (timeMs < this.timeAt(place)) this.#rise(place, ref, timeMs);
    else this.#sink(place, ref, timeMs);
  }

  /** Removes an entry. The owner is not told of that one, but of those that take its place. */
  removeAt(place: number): void {
    const last = --this.count;
    if (place !== last) {
      const chunk = this.#chunks[last >>> CHUNK_SHIFT];
      const ref = chunk.refs[last & CHUNK_MASK];
      const timeMs = chunk.times[last & CHUNK_MASK];
      if (timeMs < this.timeAt(place)) this.#rise(place, ref, timeMs);
      else this.#sink(place, ref, timeMs);
    }
    // Half a chunk stays free, so that what is removed to be added anew finds its room.
    if (this.#chunks.length > 1 && this.#capacity - last > CHUNK_ENTRIES + CHUNK_ENTRIES / 2) {
      this.#pop();
    }
  }

  /** The record of an entry has another reference. */
  moved(place: number, ref: number): void {
    this.#chunks[place >>> CHUNK_SHIFT].refs[place & CHUNK_MASK] = ref;
  }

  /** Puts an entry where `place` is, or nearer to the front if it is earlier than what stands there. */
  #rise(place: number, ref: number, timeMs: number): void {
    let at = place;
    while (at > 0) {
      const parent = (at - 1) >>> 2;
      const chunk = this.#chunks[parent >>> CHUNK_SHIFT];
      const i = parent & CHUNK_MASK;
      if (chunk.times[i] <= timeMs) break;
      this.#put(at, chunk.refs[i], chunk.times[i]);
      at = parent;
    }
    this.#put(at, ref, timeMs);
  }

  /** Puts an entry where `place` is, or further back while something behind it is earlier. */
  #sink(place: number, ref: number, timeMs: number): void {
    const { count } = this;
    let at = place;
    for (;;) {
      const child = at * 4 + 1;
      if (child >= count) break;
      const end = Math.min(child + 4, count);
      let least = child;
      let leastMs = this.timeAt(child);
      for (let i = child + 1; i < end; i++) {
        const other = this.timeAt(i);
        if (other < leastMs) {
          least = i;
          leastMs = other;
        }
      }
      if (leastMs >= timeMs) break;
      this.#put(at, this.#chunks[least >>> CHUNK_SHIFT].refs[least & CHUNK_MASK], leastMs);
      at = least;
    }
    this.#put(at, ref, timeMs);
  }

  #put(place: number, ref: number, timeMs: number): void {
    const chunk = this.#chunks[place >>> CHUNK_SHIFT];
    chunk.times[place & CHUNK_MASK] = timeMs;
    chunk.refs[place & CHUNK_MASK] = ref;
    this.owner.placed(ref, place);
  }

  /**
   * How many entries are due before a time. Looks at those and their children alone, or, where they are many, at
   * all in the order in which they lie.
   */
  countBefore(timeMs: number): number {
    if (!(this.firstMs < timeMs)) return 0;
    const { count } = this;
    const open = [0];
    let found = 0;
    while (open.length > 0) {
      if (found > MANY && found > count >>> 5) return this.#countAll(timeMs);
      const place = open.pop()!;
      found++;
      const end = Math.min(place * 4 + 5, count);
      for (let i = place * 4 + 1; i < end; i++) if (this.timeAt(i) < timeMs) open.push(i);
    }
    return found;
  }

  #countAll(timeMs: number): number {
    let found = 0;
    let left = this.count;
    for (const { times, entries } of this.#chunks) {
      const end = Math.min(entries, left);
      for (let i = 0; i < end; i++) if (times[i] < timeMs) found++;
      left -= end;
    }
    return found;
  }

  /** Moves a chunk out of the blocks that are being emptied; false when none lies there. @throws RangeError */
  vacateOne(): boolean {
    return this.#chunks.some((chunk) => chunk.vacate());
  }

  /** Gives the memory back. It may not be used any more. */
  dispose(): void {
    for (const chunk of this.#chunks) chunk.dispose();
  }
}
