/** Limits of connections over real sockets: who is over one loses its own connection, and only that. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { encode, integer, type RespClient, status } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

/** Has a value of 1 MB at "k", and a client that asks for it this often and reads nothing. */
async function unreadReplies(s: RunningServer, count: number): Promise<RespClient> {
  const writer = await s.connect();
  await writer.call("SET", "k", "x".repeat(1 << 20));
  writer.close();
  await eventually(() => s.core.clients.count === 0, { what: "the writer to go" });
  const client = await s.connect();
  await client.send(encode(Array.from({ length: count }, () => ["GET", "k"])));
  return client;
}

Deno.test("a client that does not read is dropped at the hard output limit", async () => {
  await using s = await RunningServer.start("client-output-buffer-limit normal 8mb 0 0");
  using _client = await unreadReplies(s, 40);
  await eventually(() => s.hasLogged("overcoming of output buffer limits"), {
    what: "the client to be over its limit",
  });
  assertEquals(s.core.clients.count, 0);
  assertEquals(s.core.statistics.outputBufferLimitDisconnections, 1);
  using other = await s.connect();
  assertEquals(await other.call("PING"), status("PONG"));
});

Deno.test("below the hard limit a client that does not read is left alone", async () => {
  await using s = await RunningServer.start("client-output-buffer-limit normal 200mb 0 0");
  using client = await unreadReplies(s, 40);
  await eventually(() => s.core.statistics.commandsProcessed >= 41, { what: "the replies" });
  using other = await s.connect();
  assertEquals(await other.call("PING"), status("PONG"));
  assertEquals(s.core.clients.count, 2);
  const size = "$1048576\r\n".length + (1 << 20) + 2;
  for (let i = 0; i < 40; i++) await client.receiveRaw(size);
});

Deno.test("a client over the soft limit is dropped after its seconds, not before", async () => {
  await using s = await RunningServer.start("client-output-buffer-limit normal 0 4mb 1");
  using _client = await unreadReplies(s, 40);
  await eventually(() => {
    const [first] = s.core.clients.byId.values();
    return first !== undefined && first.overSoftLimitSinceMs > 0;
  }, { what: "the limit to be passed" });
  const [client] = s.core.clients.byId.values();
  const sinceMs = client.overSoftLimitSinceMs;
  await eventually(() => s.core.clients.count === 0, { what: "the client to be dropped" });
  assert(s.core.keyspace.nowMs - sinceMs > 1000);
});

Deno.test("a client that has read its output again is not dropped by the soft limit", async () => {
  await using s = await RunningServer.start("client-output-buffer-limit normal 0 4mb 60");
  using client = await unreadReplies(s, 40);
  await eventually(() => s.core.clients.count === 1, { what: "the client" });
  const [kept] = s.core.clients.byId.values();
  await eventually(() => kept.overSoftLimitSinceMs > 0, { what: "the limit to be passed" });
  const size = "$1048576\r\n".length + (1 << 20) + 2;
  for (let i = 0; i < 40; i++) await client.receiveRaw(size);
  await eventually(() => kept.overSoftLimitSinceMs === 0, { what: "the limit to be forgotten" });
  assertEquals(await client.call("PING"), status("PONG"));
});

Deno.test("a request over client-query-buffer-limit ends its connection", async () => {
  await using s = await RunningServer.start("client-query-buffer-limit 1mb");
  using client = await s.connect();
  await client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n");
  const piece = new Uint8Array(1 << 16);
  let isEnded = false;
  for (let i = 0; i < 200 && !isEnded; i++) {
    await client.send(piece).catch(() => isEnded = true);
  }
  await eventually(() => s.hasLogged("reached max query buffer length"), {
    what: "the client to be over its limit",
  });
  assertEquals(s.core.clients.count, 0);
  assertEquals(s.core.statistics.queryBufferLimitDisconnections, 1);
});

Deno.test("maxmemory-clients evicts the largest clients, not those with NO-EVICT", async () => {
  await using s = await RunningServer.start();
  using spared = await s.connect();
  await spared.call("CLIENT", "NO-EVICT", "on");
  const half = `*2\r\n$4\r\nECHO\r\n$90000000\r\n`;
  await spared.send(half + "x".repeat(3 << 20));
  using small = await s.connect();
  await small.call("PING");
  using large = await s.connect();
  await large.send(half + "x".repeat(2 << 20));
  const memory = () => [...s.core.clients.byId.values()].map((client) => client.memoryBytes);
  await eventually(() => memory().filter((bytes) => bytes >= 2 << 20).length === 2, {
    what: "both requests to arrive",
  });
  // Who may not be evicted counts all the same.
  await small.call("CONFIG", "SET", "maxmemory-clients", "4mb");
  await eventually(() => s.core.clients.count === 2, { what: "an eviction" });
  assertEquals(await large.receiveUntilClosed(), "");
  assertEquals(await small.call("PING"), status("PONG"));
  assertEquals(s.core.statistics.evictedClients, 1);
  assert(s.hasLogged("Evicting client: id="));
});

Deno.test("timeout drops idle clients, those in a pause or monitoring not", async () => {
  await using s = await RunningServer.start();
  using idle = await s.connect();
  using monitor = await s.connect();
  using held = await s.connect();
  await monitor.call("MONITOR");
  await idle.call("CONFIG", "SET", "timeout", "1");
  await idle.call("CLIENT", "PAUSE", "60000", "WRITE");
  await held.send("SET k 1\r\n");
  await eventually(() => s.core.clients.blockedCount === 1, { what: "the client to be held up" });
  for (const client of s.core.clients.byId.values()) client.lastInteractionMs -= 5000;
  await eventually(() => s.core.clients.count === 2, { what: "the idle client to be dropped" });
  await idle.receiveUntilClosed();
  assert(s.hasLogged("Closing idle client"));
  s.core.pause.end("client");
  assertEquals(await held.receive(), status("OK"));
});

Deno.test("maxclients turns the next one away with its error", async () => {
  await using s = await RunningServer.start("maxclients 2");
  using first = await s.connect();
  const second = await s.connect();
  await second.call("PING");
  using third = await s.connect();
  assertEquals(await third.receiveUntilClosed(), "-ERR max number of clients reached\r\n");
  second.close();
  await eventually(() => s.core.clients.count === 1, { what: "the second to go" });
  using fourth = await s.connect();
  assertEquals(await fourth.call("PING"), status("PONG"));
  assertEquals(await first.call("DBSIZE"), integer(0));
  assertEquals(s.core.statistics.connectionsRejected, 1);
});
