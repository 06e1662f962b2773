/**
 * LZF: the compression of strings inside snapshots and DUMP payloads.
 *
 * The format is that of liblzf, a list of items, each begun by a control byte:
 *
 *     000LLLLL  <L+1 bytes>              the next L+1 (1 to 32) bytes as they are
 *     LLLooooo  oooooooo                 copy L+2 (3 to 8) bytes from o+1 (1 to 8192) bytes back
 *     111ooooo  LLLLLLLL  oooooooo       copy L+9 (9 to 264) bytes from o+1 bytes back
 *
 * A copy may reach into what it is itself writing: "back 1, length 200" repeats a byte. The sizes of
 * both sides are not part of the format, whoever embeds it stores them.
 *
 * Any encoder's choice of copies gives a valid file, so the output here need not be, and is not,
 * byte for byte that of Redis.
 */

import { copyBytes, copyWords } from "../base/bytes.ts";
import {
  INPUT_AT,
  INPUT_MAX,
  lzfProgram,
  OUTPUT_AT,
  OUTPUT_MAX,
  TABLE_BYTES,
} from "./lzf_program.ts";

const LITERALS_MAX = 32;
const COPY_MIN = 3;

/** A compressed run of n bytes never stands for more than this times n bytes: 3 bytes copy 264. */
export const LZF_EXPANSION_MAX = 88;

/** From this length on, native code copies faster than a loop. */
const LONG_COPY_MIN = 48;

/** Longer runs are compressed in pieces: the pieces behind one another are LZF of the whole. */
const PIECE_BYTES = 64 * 1024;

/** The positions in the program's table are 31-bit. */
const POSITION_MAX = 0x3fffffff;
/**
 * The position of the next run's beginning: they count on from one run to the next, so what earlier ones left behind in
 * the table is recognised as too old, and it need not be cleared for each string.
 */
let nextPosition = 1;

/**
 * Compresses `len` bytes of `src` into `dst`, of which at most `dstCap` bytes are used. Answers the
 * compressed size, or 0 when that would not save at least 4 bytes or does not fit: then `dst` holds
 * scraps. `src` and `dst` must not overlap.
 */
export function lzfCompress(
  src: Uint8Array,
  off: number,
  len: number,
  dst: Uint8Array,
  dstOff: number,
  dstCap: number,
): number {
  const cap = Math.min(dstCap, len - 4);
  if (cap < COPY_MIN) return 0;
  if (len <= PIECE_BYTES) return compressPiece(src, off, len, dst, dstOff, cap);
  let out = dstOff;
  const outEnd = dstOff + cap;
  for (let done = 0; done < len; done += PIECE_BYTES) {
    const size = Math.min(PIECE_BYTES, len - done);
    const room = outEnd - out;
    const packed = compressPiece(src, off + done, size, dst, out, Math.min(room, size - 4));
    if (packed > 0) out += packed;
    else if (literalsSize(size) > room) return 0;
    else out = writeLiterals(src, off + done, size, dst, out);
  }
  return out - dstOff;
}

function compressPiece(
  src: Uint8Array,
  off: number,
  len: number,
  dst: Uint8Array,
  dstOff: number,
  cap: number,
): number {
  if (cap < COPY_MIN) return 0;
  const { memory, compress } = lzfProgram();
  if (nextPosition > POSITION_MAX) {
    memory.fill(0, 0, TABLE_BYTES);
    nextPosition = 1;
  }
  copyBytes(memory, INPUT_AT, src, off, len);
  const size = compress(INPUT_AT, len, OUTPUT_AT, cap, nextPosition - INPUT_AT);
  nextPosition += len;
  copyBytes(dst, dstOff, memory, OUTPUT_AT, size);
  return size;
}

/** The view of the memory seen last: callers decompress into the same one again and again. */
let lastView: DataView = new DataView(new ArrayBuffer(0));

function viewOf({ buffer }: Uint8Array): DataView {
  if (lastView.buffer !== buffer) lastView = new DataView(buffer);
  return lastView;
}

/** Bytes that `count` literals take with their control bytes. */
function literalsSize(count: number): number {
  return count + ((count + LITERALS_MAX - 1) >>> 5);
}

