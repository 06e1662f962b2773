/** Doubles as C's printf writes them, where Redis's formats go back to it. */

/**
 * "%.<precision>g": `precision` significant digits, without zeros at the end, with an exponent for
 * very small and large numbers.
 */
export function formatPrecise(n: number, precision: number): string {
  if (n !== n) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  const sign = n < 0 || Object.is(n, -0) ? "-" : "";
  if (n === 0) return sign + "0";
  const [mantissa, exponentText] = roundToEven(Math.abs(n), precision).split("e");
  const exponent = Number(exponentText);
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  if (exponent < -4 || exponent >= precision) {
    const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${power}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return sign + whole + (fraction === "" ? "" : "." + fraction);
}

/** `toExponential`, but what is just between two results goes to the even digit, as in C. */
function roundToEven(n: number, precision: number): string {
  const [mantissa, exponent] = n.toExponential(100).split("e");
  const tail = mantissa.slice(precision + 1);
  const isEven = Number(mantissa[precision]) % 2 === 0;
  return isEven && /^50*$/.test(tail)
    ? `${mantissa.slice(0, precision + 1)}e${exponent}`
    : n.toExponential(precision - 1);
}

/** "%.<digits>f": that many digits behind the point, however large the number is. */
export function formatFixed(n: number, digits: number): string {
  if (n !== n) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  // From here on a double is whole, and `toFixed` would turn to exponents.
  if (Math.abs(n) >= 1e21) return `${BigInt(n)}.${"0".repeat(digits)}`;
  return (Object.is(n, -0) ? "-" : "") + n.toFixed(digits);
}
