/**
 * A long string that is read in pieces, as of the moment at which that began: where it lies, until somebody wants to
 * change it, when it is copied. For what takes long on one (DUMP, DIGEST) and lets others have their turn. There is
 * one such reading in a database at a time, and none beside a snapshot; who reads counts in `Keyspace.snapshotsOpen`.
 */

import type { Dict, WriteHook } from "../arena/dict.ts";
import { ENC_EXTERNAL, isSlotEncoding, TYPE_STRING } from "../arena/record.ts";
import type { Database } from "./database.ts";
import type { DatabaseContent } from "./doors.ts";
import type { LongString } from "./value_slots.ts";

export class StringReading implements WriteHook {
  /** The string is their first `length` bytes. To be asked for anew in each turn. */
  bytes: Uint8Array;
  readonly length: number;
  readonly #content: DatabaseContent;
  readonly #value: LongString;

  /** Begins with the string of a record, which is a long one; see `mayBegin`. */
  constructor(content: DatabaseContent, ref: number) {
    const value = content.largeValue(ref) as LongString;
    this.#content = content;
    this.#value = value;
    this.bytes = value.bytes;
    this.length = value.length;
    content.records.hook = this;
  }

  /** Whether there is neither a reading nor a snapshot. */
  static mayBegin({ records }: DatabaseContent): boolean {
    return records.hook === null;
  }

  /** WriteHook: the record of this string, or another, is about to change. */
  beforeRecordWrite(dict: Dict, ref: number): void {
    if (!isSlotEncoding((dict.metaOf(ref) >>> 4) & 0xf)) return;
    if (this.#content.largeValue(ref) === this.#value) this.preempt();
  }

  /** WriteHook. */
  preempt(): void {
    this.bytes = this.bytes.slice(0, this.length);
    this.end();
  }

  /** Ends it: the bytes are not looked at any more, or are its own. */
  end(): void {
    const { records } = this.#content;
    if (records.hook === this) records.hook = null;
  }
}

/** Whether the value of a record is a string. */
export function isString(database: Database, ref: number): boolean {
  return database.typeOf(ref) === TYPE_STRING;
}

/** Whether it is one that is too long for a record. */
export function isLongString(database: Database, ref: number): boolean {
  return database.encodingOf(ref) === ENC_EXTERNAL;
}
