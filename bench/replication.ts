/**
 * `deno task bench:replication`: does replication of tsredis keep up with that of redis-server?
 *
 * Four questions, both asked the same in one run: how long does a full sync of a million keys take; how long do
 * clients of either side wait at worst meanwhile; what do attached replicas cost a master in throughput; and does a
 * replica apply at least what a master accepts, and how far behind is it.
 *
 * Prints tables, and after a whole run writes REPLICATION.md beside this file. Needs Linux (/proc) and Debian's
 * redis-server and redis-tools. Its parts are in `replication/`; starting servers, running redis-benchmark and
 * drawing tables are the work of `compare/`.
 */

import {
  choose,
  commonHelp,
  type CommonOptions,
  onEachRuntime,
  positive,
  readWords,
} from "./compare/options.ts";
import {
  describeMachine,
  introduce,
  keepReport,
  nameOf,
  runTool,
  UsageError,
} from "./compare/tool.ts";
import { measureApply } from "./replication/apply.ts";
import { measureFullSync, SYNC_MODES } from "./replication/full_sync.ts";
import type { System } from "./replication/replica_set.ts";
import {
  type Both,
  type ReplicationContext,
  type ReplicationResults,
  toMarkdown,
} from "./replication/report.ts";
import { measureThroughput } from "./replication/throughput.ts";

const HELP = `deno task bench:replication [options]

  --quick             ${(100_000).toLocaleString("en")} keys, short runs, one round
  --keys N            keys of the full sync (1000000)
  --only A,B          of sync, throughput, apply
  --servers A,B       what is compared: tsredis,redis (default), or redis for redis-server beside itself,
                      which shows what the machine's noise is
  --mixed             also apply with a redis-server master and a tsredis replica, and the reverse
${commonHelp("REPLICATION.md", 3)}
`;

const PARTS = ["sync", "throughput", "apply"] as const;

const KEYS = 1_000_000;
const QUICK_KEYS = 100_000;

/** Length of a timed run of redis-benchmark on the fastest master. */
const RUN_MS = 2_000;
const QUICK_RUN_MS = 500;

/** Random SETs before a timed run: enough to set nearly all of redis-benchmark's keys, or in quick runs some. */
const FILL_REQUESTS = 3_000_000;
const QUICK_FILL_REQUESTS = 400_000;

interface Options extends CommonOptions {
  parts: readonly (typeof PARTS)[number][];
  keys: number;
  /** Whether redis-server takes the place of tsredis. */
  isRedisAlone: boolean;
  mixed: boolean;
}

if (import.meta.main) {
  await runTool(
    "bench:replication",
    HELP,
    readOptions,
    (options, workDir) => onEachRuntime(options, workDir, run),
  );
}

async function run(options: Options, workDir: string): Promise<void> {
  const { parts, rounds, keys, quick } = options;
  const runMs = quick ? QUICK_RUN_MS : RUN_MS;
  const fillRequests = quick ? QUICK_FILL_REQUESTS : FILL_REQUESTS;
  const systems = systemsOf(options);
  const about = await introduce(systems[1].master, workDir);
  const context: ReplicationContext = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    reference: nameOf(await introduce(systems[0].master, workDir)),
    subject: nameOf(about),
    labels: [systems[0].label, systems[1].label],
    rounds,
    keys,
    note: options.note,
  };
  const results: ReplicationResults = {};
  if (parts.includes("sync")) {
    results.fullSync = [];
    for (const mode of SYNC_MODES) {
      const sync = { keys, rounds, workDir, bystander: options.reference };
      const samples = await measureFullSync(systems, mode, sync);
      results.fullSync.push({ mode, samples: [samples[0], samples[1]] });
    }
  }
  if (parts.includes("throughput")) {
    const measured = await measureThroughput(systems, { rounds, runMs, fillRequests, workDir });
    results.throughput = [measured[0], measured[1]];
  }
  if (parts.includes("apply")) {
    const all = [...systems, ...mixedSystems(options)];
    const measured = await measureApply(all, { rounds, runMs, fillRequests, workDir });
    results.apply = all.map(({ label }, i) => ({ label, samples: measured[i] }));
  }
  const markdown = toMarkdown(results, context);
  console.log(markdown);
  if (options.write) keepReport("REPLICATION.md", markdown, about);
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
    flags: ["quick", "mixed"],
    values: ["keys", "only", "servers"],
    rounds: 3,
  });
  if (read === null) return null;
  const { only, keys, servers = "tsredis,redis", mixed } = read.words;
  const { common } = read;
  const wanted = servers.split(",").toSorted().join(",");
  if (wanted !== "redis" && wanted !== "redis,tsredis") {
    throw new UsageError("--servers: tsredis,redis or redis");
  }
  return {
    ...common,
    parts: choose("only", only, PARTS, (part) => part),
    keys: keys === undefined ? (common.quick ? QUICK_KEYS : KEYS) : positive("keys", keys),
    isRedisAlone: wanted === "redis",
    mixed,
  };
}
