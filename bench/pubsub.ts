/**
 * `deno task bench:pubsub`: does tsredis deliver messages at least as fast as redis-server?
 *
 * Both servers run side by side and are asked in turn: one channel with 1, 100 and 1,000 subscribers,
 * 10,000 channels, 5,000 patterns. Deliveries per second and CPU time of the server for each, with
 * publishers that wait for each reply and with publishers that pipeline, and the latency of single
 * messages. Prints a table, and after a whole run writes PUBSUB.md beside this file. Needs Linux
 * (/proc) and Debian's redis-server and redis-tools. Its parts are in `pubsub/`.
 */

import {
  choose,
  commonHelp,
  type CommonOptions,
  onEachRuntime,
  readWords,
} from "./compare/options.ts";
import { MISSED, table } from "./compare/report.ts";
import { median } from "./compare/results.ts";
import { type RunningServer, startServer } from "./compare/servers.ts";
import { aboutIn, describeMachine, keepReport, nameOf, runTool } from "./compare/tool.ts";
import { type Latency, type Publishing, Receivers, type Sample } from "./pubsub/measure.ts";
import { MESSAGE_BYTES, type Workload, WORKLOADS } from "./pubsub/workloads.ts";

const HELP = `deno task bench:pubsub [options]

  --quick             short runs, one round
  --only A,B          numbers of workloads, from 1 on: ${
  WORKLOADS.map(({ name }) => name).join(", ")
}
${commonHelp("PUBSUB.md", 3)}
`;

/** Length of a timed run on the faster server, and the runs that warm up before it. */
const RUN_MS = 1_500;
const QUICK_RUN_MS = 500;
const WARM_UP_DELIVERIES = 40_000;

/** Messages sent one at a time; the first ones are not counted. */
const LATENCY_DELIVERIES = 20_000;
const LATENCY_MESSAGES_MAX = 2_000;

const PUBLISHING: (Publishing & { title: string })[] = [
  { title: "20 publishers", connections: 20, pipeline: 1 },
  { title: "20, `-P 16`", connections: 20, pipeline: 16 },
];

interface Options extends CommonOptions {
  /** As indexes of WORKLOADS. */
  workloads: number[];
}

/** Both servers' figures, the reference first. */
type Both<T> = [reference: T, subject: T];

/** What was measured of one workload. */
interface Result {
  workload: Workload;
  /** By way of publishing. */
  samples: Both<Sample[]>[];
  latency: Both<Latency[]>;
}

if (import.meta.main) {
  await runTool(
    "bench:pubsub",
    HELP,
    readOptions,
    (options, workDir) => onEachRuntime(options, workDir, run),
  );
}

async function run(options: Options, workDir: string): Promise<void> {
  const servers: Both<RunningServer> = [
    await startServer(options.reference, Deno.makeTempDirSync({ dir: workDir })),
    await startServer(options.subject, Deno.makeTempDirSync({ dir: workDir })),
  ];
  const abouts = [];
  for (const server of servers) abouts.push(aboutIn(await server.info("server")));
  const results: Result[] = [];
  for (const index of options.workloads) results.push(await measure(servers, index, options));
  const markdown = toMarkdown(results, abouts.map(nameOf), options);
  console.log(markdown);
  if (options.write) keepReport("PUBSUB.md", markdown, abouts[1]);
  for (const server of servers) await server.stop();
}

