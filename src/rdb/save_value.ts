/**
 * One record of the keyspace as bytes of a snapshot: type byte, key and value, in types that the version of
 * the encoder knows. Used by SAVE, the snapshot of BGSAVE and DUMP. What each type looks like is known to the
 * kinds of values (src/rdb/kinds), what a version has no type for is told by versions.ts.
 *
 * A value is written at once here; src/rdb/snapshot.ts writes large ones in pieces.
 */

import type { ValueSource } from "../keyspace/doors.ts";
import { kindOf } from "./kinds/index.ts";
import type { RdbEncoder } from "./writer.ts";

/** The type byte for a record as it is now, in this version; of a later one if it has none for it. */
export function typeByte(source: ValueSource, ref: number, version: number): number {
  return kindOf(source.records.metaOf(ref)).rdbTypeOf(source, ref, version);
}

/** Writes type byte, key and value of a record. */
export function writeRecord(out: RdbEncoder, source: ValueSource, ref: number): void {
  const { records } = source;
  const meta = records.metaOf(ref);
  const kind = kindOf(meta);
  out.writeByte(kind.rdbTypeOf(source, ref, out.version));
  out.writeString(records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
  kind.save(out, source, ref);
}

/** Writes the value of a record, without type byte and key. */
export function writeValue(out: RdbEncoder, source: ValueSource, ref: number): void {
  kindOf(source.records.metaOf(ref)).save(out, source, ref);
}
