/**
 * Collects bytes that are written bit by bit, and hands them on in larger pieces.
 */

import { copyBytes } from "../base/bytes.ts";

/** Takes bytes [from, to), before it returns. */
export interface BytesSink {
  write(bytes: Uint8Array, from: number, to: number): void;
}

const BUFFER_BYTES = 64 * 1024;
/** Room for the longest text that `ascii` is given. */
const TEXT_MAX = 1024;

export class ByteWriter {
  readonly #sink: BytesSink;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  constructor(sink: BytesSink) {
    this.#sink = sink;
  }

  /** Text of at most TEXT_MAX characters, all of them below 128. */
  ascii(text: string): void {
    if (this.#used > BUFFER_BYTES - TEXT_MAX) this.flush();
    for (let i = 0; i < text.length; i++) this.#buffer[this.#used++] = text.charCodeAt(i);
  }

  byte(byte: number): void {
    if (this.#used === BUFFER_BYTES) this.flush();
    this.#buffer[this.#used++] = byte;
  }

  bytes(bytes: Uint8Array, offset: number, length: number): void {
    if (length > BUFFER_BYTES - this.#used) this.flush();
    if (length > BUFFER_BYTES) return this.#sink.write(bytes, offset, offset + length);
    copyBytes(this.#buffer, this.#used, bytes, offset, length);
    this.#used += length;
  }

  /** Hands on what has been collected. */
  flush(): void {
    if (this.#used > 0) this.#sink.write(this.#buffer, 0, this.#used);
    this.#used = 0;
  }
}
