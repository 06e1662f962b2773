/**
 * How long work is cut into slices: a slice, then whatever is ready on sockets and timers, then the
 * next slice as soon as possible.
 */

import { denoTimers } from "../runtime/deno_timers.ts";

/** Calls `work` once all that is ready by now has had its turn. */
export const afterOthers = denoTimers.afterOthers;

/** A promise for `afterOthers`. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => afterOthers(resolve));
}
