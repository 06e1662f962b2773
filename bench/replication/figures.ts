/** The figures that the replication benchmark collects, its bars, and the arithmetic on samples of offsets. */

import { quantile } from "../compare/results.ts";

/** How a full sync leaves the master and enters the replica; the same options for every system. */
export interface SyncMode {
  title: string;
  /** `repl-diskless-sync` of the master. */
  diskless: "yes" | "no";
  /** `repl-diskless-load` of the replica. */
  load: "disabled" | "swapdb";
}

/** One round of a full sync to one or several replicas at once. */
export interface FullSyncSample {
  /** From REPLICAOF on freshly started, empty replicas until the last says `master_link_status:up`. */
  emptyMs: number;
  /** CPU time of one replica during that, all threads; the mean. */
  replicaCpuMs: number;
  /** The same for replicas that hold as much already, while clients probe both sides. */
  resyncMs: number;
  master: SideFigures;
  /** The first of the replicas. */
  replica: SideFigures;
  /** A server that takes no part: what the machine itself adds. */
  bystander: SideFigures;
}

/** A full sync of one dataset in one mode. */
export interface FullSyncResult {
  /** Which part of the benchmark it belongs to. */
  part: SyncPart;
  /** "1,000,000 keys" */
  dataset: string;
  /** The title of a `SyncMode`. */
  mode: string;
  /** Replicas that ask at once. */
  replicas: number;
  samples: Both<FullSyncSample[]>;
}

/** The parts that are full syncs: a million keys, five million, large collections, several replicas at once. */
export const SYNC_PARTS = ["keys", "many", "large", "replicas"] as const;

export type SyncPart = typeof SYNC_PARTS[number];

/** All parts, in the order of the report. */
export const PARTS = [...SYNC_PARTS, "throughput", "partial", "apply", "translation"] as const;

export type Part = typeof PARTS[number];

/** Results of the reference and of the subject, in this order. */
export type Both<T> = [reference: T, subject: T];

/** A client's waits for one side, as they are kept. */
export interface SideFigures {
  asked: number;
  /** Replies that were errors, such as LOADING. */
  refused: number;
  longestMs: number;
  /** When the question was sent that waited longest, since the first one; milliseconds. */
  longestAtMs: number;
  /** The longest after what the bystander waited at the same time has been taken from each. */
  netMs: number;
  p999Ms: number;
}

/** What one probing client saw. */
export interface ProbeSample {
  /** When each question was sent, in the order of time; milliseconds on one clock for all probes. */
  sentAtMs: number[];
  /** How long its answer took. */
  latenciesMs: number[];
  /** Replies that were errors, such as LOADING. */
  refused: number;
}

/** A master under redis-benchmark with some replicas attached. */
export interface ThroughputSample {
  requestsPerSecond: number;
  /** CPU time per request, microseconds, all threads of the master. */
  masterCpuMicros: number;
  /** CPU time per request of one replica, the mean; 0 without replicas. */
  replicaCpuMicros: number;
}

/** One pipeline depth: `samples[replicas][round]`. */
export interface ThroughputResult {
  pipeline: number;
  requests: number;
  samples: ThroughputSample[][];
}

/** One round of short cuts of a link. */
export interface PartialSample {
  /** Of each cut: from cutting the link until a write made right after it could be read at the replica. */
  backMs: number[];
  master: SideFigures;
  replica: SideFigures;
  bystander: SideFigures;
}

/** One round of piling up and applying, and one of keeping up. */
export interface ApplySample {
  /** What the master accepted from redis-benchmark while the replica stood still. */
  acceptedPerSecond: number;
  appliedPerSecond: number;
  appliedBytesPerSecond: number;
  /** The replica's CPU time per applied command, microseconds. */
  replicaCpuMicros: number;
  /** From letting the replica go on until its link was up again. */
  relinkMs: number;
  /** Requests per second of the master while the replica followed. */
  followedPerSecond: number;
  lagBytesMax: number;
  lagMsMax: number;
  /** From the last request until both offsets were equal. */
  catchUpMs: number;
  /** Clients of the replica while it applied what had piled up. */
  replica: SideFigures;
  bystander: SideFigures;
}

/** A master under one load while one replica follows, or none. */
export interface TranslationSample {
  commandsPerSecond: number;
  /** CPU time per command, microseconds, all threads of the master. */
  masterCpuMicros: number;
  /** What INFO tells of the memory of all backlogs. */
  bufferBytes: number;
  residentBytes: number;
}

