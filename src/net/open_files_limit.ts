/**
 * `maxclients` and how many files and sockets the system lets the process have open. A server that comes
 * to that limit cannot accept even to refuse, and finds no file to save to; on Bun it does not even hear
 * of it and turns in circles. So `maxclients` is kept below, where the limit can be known.
 *
 * (Both runtimes have raised the soft limit to the hard one before this program begins.)
 */

import type { Config } from "../config/config.ts";
import type { Log } from "../observe/log.ts";
import type { HostProcess } from "../runtime/runtime.ts";

/**
 * Left for all that is no client: what the runtime itself opens (Deno 33, Bun 11), listeners, the link to
 * a master, snapshots. Redis leaves 32.
 */
const RESERVED = 64;

/** How many clients there can be; Infinity where the system does not say. */
function clientsMax(process: Pick<HostProcess, "openFilesMax">): number {
  return (process.openFilesMax() ?? Infinity) - RESERVED;
}

/** At the start: lowers `maxclients` to what is possible, and logs that. @throws Error when nothing is */
export function fitMaxClients(
  config: Config,
  process: Pick<HostProcess, "openFilesMax">,
  log: Log,
): void {
  const wanted = config.value("maxclients");
  const possible = clientsMax(process);
  if (wanted <= possible) return;
  const openFilesMax = possible + RESERVED;
  if (possible <= 0) {
    throw new Error(
      `Your current 'ulimit -n' of ${openFilesMax} is not enough for the server to start. Please ` +
        `increase your open file limit to at least ${wanted + RESERVED}. Exiting.`,
    );
  }
  log.warning(
    `You requested maxclients of ${wanted} requiring at least ${wanted + RESERVED} max file ` +
      "descriptors.",
  );
  config.assign("maxclients", [`${possible}`]);
  log.warning(
    `Current maximum open files is ${openFilesMax}. maxclients has been reduced to ${possible} to ` +
      "compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
  );
}

/** CONFIG SET maxclients: why this many are refused, if they are. */
export function refuseMaxClients(
  wanted: number,
  process: Pick<HostProcess, "openFilesMax">,
): string | void {
  const possible = clientsMax(process);
  if (wanted <= possible) return;
  return "The operating system is not able to handle the specified number of clients, try with " +
    possible;
}
