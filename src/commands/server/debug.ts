/**
 * DEBUG: for developers and tests. Only what tests of servers and clients use and what makes sense
 * here; `enable-debug-command` says who may use it (dispatch asks because of the flag `protected`).
 *
 * One table says for each subcommand how many words it takes, what HELP tells of it and what it does.
 */

import { rewriteConfigFile } from "../../config/rewrite.ts";
import { HEADER_BYTES, PLACE_BYTES, TYPE_STRING } from "../../arena/record.ts";
import { latin1 } from "../../base/bytes.ts";
import { parseDouble } from "../../base/doubles.ts";
import { globMatch } from "../../base/glob.ts";
import { sleepThread } from "../../base/sleep_thread.ts";
import { memoryBytes } from "../../config/kinds.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { datasetDigest, valueDigest } from "../../rdb/digest.ts";
import type { RecordTable } from "../../keyspace/doors.ts";
import { lpEntry } from "../../values/listpack.ts";
import { listView } from "../../keyspace/list.ts";
import type { LongString } from "../../keyspace/value_slots.ts";
import { kindOf } from "../../rdb/kinds/index.ts";
import { writeValue } from "../../rdb/save_value.ts";
import { RdbEncoder } from "../../rdb/writer.ts";
import { NO_SUCH_KEY, ReplyError } from "../../resp/reply_error.ts";
import { problemOf } from "../../runtime/system_error.ts";
import type { QuickList } from "../../values/quicklist.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { encodingName, referencesTo } from "../generic/object.ts";
import { type HelpEntry, writeHelp } from "../help.ts";

/**
 * `DEBUG subcommand [arg …]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/debug/}
 */
export const debug = defineCommand({
  name: "debug",
  group: "server",
  since: "1.0.0",
  summary: "Looks into the server and interferes with it, for tests",
  complexity: "Depends on the subcommand",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale", "protected"],
  internal: true,
  run: runDebug,
});

interface Subcommand {
  /** Words behind the subcommand's name: at least, at most. */
  readonly words: readonly [least: number, most: number];
  readonly help: HelpEntry;
  readonly run: (call: Call) => void;
}

function runDebug(call: Call): void {
  const { words } = call;
  const name = words.text(1).toLowerCase();
  if (name === "help" && words.count === 2) {
    return writeHelp(call, Object.values(SUBCOMMANDS).map(({ help }) => help));
  }
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  const count = words.count - 2;
  if (subcommand === undefined || count < subcommand.words[0] || count > subcommand.words[1]) {
    throw call.subcommandSyntaxError();
  }
  subcommand.run(call);
}

