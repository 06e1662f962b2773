/**
 * The length and the seed of fuzz tests. In the test task they are short and always the same; in
 * `deno task fuzz` long and new each time. A failure has to show its seed: with TSREDIS_FUZZ_SEED
 * set to it, and the same number of rounds, the run repeats.
 */

import process from "node:process"; // the environment, on Deno and on Bun

/** How many times as many rounds as usual: TSREDIS_FUZZ_FACTOR, 1 unless set. */
const factor = Number(process.env.TSREDIS_FUZZ_FACTOR ?? "1");
if (!(factor > 0)) throw new Error("TSREDIS_FUZZ_FACTOR has to be a number above 0");

/** The rounds to run, given how many the test task can afford. */
export function fuzzRounds(short: number): number {
  return Math.ceil(short * factor);
}

/**
 * The seed, an unsigned 32-bit integer: TSREDIS_FUZZ_SEED, else the test's own `fixed` one in a
 * short run and a random one in a long run.
 */
export function fuzzSeed(fixed: number): number {
  const given = process.env.TSREDIS_FUZZ_SEED;
  if (given !== undefined) return Number(given) >>> 0;
  return factor === 1 ? fixed : crypto.getRandomValues(new Uint32Array(1))[0];
}
