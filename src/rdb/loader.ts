/**
 * Reads a snapshot into the keyspace, in steps: the caller says until when to work, and may serve
 * clients in between. Opcodes and keys are read here, values in load_value.ts, primitives in
 * reader.ts; format.ts draws the layout.
 *
 * Of what the file may hold and this server does not have, data of a module beside keys are passed over,
 * which the caller is told of; a value of a type that does not exist here stops the load, unless that is a
 * module's and the caller wants its key left out, and so does a function library that cannot be used.
 */

import { copyBytes, toLatin1 } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import type { Database } from "../keyspace/database.ts";
import { type FunctionLibraries, libraryName } from "../keyspace/function_libraries.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
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
  TYPE_MAX,
  typeIn,
} from "./format.ts";
import { LOAD_LEFT_OUT, LOAD_PART, LOAD_WHOLE } from "./kinds/value_load.ts";
import { ValueReader } from "./load_value.ts";
import { readModuleName, skipModulePart } from "./module_data.ts";
import { RdbError } from "./rdb_error.ts";
import { PAUSED, type RdbReader, STARVED } from "./reader.ts";

/** A record in a file has a type byte, a key and a value: at least so many bytes. */
const RECORD_BYTES_MIN = 3;
/** Records read between two looks at the clock. */
const RECORDS_PER_LOOK = 64;
/** Bytes read between two looks at the clock, where records are large. */
const BYTES_PER_LOOK = 128 * 1024;

/** Parts of a module's data between two looks at the clock. */
const MODULE_PARTS_PER_LOOK = 4096;

/** Numbers below the opcodes that are known which are more likely to be opcodes than types of values. */
const UNKNOWN_OPCODES = 43;

/** An expiry in milliseconds that means none. */
const NO_EXPIRY_MS = -1;