const ANY = Infinity;

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  "aof-flush-sleep": {
    words: [1, 1],
    help: [
      "AOF-FLUSH-SLEEP <microsec>",
      "Hold everything up for so long before each write to the append-only file.",
    ],
    run: (call) => {
      call.server.aof.writer.sleepMs = positive(call, 2) / 1000;
      call.reply.ok();
    },
  },
  "change-repl-id": {
    words: [0, 0],
    help: [
      "CHANGE-REPL-ID",
      "Begin a new replication history. Only for tests: replicas will have to",
      "copy the whole dataset again.",
    ],
    run: ({ server, reply }) => {
      server.log.notice("Changing replication IDs after receiving change-repl-id");
      server.replication.changeId();
      reply.ok();
    },
  },
  "config-rewrite-force-all": {
    words: [0, 0],
    help: [
      "CONFIG-REWRITE-FORCE-ALL",
      "Rewrite the configuration file so that it names every directive, defaults too.",
    ],
    run: ({ server, reply }) => {
      const refusal = rewriteConfigFile(server.config, true);
      if (refusal === null) reply.ok();
      else reply.error(refusal);
    },
  },
  "digest": {
    words: [0, 0],
    help: ["DIGEST", "Answer with a digest of all databases, equal wherever the data are equal."],
    run: ({ server, reply }) => reply.status(datasetDigest(server.keyspace)),
  },
  "digest-value": {
    words: [0, ANY],
    help: ["DIGEST-VALUE <key> [<key> ...]", "Answer with a digest of the value of each key."],
    run: debugDigestValue,
  },
  "error": {
    words: [1, 1],
    help: ["ERROR <string>", "Answer with this text as an error."],
    run: ({ words, reply }) => reply.error(words.text(2)),
  },
  "htstats": {
    words: [1, 2],
    help: ["HTSTATS <dbid>", "Describe the hash tables of a database."],
    run: debugHtstats,
  },
  "htstats-key": {
    words: [1, 2],
    help: ["HTSTATS-KEY <key>", "Describe the hash table of the value at a key."],
    run: debugHtstatsKey,
  },
  "listpack": {
    words: [1, 1],
    help: ["LISTPACK <key>", "Print the bytes of the listpack at a key to the log."],
    run: debugListpack,
  },
  "loadaof": {
    words: [0, 0],
    help: ["LOADAOF", "Flush the append-only file to disk and load it in place of the dataset."],
    run: debugLoadaof,
  },
  "log": {
    words: [1, 1],
    help: ["LOG <message>", "Write a message to the log."],
    run: ({ server, words, reply }) => {
      server.log.warning(`DEBUG LOG: ${words.text(2)}`);
      reply.ok();
    },
  },
  "object": {
    words: [1, 2],
    help: ["OBJECT <key>", "Describe the value at a key and how it is kept."],
    run: debugObject,
  },
  "panic": {
    words: [0, 0],
    help: ["PANIC", "End the process at once, as if by a fault. Nothing is saved."],
    run: endProcess,
  },
  "pause-cron": {
    words: [1, 1],
    help: ["PAUSE-CRON <0|1>", "Stop the timer's work (1) or let it go on (0)."],
    run: ({ server, words, reply }) => {
      server.isTimerOn = !truth(words.text(2));
      reply.ok();
    },
  },
  "populate": {
    words: [1, 3],
    help: [
      "POPULATE <count> [<prefix>] [<size>]",
      "Make <count> strings at the keys <prefix>:<n>, <prefix> being 'key' if not given,",
      "with <size> bytes each. Keys that are there stay. Replicas get nothing.",
    ],
    run: debugPopulate,
  },
  "protocol": {
    words: [1, 1],
    help: [
      "PROTOCOL <type>",
      "Answer with an example of a type: string, integer, double, bignum, null, array,",
      "set, map, attrib, push, verbatim, true, false.",
    ],
    run: debugProtocol,
  },
  "quicklist": {
    words: [1, 2],
    help: ["QUICKLIST <key> [<0|1>]", "Print the elements of the list at a key to the log."],
    run: debugQuicklist,
  },
  "quicklist-packed-threshold": {
    words: [1, 1],
    help: [
      "QUICKLIST-PACKED-THRESHOLD <size>",
      "Accepted without effect: list elements get a node of their own by the size of nodes.",
    ],
    run: debugPackedThreshold,
  },
  "reload": {
    words: [0, 3],
    help: [
      "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
      "Save the dataset and load it back. NOSAVE loads the file that is there, NOFLUSH keeps",
      "the keys that are there, MERGE lets keys of the file replace these.",
    ],
    run: debugReload,
  },
  "replicate": {
    words: [1, ANY],
    help: ["REPLICATE <command>", "Send a command to the replicas that is not carried out here."],
    run: ({ words, server, database, reply }) => {
      const parts: Uint8Array[] = [];
      for (let i = 2; i < words.count; i++) parts.push(words.copy(i));
      server.keyspace.stream.add(database.index, parts);
      reply.ok();
    },
  },
  "replybuffer": {
    words: [2, 2],
    help: [
      "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time>",
      "Accepted without effect: reply buffers are shared and need no resizing.",
    ],
    run: debugReplyBuffer,
  },
  "restart": {
    words: [0, 1],
    help: ["RESTART", "Refused: the program cannot start itself again."],
    run: ({ reply }) => reply.error("ERR failed to restart the server. Check server logs."),
  },
  "sdslen": {
    words: [1, 1],
    help: ["SDSLEN <key>", "Tell the lengths of a key and its string, and the room behind them."],
    run: debugSdslen,
  },
  "segfault": {
    words: [0, 0],
    help: ["SEGFAULT", "End the process at once, as if by a fault. Nothing is saved."],
    run: endProcess,
  },
  "set-active-expire": {
    words: [1, 1],
    help: [
      "SET-ACTIVE-EXPIRE <0|1>",
      "Stop removing keys past their time that nobody asks for (0) or do it again (1).",
    ],
    run: ({ server, words, reply }) => {
      server.isActiveExpireOn = truth(words.text(2));
      reply.ok();
    },
  },
  "set-disable-deny-scripts": {
    words: [1, 1],
    help: [
      "SET-DISABLE-DENY-SCRIPTS <0|1>",
      "Let scripts call commands that they may not (1) or refuse these again (0).",
    ],
    run: ({ server, words, reply }) => {
      server.scripts.mayCallAll = truth(words.text(2));
      reply.ok();
    },
  },
  "set-skip-checksum-validation": {
    words: [1, 1],
    help: [
      "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
      "Let RESTORE take payloads with a wrong checksum (1) or refuse them again (0).",
    ],
    run: ({ server, words, reply }) => {
      server.skipsChecksums = truth(words.text(2));
      reply.ok();
    },
  },
  "sleep": {
    words: [1, 1],
    help: ["SLEEP <seconds>", "Do nothing at all for this time. Fractions are allowed."],
    run: debugSleep,
  },
  "stringmatch-test": {
    words: [0, 0],
    help: ["STRINGMATCH-TEST", "Match drawn patterns against drawn texts."],
    run: debugStringmatch,
  },
  "structsize": {
    words: [0, 0],
    help: ["STRUCTSIZE", "Tell the sizes of the data structures."],
    run: ({ reply }) =>
      reply.bulkText(`bits:64 record:${HEADER_BYTES} expiry:8 bucket:64 bucket_slots:12 `),
  },
};

