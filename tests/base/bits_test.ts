/** Bits of long runs beside the plainest way to do the same. */

import { assertEquals } from "@std/assert";
import { combineBits, countBits, invertBits, skipBytes } from "../../src/base/bits.ts";
import { Random } from "../support/random.ts";

/** Bytes that begin anywhere within a word of the memory underneath. */
function randomBytes(random: Random, length: number): Uint8Array {
  const start = random.below(9);
  const bytes = new Uint8Array(start + length + 8).subarray(start, start + length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

function countPlainly(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let bit = 0; bit < 8; bit++) count += (byte >> bit) & 1;
  return count;
}

Deno.test("countBits counts every part of any run, wherever it begins", () => {
  const random = new Random(1);
  for (let round = 0; round < 500; round++) {
    const bytes = randomBytes(random, random.below(200));
    const offset = random.below(bytes.length + 1);
    const length = random.below(bytes.length - offset + 1);
    const expected = countPlainly(bytes.subarray(offset, offset + length));
    assertEquals(countBits(bytes, offset, length), expected);
  }
  assertEquals(countBits(new Uint8Array(100_003).fill(0xff), 0, 100_003), 800_024);
});

Deno.test("skipBytes stops at the first other byte, or at the end, in short runs and long ones", () => {
  const random = new Random(2);
  for (let round = 0; round < 2_000; round++) {
    const length = random.below(round % 4 < 2 ? 200 : 1_000);
    const byte = round % 2 === 0 ? 0 : 0xff;
    const bytes = randomBytes(random, length).fill(byte);
    const at = random.below(length + 1);
    const end = at + random.below(length - at + 1);
    const other = random.below(length + 1);
    if (other < length) bytes[other] = byte ^ (1 << random.below(8));
    const expected = other >= at && other < end ? other : end;
    assertEquals(skipBytes(bytes, at, end, byte), expected);
  }
});

Deno.test("combineBits and invertBits do each bit, and none beside them", () => {
  const random = new Random(3);
  const plain = {
    and: (a: number, b: number) => a & b,
    or: (a: number, b: number) => a | b,
    xor: (a: number, b: number) => a ^ b,
  };
  for (let round = 0; round < 600; round++) {
    const operation = (["and", "or", "xor"] as const)[round % 3];
    const target = randomBytes(random, random.below(100));
    const source = randomBytes(random, 200);
    const offset = random.below(100);
    const length = random.below(target.length + 1);
    const expected = [...target].map((byte, i) =>
      i < length ? plain[operation](byte, source[offset + i]) : byte
    );
    combineBits(operation, target, source, offset, length);
    assertEquals([...target], expected);
    invertBits(target);
    assertEquals([...target], expected.map((byte) => byte ^ 0xff));
  }
});

Deno.test("combineBits of nothing is nothing, wherever it is said to begin", () => {
  const target = Uint8Array.of(1, 2, 3, 4);
  combineBits("xor", target, new Uint8Array(4), 64, 0);
  assertEquals(target, Uint8Array.of(1, 2, 3, 4));
});

Deno.test("combineBits combines long runs that lie askew in memory", () => {
  const random = new Random(4);
  for (const offset of [0, 1, 2, 3]) {
    const target = new Uint8Array(40_003);
    const source = new Uint8Array(40_010);
    for (let i = 0; i < target.length; i++) target[i] = random.below(256);
    for (let i = 0; i < source.length; i++) source[i] = random.below(256);
    const expected = target.map((byte, i) => i < 40_000 ? byte ^ source[offset + i] : byte);
    combineBits("xor", target, source, offset, 40_000);
    assertEquals(target, expected);
  }
});

Deno.test("bits of a buffer that may be resized are those of any other", () => {
  const length = 40_007;
  const plain = Uint8Array.from({ length }, (_, i) => (i * i * 31) >> 3);
  const bytes = new Uint8Array(new ArrayBuffer(length, { maxByteLength: 2 * length }));
  bytes.set(plain);
  for (const [offset, count] of [[0, length], [3, 39_000], [16_384, 20_000], [5, 10], [7, 0]]) {
    assertEquals(countBits(bytes, offset, count), countBits(plain, offset, count));
    for (const operation of ["and", "or", "xor", "andnot"] as const) {
      const a = plain.slice().reverse();
      const b = a.slice();
      combineBits(operation, a, bytes, offset, count);
      combineBits(operation, b, plain, offset, count);
      assertEquals(a, b, operation);
    }
  }
  bytes.fill(0);
  assertEquals(skipBytes(bytes, 3, length, 0), length);
  bytes[39_000] = 1;
  assertEquals(skipBytes(bytes, 3, length, 0), 39_000);
  bytes[16_387] = 1;
  assertEquals(skipBytes(bytes, 3, length, 0), 16_387);
});
