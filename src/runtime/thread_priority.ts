/** What a thread that is in no hurry tells the system. */

import { nodeOs } from "./builtin_modules.ts";

/**
 * So much more niceness makes the system give a thread a third of what others get where they compete. Not less: the
 * longer a snapshot takes, the more has to be kept of what changes meanwhile.
 */
const NICER = 5;
const NICEST = 19;

/**
 * Has other threads go before this one where the processors are too few for all. Linux has a niceness for each
 * thread; elsewhere it is that of the whole process, so nothing is done there, nor where it is not permitted.
 */
export function lowerThreadPriority(os: string): void {
  if (os !== "linux") return;
  try {
    const { getPriority, setPriority } = nodeOs();
    setPriority(0, Math.min(getPriority(0) + NICER, NICEST));
  } catch {
    // It goes on as urgently as the others.
  }
}
