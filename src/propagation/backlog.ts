/**
 * The latest part of the stream of writes, kept for replicas: those that are attached read it from
 * the positions they have come to, and one that was cut off for a while goes on where it stopped.
 *
 * A list of blocks, to which bytes are only ever appended:
 *
 *     block         block         block
 *     [ bytes ] --> [ bytes ] --> [ bytes | free ]
 *     ^ first                 ^ a cursor  ^ end
 *
 * The list begins where the latest `sizeBytes` bytes begin, or further back, at the slowest cursor;
 * blocks that are older fall off as a whole. So what a slow replica has not been sent yet stays in
 * memory as long as it is needed, once for all replicas, and meanwhile others may go on from there
 * as well. Whoever serves a replica decides how far it may stay behind.
 *
 * What slow cursors hold beyond a bound goes to a file, if there is one (`spillTo`): block by block, in the
 * background, the oldest first that no cursor stands in. A cursor that comes to such a block has it read back,
 * and meanwhile finds nothing.
 *
 * Offsets count the bytes of the stream; offset n is the place behind the first n bytes. See "One
 * backlog, many positions" in NOTES.
 */

import { copyBytes } from "../base/bytes.ts";

const BLOCK_BYTES_MIN = 16 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;
/** So many bytes that never change become a block as they are. */
const ADOPTED_MIN = 1024 * 1024;
/** A piece of so many bytes is remembered as long as it is here, see `largestPieceBytes`. */
const LARGE_PIECE_MIN = 1024 * 1024;
/** About how many blocks a backlog consists of. */
const BLOCKS = 64;

/** Where a block lies in a file: the file's own matter. */
export type SpillPlace = object;

/** What keeps blocks outside of memory: see replication/spill_files.ts. One call of each kind at a time. */
export interface SpillStore {
  /** Keeps these parts, which do not change meanwhile; answers where each lies. Rejects when they cannot be kept. */
  write(parts: readonly Uint8Array[]): Promise<SpillPlace[]>;
  /** Reads parts back, which were written one after the other. Rejects when they cannot be read. */
  read(places: readonly SpillPlace[]): Promise<Uint8Array[]>;
  /** One is needed no more. */
  free(place: SpillPlace): void;
  /** Nothing in it is needed any more. What is under way may still come to its end. */
  close(): void;
}

/** Where a backlog puts what does not fit into memory, and who hears of it. */
export interface Spill {
  readonly store: SpillStore;
  /** Bytes that blocks may take in memory before some go. */
  bytesMax: number;
  /** A block is back: who found nothing may look again. */
  onLoaded(): void;
  /** A block could not be written: blocks stay in memory from now on. */
  onFailed(error: unknown): void;
  /** A block could not be read back: cursors that come to it go no further. */
  onLost(error: unknown): void;
}

/** About so much is written to a file, and read back, at a time. */
const TOGETHER_BYTES = 1 << 20;

class Block {
  length = 0;
  /** Where in it the first of the appended pieces begins; -1 while none does. */
  begins = -1;
  next: Block | null = null;
  /** How many cursors stand in it. */
  users = 0;
  /** A connection that has ended may still be sending bytes of it: they must never change. */
  isLent = false;
  /** Where it lies in the file; null when it does not. */
  place: SpillPlace | null = null;
  isWriting = false;
  isReading = false;
  /** It has fallen off. */
  isGone = false;

  /** `offset` is that of its first byte; `memory` is what `bytes` are a part of, which has to be held with them. */
  constructor(
    readonly offset: number,
    /** Null while it is only in the file. */
    public bytes: Uint8Array | null,
    public memory: Uint8Array | null = bytes,
  ) {}

  /** Bytes of memory that it takes. */
  get heldBytes(): number {
    return this.bytes === null ? 0 : this.bytes.length;
  }
}

export class Backlog {
  #sizeBytes: number;
  #first: Block;
  #last: Block;
  #heldBytes = 0;
  /** Memory of a block that has fallen off, for the next one: what is left to the collector stays for long. */
  #spare: Uint8Array | null = null;
  #spill: Spill | null = null;
  #isWriting = false;
  #reading: Promise<boolean> | null = null;
  /** Where the search for a block to be written goes on; null for the first. */
  #writeFrom: Block | null = null;
  /** Bytes of the stream that are only in the file. */
  #spilledBytes = 0;
  /** Large pieces that are here, where each ends: those that none behind them is larger than, so in falling order. */
  #largePieces: { readonly end: number; readonly length: number }[] = [];

  /** `offset` is the present offset of the stream, `sizeBytes` is `repl-backlog-size`. */
  constructor(offset: number, sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#first = this.#last = this.#newBlock(offset, this.#usualBlockBytes());
  }

  #usualBlockBytes(): number {
    return usualBlockBytes(this.#sizeBytes);
  }

