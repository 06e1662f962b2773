/**
 * Reads commands out of an append-only file, through a window that grows to hold the longest of them.
 *
 *     window   [ read | the next command ... | free ]
 *              0      #at                    #end
 *
 * What a file says is believed as far as Redis believes it: numbers are read up to the first byte that is no digit.
 * But behind a word has to come the end of a line, which Redis does not look at: where a disk has lost a piece of the
 * file, what stands there in its place would pass for a part of the word. Lines that begin with # are passed over. A
 * length is compared with what is left of the file before there is memory for it.
 */

import { toLatin1 } from "../base/bytes.ts";
import { Words } from "../resp/words.ts";
import type { OpenFile } from "../runtime/runtime.ts";

/** `words` are the next command; */
export const READ_COMMAND = 0;
/** the file is at its end; */
export const READ_END = 1;
/** it ends in the midst of something; */
export const READ_TRUNCATED = 2;
/** what comes next is no command. */
export const READ_BROKEN = 3;

const WINDOW_BYTES = 256 * 1024;
/** A line (a number of words, a length, an annotation) is shorter. */
const LINE_MAX = 1024;

const LF = 0x0a;
const CR = 0x0d;
const HASH = 0x23;
const DOLLAR = 0x24;
const STAR = 0x2a;

/** What `#parse` answers when the window ends before the command does. */
const NEEDS_MORE = -1;

export class CommandReader {
  /** The command that was read last; good until the next call. */
  readonly words = new Words();
  readonly #file: OpenFile;
  #window = new Uint8Array(WINDOW_BYTES);
  /** Where the command begins that was read last. */
  #commandAt = 0;
  #at = 0;
  #end = 0;
  /** Bytes that the window holds at least when it is filled next. */
  #needed = 0;
  /** Bytes of the file that have not been read into the window. */
  #left: number;
  /** Offset in the file of the window's first byte. */
  #begin: number;

  readonly #onLine: (text: string) => void;

  /** Reads on from `offset`, where `file` stands; its size is asked once. `onLine` hears of lines that begin with #. */
  constructor(file: OpenFile, offset: number, onLine: (text: string) => void = () => {}) {
    this.#onLine = onLine;
    this.#file = file;
    this.#begin = offset;
    this.#left = file.sizeBytes() - offset;
  }

  /** Offset in the file behind what was read last: READ_COMMAND and READ_END move it. */
  get offset(): number {
    return this.#begin + this.#at;
  }

  /** The bytes of the command that was read last; good until the next call. */
  get bytes(): Uint8Array {
    return this.#window.subarray(this.#commandAt, this.#at);
  }

  /** READ_*. @throws SystemError */
  next(): number {
    for (;;) {
      this.#needed = 0;
      const outcome = this.#parse();
      if (outcome !== NEEDS_MORE) return outcome;
      if (this.#needed > this.#end - this.#at + this.#left) return READ_TRUNCATED;
      if (!this.#fill()) return READ_TRUNCATED;
    }
  }

  #parse(): number {
    const { words } = this;
    for (;;) {
      if (this.#at === this.#end) return this.#left === 0 ? READ_END : NEEDS_MORE;
      const first = this.#window[this.#at];
      if (first === STAR) break;
      if (first !== HASH) return READ_BROKEN;
      const end = this.#lineEnd(this.#at);
      if (end < 0) return this.#isLineTooLong(this.#at) ? READ_BROKEN : NEEDS_MORE;
      this.#onLine(toLatin1(this.#window, this.#at, end - this.#at).trimEnd());
      this.#at = end;
    }
    words.clear();
    words.bytes = this.#window;
    let at = this.#lineEnd(this.#at);
    if (at < 0) return this.#isLineTooLong(this.#at) ? READ_BROKEN : NEEDS_MORE;
    const count = this.#number(this.#at + 1);
    if (!(count >= 1)) return READ_BROKEN;
    for (let i = 0; i < count; i++) {
      if (at === this.#end) return NEEDS_MORE;
      if (this.#window[at] !== DOLLAR) return READ_BROKEN;
      const start = this.#lineEnd(at);
      if (start < 0) return this.#isLineTooLong(at) ? READ_BROKEN : NEEDS_MORE;
      const length = this.#number(at + 1);
      if (!(length >= 0)) return READ_BROKEN;
      at = start + length + 2;
      if (at > this.#end) {
        this.#needed = at - this.#at;
        return NEEDS_MORE;
      }
      if (this.#window[at - 2] !== CR || this.#window[at - 1] !== LF) return READ_BROKEN;
      words.push(start, length);
    }
    this.#commandAt = this.#at;
    this.#at = at;
    return READ_COMMAND;
  }

  /** Place behind the line that begins at `at`; -1 when its end has not been read. */
  #lineEnd(at: number): number {
    const end = Math.min(this.#end, at + LINE_MAX);
    for (let i = at; i < end; i++) if (this.#window[i] === LF) return i + 1;
    return -1;
  }

  #isLineTooLong(at: number): boolean {
    return this.#end - at >= LINE_MAX;
  }

  /** The decimal number at `at`, 0 where there is none; NaN for one below zero. */
  #number(at: number): number {
    if (this.#window[at] === 0x2d) return NaN;
    let value = 0;
    for (let i = at;; i++) {
      const digit = this.#window[i] - 0x30;
      if (!(digit >= 0 && digit <= 9)) return value;
      value = value * 10 + digit;
    }
  }

  /** Reads more into the window; false at the end of the file. */
  #fill(): boolean {
    if (this.#left <= 0) return false;
    const kept = this.#end - this.#at;
    let window = this.#window;
    const size = Math.max(this.#needed, WINDOW_BYTES, 2 * kept);
    // A window that one long command has made large is given up after it.
    if (size > window.length || window.length > 4 * size) window = new Uint8Array(size);
    window.set(this.#window.subarray(this.#at, this.#end));
    this.#window = window;
    this.#begin += this.#at;
    this.#at = 0;
    this.#end = kept;
    do {
      const count = this.#file.read(window.subarray(this.#end));
      if (count === 0) this.#left = 0;
      this.#left = Math.max(0, this.#left - count);
      this.#end += count;
    } while (this.#end < this.#needed && this.#left > 0);
    return this.#end > kept;
  }
}
