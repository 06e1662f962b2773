/**
 * The bucketed table of references that Dict and RefIndex are made of: where records are found,
 * without the records themselves.
 *
 * A bucket is 16 int32 (one cache line):
 *
 *     int32 0-2   12 one-byte tags, slot i in byte i (0: slot is free; else top byte of the hash)
 *     int32 3     number of the overflow bucket that continues this one, or 0
 *     int32 4-15  12 references to records
 *
 * Overflow buckets stand behind the main buckets in the same typed array.
 */

import { blocks } from "../base/blocks.ts";
import { tryAllocating } from "../base/refused.ts";
import { type Arena, BLOCK_SEGMENT_MIN } from "./arena.ts";
import { REF_MASK, REF_SHIFT } from "./record.ts";

export const SLOTS = 12;
const BUCKET_INTS = 16;
export const LINK = 3;
export const FIRST_REF = 4;
export const ONES = 0x01010101;
export const HIGHS = 0x80808080 | 0;
export const MIN_BUCKETS = 4;
/** Grow when a bucket has this many records on average, shrink below SHRINK_FILL. */
export const GROW_FILL = 8;
/**
 * Where there is no room for a larger table, it may be put off until a bucket has this many on average:
 * so far the overflow buckets that a table has from the start are enough.
 */
const CROWDED_FILL = 9;
export const SHRINK_FILL = 2;

/** Whether a table of so many bytes may be taken: see `mayGrow`. */
export type GrowthGate = (bytes: number) => boolean;

/** Whether a table that is due to grow is to do so now. The gate is asked while that can wait. */
export function mayGrow(table: Table, gate: GrowthGate | null): boolean {
  return gate === null || table.used > table.buckets * CROWDED_FILL ||
    gate(bytesOfTable(table.buckets * 2));
}

/** Bytes of a table with so many main buckets, and an eighth of them to overflow into. */
function bytesOfTable(buckets: number): number {
  return (buckets + Math.max(2, buckets >> 3)) * BUCKET_INTS * 4;
}

/** One of the two tables of a Dict. */
export class Table {
  ints: Int32Array;
  /** The memory of `ints`. */
  #bytes: Uint8Array;
  readonly mask: number;
  /** First free overflow bucket that was used before (linked by LINK), or 0. */
  #spare = 0;
  #nextOverflow: number;
  used = 0;

  /** Main and overflow buckets that have been in use: all that can hold records. */
  get bucketsTaken(): number {
    return this.#nextOverflow;
  }

  /** Bytes that the table takes. */
  get memoryBytes(): number {
    return this.ints.length * 4;
  }

