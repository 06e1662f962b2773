/** The replication benchmark's results as Markdown, for the terminal and REPLICATION.md. */

import { MISSED, table } from "../compare/report.ts";
import { median, quantile } from "../compare/results.ts";
import {
  type ApplySample,
  BARS,
  type FullSyncSample,
  netStallMs,
  type ProbeSample,
  type SyncMode,
  type ThroughputResult,
} from "./figures.ts";

/** Results of the reference and of the subject, in this order. */
export type Both<T> = [reference: T, subject: T];

/** What one invocation measured; what was not asked for is absent. */
export interface ReplicationResults {
  fullSync?: { mode: SyncMode; samples: Both<FullSyncSample[]> }[];
  throughput?: Both<ThroughputResult[]>;
  /** The reference, the subject, and any mixed replica sets. */
  apply?: { label: string; samples: ApplySample[] }[];
}

/** What the heading of a report says besides the figures. */
export interface ReplicationContext {
  date: string;
  machine: string;
  /** Names with versions. */
  reference: string;
  subject: string;
  /** Short names for the heads of columns. */
  labels: Both<string>;
  rounds: number;
  keys: number;
  note?: string;
}

/** The whole report. A figure that misses its bar says so in its row, and again at the end. */
export function toMarkdown(results: ReplicationResults, context: ReplicationContext): string {
  const missed: string[] = [];
  const sections = [heading(context)];
  if (results.fullSync) {
    sections.push(fullSyncSection(results.fullSync, context, missed));
    sections.push(stallSection(results.fullSync, context, missed));
  }
  if (results.throughput) sections.push(throughputSection(results.throughput, context, missed));
  if (results.apply) sections.push(applySection(results.apply, missed));
  sections.push(
    missed.length === 0
      ? "## Bars\n\nEvery figure above meets its bar."
      : `## Bars\n\n${missed.length} missed:\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
  );
  return sections.join("\n\n") + "\n";
}

function heading(context: ReplicationContext): string {
  const lines = [
    "# Replication of tsredis beside that of redis-server",
    "",
    "Written by `deno task bench:replication`; edit the tool rather than this page.",
    "",
    `- Date: ${context.date}`,
    `- Machine: ${context.machine}`,
    `- ${context.reference}; ${context.subject}`,
    '- All servers with `--save "" --repl-diskless-sync-delay 0 --repl-backlog-size 1gb --client-output-buffer-limit',
    "  replica 0 0 0`, otherwise as shipped. Masters, replicas, load generator and this tool share the machine.",
    `- Rounds: ${context.rounds}, the systems in turn; figures are medians over rounds, the longest stalls maxima.`,
  ];
  if (context.note) lines.push(`- Note: ${context.note}`);
  return lines.join("\n");
}

type FullSyncResults = NonNullable<ReplicationResults["fullSync"]>;

function fullSyncSection(
  fullSync: FullSyncResults,
  context: ReplicationContext,
  missed: string[],
): string {
  const rows: string[][] = [];
  for (const { mode, samples } of fullSync) {
    const add = (title: string, of: (sample: FullSyncSample) => number, ratioMax?: number) => {
      const [reference, subject] = samples.map((list) => median(list.map(of)));
      const ratio = subject / reference;
      let verdict = "";
      let shown = ratio.toFixed(2);
      if (ratioMax !== undefined) {
        const ok = ratio <= ratioMax;
        verdict = `≤ ${ratioMax}${ok ? "" : " " + MISSED}`;
        if (!ok) {
          shown = (Math.ceil(ratio * 100) / 100).toFixed(2); // 1.201 must not read as 1.20
          missed.push(`Full sync, ${mode.title}: ${shown} of redis-server, bar ${ratioMax}`);
          shown = `**${shown}**`;
        }
      }
      rows.push([
        `${mode.title}: ${title}`,
        reference.toFixed(0),
        subject.toFixed(0),
        shown,
        verdict,
      ]);
    };
    add("REPLICAOF to link up, ms", (sample) => sample.emptyMs, BARS.fullSync);
    add("the replica's CPU time, ms", (sample) => sample.replicaCpuMs);
    add("again over old data, with probes, ms", (sample) => sample.resyncMs);
  }
  return `## Full sync of ${context.keys.toLocaleString("en")} keys\n\n` +
    [
      "disk and diskless are the master's `repl-diskless-sync`, swapdb the replica's `repl-diskless-load` (else",
      "disabled). Eight of ten keys hold a string, one a hash, one a list of four; values have 16 to 32 bytes. The",
      "replica is a freshly started process in every round; the master stays.\n\n",
    ].join("\n") +
    table(["Figure", ...context.labels, "ratio", "bar"], rows);
}

