/** HGETEX, HSETEX and HGETDEL: reading or setting fields and their expiry, or their end, in one. */

import { TYPE_HASH } from "../../arena/record.ts";
import { toLatin1 } from "../../base/bytes.ts";
import { EVENT_HASH } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { noted, oneKey } from "../../dispatch/key_specs.ts";
import { EXPIRE_DELETES } from "../../keyspace/expire_mode.ts";
import { hashBuilder, hashView } from "../../keyspace/hash.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { ReplyError, WRONG_TYPE } from "../../resp/reply_error.ts";
import { deleteOver, propagateTimes, reserveDeletions, tellExpiry } from "./expire.ts";
import { isTimeOption, readFields, readTimeOption } from "./field_words.ts";
import { replyWithValues } from "./get.ts";
import { clearTimes, setAll } from "./set.ts";

/**
 * `HGETDEL key FIELDS numfields field …`: the values of fields, which are deleted. The key goes with the last
 * field. Propagates as HDEL.
 *
 * @see {@link https://redis.io/docs/latest/commands/hgetdel/}
 */
export const hgetdel = defineCommand({
  name: "hgetdel",
  group: "hash",
  since: "8.0.0",
  summary: "Reads the values of fields of a hash and deletes the fields",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: runHgetdel,
});

function runHgetdel(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0 && database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
  const first = readFields(call, 2);
  if (ref === 0) return replyWithNothing(call, first);
  hashView.openToWrite(database, ref);
  const found = replyOnce(call, first);
  if (found.length === 0) return;
  for (const i of found) hashView.remove(bytes, starts[i], lengths[i]);
  tellExpiry(call, 0, found.length);
  if (call.isPropagating) {
    call.propagateAs("HDEL", word(1), ...found.map((i) => word(i)));
  }
}

function replyWithNothing({ words, reply }: Call, first: number): void {
  reply.array(words.count - first);
  for (let i = first; i < words.count; i++) reply.null();
}

/**
 * Answers with the values of the fields, of each once; returns the words of those that are there: they are to
 * be deleted, and what is named again is not there any more.
 */
function replyOnce({ words, reply }: Call, first: number): number[] {
  const { bytes, starts, lengths, count } = words;
  const named = new Set<string>();
  const found: number[] = [];
  reply.array(count - first);
  hashView.tellsLater = true;
  try {
    for (let i = first; i < count; i++) {
      const isNew = !named.has(toLatin1(bytes, starts[i], lengths[i]));
      if (isNew && hashView.find(bytes, starts[i], lengths[i])) {
        const { value } = hashView;
        reply.bulk(value.bytes, value.offset, value.length);
        named.add(toLatin1(bytes, starts[i], lengths[i]));
        found.push(i);
      } else reply.null();
    }
  } finally {
    hashView.tellLapsed();
  }
  return found;
}

/**
 * `HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS numfields field …`: the values of fields,
 * which get a time or lose it. A time that is over deletes them.
 *
 * Propagates as HPEXPIREAT, HPERSIST or HDEL; without an option it is a mere read.
 *
 * @see {@link https://redis.io/docs/latest/commands/hgetex/}
 */
export const hgetex = defineCommand({
  name: "hgetex",
  group: "hash",
  since: "8.0.0",
  summary: "Reads the values of fields of a hash and sets or removes their expiry",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["write", "fast"],
  keys: [noted("A new expiry is a change too.", oneKey("RW access update"))],
  elementWord: 4,
  args: `
    key
    [expiration:(
      EX seconds:integer |
      PX milliseconds:integer |
      EXAT unix-time-seconds:unix-time |
      PXAT unix-time-milliseconds:unix-time |
      PERSIST
    )]
    FIELDS fields:(numfields:integer field...)
  `,
  run: runHgetex,
});

function runHgetex(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths, count } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0 && database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
  const hasTime = isTimeOption(call, 2);
  const expiresAtMs = hasTime ? readTimeOption(call, 2) : NaN;
  const persists = words.is(2, "persist");
  const first = readFields(call, hasTime ? 4 : persists ? 3 : 2);
  if (ref === 0) return replyWithNothing(call, first);
  hashView.openToWrite(database, ref);
  if (hasTime && isOver(call, expiresAtMs)) return getAndDelete(call, first);
  if (hasTime) hashView.reserveExpiries(count - first);
  reply.array(count - first);
  replyWithValues(words, reply, first);
  const changed: number[] = [];
  for (let i = first; (hasTime || persists) && i < count; i++) {
    const present = hashView.expiryOf(bytes, starts[i], lengths[i]);
    if (present === -1 || (persists && present !== present)) continue;
    hashView.setExpiry(bytes, starts[i], lengths[i], expiresAtMs);
    changed.push(i);
  }
  hashView.trim();
  hashView.measure();
  if (changed.length === 0) return;
  const event = persists ? "hpersist" : "hexpire";
  database.changed(bytes, starts[1], lengths[1], EVENT_HASH, event, changed.length);
  if (!call.isPropagating) return;
  if (hasTime) return propagateTimes(call, expiresAtMs, changed);
  const fields = changed.map((i) => words.copy(i));
  call.propagateAs("HPERSIST", word(1), "FIELDS", fields.length, ...fields);
}

