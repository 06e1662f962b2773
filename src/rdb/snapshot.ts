/**
 * A snapshot without fork: the dataset as of one instant, written in slices of time between requests.
 * Used by BGSAVE; a full sync of a replica may hand in another sink. See "Snapshots without fork" in
 * NOTES.
 *
 * ## How it works
 *
 * At the start each database's table is captured and hooked. Its `parity` changes, which makes all
 * records in it "not yet written" and every record added from now on "written" (it is not part of
 * this snapshot): nothing has to be marked beforehand or cleared afterwards. Then
 *
 * - the walker goes through the tables by `Dict.scan` and writes each record that is not yet written;
 * - a request that is about to change or remove such a record lets the hook write it first, with its
 *   old value (`beforeRecordWrite`).
 *
 * A record is written once, by whoever comes first. FLUSHALL and SWAPDB exchange tables; the captured
 * ones are walked to their end under the database number they had.
 *
 * ## Large values
 *
 * A collection of a million elements cannot be written in one go. When the walker or a request comes
 * upon one it becomes a LargeRecord with a walk of its own (kinds/value_walk.ts), and its elements are treated as the
 * records above are: the table of a set, hash or sorted set has a parity and a hook too, a list tells
 * of each node before it changes. Expiry and key are noted at once, as the record may go away.
 *
 * The format wants the elements of a key in one run, so bytes take one of three ways:
 *
 *     main    what the sink gets: records, and the one large value being walked (`#current`)
 *     side    records written by requests while a large value is in the making; goes into main behind it
 *     early   per large value not yet being walked: elements that changed meanwhile; goes first there
 *
 * Not bounded: memory for what requests change in data the walker has not come to, as with fork; and
 * the time to copy one long string that is changed before or while it is written.
 */

import type { Dict, WriteHook } from "../arena/dict.ts";
import { isSlotEncoding, SNAPSHOT_BIT } from "../arena/record.ts";
import { isRefusal } from "../base/refused.ts";
import type { Database } from "../keyspace/database.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { kindOf } from "./kinds/index.ts";
import { agree, Detour, type SavedForm, type ValueWalk } from "./kinds/value_walk.ts";
import {
  DatasetWriter,
  type LeftOutListener,
  SavedDatabase,
  type SavedDataset,
  type SnapshotHead,
} from "./save_dataset.ts";
import { typeByte } from "./save_value.ts";
import { fullVersion } from "./versions.ts";
import { type ChunkSink, RdbEncoder } from "./writer.ts";

const CHUNK_BYTES = 256 * 1024;
const SIDE_CHUNK_BYTES = 64 * 1024;

/** The records that the walker is about to write. */
const gathered: number[] = [];

/** Where a snapshot goes. */
export interface SnapshotSink {
  /** Takes a chunk as an encoder with deferred strings gives it (see finisher.ts). */
  readonly write: ChunkSink;
  /** Whether the walker should wait: so much is under way that memory would fill. */
  isFull(): boolean;
}

export interface SnapshotOptions extends SnapshotHead {
  /** ACCESS_*: what is saved of the access clock. */
  readonly access: number;
  /** Whether strings are compressed, by whoever finishes the chunks. */
  readonly compress: boolean;
  /**
   * Strings of records that are longer are not compressed: to be compressed, a string has to be whole in
   * the memory of whoever finishes the chunks. Default: all are compressed.
   */
  readonly compressMax?: number;
  /** The version; RDB_VERSION_MIN to RDB_VERSION_MAX. Default: one that can hold all there is (`fullVersion`). */
  readonly version?: number;
  /** Whether commands are made of it: see `RdbEncoder.groupsFirst`. Default: false. */
  readonly groupsFirst?: boolean;
  /** With it, what the version cannot hold is left out and told to it; without, the version has to hold all. */
  readonly leftOut?: LeftOutListener;
}

/** A captured database: hears of changes to its records. */
class HookedDatabase extends SavedDatabase implements WriteHook {
  cursor = 0;

