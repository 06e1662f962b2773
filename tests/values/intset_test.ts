import { assert, assertEquals } from "@std/assert";
import { toLatin1 } from "../../src/base/bytes.ts";
import {
  intsetBytes,
  intsetCopyText,
  intsetCount,
  intsetFind,
  intsetGet,
  intsetHas,
  intsetInsert,
  intsetNew,
  intsetRemove,
  intsetSeek,
  intsetValidate,
} from "../../src/values/intset.ts";
import { Random } from "../support/random.ts";

const BASE = 5;
const CAP = 100_000;

type Integer = number | bigint;

/** The integer as the module gives it: a number where that is safe. */
function normal(n: Integer): Integer {
  return Number.isSafeInteger(Number(n)) ? Number(n) : n;
}

function make(members: Integer[]): Uint8Array {
  const buf = new Uint8Array(BASE + CAP);
  intsetNew(buf, BASE);
  for (const member of members) intsetInsert(buf, BASE, CAP, member);
  return buf;
}

function members(buf: Uint8Array): Integer[] {
  const size = intsetBytes(buf, BASE);
  const count = intsetCount(buf, BASE);
  assert(count === 0 || intsetValidate(buf, BASE, size));
  const text = new Uint8Array(24);
  return Array.from({ length: count }, (_, i) => {
    const member = intsetGet(buf, BASE, i);
    const length = intsetCopyText(buf, BASE, i, text, 2);
    assertEquals(toLatin1(text, 2, length), String(member));
    return member;
  });
}

function bytes(buf: Uint8Array): number[] {
  return Array.from(buf.subarray(BASE, BASE + intsetBytes(buf, BASE)));
}

