/**
 * How fast a replica applies the stream, and how far it falls behind a busy master.
 *
 * The replica's process is stopped and its link cut; meanwhile redis-benchmark writes to the master, which keeps
 * it all in its backlog. Then the process goes on, asks for a partial resync, and is watched until it is even.
 * After that it follows the same load live.
 */

import type { RunningServer, ServerSpec } from "../compare/servers.ts";
import { runRedisBenchmark } from "../compare/speed.ts";
import {
  applyMs,
  type ApplySample,
  lagBytesMax,
  lagMsMax,
  type OffsetSample,
  sideFigures,
} from "./figures.ts";
import { Probes } from "./probe.ts";
import {
  equalOffsets,
  expectSameData,
  fullSyncs,
  infoOf,
  link,
  masterOffset,
  type Member,
  pause,
  replicaOffset,
  startMember,
  type System,
} from "./replica_set.ts";
import { setTest } from "./throughput.ts";

export interface ApplyOptions {
  rounds: number;
  /** Length that writing the piled-up commands should take on the fastest master. */
  runMs: number;
  /** Requests that set redis-benchmark's keys before anything is timed. */
  fillRequests: number;
  workDir: string;
  bystander: ServerSpec;
}

const PIPELINE = 16;
/** One of redis-benchmark's keys. */
const PROBED_KEY = "key:000000000001";
const SAMPLE_PAUSE_MS = 4;
const APPLY_TIMEOUT_MS = 120_000;

/** All systems, round by round in turn: `samples[system][round]`. */
export async function measureApply(
  systems: System[],
  options: ApplyOptions,
): Promise<ApplySample[][]> {
  const samples: ApplySample[][] = systems.map(() => []);
  const sets: { master: RunningServer; replica: Member }[] = [];
  const started: RunningServer[] = [];
  try {
    const bystander = (await startMember(options.bystander, [], options.workDir)).server;
    started.push(bystander);
    let fastest = 0;
    for (const system of systems) {
      const master = (await startMember(system.master, [], options.workDir)).server;
      started.push(master);
      const replica = await startMember(system.replica, [], options.workDir);
      started.push(replica.server);
      sets.push({ master, replica });
      await link(replica.server, master);
      fastest = Math.max(
        fastest,
        await runRedisBenchmark(master, setTest(PIPELINE), options.fillRequests),
      );
      await equalOffsets([replica.server], master);
    }
    const requests = Math.ceil(fastest * options.runMs / 1_000_000) * 1_000;
    for (let round = 0; round < options.rounds; round++) {
      for (const [i, { master, replica }] of sets.entries()) {
        const sample = {
          ...await pileUpAndApply(master, replica, bystander, requests),
          ...await follow(master, replica.server, requests),
        };
        samples[i].push(sample);
        if (round === options.rounds - 1) await expectSameData(master, replica.server);
        report(systems[i], sample);
      }
    }
  } finally {
    for (const server of started) await server.stop();
  }
  return samples;
}

async function pileUpAndApply(
  master: RunningServer,
  replica: Member,
  bystander: RunningServer,
  requests: number,
) {
  const before = (await masterOffset(master)).offset;
  const statsBefore = await infoOf(master, "stats");
  // Opened before the replica stands still: connecting is no part of what is watched.
  const probes = await Probes.open([
    [replica.server, [["PING"], ["GET", PROBED_KEY]]],
    [bystander, [["PING"]]],
  ]);
  try {
    const acceptedPerSecond = await pileUp(master, replica, requests);
    const target = (await masterOffset(master)).offset;
    const cpuBefore = replica.server.cpuMicros();
    const { seen, result: { offsets, relinkMs } } = await probes.during(() =>
      goOn(replica, target)
    );
    const replicaCpuMicros = (replica.server.cpuMicros() - cpuBefore) / requests;
    const statsAfter = await infoOf(master, "stats");
    const grown = (field: string) => Number(statsAfter.get(field)) - Number(statsBefore.get(field));
    if (grown("sync_full") !== 0 || grown("sync_partial_ok") !== 1) {
      throw new Error(`${replica.server.label}: no partial resync${master.logTail()}`);
    }
    const from = offsets[0].offset;
    const appliedBytesPerSecond = (target - from) / applyMs(offsets, from, target) * 1000;
    return {
      acceptedPerSecond,
      appliedPerSecond: appliedBytesPerSecond * requests / (target - before),
      appliedBytesPerSecond,
      replicaCpuMicros,
      relinkMs,
      replica: sideFigures(seen[0], seen[1]),
      bystander: sideFigures(seen[1], seen[1]),
    };
  } finally {
    letGoOn(replica); // after a failure it may still stand still
    probes.close();
  }
}

