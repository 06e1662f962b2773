/** UNDO: what FLUSHALL, FLUSHDB, SWAPDB or a full sync has replaced comes back. */

import { assert, assertEquals } from "@std/assert";
import { datasetDigest } from "../../../src/rdb/digest.ts";
import { eventually } from "../../support/eventually.ts";
import { type TestClient, type TestServer, testServer } from "../../support/test_server.ts";

type Directives = Readonly<Record<string, string | number | boolean>>;

/** A server with keys of all kinds in two databases. */
function filled(directives: Directives = {}): { s: TestServer; other: TestClient } {
  const s = testServer({ directives: { "undo-window": 300, ...directives } });
  const other = s.connect();
  other.run("SELECT", 9);
  for (const client of [s, other]) {
    client.run("SET", "text", "1");
    client.run("SET", "short", "1", "PX", 1000);
    client.run("SET", "long", "x".repeat(50_000), "EX", 1000);
    for (let i = 0; i < 600; i++) {
      client.run("HSET", "hash", `field ${i}`, i);
      client.run("ZADD", "sorted", i, `member ${i}`);
      client.run("RPUSH", "list", "y".repeat(100));
    }
    client.run("HEXPIRE", "hash", 500, "FIELDS", 1, "field 7");
    client.run("XADD", "stream", "1-1", "a", "b");
    client.run("XGROUP", "CREATE", "stream", "group", "0");
  }
  s.propagated();
  return { s, other };
}

/** UNDO LIST as objects. */
function list(s: TestServer): Record<string, unknown>[] {
  return (s.run("UNDO", "LIST") as unknown[][]).map((flat) => {
    const fields: [string, unknown][] = [];
    for (let i = 0; i < flat.length; i += 2) fields.push([String(flat[i]), flat[i + 1]]);
    return Object.fromEntries(fields);
  });
}

Deno.test("UNDO RESTORE brings back all databases after FLUSHALL, and keeps in turn what was there", () => {
  const { s, other } = filled();
  const digest = datasetDigest(s.keyspace);
  const used = s.core.usedMemory();
  s.run("FLUSHALL");
  assertEquals([s.run("DBSIZE"), other.run("DBSIZE")], [0, 0]);
  assert(s.core.usedMemory() > used - 100_000, "what is kept counts");
  const third = s.connect();
  third.run("SELECT", 3);
  third.run("SET", "since", 1);
  s.run("SET", "text", "since");
  const since = datasetDigest(s.keyspace);
  const [kept] = list(s);
  assertEquals(kept.cause, "flushall");
  assertEquals([kept.id, kept.databases, kept.keys], [1, "0,9", 14]);
  assertEquals([kept.time, kept["seconds-left"]], [s.clock.nowMs, 300]);
  assertEquals(s.run("UNDO", "RESTORE", 1), "OK");
  assertEquals(datasetDigest(s.keyspace), digest);
  assertEquals(third.run("DBSIZE"), 0, "it had no key then");
  assertEquals(list(s).map(({ id, cause, keys }) => [id, cause, keys]), [[2, "undo", 2]]);
  assertEquals(s.run("UNDO", "RESTORE", 2), "OK");
  assertEquals(datasetDigest(s.keyspace), since);
  assertEquals(s.run("UNDO", "RESTORE", 3), "OK");
  assertEquals(datasetDigest(s.keyspace), digest);
});

Deno.test("UNDO RESTORE after FLUSHDB brings back the one database", () => {
  const { s, other } = filled();
  const digest = datasetDigest(s.keyspace);
  other.run("FLUSHDB");
  const [{ id, cause, databases }] = list(s);
  assertEquals([cause, databases], ["flushdb", "9"]);
  s.run("SET", "text", "2");
  assertEquals(s.run("UNDO", "RESTORE", Number(id)), "OK");
  assertEquals(s.run("GET", "text"), "2", "the other database is as it was");
  s.run("SET", "text", "1");
  assertEquals(datasetDigest(s.keyspace), digest);
});

