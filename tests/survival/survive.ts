/**
 * `deno task survive`: does hard things to real servers, for as long as it is told, and looks whether anything was
 * lost. Says what it does and about how long it will take, and ends with a table; exit code 1 where something was
 * lost, with the seed and the command that does the same again. Needs Linux (/proc).
 *
 * The trials are listed in trials.ts; short forms of them are tests (survival_test.ts). What has homes of its own
 * is not here: simulated clusters (`deno task simulate`), damaged payloads of RESTORE and bytes from outside
 * (`deno task fuzz`).
 */

import { parseArgs } from "@std/cli/parse-args";
import { track } from "../../bench/compare/servers.ts";
import { durationText, Progress } from "../../bench/compare/progress.ts";
import { choose, positive, refuseUnknown } from "../../bench/compare/options.ts";
import { contestants, onBun, runTool, UsageError } from "../../bench/compare/tool.ts";
import { TRIALS } from "./trials.ts";
import { type Extent, type Figures, runTrial, type Trial } from "./trial.ts";

const HELP = `deno task survive [options]

  --only A,B      trials, of ${TRIALS.map(({ name }) => name).join(" ")}
  --rounds N      rounds of trials that go by rounds
  --seconds N     length of trials that go by time
  --size N        how large, for one trial alone; of what, is said below
  --seed N        what all is drawn from; a new one without it
  --short         the short form of each, as the tests run it
  --runtime NAME  what runs tsredis: deno (the sources), or bun (an executable made for this)
  --verbose       say each round

${TRIALS.map(described).join("\n")}
`;

/** What starting servers and filling them adds to a trial. */
const START_MS = 5_000;

interface Options {
  chosen: { trial: Trial; extent: Extent }[];
  seed: number;
  buildsExecutable: boolean;
  isVerbose: boolean;
}

interface Result {
  trial: Trial;
  seconds: number;
  figures: Figures | null;
  loss: string;
}

function described({ name, title, unit, long, sizeOf }: Trial): string {
  const lines = `${title}; ${long.amount} ${unit}, ${long.size} ${sizeOf}`.match(/.{1,82}(\s|$)/g)!;
  return `  ${name.padEnd(16)}${lines.map((line) => line.trimEnd()).join("\n" + " ".repeat(18))}`;
}

async function run(options: Options, workDir: string): Promise<void> {
  const executable = options.buildsExecutable
    ? (await onBun(contestants({}), workDir)).subject.command[0]
    : undefined;
  const { chosen, seed } = options;
  const expected = chosen.map(({ trial, extent }) => START_MS + extent.amount * trial.msPerUnit);
  const totalMs = expected.reduce((sum, ms) => sum + ms, 0);
  const on = options.buildsExecutable ? "the executable by Bun" : "the sources on Deno";
  console.error(
    `${chosen.length} trial${chosen.length === 1 ? "" : "s"} of ${on}, ` +
      `seed ${seed}: about ${durationText(totalMs)}`,
  );
  const progress = new Progress(expected);
  const results: Result[] = [];
  for (const [i, { trial, extent }] of chosen.entries()) {
    progress.begin(`${trial.name}: ${trial.title}`);
    if (trial.needs?.isHere === false) {
      progress.end(expected[i], `${trial.name}: skipped, as there is no ${trial.needs.suffix}`);
      continue;
    }
    const result = await attempt(trial, extent, options, executable);
    results.push(result);
    const end = result.loss === "" ? `ok (${Math.round(result.seconds)} s)` : "LOST";
    progress.end(expected[i], `${trial.name}: ${end}`);
    if (result.loss !== "") console.error(result.loss);
  }
  console.log(table(results));
  const lost = results.filter(({ loss }) => loss !== "");
  if (lost.length > 0) throw new Error(`${lost.length} of ${results.length} trials failed`);
}

async function attempt(
  trial: Trial,
  extent: Extent,
  { seed, isVerbose }: Options,
  executable?: string,
): Promise<Result> {
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1_000;
  try {
    const figures = await runTrial(trial, seed, extent, executable, {
      // However the program ends, no server is left behind.
      onStart: ({ child }) => track(child),
      say: isVerbose ? (text) => console.error(`  ${trial.name}: ${text}`) : undefined,
    });
    return { trial, figures, loss: "", seconds: seconds() };
  } catch (error) {
    return { trial, figures: null, loss: (error as Error).message, seconds: seconds() };
  }
}

function table(results: Result[]): string {
  const rows = results.map(({ trial, seconds, figures, loss }) => {
    const told = Object.entries(figures ?? {}).map(([name, value]) => `${name} ${value}`);
    const outcome = loss === "" ? "ok" : "**LOST**";
    return `| ${trial.name} | ${outcome} | ${Math.round(seconds)} | ${told.join("; ")} |`;
  });
  return ["", "| trial | outcome | seconds | |", "|---|---|---:|---|", ...rows].join("\n");
}

/** The options of the command line, or null when help was asked for. Throws UsageError. */
function readOptions(words: string[]): Options | null {
  const args = parseArgs(words, {
    boolean: ["help", "short", "verbose"],
    string: ["only", "rounds", "seconds", "size", "seed", "runtime"],
    alias: { h: "help" },
    unknown: refuseUnknown,
  });
  if (args.help) return null;
  if (args.runtime !== undefined && !["deno", "bun"].includes(args.runtime)) {
    throw new UsageError(`--runtime: no ${args.runtime}; there are deno, bun`);
  }
  const given = (name: "rounds" | "seconds" | "size") =>
    args[name] === undefined ? undefined : positive(name, args[name]);
  const amounts = { rounds: given("rounds"), seconds: given("seconds") };
  const trials = choose("only", args.only, TRIALS, ({ name }) => name);
  const size = given("size");
  if (size !== undefined && trials.length > 1) {
    throw new UsageError("--size: name one trial with --only");
  }
  const chosen = trials.map((trial) => {
    const extent = args.short ? trial.short : trial.long;
    return {
      trial,
      extent: { amount: amounts[trial.unit] ?? extent.amount, size: size ?? extent.size },
    };
  });
  return {
    chosen,
    seed: args.seed === undefined ? 1 + Date.now() % 1_000_000 : positive("seed", args.seed),
    buildsExecutable: args.runtime === "bun",
    isVerbose: args.verbose,
  };
}

if (import.meta.main) await runTool("survive", HELP, readOptions, run);
