import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { expireSlice } from "../../src/keyspace/expiry.ts";
import { EXPIRE_HIDES, EXPIRE_IGNORED } from "../../src/keyspace/expire_mode.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

/** A clock that counts how often it was asked: a slice's budget is in rounds then. */
function turns(): () => number {
  let turn = 0;
  return () => turn++;
}

function slice(s: TestServer, budget = 1000): boolean {
  s.keyspace.refreshTime();
  return expireSlice(s.keyspace, budget, turns());
}

function fill(s: TestServer, count: number, prefix: string, ttlMs: number): void {
  for (let i = 0; i < count; i++) s.run("SET", `${prefix}${i}`, "v", "PX", ttlMs);
}

Deno.test("keys past their time go without being asked for", () => {
  const s = testServer();
  fill(s, 500, "k", 100);
  s.run("SET", "stays", "v");
  s.clock.nowMs += 101;
  assert(!slice(s));
  assertEquals(s.keyspace.keyCount, 1);
  assertEquals(s.keyspace.expiredKeys, 500);
});

Deno.test("keys whose time is not over stay", () => {
  const s = testServer();
  fill(s, 200, "k", 1000);
  for (let i = 0; i < 20; i++) slice(s);
  assertEquals(s.keyspace.keyCount, 200);
});

Deno.test("work ends early when few keys are expired, and what is left is below a tenth", () => {
  const s = testServer();
  fill(s, 2000, "long", 1_000_000);
  fill(s, 2000, "short", 100);
  s.clock.nowMs += 101;
  for (let i = 0; i < 300; i++) slice(s);
  assertLess(s.keyspace.keyCount, 2000 * 1.12);
  assertGreater(s.keyspace.expiredKeys, 1700);
});

Deno.test("a slice ends when its time is up and says that there is more", () => {
  const s = testServer();
  fill(s, 2000, "k", 100);
  s.clock.nowMs += 101;
  assert(slice(s, 3));
  const left = s.keyspace.keyCount;
  assertLess(left, 2000);
  assertGreater(left, 1500);
  assertEquals(s.keyspace.expireTimeouts, 1);
  let calls = 0;
  while (slice(s, 3)) calls++;
  assertGreater(calls, 5);
  assertEquals(s.keyspace.keyCount, 0);
});

Deno.test("more effort means larger rounds", () => {
  const left = [1, 10].map((effort) => {
    const s = testServer();
    s.keyspace.expireEffort = effort;
    fill(s, 2000, "k", 100);
    s.clock.nowMs += 101;
    slice(s, 3);
    return s.keyspace.keyCount;
  });
  assertLess(left[1], left[0]);
});

Deno.test("all databases get their turn although time is short", () => {
  const s = testServer();
  const client = s.connect();
  for (const database of [0, 5, 15]) {
    client.run("SELECT", database);
    for (let i = 0; i < 100; i++) client.run("SET", `k${i}`, "v", "PX", 100);
  }
  s.clock.nowMs += 101;
  for (let i = 0; i < 100; i++) slice(s, 1);
  assertEquals(s.keyspace.keyCount, 0);
});

Deno.test("each expired key enters the stream as a DEL by itself", () => {
  const s = testServer();
  fill(s, 2, "k", 100);
  s.propagated();
  s.clock.nowMs += 101;
  slice(s);
  assertEquals(s.propagated().sort(), ["DEL k0", "DEL k1"]);
  s.keyspace.unlinksExpired = true;
  fill(s, 1, "u", 100);
  s.propagated();
  s.clock.nowMs += 101;
  slice(s);
  assertEquals(s.propagated(), ["UNLINK u0"]);
});

Deno.test("SCAN and RANDOMKEY remove expired keys each by itself, in a transaction with it", () => {
  for (const command of [["SCAN", "0"], ["RANDOMKEY"]]) {
    const s = testServer();
    fill(s, 2, "k", 100);
    s.clock.nowMs += 101;
    s.propagated();
    s.run(...command);
    assertEquals(s.propagated().sort(), ["DEL k0", "DEL k1"]);
    fill(s, 2, "k", 100);
    s.clock.nowMs += 101;
    s.propagated();
    s.run("MULTI");
    s.run(...command);
    s.run("EXEC");
    assertEquals(s.propagated().sort(), ["DEL k0", "DEL k1", "EXEC", "MULTI"]);
  }
});