/** As C's atoi reads it: a number other than 0. */
function truth(text: string): boolean {
  return Math.trunc(parseFloat(text)) !== 0 && !Number.isNaN(parseFloat(text));
}

/** The record of a key, past its time or not, or 0. */
function findAnyway(database: Database, bytes: Uint8Array, offset: number, length: number) {
  return database.records.get(bytes, offset, length);
}

/** The record of word 2. @throws ReplyError when there is none */
function recordOfKey({ database, words }: Call): number {
  const ref = findAnyway(database, words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) throw new ReplyError(NO_SUCH_KEY);
  return ref;
}

function debugDigestValue({ database, words, reply }: Call): void {
  reply.array(words.count - 2);
  for (let i = 2; i < words.count; i++) {
    const ref = findAnyway(database, words.bytes, words.starts[i], words.lengths[i]);
    reply.status(ref === 0 ? "0".repeat(40) : valueDigest(database, ref));
  }
}

function debugSleep({ words, reply }: Call): void {
  sleepThread(parseDouble(words.text(2)) * 1000);
  reply.ok();
}

/** Bytes of keys and values that POPULATE makes. */
function debugPopulate(call: Call): void {
  const { words, database, server, reply } = call;
  const count = positive(call, 2);
  const prefix = words.count > 3 ? words.text(3) : "key";
  const size = words.count > 4 ? positive(call, 4) : -1;
  const { dirty } = server.keyspace;
  const value = new Uint8Array(Math.max(size, 32));
  for (let n = 0; n < count; n++) {
    const key = latin1(`${prefix}:${n}`);
    if (database.lookupWrite(key, 0, key.length) !== 0) continue;
    const text = latin1(`value:${n}`);
    value.set(size < 0 ? text : text.subarray(0, size));
    database.setString(key, 0, key.length, value, 0, size < 0 ? text.length : size);
  }
  // Nothing of this is a change for replicas or save points.
  server.keyspace.dirty = dirty;
  reply.ok();
}

function positive(call: Call, index: number): number {
  const text = "ERR value is out of range, must be positive";
  const n = call.integer(index, text);
  if (n < 0) throw new ReplyError(text);
  return n;
}

function debugReload({ server, words, reply }: Call): void {
  let saves = true;
  let flushes = true;
  let merges = false;
  for (let i = 2; i < words.count; i++) {
    if (words.is(i, "nosave")) saves = false;
    else if (words.is(i, "noflush")) flushes = false;
    else if (words.is(i, "merge")) merges = true;
    else {throw new ReplyError(
        "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
      );}
  }
  const failure = server.persistence.reload({ saves, flushes, merges });
  if (failure !== null) {
    server.log.warning(`DEBUG RELOAD failed: ${failure}`);
    return reply.error("ERR Error trying to load the RDB dump, check server logs.");
  }
  server.log.warning("DB reloaded by DEBUG RELOAD");
  reply.ok();
}

