/**
 * Intset: a small set of integers as one sorted array.
 *
 * The encoding of sets whose members are all canonical 64-bit integers. The bytes are Redis's (RDB
 * type 11), so a snapshot copies them as they are:
 *
 *     bytes per integer u32le: 2, 4 or 8 | count u32le | integers, signed little-endian, ascending
 *
 * All integers have the width that the widest ever inserted needed; it never shrinks.
 *
 * As in listpack.ts, functions work in place on a region at `base` of `buf`, and those that may
 * grow it are told its capacity `cap` and answer -1, changing nothing, when that does not suffice.
 * Integers are numbers as far as they are safe ones and `bigint` beyond; a `bigint` argument may
 * also be small. The content is trusted: bytes from outside go through `intsetValidate` first.
 */

import { writeBigInt, writeInteger } from "../base/integers.ts";

const HEADER_BYTES = 8;
const TWO_TO_32 = 4294967296;

/** Size of an intset without members. */
export const INTSET_EMPTY_BYTES = HEADER_BYTES;

/** Writes an empty intset and returns its size. */
export function intsetNew(buf: Uint8Array, base: number): number {
  writeU32(buf, base, 2);
  writeU32(buf, base + 4, 0);
  return HEADER_BYTES;
}

/** Bytes of each member: 2, 4 or 8. */
export function intsetWidth(buf: Uint8Array, base: number): number {
  return readU32(buf, base);
}

/** Number of members. */
export function intsetCount(buf: Uint8Array, base: number): number {
  return readU32(buf, base + 4);
}

/** Size of the whole intset. */
export function intsetBytes(buf: Uint8Array, base: number): number {
  return HEADER_BYTES + intsetWidth(buf, base) * intsetCount(buf, base);
}

/** The member with this index (0 is the smallest), which must exist. */
export function intsetGet(buf: Uint8Array, base: number, index: number): number | bigint {
  const width = buf[base];
  const pos = base + HEADER_BYTES + index * width;
  if (width === 2) return readI16(buf, pos);
  if (width === 4) return readI32(buf, pos);
  const high = readI32(buf, pos + 4);
  const low = readU32(buf, pos);
  const n = high * TWO_TO_32 + low;
  return Number.isSafeInteger(n) ? n : (BigInt(high) << 32n) | BigInt(low);
}

/** Writes the member with this index as text; returns how many bytes (up to 20) that took. */
export function intsetCopyText(
  buf: Uint8Array,
  base: number,
  index: number,
  dst: Uint8Array,
  dstOff: number,
): number {
  const n = intsetGet(buf, base, index);
  return typeof n === "number" ? writeInteger(dst, dstOff, n) : writeBigInt(dst, dstOff, n);
}

/** The index of a member, -1 when it is none. O(log n). */
export function intsetFind(buf: Uint8Array, base: number, value: number | bigint): number {
  setValue(value);
  if (valueWidth > buf[base]) return -1;
  const index = search(buf, base);
  return index < 0 ? -1 : index;
}

/**
 * The first index, `from` or after it, whose member is not below the value; the count when there is
 * none. Fast where that is close to `from`: for going through sets side by side.
 */
