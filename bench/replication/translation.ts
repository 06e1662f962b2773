/**
 * What it costs a master that a replica of an older version follows: its stream is translated for that one.
 *
 * One master of tsredis, and in turn no replica, one that needs no translation (Redis 7.4), and ones of older versions,
 * all under the same loads: plain SETs, and commands that older servers are told in other words. Replicas are the servers
 * of `TSREDIS_OLD_SERVERS` (see tests/support/old_redis.ts); those that are not there are left out. There is nothing of
 * redis-server's to compare: it has no such replicas.
 */

import { hasOldRedis, programOf } from "../../tests/support/old_redis.ts";
import { serverVersion } from "../../src/replication/bridge/target.ts";
import { Client, encodeCommand } from "../compare/client.ts";
import { type RunningServer, type ServerSpec, startServer } from "../compare/servers.ts";
import { runRedisBenchmark } from "../compare/speed.ts";
import type { TranslationResult, TranslationSample } from "./figures.ts";
import { fullSyncs, infoOf, linkUp, pause, startMember } from "./replica_set.ts";
import { setTest } from "./throughput.ts";

export interface TranslationOptions {
  rounds: number;
  /** Commands of a timed run; of plain SETs several times as many. */
  commands: number;
  /** Requests that set redis-benchmark's keys before anything is timed. */
  fillRequests: number;
  workDir: string;
}

/** What follows the master, and what it has to be told for that to take one full sync. */
interface Follower {
  title: string;
  /** The version of the server; null for none. */
  version: string | null;
  rdbVersion: string;
}

const FOLLOWERS: readonly Follower[] = [
  { title: "none", version: null, rdbVersion: "auto" },
  { title: "7.4", version: "7.4.1", rdbVersion: "auto" },
  { title: "6.2", version: "6.2.14", rdbVersion: "9" },
  { title: "5.0", version: "5.0.14", rdbVersion: "9" },
  { title: "2.8", version: "2.8.24", rdbVersion: "6" },
];

interface Load {
  title: string;
  /** Servers before this version cannot be told. */
  since: string;
  /** What a key needs beforehand, when it has been deleted. */
  prepare?: (key: string) => string[][];
  /** What is sent again and again with each key; every command changes something. */
  commands: (key: string) => string[][];
}

const VALUE = "x".repeat(16);

/** The other key of commands that take two. */
function secondOf(key: string): string {
  return `${key}:2`;
}

const LOADS: readonly Load[] = [
  load("SET … PX", (key) => [["SET", key, VALUE, "PX", "100000"]]),
  load("SET … KEEPTTL", (key) => [["SET", key, VALUE, "KEEPTTL"]]),
  load("SET, GETDEL", (key) => [["SET", key, VALUE], ["GETDEL", key]]),
  load("RPUSH of 4, LPOP 4", (key) => [
    ["RPUSH", key, "a", "b", "c", "d"],
    ["LPOP", key, "4"],
  ]),
  load("RPUSH, LMOVE, LPOP", (key) => [
    ["RPUSH", key, VALUE],
    ["LMOVE", key, secondOf(key), "LEFT", "RIGHT"],
    ["LPOP", secondOf(key)],
  ]),
  load("SET, COPY", (key) => [["SET", key, VALUE], ["COPY", key, secondOf(key), "REPLACE"]]),
  load("ZADD, ZADD GT", (key) => [["ZADD", key, "1", "m"], ["ZADD", key, "GT", "2", "m"]]),
  load("BITFIELD INCRBY", (key) => [["BITFIELD", key, "INCRBY", "u32", "0", "1"]]),
  {
    title: "XADD, XREADGROUP",
    since: "5.0.0",
    prepare: (key) => [["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"]],
    commands: (key) => [
      ["XADD", key, "MAXLEN", "~", "100", "*", "f", VALUE],
      ["XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", key, ">"],
    ],
  },
];

function load(title: string, commands: Load["commands"]): Load {
  return { title, since: "2.6.0", commands };
}

/** The title of plain SETs, sent by redis-benchmark. */
export const PLAIN_SET = "SET";

const CONNECTIONS = 16;
/** Commands that a connection sends before it reads their replies, about. */
const PIPELINE = 16;
const KEYS_PER_CONNECTION = 64;
const SET_FACTOR = 4;
const WAIT_TIMEOUT_MS = 60_000;
const POLL_MS = 5;

/** One load as each of the connections sends it: batches of whole steps. */
interface Batches {
  prepare: Uint8Array;
  prepareReplies: number;
  batches: Uint8Array[];
  replies: number;
}

