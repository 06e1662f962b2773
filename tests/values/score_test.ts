/** Scores as text: the short way through bytes must answer as the long one does. */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { formatDouble } from "../../src/base/doubles.ts";
import { parseScore, scoreToText, scoreToWideText, writeScore } from "../../src/values/score.ts";
import { Random } from "../support/random.ts";

function parse(text: string): number {
  const bytes = latin1(`9${text}9`); // neighbours must not be read
  return parseScore(bytes, 1, text.length);
}

Deno.test("parseScore reads decimals exactly as Number does", () => {
  const random = new Random(7);
  const digits = (n: number) => Array.from({ length: n }, () => random.below(10)).join("");
  for (let i = 0; i < 20_000; i++) {
    const whole = digits(random.below(12));
    const fraction = digits(random.below(12));
    if (whole + fraction === "") continue;
    const sign = ["", "-", "+"][random.below(3)];
    const point = fraction === "" && random.below(2) === 0 ? "" : ".";
    const text = sign + whole + point + fraction;
    assert(Object.is(parse(text), Number(text)), text);
  }
});

Deno.test("parseScore reads zeros with their sign, exponents, hexadecimals, infinities", () => {
  assert(Object.is(parse("-0"), -0));
  assert(Object.is(parse("-.0"), -0));
  assert(Object.is(parse("+0."), 0));
  assertEquals(parse("1e3"), 1000);
  assertEquals(parse("0e5"), 0);
  assertEquals(parse("-0x1p4"), -16);
  assertEquals(parse("Infinity"), Infinity);
  assertEquals(parse("-INF"), -Infinity);
  assertEquals(parse("inf"), Infinity);
  assertEquals(parse("+Inf"), Infinity);
  assertEquals(parse("inq"), NaN);
  assertEquals(parse("9007199254740993"), 9007199254740992);
  assertEquals(parse("5e-324"), 5e-324);
});

for (
  const text of [
    "",
    "-",
    ".",
    "+.",
    " 1",
    "1 ",
    "1,5",
    "--1",
    "1.2.3",
    "nan",
    "1e",
    "1e309",
    "-1e309",
    "1e-400",
    "a",
  ]
) {
  Deno.test(`parseScore refuses ${JSON.stringify(text)}`, () => assertEquals(parse(text), NaN));
}

Deno.test("scoreToText is formatDouble", () => {
  const scores = [
    0,
    -0,
    1,
    -1.5,
    0.1,
    1e-7,
    1.5e-7,
    0.000001,
    1 / 3,
    12345.678901234,
    1e21,
    1.25e22,
    Infinity,
  ];
  for (const score of scores) {
    assertEquals(scoreToText(score), formatDouble(score));
    const bytes = new Uint8Array(40);
    const length = writeScore(bytes, 3, score);
    assertEquals(new TextDecoder().decode(bytes.subarray(3, 3 + length)), formatDouble(score));
  }
});

Deno.test("scoreToWideText has 17 significant digits without zeros at the end", () => {
  const texts: [number, string][] = [
    [0.1, "0.10000000000000001"],
    [0.5, "0.5"],
    [-1.1, "-1.1000000000000001"],
    [100.25, "100.25"],
    [1e17, "1e+17"],
    [12345678901234567, "12345678901234568"],
    [2 ** 60, "1.152921504606847e+18"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [1e-100, "1e-100"],
    [-Infinity, "-inf"],
    [-0, "-0"],
  ];
  for (const [score, text] of texts) assertEquals(scoreToWideText(score), text);
});
