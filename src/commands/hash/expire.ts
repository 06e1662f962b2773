/** HEXPIRE and its relatives, which have fields of a hash expire, and HPERSIST, which ends that. */

import { TYPE_HASH } from "../../arena/record.ts";
import { EVENT_GENERIC, EVENT_HASH } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { hashView } from "../../keyspace/hash.ts";
import { EXPIRE_DELETES } from "../../keyspace/expire_mode.ts";
import { type StreamPart, word } from "../../propagation/stream_part.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { readFields, readTime } from "./field_words.ts";

/**
 * `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field …`. Answers for each field: -2 there is
 * no such field, 0 the condition does not hold, 1 done, 2 the time is over and the field deleted.
 *
 * Propagates as HPEXPIREAT of the fields that it has changed, and an HDEL of each that it has deleted.
 *
 * @see {@link https://redis.io/docs/latest/commands/hexpire/}
 */
export const hexpire = defineCommand({
  name: "hexpire",
  group: "hash",
  since: "7.4.0",
  summary: "Has fields of a hash expire after a number of seconds",
  complexity: "O(N) with N fields named",
  arity: -6,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 5,
  args:
    "key seconds:integer [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)",
  run: (call) => expireFields(call, true, call.nowMs),
});

/**
 * `HPEXPIRE key milliseconds …`: HEXPIRE in milliseconds.
 *
 * @see {@link https://redis.io/docs/latest/commands/hpexpire/}
 */
export const hpexpire = defineCommand({
  name: "hpexpire",
  group: "hash",
  since: "7.4.0",
  summary: "Has fields of a hash expire after a number of milliseconds",
  complexity: "O(N) with N fields named",
  arity: -6,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 5,
  args:
    "key milliseconds:integer [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)",
  run: (call) => expireFields(call, false, call.nowMs),
});

/**
 * `HEXPIREAT key unix-time-seconds …`: HEXPIRE with an instant.
 *
 * @see {@link https://redis.io/docs/latest/commands/hexpireat/}
 */
export const hexpireat = defineCommand({
  name: "hexpireat",
  group: "hash",
  since: "7.4.0",
  summary: "Sets the Unix time, in seconds, at which fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -6,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 5,
  args:
    "key unix-time-seconds:unix-time [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)",
  run: (call) => expireFields(call, true, 0),
});

/**
 * `HPEXPIREAT key unix-time-milliseconds …`: HEXPIREAT in milliseconds.
 *
 * @see {@link https://redis.io/docs/latest/commands/hpexpireat/}
 */
export const hpexpireat = defineCommand({
  name: "hpexpireat",
  group: "hash",
  since: "7.4.0",
  summary: "Sets the Unix time, in milliseconds, at which fields of a hash expire",
  complexity: "O(N) with N fields named",
  arity: -6,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 5,
  args:
    "key unix-time-milliseconds:unix-time [condition:(NX | XX | GT | LT)] FIELDS fields:(numfields:integer field...)",
  run: (call) => expireFields(call, false, 0),
});

// What is answered for a field.
const NO_FIELD = -2;
const NO_TIME = -1;
const NOT_MET = 0;
const DONE = 1;
const DELETED = 2;

/** What the answer for a field takes, and an HDEL beside key and field, at most. */
const ANSWER_BYTES = 5;
const HDEL_BYTES = 48;

const FIELDS_ZERO = "ERR Parameter `numFields` should be greater than 0";

const CONDITIONS = ["nx", "xx", "gt", "lt"] as const;
type Condition = typeof CONDITIONS[number];

/** Whether a field that expires at `present` (NaN: it does not) may have another time. */
function isMet(condition: Condition | undefined, present: number, expiresAtMs: number): boolean {
  const hasTime = present === present;
  switch (condition) {
    case undefined:
      return true;
    case "nx":
      return !hasTime;
    case "xx":
      return hasTime;
    case "gt":
      return expiresAtMs > present;
    case "lt":
      return !hasTime || expiresAtMs < present;
  }
}

/** `baseMs` is what the time in word 2 counts from. */
function expireFields(call: Call, isSeconds: boolean, baseMs: number): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths, count } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0 && database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
  const expiresAtMs = readTime(call, 2, isSeconds, baseMs);
  const condition = CONDITIONS.find((name) => words.is(3, name));
  const first = readFields(call, condition === undefined ? 3 : 4, FIELDS_ZERO);
  if (ref === 0) return replyToEach(call, first, NO_FIELD);
  hashView.openToWrite(database, ref);
  const deletes = expiresAtMs <= call.nowMs && database.keyspace.expireMode === EXPIRE_DELETES;
  reply.reserve((count - first) * ANSWER_BYTES);
  // What is over already is deleted when it is come upon.
  if (deletes || hashView.hasOver) reserveDeletions(call, first);
  if (!deletes && meetsAny(call, first, condition, expiresAtMs)) {
    hashView.reserveExpiries(count - first);
  }
  // From here on nothing takes memory.
  const answers: number[] = [];
  const done: number[] = [];
  hashView.tellsLater = true;
  for (let i = first; i < count; i++) {
    const present = presentTime(call, i);
    if (present === NO_FIELD) answers.push(NO_FIELD);
    else if (!isMet(condition, present, expiresAtMs)) answers.push(NOT_MET);
    else if (deletes) {
      deleteOver(call, i);
      answers.push(DELETED);
    } else {
      done.push(i);
      hashView.setExpiry(bytes, starts[i], lengths[i], expiresAtMs);
      answers.push(DONE);
    }
  }
  hashView.trim();
  hashView.tellLapsed();
  reply.array(answers.length);
  for (const answer of answers) reply.integer(answer);
  const deleted = answers.filter((answer) => answer === DELETED).length;
  if (done.length + deleted === 0) return;
  tellExpiry(call, done.length, deleted);
  if (done.length === 0) return call.preventPropagation();
  if (!call.isPropagating) return;
  if (!isSeconds && baseMs === 0 && done.length === answers.length) return;
  propagateTimes(call, expiresAtMs, done, condition);
}

