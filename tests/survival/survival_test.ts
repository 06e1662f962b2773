/** The trials of `deno task survive`, each in its short form and always with the same seed. */

import { TRIALS } from "./trials.ts";
import { runTrial } from "./trial.ts";

const SEED = 1;

for (const trial of TRIALS) {
  const { amount, size } = trial.short;
  const suffix = trial.needs === undefined ? "" : ` [${trial.needs.suffix}]`;
  Deno.test({
    name:
      `survival, ${trial.name}, in short (${amount} ${trial.unit}, ${size} ${trial.sizeOf})${suffix}`,
    ignore: trial.needs?.isHere === false,
    fn: async () => void await runTrial(trial, SEED, trial.short),
  });
}
