/**
 * Listpack: a sequence of strings and integers packed into one run of bytes.
 *
 * The encoding of small lists, hashes, sets, sorted sets and of stream blocks. The bytes are those
 * of Redis (RDB types 15 and up), so a snapshot copies them as they are:
 *
 *     total bytes u32le | entry count u16le, 65535 = count by walking | entry ... | 0xFF
 *
 *     entry = content | backlen          backlen: size of the content, 1 to 5 bytes, to walk back
 *
 *     0xxxxxxx                       integer 0..127
 *     10llllll bytes                 string below 64 bytes
 *     110xxxxx x8                    integer of 13 bits, signed
 *     1110llll l8 bytes              string below 4096 bytes
 *     F0 u32le bytes                 any string
 *     F1 i16le | F2 i24le | F3 i32le | F4 i64le
 *
 * A text that is a canonical 64-bit integer is always stored as an integer.
 *
 * All functions work in place on a region that starts at `base` of `buf`; positions of entries are
 * absolute offsets into `buf`, -1 stands for the end. Functions that change the region are told its
 * capacity (`cap`, bytes from `base`). They answer the new size in bytes, or -1 and change nothing
 * when that would pass `cap`: the caller then moves the region to a larger place and calls again.
 * Bytes to be stored must not lie in the region itself. Nothing here allocates, except a `bigint`
 * for an integer beyond 2^53.
 *
 * The content is trusted. Bytes from outside go through `lpValidate` first.
 */

import { copyBytes, equalBytes } from "../base/bytes.ts";
import {
  INT64_TEXT_MAX,
  integerLength,
  isInt64Text,
  parseInt64,
  parseInteger,
  writeBigInt,
  writeInteger,
} from "../base/integers.ts";

const HEADER_BYTES = 6;
const END = 0xff;
const COUNT_UNKNOWN = 65535;

const STRING_32 = 0xf0;
const INT_16 = 0xf1;
const INT_24 = 0xf2;
const INT_32 = 0xf3;
const INT_64 = 0xf4;

const TWO_TO_32 = 4294967296;

/** Size of a listpack without entries. */
export const LP_EMPTY_BYTES = 7;

/** A decoded entry; see `lpEntry`. */
export class ListpackEntry {
  /** Whether the entry is an integer (then `int` or `big` holds it) or a string in `buf`. */
  isInt = false;
  /** The integer; NaN when it lies beyond 2^53 - 1, and `big` holds it. */
  int = NaN;
  /** The integer when `int` cannot hold it, else null. */
  big: bigint | null = null;
  /** The buffer of the entry. */
  buf: Uint8Array = new Uint8Array(0);
  /** Where the bytes of a string begin in `buf`. */
  off = 0;
  /** How many bytes a string has. */
  len = 0;
}

/** The entry that `lpGet` decoded last. One for all, so that reading makes no objects. */
export const lpEntry = new ListpackEntry();

const heldEntry = new ListpackEntry();

/**
 * Remembers what is in `lpEntry` until `lpReleaseEntry`: a handler may be at work with it when the hook of a
 * snapshot comes to read entries too. Only one such pair may be open.
 */
export function lpHoldEntry(): void {
  copyEntry(lpEntry, heldEntry);
}

/** Has `lpEntry` be again what it was at `lpHoldEntry`. */
export function lpReleaseEntry(): void {
  copyEntry(heldEntry, lpEntry);
}

function copyEntry(from: ListpackEntry, to: ListpackEntry): void {
  to.isInt = from.isInt;
  to.int = from.int;
  to.big = from.big;
  to.buf = from.buf;
  to.off = from.off;
  to.len = from.len;
}

// ---------------------------------------------------------------------------------------------
// Header

/** Writes an empty listpack (7 bytes) and returns its size. */
export function lpNew(buf: Uint8Array, base: number): number {
  setBytes(buf, base, LP_EMPTY_BYTES);
  setCount(buf, base, 0);
  buf[base + HEADER_BYTES] = END;
  return LP_EMPTY_BYTES;
}