/**
 * Takes the memory for an HDEL of each field that the words from `first` on name. @throws RangeError before a
 * change when there is none
 */
export function reserveDeletions({ words, database }: Call, first: number): void {
  const { stream } = database.keyspace;
  if (!stream.isActive) return;
  const { lengths, count } = words;
  let bytes = HDEL_BYTES;
  for (let i = first; i < count; i++) bytes += HDEL_BYTES + lengths[1] + lengths[i];
  stream.reserve(bytes, count - first);
}

/** When the field of a word expires: NaN for not at all, NO_FIELD when it is not there or was over. */
function presentTime({ words }: Call, index: number): number {
  const { bytes, starts, lengths } = words;
  if (!hashView.has(bytes, starts[index], lengths[index])) return NO_FIELD;
  return hashView.hasTimes ? hashView.expiryOf(bytes, starts[index], lengths[index]) : NaN;
}

/** Whether a field that the words from `first` on name will have the time. */
function meetsAny(
  { words }: Call,
  first: number,
  condition: Condition | undefined,
  expiresAtMs: number,
): boolean {
  const { bytes, starts, lengths, count } = words;
  for (let i = first; i < count; i++) {
    const present = hashView.expiryOf(bytes, starts[i], lengths[i]);
    if (present !== -1 && isMet(condition, present, expiresAtMs)) return true;
  }
  return false;
}

/** Removes the field of a word, as the time that it is to have is over; says so in the stream. */
export function deleteOver({ database, words }: Call, index: number): void {
  const { bytes, starts, lengths } = words;
  database.fieldExpired(hashView.ref, bytes, starts[index], lengths[index]);
  hashView.remove(bytes, starts[index], lengths[index]);
}

/** Ends a change of the hash that is open: so many fields have a new time, so many are gone. */
export function tellExpiry({ database, words }: Call, done: number, deleted: number): void {
  const { bytes, starts, lengths } = words;
  const keyAt = starts[1];
  const keyLength = lengths[1];
  hashView.measure();
  const event = deleted > 0 ? "hdel" : "hexpire";
  // The last field may have been one that was over, and the hash gone with it.
  const isEmpty = hashView.ref !== 0 && hashView.count === 0;
  database.changed(bytes, keyAt, keyLength, EVENT_HASH, event, done + deleted);
  if (isEmpty) {
    database.removeRecord(hashView.ref, bytes, keyAt, keyLength, EVENT_GENERIC, "del", 0);
  }
}

/** Puts it into the stream that the fields of these words expire then. */
export function propagateTimes(
  call: Call,
  expiresAtMs: number,
  fields: readonly number[],
  condition?: Condition,
): void {
  const parts: StreamPart[] = ["HPEXPIREAT", word(1), expiresAtMs];
  if (condition !== undefined) parts.push(condition.toUpperCase());
  parts.push("FIELDS", fields.length);
  for (const i of fields) parts.push(word(i));
  call.propagateAs(...parts);
}

export function replyToEach({ words, reply }: Call, first: number, answer: number): void {
  reply.array(words.count - first);
  for (let i = first; i < words.count; i++) reply.integer(answer);
}

/**
 * `HPERSIST key FIELDS numfields field …`. Answers for each field: -2 there is no such field, -1 it does not
 * expire, 1 done.
 *
 * @see {@link https://redis.io/docs/latest/commands/hpersist/}
 */
export const hpersist = defineCommand({
  name: "hpersist",
  group: "hash",
  since: "7.4.0",
  summary: "Has fields of a hash expire no more",
  complexity: "O(N) with N fields named",
  arity: -5,
  flags: ["write", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 4,
  args: "key FIELDS fields:(numfields:integer field...)",
  run: runHpersist,
});

function runHpersist(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths, count } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0 && database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
  const first = readFields(call, 2);
  if (ref === 0) return replyToEach(call, first, NO_FIELD);
  hashView.openToWrite(database, ref);
  reply.array(count - first);
  let changes = 0;
  for (let i = first; i < count; i++) {
    const present = hashView.expiryOf(bytes, starts[i], lengths[i]);
    if (present === -1) reply.integer(NO_FIELD);
    else if (present !== present) reply.integer(NO_TIME);
    else {
      hashView.setExpiry(bytes, starts[i], lengths[i], NaN);
      reply.integer(DONE);
      changes++;
    }
  }
  if (changes === 0) return;
  hashView.trim();
  hashView.measure();
  database.changed(bytes, starts[1], lengths[1], EVENT_HASH, "hpersist");
}
