/** DUMP and RESTORE: a value as bytes that another key, or another server, can be made of. */

import { hashBytes } from "../../base/hash.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { EXPIRE_DELETES } from "../../keyspace/expire_mode.ts";
import { dumpPayload, PayloadLoad } from "../../rdb/payload.ts";
import { RDB_VERSION } from "../../rdb/format.ts";
import { payloadVersion } from "../../rdb/payload_version.ts";
import { isVersionRelaxed, payloadForm } from "../../rdb/versions.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { type CommandDefinition, defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { lowerPayload } from "../../dispatch/restores.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";

const BUSY_KEY = "BUSYKEY Target key name already exists.";
/** What watches a log for damaged payloads looks for. */
const CHECK_FAILED = "integrity check failed";
/** The payload of a value that takes more memory is made in slices, if the client may wait. */
const DUMP_AT_ONCE_BYTES = 256 * 1024;
/** Larger payloads become values in slices, if the client may wait. */
const AT_ONCE_BYTES = 64 * 1024;
/** How payloads are made for the stream: in the first version since 7.0 that can hold them. */
const STREAM_FORM = { compress: true, version: null };
/** The last instant that an int64 and a double can both name. */
const EXPIRY_MAX_MS = 2 ** 63 - 1024;

/**
 * `DUMP key`. Without the time to live.
 *
 * The payload of a large value is made while others have their turn; it is of one moment all the same. It is in the
 * version that `rdb-version` asks for; a value that this cannot hold is an error.
 *
 * @see {@link https://redis.io/docs/latest/commands/dump/}
 */
export const dump = defineCommand({
  name: "dump",
  group: "generic",
  since: "2.6.0",
  summary: "Answers with the value of a key in the form that RESTORE takes",
  complexity: "O(N) where N is the size of the value in elements or bytes",
  arity: 2,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runDump,
});

function runDump(call: Call): void {
  const { database, words, reply, server, client } = call;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.null();
  const form = payloadForm(server.config);
  if (call.mayPark && !client.isMaster && database.bytesOfKey(ref) > DUMP_AT_ONCE_BYTES) {
    return server.dispatcher.dumps.park(call, 1, form);
  }
  const payload = dumpPayload(database, ref, form);
  reply.bulk(payload, 0, payload.length);
}

/** What both of its names have in common. */
const RESTORING = {
  history: [["3.0.0", "`REPLACE`"], ["5.0.0", "`ABSTTL`"], ["5.0.0", "`IDLETIME` and `FREQ`"]],
  complexity: "O(N) where N is the size of the value, O(N*log(N)) for sorted sets",
  arity: -4,
  acl: ["keyspace", "dangerous"],
  keys: [oneKey("OW update")],
  payloadWord: 3,
  args: `
    key ttl:integer serialized-value
    [REPLACE@3.0.0]
    [ABSTTL@5.0.0]
    [IDLETIME seconds:integer@5.0.0]
    [FREQ frequency:integer@5.0.0]
  `,
  run: runRestore,
} satisfies Partial<CommandDefinition>;

/**
 * `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`. A ttl of
 * 0 is none; with ABSTTL it is a Unix time in ms, and one that is past leaves no key.
 *
 * The value of a large payload is built while others have their turn; it appears at once.
 *
 * Propagates with ABSTTL, so that the expiry is the same instant everywhere, and in a version that servers since
 * 7.0 read if there is one: see "Payloads in the stream" in NOTES.
 *
 * @see {@link https://redis.io/docs/latest/commands/restore/}
 */
export const restore = defineCommand({
  name: "restore",
  group: "generic",
  since: "2.6.0",
  summary: "Makes a key of a value that DUMP has given",
  flags: ["write", "denyoom"],
  ...RESTORING,
});

/**
 * `RESTORE-ASKING`: RESTORE as the nodes of a cluster send it to each other, with ASKING in it.
 *
 * @see {@link https://redis.io/docs/latest/commands/restore-asking/}
 */
export const restoreAsking = defineCommand({
  name: "restore-asking",
  group: "server",
  since: "3.0.0",
  summary: "Makes a key of a value that another node of a cluster has sent",
  flags: ["write", "denyoom", "asking"],
  internal: true,
  ...RESTORING,
});

interface RestoreOptions {
  replaces: boolean;
  isAbsolute: boolean;
  /** -1 when not given. */
  idleSeconds: number;
  /** -1 when not given. */
  frequency: number;
}

