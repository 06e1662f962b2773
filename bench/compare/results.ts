/** The figures the comparison collects, the bars they are held to, and the arithmetic they share. */

import type { Variant } from "./workloads.ts";

/** One timed run of redis-benchmark. */
export interface Sample {
  requestsPerSecond: number;
  /** Server CPU time per request, microseconds, all threads. */
  cpuMicros: number;
}

/** All rounds of one test at one pipeline depth; the n-th samples of both servers ran back to back. */
export interface SpeedResult {
  test: string;
  pipeline: number;
  variant: Variant["id"];
  requests: number;
  reference: Sample[];
  subject: Sample[];
}

/** Memory of one server around its filling; bytes. */
export interface MemorySample {
  emptyBytes: number;
  filledBytes: number;
}

/** Snapshot file of the filled server; milliseconds and bytes. */
export interface SaveSample {
  saveMs: number;
  emptyStartMs: number;
  loadedStartMs: number;
  fileBytes: number;
}

/** Latencies of a probing client, milliseconds. */
export interface StallSample {
  idleMs: number[];
  snapshotMs: number[];
  snapshotDurationMs: number;
}

/** All runs of a command on large data, in milliseconds. */
export interface CommandResult {
  title: string;
  referenceMs: number[];
  subjectMs: number[];
}

/** One kind of measurement for both servers, a sample per round. */
export interface Pair<T> {
  reference: T[];
  subject: T[];
}

/** Everything one invocation measured; what was not asked for is absent. */
export interface Results {
  referenceVersion: string;
  subjectVersion: string;
  /** False when some other server was measured in its place. */
  subjectIsTsredis: boolean;
  /** "Deno 2.9.6" or "Bun 1.4.5"; null for a server that is not tsredis. */
  subjectRuntime: string | null;
  speed?: SpeedResult[];
  /** Over TLS. */
  tls?: SpeedResult[];
  /** With an append-only file, by `appendfsync`. */
  aof?: Record<string, SpeedResult[]>;
  memory?: Pair<MemorySample>;
  /** Of collections of a million elements. */
  elements?: (Pair<MemorySample> & { title: string })[];
  save?: Pair<SaveSample>;
  stall?: Pair<StallSample>;
  commands?: CommandResult[];
}

/**
 * Limits that tsredis is held to, as ratios to redis-server unless a unit says otherwise. Those of speed are
 * for the faster of the runtimes.
 */
export const BARS = {
  speed: 1.0,
  /** Of the hot tests in a pipeline, at random keys. */
  speedRandomKeys: 1.2,
  /** The same in a pipeline of DEEP_PIPELINE. */
  speedDeep: 1.5,
  /** Of scripts in a pipeline. */
  speedScripts: 0.7,
  bytesPerKey: 0.65,
  bytesPerElement: 1.0,
  saveTime: 1.5,
  loadTime: 1.5,
  stallMs: 10,
  commandTime: 1.5,
};

/** Differences below this are those of two round trips, not the commands'. */
const COMMAND_SLACK_MS = 2;

/** What the names of tests of scripts begin with. */
export const SCRIPT_PREFIX = "eval_";

const HOT_TESTS = new Set(["get", "set", "incr", "mset"]);
/** Run in a pipeline of DEEP_PIPELINE, too, at random keys. */
export const DEEP_TESTS = new Set(["get", "set"]);
export const DEEP_PIPELINE = 64;

/** What of a result says which test it is of. */
export type SpeedTest = Pick<SpeedResult, "test" | "pipeline" | "variant">;

/** The least acceptable ratio of requests per second. */
export function speedBar({ test, pipeline, variant }: SpeedTest): number {
  if (pipeline > 1 && test.startsWith(SCRIPT_PREFIX)) return BARS.speedScripts;
  if (pipeline === 1 || variant !== "random" || !HOT_TESTS.has(test)) return BARS.speed;
  return pipeline >= DEEP_PIPELINE && DEEP_TESTS.has(test) ? BARS.speedDeep : BARS.speedRandomKeys;
}

/** What is asked of speed, in lines for the report and README. */
export const SPEED_BARS = [
  `The bars, for the faster of the runtimes: ${BARS.speedRandomKeys} where GET, SET, INCR and MSET come in a pipeline`,
  `at random keys, ${BARS.speedDeep} for GET and SET of those at \`-P ${DEEP_PIPELINE}\`, ${BARS.speedScripts} for scripts`,
  `in a pipeline, ${BARS.speed.toFixed(1)} for everything else.`,
];

/** Requests per second of the subject to those of the reference: the median over rounds. */
export function speedRatio(result: SpeedResult): number {
  return median(
    result.subject.map((sample, round) =>
      sample.requestsPerSecond / result.reference[round].requestsPerSecond
    ),
  );
}

/** Time of the subject by that of the reference: below 1 is faster. Of the medians over the runs. */
export function commandRatio({ referenceMs, subjectMs }: CommandResult): number {
  return median(subjectMs) / median(referenceMs);
}

/** Whether the time of a command meets its bar. */
export function commandMeetsBar({ referenceMs, subjectMs }: CommandResult): boolean {
  const ms = median(referenceMs);
  return median(subjectMs) <= Math.max(ms * BARS.commandTime, ms + COMMAND_SLACK_MS);
}

/** The median; the mean of the two middle values when their number is even. NaN for none. */
export function median(values: number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the share `q` of the values lies, interpolated. NaN for none. */
export function quantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}
