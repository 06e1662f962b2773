/**
 * Arithmetic in extended floating point: 64 bits of mantissa, 15 of exponent, the "long double" of
 * x86. Redis adds in it for INCRBYFLOAT and HINCRBYFLOAT and stores the sum with 17 decimals. These
 * functions give the same texts, digit by digit: 0.1 + 0.2 is "0.3" here. They work on `bigint`
 * where they must and take about a microsecond for each number, so nothing else uses them.
 */

/** A number: `mantissa * 2^exponent`, with |mantissa| < 2^64; or an infinity of the mantissa's sign. */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly isInfinite: boolean;
}

const MANTISSA_BITS = 64;
/** The lowest exponent: 2^-16445 is the smallest number above zero. */
const EXPONENT_MIN = -16445;
/** Numbers are below 2^16384. */
const BITS_MAX = 16384;
/** Decimal exponents beyond these overflow, or come to nothing, whatever the digits are. */
const DECIMAL_EXPONENT_MAX = 4940;
const DECIMAL_EXPONENT_MIN = -4970;
/** Longer texts are refused unread, as Redis does. */
const TEXT_MAX = 5 * 1024 - 1;

const ZERO: LongDouble = { mantissa: 0n, exponent: 0, isInfinite: false };

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

const DECIMAL = /^([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?:([0-9a-f]+)\.?([0-9a-f]*)|\.([0-9a-f]+))(?:p([+-]?\d+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/**
 * Reads the whole text as a number, as C's strtold does: decimal, hexadecimal, or "inf" and
 * "infinity" with a sign. Null for all other texts, for "nan", and for what is too large or too
 * close to zero.
 */
export function parseLongDouble(text: string): LongDouble | null {
  if (text === latestText) return latest;
  const plain = parsePlain(text);
  if (plain === null) return parseAny(text);
  latestText = text;
  return latest = plain;
}

/** What was read last, if it was plain: one increment mostly comes again and again. */
let latestText = "0";
let latest = ZERO;

const CODE_MINUS = 0x2d, CODE_POINT = 0x2e, CODE_0 = 0x30;
/** So many digits fit a JavaScript number, whatever they are. */
const PLAIN_DIGITS_MAX = 15;
const POWERS_OF_5 = Array.from({ length: PLAIN_DIGITS_MAX + 1 }, (_, n) => 5 ** n);
/** More digits than any sum has that is written here, as long as it is below 10^20. */
const DIGITS_MAX = 40;
const POWERS_OF_10 = Array.from({ length: DIGITS_MAX + 1 }, (_, n) => 10n ** BigInt(n));
const BITS_OF_POWERS_OF_10 = POWERS_OF_10.map(bitLength);

/** Reads what nearly all texts are: few digits, maybe a point and a minus. Null for all others. */
function parsePlain(text: string): LongDouble | null {
  const isNegative = text.charCodeAt(0) === CODE_MINUS;
  let digits = 0;
  let value = 0;
  let pointAt = -1;
  for (let i = isNegative ? 1 : 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === CODE_POINT && pointAt < 0) pointAt = i;
    else if (code < CODE_0 || code > CODE_0 + 9 || ++digits > DIGITS_MAX) return null;
    else value = value * 10 + code - CODE_0;
  }
  if (digits === 0) return null;
  if (value === 0) return ZERO;
  const decimals = pointAt < 0 ? 0 : text.length - 1 - pointAt;
  const isLong = digits > PLAIN_DIGITS_MAX;
  // Halves, quarters and so on are exact.
  if (!isLong && value % POWERS_OF_5[decimals] === 0) {
    const quotient = value / POWERS_OF_5[decimals];
    const mantissa = BigInt(isNegative ? -quotient : quotient);
    return { mantissa, exponent: -decimals, isInfinite: false };
  }
  const numerator = isLong ? digitsOf(text, isNegative ? 1 : 0, pointAt) : BigInt(value);
  const bits = isLong ? bitLength(numerator) : bitsOf(value);
  const divisor = POWERS_OF_10[decimals];
  let shift = MANTISSA_BITS + BITS_OF_POWERS_OF_10[decimals] - bits;
  const isWide = shift >= MANTISSA_BITS
    ? numerator << BigInt(shift - MANTISSA_BITS) >= divisor
    : numerator >= divisor << BigInt(MANTISSA_BITS - shift);
  if (isWide) shift--;
  const mantissa = shift >= 0
    ? divideToNearest(numerator << BigInt(shift), divisor)
    : divideToNearest(numerator, divisor << BigInt(-shift));
  return { mantissa: isNegative ? -mantissa : mantissa, exponent: -shift, isInfinite: false };
}

/** All digits of a text as one number; `pointAt` is negative without a point. */
function digitsOf(text: string, from: number, pointAt: number): bigint {
  if (pointAt < 0) return BigInt(text.slice(from));
  return BigInt(text.slice(from, pointAt) + text.slice(pointAt + 1));
}

function parseAny(text: string): LongDouble | null {
  if (text.length > TEXT_MAX) return null;
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) return fromDecimal(decimal);
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal !== null) return fromHexadecimal(hexadecimal);
  const infinite = INFINITE.exec(text);
  if (infinite === null) return null;
  return { mantissa: infinite[1] === "-" ? -1n : 1n, exponent: 0, isInfinite: true };
}