/**
 * Frames entries that already lie at `base + 6`, `size` bytes of them, as a listpack. Returns its
 * size.
 */
export function lpFrame(buf: Uint8Array, base: number, size: number, count: number): number {
  const total = HEADER_BYTES + size + 1;
  setBytes(buf, base, total);
  setCount(buf, base, count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN);
  buf[base + total - 1] = END;
  return total;
}

/** Size of the whole listpack. */
export function lpBytes(buf: Uint8Array, base: number): number {
  return readU32(buf, base);
}

/** Number of entries. O(n) when there are 65535 or more, as the header cannot tell then. */
export function lpCount(buf: Uint8Array, base: number): number {
  const known = readCount(buf, base);
  if (known !== COUNT_UNKNOWN) return known;
  const end = lpEnd(buf, base);
  let count = 0;
  for (let pos = base + HEADER_BYTES; pos < end; pos += lpSize(buf, pos)) count++;
  if (count < COUNT_UNKNOWN) setCount(buf, base, count);
  return count;
}

/** Where the first entry lies, or the closing byte when there is none. */
export function lpFirstAt(base: number): number {
  return base + HEADER_BYTES;
}

/** Whether `count` can be the number of entries, by the header alone. */
export function lpIsCount(buf: Uint8Array, base: number, count: number): boolean {
  const known = readCount(buf, base);
  return known === COUNT_UNKNOWN || known === count;
}

/** Position of the closing byte, right behind the last entry. */
export function lpEnd(buf: Uint8Array, base: number): number {
  return base + readU32(buf, base) - 1;
}

function readCount(buf: Uint8Array, base: number): number {
  return buf[base + 4] | (buf[base + 5] << 8);
}

function setCount(buf: Uint8Array, base: number, count: number): void {
  buf[base + 4] = count;
  buf[base + 5] = count >> 8;
}

/** Counts entries in or out; an unknown count stays unknown until someone asks for it. */
function addCount(buf: Uint8Array, base: number, delta: number): void {
  const known = readCount(buf, base);
  if (known === COUNT_UNKNOWN) return;
  const count = known + delta;
  setCount(buf, base, count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN);
}

function setBytes(buf: Uint8Array, base: number, size: number): void {
  writeU32(buf, base, size);
}

function readU32(buf: Uint8Array, pos: number): number {
  return (buf[pos] | (buf[pos + 1] << 8) | (buf[pos + 2] << 16) | (buf[pos + 3] << 24)) >>> 0;
}

function writeU32(buf: Uint8Array, pos: number, n: number): void {
  buf[pos] = n;
  buf[pos + 1] = n >>> 8;
  buf[pos + 2] = n >>> 16;
  buf[pos + 3] = n >>> 24;
}

function readI32(buf: Uint8Array, pos: number): number {
  return buf[pos] | (buf[pos + 1] << 8) | (buf[pos + 2] << 16) | (buf[pos + 3] << 24);
}

// ---------------------------------------------------------------------------------------------
// Walking

/** Position of the first entry, -1 when there is none. */
export function lpFirst(buf: Uint8Array, base: number): number {
  return buf[base + HEADER_BYTES] === END ? -1 : base + HEADER_BYTES;
}

/** Position of the last entry, -1 when there is none. */
export function lpLast(buf: Uint8Array, base: number): number {
  return lpPrev(buf, base, lpEnd(buf, base));
}

/** Position of the entry behind the one at `pos`, -1 when that was the last. */
export function lpNext(buf: Uint8Array, pos: number): number {
  const next = pos + lpSize(buf, pos);
  return buf[next] === END ? -1 : next;
}

/** Position of the entry before `pos` (an entry or the end), -1 when there is none. */
export function lpPrev(buf: Uint8Array, base: number, pos: number): number {
  return pos === base + HEADER_BYTES ? -1 : lpBefore(buf, pos);
}

/**
 * Position of the entry with this index; a negative index counts from the last entry (-1). Answers
 * -1 when there is none. Walks from the closer end.
 */
