/**
 * The replication benchmark's results as Markdown: the pages REPLICATION.md and REPLICATION-bun.md, and a part of the
 * README.
 */

import { MISSED, table } from "../compare/report.ts";
import { median } from "../compare/results.ts";
import {
  type ApplySample,
  BARS,
  type Both,
  type FullSyncResult,
  type FullSyncSample,
  type Part,
  type PartialSample,
  PARTS,
  type ReplicationResults,
  type RuntimeName,
  type RuntimeResults,
  RUNTIMES,
  type SideFigures,
  type ThroughputResult,
  type TranslationResult,
  type TranslationSample,
} from "./figures.ts";

/** The page about one runtime. A figure that misses its bar says so in its row, and again at the end. */
export function toMarkdown(
  { machine, note }: Pick<ReplicationResults, "machine" | "note">,
  results: RuntimeResults,
): string {
  const missed: string[] = [];
  const sections = [heading(machine, note, results)];
  if (results.fullSync.length > 0) {
    sections.push(fullSyncSection(results, missed), stallSection(results, missed));
  }
  if (results.partial) sections.push(partialSection(results.partial, results, missed));
  if (results.throughput) sections.push(throughputSection(results.throughput, results, missed));
  if (results.apply) sections.push(applySection(results.apply, missed));
  if (results.translation) sections.push(translationSection(results.translation));
  sections.push(
    missed.length === 0
      ? "## Bars\n\nEvery figure above meets its bar."
      : `## Bars\n\n${missed.length} missed:\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
  );
  return sections.join("\n\n") + "\n";
}

function heading(machine: string, note: string | undefined, results: RuntimeResults): string {
  const lines = [
    "# Replication of tsredis beside that of redis-server",
    "",
    "Written by `deno task bench:replication`; edit the tool rather than this page.",
    "",
    `- Measured: ${measuredText(results.measured)}`,
    `- Machine: ${machine}`,
    `- ${results.reference}; ${results.subject}`,
    '- All servers with `--save "" --repl-diskless-sync-delay 0 --repl-backlog-size 1gb --client-output-buffer-limit',
    "  replica 0 0 0`, otherwise as shipped. Masters, replicas, load generator and this tool share the machine.",
    "- The systems take turns; figures are medians over rounds, the longest stalls maxima.",
  ];
  if (note) lines.push(`- Note: ${note}`);
  return lines.join("\n");
}

/** "keys, many on 2026-11-29 (3 rounds)", by day and rounds. */
function measuredText(measured: RuntimeResults["measured"]): string {
  const byWhen = new Map<string, Part[]>();
  for (const part of PARTS) {
    const when = measured[part];
    if (when === undefined) continue;
    const text = `on ${when.date} (rounds: ${when.rounds})`;
    byWhen.set(text, [...byWhen.get(text) ?? [], part]);
  }
  return [...byWhen].map(([when, parts]) => `${parts.join(", ")} ${when}`).join("; ");
}

/** What a row or a chart calls a full sync. */
export function syncTitle({ dataset, mode, replicas }: FullSyncResult): string {
  return `${dataset}, ${mode}${replicas === 1 ? "" : `, ${replicas} replicas`}`;
}

/** Median time to link up as a ratio to redis-server's. */
export function linkRatio({ samples }: FullSyncResult): number {
  const [reference, subject] = samples.map((list) => median(list.map(({ emptyMs }) => emptyMs)));
  return subject / reference;
}

/** The longest wait of a client at either end, in any round. */
export function longestWaitMs(samples: FullSyncSample[]): number {
  return Math.max(
    ...samples.flatMap(({ master, replica }) => [master.longestMs, replica.longestMs]),
  );
}

/** Throughput with replicas as a share of that without in the same round, the median. */
export function shareKept({ samples }: ThroughputResult, replicas: number): number {
  return median(
    samples[replicas].map((sample, round) =>
      sample.requestsPerSecond / samples[0][round].requestsPerSecond
    ),
  );
}

/** A ratio that is to be low, as text: 1.201 must not read as 1.20 where the bar is 1.2. */
function ratioText(ratio: number, bar?: number): string {
  return (bar !== undefined && ratio > bar ? Math.ceil(ratio * 100) / 100 : ratio).toFixed(2);
}

