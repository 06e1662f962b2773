/** What the snapshot benchmark keeps of its measurements, and what it asks of them. */

/** Points of a curve: seconds since the snapshot began, and a value. */
export type Curve = [seconds: number, value: number][];

/** One kind of snapshot of one server. */
export interface PartResult {
  /** From the command until the snapshot was complete. */
  seconds: number;
  /** Processor time meanwhile beyond what the writes took before, children included. */
  cpuSeconds: number;
  /** Resident memory of the filled server beyond that of the empty one. */
  datasetBytes: number;
  /** The most resident memory, private pages of a child included, beyond the median right before. */
  extraBytes: number;
  fileBytes: number;
  /** The longest wait of a client that sends PING, in milliseconds, until a moment after the end. */
  longestMs: number;
  /** The same less what the bystander waited at the same time. */
  netMs: number;
  p999Ms: number;
  /** The longest wait under the same writes before the snapshot. */
  longestBeforeMs: number;
  /** The longest wait for an idle server at the same time. */
  bystanderMs: number;
  askedPerSecond: number;
  /** Writes that were answered while the snapshot was made, and the fewest of any second. */
  writtenPerSecond: number;
  leastPerSecond: number;
  /** The latest that a batch of the writer was made, by its own fault. */
  clientLatestMs: number;
  /** "yes", or what is not. */
  exact: string;
  /** The longest wait in milliseconds, and extra memory in percent of the dataset, over time. */
  latency: Curve;
  memory: Curve;
}

export interface SystemResult {
  /** "redis-server 7.0.15", "tsredis 0.1.0 on Deno 2.9.6". */
  name: string;
  parts: { [part: string]: PartResult };
}

/** What bench/snapshot.json has. */
export interface SnapshotResults {
  date: string;
  machine: string;
  keys: number;
  perSecond: number;
  note?: string;
  /** By the names of systems in `snapshot.ts`. */
  systems: { [system: string]: SystemResult };
}

/** Limits that tsredis is held to. */
export const BARS = {
  /** Longest wait of a client, milliseconds. */
  stallMs: 10,
  /** Memory in addition, of the dataset. */
  extra: 0.1,
  /** Writes per second that have to be answered, of those that were asked for. */
  rate: 0.98,
};

/** Points that are kept of a curve. */
const POINTS = 160;
const STEP_MIN_SECONDS = 0.1;

/** A curve of at most POINTS points, evenly apart: the highest value around each. */
export function curveOf(points: Curve): Curve {
  const first = points[0][0];
  const last = points.at(-1)![0];
  const step = Math.max(STEP_MIN_SECONDS, (last - first) / POINTS);
  const highest = new Map<number, number>();
  for (const [seconds, value] of points) {
    const at = Math.round(seconds / step);
    highest.set(at, Math.max(highest.get(at) ?? -Infinity, value));
  }
  return [...highest].sort(([a], [b]) => a - b).map(([at, value]) => [
    Math.round(at * step * 100) / 100,
    Math.round(value * 100) / 100,
  ]);
}
