/** SISMEMBER, SMISMEMBER, SCARD and SMEMBERS: asking one set. */

import type { Call } from "../../dispatch/call.ts";
import { setView } from "../../keyspace/set.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `SISMEMBER key member`: 1 or 0.
 *
 * @see {@link https://redis.io/docs/latest/commands/sismember/}
 */
export const sismember = defineCommand({
  name: "sismember",
  group: "set",
  since: "1.0.0",
  summary: "Tells whether a set has a member",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  elementWord: 2,
  args: "key member",
  run: runSismember,
});

function runSismember({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  if (!setView.openRead(database, bytes, starts[1], lengths[1])) return reply.integer(0);
  reply.integer(setView.has(bytes, starts[2], lengths[2]) ? 1 : 0);
}

/** `SMISMEMBER key member …`: 1 or 0 for each. */
export const smismember = defineCommand({
  name: "smismember",
  group: "set",
  since: "6.2.0",
  summary: "Tells for several members whether a set has them",
  complexity: "O(N) with N members asked for",
  arity: -3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key member...",
  run: runSmismember,
});

function runSmismember({ database, words, reply }: Call): void {
  const { bytes, starts, lengths, count } = words;
  const isThere = setView.openRead(database, bytes, starts[1], lengths[1]);
  reply.array(count - 2);
  for (let i = 2; i < count; i++) {
    reply.integer(isThere && setView.has(bytes, starts[i], lengths[i]) ? 1 : 0);
  }
}

/** `SCARD key`: how many members. */
export const scard = defineCommand({
  name: "scard",
  group: "set",
  since: "1.0.0",
  summary: "Counts the members of a set",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runScard,
});

function runScard({ database, words, reply }: Call): void {
  if (!setView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.integer(0);
  }
  reply.integer(setView.count);
}

/** `SMEMBERS key`: all members. */
export const smembers = defineCommand({
  name: "smembers",
  group: "set",
  since: "1.0.0",
  summary: "Lists the members of a set",
  complexity: "O(N) with N members in the set",
  arity: 2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runSmembers,
});

function runSmembers({ database, words, reply }: Call): void {
  if (!setView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.set(0);
  }
  reply.set(setView.count);
  setView.forEach((bytes, offset, length) => reply.bulk(bytes, offset, length));
}
