/**
 * Streams as commands see them. Between commands and values.
 *
 * A stream is always an object in a slot (ENC_STREAM). There is one StreamView: `openRead` or
 * `openWrite` it on a key, work on `stream`, and after a change `settle`. Before the first change of a
 * stream that was there comes `beforeWrite`, which lets a snapshot see it.
 *
 * Not done here: `Database.changed`, which the handlers call as their events demand. A stream that has
 * become empty stays.
 */

import { ENC_STREAM, TYPE_STREAM } from "../arena/record.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import { Stream } from "../values/stream/stream.ts";
import type { Database } from "./database.ts";

const NONE = new Stream();

export class StreamView {
  stream: Stream = NONE;
  #database!: Database;
  #ref = 0;

  /** Works on this record, which must be a stream. */
  open(database: Database, ref: number): Stream {
    this.#database = database;
    this.#ref = ref;
    return this.stream = database.largeValue(ref) as Stream;
  }

  /** Looks a key up for reading; null when it is missing. @throws ReplyError WRONGTYPE */
  openRead(database: Database, bytes: Uint8Array, offset: number, length: number): Stream | null {
    return this.#openFound(database, database.lookupRead(bytes, offset, length));
  }

  /** Looks a key up for changing it; null when it is missing. @throws ReplyError WRONGTYPE */
  openWrite(database: Database, bytes: Uint8Array, offset: number, length: number): Stream | null {
    return this.#openFound(database, database.lookupWrite(bytes, offset, length));
  }

  #openFound(database: Database, ref: number): Stream | null {
    if (ref === 0) return null;
    if (database.typeOf(ref) !== TYPE_STREAM) throw new ReplyError(WRONG_TYPE);
    return this.open(database, ref);
  }

  /** Adds a stream, by default an empty one, at a key that is not there, and opens it. */
  create(
    database: Database,
    bytes: Uint8Array,
    offset: number,
    length: number,
    stream = new Stream(),
  ): Stream {
    this.#database = database;
    this.stream = stream;
    this.#ref = database.addLarge(bytes, offset, length, TYPE_STREAM, ENC_STREAM, this.stream);
    return this.stream;
  }

  /** To be called before the first change of a stream that was there. */
  beforeWrite(): void {
    this.#database.beforeWrite(this.#ref);
  }

  /** Ends a change: the memory count. */
  settle(): void {
    this.#database.measured(this.#ref, this.stream.memoryBytes);
  }
}

/** The view that handlers share. */
export const streamView = new StreamView();
