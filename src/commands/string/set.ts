/** SET, its older spellings SETEX, PSETEX, SETNX and GETSET, and MSET and MSETNX for several keys. */

import type { Call } from "../../dispatch/call.ts";
import { blocks } from "../../base/blocks.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import { INLINE_STRING_MAX } from "../../keyspace/database.ts";
import type { Words } from "../../resp/words.ts";
import type { StreamPart } from "../../propagation/write_stream.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, noted, oneKey, setKeys } from "../../dispatch/key_specs.ts";
import { EXPIRY_FROM_NOW, EXPIRY_MS, EXPIRY_SECONDS, readInstant } from "./expiration.ts";
import { StringOptions } from "./expiration.ts";
import { replyWithString } from "./get.ts";

/**
 * `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`. Replaces a value of any
 * type, except that GET needs a string (or nothing) to answer with.
 *
 * Errors: not an integer; invalid expire time.
 * Propagates as `SET key value PXAT unix-time-ms` when it expires, and without GET.
 *
 * @see {@link https://redis.io/docs/latest/commands/set/}
 */
export const set = defineCommand({
  name: "set",
  group: "string",
  since: "1.0.0",
  history: [["2.6.12", "`EX`, `PX`, `NX` and `XX`"], ["6.0.0", "`KEEPTTL`"], [
    "6.2.0",
    "`GET`, `EXAT` and `PXAT`",
  ], ["7.0.0", "`NX` together with `GET`"]],
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
    [condition:(NX | XX)@2.6.12]
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

/** Bytes that a record takes beside key and value, at most. */
const RECORD_OVERHEAD_MAX = 40;

/**
 * Sets keys to the words behind them, from word 1 on: all, or none if memory is refused, as all that it takes
 * is asked for before the first key changes. More than a segment of an arena cannot be asked for: if it
 * ends then in the midst of the keys, those that are set are what enters the stream.
 */
function setPairs(call: Call): void {
  const { database, words } = call;
  const { count, sizeBytes } = words;
  const pairs = count >> 1;
  const longStrings = sizeBytes > INLINE_STRING_MAX ? copyLongStrings(words) : null;
  const bytes = longStrings === null ? sizeBytes : inlineBytesOf(words);
  database.reserve(pairs, bytes + pairs * RECORD_OVERHEAD_MAX);
  settingAt = 1;
  try {
    setEach(call, longStrings);
  } catch (error) {
    if (settingAt > 1) {
      const parts: StreamPart[] = ["MSET"];
      for (let word = 1; word < settingAt; word++) parts.push(words.copy(word));
      call.propagateAs(...parts);
    }
    throw error;
  }
}

/** The word of the key that MSET has come to. */
let settingAt = 1;

function setEach(call: Call, longStrings: Map<number, Uint8Array> | null): void {
  const { database, words } = call;
  const { count } = words;
  if (longStrings === null) {
    for (; settingAt < count; settingAt += 2) setPair(call, settingAt);
    return;
  }
  for (; settingAt < count; settingAt += 2) {
    const copy = longStrings.get(settingAt);
    if (copy === undefined) setPair(call, settingAt);
    else {database.setOwnString(
        words.bytes,
        words.starts[settingAt],
        words.lengths[settingAt],
        copy,
      );}
  }
}

/** Bytes of all keys, and of the values that will lie in records. */
function inlineBytesOf({ lengths, count }: Words): number {
  let bytes = 0;
  for (let i = 1; i < count; i++) {
    const isKey = (i & 1) !== 0;
    if (isKey || lengths[i] <= INLINE_STRING_MAX) bytes += lengths[i];
  }
  return bytes;
}

/** Copies of the values that will not lie in records, by the words of their keys; null for none. */
function copyLongStrings(words: Words): Map<number, Uint8Array> | null {
  const copies = new Map<number, Uint8Array>();
  for (let i = 1; i < words.count; i += 2) {
    const length = words.lengths[i + 1];
    if (length <= INLINE_STRING_MAX || words.mayTakeOver(i + 1)) continue;
    const copy = blocks.take(length);
    const start = words.starts[i + 1];
    copy.set(words.bytes.subarray(start, start + length));
    copies.set(i, copy);
  }
  return copies.size > 0 ? copies : null;
}

/** Sets the key of word `index` to the word behind it. */
function setPair({ database, words }: Call, index: number): void {
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
  options.read(call, 3, true);
  const { onlyIfMissing, onlyIfPresent, wantsOld, keepsTtl, deadlineIndex, unit } = options;
  const expiresAtMs = options.deadline(call);
  if (wantsOld && !replyWithString(call)) return;
  if (onlyIfMissing || onlyIfPresent) {
    const isThere = database.lookupWrite(words.bytes, words.starts[1], words.lengths[1]) !== 0;
    if (isThere === onlyIfMissing) {
      if (!wantsOld) reply.null();
      return;
    }
  }
  setExpiring(call, 2, expiresAtMs, keepsTtl);
  if (!wantsOld) reply.ok();
  if (!call.isPropagating) return;
  if (deadlineIndex === 0) {
    if (wantsOld) propagateWithoutGet(call);
  } else if (unit !== EXPIRY_MS) {
    call.propagateAs("SET", words.copy(1), words.copy(2), "PXAT", expiresAtMs);
  }
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
    if (i < 3 || !words.is(i, "get")) parts.push(words.copy(i));
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
  const { words } = call;
  const expiresAtMs = readInstant(call, 2, unit);
  setExpiring(call, 3, expiresAtMs, false);
  call.reply.ok();
  if (call.isPropagating) {
    call.propagateAs("SET", words.copy(1), words.copy(3), "PXAT", expiresAtMs);
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
  if (call.isPropagating) call.propagateAs("SET", call.words.copy(1), call.words.copy(2));
}

/**
 * `MSET key value [key value …]`. Of a key that is named twice the last value stays.
 *
 * @see {@link https://redis.io/docs/latest/commands/mset/}
 */
export const mset = defineCommand({
  name: "mset",
  group: "string",
  since: "1.0.1",
  summary: "Stores strings at several keys in one step",
  complexity: "O(N)",
  arity: -3,
  flags: ["write", "denyoom"],
  tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  keys: [keysToEnd("OW update", 1, 2)],
  args: "key_value:(key value)...",
  run: runMset,
});

function runMset(call: Call): void {
  const { count } = call.words;
  if ((count & 1) === 0) throw call.arityError();
  setPairs(call);
  call.reply.ok();
}

/**
 * `MSETNX key value [key value …]`: sets all of them (1), or none if one key is there already (0).
 *
 * @see {@link https://redis.io/docs/latest/commands/msetnx/}
 */
export const msetnx = defineCommand({
  name: "msetnx",
  group: "string",
  since: "1.0.1",
  summary: "Stores strings at several keys unless one of the keys is there already",
  complexity: "O(N)",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [keysToEnd("OW insert", 1, 2)],
  args: "key_value:(key value)...",
  run: runMsetnx,
});

function runMsetnx(call: Call): void {
  const { database, words, reply } = call;
  const { count } = words;
  if ((count & 1) === 0) throw call.arityError();
  for (let i = 1; i < count; i += 2) {
    if (database.lookupWrite(words.bytes, words.starts[i], words.lengths[i]) !== 0) {
      return reply.integer(0);
    }
  }
  setPairs(call);
  reply.integer(1);
}