async function measure(
  servers: Both<RunningServer>,
  index: number,
  { rounds, quick }: Options,
): Promise<Result> {
  const runMs = quick ? QUICK_RUN_MS : RUN_MS;
  const workload = WORKLOADS[index];
  const samples: Both<Sample[]>[] = PUBLISHING.map(() => [[], []]);
  const latency: Both<Latency[]> = [[], []];
  const both = [
    await Receivers.open(servers[0], index),
    await Receivers.open(servers[1], index),
  ];
  for (const [way, publishing] of PUBLISHING.entries()) {
    // The same number of messages for both, as many as fill the time on the faster one.
    let fastest = 0;
    for (const receivers of both) {
      const messages = Math.ceil(WARM_UP_DELIVERIES / workload.receivers);
      const guess = await receivers.run(messages, publishing);
      const warm = Math.ceil(guess.deliveriesPerSecond * runMs / 2000 / workload.receivers);
      const { deliveriesPerSecond } = await receivers.run(warm, publishing);
      fastest = Math.max(fastest, deliveriesPerSecond);
    }
    const messages = Math.ceil(fastest * runMs / 1000 / workload.receivers);
    for (let round = 0; round < rounds; round++) {
      for (const [side, receivers] of both.entries()) {
        samples[way][side].push(await receivers.run(messages, publishing));
      }
    }
    console.error(
      `${workload.name}, ${publishing.title}: ` +
        samples[way].map((each) =>
          `${Math.round(median(each.map((one) => one.deliveriesPerSecond)))}/s ` +
          `${median(each.map((one) => one.cpuMicros)).toFixed(2)} us`
        ).join(" -> ") + ` (${messages} messages)`,
    );
  }
  const singles = Math.min(
    LATENCY_MESSAGES_MAX,
    Math.ceil(LATENCY_DELIVERIES / workload.receivers),
  );
  for (const receivers of both) await receivers.latency(Math.ceil(singles / 4));
  for (let round = 0; round < rounds; round++) {
    for (const [side, receivers] of both.entries()) {
      latency[side].push(await receivers.latency(singles));
    }
  }
  for (const receivers of both) receivers.close();
  return { workload, samples, latency };
}

function toMarkdown(results: Result[], names: string[], options: Options): string {
  const rows: string[][] = [];
  const latencyRows: string[][] = [];
  let missed = 0;
  for (const { workload, samples, latency } of results) {
    for (const [way, { title }] of PUBLISHING.entries()) {
      const rates = samples[way].map((each) => median(each.map((one) => one.deliveriesPerSecond)));
      const cpus = samples[way].map((each) => median(each.map((one) => one.cpuMicros)));
      const ratio = rates[1] / rates[0];
      if (ratio < workload.bar) missed++;
      rows.push([
        workload.name,
        title,
        ...rates.map((rate) => Math.round(rate).toLocaleString("en")),
        ratio.toFixed(2) + (ratio < workload.bar ? ` ${MISSED}` : ""),
        workload.bar.toFixed(1),
        ...cpus.map((cpu) => cpu.toFixed(2)),
        (cpus[0] / cpus[1]).toFixed(2),
      ]);
    }
    const times = (side: number, q: "p50Ms" | "p99Ms") =>
      median(latency[side].map((one) => one[q])).toFixed(2);
    latencyRows.push([
      workload.name,
      times(0, "p50Ms"),
      times(1, "p50Ms"),
      times(0, "p99Ms"),
      times(1, "p99Ms"),
    ]);
  }
  const [reference, subject] = names;
  const sections = [
    `# Pub/sub: ${subject} beside ${reference}`,
    `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}. ` +
    `Medians of ${options.rounds} round${options.rounds > 1 ? "s" : ""}; messages of ` +
    `${MESSAGE_BYTES} bytes; redis-benchmark publishes, without and with pipelining.` +
    (options.note ? `\n\n${options.note}` : ""),
    "Deliveries per second, and CPU time of the server for each in µs:",
    table([
      "workload",
      "published by",
      "Redis /s",
      "tsredis /s",
      "ratio",
      "bar",
      "Redis µs",
      "tsredis µs",
      "Redis : tsredis",
    ], rows),
    "Milliseconds from PUBLISH to a delivery, messages one at a time, all subscribers counted:",
    table(["workload", "Redis p50", "tsredis p50", "Redis p99", "tsredis p99"], latencyRows),
    missed === 0 ? "Every ratio meets its bar." : `${missed} of the ratios miss their bar.`,
  ];
  return sections.join("\n\n") + "\n";
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(line: string[]): Options | null {
  const read = readWords(line, { flags: ["quick"], values: ["only"], rounds: 3 });
  if (read === null) return null;
  const numbers = WORKLOADS.map((_, index) => index);
  return {
    ...read.common,
    workloads: choose("only", read.words.only, numbers, (index) => String(index + 1)),
  };
}
