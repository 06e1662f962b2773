/**
 * Runs scenarios of simulated clusters: `deno task simulate [--seconds 60] [--seeds FROM-TO] [--seed N]`. For as long
 * as it is told it takes seeds of its own choice, with `--seeds` those, one after the other; a seed that fails is shown
 * with its report, and the others are still run. With one seed, shows what was done in it.
 */

import { parseArgs } from "@std/cli/parse-args";
import { replayExactly } from "./replay.ts";
import { runScenario } from "./scenario.ts";
import { Tally } from "./tally.ts";

replayExactly();

const { seed, seeds, seconds } = parseArgs(Deno.args, { string: ["seed", "seeds", "seconds"] });

/** The seeds that were asked for. */
function* chosenSeeds(): Iterable<number> {
  if (seeds !== undefined) {
    const [first, last] = seeds.split("-").map(Number);
    for (let n = first; n <= last; n++) yield n;
    return;
  }
  const endMs = Date.now() + Number(seconds ?? 60) * 1000;
  while (Date.now() < endMs) yield crypto.getRandomValues(new Uint32Array(1))[0];
}

if (seed !== undefined) {
  const { steps, ...outcome } = await runScenario(Number(seed));
  console.log(steps.join("\n"));
  console.log(outcome);
} else {
  const tally = new Tally();
  const failed: number[] = [];
  for (const n of chosenSeeds()) {
    try {
      tally.add(await runScenario(n));
    } catch (error) {
      failed.push(n);
      console.error(error instanceof Error ? error.message : error);
    }
  }
  console.log(tally.toString());
  if (failed.length > 0) {
    console.log(`${failed.length} seeds failed: ${failed.join(", ")}`);
    Deno.exitCode = 1;
  }
}
