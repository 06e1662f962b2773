/** Results as Markdown tables (for the terminal and RESULTS.md) and as raw figures (results.json). */

import {
  BARS,
  commandMeetsBar,
  commandRatio,
  type CommandResult,
  median,
  type Pair,
  quantile,
  type Results,
  SPEED_BARS,
  speedBar,
  speedRatio,
  type SpeedResult,
} from "./results.ts";
import { VARIANTS } from "./workloads.ts";

/** What the heading of a report says besides the figures. */
export interface ReportContext {
  date: string;
  machine: string;
  /** How tsredis was started: the command as the user would type it. */
  subjectCommand: string;
  rounds: number;
  runMs: number;
  keys: number;
  note?: string;
}

/** What ratio and CPU mean, in lines for the terminal and the report. */
export const EXPLANATION = [
  "Ratio is tsredis's figure divided by redis-server's. Of requests per second (req/s) more is better: 1.2 means a fifth",
  "more than redis-server. Of times and memory less is better: 0.5 means half as much. CPU is the time that the processor",
  "works for one request, user plus system time of the whole server process with all its threads, in millionths of a",
  "second (µs), read right before and after the run: it says what a server costs where something else, such as the load",
  "generator, sets the pace.",
];

/** How many of the commands on large data the report shows. */
const SLOWEST = 20;

/** What stands beside a bar that a figure does not meet. */
export const MISSED = "**missed**";

/** The whole report. A figure that misses its bar is bold and its row says so. */
export function toMarkdown(results: Results, context: ReportContext): string {
  const sections = [heading(results, context)];
  const missed: string[] = [];
  if (results.speed) sections.push(...speedSections(results.speed, missed));
  if (results.tls) sections.push(...speedSections(results.tls, missed, ", TLS"));
  for (const [policy, speed] of Object.entries(results.aof ?? {})) {
    sections.push(...speedSections(speed, missed, `, appendonly yes, appendfsync ${policy}`));
  }
  const data = dataSection(results, context, missed);
  if (data) sections.push(data);
  if (results.commands) sections.push(commandsSection(results.commands, missed));
  sections.push(
    missed.length === 0
      ? "## Bars\n\nEvery figure above meets its bar."
      : `## Bars\n\n${missed.length} missed:\n\n${missed.map((one) => `- ${one}`).join("\n")}`,
  );
  return sections.join("\n\n") + "\n";
}

function heading(results: Results, context: ReportContext): string {
  const lines = [
    "# tsredis beside redis-server",
    "",
    "Written by `deno task compare`; edit the tool rather than this page.",
    "",
    `- Date: ${context.date}`,
    `- Machine: ${context.machine}`,
    `- redis-server ${results.referenceVersion}; tsredis ${results.subjectVersion}, started by \`${context.subjectCommand}\``,
    `- Runtime: ${results.subjectRuntime ?? "not known"}`,
    `- Both with \`--save ""\`, otherwise as shipped. Load generator, servers and this tool share the machine.`,
    `- Rounds: ${context.rounds}, the servers asked in turn (A B A B); figures are medians over rounds.`,
  ];
  if (context.note) lines.push(`- Note: ${context.note}`);
  lines.push("", ...EXPLANATION);
  if (results.speed) {
    lines.push(
      "",
      "Speed is measured with redis-benchmark, 50 connections. Before a test is timed, both servers run it",
      "untimed as a warm-up (the runtime compiles only what has run for a while), and the warm-up sets the number of",
      `requests, the same for both, so that a timed run lasts about ${
        context.runMs / 1000
      } s on the faster one.`,
      "Every run starts from an emptied server into which the test's data is put: GET finds its keys, LPOP, RPOP, SPOP",
      "and ZPOPMIN never run dry, LRANGE reads from a list of 10,000 elements (sent as a custom command of the",
      "same bytes, because redis-benchmark's own test times its filling of the list along with it).",
      "A test is listed under random keys or larger values only where these change what it sends. XRANGE and HGETALL answer",
      "with 100 entries and fields; GEOSEARCH finds some 35 of 100,000 places, ZRANGEBYSCORE ten anywhere in a million",
      "members, SINTER the 100 that two sets of 10,000 have in common; PFCOUNT_2 is of two HyperLogLogs together.",
      "",
      ...SPEED_BARS,
    );
  }
  return lines.join("\n");
}

