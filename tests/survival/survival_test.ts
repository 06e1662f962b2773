/** The trials of `deno task survive`, each in its short form and always with the same seed. */

import { TRIALS } from "./trials.ts";
import { runTrial } from "./trial.ts";

const SEED = 1;

for (const trial of TRIALS) {
  const { amount, size } = trial.short;
  Deno.test(`survival, ${trial.name}, in short (${amount} ${trial.unit}, ${size} ${trial.sizeOf})`, async () => {
    await runTrial(trial, SEED, trial.short);
  });
}
