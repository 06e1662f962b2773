/** The rows of bits beside the table of lengths that they stand for. */

import { assertEquals } from "@std/assert";
import { commonLength, type CommonRun, commonRuns } from "../../src/base/common_subsequence.ts";
import { Random } from "../support/random.ts";

/** By the whole table, as the reference page of LCS describes it. */
function plainRuns(a: Uint8Array, b: Uint8Array): { length: number; runs: CommonRun[] } {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      lengths[i][j] = a[i - 1] === b[j - 1]
        ? lengths[i - 1][j - 1] + 1
        : Math.max(lengths[i - 1][j], lengths[i][j - 1]);
    }
  }
  const runs: CommonRun[] = [];
  let isInRun = false;
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      const last = runs.at(-1);
      if (isInRun && last) {
        runs[runs.length - 1] = { startA: --i, startB: --j, length: last.length + 1 };
      } else runs.push({ startA: --i, startB: --j, length: 1 });
      isInRun = true;
    } else {
      isInRun = false;
      if (lengths[i - 1][j] > lengths[i][j - 1]) i--;
      else j--;
    }
  }
  return { length: lengths[a.length][b.length], runs };
}

Deno.test("commonRuns finds the very runs that the table of all lengths leads to", () => {
  const random = new Random(5);
  for (let round = 0; round < 400; round++) {
    const letters = 1 + random.below(round % 10 === 0 ? 256 : 5);
    const draw = (max: number) =>
      Uint8Array.from({ length: random.below(max) }, () => random.below(letters));
    // Beyond 32 and 64 bytes sums carry from word to word.
    const a = draw(120);
    const b = draw(120);
    const expected = plainRuns(a, b);
    assertEquals(commonLength(a, b), expected.length);
    assertEquals(commonRuns(a, b), expected.runs);
  }
});
