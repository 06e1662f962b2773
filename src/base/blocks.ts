/**
 * Memory for what is large and has an owner: segments of arenas, tables, long strings, the buffers of large
 * requests and replies. It is taken in pages of large blocks and given back by its owner; a block
 * without any of it goes back to the system, at once or with the next turns of the timer.
 *
 * Why not buffers of their own: a buffer that is dropped stays until something collects, which an idle
 * server has no reason to do; and allocators keep what was not large for themselves, wherever something that is
 * still in use lies behind it. Blocks are large enough, and `transferToFixedLength(0)` takes a buffer's memory away
 * without a collection. Pages of a block that were never written take no memory.
 *
 * Blocks that have become sparse can be emptied: who has something in one of them moves it elsewhere when asked to
 * (`vacated`).
 *
 * What is forgotten instead of given back (a set that a command needed for a while) is noticed when its view is
 * collected. So whoever uses a part of a view has to hold the view itself.
 *
 * See "Memory that goes back" in NOTES.
 *
 * What is given back is not handed out again before `settle`, which is called when no command runs: bytes of a
 * value that a command has removed may still be read until its end.
 */

import { isRefusal, tryAllocating } from "./refused.ts";

/** Less than this comes as a buffer of its own, from the C library. */
export const BLOCK_SHARE_MIN = 16 * 1024;

const PAGE_SHIFT = 12;
const PAGE_BYTES = 1 << PAGE_SHIFT;
/**
 * A block gives nothing back before all of it is free, so each is to be a small part of all that is held. Where only
 * large buffers go back (`Blocks.returnedMin`), a block is a part of one: pages that are never written take no memory.
 */
const BLOCK_BYTES_MAX = 40 << 20;
const BLOCK_SHARE = 1 / 16;
const BLOCK_BYTES_MIN = 4 << 20;
/**
 * Beyond so many bytes it is no small part where blocks are parts of large buffers: the engine counts all of such a
 * buffer as memory taken and collects garbage after each, so a dataset that grows fast had it do so for every 4 MB.
 */
const SMALL_BLOCKS_BYTES = 8 << 20;
const LARGE_BUFFER_SHARE = 1 / 2;
/** Likewise where all buffers go back, so that blocks may be smaller. */
const SMALL_BLOCK_SHARE = 1 / 64;
const SMALL_BLOCK_BYTES_MIN = 1 << 20;
/** More than this gets a block of its own, which goes with it. */
const SHARE_MAX = 8 << 20;
/** What has a block of its own may grow in it: by so much, or as much as it is large. */
const ROOM_MAX = 128 << 20;
/** What is taken to grow may become so large where it is: as large as a string can become by default. */
const GROWN_BYTES_MAX = 512 << 20;
/**
 * Its buffer has so many pages more than are taken: the system may take milliseconds for more of them, while another
 * thread gives memory back. Before they are written, they take none.
 */
const RESIZED_PAGES = (16 << 20) >> PAGE_SHIFT;
/** An empty block is kept for so many turns of the timer, half a second, after it was in use. */
const KEPT_TURNS = 5;
/** One of small parts for two seconds, where memory is not limited (`Blocks.keptBytesMax`). */
const KEPT_TURNS_OF_SHARED = 20;
/** See `Blocks.keptBytesMax`. */
export const KEPT_BYTES_MAX = 128 << 20;
/** A block is worth emptying when gaps are at least this share of it. */
const SPARSE_GAPS = 1 / 8;

class Block {
  readonly buffer: ArrayBuffer;
  /** Per page, 1 where it is taken. */
  readonly taken: Uint8Array;
  freePages: number;
  /** No run of so many free pages is there; known from a search that failed. */
  missing: number;
  /** Pages from here on were never handed out: they are zero. */
  untouched = 0;
  /** Where the next search begins. */
  from = 0;
  /** It is being emptied: nothing is handed out of it. */
  isLeaving = false;
  /** Free pages that there were when emptying it failed, because somebody holds on to what is left. */
  stuckAt = -1;
  /** How often `Blocks.tick` has been called since something of it was in use. */
  turnsEmpty = 0;