/** One load, with each of the replicas in turn. */
export interface TranslationResult {
  load: string;
  /** By the version of the replica, "none" first. Without samples where that version cannot follow the load. */
  followers: { title: string; samples: TranslationSample[] }[];
}

/** Every figure of one runtime, each part from the last run that measured it. */
export interface RuntimeResults {
  /** Names with versions. */
  reference: string;
  subject: string;
  /** Short names for the heads of columns. */
  labels: Both<string>;
  /** When each part was measured, and in how many rounds. */
  measured: { [part in Part]?: { date: string; rounds: number } };
  fullSync: FullSyncResult[];
  throughput?: Both<ThroughputResult[]>;
  partial?: Both<PartialSample[]>;
  /** The reference, the subject, and any mixed replica sets. */
  apply?: { label: string; samples: ApplySample[] }[];
  /** Of the subject alone. */
  translation?: TranslationResult[];
}

/** What bench/replication.json has. */
export interface ReplicationResults {
  machine: string;
  note?: string;
  deno?: RuntimeResults;
  bun?: RuntimeResults;
}

/** The runtimes of tsredis, in the order of pages and charts. */
export const RUNTIMES = ["deno", "bun"] as const;

export type RuntimeName = typeof RUNTIMES[number];

/** An offset of the replication stream as a server told it. */
export interface OffsetSample {
  atMs: number;
  offset: number;
}

/** Limits that tsredis is held to. */
export const BARS = {
  /** Full sync: time as a ratio to redis-server. */
  fullSync: 0.7,
  /** Longest stall of a client, milliseconds. */
  stallMs: 10,
  /** Partial resync after a cut: time as a ratio to redis-server. */
  partial: 1,
  /** Commands a replica applies to those a master accepts. */
  apply: 1,
};

/** What is kept of a probe; the bystander's own net figure is 0. */
export function sideFigures(probe: ProbeSample, bystander: ProbeSample): SideFigures {
  const longestMs = quantile(probe.latenciesMs, 1);
  const longestAt = probe.latenciesMs.indexOf(longestMs);
  return {
    asked: probe.latenciesMs.length,
    refused: probe.refused,
    longestMs,
    longestAtMs: probe.sentAtMs[longestAt] - probe.sentAtMs[0],
    netMs: probe === bystander ? 0 : netStallMs(probe, bystander),
    p999Ms: quantile(probe.latenciesMs, 0.999),
  };
}

/**
 * The longest answer of `probe` after taking from each what `bystander` waited at the same time: a pause of the
 * machine, or of this tool, delays both.
 */
export function netStallMs(probe: ProbeSample, bystander: ProbeSample): number {
  let longest = 0;
  let first = 0; // of the bystander's questions, the first that may still overlap
  for (const [i, sentAtMs] of probe.sentAtMs.entries()) {
    const latencyMs = probe.latenciesMs[i];
    while (
      first < bystander.sentAtMs.length &&
      bystander.sentAtMs[first] + bystander.latenciesMs[first] < sentAtMs
    ) first++;
    let shared = 0;
    for (let n = first; bystander.sentAtMs[n] <= sentAtMs + latencyMs; n++) {
      shared = Math.max(shared, bystander.latenciesMs[n]);
    }
    longest = Math.max(longest, latencyMs - shared);
  }
  return longest;
}

/**
 * The milliseconds in which the stream was applied: from the last sample that still shows `from` or less to
 * the first that shows `target` or more. NaN when the samples do not reach from one to the other.
 */
export function applyMs(samples: OffsetSample[], from: number, target: number): number {
  const end = samples.find((sample) => sample.offset >= target);
  const start = samples.findLast((sample) => sample.offset <= from);
  return end === undefined || start === undefined ? NaN : end.atMs - start.atMs;
}

/** The largest difference of offsets between samples taken side by side. */
export function lagBytesMax(master: OffsetSample[], replica: OffsetSample[]): number {
  return Math.max(0, ...replica.map((sample, i) => master[i].offset - sample.offset));
}

/**
 * The longest time that the replica was behind: how long ago the master stood where the replica stands. Between
 * samples the master's offset is taken to grow evenly. Both lists are in the order of time.
 */
export function lagMsMax(master: OffsetSample[], replica: OffsetSample[]): number {
  let longest = 0;
  for (const { atMs, offset } of replica) {
    // The moment at which the master left this offset behind.
    const after = master.findIndex((sample) => sample.offset > offset);
    if (after <= 0) continue;
    const before = master[after - 1];
    const share = (offset - before.offset) / (master[after].offset - before.offset);
    longest = Math.max(longest, atMs - (before.atMs + share * (master[after].atMs - before.atMs)));
  }
  return longest;
}
