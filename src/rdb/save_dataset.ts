/**
 * The dataset as a snapshot: what stands around the records. `saveDataset` writes all of it at once
 * (SAVE, SHUTDOWN); src/rdb/snapshot.ts uses the same pieces between requests (BGSAVE, full sync).
 */

import { REDIS_VERSION } from "../config/version.ts";
import type { Database } from "../keyspace/database.ts";
import type { DatabaseContent } from "../keyspace/doors.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { RDB_VERSION, RDB_VERSION_FIELDS } from "./format.ts";
import { writeRecord } from "./save_value.ts";
import type { RdbEncoder } from "./writer.ts";

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

/**
 * The version of a snapshot of this dataset as it is now: what every server since 7.0 reads, if that can say
 * all there is to be said. See "Fields that expire" in NOTES.
 */
export function versionFor({ databases }: Keyspace): number {
  const hasExpiringFields = databases.some((database) => database.expiringHashCount > 0);
  return hasExpiringFields ? RDB_VERSION_FIELDS : RDB_VERSION;
}

/** What there is to be said in the log of that version; null for the usual one. */
export function versionRemark(keyspace: Keyspace): string | null {
  if (versionFor(keyspace) === RDB_VERSION) return null;
  return `Hashes have fields that expire, so the snapshot is written in RDB version ${RDB_VERSION_FIELDS}, ` +
    "which Redis reads from 7.4 on";
}

/** Writes aux fields, and before each key which database it is in, its expiry and access clock. */
export class DatasetWriter {
  readonly #keyspace: Keyspace;
  readonly #access: number;
  #selected = -1;

  /** `access` is ACCESS_*. */
  constructor(keyspace: Keyspace, access: number) {
    this.#keyspace = keyspace;
    this.#access = access;
  }

  /** Writes header and aux fields. `aux` are further ones. */
  begin(out: RdbEncoder, aux: readonly (readonly [string, string | number])[] = []): void {
    out.writeHeader(versionFor(this.#keyspace));
    out.writeAux("redis-ver", REDIS_VERSION);
    out.writeAux("redis-bits", 64);
    out.writeAux("ctime", Math.floor(this.#keyspace.clock.now() / 1000));
    out.writeAux("used-mem", this.#keyspace.dataBytes);
    for (const [name, value] of aux) out.writeAux(name, value);
    out.writeAux("aof-base", 0);
  }

  /** Writes the function libraries, which stand before the first key. */
  writeLibraries(out: RdbEncoder): void {
    for (const code of this.#keyspace.libraries.codes) out.writeLibrary(code);
  }

  /** Writes what goes before type and key of a record with this expiry (NaN: none) and meta word. */
  writePrefix(out: RdbEncoder, source: SavedDatabase, expiresAtMs: number, meta: number): void {
    if (this.#selected !== source.index) this.#select(out, source);
    if (expiresAtMs === expiresAtMs) out.writeExpiry(expiresAtMs);
    if (this.#access === ACCESS_NONE) return;
    if (this.#access === ACCESS_IDLE) out.writeIdle(this.#keyspace.idleSeconds(meta));
    else out.writeFrequency(this.#keyspace.lfuCounter(meta));
  }

  #select(out: RdbEncoder, source: SavedDatabase): void {
    this.#selected = source.index;
    out.writeSelectDb(source.index);
    if (source.isAnnounced) return;
    source.isAnnounced = true;
    out.writeResizeDb(source.keys, source.content.expiring);
  }

  /** Writes a record with all that belongs to it. */
  write(out: RdbEncoder, source: SavedDatabase, ref: number): void {
    const { content } = source;
    const { records } = content;
    this.writePrefix(out, source, records.expiryOf(ref), records.metaOf(ref));
    writeRecord(out, content, ref);
  }
}

/** Writes the whole dataset, from the header to the checksum, with further `aux` fields; returns the number of keys. */
export function saveDataset(
  keyspace: Keyspace,
  out: RdbEncoder,
  access: number,
  aux: readonly (readonly [string, string | number])[] = [],
): number {
  const writer = new DatasetWriter(keyspace, access);
  writer.begin(out, aux);
  writer.writeLibraries(out);
  let keys = 0;
  for (const database of keyspace.databases) {
    if (database.count === 0) continue;
    const source = new SavedDatabase(database);
    source.content.records.forEach((ref) => writer.write(out, source, ref));
    keys += source.keys;
  }
  out.writeEof();
  return keys;
}
