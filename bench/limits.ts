/**
 * `deno task bench:limits`: whatever can be long or large, beside redis-server: what does it cost in time and
 * memory, how long do others wait meanwhile, and does the memory come back?
 *
 * Every case does the same steps with a fresh tsredis and a fresh redis-server in turn. Prints a table of figures
 * with the bars they are held to, and after a run of whole subjects writes these into LIMITS.md (on Bun
 * LIMITS-bun.md) beside this file.
 * Needs Linux (/proc) and Debian's redis-server.
 *
 * The parts: `limits/cases.ts` says what a case is, `limits/subjects.ts` lists the files of cases,
 * `limits/bench.ts` is what cases run on, `limits/report.ts` shows. Starting servers is the work of `compare/`.
 */

import { durationText, Progress } from "./compare/progress.ts";
import type { ServerSpec } from "./compare/servers.ts";
import {
  choose,
  commonHelp,
  type CommonOptions,
  onEachRuntime,
  readWords,
} from "./compare/options.ts";
import {
  type Contestants,
  describeMachine,
  introduce,
  keepReport,
  keptReport,
  nameOf,
  runTool,
  UsageError,
} from "./compare/tool.ts";
import { Bench } from "./limits/bench.ts";
import type { Figures, LimitsCase } from "./limits/cases.ts";
import { type CaseResult, mergedMarkdown, toMarkdown } from "./limits/report.ts";
import { SUBJECTS } from "./limits/subjects.ts";

const HELP = `deno task bench:limits [options]

  --only A,B          subjects, of ${SUBJECTS.map((subject) => subject.name).join(" ")}
  --case TEXT         only cases with this in their title
${commonHelp("LIMITS.md", 1)}
`;

/** What starting both servers and stopping them adds to a case. */
const START_MS = 3_000;

interface Options extends CommonOptions {
  cases: Chosen[];
}

/** A case to run, with its subject's title. */
interface Chosen {
  subject: string;
  one: LimitsCase;
}

if (import.meta.main) {
  await runTool(
    "bench:limits",
    HELP,
    readOptions,
    (options, workDir) => onEachRuntime(options, workDir, run),
  );
}

async function run(options: Options, workDir: string): Promise<void> {
  const { reference, subject, rounds, note } = options;
  const about = await introduce(subject, workDir);
  const results = await measure(options, { reference, subject }, workDir);
  const context = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    reference: nameOf(await introduce(reference, workDir)),
    subject: nameOf(about),
    rounds,
    note,
  };
  console.log(toMarkdown(results, context));
  if (!options.write) return;
  const titles = SUBJECTS.map(({ title }) => title);
  keepReport(
    "LIMITS.md",
    mergedMarkdown(keptReport("LIMITS.md", about), titles, results, context),
    about,
  );
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
function readOptions(line: string[]): Options | null {
  const read = readWords(line, { values: ["only", "case"], rounds: 1 });
  if (read === null) return null;
  const { common, words } = read;
  if (common.write && words.case !== undefined) {
    throw new UsageError("--write keeps whole subjects: not with --case");
  }
  return { ...common, cases: chooseCases(words) };
}

function chooseCases({ only, case: text = "" }: { only?: string; case?: string }): Chosen[] {
  const subjects = choose("only", only, SUBJECTS, (subject) => subject.name);
  const all = subjects.flatMap(({ title, cases }) => cases.map((one) => ({ subject: title, one })));
  const chosen = all.filter(({ one }) => one.title.toLowerCase().includes(text.toLowerCase()));
  if (chosen.length === 0) throw new UsageError(`--case: no title has "${text}" in it`);
  return chosen;
}
