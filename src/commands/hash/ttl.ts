/** HTTL and its relatives: when fields of a hash expire. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { hashView } from "../../keyspace/hash.ts";
import { readFields } from "./field_words.ts";
import { replyToEach } from "./expire.ts";

/**
 * `HTTL key FIELDS numfields field …`. Answers for each field: -2 there is no such field, -1 it does not
 * expire, else in how many seconds, rounded up.
 *
 * @see {@link https://redis.io/docs/latest/commands/httl/}
 */
export const httl = defineCommand({
  name: "httl",
  group: "hash",
  since: "7.4.0",
  summary: "Tells in how many seconds fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: (call) => replyTimes(call, true, call.nowMs),
});

/**
 * `HPTTL key FIELDS numfields field …`: HTTL in milliseconds.
 *
 * @see {@link https://redis.io/docs/latest/commands/hpttl/}
 */
export const hpttl = defineCommand({
  name: "hpttl",
  group: "hash",
  since: "7.4.0",
  summary: "Tells in how many milliseconds fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: (call) => replyTimes(call, false, call.nowMs),
});

/**
 * `HEXPIRETIME key FIELDS numfields field …`: as HTTL, but the Unix time.
 *
 * @see {@link https://redis.io/docs/latest/commands/hexpiretime/}
 */
export const hexpiretime = defineCommand({
  name: "hexpiretime",
  group: "hash",
  since: "7.4.0",
  summary: "Tells at which Unix time, in seconds, fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: (call) => replyTimes(call, true, 0),
});

/**
 * `HPEXPIRETIME key FIELDS numfields field …`: HEXPIRETIME in milliseconds.
 *
 * @see {@link https://redis.io/docs/latest/commands/hpexpiretime/}
 */
export const hpexpiretime = defineCommand({
  name: "hpexpiretime",
  group: "hash",
  since: "7.4.0",
  summary: "Tells at which Unix time, in milliseconds, fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: (call) => replyTimes(call, false, 0),
});

const NO_FIELD = -2;
const NO_TIME = -1;

/** Answers with the times counted from `baseMs`. */
function replyTimes(call: Call, inSeconds: boolean, baseMs: number): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths, count } = words;
  const isThere = hashView.openRead(database, bytes, starts[1], lengths[1]);
  const first = readFields(call, 2);
  if (!isThere) return replyToEach(call, first, NO_FIELD);
  reply.array(count - first);
  for (let i = first; i < count; i++) {
    const timeMs = hashView.expiryOf(bytes, starts[i], lengths[i]);
    if (timeMs === -1) reply.integer(NO_FIELD);
    else if (timeMs !== timeMs) reply.integer(NO_TIME);
    else reply.integer(inSeconds ? Math.ceil((timeMs - baseMs) / 1000) : timeMs - baseMs);
  }
}
