/** DUMP of values that take long: made between others' requests, of one moment all the same. */

import { assert, assertEquals } from "@std/assert";
import { Keyspace } from "../../../src/keyspace/keyspace.ts";
import { datasetDigest } from "../../../src/rdb/digest.ts";
import { LARGE_VALUES } from "../../support/large_values.ts";
import { answerOf, slicedServer } from "../../support/sliced_server.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";
import { TestSnapshot } from "../../rdb/test_snapshot.ts";
import { loadBytes } from "../../rdb/datasets.ts";

/** What happens to a key, or to all of them, while its payload is made. */
const events: [name: string, happens: (s: TestServer) => void][] = [
  ["DEL", (s) => s.run("DEL", "k")],
  ["UNLINK and another value", (s) => {
    s.run("UNLINK", "k");
    s.run("SET", "k", "other");
  }],
  ["FLUSHALL", (s) => s.run("FLUSHALL")],
  ["RENAME", (s) => s.run("RENAME", "k", "other")],
  ["SWAPDB", (s) => s.run("SWAPDB", 0, 1)],
  ["EXPIRE", (s) => {
    s.run("PEXPIRE", "k", 1);
    s.clock.nowMs += 1000;
    s.run("GET", "k");
  }],
  ["COPY over it", (s) => {
    s.run("SET", "small", "value");
    s.run("COPY", "small", "k", "REPLACE");
  }],
];

/** The digest of a server with nothing but this payload. */
function digestOf(payload: unknown): string {
  const other = testServer();
  // In a transaction it is done at once.
  other.run("MULTI");
  other.run("RESTORE", "k", 0, payload as string);
  assertEquals(other.run("EXEC"), ["OK"]);
  return datasetDigest(other.keyspace);
}

for (const [kind, fill, change] of LARGE_VALUES) {
  for (const compression of ["yes", "no"]) {
    Deno.test(`DUMP of a large ${kind} is of one moment while it changes (rdbcompression ${compression})`, () => {
      const { s, timers, client } = slicedServer();
      s.run("CONFIG", "SET", "rdbcompression", compression);
      fill(s);
      const before = datasetDigest(s.keyspace);
      assertEquals(client.run("DUMP", "k"), undefined);
      assertEquals(s.clients.blockedCount, 1);
      let changes = 0;
      const payload = answerOf(client, timers, () => change(s, changes++));
      assert(changes > 1, `${changes} turns`);
      assertEquals(digestOf(payload), before);
      assertEquals([s.clients.blockedCount, Keyspace.snapshotsOpen], [0, 0]);
      // No marks are left behind: the next one is whole too.
      const after = datasetDigest(s.keyspace);
      client.run("DUMP", "k");
      assertEquals(digestOf(answerOf(client, timers)), after);
      assertEquals(datasetDigest(s.keyspace), after);
    });
  }

  for (const [event, happens] of events) {
    Deno.test(`DUMP of a large ${kind} is complete whatever happens to its key: ${event}`, () => {
      const { s, timers, client } = slicedServer();
      fill(s);
      const before = datasetDigest(s.keyspace);
      client.run("DUMP", "k");
      let turns = 0;
      const payload = answerOf(client, timers, () => ++turns === 2 && happens(s));
      assert(turns > 2);
      assertEquals(digestOf(payload), before);
      assertEquals(Keyspace.snapshotsOpen, 0);
    });
  }

  Deno.test(`a client that goes during DUMP of a large ${kind} leaves no marks`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const before = datasetDigest(s.keyspace);
    client.run("DUMP", "k");
    for (let turn = 0; turn < 5; turn++) timers.othersDone();
    client.client.isClosed = true;
    client.client.park!.unblock(false);
    assertEquals(s.clients.blockedCount, 0);
    while (timers.waitsForOthers) timers.othersDone();
    assertEquals([client.received(), Keyspace.snapshotsOpen], [[], 0]);
    const other = s.connect();
    other.run("DUMP", "k");
    assertEquals(digestOf(answerOf(other, timers)), before);
  });

  Deno.test(`a snapshot that begins during DUMP of a large ${kind}, and the DUMP, are both right`, () => {
    const { s, timers, client } = slicedServer();
    fill(s);
    const before = datasetDigest(s.keyspace);
    client.run("DUMP", "k");
    for (let turn = 0; turn < 5; turn++) timers.othersDone();
    for (let n = 0; n < 5; n++) change(s, n);
    const changed = datasetDigest(s.keyspace);
    const running = new TestSnapshot(s, true);
    for (let n = 5; n < 10; n++) change(s, n);
    // Its own DUMP has to be made at once: the snapshot walks the value.
    for (let steps = 0; steps < 3; steps++) running.step();
    const other = s.connect();
    other.run("DUMP", "k");
    const now = datasetDigest(s.keyspace);
    for (let n = 10; n < 15; n++) change(s, n);
    let isOver = false;
    const payload = answerOf(client, timers, () => isOver ||= running.step());
    assertEquals(digestOf(payload), before);
    const later = datasetDigest(s.keyspace);
    assertEquals([now, later].includes(digestOf(answerOf(other, timers))), true);
    while (!isOver) isOver = running.step();
    const copy = testServer();
    loadBytes(copy.keyspace, running.bytes());
    assertEquals(datasetDigest(copy.keyspace), changed);
  });
}

