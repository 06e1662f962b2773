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

const LITERALS_MAX = 32;
const COPY_MIN = 3;
const COPY_MAX = 264;
const DISTANCE_MAX = 8192;

/** Runs from here on are long. */
const LONG_MIN = 512;

/** A compressed run of n bytes never stands for more than this times n bytes: 3 bytes copy 264. */
export const LZF_EXPANSION_MAX = 88;

/** From this length on, native code copies faster than a loop. */
const LONG_COPY_MIN = 48;

/** Longer runs are not compressed: positions of the hash table are 31-bit. */
const INPUT_MAX = 0x3fffffff;

const HASH_BITS = 13;
/**
 * Where a group of three bytes was seen last, by hash; shared by all calls. A position counts on
 * from where the call before ended, so what earlier calls left behind is recognised as too old and
 * the table need not be cleared for each string.
 */
const seenAt = new Int32Array(1 << HASH_BITS);
let nextBase = 1;

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
  const cap = dstCap < len - 4 ? dstCap : len - 4;
  if (cap < COPY_MIN || len > INPUT_MAX) return 0;
  const outEnd = dstOff + cap;
  const end = off + len;

  if (nextBase > INPUT_MAX) {
    seenAt.fill(0);
    nextBase = 1;
  }
  const shift = nextBase - off; // position in the table = position in src + shift
  nextBase += len;

  let out = dstOff;
  let pos = off;
  let literalsFrom = off;
  let misses = 0;
  // In long runs copies are compared four bytes at a time; a view for each short one would cost more.
  const isLong = len >= LONG_MIN;
  const view = isLong ? viewOf(src) : lastView;
  const at = src.byteOffset; // position in the view = position in src + at
  // A group is read with the byte behind it, which a run that is long has but at its end.
  const lastStart = end - (isLong ? COPY_MIN + 1 : COPY_MIN);
  while (pos <= lastStart) {
    const group = isLong
      ? view.getInt32(at + pos, true) & 0xffffff
      : src[pos] | (src[pos + 1] << 8) | (src[pos + 2] << 16);
    const slot = Math.imul(group, 0x9e3779b1) >>> (32 - HASH_BITS);
    const from = seenAt[slot] - shift;
    seenAt[slot] = pos + shift;
    if (
      from < off || pos - from > DISTANCE_MAX ||
      (isLong
        ? (view.getInt32(at + from, true) & 0xffffff) !== group
        : (src[from] | (src[from + 1] << 8) | (src[from + 2] << 16)) !== group)
    ) {
      // Bytes that have long not repeated will likely not: look at fewer and fewer places.
      pos += 1 + (misses++ >> 6);
      continue;
    }
    misses = 0;

    let copied = COPY_MIN;
    const copyMax = end - pos < COPY_MAX ? end - pos : COPY_MAX;
    if (isLong) {
      const wordsEnd = at + pos + copyMax - 4;
      const distanceBack = pos - from;
      let word = at + pos + copied;
      while (word <= wordsEnd && view.getInt32(word) === view.getInt32(word - distanceBack)) {
        word += 4;
      }
      copied = word - at - pos;
    }
    while (copied < copyMax && src[from + copied] === src[pos + copied]) copied++;

    const literals = pos - literalsFrom;
    if (literalsSize(literals) + 3 > outEnd - out) return 0;
    if (literals > LITERALS_MAX) out = writeLiterals(src, literalsFrom, literals, dst, out);
    else if (literals > 0) {
      dst[out++] = literals - 1;
      do dst[out++] = src[literalsFrom++]; while (literalsFrom < pos);
    }
    const distance = pos - from - 1;
    if (copied > 8) {
      dst[out++] = 0xe0 | (distance >>> 8);
      dst[out++] = copied - 9;
    } else {
      dst[out++] = ((copied - 2) << 5) | (distance >>> 8);
    }
    dst[out++] = distance;

    pos += copied;
    literalsFrom = pos;
    if (pos <= lastStart) {
      // Remember the last place inside the copy too: runs often go on from there.
      const before = src[pos - 1] | (src[pos] << 8) | (src[pos + 1] << 16);
      seenAt[Math.imul(before, 0x9e3779b1) >>> (32 - HASH_BITS)] = pos - 1 + shift;
    }
  }

  const literals = end - literalsFrom;
  if (literalsSize(literals) > outEnd - out) return 0;
  if (literals > 0) out = writeLiterals(src, literalsFrom, literals, dst, out);
  return out - dstOff;
}

/** The view of the memory seen last: callers compress out of the same one again and again. */
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

/** A piece of a long run that is compressed at once. */
const PIECE_BYTES = 64 * 1024;

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
  whole.begin(src, off, len, dst, dstOff, dstLen);
  return whole.step(Infinity) === LZF_DONE;
}
