/** The figures that the replication benchmark collects, its bars, and the arithmetic on samples of offsets. */

/** How a full sync leaves the master and enters the replica; the same options for every system. */
export interface SyncMode {
  title: string;
  options: string[];
}

/** One round of a full sync. */
export interface FullSyncSample {
  /** From REPLICAOF on a freshly started, empty replica until `master_link_status:up`. */
  emptyMs: number;
  /** The replica's CPU time during that, all threads. */
  replicaCpuMs: number;
  /** The same for a replica that holds as many keys already, while clients probe both sides. */
  resyncMs: number;
  master: ProbeSample;
  replica: ProbeSample;
  /** A server that takes no part: what the machine itself adds. */
  bystander: ProbeSample;
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
  /** CPU time per request of one replica, the mean; NaN without replicas. */
  replicaCpuMicros: number;
}

/** One pipeline depth: `samples[replicas][round]`. */
export interface ThroughputResult {
  pipeline: number;
  requests: number;
  samples: ThroughputSample[][];
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
}

/** An offset of the replication stream as a server told it. */
export interface OffsetSample {
  atMs: number;
  offset: number;
}

/** Limits that tsredis is held to. */
export const BARS = {
  /** Full sync: time as a ratio to redis-server. */
  fullSync: 1.2,
  /** Longest stall of a client, milliseconds. */
  stallMs: 10,
  /** Commands a replica applies to those a master accepts. */
  apply: 1,
};

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
