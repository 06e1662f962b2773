/** The last words of a server that ends itself because going on would do harm. A part of src/core.ts. */

import type { Log } from "./observe/log.ts";

/** Exit code of a program that has called abort: 128 and the number of SIGABRT. */
export const ABORT_EXIT_CODE = 134;
/** The same where `use-exit-on-panic` is on. */
export const PANIC_EXIT_CODE = 1;

/**
 * Says in the log why the server ends, between the lines by which tools and people find such an end in a log
 * of Redis. What Redis adds to them (registers, a test of memory) tells of a C program; here a fault has a stack.
 */
export function logPanic(log: Log, message: string): void {
  log.warning("=== REDIS BUG REPORT START: Cut & paste starting from here ===");
  log.warning("------------------------------------------------");
  log.warning("!!! Software Failure. Press left mouse button to continue");
  log.warning(`Guru Meditation: ${message}`);
  log.warning("------------------------------------------------");
  log.warning("=== REDIS BUG REPORT END. Make sure to include from START to END. ===");
}
