/**
 * The list commands that wait for an element: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH. Each does what
 * its non-blocking form does, and parks its client when that finds nothing (dispatch/blocking.ts runs
 * it again). They enter the stream of writes in the non-blocking form.
 */

import { TYPE_LIST } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { word } from "../../propagation/stream_part.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, keyRange, oneKey } from "../../dispatch/key_specs.ts";
import { readDeadline } from "../timeout.ts";
import { tryMove } from "./move.ts";
import { popOne, readEnd, readMultiPop, tryMultiPop } from "./pop.ts";

/**
 * `BLPOP key [key ...] timeout`.
 *
 * @see {@link https://redis.io/docs/latest/commands/blpop/}
 */
export const blpop = defineCommand({
  name: "blpop",
  group: "list",
  since: "2.0.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary: "Takes the first element of the first list there is; waits for one if there is none",
  complexity: "O(N) where N is the number of keys",
  arity: -3,
  flags: ["write", "blocking"],
  keys: [keyRange("RW access delete", 1, -2)],
  args: "key... timeout:double",
  run: runBlpop,
});

/**
 * `BRPOP key [key ...] timeout`.
 *
 * @see {@link https://redis.io/docs/latest/commands/brpop/}
 */
export const brpop = defineCommand({
  name: "brpop",
  group: "list",
  since: "2.0.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary: "Takes the last element of the first list there is; waits for one if there is none",
  complexity: "O(N) where N is the number of keys",
  arity: -3,
  flags: ["write", "blocking"],
  keys: [keyRange("RW access delete", 1, -2)],
  args: "key... timeout:double",
  run: runBrpop,
});

function runBlpop(call: Call): void {
  blockingPop(call, true);
}

function runBrpop(call: Call): void {
  blockingPop(call, false);
}

function blockingPop(call: Call, atHead: boolean): void {
  const { database, words, reply } = call;
  const { bytes } = words;
  const deadlineMs = readDeadline(call, words.count - 1);
  for (let i = 1; i < words.count - 1; i++) {
    const keyAt = words.starts[i];
    const keyLength = words.lengths[i];
    const ref = database.lookupWrite(bytes, keyAt, keyLength);
    if (ref === 0) continue;
    if (database.typeOf(ref) !== TYPE_LIST) return reply.error(WRONG_TYPE);
    reply.array(2);
    reply.bulk(bytes, keyAt, keyLength);
    popOne(reply, database, ref, bytes, keyAt, keyLength, atHead);
    if (call.isPropagating) call.propagateAs(atHead ? "LPOP" : "RPOP", word(i));
    return;
  }
  waitForLists(call, 1, words.count - 2, deadlineMs, "nullArray");
}

/** Parks the client until one of the keys is a list; where that may not be, answers at once. */
function waitForLists(
  call: Call,
  firstKey: number,
  keyCount: number,
  deadlineMs: number,
  timeoutReply: "null" | "nullArray",
): void {
  if (!call.mayPark) {
    if (timeoutReply === "null") call.reply.null();
    else call.reply.nullArray();
    return;
  }
  const { blocking } = call.server.dispatcher;
  blocking.park(call, { type: TYPE_LIST, firstKey, keyCount, deadlineMs, timeoutReply });
}

/**
 * `BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/blmpop/}
 */
export const blmpop = defineCommand({
  name: "blmpop",
  group: "list",
  since: "7.0.0",
  summary: "Takes elements out of the first list there is; waits for one if there is none",
  complexity: "O(N+M) where N is the number of keys and M the number of elements taken",
  arity: -5,
  flags: ["write", "blocking"],
  keys: [countedKeys("RW access delete", 2)],
  args: "timeout:double numkeys:integer key... where:(LEFT | RIGHT) [COUNT count:integer]",
  run: runBlmpop,
});

function runBlmpop(call: Call): void {
  const deadlineMs = readDeadline(call, 1);
  const options = readMultiPop(call, 2);
  if (tryMultiPop(call, options)) return;
  waitForLists(call, options.firstKey, options.keyCount, deadlineMs, "nullArray");
}

/**
 * `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout`.
 *
 * @see {@link https://redis.io/docs/latest/commands/blmove/}
 */
export const blmove = defineCommand({
  name: "blmove",
  group: "list",
  since: "6.2.0",
  summary:
    "Moves an element from an end of a list to an end of another; waits for one if there is none",
  complexity: "O(1)",
  arity: 6,
  flags: ["write", "denyoom", "blocking"],
  keys: [oneKey("RW access delete"), oneKey("RW insert", 2)],
  args: `
    source:key destination:key#1
    wherefrom:(LEFT | RIGHT)
    whereto:(LEFT | RIGHT)
    timeout:double
  `,
  run: runBlmove,
});

function runBlmove(call: Call): void {
  const fromHead = readEnd(call, 3);
  const toHead = readEnd(call, 4);
  const deadlineMs = readDeadline(call, 5);
  const dirty = call.database.keyspace.dirty;
  if (!tryMove(call, fromHead, toHead)) return waitForLists(call, 1, 1, deadlineMs, "null");
  if (call.isPropagating && call.database.keyspace.dirty !== dirty) {
    call.propagateAs("LMOVE", word(1), word(2), word(3), word(4));
  }
}

/**
 * `BRPOPLPUSH source destination timeout`.
 *
 * @see {@link https://redis.io/docs/latest/commands/brpoplpush/}
 */
export const brpoplpush = defineCommand({
  name: "brpoplpush",
  group: "list",
  since: "2.2.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary: "Moves the last element of a list before the first of another; waits for one if needed",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom", "blocking"],
  keys: [oneKey("RW access delete"), oneKey("RW insert", 2)],
  args: "source:key destination:key#1 timeout:double",
  deprecated: { since: "6.2.0", use: "`BLMOVE` (`RIGHT`, `LEFT`)" },
  run: runBrpoplpush,
});

function runBrpoplpush(call: Call): void {
  const deadlineMs = readDeadline(call, 3);
  const dirty = call.database.keyspace.dirty;
  if (!tryMove(call, false, true)) return waitForLists(call, 1, 1, deadlineMs, "null");
  if (call.isPropagating && call.database.keyspace.dirty !== dirty) {
    call.propagateAs("RPOPLPUSH", word(1), word(2));
  }
}