function fullSyncSection({ fullSync, labels }: RuntimeResults, missed: string[]): string {
  const rows = fullSync.map((result) => {
    const { dataset, mode, replicas, samples } = result;
    const pair = (of: (sample: FullSyncSample) => number) => {
      const [reference, subject] = samples.map((list) => median(list.map(of)));
      return [reference.toFixed(0), subject.toFixed(0), ratioText(subject / reference)];
    };
    const ratio = linkRatio(result);
    const ok = ratio <= BARS.fullSync;
    const shown = ratioText(ratio, BARS.fullSync);
    if (!ok) {
      missed.push(
        `Full sync, ${syncTitle(result)}: ${shown} of redis-server, bar ${BARS.fullSync}`,
      );
    }
    return [
      dataset,
      mode,
      String(replicas),
      ...pair((sample) => sample.emptyMs).with(2, ok ? shown : `**${shown}**`),
      ok ? `≤ ${BARS.fullSync}` : `≤ ${BARS.fullSync} ${MISSED}`,
      ...pair((sample) => sample.replicaCpuMs),
      ...pair((sample) => sample.resyncMs),
    ];
  });
  const [reference, subject] = labels;
  return "## Full sync\n\n" +
    [
      "Up is the time from REPLICAOF on a freshly started, empty replica to `master_link_status:up`, of several that ask",
      "at once to the last one's; CPU the replica's time on the processor meanwhile, the mean; again the same time for",
      "replicas that hold as much already, with clients on both sides. All in milliseconds. disk and diskless are the",
      "master's `repl-diskless-sync`; swapdb is diskless with the replica's `repl-diskless-load` so, else it is disabled.",
      "Several replicas: `repl-diskless-sync-max-replicas` is their number and the delay 5 s, so that one snapshot serves",
      "all (redis-server looks once a second whether all have come). Of keys eight of ten hold a string, one a hash, one",
      "a list of four; values have 16 to 32 bytes. The collections are a hash, a sorted set, a list and a stream. In every",
      "round the replicas are new processes; the master stays.\n\n",
    ].join("\n") +
    table(
      [
        "Data",
        "mode",
        "replicas",
        `${reference} up`,
        `${subject} up`,
        "ratio",
        "bar",
        `${reference} CPU`,
        `${subject} CPU`,
        "ratio",
        `${reference} again`,
        `${subject} again`,
        "ratio",
      ],
      rows,
    );
}

/** What a sample of clients at both ends has. */
interface Watched {
  master: SideFigures;
  replica: SideFigures;
  bystander: SideFigures;
}

function stallSection({ fullSync, labels }: RuntimeResults, missed: string[]): string {
  const rows = fullSync.map((result) => [
    syncTitle(result),
    ...result.samples.flatMap(stallCells),
    stallVerdict(`Longest stall, ${syncTitle(result)}`, result.samples[1], missed),
  ]);
  return "## Clients during a full sync over old data, ms\n\n" +
    [
      "One client per server asks about every millisecond: PING, reads and writes of the master, PING and reads of the",
      "first replica, which holds as much already, until half a second after the link is up. Any answer ends the",
      "wait; the share of those of the replica that were errors (LOADING) is listed. The bystander is an idle",
      "redis-server: its figures are what the machine and the tool add. Net, in brackets, is the longest wait less what",
      "the bystander waited at the same time.\n\n",
    ].join("\n") +
    table(["Full sync", ...stallHead(labels), "bar of max"], rows);
}

function stallHead(labels: Both<string>): string[] {
  return labels.flatMap((label) => [
    `${label}: master`,
    "99.9 %",
    "replica",
    "99.9 %",
    "refused",
    "bystander",
  ]);
}

function stallCells(samples: Watched[]): string[] {
  const side = (name: "master" | "replica") => {
    const { longestMs, netMs } = longest(samples, name);
    return [
      `${longestMs.toFixed(1)} (${netMs.toFixed(1)})`,
      median(samples.map((sample) => sample[name].p999Ms)).toFixed(1),
    ];
  };
  const sum = (of: (figures: SideFigures) => number) =>
    samples.reduce((total, { replica }) => total + of(replica), 0);
  const refused = sum((figures) => figures.refused) / sum((figures) => figures.asked);
  return [
    ...side("master"),
    ...side("replica"),
    refused === 0 ? "0" : `${(refused * 100).toFixed(0)} %`,
    longest(samples, "bystander").longestMs.toFixed(1),
  ];
}

function longest<K extends string>(
  samples: { readonly [name in K]: SideFigures }[],
  side: K,
): { longestMs: number; netMs: number } {
  return {
    longestMs: Math.max(...samples.map((sample) => sample[side].longestMs)),
    netMs: Math.max(...samples.map((sample) => sample[side].netMs)),
  };
}

