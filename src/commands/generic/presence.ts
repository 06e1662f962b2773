/** Commands that tell whether keys are there and of what type: EXISTS, TOUCH, TYPE. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, oneKey } from "../../dispatch/key_specs.ts";
import { kindOf } from "../../rdb/kinds/index.ts";

/**
 * `EXISTS key [key ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/exists/}
 */
export const exists = defineCommand({
  name: "exists",
  group: "generic",
  since: "1.0.0",
  history: [["3.0.3", "several keys"]],
  summary: "Counts how many of the given keys are there; a key given twice counts twice",
  complexity: "O(N) where N is the number of keys",
  arity: -2,
  flags: ["readonly", "fast"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [keysToEnd("RO")],
  args: "key...",
  run: runExists,
});

function runExists(call: Call): void {
  call.database.keyspace.noTouch = true;
  countKeys(call);
}

/**
 * `TOUCH key [key ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/touch/}
 */
export const touch = defineCommand({
  name: "touch",
  group: "generic",
  since: "3.2.1",
  summary: "Counts how many of the given keys are there and marks them as used now",
  complexity: "O(N) where N is the number of keys",
  arity: -2,
  flags: ["readonly", "fast"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [keysToEnd("RO")],
  args: "key...",
  run: runTouch,
});

function runTouch(call: Call): void {
  // Even for a client that asked for CLIENT NO-TOUCH: this is what the command is for.
  call.database.keyspace.noTouch = false;
  countKeys(call);
}

function countKeys({ database, words, reply }: Call): void {
  let count = 0;
  for (let i = 1; i < words.count; i++) {
    if (database.lookupRead(words.bytes, words.starts[i], words.lengths[i]) !== 0) count++;
  }
  reply.integer(count);
}

/**
 * `TYPE key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/type/}
 */
export const type = defineCommand({
  name: "type",
  group: "generic",
  since: "1.0.0",
  summary: "Names the type of the value at a key",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runType,
});

function runType({ database, words, reply }: Call): void {
  database.keyspace.noTouch = true;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  reply.status(ref === 0 ? "none" : kindOf(database.records.metaOf(ref)).name);
}
