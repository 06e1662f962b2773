/**
 * `key-load-delay` and `rdb-key-save-delay`: loads and saves are slowed down by so many microseconds
 * for each key, for tests of what happens in the midst of one. Here the time passes between slices
 * instead of with the thread asleep.
 */

import type { Timers } from "../runtime/runtime.ts";

/** Keys of a slice, so that the pauses between slices are about so long, in microseconds. */
const PAUSE_MICROS = 2_000;

/** A long pause is looked at again after so long: CONFIG SET may have ended it. */
const LOOK_MS = 50;

/** Microseconds for each key: `delay`, or if that is negative, one for each `-delay` keys. */
function microsPerKey(delay: number): number {
  return delay < 0 ? -1 / delay : delay;
}

/** Keys after which a slice should end, at least 1; Infinity without a delay. */
export function keysPerSlice(delay: number): number {
  if (delay === 0) return Infinity;
  return Math.max(1, Math.floor(PAUSE_MICROS / microsPerKey(delay)));
}

/** Calls `work` as soon as others have had their turn, but with a delay not before its time. */
export function nextSlice(
  timers: Timers,
  delay: () => number,
  keysDone: number,
  work: () => void,
): void {
  if (delay() === 0 || keysDone === 0) timers.afterOthers(work);
  else pause(timers, delay, keysDone, 0, work);
}

/** The rest of a pause of which so much has passed. */
function pause(
  timers: Timers,
  delay: () => number,
  keysDone: number,
  passedMs: number,
  work: () => void,
): void {
  const leftMs = Math.ceil(microsPerKey(delay()) * keysDone / 1000) - passedMs;
  const ms = Math.min(leftMs, LOOK_MS);
  if (leftMs <= ms) timers.after(Math.max(ms, 0), work);
  else timers.after(ms, () => pause(timers, delay, keysDone, passedMs + ms, work));
}