  #newBlock(offset: number, sizeBytes: number): Block {
    const spare = this.#spare;
    this.#spare = null;
    const bytes = spare?.length === sizeBytes ? spare : new Uint8Array(sizeBytes);
    this.#heldBytes += sizeBytes;
    return new Block(offset, bytes);
  }

  /** Bytes that never change become the next block, uncopied. */
  #adopt(memory: Uint8Array, offset: number, length: number): void {
    const last = this.#last;
    const bytes = memory.subarray(offset, offset + length);
    const block = new Block(last.offset + last.length, bytes, memory);
    block.length = length;
    block.begins = 0;
    this.#heldBytes += length;
    this.#last = last.next = block;
    this.#trim();
  }

  /** How many bytes of the stream are kept at least: `repl-backlog-size`. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  set sizeBytes(value: number) {
    this.#sizeBytes = value;
    this.#trim();
  }

  /** The lowest offset that a replica can go on from: all bytes behind it are here. */
  get beginOffset(): number {
    return this.#first.offset;
  }

  /** The lowest offset here at which a command begins: that of the first piece that was appended as a whole. */
  get commandOffset(): number {
    for (let block: Block | null = this.#first; block !== null; block = block.next) {
      if (block.begins >= 0) return block.offset + block.begins;
    }
    return this.endOffset;
  }

  /** Offset of the stream's end. */
  get endOffset(): number {
    return this.#last.offset + this.#last.length;
  }

  /** Bytes of the stream that are here. */
  get historyBytes(): number {
    return this.endOffset - this.beginOffset;
  }

  /** Bytes of memory that the blocks take. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** About how many of `heldBytes` are there only because a cursor is slow. */
  get excessBytes(): number {
    return Math.max(0, this.#heldBytes - historyBytesMax(this.#sizeBytes));
  }

  /** Bytes of the stream that are not in memory but in the file. */
  get spilledBytes(): number {
    return this.#spilledBytes;
  }

  /** Where the part of the stream ends that is not all in memory; `beginOffset` where it is. */
  get spilledTo(): number {
    let to = this.beginOffset;
    for (let block: Block | null = this.#first; block !== null; block = block.next) {
      if (block.bytes === null) to = block.offset + block.length;
    }
    return to;
  }

  /** From now on what takes more memory than it may goes to a file, or (null) stays. */
  spillTo(spill: Spill | null): void {
    this.#spill = spill;
    this.#writeSome();
  }

  /** The bound has changed. */
  spillLimitChanged(): void {
    this.#writeSome();
  }

  /** Nobody reads it any more. */
  close(): void {
    this.#spill?.store.close();
    this.#spill = null;
  }

  /** Whether a reader that has everything up to `offset` can be given all that follows. */
  covers(offset: number): boolean {
    return offset >= this.beginOffset && offset <= this.endOffset;
  }

  /** Appends the stream's next bytes, from the beginning of a command to the end of one. With `isKept` they never change, and may be held instead of copied. */
  append(bytes: Uint8Array, offset: number, length: number, isKept = false): void {
    if (length >= LARGE_PIECE_MIN) this.#noteLarge(length);
    if (isKept && length >= ADOPTED_MIN) return this.#adopt(bytes, offset, length);
    let block = this.#last;
    if (block.begins < 0) block.begins = block.length;
    // The last block is always in memory.
    let into = block.bytes!;
    let room = into.length - block.length;
    if (length <= room) {
      copyBytes(into, block.length, bytes, offset, length);
      block.length += length;
      return;
    }
    let at = offset;
    const end = offset + length;
    for (;;) {
      const part = Math.min(room, end - at);
      copyBytes(into, block.length, bytes, at, part);
      block.length += part;
      at += part;
      if (at === end) break;
      block = this.#newBlock(block.offset + block.length, this.#usualBlockBytes());
      if (at === offset) block.begins = 0;
      this.#last.next = block;
      this.#last = block;
      into = block.bytes!;
      room = into.length;
    }
    this.#trim();
  }

  #noteLarge(length: number): void {
    const pieces = this.#largePieces;
    while (pieces.length > 0 && pieces.at(-1)!.length <= length) pieces.pop();
    pieces.push({ end: this.endOffset + length, length });
  }

  /**
   * The largest piece that was appended at once and is here, in whole or in part; 0 where none is large. No limit of
   * what a reader may have before it can be below that, or none would ever come past it.
   */
  get largestPieceBytes(): number {
    const pieces = this.#largePieces;
    while (pieces.length > 0 && pieces[0].end <= this.beginOffset) pieces.shift();
    return pieces.length === 0 ? 0 : pieces[0].length;
  }

  /** Lets blocks go that are needed neither for the latest `sizeBytes` nor by a cursor. */
  #trim(): void {
    const keepFrom = this.endOffset - this.#sizeBytes;
    while (
      this.#first.users === 0 && this.#first !== this.#last &&
      this.#first.next!.offset <= keepFrom
    ) {
      const first = this.#first;
      if (first === this.#writeFrom) this.#writeFrom = null;
      first.isGone = true;
      if (first.bytes === null) this.#spilledBytes -= first.length;
      else this.#forgetBytes(first);
      if (first.place !== null && !first.isReading) this.#spill?.store.free(first.place);
      this.#first = first.next!;
    }
    this.#writeSome();
  }

  /** A block's bytes are not needed in memory any more. */
  #forgetBytes(block: Block): void {
    const { bytes, memory, isLent, isWriting } = block;
    this.#heldBytes -= block.heldBytes;
    if (!isLent && !isWriting && bytes === memory) this.#spare = bytes;
    block.bytes = block.memory = null;
  }

  // -- what does not fit into memory ----------------------------------------------------------

  /** How much memory blocks may take: what is kept in any case is never written. */
  get #memoryMax(): number {
    return Math.max(this.#spill!.bytesMax, this.#sizeBytes + 2 * this.#usualBlockBytes());
  }

  /** Has blocks written, some at a time, as long as too many of them are in memory. */
  #writeSome(): void {
    const spill = this.#spill;
    if (spill === null || this.#isWriting) return;
    const blocks = this.#nextToWrite(this.#heldBytes - this.#memoryMax);
    if (blocks.length === 0) return;
    this.#isWriting = true;
    for (const block of blocks) block.isWriting = true;
    const parts = blocks.map(({ bytes, length }) => bytes!.subarray(0, length));
    spill.store.write(parts).then((places) => {
      this.#isWriting = false;
      blocks.forEach((block, i) => this.#written(block, places[i], spill));
      this.#writeSome();
    }, (error) => {
      this.#isWriting = false;
      for (const block of blocks) block.isWriting = false;
      this.#writeFrom = null; // these are to be tried again
      if (this.#spill !== spill) return;
      // What is in the file stays readable; nothing more goes there.
      spill.bytesMax = Infinity;
      spill.onFailed(error);
    });
  }

  #written(block: Block, place: SpillPlace, spill: Spill): void {
    block.isWriting = false;
    if (block.isGone || this.#spill !== spill) return spill.store.free(place);
    block.place = place;
    this.#letGo(block);
  }

  /** The oldest blocks of about so many bytes that are in memory, not in the file, and that no cursor stands in. */
  #nextToWrite(bytesMax: number): Block[] {
    const found: Block[] = [];
    let bytes = 0;
    let block = this.#writeFrom ?? this.#first;
    const keepFrom = this.endOffset - this.#sizeBytes;
    for (; bytes < Math.min(bytesMax, TOGETHER_BYTES); block = block.next!) {
      if (block.offset + block.length > keepFrom || block === this.#last) break;
      if (block.users > 0 || block.place !== null) continue;
      this.#writeFrom = block;
      found.push(block);
      bytes += block.length;
    }
    return found;
  }

  /** The bytes of a block that is in the file leave memory, if no cursor stands in it. */
  #letGo(block: Block): void {
    if (block.place === null || block.users > 0 || block.bytes === null) return;
    this.#spilledBytes += block.length;
    this.#forgetBytes(block);
  }

  /**
   * Has the bytes of a block read back, and of those behind it. One reading at a time: resolves when that is over which
   * is under way then. False where nothing can be read.
   */
  load(block: Block): Promise<boolean> {
    const spill = this.#spill;
    if (spill === null) return Promise.resolve(false);
    return this.#reading ??= this.#read(outFrom(block), spill);
  }

  async #read(blocks: Block[], spill: Spill): Promise<boolean> {
    for (const block of blocks) block.isReading = true;
    try {
      const parts = await spill.store.read(blocks.map(({ place }) => place!));
      blocks.forEach((block, i) => this.#loaded(block, parts[i], spill));
    } catch (error) {
      this.#reading = null;
      if (this.#spill === spill) spill.onLost(error);
      return false;
    }
    this.#reading = null;
    spill.onLoaded();
    return true;
  }

  #loaded(block: Block, bytes: Uint8Array, spill: Spill): void {
    block.isReading = false;
    if (block.isGone) return spill.store.free(block.place!);
    block.bytes = block.memory = bytes;
    this.#heldBytes += bytes.length;
    this.#spilledBytes -= block.length;
  }

  /** A reader of everything from `offset` on, which `covers` it. @throws Error otherwise */
  cursor(offset: number): BacklogCursor {
    if (!this.covers(offset)) {
      throw new Error(
        `backlog: offset ${offset} is not within ${this.beginOffset} to ${this.endOffset}`,
      );
    }
    let block = this.#first;
    while (block.next !== null && block.next.offset <= offset) block = block.next;
    return new BacklogCursor(this, block, offset - block.offset);
  }

  /** A copy of the latest bytes of the stream, at most `countMax`, and of those that are kept in memory in any case. */
  latest(countMax: number): Uint8Array {
    const count = Math.min(countMax, this.historyBytes, this.#sizeBytes);
    const latest = new Uint8Array(count);
    const cursor = this.cursor(this.endOffset - count);
    for (let filled = 0; filled < count;) {
      const bytes = cursor.peek()!;
      latest.set(bytes, filled);
      filled += bytes.length;
      cursor.advance(bytes.length);
    }
    cursor.close();
    return latest;
  }

  /** A cursor has gone: what was read back for it leaves memory again, if others are still behind. */
  gone(block: Block): void {
    this.left(block);
    if (this.#spilledBytes === 0) return;
    for (let at: Block | null = this.#first; at !== null; at = at.next) this.#letGo(at);
  }

  /** To be called when a cursor has left this block. */
  left(block: Block): void {
    if (--block.users > 0) return;
    if (block === this.#first) this.#trim();
    if (!block.isGone) this.#letGo(block);
  }
}

/** This block and those behind it that are in the file only, of about TOGETHER_BYTES. */
function outFrom(first: Block): Block[] {
  const found: Block[] = [];
  let bytes = 0;
  for (let block: Block | null = first; block !== null; block = block.next) {
    if (block.bytes !== null || bytes >= TOGETHER_BYTES) break;
    found.push(block);
    bytes += block.length;
  }
  return found;
}

/** A position in a backlog. What it has not passed stays in memory until it is closed. */
export class BacklogCursor {
  readonly #backlog: Backlog;
  #block: Block;
  #at: number;
  /** Where what `peek` has shown of the block ends. */
  #shownTo = 0;

  /** Made by Backlog.cursor. */
  constructor(backlog: Backlog, block: Block, at: number) {
    this.#backlog = backlog;
    this.#block = block;
    this.#at = at;
    block.users++;
  }

  /** Offset it has come to. */
  get offset(): number {
    return this.#block.offset + this.#at;
  }

  /** Bytes between it and the end of the stream. */
  get behindBytes(): number {
    return this.#backlog.endOffset - this.offset;
  }

  /** Of these, about how many are in memory. */
  get heldBehindBytes(): number {
    return Math.min(this.behindBytes, this.#backlog.heldBytes);
  }

  /** See Backlog. */
  get largestPieceBytes(): number {
    return this.#backlog.largestPieceBytes;
  }

  /** Another reader at the same position. */
  copy(): BacklogCursor {
    return new BacklogCursor(this.#backlog, this.#block, this.#at);
  }

  /**
   * The next bytes, as many as lie together; null when there are none yet, or they are being read back. They do not change before
   * `advance` has passed them, and never if this is closed before it has. A block that has been read to its end is
   * let go of here.
   */
  peek(): Uint8Array | null {
    if (this.#at === this.#block.length) {
      const { next } = this.#block;
      if (next === null) return null;
      next.users++;
      this.#backlog.left(this.#block);
      this.#block = next;
      this.#at = this.#shownTo = 0;
      if (this.#block.length === 0) return null;
    }
    const { bytes } = this.#block;
    if (bytes === null) {
      this.#backlog.load(this.#block);
      return null;
    }
    const end = Math.min(this.#block.length, this.#at + BLOCK_BYTES_MAX);
    this.#shownTo = end;
    return bytes.subarray(this.#at, end);
  }

  /** Whether `peek` finds nothing because it is being read back. */
  get isInFile(): boolean {
    return this.#block.bytes === null;
  }

  /** When more has been read back, where `isInFile`; false if nothing can be. */
  loaded(): Promise<boolean> {
    return this.#backlog.load(this.#block);
  }

  /** Moves on by `count` of the bytes that `peek` showed. */
  advance(count: number): void {
    this.#at += count;
  }

  /** Lets go of what it holds. To be called once; the cursor must not be read from afterwards. */
  close(): void {
    if (this.#at < this.#shownTo) this.#block.isLent = true;
    this.#backlog.gone(this.#block);
  }
}

/** Bytes of a block that is made for a backlog of `sizeBytes`. */
function usualBlockBytes(sizeBytes: number): number {
  const share = sizeBytes / BLOCKS;
  return Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, 2 ** Math.ceil(Math.log2(share))));
}

/**
 * A bound of what a backlog of `sizeBytes` keeps for nobody in particular: blocks go as a whole, and only when the next
 * one begins. A single large piece that is a block comes on top.
 */
export function historyBytesMax(sizeBytes: number): number {
  return sizeBytes + 2 * usualBlockBytes(sizeBytes);
}
