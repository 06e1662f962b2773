import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "../../src/base/long_double.ts";
import {
  addShortDecimals,
  SHORT_DECIMAL_TEXT_MAX,
  ShortDecimal,
} from "../../src/base/short_decimal.ts";
import { Random } from "../support/random.ts";

const first = new ShortDecimal();
const second = new ShortDecimal();

function read(to: ShortDecimal, text: string): boolean {
  return to.read(latin1(`1${text}2`), 1, text.length);
}

/** The sum's text; null when it is left to long doubles. */
function shortSum(a: string, b: string): string | null {
  const to = new Uint8Array(SHORT_DECIMAL_TEXT_MAX);
  if (!read(first, a) || !read(second, b)) return null;
  const length = addShortDecimals(first, second, to);
  return length === 0 ? null : toLatin1(to, 0, length);
}

function longSum(a: string, b: string): string {
  return formatLongDouble(addLongDoubles(parseLongDouble(a)!, parseLongDouble(b)!)!);
}

Deno.test("short decimals are added as the numbers that they look like", () => {
  assertEquals(shortSum("0.1", "0.2"), "0.3");
  assertEquals(shortSum("10.50", "0.1"), "10.6");
  assertEquals(shortSum("1.", ".5"), "1.5");
  assertEquals(shortSum("-0.25", "0.25"), "0");
  assertEquals(shortSum("-0", "0"), "0");
  assertEquals(shortSum("45.95", "-46"), "-0.05");
  assertEquals(shortSum("999999999999999", "999999999999999"), "1999999999999998");
  assertEquals(shortSum("0.00000000000001", "-0.00000000000002"), "-0.00000000000001");
});

Deno.test("a sum whose long doubles are rounded visibly is no sum of short decimals", () => {
  assertEquals(longSum("1234.5", "0.1"), "1234.59999999999999998");
  assertEquals(shortSum("1234.5", "0.1"), null);
  assertEquals(shortSum("1234.5", "0.25"), "1234.75");
});

for (
  const text of ["", "-", ".", "-.", "+1", " 1", "1 ", "1e3", "0x1", "inf", "1.2.3", "1-"]
    .concat("1234567890123456", "0.0000000000000001", "1\0")
) {
  Deno.test(`${JSON.stringify(text)} is no short decimal`, () => {
    assertEquals(read(first, text), false);
  });
}

Deno.test("the sum of short decimals has the text of the sum of long doubles, or none", () => {
  const random = new Random(1);
  const number = () => {
    const text = String(random.below(10 ** random.below(8)));
    const decimals = random.below(8);
    const sign = random.chance(0.3) ? "-" : "";
    if (decimals === 0) return sign + text;
    const fraction = random.chance(0.2)
      ? String(2 ** 40 - 2 ** random.below(40)).slice(0, decimals)
      : String(random.below(10 ** decimals)).padStart(decimals, "0");
    return `${sign}${text}.${fraction}`;
  };
  let short = 0;
  for (let round = 0; round < 20_000; round++) {
    const [a, b] = [number(), number()];
    const sum = shortSum(a, b);
    if (sum === null) continue;
    short++;
    assertEquals(sum, longSum(a, b), `${a} + ${b}`);
  }
  assert(short > 2_000, `${short} were short`);
});

Deno.test("counting up in tenths and hundredths, all sums have the text of long doubles", () => {
  for (const step of ["0.1", "0.01", "-0.07", "0.3", "12.34"]) {
    let text = "0";
    for (let n = 0; n < 2_000; n++) {
      const expected = longSum(text, step);
      assertEquals(shortSum(text, step) ?? expected, expected, `${text} + ${step}`);
      text = expected;
    }
  }
});
