/** What the commands of HyperLogLogs share: finding one, its errors, the copy that is changed. */

import { TYPE_STRING } from "../../arena/record.ts";
import { copyBytes } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { ReplyError, WRONG_TYPE } from "../../resp/reply_error.ts";
import { EMPTY_HLL, HllEditor, isHyperLogLog } from "../../values/hyperloglog.ts";

/** A string whose header or length is that of no HyperLogLog. */
export const NOT_A_HYPERLOGLOG = "WRONGTYPE Key is not a valid HyperLogLog string value.";
/** A HyperLogLog whose runs are not those of all registers. */
export const CORRUPTED = "INVALIDOBJ Corrupted HLL object detected";

/** The copy that the running command changes. */
export const editor = new HllEditor();

/**
 * Where a record's HyperLogLog lies: sets `stringOffset` and `stringLength` of the database. Throws a
 * ReplyError when it is none.
 */
export function locateHyperLogLog(database: Database, ref: number): Uint8Array {
  if (database.typeOf(ref) !== TYPE_STRING) throw new ReplyError(WRONG_TYPE);
  const bytes = database.locateString(ref);
  if (!isHyperLogLog(bytes, database.stringOffset, database.stringLength)) {
    throw new ReplyError(NOT_A_HYPERLOGLOG);
  }
  return bytes;
}

/** Opens `editor` on a record's HyperLogLog, on an empty one for record 0. */
export function edit(database: Database, ref: number): void {
  if (ref === 0) return editor.open(EMPTY_HLL, 0, EMPTY_HLL.length);
  const bytes = locateHyperLogLog(database, ref);
  editor.open(bytes, database.stringOffset, database.stringLength);
}

/** Makes what is in `editor` the value of the key at word `index`, whose record is `ref` (0: a new one). */
export function putEdited({ database, words }: Call, index: number, ref: number): void {
  const { length } = editor;
  const fresh = ref === 0
    ? database.addString(words.bytes, words.starts[index], words.lengths[index], length)
    : database.resizeString(ref, length);
  const to = database.locateString(fresh);
  copyBytes(to, database.stringOffset, editor.bytes, 0, length);
}
