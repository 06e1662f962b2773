/** SET and its older spellings SETEX, PSETEX, SETNX and GETSET. For several keys: set_several.ts. */

import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { noted, oneKey, setKeys } from "../../dispatch/key_specs.ts";
import { EXPIRY_FROM_NOW, EXPIRY_MS, EXPIRY_SECONDS, readInstant } from "./expiration.ts";
import { FOR_SET, StringOptions } from "./expiration.ts";
import { isComparisonMet } from "./compare.ts";
import { replyWithString } from "./get.ts";

/**
 * `SET key value [NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] [GET] [EX s | PX ms | EXAT s |
 * PXAT ms | KEEPTTL]`. Replaces a value of any type, except that GET needs a string (or nothing) to answer with,
 * and what is compared a string.
 *
 * Errors: not an integer; invalid expire time; a digest that is none.
 * Propagates as `SET key value PXAT unix-time-ms` when it expires, and without GET and comparisons.
 *
 * @see {@link https://redis.io/docs/latest/commands/set/}
 */
export const set = defineCommand({
  name: "set",
  group: "string",
  since: "1.0.0",
  history: [
    ["2.6.12", "`EX`, `PX`, `NX` and `XX`"],
    ["6.0.0", "`KEEPTTL`"],
    [
      "6.2.0",
      "`GET`, `EXAT` and `PXAT`",
    ],
    ["7.0.0", "`NX` together with `GET`"],
    ["8.4.0", "`IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`"],
  ],
  summary: "Stores a string at a key, on conditions and with an expiry if wanted",
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [
    noted(
      "The old value is read only where `GET` asks for it.",
      oneKey("RW access update variable_flags"),
    ),
  ],
  findKeys: setKeys,
  args: `
    key value
    [condition:(
      NX | XX |
      IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 |
      IFDEQ ifdeq-digest@8.4.0 | IFDNE ifdne-digest@8.4.0
    )@2.6.12]
    [GET@6.2.0]
    [expiration:(
      EX seconds:integer@2.6.12 |
      PX milliseconds:integer@2.6.12 |
      EXAT unix-time-seconds:unix-time@6.2.0 |
      PXAT unix-time-milliseconds:unix-time@6.2.0 |
      KEEPTTL@6.0.0
    )]
  `,
  run: runSet,
});

function runSet(call: Call): void {
  const { words } = call;
  if (words.count > 3) return setWithOptions(call);
  setPair(call, 1);
  call.reply.ok();
}

/** Sets the key of word `index` to the word behind it. */
export function setPair({ database, words }: Call, index: number): void {
  const { bytes, starts, lengths } = words;
  const memory = words.memory === null ? null : words.takeOver(index + 1);
  if (memory !== null) {
    const value = bytes.subarray(starts[index + 1], starts[index + 1] + lengths[index + 1]);
    return database.setOwnString(bytes, starts[index], lengths[index], value, memory);
  }
  database.setString(
    bytes,
    starts[index],
    lengths[index],
    bytes,
    starts[index + 1],
    lengths[index + 1],
  );
}

const options = new StringOptions();

function setWithOptions(call: Call): void {
  const { database, words, reply } = call;
  options.read(call, 3, FOR_SET);
  const { onlyIfMissing, onlyIfPresent, comparison, wantsOld, keepsTtl } = options;
  const expiresAtMs = options.deadline(call);
  if (wantsOld && !replyWithString(call)) return;
  if (onlyIfMissing || onlyIfPresent || comparison !== null) {
    const ref = database.lookupWrite(words.bytes, words.starts[1], words.lengths[1]);
    const isMet = comparison === null
      ? ref !== 0 === onlyIfPresent
      : isComparisonMet(call, ref, comparison, options.comparedIndex);
    if (!isMet) {
      if (!wantsOld) reply.null();
      return;
    }
  }
  setExpiring(call, 2, expiresAtMs, keepsTtl);
  if (!wantsOld) reply.ok();
  if (call.isPropagating) propagateSet(call, expiresAtMs);
}

