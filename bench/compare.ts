/**
 * `deno task compare`: tsredis beside redis-server on this machine, in speed, memory, snapshots and stalls.
 *
 * Starts both servers on free ports, measures them in turn, prints tables, and after a whole run writes
 * RESULTS.md, with results.svg and results.json, beside this file, and README.md's table of speed. Needs Linux (/proc) and Debian's redis-server
 * and redis-tools. It is a tool of the developer: nothing here is part of the server.
 *
 * The parts: `compare/servers.ts` starts and watches servers, `compare/workloads.ts` and `compare/large_data.ts`
 * list what is run, `compare/speed.ts`, `compare/tls.ts`, `compare/aof.ts`, `compare/data.ts` and `compare/commands.ts` measure, `compare/report.ts` and
 * `compare/chart.ts` show.
 */

import { expectedAofMs, measureAof } from "./compare/aof.ts";
import { drawChart } from "./compare/chart.ts";
import { COMMANDS_HEAD, expectedCommandsMs, measureCommands } from "./compare/commands.ts";
import {
  ELEMENT_KINDS,
  elementMeasure,
  EXPECTED_ROUND_MS,
  measureMemory,
  measurePair,
  measureSave,
  measureStall,
} from "./compare/data.ts";
import {
  choose,
  commonHelp,
  type CommonOptions,
  onEachRuntime,
  positive,
  readWords,
} from "./compare/options.ts";
import { durationText, Progress } from "./compare/progress.ts";
import { EXPLANATION, type ReportContext, toJson, toMarkdown } from "./compare/report.ts";
import { DEEP_PIPELINE, DEEP_TESTS, type Results } from "./compare/results.ts";
import { SCRIPT_WORKLOADS } from "./compare/script_workloads.ts";
import { type ServerSpec, startServer } from "./compare/servers.ts";
import { expectedSpeedMs, measureSpeed, SPEED_HEAD, USUAL_PIPELINES } from "./compare/speed.ts";
import { expectedTlsMs, measureTls } from "./compare/tls.ts";
import { aboutIn, describeMachine, reportName, runTool } from "./compare/tool.ts";
import { TYPE_WORKLOADS } from "./compare/type_workloads.ts";
import { VARIANTS, WORKLOADS } from "./compare/workloads.ts";
import { README, refreshed } from "../tools/readme.ts";

const TESTS = [...WORKLOADS, ...TYPE_WORKLOADS, ...SCRIPT_WORKLOADS];

const HELP = `deno task compare [options]

  --quick             short runs, one round: to try the tool or look at a change
  --only A,B          of speed, tls, aof, memory, elements, save, stall, commands
  --tests A,B         of ${TESTS.map((workload) => workload.name).join(" ")}
  --pipelines A,B     pipeline depths (${USUAL_PIPELINES.join(",")}; and ${DEEP_PIPELINE} for ${
  [...DEEP_TESTS].join(" and ")
} at random keys)
  --variants A,B      of ${VARIANTS.map((variant) => variant.id).join(" ")}
  --requests N        requests of every timed run, instead of as many as fill 1.7 s
${commonHelp("RESULTS.md", 3)}
`;

const MEASUREMENTS = [
  "speed",
  "tls",
  "aof",
  "memory",
  "elements",
  "save",
  "stall",
  "commands",
] as const;

const RUN_MS = 1_700;
const QUICK_RUN_MS = 300;

const KEYS = 1_000_000;

interface Options extends CommonOptions {
  measurements: (typeof MEASUREMENTS)[number][];
  workloads: typeof TESTS;
  variants: typeof VARIANTS;
  pipelines: number[] | null;
  requests?: number;
}

if (import.meta.main) await runTool("compare", HELP, readOptions, compare);

async function compare(options: Options, workDir: string): Promise<void> {
  announce(options);
  await onEachRuntime(options, workDir, compareOne);
}

/** What will be done, how long that takes, and how to read what comes. */
function announce(options: Options): void {
  const { measurements, rounds, runtimes } = options;
  const wholeMs = expectedMs(options).reduce((sum, ms) => sum + ms, 0) * runtimes.length;
  console.error(
    [
      `Measuring ${measurements.join(", ")} of redis-server and tsredis in turn` +
      `${
        runtimes.length > 1 ? `, once for each of ${runtimes.join(" and ")}` : ""
      }; rounds: ${rounds}.`,
      `That takes about ${
        durationText(wholeMs)
      }. Leave the machine alone meanwhile; Ctrl-C ends it.`,
      "",
      ...EXPLANATION,
      "",
    ].join("\n"),
  );
}

async function compareOne(options: Options, workDir: string): Promise<void> {
  const results = await measure(options, workDir);
  const context: ReportContext = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    subjectCommand: options.subjectCommand,
    rounds: options.rounds,
    runMs: runMs(options),
    keys: KEYS,
    note: options.note,
  };
  const markdown = toMarkdown(results, context);
  console.log(markdown);
  if (options.write && !results.subjectIsTsredis) {
    console.error("not written: the measured server does not report a tsredis_version");
  } else if (options.write) {
    await write(results, context, markdown);
  }
}