/** Each load, without followers and with each that is at hand; null where no server of another version is. */
export async function measureTranslation(
  master: ServerSpec,
  options: TranslationOptions,
): Promise<TranslationResult[] | null> {
  const followers = FOLLOWERS.filter(({ version }) => version === null || hasOldRedis(version));
  if (followers.length === 1) return null;
  const started: RunningServer[] = [];
  const connections: Client[] = [];
  try {
    // A backlog as long as usual, so that what each history keeps can be seen.
    const backlog = ["--repl-backlog-size", "1mb"];
    const { server } = await startMember(master, backlog, options.workDir);
    started.push(server);
    const replicas = new Map<Follower, RunningServer>();
    for (const follower of followers) {
      if (follower.version === null) continue;
      const dir = Deno.makeTempDirSync({ dir: options.workDir });
      const command = [programOf(follower.version)];
      const replica = await startServer({ label: `replica ${follower.version}`, command }, dir);
      started.push(replica);
      replicas.set(follower, replica);
    }
    for (let i = 0; i < CONNECTIONS; i++) connections.push(await Client.connect(server.port));
    return await measureAll(server, replicas, followers, connections, options);
  } finally {
    for (const connection of connections) connection.close();
    for (const server of started) await server.stop();
  }
}

async function measureAll(
  master: RunningServer,
  replicas: Map<Follower, RunningServer>,
  followers: readonly Follower[],
  connections: Client[],
  options: TranslationOptions,
): Promise<TranslationResult[]> {
  const results: TranslationResult[] = [PLAIN_SET, ...LOADS.map(({ title }) => title)].map(
    (title) => ({
      load: title,
      followers: followers.map((follower) => ({ title: follower.title, samples: [] })),
    }),
  );
  const loads = LOADS.map((each) => ({
    ...each,
    batches: connections.map((_, c) => batchesOf(each, c)),
  }));
  // Untimed: what is hot has to be compiled, and redis-benchmark's keys are to be there.
  await runRedisBenchmark(master, setTest(PIPELINE), options.fillRequests);
  for (const { title, batches } of loads) {
    await prepare(master, connections, batches);
    await send(master, connections, title, batches, options.commands);
  }
  for (let round = 0; round < options.rounds; round++) {
    const turn = [...followers.keys()];
    if (round % 2 === 1) turn.reverse();
    for (const f of turn) {
      const follower = followers[f];
      const replica = replicas.get(follower);
      // A server that knows no streams could not follow while there are some.
      await master.call("FLUSHALL");
      await runRedisBenchmark(master, setTest(PIPELINE), options.fillRequests);
      if (replica !== undefined) await attach(master, replica, follower);
      const timed = async (i: number, commands: number, work: () => Promise<number>) => {
        const sample = await timedRun(master, replica, commands, work);
        results[i].followers[f].samples.push(sample);
        report(results[i].load, follower, sample);
      };
      const sets = options.commands * SET_FACTOR;
      await timed(0, sets, () => runRedisBenchmark(master, setTest(PIPELINE), sets));
      for (const [i, { title, since, batches }] of loads.entries()) {
        const isTold = follower.version === null ||
          serverVersion(follower.version) >= serverVersion(since);
        if (!isTold) continue;
        await prepare(master, connections, batches);
        await timed(
          i + 1,
          options.commands,
          () => send(master, connections, title, batches, options.commands),
        );
      }
      if (replica !== undefined) await detach(master, replica);
    }
  }
  return results;
}

function batchesOf({ prepare, commands }: Load, connection: number): Batches {
  const keys = Array.from({ length: KEYS_PER_CONNECTION }, (_, k) => `t:${connection}:${k}`);
  const prepared = keys.flatMap((key) => [
    ["DEL", key, secondOf(key)],
    ...prepare?.(key) ?? [],
  ]);
  const batches: Uint8Array[] = [];
  const steps = Math.max(1, Math.round(PIPELINE / commands("").length));
  for (let at = 0; at < keys.length; at += steps) {
    // Batches are alike in length: the last ones begin again at the first keys.
    const some = Array.from({ length: steps }, (_, i) => keys[(at + i) % keys.length]);
    batches.push(encoded(some.flatMap(commands)));
  }
  return {
    prepare: encoded(prepared),
    prepareReplies: prepared.length,
    batches,
    replies: steps * commands("").length,
  };
}

