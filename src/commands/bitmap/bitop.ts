/** BITOP: a string made of other strings, bit by bit. */

import { TYPE_STRING } from "../../arena/record.ts";
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

type Operation = "and" | "or" | "xor" | "not";
const OPERATIONS: readonly Operation[] = ["and", "or", "xor", "not"];

function runBitop(call: Call): void {
  const { database, words, reply } = call;
  const operation = OPERATIONS.find((name) => words.is(1, name));
  if (operation === undefined) throw new ReplyError(SYNTAX_ERROR);
  if (operation === "not" && words.count !== 4) {
    return reply.error("ERR BITOP NOT must be called with a single source key.");
  }
  let result = new Uint8Array(0);
  for (let i = 3; i < words.count; i++) {
    const ref = database.lookupRead(words.bytes, words.starts[i], words.lengths[i]);
    let source: Uint8Array = result;
    let offset = 0;
    let length = 0;
    if (ref !== 0) {
      if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
      source = database.locateString(ref);
      offset = database.stringOffset;
      length = database.stringLength;
    }
    if (i === 3) result = source.slice(offset, offset + length);
    else result = combine(operation, result, source, offset, length);
  }
  if (operation === "not") {
    for (let i = 0; i < result.length; i++) result[i] ^= 0xff;
  }

  const { bytes, starts, lengths } = words;
  if (result.length > 0) {
    database.setString(bytes, starts[2], lengths[2], result, 0, result.length);
    // Redis keeps the result as "raw" bytes, even when they happen to be digits.
    database.resizeString(database.findOrExpire(bytes, starts[2], lengths[2]), result.length);
  } else database.remove(bytes, starts[2], lengths[2]);
  reply.integer(result.length);
}

/** The result so far with one more source; in place unless it has to grow. */
function combine(
  operation: Operation,
  result: Uint8Array<ArrayBuffer>,
  source: Uint8Array,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  if (length > result.length) {
    const longer = new Uint8Array(length);
    longer.set(result);
    result = longer;
  }
  if (operation === "and") {
    for (let i = 0; i < length; i++) result[i] &= source[offset + i];
    result.fill(0, length);
  } else if (operation === "or") {
    for (let i = 0; i < length; i++) result[i] |= source[offset + i];
  } else {
    for (let i = 0; i < length; i++) result[i] ^= source[offset + i];
  }
  return result;
}