export function lpSeek(buf: Uint8Array, base: number, index: number): number {
  const known = readCount(buf, base);
  let forward = index >= 0;
  if (known !== COUNT_UNKNOWN) {
    if (index < 0) index += known;
    if (index < 0 || index >= known) return -1;
    forward = index < known >> 1;
    if (!forward) index -= known;
  }
  if (forward) {
    const end = lpEnd(buf, base);
    let pos = base + HEADER_BYTES;
    while (index > 0 && pos < end) {
      pos += lpSize(buf, pos);
      index--;
    }
    return pos < end ? pos : -1;
  }
  let pos = lpLast(buf, base);
  while (pos !== -1 && index < -1) {
    pos = lpPrev(buf, base, pos);
    index++;
  }
  return pos;
}

/** How many bytes the entry at `pos` takes, its backlen included. */
export function lpSize(buf: Uint8Array, pos: number): number {
  const head = buf[pos];
  if (head < 0x80) return 2;
  if (head < 0xc0) return (head & 0x3f) + 2;
  if (head < 0xe0) return 3;
  const content = longContentSize(buf, pos, head);
  return content + backlenSize(content);
}

function longContentSize(buf: Uint8Array, pos: number, head: number): number {
  if (head < STRING_32) return 2 + (((head & 0x0f) << 8) | buf[pos + 1]);
  switch (head) {
    case STRING_32:
      return 5 + readU32(buf, pos + 1);
    case INT_16:
      return 3;
    case INT_24:
      return 4;
    case INT_32:
      return 5;
    case INT_64:
      return 9;
    default:
      throw new Error(`Cannot walk listpack: unknown encoding ${head} at ${pos}`);
  }
}

/**
 * Position of the entry that ends right before `pos`. There must be one: this knows nothing of
 * where the entries begin, `lpPrev` does.
 */
export function lpBefore(buf: Uint8Array, pos: number): number {
  let at = pos - 1;
  let byte = buf[at];
  if (byte < 0x80) return at - byte;
  let content = 0;
  let scale = 1;
  while (byte >= 0x80) {
    content += (byte & 0x7f) * scale;
    scale *= 128;
    byte = buf[--at];
  }
  return at - content - byte * scale;
}

/**
 * How many bytes of backlen a content of this size gets. The uneven limits above one byte are
 * Redis's: the largest value of each length is pushed to the next one.
 */
function backlenSize(content: number): number {
  if (content <= 127) return 1;
  if (content < 16383) return 2;
  if (content < 2097151) return 3;
  return content < 268435455 ? 4 : 5;
}

/** Writes a backlen: groups of seven bits, highest first; all but the first byte are marked. */
function writeBacklen(buf: Uint8Array, pos: number, content: number): void {
  if (content <= 127) {
    buf[pos] = content;
    return;
  }
  let rest = content;
  for (let i = backlenSize(content) - 1; i > 0; i--) {
    buf[pos + i] = 0x80 | (rest & 0x7f);
    rest = Math.floor(rest / 128);
  }
  buf[pos] = rest;
}

// ---------------------------------------------------------------------------------------------
// Reading entries

/** Decodes the entry at `pos` into `lpEntry`. */
export function lpGet(buf: Uint8Array, pos: number): void {
  const entry = lpEntry;
  entry.buf = buf;
  const head = buf[pos];
  if (head >= 0x80 && head < 0xc0) {
    entry.isInt = false;
    entry.off = pos + 1;
    entry.len = head & 0x3f;
  } else if (head >= 0xe0 && head <= STRING_32) {
    entry.isInt = false;
    if (head === STRING_32) {
      entry.off = pos + 5;
      entry.len = readU32(buf, pos + 1);
    } else {
      entry.off = pos + 2;
      entry.len = ((head & 0x0f) << 8) | buf[pos + 1];
    }
  } else {
    entry.isInt = true;
    entry.big = null;
    const n = readInt(buf, pos, head);
    if (n > Number.MAX_SAFE_INTEGER || n < Number.MIN_SAFE_INTEGER) {
      entry.int = NaN;
      entry.big = readBigInt(buf, pos + 1);
    } else {
      entry.int = n;
    }
  }
}

