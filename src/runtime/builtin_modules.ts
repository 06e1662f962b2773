/**
 * Modules of Node that Deno and Bun have built in, and one of Bun's own. They are fetched when first
 * needed and not imported: under Deno an import of one of them makes the start take 20 ms more.
 */

import type Crypto from "node:crypto";
import type Fs from "node:fs";
import type Net from "node:net";
import type Os from "node:os";
import type Process from "node:process";
import type Tls from "node:tls";
import type Tty from "node:tty";
import type V8 from "node:v8";
import type Vm from "node:vm";

/** Node's global `process`, which Deno and Bun have too. */
export function nodeGlobal(): typeof Process {
  return (globalThis as unknown as { process: typeof Process }).process;
}

export function nodeCrypto(): typeof Crypto {
  return nodeGlobal().getBuiltinModule("node:crypto");
}

export function nodeFs(): typeof Fs {
  return nodeGlobal().getBuiltinModule("node:fs");
}

export function nodeNet(): typeof Net {
  return nodeGlobal().getBuiltinModule("node:net");
}

export function nodeOs(): typeof Os {
  return nodeGlobal().getBuiltinModule("node:os");
}

export function nodeTls(): typeof Tls {
  return nodeGlobal().getBuiltinModule("node:tls");
}

export function nodeTty(): typeof Tty {
  return nodeGlobal().getBuiltinModule("node:tty");
}

export function nodeV8(): typeof V8 {
  return nodeGlobal().getBuiltinModule("node:v8");
}

/** What is used of Bun's `bun:jsc`: its engine, from inside. */
export interface EngineFigures {
  /** Bytes of objects as of the latest collection, and of those made since. */
  heapSize(): number;
  /** Runs all that promises have waiting. */
  drainMicrotasks?(): void;
}

/** Only Bun has it. */
export function bunJsc(): EngineFigures {
  const { getBuiltinModule } = nodeGlobal() as { getBuiltinModule(name: string): unknown };
  return getBuiltinModule("bun:jsc") as EngineFigures;
}

export function nodeVm(): typeof Vm {
  return nodeGlobal().getBuiltinModule("node:vm");
}

/** The C library of glibc and of musl, as the linker knows them. */
export const LIBC_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** What is used of Bun's `bun:ffi`: functions of a library of the system, called by number and address. */
export interface ForeignFunctions {
  dlopen(
    library: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<string, (...args: number[]) => number | bigint>; close(): void };
  ptr(bytes: Uint8Array): number;
}

/** Only Bun has it. */
export function bunFfi(): ForeignFunctions {
  const { getBuiltinModule } = nodeGlobal() as { getBuiltinModule(name: string): unknown };
  return getBuiltinModule("bun:ffi") as ForeignFunctions;
}
