/**
 * Writes replies as bytes, in RESP2 or RESP3, straight into a client's output. Each client has a
 * writer of its own. What does not fit into a chunk goes on in another one, so that large replies
 * are never copied again. Bytes that many clients are sent lie in buffers that their writers share.
 * It does no I/O: the connection takes the chunks with `takeChunk`. See "Bytes, not strings" in
 * NOTES.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

import { blocks } from "../base/blocks.ts";
import { writeBigInt, writeInteger } from "../base/integers.ts";
import { formatDouble } from "../base/doubles.ts";
import { latin1, writeText } from "../base/bytes.ts";

const CHUNK_BYTES = 16 * 1024;
const LARGE_CHUNK_BYTES = 256 * 1024;
const POOL_MAX = 128;

/**
 * Size of the chunks with which a reply goes on when it has filled the first one, and how many are
 * kept.
 */
const NEXT_CHUNK_BYTES = CHUNK_BYTES * 4;
const NEXT_POOL_MAX = 32;

/** Chunks of CHUNK_BYTES, and of NEXT_CHUNK_BYTES, that no writer uses at present. */
const pool: Uint8Array[] = [];
const nextPool: Uint8Array[] = [];
const NONE = new Uint8Array(0);
/** Stands in place of a start where the chunk is the writer's own. */
const OWN = -1;

/** Gives a written chunk back for the next writer; parts of shared buffers are left alone. */
export function recycleChunk(chunk: Uint8Array): void {
  if (chunk.length === CHUNK_BYTES) {
    if (pool.length < POOL_MAX && chunk.buffer.byteLength === CHUNK_BYTES) pool.push(chunk);
  } else if (chunk.length === NEXT_CHUNK_BYTES && nextPool.length < NEXT_POOL_MAX) {
    if (chunk.buffer.byteLength === NEXT_CHUNK_BYTES) nextPool.push(chunk);
  } else blocks.give(chunk);
}

/** A message of at least so many bytes costs less to share than to copy. */
export const SHARE_MIN_BYTES = 4 * 1024;

/**
 * A part of a shared buffer that waits, shorter than this, is copied when a further message comes,
 * so that both leave in one chunk.
 */
const JOIN_MAX_BYTES = SHARE_MIN_BYTES;

/**
 * A buffer of at least `sizeBytes` whose parts may be given to several writers with `share`. Bytes
 * that have been shared must not change any more; it is let go of when no writer needs it. Its size
 * is never that of a chunk, so that no part of it can be taken for one that is free again.
 */
export function sharedBuffer(sizeBytes: number): Uint8Array {
  const isChunkSize = sizeBytes === CHUNK_BYTES || sizeBytes === NEXT_CHUNK_BYTES;
  return new Uint8Array(isChunkSize ? sizeBytes + 1 : sizeBytes);
}

const CRLF = latin1("\r\n");
const QUEUED = latin1("+QUEUED\r\n");
const NULL_BULK = latin1("$-1\r\n");
const NULL_ARRAY = latin1("*-1\r\n");
const NULL3 = latin1("_\r\n");
const TRUE3 = latin1("#t\r\n");
const FALSE3 = latin1("#f\r\n");

/** A position of a writer: `rewind` takes back what was written after it. */
export interface Mark {
  chunks: number;
  length: number;
  bytes: number;
}

/** Where the length of an aggregate is to be written that is not known yet: see `openLength`. */
export interface OpenLength {
  readonly chunks: number;
  readonly at: number;
}

/** Room for the longest header of an aggregate. */
const LENGTH_ROOM = 16;

export class ReplyWriter {
  /** The client's protocol: 2 or 3. */
  resp = 2;
  /** The chunk that is being filled, and how many bytes of it are. */
  bytes: Uint8Array = NONE;
  length = 0;
  /** Errors written so far: lets dispatch see that a command has failed. */
  errorCount = 0;
  /** The latest error's text without "-" and line end (latin1). */
  lastError = "";
  /**
   * Full chunks before the current one, and where in each the content starts and ends. The start is
   * OWN for chunks of this writer's own; others are parts of shared buffers.
   */
  readonly #full: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #fullBytes = 0;
  /**
   * Asked whenever a chunk is full: whether more output waits than the client may have, or would with
   * `moreBytes`, which are about to be written. Null for no limit.
   */
  isOverLimit: ((moreBytes: number) => boolean) | null = null;
  /**
   * Whether the limit was passed. From then on nothing that is written is kept, and `takeChunk`
   * gives nothing. The connection is about to be closed; whoever writes a long reply may stop.
   */
  isCut = false;