  constructor(readonly buckets: number) {
    this.mask = buckets - 1;
    this.#bytes = blocks.take(bytesOfTable(buckets), true, BLOCK_SEGMENT_MIN);
    this.ints = intsOf(this.#bytes);
    this.#nextOverflow = buckets;
  }

  /** Gives the memory back. The table may not be used any more. */
  dispose(): void {
    blocks.give(this.#bytes);
    this.ints = NO_INTS;
  }

  /** Moves out of a block that is being emptied; false when it lies in none. @throws RangeError */
  vacate(): boolean {
    const bytes = blocks.vacated(this.#bytes);
    if (bytes === this.#bytes) return false;
    this.#bytes = bytes;
    this.ints = intsOf(bytes);
    return true;
  }

  /**
   * Writes `ref` into a free slot of the chain of `hash`. @throws RangeError without a change when there
   * is no memory for a further overflow bucket
   */
  put(hash: number, ref: number): void {
    let ints = this.ints;
    let at = (hash & this.mask) << 4;
    for (;;) {
      for (let word = 0; word < 3; word++) {
        const tags = ints[at + word];
        const zeros = (tags - ONES) & ~tags & HIGHS;
        if (zeros !== 0) {
          const byte = (31 - Math.clz32(zeros & -zeros)) >> 3;
          const slot = (word << 2) + byte;
          ints[at + word] = tags | (tagOf(hash) << (byte << 3));
          ints[at + FIRST_REF + slot] = ref;
          this.used++;
          return;
        }
      }
      const link = ints[at + LINK];
      if (link === 0) {
        const fresh = this.#overflow();
        ints = this.ints; // the array may have been replaced
        ints[at + LINK] = fresh;
        at = fresh << 4;
      } else at = link << 4;
    }
  }

  /**
   * Empties the slot that holds `ref` (which must be there). The hole is filled from the end of the
   * chain, so overflow buckets go as soon as they are not needed.
   */
  take(hash: number, ref: number): void {
    const ints = this.ints;
    const first = (hash & this.mask) << 4;
    let at = first;
    let slot = slotIn(ints, at, ref);
    while (slot < 0) {
      at = ints[at + LINK] << 4;
      if (at === 0) throw new Error("dict: a record is missing from its bucket");
      slot = slotIn(ints, at, ref);
    }
    this.used--;
    if (ints[first + LINK] === 0) {
      clearSlot(ints, at, slot);
      return;
    }
    let before = first;
    let last = first;
    while (ints[last + LINK] !== 0) {
      before = last;
      last = ints[last + LINK] << 4;
    }
    // Take the highest occupied slot of the last bucket.
    let from = SLOTS - 1;
    while (tagAt(ints, last, from) === 0) from--;
    if (last !== at || from !== slot) {
      const tag = tagAt(ints, last, from);
      ints[at + FIRST_REF + slot] = ints[last + FIRST_REF + from];
      const shift = (slot & 3) << 3;
      ints[at + (slot >> 2)] = (ints[at + (slot >> 2)] & ~(0xff << shift)) | (tag << shift);
    }
    clearSlot(ints, last, from);
    if ((ints[last] | ints[last + 1] | ints[last + 2]) === 0 && last !== first) {
      ints[before + LINK] = 0;
      ints[last + LINK] = this.#spare;
      this.#spare = last >> 4;
    }
  }

  /** Replaces a reference in the chain of `hash`; false when it is not there. */
  replace(hash: number, oldRef: number, newRef: number): boolean {
    const ints = this.ints;
    let at = (hash & this.mask) << 4;
    for (;;) {
      const slot = slotIn(ints, at, oldRef);
      if (slot >= 0) {
        ints[at + FIRST_REF + slot] = newRef;
        return true;
      }
      const link = ints[at + LINK];
      if (link === 0) return false;
      at = link << 4;
    }
  }

  /** Empties a whole bucket (at `at`), and returns the number of the one that continued it, or 0. */
  empty(at: number): number {
    const ints = this.ints;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (ints[at + FIRST_REF + slot] !== 0) this.used--;
      ints[at + FIRST_REF + slot] = 0;
    }
    ints[at] = 0;
    ints[at + 1] = 0;
    ints[at + 2] = 0;
    const link = ints[at + LINK];
    ints[at + LINK] = 0;
    if (at >= this.buckets << 4) {
      ints[at + LINK] = this.#spare;
      this.#spare = at >> 4;
    }
    return link;
  }

  #overflow(): number {
    const spare = this.#spare;
    if (spare !== 0) {
      this.#spare = this.ints[(spare << 4) + LINK];
      this.ints[(spare << 4) + LINK] = 0;
      return spare;
    }
    // Rare: the eighth set aside is enough for a well spread hash at the fill we grow at.
    if (!this.hasOverflow(1)) this.growOverflow(1);
    return this.#nextOverflow++;
  }

  /** Whether so many overflow buckets are to be had without asking for memory. */
  hasOverflow(buckets: number): boolean {
    return (this.#nextOverflow + buckets) * BUCKET_INTS <= this.ints.length;
  }

  /** Makes room for so many overflow buckets more. @throws RangeError without a change */
  growOverflow(buckets: number): void {
    const more = Math.max(this.ints.length >> 2, buckets * BUCKET_INTS) + BUCKET_INTS * 2;
    const bytes = blocks.take((this.ints.length + more) * 4, true, BLOCK_SEGMENT_MIN);
    const larger = intsOf(bytes);
    larger.set(this.ints);
    blocks.give(this.#bytes);
    this.#bytes = bytes;
    this.ints = larger;
  }

  /** Main and overflow buckets that the chain of a main bucket has. */
  chainLength(bucket: number): number {
    let length = 1;
    let link = this.ints[(bucket << 4) + LINK];
    while (link !== 0) {
      length++;
      link = this.ints[(link << 4) + LINK];
    }
    return length;
  }
}

const NO_INTS = new Int32Array(0);

function intsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

export function tagOf(hash: number): number {
  const tag = hash >>> 24;
  return tag === 0 ? 1 : tag;
}

function tagAt(ints: Int32Array, bucket: number, slot: number): number {
  return (ints[bucket + (slot >> 2)] >>> ((slot & 3) << 3)) & 0xff;
}

function clearSlot(ints: Int32Array, bucket: number, slot: number): void {
  ints[bucket + (slot >> 2)] &= ~(0xff << ((slot & 3) << 3));
  ints[bucket + FIRST_REF + slot] = 0;
}

/** Slot of a bucket that holds `ref`, or -1. Free slots hold 0, which no reference is. */
function slotIn(ints: Int32Array, bucket: number, ref: number): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    if (ints[bucket + FIRST_REF + slot] === ref) return slot;
  }
  return -1;
}

function reverseBits(value: number): number {
  let v = value;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16);
}

/** Hashes of the records of a bucket that is being moved. */
const hashes = new Int32Array(SLOTS);

/** Tables with more buckets than this take bits of the hash for the bucket that are the tag's too. */
const TAGGED_BUCKETS_MAX = 1 << 24;

/** Overflow buckets that are made ready: more are needed only for hashes that were chosen for that. */
export const RESERVED_BUCKETS = 16;

/**
 * Takes the memory for so many further references in a table and the one it is moving to, if any, as far as the
 * usual spread of hashes goes; `begin` begins to move to a table of so many buckets. @throws RangeError without a
 * change when there is none
 */
export function reserveInTables(
  table: Table,
  next: Table | null,
  count: number,
  gate: GrowthGate | null,
  begin: (buckets: number) => Table,
): void {
  const needed = (table.used + (next === null ? 0 : next.used) + count) / GROW_FILL;
  let { buckets } = table;
  while (buckets < needed) buckets *= 2;
  const isTooSmall = next === null && buckets > table.buckets;
  const into = isTooSmall && mayGrow(table, gate) ? begin(buckets) : next ?? table;
  const overflow = RESERVED_BUCKETS + (into.buckets < needed ? count >> 2 : 0);
  if (!into.hasOverflow(overflow)) into.growOverflow(overflow);
}

/**
 * Moves all records of one main bucket and its overflow from `table` to `next`; false, without a change,
 * when there is no memory for that.
 */
export function moveBucket(table: Table, next: Table, bucket: number, arena: Arena): boolean {
  // A chain becomes two at most, neither of which takes more buckets in addition than it had.
  const needed = 2 * table.chainLength(bucket);
  if (!next.hasOverflow(needed) && !tryAllocating(() => next.growOverflow(needed))) return false;
  if (next.buckets <= table.buckets && next.buckets <= TAGGED_BUCKETS_MAX) {
    moveToSmaller(table, next, bucket);
    return true;
  }
  const segments = arena.i32;
  let at = bucket << 4;
  for (;;) {
    const ints = table.ints;
    // All hashes first: the reads do not wait for each other, though each is likely to miss the cache.
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = ints[at + FIRST_REF + slot];
      if (ref !== 0) hashes[slot] = segments[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = ints[at + FIRST_REF + slot];
      if (ref !== 0) next.put(hashes[slot], ref);
    }
    const link = table.empty(at);
    if (link === 0) return true;
    at = link << 4;
  }
}

/**
 * `moveBucket` where the bucket's number and the tags say all that is needed of the hashes: no record
 * is read.
 */
function moveToSmaller(table: Table, next: Table, bucket: number): void {
  const low = bucket & next.mask;
  let at = bucket << 4;
  for (;;) {
    const ints = table.ints;
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = ints[at + FIRST_REF + slot];
      if (ref !== 0) next.put(low | (tagAt(ints, at, slot) << 24), ref);
    }
    const link = table.empty(at);
    if (link === 0) return;
    at = link << 4;
  }
}

