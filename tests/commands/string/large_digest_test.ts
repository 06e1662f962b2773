/** DIGEST of strings that take long: hashed between others' requests, of one moment all the same. */

import { assert, assertEquals } from "@std/assert";
import { Keyspace } from "../../../src/keyspace/keyspace.ts";
import { TestSnapshot } from "../../rdb/test_snapshot.ts";
import { answerAndTurns, answerOf, slicedServer } from "../../support/sliced_server.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const TEXT = Array.from({ length: 300_000 }, (_, i) => `part ${i}`).join(" ");

/** The digest, made at once in a transaction. */
function digestAtOnce(text: string): unknown {
  const s = testServer();
  s.run("SET", "k", text);
  s.run("MULTI");
  s.run("DIGEST", "k");
  return (s.run("EXEC") as unknown[])[0];
}

const DIGEST = digestAtOnce(TEXT);

function assertNothingLeft(s: TestServer): void {
  assertEquals([s.clients.blockedCount, Keyspace.snapshotsOpen], [0, 0]);
  assertEquals(s.keyspace.databases.some(({ isCaptured }) => isCaptured), false);
}

Deno.test("DIGEST of a long string goes on in turns, and counts once", () => {
  const { s, timers, client } = slicedServer();
  s.run("SET", "k", TEXT);
  assertEquals(client.run("DIGEST", "k"), undefined);
  const [answer, turns] = answerAndTurns(client, timers, () => s.run("GET", "k"));
  assertEquals(answer, DIGEST);
  assert(turns > 10, `${turns} turns`);
  assertEquals(s.dispatcher.byName.get("digest")!.calls, 1);
  assertNothingLeft(s);
});

const events: [name: string, happens: (s: TestServer) => void][] = [
  ["APPEND", (s) => s.run("APPEND", "k", "x")],
  ["SETRANGE", (s) => s.run("SETRANGE", "k", 1000, "x")],
  ["SET", (s) => s.run("SET", "k", "x".repeat(100_000))],
  ["DEL", (s) => s.run("DEL", "k")],
  ["FLUSHALL", (s) => s.run("FLUSHALL")],
  ["SWAPDB", (s) => s.run("SWAPDB", 0, 1)],
  ["RENAME", (s) => s.run("RENAME", "k", "other")],
  ["another type", (s) => s.run("DEL", "k") && s.run("RPUSH", "k", "x")],
];

for (const [name, happens] of events) {
  Deno.test(`DIGEST of a long string is of the moment it was begun: ${name} on the way`, () => {
    const { s, timers, client } = slicedServer();
    s.run("SET", "k", TEXT);
    client.run("DIGEST", "k");
    let turns = 0;
    assertEquals(answerOf(client, timers, () => ++turns === 3 && happens(s)), DIGEST);
    assertNothingLeft(s);
  });
}

Deno.test("DIGEST of a long string that is gone, or a list, when its turn comes", () => {
  for (
    const [happens, expected] of [
      [(s: TestServer) => s.run("DEL", "k"), null],
      [events.at(-1)![1], {
        error: "WRONGTYPE Operation against a key holding the wrong kind of value",
      }],
      [(s: TestServer) => s.run("SET", "k", "hello"), digestAtOnce("hello")],
    ] as const
  ) {
    const { s, timers, client } = slicedServer();
    s.run("SET", "k", TEXT);
    client.run("DIGEST", "k");
    happens(s);
    assertEquals(answerOf(client, timers), expected);
    assertNothingLeft(s);
  }
});

Deno.test("a snapshot that begins during DIGEST of a long string, and the DIGEST, are both right", () => {
  const { s, timers, client } = slicedServer();
  s.run("SET", "k", TEXT);
  client.run("DIGEST", "k");
  for (let turn = 0; turn < 3; turn++) timers.othersDone();
  const running = new TestSnapshot(s, true);
  s.run("SET", "k", "x");
  let isOver = false;
  assertEquals(answerOf(client, timers, () => isOver ||= running.step()), DIGEST);
  while (!isOver) isOver = running.step();
  assert(running.bytes().length > 0);
  assertNothingLeft(s);
});

Deno.test("a client that goes during DIGEST of a long string leaves nothing", () => {
  const { s, timers, client } = slicedServer();
  s.run("SET", "k", TEXT);
  client.run("DIGEST", "k");
  for (let turn = 0; turn < 3; turn++) timers.othersDone();
  client.client.isClosed = true;
  client.client.park!.unblock(false);
  while (timers.waitsForOthers) timers.othersDone();
  assertEquals(client.received(), []);
  assertNothingLeft(s);
});

Deno.test("DIGESTs of long strings by several clients come one after the other", () => {
  const { s, timers, client } = slicedServer();
  s.run("SET", "k", TEXT);
  const other = s.connect();
  client.run("DIGEST", "k");
  other.run("DIGEST", "k");
  assertEquals(answerOf(client, timers), DIGEST);
  assertEquals(answerOf(other, timers), DIGEST);
  assertNothingLeft(s);
});

Deno.test("a client that tracks does not keep the DIGEST of a long string", () => {
  const { s, timers } = slicedServer();
  const client = s.connect(3);
  s.run("SET", "k", TEXT);
  client.run("CLIENT", "TRACKING", "ON");
  client.run("DIGEST", "k");
  const replies: unknown[] = [];
  while (timers.waitsForOthers) {
    timers.othersDone();
    replies.push(...client.received());
  }
  assertEquals(replies, [DIGEST, ["invalidate", ["k"]]]);
});
