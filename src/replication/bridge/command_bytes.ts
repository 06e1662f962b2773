/**
 * Commands as the bytes of arrays of bulk strings, one behind the other in a buffer that is used again: for what a
 * translated stream says. On its path, so nothing is made of a word or a command: see "Bytes, not strings" in NOTES.
 */

import { copyBytes, writeText } from "../../base/bytes.ts";
import { integerLength, writeInteger } from "../../base/integers.ts";
import { type StreamPart, WordAt } from "../../propagation/stream_part.ts";
import type { Words } from "../../resp/words.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const CR = 13;
const LF = 10;
/** What a number takes with what stands around it, at most. */
const HEAD_BYTES = 24;
const BUFFER_BYTES = 4096;
/** A buffer that has grown beyond this is handed over with what it holds, rather than copied. */
const BUFFER_BYTES_KEPT = 1 << 16;

export class CommandBytes {
  bytes = new Uint8Array(BUFFER_BYTES);
  length = 0;
  /** How many commands there are. */
  count = 0;

  /** Appends a command; `words` are what `WordAt` counts. */
  add(parts: readonly StreamPart[], words: Words): void {
    this.#reserve(parts, words);
    const { bytes } = this;
    let at = this.#head(STAR, this.length, parts.length);
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      const length = lengthOf(part, words);
      at = this.#head(DOLLAR, at, length);
      if (typeof part === "string") writeText(bytes, at, part);
      else if (typeof part === "number") writeInteger(bytes, at, part);
      else if (part instanceof WordAt) {
        copyBytes(bytes, at, words.bytes, words.starts[part.index], length);
      } else copyBytes(bytes, at, part, 0, length);
      at += length;
      bytes[at++] = CR;
      bytes[at++] = LF;
    }
    this.length = at;
    this.count++;
  }

  /** A number in a line of its own. */
  #head(sign: number, at: number, n: number): number {
    const { bytes } = this;
    bytes[at++] = sign;
    at += writeInteger(bytes, at, n);
    bytes[at++] = CR;
    bytes[at++] = LF;
    return at;
  }

  #reserve(parts: readonly StreamPart[], words: Words): void {
    let needed = this.length + HEAD_BYTES;
    for (let i = 0; i < parts.length; i++) needed += lengthOf(parts[i], words) + HEAD_BYTES;
    if (needed <= this.bytes.length) return;
    // Room for others behind it, but of a large value just what it takes, as it is kept.
    const isLarge = needed - this.length > BUFFER_BYTES_KEPT / 2;
    const sizeBytes = isLarge ? needed : needed * 2;
    const grown = new Uint8Array(sizeBytes);
    copyBytes(grown, 0, this.bytes, 0, this.length);
    this.bytes = grown;
  }

  /** Whether the bytes may be kept by who takes them: then `clear` makes others. */
  get isLarge(): boolean {
    return this.bytes.length > BUFFER_BYTES_KEPT;
  }

  /** Begins anew. */
  clear(): void {
    if (this.isLarge) this.bytes = new Uint8Array(BUFFER_BYTES);
    this.length = this.count = 0;
  }
}

function lengthOf(part: StreamPart, words: Words): number {
  if (typeof part === "number") return integerLength(part);
  return part instanceof WordAt ? words.lengths[part.index] : part.length;
}