  constructor(readonly snapshot: Snapshot, database: Database) {
    super(database);
    this.content.records.hook?.preempt?.();
    this.content.records.parity ^= SNAPSHOT_BIT;
    this.content.records.hook = this;
  }

  beforeRecordWrite(dict: Dict, ref: number): void {
    const { snapshot } = this;
    try {
      if ((dict.flagsOf(ref) & SNAPSHOT_BIT) !== dict.parity) snapshot.emit(this, ref, false);
      else if (snapshot.borrowed !== null) snapshot.keepBorrowed(this, ref);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      snapshot.failure ??= error;
    }
  }
}

export class Snapshot {
  /** Keys that it will hold. */
  readonly keysTotal: number;
  /** Keys written so far, or noted as large values. */
  keysDone = 0;
  /** The walk under way if its value cannot tell of changes by itself (a long string), else null. */
  borrowed: ValueWalk | null = null;
  /**
   * Memory was refused for a record as it was before a change: the snapshot cannot be completed. That is no
   * reason to refuse the change, so it is for `step` to throw.
   */
  failure: unknown = null;

  readonly #dataset: SavedDataset;
  readonly #sink: SnapshotSink;
  readonly #form: SavedForm;
  readonly #writer: DatasetWriter;
  readonly #main: RdbEncoder;
  readonly #side: Detour;
  readonly #sources: HookedDatabase[] = [];
  /** The source being walked. */
  #at = 0;
  #waiting: LargeRecord[] = [];
  #current: LargeRecord | null = null;
  #isReleased = false;
  /** `keysDone` at which the present step ends. */
  #untilKeys = Infinity;

