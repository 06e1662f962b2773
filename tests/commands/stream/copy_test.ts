/**
 * COPY of streams: a copy has nodes and pending ids in common with its source until one of the two changes.
 * Beside them stand two that never had anything in common, which get the same commands.
 */

import { assert, assertEquals } from "@std/assert";
import type { StreamView } from "../../../src/keyspace/stream.ts";
import { streamView } from "../../../src/keyspace/stream.ts";
import { latin1 } from "../../../src/base/bytes.ts";
import { Random } from "../../support/random.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const DIRECTIVES = { "stream-node-max-entries": "5" };

/** A stream that shares nothing: made of the payload of one. */
function rebuild(s: TestServer, from: string, to: string): void {
  s.run("RESTORE", to, "0", s.run("DUMP", from) as string, "REPLACE");
}

/** A command on a stream, without its key; of those that read, the group is part of it. */
function drawCommand(random: Random): (key: string) => (string | number)[] {
  const id = () => `${random.between(1, 200)}-${random.below(2)}`;
  const ids = () => Array.from({ length: random.between(1, 6) }, id);
  const group = random.pick(["g", "h"]);
  const consumer = random.pick(["a", "b", "c"]);
  const next = `${random.between(1, 400)}-*`;
  const field = random.pick(["f", "g"]);
  const value = "v".repeat(random.below(30));
  const count = random.between(1, 12);
  const many = ids();
  const threshold = random.between(0, 60);
  const minId = id();
  const operator = random.pick(["=", "~"]);
  return random.pick<(key: string) => (string | number)[]>([
    (key) => ["XADD", key, next, field, value],
    (key) => ["XADD", key, "MAXLEN", operator, threshold, next, field, value],
    (key) => ["XADD", key, "MINID", operator, minId, next, field, value],
    (key) => ["XDEL", key, ...many],
    (key) => ["XTRIM", key, "MAXLEN", operator, threshold],
    (key) => ["XTRIM", key, "MINID", operator, minId],
    (key) => ["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"],
    (key) => ["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, minId],
    (key) => ["XACK", key, group, ...many],
    (key) => ["XCLAIM", key, group, consumer, "0", ...many, ...(count > 6 ? ["FORCE"] : [])],
    (key) => ["XAUTOCLAIM", key, group, consumer, "0", minId, "COUNT", count],
    (key) => ["XGROUP", "SETID", key, group, minId],
    (key) => ["XGROUP", "DELCONSUMER", key, group, consumer],
    (key) => ["XGROUP", "DESTROY", key, group],
    (key) => ["XGROUP", "CREATE", key, group, "0"],
  ]);
}

function memoryOf(s: TestServer, view: StreamView, key: string): number {
  const bytes = latin1(key);
  return view.openRead(s.keyspace.databases[0], bytes, 0, bytes.length)!.memoryBytes;
}

for (let seed = 1; seed <= 6; seed++) {
  Deno.test(`COPY: copies of a stream change as if they had nothing in common (seed ${seed})`, () => {
    const random = new Random(seed);
    const s = testServer({ directives: DIRECTIVES });
    for (let i = 1; i <= 100; i++) s.run("XADD", "a", `${i}-0`, "f", `value:${i}`);
    for (const group of ["g", "h"]) s.run("XGROUP", "CREATE", "a", group, "0");
    for (const consumer of ["a", "b", "c"]) {
      s.run("XREADGROUP", "GROUP", "g", consumer, "COUNT", 30, "STREAMS", "a", ">");
    }
    s.run("COPY", "a", "b");
    rebuild(s, "a", "own a");
    rebuild(s, "a", "own b");
    for (let step = 0; step < 1500; step++) {
      if (random.chance(0.02)) {
        const [from, to] = random.pick([["a", "b"], ["b", "a"]]);
        s.run("COPY", from, to, "REPLACE");
        rebuild(s, `own ${from}`, `own ${to}`);
      } else {
        const key = random.pick(["a", "b"]);
        const command = drawCommand(random);
        const shown = command(key).join(" ");
        const answer = JSON.stringify(s.run(...command(`own ${key}`)));
        assertEquals(JSON.stringify(s.run(...command(key))), answer.replaceAll("own ", ""), shown);
      }
      s.clock.nowMs += random.below(3);
      if (step % 10 > 0) continue;
      for (const key of ["a", "b"]) {
        assertEquals(s.run("DUMP", key), s.run("DUMP", `own ${key}`), `${key} after ${step} steps`);
      }
    }
    // What is counted is what is there, whoever else has it.
    const counted = memoryOf(s, streamView, "a") + memoryOf(s, streamView, "b") +
      memoryOf(s, streamView, "own a") + memoryOf(s, streamView, "own b");
    assertEquals(s.keyspace.databases[0].largeValueBytes, counted);
    s.run("DEL", "b", "own a", "own b");
    rebuild(s, "a", "again");
    assertEquals(s.run("DUMP", "a"), s.run("DUMP", "again"));
  });
}

Deno.test("COPY: a consumer of the copy was active when that of the source was", () => {
  const s = testServer();
  s.run("XADD", "a", "1-0", "f", "v");
  s.run("XGROUP", "CREATE", "a", "g", "0");
  s.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", ">");
  s.clock.nowMs += 5000;
  s.run("XGROUP", "CREATECONSUMER", "a", "g", "idle");
  s.run("COPY", "a", "b");
  assertEquals(s.run("XINFO", "STREAM", "b", "FULL"), s.run("XINFO", "STREAM", "a", "FULL"));
});

Deno.test("COPY of a stream takes no memory for its entries; both count as whole", () => {
  const s = testServer();
  for (let i = 1; i <= 2000; i++) s.run("XADD", "a", `${i}-0`, "f", "v".repeat(100));
  s.run("COPY", "a", "b");
  const a = latin1("a");
  const b = latin1("b");
  const database = s.keyspace.databases[0];
  const source = streamView.openRead(database, a, 0, 1)!;
  const copy = streamView.openRead(database, b, 0, 1)!;
  assert(source.nodeCount > 10);
  for (let i = 0; i < source.nodeCount; i++) assertEquals(copy.node(i), source.node(i));
  assertEquals(copy.memoryBytes, source.memoryBytes);
  s.run("XDEL", "b", "1-0");
  assert(copy.node(0) !== source.node(0) && copy.node(1) === source.node(1));
  assertEquals(s.run("XLEN", "a"), 2000);
});

Deno.test("XGROUP DELCONSUMER: what is pending for others stays, in order and with its details", () => {
  const s = testServer();
  for (let i = 1; i <= 3000; i++) s.run("XADD", "a", `${i}-0`, "f", "v");
  s.run("XGROUP", "CREATE", "a", "g", "0");
  const random = new Random(5);
  const owners: string[] = [];
  while (owners.length < 3000) {
    const consumer = random.pick(["a", "b", "c"]);
    const count = Math.min(random.between(1, 400), 3000 - owners.length);
    s.run("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", "a", ">");
    for (let i = 0; i < count; i++) owners.push(consumer);
    s.clock.nowMs += 10;
  }
  for (const gone of ["b", "a"]) {
    const all = s.run("XPENDING", "a", "g", "-", "+", "5000") as string[][];
    const pending = owners.filter((owner) => owner === gone).length;
    assertEquals(s.run("XGROUP", "DELCONSUMER", "a", "g", gone), pending);
    const left = s.run("XPENDING", "a", "g", "-", "+", "5000");
    assertEquals(left, all.filter(([, owner]) => owner !== gone));
  }
  // Its number is given to another one, which has nothing.
  s.run("XGROUP", "CREATECONSUMER", "a", "g", "d");
  assertEquals(s.run("XPENDING", "a", "g", "-", "+", "10", "d"), []);
  s.run("XCLAIM", "a", "g", "d", "0", ...Array.from({ length: 3000 }, (_, i) => `${i + 1}-0`));
  assertEquals(s.run("XGROUP", "DELCONSUMER", "a", "g", "c"), 0);
  assertEquals(
    (s.run("XPENDING", "a", "g") as unknown[])[0],
    owners.filter((o) => o === "c").length,
  );
});
