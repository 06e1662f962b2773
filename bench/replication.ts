/**
 * `deno task bench:replication`: does replication of tsredis keep up with that of redis-server?
 *
 * Both are asked the same in one run: how long full syncs take, of one and five million keys and of large collections,
 * to one replica and to several at once; how long clients of either side wait at worst meanwhile; how soon a link that
 * was cut is back; what attached replicas cost a master in throughput; and does a replica apply at least what a master
 * accepts, and how far behind is it. And of tsredis alone: what it costs to translate the stream for an older replica.
 *
 * Prints tables, and keeps replication.json, REPLICATION.md (on Bun, REPLICATION-bun.md) and replication.svg beside
 * this file, and README.md's part about it. What was not measured this time stays as it was kept, so that parts can
 * be measured in several runs. Needs Linux (/proc), Debian's redis-server and redis-tools, and 6 GB of memory. Its
 * parts are in `replication/`; starting servers, running redis-benchmark and drawing tables are the work of
 * `compare/`.
 */

import { README, refreshed } from "../tools/readme.ts";
import {
  choose,
  commonHelp,
  type CommonOptions,
  onEachRuntime,
  positive,
  readWords,
} from "./compare/options.ts";
import {
  type About,
  describeMachine,
  introduce,
  nameOf,
  runTool,
  UsageError,
} from "./compare/tool.ts";
import { measureApply } from "./replication/apply.ts";
import { drawChart } from "./replication/chart.ts";
import {
  type Both,
  type Part,
  PARTS,
  type ReplicationResults,
  type RuntimeName,
  type RuntimeResults,
  RUNTIMES,
  SYNC_PARTS,
  type SyncMode,
} from "./replication/figures.ts";
import { measureFullSync, SYNC_MODES } from "./replication/full_sync.ts";
import { withKept } from "./replication/kept.ts";
import { measurePartial } from "./replication/partial.ts";
import type { System } from "./replication/replica_set.ts";
import { toMarkdown } from "./replication/report.ts";
import { measureThroughput } from "./replication/throughput.ts";
import { measureTranslation } from "./replication/translation.ts";

const HELP = `deno task bench:replication [options]

  --quick             ${(100_000).toLocaleString("en")} keys, short runs, one round
  --keys N            keys of a full sync, and elements of each large collection (1000000)
  --only A,B          of ${PARTS.join(", ")};
                      the last needs servers of older versions in TSREDIS_OLD_SERVERS
  --modes A,B         full syncs in the modes ${SYNC_MODES.map(({ title }) => title).join(", ")}
  --servers A,B       what is compared: tsredis,redis (default), or redis for redis-server beside itself,
                      which shows what the machine's noise is
  --mixed             also apply with a redis-server master and a tsredis replica, and the reverse
  --draw              measure nothing: make pages and chart anew from what is kept
${commonHelp("REPLICATION.md", 3)}
`;

const KEYS = 1_000_000;
const QUICK_KEYS = 100_000;

/** Length of a timed run of redis-benchmark on the fastest master. */
const RUN_MS = 2_000;
const QUICK_RUN_MS = 500;

/** Random SETs before a timed run: enough to set nearly all of redis-benchmark's keys, or in quick runs some. */
const FILL_REQUESTS = 3_000_000;
const QUICK_FILL_REQUESTS = 400_000;

/** Commands of a timed run for an older replica. */
const COMMANDS = 300_000;
const QUICK_COMMANDS = 60_000;

const JSON_FILE = new URL("./replication.json", import.meta.url);

const PAGES = { deno: "./REPLICATION.md", bun: "./REPLICATION-bun.md" };

interface Options extends CommonOptions {
  parts: Part[];
  modes: SyncMode[];
  keys: number;
  /** Whether redis-server takes the place of tsredis. */
  isRedisAlone: boolean;
  mixed: boolean;
  draw: boolean;
}

if (import.meta.main) {
  await runTool("bench:replication", HELP, readOptions, async (options, workDir) => {
    if (options.draw) drawAnew(options.note);
    else await onEachRuntime(options, workDir, run);
  });
}

async function run(options: Options, workDir: string): Promise<void> {
  const systems = systemsOf(options);
  const about = await introduce(systems[1].master, workDir);
  const measured: RuntimeResults = {
    reference: nameOf(await introduce(systems[0].master, workDir)),
    subject: nameOf(about),
    labels: [systems[0].label, systems[1].label],
    measured: {},
    fullSync: [],
  };
  await measureAll(systems, options, workDir, measured);
  const { note } = options;
  const runtime = runtimeOf(about);
  const kept = readKept();
  if (!options.write || runtime === null) { // of redis-server beside itself nothing is kept
    console.log(toMarkdown({ machine: describeMachine(), note }, measured));
    return;
  }
  const results: ReplicationResults = {
    ...kept,
    machine: describeMachine(),
    note: note ?? kept.note,
    [runtime]: withKept(measured, kept[runtime]),
  };
  console.log(toMarkdown(results, results[runtime]!));
  keepAll(results);
}

