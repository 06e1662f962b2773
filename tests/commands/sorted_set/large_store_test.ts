/**
 * ZRANGESTORE, ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE of sets that take long: made between others' requests, seen by
 * them at once.
 */

import { assert, assertEquals } from "@std/assert";
import { answerAndTurns, answerOf, slicedServer } from "../../support/sliced_server.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

/** Adds the members `from` to `to`, with scores in no order and some the same. */
function add(s: TestServer, key: string, from: number, to: number): void {
  for (let i = from; i < to; i += 500) {
    const numbers = Array.from({ length: Math.min(500, to - i) }, (_, j) => i + j);
    s.run("ZADD", key, ...numbers.flatMap((n) => [n * 7919 % 9973, `member ${n}`]));
  }
}

/** Large sets that share a part, a plain one, and small ones of both kinds. */
function fill(s: TestServer): void {
  add(s, "a", 0, 21_000);
  add(s, "b", 10_000, 32_000);
  for (let i = 0; i < 40_000; i += 500) {
    s.run("SADD", "plain", ...Array.from({ length: 500 }, (_, j) => `member ${i + j}`));
  }
  s.run("ZADD", "small", "inf", "member 5", "-inf", "member 20500", 1.5, "member 12000", 0, "new");
  s.run("SADD", "few", "member 1", "member 11000", "other");
}

const LINES = [
  "ZRANGESTORE to a 0 -1",
  "ZRANGESTORE to a 100 -100",
  "ZRANGESTORE to a 63 15000",
  "ZRANGESTORE to a 0 12000 REV",
  "ZRANGESTORE to a (50 8000 BYSCORE",
  "ZRANGESTORE to a 8000 50 BYSCORE REV LIMIT 1000 12000",
  "ZRANGESTORE a a 1000 -1",
  "ZUNIONSTORE to 2 a b",
  "ZUNIONSTORE to 3 plain a small WEIGHTS 2 0 -1 AGGREGATE MAX",
  "ZUNIONSTORE to 2 small a WEIGHTS 0 2",
  "ZUNIONSTORE to 2 a a AGGREGATE SUM",
  "ZUNIONSTORE to 3 missing few plain AGGREGATE MIN",
  "ZUNIONSTORE a 1 a WEIGHTS -1",
  "ZINTERSTORE to 2 a b AGGREGATE MIN",
  "ZINTERSTORE to 3 plain b a WEIGHTS 1 2 3",
  "ZINTERSTORE to 1 plain",
  "ZDIFFSTORE to 2 a b",
  "ZDIFFSTORE to 3 plain a few",
  "ZDIFFSTORE to 2 a a",
  "ZDIFFSTORE to 3 b small missing",
];

function stored(s: TestServer, line: string): unknown[] {
  const [, to] = line.split(" ");
  return [s.run("DEBUG", "DIGEST-VALUE", to), s.run("OBJECT", "ENCODING", to), s.run("ZCARD", to)];
}

/** What the command answers and stores when it is done at once. */
function atOnce(line: string): unknown[] {
  const s = testServer();
  fill(s);
  s.run("MULTI");
  s.run(...line.split(" "));
  const [count] = s.run("EXEC") as unknown[];
  return [count, ...stored(s, line)];
}

function assertNothingLeft(s: TestServer): void {
  assertEquals(s.clients.blockedCount, 0);
  assert(s.keyspace.databases.every(({ watched }) => watched === null));
  for (const key of ["a", "b", "plain"]) assert(s.run("DEL", key) !== undefined);
}

for (const line of LINES) {
  Deno.test(`${line} stores the same in turns as at once, and who would change a source waits`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    s.propagated();
    assertEquals(client.run(...line.split(" ")), undefined);
    timers.othersDone();
    const other = s.connect();
    for (const key of ["a", "b", "plain"]) {
      if (line.split(" ").indexOf(key, 2) < 0) continue;
      assertEquals(other.run("DEL", key), undefined);
      break;
    }
    const [answer, turns] = answerAndTurns(client, timers);
    assertEquals([answer, ...stored(s, line)], atOnce(line));
    assert(turns > 10, `${turns} turns`);
    if (answer !== 0) assertEquals(s.propagated().slice(-1), [line]);
    assertEquals(s.dispatcher.byName.get(line.split(" ")[0].toLowerCase())!.calls, 1);
    assertNothingLeft(s);
  });

  Deno.test(`${line} makes nothing of what is flushed, or is over, on the way`, () => {
    for (
      const happens of [
        (s: TestServer) => s.run("FLUSHALL"),
        (s: TestServer) => s.run("SWAPDB", 0, 1),
        (s: TestServer) => {
          s.clock.nowMs += 2_000_000;
          s.keyspace.refreshTime();
        },
      ]
    ) {
      const { s, timers, client } = slicedServer();
      fill(s);
      for (const key of ["a", "b", "plain", "small", "few"]) s.run("PEXPIRE", key, 1_000_000);
      client.run(...line.split(" "));
      let turns = 0;
      assertEquals(answerOf(client, timers, () => ++turns === 3 && happens(s)), 0);
      assertEquals(s.run("EXISTS", "to"), 0);
      assertNothingLeft(s);
    }
  });
}

Deno.test("ZRANGESTORE of a range that moves meanwhile is done anew at its end", () => {
  const { s, timers, client } = slicedServer();
  fill(s);
  s.run("REPLICAOF", "127.0.0.1", 1);
  s.run("CONFIG", "SET", "replica-read-only", "no");
  assertEquals(client.run("ZRANGESTORE", "to", "a", 0, 15_000), undefined);
  for (let turn = 0; turn < 5; turn++) timers.othersDone();
  const master = s.connect();
  master.client.becomeMaster();
  master.run("ZADD", "a", -1, "first");
  assertEquals(answerOf(client, timers), 15_001);
  assertEquals(s.run("ZRANGE", "to", 0, 0), ["first"]);
  assertNothingLeft(s);
});

Deno.test("ZRANGESTORE of a range that moves before its turn has come is done anew", () => {
  const { s, timers, client } = slicedServer();
  fill(s);
  s.run("REPLICAOF", "127.0.0.1", 1);
  s.run("CONFIG", "SET", "replica-read-only", "no");
  assertEquals(client.run("ZRANGESTORE", "to", "a", 0, 15_000), undefined);
  const master = s.connect();
  master.client.becomeMaster();
  master.run("ZADD", "a", -1, "first");
  assertEquals(answerOf(client, timers), 15_001);
  assertEquals(s.run("ZRANGE", "to", 0, 1), ["first", "member 0"]);
  assertNothingLeft(s);
});
