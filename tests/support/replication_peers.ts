/**
 * Servers that replicate, of either make, and what tests ask of them: whether they are in step, hold
 * the same, and how they came to it.
 *
 * With TSREDIS_REPLICATION_PEER=redis a real redis-server takes the place of every tsredis: what then
 * fails is the test.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "./eventually.ts";
import { startRealRedis } from "./real_redis.ts";
import type { LinkProxy } from "./replication_proxy.ts";
import { connect, type Reply, type RespClient, textOf } from "./resp_client.ts";
import type { ServerProcess } from "./server_process.ts";
import { startTsredis } from "./tsredis_process.ts";

/** What a peer is. */
export type Make = "tsredis" | "redis";

const onlyRedis = Deno.env.get("TSREDIS_REPLICATION_PEER") === "redis";

/** How long servers may take to find each other and to be in step. */
const PATIENCE_MS = 60_000;

/** The arguments of {@linkcode startPeer}: nothing is saved by itself, syncs begin at once. */
export const PEER_ARGS: readonly string[] = [
  "--save",
  "",
  "--enable-debug-command",
  "yes",
  "--repl-diskless-sync-delay",
  "0",
  "--repl-backlog-size",
  "64mb",
];

/** Starts a server that saves nothing by itself and syncs without delay. */
export function startPeer(
  make: Make,
  { args = [], dir, port }: { args?: string[]; dir?: string; port?: number } = {},
): Promise<ServerProcess> {
  const all = [...PEER_ARGS, ...args];
  return make === "redis" || onlyRedis
    ? startRealRedis({ args: all, dir, port })
    : startTsredis({ args: all, dir, port });
}

/** Starts several, at the same time. */
export async function startPeers(
  stack: AsyncDisposableStack,
  makes: readonly Make[],
  args: string[] = [],
): Promise<ServerProcess[]> {
  const results = await Promise.allSettled(makes.map((make) => startPeer(make, { args })));
  const started: ServerProcess[] = [];
  for (const result of results) {
    if (result.status === "fulfilled") started.push(stack.use(result.value));
  }
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return started;
}

/** Something with a port: a server, or a proxy in front of one. */
export interface Address {
  port: number;
  /** 127.0.0.1 if absent. */
  hostname?: string;
}

/** Sends one command on a connection of its own; an error reply fails. */
export async function ask(server: Address, ...words: string[]): Promise<Reply> {
  using client = await connect(server.port, server.hostname);
  const reply = await client.call(...words);
  if (reply.kind === "error") throw new Error(`${words.join(" ")}: ${reply.text}`);
  return reply;
}

/** As {@linkcode ask}, for replies that are a text. */
export async function askText(server: Address, ...words: string[]): Promise<string> {
  return textOf(await ask(server, ...words));
}

/** Writes something, and answers how many replicas WAIT 1 has counted for it within a time. */
export async function countedFor(
  server: Address,
  timeoutMs: number,
  ...words: string[]
): Promise<number> {
  using client = await connect(server.port, server.hostname);
  const [, reply] = await client.pipeline([words, ["WAIT", "1", `${timeoutMs}`]]);
  return reply.kind === "integer" ? Number(reply.value) : NaN;
}

/** Makes `replica` a replica of `master`, or of the master behind a proxy. */
export async function replicate(replica: Address, master: Address): Promise<void> {
  await askOnceLoaded(replica, "REPLICAOF", "127.0.0.1", `${master.port}`);
}

/** Tells a server to lead, or what else it may not be told while it loads a dataset, once it has loaded. */
export async function askOnceLoaded(server: Address, ...words: string[]): Promise<void> {
  await eventually(async () => {
    using client = await connect(server.port, server.hostname);
    const reply = await client.call(...words);
    if (reply.kind !== "error") return true;
    if (reply.text.startsWith("LOADING")) return false;
    throw new Error(`${words.join(" ")}: ${reply.text}`);
  }, { timeoutMs: PATIENCE_MS, what: `an answer to ${words.join(" ")}` });
}

/** The fields of a section of INFO. */
export async function infoOf(
  server: Address,
  section = "replication",
): Promise<Record<string, string>> {
  const text = await askText(server, "INFO", section);
  const fields: Record<string, string> = {};
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1);
  }
  return fields;
}

/** How often a master has synced replicas, by the three ways it can end. */
export interface SyncCounts {
  full: number;
  partialOk: number;
  partialErr: number;
}

/** INFO's counts of syncs, as master. */
export async function syncCounts(server: Address): Promise<SyncCounts> {
  const stats = await infoOf(server, "stats");
  return {
    full: Number(stats.sync_full),
    partialOk: Number(stats.sync_partial_ok),
    partialErr: Number(stats.sync_partial_err),
  };
}

/** Waits until the link of a replica to its master is up. */
export async function linkUp(replica: ServerProcess): Promise<void> {
  await withLog([replica], () =>
    eventually(
      async () => (await infoOf(replica)).master_link_status === "up",
      { timeoutMs: PATIENCE_MS, what: `${replica.name} to have its link up` },
    ));
}

/**
 * Waits until all replicas are where their master is, and compares what all hold; fails with the
 * keys that differ. Gives the digest.
 */
