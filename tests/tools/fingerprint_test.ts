/** Hashes and the table of fingerprints that `tsredis diff` compares by. */

import { assert, assertEquals } from "@std/assert";
import { FingerprintTable } from "../../src/tools/diff/fingerprint_table.ts";
import { Hash128 } from "../../src/tools/diff/hash128.ts";
import { Random } from "../support/random.ts";

function textHash(kind: number, ...bytes: number[]): string {
  const { a, b, c, d } = new Hash128().ofBytes(kind, Uint8Array.from(bytes), 0, bytes.length);
  return [a, b, c, d].join();
}

Deno.test("Hash128 tells bytes apart by each bit, their length and what they are for", () => {
  const random = new Random(1);
  const seen = new Set<string>();
  let count = 0;
  for (const length of [0, 1, 2, 15, 16, 17, 31, 32, 33, 100]) {
    const bytes = Array.from({ length }, () => random.below(256));
    seen.add(textHash(1, ...bytes));
    seen.add(textHash(2, ...bytes));
    seen.add(textHash(1, ...bytes, 0));
    count += 3;
    for (let bit = 0; bit < length * 8; bit++) {
      const other = [...bytes];
      other[bit >> 3] ^= 1 << (bit & 7);
      seen.add(textHash(1, ...other));
      count++;
    }
  }
  assertEquals(seen.size, count);
});

Deno.test("Hash128 of bytes is the same wherever they lie", () => {
  const random = new Random(2);
  for (let length = 0; length < 70; length++) {
    const bytes = Array.from({ length }, () => random.below(256));
    const hash = new Hash128().ofBytes(7, Uint8Array.from([9, 9, 9, ...bytes, 8]), 3, length);
    assertEquals([hash.a, hash.b, hash.c, hash.d].join(), textHash(7, ...bytes));
  }
});

Deno.test("Hash128 spreads each of its words", () => {
  const ones = new Array(128).fill(0);
  const rounds = 4_000;
  for (let i = 0; i < rounds; i++) {
    const { a, b, c, d } = new Hash128().ofBytes(0, Uint8Array.of(i & 255, i >> 8), 0, 2);
    [a, b, c, d].forEach((word, at) => {
      for (let bit = 0; bit < 32; bit++) ones[at * 32 + bit] += (word >>> bit) & 1;
    });
  }
  // Six standard deviations.
  for (const count of ones) assert(Math.abs(count - rounds / 2) < 6 * Math.sqrt(rounds) / 2);
});

Deno.test("FingerprintTable keeps values, types, marks and expiries of many keys", () => {
  const table = new FingerprintTable();
  const key = new Hash128();
  const value = new Hash128();
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  const keyOf = (i: number) => {
    view.setInt32(0, i);
    value.ofBytes(2, bytes, 0, 4);
    return key.ofBytes(1, bytes, 0, 4);
  };
  const count = 70_000; // more than one piece
  for (let i = 0; i < count; i++) {
    assert(table.find(keyOf(i)) === -1);
    table.add(key, value, i % 6, i % 3 === 0 ? NaN : i);
  }
  assertEquals(table.count, count);
  for (let i = 0; i < count; i++) {
    const at = table.find(keyOf(i));
    assert(at === i && table.hasValue(at, value));
    assert(table.typeOf(at) === i % 6 && table.marksOf(at) === 0);
    assert(Object.is(table.expiryOf(at), i % 3 === 0 ? NaN : i));
    table.setType(at, 5 - (i % 6));
    table.setExpiry(at, -i);
    table.mark(at, 16);
    table.mark(at, 128);
  }
  for (let i = 0; i < count; i++) {
    const at = table.find(keyOf(i));
    assert(table.typeOf(at) === 5 - (i % 6) && table.marksOf(at) === 144);
    assert(table.expiryOf(at) === -i && table.hasValue(at, value));
  }
  assertEquals(table.find(keyOf(count)), -1);
});