  /** `bufferPages`: how many the buffer begins with, where it is resized as more are taken. */
  constructor(
    readonly pages: number,
    bytesMin: number,
    readonly isShared = true,
    bufferPages = pages,
  ) {
    const bytes = Math.max(bufferPages << PAGE_SHIFT, bytesMin);
    this.buffer = bufferPages === pages
      ? new ArrayBuffer(bytes)
      : new ArrayBuffer(bytes, { maxByteLength: pages << PAGE_SHIFT });
    this.taken = new Uint8Array(pages);
    this.freePages = pages;
    this.missing = pages + 1;
  }

  /** Whether its buffer can be resized. */
  get grows(): boolean {
    return this.buffer.resizable;
  }

  get isEmpty(): boolean {
    return this.freePages === this.pages;
  }

  get takenPages(): number {
    return this.pages - this.freePages;
  }

  /** Which share of the pages that were handed out some time is in use. */
  get density(): number {
    return this.takenPages / this.untouched;
  }

  /** Whether emptying it would give back a fair part of it, and may succeed. */
  get isSparse(): boolean {
    if (this.stuckAt >= 0 && this.freePages - this.stuckAt < this.pages >> 3) return false;
    return this.density <= 1 - SPARSE_GAPS;
  }

  /** Takes the pages from `from` up to `to` when all of them are free and the system has the memory. */
  takeAt(from: number, to: number): boolean {
    if (this.isLeaving || to > this.pages) return false;
    const next = this.taken.indexOf(1, from);
    if (next >= 0 && next < to) return false;
    if (!this.#reaches(to)) return false;
    this.taken.fill(1, from, to);
    this.freePages -= to - from;
    this.untouched = Math.max(this.untouched, to);
    return true;
  }

  /** Whether all of it can be used for so many pages, without much that was written being left over. */
  fits(pages: number): boolean {
    if (pages > this.pages || !this.isEmpty || this.isLeaving) return false;
    return this.untouched - pages <= pages * SPARSE_GAPS && this.#reaches(pages);
  }

  /** Whether the buffer has the pages up to `to`, after it has been made larger if it can be. */
  #reaches(to: number): boolean {
    const { buffer } = this;
    if (to << PAGE_SHIFT <= buffer.byteLength) return true;
    const bytes = Math.min(to + RESIZED_PAGES, this.pages) << PAGE_SHIFT;
    return tryAllocating(() => buffer.resize(bytes));
  }

  /** The first page of a run of free ones, which are taken then; -1 when there is none. */
  take(pages: number): number {
    if (this.isLeaving || pages > this.freePages || pages >= this.missing) return -1;
    let at = this.#search(pages, this.from, this.pages);
    if (at < 0) at = this.#search(pages, 0, Math.min(this.pages, this.from + pages));
    if (at < 0) {
      this.missing = pages;
      return -1;
    }
    this.taken.fill(1, at, at + pages);
    this.freePages -= pages;
    this.from = at + pages;
    this.turnsEmpty = 0;
    return at;
  }

  #search(pages: number, from: number, to: number): number {
    const { taken } = this;
    for (let at = from; at + pages <= to;) {
      const next = taken.indexOf(1, at);
      if (next < 0 || next >= at + pages) return at;
      const free = taken.indexOf(0, next);
      if (free < 0) return -1;
      at = free;
    }
    return -1;
  }

  give(page: number, pages: number): void {
    this.taken.fill(0, page, page + pages);
    this.freePages += pages;
    this.missing = this.pages + 1;
    if (page < this.from) this.from = page;
  }
}

/** Where a view lies. */
interface Place {
  readonly block: Block;
  readonly page: number;
  readonly pages: number;
}

function placeIn(block: Block, pages: number): Place {
  return { block, page: block.take(pages), pages };
}

