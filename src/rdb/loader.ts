/**
 * Loads a snapshot into the keyspace, in steps: the caller says until when to work, and may serve
 * clients in between. Opcodes and keys are read by snapshot_parser.ts, values in load_value.ts.
 *
 * Of what the file may hold and this server does not have, data of a module beside keys are passed over,
 * which the caller is told of; a value of a type that does not exist here stops the load, unless it is known
 * how to pass over it and the caller wants its key left out, and so does a function library that cannot be used.
 */

import { toLatin1 } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import type { Database } from "../keyspace/database.ts";
import { type FunctionLibraries, libraryName } from "../keyspace/function_libraries.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { LOAD_LEFT_OUT, LOAD_WHOLE } from "./kinds/value_load.ts";
import { ValueReader } from "./load_value.ts";
import type { RdbReader } from "./reader.ts";
import { RECORDS_PER_LOOK, SnapshotParser } from "./snapshot_parser.ts";
import type { Unheld } from "./unheld.ts";

/** A record in a file has a type byte, a key and a value: at least so many bytes. */
const RECORD_BYTES_MIN = 3;

/** Records whose keys are looked for together, so that the waits for memory overlap. */
const BATCH = 32;

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
  /** Called where slots were on their way to the server that wrote the snapshot: keys of theirs may be incomplete. */
  readonly onSlotImport?: (job: string) => void;
  /**
   * Called for each key that was left out, or is loaded without a part, since that has no place here: what it is,
   * database and key. Without it such a key ends the load.
   */
  readonly onUnheld?: (unheld: Unheld, database: number, key: string) => void;
  /**
   * Called with the name of each function library that was left out because it cannot be used, and what is wrong with
   * it. Without it such a library ends the load.
   */
  readonly onBadLibrary?: (name: string, problem: string) => void;
}

/** Loads one snapshot. After an RdbError the keyspace holds what came before it. */
export class RdbLoader extends SnapshotParser {
  keysLoaded = 0;
  keysExpired = 0;
  keysEmpty = 0;
  /** Keys left out because their value is of a type that has no place here. */
  keysLeftOut = 0;
  librariesLoaded = 0;

  readonly #keyspace: Keyspace;
  readonly #options: LoadOptions;
  readonly #nowMs: number;
  #database: Database;
  #addLibrary: LibraryLoader | null = null;
  /** Records of `#database` that have been made and are not in its table yet; their hashes, and where they stand. */
  readonly #made = new Int32Array(BATCH);
  readonly #hashes = new Int32Array(BATCH);
  readonly #places = new Float64Array(BATCH);
  #madeCount = 0;

  constructor(keyspace: Keyspace, reader: RdbReader, options: LoadOptions) {
    super(reader, new ValueReader(keyspace.limits));
    this.#keyspace = keyspace;
    this.#options = options;
    this.#nowMs = keyspace.clock.now();
    this.#database = keyspace.databases[0];
    this.values.leavesOut = options.onUnheld !== undefined;
  }

  /** Loads for about `ms`, or until `keysMax` keys (at least 1) have come; otherwise as `step`. */
  stepFor(ms: number, now: () => number, keysMax: number): boolean {
    const untilKeys = this.keysLoaded + keysMax;
    this.recordsPerLook = Math.min(RECORDS_PER_LOOK, keysMax);
    return this.step(now() + ms, () => this.keysLoaded < untilKeys ? now() : Infinity);
  }

  /** As in SnapshotParser; afterwards all that has been read is in the keyspace. */
  override step(untilMs: number, now: () => number): boolean {
    try {
      return super.step(untilMs, now);
    } finally {
      this.#addMade();
    }
  }

  protected override keyRead(state: number, at: number): void {
    const { key, keyLength: length, expiresAtMs } = this;
    const database = this.#database;
    for (const unheld of this.values.unheld) {
      this.#options.onUnheld?.(unheld, database.index, toLatin1(key, 0, length));
    }
    if (state === LOAD_LEFT_OUT) this.keysLeftOut++;
    else if (state !== LOAD_WHOLE) {
      this.keysEmpty++;
      this.#options.onEmptyKey?.(toLatin1(key, 0, length));
    } else if (this.#options.dropsExpired && expiresAtMs < this.#nowMs) {
      this.keysExpired++;
      this.#options.onExpired?.(database.index, key, 0, length);
    } else {
      this.#add(at);
      this.keysLoaded++;
    }
  }

  /** Adds the key that has been read. */
  #add(at: number): void {
    const { key, keyLength: length, expiresAtMs, values } = this;
    const database = this.#database;
    const hash = hashBytes(key, 0, length);
    let ref: number;
    if (values.isPlain && this.#options.replaces !== true) {
      if (this.#madeCount === BATCH) this.#addMade();
      const index = this.#madeCount;
      ref = values.prepare(database, key, 0, length, hash, expiresAtMs);
      this.#made[index] = ref;
      this.#hashes[index] = hash;
      this.#places[index] = at;
      this.#madeCount++;
    } else {
      const there = database.records.find(key, 0, length, hash);
      if (there !== 0) {
        if (this.#options.replaces !== true) this.#refuseTwice(key, 0, length, at);
        database.removeRecord(there, key, 0, length);
      }
      ref = values.place(database, key, 0, length, hash, expiresAtMs);
    }
    if (this.idleSeconds >= 0 || this.frequency >= 0) {
      database.setAccess(ref, this.idleSeconds, this.frequency);
    }
  }

  /** Adds the records that have been made. @throws RdbError when a key is there already: it and what follows go */
  #addMade(): void {
    const count = this.#madeCount;
    if (count === 0) return;
    this.#madeCount = 0;
    const database = this.#database;
    const { records } = database;
    records.warm(this.#hashes, count);
    let at = 0;
    try {
      while (at < count) {
        const ref = this.#made[at];
        const bytes = records.bytesOf(ref);
        const offset = records.keyOffset(ref);
        const length = records.keyLength(ref);
        if (records.find(bytes, offset, length, this.#hashes[at]) !== 0) {
          this.#refuseTwice(bytes, offset, length, this.#places[at]);
        }
        at++; // a record that cannot be added is gone
        database.addPrepared(ref);
      }
    } catch (error) {
      this.keysLoaded -= count - at;
      while (at < count) database.freePrepared(this.#made[at++]);
      throw error;
    }
  }

  #refuseTwice(key: Uint8Array, offset: number, length: number, at: number): never {
    throw this.reader.error(`key "${toLatin1(key, offset, length)}" is there twice`, at);
  }

  protected override select(index: number, at: number): void {
    const { databases } = this.#keyspace;
    if (index >= databases.length) {
      const what = `database ${index}, where this server is configured to handle ` +
        `${databases.length} databases,`;
      throw this.reader.error(what, at);
    }
    this.#addMade();
    this.#database = databases[index];
  }

  protected override sized(keys: number): void {
    const most = this.reader.remaining() / RECORD_BYTES_MIN;
    const { reserveMax } = this.#options;
    this.#database.table.reserve(
      Math.min(keys, Number.isFinite(most) ? most : (reserveMax ?? 0), reserveMax ?? most),
    );
  }

  protected override libraryRead(at: number): void {
    const { reader } = this;
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

  protected override auxRead(name: string, value: string): void {
    this.#options.onAux?.(name, value);
  }

  protected override moduleRead(name: string): void {
    this.#options.onModule?.(name);
  }

  protected override slotImportRead(job: string): void {
    this.#options.onSlotImport?.(job);
  }
}
