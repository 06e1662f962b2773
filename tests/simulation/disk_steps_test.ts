/**
 * Disk operations of every undertaking (see disk_steps.ts), with each fate in turn: one in twelve of them, and all
 * of them in long runs.
 */

import { assert } from "@std/assert";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { FATES, StepPlay, UNDERTAKINGS } from "./disk_steps.ts";

const STRIDE = fuzzRounds(1) > 1 ? 1 : 12;

for (const [which, undertaking] of UNDERTAKINGS.entries()) {
  for (const [nth, fate] of FATES.entries()) {
    Deno.test(`${undertaking.name}: ${fate} at any of its disk operations`, async () => {
      const first = fuzzSeed(1);
      for (let seed = first; seed < first + fuzzRounds(1); seed++) {
        let at = 1 + (which * 5 + nth * 3) % STRIDE;
        for (;; at += STRIDE) {
          const play = new StepPlay(undertaking, seed, fate, at);
          try {
            if (!await play.play()) break;
          } catch (error) {
            throw new Error(
              `seed ${seed}, operation ${at}: ${error}\n${
                play.server.logLines.slice(-40).join("\n")
              }`,
              { cause: error },
            );
          }
        }
        assert(at > STRIDE, `fewer than ${at} operations`);
      }
    });
  }
}
