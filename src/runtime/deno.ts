/** The runtime that Deno is. */

import { denoFiles } from "./deno_files.ts";
import { denoProcess } from "./deno_process.ts";
import { DenoNetwork } from "./deno_sockets.ts";
import { DenoTimers } from "./deno_timers.ts";
import { openDenoWorker } from "./deno_worker.ts";
import type { Runtime } from "./runtime.ts";
import { fillFromSystem, systemClock } from "./system_clock.ts";

export const denoRuntime: Runtime = {
  name: "deno",
  version: Deno.version.deno,
  clock: systemClock,
  timers: new DenoTimers(),
  network: new DenoNetwork(),
  files: denoFiles,
  process: denoProcess,
  fillRandom: fillFromSystem,
  openWorker: openDenoWorker,
};
