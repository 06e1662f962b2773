/**
 * Memory for records, outside the JavaScript heap: segments of up to 8 MB, chunks in multiples of
 * 8 bytes with free lists per size class. The lowest layer of data: it knows chunks, not keys.
 *
 * Each keyspace and each large collection has an arena of its own, so dropping one (FLUSHALL, DEL
 * of a huge set) costs nothing but giving back its segments (`dispose`; see base/blocks.ts). See "An arena for each keyspace and each
 * large collection" in NOTES.
 *
 * A free chunk keeps a doubly linked list in itself, so that emptying a sparse segment can take its
 * free chunks off the lists one by one:
 *
 *     int32 0 next free reference   1 FREE   2 previous free reference   3 chunk size in units
 *
 * Segments that have gone sparse are emptied in slices by `Dict.compactStep`, which copies live
 * records elsewhere (the idea of RAMCloud's log cleaner); only tables point at records, so a move
 * is cheap. Not promised: that a reference stays valid across a call that may move records.
 */

import { blocks } from "../base/blocks.ts";
import { tryAllocating } from "../base/refused.ts";
import { FREE, REF_MASK, REF_SHIFT } from "./record.ts";

/** Largest segment: as many bytes as the offset bits of a reference can address. */
export const SEGMENT_BYTES_MAX = (REF_MASK + 1) * 8;
/** Chunks up to here have a class of their own size; above, eight classes per doubling. */
const EXACT_UNITS = 64;
/** Largest chunk that shares a segment, in units of 8 bytes. */
export const CHUNK_UNITS_MAX = 0x8000;
const CLASS_COUNT = EXACT_UNITS + 1 + 8 * 10;
/** Smaller segments, such as every database begins with, are no parts of blocks. */
export const BLOCK_SEGMENT_MIN = 64 * 1024 + 1;
/** Up to this size an arena doubles with a new segment; later on it grows by a sixteenth. */
const DOUBLES_UP_TO = 1 << 20;
const SEGMENT_SHARE = 16;
/** Arenas up to this size are not compacted. */
const SPARSE_MIN = 256 * 1024;
const SEGMENT_COUNT_MAX = 4096;
const NO_BYTES = new Uint8Array(0);
const NO_INTS = new Int32Array(0);
const NO_FLOATS = new Float64Array(0);

/** Index of the smallest class that holds `units`. */
function classOf(units: number): number {
  if (units <= EXACT_UNITS) return units;
  const shift = 28 - Math.clz32(units - 1); // units-1 has 32-clz bits; keep the top 4
  return EXACT_UNITS + ((shift - 3) << 3) + (((units - 1) >>> shift) & 7) + 1;
}

/** Size in units of a class: what a chunk asked for with `units` really gets. */
export function roundUnits(units: number): number {
  if (units <= EXACT_UNITS) return units;
  const shift = 28 - Math.clz32(units - 1);
  return (((units - 1) >>> shift) + 1) << shift;
}

export class Arena {
  /** The same memory seen three ways, per segment. */
  readonly u8: Uint8Array[] = [];
  readonly i32: Int32Array[] = [];
  readonly f64: Float64Array[] = [];
  /** Bytes in chunks that are in use. */
  liveBytes = 0;
  /** Bytes of all segments. */
  totalBytes = 0;
  /** Segment being emptied, or -1: nothing freed there is handed out again. */
  emptying = -1;
  /** Bytes in use per segment. */
  readonly segmentLive: number[] = [];
  /** Bump limit per segment, in units: chunks lie below it. */
  readonly segmentTop: number[] = [];
  readonly #spare: number[] = [];
  readonly #free = new Int32Array(CLASS_COUNT);
  #segment = -1;
  #top = 0;
  #end = 0;

  constructor(firstSegmentBytes = 4096) {
    this.#openSegment(firstSegmentBytes);
  }