/** The client waits, and others are told LOADING. */
function debugLoadaof(call: Call): void {
  const { server, client, command, reply } = call;
  const { aof, log, dispatcher, clients } = server;
  if (!call.mayPark) return reply.error("ERR DEBUG LOADAOF cannot be a part of something larger");
  const words = call.words.clone();
  let isWaiting = true;
  call.isParked = true;
  client.park = {
    isBlocking: false,
    unblock: () => {
      isWaiting = false;
      client.park = null;
      clients.blockedCount--;
    },
  };
  clients.blockedCount++;
  const answer = (problem: string | null) => {
    if (problem === null) log.notice("Append Only File loaded by DEBUG LOADAOF");
    else log.warning(problem);
    if (!isWaiting) return;
    const text = problem === null ? null : LOADAOF_FAILED;
    dispatcher.endParked(client, command, words, text ?? ((to) => to.ok()));
  };
  aof.reload().then(() => answer(null), (error) => answer(problemOf(error)));
}

const LOADAOF_FAILED = "ERR Error trying to load the AOF files, check server logs.";

function debugObject(call: Call): void {
  const { database, server, words, reply } = call;
  if (words.count === 4 && !words.is(3, "fast")) throw call.subcommandSyntaxError();
  const ref = recordOfKey(call);
  const { keyspace } = database;
  const meta = database.records.metaOf(ref);
  const encoding = encodingName(database, ref);
  let text =
    `Value at:0x${(ref >>> 0).toString(16)} refcount:${
      referencesTo(database, ref, server.config)
    } encoding:${encoding} ` +
    `serializedlength:${savedBytes(call, ref)} lru:${meta >>> 8} lru_seconds_idle:${
      keyspace.idleSeconds(meta)
    }`;
  if (encoding === "quicklist") {
    const list = database.largeValue(ref) as QuickList;
    text += ` ql_nodes:${list.nodes} ql_avg_node:${(list.count / list.nodes).toFixed(2)} ` +
      `ql_listpack_max:${keyspace.limits.listMaxListpackSize} ql_compressed:0 ` +
      `ql_uncompressed_size:${list.memoryBytes}`;
  }
  reply.status(text);
}

/** Bytes that a value takes in a snapshot. */
function savedBytes({ database, server }: Call, ref: number): number {
  let bytes = 0;
  const encoder = new RdbEncoder((_chunk, length) => bytes += length, {
    compress: server.config.value("rdbcompression"),
    checksum: false,
  });
  writeValue(encoder, database, ref);
  encoder.flush();
  return bytes;
}

