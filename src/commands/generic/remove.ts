/** DEL and UNLINK: keys are removed whatever they hold. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd } from "../../dispatch/key_specs.ts";

/**
 * `DEL key [key ...]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/del/}
 */
export const del = defineCommand({
  name: "del",
  group: "generic",
  since: "1.0.0",
  summary: "Removes keys",
  complexity: "O(N) where N is the number of keys",
  arity: -2,
  flags: ["write"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [keysToEnd("RM delete")],
  args: "key...",
  run: removeKeys,
});

/**
 * `UNLINK key [key ...]`. A large value is given to the collector in either case, so this differs from
 * DEL in name only.
 *
 * @see {@link https://redis.io/docs/latest/commands/unlink/}
 */
export const unlink = defineCommand({
  name: "unlink",
  group: "generic",
  since: "4.0.0",
  summary: "Removes keys; what they held is freed later",
  complexity: "O(N) where N is the number of keys",
  arity: -2,
  flags: ["write", "fast"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [keysToEnd("RM delete")],
  args: "key...",
  run: removeKeys,
});

function removeKeys({ database, words, reply }: Call): void {
  let removed = 0;
  for (let i = 1; i < words.count; i++) {
    if (database.remove(words.bytes, words.starts[i], words.lengths[i])) removed++;
  }
  reply.integer(removed);
}
