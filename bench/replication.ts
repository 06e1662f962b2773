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

import { parseArgs } from "@std/cli/parse-args";
import type { ServerSpec } from "./compare/servers.ts";
import {
  contestants,
  describeMachine,
  positive,
  refuseUnknown,
  runTool,
  UsageError,
} from "./compare/tool.ts";
import { measureApply } from "./replication/apply.ts";
import { measureFullSync, SYNC_MODES } from "./replication/full_sync.ts";
import { infoOf, startMember, type System } from "./replication/replica_set.ts";
import {
  type Both,
  type ReplicationContext,
  type ReplicationResults,
  toMarkdown,
} from "./replication/report.ts";
import { measureThroughput } from "./replication/throughput.ts";

const HELP = `deno task bench:replication [options]

  --quick             ${(100_000).toLocaleString("en")} keys, short runs, one round
  --rounds N          rounds of every measurement (3)
  --keys N            keys of the full sync (1000000)
  --only A,B          of sync, throughput, apply
  --servers A,B       what is compared: tsredis,redis (default), or redis for redis-server beside itself,
                      which shows what the machine's noise is
  --mixed             also apply with a redis-server master and a tsredis replica, and the reverse
  --server COMMAND    how tsredis is started (deno task start); e.g. ./tsredis
  --reference COMMAND what it is compared with (redis-server)
  --note TEXT         a remark for the report
  --write, --no-write write REPLICATION.md, or not; without either, only a run of everything writes it
`;

const PARTS = ["sync", "throughput", "apply"];

const KEYS = 1_000_000;
const QUICK_KEYS = 100_000;

/** Length of a timed run of redis-benchmark on the fastest master. */
const RUN_MS = 2_000;
const QUICK_RUN_MS = 500;

/** Random SETs before a timed run: enough to set nearly all of redis-benchmark's keys, or in quick runs some. */
const FILL_REQUESTS = 3_000_000;
const QUICK_FILL_REQUESTS = 400_000;

interface Options {
  parts: Set<string>;
  rounds: number;
  keys: number;
  runMs: number;
  fillRequests: number;
  systems: Both<System>;
  mixed: System[];
  reference: ServerSpec;
  note?: string;
  write: boolean;
}

/** The command line as split into options; values as typed. */
interface Words {
  quick: boolean;
  mixed: boolean;
  write: boolean;
  "no-write": boolean;
  help: boolean;
  rounds?: string;
  keys?: string;
  only?: string;
  servers?: string;
  server?: string;
  reference?: string;
  note?: string;
}

if (import.meta.main) await runTool("bench:replication", HELP, readOptions, run);

async function run(options: Options, workDir: string): Promise<void> {
  const { systems, parts, rounds, keys, runMs, fillRequests } = options;
  const context: ReplicationContext = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    runtime: `Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`,
    reference: await describe(systems[0].master, workDir),
    subject: await describe(systems[1].master, workDir),
    labels: [systems[0].label, systems[1].label],
    rounds,
    keys,
    note: options.note,
  };
  const results: ReplicationResults = {};
  if (parts.has("sync")) {
    results.fullSync = [];
    for (const mode of SYNC_MODES) {
      const sync = { keys, rounds, workDir, bystander: options.reference };
      const samples = await measureFullSync(systems, mode, sync);
      results.fullSync.push({ mode, samples: [samples[0], samples[1]] });
    }
  }
  if (parts.has("throughput")) {
    const measured = await measureThroughput(systems, { rounds, runMs, fillRequests, workDir });
    results.throughput = [measured[0], measured[1]];
  }
  if (parts.has("apply")) {
    const all = [...systems, ...options.mixed];
    const measured = await measureApply(all, { rounds, runMs, fillRequests, workDir });
    results.apply = all.map(({ label }, i) => ({ label, samples: measured[i] }));
  }
  const markdown = toMarkdown(results, context);
  console.log(markdown);
  if (options.write && !context.subject.startsWith("tsredis")) {
    console.error("not written: the measured server does not report a tsredis_version");
  } else if (options.write) {
    Deno.writeTextFileSync(new URL("REPLICATION.md", import.meta.url), markdown);
    console.error("written: bench/REPLICATION.md");
  }
}

/** Name and version, as the server itself reports them. */
async function describe(spec: ServerSpec, workDir: string): Promise<string> {
  const { server } = await startMember(spec, [], workDir);
  try {
    const about = await infoOf(server, "server");
    const version = about.get("tsredis_version");
    return version ? `tsredis ${version}` : `redis-server ${about.get("redis_version")}`;
  } finally {
    await server.stop();
  }
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(words: string[]): Options | null {
  const args: Words = parseArgs(words, {
    boolean: ["quick", "mixed", "write", "no-write", "help"],
    string: ["rounds", "keys", "only", "servers", "server", "reference", "note"],
    alias: { h: "help" },
    unknown: refuseUnknown,
  });
  if (args.help) return null;
  const { reference: redis, subject: tsredis } = contestants(args);
  const system = (label: string, master: ServerSpec, replica: ServerSpec): System => {
    return { label, master, replica };
  };
  const servers = (args.servers ?? "tsredis,redis").split(",").toSorted().join(",");
  if (servers !== "redis" && servers !== "redis,tsredis") {
    throw new UsageError("--servers: tsredis,redis or redis");
  }
  const parts = new Set((args.only ?? PARTS.join(",")).split(","));
  for (const part of parts) {
    if (!PARTS.includes(part)) {
      throw new UsageError(`--only: no ${part}; there are ${PARTS.join(", ")}`);
    }
  }
  const whole = !args.quick && !args.only && !args.keys && servers !== "redis" && !args.reference;
  return {
    parts,
    rounds: args.rounds === undefined ? (args.quick ? 1 : 3) : positive("rounds", args.rounds),
    keys: args.keys === undefined ? (args.quick ? QUICK_KEYS : KEYS) : positive("keys", args.keys),
    runMs: args.quick ? QUICK_RUN_MS : RUN_MS,
    fillRequests: args.quick ? QUICK_FILL_REQUESTS : FILL_REQUESTS,
    systems: [
      system("redis", redis, redis),
      servers === "redis"
        ? system("redis again", redis, redis)
        : system("tsredis", tsredis, tsredis),
    ],
    mixed: args.mixed
      ? [
        system("redis master, tsredis replica", redis, tsredis),
        system("tsredis master, redis replica", tsredis, redis),
      ]
      : [],
    reference: redis,
    note: args.note,
    write: args.write || (whole && !args["no-write"]),
  };
}
