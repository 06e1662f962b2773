/**
 * In which version snapshots and DUMP payloads are written, and what a version cannot hold. Beside the path of a
 * save: asked before it begins, and for each key only where what cannot be held is to be left out. See "Versions of
 * snapshots" in NOTES.
 *
 * `rdb-version` names the version. Where nobody has given it, it is RDB_VERSION, or the first later one that can
 * say all there is to be said; given, it is that version and no other:
 *
 *     SAVE, BGSAVE, save points, SHUTDOWN    refused where there is something that it cannot hold
 *     the same with `rdb-version-lossy yes`  without that, which the log lists
 *     full syncs                             in a version that can hold all: replicas lack nothing
 *     DUMP, MIGRATE                          an error
 *
 * What older versions do not say of a key that they can hold (how often it was used, how many entries were ever
 * added to a stream, when a consumer was active) is left out without a word, as the servers of that time do.
 */

import { TYPE_STREAM } from "../arena/record.ts";
import { toLatin1 } from "../base/bytes.ts";
import { quoted } from "../base/printable.ts";
import type { Config } from "../config/config.ts";
import type { Database } from "../keyspace/database.ts";
import type { RecordReader, ValueSource } from "../keyspace/doors.ts";
import { libraryName } from "../keyspace/function_libraries.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ReplyError } from "../resp/reply_error.ts";
import { Stream } from "../values/stream/stream.ts";
import {
  RDB_VERSION,
  RDB_VERSION_FIELDS,
  RDB_VERSION_LISTPACKS,
  RDB_VERSION_STREAMS,
  versionOfType,
} from "./format.ts";
import type { SavedForm } from "./kinds/value_walk.ts";
import { typeByte } from "./save_value.ts";

/** Whether versions that are not known are read, as far as what is in them is: `rdb-version-check`. */
export function isVersionRelaxed(config: Config): boolean {
  return config.value("rdb-version-check") === "relaxed";
}

/** The version that `rdb-version` asks for; null where it is not given. */
export function askedVersion(config: Config): number | null {
  return config.isGiven("rdb-version") ? Number(config.value("rdb-version")) : null;
}

/**
 * The version of a snapshot of this dataset as it is now that holds all of it: what every server since 7.0 reads,
 * if that can. See "Versions of snapshots" in NOTES.
 */
export function fullVersion(
  { databases }: { readonly databases: readonly Database[] },
): number {
  const hasExpiringFields = databases.some((database) => database.expiringHashCount > 0);
  return hasExpiringFields ? RDB_VERSION_FIELDS : RDB_VERSION;
}

/**
 * Names the first thing found in the dataset that a version cannot hold; null when it can hold all. Takes time for
 * each large value, and where there is such a thing, for each key until it is found.
 */
export function firstUnheld(keyspace: Keyspace, version: number): string | null {
  const { databases, libraries } = keyspace;
  if (version < RDB_VERSION_FIELDS) {
    const database = databases.find(({ expiringHashCount }) => expiringHashCount > 0);
    if (database !== undefined) {
      return unheldKey(version, database, database.records, database.firstExpiringHash);
    }
  }
  if (version < RDB_VERSION_LISTPACKS) {
    for (const code of libraries.codes) return unheldLibrary(version, code);
  }
  if (version < RDB_VERSION_STREAMS) {
    for (const database of databases) {
      const ref = firstStream(database);
      if (ref !== 0) return unheldKey(version, database, database.records, ref);
    }
  }
  return null;
}

/**
 * The key of the stream that was found last in a database: a save that is refused is tried again and again, and to
 * look for the same stream takes as long each time.
 */
const lastStreams = new WeakMap<Database, Uint8Array>();

