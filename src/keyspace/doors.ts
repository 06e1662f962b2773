/**
 * What of a database's storage may be reached beside its own methods, and by whom. The table, the
 * index of expiries and the slots of large values are private to database.ts; each door below shows a
 * part of them, so that a file's imports tell what it can do:
 *
 *     RecordReader     `database.records`     the fast read path: where the parts of a record lie
 *     RecordTable      `database.table`       housekeeping: walks, draws, resizes, compaction
 *     ValueSource      a database             what saving a value needs
 *     DatabaseContent  `database.capture()`   the storage itself, for a snapshot and its hooks
 *
 * The first two are the same object as types that show less of it: a call through them costs no more
 * than one without a door. Nothing here counts hits, touches the access clock or looks at the expiry.
 */

import type { Dict } from "../arena/dict.ts";
import type { LargeValue, ValueSlots } from "./value_slots.ts";

/** Reads records by reference, which holds until the next call that adds or resizes one. */
export interface RecordReader {
  readonly count: number;
  /** The record with this key, its time over or not, or 0. `hash` is `hashBytes` of the key. */
  find(bytes: Uint8Array, offset: number, length: number, hash: number): number;
  /** `find` by key bytes alone. */
  get(bytes: Uint8Array, offset: number, length: number): number;
  /** Brings what lookups of these hashes will read into the caches. See "Looking ahead" in NOTES. */
  warm(hashes: Int32Array, count: number): number;
  /** The buffer that a record lies in; offsets below are into it. */
  bytesOf(ref: number): Uint8Array;
  keyOffset(ref: number): number;
  keyLength(ref: number): number;
  valueOffset(ref: number): number;
  valueLength(ref: number): number;
  /** Most bytes the value may have without the record moving. */
  valueCapacity(ref: number): number;
  /** Word 1: type, encoding and access clock. */
  metaOf(ref: number): number;
  /** Expiry in Unix ms, NaN when there is none. */
  expiryOf(ref: number): number;
}

/** The table of a database as housekeeping and commands over all keys see it. */
export interface RecordTable {
  readonly isRehashing: boolean;
  /** Main buckets, of both tables while it is being resized. */
  readonly bucketCount: number;
  readonly count: number;
  /** Visits the records of the buckets at `cursor`; returns the next cursor, 0 at the end. */
  scan(cursor: number, visit: (ref: number) => void): number;
  /** Visits all records at once; `visit` must not change the database. */
  forEach(visit: (ref: number) => void): void;
  /** A record drawn evenly, or 0 when there are none. */
  random(draw: () => number): number;
  /** Makes the table large enough for `count` records, while it is still empty. */
  reserve(count: number): void;
  /** Moves some buckets if a resize is under way; true while there is more to do. */
  rehashSome(buckets: number): boolean;
  /**
   * Moves some records out of sparse segments; true while there is more to do: less than a share of
   * `density` in use, 0.6 if absent.
   */
  compactStep(records: number, density?: number): boolean;
}

/** Where the value of a record can be read: a database, or its content as a snapshot captured it. */
export interface ValueSource {
  readonly records: RecordReader;
  /** The value of a record whose encoding keeps it in a slot. */
  largeValue(ref: number): LargeValue;
}

/** The content of a database at one instant. FLUSHALL and SWAPDB do not change what it refers to. */
export class DatabaseContent implements ValueSource {
  constructor(
    /** The records, with their `hook` and `parity`. */
    readonly records: Dict,
    readonly slots: ValueSlots,
    /** Keys that have an expiry, as of now. */
    readonly expiring: number,
  ) {}

  /** See ValueSource. */
  largeValue(ref: number): LargeValue {
    return this.slots.get(this.records.intValue(ref));
  }
}
