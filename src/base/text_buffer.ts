/**
 * Text on its way out, as bytes: for answers of many short lines (INFO), of which strings would make
 * thousands. It grows as needed and is used again and again.
 */

import { writeText } from "./bytes.ts";
import { writeInteger } from "./integers.ts";

const FIRST_BYTES = 8 * 1024;
/** What a long answer has made larger than this is not kept. */
const KEPT_BYTES_MAX = 64 * 1024;
/** More than any number takes. */
const NUMBER_BYTES = 32;

export class TextBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  length = 0;

  /** Begins anew. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Bytes of ready text. */
  raw(source: Uint8Array): void {
    const at = this.#reserve(source.length);
    if (source.length < 48) {
      const { bytes } = this;
      for (let i = 0; i < source.length; i++) bytes[at + i] = source[i];
    } else this.bytes.set(source, at);
    this.length = at + source.length;
  }

  /** Characters below 256. */
  text(text: string): void {
    const at = this.#reserve(text.length);
    this.length = writeText(this.bytes, at, text);
  }

  /** A number in its shortest decimal form. */
  number(n: number): void {
    if (!Number.isSafeInteger(n)) return this.text(String(n));
    const at = this.#reserve(NUMBER_BYTES);
    this.length = at + writeInteger(this.bytes, at, n);
  }

  /** A number with so many decimals, at most six, as `toFixed` has it but for how halves are rounded. */
  fixed(n: number, decimals: number): void {
    const scale = POWERS_OF_TEN[decimals];
    const scaled = Math.round(n * scale);
    if (!(scaled >= 0 && scaled <= Number.MAX_SAFE_INTEGER)) return this.text(n.toFixed(decimals));
    const whole = Math.floor(scaled / scale);
    this.number(whole);
    let rest = scaled - whole * scale;
    const point = this.#reserve(decimals + 1);
    this.bytes[point] = 0x2e;
    for (let i = decimals; i > 0; i--) {
      this.bytes[point + i] = 48 + rest % 10;
      rest = Math.floor(rest / 10);
    }
    this.length = point + decimals + 1;
  }

  /** Room for so many bytes; returns where. */
  #reserve(count: number): number {
    const needed = this.length + count;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    return this.length;
  }
}

const POWERS_OF_TEN = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
