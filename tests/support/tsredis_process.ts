/**
 * tsredis as a process: from its sources with the flags of `deno task start`, or the executable that
 * TSREDIS_TEST_EXECUTABLE names, which then takes the sources' place in every test that starts a process.
 * For tests that need signals, restarts, real permissions or several servers.
 */

import { importMapFlags, ROOT, serverFlags } from "../../tools/server_flags.ts";
import { ServerProcess } from "./server_process.ts";

/** How to start it; nothing is needed. */
export interface TsredisOptions {
  /** Arguments as on redis-server's command line, after `--port`, `--bind` and `--dir`. */
  args?: string[];
  /** A folder with data to start on; otherwise a temporary one that goes away with the server. */
  dir?: string;
  /** Where it listens; on a free port if absent. */
  port?: number;
  /** An executable to start in place of the sources, whatever TSREDIS_TEST_EXECUTABLE says. */
  executable?: string;
  env?: Record<string, string>;
  /** Words before the command, such as those that run it on another machine. */
  inside?: string[];
  /** Where the test reaches it, if it is on another machine. */
  hostname?: string;
}

/** Starts the server and waits until it answers PING. */
export async function startTsredis(options: TsredisOptions = {}): Promise<ServerProcess> {
  return await ServerProcess.start(await launchOf(options));
}

/** Starts the server and does not wait: it may be meant to fail, or to load for a while. */
export async function spawnTsredis(options: TsredisOptions = {}): Promise<ServerProcess> {
  return await ServerProcess.spawn(await launchOf(options));
}

async function launchOf(options: TsredisOptions) {
  const { args = [], dir, port, executable, env, inside = [], hostname } = options;
  const command = executable === undefined ? await tsredisCommand() : [executable];
  return { name: "tsredis", command: [...inside, ...command], args, dir, port, env, hostname };
}

/** The command that starts the server under test, without arguments of its own. */
export async function tsredisCommand(): Promise<string[]> {
  return testExecutable === undefined ? await sourceCommand() : [testExecutable];
}

/** The absolute path that TSREDIS_TEST_EXECUTABLE gives; undefined where it is not set. */
export const testExecutable: string | undefined = testExecutablePath();

function testExecutablePath(): string | undefined {
  const path = Deno.env.get("TSREDIS_TEST_EXECUTABLE");
  return path === undefined ? undefined : Deno.realPathSync(path);
}

/** The command of `deno task start` without the task around it: its process is the server's. */
export async function sourceCommand(): Promise<string[]> {
  const flags = [...await serverFlags(), ...await importMapFlags()];
  return [Deno.execPath(), "run", "-q", ...flags, `${ROOT}main.ts`];
}