  /** Begins: the snapshot will be of this instant. */
  constructor(dataset: SavedDataset, sink: SnapshotSink, options: SnapshotOptions) {
    this.#dataset = dataset;
    this.#sink = sink;
    const { access, compress, version = fullVersion(dataset), groupsFirst } = options;
    this.#form = { compress, version, groupsFirst };
    this.#writer = new DatasetWriter(dataset, access, options.leftOut);
    this.#main = new RdbEncoder(sink.write, {
      ...this.#form,
      checksum: false,
      chunkBytes: CHUNK_BYTES,
      deferStrings: true,
      deferMax: options.compressMax,
    });
    this.#side = new Detour(this.#form, SIDE_CHUNK_BYTES, options.compressMax);
    let keys = 0;
    for (const database of dataset.databases) {
      if (database.count === 0) continue;
      keys += database.count;
      this.#sources.push(new HookedDatabase(this, database));
    }
    this.keysTotal = keys;
    Keyspace.snapshotsOpen++;
    this.#writer.begin(this.#main, options);
    this.#writer.writeLibraries(this.#main);
  }

  /** Whether strings are compressed from here on, if they may be at all; those kept beside are. */
  set compresses(value: boolean) {
    this.#main.compress = this.#form.compress && value;
  }

  /** Gives a chunk back that the sink was handed. */
  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    this.#main.recycle(chunk);
  }

  /**
   * Walks until `now()` is past `untilMs`, `keysDone` is `untilKeys` or the sink is full. True when everything has been handed to
   * the sink but the end mark and the checksum, which are for whoever finishes the chunks.
   * @throws RangeError when memory was refused: nothing can be made of it any more
   */
  step(untilMs: number, now: () => number, untilKeys = Infinity): boolean {
    if (this.failure !== null) throw this.failure;
    this.#untilKeys = untilKeys;
    do {
      if (this.#current !== null) this.#stepLarge(this.#current);
      else if (this.#waiting.length > 0) this.#beginLarge(this.#waiting.shift()!);
      else if (this.#at < this.#sources.length) this.#stepRecords(this.#sources[this.#at]);
      else {
        this.#main.flush();
        this.#release();
        return true;
      }
    } while (this.keysDone < untilKeys && now() < untilMs && !this.#sink.isFull());
    return false;
  }

  /** Gives up: takes the hooks away and makes all parities agree again. Takes time for each record. */
  abort(): void {
    this.#release();
    for (const { content } of this.#sources) {
      const isHere = this.#dataset.databases.some((database) => database.hasContent(content));
      if (isHere) agree(content.records);
    }
    for (const { walk } of this.#waiting) walk.abort();
    this.#current?.walk.abort();
    this.#waiting = [];
    this.#current = null;
    this.borrowed = null;
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    Keyspace.snapshotsOpen--;
    for (const { content } of this.#sources) content.records.hook = null;
  }

  // -- records -------------------------------------------------------------------------

  /**
   * Writes some dozens of records. Once one of them has begun a walk of its own, or enough have been written, the others
   * wait: they are found again from the same cursor, and those that have been written say so.
   */
  #stepRecords(source: HookedDatabase): void {
    const { records } = source.content;
    gathered.length = 0;
    const next = records.gatherSome(source.cursor, gathered);
    for (let i = 0; i < gathered.length; i++) {
      const ref = gathered[i];
      if ((records.flagsOf(ref) & SNAPSHOT_BIT) === records.parity) continue;
      if (this.#current !== null || this.keysDone >= this.#untilKeys) return;
      this.emit(source, ref, true);
    }
    source.cursor = next;
    if (next === 0) this.#at++;
  }

  /** Writes a record that was not yet written; `byWalker` is false when a request wants to change it. */
  emit(source: HookedDatabase, ref: number, byWalker: boolean): void {
    const { records } = source.content;
    records.setFlags(ref, records.flagsOf(ref) ^ SNAPSHOT_BIT);
    this.keysDone++;
    if (!this.#writer.holds(source, ref, this.#form.version)) return;
    // A request waits for a record that it wants to change: no time to borrow the value for long.
    const canBorrow = byWalker && this.#current === null;
    const kind = kindOf(records.metaOf(ref));
    const walk = kind.walk(source.content, ref, this.#form, canBorrow);
    if (walk === null) {
      this.#writer.write(this.#current === null ? this.#main : this.#side.out, source, ref);
      return;
    }
    const large = new LargeRecord(source, ref, walk, this.#form.version);
    if (walk.isBorrowed) this.#beginLarge(large);
    else this.#waiting.push(large);
  }

  // -- large values ------------------------------------------------------------------------

  #beginLarge(large: LargeRecord): void {
    const main = this.#main;
    this.#writer.writePrefix(main, large.source, large.expiresAtMs, large.meta);
    main.writeByte(large.type);
    main.writeString(large.key, 0, large.key.length);
    large.walk.begin(main, this.#sink.write);
    this.#current = large;
    if (large.walk.isBorrowed) this.borrowed = large.walk;
  }

  #stepLarge({ walk }: LargeRecord): void {
    if (!walk.step(this.#main)) return;
    this.#current = null;
    this.borrowed = null;
    this.#side.join(this.#main, this.#sink.write);
  }

  /** A record is about to change: if it holds the value that is borrowed, its bytes are kept. */
  keepBorrowed({ content }: HookedDatabase, ref: number): void {
    const { borrowed } = this;
    if (borrowed === null || !isSlotEncoding((content.records.metaOf(ref) >>> 4) & 0xf)) return;
    if (content.largeValue(ref) === borrowed.value) borrowed.keep();
  }
}

/** A record whose value is written in pieces: what it said when the walk was made. */
class LargeRecord {
  readonly expiresAtMs: number;
  readonly meta: number;
  readonly type: number;
  readonly key: Uint8Array;

  constructor(
    readonly source: HookedDatabase,
    ref: number,
    readonly walk: ValueWalk,
    version: number,
  ) {
    const { records } = source.content;
    this.expiresAtMs = records.expiryOf(ref);
    this.meta = records.metaOf(ref);
    this.type = typeByte(source.content, ref, version);
    const at = records.keyOffset(ref);
    this.key = records.bytesOf(ref).slice(at, at + records.keyLength(ref));
  }
}
