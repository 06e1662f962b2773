/**
 * The table of speed in README.md: every test on both runtimes beside redis-server, made from what the last whole
 * runs left (results.json, results-bun.json).
 */

import { table } from "./report.ts";
import { median, SPEED_BARS, speedBar, speedRatio, type SpeedResult } from "./results.ts";
import { VARIANTS } from "./workloads.ts";

/** What the table is made from: a part of what `toJson` writes. */
export interface SavedResults {
  date: string;
  machine: string;
  rounds: number;
  referenceVersion: string;
  subjectRuntime: string | null;
  speed?: SpeedResult[];
}

/** What stands behind the name of a test for each variant. */
const SUFFIXES = { plain: "", random: " `-r`", large: " 512 B" };

/** Markdown: what was measured, the table, and how it is read. */
export function speedMarkdown(runs: SavedResults[]): string {
  const measured = runs.filter((run) => run.speed !== undefined);
  return [...measured.map(origin), "", speedTable(measured), "", ...LEGEND].join("\n") + "\n";
}

const LEGEND = [
  "Requests per second by those of redis-server (1.2: a fifth more), and in brackets the processor's time for a",
  "request in µs, user and system time of the whole server. What is bold misses its bar.",
  ...SPEED_BARS,
];

function origin({ date, machine, rounds, referenceVersion, subjectRuntime }: SavedResults): string {
  return `- ${subjectRuntime}: ${date}, ${machine}; redis-server ${referenceVersion}; rounds: ${rounds}`;
}

function speedTable(runs: SavedResults[]): string {
  const all = runs.flatMap((run) => run.speed!);
  const pipelines = [...new Set(all.map(({ pipeline }) => pipeline))].sort((a, b) => a - b);
  const head = ["Test"];
  for (const pipeline of pipelines) {
    head.push(
      `\`-P ${pipeline}\` redis`,
      ...runs.map((run) => run.subjectRuntime?.split(" ")[0] ?? ""),
    );
  }
  const rows: string[][] = [];
  for (const { id } of VARIANTS) {
    for (
      const test of new Set(all.filter(({ variant }) => variant === id).map(({ test }) => test))
    ) {
      const row = [test.toUpperCase() + SUFFIXES[id]];
      for (const pipeline of pipelines) {
        row.push(
          ...cells(
            runs.map(({ speed }) =>
              speed!.find((result) =>
                result.test === test && result.variant === id && result.pipeline === pipeline
              )
            ),
          ),
        );
      }
      rows.push(row);
    }
  }
  return table(head, rows);
}

/** The cells of one test at one depth: redis-server's time, then each runtime; empty where it was not run. */
function cells(results: (SpeedResult | undefined)[]): string[] {
  const there = results.filter((result) => result !== undefined);
  if (there.length === 0) return ["", ...results.map(() => "")];
  const cpu = (samples: SpeedResult["subject"]) =>
    median(samples.map(({ cpuMicros }) => cpuMicros)).toFixed(2);
  const isMissed = Math.max(...there.map(speedRatio)) < speedBar(there[0]);
  return [
    cpu(there.flatMap(({ reference }) => reference)),
    ...results.map((result) => {
      if (result === undefined) return "";
      // Cut rather than rounded when too low: 0.998 must not read as 1.00.
      const ratio = speedRatio(result);
      const shown = (isMissed ? Math.floor(ratio * 100) / 100 : ratio).toFixed(2);
      return `${isMissed ? `**${shown}**` : shown} (${cpu(result.subject)})`;
    }),
  ];
}