/**
 * The integer of an entry that is not a string. Beyond 2^53 the answer is rounded, but never into
 * the safe range, so that comparing it with a safe integer is exact.
 */
function readInt(buf: Uint8Array, pos: number, head: number): number {
  if (head < 0x80) return head;
  if (head < 0xe0) return ((((head & 0x1f) << 8) | buf[pos + 1]) << 19) >> 19;
  switch (head) {
    case INT_16:
      return ((buf[pos + 1] | (buf[pos + 2] << 8)) << 16) >> 16;
    case INT_24:
      return ((buf[pos + 1] | (buf[pos + 2] << 8) | (buf[pos + 3] << 16)) << 8) >> 8;
    case INT_32:
      return readI32(buf, pos + 1);
    case INT_64:
      return readI32(buf, pos + 5) * TWO_TO_32 + readU32(buf, pos + 1);
    default:
      throw new Error(`Cannot read listpack: unknown encoding ${head} at ${pos}`);
  }
}

function readBigInt(buf: Uint8Array, pos: number): bigint {
  return (BigInt(readI32(buf, pos + 4)) << 32n) | BigInt(readU32(buf, pos));
}

const scratch = new Uint8Array(INT64_TEXT_MAX);

/** How many bytes the entry in `lpEntry` has as text. */
export function lpEntryTextLength(): number {
  if (!lpEntry.isInt) return lpEntry.len;
  if (lpEntry.big !== null) return writeBigInt(scratch, 0, lpEntry.big);
  return integerLength(lpEntry.int);
}

/** Writes the text of the entry in `lpEntry`; returns how many bytes that took. */
export function lpEntryCopyText(dst: Uint8Array, dstOff: number): number {
  if (!lpEntry.isInt) {
    copyBytes(dst, dstOff, lpEntry.buf, lpEntry.off, lpEntry.len);
    return lpEntry.len;
  }
  if (lpEntry.big !== null) return writeBigInt(dst, dstOff, lpEntry.big);
  return writeInteger(dst, dstOff, lpEntry.int);
}

/**
 * Position of the first entry from `from` on whose text is these bytes, -1 when there is none or
 * `from` is -1. Compares the entry at `from`, then leaves out `skip` entries after each comparison:
 * with 1 and the first entry it looks at the fields of a hash but not at the values.
 */
export function lpFind(
  buf: Uint8Array,
  base: number,
  from: number,
  src: Uint8Array,
  off: number,
  len: number,
  skip: number,
): number {
  if (from < 0) return -1;
  lpSetNeedle(src, off, len);
  const end = lpEnd(buf, base);
  // A short string is told from most others by its head and last byte; names that are counted up
  // share all that comes before.
  const head = !needleIsInt && len > 0 && len < 64 ? 0x80 | len : END;
  const last = len > 0 ? src[off + len - 1] : 0;
  let pos = from;
  while (pos < end) {
    const at = buf[pos];
    if (head !== END) {
      if (at === head) {
        if (buf[pos + len] === last && equalBytes(buf, pos + 1, len, src, off, len)) return pos;
      } else if (at >= 0xe0 && lpIsNeedle(buf, pos)) {
        return pos; // only an entry that was not encoded as short as possible
      }
    } else if (lpIsNeedle(buf, pos)) {
      return pos;
    }
    pos += lpSize(buf, pos);
    for (let i = 0; i < skip && pos < end; i++) pos += lpSize(buf, pos);
  }
  return -1;
}

// The needle of a search, taken apart once for all comparisons.
let needleBuf = new Uint8Array(0);
let needleOff = 0;
let needleLen = 0;
let needleIsInt = false;
let needleInt = 0; // NaN when beyond 2^53, then the two halves below are compared
let needleHigh = 0;
let needleLow = 0;

/**
 * Sets the bytes that `lpIsNeedle` and `lpScan` compare with, for searches that walk by themselves. They must
 * stay where they are meanwhile; `lpFind` sets a needle too.
 */
