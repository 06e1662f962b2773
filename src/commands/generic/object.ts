/** OBJECT: how the server keeps a value. */

import type { Config } from "../../config/config.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { kindOf } from "../../rdb/kinds/index.ts";

const NO_IDLE_TIME =
  "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching " +
  "between policies at runtime LRU and LFU data will take some time to adjust.";
const NO_FREQUENCY =
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when " +
  "switching between policies at runtime LRU and LFU data will take some time to adjust.";

export const objectEncoding = defineCommand({
  name: "object|encoding",
  group: "generic",
  since: "2.2.3",
  summary: "Names the internal form of a value",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run: runObjectEncoding,
});

function runObjectEncoding({ database, words, reply }: Call): void {
  const ref = database.findOrExpire(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.null();
  reply.bulkText(encodingName(database, ref));
}

/** What OBJECT ENCODING answers for a record. */
export function encodingName(database: Database, ref: number): string {
  return kindOf(database.records.metaOf(ref)).encodingName(database, ref);
}

export const objectFreq = defineCommand({
  name: "object|freq",
  group: "generic",
  since: "4.0.0",
  summary: "Tells how often a value is used, as a logarithmic counter",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run: runObjectFreq,
});

function runObjectFreq({ database, words, reply }: Call): void {
  const ref = database.findOrExpire(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.null();
  const { keyspace, records } = database;
  if (!keyspace.usesLfu) return reply.error(NO_FREQUENCY);
  reply.integer(keyspace.lfuCounter(records.metaOf(ref)));
}

export const objectIdletime = defineCommand({
  name: "object|idletime",
  group: "generic",
  since: "2.2.3",
  summary: "Tells for how many seconds a value was not used",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run: runObjectIdletime,
});

function runObjectIdletime({ database, words, reply }: Call): void {
  const ref = database.findOrExpire(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.null();
  const { keyspace, records } = database;
  if (keyspace.usesLfu) return reply.error(NO_IDLE_TIME);
  reply.integer(keyspace.idleSeconds(records.metaOf(ref)));
}

export const objectRefcount = defineCommand({
  name: "object|refcount",
  group: "generic",
  since: "2.2.3",
  summary: "Tells how many references there are to a value; of a small integer, that it is shared",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run: runObjectRefcount,
});

function runObjectRefcount({ database, server, words, reply }: Call): void {
  const ref = database.findOrExpire(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.null();
  reply.integer(referencesTo(database, ref, server.config));
}

/** What Redis counts for an object that all keys with that value share. */
const SHARED_REFERENCES = 2147483647;
/** Digits of the largest integer that is shared. */
const SHARED_DIGITS = 4;
const MINUS = 0x2d;

/**
 * What OBJECT REFCOUNT answers for a record. There is one reference to every value here; but clients
 * tell by this number whether Redis shares small integers (0 to 9999), which it does unless an
 * eviction policy needs to know when each key was used. So the answer follows that rule, as it is now:
 * Redis keeps to what held when the value was written.
 */
export function referencesTo(database: Database, ref: number, config: Config): number {
  const { records } = database;
  if (encodingName(database, ref) !== "int" || records.valueLength(ref) > SHARED_DIGITS) return 1;
  if (records.bytesOf(ref)[records.valueOffset(ref)] === MINUS) return 1;
  const looksAtUse = /lru|lfu/.test(config.value("maxmemory-policy"));
  return config.value("maxmemory") > 0 && looksAtUse ? 1 : SHARED_REFERENCES;
}

export const objectHelp = defineCommand({
  name: "object|help",
  group: "generic",
  since: "6.2.0",
  summary: "Lists the subcommands of OBJECT",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: runObjectHelp,
});

function runObjectHelp(call: Call): void {
  writeHelp(call, [
    ["ENCODING <key>", "Name the internal form of the value."],
    ["FREQ <key>", "Show the counter of how often the value is used, of an LFU policy."],
    ["IDLETIME <key>", "Show for how many seconds the value was not used."],
    ["REFCOUNT <key>", "Show how many references there are to the value."],
  ]);
}

/**
 * `OBJECT <subcommand>`.
 *
 * @see {@link https://redis.io/docs/latest/commands/object/}
 */
export const object = defineCommand({
  name: "object",
  group: "generic",
  since: "2.2.3",
  summary: "Commands about the internal form of values",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [objectEncoding, objectFreq, objectHelp, objectIdletime, objectRefcount],
});
