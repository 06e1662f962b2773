/**
 * Modules of Node that Deno and Bun have built in. They are fetched when first needed and not imported:
 * under Deno an import of one of them makes the start take 20 ms more.
 */

import type Fs from "node:fs";
import type Os from "node:os";
import type Process from "node:process";

/** Node's global `process`, which Deno and Bun have too. */
export function nodeGlobal(): typeof Process {
  return (globalThis as unknown as { process: typeof Process }).process;
}

export function nodeFs(): typeof Fs {
  return nodeGlobal().getBuiltinModule("node:fs");
}

export function nodeOs(): typeof Os {
  return nodeGlobal().getBuiltinModule("node:os");
}
