/** What the limits benchmark makes of its figures, and that its client reads replies of any shape to their end. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Client, encodeBytes, ErrorReply } from "../../bench/compare/client.ts";
import { atMost, atMostOf, type LimitsCase, ratioAtMost } from "../../bench/limits/cases.ts";
import {
  type CaseResult,
  type LimitsContext,
  mergedMarkdown,
  toMarkdown,
} from "../../bench/limits/report.ts";

Deno.test("a ratio's bar lets small figures differ by the slack", () => {
  const bar = ratioAtMost(1.5, 10);
  const isMet = (ours: number, redis: number) => bar.isMet("t", { t: ours }, { t: redis });
  assertEquals([isMet(150, 100), isMet(151, 100), isMet(11, 1), isMet(12, 1)], [
    true,
    false,
    true,
    false,
  ]);
  assert(!isMet(NaN, 100), "a figure that is missing meets nothing");
});

Deno.test("bars of ours alone look at ours alone", () => {
  assert(atMost(10).isMet("t", { t: 10 }, { t: 0 }));
  assert(!atMost(10).isMet("t", { t: 11 }, { t: 100 }));
  const bar = atMostOf("used_memory, MB", 1.3, 20);
  assertEquals(bar.title, "≤ 1.3 × used_memory + 20");
  assert(bar.isMet("t", { t: 150, "used_memory, MB": 100 }, {}));
  assert(!bar.isMet("t", { t: 151, "used_memory, MB": 100 }, {}));
});

Deno.test("the report has a row a figure, marks what misses its bar, and names it at the end", () => {
  const one = {
    title: "LCS",
    expectedMs: 0,
    run: () => Promise.resolve({}),
    bars: { "time, ms": ratioAtMost(1.5) },
  } satisfies LimitsCase;
  const result: CaseResult = {
    subject: "Commands",
    case: one,
    // The median of the time misses; of the longest wait the longest is shown.
    ours: [{ "time, ms": 300, "longest wait, ms": 4 }, { "time, ms": 310, "longest wait, ms": 9 }],
    redis: [{ "time, ms": 100, "longest wait, ms": 1 }, { "time, ms": 100, "longest wait, ms": 1 }],
  };
  const lines = toMarkdown([result], {
    date: "",
    machine: "",
    reference: "",
    subject: "",
    rounds: 2,
  }).split("\n").map((line) => line.replaceAll(/ +/g, " "));
  assert(lines.includes("| LCS | time, ms | **305** | 100 | 3.05 | ≤ 1.5 of redis **missed** |"));
  assert(lines.includes("| | longest wait, ms | 9.00 | 1.00 | 9.00 | |"));
  assert(lines.includes("- LCS: time, ms 305, bar ≤ 1.5 of redis"));
});

Deno.test("a report that is kept gets the sections of what was measured, and keeps the others", () => {
  const result = (subject: string, ms: number): CaseResult => ({
    subject,
    case: { title: "a case", expectedMs: 0, run: () => Promise.resolve({}), bars: {} },
    ours: [{ "time, ms": ms }],
    redis: [{ "time, ms": 1 }],
  });
  const context = (date: string): LimitsContext => ({
    date,
    machine: "",
    reference: "",
    subject: "",
    rounds: 1,
  });
  const subjects = ["Sort", "Memory", "Loading"];
  const both = [result("Memory", 11), result("Loading", 12)];
  const first = mergedMarkdown("", subjects, both, context("day 1"));
  assertEquals(first, toMarkdown(both, context("day 1")));
  const second = [result("Loading", 13), result("Sort", 14)];
  const kept = mergedMarkdown(first, subjects, second, context("day 2"));
  const figures = [...kept.matchAll(/^## (\w+)\n\nday (\d)[^]*?\| +([\d.]+) \| +1\.00 /gm)];
  assertEquals(figures.map(([, ...figure]) => figure), [
    ["Sort", "2", "14.0"],
    ["Memory", "1", "11.0"],
    ["Loading", "2", "13.0"],
  ]);
  assertEquals(mergedMarkdown(kept, subjects, second, context("day 2")), kept);
});

Deno.test("the client skips replies of any shape, in pieces of any size, and then reads the next", async () => {
  const replies =
    "*3\r\n$2\r\n\r\n\r\n*2\r\n:1\r\n$-1\r\n*-1\r\n+OK\r\n$0\r\n\r\n-ERR no\r\n:7\r\n";
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    connection.setNoDelay(true);
    await connection.read(new Uint8Array(100));
    for (const byte of new TextEncoder().encode(replies)) {
      await connection.write(Uint8Array.of(byte));
    }
    await connection.read(new Uint8Array(100)); // until the other side closes
  })();
  const client = await Client.connect(listener.addr.port);
  await client.send(encodeBytes("PING", Uint8Array.of(0xff)));
  await client.skip(3);
  await assertRejects(() => client.skip(1), ErrorReply, "ERR no");
  await client.skip(1);
  client.close();
  await serving;
});

Deno.test("encodeBytes writes words of any bytes with their lengths", () => {
  const expected = "*2\r\n$3\r\nSET\r\n$2\r\n\xff\r\r\n";
  assertEquals(
    [...encodeBytes("SET", Uint8Array.of(0xff, 13))],
    [...expected].map((c) => c.charCodeAt(0)),
  );
});
