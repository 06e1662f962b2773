/**
 * Values that are kept for a while as a snapshot has them, and made values again one at a time.
 */

import type { Draw } from "../../base/clock.ts";
import type { Database } from "../../keyspace/database.ts";
import { Keyspace } from "../../keyspace/keyspace.ts";
import { WriteStream } from "../../propagation/write_stream.ts";
import { RDB_VERSION_MAX } from "../../rdb/format.ts";
import { ValueReader } from "../../rdb/load_value.ts";
import { RdbReader } from "../../rdb/reader.ts";
import { typeByte, writeValue } from "../../rdb/save_value.ts";
import { ChunkCollector, RdbEncoder } from "../../rdb/writer.ts";
import { hashBytes } from "../../base/hash.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { sizeOfValue } from "../dataset/value_visitor.ts";

const NO_DRAW: Draw = () => 0;
const NO_KEY = new Uint8Array(0);
const CHUNK_BYTES = 16 * 1024;
/** A value with more parts, or a longer string, is not kept. */
const PARTS_MAX = 1 << 20;

export class ValueCopies {
  readonly #collector = new ChunkCollector();
  readonly #encoder = new RdbEncoder(this.#collector.sink, {
    checksum: false,
    chunkBytes: CHUNK_BYTES,
    version: RDB_VERSION_MAX,
  });
  readonly #place: Database;
  readonly #values: ValueReader;
  readonly #kept = new Map<number, Uint8Array>();
  #room: number;

  /** Keeps values up to so many bytes together. */
  constructor(runtime: Runtime, bytesMax: number) {
    const keyspace = new Keyspace(1, runtime.clock, NO_DRAW, new WriteStream());
    this.#place = keyspace.databases[0];
    this.#values = new ValueReader(keyspace.limits);
    this.#room = bytesMax;
  }

  /** Keeps the value of a record under a number, if there is room. */
  keep(number: number, database: Database, ref: number): void {
    if (sizeOfValue(database, ref) > PARTS_MAX) return;
    const out = this.#encoder;
    out.reset();
    out.writeByte(typeByte(database, ref, RDB_VERSION_MAX));
    writeValue(out, database, ref);
    out.flush();
    const bytes = this.#collector.take(out);
    if (bytes.length > this.#room) return;
    this.#room -= bytes.length;
    this.#kept.set(number, bytes);
  }

  /** Shows the value that was kept under a number; false when there is none. */
  show(number: number, visit: (database: Database, ref: number) => void): boolean {
    const bytes = this.#kept.get(number);
    if (bytes === undefined) return false;
    const reader = RdbReader.fromBytes(bytes, 0, bytes.length, { checksum: false });
    this.#values.read(reader, reader.readByte(), 0);
    const hash = hashBytes(NO_KEY, 0, 0);
    const ref = this.#values.place(this.#place, NO_KEY, 0, 0, hash, NaN);
    visit(this.#place, ref);
    this.#place.takeBack(ref);
    return true;
  }
}
