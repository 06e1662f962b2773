/**
 * `deno task compile`: makes the executable, `./tsredis` unless `--output=PATH` names another, and says by
 * which of the two runtimes and why:
 *
 * - `deno compile` puts the program behind Deno's runtime for executables, `denort`, with the
 *   permissions of the `start` task. Deno downloads that on first use, which not every network allows;
 * - where that fails, or with `--runtime bun`, `bun build --compile` does the same with Bun (bun.ts),
 *   which comes from the npm registry. It has no permissions to limit. `--runtime deno` does without.
 *
 * Either is tried before it counts as made: the answer to `--version` has to be tsredis's. (A DENORT_BIN
 * that points at the full `deno` compiles, for instance, but gives Deno's own answer.)
 *
 * Workers are modules that no import leads to; {@linkcode findWorkers} finds them by their URLs.
 */

import { parseArgs } from "@std/cli/parse-args";
import { dirname, join, relative, resolve } from "@std/path";
import { buildByBun, BUN_VERSION } from "./bun.ts";
import { importMapFlags, ROOT, serverFlags } from "./server_flags.ts";

/** `new URL("./save_worker.ts", import.meta.url)`: how src/ spells the module of a worker. */
const WORKER_URL = /new URL\("(\.[^"]+_worker\.ts)", import\.meta\.url\)/g;

/** How long `deno compile` may take, which includes a download of about 40 MB. */
const COMPILE_TIMEOUT_MS = 5 * 60_000;

type Runtime = "deno" | "bun";

/** The paths, from the project's folder, of all modules under a folder that are started as workers. */
export async function findWorkers(folder: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) {
      for (const worker of await findWorkers(path)) found.add(worker);
    } else if (entry.name.endsWith(".ts")) {
      const source = await Deno.readTextFile(path);
      for (const [, url] of source.matchAll(WORKER_URL)) {
        found.add(relative(ROOT, resolve(dirname(path), url)));
      }
    }
  }
  return [...found].sort();
}

async function buildByDeno(output: string, workers: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "-q",
      "--no-check", // the check task has done it
      ...await importMapFlags(),
      ...await serverFlags(),
      ...workers.flatMap((path) => ["--include", path]),
      "--output",
      output,
      "main.ts",
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    signal: AbortSignal.timeout(COMPILE_TIMEOUT_MS),
  }).output();
  if (!success) throw new Error(causeIn(new TextDecoder().decode(stderr)));
}

/** The one line of a failed compilation that says why, such as the request that failed. */
export function causeIn(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const cause = lines.find((line) => line.startsWith("1: ")) ??
    lines.find((line) => line.startsWith("0: ")) ?? lines[0];
  return cause.replace(/^\d: /, "");
}

/** Null when an executable answers `--version` as tsredis does; else what it does instead. */
export async function versionProblem(path: string): Promise<string | null> {
  const { version } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const { stdout, stderr } = await new Deno.Command(path, {
    args: ["--version"],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const answer = decoder.decode(stdout);
  if (answer.startsWith(`tsredis v=${version} `)) return null;
  return `it answers --version with "${answer}${decoder.decode(stderr)}"`;
}

/** Builds an executable and tries it out. What does not run is removed again, and an error thrown. */
export async function build(runtime: Runtime, output: string): Promise<void> {
  const workers = await findWorkers(join(ROOT, "src"));
  try {
    if (runtime === "deno") await buildByDeno(output, workers);
    else await buildByBun({ output, workers });
    const problem = await versionProblem(output);
    if (problem !== null) throw new Error(problem);
  } catch (error) {
    await Deno.remove(output).catch(() => {}); // mostly there is none
    throw error;
  }
}

async function compile(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["output", "runtime"],
    default: { output: join(ROOT, "tsredis") },
    unknown: (arg: string) => {
      throw new Error(`Cannot compile: unknown argument ${arg}`);
    },
  });
  if (options.runtime !== undefined && !["deno", "bun"].includes(options.runtime)) {
    throw new Error(`Cannot compile: no runtime "${options.runtime}"; there are deno and bun`);
  }
  // It gets its final name once it was tried out.
  const unfinished = resolve(`${options.output}.unfinished`);
  const why = await make(options.runtime as Runtime | undefined, unfinished);
  await Deno.rename(unfinished, options.output);
  const { size } = await Deno.stat(options.output);
  console.log(`Made ${options.output}: ${(size / 1e6).toFixed(0)} MB, ${why}`);
}

/** Makes the executable; returns which one it is, and why. */
async function make(wanted: Runtime | undefined, output: string): Promise<string> {
  const byBun = `by Bun ${BUN_VERSION}`;
  if (wanted === "bun") {
    await build("bun", output);
    return `${byBun}, as asked`;
  }
  try {
    await build("deno", output);
    return `by Deno ${Deno.version.deno}, with the permissions of the start task`;
  } catch (error) {
    if (wanted === "deno") throw error;
    await build("bun", output);
    const cause = error instanceof Error ? error.message : error;
    return `${byBun}, because deno compile could not: ${cause}`;
  }
}

if (import.meta.main) {
  try {
    await compile(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
