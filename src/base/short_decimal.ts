/**
 * Decimal numbers of few digits, added as integers: what INCRBYFLOAT and HINCRBYFLOAT mostly meet. The sums have
 * the very texts that long_double.ts gives, at a fifth of its price; where they might not, `addShortDecimals` says so.
 */

import { writeInteger } from "./integers.ts";

/** So many digits fit a JavaScript number, whatever they are. */
const DIGITS_MAX = 15;
/** Bytes that a sum takes at most: a sign, a zero before the point, the point, a digit more than either number has. */
export const SHORT_DECIMAL_TEXT_MAX = DIGITS_MAX + 4;
const VALUE_MAX = 10 ** DIGITS_MAX;
const POWERS_OF_10 = Array.from({ length: DIGITS_MAX + 1 }, (_, n) => 10 ** n);
const POWERS_OF_5 = Array.from({ length: DIGITS_MAX + 1 }, (_, n) => 5 ** n);
/**
 * A sum with 17 decimals is written as the nearest one, so an error of less than half of the last of them is not seen:
 * that many times 2^-64.
 */
const UNSEEN_MAX = 92;
const MINUS = 0x2d, POINT = 0x2e, ZERO = 0x30;

/** A number `value / 10^decimals`. */
export class ShortDecimal {
  value = 0;
  decimals = 0;

  /** Takes the number that the bytes are the text of; false when it is none, or a long or unusual one. */
  read(bytes: Uint8Array, offset: number, length: number): boolean {
    const end = offset + length;
    const isNegative = length > 0 && bytes[offset] === MINUS;
    let pointAt = -1;
    let digits = 0;
    let value = 0;
    for (let at = isNegative ? offset + 1 : offset; at < end; at++) {
      const byte = bytes[at];
      if (byte === POINT && pointAt < 0) pointAt = at;
      else if (byte < ZERO || byte > ZERO + 9 || ++digits > DIGITS_MAX) return false;
      else value = value * 10 + byte - ZERO;
    }
    this.value = isNegative ? -value : value;
    this.decimals = pointAt < 0 ? 0 : end - 1 - pointAt;
    return digits > 0;
  }
}

/**
 * Writes the sum into `to`; returns the length of its text, or 0 when a sum of long doubles may have another one: they
 * are rounded to 64 bits, the numbers as they are read and then their sum.
 */
export function addShortDecimals(a: ShortDecimal, b: ShortDecimal, to: Uint8Array): number {
  const decimals = Math.max(a.decimals, b.decimals);
  const first = a.value * POWERS_OF_10[decimals - a.decimals];
  const second = b.value * POWERS_OF_10[decimals - b.decimals];
  if (Math.abs(first) > VALUE_MAX || Math.abs(second) > VALUE_MAX) return 0;
  const sum = first + second;
  const error = roundingError(first, decimals) + roundingError(second, decimals);
  if (error > 0 && error + errorOfInexact(sum, decimals) > UNSEEN_MAX) return 0;
  return write(sum, decimals, to);
}

/** By how many times 2^-64 rounding `value / 10^decimals` to 64 bits changes it at most. */
function roundingError(value: number, decimals: number): number {
  // Halves, quarters and so on are exact.
  return value % POWERS_OF_5[decimals] === 0 ? 0 : errorOfInexact(value, decimals);
}

/** Half a unit of the last of 64 bits: the highest power of two in the number. */
function errorOfInexact(value: number, decimals: number): number {
  const whole = Math.floor(Math.abs(value) / POWERS_OF_10[decimals]);
  return whole > UNSEEN_MAX ? Infinity : 1 << (31 - Math.clz32(whole | 1));
}

/** Without zeros at the end of the decimals. */
function write(value: number, decimals: number, to: Uint8Array): number {
  let rest = Math.abs(value);
  while (decimals > 0 && rest % 10 === 0) {
    rest /= 10;
    decimals--;
  }
  let at = 0;
  if (value < 0) to[at++] = MINUS;
  const whole = Math.floor(rest / POWERS_OF_10[decimals]);
  at += writeInteger(to, at, whole);
  if (decimals === 0) return at;
  to[at] = POINT;
  rest -= whole * POWERS_OF_10[decimals];
  const end = at + decimals + 1;
  for (let i = end - 1; i > at; i--) {
    const tenth = Math.floor(rest / 10);
    to[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}
