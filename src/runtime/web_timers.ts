/** The timers that Deno and Bun share with browsers: all but how others are let have their turn. */

import type { Timer } from "./runtime.ts";

export abstract class WebTimers {
  after(ms: number, work: () => void): Timer {
    return setTimeout(work, ms);
  }

  every(ms: number, work: () => void): Timer {
    return setInterval(work, ms);
  }

  cancel(timer: Timer | null): void {
    if (timer !== null) clearTimeout(timer as number);
  }

  soon(work: () => void): void {
    queueMicrotask(work);
  }
}
