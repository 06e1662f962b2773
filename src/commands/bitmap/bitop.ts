/** BITOP: a string made of other strings, bit by bit. */

import { TYPE_STRING } from "../../arena/record.ts";
import { type BitOperation, combineBits, invertBits } from "../../base/bits.ts";
import { type Database, INLINE_STRING_MAX } from "../../keyspace/database.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, oneKey } from "../../dispatch/key_specs.ts";

/**
 * `BITOP <AND | OR | XOR | NOT> destkey key [key …]`: the result's length, that of the longest source;
 * shorter and missing ones are followed by zeros. An empty result deletes the destination.
 *
 * Errors: NOT with more than one source.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitop/}
 */
export const bitop = defineCommand({
  name: "bitop",
  group: "bitmap",
  since: "2.6.0",
  summary: "Combines strings bit by bit and stores the result",
  complexity: "O(N)",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update", 2), keysToEnd("RO access", 3)],
  args: "operation destkey:key key#1...",
  run: runBitop,
});

type Operation = BitOperation | "not";
const OPERATIONS: readonly Operation[] = ["and", "or", "xor", "not"];

function runBitop(call: Call): void {
  const { database, words, reply } = call;
  const operation = OPERATIONS.find((name) => words.is(1, name));
  if (operation === undefined) throw new ReplyError(SYNTAX_ERROR);
  if (operation === "not" && words.count !== 4) {
    return reply.error("ERR BITOP NOT must be called with a single source key.");
  }
  const sources = findSources(call);
  const length = sources.reduce((most, ref) => Math.max(most, locate(database, ref)), 0);

  const { bytes, starts, lengths } = words;
  if (length === 0) database.remove(bytes, starts[2], lengths[2]);
  else {
    // The destination may be one of the sources: the result is made aside, then handed over without a copy.
    const isSmall = length <= scratch.length; // then it is copied all the same
    const result = isSmall ? scratch.subarray(0, length) : new Uint8Array(length);
    combineAll(database, operation, sources, result);
    database.setOwnString(bytes, starts[2], lengths[2], result);
    // Redis keeps the result as "raw" bytes, even when they happen to be digits.
    database.resizeString(database.findOrExpire(bytes, starts[2], lengths[2]), length);
  }
  reply.integer(length);
}

/** The records of the sources, 0 for those that are missing. Throws a ReplyError when one is no string. */
function findSources({ database, words }: Call): number[] {
  const sources: number[] = [];
  for (let i = 3; i < words.count; i++) {
    const ref = database.lookupRead(words.bytes, words.starts[i], words.lengths[i]);
    if (ref !== 0 && database.typeOf(ref) !== TYPE_STRING) throw new ReplyError(WRONG_TYPE);
    sources.push(ref);
  }
  return sources;
}

/** `locateString` where there is a string; its length. */
function locate(database: Database, ref: number): number {
  if (ref === 0) return 0;
  database.locateString(ref);
  return database.stringLength;
}

/** Where small results are made. */
const scratch = new Uint8Array(INLINE_STRING_MAX);

/** Makes the result in `result`, whatever that has in it. */
function combineAll(
  database: Database,
  operation: Operation,
  sources: number[],
  result: Uint8Array<ArrayBuffer>,
): void {
  for (const [i, ref] of sources.entries()) {
    const sourceLength = locate(database, ref);
    const source = ref === 0 ? result : database.locateString(ref);
    const offset = database.stringOffset;
    if (i === 0 || operation === "not") {
      if (ref !== 0) result.set(source.subarray(offset, offset + sourceLength));
      result.fill(0, sourceLength);
    } else {
      combineBits(operation, result, source, offset, sourceLength);
      // What is behind the end of a source counts as zeros.
      if (operation === "and") result.fill(0, sourceLength);
    }
  }
  if (operation === "not") invertBits(result);
}
