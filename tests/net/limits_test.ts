import { assertEquals, assertMatch } from "@std/assert";
import { ClientLimits } from "../../src/net/limits.ts";
import { Words } from "../../src/resp/words.ts";
import { InputClient } from "../support/input_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

function withLimits(directives: Record<string, string>) {
  const s = testServer({ nowMs: 10_000 });
  for (const [name, value] of Object.entries(directives)) {
    const refusal = s.config.set([[name, value]]);
    if (refusal !== null) throw new Error(refusal);
  }
  const limits = new ClientLimits(s.services, s.core.unauthenticated);
  const c = new InputClient(s);
  /** Lets this time pass, with a look of the timer every 100 ms. */
  const pass = (ms: number) => {
    for (const end = s.clock.nowMs + ms; s.clock.nowMs < end;) {
      s.clock.nowMs += 100;
      s.keyspace.refreshTime();
      limits.tick(s.clock.nowMs);
    }
  };
  return { s, c, limits, pass };
}

/** Has a client hold about so many bytes, as a queued command. */
function hold({ client, server }: InputClient, bytes: number): void {
  client.enqueue(server.dispatcher.byName.get("echo")!, Words.of("echo", new Uint8Array(bytes)));
}

const write = (c: InputClient, bytes: number) => c.client.reply.raw(new Uint8Array(bytes));

for (
  const [kind, change] of [
    ["normal", () => {}],
    ["pubsub", (client) => client.patternCount = 1],
  ] as [string, (client: InputClient["client"]) => void][]
) {
  Deno.test(`the hard limit of ${kind} clients is that of their class`, () => {
    for (const limited of ["normal", "pubsub", "replica"]) {
      const { c, limits } = withLimits({
        "client-output-buffer-limit": `normal 0 0 0 pubsub 0 0 0 replica 0 0 0 ${limited} 1000 0 0`,
      });
      change(c.client);
      write(c, 999);
      assertEquals(limits.isOver(c.client), false);
      write(c, 1);
      assertEquals(limits.isOver(c.client), limited === kind, limited);
    }
  });
}

Deno.test("the hard limit of replicas is that of their class, but not below what the backlog can have for them", () => {
  // 64 KB, and blocks of 16 KB that go as a whole.
  for (
    const [limit, bytesMax] of [["100000", 100_000], ["1000", 98_304], ["0", Infinity]] as const
  ) {
    const { c, limits } = withLimits({
      "client-output-buffer-limit": `normal 100 0 0 pubsub 100 0 0 replica ${limit} 0 0`,
      "repl-backlog-size": "65536",
    });
    c.client.isReplica = true;
    write(c, 98_303);
    assertEquals(limits.isOver(c.client), false, limit);
    write(c, 1);
    assertEquals(limits.isOver(c.client), bytesMax === 98_304, limit);
    write(c, 1_696);
    assertEquals(limits.isOver(c.client), bytesMax < Infinity, limit);
  }
});

Deno.test("what has to be sent whole is no reason to cut a replica off, by neither limit", () => {
  const { c, pass } = withLimits({
    "client-output-buffer-limit": "replica 100000 50000 1",
    "repl-backlog-size": "16384",
  });
  c.client.isReplica = true;
  const feed = { next: () => null, sent() {}, pendingBytes: 349_999, exemptBytes: 300_000 };
  c.client.feed = feed;
  pass(1000);
  assertEquals(c.closed, "no");
  feed.pendingBytes = 399_999;
  pass(900);
  assertEquals(c.closed, "no");
  pass(500);
  assertEquals(c.closed, "at once", "for longer than a second");
  const other = withLimits({ "client-output-buffer-limit": "replica 100000 0 0" });
  other.s.config.set([["repl-backlog-size", "16384"]]);
  other.c.client.isReplica = true;
  other.c.client.feed = feed;
  other.pass(1000);
  assertEquals(other.c.closed, "no");
  feed.pendingBytes++;
  other.pass(100);
  assertEquals(other.c.closed, "at once");
});

Deno.test("what the connection has taken and not sent counts as output", () => {
  const { c, limits } = withLimits({ "client-output-buffer-limit": "normal 1000 0 0" });
  c.client.inFlightBytes = 600;
  write(c, 399);
  assertEquals(limits.isOver(c.client), false);
  write(c, 1);
  assertEquals(limits.isOver(c.client), true);
});

