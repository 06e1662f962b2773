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
 * Offsets count the bytes of the stream; offset n is the place behind the first n bytes. See "One
 * backlog, many positions" in NOTES.
 */

import { copyBytes } from "../base/bytes.ts";

const BLOCK_BYTES_MIN = 16 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;
/** So many bytes that never change become a block as they are. */
const ADOPTED_MIN = 1024 * 1024;
/** About how many blocks a backlog consists of. */
const BLOCKS = 64;

class Block {
  length = 0;
  /** Where in it the first of the appended pieces begins; -1 while none does. */
  begins = -1;
  next: Block | null = null;
  /** How many cursors stand in it. */
  users = 0;
  /** A connection that has ended may still be sending bytes of it: they must never change. */
  isLent = false;

  /** `offset` is that of its first byte; `memory` is what `bytes` are a part of, which has to be held with them. */
  constructor(
    readonly offset: number,
    readonly bytes: Uint8Array,
    readonly memory: Uint8Array = bytes,
  ) {}
}

export class Backlog {
  #sizeBytes: number;
  #first: Block;
  #last: Block;
  #heldBytes = 0;
  /** Memory of a block that has fallen off, for the next one: what is left to the collector stays for long. */
  #spare: Uint8Array | null = null;

  /** `offset` is the present offset of the stream, `sizeBytes` is `repl-backlog-size`. */
  constructor(offset: number, sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#first = this.#last = this.#newBlock(offset, this.#usualBlockBytes());
  }

  #usualBlockBytes(): number {
    const share = this.#sizeBytes / BLOCKS;
    return Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, 2 ** Math.ceil(Math.log2(share))));
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
    return Math.max(0, this.#heldBytes - this.#sizeBytes - 2 * this.#usualBlockBytes());
  }

  /** Whether a reader that has everything up to `offset` can be given all that follows. */
  covers(offset: number): boolean {
    return offset >= this.beginOffset && offset <= this.endOffset;
  }

  /** Appends the stream's next bytes, from the beginning of a command to the end of one. With `isKept` they never change, and may be held instead of copied. */
  append(bytes: Uint8Array, offset: number, length: number, isKept = false): void {
    if (isKept && length >= ADOPTED_MIN) return this.#adopt(bytes, offset, length);
    let block = this.#last;
    if (block.begins < 0) block.begins = block.length;
    let room = block.bytes.length - block.length;
    if (length <= room) {
      copyBytes(block.bytes, block.length, bytes, offset, length);
      block.length += length;
      return;
    }
    let at = offset;
    const end = offset + length;
    for (;;) {
      const part = Math.min(room, end - at);
      copyBytes(block.bytes, block.length, bytes, at, part);
      block.length += part;
      at += part;
      if (at === end) break;
      block = this.#newBlock(block.offset + block.length, this.#usualBlockBytes());
      if (at === offset) block.begins = 0;
      this.#last.next = block;
      this.#last = block;
      room = block.bytes.length;
    }
    this.#trim();
  }

  /** Lets blocks go that are needed neither for the latest `sizeBytes` nor by a cursor. */
  #trim(): void {
    const keepFrom = this.endOffset - this.#sizeBytes;
    while (
      this.#first.users === 0 && this.#first !== this.#last &&
      this.#first.next!.offset <= keepFrom
    ) {
      const { bytes, memory, isLent, next } = this.#first;
      this.#heldBytes -= bytes.length;
      if (!isLent && bytes === memory) this.#spare = bytes;
      this.#first = next!;
    }
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

  /** A copy of the latest bytes of the stream, at most `countMax`. */
  latest(countMax: number): Uint8Array {
    const count = Math.min(countMax, this.historyBytes);
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

  /** To be called when a cursor has left this block. */
  left(block: Block): void {
    if (--block.users === 0 && block === this.#first) this.#trim();
  }
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

  /** Another reader at the same position. */
  copy(): BacklogCursor {
    return new BacklogCursor(this.#backlog, this.#block, this.#at);
  }

  /**
   * The next bytes, as many as lie together; null when there are none yet. They do not change before
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
    const end = Math.min(this.#block.length, this.#at + BLOCK_BYTES_MAX);
    this.#shownTo = end;
    return this.#block.bytes.subarray(this.#at, end);
  }

  /** Moves on by `count` of the bytes that `peek` showed. */
  advance(count: number): void {
    this.#at += count;
  }

  /** Lets go of what it holds. To be called once; the cursor must not be read from afterwards. */
  close(): void {
    if (this.#at < this.#shownTo) this.#block.isLent = true;
    this.#backlog.left(this.#block);
  }
}