/** Hears of a key past its time: database and the key's bytes, good during the call only. */
export type ExpiredListener = (
  database: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => void;

/** Adds a library to those of a dataset, in place of one of its name if it may: answers what is wrong with it, or null. */
export type LibraryLoader = (code: Uint8Array, replaces: boolean) => string | null;

export interface LoadOptions {
  /** Whether keys past their time are left out (a master) or kept for the DEL of the master. */
  readonly dropsExpired: boolean;
  /** Called for each key that was left out because its time is over. */
  readonly onExpired?: ExpiredListener;
  /** Whether a key that is there already is replaced; otherwise it is an error. */
  readonly replaces?: boolean;
  /** Most keys that a table is made for before they have come. Default: as many as may come. */
  readonly reserveMax?: number;
  /** Gives what adds function libraries to `libraries`; without it they are kept as they are. */
  readonly libraryLoader?: (libraries: FunctionLibraries) => LibraryLoader;
  /** Called for each aux field. */
  readonly onAux?: (name: string, value: string) => void;
  /** Called for each key that was left out because its collection is empty. */
  readonly onEmptyKey?: (key: string) => void;
  /** Called with the name of each module whose data beside keys were left out. */
  readonly onModule?: (name: string) => void;
  /**
   * Called for each key that was left out because its value is of a module's type: the name of that, database and
   * key. Without it such a key ends the load.
   */
  readonly onModuleKey?: (name: string, database: number, key: string) => void;
  /**
   * Called with the name of each function library that was left out because it cannot be used, and what is wrong with
   * it. Without it such a library ends the load.
   */
  readonly onBadLibrary?: (name: string, problem: string) => void;
}

/** Loads one snapshot. After an RdbError the keyspace holds what came before it. */
export class RdbLoader {
  keysLoaded = 0;
  keysExpired = 0;
  keysEmpty = 0;
  /** Keys left out because their value is of a module's type. */
  keysOfModules = 0;
  librariesLoaded = 0;
  readonly values: ValueReader;
  /** Whether the last step ended for lack of bytes (of a growing source). */
  isStarved = false;

  /** Records between two looks at the clock. */
  #recordsPerLook = RECORDS_PER_LOOK;
  readonly #keyspace: Keyspace;
  readonly #reader: RdbReader;
  readonly #options: LoadOptions;
  readonly #nowMs: number;
  #version = 0;
  #database: Database;
  #expiresAtMs = NaN;
  #idleSeconds = -1;
  #frequency = -1;
  #key = new Uint8Array(256);
  #keyLength = 0;
  /** Where the record begins whose value is being read; -1 when none is. */
  #valueOf = -1;
  /** Name of the aux field whose value comes next, of the module whose data are being passed over. */
  #auxName: string | null = null;
  #module: string | null = null;
  #addLibrary: LibraryLoader | null = null;

  constructor(keyspace: Keyspace, reader: RdbReader, options: LoadOptions) {
    this.#keyspace = keyspace;
    this.#reader = reader;
    this.#options = options;
    this.#nowMs = keyspace.clock.now();
    this.#database = keyspace.databases[0];
    this.values = new ValueReader(keyspace.limits);
    this.values.leavesOutModules = options.onModuleKey !== undefined;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#reader.offset;
  }

  /** Loads everything at once. @throws RdbError */
  run(): void {
    while (!this.step(Infinity, () => 0));
  }

  /**
   * Loads until `now()` is past `untilMs`; true when all is loaded. Of a growing source it also ends
   * when no more can be read for now, with `isStarved` set. @throws RdbError
   */
  step(untilMs: number, now: () => number): boolean {
    this.isStarved = false;
    do {
      try {
        if (this.#readSome()) return true;
      } catch (error) {
        if (error !== STARVED && error !== PAUSED) throw error;
        this.#reader.rewind();
        this.isStarved = error === STARVED;
      }
    } while (!this.isStarved && now() <= untilMs);
    return false;
  }

  /** Loads for about `ms`, or until `keysMax` keys (at least 1) have come; otherwise as `step`. */
  stepFor(ms: number, now: () => number, keysMax: number): boolean {
    const untilKeys = this.keysLoaded + keysMax;
    this.#recordsPerLook = Math.min(RECORDS_PER_LOOK, keysMax);
    return this.step(now() + ms, () => this.keysLoaded < untilKeys ? now() : Infinity);
  }

  /** Reads records until it is time to look at the clock; true at the end. */
  #readSome(): boolean {
    const reader = this.#reader;
    if (!this.#finishRecord()) return false;
    const lookAt = reader.offset + BYTES_PER_LOOK;
    for (let i = 0; i < this.#recordsPerLook; i++) {
      reader.mark();
      const at = reader.offset;
      if (at > lookAt) break;
      const code = reader.readByte();
      // Numbers that are not known yet: types are counted upwards from 0, opcodes downwards from 255.
      if (code <= TYPE_MAX || code < OPCODE_SLOT_IMPORT - UNKNOWN_OPCODES) {
        this.#readKey(code, at);
        if (!this.#readValue()) break;
      } else if (code === OPCODE_EOF) {
        if (this.#version >= RDB_VERSION_CHECKSUM) reader.verifyChecksum();
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
    const reader = this.#reader;
    if (this.#version === 0) {
      reader.mark();
      this.#version = reader.readHeader();
      return true;
    }
    reader.finishSkip();
    if (this.#module !== null && !this.#skipModule(this.#module)) return false;
    if (this.#auxName !== null) this.#readAux(this.#auxName);
    return this.#valueOf < 0 || this.#readValue();
  }

  // -- keys --------------------------------------------------------------------------

  #readKey(type: number, at: number): void {
    const reader = this.#reader;
    reader.readString();
    const length = this.#keyLength = reader.strLen;
    if (this.#key.length < length) this.#key = new Uint8Array(length * 2);
    copyBytes(this.#key, 0, reader.strBuf, reader.strOff, length);
    try {
      this.values.begin(reader, typeIn(this.#version, type), at);
    } catch (error) {
      throw this.#withKey(error);
    }
    this.#valueOf = at;
    reader.mark();
  }

  /** What is not known here is told with the key that it belongs to. */
  #withKey(error: unknown): unknown {
    if (error instanceof RdbError && error.kind === "unsupported") {
      error.addKey(toLatin1(this.#key, 0, this.#keyLength), this.#database.index);
    }
    return error;
  }

  /** Reads on in the value of `#key`; false when it has not come to its end. */
  #readValue(): boolean {
    let state: number;
    try {
      state = this.values.step(this.#reader);
    } catch (error) {
      throw this.#withKey(error);
    }
    if (state === LOAD_PART) return false;
    const at = this.#valueOf;
    this.#valueOf = -1;
    this.#addKey(state, at);
    return true;
  }

  /** `state` is one of LOAD_*. */
  #addKey(state: number, at: number): void {
    const reader = this.#reader;
    const database = this.#database;
    const key = this.#key;
    const length = this.#keyLength;
    const expiresAtMs = this.#expiresAtMs;
    this.#expiresAtMs = NaN;
    if (state === LOAD_LEFT_OUT) {
      this.keysOfModules++;
      this.#options.onModuleKey?.(this.values.module, database.index, toLatin1(key, 0, length));
    } else if (state !== LOAD_WHOLE) {
      this.keysEmpty++;
      this.#options.onEmptyKey?.(toLatin1(key, 0, length));
    } else if (this.#options.dropsExpired && expiresAtMs < this.#nowMs) {
      this.keysExpired++;
      this.#options.onExpired?.(database.index, key, 0, length);
    } else {
      const hash = hashBytes(key, 0, length);
      const there = database.records.find(key, 0, length, hash);
      if (there !== 0) {
        if (this.#options.replaces !== true) {
          throw reader.error(`key "${toLatin1(key, 0, length)}" is there twice`, at);
        }
        database.removeRecord(there, key, 0, length);
      }
      const ref = this.values.place(database, key, 0, length, hash, expiresAtMs);
      if (this.#idleSeconds >= 0 || this.#frequency >= 0) {
        database.setAccess(ref, this.#idleSeconds, this.#frequency);
      }
      this.keysLoaded++;
    }
    this.#idleSeconds = -1;
    this.#frequency = -1;
  }

  // -- opcodes ------------------------------------------------------------------------

  #readOpcode(code: number, at: number): void {
    const reader = this.#reader;
    switch (code) {
      case OPCODE_SELECTDB:
        this.#select(reader.readPlainLength("a database number"), at);
        return;
      case OPCODE_RESIZEDB: {
        const keys = reader.readPlainLength("the number of keys");
        reader.readPlainLength("the number of keys that expire");
        const most = reader.remaining() / RECORD_BYTES_MIN;
        const { reserveMax } = this.#options;
        this.#database.table.reserve(
          Math.min(keys, Number.isFinite(most) ? most : (reserveMax ?? 0), reserveMax ?? most),
        );
        return;
      }
      case OPCODE_EXPIRETIME_MS: {
        const ms = reader.readMillis();
        this.#expiresAtMs = ms === NO_EXPIRY_MS ? NaN : ms;
        return;
      }
      case OPCODE_EXPIRETIME:
        this.#expiresAtMs = reader.readSeconds() * 1000;
        return;
      case OPCODE_IDLE:
        this.#idleSeconds = reader.readPlainLength("the idle time of a key");
        return;
      case OPCODE_FREQ:
        this.#frequency = reader.readByte();
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
        this.#readLibrary(at);
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

  #select(index: number, at: number): void {
    const { databases } = this.#keyspace;
    if (index >= databases.length) {
      const what = `database ${index}, where this server is configured to handle ` +
        `${databases.length} databases,`;
      throw this.#reader.error(what, at);
    }
    this.#database = databases[index];
  }

  #readLibrary(at: number): void {
    const reader = this.#reader;
    reader.readString();
    const code = reader.strBuf.slice(reader.strOff, reader.strOff + reader.strLen);
    this.librariesLoaded++;
    const { libraries } = this.#keyspace;
    const { libraryLoader, replaces, onBadLibrary } = this.#options;
    if (libraryLoader !== undefined) {
      this.#addLibrary ??= libraryLoader(libraries);
      const problem = this.#addLibrary(code, replaces === true);
      if (problem === null) return;
      if (onBadLibrary !== undefined) return onBadLibrary(libraryName(code) ?? "", problem);
      throw reader.error(`function library that cannot be used (${problem})`, at);
    }
    const name = libraryName(code);
    if (name === null) throw reader.error("a function library without a name", at);
    if (libraries.has(name) && replaces !== true) {
      throw reader.error(`function library "${name}" is there twice`, at);
    }
    libraries.set(name, code);
  }

  #readAux(name: string): void {
    const reader = this.#reader;
    reader.readString();
    this.#auxName = null;
    this.#options.onAux?.(name, toLatin1(reader.strBuf, reader.strOff, reader.strLen));
  }

  /** Passes over a piece of a module's data; false when there is more of it. */
  #skipModule(name: string): boolean {
    for (let parts = 0; skipModulePart(this.#reader); parts++) {
      if (parts === MODULE_PARTS_PER_LOOK) return false;
    }
    this.#module = null;
    this.#options.onModule?.(name);
    return true;
  }
}
