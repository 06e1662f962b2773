import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { type EntryCursor, ZiplistCursor, ZipmapCursor } from "../../src/rdb/legacy.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { Random } from "../support/random.ts";

function le(value: number | bigint, bytes: number): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (let i = 0; i < bytes; i++, rest >>= 8n) out.push(Number(rest & 255n));
  return out;
}

/** Builds a ziplist from what stands behind the previous size of each entry. */
function ziplist(entries: number[][], longPrevious = false, count = entries.length): Uint8Array {
  const body: number[] = [];
  let previous = 0;
  let tail = 10;
  for (const entry of entries) {
    tail = 10 + body.length;
    const link = previous < 254 && !longPrevious ? [previous] : [254, ...le(previous, 4)];
    body.push(...link, ...entry);
    previous = link.length + entry.length;
  }
  return Uint8Array.from([
    ...le(11 + body.length, 4),
    ...le(tail, 4),
    ...le(count, 2),
    ...body,
    255,
  ]);
}

function run(text: string): number[] {
  const bytes = [...latin1(text)];
  if (bytes.length < 64) return [bytes.length, ...bytes];
  if (bytes.length < 16384) return [0x40 | (bytes.length >> 8), bytes.length & 255, ...bytes];
  return [0x80, ...le(bytes.length, 4).reverse(), ...bytes];
}

function zipmap(pairs: [string, string, number][]): Uint8Array {
  const length = (n: number) => n < 254 ? [n] : [254, ...le(n, 4)];
  const out = [Math.min(pairs.length, 254)];
  for (const [field, value, unused] of pairs) {
    out.push(...length(field.length), ...latin1(field));
    out.push(...length(value.length), unused, ...latin1(value), ...new Array(unused).fill(7));
  }
  return Uint8Array.from([...out, 255]);
}

/** All entries as text, read from the middle of a larger buffer. */
function texts(cursor: EntryCursor, value: Uint8Array): string[] {
  const buf = new Uint8Array(value.length + 9).fill(0xee);
  buf.set(value, 5);
  cursor.open(buf, 5, value.length, 77);
  const out: string[] = [];
  while (cursor.next()) {
    if (cursor.isInt) {
      assertEquals(cursor.isWide, !Number.isSafeInteger(cursor.int));
      if (!cursor.isWide) assertEquals(BigInt(cursor.int), cursor.wideInt());
    }
    cursor.toText();
    out.push(toLatin1(cursor.buf, cursor.off, cursor.len));
  }
  assertEquals(cursor.index, out.length);
  return out;
}

function refusal(cursor: EntryCursor, value: Uint8Array): string {
  return (assertThrows(() => texts(cursor, value), RdbError) as RdbError).message;
}

const everyZiplistEntry: [number[], string][] = [
  [run(""), ""],
  [run("a"), "a"],
  [run("b".repeat(63)), "b".repeat(63)],
  [run("c".repeat(64)), "c".repeat(64)],
  [run("d".repeat(300)), "d".repeat(300)],
  [run("e".repeat(16384)), "e".repeat(16384)],
  [[0xf1], "0"],
  [[0xfd], "12"],
  [[0xfe, 0x80], "-128"],
  [[0xfe, 13], "13"],
  [[0xc0, ...le(-32768, 2)], "-32768"],
  [[0xc0, ...le(32767, 2)], "32767"],
  [[0xf0, ...le(-(2 ** 23), 3)], "-8388608"],
  [[0xf0, ...le(2 ** 23 - 1, 3)], "8388607"],
  [[0xd0, ...le(-(2 ** 31), 4)], "-2147483648"],
  [[0xd0, ...le(2 ** 31 - 1, 4)], "2147483647"],
  [[0xe0, ...le(2 ** 53 - 1, 8)], "9007199254740991"],
  [[0xe0, ...le(2n ** 53n + 1n, 8)], "9007199254740993"],
  [[0xe0, ...le(2n ** 63n - 1n, 8)], "9223372036854775807"],
  [[0xe0, ...le(-(2n ** 63n), 8)], "-9223372036854775808"],
  [[0xe0, ...le(-5, 8)], "-5"],
];

Deno.test("ZiplistCursor gives every form of entry, with both sizes of back link", () => {
  const expected = everyZiplistEntry.map(([, text]) => text);
  const entries = everyZiplistEntry.map(([entry]) => entry);
  assertEquals(texts(new ZiplistCursor(), ziplist(entries)), expected);
  assertEquals(texts(new ZiplistCursor(), ziplist(entries, true)), expected);
  assertEquals(texts(new ZiplistCursor(), ziplist([])), []);
});

Deno.test("ZiplistCursor takes a count of 65535 as not known", () => {
  assertEquals(texts(new ZiplistCursor(), ziplist([run("a")], false, 65535)), ["a"]);
  const many = Array.from({ length: 65540 }, () => [0xf1]);
  assertEquals(texts(new ZiplistCursor(), ziplist(many, false, 65535)).length, 65540);
});