/** Whether fields with this time are deleted at once. */
function isOver({ database, nowMs }: Call, expiresAtMs: number): boolean {
  return expiresAtMs <= nowMs && database.keyspace.expireMode === EXPIRE_DELETES;
}

/** HGETEX with a time that is over. */
function getAndDelete(call: Call, first: number): void {
  reserveDeletions(call, first);
  const found = replyOnce(call, first);
  if (found.length === 0) return;
  for (const i of found) deleteOver(call, i);
  tellExpiry(call, 0, found.length);
  call.preventPropagation();
}

/**
 * `HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS numfields field value …`. Answers 1,
 * or 0 when nothing was set: with FNX because one of the fields is there, with FXX because one is not.
 *
 * Propagates as HSET, and when the fields expire as HPEXPIREAT, which all servers know that have such fields.
 *
 * @see {@link https://redis.io/docs/latest/commands/hsetex/}
 */
export const hsetex = defineCommand({
  name: "hsetex",
  group: "hash",
  since: "8.0.0",
  summary: "Gives fields of a hash values and sets their expiry",
  complexity: "O(N) with N fields",
  arity: -6,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 4,
  args: `
    key
    [condition:(FNX | FXX)]
    [expiration:(
      EX seconds:integer |
      PX milliseconds:integer |
      EXAT unix-time-seconds:unix-time |
      PXAT unix-time-milliseconds:unix-time |
      KEEPTTL
    )]
    FIELDS fields:(numfields:integer data:(field value)...)
  `,
  run: runHsetex,
});

/** What a word takes in the stream beside itself, at most. */
const WORD_BYTES = 24;

const WRONG_FIELD_NUMBER = "ERR invalid number of fields";
const TWO_CONDITIONS = "ERR Only one of FXX or FNX arguments can be specified";
const TWO_TIMES = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
const TIME_MISSING = "ERR missing expire time";

/** What HSETEX is asked for. */
interface SetOptions {
  readonly condition: "fnx" | "fxx" | null;
  readonly keepsTimes: boolean;
  /** NaN: not given. */
  readonly expiresAtMs: number;
  /** The word of the first field. */
  readonly first: number;
}

function readSetOptions(call: Call): SetOptions {
  const { words } = call;
  let condition: SetOptions["condition"] = null;
  let keepsTimes = false;
  let expiresAtMs = NaN;
  for (let i = 2; i < words.count; i++) {
    const hasTime = keepsTimes || expiresAtMs === expiresAtMs;
    if (words.is(i, "fields")) {
      return { condition, keepsTimes, expiresAtMs, first: readPairs(call, i) };
    } else if (isTimeOption(call, i)) {
      if (hasTime) throw new ReplyError(TWO_TIMES);
      if (i + 1 === words.count) throw new ReplyError(TIME_MISSING);
      expiresAtMs = readTimeOption(call, i++);
    } else if (words.is(i, "keepttl")) {
      if (hasTime) throw new ReplyError(TWO_TIMES);
      keepsTimes = true;
    } else if (words.is(i, "fnx") || words.is(i, "fxx")) {
      if (condition !== null) throw new ReplyError(TWO_CONDITIONS);
      condition = words.is(i, "fnx") ? "fnx" : "fxx";
    } else throw new ReplyError(`ERR unknown argument: ${words.text(i)}`);
  }
  throw call.arityError();
}

/** Reads FIELDS at word `at` and the number of pairs that follow; returns where the first is. */
function readPairs(call: Call, at: number): number {
  const { words } = call;
  if (at >= words.count - 3) throw call.arityError();
  const pairs = call.clampedInteger(at + 1, WRONG_FIELD_NUMBER);
  if (pairs < 1 || pairs > 0x7fffffff) throw new ReplyError(WRONG_FIELD_NUMBER);
  if (pairs * 2 !== words.count - at - 2) throw call.arityError();
  return at + 2;
}

function runHsetex(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const options = readSetOptions(call);
  let ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
    hashView.openToWrite(database, ref);
    if (!isConditionMet(call, options)) return reply.integer(0);
    // The hash is gone if its last fields were over.
    ref = hashView.ref;
  } else if (options.condition === "fxx") return reply.integer(0);
  setUnlessOver(call, ref, options);
  reply.integer(1);
}

