/**
 * DEBUG DIGEST: one number of 160 bits for all that a dataset holds, the same as Redis's for the same
 * data, whatever the encodings and the order in the tables. Master and replica, or a dataset before
 * and after a reload, can be compared in one call.
 *
 * With the operations xor (order does not matter) and mix (it does) of kinds/value_digest.ts:
 *
 *     dataset   for each database with keys: mix its number (big-endian int32), and for each key: xor
 *               the key's digest: mix the key, then its value
 *     value     mix the type (big-endian int32), then
 *                 string        mix the bytes
 *                 list          mix each element
 *                 set           xor each member
 *                 sorted set    xor, for each member, the digest of mixing member and score ("%.17g")
 *                 hash          xor, for each field, the digest of mixing field and value
 *               and, when there is an expiry, xor "!!expire!!"
 *
 * Keys past their time count while they are there. Cost: some ten SHA-1 per key and element.
 */

import { latin1 } from "../base/bytes.ts";
import type { Database } from "../keyspace/database.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { kindOf } from "./kinds/index.ts";
import { ValueDigest } from "./kinds/value_digest.ts";

const EXPIRE_MARK = latin1("!!expire!!");

/** The digest of everything, as 40 hexadecimal digits. */
export function datasetDigest(keyspace: Keyspace): string {
  const digest = new ValueDigest();
  const ofKey = new ValueDigest();
  for (const database of keyspace.databases) {
    if (database.count === 0) continue;
    digest.mixInteger(database.index);
    const { records, table } = database;
    table.forEach((ref) => {
      ofKey.clear();
      ofKey.mix(records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
      addValue(ofKey, database, ref);
      digest.xorDigest(ofKey);
    });
  }
  return digest.toHex();
}

/** The digest of a record's value and expiry, without its key, as 40 hexadecimal digits. */
export function valueDigest(database: Database, ref: number): string {
  const digest = new ValueDigest();
  addValue(digest, database, ref);
  return digest.toHex();
}

function addValue(digest: ValueDigest, database: Database, ref: number): void {
  const kind = kindOf(database.records.metaOf(ref));
  digest.mixInteger(kind.digestNumber);
  kind.addToDigest(digest, database, ref);
  if (!Number.isNaN(database.expiryOf(ref))) digest.xor(EXPIRE_MARK, 0, EXPIRE_MARK.length);
}