export async function inStep(
  master: ServerProcess,
  ...replicas: ServerProcess[]
): Promise<string> {
  return await withLog([master, ...replicas], async () => {
    for (let round = 1;; round++) {
      const offset = await sameOffset(master, replicas);
      const digests = await Promise.all(
        [master, ...replicas].map((server) => askText(server, "DEBUG", "DIGEST")),
      );
      if (digests.every((digest) => digest === digests[0])) return digests[0];
      // Something may have come between the two questions: then they are asked again.
      if (offset !== await offsetOf(master) && round < 50) continue;
      const other = replicas[digests.findIndex((digest) => digest !== digests[0]) - 1];
      const differences = await differingKeys(master, other);
      throw new Error(
        `${master.name} and ${other.name}, both at offset ${offset}, hold different data:\n` +
          differences.join("\n"),
      );
    }
  });
}

async function sameOffset(master: ServerProcess, replicas: ServerProcess[]): Promise<number> {
  const { offset } = await eventually(async () => {
    const offset = await offsetOf(master);
    for (const replica of replicas) {
      const info = await infoOf(replica);
      if (info.master_link_status !== "up") throw new Error(`the link of ${replica.name} is down`);
      for (const field of ["slave_repl_offset", "master_repl_offset"]) {
        if (Number(info[field]) !== offset) {
          throw new Error(`${replica.name}'s ${field} is ${info[field]}, its master's ${offset}`);
        }
      }
    }
    if (offset !== await offsetOf(master)) throw new Error("the master goes on writing");
    return { offset };
  }, { timeoutMs: PATIENCE_MS, what: "the replicas to be in step" });
  return offset;
}

/** The offset of a server's stream of writes, be it its own or its master's. */
export async function offsetOf(server: Address): Promise<number> {
  return Number((await infoOf(server)).master_repl_offset);
}

/** Runs something that fails with the logs of these servers. */
export async function withLog<T>(servers: ServerProcess[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    // What a server wrote last, if it has just ended, is still on its way.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const logs = servers.map((server) =>
      `--- the end of the log of ${server.name} on port ${server.port}:\n` +
      server.log.split("\n").slice(-40).join("\n")
    );
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${logs.join("\n")}`, {
      cause,
    });
  }
}

/**
 * Demands that a server has logged no fault of ours and no command that it could not apply. What the log may
 * tell of here can be excepted.
 */
export function assertNoFaults({ name, log }: ServerProcess, except: RegExp = /(?!)/): void {
  const faults = log.split("\n").filter((line) =>
    /CRITICAL|Cannot (apply|carry out|serve|go on with)|Error: /.test(line) && !except.test(line)
  );
  assertEquals(faults, [], `faults that ${name} has logged`);
}

/** Ends a server as a person would who wants to start it again; its data are saved. */
export async function shutDown(server: ServerProcess): Promise<void> {
  using client = await server.connect();
  await client.send("SHUTDOWN SAVE\r\n");
  const { code } = await server.ended();
  if (code !== 0) throw new Error(`${server.name} ended with code ${code}:\n${server.log}`);
}

/** What two servers hold differently, one line a key, 20 at most. */
export async function differingKeys(one: Address, other: Address): Promise<string[]> {
  const lines: string[] = [];
  using left = await connect(one.port, one.hostname);
  using right = await connect(other.port, other.hostname);
  for (let database = 0; database < 16; database++) {
    const names = new Set<string>();
    for (const client of [left, right]) {
      await client.call("SELECT", `${database}`);
      const keys = await client.call("KEYS", "*");
      if (keys.kind === "array") keys.items.forEach((key) => names.add(textOf(key)));
    }
    for (const key of names) {
      const [mine, theirs] = [await described(left, key), await described(right, key)];
      if (mine.digest === theirs.digest) continue;
      lines.push(
        `database ${database}, ${JSON.stringify(key)}:\n  ${mine.text}\n  ${theirs.text}`,
      );
      if (lines.length >= 20) return lines;
    }
  }
  return lines.length > 0 ? lines : ["(every key of KEYS * has the same digest)"];
}

const READERS: Record<string, (key: string) => string[]> = {
  string: (key) => ["GET", key],
  list: (key) => ["LRANGE", key, "0", "-1"],
  set: (key) => ["SMEMBERS", key],
  hash: (key) => ["HGETALL", key],
  zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
};

async function described(
  client: RespClient,
  key: string,
): Promise<{ digest: string; text: string }> {
  const digest = Deno.inspect(await client.call("DEBUG", "DIGEST-VALUE", key));
  const type = textOf(await client.call("TYPE", key));
  if (type === "none") return { digest, text: "is missing" };
  const value = plain(await client.call(...(READERS[type] ?? ((k) => ["DUMP", k]))(key)));
  const life = plain(await client.call("PEXPIRETIME", key));
  return { digest, text: `${type}, expires ${life}: ${value.slice(0, 600)}` };
}

/** A reply as a short text for messages. */
export function plain(reply: Reply): string {
  if ("items" in reply) return `[${reply.items.map(plain).join(", ")}]`;
  if ("text" in reply) return JSON.stringify(reply.text);
  return "value" in reply ? String(reply.value) : reply.kind;
}

/** Cuts the link that goes through a proxy and waits until the replica has it up again. */
export async function cutAndWait(proxy: LinkProxy, replica: ServerProcess): Promise<void> {
  const links = proxy.links.length;
  proxy.cut();
  await withLog([replica], () =>
    eventually(
      async () => proxy.links.length > links && (await infoOf(replica)).master_link_status === "up",
      { timeoutMs: PATIENCE_MS, what: `${replica.name} to come back after a cut link` },
    ));
}
