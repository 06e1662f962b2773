/**
 * Turns a client's bytes into words: RESP arrays of bulk strings and inline requests, wherever the
 * network has split them, without copying. The parser owns a connection's read buffer; the words of
 * a finished request are offsets into it. It does no I/O: `space` gives room to read into, `filled`
 * says how much came, `next` parses.
 *
 * A request that is not complete yet keeps its state, so nothing is scanned twice; the buffer grows
 * with what has really arrived. Only for a word of up to a megabyte, and where half a megabyte has
 * arrived, there is room for all of it once it is announced: memory is taken as it is written.
 *
 * Where a read waits in the buffer (Deno), an idle client needs one, and it is small. Where the bytes
 * are at hand when room is asked for (Bun), it is as large as Redis's, and an idle client has none.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

import { blocks, connectionBlocks } from "../base/blocks.ts";
import { copyBytes } from "../base/bytes.ts";
import { Words } from "./words.ts";

/** A request is complete: its words are in `words`. */
export const READY = 1;
/** The bytes end before the request does. */
export const MORE = 0;
/** The bytes are no request: see `errorText`. The connection is to be closed after the reply. */
export const BROKEN = -1;

/** The longest line that is accepted, as in Redis: an inline request, or the line of a count. */
const LINE_MAX = 64 * 1024;
/** The first buffer, where a read waits in it, and where not. */
const WAITING_BUFFER_BYTES = 4096;
const FIRST_BUFFER_BYTES = 16 * 1024;
const USUAL_BUFFER_MAX = 64 * 1024;
/**
 * After so many reads in a row that a buffer of the first size would have held, it has that size
 * again.
 */
const SMALL_READS_MAX = 64;
/** Where no read waits in the buffer, a client that has been idle for so long needs none. */
const IDLE_MS = 2000;
/** A word of up to so many bytes has room as soon as it is announced. */
const ROOM_AT_ONCE_MAX = 1024 * 1024;
/** So much of a request has to have come before there is room for all of a longer word. */
const ROOM_FOR_ALL_MIN = 512 * 1024;
/** Longer words are announced only where no limit holds, as on a master's link: room is made as they come. */
const ROOM_FOR_ALL_MAX = 1024 * 1024 * 1024;
/**
 * At most so much is read at once: to fill memory that has not been written before takes the system a millisecond or
 * more for as much.
 */
const READ_MAX = 1024 * 1024;
/** Room behind a long word that is not its request's last: options are short. */
const ROOM_BEHIND_BYTES = 4096;
const NO_BUFFER = new Uint8Array(0);
const CR = 13;
const LF = 10;
const MULTIBULK_MAX = 0x7fffffff;

/**
 * Splits an inline request into words; null when a quote is not closed. The caller hands it in,
 * because the rules are those of redis.conf, which the parser does not know.
 */
export type InlineSplitter = (bytes: Uint8Array, offset: number, length: number) =>
  | Uint8Array[]
  | null;

/** What the configuration and the state of the client allow. */
export interface ParserLimits {
  /** Largest bulk string, `proto-max-bulk-len`. That is a megabyte at least: lengths below 1000 are not compared. */
  bulkBytesMax: number;
}

export class RequestParser {
  readonly words = new Words();
  errorText = "";
  /** Counts and lengths are held small until the client has authenticated. */
  isUnauthenticated = false;
  /** What is broken is one of these limits. */
  isBeyondUnauthenticated = false;
  #buffer = NO_BUFFER;
  /** Whether the bytes are at hand when room for them is asked for: no read waits in the buffer. */
  #areAtHand = false;
  /** Whether a read that was given room by `space` may be under way: the buffer is not to go to anybody else. */
  #isReadWaiting = false;
  /** First byte that belongs to no finished request. */
  #from = 0;
  /** Next byte to look at. */
  #at = 0;
  /** End of the bytes that have arrived. */
  #to = 0;
  /** The furthest that bytes have come in this buffer. */
  #touched = 0;
  /** How many of the latest reads, without a longer one between them, were short. */
  #smallReads = 0;
  /** Words still to come of the array being read; -1 between requests. */
  #wordsLeft = -1;
  /** Length of the bulk string being read, -1 when its length line is next. */
  #bulkLength = -1;

  constructor(readonly limits: ParserLimits, readonly splitInline: InlineSplitter) {}

