/** SORT of lists with as many elements as anybody would sort, with everything that it can do. */

import { encodeCommand } from "../compare/client.ts";
import type { Bench } from "./bench.ts";
import { FIGURE, type LimitsCase, ratioAtMost } from "./cases.ts";

const ELEMENTS_PER_COMMAND = 1000;
const MILLION = 1_000_000;

/** Below these, differences are the machine's. */
const TIME_SLACK_MS = 10;
const MEMORY_SLACK_MB = 20;

const BARS = {
  [FIGURE.time]: ratioAtMost(1.5, TIME_SLACK_MS),
  [FIGURE.peak]: ratioAtMost(2, MEMORY_SLACK_MB),
};

/** A number in no order, the same for every server. */
function mixed(n: number): number {
  return Math.imul(n + 1, 0x9e3779b1) >>> 0;
}

async function fillList(
  bench: Bench,
  key: string,
  count: number,
  element: (n: number) => string,
): Promise<void> {
  await bench.server.fill(count / ELEMENTS_PER_COMMAND, (i) => {
    const words = ["RPUSH", key];
    for (let n = 0; n < ELEMENTS_PER_COMMAND; n++) {
      words.push(element(i * ELEMENTS_PER_COMMAND + n));
    }
    return encodeCommand(...words);
  });
}

/** A list of 0 to `count`, and for each of them a key with a weight and a hash. */
async function fillWeights(bench: Bench, count: number): Promise<void> {
  await fillList(bench, "l", count, String);
  await bench.server.fill(count, (n) => encodeCommand("SET", `w_${n}`, `${mixed(n)}`));
  await bench.server.fill(count, (n) => encodeCommand("HSET", `h_${n}`, "f", `value:${mixed(n)}`));
}

function sortCase(
  title: string,
  expectedMs: number,
  prepare: (bench: Bench) => Promise<void>,
  ...options: string[]
): LimitsCase {
  return {
    title,
    expectedMs,
    prepare,
    run: (bench) => bench.watch(() => bench.exchange(["SORT", "l", ...options])),
    bars: BARS,
  };
}

const integers = (bench: Bench) => fillList(bench, "l", MILLION, (n) => `${mixed(n) % 1e8}`);
const manyIntegers = (bench: Bench) =>
  fillList(bench, "l", 9 * MILLION, (n) => `${mixed(n) % 1e8}`);
const decimals = (bench: Bench) => fillList(bench, "l", MILLION, (n) => `${mixed(n) / 1000}`);
const words = (bench: Bench) => fillList(bench, "l", MILLION, (n) => `element:${mixed(n)}`);
const weights = (bench: Bench) => fillWeights(bench, MILLION / 5);

export const SORT: LimitsCase[] = [
  sortCase("SORT of a million integers", 3_000, integers),
  sortCase("SORT of nine million integers", 15_000, manyIntegers),
  sortCase("SORT of a million decimals, DESC", 5_000, decimals, "DESC"),
  sortCase("SORT … ALPHA of a million", 4_000, words, "ALPHA"),
  sortCase(
    "SORT … ALPHA LIMIT 100000 10 of a million",
    4_000,
    words,
    ..."ALPHA LIMIT 100000 10".split(" "),
  ),
  sortCase("SORT … LIMIT 0 10 of nine million integers", 15_000, manyIntegers, "LIMIT", "0", "10"),
  sortCase("SORT … BY weight of 200,000", 6_000, weights, "BY", "w_*"),
  sortCase("SORT … BY field ALPHA of 200,000", 6_000, weights, "BY", "h_*->f", "ALPHA"),
  sortCase("SORT … BY nosort of a million", 3_000, words, "BY", "nosort"),
  sortCase(
    "SORT … BY weight GET # GET field LIMIT 0 100000 of 200,000",
    6_000,
    weights,
    ..."BY w_* GET # GET h_*->f LIMIT 0 100000".split(" "),
  ),
  sortCase("SORT … STORE of a million integers", 3_000, integers, "STORE", "to"),
  sortCase("SORT … ALPHA STORE of a million", 5_000, words, "ALPHA", "STORE", "to"),
];