Deno.test("the soft limit counts the time in one piece", () => {
  const { c, pass } = withLimits({ "client-output-buffer-limit": "normal 0 1000 3" });
  write(c, 1000);
  pass(2900);
  c.client.reply.clear();
  pass(100);
  write(c, 1000);
  pass(3000);
  assertEquals(c.closed, "no");
  pass(200);
  assertEquals(c.closed, "at once");
});

Deno.test("a changed limit counts from the next look on", () => {
  const { s, c, pass } = withLimits({});
  write(c, 5000);
  pass(100);
  assertEquals(c.closed, "no");
  s.config.set([["client-output-buffer-limit", "normal 4000 0 0"]]);
  pass(100);
  assertEquals(c.closed, "at once");
});

for (
  const [name, spared] of [
    ["a busy client", () => false],
    ["one that waits", (client) => client.park = { isBlocking: true, unblock() {} }],
    ["a subscriber", (client) => client.channelCount = 1],
    ["a monitor", (client) => client.isMonitor = true],
    ["a replica", (client) => client.isReplica = true],
    ["the master", (client) => client.becomeMaster()],
  ] as [string, (client: InputClient["client"]) => unknown][]
) {
  Deno.test(`timeout ends an idle client, not ${name}`, () => {
    const { s, c, pass } = withLimits({ "timeout": "5" });
    const other = new InputClient(s);
    if (spared(other.client) === false) {
      pass(3000);
      other.send("PING\r\n");
      pass(2200);
    } else pass(5200);
    assertEquals([c.closed, other.closed], ["at once", "no"]);
  });
}

Deno.test("maxmemory-clients as a share of maxmemory", () => {
  const { s, c, pass } = withLimits({ "maxmemory": "10mb", "maxmemory-clients": "10%" });
  const other = new InputClient(s);
  hold(c, 900_000);
  pass(100);
  assertEquals([c.closed, other.closed], ["no", "no"]);
  hold(other, 200_000);
  pass(100);
  assertEquals([c.closed, other.closed], ["at once", "no"]);
});

