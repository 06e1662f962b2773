/**
 * Writes commands as RESP, word by word, into chunks: `begin` says of how many words the next one is, and
 * so many follow. Nothing is kept of a word, however long it is.
 */

import { latin1 } from "../../base/bytes.ts";
import { INT64_TEXT_MAX, writeBigInt, writeInteger } from "../../base/integers.ts";
import { scoreToText } from "../../values/score.ts";
import type { Count } from "../../values/stream/count64.ts";
import { STREAM_ID_TEXT_MAX, type StreamId } from "../../values/stream/stream_id.ts";
import { type ChunkSink, RdbEncoder } from "../writer.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const CRLF = latin1("\r\n");

/** A word that is written often, with its length before it. */
export function fixedWord(text: string): Uint8Array {
  return latin1(`$${text.length}\r\n${text}\r\n`);
}

const LAST_MILLIS = 2n ** 63n - 1n;

export class CommandWriter {
  /** Takes bytes as they are. */
  readonly #out: RdbEncoder;
  readonly #line = new Uint8Array(INT64_TEXT_MAX + 8);
  readonly #digits = new Uint8Array(Math.max(INT64_TEXT_MAX, STREAM_ID_TEXT_MAX));

  constructor(sink: ChunkSink) {
    this.#out = new RdbEncoder(sink, { checksum: false, compress: false });
  }

  /** Gives a chunk back that the sink was handed. */
  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    this.#out.recycle(chunk);
  }

  /** Hands everything to the sink. */
  flush(): void {
    this.#out.flush();
  }

  /** Lines that are no command, in latin1. */
  lines(text: string): void {
    const bytes = latin1(text);
    this.#out.writeBytes(bytes, 0, bytes.length);
  }

  /** Begins a command of so many words, the first of which are these. */
  begin(words: number, ...first: Uint8Array[]): void {
    this.#number(STAR, words);
    for (const word of first) this.fixed(word);
  }

  /** A word that `fixedWord` has made. */
  fixed(word: Uint8Array): void {
    this.#out.writeBytes(word, 0, word.length);
  }

  word(bytes: Uint8Array, offset: number, length: number): void {
    this.#number(DOLLAR, length);
    this.#out.writeBytes(bytes, offset, length);
    this.#out.writeBytes(CRLF, 0, 2);
  }

  integer(n: Count): void {
    const digits = this.#digits;
    const length = typeof n === "number" ? writeInteger(digits, 0, n) : writeBigInt(digits, 0, n);
    this.word(digits, 0, length);
  }

  /** In the shortest text that is read as this number. */
  /** An instant in Unix ms; those beyond the last that a 64-bit integer can name are that one. */
  millis(ms: number): void {
    if (Number.isSafeInteger(ms)) this.integer(ms);
    else this.integer(ms >= 2 ** 63 ? LAST_MILLIS : BigInt(ms));
  }

  score(score: number): void {
    const bytes = latin1(scoreToText(score));
    this.word(bytes, 0, bytes.length);
  }

  id(id: StreamId): void {
    this.word(this.#digits, 0, id.writeText(this.#digits, 0));
  }

  #number(sign: number, n: number): void {
    const line = this.#line;
    line[0] = sign;
    const end = 1 + writeInteger(line, 1, n);
    line[end] = CRLF[0];
    line[end + 1] = CRLF[1];
    this.#out.writeBytes(line, 0, end + 2);
  }
}
