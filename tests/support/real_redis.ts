/**
 * The real programs that some tests compare with or drive. A test that needs one says
 * `ignore: !hasRedisServer` and is then reported as skipped, by name, where it is not installed.
 */

import { ServerProcess } from "./server_process.ts";

/** Whether a program can be run; it is given arguments with which it does nothing. */
function runs(program: string, ...args: string[]): boolean {
  try {
    const { success } = new Deno.Command(program, { args, stdout: "null", stderr: "null" })
      .outputSync();
    return success;
  } catch {
    return false;
  }
}

/** Whether redis-server is installed. */
export const hasRedisServer: boolean = runs("redis-server", "--version");

/** Whether redis-sentinel is installed. */
export const hasRedisSentinel: boolean = runs("redis-sentinel", "--version");

/** Whether redis-cli is installed. */
export const hasRedisCli: boolean = runs("redis-cli", "--version");

/** Whether redis-benchmark is installed. */
export const hasRedisBenchmark: boolean = runs("redis-benchmark", "--version");

/** Whether redis-check-rdb is installed. */
export const hasRedisCheckRdb: boolean = runs("redis-check-rdb", "--version");

/**
 * The Python that has redis-py, or null. Debian's package serves Debian's own Python, which need
 * not be the first one on the PATH.
 */
export const pythonWithRedis: string | null =
  ["python3", "/usr/bin/python3"].find((python) => runs(python, "-c", "import redis")) ?? null;

/** Whether a Python with redis-py is installed. */
export const hasPythonRedis: boolean = pythonWithRedis !== null;

/** Starts a redis-server that saves nothing by itself, on a free port and in a temporary folder. */
export function startRealRedis(
  { args = [], dir, port }: { args?: string[]; dir?: string; port?: number } = {},
): Promise<ServerProcess> {
  return ServerProcess.start({
    name: "redis-server",
    command: ["redis-server"],
    args: ["--save", "", ...args],
    dir,
    port,
  });
}
