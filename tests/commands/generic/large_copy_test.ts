/** COPY of values that take long: made between others' requests, of the moment at which it appears. */

import { assert, assertEquals } from "@std/assert";
import { blocks } from "../../../src/base/blocks.ts";
import { expireSlice } from "../../../src/keyspace/expiry.ts";
import { LARGE_VALUES } from "../../support/large_values.ts";
import { answerAndTurns, answerOf, slicedServer } from "../../support/sliced_server.ts";
import type { TestClient, TestServer, Value } from "../../support/test_server.ts";
import { withRefusedBlocks } from "../../support/refused_allocations.ts";

/** A hash with times: a third of the fields expires in a second, a third in a day. */
function fillExpiring(s: TestServer): void {
  for (let i = 0; i < 12_000; i += 500) {
    const fields = Array.from({ length: 500 }, (_, j) => `f${i + j}`);
    s.run("HSET", "k", ...fields.flatMap((field) => [field, `value ${field}`]));
    const third = i / 500 % 3;
    if (third > 0) {
      s.run("HPEXPIRE", "k", third === 1 ? 1000 : 86_400_000, "FIELDS", 500, ...fields);
    }
  }
}

/** A list of six megabytes: its bytes are copied many at a time. */
function fillList(s: TestServer): void {
  for (let i = 0; i < 12_000; i += 500) {
    s.run("RPUSH", "k", ...Array.from({ length: 500 }, (_, j) => `${i + j} `.padEnd(500, "x")));
  }
}

const FILLS: [kind: string, fill: (s: TestServer) => void][] = [
  ...LARGE_VALUES.filter(([kind]) => !kind.startsWith("string") && kind !== "list")
    .map(([kind, fill]): [string, (s: TestServer) => void] => [kind, fill]),
  ["string", (s) => s.run("SET", "k", "0123456789".repeat(500_000))],
  ["list", fillList],
  ["hash with fields that expire", fillExpiring],
];

function digestOf(s: TestServer, key: string): Value {
  return (s.run("DEBUG", "DIGEST-VALUE", key) as Value[])[0];
}

/** Nobody waits, and nothing is held. */
function assertNothingLeft(s: TestServer): void {
  assertEquals(s.clients.blockedCount, 0);
  assertEquals(
    s.keyspace.databases.map(({ watched }) => watched),
    s.keyspace.databases.map(() => null),
  );
  assert(s.run("DEL", "k", "copy") !== undefined);
}

/** Has a client go on with the request that a gate has put off. */
function goOn(client: TestClient): unknown {
  const { paused } = client.client;
  client.client.paused = null;
  client.server.dispatcher.execute(client.client, paused!);
  return client.received()[0];
}

for (const [kind, fill] of FILLS) {
  Deno.test(`COPY of a large ${kind} goes on in turns; others see all of it or nothing`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    s.run("PEXPIREAT", "k", 1_800_000_000_000);
    s.propagated();
    const before = digestOf(s, "k");
    assertEquals(client.run("COPY", "k", "copy"), undefined);
    assertEquals(s.clients.blockedCount, 1);
    let looks = 0;
    const [answer, turns] = answerAndTurns(client, timers, () => {
      assertEquals(s.run("EXISTS", "copy"), 0);
      if (++looks < 3) assertEquals(digestOf(s, "k"), before);
    });
    assertEquals(answer, 1);
    assert(turns > 2, `${turns} turns`);
    assertEquals([digestOf(s, "k"), digestOf(s, "copy")], [before, before]);
    assertEquals(s.run("PEXPIRETIME", "copy"), 1_800_000_000_000);
    assertEquals(s.run("MEMORY", "USAGE", "copy", "SAMPLES", 0) !== 0, true);
    assertEquals(s.propagated().slice(-1), ["COPY k copy"]);
    assertEquals(s.dispatcher.byName.get("copy")!.calls, 1);
    assertNothingLeft(s);
    assertEquals(timers.waitsForOthers, false);
  });

  Deno.test(`who would change a large ${kind} waits until it is copied`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const before = digestOf(s, "k");
    const other = s.connect();
    client.run("COPY", "k", "copy");
    timers.othersDone();
    assertEquals(other.run("DEL", "k"), undefined);
    assertEquals(s.clients.blockedCount, 2);
    assertEquals(answerOf(client, timers), 1);
    assertEquals(digestOf(s, "copy"), before);
    assertEquals([other.client.park, s.run("EXISTS", "k")], [null, 1]);
    assertEquals([goOn(other), s.run("EXISTS", "k")], [1, 0]);
    assertNothingLeft(s);
  });

  Deno.test(`a client that goes during COPY of a large ${kind} holds nobody up`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const before = digestOf(s, "k");
    const taken = blocks.takenBytes;
    client.run("COPY", "k", "copy");
    for (let turn = 0; turn < 2; turn++) timers.othersDone();
    client.client.isClosed = true;
    client.client.park!.unblock(false);
    blocks.settle();
    assertEquals(blocks.takenBytes, taken);
    while (timers.waitsForOthers) timers.othersDone();
    assertEquals([s.run("EXISTS", "copy"), digestOf(s, "k")], [0, before]);
    assertNothingLeft(s);
  });

  Deno.test(`COPY of a large ${kind} is right after growing, shrinking and a compaction on the way`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    // What is left of many is sparse and has a table that is too large.
    if (kind === "set") s.run("SPOP", "k", 3000);
    if (kind === "sorted set") s.run("ZPOPMAX", "k", 3000);
    if (kind === "list") s.run("LTRIM", "k", 2_000, -1);
    const before = digestOf(s, "k");
    client.run("COPY", "k", "copy");
    const answer = answerOf(client, timers, () => {
      for (const database of s.keyspace.databases) {
        database.table.compactStep(100);
        for (let slot = 0; slot >= 0;) slot = database.tidySome(slot, 100, 0.99);
      }
    });
    assertEquals([answer, digestOf(s, "copy")], [1, before]);
  });
}

