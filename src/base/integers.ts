/**
 * Decimal integers as bytes: reading and writing them without a string in between.
 *
 * Used by every layer that meets numbers in words, replies and encoded values. The accepted text is
 * exactly the canonical form, the one that formatting the number gives back: an optional minus,
 * then digits without a leading zero. No plus sign, no spaces, no "-0". Redis decides by the same
 * rule whether a string may be stored as an integer, which has to be lossless.
 *
 * Integers up to 2^53 - 1 are numbers; `bigint` (some 100 ns each) is only for what lies beyond.
 */

const MINUS = 0x2d;
const ZERO = 0x30;

/** The smallest signed 64-bit integer. */
export const INT64_MIN = -(2n ** 63n);
/** The largest signed 64-bit integer. */
export const INT64_MAX = 2n ** 63n - 1n;

/** The longest text of a signed 64-bit integer: "-9223372036854775808". */
export const INT64_TEXT_MAX = 20;

/**
 * Reads a canonical integer between -(2^53 - 1) and 2^53 - 1. Answers NaN for any other text, also
 * for integers outside that range: ask `parseInt64` where those matter.
 */
export function parseInteger(buf: Uint8Array, off: number, len: number): number {
  if (len === 0 || len > 17) return NaN;
  let pos = off;
  const end = off + len;
  let c = buf[pos];
  const negative = c === MINUS;
  if (negative) {
    if (len === 1) return NaN;
    c = buf[++pos];
  }
  if (c < 0x31 || c > 0x39) return c === ZERO && len === 1 ? 0 : NaN;

  // Up to nine digits fit 32-bit arithmetic, which is the common case and needs no doubles.
  let value = c - ZERO;
  pos++;
  const smallEnd = end - pos < 9 ? end : pos + 8;
  while (pos < smallEnd) {
    const digit = buf[pos++] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = (value * 10 + digit) | 0;
  }
  if (pos < end) return parseLongTail(buf, pos, end, value, negative);
  return negative ? -value : value;
}

function parseLongTail(
  buf: Uint8Array,
  pos: number,
  end: number,
  head: number,
  negative: boolean,
): number {
  let value = head;
  while (pos < end) {
    const digit = buf[pos++] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  // Sixteen digits may pass 2^53, but what rounds cannot come out below it.
  if (value > Number.MAX_SAFE_INTEGER) return NaN;
  return negative ? -value : value;
}

/** Reads a canonical signed 64-bit integer of the full range; null for any other text. */
export function parseInt64(buf: Uint8Array, off: number, len: number): bigint | null {
  const small = parseInteger(buf, off, len);
  if (small === small) return BigInt(small);
  if (!isWideInteger(buf, off, len)) return null;

  const negative = buf[off] === MINUS;
  const end = off + len;
  // 16 to 19 digits: two halves, each exact as a number.
  const split = end - 9;
  let high = 0;
  for (let pos = negative ? off + 1 : off; pos < split; pos++) high = high * 10 + buf[pos] - ZERO;
  let low = 0;
  for (let pos = split; pos < end; pos++) low = low * 10 + buf[pos] - ZERO;
  const magnitude = BigInt(high) * 1_000_000_000n + BigInt(low);
  return negative ? -magnitude : magnitude;
}

/** The digits of 2^63; the last one may be 8 only behind a minus. */
const TWO_TO_63 = [9, 2, 2, 3, 3, 7, 2, 0, 3, 6, 8, 5, 4, 7, 7, 5, 8, 0, 8];

/** Whether the text is a canonical integer of 16 to 19 digits within the signed 64-bit range. */
function isWideInteger(buf: Uint8Array, off: number, len: number): boolean {
  if (len < 16 || len > INT64_TEXT_MAX) return false;
  const negative = buf[off] === MINUS;
  const start = negative ? off + 1 : off;
  const digits = negative ? len - 1 : len;
  if (digits < 16 || digits > 19 || buf[start] === ZERO) return false;

  let order = 0; // how the digits so far compare with those of 2^63
  for (let i = 0; i < digits; i++) {
    const digit = buf[start + i] - ZERO;
    if (digit < 0 || digit > 9) return false;
    if (order === 0) order = digit - TWO_TO_63[i];
  }
  if (digits < 19) return true;
  return order < 0 || (order === 0 && negative);
}

/** Whether the text is a canonical signed 64-bit integer. Makes no `bigint`. */
export function isInt64Text(buf: Uint8Array, off: number, len: number): boolean {
  if (len === 0 || len > INT64_TEXT_MAX || buf[off] > 0x39) return false;
  const small = parseInteger(buf, off, len);
  return small === small || isWideInteger(buf, off, len);
}

/** How many bytes `writeInteger` writes for `n`. */
export function integerLength(n: number): number {
  if (n < 0) return 1 + integerLength(-n);
  if (n < 100000) {
    if (n < 100) return n < 10 ? 1 : 2;
    if (n < 1000) return 3;
    return n < 10000 ? 4 : 5;
  }
  let length = 6;
  for (let limit = 1e6; n >= limit; limit *= 10) length++;
  return length;
}

/**
 * Writes an integer of at most 2^53 in magnitude and returns how many bytes that took (at most 17).
 * The caller provides the room.
 */
export function writeInteger(buf: Uint8Array, off: number, n: number): number {
  if (n >= 0 && n < 10) {
    buf[off] = ZERO + n;
    return 1;
  }
  let start = off;
  if (n < 0) {
    buf[start++] = MINUS;
    n = -n;
  }
  const length = integerLength(n);
  let pos = start + length;
  // Doubles only while the rest does not fit 32-bit division, nine digits at a time.
  while (n > 0x7fffffff) {
    const rest = Math.floor(n / 1e9);
    pos = writeDigits(buf, pos, n - rest * 1e9, 9);
    n = rest;
  }
  writeDigits(buf, pos, n, pos - start);
  return start + length - off;
}

/** Writes exactly `count` digits of `n` (below 2^31) so that they end before `end`; returns where they begin. */
function writeDigits(buf: Uint8Array, end: number, n: number, count: number): number {
  let value = n | 0;
  let pos = end;
  for (let i = 0; i < count; i++) {
    const rest = (value / 10) | 0;
    buf[--pos] = ZERO + value - rest * 10;
    value = rest;
  }
  return pos;
}

/** Writes an integer between -2^63 and 2^64 - 1; returns how many bytes that took (at most 20). */
export function writeBigInt(buf: Uint8Array, off: number, n: bigint): number {
  if (n >= -9007199254740991n && n <= 9007199254740991n) return writeInteger(buf, off, Number(n));
  let pos = off;
  if (n < 0n) {
    buf[pos++] = MINUS;
    n = -n;
  }
  pos += writeInteger(buf, pos, Number(n / 1_000_000_000n));
  writeDigits(buf, pos + 9, Number(n % 1_000_000_000n), 9);
  return pos + 9 - off;
}
