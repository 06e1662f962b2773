/**
 * Makes the single executable, `./tsredis` unless `--output=PATH` names another, and says which of
 * its two forms it has:
 *
 * - by `deno compile`, which puts the program behind Deno's runtime for executables, `denort`.
 *   Deno downloads that on first use, which not every network allows;
 * - else (or with `--self-unpacking`) self-unpacking: the shell script launcher.sh, then this Deno
 *   itself and the bundled program, which the script unpacks into a cache folder and runs:
 *
 *       launcher.sh, its @NAMES@ filled in │ gzip of the deno executable │ gzip of main.js
 *
 * Both get the flags of the `start` task, and both are tried before they count as made: the answer
 * to `--version` has to be the one that main.ts gives when run from its sources. (A DENORT_BIN
 * that points at the full `deno` compiles, for instance, but gives Deno's own answer.)
 *
 * Workers. The program names the module of one with `new URL("./x_worker.ts", import.meta.url)`: no
 * import leads to it. {@linkcode findWorkers} looks for these in src/:
 * - deno compile takes their modules with `--include`, and the URL resolves inside the executable;
 * - a bundle has no src/ around it, so each worker is bundled by itself and put in place of the
 *   path as a `data:` URL. The program stays one file, and a server that has run for months can
 *   still start a worker after the cache folder was cleaned.
 * A URL spelt in another way, or a worker started by a worker, stops the build rather than the server.
 */

import { parseArgs } from "@std/cli/parse-args";
import { basename, dirname, join, resolve } from "@std/path";
import { importMapFlags, ROOT, serverFlags } from "./server_flags.ts";

const WORKER_URL = /new URL\("(\.[^"]+_worker\.ts)", import\.meta\.url\)/g;

/** How long `deno compile` may take, which includes a download of about 40 MB. */
const COMPILE_TIMEOUT_MS = 5 * 60_000;

interface Build {
  /** Absolute path of the file to make; it gets its final name once it was tried out. */
  output: string;
  /** What `deno task map` prints. */
  mapFlags: string[];
  /** Flags of the server, see server_flags.ts. */
  runFlags: string[];
  /** Absolute paths of the worker modules. */
  workers: string[];
}

/** Runs this Deno in the project's folder. */
async function deno(args: string[], signal?: AbortSignal): Promise<{ ok: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    signal,
  }).output();
  const decoder = new TextDecoder();
  return { ok: success, text: decoder.decode(success ? stdout : stderr) };
}

/** The absolute paths of all modules under a folder that are started as workers. */
export async function findWorkers(folder: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) {
      for (const worker of await findWorkers(path)) found.add(worker);
    } else if (entry.name.endsWith(".ts")) {
      const source = await Deno.readTextFile(path);
      for (const [, url] of source.matchAll(WORKER_URL)) found.add(resolve(dirname(path), url));
    }
  }
  return [...found].sort();
}