Deno.test("DUMPs of one large value by several clients come one after the other", () => {
  const { s, timers, client } = slicedServer();
  const [, fill, change] = LARGE_VALUES[0];
  fill(s);
  const before = datasetDigest(s.keyspace);
  const other = s.connect();
  client.run("DUMP", "k");
  other.run("DUMP", "k");
  assertEquals(s.clients.blockedCount, 2);
  let n = 0;
  assertEquals(digestOf(answerOf(client, timers, () => change(s, n++))), before);
  const then = datasetDigest(s.keyspace);
  assertEquals(digestOf(answerOf(other, timers, () => change(s, n++))), then);
  assertEquals(s.dispatcher.byName.get("dump")!.calls, 2);
});

Deno.test("DUMP of a large value that goes before its turn is null", () => {
  const { s, timers, client } = slicedServer();
  const [, fill] = LARGE_VALUES[0];
  fill(s);
  client.run("DUMP", "k");
  s.run("DEL", "k");
  assertEquals(answerOf(client, timers), null);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("in a transaction DUMP of a large value does not wait", () => {
  const { s, timers, client } = slicedServer();
  LARGE_VALUES[0][1](s);
  client.run("MULTI");
  client.run("DUMP", "k");
  client.run("SADD", "k", "one more");
  const [payload, added] = client.run("EXEC") as [string, number];
  assertEquals([added, timers.waitsForOthers], [1, false]);
  s.run("SREM", "k", "one more");
  assertEquals(digestOf(payload), datasetDigest(s.keyspace));
});

Deno.test("DUMP of a large value that is being made counts as the client's memory", () => {
  const { s, timers, client } = slicedServer();
  LARGE_VALUES[0][1](s);
  client.run("DUMP", "k");
  const before = client.client.memoryBytes;
  for (let turn = 0; turn < 4; turn++) timers.othersDone();
  assert(client.client.memoryBytes > before + 20_000);
  answerOf(client, timers);
});

Deno.test("DUMP of a large value there is no memory for is answered so, and leaves no marks", () => {
  const { s, timers, client } = slicedServer();
  LARGE_VALUES[1][1](s);
  const before = datasetDigest(s.keyspace);
  client.run("DUMP", "k");
  for (let turn = 0; turn < 3; turn++) timers.othersDone();
  const { Uint8Array: real } = globalThis;
  try {
    globalThis.Uint8Array = new Proxy(real, {
      construct(target, args) {
        if (args[0] === 256 * 1024) throw new RangeError("Array buffer allocation failed");
        return Reflect.construct(target, args);
      },
    });
    assertEquals(answerOf(client, timers), {
      error: "OOM command not allowed when the system has no memory left for it.",
    });
  } finally {
    globalThis.Uint8Array = real;
  }
  while (timers.waitsForOthers) timers.othersDone();
  assertEquals([s.clients.blockedCount, Keyspace.snapshotsOpen], [0, 0]);
  client.run("DUMP", "k");
  assertEquals(digestOf(answerOf(client, timers)), before);
});
