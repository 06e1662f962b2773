/** SADD, SREM and SMOVE: members that come and go. */

import { TYPE_SET } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC, EVENT_SET } from "../../base/event_classes.ts";
import { setBuilder, setView } from "../../keyspace/set.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `SADD key member …`: answers how many were not members before.
 *
 * @see {@link https://redis.io/docs/latest/commands/sadd/}
 */
export const sadd = defineCommand({
  name: "sadd",
  group: "set",
  since: "1.0.0",
  history: [["2.4.0", "several members"]],
  summary: "Adds members to a set, making the set if need be",
  complexity: "O(N) with N members named",
  arity: -3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  elementWord: 2,
  args: "key member...",
  run: runSadd,
});

function runSadd({ database, words, reply }: Call): void {
  const { bytes, starts, lengths, count } = words;
  const keyAt = starts[1];
  const keyLength = lengths[1];
  const named = count - 2;
  let added = 0;
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) {
    setBuilder.beginWith(database.keyspace.limits, bytes, starts[2], lengths[2], named);
    for (let i = 2; i < count; i++) if (setBuilder.add(bytes, starts[i], lengths[i])) added++;
    setBuilder.addTo(database, bytes, keyAt, keyLength);
  } else {
    if (database.typeOf(ref) !== TYPE_SET) return reply.error(WRONG_TYPE);
    setView.openToWrite(database, ref);
    if (named > 1) {
      setView.expect(named);
      added = addAll(words);
    } else if (setView.add(bytes, starts[2], lengths[2])) added = 1;
    setView.measure();
  }
  if (added > 0) database.changed(bytes, keyAt, keyLength, EVENT_SET, "sadd", added);
  reply.integer(added);
}

/** For each word of a request, whether it is a member that was added: what it takes to undo that. */
let isAdded = new Uint8Array(64);

/** Adds all members that a request names to the set that is open, or none if memory is refused. */
function addAll({ bytes, starts, lengths, count }: Words): number {
  if (count > isAdded.length) isAdded = new Uint8Array(count * 2);
  let added = 0;
  let i = 2;
  try {
    for (; i < count; i++) {
      const isNew = setView.add(bytes, starts[i], lengths[i]) ? 1 : 0;
      isAdded[i] = isNew;
      added += isNew;
    }
  } catch (error) {
    while (--i >= 2) if (isAdded[i] !== 0) setView.remove(bytes, starts[i], lengths[i]);
    setView.measure();
    throw error;
  }
  return added;
}

/**
 * `SREM key member …`: answers how many were members. The key goes with the last member.
 *
 * @see {@link https://redis.io/docs/latest/commands/srem/}
 */
export const srem = defineCommand({
  name: "srem",
  group: "set",
  since: "1.0.0",
  history: [["2.4.0", "several members"]],
  summary: "Removes members from a set",
  complexity: "O(N) with N members named",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete")],
  elementWord: 2,
  args: "key member...",
  run: runSrem,
});

function runSrem({ database, words, reply }: Call): void {
  const { bytes, starts, lengths, count } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_SET) return reply.error(WRONG_TYPE);
  setView.openToWrite(database, ref);
  let removed = 0;
  for (let i = 2; i < count; i++) if (setView.remove(bytes, starts[i], lengths[i])) removed++;
  if (removed > 0) {
    setView.measure();
    const isEmpty = setView.count === 0;
    database.changed(bytes, starts[1], lengths[1], EVENT_SET, "srem", removed);
    if (isEmpty) {
      database.removeRecord(
        setView.ref,
        bytes,
        starts[1],
        lengths[1],
        EVENT_GENERIC,
        "del",
        0,
      );
    }
  }
  reply.integer(removed);
}

/**
 * `SMOVE source destination member`: answers 1, or 0 when it is no member of the source.
 *
 * @see {@link https://redis.io/docs/latest/commands/smove/}
 */
export const smove = defineCommand({
  name: "smove",
  group: "set",
  since: "1.0.0",
  summary: "Moves a member from one set to another",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "fast"],
  keys: [oneKey("RW access delete"), oneKey("RW insert", 2)],
  elementWord: 3,
  args: "source:key destination:key#1 member",
  run: runSmove,
});

function runSmove({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  const source = database.lookupWrite(bytes, starts[1], lengths[1]);
  const destination = database.lookupWrite(bytes, starts[2], lengths[2]);
  if (source === 0) return reply.integer(0);
  if (
    database.typeOf(source) !== TYPE_SET ||
    (destination !== 0 && database.typeOf(destination) !== TYPE_SET)
  ) return reply.error(WRONG_TYPE);
  const memberAt = starts[3];
  const memberLength = lengths[3];
  if (source === destination) {
    setView.open(database, source);
    return reply.integer(setView.has(bytes, memberAt, memberLength) ? 1 : 0);
  }
  setView.openToWrite(database, source);
  if (!setView.has(bytes, memberAt, memberLength)) return reply.integer(0);
  // It comes before it goes: the first takes memory, which may be refused.
  let added = true;
  if (destination === 0) {
    setBuilder.beginWith(database.keyspace.limits, bytes, memberAt, memberLength, 1);
    setBuilder.add(bytes, memberAt, memberLength);
    setBuilder.addTo(database, bytes, starts[2], lengths[2]);
  } else {
    setView.openToWrite(database, destination);
    added = setView.add(bytes, memberAt, memberLength);
    setView.measure();
  }
  setView.openToWrite(database, source);
  setView.remove(bytes, memberAt, memberLength);
  setView.measure();
  const isEmpty = setView.count === 0;
  database.changed(bytes, starts[1], lengths[1], EVENT_SET, "srem");
  if (isEmpty) {
    database.removeRecord(setView.ref, bytes, starts[1], lengths[1], EVENT_GENERIC, "del", 0);
  }
  if (added) database.changed(bytes, starts[2], lengths[2], EVENT_SET, "sadd");
  reply.integer(1);
}