export class Blocks {
  /**
   * Freed buffers of at least so many bytes go back to the system; smaller ones may stay with the allocator. See
   * `HostProcess.returnedMin`.
   */
  returnedMin = 33 << 20;
  /**
   * Of blocks that held one large buffer, so many bytes may stay empty for a short time: what is as large and comes at
   * once then (the next reply, the copy that replaces a copy) does without the quarter of a millisecond that the
   * system takes for each new megabyte.
   */
  keptBytesMax = KEPT_BYTES_MAX;
  /**
   * Whether every view is a buffer of its own. The blocks are of the process, and what garbage collection has not given
   * back yet counts among their gaps: a simulated server would tell of that, and not go the same way each time.
   */
  sharesNothing = false;
  /** Bytes of all that is handed out, in whole pages. */
  takenBytes = 0;
  /** Bytes given back that have not been settled. */
  pendingBytes = 0;
  /** Bytes of blocks that have gone back to the system, since the start. */
  releasedBytes = 0;
  readonly #blocks: Block[] = [];
  readonly #places = new WeakMap<Uint8Array, Place>();
  #pending: Place[] = [];
  readonly #forgotten = new FinalizationRegistry<Place>((place) => this.#giveLater(place));

  /** Bytes of all blocks as far as they have been handed out: what lies behind takes no memory. */
  get heldBytes(): number {
    let pages = 0;
    for (const block of this.#blocks) pages += block.untouched;
    return pages << PAGE_SHIFT;
  }

  /** Bytes of blocks that nobody has at present although they have been written: they take memory. */
  get gapBytes(): number {
    return this.heldBytes - this.takenBytes;
  }

  /**
   * A view of `bytes` bytes of undefined content, or of zeros. Below `least` it is a buffer of its own: what
   * is small and stays for long would keep a whole block. @throws RangeError when memory is exhausted
   */
  take(bytes: number, isZeroed = false, least = BLOCK_SHARE_MIN): Uint8Array<ArrayBuffer> {
    if (bytes < least || this.sharesNothing) return new Uint8Array(bytes);
    const place = this.#find(Math.ceil(bytes / PAGE_BYTES));
    return this.#taken(place, bytes, isZeroed);
  }

  /**
   * `take` of what may have to grow: where it is long, `extended` makes it longer without a copy, up to half a
   * gigabyte. Its buffer can be resized then. To read one takes the engines a little longer, and functions that have
   * met one need longer for all others, too: so it is for values, not for what every request goes through.
   */
  takeGrowing(bytes: number, isZeroed = false): Uint8Array<ArrayBuffer> {
    if (bytes <= SHARE_MAX || this.sharesNothing) return this.take(bytes, isZeroed);
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const block = this.#keptBlock(pages, true) ?? this.#added(this.#growingBlock(pages));
    return this.#taken(placeIn(block, pages), bytes, isZeroed);
  }

  #taken(place: Place, bytes: number, isZeroed: boolean): Uint8Array<ArrayBuffer> {
    const { block, page, pages } = place;
    const view = this.#viewOf(place, bytes);
    if (isZeroed && page < block.untouched) {
      view.fill(0, 0, Math.min(bytes, (block.untouched - page) * PAGE_BYTES));
    }
    block.untouched = Math.max(block.untouched, page + pages);
    this.takenBytes += pages * PAGE_BYTES;
    return view;
  }

  /**
   * A view of `bytes` bytes, more than before, at the place of `view`, which is not one of ours any more then; or
   * null where there is no room behind it. Costs the same however long it is. What is new has undefined content.
   */
  extended(view: Uint8Array, bytes: number): Uint8Array | null {
    const place = this.#places.get(view);
    if (place === undefined) return null;
    const { block, page } = place;
    const pages = Math.ceil(bytes / PAGE_BYTES);
    if (!block.takeAt(page + place.pages, page + pages)) return null;
    this.takenBytes += (pages - place.pages) * PAGE_BYTES;
    this.#places.delete(view);
    this.#forgotten.unregister(view);
    return this.#viewOf({ block, page, pages }, bytes);
  }

