/** Bytes that are needed after what they lie in has changed: of a name, while its value is read. */

import { copyBytes } from "../base/bytes.ts";

/** A copy of some bytes, in a buffer that is used again. */
export class KeptBytes {
  bytes = new Uint8Array(256);
  length = 0;

  keep(bytes: Uint8Array, offset: number, length: number): void {
    if (this.bytes.length < length) this.bytes = new Uint8Array(length * 2);
    copyBytes(this.bytes, 0, bytes, offset, length);
    this.length = length;
  }
}
