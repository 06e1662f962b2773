/**
 * Redis of other versions, and Valkey, for tests of what they make of tsredis. They are in no package: who has built
 * some names the folder in TSREDIS_OLD_SERVERS, where they are as `5.0.14/src/redis-server` and
 * `valkey-8.0.1/src/valkey-server`. A test that needs one says `ignore: !hasOldRedis(version)`, and its name ends with
 * `[old servers]`: then CI lets it be skipped.
 */

import { serverVersion } from "../../src/replication/bridge/target.ts";
import { ServerProcess } from "./server_process.ts";

/** The versions that are asked, one of each that reads other snapshots or knows other commands. */
export const OLD_VERSIONS = ["2.8.24", "3.0.7", "3.2.13", "4.0.14", "5.0.14", "6.2.14"] as const;

const folder = Deno.env.get("TSREDIS_OLD_SERVERS") ?? "";

function isValkey(version: string): boolean {
  return version.startsWith("valkey");
}

/** The program of a server of this version. */
export function programOf(version: string): string {
  return `${folder}/${version}/src/${isValkey(version) ? "valkey" : "redis"}-server`;
}

/** As messages name such a server. */
export function nameOf(version: string): string {
  return isValkey(version) ? version.replace("-", " ") : `redis ${version}`;
}

/** Whether DEBUG is refused unless the configuration allows it, as since Redis 7.0. */
function guardsDebug(version: string): boolean {
  return isValkey(version) || Number.parseInt(version) >= 7;
}

/** Whether there is a server of this version. */
export function hasOldRedis(version: string): boolean {
  if (folder === "") return false;
  try {
    return Deno.statSync(programOf(version)).isFile;
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

/** How it is started, arguments like those of today's servers behind it. Before 2.6 there was a file of directives only. */
function commandOf(version: string): string[] {
  const program = programOf(version);
  if (isValkey(version) || serverVersion(version) >= serverVersion("2.6.0")) return [program];
  const script =
    'file=$(while [ $# -gt 0 ]; do [ -z "$2" ] || echo "${1#--} $2"; shift 2; done)\n' +
    `exec "${program}" - <<END\n$file\nEND`;
  return ["sh", "-c", script, "sh"];
}

/** Starts a server of this version that saves nothing by itself, on a free port and in a temporary folder. */
export function startOldRedis(
  version: string,
  { args = [], dir, env }: { args?: string[]; dir?: string; env?: Record<string, string> } = {},
): Promise<ServerProcess> {
  return ServerProcess.start({
    name: nameOf(version),
    command: commandOf(version),
    args: [
      "--save",
      "",
      ...(guardsDebug(version) ? ["--enable-debug-command", "yes"] : []),
      ...args,
    ],
    dir,
    env,
  });
}