function writeLiterals(
  src: Uint8Array,
  from: number,
  count: number,
  dst: Uint8Array,
  out: number,
): number {
  while (count > 0) {
    const run = count < LITERALS_MAX ? count : LITERALS_MAX;
    dst[out++] = run - 1;
    for (let i = 0; i < run; i++) dst[out++] = src[from++];
    count -= run;
  }
  return out;
}

/**
 * A long run compressed piece by piece: the pieces behind one another are LZF of the whole, in which copies do not
 * reach from one into another. A piece that does not get smaller stands in it as it is.
 */
export class LzfPieces {
  /** Bytes of all pieces so far. */
  packedBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  readonly #scratch = new Uint8Array(literalsSize(PIECE_BYTES));
  readonly #length: number;

  /** For a run of `length` bytes. */
  constructor(length: number) {
    this.#length = length;
  }

  /** Whether what has been added so far leaves it possible that all saves 4 bytes. */
  get isWorthwhile(): boolean {
    return this.packedBytes < this.#length - 4;
  }

  /** Adds the next piece, which begins at `off` of the run; returns how many bytes that was. */
  add(src: Uint8Array, off: number): number {
    const length = Math.min(PIECE_BYTES, this.#length - off);
    const scratch = this.#scratch;
    const packed = lzfCompress(src, off, length, scratch, 0, length - 4) ||
      writeLiterals(src, off, length, scratch, 0);
    this.#pieces.push(scratch.slice(0, packed));
    this.packedBytes += packed;
    return length;
  }

  /** Takes the oldest piece out; null when there is none. */
  shift(): Uint8Array | null {
    return this.#pieces.shift() ?? null;
  }
}

const NO_BYTES = new Uint8Array(0);

// What a step of a LzfRun comes to.
export const LZF_MORE = 0;
export const LZF_DONE = 1;
export const LZF_DAMAGED = 2;

/** A decompression that is done in steps. Reads and writes only inside the two given runs. */
export class LzfRun {
  #src: Uint8Array = NO_BYTES;
  #pos = 0;
  #end = 0;
  #dst: Uint8Array = NO_BYTES;
  #start = 0;
  #out = 0;
  #outEnd = 0;

  /** Starts on `len` bytes of `src`, which are to give exactly `dstLen` bytes of `dst`. */
  begin(
    src: Uint8Array,
    off: number,
    len: number,
    dst: Uint8Array,
    dstOff: number,
    dstLen: number,
  ): void {
    this.#src = src;
    this.#pos = off;
    this.#end = off + len;
    this.#dst = dst;
    this.#start = this.#out = dstOff;
    this.#outEnd = dstOff + dstLen;
  }

  /**
   * Goes on until about `outBytes` more have been written. LZF_DAMAGED means that the input ends inside
   * an item, copies from before the start, or gives more or fewer bytes than declared.
   */
  step(outBytes: number): number {
    const state = this.#go(outBytes);
    if (state !== LZF_MORE) this.#src = this.#dst = NO_BYTES;
    return state;
  }

  #go(outBytes: number): number {
    const src = this.#src;
    const dst = this.#dst;
    const start = this.#start;
    const end = this.#end;
    const outEnd = this.#outEnd;
    let pos = this.#pos;
    let out = this.#out;
    const pauseAt = out + outBytes;
    const view = viewOf(dst);
    const at = dst.byteOffset; // position in the view = position in dst + at
    while (pos < end && out < pauseAt) {
      const control = src[pos++];
      if (control < LITERALS_MAX) {
        const run = control + 1;
        if (run > end - pos || run > outEnd - out) return LZF_DAMAGED;
        const to = out + run;
        do dst[out++] = src[pos++]; while (out < to);
        continue;
      }

      let count = (control >>> 5) + 2;
      if (count === 9) {
        if (pos >= end) return LZF_DAMAGED;
        count += src[pos++];
      }
      if (pos >= end) return LZF_DAMAGED;
      const distance = (((control & 31) << 8) | src[pos++]) + 1;
      if (distance > out - start || count > outEnd - out) return LZF_DAMAGED;
      const to = out + count;
      let from = out - distance;
      if (count >= LONG_COPY_MIN && distance >= count) {
        dst.copyWithin(out, from, from + count);
        out = to;
      } else if (count >= LONG_COPY_MIN && distance === 1) {
        dst.fill(dst[from], out, to);
        out = to;
      } else if (distance >= 4 && to + 4 <= outEnd) {
        // Four bytes at a time, up to three of them too many: what follows is written over them.
        do {
          view.setInt32(at + out, view.getInt32(at + from));
          out += 4;
          from += 4;
        } while (out < to);
        out = to;
      } else {
        // Byte by byte also where it overlaps on purpose: what was just written is copied on.
        do dst[out++] = dst[from++]; while (out < to);
      }
    }
    this.#pos = pos;
    this.#out = out;
    if (pos < end) return LZF_MORE;
    return out === outEnd ? LZF_DONE : LZF_DAMAGED;
  }
}

