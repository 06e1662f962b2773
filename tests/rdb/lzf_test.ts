import { assert, assertEquals } from "@std/assert";
import {
  LZF_DONE,
  LZF_EXPANSION_MAX,
  LZF_MORE,
  lzfCompress,
  lzfDecompress,
  LzfRun,
} from "../../src/rdb/lzf.ts";
import { Random } from "../support/random.ts";
import { mixedBytes } from "./mixed_bytes.ts";

const GUARD = 0xa5;

/** Compresses between guard bytes; null when it answers 0. */
function compress(bytes: Uint8Array, cap = bytes.length): Uint8Array | null {
  const out = new Uint8Array(cap + 20).fill(GUARD);
  const size = lzfCompress(bytes, 0, bytes.length, out, 10, cap);
  assert(out.subarray(0, 10).every((b) => b === GUARD), "wrote before its room");
  assert(out.subarray(10 + cap).every((b) => b === GUARD), "wrote behind its room");
  return size === 0 ? null : out.slice(10, 10 + size);
}

/** Decompresses between guard bytes; null when it answers false. */
function decompress(packed: Uint8Array, len: number): Uint8Array | null {
  const out = new Uint8Array(len + 20).fill(GUARD);
  const good = lzfDecompress(packed, 0, packed.length, out, 10, len);
  assert(out.subarray(0, 10).every((b) => b === GUARD), "wrote before its room");
  assert(out.subarray(10 + len).every((b) => b === GUARD), "wrote behind its room");
  return good ? out.slice(10, 10 + len) : null;
}

Deno.test("lzfDecompress follows each form of item", () => {
  // Three literals, 3 from 3 back, 9 + 1 from 1 back, one literal.
  const packed = Uint8Array.of(2, 97, 98, 99, 0x20, 2, 0xe0, 1, 0, 0, 33);
  const text = new TextDecoder().decode(decompress(packed, 17)!);
  assertEquals(text, "abcabccccccccccc!");
});

Deno.test("lzfDecompress refuses input that ends inside an item or reaches too far", () => {
  const cases: [string, number[], number][] = [
    ["literals missing", [2, 97, 98], 3],
    ["literals too many", [2, 97, 98, 99], 2],
    ["distance missing", [0, 97, 0x20], 4],
    ["long count missing", [0, 97, 0xe0], 20],
    ["distance behind a long count missing", [0, 97, 0xe0, 0], 10],
    ["copy from before the start", [0, 97, 0x20, 1], 4],
    ["copy with nothing before it", [0x20, 0], 3],
    ["copy too long", [0, 97, 0x40, 0], 4],
    ["too few bytes", [0, 97], 2],
    ["nothing", [], 1],
  ];
  for (const [name, packed, len] of cases) {
    assertEquals(decompress(Uint8Array.from(packed), len), null, name);
  }
});

Deno.test("lzfCompress answers 0 unless four bytes are saved", () => {
  assertEquals(compress(new Uint8Array(0)), null);
  assertEquals(compress(new Uint8Array(7)), null);
  for (let len = 8; len < 300; len++) {
    const packed = compress(new Uint8Array(len).fill(120));
    if (packed !== null) assert(packed.length <= len - 4);
    assertEquals(packed !== null, len >= 9, `${len} times the same byte`);
  }
  assertEquals(compress(new Random(3).bytes(1000)), null);
});

Deno.test("lzfCompress stays within the room it is given", () => {
  const bytes = mixedBytes(new Random(8), 2000);
  const packed = compress(bytes) ?? new Uint8Array(0);
  assert(packed.length > 0);
  for (let cap = 0; cap < packed.length + 10; cap++) {
    const tight = compress(bytes, cap);
    if (tight !== null) assertEquals(decompress(tight, bytes.length), bytes);
    if (cap >= packed.length + 4) assert(tight !== null, `fits into ${cap}`);
  }
});

Deno.test("LZF gives back what went in, whatever the bytes", () => {
  for (let seed = 0; seed < 600; seed++) {
    const random = new Random(seed);
    const bytes = mixedBytes(random, random.below(seed % 10 === 0 ? 100_000 : 2_000));
    const packed = compress(bytes);
    if (packed === null) continue;
    assert(packed.length <= bytes.length - 4, `seed ${seed}`);
    assert(bytes.length <= packed.length * LZF_EXPANSION_MAX, `seed ${seed}`);
    assertEquals(decompress(packed, bytes.length), bytes, `seed ${seed}`);
    assertEquals(decompress(packed, bytes.length - 1), null, `seed ${seed}: declared too short`);
    assertEquals(decompress(packed, bytes.length + 1), null, `seed ${seed}: declared too long`);
  }
});

