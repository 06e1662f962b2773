/**
 * How a simulated world has promises come to their end between two of its events.
 *
 * A turn of the real event loop does that, and takes as long as most events themselves. Both engines can
 * also be told to do it at once; then a turn is taken for many events, and is needed only for what
 * comes with one: that a rejection is found which nobody has handled.
 */

import { setImmediate } from "node:timers";
import { bunJsc } from "../builtin_modules.ts";

/** Events of one turn of the event loop, where more than one is possible. */
const EVENTS_PER_TURN = 256;

/** Runs all that promises have waiting. Does nothing where the engine does not let itself be told. */
type Settle = () => void;

/**
 * Calls `work` again and again until it answers with something, and hands that on. Between two calls
 * all promises that can go on without one have done so. @throws what `work` throws
 */
export function inTurns<T>(work: () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const turn = () => {
      try {
        for (let left = settle === null ? 1 : EVENTS_PER_TURN; left > 0; left--) {
          const result = work();
          if (result !== undefined) return resolve(result);
          settle?.();
        }
      } catch (error) {
        return reject(error);
      }
      setImmediate(turn);
    };
    setImmediate(turn);
  });
}

/** Null where the engine does not let itself be told: a turn then is of one event. */
const settle: Settle | null = ofBun() ?? ofDeno();

function ofBun(): Settle | null {
  return "Bun" in globalThis ? bunJsc().drainMicrotasks ?? null : null;
}

/** What Deno's own modules use; no interface that it promises to keep. */
function ofDeno(): Settle | null {
  const { internal } = Deno as unknown as { internal: symbol };
  const within =
    (Deno as unknown as Record<symbol, { core?: { runMicrotasks?: Settle } }>)[internal];
  return within?.core?.runMicrotasks ?? null;
}
