/** Reading hashes: HGET, HMGET, HGETALL, HKEYS, HVALS, HEXISTS, HLEN and HSTRLEN. */

import type { Call } from "../../dispatch/call.ts";
import { hashView } from "../../keyspace/hash.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import type { Words } from "../../resp/words.ts";

/**
 * `HGET key field`.
 *
 * @see {@link https://redis.io/docs/latest/commands/hget/}
 */
export const hget = defineCommand({
  name: "hget",
  group: "hash",
  since: "2.0.0",
  summary: "Reads the value of a field of a hash",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key field",
  run: runHget,
});

function runHget({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  if (!hashView.openRead(database, bytes, starts[1], lengths[1])) return reply.null();
  if (!hashView.find(bytes, starts[2], lengths[2])) return reply.null();
  const { value } = hashView;
  reply.bulk(value.bytes, value.offset, value.length);
}

/** `HMGET key field …`: the values in the order asked for, null where there is no such field. */
export const hmget = defineCommand({
  name: "hmget",
  group: "hash",
  since: "2.0.0",
  summary: "Reads the values of several fields of a hash",
  complexity: "O(N) with N fields asked for",
  arity: -3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  elementWord: 2,
  args: "key field...",
  run: runHmget,
});

function runHmget({ database, words, reply }: Call): void {
  const { bytes, starts, lengths, count } = words;
  const isThere = hashView.openRead(database, bytes, starts[1], lengths[1]);
  reply.array(count - 2);
  if (isThere) return replyWithValues(words, reply, 2);
  for (let i = 2; i < count; i++) reply.null();
}

/**
 * Answers with the values of the fields that words from `first` on name, in the hash that is open; null
 * where there is no such field. Of those that turn out to be over one event tells.
 */
export function replyWithValues(words: Words, reply: ReplyWriter, first: number): void {
  const { bytes, starts, lengths, count } = words;
  const { value } = hashView;
  hashView.tellsLater = true;
  try {
    for (let i = first; i < count; i++) {
      if (hashView.find(bytes, starts[i], lengths[i])) {
        reply.bulk(value.bytes, value.offset, value.length);
      } else reply.null();
    }
  } finally {
    hashView.tellLapsed();
  }
}

/** `HGETALL key`: a map of all fields. */
export const hgetall = defineCommand({
  name: "hgetall",
  group: "hash",
  since: "2.0.0",
  summary: "Reads all fields and values of a hash",
  complexity: "O(N) with N fields in the hash",
  arity: 2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runHgetall,
});

function runHgetall({ database, words, reply }: Call): void {
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.map(0);
  }
  reply.map(hashView.count - hashView.overCount);
  hashView.forEach((field, fieldOffset, fieldLength, value, valueOffset, valueLength) => {
    reply.bulk(field, fieldOffset, fieldLength);
    reply.bulk(value, valueOffset, valueLength);
  });
}

/** `HKEYS key`: all fields. */
export const hkeys = defineCommand({
  name: "hkeys",
  group: "hash",
  since: "2.0.0",
  summary: "Lists the fields of a hash",
  complexity: "O(N) with N fields in the hash",
  arity: 2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runHkeys,
});

function runHkeys({ database, words, reply }: Call): void {
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.array(0);
  }
  reply.array(hashView.count - hashView.overCount);
  hashView.forEach((field, offset, length) => reply.bulk(field, offset, length));
}

/** `HVALS key`: all values. */
export const hvals = defineCommand({
  name: "hvals",
  group: "hash",
  since: "2.0.0",
  summary: "Lists the values of a hash",
  complexity: "O(N) with N fields in the hash",
  arity: 2,
  flags: ["readonly"],
  tips: ["nondeterministic_output_order"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runHvals,
});

function runHvals({ database, words, reply }: Call): void {
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.array(0);
  }
  reply.array(hashView.count - hashView.overCount);
  hashView.forEach((_f, _fOffset, _fLength, value, offset, length) => {
    reply.bulk(value, offset, length);
  });
}

/** `HEXISTS key field`: 1 or 0. */
export const hexists = defineCommand({
  name: "hexists",
  group: "hash",
  since: "2.0.0",
  summary: "Tells whether a hash has a field",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  elementWord: 2,
  args: "key field",
  run: runHexists,
});

function runHexists({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  if (!hashView.openRead(database, bytes, starts[1], lengths[1])) return reply.integer(0);
  reply.integer(hashView.has(bytes, starts[2], lengths[2]) ? 1 : 0);
}

/**
 * `HLEN key`: how many fields. As in Redis, those count whose time is over and that have not been removed
 * yet, since counting them would take time for each.
 */
export const hlen = defineCommand({
  name: "hlen",
  group: "hash",
  since: "2.0.0",
  summary: "Counts the fields of a hash",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runHlen,
});

function runHlen({ database, words, reply }: Call): void {
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return reply.integer(0);
  }
  reply.integer(hashView.count);
}

/** `HSTRLEN key field`: bytes of the field's value, 0 when there is no such field. */
export const hstrlen = defineCommand({
  name: "hstrlen",
  group: "hash",
  since: "3.2.0",
  summary: "Tells how long the value of a field is",
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  elementWord: 2,
  args: "key field",
  run: runHstrlen,
});

function runHstrlen({ database, words, reply }: Call): void {
  const { bytes, starts, lengths } = words;
  if (!hashView.openRead(database, bytes, starts[1], lengths[1])) return reply.integer(0);
  reply.integer(hashView.find(bytes, starts[2], lengths[2]) ? hashView.value.length : 0);
}