async function measureAll(
  systems: Both<System>,
  options: Options,
  workDir: string,
  into: RuntimeResults,
): Promise<void> {
  const { parts, modes, rounds, keys, quick, reference: bystander } = options;
  const runMs = quick ? QUICK_RUN_MS : RUN_MS;
  const fillRequests = quick ? QUICK_FILL_REQUESTS : FILL_REQUESTS;
  const date = new Date().toISOString().slice(0, 10);
  for (const part of SYNC_PARTS) {
    if (!parts.includes(part)) continue;
    const sync = { keys, modes, rounds, workDir, bystander };
    into.fullSync.push(...await measureFullSync(systems, part, sync));
  }
  if (parts.includes("throughput")) {
    const measured = await measureThroughput(systems, { rounds, runMs, fillRequests, workDir });
    into.throughput = [measured[0], measured[1]];
  }
  if (parts.includes("partial")) {
    const measured = await measurePartial(systems, { keys, rounds, workDir, bystander });
    into.partial = [measured[0], measured[1]];
  }
  if (parts.includes("apply")) {
    const all = [...systems, ...mixedSystems(options)];
    const measured = await measureApply(all, { rounds, runMs, fillRequests, workDir, bystander });
    into.apply = all.map(({ label }, i) => ({ label, samples: measured[i] }));
  }
  if (parts.includes("translation")) {
    const commands = quick ? QUICK_COMMANDS : COMMANDS;
    const measured = await measureTranslation(systems[1].master, {
      rounds,
      commands,
      fillRequests: QUICK_FILL_REQUESTS,
      workDir,
    });
    if (measured !== null) into.translation = measured;
    else console.error("translation: left out, as TSREDIS_OLD_SERVERS names no servers");
  }
  for (const part of parts) {
    if (part === "translation" && into.translation === undefined) continue;
    into.measured[part] = { date, rounds };
  }
}

/** Which runtime's results these are; null when tsredis was not measured. */
function runtimeOf({ isTsredis, runtime }: About): RuntimeName | null {
  if (!isTsredis) return null;
  return runtime?.startsWith("Bun ") ? "bun" : "deno";
}

function readKept(): ReplicationResults {
  try {
    return JSON.parse(Deno.readTextFileSync(JSON_FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { machine: describeMachine() };
    throw error;
  }
}

/** Pages and chart of what is kept, with another remark where one is given. */
function drawAnew(note: string | undefined): void {
  const kept = readKept();
  keepAll({ ...kept, note: note ?? kept.note });
}

/** Writes what is kept, and all that is made of it. */
function keepAll(results: ReplicationResults): void {
  Deno.writeTextFileSync(JSON_FILE, JSON.stringify(results) + "\n");
  for (const name of RUNTIMES) {
    const ofRuntime = results[name];
    if (ofRuntime === undefined) continue;
    Deno.writeTextFileSync(new URL(PAGES[name], import.meta.url), toMarkdown(results, ofRuntime));
  }
  Deno.writeTextFileSync(new URL("./replication.svg", import.meta.url), drawChart(results));
  Deno.writeTextFileSync(README, refreshed(Deno.readTextFileSync(README)));
  console.error("written: bench/replication.json, its pages and chart, and README.md");
}

/** What is compared. */
function systemsOf({ reference, subject, isRedisAlone }: Options): Both<System> {
  return [
    { label: "redis", master: reference, replica: reference },
    isRedisAlone
      ? { label: "redis again", master: reference, replica: reference }
      : { label: "tsredis", master: subject, replica: subject },
  ];
}

function mixedSystems({ reference, subject, mixed }: Options): System[] {
  if (!mixed) return [];
  return [
    { label: "redis master, tsredis replica", master: reference, replica: subject },
    { label: "tsredis master, redis replica", master: subject, replica: reference },
  ];
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(line: string[]): Options | null {
  const read = readWords(line, {
    flags: ["quick", "mixed", "draw"],
    values: ["keys", "only", "modes", "servers"],
    rounds: 3,
  });
  if (read === null) return null;
  const { only, modes, keys, servers = "tsredis,redis", mixed, draw } = read.words;
  const { common } = read;
  const wanted = servers.split(",").toSorted().join(",");
  if (wanted !== "redis" && wanted !== "redis,tsredis") {
    throw new UsageError("--servers: tsredis,redis or redis");
  }
  return {
    ...common,
    parts: choose("only", only, PARTS, (part) => part),
    modes: choose("modes", modes, SYNC_MODES, (mode) => mode.title),
    keys: keys === undefined ? (common.quick ? QUICK_KEYS : KEYS) : positive("keys", keys),
    isRedisAlone: wanted === "redis",
    mixed,
    draw,
  };
}
