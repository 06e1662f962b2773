/** Commands on whole databases: DBSIZE, FLUSHDB, FLUSHALL, SWAPDB. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { readInt } from "../generic/numbers.ts";
import { askerOf } from "./undo.ts";

/**
 * `DBSIZE`.
 *
 * @see {@link https://redis.io/docs/latest/commands/dbsize/}
 */
export const dbsize = defineCommand({
  name: "dbsize",
  group: "server",
  since: "1.0.0",
  summary: "Counts the keys of the database",
  complexity: "O(1)",
  arity: 1,
  flags: ["readonly", "fast"],
  acl: ["keyspace"],
  tips: ["request_policy:all_shards", "response_policy:agg_sum"],
  run: runDbsize,
});

function runDbsize({ database, reply }: Call): void {
  reply.integer(database.count);
}

/**
 * `FLUSHDB [ASYNC | SYNC]`. Both take the same time: a database is let go of as a whole. With `undo-window` UNDO
 * can bring it back.
 *
 * @see {@link https://redis.io/docs/latest/commands/flushdb/}
 */
export const flushdb = defineCommand({
  name: "flushdb",
  group: "server",
  since: "1.0.0",
  history: [["4.0.0", "`ASYNC`"], ["6.2.0", "`SYNC`"]],
  summary: "Removes all keys of the database",
  complexity: "O(1)",
  arity: -1,
  flags: ["write"],
  acl: ["keyspace", "dangerous"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: "[async:(ASYNC@4.0.0 | SYNC@6.2.0)]",
  run: runFlushdb,
});

function runFlushdb(call: Call): void {
  checkFlushOption(call);
  const { database, reply } = call;
  const { keyspace } = database;
  database.touchAllWatched();
  keyspace.dirty += keyspace.sealed.empty([database], "flushdb", askerOf(call), false);
  keyspace.listener.contentReplaced();
  propagateFlush(call);
  reply.ok();
}

/**
 * `FLUSHALL [ASYNC | SYNC]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/flushall/}
 */
export const flushall = defineCommand({
  name: "flushall",
  group: "server",
  since: "1.0.0",
  history: [["4.0.0", "`ASYNC`"], ["6.2.0", "`SYNC`"]],
  summary: "Removes all keys of all databases",
  complexity: "O(N) where N is the number of databases",
  arity: -1,
  flags: ["write"],
  acl: ["keyspace", "dangerous"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: "[async:(ASYNC@4.0.0 | SYNC@6.2.0)]",
  run: runFlushall,
});

function runFlushall(call: Call): void {
  checkFlushOption(call);
  const { keyspace } = call.database;
  for (const database of keyspace.databases) database.touchAllWatched();
  keyspace.dirty += keyspace.sealed.empty(keyspace.databases, "flushall", askerOf(call), true);
  keyspace.listener.contentReplaced();
  keyspace.listener.flushed();
  propagateFlush(call);
  call.reply.ok();
}

function checkFlushOption({ words }: Call): void {
  if (words.count === 1) return;
  if (words.count > 2 || (!words.is(1, "async") && !words.is(1, "sync"))) {
    throw new ReplyError(SYNTAX_ERROR);
  }
}

/** A flush enters the stream even when there was nothing to remove: a replica may hold more. */
function propagateFlush(call: Call): void {
  if (!call.isPropagating) return;
  const { words } = call;
  if (words.count === 1) call.propagateAs(words.copy(0));
  else call.propagateAs(words.copy(0), words.copy(1));
}

/**
 * `SWAPDB index1 index2`.
 *
 * @see {@link https://redis.io/docs/latest/commands/swapdb/}
 */
export const swapdb = defineCommand({
  name: "swapdb",
  group: "server",
  since: "4.0.0",
  summary: "Exchanges the content of two databases, for all clients at once",
  complexity: "O(N) where N is the number of keys that clients watch",
  arity: 3,
  flags: ["write", "fast"],
  acl: ["keyspace", "dangerous"],
  args: "index1:integer index2:integer",
  run: runSwapdb,
});

function runSwapdb(call: Call): void {
  const { keyspace } = call.database;
  const first = readInt(call, 1, "ERR invalid first DB index");
  const second = readInt(call, 2, "ERR invalid second DB index");
  const count = keyspace.databases.length;
  if (first < 0 || first >= count || second < 0 || second >= count) {
    throw new ReplyError("ERR DB index is out of range");
  }
  if (first === second) keyspace.dirty++;
  else {
    keyspace.swap(first, second);
    keyspace.sealed.noteSwap(first, second, askerOf(call));
  }
  call.reply.ok();
}