function fromDecimal(
  [, sign, whole = "", fraction = "", bare = "", power = "0"]: string[],
): LongDouble | null {
  const digits = (whole + fraction + bare).replace(/^0+/, "");
  if (digits === "") return ZERO;
  const exponent = Number(power) - fraction.length - bare.length;
  const magnitude = digits.length + exponent;
  if (magnitude > DECIMAL_EXPONENT_MAX || magnitude < DECIMAL_EXPONENT_MIN) return null;
  const numerator = BigInt(digits);
  return exponent >= 0
    ? rounded(sign, numerator * 10n ** BigInt(exponent), 1n)
    : rounded(sign, numerator, 10n ** BigInt(-exponent));
}

function fromHexadecimal(
  [, sign, whole = "", fraction = "", bare = "", power = "0"]: string[],
): LongDouble | null {
  const digits = (whole + fraction + bare).replace(/^0+/, "");
  if (digits === "") return ZERO;
  const exponent = Number(power) - 4 * (fraction.length + bare.length);
  const magnitude = 4 * digits.length + exponent;
  if (magnitude > BITS_MAX + 4 || magnitude < EXPONENT_MIN - 4) return null;
  const numerator = BigInt("0x" + digits);
  return exponent >= 0
    ? rounded(sign, numerator << BigInt(exponent), 1n)
    : rounded(sign, numerator, 1n << BigInt(-exponent));
}

/** The nearest number to a fraction above zero; null if that is infinite or zero. */
function rounded(sign: string, numerator: bigint, denominator: bigint): LongDouble | null {
  let exponent = bitLength(numerator) - bitLength(denominator) - MANTISSA_BITS;
  // The quotient has 64 or 65 bits; with 65 the last one is too many.
  if (exponent > EXPONENT_MIN) {
    const high = exponent >= 0 ? denominator << BigInt(exponent) : denominator;
    const low = exponent >= 0 ? numerator : numerator << BigInt(-exponent);
    if (low >> BigInt(MANTISSA_BITS) >= high) exponent++;
  }
  exponent = Math.max(exponent, EXPONENT_MIN);
  const mantissa = exponent >= 0
    ? divideToNearest(numerator, denominator << BigInt(exponent))
    : divideToNearest(numerator << BigInt(-exponent), denominator);
  if (mantissa === 0n) return null;
  const result = withinRange(sign === "-" ? -mantissa : mantissa, exponent);
  return result.isInfinite ? null : result;
}

