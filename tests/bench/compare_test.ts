/** What the comparison makes of the times of commands. */

import { assert, assertEquals } from "@std/assert";
import { type ReportContext, toMarkdown } from "../../bench/compare/report.ts";
import {
  commandMeetsBar,
  commandRatio,
  type Results,
  speedBar,
  type SpeedResult,
} from "../../bench/compare/results.ts";
import { SCRIPT_WORKLOADS } from "../../bench/compare/script_workloads.ts";
import { expectedSpeedMs } from "../../bench/compare/speed.ts";
import { type SavedResults, speedMarkdown } from "../../bench/compare/speed_table.ts";
import { TYPE_WORKLOADS } from "../../bench/compare/type_workloads.ts";
import { VARIANTS } from "../../bench/compare/workloads.ts";
import { testServer } from "../support/test_server.ts";

const command = (title: string, referenceMs: number[], subjectMs: number[]) => ({
  title,
  referenceMs,
  subjectMs,
});

Deno.test("a command's ratio is that of the medians, and two milliseconds more are no miss", () => {
  const slow = command("SLOW", [90, 100, 900], [10, 151, 152]);
  assertEquals(commandRatio(slow), 1.51);
  assert(!commandMeetsBar(slow));
  assert(commandMeetsBar(command("SHORT", [1], [3])));
  assert(!commandMeetsBar(command("SHORT", [1], [3.1])));
});

Deno.test("the report has the twenty slowest of the commands and says what ratio and CPU mean", () => {
  const results: Results = {
    referenceVersion: "7.0.15",
    subjectVersion: "1",
    subjectIsTsredis: true,
    subjectRuntime: "Deno 2",
    commands: [
      command("TINY", [0.1], [0.9]),
      ...Array.from({ length: 25 }, (_, i) => command(`C${i}`, [100], [100 + i])),
      command("WORST", [100], [200]),
    ],
  };
  const context: ReportContext = {
    date: "",
    machine: "",
    subjectCommand: "",
    rounds: 1,
    runMs: 0,
    keys: 0,
  };
  const text = toMarkdown(results, context);
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  assertEquals(rows.length, 20);
  assertEquals(
    rows[0].replaceAll(/ +/g, " "),
    "| `WORST` | 100.0 | 200.0 | **2.00** | ≤ 1.5 **missed** |",
  );
  assert(rows[19].includes("`C6`") && !text.includes("TINY"));
  assert(text.includes("- WORST: 2.00 of redis-server's time, bar 1.5"));
  assert(/Ratio is .*CPU is /s.test(text));
});

Deno.test("the bars of speed: 1.0, and more for hot tests in a pipeline at random keys alone", () => {
  const bar = (test: string, pipeline: number, variant: SpeedResult["variant"]) =>
    speedBar({ test, pipeline, variant });
  for (const test of ["get", "set", "incr", "mset"]) {
    assertEquals(bar(test, 1, "random"), 1.0);
    assertEquals(bar(test, 16, "plain"), 1.0);
    assertEquals(bar(test, 16, "large"), 1.0);
    assertEquals(bar(test, 16, "random"), 1.2);
  }
  assertEquals(bar("sadd", 16, "random"), 1.0);
  assertEquals(bar("get", 64, "random"), 1.5);
  assertEquals(bar("set", 64, "random"), 1.5);
  assertEquals(bar("incr", 64, "random"), 1.2);
  assertEquals(bar("get", 64, "plain"), 1.0);
  assertEquals(bar("eval_return_1", 1, "plain"), 1.0);
  assertEquals(bar("eval_return_1", 16, "plain"), 0.7);
});

