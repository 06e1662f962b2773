/** MSET, MSETNX and MSETEX: several keys in one step, all or none. */

import { blocks } from "../../base/blocks.ts";
import { parseInteger } from "../../base/integers.ts";
import { EVENT_GENERIC } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, keysToEnd } from "../../dispatch/key_specs.ts";
import { INLINE_STRING_MAX } from "../../keyspace/database.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { FOR_MSETEX, StringOptions } from "./expiration.ts";
import { setPair } from "./set.ts";

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

/**
 * `MSETEX numkeys key value [key value …] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`: sets all of them
 * (1), with one expiry, or none if a key is there already, or one missing (0).
 *
 * Errors: a count that does not go with the words; not an integer; invalid expire time.
 * Propagates as MSET, or where there are expiries as a SET for each key, with `PXAT unix-time-ms`.
 *
 * @see {@link https://redis.io/docs/latest/commands/msetex/}
 */
export const msetex = defineCommand({
  name: "msetex",
  group: "string",
  since: "8.4.0",
  summary: "Stores strings at several keys in one step, on conditions and with an expiry if wanted",
  complexity: "O(N)",
  arity: -4,
  flags: ["write", "denyoom"],
  tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  keys: [countedKeys("OW update", 1, 2)],
  args: `
    numkeys:integer
    data:(key value)...
    [condition:(NX | XX)]
    [expiration:(
      EX seconds:integer |
      PX milliseconds:integer |
      EXAT unix-time-seconds:unix-time |
      PXAT unix-time-milliseconds:unix-time |
      KEEPTTL
    )]
  `,
  run: runMsetex,
});

const COUNT_MAX = 0x7fffffff;
/** Bytes of a SET with an expiry in the stream of writes, beside key and value, at most. */
const SET_OVERHEAD_MAX = 160;
const options = new StringOptions();

function runMsetex(call: Call): void {
  const { words, reply } = call;
  const count = parseInteger(words.bytes, words.starts[1], words.lengths[1]);
  if (!(count >= 1 && count <= COUNT_MAX)) throw new ReplyError("ERR invalid numkeys value");
  const end = 2 + 2 * count;
  if (end > words.count) throw new ReplyError("ERR wrong number of key-value pairs");
  options.read(call, end, FOR_MSETEX);
  const expiresAtMs = options.deadline(call);
  if (!areConditionsMet(call, end)) return reply.integer(0);
  setExpiringPairs(call, end, expiresAtMs);
  reply.integer(1);
}

function areConditionsMet({ database, words }: Call, end: number): boolean {
  const { onlyIfMissing, onlyIfPresent } = options;
  if (!onlyIfMissing && !onlyIfPresent) return true;
  for (let i = 2; i < end; i += 2) {
    const ref = database.lookupWrite(words.bytes, words.starts[i], words.lengths[i]);
    if (ref !== 0 === onlyIfMissing) return false;
  }
  return true;
}

/** `setPairs` for words 2 to `end`, with an expiry for all, or (KEEPTTL) the one that each has. */
function setExpiringPairs(call: Call, end: number, expiresAtMs: number): void {
  const { database, words } = call;
  const longStrings = copyLongStrings(words, 2, end);
  const pairs = (end - 2) >> 1;
  const bytes = inlineBytesOf(words, 2, end) + pairs * RECORD_OVERHEAD_MAX;
  database.reserve(pairs, bytes, Number.isNaN(expiresAtMs) ? 0 : pairs);
  if (call.isPropagating) {
    database.keyspace.stream.reserve(words.sizeBytes + pairs * SET_OVERHEAD_MAX, pairs);
  }
  let at = 2;
  try {
    for (; at < end; at += 2) setExpiringPair(call, at, longStrings?.get(at), expiresAtMs);
  } finally {
    if (call.isPropagating) propagatePairs(call, at, expiresAtMs);
  }
}

/** Sets the key of word `at` to a copy of the word behind it, if it has been made: events "set" and "expire". */
function setExpiringPair(
  { database, words }: Call,
  at: number,
  copy: Uint8Array | undefined,
  expiresAtMs: number,
): void {
  const { bytes, starts, lengths } = words;
  const value = copy ?? bytes.subarray(starts[at + 1], starts[at + 1] + lengths[at + 1]);
  const { keepsTtl } = options;
  if (copy !== undefined) {
    database.setOwnString(bytes, starts[at], lengths[at], value, value, expiresAtMs, keepsTtl);
  } else {
    const { length } = value;
    database.setString(bytes, starts[at], lengths[at], value, 0, length, expiresAtMs, keepsTtl);
  }
  if (Number.isNaN(expiresAtMs)) return;
  const { keyspace, index } = database;
  keyspace.notify(EVENT_GENERIC, "expire", index, bytes, starts[at], lengths[at]);
}

/** The keys that are set, which are those before word `end`, in commands that older servers know. */
function propagatePairs(call: Call, end: number, expiresAtMs: number): void {
  const expiry: StreamPart[] = options.keepsTtl ? ["KEEPTTL"] : ["PXAT", expiresAtMs];
  if (!options.keepsTtl && Number.isNaN(expiresAtMs)) {
    const parts: StreamPart[] = ["MSET"];
    for (let i = 2; i < end; i++) parts.push(word(i));
    if (parts.length > 1) call.propagateAs(...parts);
    return;
  }
  for (let at = 2; at < end; at += 2) {
    call.propagateAs("SET", word(at), word(at + 1), ...expiry);
  }
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
  const longStrings = sizeBytes > INLINE_STRING_MAX ? copyLongStrings(words, 1, count) : null;
  const bytes = longStrings === null ? sizeBytes : inlineBytesOf(words, 1, count);
  database.reserve(pairs, bytes + pairs * RECORD_OVERHEAD_MAX);
  settingAt = 1;
  try {
    setEach(call, longStrings);
  } catch (error) {
    if (settingAt > 1) {
      const parts: StreamPart[] = ["MSET"];
      for (let i = 1; i < settingAt; i++) parts.push(word(i));
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
    else {
      const { bytes, starts, lengths } = words;
      database.setOwnString(bytes, starts[settingAt], lengths[settingAt], copy);
    }
  }
}

/** Bytes of all keys in words `from` to `to`, and of the values that will lie in records. */
function inlineBytesOf({ lengths }: Words, from: number, to: number): number {
  let bytes = 0;
  for (let i = from; i < to; i += 2) {
    bytes += lengths[i];
    if (lengths[i + 1] <= INLINE_STRING_MAX) bytes += lengths[i + 1];
  }
  return bytes;
}

/** Copies of the values that will not lie in records, by the words of their keys; null for none. */
function copyLongStrings(
  words: Words,
  from: number,
  to: number,
): Map<number, Uint8Array> | null {
  const copies = new Map<number, Uint8Array>();
  for (let i = from; i < to; i += 2) {
    const length = words.lengths[i + 1];
    if (length <= INLINE_STRING_MAX || words.mayTakeOver(i + 1)) continue;
    const copy = blocks.take(length);
    const start = words.starts[i + 1];
    copy.set(words.bytes.subarray(start, start + length));
    copies.set(i, copy);
  }
  return copies.size > 0 ? copies : null;
}
