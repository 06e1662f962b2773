/** Bytes to compress, copy and sum up in the tests of this folder. */

import type { Random } from "../support/random.ts";

/**
 * Bytes of one of four kinds: noise, one byte repeated, words from a small alphabet, or pieces of
 * what went before.
 */
export function mixedBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  const kind = random.below(4);
  const alphabet = kind === 0 ? 256 : kind === 1 ? 1 : 1 + random.below(20);
  for (let i = 0; i < length;) {
    if (kind === 3 && i > 0 && random.below(4) > 0) {
      const back = 1 + random.below(i);
      for (let n = random.below(300); n >= 0 && i < length; n--, i++) out[i] = out[i - back];
    } else out[i++] = 65 + random.below(alphabet);
  }
  return out;
}
