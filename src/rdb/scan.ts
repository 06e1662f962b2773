/**
 * Looks through a snapshot without loading it, for tools: it refuses what the loader refuses, key by key, in memory that
 * does not grow with the file. Values are passed over, of a string or a collection of any size nothing is kept. What is
 * held at once is the reader's window, one packed value (a ziplist, a listpack, an intset) or one node of a list or
 * stream, the pending ids of one stream, the templates of hashes, and hashes of names that may not come twice (seen_names.ts; among more than
 * four million keys, or elements of one value, later ones are not compared).
 *
 * Not looked at, since only a server can tell: whether the code of a function library compiles, and whether there are
 * as many databases.
 */

import { quoted } from "../base/printable.ts";
import { toLatin1 } from "../base/bytes.ts";
import { libraryName } from "../keyspace/function_libraries.ts";
import { DEFAULT_LIMITS } from "../keyspace/keyspace.ts";
import { HashTemplates } from "./kinds/hash_templates.ts";
import { LOAD_WHOLE } from "./kinds/value_load.ts";
import { ValueReader } from "./load_value.ts";
import type { RdbReader } from "./reader.ts";
import { SeenNames } from "./seen_names.ts";
import { SnapshotParser } from "./snapshot_parser.ts";

/** What hears of the parts of a snapshot, each once it is whole. What is left out is passed over. */
export interface ScanListener {
  onAux?(name: string, value: string): void;
  onDatabase?(index: number): void;
  /** How many keys the database is said to have, and how many of them expire. */
  onSizes?(keys: number, expiring: number): void;
  /** A function library. */
  onLibrary?(name: string): void;
  /** What a module keeps beside keys. */
  onModule?(name: string): void;
  /** Slots of a cluster were on their way to the writer, by this job. */
  onSlotImport?(job: string): void;
  /**
   * A key: its parts are those of the scan, its value what `scan.values` has passed over, and `state` says what of it
   * (LOAD_*). Its record is [scan.recordAt, scan.offset).
   */
  onKey?(scan: SnapshotScan, state: number): void;
}

/** Looks through one snapshot. The reader must not pause. */
export class SnapshotScan extends SnapshotParser {
  readonly #listener: ScanListener;
  readonly #keys: SeenNames;
  readonly #libraries = new Set<string>();

  /** `keys` has those that may not come again, and `templates` are there already: of other parts of the same snapshot. */
  constructor(
    reader: RdbReader,
    listener: ScanListener,
    keys = new SeenNames(),
    templates = new HashTemplates(),
  ) {
    super(reader, new ValueReader(DEFAULT_LIMITS, true));
    this.#listener = listener;
    this.#keys = keys;
    this.values.templates = templates;
    this.values.leavesOut = true;
  }

  /** Begins in the midst of a snapshot of a version, in a database, where a part of it begins. */
  enter(version: number, database: number): void {
    this.version = version;
    this.databaseIndex = database;
  }

  /** Whether there were too many keys to tell of each whether it came twice. */
  get isDuplicateUnknown(): boolean {
    return this.#keys.isFull;
  }

  /** The key that is being read, or was read last, as bytes in latin1. */
  get keyText(): string {
    return toLatin1(this.key, 0, this.keyLength);
  }

  protected override select(index: number): void {
    this.#listener.onDatabase?.(index);
  }

  protected override sized(keys: number, expiring: number): void {
    this.#listener.onSizes?.(keys, expiring);
  }

  protected override auxRead(name: string, value: string): void {
    this.#listener.onAux?.(name, value);
  }

  protected override libraryRead(at: number): void {
    const { reader } = this;
    const { strBuf, strOff, strLen } = reader;
    const name = libraryName(strBuf.subarray(strOff, strOff + strLen));
    if (name === null) throw reader.error("a function library without a name", at);
    if (this.#libraries.has(name)) {
      throw reader.error(`function library "${name}" is there twice`, at);
    }
    this.#libraries.add(name);
    this.#listener.onLibrary?.(name);
  }

  protected override moduleRead(name: string): void {
    this.#listener.onModule?.(name);
  }

  protected override slotImportRead(job: string): void {
    this.#listener.onSlotImport?.(job);
  }

  protected override keyRead(state: number, at: number): void {
    if (
      state === LOAD_WHOLE && !this.#keys.add(this.key, 0, this.keyLength, this.databaseIndex + 1)
    ) {
      throw this.reader.error(`key ${quoted(this.keyText)} is there twice`, at);
    }
    this.#listener.onKey?.(this, state);
  }
}
