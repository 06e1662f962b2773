/** The snapshot benchmark's results as Markdown: the page SNAPSHOT.md, and a part of the README. */

import { MISSED, table } from "../compare/report.ts";
import { BARS, type PartResult, type SnapshotResults } from "./figures.ts";

/** The kinds of snapshots, as tables and charts name them. */
export const TITLES: Record<string, string> = {
  save: "BGSAVE",
  rewrite: "BGREWRITEAOF",
  sync: "full sync",
};

/** The reference comes first; it has no bars. */
export const SYSTEMS = ["redis", "deno", "bun"] as const;

/** The whole page. */
export function toMarkdown(results: SnapshotResults): string {
  const missed: string[] = [];
  const rows: string[][] = [];
  for (const [part, title] of Object.entries(TITLES)) {
    for (const system of SYSTEMS) {
      const measured = results.systems[system]?.parts[part];
      if (measured === undefined) continue;
      const { name } = results.systems[system];
      rows.push(row(`${title}, ${name}`, measured, system === "redis" ? null : missed));
    }
  }
  return [
    heading(results),
    table(HEAD, rows),
    missed.length === 0
      ? "## Bars\n\nEvery figure of tsredis meets its bar."
      : `## Bars\n\n${missed.length} missed:\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
  ].join("\n\n") + "\n";
}

const HEAD = [
  "Snapshot",
  "exact",
  "longest wait, ms",
  "net",
  "99.9 %",
  "before",
  "bystander",
  "memory +",
  "MB",
  "seconds",
  "CPU s",
  "file MB",
  "writes/s",
  "least",
];

function row(title: string, measured: PartResult, missed: string[] | null): string[] {
  const extra = measured.extraBytes / measured.datasetBytes;
  const verdict = (text: string, isMet: boolean, what: string) => {
    if (missed === null || isMet) return text;
    missed.push(`${title}: ${what}`);
    return `${text} ${MISSED}`;
  };
  const isHeld = measured.writtenPerSecond >= BARS.rate * measured.askedPerSecond;
  return [
    title,
    verdict(measured.exact === "yes" ? "yes" : "no", measured.exact === "yes", measured.exact),
    verdict(
      measured.longestMs.toFixed(1),
      measured.longestMs < BARS.stallMs,
      `longest wait ${measured.longestMs.toFixed(1)} ms (net ${
        measured.netMs.toFixed(1)
      }), bar ${BARS.stallMs} ms`,
    ),
    measured.netMs.toFixed(1),
    measured.p999Ms.toFixed(1),
    measured.longestBeforeMs.toFixed(1),
    measured.bystanderMs.toFixed(1),
    verdict(
      percent(extra),
      extra < BARS.extra,
      `memory +${percent(extra)} of the dataset, bar ${percent(BARS.extra)}`,
    ),
    `${megabytes(measured.extraBytes)} of ${megabytes(measured.datasetBytes)}`,
    measured.seconds.toFixed(1),
    measured.cpuSeconds.toFixed(1),
    megabytes(measured.fileBytes),
    count(measured.writtenPerSecond) + (isHeld ? "" : " (not held)"),
    count(measured.leastPerSecond),
  ];
}

function heading({ date, machine, keys, perSecond, note, systems }: SnapshotResults): string {
  const elements = count(Math.round(keys * 0.4));
  return [
    "# Snapshots of tsredis beside those of redis-server",
    "",
    "Written by `deno task bench:snapshot`; edit the tool rather than this page.",
    "",
    `- Date: ${date}`,
    `- Machine: ${machine}`,
    `- ${Object.values(systems).map(({ name }) => name).join("; ")}`,
    `- ${
      count(keys)
    } keys: one hash and one sorted set of ${elements} elements each, the others strings of 240 bytes`,
    `- ${
      count(perSecond)
    } writes per second to elements drawn at random (SET, DEL, HSET, ZADD), in pipelined batches every`,
    "  two milliseconds, before, during and after each snapshot",
    "- BGREWRITEAOF with `appendonly yes` and `appendfsync everysec`; the full sync over the socket, to a replica that",
    "  puts the snapshot into a file and throws away the stream. Servers, writer and watchers share the machine.",
    ...(note ? [`- Note: ${note}`] : []),
    "",
    "![waits and memory over time](snapshot.svg)",
    "",
    "Exact: every element has the value that the last write up to one number gave it, that number lies between those",
    "of the writes before the command and at its end, and the append-only file (to its end) or the replica's stream goes",
    "on with the next one. The longest wait is that of a client that sends PING about every millisecond, until 1.5",
    "seconds after the end; net is what is left of it less the wait of the same moment for the bystander, an idle",
    "redis-server; before is the longest wait under the same writes without a snapshot. Memory is the most that was",
    "resident beyond the median right before, for redis-server with the pages that only the child has, by what the data",
    "take. CPU is the processor time in addition to what the writes took before, of all threads and children.",
    `Bars: exact, waits under ${BARS.stallMs} ms, memory under ${percent(BARS.extra)}.`,
  ].join("\n");
}

/** Two sentences with the figures that count most. */
export function readmeMarkdown(results: SnapshotResults): string {
  const parts = Object.keys(TITLES);
  const range = (
    system: string,
    of: (measured: PartResult) => number,
    unit: string,
    digits = 0,
  ) => {
    const figures = parts.flatMap((part) => {
      const measured = results.systems[system]?.parts[part];
      return measured === undefined ? [] : [of(measured).toFixed(digits)];
    });
    return `${andList(figures)} ${unit}`;
  };
  const waits = (system: string) => range(system, ({ longestMs }) => longestMs, "ms", 1);
  const extra = (system: string) =>
    range(system, ({ extraBytes, datasetBytes }) => extraBytes / datasetBytes * 100, "%", 1);
  return [
    `With ${count(results.keys)} keys and ${
      count(results.perSecond)
    } writes per second, the longest wait of another client`,
    `during ${andList(Object.values(TITLES))} was ${waits("redis")} for redis-server,`,
    `which forks, ${waits("deno")} for tsredis on Deno and ${waits("bun")} on Bun.`,
    `The memory taken in addition was ${extra("redis")} of the data for redis-server,`,
    `${extra("deno")} on Deno and ${extra("bun")} on Bun.`,
  ].join("\n") + "\n";
}

/** "a, b and c". */
function andList(items: string[]): string {
  return items.length < 2 ? items.join() : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

function megabytes(bytes: number): string {
  return count(Math.round(bytes / 1e6));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share === BARS.extra ? 0 : 1)} %`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}
