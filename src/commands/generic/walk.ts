/** Commands that go over the keys of a database: KEYS, SCAN, RANDOMKEY. */

import { globMatch } from "../../base/glob.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { parseScanOptions, scanCursor } from "../scan.ts";
import { KINDS } from "../../rdb/kinds/index.ts";

const STAR = 0x2a;

/**
 * `KEYS pattern`.
 *
 * @see {@link https://redis.io/docs/latest/commands/keys/}
 */
export const keys = defineCommand({
  name: "keys",
  group: "generic",
  since: "1.0.0",
  summary: "Lists all keys that match a pattern",
  complexity: "O(N) where N is the number of keys in the database",
  arity: 2,
  flags: ["readonly"],
  acl: ["keyspace", "dangerous"],
  tips: ["request_policy:all_shards", "nondeterministic_output_order"],
  args: "pattern",
  run: runKeys,
});

function runKeys({ database, words, reply }: Call): void {
  const { records } = database;
  const { bytes } = words;
  const patternAt = words.starts[1];
  const patternLength = words.lengths[1];
  const matchesAll = patternLength === 1 && bytes[patternAt] === STAR;
  const found: number[] = [];
  database.table.forEach((ref) => {
    const isMatch = matchesAll || globMatch(
      bytes,
      patternAt,
      patternLength,
      records.bytesOf(ref),
      records.keyOffset(ref),
      records.keyLength(ref),
      false,
    );
    if (isMatch && !database.isExpired(ref)) found.push(ref);
  });
  reply.array(found.length);
  for (const ref of found) {
    reply.bulk(records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
  }
}

/**
 * `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/scan/}
 */
export const scan = defineCommand({
  name: "scan",
  group: "generic",
  since: "2.8.0",
  history: [["6.0.0", "`TYPE`"]],
  summary: "Lists some keys and says where to go on",
  complexity:
    "O(1) for a call, O(N) for a whole walk where N is the number of keys in the database",
  arity: -2,
  flags: ["readonly"],
  tips: ["nondeterministic_output", "request_policy:special", "response_policy:special"],
  args: "cursor:integer [MATCH pattern] [COUNT count:integer] [TYPE type@6.0.0]",
  run: runScan,
});

function runScan(call: Call): void {
  const { database, reply } = call;
  const cursor = scanCursor(call, 1);
  const options = parseScanOptions(call, 2, true);
  const anyType = options.typeWord === 0;
  const wantedType = anyType ? -1 : typeNamed(call.words.text(options.typeWord).toLowerCase());
  const deletes = database.keyspace.deletesExpired;
  const { records } = database;
  options.begin();
  const next = options.walkTable(database.table, cursor, (ref) => {
    const bytes = records.bytesOf(ref);
    const offset = records.keyOffset(ref);
    const length = records.keyLength(ref);
    if (!options.matches(bytes, offset, length)) return;
    if (database.isExpired(ref)) {
      if (deletes) expireByItself(call, ref);
      return;
    }
    if (!anyType && database.typeOf(ref) !== wantedType) return;
    options.add(bytes, offset, length);
  });
  options.finish(reply, next);
}

/** TYPE_* of a name, -1 when there is no such type: then no key has it. */
function typeNamed(name: string): number {
  return KINDS.findIndex((kind) => kind.name === name);
}

/** Removes a key past its time: outside of a transaction each is a unit of the stream by itself. */
function expireByItself({ database, isNested }: Call, ref: number): void {
  if (isNested) database.expireNow(ref);
  else database.keyspace.stream.unit(() => database.expireNow(ref));
}

/** Expired keys that RANDOMKEY draws before it answers with one all the same, on a replica. */
const DRAWS_MAX = 100;

/**
 * `RANDOMKEY`.
 *
 * @see {@link https://redis.io/docs/latest/commands/randomkey/}
 */
export const randomkey = defineCommand({
  name: "randomkey",
  group: "generic",
  since: "1.0.0",
  summary: "Draws a key, each with the same chance",
  complexity: "O(1)",
  arity: 1,
  flags: ["readonly"],
  tips: ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
  run: runRandomkey,
});

function runRandomkey(call: Call): void {
  const { database, reply } = call;
  const { records, table, keyspace } = database;
  let ref = table.random(keyspace.draw);
  for (let draws = 1; ref !== 0 && database.isExpired(ref); draws++) {
    // A replica may not delete: where nothing else is to be had, an expired key is the answer.
    if (keyspace.deletesExpired) expireByItself(call, ref);
    else if (draws === DRAWS_MAX) break;
    ref = table.random(keyspace.draw);
  }
  if (ref === 0) return reply.null();
  reply.bulk(records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
}
