/**
 * Servers on simulated disks with seeds of its own choice: `deno task simulate:disk [--seconds 60 | --seeds N]
 * [--first SEED] [--life MS]`. For each seed the lives of disk_lives.ts with every way of persistence; for one in
 * 200 also every disk operation of every undertaking of disk_steps.ts. Stops at the first that fails, and ends with
 * what was done.
 */

import { parseArgs } from "@std/cli/parse-args";
import { DiskLives, WAYS } from "./disk_lives.ts";
import { FATES, StepPlay, UNDERTAKINGS } from "./disk_steps.ts";

const STEPS_EVERY = 200;

const args = parseArgs(Deno.args, { string: ["seconds", "seeds", "first", "life"] });
const seeds = args.seeds === undefined ? Infinity : Number(args.seeds);
const seconds = args.seconds === undefined
  ? args.seeds === undefined ? 60 : Infinity
  : Number(args.seconds);
const first = args.first === undefined
  ? crypto.getRandomValues(new Uint32Array(1))[0]
  : Number(args.first);

const endMs = Date.now() + seconds * 1000;
const counts = { seeds: 0, lives: 0, writes: 0, rewrites: 0, plays: 0 };
for (let seed = first; counts.seeds < seeds && Date.now() < endMs; seed++) {
  for (const way of WAYS) {
    const lives = new DiskLives(seed, way, args.life === undefined ? undefined : Number(args.life));
    await lives.play();
    counts.lives += lives.count;
    counts.writes += lives.writes;
    counts.rewrites += lives.rewrites;
  }
  if (counts.seeds % STEPS_EVERY === 0) await everyStep(seed);
  counts.seeds++;
}
console.log(
  `${counts.seeds} seeds from ${first} on passed, each with ${
    WAYS.join(", ")
  }: ${counts.lives} lives, ` +
    `${counts.writes} writes answered, ${counts.rewrites} rewrites and saves; ` +
    `${counts.plays} disk operations with a fate`,
);
// Simulated servers that were killed leave promises that never end.
Deno.exit(0);

async function everyStep(seed: number): Promise<void> {
  for (const undertaking of UNDERTAKINGS) {
    for (const fate of FATES) {
      for (let at = 1;; at++) {
        const play = new StepPlay(undertaking, seed, fate, at);
        try {
          if (!await play.play()) break;
        } catch (error) {
          const log = play.server.logLines.slice(-40).join("\n");
          const where = `${undertaking.name}, ${fate} at operation ${at}, seed ${seed}`;
          throw new Error(`${where}: ${error}\n${log}`, { cause: error });
        }
        counts.plays++;
      }
    }
  }
}
