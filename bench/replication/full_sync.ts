/**
 * A full sync: its time on fresh replicas, and then what clients of both sides feel while replicas that hold data
 * already get it all again.
 *
 * Every round has new replicas, as a replica that is added has just been started; the master stays, and with it
 * the one fill. Each sync is ended by comparing the number of keys, each mode by comparing the data, where that does
 * not take longer than what is measured.
 */

import type { RunningServer, ServerSpec } from "../compare/servers.ts";
import { type Dataset, largeCollections, manyKeys } from "./datasets.ts";
import {
  type Both,
  type FullSyncResult,
  type FullSyncSample,
  sideFigures,
  type SyncMode,
  type SyncPart,
} from "./figures.ts";
import { probed } from "./probe.ts";
import {
  equalOffsets,
  expectSameData,
  link,
  type Member,
  pause,
  startMember,
  stopMember,
  type System,
  unlink,
} from "./replica_set.ts";

/** Disk or socket at the master; file first, or straight into memory, at the replica. */
export const SYNC_MODES: readonly SyncMode[] = [
  { title: "disk", diskless: "no", load: "disabled" },
  { title: "diskless", diskless: "yes", load: "disabled" },
  { title: "swapdb", diskless: "yes", load: "swapdb" },
];

export interface FullSyncOptions {
  /** Of the part `keys`; the others are in proportion. */
  keys: number;
  modes: readonly SyncMode[];
  rounds: number;
  workDir: string;
  bystander: ServerSpec;
}

/** What one part measures. */
interface Plan {
  dataset: Dataset;
  /** How many replicas ask at once, one count after the other. */
  counts: readonly number[];
  /** Whether the data are compared after the last round of each mode. */
  compares: boolean;
}

/** How long the probes go on once the link is up: the old data may still have to be given back. */
const AFTERMATH_MS = 500;

/** How many times as many keys the part `many` has. */
const MANY = 5;

function planOf(part: SyncPart, keys: number): Plan {
  switch (part) {
    case "keys":
      return { dataset: manyKeys(keys), counts: [1], compares: true };
    case "many":
      return { dataset: manyKeys(keys * MANY), counts: [1], compares: false };
    case "large":
      return { dataset: largeCollections(keys), counts: [1], compares: true };
    case "replicas":
      return { dataset: manyKeys(keys), counts: [2, 4], compares: true };
  }
}

/** One part in all modes, the systems round by round in turn. */
export async function measureFullSync(
  systems: Both<System>,
  part: SyncPart,
  options: FullSyncOptions,
): Promise<FullSyncResult[]> {
  const { dataset, counts, compares } = planOf(part, options.keys);
  const results: FullSyncResult[] = [];
  const started: Member[] = [];
  const start = async (spec: ServerSpec) => {
    const member = await startMember(spec, [], options.workDir);
    started.push(member);
    return member.server;
  };
  try {
    const masters: RunningServer[] = [];
    for (const system of systems) {
      const master = await start(system.master);
      await dataset.fill(master);
      masters.push(master);
    }
    const bystander = await start(options.bystander);
    for (const mode of options.modes) {
      for (const replicas of counts) {
        const result: FullSyncResult = {
          part,
          dataset: dataset.title,
          mode: mode.title,
          replicas,
          samples: [[], []],
        };
        for (let round = 0; round < options.rounds; round++) {
          for (const [i, system] of systems.entries()) {
            const sample = await measureRound(
              { system, master: masters[i], bystander, dataset, mode, replicas },
              options.workDir,
              compares && round === options.rounds - 1,
            );
            result.samples[i].push(sample);
            report(result, system, sample);
          }
        }
        results.push(result);
      }
    }
  } finally {
    for (const member of started) await stopMember(member);
  }
  return results;
}

/** A round with new replicas. */
interface Round {
  system: System;
  master: RunningServer;
  bystander: RunningServer;
  dataset: Dataset;
  mode: SyncMode;
  replicas: number;
}

async function measureRound(
  round: Round,
  workDir: string,
  compareData: boolean,
): Promise<FullSyncSample> {
  const { system, master, mode, replicas } = round;
  await master.call("CONFIG", "SET", "repl-diskless-sync", mode.diskless);
  // Of several replicas none is to be left for a snapshot after the one that the first gets.
  await master.call("CONFIG", "SET", "repl-diskless-sync-delay", replicas > 1 ? "5" : "0");
  await master.call("CONFIG", "SET", "repl-diskless-sync-max-replicas", String(replicas));
  const members: Member[] = [];
  try {
    for (let n = 0; n < replicas; n++) {
      members.push(
        await startMember(system.replica, ["--repl-diskless-load", mode.load], workDir),
      );
    }
    const servers = members.map(({ server }) => server);
    const sample = await measureReplicas(round, servers);
    if (compareData) { for (const server of servers) await expectSameData(master, server); }
    return sample;
  } finally {
    for (const member of members) await stopMember(member);
  }
}

async function measureReplicas(
  { master, bystander, dataset }: Round,
  replicas: RunningServer[],
): Promise<FullSyncSample> {
  const cpuMicros = () => replicas.reduce((sum, replica) => sum + replica.cpuMicros(), 0);
  const cpuBefore = cpuMicros();
  const emptyMs = await linkAll(replicas, master);
  const replicaCpuMs = (cpuMicros() - cpuBefore) / 1000 / replicas.length;
  await expectSynced(replicas, master, dataset.keys);
  for (const replica of replicas) await unlink(replica, master);

  const { seen, result: resyncMs } = await probed(
    [
      [master, dataset.masterCommands],
      [replicas[0], dataset.replicaCommands],
      [bystander, [["PING"]]],
    ],
    async () => {
      const ms = await linkAll(replicas, master);
      await pause(AFTERMATH_MS);
      return ms;
    },
  );
  await expectSynced(replicas, master, dataset.keys);
  const [ofMaster, ofReplica, ofBystander] = seen.map((each) => sideFigures(each, seen[2]));
  return {
    emptyMs,
    replicaCpuMs,
    resyncMs,
    master: ofMaster,
    replica: ofReplica,
    bystander: ofBystander,
  };
}

/** Links all at once: the milliseconds until the last link was up. */
async function linkAll(replicas: RunningServer[], master: RunningServer): Promise<number> {
  return Math.max(...await Promise.all(replicas.map((replica) => link(replica, master))));
}

async function expectSynced(
  replicas: RunningServer[],
  master: RunningServer,
  keys: number,
): Promise<void> {
  for (const replica of replicas) {
    const found = await replica.call("DBSIZE");
    if (found === String(keys)) continue;
    throw new Error(
      `${replica.label}: ${found} keys where ${keys} should be${replica.logTail()}`,
    );
  }
  await equalOffsets(replicas, master);
}

function report(
  { dataset, mode, replicas }: FullSyncResult,
  system: System,
  sample: FullSyncSample,
): void {
  console.error(
    `full sync, ${dataset}, ${mode}, replicas: ${replicas}, ${system.label}: ` +
      `${sample.emptyMs.toFixed(0)} ms (replica ${sample.replicaCpuMs.toFixed(0)} ms CPU); ` +
      `over old data ${sample.resyncMs.toFixed(0)} ms, longest stall ` +
      `${sample.master.longestMs.toFixed(1)} ms master (after ` +
      `${sample.master.longestAtMs.toFixed(0)} ms), ` +
      `${sample.replica.longestMs.toFixed(1)} ms replica (after ` +
      `${sample.replica.longestAtMs.toFixed(0)}), ` +
      `${sample.bystander.longestMs.toFixed(1)} ms bystander`,
  );
}
