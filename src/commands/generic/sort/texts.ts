/**
 * Copies of elements and weights that SORT works on: bytes one after the other in a few large blocks,
 * each text with a 32-bit reference. No object per text.
 *
 * A text is a word with its length, then its bytes, filled up to a whole word. The upper bits of a
 * reference are the block, the lower ones the place in it, in words. A text too long for a block is
 * alone in one.
 *
 * There is one Texts, for one SORT at a time.
 */

import { compareBytes, copyBytes } from "../../../base/bytes.ts";
import type { MemoryGuard } from "../../../observe/memory_guard.ts";
import { NO_MEMORY, ReplyError } from "../../../resp/reply_error.ts";

/** Stands for a text that is missing. */
export const NO_TEXT = 0;

const PLACE_BITS = 22;
const PLACE_MASK = (1 << PLACE_BITS) - 1;
const BLOCK_BYTES = 4 << PLACE_BITS;
const BLOCKS_MAX = 1 << (32 - PLACE_BITS);
/** Sizes of the first blocks: most values that are sorted are small. The very first one is kept. */
const FIRST_BLOCKS = [16 * 1024, 256 * 1024, 4 * 1024 * 1024];

export class Texts {
  #memory: MemoryGuard | null = null;
  readonly #blocks: Uint8Array[] = [new Uint8Array(FIRST_BLOCKS[0])];
  readonly #words: Uint32Array[] = [new Uint32Array(this.#blocks[0].buffer)];
  /** The block that is being filled, and up to where; the first word stands for NO_TEXT. */
  #block = 0;
  #end = 4;

  /**
   * Copies a text; returns its reference.
   *
   * @throws RangeError or ReplyError when there is no memory for it
   */
  add(bytes: Uint8Array, offset: number, length: number): number {
    const size = 4 + ((length + 3) & ~3);
    if (this.#end + size > this.#blocks[this.#block].length) this.#beginBlock(size);
    const start = this.#end;
    this.#end = start + size;
    this.#words[this.#block][start >>> 2] = length;
    copyBytes(this.#blocks[this.#block], start + 4, bytes, offset, length);
    return ((this.#block << PLACE_BITS) | (start >>> 2)) >>> 0;
  }

  /** To be called before the first `add`; `memory` is asked before blocks are made. */
  begin(memory: MemoryGuard): void {
    this.#memory = memory;
  }

  #beginBlock(sizeBytes: number): void {
    const index = this.#blocks.length;
    if (index === BLOCKS_MAX) throw new ReplyError(NO_MEMORY);
    const usual = index < FIRST_BLOCKS.length ? FIRST_BLOCKS[index] : BLOCK_BYTES;
    this.#memory?.demand(Math.max(usual, sizeBytes));
    const block = new Uint8Array(Math.max(usual, sizeBytes));
    this.#blocks.push(block);
    this.#words.push(new Uint32Array(block.buffer));
    this.#block = index;
    this.#end = 0;
  }

  // Where a text lies. A reference must not be NO_TEXT.

  bytesOf(text: number): Uint8Array {
    return this.#blocks[text >>> PLACE_BITS];
  }

  offsetOf(text: number): number {
    return ((text & PLACE_MASK) << 2) + 4;
  }

  lengthOf(text: number): number {
    return this.#words[text >>> PLACE_BITS][text & PLACE_MASK];
  }

  /** Compares two texts from their byte `depth` on, which both have; see `compareBytes`. */
  compare(a: number, b: number, depth: number): number {
    return compareBytes(
      this.bytesOf(a),
      this.offsetOf(a) + depth,
      this.lengthOf(a) - depth,
      this.bytesOf(b),
      this.offsetOf(b) + depth,
      this.lengthOf(b) - depth,
    );
  }

  /** The same of texts that may be missing, which come first. */
  order(a: number, b: number, depth: number): number {
    if (a !== NO_TEXT && b !== NO_TEXT) return this.compare(a, b, depth);
    return (a === NO_TEXT ? 0 : 1) - (b === NO_TEXT ? 0 : 1);
  }

  /** Whether two texts are the same, or both missing. */
  areSame(a: number, b: number): boolean {
    if (a === b) return true;
    if (a === NO_TEXT || b === NO_TEXT || this.lengthOf(a) !== this.lengthOf(b)) return false;
    return this.compare(a, b, 0) === 0;
  }

  /** Lets go of all texts. */
  clear(): void {
    this.#blocks.length = 1;
    this.#words.length = 1;
    this.#block = 0;
    this.#end = 4;
  }
}
