/**
 * Snapshots taken in slices while everything changes: what comes out has to be the dataset as of the
 * beginning. The changes are drawn from a seed, over every way in which a record or an element can
 * change, move or go away. Not covered: the worker and the file, which tests/process/ has.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { withRefusedAllocations } from "../support/refused_allocations.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { loadBytes, readDataset, saveToBytes } from "./datasets.ts";
import { Random } from "../support/random.ts";
import { TestSnapshot } from "./test_snapshot.ts";
import { walk } from "./walker.ts";

const KINDS = ["string", "long", "list", "set", "ints", "hash", "zset"] as const;
type Kind = typeof KINDS[number];

/** Makes a value of a kind at a key, small or large. */
function make(server: TestServer, random: Random, kind: Kind, key: string): void {
  const isLarge = random.below(3) === 0;
  const count = isLarge ? 700 + random.below(600) : 1 + random.below(20);
  const words: (string | number)[] = [];
  const text = () => `t${random.below(5000)}${"y".repeat(random.below(40))}`;
  for (let i = 0; i < count; i++) {
    if (kind === "list" || kind === "set") words.push(text());
    else if (kind === "ints") words.push(random.below(100_000));
    else if (kind === "hash") words.push(`f${random.below(3000)}`, text());
    else if (kind === "zset") words.push(random.below(1000) / 4, `m${random.below(3000)}`);
  }
  server.run("DEL", key);
  if (kind === "string") server.run("SET", key, text());
  else if (kind === "long") {
    server.run("SET", key, text().repeat(600));
    if (isLarge) server.run("SETRANGE", key, 300_000 + random.below(900_000), text());
  } else if (kind === "list") server.run("RPUSH", key, ...words);
  else if (kind === "hash") server.run("HSET", key, ...words);
  else if (kind === "zset") server.run("ZADD", key, ...words);
  else server.run("SADD", key, ...words);
}

/** One change drawn from all there are. Commands refused for the type of the key are fine too. */
function change(server: TestServer, random: Random): void {
  draw(server, random);
  server.propagated(); // what is not fetched piles up
}

function draw(server: TestServer, random: Random): void {
  const keyOf = (kind: Kind) => `${kind}:${random.below(8)}`;
  const anyKey = () => keyOf(KINDS[random.below(KINDS.length)]);
  const n = () => random.below(100);
  const text = () => `n${random.below(5000)}`;
  const member = () => `m${random.below(3000)}`;
  const element = () => `t${random.below(5000)}`;
  const kind = KINDS[random.below(KINDS.length)];
  const key = keyOf(kind);
  if (random.below(50) === 0) server.run("SELECT", random.below(3));
  switch (random.below(24)) {
    case 0:
      make(server, random, kind, key);
      return;
    case 1:
      server.run(random.below(2) === 0 ? "DEL" : "UNLINK", key, anyKey());
      return;
    case 2:
      server.run("RENAME", key, keyOf(kind));
      return;
    case 3:
      server.run("MOVE", key, random.below(3));
      return;
    case 4:
      server.run("COPY", key, keyOf(kind), "DB", random.below(3), "REPLACE");
      return;
    case 5:
      server.run("PEXPIRE", key, 50 + random.below(4000));
      server.run("PERSIST", anyKey());
      return;
    case 6:
      server.clock.nowMs += random.below(40);
      server.run("EXISTS", key, anyKey(), anyKey());
      return;
    case 7:
      if (random.below(40) === 0) server.run("SWAPDB", random.below(3), random.below(3));
      if (random.below(60) === 0) server.run("FLUSHDB");
      if (random.below(150) === 0) server.run("FLUSHALL");
      return;
    case 8:
      server.run("APPEND", keyOf("long"), text().repeat(n()));
      server.run("APPEND", keyOf("string"), text());
      return;
    case 9:
      server.run("SETRANGE", keyOf("long"), random.below(20_000), text());
      server.run("SETBIT", keyOf("long"), random.below(50_000), random.below(2));
      return;
    case 10:
      server.run("SET", keyOf("string"), text());
      server.run("SET", keyOf("long"), text().repeat(4000), "KEEPTTL");
      return;
    case 11:
      server.run("LPUSH", keyOf("list"), element(), element());
      server.run("RPUSH", keyOf("list"), element().repeat(random.below(40)));
      return;
    case 12:
      server.run("LPOP", keyOf("list"), n());
      server.run("RPOP", keyOf("list"));
      return;
    case 13:
      server.run("LSET", keyOf("list"), n(), element().repeat(n()));
      server.run("LINSERT", keyOf("list"), "BEFORE", element(), element());
      return;
    case 14:
      server.run("LREM", keyOf("list"), 0, element());
      server.run("LTRIM", keyOf("list"), random.below(5), -1 - random.below(5));
      return;
    case 15:
      server.run("LMOVE", keyOf("list"), keyOf("list"), "LEFT", "RIGHT");
      return;
    case 16:
      server.run("SADD", keyOf("set"), element(), n());
      server.run("SREM", keyOf("set"), element(), element());
      server.run("SADD", keyOf("ints"), n(), random.below(1e9));
      return;
    case 17:
      server.run("SPOP", keyOf("set"), random.below(30));
      server.run("SPOP", keyOf("ints"));
      server.run("SMOVE", keyOf("set"), keyOf("set"), element());
      return;
    case 18:
      server.run("SUNIONSTORE", keyOf("set"), keyOf("set"), keyOf("ints"));
      server.run("SORT", keyOf("ints"), "LIMIT", 0, 600, "STORE", keyOf("list"));
      return;
    case 19:
      server.run("HSET", keyOf("hash"), `f${random.below(3000)}`, text().repeat(n()));
      server.run("HINCRBY", keyOf("hash"), `i${n()}`, n());
      return;
    case 20:
      server.run("HDEL", keyOf("hash"), `f${random.below(3000)}`, `f${random.below(3000)}`);
      server.run("HSET", keyOf("hash"), `long${n() % 3}`, text().repeat(16_000));
      return;
    case 21:
      server.run("ZADD", keyOf("zset"), n() / 8, member(), n(), member());
      server.run("ZINCRBY", keyOf("zset"), n(), member());
      return;
    case 22:
      server.run("ZREM", keyOf("zset"), member(), member());
      server.run("ZPOPMIN", keyOf("zset"), random.below(4));
      server.run("ZPOPMAX", keyOf("zset"));
      return;
    case 23:
      server.run("ZREMRANGEBYRANK", keyOf("zset"), random.below(9), random.below(30));
      server.run("ZUNIONSTORE", keyOf("zset"), 2, keyOf("zset"), keyOf("set"));
  }
}

