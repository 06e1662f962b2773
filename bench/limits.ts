/**
 * `deno task bench:limits`: whatever can be long or large, beside redis-server: what does it cost in time and
 * memory, how long do others wait meanwhile, and does the memory come back?
 *
 * Every case does the same steps with a fresh tsredis and a fresh redis-server in turn. Prints a table of figures
 * with the bars they are held to, and after a whole run writes LIMITS.md (on Bun LIMITS-bun.md) beside this file.
 * Needs Linux (/proc) and Debian's redis-server.
 *
 * The parts: `limits/cases.ts` says what a case is, `limits/subjects.ts` lists the files of cases,
 * `limits/bench.ts` is what cases run on, `limits/report.ts` shows. Starting servers is the work of `compare/`.
 */

import { parseArgs } from "@std/cli/parse-args";
import { durationText, Progress } from "./compare/progress.ts";
import { type ServerSpec, startServer } from "./compare/servers.ts";
import {
  type About,
  aboutIn,
  choose,
  type Contestants,
  contestants,
  describeMachine,
  nameOf,
  onBun,
  positive,
  refuseUnknown,
  runTool,
  UsageError,
} from "./compare/tool.ts";
import { Bench } from "./limits/bench.ts";
import type { Figures, LimitsCase } from "./limits/cases.ts";
import { type CaseResult, toMarkdown } from "./limits/report.ts";
import { SUBJECTS } from "./limits/subjects.ts";

const HELP = `deno task bench:limits [options]

  --only A,B          subjects, of ${SUBJECTS.map((subject) => subject.name).join(" ")}
  --case TEXT         only cases with this in their title
  --rounds N          rounds of every case (1)
  --runtime NAME      what runs tsredis: deno (deno task start), or bun (an executable made for this)
  --server COMMAND    how tsredis is started otherwise; e.g. ./tsredis
  --reference COMMAND what it is compared with (redis-server)
  --note TEXT         a remark for the report
  --write, --no-write write LIMITS.md (on Bun, LIMITS-bun.md), or not; without either, only a run of
                      everything writes it
`;

/** What starting both servers and stopping them adds to a case. */
const START_MS = 3_000;

interface Options extends Contestants {
  cases: Chosen[];
  rounds: number;
  buildsExecutable: boolean;
  note?: string;
  write: boolean;
}

/** A case to run, with its subject's title. */
interface Chosen {
  subject: string;
  one: LimitsCase;
}

/** The command line as split into options; values as typed. */
interface Words {
  write: boolean;
  "no-write": boolean;
  help: boolean;
  only?: string;
  case?: string;
  rounds?: string;
  runtime?: string;
  server?: string;
  reference?: string;
  note?: string;
}

if (import.meta.main) await runTool("bench:limits", HELP, readOptions, run);

async function run(options: Options, workDir: string): Promise<void> {
  const { reference, subject } = options.buildsExecutable ? await onBun(options, workDir) : options;
  const ours = await about(subject, workDir);
  const results = await measure(options, { reference, subject }, workDir);
  const markdown = toMarkdown(results, {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    reference: nameOf(await about(reference, workDir)),
    subject: nameOf(ours),
    rounds: options.rounds,
    note: options.note,
  });
  console.log(markdown);
  if (!options.write) return;
  const name = ours.runtime?.startsWith("Bun ") ? "LIMITS-bun.md" : "LIMITS.md";
  Deno.writeTextFileSync(new URL(name, import.meta.url), markdown);
  console.error(`written: bench/${name}`);
}

/** Starts a server to ask it who it is. */
async function about(spec: ServerSpec, workDir: string): Promise<About> {
  const server = await startServer(spec, Deno.makeTempDirSync({ dir: workDir }));
  try {
    return aboutIn(await server.info("server"));
  } finally {
    await server.stop();
  }
}

async function measure(
  { cases, rounds }: Options,
  { reference, subject }: Pick<Contestants, "reference" | "subject">,
  workDir: string,
): Promise<CaseResult[]> {
  const expected = cases.map(({ one }) => (one.expectedMs + START_MS) * rounds);
  const wholeMs = expected.reduce((sum, ms) => sum + ms, 0);
  console.error(
    `${cases.length} cases, each on redis-server and on tsredis: about ${durationText(wholeMs)}`,
  );
  const progress = new Progress(expected);
  const results: CaseResult[] = [];
  for (const [i, { subject: title, one }] of cases.entries()) {
    progress.begin(one.title);
    const result: CaseResult = { subject: title, case: one, ours: [], redis: [] };
    for (let round = 0; round < rounds; round++) {
      result.redis.push(await runCase(one, reference, workDir));
      result.ours.push(await runCase(one, subject, workDir));
    }
    results.push(result);
    progress.end(expected[i], one.title);
  }
  return results;
}

async function runCase(one: LimitsCase, spec: ServerSpec, workDir: string): Promise<Figures> {
  const bench = await Bench.open(spec, one.options ?? [], workDir);
  try {
    await one.prepare?.(bench);
    return await one.run(bench);
  } catch (error) {
    throw new Error(`${one.title}, on ${spec.label}: ${(error as Error).message}`);
  } finally {
    await bench.close();
  }
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(words: string[]): Options | null {
  const args: Words = parseArgs(words, {
    boolean: ["write", "no-write", "help"],
    string: ["only", "case", "rounds", "runtime", "server", "reference", "note"],
    alias: { h: "help" },
    unknown: refuseUnknown,
  });
  if (args.help) return null;
  if (args.runtime !== undefined && !["deno", "bun"].includes(args.runtime)) {
    throw new UsageError(`--runtime: no ${args.runtime}; there are deno, bun`);
  }
  if (args.runtime !== undefined && args.server !== undefined) {
    throw new UsageError("--runtime and --server exclude each other");
  }
  const isWhole = !args.only && !args.case && !args.server && !args.reference;
  return {
    ...contestants(args),
    cases: chooseCases(args),
    rounds: args.rounds === undefined ? 1 : positive("rounds", args.rounds),
    buildsExecutable: args.runtime === "bun",
    note: args.note,
    write: args.write || (isWhole && !args["no-write"]),
  };
}

function chooseCases({ only, case: text = "" }: Words): Chosen[] {
  const subjects = choose("only", only, SUBJECTS, (subject) => subject.name);
  const all = subjects.flatMap(({ title, cases }) => cases.map((one) => ({ subject: title, one })));
  const chosen = all.filter(({ one }) => one.title.toLowerCase().includes(text.toLowerCase()));
  if (chosen.length === 0) throw new UsageError(`--case: no title has "${text}" in it`);
  return chosen;
}
