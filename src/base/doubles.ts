/**
 * Doubles as text, both ways, as Redis 7.2 writes and reads scores and float replies.
 */

/**
 * The shortest text that reads back as the same double: integers in full up to 64 bits, then digits
 * with an exponent where plain notation would grow long; "inf", "-inf", "nan".
 */
export function formatDouble(n: number): string {
  if (n !== n) return "nan";
  if (n === Infinity) return "inf";
  if (n === -Infinity) return "-inf";
  if (n === 0) return Object.is(n, -0) ? "-0" : "0";
  if (Number.isInteger(n)) {
    if (Math.abs(n) <= Number.MAX_SAFE_INTEGER) return String(n);
    if (Math.abs(n) < 2 ** 63) return BigInt(n).toString();
  }
  const [mantissa, exponentText] = Math.abs(n).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const sign = n < 0 ? "-" : "";
  const exponent = Number(exponentText);
  /** Power of ten of the last digit. */
  const last = exponent - (digits.length - 1);
  if (last >= 0 && exponent < digits.length + 7) return sign + digits + "0".repeat(last);
  if (last < 0 && (last > -7 || Math.abs(exponent) < 4)) {
    const whole = exponent + 1;
    if (whole <= 0) return `${sign}0.${"0".repeat(-whole)}${digits}`;
    return `${sign}${digits.slice(0, whole)}.${digits.slice(whole)}`;
  }
  const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const HEXADECIMAL = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/**
 * Reads the whole text as a double, as C's strtod does: decimal, hexadecimal, or "inf" and
 * "infinity" in any case and with a sign. NaN for everything else, also for "nan", which Redis
 * refuses.
 */
export function parseDouble(text: string): number {
  if (DECIMAL.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal !== null) {
    const [, sign, whole, fraction = "", power = "0"] = hexadecimal;
    if (whole + fraction === "") return NaN;
    const value = Number("0x" + whole + fraction) * 2 ** (Number(power) - 4 * fraction.length);
    return sign === "-" ? -value : value;
  }
  return NaN;
}
