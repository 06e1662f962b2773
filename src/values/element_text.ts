/**
 * Where the text of an element lies: the bytes of a string where they are, those of an integer (which
 * listpacks and intsets keep in binary) written into a small buffer of this object's own.
 *
 * Valid until the next element is set here or the place it lies in changes. No allocation per element.
 */

import { INT64_TEXT_MAX, writeBigInt, writeInteger } from "../base/integers.ts";
import { lpEntry, lpEntryCopyText, lpGet } from "./listpack.ts";

export class ElementText {
  readonly #digits = new Uint8Array(INT64_TEXT_MAX + 4);
  bytes: Uint8Array = this.#digits;
  offset = 0;
  length = 0;

  /** Bytes that lie elsewhere. */
  set(bytes: Uint8Array, offset: number, length: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
  }

  /** The entry at `pos` of a listpack. */
  setEntry(buf: Uint8Array, pos: number): void {
    lpGet(buf, pos);
    if (lpEntry.isInt) {
      this.bytes = this.#digits;
      this.offset = 0;
      this.length = lpEntryCopyText(this.#digits, 0);
    } else this.set(buf, lpEntry.off, lpEntry.len);
  }

  /** An integer of at most 64 bits. */
  setInteger(n: number | bigint): void {
    this.bytes = this.#digits;
    this.offset = 0;
    this.length = typeof n === "number"
      ? writeInteger(this.#digits, 0, n)
      : writeBigInt(this.#digits, 0, n);
  }

  copy(): Uint8Array {
    return this.bytes.slice(this.offset, this.offset + this.length);
  }
}
