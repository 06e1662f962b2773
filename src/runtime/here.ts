/**
 * The runtime of this process. Only where a program begins is it asked for (main.ts, src/server.ts,
 * the module of a worker): everything else is handed one. See "A door to the runtime" in NOTES.
 */

import { bunRuntime } from "./bun.ts";
import { denoRuntime } from "./deno.ts";
import type { Runtime } from "./runtime.ts";

// Both are imported: with an await here, which choosing among imports would take, a program that Bun
// compiles to bytecode ends at once and says nothing.
export const runtime: Runtime = "Bun" in globalThis ? bunRuntime() : denoRuntime();
