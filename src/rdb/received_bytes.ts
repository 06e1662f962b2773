/**
 * Bytes that have come over a link and have not been used yet: a queue of buffers that is filled at
 * one end as packets come and emptied at the other, by the reader of a snapshot or a file.
 */

import { copyBytes } from "../base/bytes.ts";
import type { GrowingSource } from "./reader.ts";

/** Packets are gathered in buffers of this size. */
const BUFFER_BYTES = 256 * 1024;
/**
 * Buffers that are kept to be used again, as many as are filled while the link is ahead of the reader: a new one is
 * zeroed, and each page of it costs the system more than what is copied there.
 */
const SPARES_MAX = 16;

interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

export class ReceivedBytes implements GrowingSource {
  /** Bytes in the queue. */
  count = 0;
  isComplete = false;
  readonly #pieces: Piece[] = [];
  readonly #spares: Uint8Array<ArrayBuffer>[] = [];
  #toCome: number;

  /** `totalBytes` is how many bytes will come, null when that is not known. */
  constructor(totalBytes: number | null) {
    this.#toCome = totalBytes ?? Infinity;
  }

  /** Appends a copy of these bytes. */
  push(bytes: Uint8Array, offset: number, length: number): void {
    this.count += length;
    this.#toCome -= length;
    while (length > 0) {
      let last = this.#pieces.at(-1);
      if (last === undefined || last.end === BUFFER_BYTES) {
        last = { bytes: this.#spares.pop() ?? new Uint8Array(BUFFER_BYTES), start: 0, end: 0 };
        this.#pieces.push(last);
      }
      const part = Math.min(length, BUFFER_BYTES - last.end);
      copyBytes(last.bytes, last.end, bytes, offset, part);
      last.end += part;
      offset += part;
      length -= part;
    }
  }

  /** ByteSource. */
  fill(buf: Uint8Array, off: number): number {
    const from = off;
    while (off < buf.length && this.#pieces.length > 0) {
      const first = this.#pieces[0];
      const part = Math.min(buf.length - off, first.end - first.start);
      copyBytes(buf, off, first.bytes, first.start, part);
      first.start += part;
      off += part;
      if (first.start < first.end) break;
      this.#pieces.shift();
      this.giveBack(first.bytes);
    }
    this.count -= off - from;
    return off - from;
  }

  /** ByteSource. */
  remaining(): number {
    return this.count + (this.isComplete ? 0 : this.#toCome);
  }

  /** Takes the oldest bytes out, as they lie; null when there are none. To be given back later. */
  take(): Uint8Array<ArrayBuffer> | null {
    const first = this.#pieces.shift();
    if (first === undefined) return null;
    this.count -= first.end - first.start;
    return first.bytes.subarray(first.start, first.end);
  }

  /** A buffer that is no longer needed. */
  giveBack(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#spares.length < SPARES_MAX) this.#spares.push(new Uint8Array(bytes.buffer));
  }

  clear(): void {
    this.#pieces.length = this.#spares.length = 0;
    this.count = 0;
  }
}
