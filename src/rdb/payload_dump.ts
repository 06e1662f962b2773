/**
 * The payload of a large value in steps, as of the moment it was begun, while requests go on changing the
 * value, remove it or exchange the whole database: for DUMP, as payload.ts is for what takes no time. It asks
 * of the value what a snapshot does (kinds/value_walk.ts), one walk at a time:
 *
 *     walk -> chunks with deferred strings -> ChunkFinisher -> chunks of the payload, with their checksum
 *     walk in order ---------------------------------------> chunks of the payload, with their checksum
 *
 * A value that a snapshot is walking has no second walk: `begin` says so. A snapshot that comes upon a value
 * whose payload is being made has the rest of it made at once.
 */

import { ENC_EXTERNAL, isSlotEncoding } from "../arena/record.ts";
import type { Database } from "../keyspace/database.ts";
import type { DatabaseContent } from "../keyspace/doors.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { StringReading } from "../keyspace/string_reading.ts";
import { ChunkFinisher } from "./finisher.ts";
import { kindOf } from "./kinds/index.ts";
import type { SavedForm, ValueWalk } from "./kinds/value_walk.ts";
import { LzfPieces } from "./lzf.ts";
import { typeByte } from "./save_value.ts";
import { type PayloadForm, payloadFormOf } from "./versions.ts";
import { RdbEncoder } from "./writer.ts";

/** Size of the chunks of a payload; not that of a reply's chunks, so that none is taken for one. */
const CHUNK_BYTES = 256 * 1024;
/** Size of the chunks of a walk: so much is compressed between two looks at the clock. */
const PIECE_BYTES = 32 * 1024;
/** Steps of a walk that are one step here. */
const WALK_STEPS = 32;

/** What gives the value's bytes to the payload. */
interface Source {
  /** Does a piece; true at the end. */
  step(): boolean;
  /** Nothing of it is needed any more; true when nothing is left to be done. */
  discard(): boolean;
}

export class PayloadDump {
  /** The payload once it is complete: the first `lengths[i]` bytes of each chunk. */
  readonly chunks: Uint8Array<ArrayBuffer>[] = [];
  readonly lengths: number[] = [];
  readonly #out: RdbEncoder;
  readonly #source: Source;
  #isOver = false;
  /** What has put an end to it while nobody asked for a step. */
  #failure: unknown = null;

