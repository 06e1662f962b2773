/** Dict against a Map, from seeds: adds, removals, resizes, expiries, scans, draws, compaction. */

import { assert, assertEquals } from "@std/assert";
import { Dict } from "../../src/arena/dict.ts";
import { latin1 } from "../../src/base/bytes.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { Random } from "../support/random.ts";

const encoder = new TextEncoder();

function put(dict: Dict, key: Uint8Array, value: Uint8Array, expiry: number): void {
  const hash = hashBytes(key, 0, key.length);
  let ref = dict.find(key, 0, key.length, hash);
  if (ref === 0) ref = dict.add(key, 0, key.length, hash, value.length, 0, expiry);
  else ref = dict.resizeValue(dict.setExpiry(ref, expiry), value.length, 8);
  dict.bytesOf(ref).set(value, dict.valueOffset(ref));
}

function check(dict: Dict, model: Map<string, [Uint8Array, number]>): void {
  assertEquals(dict.count, model.size);
  for (const [key, [value, expiry]] of model) {
    const bytes = encoder.encode(key);
    const ref = dict.get(bytes, 0, bytes.length);
    assert(ref !== 0, `lost ${key}`);
    assertEquals(dict.expiryOf(ref), expiry);
    const at = dict.valueOffset(ref);
    assertEquals(dict.bytesOf(ref).slice(at, at + dict.valueLength(ref)), value);
  }
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`Dict agrees with a Map over random changes (seed ${seed})`, () => {
    const draw = new Random(seed).draw;
    const dict = new Dict();
    const model = new Map<string, [Uint8Array, number]>();
    const span = seed === 1 ? 50 : 20_000;
    for (let step = 0; step < 60_000; step++) {
      const name = "key:" + Math.floor(draw() * span);
      const key = encoder.encode(name);
      const kind = draw();
      const growing = Math.floor(step / 15_000) % 2 === 0;
      if (kind < (growing ? 0.7 : 0.2)) {
        const value = new Uint8Array(Math.floor(draw() * (draw() < 0.01 ? 9000 : 60))).fill(step);
        const expiry = draw() < 0.3 ? 1_000_000 + step : NaN;
        put(dict, key, value, expiry);
        model.set(name, [value, expiry]);
      } else {
        const ref = dict.get(key, 0, key.length);
        assertEquals(ref !== 0, model.delete(name));
        if (ref !== 0) dict.remove(ref);
      }
      if (draw() < 0.05) dict.compactStep(50);
    }
    check(dict, model);
    while (dict.compactStep(100));
    check(dict, model);
  });
}

Deno.test("Dict finds what is left while its table shrinks step by step", () => {
  const dict = new Dict();
  const names = Array.from({ length: 30_000 }, (_, i) => encoder.encode(`k${i}`));
  const refs = names.map((name) => {
    const hash = hashBytes(name, 0, name.length);
    return dict.add(name, 0, name.length, hash, 0, 0, NaN);
  });
  const buckets = dict.bucketCount;
  let shrinks = 0;
  for (let gone = 0; gone < names.length; gone++) {
    dict.remove(refs[gone]);
    if (!dict.isRehashing) continue;
    shrinks++;
    const at = gone + 1 + (Math.imul(gone, 7919) >>> 0) % (names.length - gone);
    for (const left of [gone + 1, at, names.length - 1]) {
      if (left >= names.length) continue;
      const name = names[left];
      if (dict.get(name, 0, name.length) !== refs[left]) assertEquals(left, -1);
    }
  }
  assert(shrinks > 1000);
  assert(dict.bucketCount < buckets / 100);
});

Deno.test("Dict.scan returns what stays there, whatever resizes happen meanwhile", () => {
  const draw = new Random(9).draw;
  const dict = new Dict();
  for (let i = 0; i < 3000; i++) put(dict, encoder.encode("stay" + i), new Uint8Array(3), NaN);
  for (const direction of ["grow", "shrink"]) {
    const seen = new Set<string>();
    let cursor = 0;
    let n = 0;
    do {
      cursor = dict.scan(cursor, (ref) => {
        const at = dict.keyOffset(ref);
        seen.add(new TextDecoder().decode(dict.bytesOf(ref).slice(at, at + dict.keyLength(ref))));
      });
      for (let k = 0; k < 4; k++) {
        const key = encoder.encode(
          "extra" + (direction === "grow" ? n++ : Math.floor(draw() * 60000)),
        );
        const ref = dict.get(key, 0, key.length);
        if (direction === "grow") put(dict, key, new Uint8Array(2), NaN);
        else if (ref !== 0) dict.remove(ref);
      }
    } while (cursor !== 0);
    let stayed = 0;
    for (const key of seen) if (key.startsWith("stay")) stayed++;
    assertEquals(stayed, 3000, direction);
  }
});

Deno.test("Dict.random draws every record about equally often", () => {
  const draw = new Random(5).draw;
  const dict = new Dict();
  const names = 200;
  for (let i = 0; i < names; i++) put(dict, encoder.encode("k" + i), new Uint8Array(1), NaN);
  const counts = new Map<number, number>();
  for (let i = 0; i < names * 1000; i++) {
    const ref = dict.random(draw);
    counts.set(ref, (counts.get(ref) ?? 0) + 1);
  }
  assertEquals(counts.size, names);
  for (const n of counts.values()) assert(n > 800 && n < 1200, `drawn ${n} times of 1000`);
});

Deno.test("Compaction gives sparse segments back and keeps every record", () => {
  const dict = new Dict();
  for (let i = 0; i < 400_000; i++) put(dict, encoder.encode("k" + i), new Uint8Array(24), NaN);
  for (let i = 0; i < 400_000; i++) {
    if (i % 10 === 0) continue;
    const key = encoder.encode("k" + i);
    dict.remove(dict.get(key, 0, key.length));
  }
  const before = dict.arena.totalBytes;
  while (dict.compactStep(1000));
  assert(dict.arena.totalBytes < before * 0.6, `${before} -> ${dict.arena.totalBytes}`);
  assertEquals(dict.count, 40_000);
  for (let i = 0; i < 400_000; i += 10) {
    const key = encoder.encode("k" + i);
    assert(dict.get(key, 0, key.length) !== 0);
  }
});

Deno.test("A key longer than a shared chunk gets a segment of its own", () => {
  const dict = new Dict();
  const key = new Uint8Array(400_000).fill(7);
  put(dict, key, new Uint8Array(10), 5);
  put(dict, key, new Uint8Array(20).fill(1), NaN);
  const ref = dict.get(key, 0, key.length);
  assertEquals(dict.valueLength(ref), 20);
  dict.remove(ref);
  assertEquals(dict.count, 0);
});

Deno.test("A key of any length is found by its bytes, with an expiry or without", () => {
  const dict = new Dict();
  for (const expiresAtMs of [NaN, 1e15]) {
    for (let length = 0; length < 300; length++) {
      const bytes = latin1(`<${(expiresAtMs > 0 ? "e" : "p").repeat(length)}>`);
      assertEquals(dict.get(bytes, 1, length), 0, `length ${length}`);
      if (length === 0) continue; // one empty key for both would be the same key
      const ref = dict.add(bytes, 1, length, dict.hash, 5, 0, expiresAtMs);
      assertEquals(dict.get(bytes, 1, length), ref, `length ${length}`);
      assertEquals(dict.find(bytes, 1, length, dict.hash), ref, `length ${length}`);
    }
  }
});
