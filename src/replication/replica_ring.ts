/**
 * Replicas that follow each other in a ring, so that nobody leads: each waits for the one above it to have a master, for
 * ever. Nobody of them can see that alone; so a replica whose master has no link of its own asks whom that one
 * follows, and whom the next, until it comes to a server that leads, cannot be asked, or has been seen already.
 */

import type { History } from "./history.ts";
import type { ReplicationHost } from "./host.ts";
import { infoOf } from "./info_of.ts";

/** Names of the machine that is asked. */
const LOOPBACK = /^(localhost|127\.[\d.]+|::1)$/;
/** Longer chains are left alone. */
const HOPS_MAX = 32;
/** Between two looks: each asks all servers above. */
const RING_LOOK_MS_MIN = 1000;
const RING_LOOK_MS_MAX = 60_000;
/** The same ring is told of again after so long. */
const RING_TOLD_MS = 600_000;

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

/** Looks for a ring when there is reason to, less and less often, and has the log tell of one. */
export class RingWatch {
  /** When the next look may be, by the monotonic clock, and how many there were since `reset`. */
  #lookMs = -Infinity;
  #looks = 0;
  /** The ring that the log has told of, empty for none, and when. */
  #told = "";
  #toldMs = -Infinity;

  constructor(readonly host: ReplicationHost, readonly history: History) {}

  /** Another master is followed from now on. */
  reset(): void {
    this.#told = "";
    this.#looks = 0;
    this.#lookMs = -Infinity;
  }

  /**
   * The master waits for one of its own, or is silent, as nobody sends signs of life but who leads: whether that goes
   * round in a ring, the log is to tell. `isFollowed` says whether it is still this master that is followed.
   */
  async look(
    hostname: string,
    port: number,
    steadyMs: number,
    isFollowed: () => boolean,
  ): Promise<void> {
    if (steadyMs < this.#lookMs) return;
    this.#lookMs = steadyMs +
      Math.min(RING_LOOK_MS_MAX, RING_LOOK_MS_MIN * 2 ** Math.min(10, this.#looks++));
    const { host, history: { events } } = this;
    const ring = await ringAbove(host, hostname, port);
    if (ring === null || !isFollowed()) return;
    const path = `this server follows ${ring.join(", which follows ")}`;
    if (path === this.#told && steadyMs - this.#toldMs < RING_TOLD_MS) return;
    this.#told = path;
    this.#toldMs = steadyMs;
    const what = `A ring of replicas without a master: ${path}`;
    events.add("replica", `${hostname}:${port}`, "ring", what);
    host.log.warning(
      `${what}. Nobody takes writes and nothing is synchronized, until one of them is told REPLICAOF NO ONE. ` +
        "The data here are kept",
    );
  }
}