// What an LzfCheck expects next.
const CONTROL = 0;
const LONG_COUNT = 1;
const DISTANCE = 2;

/**
 * Looks whether bytes can be decompressed to a declared length, without doing it: they come in pieces, and nothing of
 * them is kept.
 */
export class LzfCheck {
  #length = 0;
  #out = 0;
  #next = CONTROL;
  /** Literals that are still to come. */
  #literals = 0;
  #count = 0;
  #distanceHigh = 0;

  /** Starts on bytes that are to give exactly `length` bytes. */
  begin(length: number): void {
    this.#length = length;
    this.#out = this.#literals = 0;
    this.#next = CONTROL;
  }

  /** Takes the next piece; false when it is damaged. */
  take(src: Uint8Array, off: number, len: number): boolean {
    const end = off + len;
    let pos = off;
    while (pos < end) {
      if (this.#literals > 0) {
        const run = Math.min(this.#literals, end - pos);
        this.#literals -= run;
        pos += run;
        continue;
      }
      const byte = src[pos++];
      if (this.#next === CONTROL) {
        if (byte < LITERALS_MAX) {
          this.#literals = byte + 1;
          this.#out += byte + 1;
          if (this.#out > this.#length) return false;
          continue;
        }
        this.#count = (byte >>> 5) + 2;
        this.#distanceHigh = (byte & 31) << 8;
        this.#next = this.#count === 9 ? LONG_COUNT : DISTANCE;
      } else if (this.#next === LONG_COUNT) {
        this.#count += byte;
        this.#next = DISTANCE;
      } else {
        if ((this.#distanceHigh | byte) + 1 > this.#out) return false;
        this.#out += this.#count;
        if (this.#out > this.#length) return false;
        this.#next = CONTROL;
      }
    }
    return true;
  }

  /** Whether all that is needed has come, and no more. */
  get isWhole(): boolean {
    return this.#next === CONTROL && this.#literals === 0 && this.#out === this.#length;
  }
}

const whole = new LzfRun();

/**
 * Decompresses `len` bytes of `src` to exactly `dstLen` bytes of `dst`, at once. Answers false when the
 * input is damaged.
 */
export function lzfDecompress(
  src: Uint8Array,
  off: number,
  len: number,
  dst: Uint8Array,
  dstOff: number,
  dstLen: number,
): boolean {
  if (len > INPUT_MAX || dstLen > OUTPUT_MAX) {
    whole.begin(src, off, len, dst, dstOff, dstLen);
    return whole.step(Infinity) === LZF_DONE;
  }
  const memory = lzfUnpack(src, off, len, dstLen);
  if (memory === null) return false;
  copyBytes(dst, dstOff, memory, UNPACKED_AT, dstLen);
  return true;
}

/** Where the bytes begin in what `lzfUnpack` answers. */
export const UNPACKED_AT = OUTPUT_AT;

/**
 * Decompresses `len` bytes of `src`, at most INPUT_MAX, to exactly `length` bytes, at most OUTPUT_MAX. Answers the
 * memory in which these lie from UNPACKED_AT on, until anybody compresses or decompresses in this thread; null when
 * the input is damaged.
 */
export function lzfUnpack(
  src: Uint8Array,
  off: number,
  len: number,
  length: number,
): Uint8Array | null {
  const { memory, decompress } = lzfProgram();
  copyWords(memory, INPUT_AT, src, off, len);
  return decompress(INPUT_AT, len, OUTPUT_AT, length) === 0 ? null : memory;
}
