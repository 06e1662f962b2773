/**
 * Gives the chunks of an encoder that deferred its strings their final form: compresses the strings
 * that are listed beside each chunk, adds up the checksum, writes the end. It runs in the worker that
 * writes the file, so that neither costs the event loop time.
 *
 *     chunk     [ plain bytes | string | plain bytes | string ...   ] [ ... string | plain bytes ]
 *     strings     offset and length of each string                      the last one goes on here
 */

import { copyBytes } from "../base/bytes.ts";
import type { RdbEncoder } from "./writer.ts";

/** What makes of the chunks of a snapshot what goes into a file, or to replicas. */
export interface Finisher {
  /** Takes the next chunk; nothing of it is kept. */
  add(chunk: Uint8Array, length: number, strings: Int32Array | null): void;
  /** Everything has come. @throws Error when that is not so */
  end(): void;
  /** Gives a chunk back that the sink was handed. */
  recycle(chunk: Uint8Array<ArrayBuffer>): void;
}

export class ChunkFinisher implements Finisher {
  readonly #encoder: RdbEncoder;
  /** The string that did not end in its chunk. */
  #string: Uint8Array | null = null;
  #filled = 0;

  /** Writes to `encoder`, which compresses and keeps the checksum as the snapshot wants it. */
  constructor(encoder: RdbEncoder) {
    this.#encoder = encoder;
  }

  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    this.#encoder.recycle(chunk);
  }

  add(chunk: Uint8Array, length: number, strings: Int32Array | null): void {
    const encoder = this.#encoder;
    let at = 0;
    if (this.#string !== null) {
      at = Math.min(this.#string.length - this.#filled, length);
      copyBytes(this.#string, this.#filled, chunk, 0, at);
      this.#filled += at;
      if (this.#filled < this.#string.length) return;
      encoder.writeString(this.#string, 0, this.#filled);
      this.#string = null;
    }
    if (strings !== null) {
      for (let i = 0; i < strings.length; i += 2) {
        const start = strings[i];
        const size = strings[i + 1];
        encoder.writeBytes(chunk, at, start - at);
        at = start + size;
        if (at <= length) encoder.writeString(chunk, start, size);
        else {
          this.#string = new Uint8Array(size);
          this.#filled = length - start;
          copyBytes(this.#string, 0, chunk, start, this.#filled);
          return;
        }
      }
    }
    encoder.writeBytes(chunk, at, length - at);
  }

  /** Writes end and checksum. @throws Error when a string has not come to its end */
  end(): void {
    if (this.#string !== null) throw new Error("rdb: the last chunk ends inside a string");
    this.#encoder.writeEof();
  }
}
