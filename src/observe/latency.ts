/** LATENCY: keeps the latest 160 spikes of each kind of event. */

const SAMPLES_MAX = 160;

export interface LatencySample {
  /** Unix time in seconds. */
  readonly time: number;
  ms: number;
}

export interface LatencyEvent {
  /** The longest one since the last reset, in ms. */
  max: number;
  /** Oldest first; of each second only the longest one. */
  readonly samples: LatencySample[];
}

export class LatencyMonitor {
  /** Events shorter than this many ms are not kept; 0 turns the monitor off. */
  thresholdMs = 0;
  readonly events = new Map<string, LatencyEvent>();

  /** Notes that `event` took `ms` milliseconds. */
  add(event: string, ms: number, nowMs: number): void {
    if (this.thresholdMs === 0 || ms < this.thresholdMs) return;
    let entry = this.events.get(event);
    if (entry === undefined) {
      entry = { max: 0, samples: [] };
      this.events.set(event, entry);
    }
    const whole = Math.floor(ms);
    const time = Math.floor(nowMs / 1000);
    entry.max = Math.max(entry.max, whole);
    const last = entry.samples.at(-1);
    if (last !== undefined && last.time === time) {
      last.ms = Math.max(last.ms, whole);
      return;
    }
    entry.samples.push({ time, ms: whole });
    if (entry.samples.length > SAMPLES_MAX) entry.samples.shift();
  }
}

/**
 * How many rows the longest bar has, and the signs for a row that a bar does not, partly or wholly
 * fill.
 */
const GRAPH_ROWS = 4;
const TOPS = " _o#";

/**
 * The samples as bars, oldest on the left, each with its age below: the longest fills all rows, the
 * shortest is a line. `nowMs` is Unix time.
 */
export function drawGraph(name: string, { max, samples }: LatencyEvent, nowMs: number): string {
  const times = samples.map(({ ms }) => ms);
  const high = Math.max(...times);
  const low = Math.min(...times);
  const steps = GRAPH_ROWS * (TOPS.length - 1);
  const heights = times.map((ms) =>
    high === low ? 1 : 1 + Math.round((ms - low) / (high - low) * (steps - 1))
  );
  let text = `${name} - high ${high} ms, low ${low} ms (all time high ${max} ms)\n` +
    "-".repeat(80) + "\n";
  for (let row = GRAPH_ROWS - 1; row >= 0; row--) {
    for (const height of heights) {
      const part = height - row * (TOPS.length - 1);
      text += TOPS[Math.max(0, Math.min(TOPS.length - 1, part))];
    }
    text += "\n";
  }
  const ages = samples.map(({ time }) => age(Math.max(0, Math.floor(nowMs / 1000) - time)));
  for (let row = 0; row < Math.max(...ages.map((each) => each.length)); row++) {
    text += "\n" + ages.map((each) => each[row] ?? " ").join("");
  }
  return text + "\n";
}

/** An age in its largest unit: "5s", "12m", "3h", "2d". */
function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
