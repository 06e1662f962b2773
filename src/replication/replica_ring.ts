/**
 * Replicas that follow each other in a ring, so that nobody leads: each waits for the one above it to have a master, for
 * ever. Nobody of them can see that alone; so a replica whose master has no link of its own asks whom that one
 * follows, and whom the next, until it comes to a server that leads, cannot be asked, or has been seen already.
 */

import type { ReplicationHost } from "./host.ts";
import { infoOf } from "./info_of.ts";

/** Names of the machine that is asked. */
const LOOPBACK = /^(localhost|127\.[\d.]+|::1)$/;
/** Longer chains are left alone. */
const HOPS_MAX = 32;

interface Place {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Whom we follow, whom that one follows and so on, each as "host:port", and last the one with which the ring closes:
 * "this server" mostly, or one of those before. Null where it is no ring, as far as can be seen.
 */
export async function ringAbove(
  host: ReplicationHost,
  hostname: string,
  port: number,
): Promise<string[] | null> {
  const names: string[] = [];
  const seen = new Set<string>();
  for (let at: Place | null = { hostname, port }; at !== null && names.length < HOPS_MAX;) {
    const fields = await infoOf(host, at.hostname, at.port);
    const runId = fields?.get("run_id") ?? "";
    if (runId === "") return null;
    const name = `${at.hostname}:${at.port}`;
    if (runId === host.runId) return [...names, "this server"];
    names.push(name);
    if (seen.has(runId)) return names;
    seen.add(runId);
    at = masterIn(fields!, at);
  }
  return null;
}

/** Whom a server follows; its own machine is the one that it was asked on. */
function masterIn(fields: ReadonlyMap<string, string>, asked: Place): Place | null {
  const hostname = fields.get("master_host");
  const port = Number(fields.get("master_port"));
  if (hostname === undefined || !(port > 0)) return null;
  return { hostname: LOOPBACK.test(hostname) ? asked.hostname : hostname, port };
}