/** `how` is added to the titles. */
function speedSections(speed: SpeedResult[], missed: string[], how = ""): string[] {
  const sections: string[] = [];
  for (const variant of VARIANTS) {
    for (const pipeline of new Set(speed.map((result) => result.pipeline))) {
      const results = speed.filter((result) =>
        result.variant === variant.id && result.pipeline === pipeline
      );
      if (results.length === 0) continue;
      const rows = results.map((result) => {
        const bar = speedBar(result);
        const ratio = speedRatio(result);
        const ok = ratio >= bar;
        // Cut rather than rounded when too low: 0.948 must not read as 0.95.
        const shown = (ok ? ratio : Math.floor(ratio * 100) / 100).toFixed(2);
        if (!ok) {
          missed.push(
            `${result.test.toUpperCase()} \`-P ${pipeline}\`, ${variant.title}${how}: ` +
              `${shown} of redis-server, bar ${bar}`,
          );
        }
        const rate = (samples: SpeedResult["subject"]) =>
          Math.round(median(samples.map((sample) => sample.requestsPerSecond))).toLocaleString(
            "en",
          );
        const cpu = (samples: SpeedResult["subject"]) =>
          median(samples.map((sample) => sample.cpuMicros)).toFixed(2);
        return [
          result.test.toUpperCase(),
          rate(result.reference),
          rate(result.subject),
          ok ? shown : `**${shown}**`,
          `≥ ${bar}${ok ? "" : " " + MISSED}`,
          cpu(result.reference),
          cpu(result.subject),
        ];
      });
      sections.push(
        `## \`-P ${pipeline}\`, ${variant.title}${how}\n\n` + table(
          [
            "Test",
            "redis req/s",
            "tsredis req/s",
            "ratio",
            "bar",
            "redis CPU µs",
            "tsredis CPU µs",
          ],
          rows,
        ),
      );
    }
  }
  return sections;
}

/** Everything that was measured with the million keys, one table. */
function dataSection(results: Results, context: ReportContext, missed: string[]): string | null {
  const rows: string[][] = [];

  const add = <T>(
    title: string,
    pair: Pair<T>,
    figure: (samples: T[]) => number,
    digits: number,
    bar?: { ratioMax?: number; subjectMax?: number },
  ) => {
    const reference = figure(pair.reference);
    const subject = figure(pair.subject);
    const ratio = subject / reference;
    let verdict = "";
    let shown = ratio.toFixed(2);
    if (bar?.ratioMax !== undefined) {
      const ok = ratio <= bar.ratioMax;
      verdict = `≤ ${bar.ratioMax} of redis${ok ? "" : " " + MISSED}`;
      if (!ok) {
        shown = (Math.ceil(ratio * 100) / 100).toFixed(2); // 1.001 must not read as 1.00
        missed.push(`${title}: ${shown} of redis-server, bar ${bar.ratioMax}`);
        shown = `**${shown}**`;
      }
    } else if (bar?.subjectMax !== undefined) {
      const ok = subject < bar.subjectMax;
      verdict = `< ${bar.subjectMax}${ok ? "" : " " + MISSED}`;
      if (!ok) missed.push(`${title}: ${subject.toFixed(digits)}, bar ${bar.subjectMax}`);
    }
    rows.push([
      title,
      reference.toFixed(digits),
      subject.toFixed(digits),
      Number.isFinite(ratio) ? shown : "",
      verdict,
    ]);
  };

  if (results.memory) {
    const { memory } = results;
    const megabytes = (bytes: number) => bytes / 1e6;
    add(
      "Resident memory per key, bytes",
      memory,
      (samples) => median(samples.map((s) => (s.filledBytes - s.emptyBytes) / context.keys)),
      1,
      { ratioMax: BARS.bytesPerKey },
    );
    add(
      "Resident memory, empty, MB",
      memory,
      (samples) => megabytes(median(samples.map((s) => s.emptyBytes))),
      1,
    );
    add(
      "Resident memory, filled, MB",
      memory,
      (samples) => megabytes(median(samples.map((s) => s.filledBytes))),
      1,
    );
  }
  for (const { title, ...pair } of results.elements ?? []) {
    add(
      `Resident memory per element of a ${title}, bytes`,
      pair,
      (samples) => median(samples.map((s) => (s.filledBytes - s.emptyBytes) / context.keys)),
      1,
      { ratioMax: BARS.bytesPerElement },
    );
  }
  if (results.save) {
    const { save } = results;
    add("SAVE, ms", save, (samples) => median(samples.map((s) => s.saveMs)), 0, {
      ratioMax: BARS.saveTime,
    });
    add(
      "Load (start with the file less start without), ms",
      save,
      (samples) => median(samples.map((s) => s.loadedStartMs - s.emptyStartMs)),
      0,
      { ratioMax: BARS.loadTime },
    );
    add(
      "Start with the file until it answers, ms",
      save,
      (samples) => median(samples.map((s) => s.loadedStartMs)),
      0,
    );
    add(
      "Start without a file, ms",
      save,
      (samples) => median(samples.map((s) => s.emptyStartMs)),
      0,
    );
    add(
      "Size of the RDB file, MB",
      save,
      (samples) => median(samples.map((s) => s.fileBytes)) / 1e6,
      1,
    );
  }
  if (results.stall) {
    const { stall } = results;
    const idle = (samples: StallSamples) => samples.flatMap((s) => s.idleMs);
    const during = (samples: StallSamples) => samples.flatMap((s) => s.snapshotMs);
    add(
      "Longest stall during BGSAVE, above the idle median, ms",
      stall,
      (samples) => quantile(during(samples), 1) - median(idle(samples)),
      2,
      { subjectMax: BARS.stallMs },
    );
    add(
      "99.9 % of replies during BGSAVE, above the idle median, ms",
      stall,
      (samples) => quantile(during(samples), 0.999) - median(idle(samples)),
      2,
    );
    add("Median reply when idle, ms", stall, (samples) => median(idle(samples)), 2);
    add("99.9 % of replies when idle, ms", stall, (samples) => quantile(idle(samples), 0.999), 2);
    add("Slowest reply when idle, ms", stall, (samples) => quantile(idle(samples), 1), 2);
    add("Replies timed during BGSAVE", stall, (samples) => during(samples).length, 0);
    add(
      "Duration of BGSAVE, ms",
      stall,
      (samples) => median(samples.map((s) => s.snapshotDurationMs)),
      0,
    );
  }
  if (rows.length === 0) return null;
  let text = `## ${context.keys.toLocaleString("en")} keys \`key:N\` with 16-byte values\n\n`;
  text += table(["Figure", "redis", "tsredis", "ratio", "bar"], rows);
  if (results.stall) {
    text +=
      "\n\nStalls are seen by a client that sends PING, GET and SET in turn about every millisecond; " +
      "its own pauses and the machine's are in the idle figures too. " +
      "The longest is over all rounds, not a median.";
  }
  return text;
}