function stallSection(
  fullSync: FullSyncResults,
  context: ReplicationContext,
  missed: string[],
): string {
  const rows: string[][] = [];
  const sides = ["master", "replica", "bystander"] as const;
  for (const { mode, samples } of fullSync) {
    for (const side of sides) {
      const cells = samples.flatMap((list) => {
        const probes: ProbeSample[] = list.map((sample) => sample[side]);
        const latencies = probes.flatMap((probe) => probe.latenciesMs);
        const refused = probes.reduce((sum, probe) => sum + probe.refused, 0) / latencies.length;
        return [
          quantile(latencies, 1).toFixed(1),
          side === "bystander" ? "" : netMs(list, side).toFixed(1),
          quantile(latencies, 0.999).toFixed(1),
          refused === 0 ? "0" : `${(refused * 100).toFixed(0)} %`,
        ];
      });
      let verdict = "";
      if (side !== "bystander") {
        const longest = Math.max(
          ...samples[1].flatMap((sample) => sample[side].latenciesMs),
        );
        const ok = longest < BARS.stallMs;
        verdict = `< ${BARS.stallMs}${ok ? "" : " " + MISSED}`;
        if (!ok) {
          missed.push(
            `Longest stall, ${mode.title}, ${side}: ${longest.toFixed(1)} ms ` +
              `(net ${netMs(samples[1], side).toFixed(1)}), bar ${BARS.stallMs} ms`,
          );
        }
      }
      rows.push([`${mode.title}: ${side}`, ...cells, verdict]);
    }
  }
  const head = context.labels.flatMap((label) => [
    `${label} max`,
    "net",
    "99.9 %",
    "refused",
  ]);
  return "## Clients during a full sync over old data, ms\n\n" +
    [
      "One client per server asks about every millisecond: PING, GET and SET of the master, PING and GET of the",
      "replica, which holds as many keys already, until half a second after the link is up. Any answer ends the",
      "wait; the share of those that were errors (LOADING) is listed. The bystander is an idle redis-server: its",
      "figures are what the machine and the tool add. Net is the longest wait less what the bystander waited at",
      "the same time.\n\n",
    ].join("\n") +
    table(["Mode and side", ...head, "bar of max"], rows);
}

function netMs(samples: FullSyncSample[], side: "master" | "replica"): number {
  return Math.max(...samples.map((sample) => netStallMs(sample[side], sample.bystander)));
}

