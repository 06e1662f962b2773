/**
 * The words of one request: where they lie in a buffer, not copies of them. The parser fills this
 * object, gates and handlers read it; word 0 is the command's name. See "Bytes, not strings" in
 * NOTES.
 *
 * Not promised: that the buffer keeps its content after the request has been answered. What outlives
 * that takes a `clone`.
 */

import { toLatin1 } from "../base/bytes.ts";

/** Bytes of a word up to which its text is made character by character, the quickest for few. */
const SHORT_TEXT = 64;
const HIDDEN = new TextEncoder().encode("(redacted)");

export class Words {
  bytes: Uint8Array = new Uint8Array(0);
  /** Number of words. */
  count = 0;
  starts = new Int32Array(16);
  lengths = new Int32Array(16);
  /** The read buffer, where it is large and holds nothing but this request: see `takeOver`. Else null. */
  memory: Uint8Array | null = null;
  /** The read buffer that was taken over: the parser has to have another one. */
  taken: Uint8Array | null = null;
  /** Where in `bytes` the whole request lies as it came, of words that are kept with it; else both are 0. */
  requestAt = 0;
  requestEnd = 0;
  /** Whether the words lie anywhere in `bytes`, in any order: those of a script do. */
  isScattered = false;
  /** Whether the stream of writes holds `bytes` from now on. */
  isShared = false;

  /** Appends a word that lies at `start` in `bytes`. */
  push(start: number, length: number): void {
    if (this.count === this.starts.length) this.grow();
    this.starts[this.count] = start;
    this.lengths[this.count++] = length;
  }

  /** Bytes of all words together, and of what may lie between them. */
  get sizeBytes(): number {
    const last = this.count - 1;
    if (this.isScattered) return this.#sumOfLengths();
    return last < 0 ? 0 : this.starts[last] + this.lengths[last] - this.starts[0];
  }

  #sumOfLengths(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) sum += this.lengths[i];
    return sum;
  }

  /** Makes room for more words. */
  grow(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const lengths = new Int32Array(this.lengths.length * 2);
    starts.set(this.starts);
    this.starts = starts;
    lengths.set(this.lengths);
    this.lengths = lengths;
  }

  /** Forgets the words, and gives back the room of an unusually long request. */
  clear(): void {
    if (this.starts.length > 1024) {
      this.starts = new Int32Array(16);
      this.lengths = new Int32Array(16);
    }
    this.count = 0;
  }

  /**
   * Hands the read buffer over to who wants to keep word `index` without a copy, if that word is almost all of it:
   * then it is the taker's, to be given back to `blocks`. The words hold all the same until the request's end. Null
   * when the word has to be copied.
   */
  takeOver(index: number): Uint8Array | null {
    const { memory } = this;
    if (!this.mayTakeOver(index)) return null;
    this.memory = null;
    this.taken = memory;
    return memory;
  }

  /** Whether `takeOver` of this word gives the buffer. */
  mayTakeOver(index: number): boolean {
    const { memory } = this;
    return memory !== null && memory === this.bytes &&
      this.lengths[index] >= memory.length - (memory.length >> 3);
  }

  /** A copy of word `index`. */
  copy(index: number): Uint8Array {
    const start = this.starts[index];
    return this.bytes.slice(start, start + this.lengths[index]);
  }

  /** The same words, with bytes of their own: for a request that outlives the read buffer. */
  clone(): Words {
    const kept = new Words();
    let size = 0;
    for (let i = 0; i < this.count; i++) size += this.lengths[i];
    kept.bytes = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      const start = this.starts[i];
      kept.bytes.set(this.bytes.subarray(start, start + this.lengths[i]), at);
      kept.push(at, this.lengths[i]);
      at += this.lengths[i];
    }
    return kept;
  }

  /** The words from `from` on, where they lie: a call within a call. They hold as long as these. */
  behind(from: number): Words {
    const rest = new Words();
    rest.bytes = this.bytes;
    rest.starts = this.starts.slice(from, this.count);
    rest.lengths = this.lengths.slice(from, this.count);
    rest.count = this.count - from;
    rest.isScattered = true;
    return rest;
  }

  /** The same words where they lie, for the taker of the read buffer; the request lies there from `at` to `end`. */
  inPlace(at: number, end: number): Words {
    const kept = new Words();
    kept.bytes = this.bytes;
    kept.starts = this.starts.slice(0, this.count);
    kept.lengths = this.lengths.slice(0, this.count);
    kept.count = this.count;
    kept.requestAt = at;
    kept.requestEnd = end;
    return kept;
  }

  /** Word `index` as text, byte for byte (latin1): for options, names and logs, not for data. */
  text(index: number): string {
    const { bytes } = this;
    const start = this.starts[index];
    const length = this.lengths[index];
    // Character by character a long one takes some thirty times its length.
    if (length > SHORT_TEXT) return toLatin1(bytes, start, length);
    const end = start + length;
    let text = "";
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
    return text;
  }

  /** At most `bytes` bytes from the beginning of word `index`, as text: for logs. */
  beginning(index: number, bytes: number): string {
    return toLatin1(this.bytes, this.starts[index], Math.min(this.lengths[index], bytes));
  }

  /** Whether word `index` is `word`, whatever its case; `word` must be lower-case ASCII letters. */
  is(index: number, word: string): boolean {
    const length = this.lengths[index];
    if (length !== word.length) return false;
    const start = this.starts[index];
    for (let i = 0; i < length; i++) {
      let c = this.bytes[start + i];
      if (c >= 65 && c <= 90) c += 32;
      if (c !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /**
   * Replaces words `from` to `to` (the latter not included) by "(redacted)", so that MONITOR and
   * the slow log do not show passwords.
   */
  redact(from: number, to: number): void {
    this.redactWhere((index) => index >= from && index < to);
  }

  /** The same of all words that `isHidden` says so of, by their indices. */
  redactWhere(isHidden: (index: number) => boolean): void {
    // The read buffer is not to be changed: other requests follow in it.
    let size = HIDDEN.length;
    for (let i = 0; i < this.count; i++) if (!isHidden(i)) size += this.lengths[i];
    const bytes = new Uint8Array(size);
    bytes.set(HIDDEN);
    let at = HIDDEN.length;
    for (let i = 0; i < this.count; i++) {
      if (isHidden(i)) {
        this.starts[i] = 0;
        this.lengths[i] = HIDDEN.length;
        continue;
      }
      const start = this.starts[i];
      bytes.set(this.bytes.subarray(start, start + this.lengths[i]), at);
      this.starts[i] = at;
      at += this.lengths[i];
    }
    this.bytes = bytes;
  }

  /** A request of these words, texts being latin1, in a buffer of its own. */
  static of(...texts: (string | Uint8Array)[]): Words {
    const words = new Words();
    let size = 0;
    for (const text of texts) size += text.length;
    words.bytes = new Uint8Array(size);
    let at = 0;
    for (const text of texts) {
      words.push(at, text.length);
      if (typeof text === "string") {
        for (let i = 0; i < text.length; i++) words.bytes[at + i] = text.charCodeAt(i);
      } else words.bytes.set(text, at);
      at += text.length;
    }
    return words;
  }
}