/** Says what SET has done where its words do not: times, GET and comparisons are none of a replica's business. */
function propagateSet(call: Call, expiresAtMs: number): void {
  const { deadlineIndex, unit, wantsOld, comparison, keepsTtl } = options;
  const isCompared = comparison !== null;
  if (deadlineIndex > 0) {
    if (unit === EXPIRY_MS && !isCompared) return;
    call.propagateAs("SET", word(1), word(2), "PXAT", expiresAtMs);
  } else if (isCompared) {
    const parts: StreamPart[] = ["SET", word(1), word(2)];
    if (keepsTtl) parts.push("KEEPTTL");
    call.propagateAs(...parts);
  } else if (wantsOld) propagateWithoutGet(call);
}

/** Sets the key of word 1 to word `valueIndex`: events "set" and, with an instant, "expire". */
function setExpiring(call: Call, valueIndex: number, expiresAtMs: number, keepsTtl: boolean): void {
  const { database, words } = call;
  const { bytes, starts, lengths } = words;
  database.setString(
    bytes,
    starts[1],
    lengths[1],
    bytes,
    starts[valueIndex],
    lengths[valueIndex],
    expiresAtMs,
    keepsTtl,
  );
  if (!Number.isNaN(expiresAtMs)) {
    const { keyspace, index } = database;
    keyspace.notify(EVENT_GENERIC, "expire", index, bytes, starts[1], lengths[1]);
  }
}

function propagateWithoutGet(call: Call): void {
  const { words } = call;
  const parts: StreamPart[] = [];
  for (let i = 0; i < words.count; i++) {
    if (i < 3 || !words.is(i, "get")) parts.push(word(i));
  }
  call.propagateAs(...parts);
}

/**
 * `SETEX key seconds value`.
 *
 * Errors: not an integer; invalid expire time. Propagates as `SET key value PXAT unix-time-ms`.
 *
 * @see {@link https://redis.io/docs/latest/commands/setex/}
 */
export const setex = defineCommand({
  name: "setex",
  group: "string",
  since: "2.0.0",
  summary: "Stores a string that expires after a number of seconds",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update")],
  args: "key seconds:integer value",
  deprecated: { since: "2.6.12", use: "`SET` with `EX`" },
  run: (call) => setWithTime(call, EXPIRY_SECONDS | EXPIRY_FROM_NOW),
});

/**
 * `PSETEX key milliseconds value`.
 *
 * Errors: not an integer; invalid expire time. Propagates as `SET key value PXAT unix-time-ms`.
 *
 * @see {@link https://redis.io/docs/latest/commands/psetex/}
 */
export const psetex = defineCommand({
  name: "psetex",
  group: "string",
  since: "2.6.0",
  summary: "Stores a string that expires after a number of milliseconds",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update")],
  args: "key milliseconds:integer value",
  deprecated: { since: "2.6.12", use: "`SET` with `PX`" },
  run: (call) => setWithTime(call, EXPIRY_FROM_NOW),
});

function setWithTime(call: Call, unit: number): void {
  const expiresAtMs = readInstant(call, 2, unit);
  setExpiring(call, 3, expiresAtMs, false);
  call.reply.ok();
  if (call.isPropagating) {
    call.propagateAs("SET", word(1), word(3), "PXAT", expiresAtMs);
  }
}

/**
 * `SETNX key value`: 1 if it was set, 0 if the key was there.
 *
 * @see {@link https://redis.io/docs/latest/commands/setnx/}
 */
export const setnx = defineCommand({
  name: "setnx",
  group: "string",
  since: "1.0.0",
  summary: "Stores a string unless the key is there already",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("OW insert")],
  args: "key value",
  deprecated: { since: "2.6.12", use: "`SET` with `NX`" },
  run: runSetnx,
});

function runSetnx(call: Call): void {
  const { database, words, reply } = call;
  if (database.lookupWrite(words.bytes, words.starts[1], words.lengths[1]) !== 0) {
    return reply.integer(0);
  }
  setPair(call, 1);
  reply.integer(1);
}

/**
 * `GETSET key value`: the old string, null if there was none. Propagates as SET.
 *
 * @see {@link https://redis.io/docs/latest/commands/getset/}
 */
export const getset = defineCommand({
  name: "getset",
  group: "string",
  since: "1.0.0",
  summary: "Stores a string and answers with the one before",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key value",
  deprecated: { since: "6.2.0", use: "`SET` (`GET`)" },
  run: runGetset,
});

function runGetset(call: Call): void {
  if (!replyWithString(call)) return;
  setPair(call, 1);
  if (call.isPropagating) call.propagateAs("SET", word(1), word(2));
}
