/** LATENCY: spikes of named events, the latest 160 of each. */

const SAMPLES_MAX = 160;

export interface LatencySample {
  /** Unix time in seconds. */
  readonly time: number;
  ms: number;
}

export interface LatencyEvent {
  /** Longest in ms since the last reset. */
  max: number;
  /** Oldest first; one a second at the most (the longest). */
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