  /** Bytes that have arrived and are not answered yet. */
  get pendingBytes(): number {
    return this.#to - this.#from;
  }

  /** The same, without the words that a request has which is not complete yet. */
  get unparsedBytes(): number {
    return this.#to - (this.#wordsLeft < 0 ? this.#from : this.#at);
  }

  /** Bytes of the words of the request that is being read or answered. */
  get wordBytes(): number {
    if (this.#from === this.#at) return 0;
    const { count, lengths } = this.words;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += lengths[i];
    return bytes;
  }

  /**
   * Where in `bytes` the request begins that `next` found last. After MORE it is where the request
   * begins that is not complete yet. Between two calls of `space` bytes stay where they are, and who
   * has noted an earlier position still finds there what came after it. (Unless bytes are at hand: then
   * the buffer may be given back once all that it had is answered.)
   */
  get position(): number {
    return this.#from;
  }

  /** Where in `bytes` the request ends that `next` found last. */
  get end(): number {
    return this.#at;
  }

  /** The buffer that requests are read into. */
  get bytes(): Uint8Array {
    return this.#buffer;
  }

  /**
   * Memory that the buffer takes, in bytes: of a large one as much as bytes have come into it. What
   * lies behind that has never been written, and the system gives no memory for it.
   */
  get bufferBytes(): number {
    const { length } = this.#buffer;
    if (this.words.taken === this.#buffer) return 0;
    return length > USUAL_BUFFER_MAX ? this.#touched : length;
  }

  /** Room that is left in the buffer for more input, written before or not. */
  get freeBytes(): number {
    return this.words.taken === this.#buffer ? 0 : this.#buffer.length - this.pendingBytes;
  }

  get #firstBytes(): number {
    return this.#areAtHand ? FIRST_BUFFER_BYTES : WAITING_BUFFER_BYTES;
  }

  /** A read that waits in it has to keep this parser, which keeps the view. */
  #firstBuffer(): Uint8Array<ArrayBuffer> {
    return this.#areAtHand
      ? new Uint8Array(FIRST_BUFFER_BYTES)
      : connectionBlocks.take(WAITING_BUFFER_BYTES, false, WAITING_BUFFER_BYTES);
  }

