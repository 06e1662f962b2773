/**
 * Five servers in one process, each with data, statistics and settings of its own, in a tree of masters
 * and replicas: a <- b, c and b <- d, e.
 */

import { assert, assertEquals } from "@std/assert";
import { type RedisServer, type Reply, start, type StartOptions } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";

/** A server that syncs at once. */
function server(options: StartOptions = {}): Promise<RedisServer> {
  return start({
    "repl-diskless-sync-delay": 0,
    "enable-debug-command": true,
    "slowlog-log-slower-than": -1,
    ...options,
  });
}

/** A number out of INFO. */
async function info(of: RedisServer, field: string): Promise<string | undefined> {
  const text = String(await of.run("INFO", "everything"));
  return text.split("\r\n").find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1);
}

async function digest(of: RedisServer): Promise<Reply> {
  return await of.run("DEBUG", "DIGEST");
}

async function allEqual(servers: readonly RedisServer[]): Promise<boolean> {
  const digests = new Set<Reply>();
  for (const each of servers) digests.add(await digest(each));
  return digests.size === 1;
}

Deno.test("a second server does not keep the first from finding its keys", async () => {
  await using a = await server({ port: 0 });
  for (let i = 0; i < 100; i++) await a.run("SET", `key:${i}`, i);
  await using _b = await server({ port: 0 });
  for (let i = 0; i < 100; i++) assertEquals(await a.run("GET", `key:${i}`), String(i));
});

Deno.test("five servers in one process are a tree of masters and replicas, and share nothing", {
  // A connection of the runtime to itself, with which long work is cut into slices, stays open.
  sanitizeResources: false,
}, async () => {
  await using a = await server();
  await using b = await server();
  await using c = await server();
  await using d = await server();
  await using e = await server();
  const all = [a, b, c, d, e];
  for (const [index, each] of all.entries()) {
    for (let i = 0; i <= index; i++) await each.run("SET", `own:${i}`, index);
    await each.run("HSET", "hash", "server", index);
  }
  assertEquals(await Promise.all(all.map((each) => each.run("DBSIZE"))), [2, 3, 4, 5, 6]);

  const follow = (replica: RedisServer, master: RedisServer) =>
    replica.run("REPLICAOF", "127.0.0.1", master.port);
  for (const [replica, master] of [[b, a], [c, a], [d, b], [e, b]]) await follow(replica, master);
  for (let i = 0; i < 1000; i++) await a.run("SET", `key:${i}`, i);
  await eventually(() => allEqual(all), { what: "equal digests" });
  await a.run("ZADD", "z", 1, "one", 2, "two");
  await eventually(() => allEqual(all), { what: "equal digests after one more write" });
  assertEquals(await e.run("HGET", "hash", "server"), "0");
  assertEquals(await d.run("DBSIZE"), 1003);
  assertEquals([await info(a, "connected_slaves"), await info(b, "connected_slaves")], ["2", "2"]);
  assertEquals(
    await Promise.all(all.map((each) => info(each, "role"))),
    ["master", "slave", "slave", "slave", "slave"],
  );

  // Each counts its own commands and keeps its own settings.
  const calls = async (of: RedisServer, name: string) =>
    Number((await info(of, `cmdstat_${name}`))?.match(/calls=(\d+)/)?.[1] ?? 0);
  assertEquals(await calls(a, "zadd"), 1);
  await c.run("CONFIG", "RESETSTAT");
  assertEquals([await calls(c, "zadd"), await calls(b, "zadd")], [0, 1]);
  await c.run("GET", "key:1");
  assertEquals([await calls(c, "get"), await calls(a, "get")], [1, 0]);
  await b.run("CONFIG", "SET", "maxmemory", "123mb");
  assertEquals(await a.run("CONFIG", "GET", "maxmemory"), ["maxmemory", "0"]);
  await d.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  await d.run("PING");
  assert(Number(await d.run("SLOWLOG", "LEN")) > 0);
  assertEquals(await e.run("SLOWLOG", "LEN"), 0);

  // One that leaves the tree may lose everything; the others keep theirs.
  await c.run("REPLICAOF", "NO", "ONE");
  await c.run("FLUSHALL");
  assertEquals(await c.run("DBSIZE"), 0);
  assert(await allEqual([a, b, d, e]));
  assertEquals(await a.run("DBSIZE"), 1003);

  // The master of the others ends; they serve on, and one of them takes its place.
  await a.stop();
  assertEquals(await b.run("GET", "key:999"), "999");
  assertEquals(await d.run("GET", "key:999"), "999");
  await b.run("REPLICAOF", "NO", "ONE");
  await b.run("SET", "after", "the end of a");
  await eventually(async () => await e.run("GET", "after") === "the end of a", {
    what: "the write",
  });
  await eventually(() => allEqual([b, d, e]), { what: "equal digests again" });
});
