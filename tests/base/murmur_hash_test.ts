import { assertEquals } from "@std/assert";
import { murmurHash64, murmurHigh, murmurLow } from "../../src/base/murmur_hash.ts";

/** The definition, in 64-bit arithmetic. */
function slowly(bytes: Uint8Array, seed: number): bigint {
  const mask = (1n << 64n) - 1n;
  const m = 0xc6a4a7935bd1e995n;
  const view = new DataView(bytes.buffer);
  let h = BigInt(seed) ^ ((BigInt(bytes.length) * m) & mask);
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    let k = (view.getBigUint64(at, true) * m) & mask;
    k ^= k >> 47n;
    h = ((h ^ ((k * m) & mask)) * m) & mask;
  }
  if (at < bytes.length) {
    for (let i = at; i < bytes.length; i++) h ^= BigInt(bytes[i]) << BigInt(8 * (i - at));
    h = (h * m) & mask;
  }
  h ^= h >> 47n;
  h = (h * m) & mask;
  return h ^ (h >> 47n);
}

Deno.test("murmurHash64 in halves equals the definition for every length and offset", () => {
  const source = Uint8Array.from({ length: 80 }, (_, i) => (i * 167 + (i >> 3)) & 0xff);
  for (let length = 0; length <= 70; length++) {
    for (const seed of [0, 1, 0xadc83b19, 0xffffffff]) {
      const offset = length % 9;
      murmurHash64(source, offset, length, seed);
      const hash = (BigInt(murmurHigh >>> 0) << 32n) | BigInt(murmurLow >>> 0);
      assertEquals(hash, slowly(source.slice(offset, offset + length), seed), `${length} ${seed}`);
    }
  }
});
