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
 * upon one it becomes a LargeWalk with a cursor of its own, and its elements are treated as the
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
import {
  ENC_EXTERNAL,
  ENC_HASHTABLE,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  SNAPSHOT_BIT,
} from "../arena/record.ts";
import { copyBytes } from "../base/bytes.ts";
import type { Database } from "../keyspace/database.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { LongString } from "../keyspace/value_slots.ts";
import { LargeHash } from "../values/large_hash.ts";
import type { LargeSet } from "../values/large_set.ts";
import { ListNode, type QuickList } from "../values/quicklist.ts";
import type { SortedSet } from "../values/sorted_set.ts";
import { DatasetWriter, SavedDatabase } from "./save_dataset.ts";
import { typeByte, writeField, writeListNode, writeMember, writeScored } from "./save_value.ts";
import { type ChunkSink, RdbEncoder } from "./writer.ts";

/** A collection with more elements is walked in pieces. */
const ELEMENTS_AT_ONCE = 500;
/** A list with more bytes, too. */
const LIST_BYTES_AT_ONCE = 64 * 1024;
/** A longer string is written in pieces of this size. */
const STRING_BYTES_AT_ONCE = 256 * 1024;
const CHUNK_BYTES = 256 * 1024;
const SIDE_CHUNK_BYTES = 64 * 1024;
const EARLY_CHUNK_BYTES = 4 * 1024;

/** Where a snapshot goes. */
export interface SnapshotSink {
  /** Takes a chunk as an encoder with deferred strings gives it (see finisher.ts). */
  readonly write: ChunkSink;
  /** Whether the walker should wait: so much is under way that memory would fill. */
  isFull(): boolean;
}

export interface SnapshotOptions {
  /** ACCESS_*: what is saved of the access clock. */
  readonly access: number;
  /** Whether strings are compressed, by whoever finishes the chunks. */
  readonly compress: boolean;
  /**
   * Strings of records that are longer are not compressed: to be compressed, a string has to be whole in
   * the memory of whoever finishes the chunks. Default: all are compressed.
   */
  readonly compressMax?: number;
  /** Further aux fields. */
  readonly aux?: readonly (readonly [string, string | number])[];
}

interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly strings: Int32Array<ArrayBuffer> | null;
}

/** Bytes that have to wait for others. */
class Detour {
  readonly out: RdbEncoder;
  #chunks: Chunk[] = [];

