/** Hashes that another implementation of XXH3 (python-xxhash 3) gives for the same bytes. */

import { assertEquals } from "@std/assert";
import { xxh3, xxh3Hex, Xxh3Run } from "../../src/base/xxh3.ts";

/** Bytes in which no run repeats another. */
const data = Uint8Array.from(
  { length: 200_000 },
  (_, i) => (((i * i) % 256) * 31 + i * 7 + (i >> 8) * 13) & 255,
);

/** By length of `data` from its beginning: at the borders of each way to hash. */
const HASHES: Record<number, string> = {
  0: "2d06800538d394c2",
  1: "c44bdff4074eecdb",
  2: "9aaf71d6a8c4da34",
  3: "1729c78f56ec7369",
  4: "e5097d6d2a406dde",
  7: "a57baf9771803ff1",
  8: "89b9b1111ecd5976",
  9: "442f901347eac6d7",
  15: "125ef2dfd85d52d3",
  16: "3e094ab84274d7e2",
  17: "f023ce206c53cb88",
  31: "94a5da1595b83f2a",
  32: "4e0f827a00305880",
  33: "ce95cb88847d6102",
  63: "aa6e51009bab8f6c",
  64: "5926c2c628b8bd40",
  65: "0bc4c752a7c50505",
  95: "e6e65e79ad42cec2",
  96: "bef5df716e3026de",
  97: "c04301a5fba9d36a",
  127: "73645b056844b908",
  128: "74cc793e51cbbf70",
  129: "896bc9b5ee9a02de",
  143: "804be341ce94a13d",
  144: "5aa24e1fe0cb7f98",
  239: "cd0da82b5d6619c0",
  240: "168ac2eea3381b59",
  241: "5f15f12e172b51fa",
  255: "91a89cde2c664652",
  256: "2d280775d960610d",
  257: "ba3d8817596d959b",
  511: "547159c722cb2ae6",
  512: "fc8b6ff14622c39f",
  1023: "aaed026c9eb7eb3d",
  1024: "dceaed343cd1f797",
  1025: "f37e09dac8a20f64",
  1088: "5cec7b83cb062b80",
  1089: "10f478e0678b623b",
  2047: "6787987b5d8bc043",
  2048: "dcefb5bcbb88d2d4",
  2049: "538173e5cf965355",
  4096: "c2b42362e0bee84d",
  65537: "5e5d8778f849692c",
  200000: "88d05cd12db45023",
};

for (const [length, hash] of Object.entries(HASHES)) {
  Deno.test(`xxh3 of ${length} bytes`, () => {
    assertEquals(xxh3Hex(data, 0, Number(length)), hash);
  });
}

Deno.test("xxh3 of every length to 3,000", () => {
  let sum = 0n;
  for (let length = 0; length < 3_000; length++) {
    sum = BigInt.asUintN(64, sum * 31n + xxh3(data, 0, length));
  }
  assertEquals(sum.toString(16), "66169fcd856208b");
});

Deno.test("xxh3 begins where it is told, in whatever buffer", () => {
  const shifted = new Uint8Array(5_003);
  shifted.set(data.subarray(0, 4_096), 907);
  assertEquals(xxh3Hex(shifted, 907, 4_096), "c2b42362e0bee84d");
  assertEquals(xxh3Hex(shifted.subarray(7), 900, 4_096), "c2b42362e0bee84d");
});

Deno.test("xxh3 in steps is the same, also where several are under way and the bytes move", () => {
  for (const length of [241, 1024, 1025, 4_096, 100_000, 200_000]) {
    const moved = new Uint8Array(length + 5);
    moved.set(data.subarray(0, length), 5);
    for (const stepBytes of [1, 1024, 5_000]) {
      const run = new Xxh3Run(length);
      const other = new Xxh3Run(300);
      for (let steps = 0; !run.step(data, 0, stepBytes); steps++) {
        other.step(data, steps, 64);
        if (steps % 2 === 1 && run.step(moved, 5, stepBytes)) break;
      }
      assertEquals(run.hex(moved, 5), xxh3Hex(data, 0, length));
    }
  }
});

Deno.test("xxh3 has 16 digits also where the first are zeros", () => {
  const text =
    "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
  const bytes = new TextEncoder().encode(text);
  assertEquals(xxh3Hex(bytes, 0, bytes.length), "00006c38adf31777");
});