Deno.test("LZF still gives back what went in after gigabytes, when the hash table starts over", () => {
  const random = new Random(7);
  const noise = random.bytes(1 << 20);
  const scraps = new Uint8Array(noise.length);
  for (let i = 0; i < 1100; i++) {
    lzfCompress(noise, 0, noise.length, scraps, 0, noise.length);
    if (i < 1000) continue;
    const bytes = mixedBytes(random, 300);
    const packed = compress(bytes);
    if (packed !== null) assertEquals(decompress(packed, bytes.length), bytes, `round ${i}`);
  }
});

Deno.test("LZF finds what repeats at distances up to 8192 and copies up to 264 bytes", () => {
  const noise = new Random(5).bytes(8192);
  const bytes = new Uint8Array(8192 + 528);
  bytes.set(noise);
  bytes.set(noise.subarray(0, 528), 8192);
  const packed = compress(bytes) ?? new Uint8Array(bytes.length);
  assert(packed.length < 8192 + 8192 / 32 + 20, `${packed.length}`);
  assertEquals(decompress(packed, bytes.length), bytes);
});

Deno.test("lzfDecompress on altered input answers or refuses, and never leaves its room", () => {
  let refused = 0;
  for (let seed = 0; seed < 300; seed++) {
    const random = new Random(seed);
    const bytes = mixedBytes(random, 20 + random.below(500));
    const packed = compress(bytes);
    if (packed === null) continue;
    for (let i = 0; i < 30; i++) {
      const altered = packed.slice();
      altered[random.below(packed.length)] ^= 1 << random.below(8);
      const cut = random.below(2) === 0
        ? altered
        : altered.subarray(0, random.below(packed.length));
      if (decompress(cut, bytes.length) === null) refused++;
    }
  }
  assert(refused > 100);
});

/** `decompress` as long strings are: in steps. */
function decompressInSteps(packed: Uint8Array, len: number): Uint8Array | null {
  const out = new Uint8Array(len);
  const run = new LzfRun();
  run.begin(packed, 0, packed.length, out, 0, len);
  let state = LZF_MORE;
  while (state === LZF_MORE) state = run.step(100);
  return state === LZF_DONE ? out : null;
}

Deno.test("LZF in steps gives and refuses what it does at once, also of altered input", () => {
  let refused = 0;
  for (let seed = 1000; seed < 1200; seed++) {
    const random = new Random(seed);
    const bytes = mixedBytes(random, 20 + random.below(3_000));
    const packed = compress(bytes);
    if (packed === null) continue;
    assertEquals(decompressInSteps(packed, bytes.length), bytes);
    for (let i = 0; i < 20; i++) {
      const altered = packed.slice();
      altered[random.below(packed.length)] ^= 1 << random.below(8);
      const found = decompress(altered, bytes.length);
      assertEquals(decompressInSteps(altered, bytes.length), found, `seed ${seed}`);
      if (found === null) refused++;
    }
  }
  assert(refused > 100);
});

Deno.test("LZF of long runs goes in pieces, of which some may not get smaller", () => {
  const random = new Random(11);
  const line = new TextEncoder().encode("a line that comes again and again;");
  for (const length of [65_535, 65_536, 65_537, 131_072, 400_000, 1_000_003]) {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = line[i % line.length];
    const noise = Math.min(length, 150_000) >> 1;
    bytes.set(random.bytes(noise), length >> 2);
    const packed = compress(bytes)!;
    assert(packed.length < length - noise / 2, `${packed.length} of ${length}`);
    assertEquals(decompress(packed, length), bytes);
    assertEquals(decompressInSteps(packed, length), bytes);
  }
});

Deno.test("LZF of elements that are counted up takes about what their differences take", () => {
  let text = "";
  for (let i = 0; i < 500; i++) text += `\x8eelement:${500_000 + i}\x0f`;
  const bytes = new TextEncoder().encode(text);
  const packed = compress(bytes)!;
  assert(packed.length < 500 * 6, `${packed.length}`);
  assertEquals(decompress(packed, bytes.length), bytes);
});
