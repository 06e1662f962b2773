/**
 * A full sync of many keys: its time on a fresh replica, and then what clients of both sides feel while a
 * replica that holds data already gets it all again.
 *
 * Every round has a new replica, as a replica that is added has just been started; the master stays, and with
 * it the one fill. Each sync is ended by comparing the number of keys, each mode by comparing the data.
 */

import { encodeCommand } from "../compare/client.ts";
import type { RunningServer, ServerSpec } from "../compare/servers.ts";
import type { FullSyncSample, ProbeSample, SyncMode } from "./figures.ts";
import { Probe } from "./probe.ts";
import {
  equalOffsets,
  expectSameData,
  link,
  type Member,
  pause,
  startMember,
  type System,
  unlink,
} from "./replica_set.ts";

/** Disk or socket at the master; file first, or straight into memory, at the replica. */
export const SYNC_MODES: SyncMode[] = [
  {
    title: "disk",
    options: ["--repl-diskless-sync", "no", "--repl-diskless-load", "disabled"],
  },
  {
    title: "diskless",
    options: ["--repl-diskless-sync", "yes", "--repl-diskless-load", "disabled"],
  },
  {
    title: "diskless, swapdb",
    options: ["--repl-diskless-sync", "yes", "--repl-diskless-load", "swapdb"],
  },
];

export interface FullSyncOptions {
  keys: number;
  rounds: number;
  workDir: string;
  bystander: ServerSpec;
}

/** How long the probes run before the sync begins, so that their own code is warm. */
const WARM_UP_MS = 500;

/** How long they go on once the link is up: the old data may still have to be given back. */
const AFTERMATH_MS = 500;

/** One mode for all systems, round by round in turn: `samples[system][round]`. */
export async function measureFullSync(
  systems: System[],
  mode: SyncMode,
  options: FullSyncOptions,
): Promise<FullSyncSample[][]> {
  const samples: FullSyncSample[][] = systems.map(() => []);
  const started: RunningServer[] = [];
  try {
    const masters: RunningServer[] = [];
    for (const system of systems) {
      const { server } = await startMember(system.master, mode.options, options.workDir);
      started.push(server);
      masters.push(server);
      await server.fill(options.keys, fillCommand);
    }
    const bystander = (await startMember(options.bystander, [], options.workDir)).server;
    started.push(bystander);
    for (let round = 0; round < options.rounds; round++) {
      for (const [i, system] of systems.entries()) {
        const replica = await startMember(system.replica, mode.options, options.workDir);
        try {
          const sample = await measureRound(masters[i], replica, bystander, options.keys);
          samples[i].push(sample);
          if (round === options.rounds - 1) await expectSameData(masters[i], replica.server);
          report(mode, system, sample);
        } finally {
          await replica.server.stop();
        }
      }
    }
  } finally {
    for (const server of started) await server.stop();
  }
  return samples;
}

async function measureRound(
  master: RunningServer,
  { server: replica }: Member,
  bystander: RunningServer,
  keys: number,
): Promise<FullSyncSample> {
  const cpuBefore = replica.cpuMicros();
  const emptyMs = await link(replica, master);
  const replicaCpuMs = (replica.cpuMicros() - cpuBefore) / 1000;
  await expectKeys(replica, keys);
  await equalOffsets([replica], master);
  await unlink(replica, master);

  const opened: Probe[] = [];
  let resyncMs: number;
  let watched: ProbeSample[];
  try {
    for (
      const [server, commands] of [
        [master, masterCommands(keys)],
        [replica, replicaCommands(keys)],
        [bystander, [["PING"]]],
      ] as [RunningServer, string[][]][]
    ) {
      opened.push(await Probe.open(server, commands));
    }
    const warmUp = opened.map((probe) => probe.watch());
    await pause(WARM_UP_MS);
    opened.forEach((probe) => probe.stop());
    await Promise.all(warmUp);

    const watching = opened.map((probe) => probe.watch());
    resyncMs = await link(replica, master);
    await pause(AFTERMATH_MS);
    opened.forEach((probe) => probe.stop());
    watched = await Promise.all(watching);
  } finally {
    opened.forEach((probe) => probe.close());
  }
  await expectKeys(replica, keys);
  await equalOffsets([replica], master);
  return {
    emptyMs,
    replicaCpuMs,
    resyncMs,
    master: watched[0],
    replica: watched[1],
    bystander: watched[2],
  };
}

/** Eight of ten keys are strings, one is a hash, one a list; strings and parts have 16 to 32 bytes. */
function fillCommand(i: number): string {
  const key = `key:${i}`;
  switch (i % 10) {
    case 8:
      return encodeCommand(
        "HSET",
        key,
        ...[0, 1, 2, 3].flatMap((n) => [`field:${n}`, valueOf(i + n)]),
      );
    case 9:
      return encodeCommand("RPUSH", key, ...[0, 1, 2, 3].map((n) => valueOf(i + n)));
    default:
      return encodeCommand("SET", key, valueOf(i));
  }
}

function valueOf(i: number): string {
  const mixed = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  return mixed.toString(36).padStart(8, "v").repeat(4).slice(0, 16 + mixed % 17);
}

/** Keys that hold strings, far from one another. */
function probedKey(i: number, keys: number): string {
  return `key:${(Math.imul(i, 0x9e3779b1) >>> 0) % Math.floor(keys / 10) * 10}`;
}

/** The writes matter: they are what a forked child's pages or a snapshot's hook make dearer. */
function masterCommands(keys: number): string[][] {
  return Array.from({ length: 3_000 }, (_, i) => {
    const key = probedKey(i, keys);
    return [["PING"], ["GET", key], ["SET", key, valueOf(i)]][i % 3];
  });
}

function replicaCommands(keys: number): string[][] {
  return Array.from({ length: 3_000 }, (_, i) => [["PING"], ["GET", probedKey(i, keys)]][i % 2]);
}

async function expectKeys(server: RunningServer, keys: number): Promise<void> {
  const found = await server.call("DBSIZE");
  if (found !== String(keys)) {
    throw new Error(`${server.label}: ${found} keys where ${keys} should be${server.logTail()}`);
  }
}

function report(mode: SyncMode, system: System, sample: FullSyncSample): void {
  const longest = (probe: ProbeSample) => Math.max(...probe.latenciesMs).toFixed(1);
  console.error(
    `full sync, ${mode.title}, ${system.label}: ${sample.emptyMs.toFixed(0)} ms ` +
      `(replica ${sample.replicaCpuMs.toFixed(0)} ms CPU); over old data ${
        sample.resyncMs.toFixed(0)
      } ms, longest stall ` +
      `${longest(sample.master)} ms master, ${longest(sample.replica)} ms replica, ` +
      `${longest(sample.bystander)} ms bystander`,
  );
}