  /**
   * A chunk of at least `units` × 8 bytes (at most CHUNK_UNITS_MAX; more goes to
   * `allocateSegment`). Its size is `roundUnits(units)`; its content is undefined.
   * @throws RangeError when memory is exhausted; nothing has changed then
   */
  allocate(units: number): number {
    const index = classOf(units);
    const free = this.#free[index];
    if (free !== 0) {
      this.#unlink(free, index);
      const size = roundUnits(units);
      this.liveBytes += size << 3;
      this.segmentLive[free >>> REF_SHIFT] += size << 3;
      return free;
    }
    const size = roundUnits(units);
    let at = this.#top;
    if (at + size > this.#end) {
      this.#openSegment(this.#nextSegmentBytes(size << 3));
      at = this.#top;
    }
    this.#top = at + size;
    this.liveBytes += size << 3;
    this.segmentLive[this.#segment] += size << 3;
    return (this.#segment << REF_SHIFT) | at;
  }

  /**
   * Sees to it that chunks of so many units together are to be had without asking for memory; of more than
   * a segment holds, nothing is promised. @throws RangeError without a change when memory is exhausted
   */
  reserve(units: number): void {
    const bytes = units << 3;
    if (this.#top + units <= this.#end || bytes > SEGMENT_BYTES_MAX) return;
    this.#openSegment(this.#nextSegmentBytes(bytes));
  }

  /** A segment of its own for one chunk of `bytes`. @throws RangeError when memory is exhausted */
  allocateSegment(bytes: number): number {
    const segment = this.#newSegment((bytes + 7) & ~7);
    this.segmentTop[segment] = 0; // never walked, never emptied
    this.segmentLive[segment] = this.u8[segment].length;
    this.liveBytes += this.u8[segment].length;
    return segment << REF_SHIFT;
  }

  /** Gives a chunk back; `units` is its size, 0 for a segment of its own. */
  free(ref: number, units: number): void {
    const segment = ref >>> REF_SHIFT;
    if (units === 0) {
      this.liveBytes -= this.u8[segment].length;
      this.#dropSegment(segment);
      return;
    }
    this.liveBytes -= units << 3;
    this.segmentLive[segment] -= units << 3;
    this.#link(ref, units);
  }

  /** Whether less than a share of `density` is in use, so that compaction would give memory back. */
  isSparse(density: number): boolean {
    return this.totalBytes > SPARSE_MIN && this.liveBytes < this.totalBytes * density;
  }

  /** Starts emptying the sparsest segment; false when none is clearly sparser than `density`. */
  beginEmptying(density: number): boolean {
    let best = -1;
    let bestLive = 1 - (1 - density) * 1.25;
    for (let segment = 0; segment < this.u8.length; segment++) {
      if (segment === this.#segment || this.segmentTop[segment] === 0) continue;
      const size = this.u8[segment].length;
      if (size === 0) continue;
      const live = this.segmentLive[segment] / size;
      if (live < bestLive) {
        bestLive = live;
        best = segment;
      }
    }
    if (best < 0 && this.u8[this.#segment].length > 2 * this.#nextSegmentBytes(0)) {
      // Only the segment being filled is left: it gives way to one of less than half its size.
      const filled = this.#segment;
      if (tryAllocating(() => this.#openSegment(this.#nextSegmentBytes(0)))) best = filled;
    }
    this.emptying = best;
    return best >= 0;
  }

  /**
   * A small arena doubles with each segment, measured by what is in use; in a large one the segment being filled is
   * a small part of all.
   */
  #nextSegmentBytes(least: number): number {
    const grown = Math.max(Math.min(this.liveBytes, DOUBLES_UP_TO), this.liveBytes / SEGMENT_SHARE);
    const bytes = Math.max(grown, least, 4096);
    return Math.min(SEGMENT_BYTES_MAX, (bytes + 4095) & ~4095);
  }

  /** During emptying: takes the free chunk at `ref` off its list, so that it is not handed out. */
  withdraw(ref: number, units: number): void {
    const i32 = this.i32[ref >>> REF_SHIFT];
    const at = (ref & REF_MASK) << 1;
    // A chunk freed while its segment is being emptied was never linked: it carries -1.
    if (i32[at + 2] === -1) return;
    this.#unlink(ref, classOf(units));
    i32[at + 1] = FREE;
    i32[at + 2] = -1;
    i32[at + 3] = units;
  }

  /** Emptying is complete: the segment's memory goes back. */
  endEmptying(): void {
    this.#dropSegment(this.emptying);
    this.emptying = -1;
  }

  #link(ref: number, units: number): void {
    const segment = ref >>> REF_SHIFT;
    const i32 = this.i32[segment];
    const at = (ref & REF_MASK) << 1;
    i32[at + 1] = FREE;
    i32[at + 3] = units;
    if (segment === this.emptying) {
      i32[at + 2] = -1;
      return;
    }
    const index = classOf(units);
    const next = this.#free[index];
    i32[at] = next;
    i32[at + 2] = 0;
    if (next !== 0) this.i32[next >>> REF_SHIFT][((next & REF_MASK) << 1) + 2] = ref;
    this.#free[index] = ref;
  }

  #unlink(ref: number, index: number): void {
    const i32 = this.i32[ref >>> REF_SHIFT];
    const at = (ref & REF_MASK) << 1;
    const next = i32[at];
    const previous = i32[at + 2];
    if (next !== 0) this.i32[next >>> REF_SHIFT][((next & REF_MASK) << 1) + 2] = previous;
    if (previous !== 0) this.i32[previous >>> REF_SHIFT][(previous & REF_MASK) << 1] = next;
    else this.#free[index] = next;
  }

  /** Leaves the current segment: what is left of it becomes free chunks. */
  #retire(): void {
    let left = this.#end - this.#top;
    let at = this.#top;
    // Chunks have at least two units (a header); a single leftover unit is cut off the segment.
    while (left >= 2) {
      let units = left <= EXACT_UNITS ? left : EXACT_UNITS;
      if (left - units === 1) units--;
      this.#link((this.#segment << REF_SHIFT) | at, units);
      at += units;
      left -= units;
    }
    this.segmentTop[this.#segment] = at;
  }

  /** Goes on in a new segment. @throws RangeError without a change when there is no memory for it */
  #openSegment(bytes: number): void {
    const segment = this.#newSegment(bytes);
    if (this.#segment >= 0) this.#retire();
    this.#segment = segment;
    // Offset 0 of segment 0 would be reference 0, which means "none".
    this.#top = segment === 0 ? 1 : 0;
    this.#end = this.u8[segment].length >>> 3;
    this.segmentTop[segment] = this.#end;
  }

  #newSegment(bytes: number): number {
    if (this.#spare.length === 0 && this.u8.length >= SEGMENT_COUNT_MAX) {
      throw new RangeError("arena: all references are in use, no more memory (32 GiB)");
    }
    const view = blocks.take(bytes, false, BLOCK_SEGMENT_MIN);
    let segment = this.#spare.pop() ?? -1;
    if (segment < 0) {
      segment = this.u8.length;
      this.u8.push(NO_BYTES);
      this.i32.push(NO_INTS);
      this.f64.push(NO_FLOATS);
      this.segmentLive.push(0);
      this.segmentTop.push(0);
    }
    this.#place(segment, view);
    this.segmentLive[segment] = 0;
    this.totalBytes += bytes;
    return segment;
  }

  #place(segment: number, view: Uint8Array): void {
    this.u8[segment] = view;
    this.i32[segment] = new Int32Array(view.buffer, view.byteOffset, view.length >>> 2);
    this.f64[segment] = new Float64Array(view.buffer, view.byteOffset, view.length >>> 3);
  }

  /**
   * Moves one segment out of blocks that are being emptied, up to 8 MB; false when none lies there. References stay
   * valid. @throws RangeError when memory is exhausted
   */
  vacateOne(): boolean {
    for (let segment = 0; segment < this.u8.length; segment++) {
      const view = this.u8[segment];
      const used = segment === this.#segment ? this.#top << 3 : view.length;
      const fresh = blocks.vacated(view, used);
      if (fresh === view) continue;
      this.#place(segment, fresh);
      return true;
    }
    return false;
  }

  /** Gives the memory of all segments back. The arena may not be used any more. */
  dispose(): void {
    for (const view of this.u8) blocks.give(view);
    this.u8.length = 0;
    this.i32.length = 0;
    this.f64.length = 0;
    this.liveBytes = 0;
    this.totalBytes = 0;
  }

  #dropSegment(segment: number): void {
    this.totalBytes -= this.u8[segment].length;
    blocks.give(this.u8[segment]);
    this.u8[segment] = NO_BYTES;
    this.i32[segment] = NO_INTS;
    this.f64[segment] = NO_FLOATS;
    this.segmentLive[segment] = 0;
    this.segmentTop[segment] = 0;
    // Number 0 is not given out again: a segment of its own starts at offset 0 (see above).
    if (segment !== 0) this.#spare.push(segment);
  }
}
