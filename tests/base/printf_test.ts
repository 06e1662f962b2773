import { assertEquals } from "@std/assert";
import { formatPrecise } from "../../src/base/printf.ts";

/** Numbers and what C's printf("%.17g") makes of them. */
const CASES: [number, string][] = [
  [0, "0"],
  [-0, "-0"],
  [3, "3"],
  [-12.5, "-12.5"],
  [0.1, "0.10000000000000001"],
  [1e16, "10000000000000000"],
  [1e17, "1e+17"],
  [1.2345678901234568e17, "1.2345678901234568e+17"],
  [0.0001, "0.0001"],
  [0.00001, "1.0000000000000001e-05"],
  [1e300, "1.0000000000000001e+300"],
  [607060903390.625, "607060903390.625"],
  [172607060903390.625, "172607060903390.62"],
  [172607060903390.875, "172607060903390.88"],
  [Infinity, "inf"],
  [-Infinity, "-inf"],
];
for (const [n, text] of CASES) {
  Deno.test(`formatPrecise writes ${text} as C does`, () =>
    assertEquals(formatPrecise(n, 17), text));
}
