/** Locking files by Bun, which has no locks: the C library's flock. */

import { type ForeignFunctions, LIBC_NAMES } from "./builtin_modules.ts";

/** LOCK_EX | LOCK_NB: alone, and without waiting. */
const EXCLUSIVE_AT_ONCE = 2 | 4;

type Flock = (descriptor: number, operation: number) => number | bigint;
let flock: Flock | null | undefined;

/** Locks an open file until it is closed; false when another has the lock, or there are no locks. */
export function lockByBun(functions: () => ForeignFunctions, descriptor: number): boolean {
  if (flock === undefined) flock = openFlock(functions());
  return flock !== null && Number(flock(descriptor, EXCLUSIVE_AT_ONCE)) === 0;
}

function openFlock(ffi: ForeignFunctions): Flock | null {
  for (const name of [...LIBC_NAMES, "libSystem.B.dylib"]) {
    try {
      return ffi.dlopen(name, { flock: { args: ["int", "int"], returns: "int" } }).symbols.flock;
    } catch {
      // That of another kind of system.
    }
  }
  return null;
}
