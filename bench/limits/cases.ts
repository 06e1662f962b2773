/**
 * What a case of the limits is: the same steps against either server, the figures they give, and the bars
 * that ours are held to. A subject is a file beside this one that exports its cases; `subjects.ts` lists them.
 */

import type { Bench } from "./bench.ts";

/**
 * Figures by their titles, which name the unit: "time, ms". Those that `Bench` takes are in `FIGURE`; a case
 * may have others of its own. NaN where a server has no such figure.
 */
export type Figures = Record<string, number>;

/** Titles of the figures that `Bench` takes. */
export const FIGURE = {
  time: "time, ms",
  peak: "peak memory, MB",
  stall: "longest wait of another client, ms",
  after: "memory after, MB",
  used: "used_memory, MB",
} as const;

/** What our figure is held to. */
export interface Bar {
  /** As the table shows it: "≤ 1.5 of redis". */
  title: string;
  /** Whether ours meets it; `ours` and `redis` are all figures of the case. */
  isMet(title: string, ours: Figures, redis: Figures): boolean;
}

/** One row group of the table. */
export interface LimitsCase {
  title: string;
  /** About how long it takes for both servers, without their start, in milliseconds: for the time left. */
  expectedMs: number;
  /** Options of the server, as on its command line. */
  options?: string[];
  /** Puts the data in place; not measured. */
  prepare?(bench: Bench): Promise<void>;
  /** What is measured, mostly by `bench.watch` and `bench.memoryAfter`. A fresh server for each round. */
  run(bench: Bench): Promise<Figures>;
  /** By title of the figure; a figure without a bar is shown all the same. */
  bars: Record<string, Bar>;
}

/**
 * At most `factor` of redis-server's figure. Where both are so small that their ratio says nothing, give
 * `slack`: ours may always be as much as that above redis-server's.
 */
export function ratioAtMost(factor: number, slack = 0): Bar {
  return {
    title: `≤ ${factor} of redis`,
    isMet: (title, ours, redis) =>
      ours[title] <= Math.max(factor * redis[title], redis[title] + slack),
  };
}

/** At most this, whatever redis-server has. */
export function atMost(value: number): Bar {
  return { title: `≤ ${value}`, isMet: (title, ours) => ours[title] <= value };
}

/**
 * Memory after a load, or resident memory under a limit: at most `factor` of another figure of the case and
 * `slack` more. Both are figures of ours.
 */
export function atMostOf(other: string, factor: number, slack = 0): Bar {
  return {
    title: `≤ ${factor} × ${other.replace(/, .*/, "")}${slack === 0 ? "" : ` + ${slack}`}`,
    isMet: (title, ours) => ours[title] <= factor * ours[other] + slack,
  };
}
