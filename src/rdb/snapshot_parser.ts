/**
 * Goes through a snapshot in steps: opcodes and keys are read here, values by a ValueReader, primitives in reader.ts;
 * format.ts draws the layout. What becomes of it is decided by who extends this: the loader puts it into a keyspace
 * (loader.ts), the scan only looks (scan.ts). The caller says until when to work, and may do other things in between.
 */

import { copyBytes, toLatin1 } from "../base/bytes.ts";
import {
  codeName,
  isValkeyVersion,
  OPCODE_AUX,
  OPCODE_EOF,
  OPCODE_EXPIRETIME,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_FUNCTION_2,
  OPCODE_FUNCTION_PRE_GA,
  OPCODE_HASH_TEMPLATE,
  OPCODE_IDLE,
  OPCODE_KEY_META,
  OPCODE_MODULE_AUX,
  OPCODE_RESIZEDB,
  OPCODE_SELECTDB,
  OPCODE_SLOT_IMPORT,
  OPCODE_SLOT_INFO,
  RDB_VERSION_CHECKSUM,
  typeIn,
} from "./format.ts";
import { HashTemplate } from "./kinds/hash_templates.ts";
import { LOAD_PART } from "./kinds/value_load.ts";
import type { ValueReader } from "./load_value.ts";
import { readClassName, readModuleName, skipModulePart } from "./module_data.ts";
import { RdbError } from "./rdb_error.ts";
import { PAUSED, type RdbReader, STARVED } from "./reader.ts";
import { keyMetadata, type Unheld } from "./unheld.ts";

/** Records read between two looks at the clock. */
export const RECORDS_PER_LOOK = 64;
/** Bytes read between two looks at the clock, where records are large. */
const BYTES_PER_LOOK = 128 * 1024;