/** The commands that are slowest beside redis-server. */
function commandsSection(commands: CommandResult[], missed: string[]): string {
  // Where neither server takes a millisecond, the ratio is that of two round trips.
  const timed = commands.filter(({ referenceMs, subjectMs }) =>
    median(referenceMs) >= 1 || median(subjectMs) >= 1
  );
  const slowestFirst = timed.toSorted((a, b) => commandRatio(b) - commandRatio(a));
  const rows = slowestFirst.map((result) => {
    const isMet = commandMeetsBar(result);
    const ratio = commandRatio(result).toFixed(2);
    if (!isMet) {
      missed.push(`${result.title}: ${ratio} of redis-server's time, bar ${BARS.commandTime}`);
    }
    return [
      `\`${result.title}\``,
      median(result.referenceMs).toFixed(1),
      median(result.subjectMs).toFixed(1),
      isMet ? ratio : `**${ratio}**`,
      `≤ ${BARS.commandTime}${isMet ? "" : " " + MISSED}`,
    ];
  });
  const faster = timed.filter((result) => commandRatio(result) < 1).length;
  return `## Commands on large data: the ${SLOWEST} slowest beside redis-server\n\n` +
    [
      `Of ${commands.length} commands on sets, hashes, sorted sets and lists of a million members, a million keys and`,
      `strings of 100 MB, those whose time is the largest part of redis-server's. ${timed.length} take a millisecond;`,
      `${faster} of these are faster than on redis-server. \`tmp\` is a copy that is made anew before each run.`,
      "Differences of up to two milliseconds count as none.\n\n",
    ].join("\n") +
    table(["Command", "redis ms", "tsredis ms", "ratio", "bar"], rows.slice(0, SLOWEST));
}

type StallSamples = NonNullable<Results["stall"]>["subject"];

/** A Markdown table; the first column is flush left, the others flush right. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length))
  );
  const line = (cells: string[]) =>
    `| ${
      cells.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
      ).join(" | ")
    } |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":"
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Raw figures, a sample per round. Stall latencies are too many to keep: their quantiles are kept. */
export function toJson(results: Results, context: ReportContext): string {
  const quantiles = (values: number[]) => ({
    count: values.length,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    p999: quantile(values, 0.999),
    max: quantile(values, 1),
  });
  const summary = (samples: StallSamples) =>
    samples.map((sample) => ({
      idleMs: quantiles(sample.idleMs),
      snapshotMs: quantiles(sample.snapshotMs),
      snapshotDurationMs: sample.snapshotDurationMs,
    }));
  const stall = results.stall && {
    reference: summary(results.stall.reference),
    subject: summary(results.stall.subject),
  };
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
  return JSON.stringify({ ...context, ...results, stall }, rounded, 2) + "\n";
}
