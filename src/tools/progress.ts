/**
 * How far a long tool has come, on one line of a terminal: bytes, keys, percent, time left. Where standard error is no
 * terminal nothing is shown. It is also the place where long work lets Ctrl-C in:
 *
 *     const progress = new Progress(host, "Reading", totalBytes);
 *     try {
 *       while (…) if (progress.isDue()) await progress.show(bytes, keys);
 *     } finally {
 *       progress.end();
 *     }
 */

import { formatBytes } from "../observe/bytes_for_people.ts";
import type { ToolHost } from "./tool.ts";

/** Between two looks at signals. */
const LOOK_MS = 50;
/** Between two lines. */
const SHOW_MS = 200;
/** What is over sooner is not worth a line. */
const FIRST_MS = 500;
/** Pace is not told from less than that. */
const PACE_MS = 1_000;

export class Progress {
  readonly #host: ToolHost;
  readonly #what: string;
  readonly #totalBytes: number;
  readonly #startedMs: number;
  #lookMs: number;
  #showMs: number;
  #isShown = false;

  /** `what` is what is being done: "Reading". `totalBytes` is 0 where nobody knows. */
  constructor(host: ToolHost, what: string, totalBytes: number) {
    this.#host = host;
    this.#what = what;
    this.#totalBytes = totalBytes;
    this.#startedMs = this.#now();
    this.#lookMs = this.#startedMs + LOOK_MS;
    this.#showMs = this.#startedMs + FIRST_MS;
  }

  #now(): number {
    return this.#host.runtime.clock.monotonic();
  }

  /** Whether it is time for `show`. Costs a look at the clock. */
  isDue(): boolean {
    return this.#now() >= this.#lookMs;
  }

  /** Lets signals in, and shows the line where that is due. @throws Interrupted */
  async show(bytes: number, keys: number): Promise<void> {
    const nowMs = this.#now();
    if (this.#host.isTerminal && nowMs >= this.#showMs) {
      const columns = this.#host.runtime.process.terminalColumns();
      const line = this.#line(bytes, keys, nowMs - this.#startedMs).slice(0, columns - 1);
      this.#host.remark(`\r${line}\x1b[K`);
      this.#isShown = true;
      this.#showMs = nowMs + SHOW_MS;
    }
    await this.#host.checkpoint();
    this.#lookMs = this.#now() + LOOK_MS;
  }

  /** Clears the line away. May be repeated. */
  end(): void {
    if (this.#isShown) this.#host.remark("\r\x1b[K");
    this.#isShown = false;
  }

  #line(bytes: number, keys: number, passedMs: number): string {
    if (bytes === 0) return `${this.#what}: ${keys} keys`;
    const done = `${this.#what}: ${formatBytes(bytes)}`;
    const counted = keys > 0 ? `, ${keys} keys` : "";
    if (this.#totalBytes === 0) return done + counted;
    const part = Math.min(1, bytes / this.#totalBytes);
    const percent = `${done} of ${formatBytes(this.#totalBytes)}${counted}, ${
      Math.floor(part * 100)
    } %`;
    if (passedMs < PACE_MS || part === 0) return percent;
    return `${percent}, ${durationText(passedMs / part * (1 - part))} left`;
  }
}

/** A duration as a person says it: "40 s", "12 min", "3 h". */
export function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