/** Puts bundled workers, given by file name, in place of the URLs they are started from. */
export function inlineWorkers(bundle: string, workers: ReadonlyMap<string, string>): string {
  const inlined = bundle.replaceAll(WORKER_URL, (_call, url: string) => {
    const code = workers.get(basename(url));
    if (code === undefined) throw new Error(`Cannot bundle: no worker module found for "${url}"`);
    return `new URL("data:text/javascript;base64,${new TextEncoder().encode(code).toBase64()}")`;
  });
  if (/new URL\((?!"data:)[^)]*import\.meta\.url/.test(inlined)) {
    throw new Error("Cannot bundle: a file beside a module is not named as a worker is");
  }
  return inlined;
}

async function bundleModule(path: string, { mapFlags }: Build): Promise<string> {
  const { ok, text } = await deno(["bundle", "-q", ...mapFlags, path]);
  if (!ok) throw new Error(`Cannot bundle ${path}: ${text}`);
  return text;
}

async function bundleProgram(build: Build): Promise<string> {
  const workers = new Map<string, string>();
  for (const path of build.workers) {
    if (workers.has(basename(path))) {
      throw new Error(`Cannot bundle: two worker modules are named ${basename(path)}`);
    }
    workers.set(basename(path), inlineWorkers(await bundleModule(path, build), new Map()));
  }
  return inlineWorkers(await bundleModule("main.ts", build), workers);
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function makeSelfUnpacking(build: Build): Promise<void> {
  const runtime = await Deno.readFile(Deno.execPath());
  const program = new TextEncoder().encode(await bundleProgram(build));
  const [packedRuntime, packedProgram] = [await gzip(runtime), await gzip(program)];
  const digest = await crypto.subtle.digest("SHA-256", await new Blob([runtime, program]).bytes());

  const script = (await Deno.readTextFile(join(ROOT, "tools/launcher.sh")))
    .replaceAll("@HASH@", new Uint8Array(digest).toHex().slice(0, 32))
    .replaceAll("@RUNTIME_PACKED@", `${packedRuntime.length}`)
    .replaceAll("@RUNTIME_SIZE@", `${runtime.length}`)
    .replaceAll("@PROGRAM_SIZE@", `${program.length}`)
    .replaceAll("@FLAGS@", build.runFlags.map((flag) => `'${flag}'`).join(" "));
  // The offsets depend on the script's size: they are filled in at a fixed width, padded behind.
  const placed = (offset: number, name: string) => `${offset}`.padEnd(name.length + 2);
  const size = new TextEncoder().encode(script).length;
  const header = script
    .replace("@RUNTIME_OFFSET@", placed(size + 1, "RUNTIME_OFFSET"))
    .replace("@PROGRAM_OFFSET@", placed(size + packedRuntime.length + 1, "PROGRAM_OFFSET"));

  const file = await new Blob([header, packedRuntime, packedProgram]).bytes();
  await Deno.writeFile(build.output, file, { mode: 0o755 });
}

async function makeByDenoCompile(build: Build): Promise<void> {
  const { ok, text } = await deno([
    "compile",
    "-q",
    "--no-check", // the check task has done it
    ...build.mapFlags,
    ...build.runFlags,
    ...build.workers.flatMap((path) => ["--include", path]),
    "--output",
    build.output,
    "main.ts",
  ], AbortSignal.timeout(COMPILE_TIMEOUT_MS));
  if (!ok) throw new Error(causeIn(text));
}

/** The one line of a failed compilation that says why, such as the request that failed. */
function causeIn(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const cause = lines.find((line) => line.startsWith("1: ")) ??
    lines.find((line) => line.startsWith("0: ")) ?? lines[0];
  return cause.replace(/^\d: /, "");
}

/** Throws unless the executable is the program. */
async function tryOut({ output, mapFlags, runFlags }: Build): Promise<void> {
  const expected = await deno(["run", "-q", ...mapFlags, ...runFlags, "main.ts", "--version"]);
  if (!expected.ok) throw new Error(`main.ts --version fails: ${expected.text}`);
  // It unpacks into a folder that is removed again: 95 MB for each build would add up.
  const cache = await Deno.makeTempDir({ prefix: "tsredis-compile-" });
  try {
    const { stdout, stderr } = await new Deno.Command(output, {
      args: ["--version"],
      env: { NO_COLOR: "1", XDG_CACHE_HOME: cache },
    }).output();
    const decoder = new TextDecoder();
    if (decoder.decode(stdout) !== expected.text) {
      throw new Error(`it does not run: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
    }
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

async function compile(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["output"],
    boolean: ["self-unpacking"],
    default: { output: join(ROOT, "tsredis") },
    unknown: (arg: string) => {
      throw new Error(`Cannot compile: unknown argument ${arg}`);
    },
  });

  const build: Build = {
    output: resolve(`${options.output}.unfinished`),
    mapFlags: await importMapFlags(),
    runFlags: await serverFlags(),
    workers: await findWorkers(join(ROOT, "src")),
  };
  const form = await make(build, options["self-unpacking"]);
  await Deno.rename(build.output, options.output);
  const { size } = await Deno.stat(options.output);
  console.log(`Made ${options.output}: ${form}, ${(size / 1e6).toFixed(1)} MB`);
}

/** Makes and tries out the executable; returns the name of the form it came to have. */
async function make(build: Build, selfUnpackingOnly: boolean): Promise<string> {
  if (!selfUnpackingOnly) {
    try {
      await makeByDenoCompile(build);
      await tryOut(build);
      return "deno compile";
    } catch (error) {
      console.log(`Not by deno compile: ${error instanceof Error ? error.message : error}`);
      await Deno.remove(build.output).catch(() => {}); // mostly there is none
    }
  }
  await makeSelfUnpacking(build);
  await tryOut(build);
  return "self-unpacking";
}

if (import.meta.main) await compile(Deno.args);
