/**
 * What the tools that measure beside redis-server have in common: they begin, are interrupted, clean up and end
 * alike, start the same contestants and keep their reports in the same way. Their command line is options.ts.
 */

import { buildByBun } from "../../tools/bun.ts";
import { findWorkers } from "../../tools/compile.ts";
import { ROOT } from "../../tools/server_flags.ts";
import { killEverything, type ServerSpec, startServer } from "./servers.ts";

/** A mistake in the arguments. */
export class UsageError extends Error {}

/** Both kinds of server, redis-server first. */
export interface Contestants {
  reference: ServerSpec;
  subject: ServerSpec;
  /** How a person would start the subject. */
  subjectCommand: string;
}

/**
 * A tool from its arguments to the end of the process: exit code 2 after a mistake in the arguments, 1 after a
 * failure. `readOptions` gives null for those who ask for help. `run` gets a temporary folder; whatever way the
 * tool ends, that is removed, and the processes that were started are killed.
 */
export async function runTool<Options>(
  name: string,
  help: string,
  readOptions: (words: string[]) => Options | null,
  run: (options: Options, workDir: string) => Promise<void>,
): Promise<never> {
  try {
    const options = readOptions(Deno.args);
    if (options === null) console.log(help);
    else await inWorkDir(name, (workDir) => run(options, workDir));
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
  Deno.exit(0); // the signal listeners would keep the process alive
}

async function inWorkDir(name: string, work: (workDir: string) => Promise<void>): Promise<void> {
  const workDir = Deno.makeTempDirSync({ prefix: `tsredis-${name.replace(/.*:/, "")}-` });
  const cleanUp = () => {
    killEverything(); // reaches a stopped process too
    try {
      Deno.removeSync(workDir, { recursive: true });
    } catch {
      // A dying server may still hold on to its folder; the system's temporary folder is cleaned anyway.
    }
  };
  const interrupted = (signal: string, code: number) => () => {
    console.error(`\n${name}: ${signal}: stopping the servers`);
    cleanUp();
    Deno.exit(code);
  };
  Deno.addSignalListener("SIGINT", interrupted("SIGINT", 130));
  Deno.addSignalListener("SIGTERM", interrupted("SIGTERM", 143));
  try {
    await work(workDir);
  } finally {
    cleanUp();
  }
}

/** The servers that `--server` and `--reference` name; without them redis-server and `deno task start`. */
export function contestants(words: { server?: string; reference?: string }): Contestants {
  return {
    reference: {
      label: "redis-server",
      command: words.reference === undefined ? ["redis-server"] : splitCommand(words.reference),
    },
    subject: {
      label: "tsredis",
      command: words.server === undefined
        ? [Deno.execPath(), "task", "start"]
        : splitCommand(words.server),
    },
    subjectCommand: words.server ?? "deno task start",
  };
}

/** Makes the executable by Bun in `workDir`, and the contestants with it as subject. */
export async function onBun(both: Contestants, workDir: string): Promise<Contestants> {
  console.error("building tsredis by Bun");
  const output = `${workDir}/tsredis`;
  await buildByBun({ output, workers: await findWorkers(`${ROOT}src`) });
  return {
    ...both,
    subject: { ...both.subject, command: [output] },
    subjectCommand: "deno task compile --runtime bun && ./tsredis",
  };
}

/** Processor, cores and memory; nothing that identifies the machine. */
export function describeMachine(): string {
  const model = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  const gibibytes = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  return `${navigator.hardwareConcurrency} cores (${model?.trim() ?? "unknown processor"}), ` +
    `${gibibytes} GiB of memory, Linux`;
}

/** What a server says of itself in INFO. */
export interface About {
  /** Of tsredis where there is one, else of Redis. */
  version: string;
  isTsredis: boolean;
  /** "Deno 2.9.6" or "Bun 1.4.5"; null for a server that is not tsredis. */
  runtime: string | null;
}

/** Reads the server section of INFO. */
export function aboutIn(fields: Map<string, string>): About {
  const own = fields.get("tsredis_version");
  const runtime = ["Deno", "Bun"].find((name) => fields.has(`${name.toLowerCase()}_version`));
  return {
    version: own ?? fields.get("redis_version") ?? "of unknown version",
    isTsredis: own !== undefined,
    runtime: runtime ? `${runtime} ${fields.get(`${runtime.toLowerCase()}_version`)}` : null,
  };
}

/** Name and version for a heading. */
export function nameOf({ version, isTsredis, runtime }: About): string {
  return isTsredis ? `tsredis ${version} on ${runtime}` : `redis-server ${version}`;
}

/** What a report is called that tells of a server on this runtime: Deno, the first, has the plain names. */
export function reportName(file: string, runtime: string | null): string {
  return runtime?.startsWith("Bun ") ? file.replace(/\.\w+$/, "-bun$&") : file;
}

/** Keeps a report beside the tools, unless it tells of another server than tsredis. */
export function keepReport(file: string, markdown: string, { isTsredis, runtime }: About): void {
  if (!isTsredis) {
    console.error("not written: the measured server does not report a tsredis_version");
    return;
  }
  const name = reportName(file, runtime);
  Deno.writeTextFileSync(new URL(`../${name}`, import.meta.url), markdown);
  console.error(`written: bench/${name}`);
}

/** What `keepReport` has kept for this runtime, "" if nothing. */
export function keptReport(file: string, { runtime }: About): string {
  try {
    return Deno.readTextFileSync(new URL(`../${reportName(file, runtime)}`, import.meta.url));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Starts a server to ask it who it is. */
export async function introduce(spec: ServerSpec, workDir: string): Promise<About> {
  const server = await startServer(spec, Deno.makeTempDirSync({ dir: workDir }));
  try {
    return aboutIn(await server.info("server"));
  } finally {
    await server.stop();
  }
}

/** Words of a command line; single and double quotes keep spaces together, also when empty. */
function splitCommand(line: string): string[] {
  const words: string[] = [];
  for (const [, double, single, bare] of line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
    words.push(double ?? single ?? bare);
  }
  if (words.length === 0) throw new UsageError("--server and --reference need a command");
  return words;
}
