/** The runtime that Bun is. */

import { lockByBun } from "./bun_lock.ts";
import { BunNetwork } from "./bun_network.ts";
import { BunTimers } from "./bun_timers.ts";
import { bun } from "./bun_types.ts";
import { bunFfi } from "./builtin_modules.ts";
import { NodeFiles } from "./node_files.ts";
import { NodeProcess } from "./node_process.ts";
import type { Runtime } from "./runtime.ts";
import { isSameSecret } from "./secrets.ts";
import { fillFromSystem, systemClock } from "./system_clock.ts";
import { openWebWorker } from "./web_worker.ts";

export function bunRuntime(): Runtime {
  return {
    name: "bun",
    version: bun().version,
    clock: systemClock,
    timers: new BunTimers(),
    network: new BunNetwork(),
    files: new NodeFiles((descriptor) => lockByBun(bunFfi, descriptor)),
    process: new NodeProcess(),
    fillRandom: fillFromSystem,
    isSameSecret,
    openWorker: openWebWorker,
  };
}
