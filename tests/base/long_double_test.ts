import { assert, assertEquals } from "@std/assert";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "../../src/base/long_double.ts";
import { Random } from "../support/random.ts";

function sum(a: string, b: string): string | null {
  const result = addLongDoubles(parseLongDouble(a)!, parseLongDouble(b)!);
  return result === null ? null : formatLongDouble(result);
}

// Answers of a real server to SET k a, INCRBYFLOAT k b.
const SUMS: [string, string, string][] = [
  ["0.1", "0.2", "0.3"],
  ["3.0e3", "200", "3200"],
  ["10.50", "0.1", "10.6"],
  ["5.0e3", "2.0e2", "5200"],
  ["1.", "+.5", "1.5"],
  ["0x1.8p3", "0x.8", "12.5"],
  ["0", "-0", "0"],
  ["0", "-1e-18", "0"],
  ["0", "4e-18", "0"],
  ["0", "5.1e-18", "0.00000000000000001"],
  ["0", "1e-4950", "0"],
  ["-1.5", "-2.25", "-3.75"],
  ["18446744073709551615", "1", "18446744073709551616"],
  ["18446744073709551616", "1", "18446744073709551616"],
  ["18446744073709551616", "3", "18446744073709551620"],
  ["0", "3.814697265625e-06", "0.00000381469726562"], // a tie: to the even digit
  [
    "0",
    "1e100",
    "9999999999999999999669353532207342619498699019828496079271391541" +
    "752018669482644324418977840117055488",
  ],
];
for (const [a, b, expected] of SUMS) {
  Deno.test(`the sum of ${a} and ${b} is written as ${expected.slice(0, 30)}`, () => {
    assertEquals(sum(a, b), expected);
    assertEquals(sum(b, a), expected);
  });
}

Deno.test("a long double reads numbers of the whole range and nothing beyond it", () => {
  for (
    const text of ["1.189e4932", "-1.189e4932", "1e-4950", "0x1p16383", "0x1p-16445", "0e99999"]
  ) {
    assert(parseLongDouble(text) !== null, text);
  }
  for (const text of ["1.2e4932", "1e5000", "1e-4966", "1e-99999", "0x1p16384", "0x1p-16446"]) {
    assertEquals(parseLongDouble(text), null, text);
  }
});

for (
  const text of ["", " 1", "1 ", "1\0", "abc", "nan", "e1", ".", "1e", "1e+", "0x", "0x1p", "1_0"]
    .concat("--1", "0".repeat(5120), "infinite", "1,5")
) {
  Deno.test(`${JSON.stringify(text.slice(0, 10))} is no long double`, () => {
    assertEquals(parseLongDouble(text), null);
  });
}

Deno.test("an infinity is a number, but no sum has one, nor has one too large", () => {
  for (const text of ["inf", "-INF", "+Infinity"]) {
    assertEquals(parseLongDouble(text)!.isInfinite, true);
    assertEquals(sum("1", text), null);
  }
  assertEquals(sum("inf", "-inf"), null);
  assertEquals(sum("1e4932", "1e4932"), null);
  assertEquals(sum("1e4932", "-1e4932"), "0");
});

Deno.test("the sum of small amounts has as few decimals as they have", () => {
  const random = new Random(12345);
  for (let i = 0; i < 500; i++) {
    const cents = random.below(1_600) - 800;
    const more = random.below(1_600) - 800;
    const text = (n: number) => {
      const digits = String(Math.abs(n)).padStart(3, "0");
      return `${n < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
    };
    const expected = text(cents + more).replace(/\.?0+$/, "");
    assertEquals(sum(text(cents), text(more)), expected === "" ? "0" : expected);
  }
});

Deno.test("a plain number is read and written as when it is written in an unusual way", () => {
  const random = new Random(5);
  for (let i = 0; i < 20_000; i++) {
    const digits = 1 + random.below(40);
    let text = "";
    for (let n = 0; n < digits; n++) text += random.below(10);
    const point = random.below(digits + 1);
    if (random.below(4) > 0) text = `${text.slice(0, point)}.${text.slice(point)}`;
    const sign = random.below(2) === 0 ? "" : "-";
    const plain = parseLongDouble(sign + text)!;
    const unusual = parseLongDouble(sign + "0".repeat(41) + text)!;
    const exponent = Math.min(plain.exponent, unusual.exponent);
    const scaled = [plain, unusual].map((n) => n.mantissa << BigInt(n.exponent - exponent));
    assertEquals(scaled[0], scaled[1], sign + text);
    assertEquals(formatLongDouble(plain), formatLongDouble(unusual), sign + text);
  }
});