  /** Bytes that have been written and not taken yet. */
  get pendingBytes(): number {
    return this.#fullBytes + this.length;
  }

  /** Full chunks before the current one. */
  get fullChunks(): number {
    return this.#full.length;
  }

  /**
   * Bytes of memory that the writer holds. Of a shared buffer it counts the parts that wait here.
   */
  get heldBytes(): number {
    let held = this.bytes.length;
    for (let i = 0; i < this.#full.length; i++) {
      const start = this.#starts[i];
      held += start === OWN ? this.#full[i].length : this.#ends[i] - start;
    }
    return held;
  }

  /**
   * Takes the oldest chunk out: `chunkTaken` and `chunkLength` say what is in it. Null when empty.
   * Give it back with `recycleChunk` once it has been sent.
   */
  takeChunk(): Uint8Array | null {
    if (this.isCut) return null;
    if (this.#full.length > 0) {
      const chunk = this.#full.shift()!;
      const start = this.#starts.shift()!;
      const end = this.#ends.shift()!;
      this.chunkLength = start === OWN ? end : end - start;
      this.#fullBytes -= this.chunkLength;
      return start === OWN ? chunk : chunk.subarray(start, end);
    }
    if (this.length === 0) return null;
    const chunk = this.bytes;
    this.chunkLength = this.length;
    this.bytes = NONE;
    this.length = 0;
    return chunk;
  }

  /** Bytes of content in the chunk that `takeChunk` gave last. */
  chunkLength = 0;

