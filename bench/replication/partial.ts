/**
 * How long a link is gone that is cut, and what clients of both sides feel: the master closes it, the replica
 * connects again and asks for a partial resync.
 */

import { encodeCommand, ErrorReply } from "../compare/client.ts";
import type { RunningServer, ServerSpec } from "../compare/servers.ts";
import { manyKeys } from "./datasets.ts";
import { type PartialSample, sideFigures } from "./figures.ts";
import { probed } from "./probe.ts";
import {
  equalOffsets,
  expectSameData,
  fullSyncs,
  infoOf,
  link,
  type Member,
  pause,
  startMember,
  stopMember,
  type System,
} from "./replica_set.ts";

export interface PartialOptions {
  keys: number;
  rounds: number;
  workDir: string;
  bystander: ServerSpec;
}

/** Cuts of a round. */
const CUTS = 8;
/** How long a link stands before it is cut: one that does not last is taken up again with pauses. */
const STANDS_MS = 1_500;
const BACK_TIMEOUT_MS = 60_000;

/** What is written right after a cut, and looked for at the replica. */
const MARKER = "cut";

/** All systems, round by round in turn: `samples[system][round]`. */
export async function measurePartial(
  systems: System[],
  options: PartialOptions,
): Promise<PartialSample[][]> {
  const samples: PartialSample[][] = systems.map(() => []);
  const dataset = manyKeys(options.keys);
  const started: Member[] = [];
  const start = async (spec: ServerSpec) => {
    const member = await startMember(spec, [], options.workDir);
    started.push(member);
    return member.server;
  };
  try {
    const pairs: { master: RunningServer; replica: RunningServer }[] = [];
    for (const system of systems) {
      const pair = { master: await start(system.master), replica: await start(system.replica) };
      await dataset.fill(pair.master);
      await link(pair.replica, pair.master);
      await equalOffsets([pair.replica], pair.master);
      pairs.push(pair);
    }
    const bystander = await start(options.bystander);
    for (let round = 0; round < options.rounds; round++) {
      for (const [i, { master, replica }] of pairs.entries()) {
        const syncsBefore = await fullSyncs(master);
        const { seen, result: backMs } = await probed(
          [
            [master, dataset.masterCommands],
            [replica, dataset.replicaCommands],
            [bystander, [["PING"]]],
          ],
          () => cuts(master, replica),
        );
        if (await fullSyncs(master) !== syncsBefore) {
          throw new Error(`${master.label}: a full sync after a cut${master.logTail()}`);
        }
        await equalOffsets([replica], master);
        await expectSameData(master, replica);
        const [ofMaster, ofReplica, ofBystander] = seen.map((each) => sideFigures(each, seen[2]));
        samples[i].push({ backMs, master: ofMaster, replica: ofReplica, bystander: ofBystander });
        report(systems[i], samples[i].at(-1)!);
      }
    }
  } finally {
    for (const member of started) await stopMember(member);
  }
  return samples;
}

async function cuts(master: RunningServer, replica: RunningServer): Promise<number[]> {
  const backMs: number[] = [];
  for (let cut = 0; cut < CUTS; cut++) {
    await pause(STANDS_MS);
    backMs.push(await cutAndWait(master, replica));
  }
  return backMs;
}

/** One cut, and one write right behind it: the milliseconds until the replica has this write. */
async function cutAndWait(master: RunningServer, replica: RunningServer): Promise<number> {
  const before = await partialSyncs(master);
  const startedAt = performance.now();
  const value = String(startedAt); // no other cut's
  const both = encodeCommand("CLIENT", "KILL", "TYPE", "replica") +
    encodeCommand("SET", MARKER, value);
  await master.exchange("cutting", new TextEncoder().encode(both), 2);
  while (await markerAt(replica) !== value) {
    if (performance.now() - startedAt > BACK_TIMEOUT_MS) {
      throw new Error(`${replica.label}: not back after a cut${replica.logTail()}`);
    }
  }
  const backMs = performance.now() - startedAt;
  if (await partialSyncs(master) !== before + 1) {
    throw new Error(`${master.label}: the cut write came without a partial resync`);
  }
  return backMs;
}

/** The marker as the replica has it, null also while it refuses to say. */
async function markerAt(replica: RunningServer): Promise<string | null> {
  try {
    return await replica.client.call("GET", MARKER);
  } catch (error) {
    if (error instanceof ErrorReply) return null;
    throw error;
  }
}

async function partialSyncs(master: RunningServer): Promise<number> {
  return Number((await infoOf(master, "stats")).get("sync_partial_ok"));
}

function report(system: System, sample: PartialSample): void {
  const sorted = sample.backMs.toSorted((a, b) => a - b);
  console.error(
    `partial resync, ${system.label}: ${sorted[sorted.length >> 1].toFixed(2)} ms, ` +
      `at most ${sorted.at(-1)!.toFixed(2)} ms; longest stall ` +
      `${sample.master.longestMs.toFixed(1)} ms master, ` +
      `${sample.replica.longestMs.toFixed(1)} ms replica, ` +
      `${sample.bystander.longestMs.toFixed(1)} ms bystander`,
  );
}
