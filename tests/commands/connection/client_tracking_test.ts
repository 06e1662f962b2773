import { assert, assertEquals, assertMatch } from "@std/assert";
import { HandTimers } from "../../support/hand_timers.ts";
import {
  type TestClient,
  type TestServer,
  testServer,
  type Value,
} from "../../support/test_server.ts";

const invalidate = (...keys: string[]): Value => ["invalidate", keys];

/** The fields of INFO about tracking: clients, keys, items, prefixes. */
function counts(s: TestServer): number[] {
  const info = String(s.run("INFO", "everything"));
  return ["clients", "total_keys", "total_items", "total_prefixes"]
    .map((name) => Number(new RegExp(`tracking_${name}:(\\d+)`).exec(info)![1]));
}

function listed(c: TestClient, field: string): string {
  return new RegExp(` ${field}=(\\S*)`).exec(String(c.run("CLIENT", "INFO")))![1];
}

Deno.test("CLIENT TRACKING pushes what others change, and own changes behind the reply", () => {
  const s = testServer();
  const c = s.connect(3);
  assertEquals(c.run("CLIENT", "TRACKING", "ON"), "OK");
  s.run("MSET", "a", "1", "b", "2");
  assertEquals(c.runAll("MGET", "a", "b"), [["1", "2"]]);
  s.run("SET", "a", "2");
  s.run("SET", "a", "3");
  assertEquals(c.received(), [invalidate("a")]);
  assertEquals(c.runAll("SET", "b", "3"), ["OK", invalidate("b")]);
  assertEquals(c.runAll("SET", "b", "3"), ["OK"]);
});

Deno.test("CLIENT TRACKING: what a transaction changes is told behind EXEC", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  c.run("MULTI");
  for (const words of [["GET", "a"], ["SET", "a", "1"], ["GET", "a"], ["FLUSHDB"], ["GET", "a"]]) {
    assertEquals(c.runAll(...words), ["QUEUED"]);
  }
  assertEquals(c.runAll("EXEC"), [
    [null, "OK", "1", "OK", null],
    invalidate("a"),
    ["invalidate", null],
  ]);
  assertEquals(counts(s), [1, 1, 1, 0]);
});

Deno.test("CLIENT TRACKING: a client served from its wait hears behind its reply", () => {
  const s = testServer();
  const c = s.connect(3);
  s.run("RPUSH", "target", "a");
  c.run("CLIENT", "TRACKING", "ON");
  c.run("LRANGE", "target", "0", "-1");
  assertEquals(c.runAll("BLMOVE", "source", "target", "LEFT", "LEFT", "0"), []);
  s.run("RPUSH", "source", "b");
  assertEquals(c.received(), ["b", invalidate("target")]);
});