/** The bar's cell; a side that misses it is added to `missed`. */
function stallVerdict(what: string, samples: Watched[], missed: string[]): string {
  let ok = true;
  for (const side of ["master", "replica"] as const) {
    const { longestMs, netMs } = longest(samples, side);
    if (longestMs < BARS.stallMs) continue;
    ok = false;
    missed.push(
      `${what}, ${side}: ${longestMs.toFixed(1)} ms (net ${netMs.toFixed(1)}; the bystander ` +
        `${longest(samples, "bystander").longestMs.toFixed(1)}), bar ${BARS.stallMs} ms`,
    );
  }
  return `< ${BARS.stallMs}${ok ? "" : " " + MISSED}`;
}

function partialSection(
  partial: Both<PartialSample[]>,
  { labels }: RuntimeResults,
  missed: string[],
): string {
  const times = partial.map((samples) => samples.flatMap(({ backMs }) => backMs));
  const ratio = median(times[1]) / median(times[0]);
  const ok = ratio <= BARS.partial;
  const shown = ratioText(ratio, BARS.partial);
  if (!ok) missed.push(`Partial resync: ${shown} of redis-server's time, bar ${BARS.partial}`);
  const stalls = stallVerdict("Longest stall, partial resyncs", partial[1], missed);
  const rows = partial.map((samples, i) => [
    labels[i],
    String(times[i].length),
    median(times[i]).toFixed(2),
    Math.max(...times[i]).toFixed(1),
    i === 0 ? "" : shown,
    i === 0 ? "" : `≤ ${BARS.partial}${ok ? "" : " " + MISSED}`,
    ...stallCells(samples),
    i === 0 ? "" : stalls,
  ]);
  return "## A link that is cut: partial resync, ms\n\n" +
    [
      "`CLIENT KILL TYPE replica` of a link that has stood for a while, and a SET right behind it; the time is that until",
      "this SET can be read at the replica. Clients ask both sides meanwhile as during a full sync.\n\n",
    ].join("\n") +
    table([
      "System",
      "cuts",
      "median",
      "longest",
      "ratio",
      "bar",
      "master's clients",
      "99.9 %",
      "replica's",
      "99.9 %",
      "refused",
      "bystander's",
      "bar of max",
    ], rows);
}

function throughputSection(
  throughput: Both<ThroughputResult[]>,
  { labels }: RuntimeResults,
  missed: string[],
): string {
  const rows: string[][] = [];
  for (const [i, { pipeline, samples }] of throughput[0].entries()) {
    for (const replicas of samples.keys()) {
      const ratios = throughput.map((results) => shareKept(results[i], replicas));
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
        return [
          Math.round(figure((sample) => sample.requestsPerSecond)).toLocaleString("en"),
          replicas === 0 ? "1" : ratios[system].toFixed(3),
          figure((sample) => sample.masterCpuMicros).toFixed(2),
          replicas === 0 ? "" : figure((sample) => sample.replicaCpuMicros).toFixed(2),
        ];
      });
      const verdict = replicas === 0 ? "" : `≥ ${ratios[0].toFixed(3)}${ok ? "" : " " + MISSED}`;
      rows.push([`\`-P ${pipeline}\`, ${replicas}`, ...cells, verdict]);
    }
  }
  const head = labels.flatMap((label) => [
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
  apply: NonNullable<RuntimeResults["apply"]>,
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
    const stall = longest(samples, "replica");
    const bystanderMs = longest(samples, "bystander").longestMs;
    const stallOk = stall.longestMs < BARS.stallMs;
    if (i === 1 && !stallOk) {
      missed.push(
        `Longest stall, a replica that applies: ${stall.longestMs.toFixed(1)} ms ` +
          `(net ${stall.netMs.toFixed(1)}; the bystander ${bystanderMs.toFixed(1)}), ` +
          `bar ${BARS.stallMs} ms`,
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
      `${stall.longestMs.toFixed(1)} (${stall.netMs.toFixed(1)})` +
      (i === 1 && !stallOk ? " " + MISSED : ""),
      bystanderMs.toFixed(1),
    ];
  });
  return "## A replica that applies what has piled up, and one that follows\n\n" +
    [
      "The replica's process is stopped and its link cut while redis-benchmark (SET, `-P 16`, `-r 1000000`) writes;",
      "it goes on by a partial resync. Applied per second, from the first byte to equal offsets, is held against",
      `what the master accepted (bar: ≥ ${BARS.apply}). Then it follows the same load live: how far it falls behind at`,
      "most, and how long after the last request it is even. Stall is the longest wait, in milliseconds, of a client of",
      `the replica while it applies what has piled up, net in brackets (bar: < ${BARS.stallMs}).\n\n`,
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
      "stall",
      "bystander",
    ], rows);
}