/** HSETEX where its condition is met; `ref` is the hash that is open, 0 for none. */
function setUnlessOver(call: Call, ref: number, options: SetOptions): void {
  const { words } = call;
  const { expiresAtMs, first } = options;
  if (isOver(call, expiresAtMs)) return ref === 0 ? undefined : deleteFields(call, first);
  reservePropagation(call);
  if (ref === 0) makeHash(call, options);
  else {
    setAll(words, first, () => {
      if (expiresAtMs === expiresAtMs) hashView.reserveExpiries((words.count - first) >> 1);
    });
    if (!options.keepsTimes && hashView.hasTimes) clearTimes(words, first);
  }
  setTimes(call, options);
}

/** Takes the memory for HSET and HPEXPIREAT. @throws RangeError before a change when there is none */
function reservePropagation({ database, words }: Call): void {
  const { stream } = database.keyspace;
  if (stream.isActive) stream.reserve(2 * (words.sizeBytes + words.count * WORD_BYTES));
}

function isConditionMet({ words }: Call, { condition, first }: SetOptions): boolean {
  if (condition === null) return true;
  const { bytes, starts, lengths, count } = words;
  hashView.tellsLater = true;
  let isMet = true;
  try {
    for (let i = first; isMet && i < count; i += 2) {
      isMet = hashView.has(bytes, starts[i], lengths[i]) === (condition === "fxx");
    }
  } finally {
    hashView.tellLapsed();
  }
  return isMet;
}

/** HSETEX with a time that is over: what it would set is not there afterwards. */
function deleteFields(call: Call, first: number): void {
  const { words } = call;
  const { bytes, starts, lengths, count } = words;
  reserveDeletions(call, first);
  let deleted = 0;
  for (let i = first; i < count; i += 2) {
    if (hashView.expiryOf(bytes, starts[i], lengths[i]) === -1) continue;
    deleteOver(call, i);
    deleted++;
  }
  if (deleted === 0) return;
  tellExpiry(call, 0, deleted);
  call.preventPropagation();
}

/** Makes the hash of the pairs, and leaves it open with room for their times. */
function makeHash({ database, words }: Call, { expiresAtMs, first }: SetOptions): void {
  const { bytes, starts, lengths, count } = words;
  hashBuilder.begin(database.keyspace.limits, (count - first) >> 1);
  for (let i = first; i < count; i += 2) {
    hashBuilder.set(bytes, starts[i], lengths[i], bytes, starts[i + 1], lengths[i + 1]);
  }
  const ref = hashBuilder.addTo(database, bytes, starts[1], lengths[1]);
  hashView.openToWrite(database, ref);
  if (expiresAtMs !== expiresAtMs) return;
  try {
    hashView.reserveExpiries((count - first) >> 1);
  } catch (error) {
    database.takeBack(hashView.ref);
    throw error;
  }
}

/** The fields have been set: now they get their times, and everybody is told. */
function setTimes(call: Call, { expiresAtMs, keepsTimes, first }: SetOptions): void {
  const { database, words } = call;
  const { bytes, starts, lengths, count } = words;
  const keyAt = starts[1];
  const keyLength = lengths[1];
  const hasTime = expiresAtMs === expiresAtMs;
  for (let i = first; hasTime && i < count; i += 2) {
    hashView.setExpiry(bytes, starts[i], lengths[i], expiresAtMs);
  }
  hashView.trim();
  hashView.measure();
  const pairs = (count - first) >> 1;
  database.changed(bytes, keyAt, keyLength, EVENT_HASH, "hset", pairs);
  if (hasTime) database.changed(bytes, keyAt, keyLength, EVENT_HASH, "hexpire", 0);
  if (!call.isPropagating) return;
  const parts: StreamPart[] = [];
  const fields: number[] = [];
  for (let i = first; i < count; i++) parts.push(word(i));
  for (let i = first; i < count; i += 2) fields.push(i);
  call.propagateAs("HSET", word(1), ...parts);
  if (hasTime) propagateTimes(call, expiresAtMs, fields);
  else if (keepsTimes && hashView.hasTimes) propagateKept(call, fields);
}

/** HSET has ended the times that these fields keep here. */
function propagateKept(call: Call, fields: readonly number[]): void {
  const { bytes, starts, lengths } = call.words;
  for (const i of fields) {
    const timeMs = hashView.expiryOf(bytes, starts[i], lengths[i]);
    if (timeMs >= 0) propagateTimes(call, timeMs, [i]);
  }
}
