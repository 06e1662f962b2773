/**
 * The commands that a client has queued in a transaction, as bytes: what MULTI holds costs about what
 * has been sent, whatever the number of commands. Dispatch adds to it, EXEC takes all out again.
 *
 * They lie one behind the other in pieces; numbers are in groups of seven bits, the lowest first,
 * and all groups but the last have their eighth bit set:
 *
 *     number of the command │ number of words │ length of each word │ bytes of all words
 *
 * A command lies in one piece, so that its words can be read where they are. Pieces grow with the
 * queue, so that neither a short nor a long one holds much more than it needs; nothing is copied when
 * it grows.
 */

import { copyBytes } from "../base/bytes.ts";
import { Words } from "../resp/words.ts";
import type { Command } from "./command.ts";

const PIECE_BYTES_MIN = 256;
const PIECE_BYTES_MAX = 256 * 1024;
/** Approximate memory of an empty queue, and of a piece beside its bytes. */
const QUEUE_BYTES = 128;
const PIECE_OVERHEAD_BYTES = 96;

export class CommandQueue {
  /** How many commands are in it. */
  count = 0;
  /** Bytes of the words, without what it takes to keep them. */
  wordBytes = 0;
  /** Memory it takes, in bytes. */
  memoryBytes = QUEUE_BYTES;
  /** FLAG_* bits that at least one of the commands has, and those that all have. */
  anyFlags = 0;
  everyFlags = ~0;
  /** The last piece is being filled; `#ends` says how far the ones before it are. */
  readonly #pieces: Uint8Array[] = [];
  readonly #ends: number[] = [];
  #piece: Uint8Array = NO_BYTES;
  #at = 0;
  /** How far it is drained: the piece, and where in it. */
  #drained = 0;
  #drainedAt = 0;
  /** Commands by their numbers: each stands once, however often it is queued. */
  readonly #commands: Command[] = [];
  readonly #words = new Words();

  /** Appends a copy of this request, which has these FLAG_* bits. @throws RangeError when there is no memory for it */
  add(command: Command, words: Words, flagBits = command.flagBits): void {
    const { count, lengths } = words;
    const number = this.#numberOf(command);
    let bytes = 0;
    let numberBytes = sizeOf(number) + sizeOf(count);
    for (let i = 0; i < count; i++) {
      bytes += lengths[i];
      numberBytes += sizeOf(lengths[i]);
    }
    this.#reserve(bytes + numberBytes);
    const to = this.#piece;
    let at = writeNumber(to, this.#at, number);
    at = writeNumber(to, at, count);
    for (let i = 0; i < count; i++) at = writeNumber(to, at, lengths[i]);
    for (let i = 0; i < count; i++) {
      copyBytes(to, at, words.bytes, words.starts[i], lengths[i]);
      at += lengths[i];
    }
    this.#at = at;
    this.count++;
    this.wordBytes += bytes;
    this.anyFlags |= flagBits;
    this.everyFlags &= flagBits;
  }

  /** Room for so many bytes in one piece. */
  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#piece.length) return;
    // A quarter of what is there already, so that the last piece is never much of the whole.
    const usual = Math.max(PIECE_BYTES_MIN, this.memoryBytes >> 2);
    const piece = new Uint8Array(Math.max(Math.min(usual, PIECE_BYTES_MAX), bytes));
    if (this.#pieces.length > 0) this.#ends.push(this.#at);
    this.#pieces.push(piece);
    this.#piece = piece;
    this.#at = 0;
    this.memoryBytes += piece.length + PIECE_OVERHEAD_BYTES;
  }

  /** There are not many more than a hundred that could be queued, and transactions have a few of them. */
  #numberOf(command: Command): number {
    const number = this.#commands.indexOf(command);
    return number >= 0 ? number : this.#commands.push(command) - 1;
  }

  /** Hands over an empty queue: one that was given back, or a new one. */
  static take(): CommandQueue {
    const queue = spare ?? new CommandQueue();
    spare = null;
    return queue;
  }

  /** Empties a queue that nobody needs any more; the next transaction takes a small one over. */
  static give(queue: CommandQueue): void {
    if (queue.#pieces.length > 1 || queue.#piece.length > PIECE_BYTES_MIN) return;
    queue.count = 0;
    queue.wordBytes = 0;
    queue.anyFlags = 0;
    queue.everyFlags = ~0;
    queue.#ends.length = 0;
    queue.#at = 0;
    queue.#drained = 0;
    queue.#drainedAt = 0;
    queue.#commands.length = 0;
    spare = queue;
  }

  /** Whether one of the commands is what `isSought` says; the words hold until it returns. */
  some(isSought: (command: Command, words: Words) => boolean): boolean {
    const words = this.#words;
    for (let i = 0; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i];
      const end = this.#ends[i] ?? this.#at;
      for (let at = 0; at < end;) {
        at = readNumber(piece, at);
        const command = this.#commands[readValue];
        at = readWords(piece, at, words);
        if (isSought(command, words)) return true;
      }
    }
    return false;
  }

  /**
   * Hands out all commands in their order and lets go of their memory on the way, the last piece apart.
   * The words are one object for all of them: they hold until `visit` returns. When that answers false, the
   * queue pauses, and goes on behind that command when it is drained again; it answers whether all are
   * out. Then the queue is only good to be given back.
   */
  drain(visit: (command: Command, words: Words) => boolean): boolean {
    const words = this.#words;
    if (this.#drained === 0 && this.#drainedAt === 0) this.#ends.push(this.#at);
    while (this.#drained < this.#pieces.length) {
      const piece = this.#pieces[this.#drained];
      const end = this.#ends[this.#drained];
      while (this.#drainedAt < end) {
        const at = readNumber(piece, this.#drainedAt);
        const command = this.#commands[readValue];
        this.#drainedAt = readWords(piece, at, words);
        if (!visit(command, words)) return false;
      }
      if (this.#drained < this.#pieces.length - 1) this.#pieces[this.#drained] = NO_BYTES;
      this.#drained++;
      this.#drainedAt = 0;
    }
    words.bytes = NO_BYTES;
    return true;
  }
}

const NO_BYTES = new Uint8Array(0);

/** An empty queue with one small piece, if any. */
let spare: CommandQueue | null = null;

/** Reads the words of the command whose number of words is at `at`; returns where the next one begins. */
function readWords(piece: Uint8Array, at: number, words: Words): number {
  words.clear();
  words.bytes = piece;
  at = readNumber(piece, at);
  const count = readValue;
  for (let i = 0; i < count; i++) {
    at = readNumber(piece, at);
    words.push(0, readValue);
  }
  for (let i = 0; i < count; i++) {
    words.starts[i] = at;
    at += words.lengths[i];
  }
  return at;
}

/** The number that `readNumber` has read. */
let readValue = 0;

/** Reads a number into `readValue`; returns where it ends. */
function readNumber(from: Uint8Array, at: number): number {
  let byte = from[at++];
  let value = byte & 0x7f;
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = from[at++];
    value |= (byte & 0x7f) << shift;
  }
  readValue = value;
  return at;
}

/** How many bytes `writeNumber` writes. */
function sizeOf(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function writeNumber(to: Uint8Array, at: number, value: number): number {
  while (value > 0x7f) {
    to[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  to[at++] = value;
  return at;
}
