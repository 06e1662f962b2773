/**
 * Redis of earlier versions, for tests of what they make of tsredis. They are in no package any more: who has built some
 * names the folder in TSREDIS_OLD_SERVERS, where they are as `5.0.14/src/redis-server`. A test that needs one says
 * `ignore: !hasOldRedis(version)`, and its name ends with `[old servers]`: then CI lets it be skipped.
 */

import { serverVersion } from "../../src/replication/bridge/target.ts";
import { ServerProcess } from "./server_process.ts";

/** The versions that are asked, one of each that reads other snapshots or knows other commands. */
export const OLD_VERSIONS = ["2.8.24", "3.0.7", "3.2.13", "4.0.14", "5.0.14", "6.2.14"] as const;

const folder = Deno.env.get("TSREDIS_OLD_SERVERS") ?? "";

function program(version: string): string {
  return `${folder}/${version}/src/redis-server`;
}

/** Whether there is a server of this version. */
export function hasOldRedis(version: string): boolean {
  if (folder === "") return false;
  try {
    return Deno.statSync(program(version)).isFile;
  } catch {
    return false;
  }
}

/** Tells commands that a server of this version has no data for, or no word. */
export function lacks(version: string): (words: readonly string[]) => boolean {
  const number = serverVersion(version);
  const unknown = number < 40_000 ? /^(x|swapdb$)/i : number < 50_000 ? /^x/i : /^$/;
  return ([name]) => unknown.test(name);
}

/** Starts a server of this version that saves nothing by itself, on a free port and in a temporary folder. */
export function startOldRedis(
  version: string,
  { args = [], dir, env }: { args?: string[]; dir?: string; env?: Record<string, string> } = {},
): Promise<ServerProcess> {
  return ServerProcess.start({
    name: `redis-server ${version}`,
    command: [program(version)],
    args: ["--save", "", ...args],
    dir,
    env,
  });
}
