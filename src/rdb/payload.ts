/**
 * DUMP payloads: one value with its type byte, a version and a checksum, as format.ts draws it. For
 * the commands DUMP and RESTORE; what happens to the key is theirs.
 */

import type { Database } from "../keyspace/database.ts";
import { DUMP_FOOTER_BYTES, TYPE_MAX } from "./format.ts";
import type { ValueReader } from "./load_value.ts";
import { RdbError } from "./rdb_error.ts";
import { RdbReader, verifyDumpPayload } from "./reader.ts";
import { typeByte, writeValue } from "./save_value.ts";
import { ChunkCollector, RdbEncoder } from "./writer.ts";

const collector = new ChunkCollector();
const encoder = new RdbEncoder(collector.sink, { chunkBytes: 16 * 1024 });

/** The payload of a record's value; `compress` is `rdbcompression`. */
export function dumpPayload(database: Database, ref: number, compress: boolean): Uint8Array {
  encoder.reset();
  encoder.compress = compress;
  encoder.writeByte(typeByte(database.records.metaOf(ref)));
  writeValue(encoder, database, ref);
  encoder.writeDumpFooter();
  return collector.take();
}

const NO_BYTES = new Uint8Array(0);
const reader = RdbReader.fromBytes(NO_BYTES);

/** Whether version and checksum of a payload are right, so that its value may be read. */
export { verifyDumpPayload as isPayloadWhole };

/**
 * Reads the value of a payload that is whole into `values`. Null, or what is wrong: the bytes are no
 * value, or an empty collection. Bytes behind the value are let through, as in Redis.
 */
export function readPayload(
  values: ValueReader,
  bytes: Uint8Array,
  offset: number,
  length: number,
): string | null {
  const size = length - DUMP_FOOTER_BYTES;
  if (size < 1 || bytes[offset] > TYPE_MAX) return "unknown type of value";
  reader.resetBytes(bytes, offset, size);
  try {
    const type = reader.readByte();
    return values.read(reader, type, 0) ? null : "empty collection";
  } catch (error) {
    if (error instanceof RdbError) return error.what;
    throw error;
  }
}