function visitBucket(table: Table, bucket: number, visit: (ref: number) => void): void {
  // Backwards through the chain, so that a removal by `visit` (which fills the hole from the
  // chain's end) cannot hide a record that was not visited yet.
  let at = bucket << 4;
  if (table.ints[at + LINK] === 0) return visitSlots(table, at, visit);
  const chain: number[] = [];
  for (;;) {
    chain.push(at);
    const link = table.ints[at + LINK];
    if (link === 0) break;
    at = link << 4;
  }
  for (let i = chain.length - 1; i >= 0; i--) visitSlots(table, chain[i], visit);
}

function visitSlots(table: Table, at: number, visit: (ref: number) => void): void {
  for (let slot = SLOTS - 1; slot >= 0; slot--) {
    const ref = table.ints[at + FIRST_REF + slot];
    if (ref !== 0) visit(ref);
  }
}

export function scanTables(
  table: Table,
  next: Table | null,
  cursor: number,
  visit: (ref: number) => void,
): number {
  if (next === null) {
    visitBucket(table, cursor & table.mask, visit);
    return nextCursor(cursor, table.mask);
  }
  const small = table.buckets <= next.buckets ? table : next;
  const large = small === table ? next : table;
  let at = cursor;
  visitBucket(small, at & small.mask, visit);
  // All buckets of the larger table that the small one's bucket splits into.
  do {
    visitBucket(large, at & large.mask, visit);
    at = nextCursor(at, large.mask);
  } while ((at & (small.mask ^ large.mask)) !== 0);
  return at;
}

