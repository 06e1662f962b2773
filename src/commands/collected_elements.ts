/**
 * Elements of a reply whose number is known only at the end: they are encoded one by one as RESP
 * bulk strings into a buffer of their own, and then enter the reply behind their count.
 *
 * Between handlers and resp/reply_writer.ts, for SCAN and its kin and for set operations.
 */

import { copyBytes } from "../base/bytes.ts";
import { writeInteger } from "../base/integers.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

/** A buffer larger than this is not kept for the next reply. */
const KEPT_BYTES = 1 << 20;

export class CollectedElements {
  /** Elements since `clear`. */
  count = 0;
  #bytes = new Uint8Array(1024);
  #length = 0;

  clear(): void {
    this.count = 0;
    this.#length = 0;
  }

  /** Takes an element in. Its bytes are copied. */
  add(bytes: Uint8Array, offset: number, length: number): void {
    let at = this.#length;
    if (at + length + 24 > this.#bytes.length) this.#grow(at + length + 24);
    const out = this.#bytes;
    out[at++] = 0x24;
    at += writeInteger(out, at, length);
    out[at++] = 13;
    out[at++] = 10;
    copyBytes(out, at, bytes, offset, length);
    at += length;
    out[at++] = 13;
    out[at++] = 10;
    this.#length = at;
    this.count++;
  }

  /** Writes the elements without a count before them, and forgets them. */
  writeTo(reply: ReplyWriter): void {
    reply.raw(this.#bytes, 0, this.#length);
    this.clear();
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(1024);
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