  constructor(compress: boolean, chunkBytes: number, deferMax?: number) {
    this.out = new RdbEncoder(
      (bytes, length, strings) => this.#chunks.push({ bytes, length, strings }),
      { compress, checksum: false, chunkBytes, deferStrings: true, deferMax },
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

/** A captured database: hears of changes to its records. */
class HookedDatabase extends SavedDatabase implements WriteHook {
  cursor = 0;

  constructor(readonly snapshot: Snapshot, database: Database) {
    super(database);
    this.content.records.parity ^= SNAPSHOT_BIT;
    this.content.records.hook = this;
  }

  beforeRecordWrite(dict: Dict, ref: number): void {
    if ((dict.flagsOf(ref) & SNAPSHOT_BIT) !== dict.parity) this.snapshot.emit(this, ref, false);
    else if (this.snapshot.streamed !== null) this.snapshot.keepStreamed(this, ref);
  }
}

export class Snapshot {
  /** Keys that it will hold. */
  readonly keysTotal: number;
  /** Keys written so far, or noted as large values. */
  keysDone = 0;
  /** The long string being written in pieces, if there is one. */
  streamed: StringWalk | null = null;

  readonly #keyspace: Keyspace;
  readonly #sink: SnapshotSink;
  readonly #compress: boolean;
  readonly #writer: DatasetWriter;
  readonly #main: RdbEncoder;
  readonly #side: Detour;
  readonly #sources: HookedDatabase[] = [];
  /** The source being walked. */
  #at = 0;
  #waiting: LargeWalk[] = [];
  #current: LargeWalk | null = null;

  /** Begins: the snapshot will be of this instant. */
  constructor(keyspace: Keyspace, sink: SnapshotSink, options: SnapshotOptions) {
    this.#keyspace = keyspace;
    this.#sink = sink;
    this.#compress = options.compress;
    this.#writer = new DatasetWriter(keyspace, options.access);
    this.#main = new RdbEncoder(sink.write, {
      compress: options.compress,
      checksum: false,
      chunkBytes: CHUNK_BYTES,
      deferStrings: true,
      deferMax: options.compressMax,
    });
    this.#side = new Detour(options.compress, SIDE_CHUNK_BYTES, options.compressMax);
    let keys = 0;
    for (const database of keyspace.databases) {
      if (database.count === 0) continue;
      keys += database.count;
      this.#sources.push(new HookedDatabase(this, database));
    }
    this.keysTotal = keys;
    this.#writer.begin(this.#main, options.aux);
  }

  /** Gives a chunk back that the sink was handed. */
  recycle(chunk: Uint8Array<ArrayBuffer>): void {
    this.#main.recycle(chunk);
  }

  /**
   * Walks until `now()` is past `untilMs` or the sink is full. True when everything has been handed to
   * the sink but the end mark and the checksum, which are for whoever finishes the chunks.
   */
  step(untilMs: number, now: () => number): boolean {
    do {
      if (this.#current !== null) this.#stepLarge(this.#current);
      else if (this.#waiting.length > 0) this.#beginLarge(this.#waiting.shift()!);
      else if (this.#at < this.#sources.length) this.#stepRecords(this.#sources[this.#at]);
      else {
        this.#main.flush();
        this.#release();
        return true;
      }
    } while (now() < untilMs && !this.#sink.isFull());
    return false;
  }

  /** Gives up: takes the hooks away and makes all parities agree again. Takes time for each record. */
  abort(): void {
    this.#release();
    for (const { content } of this.#sources) {
      const isHere = this.#keyspace.databases.some((database) => database.hasContent(content));
      if (isHere) agree(content.records);
    }
    for (const walk of this.#waiting) walk.abort();
    this.#current?.abort();
    this.#waiting = [];
    this.#current = null;
    this.streamed = null;
  }

  #release(): void {
    for (const { content } of this.#sources) content.records.hook = null;
  }

  // -- records -------------------------------------------------------------------------

  #stepRecords(source: HookedDatabase): void {
    const { records } = source.content;
    source.cursor = records.scan(source.cursor, (ref) => {
      if ((records.flagsOf(ref) & SNAPSHOT_BIT) !== records.parity) this.emit(source, ref, true);
    });
    if (source.cursor === 0) this.#at++;
  }

  /** Writes a record that was not yet written; `byWalker` is false when a request wants to change it. */
  emit(source: HookedDatabase, ref: number, byWalker: boolean): void {
    const { records } = source.content;
    records.setFlags(ref, records.flagsOf(ref) ^ SNAPSHOT_BIT);
    this.keysDone++;
    const large = this.#largeWalk(source, ref, byWalker);
    if (large === null) {
      this.#writer.write(this.#current === null ? this.#main : this.#side.out, source, ref);
    } else if (large instanceof StringWalk) this.#beginLarge(large);
    else this.#waiting.push(large);
  }

  // -- large values ------------------------------------------------------------------------

  /** The walk for a value that is too large to be written at once, else null. */
  #largeWalk(source: HookedDatabase, ref: number, byWalker: boolean): LargeWalk | null {
    const { content } = source;
    const meta = content.records.metaOf(ref);
    switch ((meta >>> 4) & 0xf) {
      case ENC_EXTERNAL: {
        const value = content.largeValue(ref) as LongString;
        // A request waits for it: there is no time to write it in pieces.
        if (value.length <= STRING_BYTES_AT_ONCE || !byWalker || this.#current !== null) {
          return null;
        }
        return new StringWalk(source, ref, value);
      }
      case ENC_QUICKLIST: {
        const list = content.largeValue(ref) as QuickList;
        if (list.count <= ELEMENTS_AT_ONCE && list.bufferBytes <= LIST_BYTES_AT_ONCE) return null;
        return new ListWalk(source, ref, list);
      }
      case ENC_HASHTABLE: {
        const value = content.largeValue(ref) as LargeSet | LargeHash;
        if (value.count <= ELEMENTS_AT_ONCE) return null;
        return value instanceof LargeHash
          ? new TableWalk(
            source,
            ref,
            value.dict,
            (out, field) => writeField(out, value, field),
            this.#compress,
          )
          : new TableWalk(
            source,
            ref,
            value,
            (out, member) => writeMember(out, value, member),
            this.#compress,
          );
      }
      case ENC_SKIPLIST: {
        const set = content.largeValue(ref) as SortedSet;
        if (set.count <= ELEMENTS_AT_ONCE) return null;
        return new TableWalk(
          source,
          ref,
          set.dict,
          (out, member) => writeScored(out, set, member),
          this.#compress,
        );
      }
    }
    return null;
  }

  #beginLarge(walk: LargeWalk): void {
    const main = this.#main;
    this.#writer.writePrefix(main, walk.source, walk.expiresAtMs, walk.meta);
    main.writeByte(typeByte(walk.meta));
    main.writeString(walk.key, 0, walk.key.length);
    walk.begin(main, this.#sink.write);
    this.#current = walk;
    if (walk instanceof StringWalk) this.streamed = walk;
  }

  #stepLarge(walk: LargeWalk): void {
    if (!walk.step(this.#main)) return;
    this.#current = null;
    this.streamed = null;
    this.#side.join(this.#main, this.#sink.write);
  }

  /** A record is about to change: if it holds the long string being written, its bytes are kept. */
  keepStreamed(source: HookedDatabase, ref: number): void {
    const { content } = source;
    const { streamed } = this;
    if (streamed === null || ((content.records.metaOf(ref) >>> 4) & 0xf) !== ENC_EXTERNAL) return;
    if (content.largeValue(ref) === streamed.value) streamed.keep();
  }
}

/** Makes all records of a table agree with its parity again. */
function agree(dict: Dict): void {
  const { parity } = dict;
  dict.forEach((ref) => dict.setFlags(ref, (dict.flagsOf(ref) & ~SNAPSHOT_BIT) | parity));
}

/** A value that is written in pieces; what its record said is noted when it is made. */
abstract class LargeWalk {
  readonly expiresAtMs: number;
  readonly meta: number;
  readonly key: Uint8Array;

  constructor(readonly source: HookedDatabase, ref: number) {
    const { records } = source.content;
    this.expiresAtMs = records.expiryOf(ref);
    this.meta = records.metaOf(ref);
    const at = records.keyOffset(ref);
    this.key = records.bytesOf(ref).slice(at, at + records.keyLength(ref));
  }

  /** Writes the value's beginning; from now on everything of it goes to `main`. */
  abstract begin(main: RdbEncoder, sink: ChunkSink): void;
  /** Writes a piece; true when that was the last. */
  abstract step(main: RdbEncoder): boolean;
  /** The snapshot is given up. */
  abstract abort(): void;
}

/** Members of a set or sorted set, fields of a hash. */
class TableWalk extends LargeWalk implements WriteHook {
  readonly #table: Dict;
  readonly #writeElement: (out: RdbEncoder, ref: number) => void;
  readonly #compress: boolean;
  readonly #count: number;
  #early: Detour | null = null;
  /** Where elements go: to #early until the walk has begun. */
  #out: RdbEncoder | null = null;
  #cursor = 0;
  #written = 0;

  constructor(
    source: HookedDatabase,
    ref: number,
    table: Dict,
    writeElement: (out: RdbEncoder, ref: number) => void,
    compress: boolean,
  ) {
    super(source, ref);
    this.#table = table;
    this.#writeElement = writeElement;
    this.#compress = compress;
    this.#count = table.count;
    table.parity ^= SNAPSHOT_BIT;
    table.hook = this;
  }

  beforeRecordWrite(dict: Dict, ref: number): void {
    if ((dict.flagsOf(ref) & SNAPSHOT_BIT) !== dict.parity) this.#write(ref);
  }

  #write(ref: number): void {
    const table = this.#table;
    table.setFlags(ref, table.flagsOf(ref) ^ SNAPSHOT_BIT);
    this.#written++;
    let out = this.#out;
    if (out === null) {
      this.#early ??= new Detour(this.#compress, EARLY_CHUNK_BYTES);
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
    const table = this.#table;
    this.#cursor = table.scan(this.#cursor, (ref) => {
      if ((table.flagsOf(ref) & SNAPSHOT_BIT) !== table.parity) this.#write(ref);
    });
    if (this.#cursor !== 0) return false;
    table.hook = null;
    if (this.#written !== this.#count) {
      throw new Error(`snapshot: ${this.#written} of ${this.#count} elements were written`);
    }
    return true;
  }

  override abort(): void {
    this.#table.hook = null;
    agree(this.#table);
  }
}

/** Nodes of a list, in the order they had. */
class ListWalk extends LargeWalk {
  readonly #list: QuickList;
  readonly #nodes: ListNode[] = [];
  /** Nodes that have changed meanwhile, as they were. */
  readonly #kept = new Map<ListNode, ListNode>();
  #at = 0;

  constructor(source: HookedDatabase, ref: number, list: QuickList) {
    super(source, ref);
    this.#list = list;
    for (let node = list.head; node !== null; node = node.next) this.#nodes.push(node);
    list.generation++;
    list.onNodeWrite = (node) => this.#keep(node);
  }

  #keep(node: ListNode): void {
    if (node.generation === this.#list.generation) return;
    node.generation = this.#list.generation;
    this.#kept.set(node, copyNode(node));
  }

  override begin(main: RdbEncoder): void {
    main.writeLength(this.#nodes.length);
  }

  override step(main: RdbEncoder): boolean {
    const node = this.#nodes[this.#at++];
    const kept = this.#kept.get(node);
    if (kept !== undefined) {
      writeListNode(main, kept);
      this.#kept.delete(node);
    } else {
      writeListNode(main, node);
      node.generation = this.#list.generation;
    }
    if (this.#at < this.#nodes.length) return false;
    this.#list.onNodeWrite = null;
    return true;
  }

  override abort(): void {
    this.#list.onNodeWrite = null;
  }
}

/** A node of its own with the same content. */
function copyNode(node: ListNode): ListNode {
  const size = node.end - node.start;
  const copy = new ListNode(size, node.plain, 0);
  copyBytes(copy.buf, 0, node.buf, node.start, size);
  copy.end = size;
  copy.count = node.count;
  return copy;
}

/** A long string, kept by reference until somebody wants to change it. */
class StringWalk extends LargeWalk {
  #bytes: Uint8Array;
  readonly #length: number;
  #at = 0;

  constructor(source: HookedDatabase, ref: number, readonly value: LongString) {
    super(source, ref);
    this.#bytes = value.bytes;
    this.#length = value.length;
  }

  /** Copies what is not written yet: the string is about to change. */
  keep(): void {
    if (this.#bytes !== this.value.bytes) return;
    this.#bytes = this.#bytes.slice(0, this.#length);
  }

  override begin(main: RdbEncoder): void {
    main.openString(this.#length);
  }

  override step(main: RdbEncoder): boolean {
    const size = Math.min(STRING_BYTES_AT_ONCE, this.#length - this.#at);
    main.writeBytes(this.#bytes, this.#at, size);
    this.#at += size;
    return this.#at === this.#length;
  }

  override abort(): void {}
}