async function measure(options: Options, workDir: string): Promise<Results> {
  const { reference, subject, measurements } = options;
  const dirs = [0, 1].map(() => Deno.makeTempDirSync({ dir: workDir }));
  const referenceServer = await startServer(reference, dirs[0]);
  const subjectServer = await startServer(subject, dirs[1]);
  const about = aboutIn(await subjectServer.info("server"));
  const results: Results = {
    referenceVersion: aboutIn(await referenceServer.info("server")).version,
    subjectVersion: about.version,
    subjectIsTsredis: about.isTsredis,
    subjectRuntime: about.runtime,
  };
  const progress = new Progress(expectedMs(options));
  if (measurements.includes("speed")) {
    console.error(SPEED_HEAD);
    const speedOptions = { ...options, runMs: runMs(options) };
    results.speed = await measureSpeed(referenceServer, subjectServer, speedOptions, progress);
  }
  await referenceServer.stop();
  await subjectServer.stop();

  if (measurements.includes("tls")) {
    console.error(SPEED_HEAD);
    const tlsOptions = { ...options, runMs: runMs(options), workDir };
    results.tls = await measureTls(reference, subject, tlsOptions, progress);
  }
  if (measurements.includes("aof")) {
    console.error(SPEED_HEAD);
    const aofOptions = { ...options, runMs: runMs(options), workDir };
    results.aof = await measureAof(reference, subject, aofOptions, progress);
  }
  const data = { keys: KEYS, rounds: options.rounds, workDir };
  const pair = <T>(
    what: keyof typeof EXPECTED_ROUND_MS,
    take: (spec: ServerSpec, options: typeof data) => Promise<T>,
  ) => measurePair(reference, subject, data, what, take, progress);
  if (measurements.includes("memory")) results.memory = await pair("memory", measureMemory);
  if (measurements.includes("elements")) {
    results.elements = [];
    for (const kind of ELEMENT_KINDS) {
      const { reference, subject } = await pair("elements", elementMeasure(kind));
      results.elements.push({ title: kind.title, reference, subject });
    }
  }
  if (measurements.includes("save")) results.save = await pair("save", measureSave);
  if (measurements.includes("stall")) results.stall = await pair("stall", measureStall);
  if (measurements.includes("commands")) {
    console.error(COMMANDS_HEAD);
    results.commands = await measureCommands(reference, subject, data, progress);
  }
  return results;
}

/** About how long each step of a comparison takes, in their order. */
function expectedMs(options: Options): number[] {
  return options.measurements.flatMap((name) => {
    if (name === "speed") return expectedSpeedMs({ ...options, runMs: runMs(options) });
    if (name === "tls") return expectedTlsMs({ ...options, runMs: runMs(options) });
    if (name === "aof") return expectedAofMs({ ...options, runMs: runMs(options) });
    if (name === "commands") return expectedCommandsMs(options);
    const times = name === "elements" ? ELEMENT_KINDS.length : 1;
    return new Array<number>(options.rounds * times).fill(EXPECTED_ROUND_MS[name]);
  });
}

/** Length of a timed run of redis-benchmark on the faster server. */
function runMs({ quick }: Options): number {
  return quick ? QUICK_RUN_MS : RUN_MS;
}

async function write(results: Results, context: ReportContext, markdown: string): Promise<void> {
  const { subjectRuntime } = results;
  const files: [name: string, content: string][] = [
    [reportName("RESULTS.md", subjectRuntime), markdown],
    [reportName("results.json", subjectRuntime), toJson(results, context)],
  ];
  if (results.speed) {
    files.push([
      reportName("results.svg", subjectRuntime),
      drawChart(
        results.speed,
        results.referenceVersion,
        `${results.subjectVersion} on ${subjectRuntime}`,
      ),
    ]);
  }
  const paths = files.map(([name, content]) => {
    const path = new URL(name, import.meta.url);
    Deno.writeTextFileSync(path, content);
    return path.pathname;
  });
  // What is written is part of the project, whose format check looks at all of it.
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", ...paths.filter((path) => !path.endsWith(".md"))],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot format results: ${new TextDecoder().decode(stderr)}`);
  Deno.writeTextFileSync(README, refreshed(Deno.readTextFileSync(README)));
  console.error(`written: ${files.map(([name]) => `bench/${name}`).join(", ")}, README.md`);
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(line: string[]): Options | null {
  const read = readWords(line, {
    flags: ["quick"],
    values: ["only", "tests", "pipelines", "variants", "requests"],
    rounds: 3,
  });
  if (read === null) return null;
  const { only, tests, pipelines, variants, requests } = read.words;
  return {
    ...read.common,
    measurements: choose("only", only, MEASUREMENTS, (name) => name),
    workloads: choose("tests", tests, TESTS, (workload) => workload.name),
    variants: choose("variants", variants, VARIANTS, (variant) => variant.id),
    pipelines: pipelines?.split(",").map((word) => positive("pipelines", word)) ?? null,
    requests: requests === undefined ? undefined : positive("requests", requests),
  };
}