export function lpSetNeedle(src: Uint8Array, off: number, len: number): void {
  needleBuf = src as Uint8Array<ArrayBuffer>;
  needleOff = off;
  needleLen = len;
  needleIsInt = isInt64Text(src, off, len);
  if (!needleIsInt) return;
  needleInt = parseInteger(src, off, len);
  if (needleInt === needleInt) return;
  const wide = parseInt64(src, off, len)!;
  needleHigh = Number(wide >> 32n);
  needleLow = Number(wide & 0xffffffffn);
}

/** Whether the text of the entry at `pos` is the needle set last. */
export function lpIsNeedle(buf: Uint8Array, pos: number): boolean {
  const head = buf[pos];
  if (head >= 0x80 && head < 0xc0) return lpBytesAreNeedle(buf, pos + 1, head & 0x3f);
  if (head >= 0xe0 && head <= STRING_32) {
    if (head === STRING_32) return lpBytesAreNeedle(buf, pos + 5, readU32(buf, pos + 1));
    return lpBytesAreNeedle(buf, pos + 2, ((head & 0x0f) << 8) | buf[pos + 1]);
  }
  if (!needleIsInt) return false;
  if (needleInt === needleInt) return readInt(buf, pos, head) === needleInt;
  return head === INT_64 && readI32(buf, pos + 5) === needleHigh &&
    readU32(buf, pos + 1) === needleLow;
}

/** Whether plain bytes, not an entry, are the needle set last. */
function lpBytesAreNeedle(buf: Uint8Array, off: number, len: number): boolean {
  return equalBytes(buf, off, len, needleBuf, needleOff, needleLen);
}

/** How many entries that were something else `lpScan` or `lpScanBack` passed over last. */
export let lpPassed = 0;

/** The head of a short entry that is the needle set last; END where that is long. */
function needleHead(): number {
  return needleLen < 64 ? 0x80 | needleLen : END;
}

/**
 * Position of the first entry that is the needle set last, of `most` from the one at `pos` on that lie before
 * `end`; -1 when there is none.
 */
export function lpScan(buf: Uint8Array, pos: number, end: number, most: number): number {
  const head = needleHead();
  const last = needleLen > 0 ? needleBuf[needleOff + needleLen - 1] : 0;
  const isString = !needleIsInt;
  let passed = 0;
  for (; pos < end && passed < most; passed++) {
    const at = buf[pos];
    if (at >= 0x80 && at < 0xc0) {
      // Names that are counted up differ in their last byte from most others.
      const size = at & 0x3f;
      if (at === head && (size === 0 || buf[pos + size] === last) && lpIsNeedle(buf, pos)) break;
      pos += size + 2;
    } else if (at < 0x80) {
      if (needleIsInt && at === needleInt) break;
      pos += 2;
    } else {
      if ((at > 0xdf || !isString) && lpIsNeedle(buf, pos)) break;
      pos += lpSize(buf, pos);
    }
  }
  lpPassed = passed;
  return pos < end && passed < most ? pos : -1;
}

/** `lpScan` backward: of `most` entries from the one that ends at `pos`, down to the one at `start`. */
export function lpScanBack(buf: Uint8Array, pos: number, start: number, most: number): number {
  const head = needleHead();
  let passed = 0;
  for (; pos > start && passed < most; passed++) {
    pos = lpBefore(buf, pos);
    const at = buf[pos];
    if ((at === head || at < 0x80 || at > 0xbf) && lpIsNeedle(buf, pos)) {
      lpPassed = passed;
      return pos;
    }
  }
  lpPassed = passed;
  return -1;
}

/** `lpScan` of plain bytes, which are no entry but stand for one. */
export function lpScanPlain(buf: Uint8Array, off: number, len: number): number {
  const isNeedle = lpBytesAreNeedle(buf, off, len);
  lpPassed = isNeedle ? 0 : 1;
  return isNeedle ? off : -1;
}

// ---------------------------------------------------------------------------------------------
// Encoding one entry: first staged, so that its size is known, then written

/** What comes before the payload: the encoding byte, a length or an integer. */
const stagedHead = new Uint8Array(9);
let stagedHeadSize = 0;
let stagedPayload = 0;