  /**
   * Room to read into, at least 1 byte; may move what is pending to the front. `hint` is how many bytes
   * are at hand, 0 where they are yet to come.
   */
  space(hint = 0): Uint8Array<ArrayBuffer> {
    this.#areAtHand = hint > 0;
    this.#isReadWaiting = true;
    let buffer = this.#buffer;
    const pending = this.#to - this.#from;
    if (pending === 0) {
      // An unusually large buffer is given back when nothing is in it, a large one when little has
      // come for a while: the read that waits for an idle client holds it.
      const isUnfit = buffer.length === 0 || buffer.length > USUAL_BUFFER_MAX ||
        (this.#smallReads > SMALL_READS_MAX && buffer.length > this.#firstBytes);
      this.words.clear();
      if (isUnfit) this.#beginWith(this.#firstBuffer());
      else this.#shift();
    } else {
      this.#makeRoom();
      buffer = this.#buffer;
      if (this.#from > buffer.length >> 1) this.#shift();
      else if (this.#to === buffer.length) this.#moveTo(blocks.take(this.#wantedBytes(pending)));
    }
    buffer = this.#buffer;
    if (buffer.length > READ_MAX) return buffer.subarray(this.#to, this.#to + READ_MAX);
    return this.#to === 0 ? buffer : buffer.subarray(this.#to);
  }

  /** `count` bytes have been read into what `space` gave. */
  filled(count: number): void {
    this.#isReadWaiting = false;
    this.#to += count;
    if (this.#to > this.#touched) this.#touched = this.#to;
    this.#smallReads = count < WAITING_BUFFER_BYTES ? this.#smallReads + 1 : 0;
    // A read that fills the buffer tells of a client that sends much: fewer, larger reads.
    if (
      this.#to === this.#buffer.length && this.#buffer.length < USUAL_BUFFER_MAX &&
      count === this.#buffer.length
    ) {
      const larger = new Uint8Array(this.#buffer.length * 4);
      larger.set(this.#buffer);
      this.#replace(larger);
    }
  }

  /**
   * Size of the buffer that is to follow, now that the present one is full. For a long word there is
   * room for all of it once a part has come, so that it is not copied again and again; where nothing
   * has been written, that costs no memory.
   */
  #wantedBytes(pending: number): number {
    const doubled = Math.max(pending * 2, this.#from > 0 ? this.#buffer.length : 0);
    const bulk = this.#bulkLength;
    if (this.#wordsLeft < 0 || bulk < 0 || bulk > ROOM_FOR_ALL_MAX) return doubled;
    if (pending < ROOM_FOR_ALL_MIN) return doubled;
    const behind = this.#wordsLeft > 1 ? ROOM_BEHIND_BYTES : 0;
    return Math.max(doubled, this.#at - this.#from + bulk + 2 + behind);
  }

  /**
   * The request that `next` has found last, for who needs it when others follow. It is not copied: the buffer is the
   * taker's then, to be given back to `blocks`, and what has come behind goes on in another one. (Of an inline
   * request it is a copy, and where the next read waits in the buffer already.) To the parser the request is done.
   */
  keepRequest(): Words {
    const { words } = this;
    const buffer = this.#buffer;
    if (words.bytes !== buffer || this.#isReadWaiting) {
      this.#from = this.#at;
      return words.clone();
    }
    const kept = words.inPlace(this.#from, this.#at);
    const behind = this.#to - this.#at;
    const next = behind > FIRST_BUFFER_BYTES
      ? blocks.take(behind)
      : new Uint8Array(FIRST_BUFFER_BYTES);
    copyBytes(next, 0, buffer, this.#at, behind);
    this.#from = this.#at = 0;
    this.#to = this.#touched = behind;
    this.#buffer = next;
    words.memory = null;
    words.taken = null;
    return kept;
  }

  /**
   * The timer's look: gives back what the client does not need. Of use where no read waits in the
   * buffer; elsewhere `space` does as much as can be done.
   */
  giveBackUnused(idleMs: number): void {
    if (!this.#areAtHand) return;
    const { length } = this.#buffer;
    const pending = this.#to - this.#from;
    const isIdle = idleMs > IDLE_MS;
    if (pending === 0) {
      if (isIdle && length > 0) this.#beginWith(NO_BUFFER);
      else if (length > FIRST_BUFFER_BYTES && this.#touched <= FIRST_BUFFER_BYTES) {
        this.#beginWith(new Uint8Array(FIRST_BUFFER_BYTES));
      }
      // How far it is used from now on tells at the next look whether it has to be that large.
      if (length <= USUAL_BUFFER_MAX) this.#touched = 0;
    } else if (isIdle && length > USUAL_BUFFER_MAX && length > pending * 2) {
      this.#moveTo(blocks.take(Math.max(FIRST_BUFFER_BYTES, pending)));
    }
  }

  /** Goes on with another buffer: nothing is pending. */
  #beginWith(buffer: Uint8Array<ArrayBuffer>): void {
    this.#rebase(this.#from);
    this.#replace(buffer);
  }

  /** Takes what is pending along to another buffer. */
  #moveTo(buffer: Uint8Array<ArrayBuffer>): void {
    buffer.set(this.#buffer.subarray(this.#from, this.#to));
    this.#rebase(this.#from);
    this.#replace(buffer);
  }

  /** Makes room for all of a long word that is announced, unless it is there. */
  #makeRoom(): void {
    const length = this.#wordsLeft < 0 ? -1 : this.#bulkLength;
    if (length <= USUAL_BUFFER_MAX || length > ROOM_AT_ONCE_MAX) return;
    const bytes = this.#at - this.#from + length + 2;
    if (this.#buffer.length - this.#from >= bytes) return;
    try {
      this.#moveTo(blocks.take(bytes));
    } catch {
      // There is no memory: `space` will say so, unless there is by then.
    }
  }

  #replace(buffer: Uint8Array<ArrayBuffer>): void {
    const old = this.#buffer;
    if (this.words.taken !== old) {
      (old.length === WAITING_BUFFER_BYTES ? connectionBlocks : blocks).give(old);
    }
    this.words.taken = null;
    this.words.memory = null;
    this.#buffer = buffer;
    this.#touched = this.#to;
    this.words.bytes = buffer;
  }

  #shift(): void {
    if (this.#from === 0) return;
    if (this.#from < this.#to) this.#buffer.copyWithin(0, this.#from, this.#to);
    this.#rebase(this.#from);
  }

  #rebase(by: number): void {
    if (by === 0) return;
    const { starts, count } = this.words;
    if (this.#wordsLeft >= 0) {
      for (let i = 0; i < count; i++) starts[i] -= by;
    }
    this.#from -= by;
    this.#at -= by;
    this.#to -= by;
  }

  /** Parses the next request: READY, MORE or BROKEN. The words hold until the next call. */
  next(): number {
    if (this.#wordsLeft < 0) {
      const outcome = this.#begin();
      if (outcome !== BEGUN) return outcome;
    }
    const words = this.words;
    const buffer = this.#buffer;
    const to = this.#to;
    let at = this.#at;
    let left = this.#wordsLeft;
    let length = this.#bulkLength;
    let { starts, lengths, count } = words;
    let outcome = MORE;
    while (left > 0) {
      if (length < 0) {
        if (at >= to) break;
        length = shortLength(buffer, at, to);
        if (length >= 0) at += length < 10 ? 4 : length < 100 ? 5 : 6;
        else {
          this.#at = at;
          length = this.#readBulkLength();
          at = this.#at;
          if (length < 0) {
            outcome = length === INCOMPLETE ? MORE : BROKEN;
            length = -1;
            break;
          }
        }
      }
      if (at + length + 2 > to) break;
      if (count === starts.length) {
        words.count = count;
        words.grow();
        ({ starts, lengths } = words);
      }
      starts[count] = at;
      lengths[count++] = length;
      at += length + 2;
      length = -1;
      left--;
    }
    words.count = count;
    this.#at = at;
    this.#bulkLength = length;
    if (left > 0) {
      this.#wordsLeft = left;
      return outcome;
    }
    this.#wordsLeft = -1;
    if (buffer.length > USUAL_BUFFER_MAX) {
      const isAlone = this.#from === 0 && this.#at === to;
      words.memory = isAlone && words.taken === null && !this.#isReadWaiting ? buffer : null;
    }
    return READY;
  }

  /**
   * Begins a request: BEGUN when its words follow, one by one; else what `next` is to answer, for what
   * is none (yet) or for an inline request, which is complete at once.
   */
  #begin(): number {
    const words = this.words;
    const buffer = this.#buffer;
    for (;;) {
      const at = this.#from = this.#at;
      words.count = 0;
      words.bytes = buffer;
      if (at === this.#to) {
        // All is answered: who sent much may do so again, and has more room than at first till then.
        if (this.#areAtHand && buffer.length > USUAL_BUFFER_MAX) {
          this.#beginWith(new Uint8Array(USUAL_BUFFER_MAX));
        }
        return MORE;
      }
      if (buffer[at] !== 0x2a) {
        const outcome = this.#inline();
        if (outcome === EMPTY) continue;
        return outcome;
      }
      let count = buffer[at + 1] - 48;
      if (at + 4 <= this.#to && buffer[at + 2] === CR && count >= 1 && count <= 9) {
        this.#at = at + 4;
      } else {
        count = this.#readNumberLine();
        if (count === INCOMPLETE) return this.#tooLong("too big mbulk count string");
        if (count !== count || count > MULTIBULK_MAX) {
          return this.#broken("invalid multibulk length");
        }
        if (count > 10 && this.isUnauthenticated) {
          this.isBeyondUnauthenticated = true;
          return this.#broken("unauthenticated multibulk length");
        }
        if (count <= 0) continue;
      }
      this.#wordsLeft = count;
      this.#bulkLength = -1;
      return BEGUN;
    }
  }

  /** The length line of a bulk string at #at; INCOMPLETE, or a negative number when it is broken. */
  #readBulkLength(): number {
    const first = this.#buffer[this.#at];
    if (first !== 0x24) return this.#broken(`expected '$', got '${String.fromCharCode(first)}'`);
    const length = this.#readNumberLine();
    if (length === INCOMPLETE) {
      return this.#tooLong("too big bulk count string") === MORE ? INCOMPLETE : BROKEN;
    }
    if (length !== length || length < 0 || length > this.limits.bulkBytesMax) {
      return this.#broken("invalid bulk length");
    }
    if (length > 16384 && this.isUnauthenticated) {
      this.isBeyondUnauthenticated = true;
      return this.#broken("unauthenticated bulk length");
    }
    return length;
  }

  /**
   * Looks ahead without parsing: where one word lies (0 is the name) of up to `max` requests that wait
   * in the buffer. Stops at anything but short plain requests that have it. Returns how many.
   */
  wordsAhead(wanted: number, starts: Int32Array, lengths: Int32Array, max: number): number {
    const buffer = this.#buffer;
    const to = this.#to;
    let at = this.#at;
    let found = 0;
    while (found < max && at + 16 < to && buffer[at] === 0x2a) {
      const words = buffer[at + 1] - 48;
      if (words <= wanted || words > 9 || buffer[at + 2] !== CR) break;
      at += 4;
      for (let word = 0; word < words; word++) {
        let length = buffer[at + 1] - 48;
        if (buffer[at + 2] === CR) at += 4;
        else if (buffer[at + 3] === CR) {
          length = length * 10 + buffer[at + 2] - 48;
          at += 5;
        } else if (buffer[at + 4] === CR) {
          length = length * 100 + (buffer[at + 2] - 48) * 10 + buffer[at + 3] - 48;
          at += 6;
        } else return found;
        if (!(length >= 0 && length <= 999) || at + length + 2 > to) return found;
        if (word === wanted) {
          starts[found] = at;
          lengths[found] = length;
        }
        at += length + 2;
      }
      found++;
    }
    return found;
  }

  /**
   * The number of the line at #at (after its type byte), moving past the line. INCOMPLETE when its
   * end has not arrived; NaN when it is no 64-bit integer.
   */
  #readNumberLine(): number {
    const buffer = this.#buffer;
    const to = this.#to;
    let at = this.#at + 1;
    let isNegative = false;
    if (at < to && buffer[at] === 0x2d) {
      isNegative = true;
      at++;
    }
    const first = at;
    let value = 0;
    while (at < to) {
      const c = buffer[at];
      if (c === CR) {
        if (at + 1 >= to) return INCOMPLETE;
        const digits = at - first;
        this.#at = at + 2;
        if (digits === 0 || digits > 19) return NaN;
        if (buffer[first] === 48 && (digits > 1 || isNegative)) return NaN;
        return isNegative ? -value : value;
      }
      if (c < 48 || c > 57) {
        // No number: look for the line's end all the same, the error is about the whole line.
        value = NaN;
      } else value = value * 10 + (c - 48);
      at++;
    }
    return INCOMPLETE;
  }

  #tooLong(text: string): number {
    return this.#to - this.#at > LINE_MAX ? this.#broken(text) : MORE;
  }

  #inline(): number {
    const buffer = this.#buffer;
    const end = buffer.subarray(0, this.#to).indexOf(LF, this.#at);
    if (end < 0) {
      if (this.#to - this.#at > LINE_MAX) return this.#broken("too big inline request");
      return MORE;
    }
    let length = end - this.#at;
    if (length > 0 && buffer[end - 1] === CR) length--;
    const parts = this.splitInline(buffer, this.#at, length);
    this.#at = end + 1;
    if (parts === null) return this.#broken("unbalanced quotes in request");
    if (parts.length === 0) return EMPTY;
    let size = 0;
    for (const part of parts) size += part.length;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      this.words.push(at, part.length);
      at += part.length;
    }
    this.words.bytes = bytes;
    return READY;
  }

  #broken(text: string): number {
    this.errorText = `Protocol error: ${text}`;
    return BROKEN;
  }
}

/** #begin: words are to follow. */
const BEGUN = 3;
/** #inline: a line without words, which asks for nothing. */
const EMPTY = 2;
/** #readNumberLine: the end of the line has not arrived. No count or length has this value. */
const INCOMPLETE = -Infinity;

/**
 * The length in the line of a bulk string at `at` if it has up to three digits, as almost all have, and has come
 * whole; -1 for every other line.
 */
function shortLength(buffer: Uint8Array, at: number, to: number): number {
  if (buffer[at] !== 0x24 || at + 4 > to) return -1;
  const digit = buffer[at + 1] - 48;
  if (!(digit >= 0 && digit <= 9)) return -1;
  const second = buffer[at + 2];
  if (second === CR) return digit;
  if (digit === 0 || second < 48 || second > 57 || at + 5 > to) return -1;
  const third = buffer[at + 3];
  const two = digit * 10 + second - 48;
  if (third === CR) return two;
  if (third < 48 || third > 57 || at + 6 > to || buffer[at + 4] !== CR) return -1;
  return two * 10 + third - 48;
}