/** Adds one to the cursor's bits below `mask`, counted from the top bit down. */
function nextCursor(cursor: number, mask: number): number {
  let v = cursor | ~mask;
  v = reverseBits(v);
  v = (v + 1) | 0;
  return reverseBits(v) >>> 0;
}

/** The next of a sequence of integers without a pattern. */
function scrambled(seed: number): number {
  let x = Math.imul(seed ^ (seed >>> 16), 0x21f0aaad) + 0x6d2b79f5;
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

/**
 * An even draw: a random slot of a random bucket, main or overflow, is tried until one is occupied, so
 * each record has the same chance. When the table is too sparse for that, falls back to the nearest
 * occupied bucket.
 */
export function randomFrom(table: Table, next: Table | null, draw: () => number): number {
  const total = table.used + (next === null ? 0 : next.used);
  if (total === 0) return 0;
  const own = table.bucketsTaken;
  const slots = (own + (next === null ? 0 : next.bucketsTaken)) * SLOTS;
  const drawn = draw();
  let place = Math.floor(drawn * slots);
  let seed = (drawn * 2 ** 32) | 0;
  for (let tries = 0; tries < 512; tries++) {
    let from = table;
    if (place >= own * SLOTS) {
      place -= own * SLOTS;
      from = next!;
    }
    const bucket = (place / SLOTS) | 0;
    const ref = from.ints[(bucket << 4) + FIRST_REF + place - bucket * SLOTS];
    if (ref !== 0) return ref;
    seed = scrambled(seed);
    place = Math.floor((seed >>> 0) / 2 ** 32 * slots);
  }
  const from = table.used > 0 ? table : next!;
  const start = (draw() * from.buckets) | 0;
  for (let step = 0; step < from.buckets; step++) {
    const found: number[] = [];
    visitBucket(from, (start + step) & from.mask, (ref) => found.push(ref));
    if (found.length > 0) return found[(draw() * found.length) | 0];
  }
  return 0;
}
