/** BITCOUNT and BITPOS: counting the bits that are set in a string, and finding one. */

import { TYPE_STRING } from "../../arena/record.ts";
import { countBits, countIn32, skipBytes } from "../../base/bits.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/** Whether word `index` is the unit BIT; otherwise it must be BYTE. */
function isBitUnit({ words }: Call, index: number): boolean {
  if (words.is(index, "bit")) return true;
  if (words.is(index, "byte")) return false;
  throw new ReplyError(SYNTAX_ERROR);
}

/** An index into `size` units: negative ones count from the end, but not beyond the start. */
function fromEnd(index: number, size: number): number {
  return index < 0 ? Math.max(0, index + size) : index;
}

/**
 * `BITCOUNT key [start end [BYTE | BIT]]`. As in Redis 7.2 a missing key answers 0 before the range is
 * looked at.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitcount/}
 */
export const bitcount = defineCommand({
  name: "bitcount",
  group: "bitmap",
  since: "2.6.0",
  history: [["7.0.0", "`BYTE` and `BIT`"]],
  summary: "Counts the bits that are set in a string or a part of it",
  complexity: "O(N)",
  arity: -2,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: "key [index:(start:integer end:integer [index_unit:(BYTE | BIT)@7.0.0])]",
  run: runBitcount,
});

function runBitcount(call: Call): void {
  const { database, words, reply } = call;
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const bytes = database.locateString(ref);
  const offset = database.stringOffset;
  const length = database.stringLength;
  if (words.count === 2) return reply.integer(countBits(bytes, offset, length));
  if (words.count !== 4 && words.count !== 5) return reply.error(SYNTAX_ERROR);

  let start = call.clampedInteger(2);
  let end = call.clampedInteger(3);
  // Both before the first unit would be moved onto it: a reversed range must stay empty.
  if (start < 0 && end < 0 && start > end) return reply.integer(0);
  const bits = words.count === 5 && isBitUnit(call, 4) ? 1 : 8;
  const size = length * 8 / bits;
  start = fromEnd(start, size);
  end = Math.min(fromEnd(end, size), size - 1);
  if (start > end) return reply.integer(0);
  reply.integer(countRange(bytes, offset, start * bits, (end + 1) * bits));
}

/** Bits that are set from bit `from` up to, not including, bit `to`; `from` < `to`. */
function countRange(bytes: Uint8Array, offset: number, from: number, to: number): number {
  const first = Math.floor(from / 8);
  const last = Math.floor((to - 1) / 8);
  let count = countBits(bytes, offset + first, last - first + 1);
  // Then without the bits before `from` and those from `to` on.
  count -= countIn32(bytes[offset + first] & ~(0xff >> (from & 7)));
  count -= countIn32(bytes[offset + last] & (0x7f >> ((to - 1) & 7)));
  return count;
}

/**
 * `BITPOS key bit [start [end [BYTE | BIT]]]`: offset of the first such bit from the string's start, or
 * -1. Without an end, a string of ones is followed by a zero.
 *
 * Errors: bit neither 0 nor 1. A missing key (all zeros) answers before the range is looked at.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitpos/}
 */
export const bitpos = defineCommand({
  name: "bitpos",
  group: "bitmap",
  since: "2.8.7",
  history: [["7.0.0", "`BYTE` and `BIT`"]],
  summary: "Finds the first bit that is set, or clear, in a string",
  complexity: "O(N)",
  arity: -3,
  flags: ["readonly"],
  keys: [oneKey("RO access")],
  args: `
    key bit:integer
    [index:(start:integer [end_index:(end:integer [index_unit:(BYTE | BIT)@7.0.0])])]
  `,
  run: runBitpos,
});

function runBitpos(call: Call): void {
  const { database, words, reply } = call;
  const bit = call.clampedInteger(2);
  if (bit !== 0 && bit !== 1) return reply.error("ERR The bit argument must be 1 or 0.");
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.integer(bit === 1 ? -1 : 0);
  if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const bytes = database.locateString(ref);
  const offset = database.stringOffset;
  const length = database.stringLength;
  if (words.count > 6) return reply.error(SYNTAX_ERROR);

  const start = words.count > 3 ? call.clampedInteger(3) : 0;
  const bits = words.count > 5 && isBitUnit(call, 5) ? 1 : 8;
  const hasEnd = words.count > 4;
  const end = hasEnd ? call.clampedInteger(4) : -1;
  const size = length * 8 / bits;
  const from = fromEnd(start, size) * bits;
  const to = (Math.min(fromEnd(end, size), size - 1) + 1) * bits;
  if (from >= to) return reply.integer(-1);
  const found = findBit(bytes, offset, from, to, bit);
  if (found < to) return reply.integer(found);
  reply.integer(bit === 1 || hasEnd ? -1 : to);
}

/** The first bit from `from` on that equals `bit`; `to` or more when there is none before it. */
function findBit(
  bytes: Uint8Array,
  offset: number,
  from: number,
  to: number,
  bit: number,
): number {
  const flip = bit === 1 ? 0 : 0xff;
  const first = Math.floor(from / 8);
  const end = Math.ceil(to / 8);
  const byte = (bytes[offset + first] ^ flip) & (0xff >> (from & 7));
  if (byte !== 0) return first * 8 + Math.clz32(byte) - 24;
  const at = skipBytes(bytes, offset + first + 1, offset + end, flip) - offset;
  return at === end ? to : at * 8 + Math.clz32(bytes[offset + at] ^ flip) - 24;
}
