/**
 * The value of one key from the bytes of a snapshot or a DUMP payload, in the encoding that the
 * present limits ask for. The counterpart of save_value.ts, used by the loader and RESTORE. What the
 * bytes of each type mean is known to the kinds of values (src/rdb/kinds).
 *
 * Nothing of the bytes is believed: packed values are walked before use, members and fields have to
 * be there once, scores must be numbers. An empty collection is no error: old servers could write
 * one, and the key is left out.
 */

import { copyBytes, copyWords } from "../base/bytes.ts";
import type { Database } from "../keyspace/database.ts";
import type { ValueLimits } from "../keyspace/keyspace.ts";
import { TYPE_ARRAY, TYPE_GCRA, TYPE_MODULE_2, TYPE_MODULE_PRE_GA } from "./format.ts";
import { kindOfRdbType } from "./kinds/index.ts";
import { LoadedValue } from "./kinds/loaded_value.ts";
import { LOAD_PART, LOAD_WHOLE, type ValueLoad } from "./kinds/value_load.ts";
import { EarlyModuleLoad, ModuleLoad } from "./module_data.ts";
import { ArrayPass, GcraPass } from "./passed_values.ts";
import { PAUSED, type RdbReader } from "./reader.ts";

/** Reads values and places them; one instance serves any number of them, one at a time. */
export class ValueReader extends LoadedValue {
  readonly #loads: (ValueLoad | undefined)[] = [];
  #load: ValueLoad | null = null;

  /** `isScan`: values are not built but passed over, where they are not packed in one string. */
  constructor(limits: ValueLimits, readonly isScan = false) {
    super(limits);
  }

  /**
   * Starts on a value of this type byte, read at `typeAt` of the snapshot: the reader stands behind its
   * key. @throws RdbError when there is no such type here
   */
  begin(reader: RdbReader, type: number, typeAt: number): void {
    if (this.unheld.length > 0) this.unheld.length = 0;
    this.#load = this.#loads[type] ??= newLoad(reader, type, typeAt, this.isScan);
    this.#load.begin();
  }

  /** Reads a piece of it: one of LOAD_*. @throws RdbError when the bytes are damaged */
  step(reader: RdbReader): number {
    return this.#load!.step(this, reader);
  }

  /**
   * Reads a value at once. False when it is an empty collection: there is no such key then.
   * @throws RdbError
   */
  read(reader: RdbReader, type: number, typeAt: number): boolean {
    this.begin(reader, type, typeAt);
    reader.mark();
    for (;;) {
      try {
        const state = this.step(reader);
        if (state !== LOAD_PART) return state === LOAD_WHOLE;
      } catch (error) {
        if (error !== PAUSED) throw error;
        reader.rewind();
      }
    }
  }

  /** Whether the value read last lies in its record and needs nothing beside that: then `prepare` may be used. */
  get isPlain(): boolean {
    return this.large === null && this.firstFieldMs === Infinity;
  }

  /** Makes the record that `place` would add; it is for the caller to add it (`Database.addPrepared`). */
  prepare(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    expiresAtMs: number,
  ): number {
    const size = this.length;
    const ref = database.prepareRecord(
      key,
      offset,
      length,
      this.type,
      this.encoding,
      size,
      expiresAtMs,
      hash,
    );
    // Records that are made one after the other lie in the same segment, mostly.
    const { records } = database;
    copyWords(records.bytesOf(ref), records.valueOffset(ref), this.bytes, this.offset, size);
    return ref;
  }

  /**
   * Puts the value read last into the keyspace, under a key that is not there; `hash` is that of the
   * key. Event "new"; counts no change. Returns the record.
   */
  place(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    expiresAtMs: number,
  ): number {
    const { type, encoding, large, firstFieldMs } = this;
    if (firstFieldMs !== Infinity) database.reserveFieldTime();
    if (large !== null) {
      const ref = database.addLarge(key, offset, length, type, encoding, large, expiresAtMs, hash);
      if (firstFieldMs !== Infinity) database.setFieldTime(ref, firstFieldMs, true);
      return ref;
    }
    const size = this.length;
    const ref = database.addRecord(
      key,
      offset,
      length,
      type,
      encoding,
      size,
      0,
      expiresAtMs,
      hash,
    );
    const { records } = database;
    copyBytes(records.bytesOf(ref), records.valueOffset(ref), this.bytes, this.offset, size);
    if (firstFieldMs !== Infinity) database.setFieldTime(ref, firstFieldMs, true);
    return ref;
  }
}

function newLoad(reader: RdbReader, type: number, typeAt: number, isScan: boolean): ValueLoad {
  const kind = kindOfRdbType(type);
  if (kind !== undefined) return (isScan ? kind.newScan(type) : null) ?? kind.newLoad(type);
  if (type === TYPE_MODULE_2) return new ModuleLoad();
  if (type === TYPE_MODULE_PRE_GA) return new EarlyModuleLoad();
  if (type === TYPE_ARRAY) return new ArrayPass();
  if (type === TYPE_GCRA) return new GcraPass();
  throw reader.error(`unknown value type ${type & 0xff}`, typeAt, "unsupported");
}
