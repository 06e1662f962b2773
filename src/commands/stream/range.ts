/** XRANGE, XREVRANGE and XLEN. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { streamView as view } from "../../keyspace/stream.ts";
import { SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { StreamId } from "../../values/stream/stream_id.ts";
import { replyRange } from "./entry_reply.ts";
import { readStart, readStop } from "./ids.ts";

/**
 * `XRANGE key start end [COUNT count]`: the entries from one id to another, both included unless "("
 * stands before; "-" and "+" are the ends of the stream.
 *
 * @see {@link https://redis.io/docs/latest/commands/xrange/}
 */
export const xrange = defineCommand({
  name: "xrange",
  group: "stream",
  since: "5.0.0",
  history: [["6.2.0", "ends that are not included"]],
  summary: "Reads the entries in a range of ids",
  complexity: "O(log(N)+M), N being the size of the stream and M the entries in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key start end [COUNT count:integer]",
  run: (call) => readRange(call, false),
});

/**
 * `XREVRANGE key end start [COUNT count]`: XRANGE from the last entry to the first.
 *
 * @see {@link https://redis.io/docs/latest/commands/xrevrange/}
 */
export const xrevrange = defineCommand({
  name: "xrevrange",
  group: "stream",
  since: "5.0.0",
  history: [["6.2.0", "ends that are not included"]],
  summary: "Reads the entries in a range of ids, the last one first",
  complexity: "O(log(N)+M), N being the size of the stream and M the entries in the reply",
  arity: -4,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key end start [COUNT count:integer]",
  run: (call) => readRange(call, true),
});

const start = new StreamId();
const stop = new StreamId();

function readRange(call: Call, reverse: boolean): void {
  const { words, reply, database } = call;
  readStart(words, reverse ? 3 : 2, start);
  readStop(words, reverse ? 2 : 3, stop);
  let count = -1;
  for (let at = 4; at < words.count; at += 2) {
    if (!words.is(at, "count") || at + 1 === words.count) return reply.error(SYNTAX_ERROR);
    count = Math.max(0, call.clampedInteger(at + 1));
  }
  const stream = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  if (stream === null) reply.array(0);
  else if (count === 0) reply.nullArray();
  else replyRange(reply, stream, start, stop, count, reverse);
}

/**
 * `XLEN key`: how many entries there are, 0 for a missing key.
 *
 * @see {@link https://redis.io/docs/latest/commands/xlen/}
 */
export const xlen = defineCommand({
  name: "xlen",
  group: "stream",
  since: "5.0.0",
  summary: "Counts the entries of a stream",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO")],
  args: "key",
  run: runXlen,
});

function runXlen({ words, reply, database }: Call): void {
  const stream = view.openRead(database, words.bytes, words.starts[1], words.lengths[1]);
  reply.integer(stream === null ? 0 : stream.length);
}
