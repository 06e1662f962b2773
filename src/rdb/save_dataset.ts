/**
 * The dataset as a snapshot: what stands around the records. `saveDataset` writes all of it at once
 * (SAVE, SHUTDOWN); src/rdb/snapshot.ts uses the same pieces between requests (BGSAVE, full sync).
 */

import { REDIS_VERSION } from "../config/version.ts";
import type { Database } from "../keyspace/database.ts";
import type { DatabaseContent } from "../keyspace/doors.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  RDB_VERSION_AUX,
  RDB_VERSION_LISTPACKS,
  RDB_VERSION_SCORES,
  RDB_VERSION_STREAMS,
} from "./format.ts";
import { writeRecord } from "./save_value.ts";
import { isHeld, unheldKey, unheldLibrary } from "./versions.ts";
import type { RdbEncoder } from "./writer.ts";

/** What is saved: all that is served, or what was replaced and is to come back. */
export type SavedDataset =
  & Pick<Keyspace, "clock" | "dataBytes" | "idleSeconds" | "lfuCounter">
  & { readonly databases: readonly Database[] }
  & { readonly libraries: Pick<Keyspace["libraries"], "codes"> };

/** What is saved of the access clock, after `maxmemory-policy`: nothing, */
export const ACCESS_NONE = 0;
/** seconds without access, */
export const ACCESS_IDLE = 1;
/** or the frequency of access. */
export const ACCESS_FREQUENCY = 2;

/** ACCESS_* for a `maxmemory-policy`. */
export function accessOf(policy: string): number {
  if (policy.endsWith("-lru")) return ACCESS_IDLE;
  return policy.endsWith("-lfu") ? ACCESS_FREQUENCY : ACCESS_NONE;
}

/** A database as it was when the save began; FLUSHALL and SWAPDB do not change this object. */
export class SavedDatabase {
  readonly index: number;
  readonly content: DatabaseContent;
  readonly keys: number;
  /** Whether its number of keys has been written. */
  isAnnounced = false;

  constructor(database: Database) {
    this.index = database.index;
    this.content = database.capture();
    this.keys = database.count;
  }
}

/** Hears of a key or library that is left out of a snapshot because its version cannot hold it: a line for the log. */
export type LeftOutListener = (what: string) => void;

/** What a snapshot says of itself before the first key. */
export interface SnapshotHead {
  /** Further aux fields. */
  readonly aux?: readonly (readonly [string, string | number])[];
  /** Whether it is the base of an append-only file. */
  readonly isAofBase?: boolean;
}

/**
 * Writes aux fields, and before each key which database it is in, its expiry and access clock, as far as the version
 * of the encoders knows them.
 */
export class DatasetWriter {
  readonly #dataset: SavedDataset;
  readonly #access: number;
  readonly #leftOut: LeftOutListener | null;
  #selected = -1;

  /**
   * `access` is ACCESS_*. With `leftOut` what the version cannot hold is left out and told to it; without, the version
   * has to be one that can hold all.
   */
  constructor(dataset: SavedDataset, access: number, leftOut: LeftOutListener | null = null) {
    this.#dataset = dataset;
    this.#access = access;
    this.#leftOut = leftOut;
  }

  /** Writes header and aux fields. */
  begin(out: RdbEncoder, { aux = [], isAofBase = false }: SnapshotHead = {}): void {
    out.writeHeader();
    if (out.version < RDB_VERSION_AUX) return;
    out.writeAux("redis-ver", REDIS_VERSION);
    out.writeAux("redis-bits", 64);
    out.writeAux("ctime", Math.floor(this.#dataset.clock.now() / 1000));
    out.writeAux("used-mem", this.#dataset.dataBytes);
    for (const [name, value] of aux) out.writeAux(name, value);
    const isBase = isAofBase ? 1 : 0;
    if (out.version >= RDB_VERSION_LISTPACKS) out.writeAux("aof-base", isBase);
    else if (out.version >= RDB_VERSION_SCORES) out.writeAux("aof-preamble", isBase);
  }

  /** Writes the function libraries, which stand before the first key. */
  writeLibraries(out: RdbEncoder): void {
    for (const code of this.#dataset.libraries.codes) {
      if (out.version >= RDB_VERSION_LISTPACKS) out.writeLibrary(code);
      else if (this.#leftOut !== null) this.#leftOut(unheldLibrary(out.version, code));
      else throw new Error(`rdb: a function library in version ${out.version}`);
    }
  }

  /** Whether a record is to be written in this version; if not, that has been told. */
  holds(source: SavedDatabase, ref: number, version: number): boolean {
    if (this.#leftOut === null || isHeld(source.content, ref, version)) return true;
    this.#leftOut(unheldKey(version, source, source.content.records, ref));
    return false;
  }

  /** Writes what goes before type and key of a record with this expiry (NaN: none) and meta word. */
  writePrefix(out: RdbEncoder, source: SavedDatabase, expiresAtMs: number, meta: number): void {
    if (this.#selected !== source.index) this.#select(out, source);
    if (expiresAtMs === expiresAtMs) out.writeExpiry(expiresAtMs);
    if (this.#access === ACCESS_NONE || out.version < RDB_VERSION_STREAMS) return;
    if (this.#access === ACCESS_IDLE) out.writeIdle(this.#dataset.idleSeconds(meta));
    else out.writeFrequency(this.#dataset.lfuCounter(meta));
  }

  #select(out: RdbEncoder, source: SavedDatabase): void {
    this.#selected = source.index;
    out.writeSelectDb(source.index);
    if (source.isAnnounced) return;
    source.isAnnounced = true;
    if (out.version >= RDB_VERSION_AUX) out.writeResizeDb(source.keys, source.content.expiring);
  }

  /** Writes a record with all that belongs to it. */
  write(out: RdbEncoder, source: SavedDatabase, ref: number): void {
    const { content } = source;
    const { records } = content;
    this.writePrefix(out, source, records.expiryOf(ref), records.metaOf(ref));
    writeRecord(out, content, ref);
  }
}

/**
 * Writes the whole dataset, from the header to the checksum, in the version of `out`; `leftOut` is as for
 * DatasetWriter. Returns the number of keys.
 */
export function saveDataset(
  keyspace: Keyspace,
  out: RdbEncoder,
  access: number,
  head: SnapshotHead = {},
  leftOut: LeftOutListener | null = null,
): number {
  const writer = new DatasetWriter(keyspace, access, leftOut);
  writer.begin(out, head);
  writer.writeLibraries(out);
  let keys = 0;
  for (const database of keyspace.databases) {
    if (database.count === 0) continue;
    const source = new SavedDatabase(database);
    source.content.records.forEach((ref) => {
      if (!writer.holds(source, ref, out.version)) return;
      writer.write(out, source, ref);
      keys++;
    });
  }
  out.writeEof();
  return keys;
}
