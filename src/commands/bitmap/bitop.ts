/** BITOP: a string made of other strings, bit by bit. */

import { TYPE_STRING } from "../../arena/record.ts";
import { blocks } from "../../base/blocks.ts";
import { type BitOperation, combineBits, invertBits } from "../../base/bits.ts";
import { type Database, INLINE_STRING_MAX } from "../../keyspace/database.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, oneKey } from "../../dispatch/key_specs.ts";

/**
 * `BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key …]`: the result's length, that of the
 * longest source; shorter and missing ones are followed by zeros. An empty result deletes the destination.
 *
 *     DIFF    what the first has and none of the others
 *     DIFF1   what one of the others has and not the first
 *     ANDOR   what the first has and one of the others
 *     ONE     what exactly one of all has
 *
 * Errors: NOT with more than one source; DIFF, DIFF1 and ANDOR with only one. The last four propagate as SET.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitop/}
 */
export const bitop = defineCommand({
  name: "bitop",
  group: "bitmap",
  since: "2.6.0",
  history: [["8.2.0", "`DIFF`, `DIFF1`, `ANDOR` and `ONE`"]],
  summary: "Combines strings bit by bit and stores the result",
  complexity: "O(N)",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update", 2), keysToEnd("RO access", 3)],
  args: "operation:(AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE) destkey:key key#1...",
  run: runBitop,
});

/** Of Redis 8.2, which older servers do not know; all but "one" have the first source against the others. */
type NewerOperation = "diff" | "diff1" | "andor" | "one";
const NEWER: readonly NewerOperation[] = ["diff", "diff1", "andor", "one"];
type OlderOperation = "and" | "or" | "xor" | "not";
const OLDER: readonly OlderOperation[] = ["and", "or", "xor", "not"];

function runBitop(call: Call): void {
  const { database, words, reply } = call;
  const newer = NEWER.find((name) => words.is(1, name));
  const operation = newer ?? OLDER.find((name) => words.is(1, name));
  if (operation === undefined) throw new ReplyError(SYNTAX_ERROR);
  if (operation === "not" && words.count !== 4) {
    return reply.error("ERR BITOP NOT must be called with a single source key.");
  }
  if (newer !== undefined && newer !== "one" && words.count === 4) {
    const name = newer.toUpperCase();
    return reply.error(`ERR BITOP ${name} must be called with at least two source keys.`);
  }
  const sources = findSources(call);
  const length = sources.reduce((most, ref) => Math.max(most, locate(database, ref)), 0);

  const { bytes, starts, lengths } = words;
  if (length === 0) database.remove(bytes, starts[2], lengths[2]);
  else {
    // The destination may be one of the sources: the result is made aside, then handed over without a copy.
    const isSmall = length <= scratch.length; // then it is copied all the same
    const result = isSmall ? scratch.subarray(0, length) : blocks.take(length);
    if (newer === undefined) combineAll(database, operation as OlderOperation, sources, result);
    else combineNewer(database, newer, sources, result);
    const isTold = newer !== undefined && call.isPropagating;
    if (isTold) database.keyspace.stream.reserve(words.sizeBytes + length);
    database.setOwnString(bytes, starts[2], lengths[2], result);
    // Redis keeps the result as "raw" bytes, even when they happen to be digits.
    database.resizeString(database.findOrExpire(bytes, starts[2], lengths[2]), length);
    if (isTold) call.propagateAs("SET", words.copy(2), result);
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
  operation: OlderOperation,
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

/** `combineAll` for the operations of Redis 8.2. */
function combineNewer(
  database: Database,
  operation: NewerOperation,
  [first, ...others]: number[],
  result: Uint8Array<ArrayBuffer>,
): void {
  if (operation === "one") return combineOnes(database, [first, ...others], result);
  combineAll(database, "or", others, result);
  if (operation === "diff") invertBits(result);
  const length = locate(database, first);
  const how: BitOperation = operation === "diff1" ? "andnot" : "and";
  if (first !== 0) {
    combineBits(how, result, database.locateString(first), database.stringOffset, length);
  }
  if (how === "and") result.fill(0, length);
}

/** Bytes of all sources that are looked at together. */
const PIECE_BYTES = 16 * 1024;
const seen = new Uint8Array(PIECE_BYTES);
const seenTwice = new Uint8Array(PIECE_BYTES);

/** The bits that one source has and no other. */
function combineOnes(database: Database, sources: number[], result: Uint8Array): void {
  for (let at = 0; at < result.length; at += PIECE_BYTES) {
    seen.fill(0);
    seenTwice.fill(0);
    for (const ref of sources) {
      const count = Math.min(PIECE_BYTES, locate(database, ref) - at);
      if (count > 0) noteBits(database.locateString(ref), database.stringOffset + at, count);
    }
    const end = Math.min(PIECE_BYTES, result.length - at);
    for (let i = 0; i < end; i++) result[at + i] = seen[i] & ~seenTwice[i];
  }
}

function noteBits(source: Uint8Array, offset: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const byte = source[offset + i];
    seenTwice[i] |= seen[i] & byte;
    seen[i] |= byte;
  }
}