  #viewOf(place: Place, bytes: number): Uint8Array<ArrayBuffer> {
    const view = new Uint8Array(place.block.buffer, place.page * PAGE_BYTES, bytes);
    this.#places.set(view, place);
    this.#forgotten.register(view, place, view);
    return view;
  }

  /** Bytes that `take` of so many really takes. */
  static rounded(bytes: number): number {
    return bytes < BLOCK_SHARE_MIN ? bytes : Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  }

  /**
   * Gives back what `take` has returned: the very view. Its bytes may be read until the next `settle`, and nobody
   * may use them after it. Nothing happens for views that are no longer, or never were, taken from here.
   */
  give(view: Uint8Array): void {
    const place = this.#places.get(view);
    if (place === undefined) return;
    this.#places.delete(view);
    this.#forgotten.unregister(view);
    this.#giveLater(place);
  }

  // -- emptying sparse blocks --------------------------------------------------------------------

  /**
   * Chooses sparse blocks that are to be emptied, when there are more than `gapBytesMax` of gaps; false when there
   * is nothing to do. Then whoever can has to call `vacated` for each view it has, and somebody `endEmptying`.
   */
  beginEmptying(gapBytesMax: number): boolean {
    if (this.gapBytes <= gapBytesMax) return false;
    const sparse = this.#blocks.filter((block) => !block.isEmpty && block.isSparse);
    sparse.sort((a, b) => a.density - b.density);
    // What is moved is there twice for a while.
    let pages = (this.heldBytes * BLOCK_SHARE) >> PAGE_SHIFT;
    for (const block of sparse) {
      block.isLeaving = true;
      pages -= block.takenPages;
      if (pages <= 0) break;
    }
    return sparse.length > 0;
  }

  /**
   * The view itself; or, when it lies in a block that is being emptied, one of the same length elsewhere, with its
   * first `used` bytes. The old one has been given back then. @throws RangeError when memory is exhausted
   */
  vacated(view: Uint8Array, used = view.length): Uint8Array {
    if (this.#places.get(view)?.block.isLeaving !== true) return view;
    const fresh = this.take(view.length);
    fresh.set(used === view.length ? view : view.subarray(0, used));
    this.give(view);
    return fresh;
  }

  /** All views have been asked after. Blocks that something is left in stay for now. See `settle`. */
  endEmptying(atOnce = false): void {
    this.settle(atOnce);
    for (const block of this.#blocks) if (block.isLeaving) block.turnsEmpty = Infinity;
    this.#release(atOnce);
    for (const block of this.#blocks) {
      if (!block.isLeaving) continue;
      block.isLeaving = false;
      block.stuckAt = block.freePages;
    }
  }

  /**
   * Has another thread free the memory of a block, which is gone here then; null where there is none. The
   * system takes a millisecond for every few megabytes.
   */
  freeElsewhere: ((memory: ArrayBuffer) => void) | null = null;

  /**
   * Lets what was given back be used again, and gives blocks that are empty back to the system, but for those used
   * a short time ago; with `atOnce` all of them, and it has them when this returns.
   */
  settle(atOnce = false): void {
    if (this.pendingBytes === 0 && !atOnce) return;
    const pending = this.#pending;
    this.#pending = [];
    this.pendingBytes = 0;
    for (const { block, page, pages } of pending) block.give(page, pages);
    this.#release(atOnce);
  }

  /**
   * `settle`, by the timer: empty blocks that nobody has used for some turns go. Large replies take memory and give it
   * back in each turn of their connections, what is emptied is often filled again, and new memory costs more than what
   * is written to it.
   */
  tick(): void {
    this.settle();
    this.#release(false);
    for (const block of this.#blocks) block.turnsEmpty = block.isEmpty ? block.turnsEmpty + 1 : 0;
  }

  /** Gives blocks that are empty back to the system, with `all` also those that may be needed again. */
  #release(all: boolean): void {
    let keptBytes = 0;
    const turnsOfShared = this.keptBytesMax > 0 ? KEPT_TURNS_OF_SHARED : KEPT_TURNS;
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const block = this.#blocks[i];
      if (!block.isEmpty) continue;
      if (block.isShared && block.turnsEmpty < turnsOfShared && !all) continue;
      if (!block.isShared && block.turnsEmpty < KEPT_TURNS && !all) {
        keptBytes += block.untouched << PAGE_SHIFT;
        if (keptBytes <= this.keptBytesMax) continue;
      }
      this.#blocks.splice(i, 1);
      this.releasedBytes += block.buffer.byteLength;
      this.#free(block.buffer, all);
    }
  }

  #free(memory: ArrayBuffer, atOnce: boolean): void {
    if (atOnce || this.freeElsewhere === null) memory.transferToFixedLength(0);
    else this.freeElsewhere(memory);
  }

  #giveLater(place: Place): void {
    this.#pending.push(place);
    const bytes = place.pages * PAGE_BYTES;
    this.pendingBytes += bytes;
    this.takenBytes -= bytes;
  }

  /** Takes from the oldest block that has room: so the youngest ones become empty. */
  #find(pages: number): Place {
    const isShared = pages <= SHARE_MAX >> PAGE_SHIFT;
    if (isShared) {
      for (const block of this.#blocks) {
        const page = block.isShared ? block.take(pages) : -1;
        if (page >= 0) return { block, page, pages };
      }
    }
    const block = isShared
      ? this.#added(new Block(this.#pagesOfNext(pages), this.returnedMin))
      : this.#keptBlock(pages, false) ?? this.#added(this.#ownBlock(pages));
    return placeIn(block, pages);
  }

  #added(block: Block): Block {
    this.#blocks.push(block);
    return block;
  }

  /** A block that was used a moment ago for what had one of its own, if one fits. */
  #keptBlock(pages: number, grows: boolean): Block | null {
    for (const block of this.#blocks) {
      if (!block.isShared && block.grows === grows && block.fits(pages)) return block;
    }
    return null;
  }

  /** With room to grow where that takes no memory, and the system has no objection. */
  #ownBlock(pages: number): Block {
    if (this.returnedMin > 0) {
      try {
        const room = Math.min(pages, ROOM_MAX >> PAGE_SHIFT);
        return new Block(pages + room, this.returnedMin, false);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    return new Block(pages, this.returnedMin, false);
  }

  /** Room in it is no more than addresses, on any runtime, until it is taken. */
  #growingBlock(pages: number): Block {
    try {
      const largest = Math.max(GROWN_BYTES_MAX, (pages << PAGE_SHIFT) + ROOM_MAX) >> PAGE_SHIFT;
      return new Block(largest, 0, false, pages + RESIZED_PAGES);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return new Block(pages, this.returnedMin, false);
    }
  }

  /** How much of the next block is to be used when so many pages are asked for. */
  #pagesOfNext(pages: number): number {
    const bytes = pages << PAGE_SHIFT;
    const wanted = this.returnedMin === 0
      ? Math.max(SMALL_BLOCK_BYTES_MIN, this.heldBytes * SMALL_BLOCK_SHARE, bytes)
      : Math.max(
        BLOCK_BYTES_MIN,
        (this.heldBytes - SMALL_BLOCKS_BYTES) * LARGE_BUFFER_SHARE,
        bytes * 2,
      );
    return Math.min(wanted, BLOCK_BYTES_MAX) >> PAGE_SHIFT;
  }
}

/** The blocks of this thread, which all that lives in it shares. */
export const blocks = new Blocks();

/**
 * Likewise, for small buffers that belong to connections and cannot be moved: in blocks of values each would keep one
 * from becoming empty, and between what the C library has for others they keep that from going back.
 */
export const connectionBlocks = new Blocks();