  mark(): Mark {
    return { chunks: this.#full.length, length: this.length, bytes: this.pendingBytes };
  }

  /**
   * Takes back everything written since `mark`. Meanwhile no chunk may have been taken, and nothing
   * shared: messages to a client that is running a command wait for the command's end.
   */
  rewind(mark: Mark): void {
    if (this.#full.length > mark.chunks) {
      this.bytes = this.#full[mark.chunks];
      this.#full.length = mark.chunks;
      this.#starts.length = mark.chunks;
      this.#ends.length = mark.chunks;
      this.#fullBytes = mark.bytes - mark.length;
    }
    this.length = mark.length;
  }

  /** Drops everything. */
  clear(): void {
    for (let i = 0; i < this.#full.length; i++) {
      if (this.#starts[i] === OWN) blocks.give(this.#full[i]);
    }
    this.#full.length = 0;
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#fullBytes = 0;
    this.length = 0;
  }

  /** Gives an empty chunk back, for a client that will not be answered soon. */
  giveBackEmpty(): void {
    if (this.length > 0) return;
    recycleChunk(this.bytes);
    this.bytes = NONE;
  }

  /**
   * Room for `count` more bytes in the current chunk; returns where to write. @throws RangeError when there
   * is no memory; what was written is kept
   */
  reserve(count: number): number {
    if (this.length + count > this.bytes.length) this.#nextChunk(count);
    return this.length;
  }

  #nextChunk(count: number): void {
    if (this.isCut || (this.isOverLimit !== null && this.length > 0 && this.isOverLimit(count))) {
      this.isCut = true;
      this.length = 0;
      if (count > this.bytes.length) this.bytes = new Uint8Array(Math.max(CHUNK_BYTES, count));
      return;
    }
    const full = this.#full.length + (this.length > 0 ? 1 : 0);
    const follows = this.length > 0 || (full > 0 && this.#starts[full - 1] === OWN);
    let chunk: Uint8Array;
    if (count <= CHUNK_BYTES && !follows) {
      chunk = pool.pop() ?? new Uint8Array(CHUNK_BYTES);
    } else if (count <= NEXT_CHUNK_BYTES && full < 4) {
      chunk = nextPool.pop() ?? new Uint8Array(NEXT_CHUNK_BYTES);
    } else chunk = blocks.take(Math.max(LARGE_CHUNK_BYTES, count));
    if (this.length > 0) this.#push(this.bytes, OWN, this.length);
    this.length = 0;
    this.bytes = chunk;
  }

  #push(chunk: Uint8Array, start: number, end: number): void {
    this.#full.push(chunk);
    this.#starts.push(start);
    this.#ends.push(end);
    this.#fullBytes += start === OWN ? end : end - start;
  }

  /**
   * Writes bytes that are RESP already and lie in a buffer made by `sharedBuffer`. They are kept as
   * a reference when they continue the part that was shared last (in the same buffer, or at the
   * start of the next one), when nothing else waits, and when they are many. A small message among
   * other output is copied, because as a chunk of its own it would cost a write of its own.
   */
  share(buffer: Uint8Array, start: number, count: number): void {
    if (this.isCut) return;
    const last = this.#full.length - 1;
    if (this.length > 0) {
      if (count < SHARE_MIN_BYTES) return this.raw(buffer, start, count);
      this.#push(this.bytes, OWN, this.length);
      this.bytes = NONE;
      this.length = 0;
    } else if (last >= 0) {
      const lastStart = this.#starts[last];
      const lastEnd = this.#ends[last];
      if (lastEnd === start && lastStart !== OWN && this.#full[last] === buffer) {
        this.#ends[last] = start + count;
        this.#fullBytes += count;
        return;
      }
      // At the start of a buffer: what was shared before has filled another one up to its end.
      const goesOn = start === 0 && lastStart !== OWN;
      if (count < SHARE_MIN_BYTES && !goesOn) {
        const lastCount = lastEnd - lastStart;
        if (lastStart !== OWN && lastCount < JOIN_MAX_BYTES) {
          const chunk = this.#full.pop()!;
          this.#starts.pop();
          this.#ends.pop();
          this.#fullBytes -= lastCount;
          this.raw(chunk, lastStart, lastCount);
        }
        return this.raw(buffer, start, count);
      }
    }
    if (this.#full.length > 0 && this.isOverLimit !== null && this.isOverLimit(0)) {
      this.isCut = true;
      return;
    }
    this.#push(buffer, start, start + count);
  }

  /**
   * A bulk string of `count` bytes that lie in buffers which never change: the first `lengths[i]` bytes of each. They
   * are kept as references; see `share` for what the buffers must be.
   */
  sharedBulk(count: number, buffers: readonly Uint8Array[], lengths: readonly number[]): void {
    this.#header(0x24, count);
    for (let i = 0; i < buffers.length; i++) this.share(buffers[i], 0, lengths[i]);
    this.raw(CRLF);
  }

  /** Writes bytes that are RESP already. */
  raw(source: Uint8Array, offset = 0, count: number = source.length): void {
    let at = this.reserve(count);
    if (count < 48) {
      const { bytes } = this;
      const end = offset + count;
      for (let i = offset; i < end; i++) bytes[at++] = source[i];
    } else this.bytes.set(source.subarray(offset, offset + count), at);
    this.length += count;
  }

  // The two most frequent replies are written byte by byte: copying them takes 15 ns more on Bun.

  ok(): void {
    const at = this.reserve(5);
    const { bytes } = this;
    bytes[at] = 0x2b;
    bytes[at + 1] = 0x4f;
    bytes[at + 2] = 0x4b;
    bytes[at + 3] = 13;
    bytes[at + 4] = 10;
    this.length = at + 5;
  }

  pong(): void {
    const at = this.reserve(7);
    const { bytes } = this;
    bytes[at] = 0x2b;
    bytes[at + 1] = 0x50;
    bytes[at + 2] = 0x4f;
    bytes[at + 3] = 0x4e;
    bytes[at + 4] = 0x47;
    bytes[at + 5] = 13;
    bytes[at + 6] = 10;
    this.length = at + 7;
  }

  queued(): void {
    this.raw(QUEUED);
  }

  /** A status: `text` must have no line ends. */
  status(text: string): void {
    const at = this.reserve(text.length + 3);
    this.bytes[at] = 0x2b;
    this.#endLine(writeText(this.bytes, at + 1, text));
  }

  /** An error, its code first: "ERR no such key". Line ends in it become spaces. */
  error(text: string): void {
    this.errorCount++;
    this.lastError = text;
    this.raw(latin1(`-${text.replace(/[\r\n]/g, " ")}\r\n`));
  }

  /** An integer, |n| <= 2^53. */
  integer(n: number): void {
    const at = this.reserve(24);
    const { bytes } = this;
    bytes[at] = 0x3a;
    if (n >= 0 && n < 10) {
      bytes[at + 1] = 48 + n;
      bytes[at + 2] = 13;
      bytes[at + 3] = 10;
      this.length = at + 4;
      return;
    }
    const end = at + 1 + writeInteger(bytes, at + 1, n);
    bytes[end] = 13;
    bytes[end + 1] = 10;
    this.length = end + 2;
  }

  bigInteger(n: bigint): void {
    const at = this.reserve(24);
    const { bytes } = this;
    bytes[at] = 0x3a;
    const end = at + 1 + writeBigInt(bytes, at + 1, n);
    bytes[end] = 13;
    bytes[end + 1] = 10;
    this.length = end + 2;
  }

  /** A type byte with a count: "*3", "%2", … */
  #header(type: number, count: number): void {
    const at = this.reserve(24);
    const { bytes } = this;
    bytes[at] = type;
    const end = at + 1 + writeInteger(bytes, at + 1, count);
    bytes[end] = 13;
    bytes[end + 1] = 10;
    this.length = end + 2;
  }

