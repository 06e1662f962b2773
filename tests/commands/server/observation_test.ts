/** MEMORY, LATENCY and SLOWLOG. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { measureMemory } from "../../../src/commands/server/memory_use.ts";
import { wholeServer } from "../../support/whole_server.ts";

Deno.test("MEMORY USAGE grows with the value, inside the record and outside", () => {
  const s = wholeServer();
  for (const [key, size] of [["a", 10], ["b", 1000], ["c", 100_000]] as const) {
    s.run("SET", key, "x".repeat(size));
    const bytes = s.run("MEMORY", "USAGE", key, "SAMPLES", 0) as number;
    assert(bytes >= size && bytes < size * 1.3 + 200, `${size} bytes take ${bytes}`);
  }
  assertEquals(s.run("MEMORY", "USAGE", "missing"), null);
});
for (
  const [words, error] of [
    ["SAMPLES", "ERR syntax error"],
    ["SAMPLES x", "ERR value is not an integer or out of range"],
    ["SAMPLES -1", "ERR syntax error"],
    ["FOO 1", "ERR syntax error"],
  ]
) {
  Deno.test(`MEMORY USAGE key ${words} is refused`, () => {
    assertEquals(wholeServer().run("MEMORY", "USAGE", "key", ...words.split(" ")), { error });
  });
}

Deno.test("MEMORY STATS has figures by name, and databases with keys", () => {
  const s = wholeServer();
  s.run("SET", "k", "v");
  const { map } = s.connect(3).run("MEMORY", "STATS") as { map: [string, unknown][] };
  const stats = new Map(map);
  assertEquals(stats.get("keys.count"), 1);
  assertEquals((stats.get("db.0") as { map: unknown[] }).map.length, 3);
  assertEquals(stats.has("db.1"), false);
  assertEquals(stats.get("total.allocated"), s.services.usedMemory());
});

Deno.test("MEMORY DOCTOR, MALLOC-STATS and PURGE answer", () => {
  const s = wholeServer();
  assertMatch(s.run("MEMORY", "DOCTOR") as string, /too little data/);
  s.run("DEBUG", "POPULATE", 60_000, "k", 100);
  // Other servers of the process may have left gaps in the blocks that all of them share.
  const { reserved, used } = measureMemory(s.services);
  assertMatch(
    s.run("MEMORY", "DOCTOR") as string,
    reserved > used * 1.4 ? /are held for .* in use/ : /Nothing is wrong/,
  );
  assertMatch(s.run("MEMORY", "MALLOC-STATS") as string, /^db0: keys=60000 /);
  s.run("FLUSHALL");
  assertEquals(s.run("MEMORY", "PURGE"), "OK");
});

Deno.test("LATENCY shows, draws and forgets what took long", () => {
  const s = wholeServer();
  const { latency } = s.services;
  assertMatch(s.run("LATENCY", "DOCTOR") as string, /not being recorded/);
  latency.thresholdMs = 10;
  assertMatch(s.run("LATENCY", "DOCTOR") as string, /Nothing has taken/);
  latency.add("command", 30, s.clock.nowMs);
  latency.add("command", 20, s.clock.nowMs + 1000);
  latency.add("expire-cycle", 15, s.clock.nowMs);
  s.clock.nowMs += 2000;
  const now = 1_700_000_000;
  assertEquals(s.run("LATENCY", "LATEST"), [
    ["command", now + 1, 20, 30],
    ["expire-cycle", now, 15, 15],
  ]);
  assertEquals(s.run("LATENCY", "HISTORY", "command"), [[now, 30], [now + 1, 20]]);
  assertEquals(s.run("LATENCY", "HISTORY", "nosuch"), []);
  assertMatch(s.run("LATENCY", "GRAPH", "command") as string, /^command - high 30 ms, low 20 ms/);
  assertEquals(s.run("LATENCY", "GRAPH", "nosuch"), {
    error: "ERR No samples available for event 'nosuch'",
  });
  assertMatch(s.run("LATENCY", "DOCTOR") as string, /^command: 2 spikes in the last 2 seconds/);
  assertEquals(s.run("LATENCY", "RESET", "command", "nosuch"), 1);
  assertEquals(s.run("LATENCY", "RESET"), 1);
  assertEquals(s.run("LATENCY", "LATEST"), []);
});

Deno.test("LATENCY HISTOGRAM names commands that were called, a container by its subcommands", () => {
  const s = wholeServer();
  s.run("CONFIG", "RESETSTAT");
  s.run("SET", "k", "v");
  s.run("CONFIG", "GET", "port");
  const { map } = s.connect(3).run("LATENCY", "HISTOGRAM", "set", "config", "get", "nosuch") as {
    map: [string, unknown][];
  };
  assertEquals(map.map(([name]) => name), ["set", "config|get", "config|resetstat"]);
  assertEquals(map[0][1], { map: [["calls", 1], ["histogram_usec", { map: [[1, 1]] }]] });
});

Deno.test("SLOWLOG GET shows the newest entries first, ten unless told otherwise", () => {
  const s = wholeServer();
  s.services.slowLog.thresholdUsec = 0;
  s.dispatcher.timesAll = true;
  for (let i = 0; i < 12; i++) s.run("SET", "k", i);
  s.services.slowLog.thresholdUsec = -1;
  const entries = s.run("SLOWLOG", "GET") as unknown[][];
  assertEquals(entries.length, 10);
  assertEquals(entries[0], [11, 1_700_000_000, 0, ["SET", "k", "11"], "", ""]);
  assertEquals((s.run("SLOWLOG", "GET", -1) as unknown[]).length, 12);
  assertEquals((s.run("SLOWLOG", "GET", 2) as unknown[]).length, 2);
  assertEquals(s.run("SLOWLOG", "LEN"), 12);
  for (const count of ["-2", "x"]) {
    assertEquals(s.run("SLOWLOG", "GET", count), {
      error: "ERR count should be greater than or equal to -1",
    });
  }
  assertEquals(s.run("SLOWLOG", "RESET"), "OK");
  assertEquals(s.run("SLOWLOG", "GET"), []);
});
