/**
 * Runs scenarios of simulated clusters with seeds of its own choice, for as long as it is told, and
 * stops at the first that fails: `deno task simulate [--seconds 60] [--seeds FROM-TO] [--seed N]`. With `--seeds` it
 * takes those, one after the other; with a seed, runs that one only, and shows what was done in it.
 */

import { parseArgs } from "@std/cli/parse-args";
import { seedHash } from "../../src/base/hash.ts";
import { runScenario } from "./scenario.ts";

// As in the test: a seed means the same in both.
seedHash(20_261, 129);

const { seed, seeds, seconds } = parseArgs(Deno.args, { string: ["seed", "seeds", "seconds"] });

if (seed !== undefined) {
  const { steps, ...outcome } = await runScenario(Number(seed));
  console.log(steps.join("\n"));
  console.log(outcome);
} else if (seeds !== undefined) {
  const [first, last] = seeds.split("-").map(Number);
  let confirmedCount = 0;
  for (let n = first; n <= last; n++) confirmedCount += (await runScenario(n)).confirmedCount;
  console.log(`${last - first + 1} seeds passed, ${confirmedCount} confirmed writes`);
} else {
  const endMs = Date.now() + Number(seconds ?? 60) * 1000;
  let count = 0;
  let virtualMs = 0;
  while (Date.now() < endMs) {
    const outcome = await runScenario(crypto.getRandomValues(new Uint32Array(1))[0]);
    count++;
    virtualMs += outcome.virtualMs;
  }
  console.log(`${count} seeds passed, ${Math.round(virtualMs / 60_000)} virtual minutes`);
}
