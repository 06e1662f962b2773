/**
 * Scores of sorted sets as text, both ways.
 *
 * Between words or listpack entries and doubles. Most scores are short decimals: those are read from
 * their bytes, without a string. The accepted text is that of C's strtod over the whole word, less
 * what Redis refuses: NaN, an empty word, and numbers beyond the range of a double.
 */

import { toLatin1 } from "../base/bytes.ts";
import { formatDouble, parseDouble } from "../base/doubles.ts";

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;

/** Powers of ten that are exact as doubles and occur here. */
const POWERS_OF_TEN = new Float64Array(16);
for (let i = 0; i < 16; i++) POWERS_OF_TEN[i] = 10 ** i;

/** Most digits that are surely an exact integer. */
const EXACT_DIGITS = 15;
const SHORT_TEXT_MAX = EXACT_DIGITS + 2;

/** Room that the text of any score takes. */
export const SCORE_TEXT_MAX = 32;

/** Integers up to this magnitude are stored in listpacks as integers (half of the 64-bit range). */
const STORED_INTEGER_MAX = 2 ** 62;

const NONZERO_DECIMAL = /^[+-]?[0.]*[1-9]/;

/** Reads a score; NaN when the text is none. */
export function parseScore(buf: Uint8Array, off: number, len: number): number {
  if (len === 0 || len > SHORT_TEXT_MAX) return parseLongScore(buf, off, len);
  const end = off + len;
  let pos = off;
  const first = buf[pos];
  if (first === MINUS || first === PLUS) pos++;
  if (end - pos === 3 && isInf(buf, pos)) return first === MINUS ? -Infinity : Infinity;
  let value = 0;
  let digits = 0;
  let point = -1;
  for (; pos < end; pos++) {
    const c = buf[pos];
    const digit = c - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits++;
    } else if (c === POINT && point < 0) point = pos;
    else return parseLongScore(buf, off, len);
  }
  if (digits === 0 || digits > EXACT_DIGITS) return parseLongScore(buf, off, len);
  // Both are exact, so that the quotient is the double nearest to the text.
  if (point >= 0) value /= POWERS_OF_TEN[end - 1 - point];
  return first === MINUS ? -value : value;
}

/** Whether "inf" stands there, in any case: every other bound of a range is that, so that it needs no string. */
function isInf(buf: Uint8Array, at: number): boolean {
  return (buf[at] | 0x20) === 0x69 && (buf[at + 1] | 0x20) === 0x6e &&
    (buf[at + 2] | 0x20) === 0x66;
}

function parseLongScore(buf: Uint8Array, off: number, len: number): number {
  const text = toLatin1(buf, off, len);
  const value = parseDouble(text);
  const isTooLarge = Math.abs(value) === Infinity && !/i/i.test(text);
  const isTooSmall = value === 0 && NONZERO_DECIMAL.test(text);
  return isTooLarge || isTooSmall ? NaN : value;
}

/** Of a score in a listpack, Redis reads so many bytes. */
export const STORED_TEXT_MAX = 127;

/**
 * Reads a score from a listpack that somebody else has written, as Redis does: what is beyond the range
 * of a double is infinite, or 0. NaN when the text is no number.
 */
export function parseStoredScore(buf: Uint8Array, off: number, len: number): number {
  return parseDouble(toLatin1(buf, off, Math.min(len, STORED_TEXT_MAX)));
}

/** Whether a listpack keeps this score as an integer (-0 as 0, as Redis does). */
export function isStoredAsInteger(score: number): boolean {
  return Number.isInteger(score) && Math.abs(score) <= STORED_INTEGER_MAX;
}

/** The shortest text of a score, as `formatDouble` has it; cheaper where decimals are few. */
export function scoreToText(score: number): string {
  const text = String(score);
  const point = text.indexOf(".");
  // Up to six decimals without an exponent, both notations agree.
  return point > 0 && text.length - point <= 7 && !text.includes("e") ? text : formatDouble(score);
}

/** Writes the shortest text of a score, at most SCORE_TEXT_MAX bytes; returns how many. */
export function writeScore(buf: Uint8Array, off: number, score: number): number {
  const text = scoreToText(score);
  for (let i = 0; i < text.length; i++) buf[off + i] = text.charCodeAt(i);
  return text.length;
}

/**
 * A score with 17 significant digits, as C's "%.17g" writes it: what ZSCAN answers for large sets
 * ("0.10000000000000001").
 */
export function scoreToWideText(score: number): string {
  if (Number.isSafeInteger(score) || !Number.isFinite(score)) return formatDouble(score);
  const [mantissa, exponentText] = score.toExponential(16).split("e");
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 17) {
    return exponent === 16 ? score.toPrecision(17) : withoutZeros(score.toPrecision(17));
  }
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${withoutZeros(mantissa)}e${exponent < 0 ? "-" : "+"}${digits}`;
}

/** A decimal fraction without the zeros it ends with. */
function withoutZeros(text: string): string {
  return text.replace(/\.?0+$/, "");
}
