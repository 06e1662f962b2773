/**
 * BITFIELD and BITFIELD_RO: a string as an array of integers of 1 to 64 bits, highest bit first.
 *
 * Fields of up to 52 bits are computed as numbers, which are exact for them; wider ones, and operands
 * beyond 2^52, as bigint.
 */

import { TYPE_STRING } from "../../arena/record.ts";
import { INT64_MAX, parseInteger } from "../../base/integers.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_STRING } from "../../base/event_classes.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { bitfieldKeys, noted, oneKey } from "../../dispatch/key_specs.ts";
import { readBitOffset } from "./bit_offset.ts";

/**
 * `BITFIELD key [GET type offset | SET type offset value | INCRBY type offset increment | OVERFLOW
 * WRAP|SAT|FAIL] …`. Types are i1 to i64 and u1 to u63; OVERFLOW holds for what follows it. Answers the
 * field (GET), what it was (SET) or what it is now (INCRBY), null where FAIL kept it.
 *
 * Errors: type; offset; value not an integer; overflow behaviour. All operations are read before the
 * first is carried out.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitfield/}
 */
export const bitfield = defineCommand({
  name: "bitfield",
  group: "bitmap",
  since: "3.2.0",
  summary: "Reads and changes integers of any width inside a string",
  complexity: "O(1)",
  arity: -2,
  flags: ["write", "denyoom"],
  keys: [
    noted(
      "Some operations read, some change the value.",
      oneKey("RW access update variable_flags"),
    ),
  ],
  findKeys: bitfieldKeys,
  args: `
    key
    [operation:(
      GET encoding_offset:(encoding offset:integer) |
      write:(
        [OVERFLOW wrap_sat_fail:(WRAP | SAT | FAIL)]
        write_operation:(
          SET encoding_offset_value:(encoding offset:integer value:integer) |
          INCRBY encoding_offset_increment:(encoding offset:integer increment:integer)
        )
      )
    )...]
  `,
  run: (call) => runBitfield(call, false),
});

/**
 * `BITFIELD_RO key [GET type offset …]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/bitfield_ro/}
 */
export const bitfieldRo = defineCommand({
  name: "bitfield_ro",
  group: "bitmap",
  since: "6.0.0",
  summary: "Reads integers of any width inside a string",
  complexity: "O(1)",
  arity: -2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key [GET... encoding_offset:(encoding offset:integer)]",
  run: (call) => runBitfield(call, true),
});

type Overflow = "wrap" | "sat" | "fail";

interface Operation {
  kind: "get" | "set" | "incrby";
  isSigned: boolean;
  bits: number;
  bitOffset: number;
  overflow: Overflow;
  /** Value or increment; unused by "get". */
  operand: number | bigint;
}

function runBitfield(call: Call, isReadOnly: boolean): void {
  const { database, words, reply } = call;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  const operations = readOperations(call);
  /** Bytes that the string must have for the operations that write; 0 if all only read. */
  let bytesNeeded = 0;
  for (const { kind, bitOffset, bits } of operations) {
    if (kind !== "get") bytesNeeded = Math.max(bytesNeeded, Math.ceil((bitOffset + bits) / 8));
  }
  if (isReadOnly && bytesNeeded > 0) {
    return reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  }

  const isWriting = bytesNeeded > 0;
  let ref = isWriting
    ? database.lookupWrite(words.bytes, keyOffset, keyLength)
    : database.lookupRead(words.bytes, keyOffset, keyLength);
  let hasGrown = false;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    database.locateString(ref);
    hasGrown = database.stringLength < bytesNeeded;
    // Also without growth: the string is about to be changed, and a snapshot may have to see it first.
    if (isWriting) ref = database.growString(ref, Math.max(bytesNeeded, database.stringLength));
  } else if (isWriting) {
    ref = database.addString(words.bytes, keyOffset, keyLength, bytesNeeded);
    hasGrown = true;
  }
  field.bytes = ref === 0 ? NOTHING : database.locateString(ref);
  field.offset = ref === 0 ? 0 : database.stringOffset;
  field.length = ref === 0 ? 0 : database.stringLength;

  reply.array(operations.length);
  let changes = 0;
  for (const operation of operations) {
    const before = field.read(operation);
    let answer: number | bigint | null = before;
    if (operation.kind !== "get") {
      const after = outcome(operation, before);
      if (after !== null) {
        field.write(operation, after);
        // A change of length alone counts too: replicas have to follow it.
        if (hasGrown || after !== before) changes++;
      }
      if (after === null || operation.kind === "incrby") answer = after;
    }
    if (answer === null) reply.null();
    else if (typeof answer === "bigint") reply.bigInteger(answer);
    else reply.integer(answer);
  }
  if (hasGrown && changes === 0) changes = 1;
  if (changes > 0) {
    database.changed(words.bytes, keyOffset, keyLength, EVENT_STRING, "setbit", changes);
  }
  field.bytes = NOTHING;
}