function encoded(commands: string[][]): Uint8Array {
  return new TextEncoder().encode(commands.map((words) => encodeCommand(...words)).join(""));
}

/** Makes the keys as the load needs them. */
async function prepare(
  master: RunningServer,
  connections: Client[],
  loads: Batches[],
): Promise<void> {
  for (const [c, { prepare, prepareReplies }] of loads.entries()) {
    await connections[c].send(prepare);
    await master.guard("preparing", connections[c].skip(prepareReplies));
  }
}

/** Sends a load by all connections at once; the commands per second. */
async function send(
  master: RunningServer,
  connections: Client[],
  title: string,
  loads: Batches[],
  commands: number,
): Promise<number> {
  const rounds = Math.ceil(commands / loads[0].replies / connections.length);
  const startedAt = performance.now();
  await master.guard(
    title,
    Promise.all(connections.map(async (connection, c) => {
      const { batches, replies } = loads[c];
      for (let i = 0; i < rounds; i++) {
        await connection.send(batches[i % batches.length]);
        await connection.skip(replies);
      }
    })),
  );
  const sent = rounds * loads[0].replies * connections.length;
  return sent / (performance.now() - startedAt) * 1000;
}

/** One run, and the time that the replica needs to acknowledge all of it: nothing of it is left for the next. */
async function timedRun(
  master: RunningServer,
  replica: RunningServer | undefined,
  commands: number,
  work: () => Promise<number>,
): Promise<TranslationSample> {
  const syncsBefore = await fullSyncs(master);
  const cpuBefore = master.cpuMicros();
  const commandsPerSecond = await work();
  if (replica !== undefined) await acknowledged(master);
  const masterCpuMicros = (master.cpuMicros() - cpuBefore) / commands;
  if (await fullSyncs(master) !== syncsBefore) {
    throw new Error(`${replica?.label} had to synchronize anew under load${master.logTail()}`);
  }
  return {
    commandsPerSecond,
    masterCpuMicros,
    bufferBytes: await bufferBytes(master),
    residentBytes: master.residentBytes(),
  };
}

async function attach(
  master: RunningServer,
  replica: RunningServer,
  { rdbVersion }: Follower,
): Promise<void> {
  await master.call("CONFIG", "SET", "rdb-version-for-replicas", rdbVersion);
  await replica.call("SLAVEOF", "127.0.0.1", String(master.port));
  await linkUp(replica);
  await acknowledged(master);
}

async function detach(master: RunningServer, replica: RunningServer): Promise<void> {
  const theirs = await replica.call("DBSIZE");
  const ours = await master.call("DBSIZE");
  if (ours !== theirs) throw new Error(`${replica.label} has ${theirs} of ${ours} keys`);
  await replica.call("SLAVEOF", "NO", "ONE");
  await until(
    master,
    "replica gone",
    async () => (await infoOf(master)).get("connected_slaves") === "0",
  );
  // Histories outlive their replicas, so that these can go on: the next one is to find none.
  await master.call("CONFIG", "SET", "repl-backlog-ttl", "1");
  await until(master, "backlogs gone", async () => await bufferBytes(master) === 0);
  await master.call("CONFIG", "SET", "repl-backlog-ttl", "3600");
}

/** What INFO tells of the memory of all backlogs. */
async function bufferBytes(master: RunningServer): Promise<number> {
  return Number((await infoOf(master, "memory")).get("mem_total_replication_buffers"));
}

/** Waits until the replica has acknowledged all, in the master's terms: a translated stream has offsets of its own. */
function acknowledged(master: RunningServer): Promise<void> {
  return until(master, "all acknowledged", async () => {
    const fields = await infoOf(master);
    return fields.get("slave0")?.includes(`offset=${fields.get("master_repl_offset")},`) === true;
  });
}

async function until(
  server: RunningServer,
  what: string,
  look: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS;
  while (!await look()) {
    if (performance.now() > deadline) {
      throw new Error(`${server.label}: ${what}: not yet${server.logTail()}`);
    }
    await pause(POLL_MS);
  }
}

function report(load: string, { title }: Follower, sample: TranslationSample): void {
  console.error(
    `translation, ${load}, replica ${title}: ${sample.masterCpuMicros.toFixed(2)} us CPU, ` +
      `${Math.round(sample.commandsPerSecond)}/s, buffers ${
        (sample.bufferBytes / 1e6).toFixed(2)
      } MB, resident ${(sample.residentBytes / 1e6).toFixed(0)} MB`,
  );
}
