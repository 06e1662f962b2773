/**
 * Goes through a snapshot in steps: opcodes and keys are read here, values by a ValueReader, primitives in reader.ts;
 * format.ts draws the layout. What becomes of it is decided by who extends this: the loader puts it into a keyspace
 * (loader.ts), the scan only looks (scan.ts). The caller says until when to work, and may do other things in between.
 */

import { copyBytes, toLatin1 } from "../base/bytes.ts";
import {
  codeName,
  OPCODE_AUX,
  OPCODE_EOF,
  OPCODE_EXPIRETIME,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_FUNCTION_2,
  OPCODE_FUNCTION_PRE_GA,
  OPCODE_IDLE,
  OPCODE_MODULE_AUX,
  OPCODE_RESIZEDB,
  OPCODE_SELECTDB,
  OPCODE_SLOT_IMPORT,
  OPCODE_SLOT_INFO,
  RDB_VERSION_CHECKSUM,
  typeIn,
} from "./format.ts";
import { LOAD_PART } from "./kinds/value_load.ts";
import type { ValueReader } from "./load_value.ts";
import { readModuleName, skipModulePart } from "./module_data.ts";
import { RdbError } from "./rdb_error.ts";
import { PAUSED, type RdbReader, STARVED } from "./reader.ts";

/** Records read between two looks at the clock. */
export const RECORDS_PER_LOOK = 64;
/** Bytes read between two looks at the clock, where records are large. */
const BYTES_PER_LOOK = 128 * 1024;

/** Parts of a module's data between two looks at the clock. */
const MODULE_PARTS_PER_LOOK = 4096;

/** Numbers below the opcodes that are known which are more likely to be opcodes than types of values. */
const UNKNOWN_OPCODES = 43;

/** The buffer for a key that is longer has no room for longer ones. */
const LONG_KEY_BYTES = 1 << 20;

/** An expiry in milliseconds that means none. */
const NO_EXPIRY_MS = -1;

export abstract class SnapshotParser {
  /** Whether the last step ended for lack of bytes (of a growing source). */
  isStarved = false;

  /** Records between two looks at the clock. */
  protected recordsPerLook = RECORDS_PER_LOOK;
  /** The version of the snapshot; 0 before it has been read. */
  version = 0;
  /** The database of the keys that come. */
  databaseIndex = 0;
  /** At the end: whether there was a checksum, which then was right. */
  isSummed = false;

  // The key that is being read, or was read last, and what came before it.
  key = new Uint8Array(256);
  keyLength = 0;
  /** Unix time in ms, NaN for none. */
  expiresAtMs = NaN;
  /** -1 for none. */
  idleSeconds = -1;
  /** -1 for none. */
  frequency = -1;
  /** The type of its value, one of TYPE_*. */
  valueType = 0;
  /** Where its type byte stands while its value is being read; -1 when none is. */
  valueOf = -1;
  /** The same until what becomes of the key is decided. */
  typeAt = -1;
  /** Where its record begins, with its expiry and the like; -1 between records. */
  recordAt = -1;
  /** Where what is being read begins, a record or an opcode: what comes before it is whole. */
  partAt = 0;

  /** Name of the aux field whose value comes next, of the module whose data are being passed over. */
  #auxName: string | null = null;
  #module: string | null = null;

  constructor(protected readonly reader: RdbReader, readonly values: ValueReader) {}

  /** Bytes read so far. */
  get offset(): number {
    return this.reader.offset;
  }

  // -- what extends it says --------------------------------------------------------------

  /** A database is selected by the opcode at `at`. */
  protected abstract select(index: number, at: number): void;
  /** How many keys the database has, and how many of them expire, if that can be believed. */
  protected abstract sized(keys: number, expiring: number): void;
  protected abstract auxRead(name: string, value: string): void;
  /** The code of a function library is in the reader's string; its opcode was at `at`. */
  protected abstract libraryRead(at: number): void;
  /** What a module of this name keeps beside keys has been passed over. */
  protected abstract moduleRead(name: string): void;
  /** The value of `key` has been read, as `state` says (LOAD_*); its type byte was at `at`. */
  protected abstract keyRead(state: number, at: number): void;

  // -- steps --------------------------------------------------------------------------------

  /** Reads everything at once. @throws RdbError */
  run(): void {
    while (!this.step(Infinity, () => 0));
  }