function readOptions(call: Call): RestoreOptions {
  const { words } = call;
  const options = { replaces: false, isAbsolute: false, idleSeconds: -1, frequency: -1 };
  for (let i = 4; i < words.count; i++) {
    const hasMore = i + 1 < words.count;
    if (words.is(i, "replace")) options.replaces = true;
    else if (words.is(i, "absttl")) options.isAbsolute = true;
    else if (words.is(i, "idletime") && hasMore && options.frequency < 0) {
      options.idleSeconds = call.clampedInteger(++i);
      if (options.idleSeconds < 0) {
        throw new ReplyError("ERR Invalid IDLETIME value, must be >= 0");
      }
    } else if (words.is(i, "freq") && hasMore && options.idleSeconds < 0) {
      options.frequency = call.clampedInteger(++i);
      if (options.frequency < 0 || options.frequency > 255) {
        throw new ReplyError("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  return options;
}

/** The value of the payload; null when it takes long, and the request will be run again once it is made. */
function loadPayload(call: Call): PayloadLoad | null {
  const { words, server, client } = call;
  const { restores } = server.dispatcher;
  const made = restores.made(client);
  if (made !== null) return made;
  const leave = {
    anyChecksum: server.skipsChecksums,
    anyVersion: isVersionRelaxed(server.config),
  };
  if (words.lengths[3] > AT_ONCE_BYTES && call.mayPark && client.mayKeep(words)) {
    restores.park(call, 3, leave);
    return null;
  }
  const load = new PayloadLoad(
    words.bytes,
    words.starts[3],
    words.lengths[3],
    leave,
    call.database.keyspace.limits,
  );
  load.run();
  return load;
}

/** Payloads up to this size are made anew for the stream where servers since 7.0 would not read them all. */
const MADE_ANEW_BYTES_MAX = 4 << 20;

function runRestore(call: Call): void {
  const { database, words, reply } = call;
  const version = lowerPayload(call.command, words);
  const { keyspace } = database;
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const { replaces, isAbsolute, idleSeconds, frequency } = readOptions(call);

  const old = database.lookupWrite(bytes, keyAt, keyLength);
  if (old !== 0 && !replaces) throw new ReplyError(BUSY_KEY);
  const ttl = call.clampedInteger(2);
  if (ttl < 0) throw new ReplyError("ERR Invalid TTL value, must be >= 0");
  const load = loadPayload(call);
  if (load === null) return;
  const { isWhole, problem, values } = load;
  if (!isWhole) throw new ReplyError("ERR DUMP payload version or checksum are wrong");
  if (problem !== null) {
    // What is wrong with packed values, or not known here, is said in Redis's words already.
    const isSaid = load.isUnsupported || problem.includes(CHECK_FAILED);
    const what = isSaid ? "" : `payload ${CHECK_FAILED}: `;
    call.server.log.warning(`RESTORE: ${what}${problem}`);
    throw new ReplyError("ERR Bad data format");
  }

  const expiresAtMs = ttl === 0
    ? NaN
    : Math.min(isAbsolute ? ttl : ttl + call.nowMs, EXPIRY_MAX_MS);
  if (expiresAtMs <= call.nowMs && keyspace.expireMode === EXPIRE_DELETES) {
    if (old !== 0) {
      database.removeRecord(old, bytes, keyAt, keyLength);
      if (call.isPropagating) {
        call.propagateAs(keyspace.unlinksEmptied ? "UNLINK" : "DEL", word(1));
      }
    }
    return reply.ok();
  }
  const hash = hashBytes(bytes, keyAt, keyLength);
  const ref = database.putAt(
    old,
    () => values.place(database, bytes, keyAt, keyLength, hash, expiresAtMs),
  );
  database.setAccess(ref, idleSeconds, frequency);
  database.changed(bytes, keyAt, keyLength, EVENT_GENERIC, "restore");
  const sentVersion = propagateRestore(call, ref, version, isAbsolute, expiresAtMs);
  if (sentVersion > RDB_VERSION) {
    call.server.replication.master.unreadable.payload(sentVersion, words.copy(1), database.index);
  }
  reply.ok();
}

/**
 * What enters the stream, if that is not the request: `version` is that of its payload. Answers the version of the
 * payload in the stream.
 */
function propagateRestore(
  call: Call,
  ref: number,
  version: number,
  isAbsolute: boolean,
  expiresAtMs: number,
): number {
  if (!call.isPropagating) return version;
  const { database, words } = call;
  const isTimed = !Number.isNaN(expiresAtMs) && !isAbsolute;
  // The stream of a master is handed on as it comes.
  const isMadeAnew = version > RDB_VERSION && words.lengths[3] <= MADE_ANEW_BYTES_MAX &&
    !database.keyspace.stream.isRelaying;
  if (!isTimed && !isMadeAnew) return version;
  const anew = isMadeAnew ? dumpPayload(database, ref, STREAM_FORM) : null;
  const parts: StreamPart[] = [];
  for (let i = 0; i < words.count; i++) {
    if (i === 2 && isTimed) parts.push(String(expiresAtMs));
    else if (i === 3 && anew !== null) parts.push(anew);
    else parts.push(word(i));
  }
  if (isTimed) parts.push("ABSTTL");
  call.propagateAs(...parts);
  return anew === null ? version : payloadVersion(anew, 0, anew.length);
}
