/** HSET, HMSET and HSETNX: giving fields values. */

import { TYPE_HASH } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { tryAllocating } from "../../base/refused.ts";
import { EVENT_HASH } from "../../base/event_classes.ts";
import { hashBuilder, hashView } from "../../keyspace/hash.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { ElementStack } from "../../values/element_stack.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `HSET key field value …`: answers how many fields are new.
 *
 * @see {@link https://redis.io/docs/latest/commands/hset/}
 */
export const hset = defineCommand({
  name: "hset",
  group: "hash",
  since: "2.0.0",
  history: [["4.0.0", "several fields"]],
  summary: "Gives fields of a hash values, making the hash if need be",
  complexity: "O(N) with N fields",
  arity: -4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 2,
  args: "key field_value:(field value)...",
  run: runHset,
});

function runHset(call: Call): void {
  const added = setFields(call);
  if (added >= 0) call.reply.integer(added);
}

/** `HMSET key field value …`: as HSET, but answers OK. */
export const hmset = defineCommand({
  name: "hmset",
  group: "hash",
  since: "2.0.0",
  summary: "Gives several fields of a hash values",
  complexity: "O(N) with N fields",
  arity: -4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 2,
  args: "key field_value:(field value)...",
  deprecated: { since: "4.0.0", use: "`HSET`" },
  run: runHmset,
});

function runHmset(call: Call): void {
  if (setFields(call) >= 0) call.reply.ok();
}

/** Carries out HSET; returns how many fields are new, or -1 when an error was answered. */
function setFields(call: Call): number {
  const { database, words, reply } = call;
  const { bytes, starts, lengths, count } = words;
  if ((count & 1) !== 0) throw call.arityError();
  const keyAt = starts[1];
  const keyLength = lengths[1];
  const pairs = (count - 2) >> 1;
  let added = 0;
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) {
    hashBuilder.begin(database.keyspace.limits, pairs);
    for (let i = 2; i < count; i += 2) {
      if (
        hashBuilder.set(bytes, starts[i], lengths[i], bytes, starts[i + 1], lengths[i + 1])
      ) added++;
    }
    hashBuilder.addTo(database, bytes, keyAt, keyLength);
  } else {
    if (database.typeOf(ref) !== TYPE_HASH) {
      reply.error(WRONG_TYPE);
      return -1;
    }
    hashView.openToWrite(database, ref);
    if (hashView.large === null && pairs > database.keyspace.limits.hashMaxListpackEntries) {
      hashView.convert(pairs);
    }
    if (pairs > 1) added = setAll(words, 2);
    else if (hashView.set(bytes, starts[2], lengths[2], bytes, starts[3], lengths[3])) added = 1;
    if (hashView.hasTimes) clearTimes(words, 2);
    hashView.measure();
  }
  database.changed(bytes, keyAt, keyLength, EVENT_HASH, "hset", pairs);
  return added;
}

/** For each field of a request, whether it is new, and the values of the others before: to undo it. */
let isNew = new Uint8Array(64);
const replaced = new ElementStack();

/** Gives a field the value on top of `replaced` back, which mostly finds the room that it had. */
function restore(bytes: Uint8Array, offset: number, length: number): void {
  replaced.pop();
  hashView.set(bytes, offset, length, replaced.bytes, replaced.offset, replaced.length);
}

/** The fields that words from `first` on give values expire no more. */
export function clearTimes({ bytes, starts, lengths, count }: Words, first: number): void {
  for (let i = first; i < count; i += 2) hashView.setExpiry(bytes, starts[i], lengths[i], NaN);
  hashView.trim();
}

/**
 * Sets all fields that words from `first` on name in the hash that is open, or none if memory is refused,
 * to this or to what `andThen` does. When they expire stays as it is. Returns how many are new.
 */
export function setAll(
  { bytes, starts, lengths, count }: Words,
  first: number,
  andThen?: () => void,
): number {
  if (count > isNew.length) isNew = new Uint8Array(count * 2);
  let added = 0;
  let i = first;
  hashView.replaced = replaced;
  try {
    for (; i < count; i += 2) {
      const isOne = hashView.set(
        bytes,
        starts[i],
        lengths[i],
        bytes,
        starts[i + 1],
        lengths[i + 1],
      );
      isNew[i] = isOne ? 1 : 0;
      added += isNew[i];
    }
    andThen?.();
  } catch (error) {
    hashView.replaced = null;
    let lost = 0;
    while ((i -= 2) >= first) {
      if (isNew[i] !== 0) hashView.remove(bytes, starts[i], lengths[i]);
      else if (!tryAllocating(() => restore(bytes, starts[i], lengths[i]))) lost++;
    }
    hashView.measure();
    if (lost > 0) {
      throw new Error(`${lost} values are not what they were: no memory to undo a change`);
    }
    throw error;
  } finally {
    hashView.replaced = null;
    replaced.clear();
  }
  return added;
}

/**
 * `HSETNX key field value`: answers 1, or 0 when the field was there and keeps its value.
 *
 * @see {@link https://redis.io/docs/latest/commands/hsetnx/}
 */
export const hsetnx = defineCommand({
  name: "hsetnx",
  group: "hash",
  since: "2.0.0",
  summary: "Gives a field of a hash a value unless it has one",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  elementWord: 2,
  args: "key field value",
  run: runHsetnx,
});

function runHsetnx(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  let ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
    hashView.open(database, ref);
    if (hashView.has(bytes, starts[2], lengths[2])) return reply.integer(0);
    // The hash is gone if that was its last field, and over.
    ref = hashView.ref;
  }
  setField(call, ref, bytes, starts[3], lengths[3], false);
  database.changed(bytes, starts[1], lengths[1], EVENT_HASH, "hset");
  reply.integer(1);
}

/**
 * Gives the field of word 2 a value in the hash of word 1, whose record is `ref` (0: to be made); what
 * there is of a time stays if it `keepsTime`. Says nothing of the change.
 */
export function setField(
  { database, words }: Call,
  ref: number,
  value: Uint8Array,
  valueOffset: number,
  valueLength: number,
  keepsTime: boolean,
): void {
  const { bytes, starts, lengths } = words;
  if (ref === 0) {
    hashBuilder.begin(database.keyspace.limits);
    hashBuilder.set(bytes, starts[2], lengths[2], value, valueOffset, valueLength);
    hashBuilder.addTo(database, bytes, starts[1], lengths[1]);
    return;
  }
  hashView.openToWrite(database, ref);
  hashView.set(bytes, starts[2], lengths[2], value, valueOffset, valueLength);
  if (!keepsTime && hashView.hasTimes) {
    hashView.setExpiry(bytes, starts[2], lengths[2], NaN);
    hashView.trim();
  }
  hashView.measure();
}
