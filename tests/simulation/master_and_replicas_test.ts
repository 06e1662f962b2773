/**
 * A master and two replicas in one process, in some seeds with replicas of older versions, and clients, while everything
 * goes wrong that can: see scenario.ts. The same seeds each time, 200 of them; 1,000 in CI, with
 * TSREDIS_SIMULATED_SEEDS=1000, and `deno task simulate` runs others for as long as it is told.
 */

import { assert, assertEquals } from "@std/assert";
import process from "node:process"; // the environment, on Deno and on Bun
import { replayExactly } from "./replay.ts";
import { runScenario } from "./scenario.ts";

replayExactly();

const SEEDS = Number(process.env.TSREDIS_SIMULATED_SEEDS ?? "200");
const SEEDS_IN_TEST = 20;

for (let first = 1; first <= SEEDS; first += SEEDS_IN_TEST) {
  const last = Math.min(first + SEEDS_IN_TEST - 1, SEEDS);
  Deno.test(`a master and two replicas come into step, seeds ${first} to ${last}`, async () => {
    for (let seed = first; seed <= last; seed++) {
      const { writeCount, lookCount } = await runScenario(seed);
      assert(writeCount > 0 && lookCount > 0, `seed ${seed} was idle`);
    }
  });
}

Deno.test("the same seed goes the same way, whatever was run before it", async () => {
  const first = await runScenario(2);
  await runScenario(1);
  assertEquals(await runScenario(2), first);
});