/** Stops the replica's process, cuts its link and writes: the requests per second. The replica stays stopped. */
async function pileUp(master: RunningServer, replica: Member, requests: number): Promise<number> {
  Deno.kill(replica.pid, "SIGSTOP");
  await master.call("CLIENT", "KILL", "TYPE", "replica");
  return await runRedisBenchmark(master, setTest(PIPELINE), requests);
}

function letGoOn({ pid }: Member): void {
  Deno.kill(pid, "SIGCONT");
}

/** Lets the replica's process go on and watches its offset until it reaches `target`. */
async function goOn(
  replica: Member,
  target: number,
): Promise<{ offsets: OffsetSample[]; relinkMs: number }> {
  letGoOn(replica);
  const continuedAt = performance.now();
  const offsets: OffsetSample[] = [];
  let relinkMs = NaN;
  for (;;) {
    const fields = await infoOf(replica.server);
    const atMs = performance.now();
    if (Number.isNaN(relinkMs) && fields.get("master_link_status") === "up") {
      relinkMs = atMs - continuedAt;
    }
    offsets.push({ atMs, offset: Number(fields.get("slave_repl_offset") ?? NaN) });
    if (offsets.at(-1)!.offset >= target) return { offsets, relinkMs };
    if (atMs - continuedAt > APPLY_TIMEOUT_MS) {
      throw new Error(
        `${replica.server.label}: not even after ${
          APPLY_TIMEOUT_MS / 1000
        } s${replica.server.logTail()}`,
      );
    }
    await pause(SAMPLE_PAUSE_MS);
  }
}

async function follow(master: RunningServer, replica: RunningServer, requests: number) {
  const syncsBefore = await fullSyncs(master);
  const masterOffsets: OffsetSample[] = [];
  const replicaOffsets: OffsetSample[] = [];
  let running = true;
  const benchmark = runRedisBenchmark(master, setTest(PIPELINE), requests).finally(() => {
    running = false;
  });
  benchmark.catch(() => {}); // awaited below, after the samples
  while (running) {
    const [ofMaster, ofReplica] = await Promise.all([masterOffset(master), replicaOffset(replica)]);
    masterOffsets.push(ofMaster);
    replicaOffsets.push(ofReplica);
    await pause(SAMPLE_PAUSE_MS);
  }
  const followedPerSecond = await benchmark;
  const catchUpMs = await equalOffsets([replica], master);
  if (await fullSyncs(master) !== syncsBefore) {
    throw new Error(`${master.label}: lost its replica under load${master.logTail()}`);
  }
  return {
    followedPerSecond,
    lagBytesMax: lagBytesMax(masterOffsets, replicaOffsets),
    lagMsMax: lagMsMax(masterOffsets, replicaOffsets),
    catchUpMs,
  };
}

function report(system: System, sample: ApplySample): void {
  console.error(
    `apply, ${system.label}: accepted ${Math.round(sample.acceptedPerSecond)}/s, applied ${
      Math.round(sample.appliedPerSecond)
    }/s ` +
      `(${(sample.appliedBytesPerSecond / 1e6).toFixed(1)} MB/s, ${
        sample.replicaCpuMicros.toFixed(2)
      } us CPU), ` +
      `link again after ${sample.relinkMs.toFixed(0)} ms; live at ${
        Math.round(sample.followedPerSecond)
      }/s ` +
      `at most ${(sample.lagBytesMax / 1e6).toFixed(2)} MB, ${
        sample.lagMsMax.toFixed(0)
      } ms behind, even after ` +
      `${sample.catchUpMs.toFixed(0)} ms; longest stall ${
        sample.replica.longestMs.toFixed(1)
      } ms replica, ${sample.bystander.longestMs.toFixed(1)} ms bystander`,
  );
}