function readOperations(call: Call): Operation[] {
  const { words } = call;
  const operations: Operation[] = [];
  let overflow: Overflow = "wrap";
  for (let i = 2; i < words.count;) {
    const following = words.count - 1 - i;
    if (words.is(i, "overflow") && following >= 1) {
      overflow = readOverflow(call, i + 1);
      i += 2;
      continue;
    }
    let kind: Operation["kind"];
    if (words.is(i, "get") && following >= 2) kind = "get";
    else if (words.is(i, "set") && following >= 3) kind = "set";
    else if (words.is(i, "incrby") && following >= 3) kind = "incrby";
    else throw new ReplyError(SYNTAX_ERROR);
    const { isSigned, bits } = readType(call, i + 1);
    const bitOffset = readBitOffset(call, i + 2, bits);
    const operand = kind === "get" ? 0 : readOperand(call, i + 3);
    operations.push({ kind, isSigned, bits, bitOffset, overflow, operand });
    i += kind === "get" ? 3 : 4;
  }
  return operations;
}

function readOverflow({ words }: Call, index: number): Overflow {
  if (words.is(index, "wrap")) return "wrap";
  if (words.is(index, "sat")) return "sat";
  if (words.is(index, "fail")) return "fail";
  throw new ReplyError("ERR Invalid OVERFLOW type specified");
}

const SMALL_I = 0x69;
const SMALL_U = 0x75;

function readType({ words }: Call, index: number): { isSigned: boolean; bits: number } {
  const start = words.starts[index];
  const letter = words.lengths[index] > 0 ? words.bytes[start] : 0;
  const isSigned = letter === SMALL_I;
  const bits = parseInteger(words.bytes, start + 1, Math.max(0, words.lengths[index] - 1));
  const isType = isSigned || letter === SMALL_U;
  if (!isType || !(bits >= 1 && bits <= (isSigned ? 64 : 63))) {
    throw new ReplyError(
      "ERR Invalid bitfield type. Use something like i16 u8. " +
        "Note that u64 is not supported but i64 is.",
    );
  }
  return { isSigned, bits };
}

function readOperand(call: Call, index: number): number | bigint {
  const { words } = call;
  const value = parseInteger(words.bytes, words.starts[index], words.lengths[index]);
  return value === value ? value : call.bigInteger(index);
}

/** Fields and operands up to here are numbers: a sum of two is exact then. */
const NUMBER_BITS_MAX = 52;
const NUMBER_OPERAND_MAX = 2 ** NUMBER_BITS_MAX;

/** What a field that held `before` is to hold, in the same type; null when it is to stay. */
function outcome(operation: Operation, before: number | bigint): number | bigint | null {
  const { kind, isSigned, bits } = operation;
  let { operand } = operation;
  // Negative values count as unsigned 64-bit ones here: too large rather than too small.
  if (kind === "set" && !isSigned && operand < 0) operand = BigInt.asUintN(64, BigInt(operand));
  if (
    typeof before === "number" && typeof operand === "number" &&
    Math.abs(operand) <= NUMBER_OPERAND_MAX
  ) {
    return fitNumber(operation, kind === "set" ? operand : before + operand);
  }
  const wide = kind === "set" ? BigInt(operand) : BigInt(before) + BigInt(operand);
  const fitted = fitBigInt(operation, wide);
  return fitted === null || bits > NUMBER_BITS_MAX ? fitted : Number(fitted);
}

