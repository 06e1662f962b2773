/** Seeded random numbers and bytes for the tests of this folder. */

/** The same sequence for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 0x100000000 * limit);
  }

  /**
   * Bytes of one of four kinds: noise, one byte repeated, words from a small alphabet, or pieces of
   * what went before.
   */
  bytes(len: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(len);
    const kind = this.below(4);
    const alphabet = kind === 0 ? 256 : kind === 1 ? 1 : 1 + this.below(20);
    for (let i = 0; i < len;) {
      if (kind === 3 && i > 0 && this.below(4) > 0) {
        const back = 1 + this.below(i);
        for (let n = this.below(300); n >= 0 && i < len; n--, i++) out[i] = out[i - back];
      } else out[i++] = 65 + this.below(alphabet);
    }
    return out;
  }
}