  /**
   * Reads until `now()` is past `untilMs`; true when all is read. Of a growing source it also ends
   * when no more can be read for now, with `isStarved` set. @throws RdbError
   */
  step(untilMs: number, now: () => number): boolean {
    this.isStarved = false;
    do {
      try {
        if (this.#readSome()) return true;
      } catch (error) {
        if (error !== STARVED && error !== PAUSED) throw error;
        this.reader.rewind();
        this.isStarved = error === STARVED;
      }
    } while (!this.isStarved && now() <= untilMs);
    return false;
  }

  /** Reads records until it is time to look at the clock; true at the end. */
  #readSome(): boolean {
    const { reader } = this;
    if (!this.#finishRecord()) return false;
    const lookAt = reader.offset + BYTES_PER_LOOK;
    for (let i = 0; i < this.recordsPerLook; i++) {
      reader.mark();
      const at = reader.offset;
      if (at > lookAt) break;
      const code = reader.readByte();
      if (this.recordAt < 0 && belongsToKey(code)) this.recordAt = at;
      this.partAt = this.recordAt < 0 ? at : this.recordAt;
      if (isType(code)) {
        this.#readKey(code, at);
        if (!this.#readValue()) break;
      } else if (code === OPCODE_EOF) {
        if (this.version >= RDB_VERSION_CHECKSUM) this.isSummed = reader.verifyChecksum();
        return true;
      } else {
        this.#readOpcode(code, at);
        if (this.#module !== null) break;
      }
    }
    return false;
  }

  /** Goes on with what the last step has begun; false when there is still more of it. */
  #finishRecord(): boolean {
    const { reader } = this;
    if (this.version === 0) {
      reader.mark();
      this.version = reader.readHeader();
      return true;
    }
    reader.finishSkip();
    if (this.#module !== null && !this.#skipModule(this.#module)) return false;
    if (this.#auxName !== null) this.#readAux(this.#auxName);
    return this.valueOf < 0 || this.#readValue();
  }

  // -- keys --------------------------------------------------------------------------

  #readKey(type: number, at: number): void {
    const { reader } = this;
    reader.readString();
    const length = this.keyLength = reader.strLen;
    if (this.key.length < length) {
      this.key = new Uint8Array(length > LONG_KEY_BYTES ? length : length * 2);
    }
    copyBytes(this.key, 0, reader.strBuf, reader.strOff, length);
    this.valueType = typeIn(this.version, type);
    this.typeAt = at;
    try {
      this.values.begin(reader, this.valueType, at);
    } catch (error) {
      throw this.#withKey(error);
    }
    this.valueOf = at;
    reader.mark();
  }

  /** What is not known here is told with the key that it belongs to. */
  #withKey(error: unknown): unknown {
    if (error instanceof RdbError && error.kind === "unsupported") {
      error.addKey(toLatin1(this.key, 0, this.keyLength), this.databaseIndex);
    }
    return error;
  }

  /** Reads on in the value of `key`; false when it has not come to its end. */
  #readValue(): boolean {
    let state: number;
    try {
      state = this.values.step(this.reader);
    } catch (error) {
      throw this.#withKey(error);
    }
    if (state === LOAD_PART) return false;
    const at = this.valueOf;
    this.valueOf = -1;
    this.keyRead(state, at);
    this.expiresAtMs = NaN;
    this.idleSeconds = -1;
    this.frequency = -1;
    this.recordAt = this.typeAt = -1;
    return true;
  }

  // -- opcodes ------------------------------------------------------------------------

  #readOpcode(code: number, at: number): void {
    const { reader } = this;
    switch (code) {
      case OPCODE_SELECTDB:
        this.databaseIndex = reader.readPlainLength("a database number");
        this.select(this.databaseIndex, at);
        return;
      case OPCODE_RESIZEDB: {
        const keys = reader.readPlainLength("the number of keys");
        const expiring = reader.readPlainLength("the number of keys that expire");
        this.sized(keys, expiring);
        return;
      }
      case OPCODE_EXPIRETIME_MS: {
        const ms = reader.readMillis();
        this.expiresAtMs = ms === NO_EXPIRY_MS ? NaN : ms;
        return;
      }
      case OPCODE_EXPIRETIME:
        this.expiresAtMs = reader.readSeconds() * 1000;
        return;
      case OPCODE_IDLE:
        this.idleSeconds = reader.readPlainLength("the idle time of a key");
        return;
      case OPCODE_FREQ:
        this.frequency = reader.readByte();
        return;
      case OPCODE_AUX: {
        reader.readString();
        const name = toLatin1(reader.strBuf, reader.strOff, reader.strLen);
        this.#auxName = name;
        reader.mark();
        this.#readAux(name);
        return;
      }
      case OPCODE_FUNCTION_2:
        reader.readString();
        this.libraryRead(at);
        return;
      case OPCODE_MODULE_AUX: {
        const name = readModuleName(reader);
        this.#module = name;
        this.#skipModule(name);
        return;
      }
      case OPCODE_SLOT_INFO:
        for (let i = 0; i < 3; i++) reader.readPlainLength("the size of a slot");
        return;
      case OPCODE_FUNCTION_PRE_GA:
      case OPCODE_SLOT_IMPORT:
        throw reader.error(`opcode ${code} (${codeName(code)})`, at, "unsupported");
    }
    throw reader.error(`unknown opcode 0x${code.toString(16)}`, at);
  }

  #readAux(name: string): void {
    const { reader } = this;
    reader.readString();
    this.#auxName = null;
    this.auxRead(name, toLatin1(reader.strBuf, reader.strOff, reader.strLen));
  }

  /** Passes over a piece of a module's data; false when there is more of it. */
  #skipModule(name: string): boolean {
    for (let parts = 0; skipModulePart(this.reader); parts++) {
      if (parts === MODULE_PARTS_PER_LOOK) return false;
    }
    this.#module = null;
    this.moduleRead(name);
    return true;
  }
}

/** Of numbers that are not known yet: types are counted upwards from 0, opcodes downwards from 255. */
function isType(code: number): boolean {
  return code < OPCODE_SLOT_IMPORT - UNKNOWN_OPCODES;
}

/** Whether a type or an opcode begins the record of a key, or goes on with it. */
function belongsToKey(code: number): boolean {
  return isType(code) || code === OPCODE_EXPIRETIME_MS || code === OPCODE_EXPIRETIME ||
    code === OPCODE_IDLE || code === OPCODE_FREQ;
}
