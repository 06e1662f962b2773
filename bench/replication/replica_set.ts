/**
 * A master and its replicas: starts them, links and unlinks them, waits until they are equal.
 *
 * A system says which server plays which role, so that a replica set may also be of both kinds.
 */

import { type RunningServer, type ServerSpec, startServer } from "../compare/servers.ts";
import type { OffsetSample } from "./figures.ts";

/** What plays the two roles, and what the report calls it. */
export interface System {
  label: string;
  master: ServerSpec;
  replica: ServerSpec;
}

/** Options of every server here, whatever it is. */
const OPTIONS = [
  ["--repl-diskless-sync-delay", "0"],
  // Larger than anything a measurement piles up: a full sync in the wrong place would be timed as something else.
  ["--repl-backlog-size", "1gb"],
  ["--client-output-buffer-limit", "replica", "0", "0", "0"],
  ["--enable-debug-command", "yes"],
].flat();

const LINK_TIMEOUT_MS = 120_000;
const POLL_MS = 2;

/** A server of a replica set and the process it is. */
export interface Member {
  server: RunningServer;
  pid: number;
  /** Its data folder. */
  dir: string;
}

/** Starts a server with the options of all and those given. Its data folder is a new one in `workDir`. */
export async function startMember(
  spec: ServerSpec,
  options: string[],
  workDir: string,
): Promise<Member> {
  const dir = Deno.makeTempDirSync({ dir: workDir });
  const command = [...spec.command, ...OPTIONS, ...options];
  const server = await startServer({ label: spec.label, command }, dir);
  return { server, pid: Number((await infoOf(server, "server")).get("process_id")), dir };
}

/** Stops a server and removes its data folder: what it has written is no longer needed. */
export async function stopMember({ server, dir }: Member): Promise<void> {
  await server.stop();
  await Deno.remove(dir, { recursive: true });
}

/** Tells the replica to follow the master and waits for the link: the milliseconds until it was up. */
export async function link(replica: RunningServer, master: RunningServer): Promise<number> {
  const startedAt = performance.now();
  await replica.call("REPLICAOF", "127.0.0.1", String(master.port));
  await linkUp(replica);
  return performance.now() - startedAt;
}

/** Waits until the replica says that its link is up. */
export function linkUp(replica: RunningServer): Promise<void> {
  return until(replica, "link up", async () => {
    return (await infoOf(replica)).get("master_link_status") === "up";
  });
}

/** Makes the replica a master again and waits until its old one has noticed. */
export async function unlink(replica: RunningServer, master: RunningServer): Promise<void> {
  const before = Number((await infoOf(master)).get("connected_slaves"));
  await replica.call("REPLICAOF", "NO", "ONE");
  await until(master, "replica gone", async () => {
    return Number((await infoOf(master)).get("connected_slaves")) < before;
  });
}

/**
 * Waits until the master has this many replicas online and each has applied all of the stream: the milliseconds
 * it took. Nothing else may write meanwhile.
 */
export async function equalOffsets(
  replicas: RunningServer[],
  master: RunningServer,
): Promise<number> {
  const startedAt = performance.now();
  await until(master, "replicas online", async () => {
    const fields = [...await infoOf(master)];
    const online = fields.filter(([name, value]) =>
      /^slave\d+$/.test(name) && value.includes("state=online")
    );
    return online.length === replicas.length;
  });
  for (const replica of replicas) {
    await until(replica, "equal offsets", async () => {
      // The master first: were it the other way round, a ping in between would seem to be missing for ever.
      const target = await masterOffset(master);
      return (await replicaOffset(replica)).offset >= target.offset;
    });
  }
  return performance.now() - startedAt;
}

/** Fails unless both servers hold the same data. */
export async function expectSameData(master: RunningServer, replica: RunningServer): Promise<void> {
  const expected = await master.call("DEBUG", "DIGEST");
  const found = await replica.call("DEBUG", "DIGEST");
  if (found !== expected) {
    const sizes = `${await replica.call("DBSIZE")} of ${await master.call("DBSIZE")} keys`;
    throw new Error(
      `${replica.label}: not the master's data after replication (${sizes})${replica.logTail()}`,
    );
  }
}

/** How many full syncs the master has given so far. */
export async function fullSyncs(master: RunningServer): Promise<number> {
  return Number((await infoOf(master, "stats")).get("sync_full"));
}

/** Where the master's stream stands. */
export async function masterOffset(master: RunningServer): Promise<OffsetSample> {
  return offsetIn(await infoOf(master), "master_repl_offset");
}

/** How much of the stream the replica has applied. */
export async function replicaOffset(replica: RunningServer): Promise<OffsetSample> {
  return offsetIn(await infoOf(replica), "slave_repl_offset");
}

function offsetIn(fields: Map<string, string>, name: string): OffsetSample {
  return { atMs: performance.now(), offset: Number(fields.get(name) ?? NaN) };
}

/** The fields of an INFO section. */
export function infoOf(
  server: RunningServer,
  section = "replication",
): Promise<Map<string, string>> {
  return server.guard("INFO", server.client.info(section));
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(
  server: RunningServer,
  what: string,
  look: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + LINK_TIMEOUT_MS;
  while (!await look()) {
    if (performance.now() > deadline) {
      throw new Error(
        `${server.label}: ${what}: not after ${LINK_TIMEOUT_MS / 1000} s${server.logTail()}`,
      );
    }
    await pause(POLL_MS);
  }
}