/** What others do to the key or its database without passing a gate, and the answer and what is at `copy` after it. */
const events: [name: string, happens: (s: TestServer) => void, answer: number][] = [
  ["FLUSHALL", (s) => s.run("FLUSHALL"), 0],
  ["SWAPDB", (s) => s.run("SWAPDB", 0, 1), 0],
  ["its time is over", (s) => {
    s.clock.nowMs += 2_000_000;
    s.keyspace.refreshTime();
  }, 0],
];

for (const [kind, fill] of FILLS) {
  for (const [name, happens, answer] of events) {
    Deno.test(`COPY of a large ${kind} answers ${answer} after ${name}`, () => {
      const { s, timers, client } = slicedServer();
      fill(s);
      s.run("PEXPIRE", "k", 1_000_000);
      client.run("COPY", "k", "copy");
      let turns = 0;
      assertEquals(answerOf(client, timers, () => ++turns === 2 && happens(s)), answer);
      assertEquals(s.run("EXISTS", "copy"), 0);
      assertNothingLeft(s);
    });
  }
}

const [SET] = LARGE_VALUES;

Deno.test("COPY of a large list that a blocked client is served into has what came by that", () => {
  const { s, timers, client } = slicedServer();
  fillList(s);
  const waiting = s.connect();
  waiting.run("BLMOVE", "from", "k", "RIGHT", "RIGHT", 0);
  client.run("COPY", "k", "copy");
  timers.othersDone();
  s.run("RPUSH", "from", "moved");
  assertEquals(waiting.received(), ["moved"]);
  assertEquals(answerOf(client, timers), 1);
  assertEquals([s.run("LINDEX", "copy", -1), digestOf(s, "copy")], ["moved", digestOf(s, "k")]);
});

Deno.test("COPY of a large value that changes again and again comes to an end at once", () => {
  const { s, timers, client } = slicedServer();
  fillList(s);
  for (let n = 0; n < 100; n++) s.connect().run("BLMOVE", "from", "k", "RIGHT", "RIGHT", 0);
  client.run("COPY", "k", "copy");
  let changes = 0;
  const [answer, turns] = answerAndTurns(client, timers, () => {
    s.run("RPUSH", "from", `change ${changes++}`);
  });
  assertEquals([answer, digestOf(s, "copy")], [1, digestOf(s, "k")]);
  assert(turns >= 3 && turns < 8, `${turns} turns`);
});

Deno.test("COPY of a large hash whose fields expire meanwhile has what is left of it", () => {
  const { s, timers, client } = slicedServer();
  fillExpiring(s);
  client.run("COPY", "k", "copy");
  let turns = 0;
  const answer = answerOf(client, timers, () => {
    if (++turns !== 3) return;
    s.clock.nowMs += 2000;
    s.keyspace.refreshTime();
    assertEquals(expireSlice(s.keyspace, 1, () => 0), false);
    assertEquals(s.run("HLEN", "k"), 8000);
  });
  // What had been copied by then goes there by itself.
  assertEquals(expireSlice(s.keyspace, 1, () => 0), false);
  assertEquals([answer, digestOf(s, "copy")], [1, digestOf(s, "k")]);
  assertEquals(s.run("HLEN", "copy"), s.run("HLEN", "k"));
});

