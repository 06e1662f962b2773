import { assert, assertEquals, assertLess } from "@std/assert";
import { Evictor } from "../../src/keyspace/eviction.ts";
import { EVENT_EVICTED } from "../../src/base/event_classes.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { InputClient } from "../support/input_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

function evictorOf(s: TestServer, policy: string): Evictor {
  const evictor = new Evictor(s.keyspace, {
    usedBytes: () => s.keyspace.dataBytes,
    mayEvict: () => true,
    evictSoon() {},
  });
  evictor.policy = policy;
  return evictor;
}

/** Lowers the limit, byte by byte below what is in use, until at most `left` keys are there. */
function evictTo(s: TestServer, evictor: Evictor, left: number): void {
  while (s.keyspace.keyCount > left) {
    evictor.maxBytes = s.keyspace.dataBytes - 1;
    assertEquals(evictor.evict(), "ok");
  }
}

Deno.test("nothing is evicted without a limit or below it", () => {
  const s = testServer();
  s.run("SET", "a", "1");
  const evictor = evictorOf(s, "allkeys-lru");
  assertEquals(evictor.evict(), "ok");
  evictor.maxBytes = s.keyspace.dataBytes;
  assertEquals(evictor.evict(), "ok");
  assertEquals(s.keyspace.keyCount, 1);
});

Deno.test("noeviction removes nothing and fails", () => {
  const s = testServer();
  s.run("SET", "a", "1");
  const evictor = evictorOf(s, "noeviction");
  evictor.maxBytes = 50;
  assertEquals(evictor.evict(), "failed");
  assert(!evictor.freeMemory());
  assertEquals(s.keyspace.keyCount, 1);
});

Deno.test("volatile policies fail when no key has an expiry", () => {
  for (const policy of ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]) {
    const s = testServer();
    s.run("SET", "a", "1");
    const evictor = evictorOf(s, policy);
    evictor.maxBytes = 50;
    assertEquals(evictor.evict(), "failed", policy);
  }
});

Deno.test("volatile policies take only keys with an expiry", () => {
  for (const policy of ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]) {
    const s = testServer();
    for (let i = 0; i < 50; i++) s.run("SET", `keep${i}`, "1");
    for (let i = 0; i < 50; i++) s.run("SET", `temp${i}`, "1", "EX", 1000 + i);
    const evictor = evictorOf(s, policy);
    evictTo(s, evictor, 60);
    for (let i = 0; i < 50; i++) assertEquals(s.run("EXISTS", `keep${i}`), 1, policy);
  }
});

Deno.test("allkeys policies may empty the keyspace", () => {
  for (const policy of ["allkeys-lru", "allkeys-lfu", "allkeys-random"]) {
    const s = testServer();
    for (let i = 0; i < 40; i++) s.run("SET", `k${i}`, "1");
    evictTo(s, evictorOf(s, policy), 0);
    assertEquals(s.keyspace.evictedKeys, 40, policy);
  }
});

Deno.test("LRU takes mostly keys that were not used lately", () => {
  const s = testServer({ seed: 5 });
  const evictor = evictorOf(s, "allkeys-lru");
  evictor.samples = 10;
  for (let i = 0; i < 200; i++) s.run("SET", `old${i}`, "1");
  s.clock.nowMs += 600_000;
  for (let i = 0; i < 200; i++) s.run("SET", `new${i}`, "1");
  for (let i = 0; i < 50; i++) s.run("GET", `old${i}`); // used: no longer old
  evictTo(s, evictor, 300);
  let lost = 0;
  for (let i = 0; i < 200; i++) lost += s.run("EXISTS", `new${i}`) === 0 ? 1 : 0;
  for (let i = 0; i < 50; i++) lost += s.run("EXISTS", `old${i}`) === 0 ? 1 : 0;
  assertLess(lost, 5);
});

Deno.test("LFU takes mostly keys that are used seldom", () => {
  const s = testServer({ seed: 6 });
  s.keyspace.usesLfu = true;
  s.keyspace.refreshTime();
  const evictor = evictorOf(s, "allkeys-lfu");
  evictor.samples = 10;
  for (let i = 0; i < 100; i++) s.run("SET", `seldom${i}`, "1");
  for (let i = 0; i < 100; i++) s.run("SET", `often${i}`, "1");
  for (let turn = 0; turn < 40; turn++) {
    for (let i = 0; i < 100; i++) s.run("GET", `often${i}`);
  }
  evictTo(s, evictor, 120);
  let lost = 0;
  for (let i = 0; i < 100; i++) lost += s.run("EXISTS", `often${i}`) === 0 ? 1 : 0;
  assertLess(lost, 8);
});