/** Parts of a module's data, and names of a hash template, between two looks at the clock. */
const PARTS_PER_LOOK = 4096;
/** There are not more slots. */
const SLOTS = 16384;
/** Classes of modules that keep something with one key: Redis has room for seven. */
const CLASSES_MAX = 7;

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
  /** The hash template whose names are being read: its number, how many are to come, where its opcode was. */
  #template: HashTemplate | null = null;
  #templateNumber = 0;
  #namesLeft = 0;
  #templateAt = 0;
  /** Ranges of slots on their way that are still to come, and who brings them. */
  #rangesLeft = 0;
  /** What modules keep with the key that comes: classes that are still to come, and what has come. */
  #classesLeft = 0;
  #isInClass = false;
  readonly #metadata: Unheld[] = [];

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
  /** The slots that come with a job of this name were on their way when the snapshot was made. */
  protected slotImportRead(_job: string): void {}
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
      if (this.recordAt < 0 && this.#belongsToKey(code)) this.recordAt = at;
      this.partAt = this.recordAt < 0 ? at : this.recordAt;
      if (isType(code)) {
        this.#readKey(code, at);
        if (!this.#readValue()) break;
      } else if (code === OPCODE_EOF) {
        if (this.version >= RDB_VERSION_CHECKSUM) this.isSummed = reader.verifyChecksum();
        return true;
      } else {
        this.#readOpcode(code, at);
        if (this.#isInPart) break;
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
    if (this.#isInPart && !this.#readPart()) return false;
    if (this.#auxName !== null) this.#readAux(this.#auxName);
    return this.valueOf < 0 || this.#readValue();
  }

  /** Whether an opcode with many parts has been begun. */
  get #isInPart(): boolean {
    return this.#module !== null || this.#template !== null || this.#rangesLeft > 0 ||
      this.#classesLeft > 0;
  }

  /** Reads on in what an opcode has begun; false when there is more of it. */
  #readPart(): boolean {
    if (this.#module !== null) return this.#skipModule(this.#module);
    if (this.#template !== null) return this.#readTemplate(this.#template);
    return this.#rangesLeft > 0 ? this.#skipRanges() : this.#skipMetadata();
  }

  /** Whether a type or an opcode begins the record of a key, or goes on with it. */
  #belongsToKey(code: number): boolean {
    return isType(code) || code === OPCODE_EXPIRETIME_MS || code === OPCODE_EXPIRETIME ||
      code === OPCODE_IDLE || code === OPCODE_FREQ ||
      (code === OPCODE_KEY_META && !isValkeyVersion(this.version));
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
      for (const unheld of this.#metadata) this.values.leaveOut(unheld, reader, at);
      this.#metadata.length = 0;
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
      case OPCODE_KEY_META: // OPCODE_SLOT_IMPORT is the same number
        if (isValkeyVersion(this.version)) this.#beginSlotImport();
        else this.#beginMetadata(at);
        this.#readPart();
        return;
      case OPCODE_HASH_TEMPLATE:
        this.#beginTemplate(at);
        this.#readPart();
        return;
      case OPCODE_FUNCTION_PRE_GA:
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
      if (parts === PARTS_PER_LOOK) return false;
    }
    this.#module = null;
    this.moduleRead(name);
    return true;
  }

  #beginTemplate(at: number): void {
    const { reader } = this;
    this.#templateNumber = reader.readPlainLength("the number of a hash template");
    this.#namesLeft = reader.readCount("fields");
    if (this.#namesLeft === 0) throw reader.error("a hash template without fields", at);
    this.#templateAt = at;
    this.#template = new HashTemplate();
    reader.mark();
  }

  /** Reads names of a hash template; false when there are more of them. */
  #readTemplate(template: HashTemplate): boolean {
    const { reader } = this;
    for (let names = 0; this.#namesLeft > 0; names++) {
      if (names === PARTS_PER_LOOK) return false;
      reader.readString();
      template.add(reader.strBuf, reader.strOff, reader.strLen);
      this.#namesLeft--;
      reader.mark();
    }
    this.#template = null;
    this.values.templates.add(this.#templateNumber, template, reader, this.#templateAt);
    return true;
  }

  #beginSlotImport(): void {
    const { reader } = this;
    reader.readString();
    const job = toLatin1(reader.strBuf, reader.strOff, reader.strLen);
    const at = reader.offset;
    const ranges = reader.readCount("ranges of slots", 2);
    if (ranges > SLOTS) throw reader.error(`${ranges} ranges of slots`, at);
    this.#rangesLeft = ranges;
    this.slotImportRead(job);
    reader.mark();
  }

  /** Passes over ranges of slots. */
  #skipRanges(): boolean {
    const { reader } = this;
    while (this.#rangesLeft > 0) {
      reader.readPlainLength("the first slot of a range");
      reader.readPlainLength("the last slot of a range");
      this.#rangesLeft--;
      reader.mark();
    }
    return true;
  }

  #beginMetadata(at: number): void {
    const { reader } = this;
    const classes = reader.readCount("classes of metadata", 5);
    if (classes > CLASSES_MAX || this.#metadata.length > 0) {
      throw reader.error(`${classes} classes of metadata of a key`, at);
    }
    this.#classesLeft = classes;
    reader.mark();
  }

  /** Passes over what modules keep with a key; false when there is more of it. */
  #skipMetadata(): boolean {
    const { reader } = this;
    for (let parts = 0; this.#classesLeft > 0;) {
      if (!this.#isInClass) {
        this.#metadata.push(keyMetadata(readClassName(reader)));
        this.#isInClass = true;
        reader.mark();
      }
      while (skipModulePart(reader)) if (++parts === PARTS_PER_LOOK) return false;
      this.#isInClass = false;
      this.#classesLeft--;
      reader.mark();
    }
    return true;
  }
}

/** Of numbers that are not known yet: types are counted upwards from 0, opcodes downwards from 255. */
function isType(code: number): boolean {
  return code < OPCODE_SLOT_IMPORT - UNKNOWN_OPCODES;
}
