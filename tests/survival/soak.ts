/**
 * A long run of everything at the same time: commands of all types from many clients, keys that expire, eviction,
 * snapshots, pub/sub, clients that wait, a replica, settings that change, connections that come and go. In the end
 * the replica holds what its master holds, no reply was a fault, memory beyond what is counted has stayed where it
 * was in the first third, and what was counted is given back.
 */

import { assert, assertEquals } from "@std/assert";
import type { Random } from "../support/random.ts";
import { LoadGenerator, startLoad, type WriteLoad } from "../support/replication_load.ts";
import {
  ask,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  replicate,
  syncCounts,
} from "../support/replication_peers.ts";
import { connect, encode, type Reply, type RespClient, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { untilFiles } from "./crowd.ts";
import { type Field, type Figures, openFiles, pause, residentMb, type Trial } from "./trial.ts";

/** The database of values that are evicted: the load flushes and swaps its own. */
const CHURN_DATABASE = "5";
const CHURN_KEYS = 20_000;
/** In the short form there is too little time for memory to show anything. */
const JUDGED_FROM_SECONDS = 60;
/** This part of the run is not looked at: what is limited fills up, and code is compiled. */
const WARM_UP = 0.2;
const GROWTH_MAX = 1.15;
const GROWTH_SLACK_MB = 25;
/** Data that are left after FLUSHALL: nothing but what clients and replicas take. */
const EMPTY_SLACK_MB = 4;

export const soak: Trial = {
  name: "soak",
  title:
    "everything at once: all types, expiry, eviction, snapshots, pub/sub, blocking, a replica, CONFIG SET, " +
    "clients that come and go; in the end replica and master are equal and memory is steady",
  unit: "seconds",
  sizeOf: "clients of each kind",
  short: { amount: 3, size: 1 },
  long: { amount: 600, size: 4 },
  msPerUnit: 1_050,
  run,
};

/** Errors that a well-made command may be answered with here. */
const MAY_BE = /^OOM |^ERR Background save already in progress/;
/** Errors that no command may be answered with, however it is made. */
const NEVER = /internal error|^(READONLY|NOAUTH|NOPERM|MASTERDOWN|LOADING|MISCONF|NOREPLICAS)\b/;

/** What the clients of a soak share. */
class Watch {
  isStopping = false;
  requests = 0;
  messages = 0;
  reconnects = 0;
  readonly unexpected = new Map<string, number>();

  constructor(readonly server: ServerProcess) {}

  /** Counts a reply, and keeps the error that nobody asked for. */
  note(words: string[], reply: Reply, isWellMade: boolean): void {
    this.requests++;
    if (reply.kind !== "error") return;
    if (isWellMade ? MAY_BE.test(reply.text) : !NEVER.test(reply.text)) return;
    const seen = `${reply.text} (${words.slice(0, 4).join(" ").slice(0, 80)})`;
    this.unexpected.set(seen, (this.unexpected.get(seen) ?? 0) + 1);
  }

  /** Sends commands, which the load may have bent where they are not `isWellMade`. */
  async send(client: RespClient, calls: string[][], isWellMade = true): Promise<void> {
    const replies = await client.pipeline(calls);
    replies.forEach((reply, i) => this.note(calls[i], reply, isWellMade));
  }
}

/** What a client of each kind does again and again, on a connection of its own. */
const WORK: Record<string, (client: RespClient, random: Random, watch: Watch) => Promise<void>> = {
  async churn(client, random, watch) {
    const calls = Array.from({ length: 20 }, () => churnCommand(random));
    await watch.send(client, [["SELECT", CHURN_DATABASE], ...calls]);
  },
  async publishes(client, random, watch) {
    const calls = Array.from({ length: 5 }, () => [
      random.chance(0.2) ? "SPUBLISH" : "PUBLISH",
      `channel:${random.below(6)}`,
      "m".repeat(random.below(2_000)),
    ]);
    await watch.send(client, calls);
    await pause(10);
  },
  async looks(client, random, watch) {
    await watch.send(client, [
      random.pick([
        ["INFO"],
        ["INFO", "everything"],
        ["CLIENT", "LIST"],
        ["MEMORY", "STATS"],
        ["SLOWLOG", "GET"],
        ["COMMAND"],
        ["CONFIG", "GET", "*"],
        ["LATENCY", "DOCTOR"],
        ["PUBSUB", "CHANNELS"],
        ["SCAN", "0", "COUNT", "1000"],
        ["DBSIZE"],
        ["ROLE"],
        ["REPLICATION", "LOG"],
      ]),
    ]);
    await pause(30);
  },
  async sets(client, random, watch) {
    await watch.send(client, [random.pick(SETTINGS)(random)]);
    await pause(200);
  },
  async saves(client, random, watch) {
    const words = random.pick([["BGSAVE"], ["BGSAVE", "SCHEDULE"], ["MEMORY", "PURGE"]]);
    await watch.send(client, [words]);
    await pause(random.between(300, 2_000));
  },
};

/** Settings that change in mid-run; each leaves the server as able as before. */
const SETTINGS: ((random: Random) => string[])[] = [
  (r) => ["CONFIG", "SET", "hz", String(r.between(10, 100))],
  (r) => ["CONFIG", "SET", "maxmemory", `${r.between(40, 60)}mb`],
  (r) => [
    "CONFIG",
    "SET",
    "maxmemory-policy",
    r.pick(["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl", "noeviction"]),
  ],
  (r) => ["CONFIG", "SET", "list-max-listpack-size", r.pick(["-2", "8", "128", "-1"])],
  (r) => ["CONFIG", "SET", "hash-max-listpack-entries", r.pick(["0", "8", "128"])],
  (r) => ["CONFIG", "SET", "zset-max-listpack-entries", r.pick(["0", "8", "128"])],
  (r) => ["CONFIG", "SET", "set-max-intset-entries", r.pick(["0", "8", "512"])],
  (r) => ["CONFIG", "SET", "repl-backlog-size", r.pick(["1mb", "8mb", "64mb"])],
  (r) => ["CONFIG", "SET", "notify-keyspace-events", r.pick(["", "KEA", "Kx"])],
  (r) => ["CONFIG", "SET", "slowlog-log-slower-than", r.pick(["-1", "0", "10000"])],
  (r) => ["CONFIG", "SET", "save", r.pick(["", "2 10", "3600 1"])],
  (r) => ["CONFIG", "SET", "rdbcompression", r.pick(["yes", "no"])],
  (r) => ["CONFIG", "SET", "active-expire-effort", String(r.between(1, 10))],
  (r) => ["CONFIG", "SET", "latency-monitor-threshold", r.pick(["0", "1", "100"])],
];

function churnCommand(random: Random): string[] {
  const key = `churn:${random.below(CHURN_KEYS)}`;
  const size = random.chance(0.02) ? random.below(200_000) : random.below(4_000);
  switch (random.below(5)) {
    case 0:
      return ["GET", key];
    case 1:
      return ["SET", key, "v".repeat(size)];
    case 2:
      return ["SET", key, "v".repeat(size), "PX", String(random.between(1, 20_000))];
    case 3:
      return ["APPEND", key, "v".repeat(random.below(300))];
    default:
      return ["DEL", key];
  }
}

async function run(field: Field): Promise<Figures> {
  const master = await field.start(["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]);
  const replica = await field.start();
  await replicate(replica, master);
  await linkUp(replica);
  const filesBefore = openFiles(master);
  const watch = new Watch(master);
  const memory = new Memory([master, replica]);
  const clients = startClients(field, watch);
  const loads = await startLoads(field, master);
  const endMs = performance.now() + field.extent.amount * 1_000;
  while (performance.now() < endMs) {
    await pause(500);
    await memory.look();
    const seconds = Math.round((endMs - performance.now()) / 1_000);
    if (seconds % 10 === 0) {
      field.say(`${seconds} s left, ${watch.requests} requests, ${memory.latest()}`);
    }
  }
  watch.isStopping = true;
  for (const load of loads) await load.stop();
  await Promise.all(clients);
  await ask(master, "CONFIG", "SET", "save", "", "maxmemory-policy", "noeviction");
  await linkUp(replica);
  await inStep(master, replica);
  for (const server of [master, replica]) assertNoFaults(server);
  assertEquals([...watch.unexpected], [], "error replies that nobody asked for");
  const syncs = await syncCounts(master);
  assertEquals(
    [syncs.full, syncs.partialOk],
    [1, 0],
    "full and partial syncs: the link has been cut",
  );
  const { evicted_keys, expired_keys } = await infoOf(master, "stats");
  const growth = memory.growth();
  if (field.extent.amount >= JUDGED_FROM_SECONDS) memory.assertSteady();
  const left = await emptied(master);
  await untilFiles(master, filesBefore);
  await inStep(master, replica);
  return {
    requests: watch.requests + loads.reduce((sum, { sent }) => sum + sent, 0),
    messages: watch.messages,
    "connections come and gone": watch.reconnects,
    evicted: evicted_keys,
    expired: expired_keys,
    "resident of master (beyond used_memory), MB, thirds": growth[0],
    "of replica": growth[1],
    "used_memory after FLUSHALL, MB": left.toFixed(1),
  };
}

function startClients(field: Field, watch: Watch): Promise<void>[] {
  const running: Promise<void>[] = [];
  let part = 0;
  for (let i = 0; i < field.extent.size; i++) {
    for (const work of Object.values(WORK)) {
      running.push(repeat(watch, field.random(part++), work));
    }
    running.push(subscribe(watch, field.random(part++)));
    running.push(comeAndGo(watch, field.random(part++)));
    running.push(comeAndGo(watch, field.random(part++)));
  }
  return running;
}

function startLoads(field: Field, master: ServerProcess): Promise<WriteLoad[]> {
  return Promise.all(
    Array.from(
      { length: field.extent.size },
      (_, i) => startLoad(master, { seed: field.seed * 100 + i, pauseMs: 5, flushesAll: false }),
    ),
  );
}

async function repeat(
  watch: Watch,
  random: Random,
  work: (client: RespClient, random: Random, watch: Watch) => Promise<void>,
): Promise<void> {
  using client = await connect(watch.server.port);
  while (!watch.isStopping) await work(client, random, watch);
}

/** Listens to some channels, and to others after a while. */
async function subscribe(watch: Watch, random: Random): Promise<void> {
  while (!watch.isStopping) {
    using client = await connect(watch.server.port);
    const channel = () => `channel:${random.below(6)}`;
    await client.send(encode([
      ["SUBSCRIBE", channel(), channel()],
      ["PSUBSCRIBE", `channel:[${random.below(6)}-5]`],
      ["SSUBSCRIBE", channel()],
    ]));
    // PING is answered whatever is published, and ends each wait.
    for (let i = random.between(5, 50); i > 0 && !watch.isStopping; i--) {
      await client.send(encode([["PING", "end"]]));
      while (!isPong(await client.receive())) watch.messages++;
      await pause(50);
    }
  }
}

function isPong(reply: Reply): boolean {
  return reply.kind === "array" && textOf(reply.items[0]) === "pong";
}

/** Connects, does something or half of it, and goes, in order or not. */
async function comeAndGo(watch: Watch, random: Random): Promise<void> {
  const generator = new LoadGenerator(random.next());
  while (!watch.isStopping) {
    using client = await connect(watch.server.port);
    watch.reconnects++;
    switch (random.below(6)) {
      case 0: // in the midst of a request
        await client.send("*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$100000\r\nhalf");
        break;
      case 1: // in a transaction, watching
        await watch.send(client, [["WATCH", "s:0"], ["MULTI"], generator.command()], false);
        break;
      case 2: // waiting
        await client.send(encode([["BLPOP", `nothing:${random.below(5)}`, "0"]]));
        break;
      case 3: // without reading
        await client.send(encode(Array.from({ length: 50 }, () => ["LRANGE", "l:0", "0", "-1"])));
        break;
      case 4:
        await watch.send(client, [["HELLO", "3"], ["CLIENT", "SETNAME", "passing"], ["QUIT"]]);
        break;
      default:
        await watch.send(
          client,
          generator.commands().filter(([name]) => !/^FLUSHALL$/i.test(name)),
          false,
        );
    }
    await pause(random.between(0, 20));
  }
}

/** Empties a server; used_memory in MB beyond what it takes to run, once clients have gone. */
async function emptied(server: ServerProcess): Promise<number> {
  await ask(server, "FLUSHALL");
  await ask(server, "CONFIG", "SET", "repl-backlog-size", "64mb");
  let left = NaN;
  for (let tries = 0; tries < 100; tries++) {
    const info = await infoOf(server, "memory");
    // The backlog is kept for replicas, and no data.
    left = (Number(info.used_memory) - Number(info.mem_replication_backlog)) / 2 ** 20;
    if (left < EMPTY_SLACK_MB) return left;
    await pause(100);
  }
  const using = textOf(await ask(server, "INFO", "memory"));
  throw new Error(`${left} MB are in use after FLUSHALL:\n${using}`);
}

/** What memory of a server is at one moment, in MB. */
interface Look {
  resident: number;
  /** What the server counts: data, clients, backlog. */
  used: number;
  /** What the engine has in use of its heap. */
  heap: number;
}

/** Memory of servers over time. */
class Memory {
  readonly #looks: Look[][];

  constructor(private readonly servers: ServerProcess[]) {
    this.#looks = servers.map(() => []);
  }

  async look(): Promise<void> {
    for (const [i, server] of this.servers.entries()) {
      const info = await infoOf(server, "memory");
      const mb = (field: string) => Number(info[field]) / 2 ** 20;
      this.#looks[i].push({
        resident: residentMb(server),
        used: mb("used_memory"),
        heap: mb("heap_used"),
      });
    }
  }

  /** The last look at each server, as `resident 120 used 60 heap 8`. */
  latest(): string {
    return this.#looks.map((looks) => {
      const { resident, used, heap } = looks[looks.length - 1];
      return `resident ${Math.round(resident)} used ${Math.round(used)} heap ${Math.round(heap)}`;
    }).join(" | ");
  }

  /** Means of each third, with what is beyond used_memory, as `120 (60) 121 (61) 122 (60)`, for each server. */
  growth(): string[] {
    return this.#looks.map((looks) => {
      const resident = thirds(looks.map((look) => look.resident));
      const beyond = thirds(looks.map(beyondUsed));
      return resident.map((mb, i) => `${Math.round(mb)} (${Math.round(beyond[i])})`).join(" ");
    });
  }

  /**
   * Demands that what is beyond used_memory is no larger in the last third than in the first, by more than what
   * varies. What is counted follows the load, and is looked at when it has ended.
   */
  assertSteady(): void {
    for (const looks of this.#looks) {
      const [first, , last] = thirds(looks.map(beyondUsed));
      assert(
        last <= first * GROWTH_MAX + GROWTH_SLACK_MB,
        `resident memory (beyond used_memory) has grown: ${
          this.growth().join(" MB, of the replica ")
        } MB`,
      );
    }
  }
}

function beyondUsed({ resident, used }: Look): number {
  return resident - used;
}

function thirds(values: number[]): number[] {
  const warm = values.slice(Math.floor(values.length * WARM_UP));
  const size = Math.max(1, Math.floor(warm.length / 3));
  return [0, 1, 2].map((i) => {
    const part = warm.slice(i * size, (i + 1) * size);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