Deno.test("volatile-ttl takes the keys first that expire first", () => {
  const s = testServer({ seed: 7 });
  const evictor = evictorOf(s, "volatile-ttl");
  evictor.samples = 10;
  for (let i = 0; i < 200; i++) s.run("SET", `k${i}`, "1", "PX", 100_000 + i * 1000);
  evictTo(s, evictor, 150);
  let late = 0;
  for (let i = 100; i < 200; i++) late += s.run("EXISTS", `k${i}`) === 0 ? 1 : 0;
  assertLess(late, 5);
});

Deno.test("keys of all databases are candidates", () => {
  for (const policy of ["allkeys-lru", "allkeys-random"]) {
    const s = testServer({ seed: 8 });
    const client = s.connect();
    for (const database of [0, 3]) {
      client.run("SELECT", database);
      for (let i = 0; i < 50; i++) client.run("SET", `k${i}`, "1");
    }
    evictTo(s, evictorOf(s, policy), 40);
    assertLess(s.keyspace.databases[0].count, 50, policy);
    assertLess(s.keyspace.databases[3].count, 50, policy);
  }
});

Deno.test("each evicted key enters the stream as a DEL of its own and is told as an event", () => {
  const s = testServer();
  const events: string[] = [];
  s.keyspace.eventMask = EVENT_EVICTED;
  s.keyspace.listener.keyEvent = (event, database) => events.push(`${event} ${database}`);
  s.run("SET", "a", "1");
  s.run("SET", "b", "1");
  s.propagated();
  evictTo(s, evictorOf(s, "allkeys-random"), 0);
  assertEquals(s.propagated().sort(), ["DEL a", "DEL b"]);
  assertEquals(events, ["evicted 0", "evicted 0"]);
  s.keyspace.unlinksEvicted = true;
  s.run("SET", "c", "1");
  s.propagated();
  evictTo(s, evictorOf(s, "allkeys-random"), 0);
  assertEquals(s.propagated(), ["UNLINK c"]);
});

Deno.test("eviction fails watchers and is not counted as a change", () => {
  const s = testServer();
  s.run("SET", "a", "1");
  const client = s.connect();
  client.run("WATCH", "a");
  const dirty = s.keyspace.dirty;
  evictTo(s, evictorOf(s, "allkeys-lru"), 0);
  assertEquals(s.keyspace.dirty, dirty);
  client.run("MULTI");
  client.run("PING");
  assertEquals(client.run("EXEC"), null);
});

/** A replica that takes writes, with keys and hardly any room. */
function fullReplica(policy: string): TestServer {
  const s = testServer({
    directives: { "maxmemory-policy": policy, "replica-read-only": false },
  });
  for (let i = 0; i < 50; i++) s.run("SET", `k${i}`, "1");
  s.services.replication.replica.masterHost = "elsewhere";
  s.core.roleChanged();
  s.run("CONFIG", "SET", "maxmemory", "50");
  return s;
}

Deno.test("a replica evicts nothing and takes writes, until replica-ignore-maxmemory is no", () => {
  const s = fullReplica("allkeys-lru");
  assertEquals([s.run("SET", "a", "1"), s.run("PING")], ["OK", "PONG"]);
  assertEquals(s.keyspace.keyCount, 51);
  s.run("CONFIG", "SET", "replica-ignore-maxmemory", "no");
  s.run("PING");
  assertEquals([s.keyspace.keyCount, s.keyspace.evictedKeys], [0, 51]);
  assertEquals(s.propagated().filter((command) => command.includes("a")), []);
});

Deno.test("a replica that minds maxmemory refuses writes where nothing is evicted, but not its master's", () => {
  const s = fullReplica("noeviction");
  const master = s.connect();
  master.client.becomeMaster();
  assertEquals(s.run("SET", "a", "1"), "OK");
  s.run("CONFIG", "SET", "replica-ignore-maxmemory", "no");
  assertEquals(s.run("SET", "a", "1"), {
    error: "OOM command not allowed when used memory > 'maxmemory'.",
  });
  assertEquals(master.run("SET", "a", "1"), "OK");
  s.run("CONFIG", "SET", "replica-ignore-maxmemory", "yes");
  assertEquals(s.run("SET", "a", "1"), "OK");
});

Deno.test("a replica that minds maxmemory makes room for what its master sends", () => {
  const s = fullReplica("allkeys-lru");
  s.run("CONFIG", "SET", "replica-ignore-maxmemory", "no");
  const link = new InputClient(s);
  link.client.becomeMaster();
  assertEquals(s.keyspace.keyCount, 50);
  s.core.processMasterInput(link.client);
  assertEquals(s.keyspace.keyCount, 0);
});

