/** The machine's clock and randomness, which every runtime offers under the same names. */

import type { Clock } from "../base/clock.ts";

/** `crypto` gives no more at once. */
const RANDOM_BYTES_MAX = 65_536;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** See Runtime.fillRandom. */
export function fillFromSystem(bytes: Uint8Array<ArrayBuffer>): void {
  for (let at = 0; at < bytes.length; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
  }
}