Deno.test("ZiplistCursor says what is wrong with a damaged value, and where it is", () => {
  const good = ziplist([run("abc"), [0xf1], run("d".repeat(70))]);
  const change = (at: number, byte: number) => good.with(at, byte);
  const cases: [Uint8Array, RegExp][] = [
    [good.slice(0, 10), /too short, value at byte 77$/],
    [change(0, 1), /wrong total size/],
    [change(good.length - 1, 0), /no end mark/],
    [change(4, 0), /wrong offset of the last entry/],
    [change(8, 2), /wrong number of entries/],
    [change(10, 1), /wrong size before entry 0/],
    [change(15, 4), /wrong size before entry 1/],
    [change(11, 0x3f), /wrong size before entry 1/],
    [change(11, 0x7f), /entry 0 runs past the end/],
    [change(11, 0x80), /entry 0 runs past the end/],
    [change(11, 0xc1), /unknown encoding 0xc1 of entry 0/],
    [change(16, 0xff), /unknown encoding 0xff of entry 1/],
    [change(17, 0xff), /end mark inside/],
    [change(17, 0xfe), /wrong size before entry 2/],
  ];
  for (const [value, message] of cases) {
    const text = refusal(new ZiplistCursor(), value);
    assert(message.test(text), text);
  }
});

Deno.test("ZipmapCursor gives fields and values, short and long, with unused bytes between", () => {
  const pairs: [string, string, number][] = [
    ["f", "v", 0],
    ["", "", 3],
    ["g".repeat(253), "w".repeat(254), 2],
    ["h".repeat(1000), "x", 255],
  ];
  assertEquals(texts(new ZipmapCursor(), zipmap(pairs)), pairs.flatMap(([f, v]) => [f, v]));
  const many = Array.from({ length: 300 }, (_, i): [string, string, number] => [`f${i}`, "", 0]);
  assertEquals(texts(new ZipmapCursor(), zipmap(many)).length, 600);
});

Deno.test("ZipmapCursor says what is wrong with a damaged value", () => {
  const good = zipmap([["abc", "de", 1]]);
  const change = (at: number, byte: number) => good.with(at, byte);
  const cases: [Uint8Array, RegExp][] = [
    [good.slice(0, 1), /Zipmap integrity check failed: too short, value at byte 77$/],
    [change(good.length - 1, 0), /no end mark/],
    [zipmap([]), /no fields/],
    [change(0, 2), /wrong number of fields/],
    [change(1, 10), /entry 0 runs past the end/],
    [change(1, 8), /a field without a value/],
    [change(1, 254), /entry 0 runs past the end/],
    [change(1, 255), /end mark inside/],
    [change(6, 2), /entry 1 runs past the end/],
  ];
  for (const [value, message] of cases) {
    const text = refusal(new ZipmapCursor(), value);
    assert(message.test(text), text);
  }
});

/** Goes through a damaged value; every run it gives must lie inside. Whether it was refused. */
function survives(cursor: EntryCursor, value: Uint8Array): boolean {
  try {
    cursor.open(value, 0, value.length, 0);
    while (cursor.next()) {
      if (cursor.isInt) continue;
      assert(cursor.off >= 0 && cursor.off + cursor.len <= value.length, "run outside the value");
      assert(cursor.index <= value.length, "more entries than bytes");
    }
    return false;
  } catch (error) {
    if (error instanceof RdbError) return true;
    throw error;
  }
}

Deno.test("every value of every byte of a packed value is refused or stays inside", () => {
  const values: [EntryCursor, Uint8Array][] = [
    [
      new ZiplistCursor(),
      ziplist([run("abc"), [0xf1], run("d".repeat(70)), [0xe0, ...le(2n ** 60n, 8)], [0xfe, 1]]),
    ],
    [new ZiplistCursor(), ziplist([run("abc"), [0xc0, 1, 2], run("z")], true)],
    [new ZipmapCursor(), zipmap([["abc", "de", 1], ["f".repeat(256), "", 0]])],
  ];
  for (const [cursor, value] of values) {
    assert(!survives(cursor, value));
    for (let at = 0; at < value.length; at++) {
      assert(survives(cursor, value.subarray(0, at)), `cut at ${at}`);
      for (let byte = 0; byte < 256; byte++) survives(cursor, value.with(at, byte));
    }
  }
});

Deno.test("packed values with several bytes altered are refused or stay inside", () => {
  const value = ziplist(everyZiplistEntry.filter(([e]) => e.length < 100).map(([e]) => e));
  const cursor = new ZiplistCursor();
  let refused = 0;
  for (let seed = 0; seed < 3000; seed++) {
    const random = new Random(seed);
    const altered = value.slice();
    for (let n = 1 + random.below(4); n > 0; n--) {
      // Bytes that mean something more often than not.
      const byte = [0, 1, 253, 254, 255, random.below(256)][random.below(6)];
      altered[random.below(altered.length)] = byte;
    }
    if (survives(cursor, altered)) refused++;
  }
  assert(refused > 1000, `${refused} refused`);
});