Deno.test("while they are to be kept, expired keys are missing for readers and stay", () => {
  const s = testServer();
  fill(s, 3, "k", 100);
  s.clock.nowMs += 101;
  s.propagated();
  s.keyspace.keepsExpired = true;
  assertEquals(s.run("GET", "k0"), null);
  assertEquals(s.run("EXISTS", "k0", "k1"), 0);
  assertEquals(s.run("SCAN", "0"), ["0", []]);
  assertEquals([s.keyspace.keyCount, s.keyspace.expiredKeys], [3, 0]);
  assertEquals(s.propagated(), []);
  s.keyspace.keepsExpired = false;
  assertEquals(s.run("GET", "k0"), null);
  assertEquals(s.propagated(), ["DEL k0"]);
});

Deno.test("a replica, or a load, removes nothing", () => {
  for (const mode of [EXPIRE_HIDES, EXPIRE_IGNORED]) {
    const s = testServer();
    fill(s, 10, "k", 100);
    s.clock.nowMs += 101;
    s.keyspace.expireMode = mode;
    assert(!slice(s));
    assertEquals(s.keyspace.keyCount, 10);
  }
});

Deno.test("a replica removes keys that its own clients have given an expiry, and no others", () => {
  const s = testServer();
  const large = "x".repeat(20_000);
  s.run("SET", "masters", "v", "PX", 100);
  s.keyspace.expireMode = EXPIRE_HIDES;
  s.run("SET", "set", "v", "PX", 100);
  s.run("SET", "large", large, "PX", 100);
  s.run("SET", "expire", "v");
  s.run("PEXPIRE", "expire", 100);
  s.run("RPUSH", "copied", "a");
  s.run("PEXPIRE", "copied", 100);
  s.run("COPY", "copied", "copy");
  s.run("SET", "persisted", "v", "PX", 100);
  s.run("PERSIST", "persisted");
  s.run("SET", "removed", "v", "PX", 100);
  s.run("DEL", "removed");
  s.run("SET", "later", "v", "PX", 200);
  slice(s);
  assertEquals(s.keyspace.keyCount, 8);
  s.clock.nowMs += 101;
  slice(s);
  assertEquals(s.keyspace.keyCount, 3);
  assertEquals(s.run("EXISTS", "persisted", "later"), 2);
  assertEquals([...s.keyspace.databases[0].ownExpiries!], ["later"]);
  s.clock.nowMs += 101;
  slice(s);
  assertEquals(s.keyspace.databases[0].ownExpiries, null);
  s.keyspace.expireMode = EXPIRE_IGNORED;
  assertEquals(s.run("EXISTS", "masters"), 1);
});

Deno.test("a replica that takes writes: DEL and UNLINK remove a key past its time, others let it expire", () => {
  const s = testServer({ directives: { "notify-keyspace-events": "KEA" } });
  const events = s.connect();
  fill(s, 6, "k", 100);
  s.clock.nowMs += 101;
  s.keyspace.expireMode = EXPIRE_HIDES;
  events.run("PSUBSCRIBE", "__keyevent@0__:*");
  const heard = () =>
    events.received().map((message) => {
      const [, , channel, key] = message as string[];
      return `${channel.slice(15)} ${key}`;
    });
  assertEquals(s.run("DEL", "k0", "none"), 1);
  assertEquals(s.run("UNLINK", "k1"), 1);
  assertEquals(s.keyspace.expiredKeys, 0);
  assertEquals(s.run("SET", "k2", "x"), "OK");
  assertEquals(s.run("RENAME", "k3", "y"), { error: "ERR no such key" });
  assertEquals(s.run("APPEND", "k4", "x"), 1);
  assertEquals(s.run("PERSIST", "k5"), 0);
  assertEquals(s.keyspace.expiredKeys, 4);
  assertEquals(heard(), [
    "del k0",
    "del k1",
    "expired k2",
    "set k2",
    "expired k3",
    "expired k4",
    "append k4",
    "expired k5",
  ]);
});

Deno.test("many keys of a replica's own go in slices, and those that stay hold nobody up", () => {
  const s = testServer();
  s.keyspace.expireMode = EXPIRE_HIDES;
  fill(s, 150, "stays", 10_000);
  fill(s, 1000, "k", 100);
  s.clock.nowMs += 101;
  assert(!slice(s)); // those in front are not expired: the others' turn comes next
  assert(slice(s, 3));
  while (slice(s, 3));
  assertEquals(s.keyspace.keyCount, 150);
});

Deno.test("the average time to live and the share of expired keys are estimated", () => {
  const s = testServer();
  fill(s, 100, "k", 50_000);
  slice(s);
  assertAlmostEquals(s.keyspace.databases[0].averageTtlMs, 50_000, 1);
  assertEquals(s.keyspace.expiredShare, 0);
  s.clock.nowMs += 50_001;
  slice(s);
  assertGreater(s.keyspace.expiredShare, 0);
});

