/** The counts and names that `deno task test` closes with. */

import { assertEquals } from "@std/assert";
import { readCounts, readSkippedNames } from "../../tools/test.ts";

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
