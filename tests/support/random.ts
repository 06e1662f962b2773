/**
 * Seeded random numbers for tests and benchmarks: the same seed gives the same sequence on every
 * machine and every runtime. All tests that draw from a seed draw from here, so that a seed printed
 * by a failure can be given again.
 *
 * Seeds kept in tests mean something only with this generator (mulberry32) and these methods: a
 * change here draws other cases everywhere, also where a kept seed once found a fault. Not for
 * cryptography, and no model of chance beyond what a test of software needs.
 */

/** A sequence of random numbers that its seed determines. */
export class Random {
  #state: number;

  /** Of the seed, the lowest 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /**
   * A number of 32 random bits, from 0 to below 1. Can be handed on as a function: this is the
   * shape in which the server's parts take their chance.
   */
  readonly draw = (): number => this.next() / 2 ** 32;

  /** An integer from 0 to `limit` - 1; the limit goes up to 2^32. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.draw() < probability;
  }

  /** One of the list's items, which has to have some. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Brings the list itself into a random order, and returns it. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** Bytes that are all equally likely, so that nothing compresses them. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next();
    return bytes;
  }
}
