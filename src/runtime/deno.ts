/** The runtime that Deno is. */

import { DenoFiles } from "./deno_files.ts";
import { DenoProcess } from "./deno_process.ts";
import { DenoNetwork } from "./deno_sockets.ts";
import { DenoTimers } from "./deno_timers.ts";
import type { Runtime } from "./runtime.ts";
import { isSameSecret } from "./secrets.ts";
import { fillFromSystem, systemClock } from "./system_clock.ts";
import { openWebWorker } from "./web_worker.ts";

export function denoRuntime(): Runtime {
  return {
    name: "deno",
    version: Deno.version.deno,
    clock: systemClock,
    timers: new DenoTimers(),
    network: new DenoNetwork(),
    files: new DenoFiles(),
    process: new DenoProcess(),
    fillRandom: fillFromSystem,
    isSameSecret,
    openWorker: openWebWorker,
  };
}
