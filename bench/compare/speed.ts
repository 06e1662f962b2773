/**
 * Requests per second and CPU per request: redis-benchmark's tests against two running servers in turn.
 *
 * Both servers stay up for the whole comparison and are asked alternately, A B A B, so that whatever else
 * slows the machine down for a while meets both. Each test begins with an untimed warm-up on both: V8
 * compiles what is hot only after it has run, and the warm-up also tells how many requests make a run of
 * the wanted length. Both servers then get the same number.
 */

import { within } from "./client.ts";
import type { Progress } from "./progress.ts";
import {
  DEEP_PIPELINE,
  DEEP_TESTS,
  median,
  type Sample,
  speedRatio,
  type SpeedResult,
} from "./results.ts";
import { type RunningServer, track } from "./servers.ts";
import { type Variant, type Workload } from "./workloads.ts";

export interface SpeedOptions {
  workloads: Workload[];
  variants: Variant[];
  /** Pipeline depths; null: USUAL_PIPELINES, and DEEP_PIPELINE for the tests that have a bar there. */
  pipelines: number[] | null;
  rounds: number;
  /** Length a timed run should have on the faster server. */
  runMs: number;
  /** A fixed number of requests per timed run, instead of `runMs`. */
  requests?: number;
}

/** Pipeline depths of every test. */
export const USUAL_PIPELINES = [1, 16];

const CLIENTS = 50;

const BENCHMARK_TIMEOUT_MS = 180_000;

/** A test that adds or takes data is given no more requests than come to this many bytes. */
const GROWTH_MAX_BYTES = 512 * 1024 * 1024;

/** The shares of a timed run that the two warm-ups last: a guess of the rate, then the warm-up proper. */
const WARM_UP_SHARE = 0.4;
const FIRST_GUESS_REQUESTS = 4_000;
const FIRST_GUESS_OF_SLOW = 100;

/** Seen on two quiet cores: putting a million keys in place, and what else lies between two runs. */
const FILL_MS = 900;
const BETWEEN_RUNS_MS = 60;

/** The tests that the options select, in the order in which they are run. */
function testsOf({ variants, pipelines, workloads }: SpeedOptions): Test[] {
  const tests: Test[] = [];
  for (const variant of variants) {
    for (const pipeline of pipelines ?? [...USUAL_PIPELINES, DEEP_PIPELINE]) {
      for (const workload of workloads) {
        if (variant.id !== "plain" && !workload.variants.includes(variant.id)) continue;
        const isDeep = variant.id === "random" && DEEP_TESTS.has(workload.name);
        if (pipelines === null && pipeline === DEEP_PIPELINE && !isDeep) continue;
        if (workload.pipelines?.includes(pipeline) === false) continue;
        tests.push({ workload, variant, pipeline });
      }
    }
  }
  return tests;
}

/** About how long each test takes, in milliseconds, for {@linkcode Progress}. */
export function expectedSpeedMs(options: SpeedOptions): number[] {
  return testsOf(options).map((test) => expectedMs(test, options));
}

function expectedMs({ workload, variant }: Test, { rounds, runMs }: SpeedOptions): number {
  const runs = 2 * rounds + 4; // with the warm-ups
  const fillMs = workload.prepare && variant.keyspace > 0 ? FILL_MS : 0;
  return 2 * (rounds + WARM_UP_SHARE) * runMs + runs * (fillMs + BETWEEN_RUNS_MS);
}

/** Runs every test that the options select and reports each on standard error as it ends. */
export async function measureSpeed(
  reference: RunningServer,
  subject: RunningServer,
  options: SpeedOptions,
  progress: Progress,
): Promise<SpeedResult[]> {
  const results: SpeedResult[] = [];
  for (const test of testsOf(options)) {
    const { workload, variant, pipeline } = test;
    progress.begin(`${workload.name} ${variant.id} -P ${pipeline}`);
    const requests = await warmUp(reference, subject, test, options);
    const result: SpeedResult = {
      test: workload.name,
      pipeline,
      variant: variant.id,
      requests,
      reference: [],
      subject: [],
    };
    for (let round = 0; round < options.rounds; round++) {
      result.reference.push(await timedRun(reference, test, requests));
      result.subject.push(await timedRun(subject, test, requests));
    }
    results.push(result);
    progress.end(expectedMs(test, options), lineOf(result));
  }
  await reference.call("FLUSHALL");
  await subject.call("FLUSHALL");
  return results;
}

/** What one run of redis-benchmark sends. */
export interface Test {
  workload: Workload;
  variant: Variant;
  pipeline: number;
}