  /**
   * Begins an aggregate whose number of elements is known only when they have been written; then
   * `closeArray` or `closeMap`. Those opened last are closed first, and no chunk is taken meanwhile.
   */
  openLength(): OpenLength {
    const at = this.reserve(LENGTH_ROOM);
    this.length = at + LENGTH_ROOM;
    return { chunks: this.#full.length, at };
  }

  /** Makes what was written since `openLength` an array. */
  closeArray(open: OpenLength, count: number): void {
    this.#closeLength(open, 0x2a, count);
  }

  /** Makes what was written since `openLength` a map; RESP2 gets keys and values flat. */
  closeMap(open: OpenLength, pairs: number): void {
    if (this.resp === 2) this.#closeLength(open, 0x2a, pairs * 2);
    else this.#closeLength(open, 0x25, pairs);
  }

  /** Makes what was written since `openLength` a set; RESP2 gets an array. */
  closeSet(open: OpenLength, count: number): void {
    this.#closeLength(open, this.resp === 2 ? 0x2a : 0x7e, count);
  }

  /** Writes the header into its room, and moves what follows in that chunk up to it. */
  #closeLength({ chunks, at }: OpenLength, type: number, count: number): void {
    if (this.isCut) return;
    const isCurrent = chunks === this.#full.length;
    const bytes = isCurrent ? this.bytes : this.#full[chunks];
    bytes[at] = type;
    const end = at + 1 + writeInteger(bytes, at + 1, count);
    bytes[end] = 13;
    bytes[end + 1] = 10;
    const unused = at + LENGTH_ROOM - (end + 2);
    bytes.copyWithin(end + 2, at + LENGTH_ROOM, isCurrent ? this.length : this.#ends[chunks]);
    if (isCurrent) this.length -= unused;
    else {
      this.#ends[chunks] -= unused;
      this.#fullBytes -= unused;
    }
  }

  /** A bulk string of bytes that lie elsewhere. */
  bulk(source: Uint8Array, offset = 0, count: number = source.length): void {
    let at = this.reserve(count + 26);
    const { bytes } = this;
    bytes[at++] = 0x24;
    if (count < 10) bytes[at++] = 48 + count;
    else if (count < 100) {
      const tens = (count / 10) | 0;
      bytes[at++] = 48 + tens;
      bytes[at++] = 48 + count - tens * 10;
    } else at += writeInteger(bytes, at, count);
    bytes[at++] = 13;
    bytes[at++] = 10;
    if (count < 48) {
      const end = offset + count;
      for (let i = offset; i < end; i++) bytes[at++] = source[i];
    } else {
      bytes.set(source.subarray(offset, offset + count), at);
      at += count;
    }
    bytes[at++] = 13;
    bytes[at++] = 10;
    this.length = at;
  }

  /** A bulk string of latin1 text. */
  bulkText(text: string): void {
    const count = text.length;
    let at = this.reserve(count + 26);
    const { bytes } = this;
    bytes[at++] = 0x24;
    at += writeInteger(bytes, at, count);
    bytes[at++] = 13;
    bytes[at++] = 10;
    this.#endLine(writeText(bytes, at, text));
  }

  /** Ends what has been written up to `at`. */
  #endLine(at: number): void {
    this.bytes[at] = 13;
    this.bytes[at + 1] = 10;
    this.length = at + 2;
  }