/**
 * Chooses the encoding of a text and answers the size of the whole entry. `lpWriteStaged` writes
 * it. Together they let other structures (the nodes of a quicklist) hold listpack entries.
 */
export function lpStageText(src: Uint8Array, off: number, len: number): number {
  if (len > 0 && len <= INT64_TEXT_MAX && src[off] <= 0x39) {
    const n = parseInteger(src, off, len);
    if (n === n) return lpStageInteger(n);
    if (len >= 16) {
      const wide = parseInt64(src, off, len);
      if (wide !== null) return lpStageInteger(wide);
    }
  }
  return lpStageString(len);
}

/** Whether a text is short and surely no integer, so that `lpWriteName` may write it: the usual element. */
export function lpIsName(src: Uint8Array, off: number, len: number): boolean {
  return len < 64 && (len === 0 || src[off] > 0x39);
}

/** Writes such a text as an entry, of `len + 2` bytes, at `pos`. */
export function lpWriteName(
  buf: Uint8Array,
  pos: number,
  src: Uint8Array,
  off: number,
  len: number,
): void {
  buf[pos++] = 0x80 | len;
  if (len < 48) { for (const end = off + len; off < end; off++) buf[pos++] = src[off]; }
  else {
    copyBytes(buf, pos, src, off, len);
    pos += len;
  }
  buf[pos] = len + 1;
}

/** Like `lpStageText` for a text known not to be an integer. */
function lpStageString(len: number): number {
  stagedPayload = len;
  if (len < 64) {
    stagedHead[0] = 0x80 | len;
    stagedHeadSize = 1;
    return len + 2;
  }
  if (len < 4096) {
    stagedHead[0] = 0xe0 | (len >> 8);
    stagedHead[1] = len;
    stagedHeadSize = 2;
  } else {
    stagedHead[0] = STRING_32;
    writeU32(stagedHead, 1, len);
    stagedHeadSize = 5;
  }
  const content = stagedHeadSize + len;
  return content + backlenSize(content);
}

/**
 * Chooses the encoding of an integer (a safe one, or a `bigint` of which the lower 64 bits are
 * kept) and answers the size of the whole entry.
 */
export function lpStageInteger(n: number | bigint): number {
  if (typeof n === "bigint") {
    const wide = BigInt.asIntN(64, n);
    const near = Number(wide);
    if (!Number.isSafeInteger(near)) {
      return stageInt64(Number(wide >> 32n), Number(wide & 0xffffffffn));
    }
    n = near;
  }
  const head = stagedHead;
  stagedPayload = 0;
  if (n >= -4096 && n <= 4095) {
    if (n >= 0 && n <= 127) {
      head[0] = n;
      stagedHeadSize = 1;
      return 2;
    }
    head[0] = 0xc0 | ((n >> 8) & 0x1f);
    head[1] = n;
    stagedHeadSize = 2;
    return 3;
  }
  if (n < -0x80000000 || n > 0x7fffffff) {
    const high = Math.floor(n / TWO_TO_32);
    return stageInt64(high, n - high * TWO_TO_32);
  }
  head[1] = n;
  head[2] = n >> 8;
  if (n >= -0x8000 && n <= 0x7fff) {
    head[0] = INT_16;
    stagedHeadSize = 3;
    return 4;
  }
  head[3] = n >> 16;
  if (n >= -0x800000 && n <= 0x7fffff) {
    head[0] = INT_24;
    stagedHeadSize = 4;
    return 5;
  }
  head[0] = INT_32;
  head[4] = n >> 24;
  stagedHeadSize = 5;
  return 6;
}

function stageInt64(high: number, low: number): number {
  stagedHead[0] = INT_64;
  writeU32(stagedHead, 1, low);
  writeU32(stagedHead, 5, high);
  stagedHeadSize = 9;
  stagedPayload = 0;
  return 10;
}

/** Writes the staged entry at `pos`; the payload of a string is read from `src` at `off`. */
export function lpWriteStaged(buf: Uint8Array, pos: number, src: Uint8Array, off: number): void {
  const headSize = stagedHeadSize;
  const payload = stagedPayload;
  for (let i = 0; i < headSize; i++) buf[pos + i] = stagedHead[i];
  if (payload > 0) copyBytes(buf, pos + headSize, src, off, payload);
  writeBacklen(buf, pos + headSize + payload, headSize + payload);
}