  private constructor(content: DatabaseContent, ref: number, form: SavedForm) {
    this.#out = new RdbEncoder((chunk, length) => {
      this.chunks.push(chunk);
      this.lengths.push(length);
    }, { ...form, chunkBytes: CHUNK_BYTES });
    const meta = content.records.metaOf(ref);
    this.#out.writeByte(typeByte(content, ref, form.version));
    this.#source = isLongString(meta)
      ? new StringSource(content, ref, this.#out, form.compress)
      : new WalkSource(this, content, ref, this.#out, form);
    // What is removed meanwhile is not given back: it may be this value.
    Keyspace.snapshotsOpen++;
  }

  /** Bytes of the payload so far. */
  get sizeBytes(): number {
    return this.#out.offset;
  }

  /**
   * Begins with the value of a record, which is in a slot. Null when it has to be written at once: because it is
   * small, or because a snapshot is walking it.
   * @throws ReplyError when the version that is asked for cannot hold it
   */
  static begin(database: Database, ref: number, form: PayloadForm): PayloadDump | null {
    const content = database.capture();
    const meta = content.records.metaOf(ref);
    if (!isSlotEncoding((meta >>> 4) & 0xf)) return null;
    const isWalked = isLongString(meta)
      ? !StringReading.mayBegin(content)
      : kindOf(meta).isWalked(content, ref);
    if (isWalked) return null;
    return new PayloadDump(content, ref, payloadFormOf(form, content, database, ref));
  }

  /** Does a piece; true when all is done. */
  step(): boolean {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isOver) return true;
    if (!this.#source.step()) return false;
    this.#out.writeDumpFooter();
    this.#end();
    return true;
  }

  /** Goes to the end at once; there may be no memory for that, which is no business of who asks for it. */
  finishNow(): void {
    try {
      while (!this.step());
    } catch (error) {
      this.#failure = error;
      if (this.discard()) return;
      while (!this.#source.step());
      this.#end();
    }
  }

  /**
   * The payload is not needed any more. False when `step` has to be called until it answers true all the same: the
   * value has marks, which are not taken out all at once.
   */
  discard(): boolean {
    if (this.#isOver) return true;
    if (!this.#source.discard()) return false;
    this.#end();
    return true;
  }

  #end(): void {
    this.#isOver = true;
    Keyspace.snapshotsOpen--;
  }
}

function isLongString(meta: number): boolean {
  return ((meta >>> 4) & 0xf) === ENC_EXTERNAL;
}

function noChunk(): never {
  throw new Error("dump: a walk in order has gone another way");
}

/** A collection, walked. */
class WalkSource implements Source {
  readonly #walk: ValueWalk;
  /** What the walk writes to: the payload itself, or what is finished before it gets there. */
  readonly #main: RdbEncoder;
  readonly #out: RdbEncoder;

  constructor(
    dump: PayloadDump,
    content: DatabaseContent,
    ref: number,
    out: RdbEncoder,
    form: SavedForm,
  ) {
    const kind = kindOf(content.records.metaOf(ref));
    const walk = this.#walk = kind.walk(content, ref, form, false, true)!;
    walk.onPreempted = () => dump.finishNow();
    this.#out = out;
    if (walk.isInOrder) {
      this.#main = out;
      walk.begin(out, noChunk);
      return;
    }
    const finisher = new ChunkFinisher(out);
    const main: RdbEncoder = this.#main = new RdbEncoder((chunk, length, strings) => {
      finisher.add(chunk, length, strings);
      main.recycle(chunk);
    }, { ...form, checksum: false, chunkBytes: PIECE_BYTES, deferStrings: true });
    walk.begin(main, (chunk, length, strings) => finisher.add(chunk, length, strings));
  }

  step(): boolean {
    const main = this.#main;
    const until = main.offset + PIECE_BYTES;
    for (let steps = 0; steps < WALK_STEPS && main.offset < until; steps++) {
      if (!this.#walk.step(main)) continue;
      if (main !== this.#out) main.flush();
      return true;
    }
    return false;
  }

  discard(): boolean {
    return this.#walk.discard();
  }
}

/** A long string, compressed in pieces; what comes of that is kept until it is known whether it saves anything. */
class StringSource implements Source {
  readonly #text: StringReading;
  readonly #out: RdbEncoder;
  #pieces: LzfPieces | null;
  #at = 0;
  #hasLength = false;

  constructor(content: DatabaseContent, ref: number, out: RdbEncoder, compress: boolean) {
    const text = this.#text = new StringReading(content, ref);
    this.#out = out;
    this.#pieces = compress ? new LzfPieces(text.length) : null;
  }

  step(): boolean {
    const pieces = this.#pieces;
    if (pieces !== null && pieces.isWorthwhile) {
      if (this.#at < this.#text.length) {
        this.#at += pieces.add(this.#text.bytes, this.#at);
        return false;
      }
      return this.#writeCompressed(pieces);
    }
    return this.#writePlain();
  }

  #writeCompressed(pieces: LzfPieces): boolean {
    if (!this.#hasLength) this.#out.openCompressed(pieces.packedBytes, this.#text.length);
    this.#hasLength = true;
    const piece = pieces.shift();
    if (piece !== null) this.#out.writeBytes(piece, 0, piece.length);
    else this.discard();
    return piece === null;
  }

  #writePlain(): boolean {
    const { length, bytes } = this.#text;
    if (!this.#hasLength) {
      this.#at = 0;
      this.#pieces = null;
      this.#out.writeLength(length);
    }
    this.#hasLength = true;
    const size = Math.min(CHUNK_BYTES, length - this.#at);
    this.#out.writeBytes(bytes, this.#at, size);
    this.#at += size;
    if (this.#at < length) return false;
    this.discard();
    return true;
  }

  discard(): boolean {
    this.#text.end();
    return true;
  }
}