Deno.test("CLIENT TRACKING: what the timer serves is told of without a further command", () => {
  const s = testServer();
  const c = s.connect(3);
  s.run("XADD", "x", "1-1", "f", "v");
  s.run("XGROUP", "CREATE", "x", "g", "$");
  s.run("PEXPIRE", "x", "5");
  s.run("CONFIG", "SET", "notify-keyspace-events", "KEA");
  c.run("CLIENT", "TRACKING", "ON");
  c.run("GET", "x");
  c.run("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "x", ">");
  s.clock.nowMs += 100;
  s.core.cron();
  const [first, second] = c.received();
  assertEquals(first, invalidate("x"));
  assertMatch((second as { error: string }).error, /^NOGROUP/);
});

Deno.test("CLIENT TRACKING: keys that are evicted or expire are told of", () => {
  const s = testServer();
  const c = s.connect(3);
  const loop = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  loop.run("CLIENT", "TRACKING", "ON", "NOLOOP");
  s.run("SET", "a", "1", "PX", "10");
  for (const each of [c, loop]) each.run("GET", "a");
  s.clock.nowMs += 11;
  assertEquals(loop.runAll("GET", "a"), [null, invalidate("a")]);
  assertEquals(c.received(), [invalidate("a")]);
  s.run("SET", "a", "1", "PX", "10");
  c.run("GET", "a");
  s.clock.nowMs += 11;
  s.core.cron();
  assertEquals(c.received(), [invalidate("a")]);

  s.run("SET", "volatile", "1", "EX", "1000");
  c.run("GET", "volatile");
  s.run("CONFIG", "SET", "maxmemory-policy", "volatile-random", "maxmemory", "1");
  const [evicted, answer] = c.runAll("EXISTS", "volatile");
  assertEquals([evicted, answer], [invalidate("volatile"), 0]);
});

Deno.test("CLIENT TRACKING: only what a command really reads is remembered", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  for (
    const words of [
      ["SET", "a", "1"],
      ["GETSET", "a", "2"],
      ["GETDEL", "a"],
      ["PING"],
      ["SCAN", "0"],
      ["KEYS", "*"],
      ["GET"],
      ["NOSUCH", "a"],
      ["PUBLISH", "a", "b"],
    ]
  ) c.run(...words);
  assertEquals(counts(s), [1, 0, 0, 0]);
  c.run("XREAD", "COUNT", "1", "STREAMS", "x", "y", "0", "0");
  c.run("ZINTER", "2", "z1", "z2", "WITHSCORES");
  c.run("OBJECT", "ENCODING", "o");
  c.run("SORT_RO", "r", "BY", "nosort", "GET", "other_*");
  c.run("MGET", "m", "n", "m");
  assertEquals(counts(s), [1, 8, 8, 0]);
});

Deno.test("CLIENT TRACKING REDIRECT tells a RESP2 subscriber, and CLIENT LIST shows whom", () => {
  const s = testServer();
  const [c, target] = [s.connect(), s.connect()];
  assertEquals([listed(c, "flags"), listed(c, "redir")], ["N", "-1"]);
  c.run("CLIENT", "TRACKING", "ON", "REDIRECT", target.client.id);
  assertEquals(c.run("CLIENT", "GETREDIR"), target.client.id);
  assertEquals([listed(c, "flags"), listed(c, "redir")], ["t", String(target.client.id)]);
  target.run("SUBSCRIBE", "__redis__:invalidate");
  c.run("GET", "a");
  assertEquals(c.runAll("SET", "a", "1"), ["OK"]);
  assertEquals(target.received(), [["message", "__redis__:invalidate", ["a"]]]);
  s.run("FLUSHALL");
  assertEquals(target.received(), [["message", "__redis__:invalidate", null]]);
  c.run("CLIENT", "TRACKING", "OFF");
  assertEquals([listed(c, "flags"), listed(c, "redir")], ["N", "-1"]);
});

Deno.test("CLIENT TRACKING REDIRECT to a client that has gone is told of each time", () => {
  const s = testServer();
  const [c, target] = [s.connect(3), s.connect(3)];
  const { id } = target.client;
  c.run("CLIENT", "TRACKING", "ON", "REDIRECT", id);
  c.run("GET", "a");
  s.core.closed(target.client);
  assertEquals(c.runAll("SET", "a", "1"), ["OK", ["tracking-redir-broken", id]]);
  s.run("FLUSHALL");
  assertEquals(c.received(), [["tracking-redir-broken", id]]);
  assertEquals([listed(c, "flags"), listed(c, "redir")], ["tR", String(id)]);
  assertEquals(c.run("CLIENT", "TRACKINGINFO"), {
    map: [["flags", { set: ["on", "broken_redirect"] }], ["redirect", id], ["prefixes", []]],
  });
  c.run("CLIENT", "TRACKING", "ON");
  assertEquals([listed(c, "flags"), listed(c, "redir")], ["t", "0"]);
});