  /** A bulk string that is an integer's text. */
  bulkInteger(n: number): void {
    const at = this.reserve(48);
    const { bytes } = this;
    // The length of the text has one or two digits and is known only when the text has been written, so
    // the text is written further back and then moved behind its length.
    const start = at + 5;
    const count = writeInteger(bytes, start, n);
    bytes[at] = 0x24;
    let to = at + 1 + writeInteger(bytes, at + 1, count);
    bytes[to++] = 13;
    bytes[to++] = 10;
    for (let i = 0; i < count; i++) bytes[to++] = bytes[start + i];
    bytes[to++] = 13;
    bytes[to++] = 10;
    this.length = to;
  }

  bulkBigInt(n: bigint): void {
    this.bulkText(n.toString());
  }

  /** Nothing there: null bulk string, null in RESP3. */
  null(): void {
    this.raw(this.resp === 2 ? NULL_BULK : NULL3);
  }

  nullArray(): void {
    this.raw(this.resp === 2 ? NULL_ARRAY : NULL3);
  }

  array(count: number): void {
    this.#header(0x2a, count);
  }

  /** A map of `pairs` pairs: a flat array in RESP2. */
  map(pairs: number): void {
    if (this.resp === 2) this.#header(0x2a, pairs * 2);
    else this.#header(0x25, pairs);
  }

  set(count: number): void {
    this.#header(this.resp === 2 ? 0x2a : 0x7e, count);
  }

  /** Out-of-band data: an array in RESP2. */
  push(count: number): void {
    this.#header(this.resp === 2 ? 0x2a : 0x3e, count);
  }

  /** Attributes of the reply that follows; callers leave them out in RESP2. */
  attribute(pairs: number): void {
    this.#header(0x7c, pairs);
  }

  boolean(value: boolean): void {
    if (this.resp === 2) this.integer(value ? 1 : 0);
    else this.raw(value ? TRUE3 : FALSE3);
  }

  /** A double: its shortest text as a bulk string in RESP2. */
  double(n: number): void {
    this.longDouble(formatDouble(n));
  }

  /** A double of which the caller has made the text; a bulk string in RESP2. */
  longDouble(text: string): void {
    if (this.resp === 2) this.bulkText(text);
    else this.raw(latin1(`,${text}\r\n`));
  }

  /** An integer beyond 64 bits; a bulk string in RESP2. */
  bigNumber(text: string): void {
    if (this.resp === 2) this.bulkText(text);
    else this.raw(latin1(`(${text}\r\n`));
  }

  /** Text for people with its format ("txt", "mkd"); a bulk string in RESP2. */
  verbatim(text: string, format = "txt"): void {
    if (this.resp === 2) return this.bulkText(text);
    this.raw(latin1(`=${text.length + 4}\r\n${format}:`));
    const at = this.reserve(text.length + 2);
    this.#endLine(writeText(this.bytes, at, text));
  }

  /** The same of text that is bytes already. */
  verbatimBytes(bytes: Uint8Array, count: number): void {
    if (this.resp === 2) return this.bulk(bytes, 0, count);
    this.raw(latin1(`=${count + 4}\r\ntxt:`));
    this.raw(bytes, 0, count);
    this.raw(CRLF);
  }
}
