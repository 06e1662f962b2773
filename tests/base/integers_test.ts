import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import {
  INT64_MAX,
  INT64_MIN,
  integerLength,
  isInt64Text,
  parseInt64,
  parseInteger,
  writeBigInt,
  writeInteger,
} from "../../src/base/integers.ts";
import { Random } from "../support/random.ts";

/** Parses from the middle of a buffer whose neighbours are digits, so that reading past an end shows. */
function parse(text: string): [number, bigint | null, boolean] {
  const buf = latin1("7" + text + "7");
  return [
    parseInteger(buf, 1, text.length),
    parseInt64(buf, 1, text.length),
    isInt64Text(buf, 1, text.length),
  ];
}

function write(n: number | bigint): string {
  const buf = new Uint8Array(40).fill(0x78);
  const length = typeof n === "bigint" ? writeBigInt(buf, 3, n) : writeInteger(buf, 3, n);
  assertEquals(toLatin1(buf, 0, 3), "xxx");
  assertEquals(toLatin1(buf, 3 + length), "x".repeat(37 - length));
  return toLatin1(buf, 3, length);
}

const refused = [
  "",
  "-",
  "+",
  "+1",
  " 1",
  "1 ",
  "-0",
  "00",
  "01",
  "-01",
  "--1",
  "1-",
  "1.0",
  "1e3",
  "0x1",
  "a",
  "1a",
  "12345678a",
  "123456789a",
  "1234567890123a",
  "1234567890123456a",
  "/",
  ":",
  "1/",
  "1:",
  "123456789:",
  "9223372036854775808",
  "-9223372036854775809",
  "9999999999999999999",
  "-9999999999999999999",
  "10000000000000000000",
  "18446744073709551615",
  "-10000000000000000000",
  "0123456789012345678",
  "-0123456789012345678",
  "99999999999999999999999",
];
for (const text of refused) {
  Deno.test(`integers refuse "${text}"`, () => {
    assertEquals(parse(text), [NaN, null, false]);
  });
}

/** Powers of two and ten with their neighbours, both signs, within the signed 64-bit range. */
function boundaries(): bigint[] {
  const all = new Set<bigint>([0n]);
  for (let e = 0n; e <= 63n; e++) {
    for (const base of [2n ** e, 10n ** (e < 19n ? e : 18n)]) {
      for (const d of [-1n, 0n, 1n]) {
        for (const v of [base + d, -(base + d)]) {
          if (v >= INT64_MIN && v <= INT64_MAX) all.add(v);
        }
      }
    }
  }
  return [...all];
}

Deno.test("integers: every boundary of the 64-bit range parses and formats back", () => {
  for (const v of boundaries()) {
    const safe = Number.isSafeInteger(Number(v));
    assertEquals(parse(String(v)), [safe ? Number(v) : NaN, v, true], String(v));
    assertEquals(write(v), String(v));
    if (!safe) continue;
    assertEquals(write(Number(v)), String(v));
    assertEquals(integerLength(Number(v)), String(v).length);
  }
});

Deno.test("integers: seeded random values of every length round trip", () => {
  const random = new Random(12345);
  for (let i = 0; i < 20_000; i++) {
    const bits = random.below(53);
    const n = Math.trunc((random.draw() * 2 - 1) * 2 ** bits) + 0;
    const text = String(n);
    assertEquals(write(n), text);
    assertEquals(integerLength(n), text.length);
    assertEquals(parse(text), [n, BigInt(n), true]);
  }
});

Deno.test("writeInteger writes 2^53 and minus zero", () => {
  assertEquals(write(2 ** 53), "9007199254740992");
  assertEquals(write(-(2 ** 53)), "-9007199254740992");
  assertEquals(write(-0), "0");
});

Deno.test("writeBigInt writes unsigned 64-bit integers", () => {
  assertEquals(write(2n ** 64n - 1n), "18446744073709551615");
});
