/**
 * The scripts that EVAL and SCRIPT LOAD have brought, by their SHA-1. Those of EVAL are at most so many: who
 * generates scripts instead of passing arguments would fill the memory with them (as Redis has it since
 * 7.4). Those of SCRIPT LOAD stay until SCRIPT FLUSH.
 *
 * Not here: compiling. A script keeps its source, and the reference to its function as long as the state
 * that made it lives.
 */

import { equalBytes, toLatin1 } from "../base/bytes.ts";
import { hex, sha1, SHA1_BYTES } from "../base/sha1.ts";
import type { LuaState } from "../scripting/lua_state.ts";

/** Scripts of EVAL beyond this many push out those that were not used for the longest time. */
const EVAL_SCRIPTS_MAX = 500;
/** Approximate bytes of a script beside its source. */
const SCRIPT_BYTES = 300;

export interface CachedScript {
  /** 40 lower-case hex digits. */
  readonly sha: string;
  readonly shaBytes: Uint8Array;
  readonly source: Uint8Array;
  /** SCRIPT_* bits. */
  readonly flags: number;
  /** Bytes of the first line that Lua is not shown. */
  readonly shebangBytes: number;
  /** Came by EVAL: may be pushed out. */
  isEvictable: boolean;
  /** Order of the latest use. */
  usedAt: number;
  /** The state that has compiled it, and the reference to its function there. */
  state: LuaState | null;
  ref: number;
}

const digest = new Uint8Array(SHA1_BYTES);

/** The name of a script: the SHA-1 of its source in hex. */
export function nameOfScript(bytes: Uint8Array, start: number, length: number): string {
  sha1(bytes, start, length, digest);
  return hex(digest);
}

export class ScriptCache {
  readonly #scripts = new Map<string, CachedScript>();
  /** Those that may be pushed out. */
  readonly #evictable = new Set<CachedScript>();
  /** The latest one of each of the names that begin alike: found without making a string of the name. */
  readonly #recent = new Map<number, CachedScript>();
  /** What is run is mostly what was run before. */
  #last: CachedScript | null = null;
  #uses = 0;
  /** Scripts that were pushed out, since the start. */
  evicted = 0;
  /** Bytes in use. */
  memoryBytes = 0;

  get count(): number {
    return this.#scripts.size;
  }

  /** By its name in any case; null if it is not there. */
  byName(bytes: Uint8Array, start: number, length: number): CachedScript | null {
    if (length !== 40) return null;
    const prefix = prefixOf(bytes, start);
    const recent = this.#recent.get(prefix);
    if (recent !== undefined && equalBytes(recent.shaBytes, 0, 40, bytes, start, 40)) {
      return this.#used(recent);
    }
    const found = this.#scripts.get(toLatin1(bytes, start, 40).toLowerCase());
    if (found === undefined) return null;
    this.#recent.set(prefix, found);
    return this.#used(found);
  }

  /** Whether a script of that name is there; that is no use of it. */
  has(bytes: Uint8Array, start: number, length: number): boolean {
    return length === 40 && this.#scripts.has(toLatin1(bytes, start, 40).toLowerCase());
  }

  /** By its source. */
  bySource(bytes: Uint8Array, start: number, length: number): CachedScript | null {
    const { source } = this.#last ?? NONE;
    if (source.length === length && equalBytes(source, 0, length, bytes, start, length)) {
      return this.#used(this.#last!);
    }
    const found = this.#scripts.get(nameOfScript(bytes, start, length));
    return found === undefined ? null : this.#used(found);
  }

  #used(script: CachedScript): CachedScript {
    script.usedAt = ++this.#uses;
    this.#last = script;
    return script;
  }

  /** Adds a script that is not there. */
  add(script: CachedScript): void {
    this.#scripts.set(script.sha, script);
    this.memoryBytes += script.source.length + SCRIPT_BYTES;
    this.#used(script);
    if (!script.isEvictable) return;
    this.#evictable.add(script);
    if (this.#evictable.size > EVAL_SCRIPTS_MAX) this.#evict();
  }

  /** SCRIPT LOAD of one that EVAL has brought: it stays from now on. */
  keep(script: CachedScript): void {
    if (!script.isEvictable) return;
    script.isEvictable = false;
    this.#evictable.delete(script);
  }

  #evict(): void {
    let oldest: CachedScript | null = null;
    for (const script of this.#evictable) {
      if (oldest === null || script.usedAt < oldest.usedAt) oldest = script;
    }
    if (oldest === null) return;
    this.#scripts.delete(oldest.sha);
    this.#recent.clear();
    this.memoryBytes -= oldest.source.length + SCRIPT_BYTES;
    this.#evictable.delete(oldest);
    this.evicted++;
    oldest.state?.unref(oldest.ref);
    oldest.state = null;
  }

  clear(): void {
    this.#scripts.clear();
    this.#recent.clear();
    this.#last = null;
    this.#evictable.clear();
    this.memoryBytes = 0;
  }
}

/** The first seven digits of a name as a number; of anything else some number. */
function prefixOf(bytes: Uint8Array, start: number): number {
  let prefix = 0;
  for (let i = start; i < start + 7; i++) {
    const c = bytes[i] | 0x20;
    prefix = (prefix << 4) | ((c <= 57 ? c : c - 39) & 15);
  }
  return prefix;
}

const NONE = { source: new Uint8Array(0) };
