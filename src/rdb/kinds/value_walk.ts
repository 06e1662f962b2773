/**
 * Writing a large value in pieces while requests go on changing it: what a snapshot asks of a value
 * that it cannot write at once (src/rdb/snapshot.ts tells when and why). A walk is of the value as it
 * was when the walk was made. Here are the parts that kinds share; the walks of lists and strings
 * stand with their kinds.
 */

import type { Dict, WriteHook } from "../../arena/dict.ts";
import { SNAPSHOT_BIT } from "../../arena/record.ts";
import { isRefusal } from "../../base/refused.ts";
import type { LargeValue } from "../../keyspace/value_slots.ts";
import { type ChunkSink, RdbEncoder } from "../writer.ts";

/** A collection with more elements is walked in pieces. */
export const ELEMENTS_AT_ONCE = 500;
const EARLY_CHUNK_BYTES = 4 * 1024;

/** How values are written. */
export interface SavedForm {
  /** Whether strings are compressed. */
  readonly compress: boolean;
  /** The version of the snapshot format, RDB_VERSION_MIN to RDB_VERSION_MAX. */
  readonly version: number;
  /** See `RdbEncoder.groupsFirst`. */
  readonly groupsFirst?: boolean;
}

/** Elements that are about to be written. */
const gathered: number[] = [];

/** A value that is written in pieces. */
export abstract class ValueWalk {
  /**
   * Whether the value has no way of telling that it changes: the walk then has to begin as soon as it
   * is made, and `keep` is called before the record with this value changes.
   */
  readonly isBorrowed: boolean = false;

  /** Whether all that it writes goes to `main`, so that `main` may be what compresses it. */
  readonly isInOrder: boolean = false;

  /** Called when another walk of the value is to begin: this one has to come to its end before. */
  onPreempted: (() => void) | null = null;
  /**
   * What has ended the walk: memory was refused for the value as it was before a change. That is no reason
   * to refuse the change, so it is for `step` to throw.
   */
  protected failure: unknown = null;

  constructor(readonly value: LargeValue) {}

  /** Writes the value's beginning; from now on everything of it goes to `main`. */
  abstract begin(main: RdbEncoder, sink: ChunkSink): void;
  /** Writes a piece; true when that was the last. @throws RangeError when memory was refused */
  abstract step(main: RdbEncoder): boolean;
  /** The snapshot is given up: takes the hooks away. */
  abstract abort(): void;
  /**
   * What it writes is not needed any more. False when steps are needed until the last all the same, which write
   * nothing: it leaves marks, and taking them out at once would take long.
   */
  discard(): boolean {
    this.abort();
    return true;
  }
  /** The value is about to change: makes a copy of what is still needed. */
  keep(): void {}
}

interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly strings: Int32Array<ArrayBuffer> | null;
}

/** Bytes that have to wait for others. */
export class Detour {
  readonly out: RdbEncoder;
  #chunks: Chunk[] = [];

  constructor(form: SavedForm, chunkBytes: number, deferMax?: number) {
    this.out = new RdbEncoder(
      (bytes, length, strings) => this.#chunks.push({ bytes, length, strings }),
      { ...form, checksum: false, chunkBytes, deferStrings: true, deferMax },
    );
  }

  /** Hands everything to `sink`, behind what `main` has written. */
  join(main: RdbEncoder, sink: ChunkSink): void {
    this.out.flush();
    if (this.#chunks.length === 0) return;
    main.flush();
    for (const { bytes, length, strings } of this.#chunks) sink(bytes, length, strings);
    this.#chunks = [];
  }
}

/** Makes all records of a table agree with its parity again. */
export function agree(dict: Dict): void {
  const { parity } = dict;
  dict.forEach((ref) => dict.setFlags(ref, (dict.flagsOf(ref) & ~SNAPSHOT_BIT) | parity));
}

/**
 * Elements that are the records of a table: members of a set or sorted set, fields of a hash. In what order
 * they are gone through may be another's choice (`nextSome`): what requests change comes first in any case.
 */
export class TableWalk extends ValueWalk implements WriteHook {
  readonly #table: Dict;
  #writeElement: (out: RdbEncoder, ref: number) => void;
  readonly #form: SavedForm;
  readonly #count: number;
  #early: Detour | null = null;
  /** Where elements go: to #early until the walk has begun. */
  #out: RdbEncoder | null = null;
  #cursor = 0;
  #written = 0;

  constructor(
    value: LargeValue,
    table: Dict,
    writeElement: (out: RdbEncoder, ref: number) => void,
    form: SavedForm,
  ) {
    super(value);
    this.#table = table;
    this.#writeElement = writeElement;
    this.#form = form;
    table.hook?.preempt?.();
    this.#count = table.count;
    table.parity ^= SNAPSHOT_BIT;
    table.hook = this;
  }

  beforeRecordWrite(dict: Dict, ref: number): void {
    if ((dict.flagsOf(ref) & SNAPSHOT_BIT) === dict.parity) return;
    try {
      this.#write(ref);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.failure ??= error;
    }
  }

  /** WriteHook. */
  preempt(): void {
    this.onPreempted?.();
  }

  override discard(): boolean {
    this.#writeElement = () => {};
    return false;
  }

  #write(ref: number): void {
    const table = this.#table;
    table.setFlags(ref, table.flagsOf(ref) ^ SNAPSHOT_BIT);
    this.#written++;
    let out = this.#out;
    if (out === null) {
      this.#early ??= new Detour(this.#form, EARLY_CHUNK_BYTES);
      out = this.#early.out;
    }
    this.#writeElement(out, ref);
  }

  override begin(main: RdbEncoder, sink: ChunkSink): void {
    main.writeLength(this.#count);
    this.#early?.join(main, sink);
    this.#early = null;
    this.#out = main;
  }

  override step(): boolean {
    if (this.failure !== null) throw this.failure;
    const table = this.#table;
    const isMore = this.nextSome((ref) => {
      if ((table.flagsOf(ref) & SNAPSHOT_BIT) !== table.parity) this.#write(ref);
    });
    if (isMore) return false;
    table.hook = null;
    if (this.#written !== this.#count) {
      throw new Error(`snapshot: ${this.#written} of ${this.#count} elements were written`);
    }
    return true;
  }

  /**
   * Visits some more records, of all that have been there from the beginning; false when it has come to the end.
   * Between two calls the table may have changed.
   */
  protected nextSome(visit: (ref: number) => void): boolean {
    gathered.length = 0;
    this.#cursor = this.#table.gatherSome(this.#cursor, gathered);
    for (let i = 0; i < gathered.length; i++) visit(gathered[i]);
    return this.#cursor !== 0;
  }

  override abort(): void {
    this.#table.hook = null;
    agree(this.#table);
  }
}