Deno.test("CLIENT TRACKING BCAST tells at the end of the turn, behind the replies", () => {
  const timers = new HandTimers();
  const s = testServer({ timers });
  const [c, own] = [s.connect(3), s.connect(3)];
  c.run("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a");
  own.run("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP");
  assertEquals(listed(c, "flags"), "tB");
  assertEquals(counts(s), [2, 0, 0, 2]);
  assertEquals(own.runAll("SET", "a1", "1"), ["OK"]);
  s.run("MSET", "a2", "1", "b", "1");
  timers.endTurn();
  assertEquals(c.received(), [invalidate("a1", "a2")]);
  assertEquals(own.received(), [invalidate("a2", "b")]);
  assertEquals(c.run("CLIENT", "TRACKINGINFO"), {
    map: [["flags", { set: ["on", "bcast"] }], ["redirect", 0], ["prefixes", ["a"]]],
  });
});

Deno.test("CLIENT CACHING is for the next command or transaction, however that ends", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON", "OPTIN");
  const isGiven = () => JSON.stringify(c.run("CLIENT", "TRACKINGINFO")).includes("caching-yes");
  for (const words of [["GET", "a"], ["PING"], ["NOSUCH"], ["GET"], ["CLIENT"], ["EXEC"]]) {
    assertEquals(c.run("CLIENT", "CACHING", "YES"), "OK");
    assertEquals(isGiven(), true);
    c.run(...words);
    assertEquals(isGiven(), false, words.join(" "));
  }
  c.run("CLIENT", "CACHING", "YES");
  for (const words of [["MULTI"], ["GET", "a"], ["GET"], ["DISCARD"]]) {
    assertEquals(c.client.tracker!.isCachingGiven, true);
    c.run(...words);
  }
  assertEquals(isGiven(), false);
  assertEquals(counts(s), [1, 1, 1, 0]);
  // A client that waits has not ended its command: it is remembered when it is served, too.
  c.run("CLIENT", "CACHING", "YES");
  c.run("XREAD", "BLOCK", "0", "STREAMS", "x", "0");
  s.run("XADD", "x", "1-1", "f", "v");
  assertEquals(c.received().length, 2);
  assertEquals(c.client.tracker!.isCachingGiven, false);
  s.run("XADD", "x", "1-2", "f", "v");
  assertEquals(c.received(), [invalidate("x")]);
});

Deno.test("CLIENT TRACKING and CLIENT REPLY: pushes come all the same", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  c.run("CLIENT", "REPLY", "OFF");
  assertEquals(c.runAll("GET", "a"), []);
  assertEquals(c.runAll("SET", "a", "1"), [invalidate("a")]);
  s.run("CONFIG", "SET", "tracking-table-max-keys", "1");
  assertEquals(c.runAll("GET", "a"), []);
  assertEquals(c.runAll("GET", "b").length, 1);
  c.run("CLIENT", "REPLY", "ON");
  c.run("CLIENT", "REPLY", "SKIP");
  assertEquals(c.runAll("MGET", "c", "d").length, 2);
});

Deno.test("tracking-table-max-keys bounds the table at once, also when it is lowered", () => {
  const timers = new HandTimers();
  const s = testServer({ timers });
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  s.run("CONFIG", "SET", "tracking-table-max-keys", "50");
  for (let i = 0; i < 200; i++) c.run("GET", `key:${i}`);
  assertEquals(counts(s), [1, 50, 50, 0]);
  s.run("CONFIG", "SET", "tracking-table-max-keys", "0");
  for (let i = 0; i < 5_000; i++) c.run("GET", `key:${i}`);
  c.received();
  s.run("CONFIG", "SET", "tracking-table-max-keys", "1");
  const before = c.received().length;
  assert(before > 100 && before < 4_000, `${before}`);
  timers.pass(10);
  assertEquals(before + c.received().length, 4_999);
  assertEquals(counts(s), [1, 1, 1, 0]);
});

