/** One server with all the data, and each kind of snapshot taken of it while it is being written to. */

import { type RunningServer, type ServerSpec, startServer } from "../compare/servers.ts";
import { infoOf } from "../replication/replica_set.ts";
import { netStallMs, type ProbeSample } from "../replication/figures.ts";
import { quantile } from "../compare/results.ts";
import { nowMs, pause } from "./asked_worker.ts";
import { type Shape, shapeOf } from "./dataset.ts";
import { curveOf, type PartResult, type SystemResult } from "./figures.ts";
import { Load, type LoadCounts, type LoadReport } from "./load.ts";
import { cpuSeconds, type MemoryPoint, MemoryWatch, residentBytes } from "./memory.ts";
import { fullSync, type ReplicaAnswer } from "./replica.ts";
import { bytesOf, filesOf, followsOn, type Instant, instantOf } from "./verify.ts";
import { Watch } from "./watch.ts";

/** The kinds of snapshots. */
export const PARTS = ["save", "rewrite", "sync"] as const;
export type Part = typeof PARTS[number];

export interface MeasureOptions {
  keys: number;
  /** Writes per second. */
  perSecond: number;
  parts: readonly Part[];
  workDir: string;
}

/** The same for all servers. Without limits for replicas: to drop a link is no way to save memory here. */
const OPTIONS = [
  ["--appendonly", "no", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"],
  ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"],
  ["--client-output-buffer-limit", "replica", "0", "0", "0"],
].flat();

/** Writes before the first snapshot, until what is compiled while running has been compiled. */
const WARM_UP_MS = 5_000;
/** Watched before a snapshot and after it. */
const BEFORE_MS = 3_000;
const AFTER_MS = 1_500;
const SETTLE_MS = 2_000;
const POLL_MS = 25;
const END_TIMEOUT_MS = 300_000;
const FILL_TIMEOUT_MS = 300_000;

/** What a kind of snapshot is to this tool. */
interface Kind {
  /** Before anything is measured. */
  prepare(run: Run): Promise<void>;
  /** Makes the snapshot; resolves with the time at which it was complete. */
  take(run: Run): Promise<number>;
  /** When no writes are under way any more. */
  close(run: Run): Promise<void>;
  /** The file, and the stream of writes that follows on it. */
  result(run: Run): { file: string; stream: Iterable<Uint8Array>; isWhole: boolean };
}

interface Run {
  server: RunningServer;
  dir: string;
  replica: ReplicaAnswer | null;
}

const KINDS: Record<Part, Kind> = {
  save: {
    prepare: async () => {},
    take: async ({ server }) => {
      await server.call("BGSAVE");
      return await persistenceEnd(server, "rdb_bgsave_in_progress", "rdb_last_bgsave_status");
    },
    close: async () => {},
    result: ({ dir }) => ({ file: `${dir}/dump.rdb`, stream: [], isWhole: false }),
  },
  rewrite: {
    prepare: async ({ server }) => {
      await server.call("CONFIG", "SET", "appendonly", "yes");
      await rewriteEnd(server);
    },
    take: async ({ server }) => {
      await server.call("BGREWRITEAOF");
      return await rewriteEnd(server);
    },
    close: async ({ server }) => {
      await server.call("CONFIG", "SET", "appendonly", "no");
    },
    result: ({ dir }) => {
      const { base, increments } = filesOf(`${dir}/appendonlydir`);
      return { file: base, stream: bytesOf(increments), isWhole: true };
    },
  },
  sync: {
    prepare: async () => {},
    take: async (run) => {
      const { server, dir } = run;
      run.replica = await server.guard(
        "full sync",
        fullSync(server.port, `${dir}/sync.rdb`).catch((error) => {
          throw new Error(`full sync: ${error.message}${server.logTail()}`);
        }),
        END_TIMEOUT_MS,
      );
      return run.replica.endedMs;
    },
    close: async () => {},
    result: ({ dir, replica }) => ({
      file: `${dir}/sync.rdb`,
      stream: [replica!.stream],
      isWhole: false,
    }),
  },
};

function rewriteEnd(server: RunningServer): Promise<number> {
  return persistenceEnd(server, "aof_rewrite_in_progress", "aof_last_bgrewrite_status");
}

async function persistenceEnd(
  server: RunningServer,
  progress: string,
  status: string,
): Promise<number> {
  const deadline = nowMs() + END_TIMEOUT_MS;
  for (;;) {
    await pause(POLL_MS);
    const fields = await infoOf(server, "persistence");
    if (nowMs() > deadline) throw new Error(`${server.label}: ${progress} for too long`);
    if (fields.get(progress) !== "0") continue;
    if (fields.get(status) !== "ok") throw new Error(`${server.label}: ${status} is not ok`);
    return nowMs();
  }
}

/** All that is measured of one server; `bystander` is an idle one. */
export async function measureSystem(
  spec: ServerSpec,
  bystander: RunningServer,
  options: MeasureOptions,
): Promise<SystemResult["parts"]> {
  const { workDir, keys, perSecond, parts } = options;
  const dir = Deno.makeTempDirSync({ dir: workDir });
  const server = await startServer({ ...spec, command: [...spec.command, ...OPTIONS] }, dir);
  const run: Run = { server, dir, replica: null };
  const shape = shapeOf(keys);
  const results: SystemResult["parts"] = {};
  const unchecked: (() => void)[] = [];
  try {
    const pid = Number((await infoOf(server, "server")).get("process_id"));
    const emptyBytes = residentBytes(pid);
    const load = await Load.connect(server.port, shape, perSecond);
    await server.guard("filling", load.fill(), FILL_TIMEOUT_MS);
    await pause(SETTLE_MS);
    const datasetBytes = residentBytes(pid) - emptyBytes;
    let isWarm = false;
    for (const part of parts) {
      const kind = KINDS[part];
      await kind.prepare(run);
      await load.begin();
      if (!isWarm) await pause(WARM_UP_MS);
      isWarm = true;
      const watched = await watchOne(kind, run, pid, load, bystander);
      const report = await server.guard("the last writes", load.end());
      await kind.close(run);
      const result = resultOf(watched, report, perSecond, datasetBytes);
      results[part] = result;
      const checked = kind.result(run);
      result.fileBytes = Deno.statSync(checked.file).size;
      // Once the server has gone: what the check needs of the machine is to be no part of what comes next.
      unchecked.push(() => check(result, shape, checked, watched.counts, report));
      say(`${spec.label}: ${part}: ${lineOf(result)}`);
      say(`  ${longestOf(watched)}`);
    }
    load.close();
    if (parts.length === 0) throw new Error("nothing to measure");
    await server.stop();
    for (const look of unchecked) look();
  } finally {
    await server.stop();
    Deno.removeSync(dir, { recursive: true });
  }
  return results;
}

/** One snapshot as it was watched. */
interface Watched {
  probes: ProbeSample[];
  memory: MemoryPoint[];
  beganMs: number;
  endedMs: number;
  /** Processor time before and during the snapshot, in seconds. */
  cpuBefore: number;
  cpuDuring: number;
  /** Writes right before the snapshot was asked for, and when it was over. */
  counts: [before: LoadCounts, after: LoadCounts];
}

async function watchOne(
  kind: Kind,
  run: Run,
  pid: number,
  load: Load,
  bystander: RunningServer,
): Promise<Watched> {
  const watch = await Watch.begin(run.server.port, bystander.port);
  const memory = new MemoryWatch(pid);
  const idleCpu = cpuSeconds(pid);
  await pause(BEFORE_MS);
  const before = await load.counts();
  const beganCpu = cpuSeconds(pid);
  const beganMs = nowMs();
  const endedMs = await kind.take(run);
  const endedCpu = cpuSeconds(pid);
  const after = await load.counts();
  await pause(AFTER_MS);
  return {
    probes: await watch.end(),
    memory: await memory.end(),
    beganMs,
    endedMs,
    cpuBefore: beganCpu - idleCpu,
    cpuDuring: endedCpu - beganCpu,
    counts: [before, after],
  };
}

function resultOf(
  { probes, memory, beganMs, endedMs, cpuBefore, cpuDuring, counts }: Watched,
  { perSecond: answered, latestMs }: LoadReport,
  asked: number,
  datasetBytes: number,
): PartResult {
  const [before, after] = counts;
  const seconds = (endedMs - beganMs) / 1000;
  const resident = quantile(
    memory.filter(({ atMs }) => atMs < beganMs).map(({ bytes }) => bytes),
    0.5,
  );
  const during = memory.filter(({ atMs }) => atMs >= beganMs);
  const [probe, other] = probes.map((sample) => between(sample, beganMs, Infinity));
  const quiet = between(probes[0], 0, beganMs);
  return {
    seconds,
    cpuSeconds: cpuDuring - cpuBefore / (BEFORE_MS / 1000) * seconds,
    datasetBytes,
    extraBytes: Math.max(...during.map(({ bytes }) => bytes)) - resident,
    fileBytes: 0,
    longestMs: Math.max(...probe.latenciesMs),
    netMs: netStallMs(probe, other),
    p999Ms: quantile(probe.latenciesMs, 0.999),
    longestBeforeMs: Math.max(...quiet.latenciesMs),
    bystanderMs: Math.max(...other.latenciesMs),
    askedPerSecond: asked,
    writtenPerSecond: (after.answered - before.answered) / (after.atMs - before.atMs) * 1000,
    leastPerSecond: Math.min(...answered),
    clientLatestMs: latestMs,
    exact: "",
    latency: curveOf(
      probes[0].sentAtMs.map((ms, i) => [(ms - beganMs) / 1000, probes[0].latenciesMs[i]]),
    ),
    memory: curveOf(
      memory.map(({ atMs, bytes }) => [
        (atMs - beganMs) / 1000,
        Math.max(0, bytes - resident) / datasetBytes * 100,
      ]),
    ),
  };
}

function between(
  { sentAtMs, latenciesMs }: ProbeSample,
  fromMs: number,
  toMs: number,
): ProbeSample {
  const isIn = (_: number, i: number) =>
    sentAtMs[i] + latenciesMs[i] >= fromMs && sentAtMs[i] < toMs;
  return {
    sentAtMs: sentAtMs.filter(isIn),
    latenciesMs: latenciesMs.filter(isIn),
    refused: 0,
  };
}

/** Notes whether the snapshot is exact, and what of it is not. */
function check(
  result: PartResult,
  shape: Shape,
  { file, stream, isWhole }: ReturnType<Kind["result"]>,
  [before, after]: [LoadCounts, LoadCounts],
  { counts: last }: LoadReport,
): void {
  try {
    const instant = instantOf(file, shape);
    expectInstant(instant, before, after);
    const { number } = instant;
    const end = followsOn(instant, stream);
    if (isWhole && end < last.answered - TRAILING_MAX) {
      throw new Error(`the file ends at write ${end} of ${last.answered}`);
    }
    result.exact = "yes";
    say(
      `  exact: ${instant.elements} elements as of write ${number}, followed by all up to ${end}`,
    );
  } catch (error) {
    result.exact = (error as Error).message;
    say(`  NOT EXACT: ${result.exact}`);
  }
}

/** Writes at the end that may have changed nothing, and so are in no file: removals of what was not there. */
const TRAILING_MAX = 3;

function expectInstant({ number }: Instant, before: LoadCounts, after: LoadCounts): void {
  if (number >= before.answered && number <= after.sent) return;
  throw new Error(
    `of write ${number}, which is not between ${before.answered} and ${after.sent}, when it was made`,
  );
}

function lineOf(result: PartResult): string {
  const { seconds, longestMs, netMs, extraBytes, datasetBytes, writtenPerSecond } = result;
  return `${seconds.toFixed(1)} s, longest wait ${longestMs.toFixed(1)} ms (net ${
    netMs.toFixed(1)
  }, ` +
    `99.9 % ${result.p999Ms.toFixed(1)}, before ${result.longestBeforeMs.toFixed(1)}, bystander ` +
    `${result.bystanderMs.toFixed(1)}), memory +${
      (extraBytes / datasetBytes * 100).toFixed(1)
    } % of ` +
    `${(datasetBytes / 1e6).toFixed(0)} MB, ${(result.fileBytes / 1e6).toFixed(0)} MB, CPU ` +
    `${result.cpuSeconds.toFixed(1)} s, ${writtenPerSecond.toFixed(0)} writes/s (least ` +
    `${result.leastPerSecond}; client late by ${result.clientLatestMs.toFixed(1)} ms)`;
}

/** The longest waits and when they began: what happens then is to be looked at. */
function longestOf({ probes: [{ sentAtMs, latenciesMs }], beganMs }: Watched): string {
  const indices = latenciesMs.map((_, i) => i).filter((i) => sentAtMs[i] >= beganMs);
  const longest = indices.sort((a, b) => latenciesMs[b] - latenciesMs[a]).slice(0, LONGEST_SHOWN);
  const waits = longest.map((i) =>
    `${latenciesMs[i].toFixed(1)} ms at ${((sentAtMs[i] - beganMs) / 1000).toFixed(2)} s`
  );
  return `longest waits: ${waits.join(", ")}`;
}

const LONGEST_SHOWN = 8;

function say(text: string): void {
  console.error(text);
}
