import { assertEquals } from "@std/assert";
import { ClientLimits } from "../../src/net/limits.ts";
import { Words } from "../../src/resp/words.ts";
import { InputClient } from "../support/input_client.ts";
import { testServer } from "../support/test_server.ts";

function withLimits(directives: Record<string, string>) {
  const s = testServer({ nowMs: 10_000 });
  for (const [name, value] of Object.entries(directives)) {
    const refusal = s.config.set([[name, value]]);
    if (refusal !== null) throw new Error(refusal);
  }
  const limits = new ClientLimits(s.services);
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

Deno.test("the hard limit of replicas is that of their class, but not below the backlog's size", () => {
  for (const [limit, bytesMax] of [["20000", 20_000], ["1000", 16_384], ["0", Infinity]] as const) {
    const { c, limits } = withLimits({
      "client-output-buffer-limit": `normal 100 0 0 pubsub 100 0 0 replica ${limit} 0 0`,
      "repl-backlog-size": "16384",
    });
    c.client.isReplica = true;
    write(c, 16_383);
    assertEquals(limits.isOver(c.client), false, limit);
    write(c, 1);
    assertEquals(limits.isOver(c.client), bytesMax === 16_384, limit);
    write(c, 3616);
    assertEquals(limits.isOver(c.client), bytesMax < Infinity, limit);
  }
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
    false,
    true,
    false,
    false,
  ]);
  assertEquals(s.services.statistics.evictedClients, 1);
  pass(100);
  assertEquals(limits.totalBytes > 0, true);
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