/** A record of a database that is a stream, 0 for none. */
function firstStream(database: Database): number {
  if (!database.someLargeValue((value) => value instanceof Stream)) return 0;
  const { table, records } = database;
  const isStream = (ref: number) => (records.metaOf(ref) & 0xf) === TYPE_STREAM;
  const last = lastStreams.get(database);
  if (last !== undefined) {
    const ref = records.get(last, 0, last.length);
    if (ref !== 0 && isStream(ref)) return ref;
  }
  let found = 0;
  let cursor = 0;
  do {
    cursor = table.scan(cursor, (ref) => {
      if (isStream(ref)) found = ref;
    });
  } while (found === 0 && cursor !== 0);
  if (found !== 0) lastStreams.set(database, keyOf(records, found));
  return found;
}

function keyOf(records: RecordReader, ref: number): Uint8Array {
  const at = records.keyOffset(ref);
  return records.bytesOf(ref).slice(at, at + records.keyLength(ref));
}

/** What to tell of a key that a version cannot hold. */
export function unheldKey(
  version: number,
  { index }: { readonly index: number },
  records: RecordReader,
  ref: number,
): string {
  const key = quoted(toLatin1(keyOf(records, ref)));
  const what = (records.metaOf(ref) & 0xf) === TYPE_STREAM
    ? `the stream ${key}`
    : `the times at which fields of the hash ${key} expire`;
  return `RDB version ${version} cannot hold ${what} (database ${index})`;
}

/** The same of a function library. */
export function unheldLibrary(version: number, code: Uint8Array): string {
  return `RDB version ${version} cannot hold the function library ${libraryName(code)}`;
}

/** Whether a version can hold a record as it is now. */
export function isHeld(source: ValueSource, ref: number, version: number): boolean {
  return versionOfType(typeByte(source, ref, version)) <= version;
}

/**
 * The version of a snapshot for replicas as of now: the one that `rdb-version` asks for, so that replicas of that time
 * read it, if it holds all.
 */
export function replicaVersion(keyspace: Keyspace, config: Config): number {
  const asked = askedVersion(config);
  const isEnough = asked !== null && firstUnheld(keyspace, asked) === null;
  return isEnough ? asked : fullVersion(keyspace);
}

/** What there is to be said in the log of a snapshot whose version is not given; null for the usual one. */
export function fullVersionRemark(keyspace: Keyspace): string | null {
  if (fullVersion(keyspace) === RDB_VERSION) return null;
  return `Hashes have fields that expire, so the snapshot is written in RDB version ${RDB_VERSION_FIELDS}, ` +
    "which Redis reads from 7.4 on";
}

/** The same of one for replicas. */
export function replicaVersionRemark(keyspace: Keyspace, config: Config): string | null {
  const asked = askedVersion(config);
  const unheld = asked === null ? null : firstUnheld(keyspace, asked);
  if (unheld !== null) {
    return `${unheld}, so the snapshot for replicas is written in version ${fullVersion(keyspace)}`;
  }
  return asked === null ? fullVersionRemark(keyspace) : null;
}

/** How DUMP payloads are written. */
export interface PayloadForm {
  /** Whether strings are compressed. */
  readonly compress: boolean;
  /** The version; null for RDB_VERSION, or the first one after it that has a form for the value. */
  readonly version: number | null;
}

/** The form of payloads that the configuration asks for. */
export function payloadForm(config: Config): PayloadForm {
  return { compress: config.value("rdbcompression"), version: askedVersion(config) };
}

/**
 * The form of the payload of a record as it is now.
 * @throws ReplyError when the version that is asked for cannot hold it
 */
export function payloadFormOf(
  { compress, version }: PayloadForm,
  source: ValueSource,
  database: { readonly index: number },
  ref: number,
): SavedForm {
  const first = versionOfType(typeByte(source, ref, version ?? RDB_VERSION));
  if (version === null) return { compress, version: Math.max(RDB_VERSION, first) };
  if (first <= version) return { compress, version };
  throw new ReplyError(`ERR ${unheldKey(version, database, source.records, ref)}`);
}