/** Warms both servers up for a test and says how many requests its timed runs take. */
async function warmUp(
  reference: RunningServer,
  subject: RunningServer,
  test: Test,
  options: SpeedOptions,
): Promise<number> {
  const limit = test.workload.growth
    ? Math.floor(GROWTH_MAX_BYTES / test.workload.growth(test.variant))
    : Infinity;
  let fastest = 0;
  for (const server of [reference, subject]) {
    const isSlow = test.workload.isSlow === true;
    const first = isSlow ? FIRST_GUESS_OF_SLOW : FIRST_GUESS_REQUESTS;
    const guess = await timedRun(server, test, first);
    const requests = guess.requestsPerSecond * (options.runMs / 1000) * WARM_UP_SHARE;
    const sample = await timedRun(server, test, Math.ceil(Math.min(requests, limit)));
    fastest = Math.max(fastest, sample.requestsPerSecond);
  }
  if (options.requests !== undefined) return options.requests;
  const wanted = Math.min(fastest * (options.runMs / 1000), limit);
  const unit = test.workload.isSlow === true ? 100 : 1_000;
  return Math.max(unit, Math.ceil(wanted / unit) * unit);
}

/** Empties the server, puts the test's data in place and runs redis-benchmark once. */
async function timedRun(server: RunningServer, test: Test, requests: number): Promise<Sample> {
  const { workload, variant } = test;
  await server.call("FLUSHALL");
  await workload.prepare?.(server, variant, requests);

  const cpuBefore = server.cpuMicros();
  const requestsPerSecond = await server.guard(
    `redis-benchmark ${workload.name}`,
    runRedisBenchmark(server, test, requests),
    BENCHMARK_TIMEOUT_MS + 5_000,
  );
  const cpuMicros = (server.cpuMicros() - cpuBefore) / requests;

  if (workload.drains && await server.call("EXISTS", workload.drains) !== "1") {
    throw new Error(`${server.label}: ${workload.name} ran out of data, its figure means nothing`);
  }
  return { requestsPerSecond, cpuMicros };
}

/** One run of redis-benchmark on a server as it is; the requests per second it reports. */
export async function runRedisBenchmark(
  server: RunningServer,
  { workload, variant, pipeline }: Test,
  requests: number,
): Promise<number> {
  const args = [...server.benchmarkArgs, "-c", String(CLIENTS), "-n", String(requests)];
  args.push("-P", String(pipeline), "--csv", ...variant.args, ...workload.args ?? []);
  args.push(...workload.command ?? ["-t", workload.name]);
  const child = track(
    new Deno.Command("redis-benchmark", { args, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn(),
  );
  const what = `redis-benchmark ${args.join(" ")}`;
  let output: Deno.CommandOutput;
  try {
    output = await within(BENCHMARK_TIMEOUT_MS, what, child.output());
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const text = new TextDecoder().decode(output.stdout);
  // "test","rps","avg_latency_ms",...: the header, then one line per test, in whose name quotes stand as they are.
  const rate = /^".*?","([0-9.]+)"(?:,"[0-9.]+")*$/m.exec(text)?.[1];
  if (!output.success || rate === undefined) {
    const complaint = new TextDecoder().decode(output.stderr).trim() || text.trim();
    throw new Error(`${server.label}: ${what} failed: ${complaint}`);
  }
  return Number(rate);
}

/** Widths of the columns of what is reported while it runs. */
const WIDTHS = [12, 7, 3, 11, 13, 5, 12, 14, 10];

/** Names the columns of the lines that `measureSpeed` reports. */
export const SPEED_HEAD = row([
  "test",
  "variant",
  "-P",
  "redis req/s",
  "tsredis req/s",
  "ratio",
  "redis CPU µs",
  "tsredis CPU µs",
  "requests",
]);

function lineOf(result: SpeedResult): string {
  const rate = (samples: Sample[]) =>
    Math.round(median(samples.map((sample) => sample.requestsPerSecond))).toLocaleString("en");
  const cpu = (samples: Sample[]) => median(samples.map((sample) => sample.cpuMicros)).toFixed(2);
  return row([
    result.test,
    result.variant,
    String(result.pipeline),
    rate(result.reference),
    rate(result.subject),
    speedRatio(result).toFixed(2),
    cpu(result.reference),
    cpu(result.subject),
    result.requests.toLocaleString("en"),
  ]);
}

/** Cells in columns, the first two flush left. */
function row(cells: string[]): string {
  return cells.map((cell, i) => i < 2 ? cell.padEnd(WIDTHS[i]) : cell.padStart(WIDTHS[i])).join(
    "  ",
  );
}
