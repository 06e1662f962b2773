/** SUNIONSTORE, SINTERSTORE, SDIFFSTORE of sets that take long: made between others' requests, seen by them at once. */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../../src/base/blocks.ts";
import { answerAndTurns, answerOf, slicedServer } from "../../support/sliced_server.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";
import { withRefusedBlocks } from "../../support/refused_allocations.ts";

/** Adds the members `from` to `to`. */
function add(s: TestServer, key: string, from: number, to: number): void {
  for (let i = from; i < to; i += 1000) {
    const count = Math.min(1000, to - i);
    s.run("SADD", key, ...Array.from({ length: count }, (_, j) => `member ${i + j}`));
  }
}

/** `a` and `b` are large and share half of what they have; `small` and `numbers` are small. */
function fill(s: TestServer): void {
  add(s, "a", 0, 24_000);
  add(s, "b", 12_000, 36_000);
  add(s, "all", 0, 40_000);
  add(s, "small", 11_990, 12_010);
  s.run("SADD", "numbers", 1, 2, 3);
}

const COMMANDS = ["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"];
const SOURCES = [
  ["a", "b"],
  ["b", "a", "all"],
  ["a", "a"],
  ["all"],
  ["all", "missing", "small", "numbers"],
  ["all", "a", "b"],
  ["missing", "all"],
  ["small", "all"],
];

function digestOf(s: TestServer, key: string): unknown {
  return s.run("DEBUG", "DIGEST-VALUE", key);
}

/** What the command answers and stores when it is done at once. */
function atOnce(command: string, sources: string[]): unknown[] {
  const s = testServer();
  fill(s);
  s.run("MULTI");
  s.run(command, "to", ...sources);
  const [count] = s.run("EXEC") as unknown[];
  return [count, digestOf(s, "to"), s.run("OBJECT", "ENCODING", "to")];
}

function assertNothingLeft(s: TestServer): void {
  assertEquals(s.clients.blockedCount, 0);
  assert(s.keyspace.databases.every(({ watched }) => watched === null));
  for (const key of ["a", "b", "all"]) assert(s.run("DEL", key) !== undefined);
}

for (const command of COMMANDS) {
  for (const sources of SOURCES) {
    Deno.test(`${command} of ${sources.join(" ")} stores the same as at once`, () => {
      const { s, timers, client } = slicedServer();
      fill(s);
      s.propagated();
      let answer: unknown = client.run(command, "to", ...sources);
      if (answer === undefined) {
        answer = answerOf(client, timers, () => assertEquals(s.run("EXISTS", "to"), 0));
        if (answer !== 0) {
          assertEquals(s.propagated().slice(-1), [[command, "to", ...sources].join(" ")]);
        }
      }
      const found = [answer, digestOf(s, "to"), s.run("OBJECT", "ENCODING", "to")];
      assertEquals(found, atOnce(command, sources));
      assertNothingLeft(s);
    });
  }

  Deno.test(`${command} of large sets goes on in turns, and who would change one waits`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const other = s.connect();
    assertEquals(client.run(command, "to", "a", "b"), undefined);
    timers.othersDone();
    assertEquals(other.run("SADD", "b", "more"), undefined);
    assertEquals(s.run("SISMEMBER", "b", "more"), 0);
    const [answer, turns] = answerAndTurns(client, timers);
    assertEquals(answer, atOnce(command, ["a", "b"])[0]);
    assert(turns > 10, `${turns} turns`);
    assertEquals([other.client.park, s.dispatcher.byName.get(command.toLowerCase())!.calls], [
      null,
      1,
    ]);
    assertNothingLeft(s);
  });

  for (
    const [name, happens] of [
      ["FLUSHALL", (s: TestServer) => s.run("FLUSHALL")],
      ["SWAPDB", (s: TestServer) => s.run("SWAPDB", 0, 1)],
      ["their time is over", (s: TestServer) => {
        s.clock.nowMs += 2_000_000;
        s.keyspace.refreshTime();
      }],
    ] as const
  ) {
    Deno.test(`${command} of large sets makes nothing of them after ${name}`, () => {
      const { s, timers, client } = slicedServer();
      fill(s);
      for (const key of ["a", "b"]) s.run("PEXPIRE", key, 1_000_000);
      s.run("SET", "to", "there");
      client.run(command, "to", "a", "b");
      let turns = 0;
      assertEquals(answerOf(client, timers, () => ++turns === 3 && happens(s)), 0);
      assertEquals(s.run("EXISTS", "to"), 0);
      assertNothingLeft(s);
    });
  }

  Deno.test(`${command} into one of its own large sets`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const [count, digest] = atOnce(command, ["a", "b"]);
    client.run(command, "a", "a", "b");
    assertEquals([answerOf(client, timers), digestOf(s, "a")], [count, digest]);
    assertNothingLeft(s);
  });

  Deno.test(`${command} of large sets there is no memory for is answered so`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    client.run(command, "to", "all", "a");
    for (let turn = 0; turn < 2; turn++) timers.othersDone();
    withRefusedBlocks(() => {
      assertEquals(answerOf(client, timers), {
        error: "OOM command not allowed when the system has no memory left for it.",
      });
    });
    assertEquals(s.run("EXISTS", "to"), 0);
    assertNothingLeft(s);
  });

  Deno.test(`a client that goes during ${command} of large sets holds nobody up`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const taken = blocks.takenBytes;
    client.run(command, "to", "all", "a");
    for (let turn = 0; turn < 300; turn++) timers.othersDone();
    client.client.isClosed = true;
    client.client.park!.unblock(false);
    blocks.settle();
    assertEquals(blocks.takenBytes, taken);
    while (timers.waitsForOthers) timers.othersDone();
    assertEquals(s.run("EXISTS", "to"), 0);
    assertNothingLeft(s);
  });
}