function runSnapshots(seed: number, rounds: number): void {
  const random = new Random(seed);
  const server = testServer({ seed, nowMs: 1_700_000_000_000 });
  for (let db = 0; db < 3; db++) {
    server.run("SELECT", db);
    for (const kind of KINDS) {
      for (let i = 0; i < 8; i++) {
        if (random.below(3) > 0) make(server, random, kind, `${kind}:${i}`);
      }
    }
    for (let i = 0; i < 300; i++) server.run("SET", `plain:${i}`, i);
    server.propagated();
  }
  for (let round = 0; round < rounds; round++) {
    const what = `seed ${seed}, round ${round}`;
    const nowMs = server.clock.nowMs;
    const reference = testServer({ nowMs });
    loadBytes(reference.keyspace, saveToBytes(server.keyspace));
    const running = new TestSnapshot(server, random.below(2) === 0);
    const isGivenUp = random.below(5) === 0;
    const pace = random.below(3) * 4;
    let steps = 0;
    do {
      for (let i = random.below(pace + 2); i > 0; i--) change(server, random);
      if (isGivenUp && steps > 30) break;
      steps++;
    } while (!running.step());
    if (isGivenUp) {
      running.snapshot.abort();
      continue;
    }
    assertEquals(running.snapshot.keysDone, running.snapshot.keysTotal, what);
    const copy = testServer({ nowMs });
    loadBytes(copy.keyspace, running.bytes());
    if (datasetDigest(copy.keyspace) !== datasetDigest(reference.keyspace)) {
      assertEquals(readDataset(copy), readDataset(reference), what);
      throw new Error(`${what}: the digests differ`);
    }
    // Between snapshots: changes that the next one must find.
    for (let i = 0; i < 100; i++) change(server, random);
  }
}

const seed = fuzzSeed(20);
for (let i = 0; i < fuzzRounds(2); i++) {
  Deno.test(`snapshots are the dataset as of their beginning, whatever changes (seed ${seed + i})`, () => {
    runSnapshots(seed + i, 4);
  });
}

Deno.test("a snapshot writes each element of a large value once, under the key it had", () => {
  const server = testServer();
  for (let i = 0; i < 2000; i++) server.run("SADD", "set", `m${i}`);
  const running = new TestSnapshot(server, true);
  server.run("SREM", "set", "m5"); // makes it a large value that waits
  server.run("RENAME", "set", "other");
  server.run("SREM", "other", "m6");
  server.run("SADD", "other", "new");
  server.run("DEL", "other");
  server.run("SET", "set", "v");
  while (!running.step());
  const copy = testServer();
  loadBytes(copy.keyspace, running.bytes());
  assertEquals(copy.run("DBSIZE"), 1);
  assertEquals(copy.run("SCARD", "set"), 2000);
  assertEquals(copy.run("SMISMEMBER", "set", "m5", "m6", "new"), [1, 1, 0]);
});

