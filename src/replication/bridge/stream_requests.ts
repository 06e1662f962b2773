/**
 * Finds the commands in bytes of our stream of writes, which come as whole commands, one or more at a time. Beside
 * the path: resp/parser.ts reads what clients send, at any byte; here nothing is copied, whatever the buffer.
 */

import { Words } from "../../resp/words.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const LF = 10;
const NO_BYTES = new Uint8Array(0);

export class StreamRequests {
  readonly words = new Words();
  #bytes: Uint8Array = NO_BYTES;
  #at = 0;
  #end = 0;
  /** Where the command that `next` has found begins. */
  from = 0;

  /** The bytes to look at, in which commands end where they end. */
  begin(bytes: Uint8Array, offset: number, length: number): void {
    this.#bytes = bytes;
    this.#at = offset;
    this.#end = offset + length;
    this.words.bytes = bytes;
  }

  /** Forgets the bytes. */
  end(): void {
    this.#bytes = this.words.bytes = NO_BYTES;
  }

  /** Where the command that `next` has found ends. */
  get to(): number {
    return this.#at;
  }

  /** Finds the next command; false at the end. Lines that are no array are passed over if they are empty. */
  next(): boolean {
    const { words } = this;
    for (;;) {
      words.clear();
      if (this.#at >= this.#end) return false;
      this.from = this.#at;
      if (this.#bytes[this.#at] !== STAR) {
        if (this.#readInline()) return true;
        continue;
      }
      const count = this.#readCount();
      for (let i = 0; i < count; i++) this.#readWord();
      if (count > 0) return true;
    }
  }

  #readWord(): void {
    if (this.#bytes[this.#at] !== DOLLAR) throw new Error("Cannot translate the stream: no word");
    const length = this.#readCount();
    this.words.push(this.#at, length);
    this.#at += length + 2;
    if (this.#at > this.#end) throw new Error("Cannot translate the stream: a command is cut");
  }

  /** The number of a line, of which the first byte says what it counts. */
  #readCount(): number {
    let n = 0;
    for (this.#at++; this.#at < this.#end; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte === LF) break;
      if (byte >= 0x30 && byte <= 0x39) n = n * 10 + byte - 0x30;
    }
    this.#at++;
    return n;
  }

  /** A line of words with spaces between them, as old masters send PING; false if it is empty. */
  #readInline(): boolean {
    const { words } = this;
    let wordAt = -1;
    for (; this.#at < this.#end && this.#bytes[this.#at] !== LF; this.#at++) {
      const isSpace = this.#bytes[this.#at] <= 0x20;
      if (!isSpace && wordAt < 0) wordAt = this.#at;
      if (isSpace && wordAt >= 0) {
        words.push(wordAt, this.#at - wordAt);
        wordAt = -1;
      }
    }
    if (wordAt >= 0) words.push(wordAt, this.#at - wordAt);
    this.#at++;
    return words.count > 0;
  }
}
