/** Draws of the simulated world, all from the one sequence that its seed determines. */

import type { Draw } from "../../base/clock.ts";

/** A range that is drawn from, both ends included as far as rounding goes. */
export type Range = readonly [low: number, high: number];

/** A number of the range. */
export function within(draw: Draw, [low, high]: Range): number {
  return low + draw() * (high - low);
}

/** An integer from 0 to `limit` - 1. */
export function below(draw: Draw, limit: number): number {
  return Math.floor(draw() * limit);
}
