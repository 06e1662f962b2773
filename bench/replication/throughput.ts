/**
 * What replicas cost a master: redis-benchmark's SET with none, one and two of them attached.
 *
 * The key range is filled before anything is timed and stays, so that every run overwrites. Systems take turns
 * at every step, and odd rounds go from two replicas down to none, so that a drift of the machine meets all alike.
 */

import { type RunningServer } from "../compare/servers.ts";
import { runRedisBenchmark, type Test } from "../compare/speed.ts";
import { VARIANTS, WORKLOADS } from "../compare/workloads.ts";
import type { ThroughputResult, ThroughputSample } from "./figures.ts";
import {
  equalOffsets,
  expectSameData,
  fullSyncs,
  link,
  startMember,
  type System,
  unlink,
} from "./replica_set.ts";

export interface ThroughputOptions {
  rounds: number;
  /** Length a timed run should have on the fastest master. */
  runMs: number;
  /** Requests that set redis-benchmark's keys before anything is timed. */
  fillRequests: number;
  workDir: string;
}

/** Replicas attached at most. */
const REPLICAS = 2;

const PIPELINES = [16, 1];

/** Requests that tell how many make a run of the wanted length. */
const GUESS_REQUESTS = 50_000;

interface ReplicaSet {
  system: System;
  master: RunningServer;
  replicas: RunningServer[];
  /** How many of the replicas are attached, the first ones. */
  attached: number;
}

/** SET at random keys. */
export function setTest(pipeline: number): Test {
  return {
    workload: WORKLOADS.find((workload) => workload.name === "set")!,
    variant: VARIANTS.find((variant) => variant.id === "random")!,
    pipeline,
  };
}

/** All systems, `results[system]` holding a result per pipeline depth. */
export async function measureThroughput(
  systems: System[],
  options: ThroughputOptions,
): Promise<ThroughputResult[][]> {
  const sets: ReplicaSet[] = [];
  const started: RunningServer[] = [];
  try {
    for (const system of systems) {
      const start = async (spec: System["master"]) => {
        const { server } = await startMember(spec, [], options.workDir);
        started.push(server);
        return server;
      };
      const master = await start(system.master);
      const replicas: RunningServer[] = [];
      for (let n = 0; n < REPLICAS; n++) replicas.push(await start(system.replica));
      sets.push({ system, master, replicas, attached: 0 });
    }
    return await measureSets(sets, options);
  } finally {
    for (const server of started) await server.stop();
  }
}

async function measureSets(
  sets: ReplicaSet[],
  options: ThroughputOptions,
): Promise<ThroughputResult[][]> {
  for (const set of sets) {
    await attach(set, REPLICAS);
    await timedRun(set, 16, options.fillRequests);
  }
  const results: ThroughputResult[][] = sets.map(() => []);
  for (const pipeline of PIPELINES) {
    let fastest = 0;
    for (const set of sets) {
      const { requestsPerSecond } = await timedRun(set, pipeline, GUESS_REQUESTS);
      fastest = Math.max(fastest, requestsPerSecond);
    }
    const requests = Math.ceil(fastest * options.runMs / 1_000_000) * 1_000;
    for (const result of results) {
      result.push({
        pipeline,
        requests,
        samples: Array.from({ length: REPLICAS + 1 }, () => []),
      });
    }
  }
  for (const set of sets) await expectSameData(set.master, set.replicas[REPLICAS - 1]);

  for (let round = 0; round < options.rounds; round++) {
    const counts = Array.from({ length: REPLICAS + 1 }, (_, n) => n);
    if (round % 2 === 0) counts.reverse(); // all are attached by now
    for (const count of counts) {
      for (const set of sets) await attach(set, count);
      for (const index of PIPELINES.keys()) {
        for (const [i, set] of sets.entries()) {
          const { pipeline, requests, samples } = results[i][index];
          samples[count].push(await timedRun(set, pipeline, requests));
          report(set, pipeline, samples[count].at(-1)!);
        }
      }
    }
  }
  return results;
}

async function attach(set: ReplicaSet, count: number): Promise<void> {
  while (set.attached > count) await unlink(set.replicas[--set.attached], set.master);
  while (set.attached < count) await link(set.replicas[set.attached++], set.master);
  await equalOffsets(set.replicas.slice(0, count), set.master);
}

/** One run, and afterwards the time the replicas need to come even: nothing of it is left for the next. */
async function timedRun(
  { master, replicas, attached }: ReplicaSet,
  pipeline: number,
  requests: number,
): Promise<ThroughputSample> {
  const following = replicas.slice(0, attached);
  const syncsBefore = await fullSyncs(master);
  const replicaBefore = following.map((replica) => replica.cpuMicros());
  const masterBefore = master.cpuMicros();
  const requestsPerSecond = await runRedisBenchmark(master, setTest(pipeline), requests);
  await equalOffsets(following, master);
  const masterCpuMicros = (master.cpuMicros() - masterBefore) / requests;
  const replicaMicros = following.map((replica, i) => replica.cpuMicros() - replicaBefore[i]);
  if (await fullSyncs(master) !== syncsBefore) {
    throw new Error(`${master.label}: lost a replica under load${master.logTail()}`);
  }
  return {
    requestsPerSecond,
    masterCpuMicros,
    replicaCpuMicros: replicaMicros.reduce((sum, micros) => sum + micros, 0) /
      Math.max(1, attached) / requests,
  };
}

function report(set: ReplicaSet, pipeline: number, sample: ThroughputSample): void {
  console.error(
    `SET -P ${pipeline}, ${set.attached} replicas, ${set.system.label}: ` +
      `${Math.round(sample.requestsPerSecond)} req/s, ${
        sample.masterCpuMicros.toFixed(2)
      } us CPU of the master` +
      (set.attached > 0 ? `, ${sample.replicaCpuMicros.toFixed(2)} of a replica` : ""),
  );
}