export function intsetSeek(
  buf: Uint8Array,
  base: number,
  from: number,
  value: number | bigint,
): number {
  const count = intsetCount(buf, base);
  let low = from;
  let high = from;
  for (let step = 1; high < count && intsetGet(buf, base, high) < value; step *= 2) {
    low = high + 1;
    high += step;
  }
  if (high > count) high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (intsetGet(buf, base, middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether the integer is a member. O(log n). */
export function intsetHas(buf: Uint8Array, base: number, value: number | bigint): boolean {
  return intsetFind(buf, base, value) >= 0;
}

/**
 * Inserts an integer. Answers the new size, 0 when it was a member already, or -1 when the new size
 * would pass `cap`. O(n).
 */
export function intsetInsert(
  buf: Uint8Array,
  base: number,
  cap: number,
  value: number | bigint,
): number {
  setValue(value);
  const width = buf[base];
  const count = intsetCount(buf, base);
  if (valueWidth > width) return insertWider(buf, base, cap, width, count);

  const found = search(buf, base);
  if (found >= 0) return 0;
  const end = base + HEADER_BYTES + count * width;
  const newSize = end + width - base;
  if (newSize > cap) return -1;
  const pos = base + HEADER_BYTES + ~found * width;
  if (pos < end) buf.copyWithin(pos + width, pos, end);
  writeMember(buf, pos, width, valueHigh, valueLow);
  writeU32(buf, base + 4, count + 1);
  return newSize;
}

/** Widens all members for a value that is wider, and so beyond one of the ends. */
function insertWider(
  buf: Uint8Array,
  base: number,
  cap: number,
  oldWidth: number,
  count: number,
): number {
  const width = valueWidth;
  const newSize = HEADER_BYTES + (count + 1) * width;
  if (newSize > cap) return -1;
  const data = base + HEADER_BYTES;
  const first = valueHigh < 0 ? 1 : 0; // a negative value goes before all others
  // From the last on, so that no member is overwritten before it was read.
  for (let i = count - 1; i >= 0; i--) {
    const from = data + i * oldWidth;
    const n = oldWidth === 2 ? readI16(buf, from) : readI32(buf, from);
    writeMember(buf, data + (i + first) * width, width, n < 0 ? -1 : 0, n);
  }
  writeMember(buf, first === 1 ? data : data + count * width, width, valueHigh, valueLow);
  writeU32(buf, base, width);
  writeU32(buf, base + 4, count + 1);
  return newSize;
}

/** Removes an integer. Answers the new size, or 0 when it was no member. O(n). */
export function intsetRemove(buf: Uint8Array, base: number, value: number | bigint): number {
  setValue(value);
  const width = buf[base];
  if (valueWidth > width) return 0;
  const index = search(buf, base);
  if (index < 0) return 0;
  const count = intsetCount(buf, base);
  const pos = base + HEADER_BYTES + index * width;
  const end = base + HEADER_BYTES + count * width;
  if (pos + width < end) buf.copyWithin(pos, pos + width, end);
  writeU32(buf, base + 4, count - 1);
  return end - width - base;
}

/**
 * Whether the `size` bytes at `base` are an intset that the other functions can safely work on:
 * a known width, a count that fits the size exactly, members ascending and none twice. An intset
 * without members is refused, as no set is empty. O(n).
 */
export function intsetValidate(buf: Uint8Array, base: number, size: number): boolean {
  if (size < HEADER_BYTES || base + size > buf.length) return false;
  const width = intsetWidth(buf, base);
  if (width !== 2 && width !== 4 && width !== 8) return false;
  const count = intsetCount(buf, base);
  if (count === 0 || count * width !== size - HEADER_BYTES) return false;
  for (let i = 1; i < count; i++) {
    const pos = base + HEADER_BYTES + i * width;
    loadMember(buf, pos, width);
    if (compareValue(buf, pos - width, width) <= 0) return false;
  }
  return true;
}

// The value that is looked for or stored, as the two halves of 64 bits, so that values beyond 2^53
// compare exactly without making a bigint of each member.
let valueHigh = 0; // signed
let valueLow = 0; // unsigned
let valueWidth = 2;

function setValue(value: number | bigint): void {
  if (typeof value === "number") {
    valueHigh = Math.floor(value / TWO_TO_32);
    valueLow = value - valueHigh * TWO_TO_32;
  } else {
    valueHigh = Number(BigInt.asIntN(32, value >> 32n));
    valueLow = Number(BigInt.asUintN(32, value));
  }
  const n = valueLow | 0;
  if (valueHigh !== n >> 31) valueWidth = 8; // more than the sign lies in the upper half
  else valueWidth = n >= -0x8000 && n <= 0x7fff ? 2 : 4;
}

function loadMember(buf: Uint8Array, pos: number, width: number): void {
  if (width === 8) {
    valueHigh = readI32(buf, pos + 4);
    valueLow = readU32(buf, pos);
    return;
  }
  const n = width === 2 ? readI16(buf, pos) : readI32(buf, pos);
  valueHigh = n >> 31;
  valueLow = n >>> 0;
}

/** Negative, 0 or positive as the value is below, equal to or above the member at `pos`. */
function compareValue(buf: Uint8Array, pos: number, width: number): number {
  if (width === 8) {
    const high = valueHigh - readI32(buf, pos + 4);
    return high !== 0 ? high : valueLow - readU32(buf, pos);
  }
  return (valueLow | 0) - (width === 2 ? readI16(buf, pos) : readI32(buf, pos));
}

/**
 * The index of the value, which must not be wider than the members; when it is no member, the
 * complement (~) of the index where it belongs.
 */
function search(buf: Uint8Array, base: number): number {
  const width = buf[base];
  const data = base + HEADER_BYTES;
  let low = 0;
  let high = intsetCount(buf, base) - 1;
  // Sets are often filled in ascending order: look at the far end first.
  if (high >= 0 && compareValue(buf, data + high * width, width) > 0) return ~(high + 1);
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareValue(buf, data + middle * width, width);
    if (order === 0) return middle;
    if (order < 0) high = middle - 1;
    else low = middle + 1;
  }
  return ~low;
}

function writeMember(
  buf: Uint8Array,
  pos: number,
  width: number,
  high: number,
  low: number,
): void {
  buf[pos] = low;
  buf[pos + 1] = low >>> 8;
  if (width === 2) return;
  buf[pos + 2] = low >>> 16;
  buf[pos + 3] = low >>> 24;
  if (width === 8) writeU32(buf, pos + 4, high);
}

function readI16(buf: Uint8Array, pos: number): number {
  return ((buf[pos] | (buf[pos + 1] << 8)) << 16) >> 16;
}

function readI32(buf: Uint8Array, pos: number): number {
  return buf[pos] | (buf[pos + 1] << 8) | (buf[pos + 2] << 16) | (buf[pos + 3] << 24);
}

function readU32(buf: Uint8Array, pos: number): number {
  return readI32(buf, pos) >>> 0;
}

function writeU32(buf: Uint8Array, pos: number, n: number): void {
  buf[pos] = n;
  buf[pos + 1] = n >>> 8;
  buf[pos + 2] = n >>> 16;
  buf[pos + 3] = n >>> 24;
}