function fitNumber({ isSigned, bits, overflow }: Operation, value: number): number | null {
  const span = 2 ** bits;
  const min = isSigned ? -span / 2 : 0;
  const max = min + span - 1;
  if (value >= min && value <= max) return value;
  if (overflow === "fail") return null;
  if (overflow === "sat") return value > max ? max : min;
  const wrapped = value - Math.floor(value / span) * span;
  return wrapped > max ? wrapped - span : wrapped;
}

function fitBigInt({ kind, isSigned, bits, overflow }: Operation, value: bigint): bigint | null {
  const span = 1n << BigInt(bits);
  const min = isSigned ? -span / 2n : 0n;
  const max = min + span - 1n;
  if (value >= min && value <= max) return value;
  if (overflow === "fail") return null;
  if (overflow === "sat") {
    // Redis takes a value's distance to `max` in 64 bits: the most negative ones of SET end up there.
    const wrapsAround = kind === "set" && max - value > INT64_MAX;
    return value > max || wrapsAround ? max : min;
  }
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

const NOTHING = new Uint8Array(0);

/** The string of the call being run, read and written by bits. Bits beyond its end are 0. */
class FieldString {
  bytes: Uint8Array = NOTHING;
  offset = 0;
  length = 0;

  /** A field's value: a number up to NUMBER_BITS_MAX bits, else a bigint. */
  read({ isSigned, bits, bitOffset }: Operation): number | bigint {
    if (bits <= NUMBER_BITS_MAX) {
      const value = this.#readBits(bitOffset, bits);
      return isSigned && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
    }
    const high = this.#readBits(bitOffset, bits - 32);
    const low = this.#readBits(bitOffset + bits - 32, 32);
    const value = (BigInt(high) << 32n) | BigInt(low);
    return isSigned ? BigInt.asIntN(bits, value) : value;
  }

  /** Writes what `read` would give; the field must lie within the string. */
  write({ bits, bitOffset }: Operation, value: number | bigint): void {
    if (typeof value === "number") {
      this.#writeBits(bitOffset, bits, value < 0 ? value + 2 ** bits : value);
      return;
    }
    const unsigned = BigInt.asUintN(bits, value);
    this.#writeBits(bitOffset, bits - 32, Number(unsigned >> 32n));
    this.#writeBits(bitOffset + bits - 32, 32, Number(unsigned & 0xffffffffn));
  }

  #readBits(bitOffset: number, count: number): number {
    let value = 0;
    let at = bitOffset;
    const end = bitOffset + count;
    // A byte at a time: the part of it that belongs to the field goes behind what was read before.
    while (at < end) {
      const index = Math.floor(at / 8);
      const skipped = at - index * 8;
      const taken = Math.min(8 - skipped, end - at);
      const byte = index < this.length ? this.bytes[this.offset + index] : 0;
      value = value * (1 << taken) + ((byte >> (8 - skipped - taken)) & ((1 << taken) - 1));
      at += taken;
    }
    return value;
  }

  #writeBits(bitOffset: number, count: number, value: number): void {
    let rest = value;
    let end = bitOffset + count;
    // From the last byte to the first, the lowest bits of the value first.
    while (end > bitOffset) {
      const index = Math.floor((end - 1) / 8);
      const from = Math.max(bitOffset, index * 8);
      const taken = end - from;
      const shift = index * 8 + 8 - end;
      const mask = ((1 << taken) - 1) << shift;
      const higher = Math.floor(rest / (1 << taken));
      const part = rest - higher * (1 << taken);
      const at = this.offset + index;
      this.bytes[at] = (this.bytes[at] & ~mask) | (part << shift);
      rest = higher;
      end = from;
    }
  }
}

const field = new FieldString();
