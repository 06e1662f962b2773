/**
 * What a kind of value (string, list, set …) is to everything that handles values without knowing
 * them: TYPE, OBJECT ENCODING, digests, snapshots, DUMP and RESTORE. One object per kind, in a file of
 * its own beside this one; index.ts lists them. See "Kinds of values" in NOTES.
 *
 * Not part of a kind, as it is the same for all: COPY, the memory a value takes and freeing it. Values
 * inside a record are its bytes, those in a slot are a LargeValue, which knows its size and how to
 * clone itself (keyspace/value_slots.ts). Commands reach values through the views in src/keyspace.
 */

import type { Database } from "../../keyspace/database.ts";
import type { RecordTable, ValueSource } from "../../keyspace/doors.ts";
import type { RdbEncoder } from "../writer.ts";
import type { ValueDigest } from "./value_digest.ts";
import type { ValueLoad } from "./value_load.ts";
import type { SavedForm, ValueWalk } from "./value_walk.ts";

export interface ValueKind {
  /** TYPE_* of record.ts: the place of this kind in the list of kinds. */
  readonly type: number;
  /** What TYPE answers, and SCAN takes as a type. */
  readonly name: string;
  /** ENC_* of record.ts that its records can have. */
  readonly encodings: readonly number[];
  /** What OBJECT ENCODING answers for a record. */
  encodingName(source: ValueSource, ref: number): string;

  /** Redis's number of the type, which a digest of a value begins with. */
  readonly digestNumber: number;
  /** Adds the value to a digest, as value_digest.ts draws it. */
  addToDigest(digest: ValueDigest, database: Database, ref: number): void;

  /** The types of format.ts that are read: every one that a server has ever written. */
  readonly rdbTypes: readonly number[];
  /**
   * The type of format.ts that `save` writes for a record in this version, and `walk` of the value as it is now.
   * Where the version has no form for it, it is a type of a later one, as `versionOfType` tells.
   */
  rdbTypeOf(source: ValueSource, ref: number, version: number): number;
  /** Writes the value without its type byte and key, at once, in the version of `out`. */
  save(out: RdbEncoder, source: ValueSource, ref: number): void;
  /**
   * What reads values of one of `rdbTypes`, one after the other, in the encoding that the limits ask
   * for. It believes nothing of the bytes.
   */
  newLoad(rdbType: number): ValueLoad;
  /**
   * What passes over values of one of `rdbTypes`, however large, and builds nothing: it refuses what `newLoad` refuses,
   * and counts (`LoadedValue.elements` and what is beside it). Null for what is packed in one string: that is loaded.
   * For readers that do not pause.
   */
  newScan(rdbType: number): ValueLoad | null;
  /**
   * A walk that writes the value in pieces, to encoders of the version of `form`, begun now; null when it is small
   * enough for `save`, unless it has `alwaysWalks` and is in a slot. With `canBorrow` false no walk may be answered
   * that is `isBorrowed`.
   */
  walk(
    source: ValueSource,
    ref: number,
    form: SavedForm,
    canBorrow: boolean,
    alwaysWalks?: boolean,
  ): ValueWalk | null;
  /** Whether a walk of the value is under way. Of a long string nobody can say: false. */
  isWalked(source: ValueSource, ref: number): boolean;

  /** The hash table that the value is, or that finds its elements; null where there is none. */
  tableOf(source: ValueSource, ref: number): RecordTable | null;
}
