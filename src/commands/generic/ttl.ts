/** TTL and its relatives: when a key expires. */

import { INT64_MAX } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `TTL key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/ttl/}
 */
export const ttl = defineCommand({
  name: "ttl",
  group: "generic",
  since: "1.0.0",
  history: [["2.8.0", "the answer -2"]],
  summary: "Tells in how many seconds a key expires",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runTtl,
});

/**
 * `PTTL key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pttl/}
 */
export const pttl = defineCommand({
  name: "pttl",
  group: "generic",
  since: "2.6.0",
  history: [["2.8.0", "the answer -2"]],
  summary: "Tells in how many milliseconds a key expires",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runPttl,
});

/**
 * `EXPIRETIME key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/expiretime/}
 */
export const expiretime = defineCommand({
  name: "expiretime",
  group: "generic",
  since: "7.0.0",
  summary: "Tells at which Unix time, in seconds, a key expires",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runExpiretime,
});

/**
 * `PEXPIRETIME key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pexpiretime/}
 */
export const pexpiretime = defineCommand({
  name: "pexpiretime",
  group: "generic",
  since: "7.0.0",
  summary: "Tells at which Unix time, in milliseconds, a key expires",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runPexpiretime,
});

function runTtl(call: Call): void {
  replyExpiry(call, true, call.nowMs);
}

function runPttl(call: Call): void {
  replyExpiry(call, false, call.nowMs);
}

function runExpiretime(call: Call): void {
  replyExpiry(call, true, 0);
}

function runPexpiretime(call: Call): void {
  replyExpiry(call, false, 0);
}

/** Answers with the expiry counted from `baseMs`; -1 when there is none, -2 when there is no key. */
function replyExpiry({ database, words, reply }: Call, inSeconds: boolean, baseMs: number): void {
  database.keyspace.noTouch = true;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.integer(-2);
  const expiresAtMs = database.expiryOf(ref);
  if (expiresAtMs !== expiresAtMs) return reply.integer(-1);
  const ms = Math.max(0, expiresAtMs - baseMs);
  const shown = inSeconds ? Math.floor((ms + 500) / 1000) : ms;
  if (Number.isSafeInteger(shown)) return reply.integer(shown);
  const wide = BigInt(shown);
  reply.bigInteger(wide > INT64_MAX ? INT64_MAX : wide);
}