// ---------------------------------------------------------------------------------------------
// Changing

const NO_TEXT = new Uint8Array(0);

/** Puts the staged entry of `size` bytes in the place of the `oldSize` bytes at `pos`. */
function splice(
  buf: Uint8Array,
  base: number,
  cap: number,
  pos: number,
  oldSize: number,
  size: number,
  src: Uint8Array,
  off: number,
): number {
  const total = lpBytes(buf, base);
  const newTotal = total - oldSize + size;
  if (newTotal > cap) return -1;
  if (size !== oldSize) {
    const rest = pos + oldSize;
    copyBytes(buf, pos + size, buf, rest, base + total - rest);
    setBytes(buf, base, newTotal);
  }
  lpWriteStaged(buf, pos, src, off);
  if (oldSize === 0) addCount(buf, base, 1);
  return newTotal;
}

/**
 * Inserts a text before the entry at `pos` (-1: at the end). The new entry stands at `pos`
 * afterwards. Answers the new size, or -1 when that would pass `cap`.
 */
export function lpInsertBefore(
  buf: Uint8Array,
  base: number,
  cap: number,
  pos: number,
  src: Uint8Array,
  off: number,
  len: number,
): number {
  const size = lpStageText(src, off, len);
  return splice(buf, base, cap, pos === -1 ? lpEnd(buf, base) : pos, 0, size, src, off);
}

/** Inserts a text behind the last entry. Answers the new size, or -1 when that would pass `cap`. */
export function lpAppend(
  buf: Uint8Array,
  base: number,
  cap: number,
  src: Uint8Array,
  off: number,
  len: number,
): number {
  const size = lpStageText(src, off, len);
  return splice(buf, base, cap, lpEnd(buf, base), 0, size, src, off);
}

/** Inserts a text before the first entry. Answers the new size, or -1 when that would pass `cap`. */
export function lpPrepend(
  buf: Uint8Array,
  base: number,
  cap: number,
  src: Uint8Array,
  off: number,
  len: number,
): number {
  const size = lpStageText(src, off, len);
  return splice(buf, base, cap, base + HEADER_BYTES, 0, size, src, off);
}

/**
 * Puts a text in the place of the entry at `pos`; what follows it may move. Answers the new size,
 * or -1 when that would pass `cap`.
 */
export function lpReplace(
  buf: Uint8Array,
  base: number,
  cap: number,
  pos: number,
  src: Uint8Array,
  off: number,
  len: number,
): number {
  const size = lpStageText(src, off, len);
  return splice(buf, base, cap, pos, lpSize(buf, pos), size, src, off);
}

/** `lpReplace` by an integer. */
export function lpReplaceInteger(
  buf: Uint8Array,
  base: number,
  cap: number,
  pos: number,
  n: number | bigint,
): number {
  return splice(buf, base, cap, pos, lpSize(buf, pos), lpStageInteger(n), NO_TEXT, 0);
}

/** `lpInsertBefore` for an integer. */
export function lpInsertIntegerBefore(
  buf: Uint8Array,
  base: number,
  cap: number,
  pos: number,
  n: number | bigint,
): number {
  const size = lpStageInteger(n);
  return splice(buf, base, cap, pos === -1 ? lpEnd(buf, base) : pos, 0, size, NO_TEXT, 0);
}

/** `lpAppend` for an integer. */
export function lpAppendInteger(
  buf: Uint8Array,
  base: number,
  cap: number,
  n: number | bigint,
): number {
  return splice(buf, base, cap, lpEnd(buf, base), 0, lpStageInteger(n), NO_TEXT, 0);
}

/**
 * Appends several entries with one look at the header: `open`, entries, `close`. Between them the listpack
 * is no sound one, and nobody looks whether there is room: the caller has made it.
 */
export class ListpackAppender {
  #buf: Uint8Array = NO_TEXT;
  #base = 0;
  #at = 0;
  #count = 0;