function throughputSection(
  throughput: Both<ThroughputResult[]>,
  context: ReplicationContext,
  missed: string[],
): string {
  const rows: string[][] = [];
  for (const [i, { pipeline, samples }] of throughput[0].entries()) {
    for (const replicas of samples.keys()) {
      const ratios = throughput.map((results) => {
        const runs = results[i].samples;
        return median(
          runs[replicas].map((sample, round) =>
            sample.requestsPerSecond / runs[0][round].requestsPerSecond
          ),
        );
      });
      const ok = replicas === 0 || ratios[1] >= ratios[0];
      if (!ok) {
        missed.push(
          `SET \`-P ${pipeline}\`, replicas: ${replicas}: ${ratios[1].toFixed(3)} of none, ` +
            `redis-server ${ratios[0].toFixed(3)}`,
        );
      }
      const cells = throughput.flatMap((results, system) => {
        const runs = results[i].samples[replicas];
        const figure = (of: (sample: typeof runs[0]) => number) => median(runs.map(of));
        const ofReplica = figure((sample) => sample.replicaCpuMicros);
        return [
          Math.round(figure((sample) => sample.requestsPerSecond)).toLocaleString("en"),
          replicas === 0 ? "1" : ratios[system].toFixed(3),
          figure((sample) => sample.masterCpuMicros).toFixed(2),
          Number.isNaN(ofReplica) ? "" : ofReplica.toFixed(2),
        ];
      });
      const verdict = replicas === 0 ? "" : `≥ ${ratios[0].toFixed(3)}${ok ? "" : " " + MISSED}`;
      rows.push([`\`-P ${pipeline}\`, ${replicas}`, ...cells, verdict]);
    }
  }
  const head = context.labels.flatMap((label) => [
    `${label} req/s`,
    "to none",
    "master CPU µs",
    "replica CPU µs",
  ]);
  return "## A master's throughput with replicas attached\n\n" +
    [
      "redis-benchmark's SET, 50 connections, `-r 1000000` on filled keys. CPU is user plus system time per request,",
      "until the replicas have come even. Replicas need processors too: with fewer of these than processes, part of",
      "what a replica costs is its own work.\n\n",
    ].join("\n") +
    table(["Pipeline, replicas", ...head, "bar"], rows);
}

function applySection(
  apply: NonNullable<ReplicationResults["apply"]>,
  missed: string[],
): string {
  const rows = apply.map(({ label, samples }, i) => {
    const figure = (of: (sample: ApplySample) => number) => median(samples.map(of));
    const ratio = figure((sample) => sample.appliedPerSecond / sample.acceptedPerSecond);
    const ok = ratio >= BARS.apply;
    if (i === 1 && !ok) {
      missed.push(
        `Apply rate: ${(Math.floor(ratio * 100) / 100).toFixed(2)} of what the master accepts, ` +
          `bar ${BARS.apply}`,
      );
    }
    const count = (of: (sample: ApplySample) => number) =>
      Math.round(figure(of)).toLocaleString("en");
    return [
      label,
      count((sample) => sample.acceptedPerSecond),
      count((sample) => sample.appliedPerSecond),
      (ok ? ratio : Math.floor(ratio * 100) / 100).toFixed(2) +
      (i === 1 && !ok ? " " + MISSED : ""),
      figure((sample) => sample.appliedBytesPerSecond / 1e6).toFixed(1),
      figure((sample) => sample.replicaCpuMicros).toFixed(2),
      count((sample) => sample.relinkMs),
      count((sample) => sample.followedPerSecond),
      (Math.max(...samples.map((sample) => sample.lagBytesMax)) / 1e6).toFixed(2),
      Math.max(...samples.map((sample) => sample.lagMsMax)).toFixed(0),
      count((sample) => sample.catchUpMs),
    ];
  });
  return "## A replica that applies what has piled up, and one that follows\n\n" +
    [
      "The replica's process is stopped and its link cut while redis-benchmark (SET, `-P 16`, `-r 1000000`) writes;",
      "it goes on by a partial resync. Applied per second, from the first byte to equal offsets, is held against",
      `what the master accepted (bar: ≥ ${BARS.apply}). Then it follows the same load live: how far it falls behind at`,
      "most, and how long after the last request it is even.\n\n",
    ].join("\n") +
    table([
      "System",
      "accepted/s",
      "applied/s",
      "ratio",
      "applied MB/s",
      "replica CPU µs",
      "link again, ms",
      "live req/s",
      "lag max, MB",
      "lag max, ms",
      "even after, ms",
    ], rows);
}