Deno.test("the table counts as used memory, prefixes as their client's", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  const used = s.services.usedMemory();
  for (let i = 0; i < 10_000; i++) c.run("GET", `key:${i}`);
  const more = s.services.usedMemory() - used;
  assert(more > 400_000 && more < 800_000, `${more}`);
  s.run("FLUSHALL");
  assert(s.services.usedMemory() - used < 10_000);

  const b = s.connect(3);
  const before = b.client.memoryBytes;
  const prefixes = Array.from(
    { length: 100 },
    (_, i) => ["PREFIX", `${1000 + i}${"x".repeat(100)}`],
  );
  b.run("CLIENT", "TRACKING", "ON", "BCAST", ...prefixes.flat());
  assert(b.client.memoryBytes - before > 10_000);
  assertEquals(b.client.holdsMore, true);
  b.run("RESET");
  assertEquals(b.client.memoryBytes, before);
  assertEquals(counts(s).slice(-1), [0]);
});

Deno.test("CLIENT TRACKING with a great many prefixes says at once which overlap", () => {
  const s = testServer();
  const c = s.connect(3);
  const prefixes = Array.from({ length: 20_000 }, (_, i) => ["PREFIX", `${100_000 + i}:`]).flat();
  const words = ["CLIENT", "TRACKING", "ON", "BCAST", ...prefixes];
  assertEquals(c.run(...words, "PREFIX", "119999:x"), {
    error:
      "ERR Prefix '119999:' overlaps with another provided prefix '119999:x'. Prefixes for a " +
      "single client must not overlap.",
  });
  assertEquals(counts(s), [0, 0, 0, 0]);
  assertEquals(c.run(...words), "OK");
  assertEquals(counts(s), [1, 0, 0, 20_000]);
  // In Redis the second of two that overlap with a later one is answered with an error and OK.
  assertEquals(
    s.connect(3).runAll(
      "CLIENT",
      "TRACKING",
      "ON",
      "BCAST",
      "PREFIX",
      "x",
      "PREFIX",
      "a",
      "PREFIX",
      "ab",
    ),
    [
      {
        error: "ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single " +
          "client must not overlap.",
      },
    ],
  );
});

Deno.test("a client that leaves counts no more, and its keys are forgotten by the timer", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "TRACKING", "ON");
  for (let i = 0; i < 3_000; i++) c.run("GET", `key:${i}`);
  assertEquals(counts(s), [1, 3_000, 3_000, 0]);
  s.core.closed(c.client);
  assertEquals(counts(s)[0], 0);
  for (let i = 0; i < 100; i++) s.core.cron();
  assertEquals(counts(s), [0, 0, 0, 0]);
});

Deno.test("DEBUG RELOAD invalidates all there is", () => {
  const dir = Deno.makeTempDirSync();
  try {
    const s = testServer({ folder: dir });
    const c = s.connect(3);
    c.run("CLIENT", "TRACKING", "ON");
    s.run("SET", "a", "1");
    c.run("GET", "a");
    assertEquals(s.run("DEBUG", "RELOAD"), "OK");
    assertEquals(c.received(), [["invalidate", null]]);
    assertEquals(counts(s), [1, 0, 0, 0]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("events and tracking: turning one off leaves the other", () => {
  const s = testServer();
  const [c, ear] = [s.connect(3), s.connect(3)];
  ear.run("PSUBSCRIBE", "__key*__:*");
  c.run("CLIENT", "TRACKING", "ON");
  c.run("GET", "a");
  s.run("CONFIG", "SET", "notify-keyspace-events", "Ex");
  s.run("CONFIG", "SET", "notify-keyspace-events", "");
  s.run("SET", "a", "1");
  assertEquals(c.received(), [invalidate("a")]);
  s.run("CONFIG", "SET", "notify-keyspace-events", "E$");
  c.run("GET", "a");
  c.run("CLIENT", "TRACKING", "OFF");
  s.run("SET", "a", "1");
  assertEquals([c.received(), ear.received().length], [[], 1]);
});
