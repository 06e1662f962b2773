/** Counters and rates behind INFO. */

import { assert, assertEquals } from "@std/assert";
import { Statistics } from "../../src/observe/statistics.ts";

Deno.test("rates are of what was counted between samples, over the last sixteen", () => {
  const { commandRate } = new Statistics();
  for (let i = 0; i <= 16; i++) commandRate.sample(i * 10, 1000 + i * 100);
  assertEquals(commandRate.perSecond, 100);
  commandRate.sample(160, 2700);
  assertEquals(commandRate.perSecond, 100 * 15 / 16);
});

Deno.test("rates are not negative once their counters are back at zero", () => {
  const statistics = new Statistics();
  const rates = Object.entries(statistics).filter(([name]) => name.endsWith("Rate"));
  assert(rates.length >= 7);
  for (const [, rate] of rates) {
    rate.sample(0, 1000);
    rate.sample(5000, 1100);
  }
  statistics.reset();
  for (const [name, rate] of rates) {
    assertEquals(rate.perSecond, 0, name);
    rate.sample(16, 1200);
    assertEquals(rate.perSecond, 10, name);
  }
});