// As in Redis, who may not be evicted counts for the limit all the same, links to replicas apart.
Deno.test("maxmemory-clients evicts as few as needed, the largest first, and spares the others", () => {
  const { s, c, limits, pass } = withLimits({ "maxmemory-clients": "1mb" });
  const clients = [c, ...Array.from({ length: 5 }, () => new InputClient(s))];
  clients.forEach((each, i) => hold(each, 300_000 + i * 1000));
  clients[5].client.noEvict = true;
  clients[4].client.isReplica = true;
  clients[3].client.channelCount = 1;
  pass(100);
  assertEquals(clients.map(({ closed }) => closed === "at once"), [
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
  assertEquals(s.services.statistics.evictedClients, 2);
  pass(100);
  assertEquals(limits.totalBytes > 0, true);
});

Deno.test("maxmemory-clients is what all clients together may take: no more, and no less", () => {
  for (const [room, closed] of [[0, "no"], [-1, "at once"]] as const) {
    const { s, c, pass } = withLimits({});
    hold(c, 500_000);
    let bytes = room;
    for (const client of s.services.clients.byId.values()) bytes += client.memoryBytes;
    s.config.set([["maxmemory-clients", `${bytes}`]]);
    pass(100);
    assertEquals(c.closed, closed);
  }
});

Deno.test("maxmemory-clients counts a large request or reply at once", () => {
  const { s, c, limits } = withLimits({ "maxmemory-clients": "1mb" });
  const other = new InputClient(s);
  hold(c, 600_000);
  assertEquals([limits.isOver(c.client), c.closed], [false, "no"]);
  hold(other, 500_000);
  limits.isOver(other.client);
  assertEquals([c.closed, other.closed], ["at once", "no"]);
});

Deno.test("what a client took counts no more when it has gone", () => {
  const { c, limits } = withLimits({});
  hold(c, 600_000);
  limits.isOver(c.client);
  const before = limits.totalBytes;
  limits.forget(c.client);
  limits.forget(c.client);
  assertEquals(before > 600_000, true);
  assertEquals(limits.totalBytes, 0);
});

for (
  const words of [
    "HRANDFIELD h -2000000000",
    "SRANDMEMBER s -2000000000",
    "ZRANDMEMBER z -2000000000",
    "LRANGE l 0 -1",
  ]
) {
  Deno.test(`the reply of ${words} ends at the hard limit, and the client gets nothing of it`, () => {
    const { s, c, limits } = withLimits({ "client-output-buffer-limit": "normal 100000 0 0" });
    s.run("HSET", "h", "f", "v");
    s.run("SADD", "s", "m");
    s.run("ZADD", "z", 1, "m");
    s.run("RPUSH", "l", ..."x".repeat(150).split("").map((x) => x.repeat(1000)));
    c.client.reply.isOverLimit = () => limits.isOverHardOutput(c.client);
    s.dispatcher.owner.isOverOutputLimit = (client) => limits.isOverOutput(client);
    c.send(`${words}\r\n`);
    assertEquals(c.closed, "at once");
    assertEquals(s.services.statistics.outputBufferLimitDisconnections, 1);
  });
}

Deno.test("a transaction is carried out whole although its replies are over the hard limit", () => {
  const { s, c, limits } = withLimits({ "client-output-buffer-limit": "normal 100000 0 0" });
  s.run("RPUSH", "l", ..."x".repeat(150).split("").map((x) => x.repeat(1000)));
  c.client.reply.isOverLimit = () => limits.isOverHardOutput(c.client);
  s.dispatcher.owner.isOverOutputLimit = (client) => limits.isOverOutput(client);
  c.send("MULTI\r\nLRANGE l 0 -1\r\nSET k v\r\nEXEC\r\n");
  assertEquals([c.closed, s.run("GET", "k")], ["at once", "v"]);
});

Deno.test("CONFIG SET maxmemory-clients evicts within the command, who gave it after the reply", () => {
  const s = testServer();
  const largest = new InputClient(s);
  const small = new InputClient(s);
  hold(largest, 3_000_000);
  hold(small, 400_000);
  small.send("CONFIG SET maxmemory-clients 1mb\r\n");
  assertEquals([largest.closed, small.closed], ["at once", "no"]);
  assertEquals(small.received(), ["OK"]);
  small.send("CONFIG SET maxmemory-clients 300kb\r\n");
  assertEquals([small.closed, small.received()], ["after reply", ["OK"]]);
});

Deno.test("maxmemory-clients that is a share of maxmemory changes with it at once", () => {
  const s = testServer({ directives: { "maxmemory": "100mb", "maxmemory-clients": "10%" } });
  const c = new InputClient(s);
  hold(c, 3_000_000);
  s.run("CONFIG", "SET", "maxmemory", "50mb");
  assertEquals(c.closed, "no");
  s.run("CONFIG", "SET", "maxmemory", "20mb");
  assertEquals(c.closed, "at once");
});

/** A request of which so many bytes of a word of `length` have come. */
function unfinished(s: TestServer, length: number, bytes: number): InputClient {
  const c = new InputClient(s);
  c.send(`*2\r\n$4\r\nECHO\r\n$${length}\r\n`);
  const piece = "x".repeat(1 << 14);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    c.send(piece.slice(0, Math.min(piece.length, bytes - sent)));
  }
  return c;
}

for (const [count, bytes] of [[1, 2_200_000], [10, 307_000]] as const) {
  Deno.test(`${count} of ${bytes} bytes of an unfinished argument count what has come`, () => {
    const s = testServer({ directives: { "maxmemory-clients": "4000000" } });
    const clients = Array.from({ length: count }, () => unfinished(s, 10_000_000, bytes));
    s.core.clientLimits.countAll();
    for (const { client, closed } of clients) {
      assertEquals(closed, "no");
      assertEquals(client.countedBytes > bytes, true);
      assertEquals(client.countedBytes < bytes + 20_000, true, String(client.countedBytes));
      assertMatch(client.info(0), new RegExp(`qbuf=${bytes} qbuf-free=\\d+ argv-mem=4 `));
    }
  });
}

Deno.test("a client that has not authenticated and does not read is closed, as Redis does it", () => {
  const s = testServer({ directives: { "requirepass": "secret" } });
  const c = new InputClient(s);
  c.client.setNeedsAuth(true);
  c.send("GET k\r\n".repeat(300));
  assertEquals(c.closed, "no");
  c.send("GET k\r\n".repeat(300));
  assertEquals(c.closed, "at once");
  assertEquals(s.services.statistics.outputBufferLimitDisconnections, 1);
  assertMatch(s.logLines.join(""), /scheduled to be closed ASAP for overcoming of output buffer/);
});

for (
  const [title, request] of [
    ["unknown commands", "NOSUCHCOMMAND\r\n"],
    ["wrong passwords", "AUTH wrong\r\n"],
    ["HELLO", "HELLO 3\r\n"],
  ]
) {
  Deno.test(`what ${title} are answered counts for who has not authenticated`, () => {
    const s = testServer({ directives: { "requirepass": "secret" } });
    const c = new InputClient(s);
    c.client.setNeedsAuth(true);
    for (let i = 0; i < 2000 && c.closed === "no"; i++) c.send(request);
    assertEquals(c.closed, "at once");
    assertEquals(c.client.outputBytes < 18 * 1024, true, String(c.client.outputBytes));
  });
}

Deno.test("output of a client on its way counts while it has not authenticated, and not after", () => {
  const s = testServer({ directives: { "requirepass": "secret" } });
  const { clientLimits } = s.core;
  const c = new InputClient(s);
  c.client.setNeedsAuth(true);
  c.client.inFlightBytes = 16 * 1024;
  assertEquals(clientLimits.isOver(c.client), false);
  c.client.inFlightBytes += 2 * 1024;
  assertEquals(clientLimits.isOver(c.client), true);
  c.send("AUTH secret\r\n");
  c.client.inFlightBytes = 10 << 20;
  assertEquals(clientLimits.isOver(c.client), false);
});

Deno.test("INFO tells what clients take by their class", () => {
  const s = testServer();
  const fields = () => {
    s.core.clientLimits.countAll();
    const info = String(s.run("INFO", "memory"));
    return ["mem_clients_normal", "mem_clients_slaves", "used_memory"]
      .map((name) => Number(new RegExp(`${name}:(\\d+)`).exec(info)![1]));
  };
  const before = fields();
  const [normal, pubsub, replica] = [1, 2, 3].map(() => new InputClient(s));
  hold(normal, 1_000_000);
  hold(pubsub, 2_000_000);
  pubsub.send("SUBSCRIBE c\r\n");
  hold(replica, 4_000_000);
  replica.client.isReplica = true;
  const grown = fields().map((bytes, i) => Math.round((bytes - before[i]) / 100_000));
  assertEquals(grown, [30, 40, 70]);
});

Deno.test("CLIENT LIST tells the words of a request that have come from those being read", () => {
  const s = testServer();
  const c = new InputClient(s);
  const fields = () => /qbuf=(\d+) qbuf-free=\d+ argv-mem=(\d+)/.exec(c.client.info(0))!.slice(1);
  c.send("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100\r\n" + "x".repeat(70));
  assertEquals(fields(), ["70", "6"]);
  c.send("x".repeat(30) + "\r\n");
  assertEquals(fields(), ["0", "0"]);
  c.send("CLIENT INFO\r\n");
  assertMatch(String(c.received()[1]), /qbuf=13 qbuf-free=\d+ argv-mem=10 /);
});

Deno.test("a reply ends where the system has no memory for more of it, whatever the limits say", () => {
  const { s, c, limits } = withLimits({ "client-output-buffer-limit": "normal 0 0 0" });
  s.run("SET", "k", "x".repeat(5_000_000));
  c.client.reply.isOverLimit = (more) => limits.isOverHardOutput(c.client, more);
  s.dispatcher.owner.isOverOutputLimit = (client) => limits.isOverOutput(client);
  const available = (availableBytes: number) => {
    s.core.memory.source = { ...s.core.memory.source, availableMemoryBytes: () => availableBytes };
  };
  available(2 ** 40);
  c.send(`MGET${" k".repeat(20)}\r\n`);
  assertEquals(c.closed, "no");
  c.client.reply.clear();
  available(90e6); // less than what is looked at at once, and what the system keeps
  c.send(`MGET${" k".repeat(20)}\r\n`);
  assertEquals(c.closed, "at once");
  assertMatch(s.logLines.join(""), /Client id=\d+ .* scheduled to be closed ASAP/);
});

Deno.test("what MULTI queues counts for maxmemory: further commands are refused, EXEC aborts", () => {
  const s = testServer();
  const c = new InputClient(s);
  const usedBytes = s.services.usedMemory();
  s.run("CONFIG", "SET", "maxmemory", usedBytes + 1_000_000, "maxmemory-policy", "noeviction");
  c.send("MULTI\r\n");
  hold(c, 500_000);
  s.core.countMemory(c.client);
  c.send("PING\r\n");
  assertEquals(c.received(), ["OK", "QUEUED"]);
  hold(c, 600_000);
  s.core.countMemory(c.client);
  const oom = { error: "OOM command not allowed when used memory > 'maxmemory'." };
  c.send("PING\r\nEXEC\r\n");
  const aborted = { error: "EXECABORT Transaction discarded because of previous errors." };
  assertEquals(c.received(), [oom, aborted]);
  s.core.countMemory(c.client);
  c.send("SET k v\r\n");
  assertEquals(c.received(), ["OK"]);
});