Deno.test("COPY of a large value looks at the other key when it is done", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  s.run("SET", "copy", "there");
  assertEquals(client.run("COPY", "k", "copy"), 0);
  client.run("COPY", "k", "copy", "REPLACE");
  assertEquals(answerOf(client, timers, () => s.run("GET", "copy")), 1);
  s.run("DEL", "copy");
  client.run("COPY", "k", "copy");
  assertEquals(answerOf(client, timers, () => s.run("SET", "copy", "meanwhile")), 0);
  assertEquals(s.run("GET", "copy"), "meanwhile");
});

Deno.test("COPY of a large value into another database", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const before = digestOf(s, "k");
  client.run("COPY", "k", "k", "DB", 3);
  assertEquals(answerOf(client, timers), 1);
  s.run("SELECT", 3);
  assertEquals(digestOf(s, "k"), before);
});

Deno.test("COPY of a large value counts as one look at its key", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const hits = s.keyspace.keyspaceHits;
  client.run("COPY", "k", "copy");
  answerOf(client, timers);
  assertEquals(s.keyspace.keyspaceHits - hits, 1);
});

Deno.test("in a transaction COPY of a large value does not wait", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  client.run("MULTI");
  client.run("COPY", "k", "copy");
  client.run("SADD", "k", "one more");
  assertEquals([client.run("EXEC"), timers.waitsForOthers], [[1, 1], false]);
});

Deno.test("two COPYs of one large value come one after the other, and one over the other's source", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const before = digestOf(s, "k");
  const other = s.connect();
  client.run("COPY", "k", "a");
  assertEquals(other.run("COPY", "k", "b"), undefined);
  assertEquals(answerOf(client, timers), 1);
  if (other.client.paused !== null) goOn(other);
  assertEquals(answerOf(other, timers), 1);
  assertEquals([digestOf(s, "a"), digestOf(s, "b")], [before, before]);
});

Deno.test("COPY of a large value that a pause holds up at its end is made anew after it", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const before = digestOf(s, "k");
  client.run("COPY", "k", "copy");
  timers.othersDone();
  s.run("CLIENT", "PAUSE", 100_000, "WRITE");
  while (timers.waitsForOthers) timers.othersDone();
  assertEquals([client.received(), s.run("EXISTS", "copy")], [[], 0]);
  s.run("CLIENT", "UNPAUSE");
  goOn(client);
  assertEquals(answerOf(client, timers), 1);
  assertEquals(digestOf(s, "copy"), before);
});

Deno.test("COPY of a large value on a server that becomes a replica meanwhile is refused", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  client.run("COPY", "k", "copy");
  timers.othersDone();
  s.run("REPLICAOF", "127.0.0.1", 1);
  assertEquals(answerOf(client, timers), {
    error: "READONLY You can't write against a read only replica.",
  });
  s.run("REPLICAOF", "NO", "ONE");
  assertEquals(s.run("EXISTS", "copy"), 0);
  assertNothingLeft(s);
});

Deno.test("COPY of a large value there is no memory for is answered so, and nothing is held", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const before = digestOf(s, "k");
  client.run("COPY", "k", "copy");
  for (let turn = 0; turn < 3; turn++) timers.othersDone();
  withRefusedBlocks(() => {
    assertEquals(answerOf(client, timers), {
      error: "OOM command not allowed when the system has no memory left for it.",
    });
  });
  assertEquals([digestOf(s, "k"), s.run("EXISTS", "copy")], [before, 0]);
  assertNothingLeft(s);
});

Deno.test("COPYs of one large value by many clients take memory for one at a time", () => {
  const { s, timers, client } = slicedServer();
  SET[1](s);
  const clients = [client, ...Array.from({ length: 20 }, () => s.connect())];
  const taken = blocks.takenBytes;
  clients.forEach((each, n) => each.run("COPY", "k", `copy:${n}`));
  // The others wait for the value that is held, or for their turn.
  for (let turn = 0; turn < 5; turn++) timers.othersDone();
  assert(blocks.takenBytes - taken < 2 << 20, `${blocks.takenBytes - taken}`);
  for (const each of clients) {
    if (each.client.paused !== null) goOn(each);
    if (each.client.park !== null) answerOf(each, timers);
  }
  assertEquals(s.run("DBSIZE"), 22);
  assertNothingLeft(s);
});
