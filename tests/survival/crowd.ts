/**
 * Many idle clients and a tenth as many busy ones: nobody is turned away, every reply is right, and the idle ones
 * are still served at the end. Memory for each idle client and the longest wait are told and not judged.
 */

import { assertEquals } from "@std/assert";
import { assertNoFaults, infoOf } from "../support/replication_peers.ts";
import { bulk, connect, integer, type RespClient, status } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import {
  type Field,
  type Figures,
  openFiles,
  openFilesMax,
  pause,
  residentMb,
  type Trial,
} from "./trial.ts";

/** Connections that are opened, or asked, at the same time. */
const AT_ONCE = 200;
const BUSY_SHARE = 10;
/** Descriptors that a process needs beside the connections. */
const SPARE_FILES = 200;

export const crowd: Trial = {
  name: "crowd",
  title:
    "10,000 idle clients connected while 1,000 busy ones read and write: no error and no wrong reply; " +
    "memory of an idle client and the longest wait are told",
  unit: "seconds",
  sizeOf: "idle clients",
  short: { amount: 1, size: 300 },
  long: { amount: 30, size: 10_000 },
  msPerUnit: 1_500,
  run,
};

async function run(field: Field): Promise<Figures> {
  const busyCount = field.extent.size / BUSY_SHARE;
  assertFilesAllow(field.extent.size + busyCount + SPARE_FILES);
  const server = await field.start(["--maxclients", String(field.extent.size + busyCount + 50)]);
  const filesBefore = openFiles(server);
  const memoryBefore = residentMb(server);
  const idle = await openIdle(field, server);
  await field.round(0, "the idle clients are there", () => pingAll(idle));
  const perIdleKb = (residentMb(server) - memoryBefore) * 1024 / idle.length;
  const busy = new BusyClients(field, server);
  await busy.run(busyCount, field.extent.amount * 1_000);
  await pingAll(idle);
  const { connected_clients, rejected_connections } = {
    ...await infoOf(server, "clients"),
    ...await infoOf(server, "stats"),
  };
  assertEquals(rejected_connections, "0");
  for (const conn of idle) conn.close();
  await untilFiles(server, filesBefore);
  assertNoFaults(server);
  return {
    "idle clients": idle.length,
    "busy clients": busyCount,
    "connected at the end": connected_clients,
    "KB per idle client": perIdleKb.toFixed(1),
    requests: busy.requests,
    "longest wait, ms": Math.round(busy.longestMs),
  };
}

function assertFilesAllow(needed: number): void {
  const most = openFilesMax();
  if (most < needed) {
    throw new Error(`the limit of open files is ${most} and ${needed} are needed: ulimit -n`);
  }
}

async function openIdle(field: Field, { port }: ServerProcess): Promise<Deno.Conn[]> {
  const idle: Deno.Conn[] = [];
  while (idle.length < field.extent.size) {
    const count = Math.min(AT_ONCE, field.extent.size - idle.length);
    const opened = await Promise.all(
      Array.from({ length: count }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    for (const conn of opened) idle.push(field.use(closing(conn)));
  }
  return idle;
}

/** A connection that may be closed twice. */
function closing(conn: Deno.Conn): Deno.Conn {
  let isClosed = false;
  const close = conn.close.bind(conn);
  conn.close = () => {
    if (!isClosed) close();
    isClosed = true;
  };
  conn[Symbol.dispose] = conn.close;
  return conn;
}

/** Has each connection answer PING. */
async function pingAll(conns: Deno.Conn[]): Promise<void> {
  const ping = new TextEncoder().encode("PING\r\n");
  for (let at = 0; at < conns.length; at += AT_ONCE) {
    await Promise.all(
      conns.slice(at, at + AT_ONCE).map(async (conn) => {
        await conn.write(ping);
        const room = new Uint8Array(16);
        const size = await conn.read(room);
        assertEquals(new TextDecoder().decode(room.subarray(0, size ?? 0)), "+PONG\r\n");
      }),
    );
  }
}

/** Clients that each work on keys of their own, and so know every reply. */
class BusyClients {
  requests = 0;
  longestMs = 0;

  constructor(private readonly field: Field, private readonly server: ServerProcess) {}

  async run(count: number, forMs: number): Promise<void> {
    const clients: RespClient[] = [];
    while (clients.length < count) {
      const some = Math.min(AT_ONCE, count - clients.length);
      clients.push(
        ...await Promise.all(Array.from({ length: some }, () => connect(this.server.port))),
      );
    }
    const endMs = performance.now() + forMs;
    try {
      await Promise.all(clients.map((client, i) => this.#work(client, i, endMs)));
    } finally {
      for (const client of clients) client.close();
    }
  }

  async #work(client: RespClient, i: number, endMs: number): Promise<void> {
    const random = this.field.random(i);
    for (let n = 1; performance.now() < endMs; n++) {
      const value = `${i}:${n}:${"v".repeat(random.below(400))}`;
      const startedMs = performance.now();
      const replies = await client.pipeline([
        ["SET", `key:${i}`, value],
        ["GET", `key:${i}`],
        ["RPUSH", `list:${i}`, value],
        ["LPOP", `list:${i}`],
        ["HSET", `hash:${i}`, `field:${n % 10}`, value],
        ["HGET", `hash:${i}`, `field:${n % 10}`],
        ["INCR", `count:${i}`],
      ]);
      this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
      this.requests += replies.length;
      assertEquals(replies, [
        status("OK"),
        bulk(value),
        integer(1),
        bulk(value),
        integer(n <= 10 ? 1 : 0),
        bulk(value),
        integer(n),
      ]);
    }
  }
}

/** Waits until a server has closed what its clients have left. */
export async function untilFiles(server: ServerProcess, count: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (openFiles(server) <= count) return;
    await pause(50);
  }
  assertEquals(openFiles(server), count, "descriptors that are left");
}
