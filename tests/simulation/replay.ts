/**
 * What is of the whole process and would not be the same in each: it is settled before the first server of a simulation,
 * so that a seed goes the same way wherever and after whatever it is run.
 */

import { blocks } from "../../src/base/blocks.ts";
import { seedHash } from "../../src/base/hash.ts";

/** To be called before any table is filled. */
export function replayExactly(): void {
  seedHash(20_261, 129);
  // Otherwise INFO, which a replica asks its master for, tells what garbage collection has not given back yet.
  blocks.sharesNothing = true;
}