/** A quotient of two numbers that are not negative; halves go to the even neighbour. */
function divideToNearest(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** `divideToNearest` by a power of two, with an exponent above zero. */
function shiftToNearest(numerator: bigint, power: number): bigint {
  const withHalf = numerator >> BigInt(power - 1);
  const quotient = withHalf >> 1n;
  if ((withHalf & 1n) === 0n) return quotient;
  const isTie = withHalf << BigInt(power - 1) === numerator;
  return isTie && (quotient & 1n) === 0n ? quotient : quotient + 1n;
}

/** A mantissa of 64 bits, or of 2^64 after rounding up, with its exponent; infinite if too large. */
function withinRange(mantissa: bigint, exponent: number): LongDouble {
  const isInfinite = bitLength(magnitudeOf(mantissa)) + exponent > BITS_MAX;
  return { mantissa, exponent, isInfinite };
}

/** The rounded sum; null when it is no finite number (Redis then speaks of "NaN or Infinity"). */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | null {
  if (a.isInfinite || b.isInfinite) return null;
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  let exponent = Math.min(a.exponent, b.exponent);
  let sum = (a.mantissa << BigInt(a.exponent - exponent)) +
    (b.mantissa << BigInt(b.exponent - exponent));
  const excess = bitLength(magnitudeOf(sum)) - MANTISSA_BITS;
  if (excess > 0) {
    const magnitude = shiftToNearest(magnitudeOf(sum), excess);
    sum = sum < 0n ? -magnitude : magnitude;
    exponent += excess;
  }
  const result = withinRange(sum, exponent);
  return result.isInfinite ? null : result;
}

const DECIMALS = 17;
const DECIMAL_SCALE = 10n ** BigInt(DECIMALS);

/** A finite number in plain notation, rounded to 17 decimals, without zeros at their end. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const sign = mantissa < 0n ? "-" : "";
  const magnitude = magnitudeOf(mantissa);
  if (exponent >= 0) return sign + (magnitude << BigInt(exponent));
  if (exponent >= -PLAIN_DIGITS_MAX && magnitude <= MAX_SAFE) {
    const digits = Number(magnitude) * POWERS_OF_5[-exponent];
    if (digits <= Number.MAX_SAFE_INTEGER) return sign + withPoint(String(digits), -exponent);
  }
  const scaled = shiftToNearest(magnitude * DECIMAL_SCALE, -exponent);
  if (scaled === 0n) return "0";
  return sign + withPoint(scaled.toString(), DECIMALS);
}

/** Digits of which the last `decimals` come after the point, without zeros at their end. */
function withPoint(digits: string, decimals: number): string {
  const padded = digits.padStart(decimals + 1, "0");
  const point = padded.length - decimals;
  let end = padded.length;
  while (end > point && padded.charCodeAt(end - 1) === CODE_0) end--;
  const whole = padded.slice(0, point);
  return end === point ? whole : `${whole}.${padded.slice(point, end)}`;
}

function magnitudeOf(n: bigint): bigint {
  return n < 0n ? -n : n;
}

/** Bits of a number that is not negative, without leading zeros. */
function bitLength(n: bigint): number {
  if (n === 0n) return 0;
  const rounded = Number(n);
  if (rounded === Infinity) {
    const text = n.toString(16);
    return text.length * 4 - Math.clz32(parseInt(text[0], 16)) + 28;
  }
  const bits = bitsOf(rounded);
  // It may have been rounded up to a power of two, of one bit more.
  const isPower = halves[0] === 0 && (halves[1] & 0xfffff) === 0;
  return isPower && n > MAX_SAFE && n >> BigInt(bits - 1) === 0n ? bits - 1 : bits;
}

/** The same of a whole number above zero: the exponent of a double is in its upper bits. */
function bitsOf(n: number): number {
  double[0] = n;
  return (halves[1] >>> 20) - 1022;
}
