import { assertEquals } from "@std/assert";
import { cumulativeCounts, percentileUsec, totalUsec } from "../../src/observe/latency_counts.ts";

function counts(...pairs: [index: number, count: number][]): Float64Array {
  const all = new Float64Array(40);
  for (const [index, count] of pairs) all[index] = count;
  return all;
}

Deno.test("percentileUsec gives the upper end of the range that the percentile lies in", () => {
  const some = counts([0, 50], [3, 49], [10, 1]);
  assertEquals([50, 51, 99, 99.1, 100].map((p) => percentileUsec(some, p)), [1, 8, 8, 1024, 1024]);
  assertEquals(percentileUsec(counts(), 50), 0);
});

Deno.test("cumulativeCounts adds up, scaled to the number of calls", () => {
  assertEquals([...cumulativeCounts(counts([1, 16], [4, 16]), 20)], [[2, 10], [16, 20]]);
  assertEquals([...cumulativeCounts(counts(), 0)], []);
});

Deno.test("totalUsec extends what was measured to all calls", () => {
  assertEquals(totalUsec({ calls: 4, usec: 160, latencyCounts: counts([4, 16]) }), 40);
  assertEquals(totalUsec({ calls: 4, usec: 0, latencyCounts: null }), 0);
});