Deno.test("UNDO RESTORE after SWAPDB exchanges the databases again, for replicas too", () => {
  const { s } = filled();
  const digest = datasetDigest(s.keyspace);
  s.run("SWAPDB", 0, 5);
  const [{ id, cause, databases, keys }] = list(s);
  assertEquals([cause, databases, keys], ["swapdb", "0,5", 0]);
  s.propagated();
  assertEquals(s.run("UNDO", "RESTORE", Number(id)), "OK");
  assertEquals(datasetDigest(s.keyspace), digest);
  assertEquals(s.propagated(), ["SELECT 0", "SWAPDB 0 5"].slice(-1));
  assertEquals(list(s), []);
});

Deno.test("what was restored is of a new history: replicas take all of it", () => {
  const { s } = filled();
  s.run("FLUSHALL");
  s.propagated();
  const { id } = s.core.replication.ids;
  s.run("UNDO", "RESTORE", 1);
  assert(s.core.replication.ids.id !== id);
  assertEquals(s.propagated(), []);
  assert(s.keyspace.dirty > 0, "it is to be saved");
});

Deno.test("keys that expire meanwhile are gone when they are back; others keep their time", () => {
  const { s } = filled();
  s.run("FLUSHALL");
  s.clock.nowMs += 5_000;
  s.run("UNDO", "RESTORE", 1);
  assertEquals([s.run("GET", "short"), s.run("PTTL", "long")], [null, 995_000]);
  assertEquals(s.run("HPTTL", "hash", "FIELDS", 1, "field 7"), [495_000]);
});

Deno.test("a transaction fails whose watched keys were brought back, a blocked client is served", () => {
  const { s } = filled();
  s.run("FLUSHALL");
  const [watcher, popper] = [s.connect(), s.connect()];
  watcher.run("WATCH", "text");
  assertEquals(popper.run("BLPOP", "list", 0), undefined);
  s.run("UNDO", "RESTORE", 1);
  watcher.run("MULTI");
  assertEquals(watcher.run("EXEC"), null);
  assertEquals(popper.received(), [["list", "y".repeat(100)]]);
});

Deno.test("without undo-window nothing is kept, and memory goes at once", () => {
  const { s } = filled({ "undo-window": 0 });
  s.run("FLUSHALL");
  s.run("SWAPDB", 0, 1);
  assertEquals(list(s), []);
  assertEquals(s.keyspace.sealed.bytes, 0);
  assertEquals(s.run("UNDO", "RESTORE", 1), { error: "ERR nothing is kept: undo-window is 0" });
});

Deno.test("what is kept goes when its time is over, or undo-window becomes shorter, and the log says so", () => {
  const { s } = filled();
  s.run("FLUSHALL");
  s.run("SET", "a", 1);
  s.clock.nowMs += 200_000;
  s.run("FLUSHALL");
  s.clock.nowMs += 100_000;
  s.core.cron();
  assertEquals(list(s).map(({ id }) => id), [2]);
  s.run("CONFIG", "SET", "undo-window", 60);
  assertEquals(list(s), []);
  assertEquals(s.keyspace.sealed.bytes, 0);
  assertEquals(s.logLines.filter((line) => line.includes("undo-window is over")).length, 2);
});

Deno.test("what is larger than undo-max-memory is not kept, older ones make room, and the log says so", () => {
  const { s } = filled({ "undo-max-memory": 1 << 20 });
  s.run("FLUSHALL");
  assertEquals(list(s).length, 1);
  for (let i = 0; i < 8; i++) s.run("SET", `large ${i}`, "x".repeat(100_000));
  s.run("FLUSHALL");
  assertEquals(list(s).map(({ id, keys }) => [id, keys]), [[2, 8]]);
  for (let i = 0; i < 12; i++) s.run("SET", `large ${i}`, "x".repeat(100_000));
  s.run("FLUSHALL");
  assertEquals(list(s).map(({ id, keys }) => [id, keys]), [[2, 8]], "it would not fit alone");
  assertEquals(s.logLines.filter((line) => line.includes("undo-max-memory")).length, 2);
  s.run("CONFIG", "SET", "undo-max-memory", 1000);
  assertEquals(list(s), []);
});