Deno.test("README's table of speed has both runtimes, and bold what the faster one does not reach", () => {
  const sample = (requestsPerSecond: number, cpuMicros: number) => [
    { requestsPerSecond, cpuMicros },
  ];
  const run = (subjectRuntime: string, get: number, sadd: number): SavedResults => ({
    date: "2030-01-01",
    machine: "a machine",
    rounds: 3,
    referenceVersion: "7.0.15",
    subjectRuntime,
    speed: [["get", "random", get] as const, ["sadd", "plain", sadd] as const].map((
      [test, variant, rate],
    ) => ({
      test,
      variant,
      pipeline: 16,
      requests: 1,
      reference: sample(100, 0.5),
      subject: sample(rate, 0.25),
    })),
  });
  const text = speedMarkdown([run("Deno 2", 110, 99.9), run("Bun 1", 121, 90)]);
  const rows = text.split("\n").filter((line) => line.startsWith("| "))
    .map((line) => line.replaceAll(/ +/g, " "));
  assertEquals(
    rows,
    [
      "| Test | `-P 16` redis | Deno | Bun |",
      "| ---- | ------------: | --------------: | --------------: |",
      "| SADD | 0.50 | **0.99** (0.25) | **0.90** (0.25) |",
      "| GET `-r` | 0.50 | 1.10 (0.25) | 1.21 (0.25) |",
    ].map((line) => line.startsWith("| -") ? rows[1] : line),
  );
  assert(text.startsWith("- Deno 2: 2030-01-01, a machine; redis-server 7.0.15; rounds: 3\n"));
});

Deno.test("tests of types are run in a pipeline of 16 alone, and without variants", () => {
  const options = {
    workloads: TYPE_WORKLOADS,
    variants: VARIANTS,
    pipelines: null,
    rounds: 1,
    runMs: 1,
  };
  assertEquals(expectedSpeedMs(options).length, TYPE_WORKLOADS.length);
  assertEquals(expectedSpeedMs({ ...options, pipelines: [1] }).length, 0);
});

Deno.test("tests of scripts are run at both depths, each with its own script loaded", async () => {
  const options = {
    workloads: SCRIPT_WORKLOADS,
    variants: VARIANTS,
    pipelines: null,
    rounds: 1,
    runMs: 1,
  };
  assertEquals(expectedSpeedMs(options).length, 2 * SCRIPT_WORKLOADS.length);
  const server = testServer();
  for (const { name, command, prepare } of SCRIPT_WORKLOADS) {
    const words = command!;
    assert(JSON.stringify(server.run(...words)).includes("NOSCRIPT"), name);
    const loading = {
      fill: (_count: number, commandAt: (i: number) => string) => {
        server.run(...wordsOf(commandAt(0)));
        return Promise.resolve();
      },
    };
    await prepare!(loading, VARIANTS[0], 1);
    assert(!/ERR|NOSCRIPT/.test(JSON.stringify(server.run(...words))), name);
  }
  assertEquals(server.run("LRANGE", "queue:mail:wait", "0", "-1"), ["1"]);
  assertEquals(server.run("HGET", "queue:mail:1", "backoff"), "fixed:1000");
});

/** The words of an encoded request, none of which has line ends at its own end. */
function wordsOf(request: string): string[] {
  const words: string[] = [];
  let at = request.indexOf("\r\n") + 2;
  while (at < request.length) {
    const from = request.indexOf("\r\n", at) + 2;
    const length = Number(request.slice(at + 1, from - 2));
    words.push(request.slice(from, from + length));
    at = from + length + 2;
  }
  return words;
}

Deno.test("the report has the memory of an element of each collection, and its bar", () => {
  const samples = (bytes: number) => [{ emptyBytes: 1e6, filledBytes: 1e6 + bytes * 1e6 }];
  const results: Results = {
    referenceVersion: "7.0.15",
    subjectVersion: "1",
    subjectIsTsredis: true,
    subjectRuntime: "Deno 2",
    elements: [
      { title: "hash", reference: samples(100), subject: samples(50) },
      { title: "list", reference: samples(20), subject: samples(20.1) },
    ],
  };
  const context: ReportContext = {
    date: "",
    machine: "",
    subjectCommand: "",
    rounds: 1,
    runMs: 0,
    keys: 1_000_000,
  };
  const text = toMarkdown(results, context).replaceAll(/ +/g, " ");
  assert(
    text.includes(
      "| Resident memory per element of a hash, bytes | 100.0 | 50.0 | 0.50 | ≤ 1 of redis |",
    ),
  );
  assert(text.includes("**1.01** | ≤ 1 of redis **missed**"));
});