Deno.test("intset: members have the bytes that Redis gives them", () => {
  assertEquals(bytes(make([])), [2, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals(bytes(make([258, -1])), [2, 0, 0, 0, 2, 0, 0, 0, 255, 255, 2, 1]);
  assertEquals(
    bytes(make([1, -32769])),
    [4, 0, 0, 0, 2, 0, 0, 0, 255, 127, 255, 255, 1, 0, 0, 0],
  );
  assertEquals(
    bytes(make([-2, 2 ** 31])),
    // deno-fmt-ignore
    [8, 0, 0, 0, 2, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 128, 0, 0, 0, 0],
  );
});

for (
  const [value, width] of [
    [32767, 2],
    [-32768, 2],
    [32768, 4],
    [-32769, 4],
    [2147483647, 4],
    [-2147483648, 4],
    [2147483648, 8],
    [-2147483649, 8],
    [2 ** 53 - 1, 8],
    [-(2 ** 53) + 1, 8],
    [2n ** 53n, 8],
    [2n ** 53n + 1n, 8],
    [-(2n ** 53n), 8],
    [2n ** 63n - 1n, 8],
    [-(2n ** 63n), 8],
  ] as [Integer, number][]
) {
  Deno.test(`intset: ${value} needs ${width} bytes and widens the others`, () => {
    const others: Integer[] = [-300, -1, 0, 1, 300];
    const buf = make(others);
    assertEquals(intsetFind(buf, BASE, value), -1);
    assertEquals(intsetRemove(buf, BASE, value), 0);
    assertEquals(intsetInsert(buf, BASE, CAP, value), 8 + 6 * width);
    assertEquals(buf[BASE], width);
    assertEquals(members(buf), value < 0 ? [value, ...others] : [...others, value]);
    assertEquals(intsetInsert(buf, BASE, CAP, value), 0);
    assertEquals(intsetRemove(buf, BASE, value), 8 + 5 * width);
    assertEquals(members(buf), others);
    assertEquals(buf[BASE], width);
  });
}

Deno.test("intset: neighbours beyond 2^53 stay apart", () => {
  const all: bigint[] = [];
  for (
    const middle of [2n ** 53n, -(2n ** 53n), 2n ** 62n, -(2n ** 62n), 2n ** 32n, -(2n ** 32n)]
  ) {
    for (let d = -3n; d <= 3n; d++) all.push(middle + d);
  }
  const buf = make(all);
  assertEquals(members(buf), all.sort((a, b) => (a < b ? -1 : 1)).map(normal));
  for (const [i, value] of all.entries()) {
    assertEquals(intsetFind(buf, BASE, value), i);
    assertEquals(intsetHas(buf, BASE, normal(value)), true);
    assertEquals(intsetHas(buf, BASE, value + 100n), false);
  }
});

Deno.test("intset: an insertion that passes the capacity answers -1 and changes nothing", () => {
  const buf = make([1, 2, 3]);
  const before = buf.slice();
  assertEquals(intsetInsert(buf, BASE, 15, 4), -1);
  assertEquals(intsetInsert(buf, BASE, 23, 70_000), -1);
  assertEquals(intsetInsert(buf, BASE, 39, 2 ** 40), -1);
  assertEquals(buf, before);
  assertEquals(intsetInsert(buf, BASE, 14, 2), 0);
  assertEquals(intsetInsert(buf, BASE, 16, 4), 16);
  assertEquals(members(buf), [1, 2, 3, 4]);
});

Deno.test("intset: intsetValidate refuses wrong widths, sizes, orders and doubles", () => {
  const good = [4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
  const check = (at: number, to: number, size = good.length) => {
    const buf = Uint8Array.from(good);
    buf[at] = to;
    return intsetValidate(buf, 0, size);
  };
  assert(check(0, 4));
  for (const width of [0, 1, 2, 3, 5, 8]) assert(!check(0, width), `width ${width}`);
  assert(!check(1, 1));
  for (const count of [0, 1, 3]) assert(!check(4, count), `count ${count}`);
  assert(!check(7, 0x80));
  assert(!check(8, 2)); // equal
  assert(!check(8, 3)); // descending
  assert(!check(15, 0x80)); // the second is negative
  assert(check(11, 0x80)); // the first is negative
  for (let size = 0; size < 16; size++) assert(!check(0, 4, size), `size ${size}`);
  assert(!check(0, 4, 17));
  assert(!intsetValidate(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0), 0, 8));
});

for (const [seed, bits] of [[1, 16], [2, 32], [3, 64], [4, 17], [5, 33], [6, 55]]) {
  Deno.test(`intset: random changes agree with an array (seed ${seed}, ${bits} bits)`, () => {
    const random = new Random(seed);
    const buf = make([]);
    let model: bigint[] = [];
    for (let step = 0; step < 3000; step++) {
      const wide = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
      const fresh = BigInt.asIntN(2 + random.below(bits - 1), wide);
      const old = model.length > 0 && random.below(2) === 0;
      const value = old ? model[random.below(model.length)] : fresh;
      const given = random.below(2) === 0 ? value : normal(value);
      const at = model.indexOf(value);
      assertEquals(intsetFind(buf, BASE, given), at);
      if (random.below(3) > 0) {
        const size = intsetInsert(buf, BASE, CAP, given);
        assertEquals(size, at < 0 ? intsetBytes(buf, BASE) : 0);
        if (at < 0) model = [...model, value].sort((a, b) => (a < b ? -1 : 1));
      } else {
        const size = intsetRemove(buf, BASE, given);
        assertEquals(size, at < 0 ? 0 : intsetBytes(buf, BASE));
        if (at >= 0) model.splice(at, 1);
      }
      assertEquals(intsetCount(buf, BASE), model.length);
      if (step % 20 === 0) assertEquals(members(buf), model.map(normal));
    }
  });
}

Deno.test("intset: seek finds the first member from an index on that is not below a value", () => {
  const buf = new Uint8Array(4096);
  const wide = 2n ** 60n;
  for (const members of [[], [5], [-9, 0, 3, 4, 70000], [-(2 ** 40), 1, wide - 1n, wide]]) {
    intsetNew(buf, 0);
    for (const member of members) intsetInsert(buf, 0, buf.length, member);
    const values = [...members, -(2 ** 50), -10, 2, 4, 5, 6, 80000, wide + 1n];
    for (let from = 0; from <= members.length; from++) {
      for (const value of values) {
        let expected = from;
        while (expected < members.length && members[expected] < value) expected++;
        assertEquals(intsetSeek(buf, 0, from, value), expected, `${members} ${from} ${value}`);
      }
    }
  }
});

Deno.test("intset: seek finds every member of a large set, from wherever it starts before it", () => {
  const buf = new Uint8Array(16 * 1024);
  intsetNew(buf, 0);
  for (let i = 0; i < 1000; i++) intsetInsert(buf, 0, buf.length, i * 3);
  for (let from = 0; from < 1000; from += 37) {
    for (let i = from; i < 1000; i += 11) {
      assertEquals(intsetSeek(buf, 0, from, i * 3), i);
      assertEquals(intsetSeek(buf, 0, from, i * 3 + 1), i + 1);
    }
  }
});
