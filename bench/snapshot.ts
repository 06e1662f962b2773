/**
 * `deno task bench:snapshot`: what do snapshots cost while clients write? BGSAVE, BGREWRITEAOF and a full sync of
 * tsredis, on Deno and as executable by Bun, beside redis-server, which forks.
 *
 * One server at a time gets five million keys, one hash and one sorted set of two million elements among them, and
 * 50,000 writes per second; of each snapshot it is measured how long other clients wait, what memory it takes, how
 * long it is under way, and whether it is of one instant.
 *
 * Prints a table, and keeps SNAPSHOT.md, snapshot.svg and snapshot.json beside this file, and README.md's part about
 * it. What was not measured this time stays as it was kept, so that servers can be measured in several runs. Needs
 * Linux (/proc), Debian's redis-server, twice the dataset of memory and four times as much on the disk.
 */

import { README, refreshed } from "../tools/readme.ts";
import { choose, commonHelp, type CommonOptions, positive, readWords } from "./compare/options.ts";
import { type ServerSpec, startServer } from "./compare/servers.ts";
import { aboutIn, describeMachine, nameOf, onBun, runTool } from "./compare/tool.ts";
import { drawChart } from "./snapshot/chart.ts";
import type { SnapshotResults } from "./snapshot/figures.ts";
import { measureSystem, type Part, PARTS } from "./snapshot/measure.ts";
import { SYSTEMS, toMarkdown } from "./snapshot/report.ts";

const HELP = `deno task bench:snapshot [options]

  --keys N            keys; two of them are large, with 0.4 times as many elements each (5000000)
  --rate N            writes per second (50000)
  --only A,B          of ${PARTS.join(", ")}
  --systems A,B       of ${SYSTEMS.join(", ")}
  --draw              measure nothing: make page and chart anew from what is kept
  --quick             ${(200_000).toLocaleString("en")} keys
${commonHelp("SNAPSHOT.md", 1)}
`;

const KEYS = 5_000_000;
const QUICK_KEYS = 200_000;
const PER_SECOND = 50_000;

const JSON_FILE = new URL("./snapshot.json", import.meta.url);

interface Options extends CommonOptions {
  keys: number;
  perSecond: number;
  parts: Part[];
  systems: (typeof SYSTEMS)[number][];
  draw: boolean;
}

if (import.meta.main) await runTool("bench:snapshot", HELP, readOptions, run);

async function run(options: Options, workDir: string): Promise<void> {
  const { keys, perSecond, note } = options;
  const results: SnapshotResults = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    keys,
    perSecond,
    note,
    systems: {},
  };
  if (!options.draw) await measureAll(options, workDir, results);
  const all = options.write || options.draw ? withKept(results) : results;
  console.log(toMarkdown(all));
  if (options.write || options.draw) keep(all);
}

async function measureAll(
  options: Options,
  workDir: string,
  results: SnapshotResults,
): Promise<void> {
  const bystander = await startServer(
    { ...options.reference, label: "bystander" },
    Deno.makeTempDirSync({ dir: workDir }),
  );
  try {
    for (const system of options.systems) {
      const spec = await specOf(system, options, workDir);
      const server = await startServer(spec, Deno.makeTempDirSync({ dir: workDir }));
      const name = nameOf(aboutIn(await server.info("server")));
      await server.stop();
      console.error(`measuring ${name}`);
      results.systems[system] = {
        name,
        parts: await measureSystem({ ...spec, label: name }, bystander, { ...options, workDir }),
      };
    }
  } finally {
    await bystander.stop();
  }
}

async function specOf(
  system: Options["systems"][number],
  options: Options,
  workDir: string,
): Promise<ServerSpec> {
  if (system === "redis") return options.reference;
  return system === "deno" ? options.subject : (await onBun(options, workDir)).subject;
}

/** What was measured, and for the rest what an earlier run with as many keys and writes has kept. */
function withKept(results: SnapshotResults): SnapshotResults {
  let kept: SnapshotResults;
  try {
    kept = JSON.parse(Deno.readTextFileSync(JSON_FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return results;
    throw error;
  }
  const isNew = Object.keys(results.systems).length > 0;
  if (isNew && (kept.keys !== results.keys || kept.perSecond !== results.perSecond)) return results;
  const systems: SnapshotResults["systems"] = {};
  for (const system of SYSTEMS) {
    const [before, now] = [kept.systems[system], results.systems[system]];
    if (!before && !now) continue;
    systems[system] = { name: (now ?? before).name, parts: { ...before?.parts, ...now?.parts } };
  }
  const note = results.note ?? kept.note;
  return { ...(isNew ? results : kept), note, systems };
}

function keep(results: SnapshotResults): void {
  Deno.writeTextFileSync(JSON_FILE, JSON.stringify(results) + "\n");
  Deno.writeTextFileSync(new URL("./SNAPSHOT.md", import.meta.url), toMarkdown(results));
  Deno.writeTextFileSync(new URL("./snapshot.svg", import.meta.url), drawChart(results));
  Deno.writeTextFileSync(README, refreshed(Deno.readTextFileSync(README)));
  console.error("written: bench/SNAPSHOT.md, snapshot.svg and snapshot.json, and README.md");
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(line: string[]): Options | null {
  const read = readWords(line, {
    flags: ["quick", "draw"],
    values: ["keys", "rate", "only", "systems"],
    rounds: 1,
  });
  if (read === null) return null;
  const { keys, rate, only, systems, draw } = read.words;
  const { common } = read;
  return {
    ...common,
    keys: keys === undefined ? (common.quick ? QUICK_KEYS : KEYS) : positive("keys", keys),
    perSecond: rate === undefined ? PER_SECOND : positive("rate", rate),
    parts: choose("only", only, PARTS, (part) => part),
    systems: choose("systems", systems, SYSTEMS, (system) => system),
    draw,
  };
}