Deno.test("removed keys of all types leave the index of expiries", () => {
  const s = testServer();
  s.run("RPUSH", "list", "a", "b");
  s.run("RPUSH", "large", "x".repeat(9000));
  s.run("SET", "string", "y".repeat(20_000));
  for (const key of ["list", "large", "string"]) s.run("PEXPIRE", key, 100);
  s.clock.nowMs += 101;
  slice(s);
  const [database] = s.keyspace.databases;
  assertEquals([database.count, database.expiringCount, database.largeValueBytes], [0, 0, 0]);
});

/** What a key's removal by a command enters the stream as, with one directive on. */
const DELETIONS: [directive: string, what: string, run: (s: TestServer) => void][] = [
  ["lazyfree-lazy-expire", "a lookup", (s) => s.run("GET", "k")],
  ["lazyfree-lazy-expire", "PEXPIREAT in the past", (s) => s.run("PEXPIREAT", "kept", 1)],
  ["lazyfree-lazy-expire", "GETEX in the past", (s) => s.run("GETEX", "kept", "PXAT", 1)],
  ["lazyfree-lazy-server-del", "SPOP of all members", (s) => s.run("SPOP", "set", 9)],
  [
    "lazyfree-lazy-server-del",
    "RESTORE REPLACE in the past",
    (s) => s.run("RESTORE", "kept", 1, s.run("DUMP", "kept") as string, "REPLACE", "ABSTTL"),
  ],
];

for (const [directive, what, run] of DELETIONS) {
  Deno.test(`${what} enters the stream as UNLINK where ${directive} is on, else as DEL`, () => {
    for (const [value, name] of [["no", "DEL"], ["yes", "UNLINK"]]) {
      const s = testServer();
      s.run("SET", "k", "v", "PX", 100);
      s.run("SET", "kept", "v");
      s.run("SADD", "set", "a", "b");
      s.clock.nowMs += 101;
      s.run("CONFIG", "SET", directive, value);
      s.propagated();
      run(s);
      assertEquals(s.propagated().map((command) => command.split(" ")[0]), [name]);
    }
  });
}

for (const entries of [128, 0]) {
  Deno.test(`fields past their time go without being asked for, ${entries} in a listpack`, () => {
    const s = testServer();
    s.keyspace.limits.hashMaxListpackEntries = entries;
    for (let i = 0; i < 50; i++) {
      s.run("HSET", `h${i}`, "a", "1", "b", "2", "stays", "3");
      s.run("HPEXPIRE", `h${i}`, 100 + i, "FIELDS", 2, "a", "b");
    }
    s.propagated();
    s.clock.nowMs += 100;
    assert(!slice(s));
    assertEquals([s.keyspace.expiredFields, s.propagated()], [0, []]);
    s.clock.nowMs += 10;
    assert(!slice(s));
    assertEquals(s.keyspace.expiredFields, 20);
    assertEquals(s.propagated().length, 20);
    s.clock.nowMs += 100;
    while (slice(s));
    assertEquals(s.keyspace.expiredFields, 100);
    assertEquals(s.keyspace.databases[0].expiringHashCount, 0);
    assertEquals(s.run("HGETALL", "h7"), ["stays", "3"]);
  });
}

Deno.test("a slice ends when its time is up in the midst of a hash, and all its fields go in the end", () => {
  const s = testServer();
  const fields = Array.from({ length: 1000 }, (_, i) => `f${i}`);
  s.run("HSET", "h", ...fields.flatMap((field) => [field, "v"]));
  s.run("HPEXPIRE", "h", 100, "FIELDS", 1000, ...fields);
  fill(s, 100, "k", 100);
  s.clock.nowMs += 101;
  assert(slice(s, 8));
  const left = s.run("HLEN", "h") as number;
  assertLess(left, 1000);
  assertGreater(left, 500);
  assertLess(s.keyspace.keyCount, 101, "keys have their share of each slice");
  while (slice(s, 8));
  assertEquals(s.keyspace.keyCount, 0);
  assertEquals(s.keyspace.expiredFields, 1000);
  assertEquals(s.keyspace.databases[0].largeValueBytes, 0);
  s.run("FLUSHALL");
  assertEquals(s.keyspace.dataBytes, testServer().keyspace.dataBytes);
});

Deno.test("hashes of all databases have their turn", () => {
  const s = testServer();
  for (const index of [0, 3, 7]) {
    s.run("SELECT", index);
    s.run("HSET", "h", "a", "1");
    s.run("HPEXPIRE", "h", 10, "FIELDS", 1, "a");
  }
  s.clock.nowMs += 11;
  while (slice(s));
  assertEquals(s.keyspace.keyCount, 0);
});
