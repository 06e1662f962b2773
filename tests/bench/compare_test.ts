/** What the comparison makes of the times of commands. */

import { assert, assertEquals } from "@std/assert";
import { type ReportContext, toMarkdown } from "../../bench/compare/report.ts";
import { commandMeetsBar, commandRatio, type Results } from "../../bench/compare/results.ts";

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
