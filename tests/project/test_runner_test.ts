/** How `deno task test` shortens what `deno test` prints, and the counts it closes with. */

import { assertEquals } from "@std/assert";
import { readCounts, readSkippedNames, sorted, Summary } from "../../tools/test.ts";

Deno.test("readCounts reads the closing line of deno test, coloured or not", () => {
  assertEquals(
    readCounts(
      "a ... ok\n\n\x1b[32mok\x1b[0m | 12 passed (3 steps) | 0 failed | 2 ignored (5ms)\n",
    ),
    { passed: 12, failed: 0, skipped: 2 },
  );
  assertEquals(
    readCounts("FAILED | 4 passed (2 steps) | 7 failed (1 step) (221ms)\n"),
    { passed: 4, failed: 7, skipped: 0 },
  );
});

Deno.test("readCounts takes the last such line: a test may print one itself", () => {
  const output = "ok | 9 passed | 0 failed (1ms)\nFAILED | 1 passed | 2 failed (1ms)\n";
  assertEquals(readCounts(output), { passed: 1, failed: 2, skipped: 0 });
});

Deno.test("readCounts gives null when deno test ended before it ran anything", () => {
  assertEquals(readCounts("error: Type checking failed.\n"), null);
});

Deno.test("readSkippedNames unescapes the names of a JUnit report", () => {
  const report = `<testsuite>
    <testcase name="runs" classname="./a_test.ts" time="0.1" line="1" col="6">
    </testcase>
    <testcase name="a &lt;b&gt; &amp;amp; &quot;q&quot;" classname="./a_test.ts" time="0.0">
        <skipped/>
    </testcase>
  </testsuite>`;
  assertEquals(readSkippedNames(report), ['a <b> &amp; "q"']);
});

/** What is printed for these lines, of which each comes 100 ms after the one before. */
function summaryOf(...lines: string[]): string {
  const summary = new Summary();
  const shown = lines.map((line, index) => summary.line(line, index * 100)).join("");
  return shown + summary.end(lines.length * 100);
}

Deno.test("Summary prints a line per file, with its time", () => {
  const shown = summaryOf(
    "\x1b[38;5;245mrunning 3 tests from ./tests/a_test.ts\x1b[0m",
    "one ... \x1b[0m\x1b[32mok\x1b[0m (1ms)",
    "two ...",
    "  a step ... ok (0ms)",
    "two ... ok (2ms)",
    "three ... ignored (0ms)",
    "running 1 test from ./tests/b_test.ts",
    "------- output -------",
    "a ... FAILED (1ms)",
    "----- output end -----",
    "four ... ok (1s)",
    "",
    "ok | 3 passed (1 step) | 0 failed | 1 ignored (5ms)",
    "",
  );
  assertEquals(
    shown,
    "tests/a_test.ts ... 2 passed, 1 skipped (0.6 s)\ntests/b_test.ts ... 1 passed (0.6 s)\n\n",
  );
});

Deno.test("Summary prints a failed test's output with its file, and the errors whole", () => {
  const shown = summaryOf(
    "running 3 tests from ./tests/a_test.ts",
    "one ...",
    "------- output -------",
    "not of interest",
    "----- output end -----",
    "one ... ok (1ms)",
    "two ...",
    "  good step ... ok (0ms)",
    "  bad step ...",
    "------- output -------",
    "running out of luck",
    "running 9 tests",
    "----- output end -----",
    "  bad step ... FAILED (0ms)",
    "two ... FAILED (due to 1 failed step) (2ms)",
    "three ... ok (0ms)",
    "",
    " ERRORS ",
    "",
    "two ... bad step => ./tests/a_test.ts:4:6",
    "error: Error: boom",
    "",
    "FAILED | 2 passed (1 step) | 1 failed (1 step) (5ms)",
  );
  assertEquals(
    shown.split("\n"),
    [
      "tests/a_test.ts ... 2 passed, 1 FAILED (1.7 s)",
      "two ...",
      "  bad step ...",
      "------- output -------",
      "running out of luck",
      "running 9 tests",
      "----- output end -----",
      "  bad step ... FAILED (0ms)",
      "two ... FAILED (due to 1 failed step) (2ms)",
      "",
      " ERRORS ",
      "",
      "two ... bad step => ./tests/a_test.ts:4:6",
      "error: Error: boom",
      "",
      "",
    ],
  );
});

Deno.test("Summary counts a module's uncaught error, and survives output that never ends", () => {
  const shown = summaryOf(
    "running 1 test from ./a_test.ts",
    "one ... ok (1ms)",
    "------- post-test output -------",
    "unloaded",
    "Uncaught error from ./b_test.ts FAILED",
    "running 2 tests from ./c_test.ts",
    "two ... ok (1ms)",
    "three ...",
  );
  assertEquals(
    shown.split("\n"),
    [
      "a_test.ts ... 1 passed (0.4 s)",
      "b_test.ts ... 0 passed, 1 FAILED (0.1 s)",
      "Uncaught error from ./b_test.ts FAILED",
      "c_test.ts ... 1 passed (0.3 s)",
      "three ...",
      "",
    ],
  );
});

Deno.test("Summary passes on what comes before any file: a type error", () => {
  assertEquals(summaryOf("TS2322 [ERROR]: no", "    at x"), "TS2322 [ERROR]: no\n    at x\n");
});

Deno.test("sorted lets be skipped, where peers are required, only what no package can be installed for", () => {
  const names = ["a", "b [old servers]", "c [own disk]", "[own disk] d", "e [own network]"];
  assertEquals(sorted(names, true), [[names[1], names[2], names[4]], [names[0], names[3]]]);
  assertEquals(sorted(names, false), [names, []]);
});