Deno.test("UNDO RESTORE is refused where what is there now is more than undo-max-memory", () => {
  const { s } = filled({ "undo-max-memory": 1 << 20 });
  s.run("FLUSHDB");
  s.run("SWAPDB", 0, 1);
  for (let i = 0; i < 12; i++) s.run("SET", `large ${i}`, "x".repeat(100_000));
  const refused = (s.run("UNDO", "RESTORE", 1) as { error: string }).error;
  assert(/^ERR what is there now \(1\.\d+M\) would be lost, .* \(1\.00M\)/.test(refused), refused);
  assertEquals([s.run("DBSIZE"), list(s).map(({ id }) => id)], [12, [2, 1]]);
  assertEquals(s.run("UNDO", "RESTORE", 2), "OK", "a swap needs no memory");
  assertEquals(s.run("DBSIZE"), 0);
  assertEquals(s.run("UNDO", "RESTORE", 1), "OK");
  assertEquals(s.run("DBSIZE"), 7);
});

Deno.test("what is kept goes before a key is evicted or a write refused", () => {
  for (const policy of ["allkeys-lru", "noeviction"]) {
    const { s } = filled({ "maxmemory-policy": policy });
    s.run("FLUSHALL");
    s.run("SET", "a", 1);
    s.run("CONFIG", "SET", "maxmemory", s.core.usedMemory() + 60_000);
    assertEquals(list(s).length, 1);
    for (let i = 0; i < 10; i++) assertEquals(s.run("SET", `b ${i}`, "x".repeat(10_000)), "OK");
    assertEquals(list(s), []);
    assertEquals([s.keyspace.evictedKeys, s.run("DBSIZE")], [0, 11]);
    assert(s.logLines.some((line) => line.includes("its memory is needed")));
  }
});

Deno.test("UNDO DROP lets go of one, or of all", () => {
  const { s } = filled();
  for (let i = 0; i < 3; i++) {
    s.run("SET", "a", 1);
    s.run("FLUSHALL");
  }
  assertEquals(s.run("UNDO", "DROP", 2), "OK");
  assertEquals(list(s).map(({ id }) => id), [3, 1]);
  assertEquals(s.run("UNDO", "DROP", 2), {
    error: "ERR no such dataset, or it is not kept any more: see UNDO LIST",
  });
  assertEquals(s.run("UNDO", "DROP", "all"), "OK");
  assertEquals([list(s).length, s.keyspace.sealed.bytes], [0, 0]);
});

Deno.test("memory of what is kept is compacted as that of what is served", () => {
  const { s } = filled();
  for (let i = 0; i < 3000; i++) s.run("SET", `key ${i}`, "x".repeat(1000));
  for (let i = 0; i < 3000; i++) if (i % 10 > 0) s.run("DEL", `key ${i}`);
  const digest = datasetDigest(s.keyspace);
  s.run("FLUSHALL");
  const before = s.keyspace.sealed.reservedBytes;
  for (let i = 0; i < 20_000 && s.keyspace.defragmenter.step(true); i++);
  assert(s.keyspace.sealed.reservedBytes < before);
  s.run("UNDO", "RESTORE", 1);
  assertEquals(datasetDigest(s.keyspace), digest);
});

Deno.test("with save points what was brought back is saved, as FLUSHALL has saved without it", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "tsredis-test-" });
  try {
    const save = "3600 1000000";
    const s = testServer({ folder, directives: { "undo-window": 300, save } });
    s.run("SET", "text", 1);
    const digest = datasetDigest(s.keyspace);
    s.run("FLUSHALL");
    assertEquals(s.run("UNDO", "RESTORE", 1), "OK");
    await eventually(() => {
      s.core.cron();
      return s.logLines.some((line) => line.includes("terminated with success"));
    });
    s.core.close();
    const again = testServer({ folder });
    await again.core.load();
    assertEquals(datasetDigest(again.keyspace), digest);
    again.core.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("of a FLUSHALL in a script it is told whose script it was", () => {
  const { s, other } = filled();
  other.client.transport = { ...other.client.transport, address: "127.0.0.1:4711" };
  other.run("EVAL", "return redis.call('FLUSHALL')", 0);
  assertEquals(list(s).map(({ by }) => by), ["127.0.0.1:4711 (user default)"]);
});
