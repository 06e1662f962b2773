/**
 * DEBUG DIGEST: one number of 160 bits for all that a dataset holds, the same as Redis's for the same
 * data, whatever the encodings and the order in the tables. Master and replica, or a dataset before
 * and after a reload, can be compared in one call.
 *
 * Two operations on a digest of 20 bytes build it, as in Redis:
 *
 *     xor   digest = digest XOR sha1(bytes)           order does not matter
 *     mix   digest = sha1(digest XOR sha1(bytes))     order matters
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

import {
  ENC_HASHTABLE,
  ENC_INTSET,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from "../arena/record.ts";
import { latin1 } from "../base/bytes.ts";
import { formatPrecise } from "../base/printf.ts";
import { hex, sha1, SHA1_BYTES } from "../base/sha1.ts";
import { ElementText } from "../values/element_text.ts";
import { intsetCount, intsetGet } from "../values/intset.ts";
import type { LargeSet } from "../values/large_set.ts";
import { lpEntry, lpEntryCopyText, lpFirst, lpNext } from "../values/listpack.ts";
import type { Database } from "./database.ts";
import { hashView } from "./hash.ts";
import type { Keyspace } from "./keyspace.ts";
import { listView } from "./list.ts";
import { sortedSetView } from "./sorted_set.ts";

const EXPIRE_MARK = latin1("!!expire!!");

/** The digest of everything, as 40 hexadecimal digits. */
export function datasetDigest(keyspace: Keyspace): string {
  const digest = new Uint8Array(SHA1_BYTES);
  const ofKey = new Uint8Array(SHA1_BYTES);
  for (const database of keyspace.databases) {
    if (database.count === 0) continue;
    mixInteger(digest, database.index);
    const { records, table } = database;
    table.forEach((ref) => {
      ofKey.fill(0);
      mix(ofKey, records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
      addValue(ofKey, database, ref);
      xor(digest, ofKey, 0, SHA1_BYTES);
    });
  }
  return hex(digest);
}

/** The digest of a record's value and expiry, without its key, as 40 hexadecimal digits. */
export function valueDigest(database: Database, ref: number): string {
  const digest = new Uint8Array(SHA1_BYTES);
  addValue(digest, database, ref);
  return hex(digest);
}

const text = new ElementText();
const ofElement = new Uint8Array(SHA1_BYTES);

function addValue(digest: Uint8Array, database: Database, ref: number): void {
  const type = database.typeOf(ref);
  mixInteger(digest, REDIS_TYPES[type]);
  switch (type) {
    case TYPE_STRING: {
      const bytes = database.stringBytes(ref);
      mix(digest, bytes, database.stringOffset, database.stringLength);
      break;
    }
    case TYPE_LIST:
      addList(digest, database, ref);
      break;
    case TYPE_SET:
      addSet(digest, database, ref);
      break;
    case TYPE_ZSET:
      addSortedSet(digest, database, ref);
      break;
    case TYPE_HASH:
      hashView.open(database, ref);
      hashView.forEach((field, fieldAt, fieldLength, value, valueAt, valueLength) => {
        ofElement.fill(0);
        mix(ofElement, field, fieldAt, fieldLength);
        mix(ofElement, value, valueAt, valueLength);
        xor(digest, ofElement, 0, SHA1_BYTES);
      });
      break;
    default:
      throw new Error(`Cannot make a digest of a value of type ${type}`);
  }
  if (!Number.isNaN(database.expiryOf(ref))) xor(digest, EXPIRE_MARK, 0, EXPIRE_MARK.length);
}

/** The numbers of Redis's types, by ours; Redis keeps 5 for values of modules. */
const REDIS_TYPES = [0, 1, 2, 3, 4, 6];

const digits = new Uint8Array(24);

function addList(digest: Uint8Array, database: Database, ref: number): void {
  listView.open(database, ref);
  for (let has = listView.seek(0); has; has = listView.step(false)) {
    listView.read();
    if (lpEntry.isInt) mix(digest, digits, 0, lpEntryCopyText(digits, 0));
    else mix(digest, lpEntry.buf, lpEntry.off, lpEntry.len);
  }
}

function addSet(digest: Uint8Array, database: Database, ref: number): void {
  const encoding = database.encodingOf(ref);
  if (encoding === ENC_HASHTABLE) {
    const dict = database.largeValue(ref) as LargeSet;
    dict.forEach((member) =>
      xor(digest, dict.bytesOf(member), dict.keyOffset(member), dict.keyLength(member))
    );
    return;
  }
  const { records } = database;
  const buf = records.bytesOf(ref);
  const base = records.valueOffset(ref);
  if (encoding === ENC_INTSET) {
    const count = intsetCount(buf, base);
    for (let i = 0; i < count; i++) {
      text.setInteger(intsetGet(buf, base, i));
      xor(digest, text.bytes, text.offset, text.length);
    }
    return;
  }
  for (let pos = lpFirst(buf, base); pos >= 0; pos = lpNext(buf, pos)) {
    text.setEntry(buf, pos);
    xor(digest, text.bytes, text.offset, text.length);
  }
}

function addSortedSet(digest: Uint8Array, database: Database, ref: number): void {
  const view = sortedSetView.open(database, ref);
  for (let has = view.first(); has; has = view.next()) {
    ofElement.fill(0);
    mix(ofElement, view.bytes, view.offset, view.length);
    const score = latin1(formatPrecise(view.score, 17));
    mix(ofElement, score, 0, score.length);
    xor(digest, ofElement, 0, SHA1_BYTES);
  }
}

const scratch = new Uint8Array(SHA1_BYTES);

function xor(digest: Uint8Array, bytes: Uint8Array, offset: number, length: number): void {
  sha1(bytes, offset, length, scratch);
  for (let i = 0; i < SHA1_BYTES; i++) digest[i] ^= scratch[i];
}

function mix(digest: Uint8Array, bytes: Uint8Array, offset: number, length: number): void {
  xor(digest, bytes, offset, length);
  sha1(digest, 0, SHA1_BYTES, digest);
}

const integer = new Uint8Array(4);

function mixInteger(digest: Uint8Array, n: number): void {
  integer[0] = n >>> 24;
  integer[1] = n >>> 16;
  integer[2] = n >>> 8;
  integer[3] = n;
  mix(digest, integer, 0, 4);
}
