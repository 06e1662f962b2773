/** What a long comparison says of itself. */

import { assertEquals } from "@std/assert";
import { durationText, Progress } from "../../bench/compare/progress.ts";

Deno.test("Progress tells place and rest, and learns the machine's pace from what is done", () => {
  let nowMs = 1_000;
  const printed: string[] = [];
  const progress = new Progress(
    [60_000, 60_000, 120_000],
    () => nowMs,
    (text) => printed.push(text),
    false,
  );
  progress.begin("SET");
  nowMs += 30_000; // twice as fast as expected
  progress.end(60_000, "SET 1 -> 2");
  progress.begin("GET");
  nowMs += 30_000;
  progress.end(60_000);
  progress.begin("memory");
  assertEquals(
    printed.join(""),
    [
      "[1 of 3, about 4 min left] SET",
      "SET 1 -> 2",
      "[2 of 3, about 2 min left] GET",
      "[3 of 3, about 60 s left] memory",
      "",
    ].join("\n").replace("90 s", durationText(90_000)),
  );
});

Deno.test("Progress overwrites its own line at a terminal", () => {
  const printed: string[] = [];
  const progress = new Progress([1_000], () => 0, (text) => printed.push(text), true);
  progress.begin("SET");
  progress.end(1_000, "done");
  assertEquals(printed, ["\r\x1b[K[1 of 1, about 1 s left] SET …", "\r\x1b[Kdone\n"]);
});

Deno.test("durationText has seconds up to a minute and a half, then minutes", () => {
  assertEquals([0, 89_000, 90_000, 1_500_000].map(durationText), [
    "0 s",
    "89 s",
    "2 min",
    "25 min",
  ]);
});