Deno.test("another maxmemory-policy counts at once, but not while CLIENT PAUSE is on", () => {
  const timers = new HandTimers();
  const s = testServer({ timers });
  for (let i = 0; i < 50; i++) s.run("SET", `k${i}`, "1");
  s.run("CONFIG", "SET", "maxmemory", "50");
  timers.pass(1);
  assertEquals(s.keyspace.keyCount, 50);
  s.run("CLIENT", "PAUSE", 1000, "WRITE");
  s.run("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  timers.pass(1);
  assertEquals(s.keyspace.keyCount, 50);
  s.run("CLIENT", "UNPAUSE");
  s.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  timers.pass(1);
  assertEquals(s.keyspace.keyCount, 0);
});

Deno.test("a call that takes too long ends as running and asks to be called again", () => {
  const s = testServer();
  for (let i = 0; i < 200; i++) s.run("SET", `k${i}`, "1");
  const evictor = evictorOf(s, "allkeys-random");
  let asked = 0;
  evictor.owner.evictSoon = () => asked++;
  evictor.owner.usedBytes = () => 1_000_000;
  // The clock moves with each key.
  s.keyspace.eventMask = EVENT_EVICTED;
  s.keyspace.listener.keyEvent = () => s.clock.nowMs++;
  evictor.maxBytes = 1;
  assertEquals(evictor.evict(), "running");
  assertEquals(asked, 1);
  assert(s.keyspace.keyCount > 100);
  assert(evictor.freeMemory());
});

Deno.test("a key longer than the pool's own buffers is evicted, not one that begins like it", () => {
  for (const length of [255, 256, 1000]) {
    const s = testServer();
    const key = "k".repeat(length);
    s.run("SET", key, "1");
    s.clock.nowMs += 600_000;
    for (const other of [254, 255, 256]) {
      if (other !== length) s.run("SET", "k".repeat(other), "1");
    }
    const kept = s.keyspace.keyCount - 1;
    s.propagated();
    const evictor = evictorOf(s, "allkeys-lru");
    // As many draws as keys, of which each gives another key: one of the 48 places of the smallest table.
    evictor.samples = s.keyspace.keyCount;
    const places = new Map<number, number>();
    for (let place = 0.5 / 48; place < 1; place += 1 / 48) {
      places.set(s.keyspace.databases[0].table.random(() => place), place);
    }
    const draws = [...places.values()];
    assertEquals(draws.length, s.keyspace.keyCount);
    let drawn = 0;
    Object.assign(s.keyspace, { draw: () => draws[drawn++ % draws.length] });
    evictTo(s, evictor, kept);
    assertEquals(s.propagated(), [`DEL ${key}`]);
    assertEquals(s.run("EXISTS", key), 0);
    assertEquals(s.keyspace.keyCount, kept);
  }
});

Deno.test("a table of keys that would pass maxmemory grows later, so that nothing is evicted for it", () => {
  const s = testServer({ directives: { "maxmemory-policy": "allkeys-random" } });
  s.run("DEBUG", "POPULATE", 4096, "k", 1);
  const limit = s.core.usedMemory() + 40_000;
  s.config.set([["maxmemory", String(limit)]]);
  const { table } = s.keyspace.databases[0];
  const buckets = table.bucketCount;
  for (let i = 0; i < 400; i++) s.run("SET", `more:${i}`, "v");
  assertEquals([s.run("DBSIZE"), table.bucketCount], [4496, buckets]);
  assertEquals(s.core.usedMemory() <= limit, true);
  // Where there is room again, it does.
  s.config.set([["maxmemory", "100mb"]]);
  s.run("SET", "last", "v");
  assertEquals(table.bucketCount, buckets * 3);
  assertEquals(s.run("DBSIZE"), 4497);
});

Deno.test("a table of keys that cannot wait any longer grows, and keys are evicted for it", () => {
  const s = testServer({ directives: { "maxmemory-policy": "allkeys-random" } });
  s.run("DEBUG", "POPULATE", 4096, "k", 1);
  s.config.set([["maxmemory", String(s.core.usedMemory() + 60_000)]]);
  for (let i = 0; i < 600; i++) s.run("SET", `more:${i}`, "v");
  assertEquals(s.keyspace.databases[0].table.bucketCount > 512, true);
  assertEquals(s.run("DBSIZE") as number < 4696, true);
});