  open(buf: Uint8Array, base: number): void {
    this.#buf = buf;
    this.#base = base;
    this.#at = lpEnd(buf, base);
    this.#count = 0;
  }

  text(src: Uint8Array, off: number, len: number): void {
    if (lpIsName(src, off, len)) {
      lpWriteName(this.#buf, this.#at, src, off, len);
      this.#at += len + 2;
      this.#count++;
      return;
    }
    const size = lpStageText(src, off, len);
    lpWriteStaged(this.#buf, this.#at, src, off);
    this.#at += size;
    this.#count++;
  }

  integer(n: number | bigint): void {
    this.#count++;
    if (typeof n === "number" && n >= 0 && n <= 127) {
      this.#buf[this.#at] = n;
      this.#buf[this.#at + 1] = 1;
      this.#at += 2;
      return;
    }
    const size = lpStageInteger(n);
    lpWriteStaged(this.#buf, this.#at, NO_TEXT, 0);
    this.#at += size;
  }

  close(): void {
    this.#buf[this.#at] = END;
    setBytes(this.#buf, this.#base, this.#at + 1 - this.#base);
    addCount(this.#buf, this.#base, this.#count);
  }
}

/**
 * Removes up to `count` entries from the one at `pos` on, and answers the new size. What followed
 * them stands at `pos` afterwards, be it an entry or the end.
 */
export function lpDelete(buf: Uint8Array, base: number, pos: number, count: number): number {
  const total = lpBytes(buf, base);
  const end = base + total - 1;
  let rest = pos;
  let removed = 0;
  while (removed < count && rest < end) {
    rest += lpSize(buf, rest);
    removed++;
  }
  if (removed === 0) return total;
  copyBytes(buf, pos, buf, rest, end + 1 - rest);
  const newTotal = total - (rest - pos);
  setBytes(buf, base, newTotal);
  addCount(buf, base, -removed);
  return newTotal;
}

// ---------------------------------------------------------------------------------------------
// Bytes from outside

/** What `lpValidate` asks for beyond a well-formed listpack. */
export interface ListpackRules {
  /** The entries come in pairs: their number has to be even. */
  pairs?: boolean;
}

/**
 * Whether the `size` bytes at `base` are a listpack that all other functions can safely work on:
 * every length stays inside, every backlen leads back, the count is right and the end is at the
 * very end. Encodings longer than necessary are let through, as Redis does. O(n).
 */
export function lpValidate(
  buf: Uint8Array,
  base: number,
  size: number,
  rules: ListpackRules = {},
): boolean {
  if (size < LP_EMPTY_BYTES || base + size > buf.length) return false;
  if (lpBytes(buf, base) !== size || buf[base + size - 1] !== END) return false;
  const end = base + size - 1;
  let count = 0;
  let pos = base + HEADER_BYTES;
  while (pos < end) {
    const next = lpSoundEnd(buf, pos, end);
    if (next === -1) return false;
    pos = next;
    count++;
  }
  if (!lpIsCount(buf, base, count)) return false;
  return !(rules.pairs === true && count % 2 !== 0);
}

/** Where the entry at `pos` ends if it is sound and ends at or before `end`, else -1. */
export function lpSoundEnd(buf: Uint8Array, pos: number, end: number): number {
  const head = buf[pos];
  if (head > INT_64) return -1;
  let content = 1;
  if (head >= 0x80 && head < 0xc0) content = 1 + (head & 0x3f);
  else if (head >= 0xc0 && head < 0xe0) content = 2;
  else if (head >= 0xe0) {
    // The length itself has to lie inside before it is read.
    if (pos + (head === STRING_32 ? 5 : 2) > end) return -1;
    content = longContentSize(buf, pos, head);
  }
  const next = pos + content + backlenSize(content);
  if (next > end) return -1;

  let rest = content;
  for (let at = next - 1; at > pos + content; at--) {
    if (buf[at] !== (0x80 | (rest & 0x7f))) return -1;
    rest = Math.floor(rest / 128);
  }
  return buf[pos + content] === rest ? next : -1;
}
