/** The runtime that Deno is. */

import { denoFiles } from "./deno_files.ts";
import { denoProcess } from "./deno_process.ts";
import { denoTimers } from "./deno_timers.ts";
import { openDenoWorker } from "./deno_worker.ts";
import type { LocalRuntime } from "./runtime.ts";
import { fillFromSystem, systemClock } from "./system_clock.ts";

export const denoRuntime: LocalRuntime = {
  name: "deno",
  version: Deno.version.deno,
  clock: systemClock,
  timers: denoTimers,
  files: denoFiles,
  process: denoProcess,
  fillRandom: fillFromSystem,
  openWorker: openDenoWorker,
};