Deno.test("a snapshot writes members of a sorted set from the highest score down, whatever changes meanwhile", () => {
  const server = testServer();
  for (let i = 0; i < 1000; i++) server.run("ZADD", "k", (i * 7919) % 1000 >> 1, `m${i}`);
  const running = new TestSnapshot(server, false);
  for (let steps = 0; !running.step(); steps++) {
    // Scores that go up and down over the place of the walk, members that come and go.
    if (steps % 3 !== 0) continue;
    server.run("ZINCRBY", "k", steps % 2 === 0 ? 900 : -900, `m${steps}`);
    server.run("ZADD", "k", steps * 20, `new${steps}`);
    server.run("ZREM", "k", `m${500 + steps}`, `new${steps - 9}`);
  }
  const walked = walk(RdbReader.fromBytes(running.bytes()), new Uint8Array(0));
  const { elements } = walked.dbs.get(0)!.get("k")!;
  const scores = elements!.filter((_, i) => i % 2 === 1) as number[];
  assertEquals(scores.length, 1000);
  let drops = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[i - 1]) drops++;
  assert(drops <= 60, `${drops} are out of order: those that changed before their turn`);
});

Deno.test("the walk of a snapshot waits while the sink is full, and requests go on", () => {
  const server = testServer();
  for (let i = 0; i < 500; i++) server.run("SET", `k${i}`, "v");
  const running = new TestSnapshot(server, true);
  running.isFull = true;
  running.snapshot.step(Infinity, () => 0);
  const done = running.snapshot.keysDone;
  assert(done < 500, "one unit only");
  server.run("FLUSHALL");
  running.isFull = false;
  assert(running.snapshot.step(Infinity, () => 0));
  assertEquals(running.snapshot.keysDone, 500);
});

Deno.test("a snapshot walks long strings one after the other, and has all of them", () => {
  const server = testServer();
  for (let i = 0; i < 40; i++) server.run("SET", `k${i}`, `${i % 10}`.repeat(300_000));
  server.run("SET", "short", "v");
  const running = new TestSnapshot(server, true);
  let most = 0;
  for (let before = 0, isOver = false; !isOver;) {
    isOver = running.step();
    const done = running.snapshot.keysDone;
    // Beside the one that is walked there may be the short one, which waits for nobody.
    most = Math.max(most, done - before);
    before = done;
  }
  assertEquals(most <= 2, true, `${most} in one step`);
  const other = testServer();
  assertEquals(loadBytes(other.keyspace, running.bytes()).keysLoaded, 41);
  assertEquals(datasetDigest(other.keyspace), datasetDigest(server.keyspace));
});

Deno.test("a snapshot writes as many keys in a step as it is asked for", () => {
  const server = testServer();
  for (let i = 0; i < 100; i++) server.run("SET", `k${i}`, "v");
  const running = new TestSnapshot(server, true);
  for (let until = 7; until < 100; until += 7) {
    assertEquals(running.snapshot.step(Infinity, () => 0, until), false);
    assertEquals(running.snapshot.keysDone, until);
  }
  while (!running.step());
  assertEquals(loadBytes(testServer().keyspace, running.bytes()).keysLoaded, 100);
});

for (
  const [what, make, change, answer] of [
    ["a long list", "RPUSH", ["RPUSH", "k", "more"], 5001],
    ["a large set", "SADD", ["SREM", "k", "m7"], 1],
  ] as const
) {
  Deno.test(`a snapshot fails where ${what} that changes finds no memory for what it was`, () => {
    const server = testServer();
    server.run("SET", "small", "v");
    server.run(make, "k", ...Array.from({ length: 5000 }, (_, i) => `m${i}`));
    const running = new TestSnapshot(server, false);
    running.snapshot.step(-Infinity, () => 0);
    // Not the buffer for the answer, without which the change would not be made.
    const isRefused = (bytes: number) => bytes >= 512 && bytes !== 16 * 1024;
    const reply = withRefusedAllocations(isRefused, () => server.run(...change));
    assertEquals(reply, answer);
    assertThrows(() => {
      while (!running.step());
    }, RangeError);
    running.snapshot.abort();
    const next = new TestSnapshot(server, false);
    while (!next.step());
    assert(next.bytes().length > 0);
  });
}

Deno.test("a snapshot of nothing has a header and an end", () => {
  const running = new TestSnapshot(testServer(), true);
  while (!running.step());
  const loader = loadBytes(testServer().keyspace, running.bytes());
  assertEquals(loader.keysLoaded, 0);
});
