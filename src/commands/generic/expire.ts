/** EXPIRE and its relatives, which give keys a time to live, and PERSIST, which takes it away. */

import { INT64_MAX, INT64_MIN } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { EXPIRE_DELETES } from "../../keyspace/expire_mode.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `EXPIRE key seconds [NX | XX | GT | LT]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/expire/}
 */
export const expire = defineCommand({
  name: "expire",
  group: "generic",
  since: "1.0.0",
  history: [["7.0.0", "`NX`, `XX`, `GT` and `LT`"]],
  summary: "Gives a key a time to live in seconds",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key seconds:integer [condition:(NX | XX | GT | LT)@7.0.0]",
  run: runExpire,
});

/**
 * `PEXPIRE key milliseconds [NX | XX | GT | LT]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pexpire/}
 */
export const pexpire = defineCommand({
  name: "pexpire",
  group: "generic",
  since: "2.6.0",
  history: [["7.0.0", "`NX`, `XX`, `GT` and `LT`"]],
  summary: "Gives a key a time to live in milliseconds",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key milliseconds:integer [condition:(NX | XX | GT | LT)@7.0.0]",
  run: runPexpire,
});

/**
 * `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/expireat/}
 */
export const expireat = defineCommand({
  name: "expireat",
  group: "generic",
  since: "1.2.0",
  history: [["7.0.0", "`NX`, `XX`, `GT` and `LT`"]],
  summary: "Sets the Unix time, in seconds, at which a key expires",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key unix-time-seconds:unix-time [condition:(NX | XX | GT | LT)@7.0.0]",
  run: runExpireat,
});

/**
 * `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/pexpireat/}
 */
export const pexpireat = defineCommand({
  name: "pexpireat",
  group: "generic",
  since: "2.6.0",
  history: [["7.0.0", "`NX`, `XX`, `GT` and `LT`"]],
  summary: "Sets the Unix time, in milliseconds, at which a key expires",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key unix-time-milliseconds:unix-time [condition:(NX | XX | GT | LT)@7.0.0]",
  run: runPexpireat,
});

function runExpire(call: Call): void {
  expireKey(call, true, call.nowMs);
}

function runPexpire(call: Call): void {
  expireKey(call, false, call.nowMs);
}

function runExpireat(call: Call): void {
  expireKey(call, true, 0);
}

function runPexpireat(call: Call): void {
  expireKey(call, false, 0);
}

// Conditions on the expiry that a key has already.
const IF_NONE = 1;
const IF_SOME = 2;
const IF_GREATER = 4;
const IF_LESS = 8;

/** `baseMs` is what the time in word 2 counts from. */
function expireKey(call: Call, isSeconds: boolean, baseMs: number): void {
  const { database, words, reply } = call;
  const conditions = readConditions(call);
  const expiresAtMs = readExpiry(call, isSeconds, baseMs);
  const { bytes } = words;
  const keyAt = words.starts[1];
  const keyLength = words.lengths[1];
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) return reply.integer(0);
  if (conditions !== 0) {
    const present = database.expiryOf(ref);
    const hasExpiry = present === present;
    if (
      ((conditions & IF_NONE) !== 0 && hasExpiry) ||
      ((conditions & IF_SOME) !== 0 && !hasExpiry) ||
      ((conditions & IF_GREATER) !== 0 && !(expiresAtMs > present)) ||
      ((conditions & IF_LESS) !== 0 && hasExpiry && expiresAtMs >= present)
    ) return reply.integer(0);
  }
  reply.integer(1);
  const { keyspace } = database;
  if (expiresAtMs <= call.nowMs && keyspace.expireMode === EXPIRE_DELETES) {
    database.removeRecord(ref, bytes, keyAt, keyLength);
    if (call.isPropagating) {
      call.propagateAs(keyspace.unlinksExpired ? "UNLINK" : "DEL", word(1));
    }
    return;
  }
  database.setExpiry(ref, expiresAtMs);
  database.changed(bytes, keyAt, keyLength, EVENT_GENERIC, "expire");
  if (call.isPropagating && (isSeconds || baseMs !== 0)) {
    const parts: StreamPart[] = ["PEXPIREAT", word(1), integerText(expiresAtMs)];
    for (let i = 3; i < words.count; i++) parts.push(word(i));
    call.propagateAs(...parts);
  }
}

function readConditions({ words }: Call): number {
  let conditions = 0;
  for (let i = 3; i < words.count; i++) {
    if (words.is(i, "nx")) conditions |= IF_NONE;
    else if (words.is(i, "xx")) conditions |= IF_SOME;
    else if (words.is(i, "gt")) conditions |= IF_GREATER;
    else if (words.is(i, "lt")) conditions |= IF_LESS;
    else throw new ReplyError(`ERR Unsupported option ${words.text(i)}`);
  }
  if ((conditions & IF_NONE) !== 0 && conditions !== IF_NONE) {
    throw new ReplyError(
      "ERR NX and XX, GT or LT options at the same time are not compatible",
    );
  }
  if ((conditions & IF_GREATER) !== 0 && (conditions & IF_LESS) !== 0) {
    throw new ReplyError("ERR GT and LT options at the same time are not compatible");
  }
  return conditions;
}

/**
 * The instant that word 2 names, in Unix ms: within 64 bits, and beyond 2^53 as the nearest double.
 * A time outside of 64 bits is an error.
 */
function readExpiry(call: Call, isSeconds: boolean, baseMs: number): number {
  const { words } = call;
  // Up to 12 digits cannot overflow anything, nor lose anything.
  if (words.lengths[2] <= 12) return call.integer(2) * (isSeconds ? 1000 : 1) + baseMs;
  let time = call.bigInteger(2);
  if (isSeconds) {
    if (time > INT64_MAX / 1000n || time < INT64_MIN / 1000n) throw invalidTime(call);
    time *= 1000n;
  }
  time += BigInt(baseMs);
  if (time > INT64_MAX) throw invalidTime(call);
  return Number(time);
}

function invalidTime(call: Call): ReplyError {
  return new ReplyError(`ERR invalid expire time in '${call.command.fullName}' command`);
}

/** An instant in ms as the text of a 64-bit integer. */
function integerText(ms: number): string {
  if (Number.isSafeInteger(ms)) return String(ms);
  const wide = BigInt(ms);
  return String(wide > INT64_MAX ? INT64_MAX : wide);
}

/**
 * `PERSIST key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/persist/}
 */
export const persist = defineCommand({
  name: "persist",
  group: "generic",
  since: "2.2.0",
  summary: "Takes a key's time to live away",
  complexity: "O(1)",
  arity: 2,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  args: "key",
  run: runPersist,
});

function runPersist({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  const expiresAtMs = database.expiryOf(ref);
  if (expiresAtMs !== expiresAtMs) return reply.integer(0);
  database.setExpiry(ref, NaN);
  database.changed(bytes, starts[1], lengths[1], EVENT_GENERIC, "persist");
  reply.integer(1);
}
