/**
 * The function libraries of a dataset, as their source. Beside the databases: they belong to
 * none, FLUSHALL leaves them, and a snapshot has them before its keys.
 *
 * Nothing here runs them: that is for dispatch/functions.ts. The last one to be loaded under a name stays last.
 */

import { toLatin1 } from "../base/bytes.ts";

/** The first line: the engine, and the name among its options. */
const HEAD = /^#!\S+(?:[^\S\n][^\n]*?)?[^\S\n]name=([A-Za-z0-9_]+)(?:[^\S\n]|\n|$)/i;
/** A first line that names a library is not longer. */
const HEAD_BYTES_MAX = 1024;
/** Approximate bytes of a library beside its source. */
const LIBRARY_BYTES = 200;

/** The name in the first line of a library's source; null when there is none. */
export function libraryName(code: Uint8Array): string | null {
  return HEAD.exec(toLatin1(code, 0, Math.min(code.length, HEAD_BYTES_MAX)))?.[1] ?? null;
}

export class FunctionLibraries {
  #codes = new Map<string, Uint8Array>();
  /** Bytes in use. */
  memoryBytes = 0;
  /** Another number after each change: who has compiled them sees that they are others. */
  version = 0;

  get count(): number {
    return this.#codes.size;
  }

  has(name: string): boolean {
    return this.#codes.has(name);
  }

  /** The sources, each whole. */
  get codes(): Iterable<Uint8Array> {
    return this.#codes.values();
  }

  /** Adds a library, whose source is kept; takes the place of the one with that name. */
  set(name: string, code: Uint8Array): void {
    const old = this.#codes.get(name);
    if (old !== undefined) this.memoryBytes -= old.length + LIBRARY_BYTES;
    this.memoryBytes += code.length + LIBRARY_BYTES;
    this.#codes.delete(name);
    this.#codes.set(name, code);
    this.version++;
  }

  /** Removes a library that is there. */
  delete(name: string): void {
    this.memoryBytes -= this.#codes.get(name)!.length + LIBRARY_BYTES;
    this.#codes.delete(name);
    this.version++;
  }

  clear(): void {
    this.#codes.clear();
    this.memoryBytes = 0;
    this.version++;
  }

  /** Exchanges the libraries of two datasets. */
  exchange(other: FunctionLibraries): void {
    const codes = this.#codes;
    const bytes = this.memoryBytes;
    this.version++;
    other.version++;
    this.#codes = other.#codes;
    this.memoryBytes = other.memoryBytes;
    other.#codes = codes;
    other.memoryBytes = bytes;
  }
}