function debugListpack(call: Call): void {
  const { database, server, reply } = call;
  const ref = recordOfKey(call);
  const encoding = encodingName(database, ref);
  if (encoding !== "listpack" && encoding !== "listpackex") {
    return reply.error("ERR Not a listpack encoded object.");
  }
  const { records } = database;
  const at = records.valueOffset(ref);
  const ahead = encoding === "listpackex" ? PLACE_BYTES : 0;
  const bytes = records.bytesOf(ref).subarray(at + ahead, at + records.valueLength(ref));
  server.log.warning(`DEBUG LISTPACK: ${Array.from(bytes, hexByte).join(" ")}`);
  reply.status("Listpack structure printed on stdout");
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function debugQuicklist(call: Call): void {
  const { database, server, reply } = call;
  const ref = recordOfKey(call);
  if (encodingName(database, ref) !== "quicklist") {
    return reply.error("ERR Not a quicklist encoded object.");
  }
  listView.open(database, ref);
  const lengths: number[] = [];
  for (let has = listView.seek(0); has; has = listView.step(false)) {
    listView.read();
    lengths.push(lpEntry.isInt ? String(lpEntry.big ?? lpEntry.int).length : lpEntry.len);
  }
  server.log.warning(`DEBUG QUICKLIST: elements of ${lengths.join(" ")} bytes`);
  reply.status("Quicklist structure printed on stdout");
}

function debugPackedThreshold({ words, reply }: Call): void {
  const bytes = memoryBytes(words.text(2));
  if (bytes === null || bytes >= 1n << 32n) {
    return reply.error("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  }
  reply.ok();
}

function debugReplyBuffer(call: Call): void {
  const { words, reply } = call;
  if (words.is(2, "peak-reset-time")) {
    if (!words.is(3, "never") && !words.is(3, "reset")) call.integer(3);
  } else if (!words.is(2, "resizing")) throw call.subcommandSyntaxError();
  reply.ok();
}

function debugSdslen(call: Call): void {
  const { database, words, reply } = call;
  const ref = recordOfKey(call);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error("ERR Not an sds encoded string.");
  const keyLength = words.lengths[2];
  database.locateString(ref);
  const length = database.stringLength;
  const isLong = database.stringOffset === 0;
  const room = isLong
    ? (database.largeValue(ref) as LongString).bytes.length
    : Math.max(length, database.records.valueCapacity(ref));
  reply.status(
    `key_sds_len:${keyLength}, key_sds_avail:0, key_zmalloc: ${keyLength + HEADER_BYTES}, ` +
      `val_sds_len:${length}, val_sds_avail:${room - length}, val_zmalloc: ${room}`,
  );
}

function debugHtstats(call: Call): void {
  const { server, reply } = call;
  const index = call.integer(2);
  const database = server.keyspace.databases[index];
  if (database === undefined) return reply.error("ERR Out of range database");
  reply.verbatim(
    `[Dictionary HT]\n${describeTable(database.table)}[Expires HT]\n` +
      `Hash table 0 stats (main hash table):\n number of elements: ${database.expiringCount}\n`,
  );
}

function debugHtstatsKey(call: Call): void {
  const { database, reply } = call;
  const ref = recordOfKey(call);
  const table = kindOf(database.records.metaOf(ref)).tableOf(database, ref);
  if (table === null) {
    return reply.error(
      "ERR The value stored at the specified key is not represented using an hash table",
    );
  }
  reply.verbatim(describeTable(table));
}

/** Slots of a bucket, as table.ts lays it out. */
const BUCKET_SLOTS = 12;

function describeTable(table: RecordTable): string {
  return "Hash table 0 stats (main hash table):\n" +
    ` table size: ${table.bucketCount * BUCKET_SLOTS}\n` +
    ` number of elements: ${table.count}\n` +
    ` buckets: ${table.bucketCount}\n` +
    ` rehashing: ${table.isRehashing ? "yes" : "no"}\n`;
}

function debugProtocol(call: Call): void {
  const { words, reply } = call;
  switch (words.text(2).toLowerCase()) {
    case "string":
      return reply.bulkText("Hello World");
    case "integer":
      return reply.integer(12345);
    case "double":
      return reply.double(3.141);
    case "bignum":
      return reply.bigNumber("1234567999999999999999999999999999999");
    case "null":
      return reply.null();
    case "array":
      reply.array(3);
      for (let i = 0; i < 3; i++) reply.integer(i);
      return;
    case "set":
      reply.set(3);
      for (let i = 0; i < 3; i++) reply.integer(i);
      return;
    case "map":
      reply.map(3);
      for (let i = 0; i < 3; i++) {
        reply.integer(i);
        reply.boolean(i === 1);
      }
      return;
    case "attrib":
      if (reply.resp > 2) {
        reply.attribute(1);
        reply.bulkText("key-popularity");
        reply.array(2);
        reply.bulkText("key:123");
        reply.integer(90);
      }
      return reply.bulkText("Some real reply following the attribute");
    case "push":
      if (reply.resp === 2) return reply.error("ERR RESP2 is not supported by this command");
      reply.push(2);
      reply.bulkText("server-cpu-usage");
      reply.integer(42);
      return reply.bulkText("Some real reply following the push reply");
    case "verbatim":
      return reply.verbatim("This is a verbatim\nstring");
    case "true":
      return reply.boolean(true);
    case "false":
      return reply.boolean(false);
  }
  reply.error(
    "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|" +
      "null|array|set|map|attrib|push|verbatim|true|false",
  );
}

/** How many patterns STRINGMATCH-TEST draws. */
const PATTERNS = 20_000;

function debugStringmatch({ server, reply }: Call): void {
  const letters = latin1("ab*?[]^-\\");
  const drawn = (most: number) => {
    const bytes = new Uint8Array(Math.floor(server.draw() * most));
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = letters[Math.floor(server.draw() * letters.length)];
    }
    return bytes;
  };
  for (let i = 0; i < PATTERNS; i++) {
    const pattern = drawn(16);
    const text = drawn(24);
    globMatch(pattern, 0, pattern.length, text, 0, text.length, server.draw() < 0.5);
  }
  reply.status("All patterns were matched");
}

/** Exit code of a program that a fault has ended: 128 and the number of SIGSEGV. */
const FAULT_EXIT_CODE = 139;

function endProcess({ server, words }: Call): void {
  server.log.warning(`DEBUG ${words.text(1).toUpperCase()}: ending the process without saving`);
  server.runtime.process.exit(FAULT_EXIT_CODE);
}
