/**
 * The runtime of this process. Only where a program begins is it asked for (main.ts, src/server.ts,
 * the module of a worker): everything else is handed one.
 */

import { denoRuntime } from "./deno.ts";
import type { Runtime } from "./runtime.ts";

export const runtime: Runtime = denoRuntime();
