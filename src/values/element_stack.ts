/**
 * Copies of elements for the length of a command, the latest on top: what it takes to undo a change of
 * several elements when memory is refused in its midst.
 */

import { copyBytes } from "../base/bytes.ts";

/** What was larger than this is let go of by `clear`. */
const KEPT_BYTES = 64 * 1024;

export class ElementStack {
  /** The element that `pop` came to. */
  bytes = new Uint8Array(1024);
  offset = 0;
  length = 0;
  /** Where each element ends; the first begins at 0. */
  readonly #ends: number[] = [];

  /** Puts a copy on top. @throws RangeError without a change when there is no memory */
  push(bytes: Uint8Array, offset: number, length: number): void {
    const start = this.#ends.at(-1) ?? 0;
    const end = start + length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    copyBytes(this.bytes, start, bytes, offset, length);
    this.#ends.push(end);
  }

  /** Takes the top one off, whose bytes hold until the next `push`. There must be one. */
  pop(): void {
    const end = this.#ends.pop()!;
    this.offset = this.#ends.at(-1) ?? 0;
    this.length = end - this.offset;
  }

  clear(): void {
    this.#ends.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(1024);
  }
}
