/** What depends on the value that a string has: DELEX, DELIFEQ, the conditions of SET, and DIGEST, by which they compare. */

import { equalBytes } from "../../base/bytes.ts";
import { TYPE_STRING } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { stringDigest } from "../../dispatch/digests.ts";
import { delexKeys, oneKey } from "../../dispatch/key_specs.ts";
import { word } from "../../propagation/stream_part.ts";
import { ReplyError, WRONG_TYPE } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";

const DIGEST_DIGITS = 16;
const NO_DIGEST = `ERR must be exactly ${DIGEST_DIGITS} hexadecimal characters`;
const NO_STRING = "ERR Key should be of string type if conditions are specified";
const NO_CONDITION = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";

/** How a value is compared: itself or by its digest, for being the same or another. */
export type Comparison = "ifeq" | "ifne" | "ifdeq" | "ifdne";
const COMPARISONS: readonly Comparison[] = ["ifeq", "ifne", "ifdeq", "ifdne"];

/** The comparison that word `index` names, or null. */
export function comparisonAt(words: Words, index: number): Comparison | null {
  return COMPARISONS.find((name) => words.is(index, name)) ?? null;
}

/**
 * Whether the value of a record (0: none, which is equal to nothing) compares with word `index` as it should.
 * @throws ReplyError when it is no string, or the word no digest
 */
export function isComparisonMet(
  call: Call,
  ref: number,
  comparison: Comparison,
  index: number,
): boolean {
  const isToBeEqual = comparison === "ifeq" || comparison === "ifdeq";
  if (ref === 0) return !isToBeEqual;
  const { database, words } = call;
  if (database.typeOf(ref) !== TYPE_STRING) throw new ReplyError(WRONG_TYPE);
  const isEqual = comparison === "ifeq" || comparison === "ifne"
    ? isValue(call, ref, index)
    : stringDigest(database, ref) === readDigest(words, index);
  return isEqual === isToBeEqual;
}

function isValue({ database, words }: Call, ref: number, index: number): boolean {
  const bytes = database.locateString(ref);
  const { stringOffset, stringLength } = database;
  const { starts, lengths } = words;
  return equalBytes(bytes, stringOffset, stringLength, words.bytes, starts[index], lengths[index]);
}

/** Word `index` as `stringDigest` writes digests, whatever its case. */
function readDigest(words: Words, index: number): string {
  if (words.lengths[index] !== DIGEST_DIGITS) throw new ReplyError(NO_DIGEST);
  return words.text(index).toLowerCase();
}

/**
 * `DIGEST key`: the XXH3 hash of a string in 16 hexadecimal digits, null when there is none. A long one is hashed while
 * others have their turn, as it was at one moment.
 *
 * @see {@link https://redis.io/docs/latest/commands/digest/}
 */
export const digest = defineCommand({
  name: "digest",
  group: "string",
  since: "8.4.0",
  summary: "Hashes the string at a key",
  complexity: "O(N), N being the length of the string",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runDigest,
});

function runDigest(call: Call): void {
  const { database, words, reply } = call;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.null();
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  if (call.server.dispatcher.digests.park(call, 1, ref)) return;
  reply.bulkText(stringDigest(database, ref));
}

/**
 * `DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]`: removes a string with this value, or with
 * another one; without a condition any key. 1 if it did, else 0. Propagates as DEL.
 *
 * @see {@link https://redis.io/docs/latest/commands/delex/}
 */
export const delex = defineCommand({
  name: "delex",
  group: "string",
  since: "8.4.0",
  summary: "Removes a key, on condition of the value it has if wanted",
  complexity: "O(1), with a digest O(N), N being the length of the string",
  arity: -2,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete variable_flags")],
  findKeys: delexKeys,
  args: `
    key
    [condition:(
      IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest
    )]
  `,
  run: runDelex,
});

function runDelex(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  if (words.count !== 2 && words.count !== 4) throw call.arityError();
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (words.count === 4) {
    if (database.typeOf(ref) !== TYPE_STRING) throw new ReplyError(NO_STRING);
    const comparison = comparisonAt(words, 2);
    if (comparison === null) throw new ReplyError(NO_CONDITION);
    if (!isComparisonMet(call, ref, comparison, 3)) return reply.integer(0);
  }
  removeCompared(call, ref);
}

/**
 * `DELIFEQ key value`, which Valkey has: removes a string with this value. 1 if it did, else 0. Propagates as DEL.
 *
 * @see {@link https://valkey.io/commands/delifeq/}
 */
export const delifeq = defineCommand({
  name: "delifeq",
  group: "string",
  since: "9.0.0",
  summary: "Removes a string that has this value",
  complexity: "O(1)",
  arity: 3,
  flags: ["write"],
  keys: [oneKey("RM access delete")],
  args: "key value",
  run: runDelifeq,
});

function runDelifeq(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  if (!isComparisonMet(call, ref, "ifeq", 2)) return reply.integer(0);
  removeCompared(call, ref);
}

/** Removes what has been found at the key of word 1, and says so. */
function removeCompared(call: Call, ref: number): void {
  const { database, words, reply } = call;
  database.removeRecord(ref, words.bytes, words.starts[1], words.lengths[1]);
  if (call.isPropagating) call.propagateAs("DEL", word(1));
  reply.integer(1);
}