/** No bars: nothing else has such replicas. */
function translationSection(translation: TranslationResult[]): string {
  const titles = translation[0].followers.map(({ title }) => title);
  const rows = (shown: (samples: TranslationSample[]) => string) =>
    translation.map(({ load, followers }) => [
      load,
      ...followers.map(({ samples }) => samples.length === 0 ? "" : shown(samples)),
    ]);
  const figures = (of: (sample: TranslationSample) => number, shown: (figure: number) => string) =>
    rows((samples) => shown(median(samples.map(of))));
  const head = (what: string) => [
    what,
    ...titles.map((title) => title === "none" ? "no replica" : title),
  ];
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return "## A replica of an older version: what translating costs\n\n" +
    [
      "tsredis as the master of one replica of Redis in turn; 7.4 follows the stream as it is, the others get one in words",
      "that they know (`rdb-version-for-replicas` given, `repl-backlog-size 1mb`). SET is redis-benchmark's with `-P 16`",
      "and `-r 1000000`; the other loads come by 16 connections, 16 commands at a time, on 1,024 keys. The master's CPU",
      "time per command, µs, until the replica has acknowledged all:\n\n",
    ].join("\n") +
    table(head("CPU µs"), figures((one) => one.masterCpuMicros, (figure) => figure.toFixed(2))) +
    "\n\nCommands per second, with the replica on the same processors:\n\n" +
    table(
      head("commands/s"),
      figures(
        (one) => one.commandsPerSecond,
        (figure) => Math.round(figure).toLocaleString("en"),
      ),
    ) +
    "\n\nMemory of all backlogs after a load, MB (`mem_total_replication_buffers`):\n\n" +
    table(head("backlogs, MB"), figures((one) => one.bufferBytes, megabytes));
}

const NAMES: Record<RuntimeName, string> = { deno: "Deno", bun: "Bun" };

/** A few sentences with the figures that count most, of what has been measured. */
export function readmeMarkdown(results: ReplicationResults): string {
  const measured = RUNTIMES.flatMap((name) => {
    const of = results[name];
    return of === undefined ? [] : [{ name: NAMES[name], of }];
  });
  const onEach = (figure: (of: RuntimeResults) => string | undefined) =>
    measured.flatMap(({ name, of }) => {
      const text = figure(of);
      return text === undefined ? [] : [`${text} on ${name}`];
    }).join(", ");
  const sentences = [
    sentence(
      "From REPLICAOF to an intact link a replica takes, as a share of redis-server's time,",
      onEach(linkRange),
    ),
    sentence(
      "The longest wait of a client of either end during a full sync was",
      onEach(waitRange),
    ),
    sentence("With one replica a master keeps of its SETs per second", onEach(keptText)),
    sentence("A replica applies", onEach(appliedText)),
    sentence("After a cut the link is back in", onEach(partialText)),
  ];
  return sentences.filter((text) => text !== "").join("\n") + "\n";
}

function sentence(begin: string, figures: string): string {
  return figures === "" ? "" : `${begin}\n${figures}.`;
}

function linkRange({ fullSync }: RuntimeResults): string | undefined {
  return rangeText(fullSync.map(linkRatio), 2);
}

function waitRange({ fullSync }: RuntimeResults): string | undefined {
  if (fullSync.length === 0) return;
  const [reference, subject] = [0, 1].map((i) =>
    Math.max(...fullSync.map(({ samples }) => longestWaitMs(samples[i])))
  );
  return `${subject.toFixed(1)} ms (redis-server beside it ${reference.toFixed(1)})`;
}

function keptText({ throughput }: RuntimeResults): string | undefined {
  if (throughput === undefined) return;
  const [reference, subject] = throughput;
  return subject.map((result, i) => {
    const [ours, theirs] = [shareKept(result, 1), shareKept(reference[i], 1)];
    return `${percent(ours)} at \`-P ${result.pipeline}\` (redis-server ${percent(theirs)})`;
  }).join(" and ");
}

function appliedText({ apply }: RuntimeResults): string | undefined {
  if (apply === undefined) return;
  const [reference, subject] = apply.map(({ samples }) =>
    Math.round(median(samples.map(({ appliedPerSecond }) => appliedPerSecond))).toLocaleString("en")
  );
  return `${subject} SETs per second (redis-server ${reference})`;
}

function partialText({ partial }: RuntimeResults): string | undefined {
  if (partial === undefined) return;
  const [reference, subject] = partial.map((samples) =>
    median(samples.flatMap(({ backMs }) => backMs)).toFixed(1)
  );
  return `${subject} ms (redis-server ${reference})`;
}

/** "0.55 to 0.93"; undefined for none. */
function rangeText(values: number[], digits: number): string | undefined {
  if (values.length === 0) return;
  return `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
