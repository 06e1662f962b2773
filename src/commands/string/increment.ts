/**
 * INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT: strings that are read as numbers and written back. See
 * "One text form for strings" in NOTES.
 */

import { ENC_EMBSTR, ENC_EXTERNAL, TYPE_STRING } from "../../arena/record.ts";
import {
  INT64_MAX,
  INT64_MIN,
  INT64_TEXT_MAX,
  integerLength,
  parseInt64,
  parseInteger,
  writeBigInt,
  writeInteger,
} from "../../base/integers.ts";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "../../base/long_double.ts";
import {
  addShortDecimals,
  SHORT_DECIMAL_TEXT_MAX,
  ShortDecimal,
} from "../../base/short_decimal.ts";
import { copyBytes, latin1, toLatin1 } from "../../base/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import { INLINE_STRING_MAX } from "../../keyspace/database.ts";
import { EVENT_STRING } from "../../base/event_classes.ts";
import { word } from "../../propagation/stream_part.ts";
import {
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  OVERFLOW,
  ReplyError,
  WRONG_TYPE,
} from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `INCR key`. A missing key counts as 0; the expiry stays.
 *
 * Errors: not an integer; overflow, when the sum leaves 64 bits.
 *
 * @see {@link https://redis.io/docs/latest/commands/incr/}
 */
export const incr = defineCommand({
  name: "incr",
  group: "string",
  since: "1.0.0",
  summary: "Adds one to the integer at a key",
  complexity: "O(1)",
  arity: 2,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key",
  run: (call) => increment(call, 1),
});

/**
 * `DECR key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/decr/}
 */
export const decr = defineCommand({
  name: "decr",
  group: "string",
  since: "1.0.0",
  summary: "Takes one from the integer at a key",
  complexity: "O(1)",
  arity: 2,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key",
  run: (call) => increment(call, -1),
});

/**
 * `INCRBY key increment`.
 *
 * @see {@link https://redis.io/docs/latest/commands/incrby/}
 */
export const incrby = defineCommand({
  name: "incrby",
  group: "string",
  since: "1.0.0",
  summary: "Adds a number to the integer at a key",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key increment:integer",
  run: (call) => incrementByWord(call, false),
});

/**
 * `DECRBY key decrement`. The smallest 64-bit integer is refused, it has no opposite.
 *
 * @see {@link https://redis.io/docs/latest/commands/decrby/}
 */
export const decrby = defineCommand({
  name: "decrby",
  group: "string",
  since: "1.0.0",
  summary: "Takes a number from the integer at a key",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key decrement:integer",
  run: (call) => incrementByWord(call, true),
});

function incrementByWord(call: Call, isNegated: boolean): void {
  const { words } = call;
  const by = parseInteger(words.bytes, words.starts[2], words.lengths[2]);
  if (by === by) return increment(call, isNegated ? -by : by);
  const wide = call.bigInteger(2);
  if (isNegated && wide === INT64_MIN) throw new ReplyError("ERR decrement would overflow");
  const { database } = call;
  const ref = database.lookupWrite(words.bytes, words.starts[1], words.lengths[1]);
  incrementWide(call, ref, isNegated ? -wide : wide);
}

/** Adds `by`, an integer up to 2^53 - 1 in magnitude; sums beyond that go by `incrementWide`. */
function increment(call: Call, by: number): void {
  const { database, words } = call;
  const { bytes } = words;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  const { records } = database;
  let ref = database.lookupWrite(bytes, keyOffset, keyLength);
  let sum = by;
  if (ref === 0) {
    const length = integerLength(sum);
    ref = database.addRecord(bytes, keyOffset, keyLength, TYPE_STRING, ENC_EMBSTR, length);
  } else {
    const meta = records.metaOf(ref);
    if ((meta & 0xf) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
    if (((meta >>> 4) & 0xf) === ENC_EXTERNAL) return call.reply.error(NOT_AN_INTEGER);
    sum += parseInteger(records.bytesOf(ref), records.valueOffset(ref), records.valueLength(ref));
    // False for NaN too: text that is no integer, or one beyond 2^53.
    if (!(sum <= Number.MAX_SAFE_INTEGER && sum >= -Number.MAX_SAFE_INTEGER)) {
      return incrementWide(call, ref, BigInt(by));
    }
    const length = integerLength(sum);
    // As a rule the length stays, and the new text goes over the old.
    if (
      length !== records.valueLength(ref) || ((meta >>> 4) & 0xf) !== ENC_EMBSTR ||
      database.isCaptured
    ) {
      ref = database.resizeInline(ref, length);
      database.markAsSet(ref);
    }
  }
  writeInteger(records.bytesOf(ref), records.valueOffset(ref), sum);
  database.changed(bytes, keyOffset, keyLength, EVENT_STRING, "incrby");
  call.reply.integer(sum);
}

const wideText = new Uint8Array(INT64_TEXT_MAX);

/** The same over the whole 64-bit range. `ref` is the key's record, 0 if it is missing. */
function incrementWide(call: Call, ref: number, by: bigint): void {
  const { database, words, reply } = call;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  let sum = by;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    const bytes = database.locateString(ref);
    const value = parseInt64(bytes, database.stringOffset, database.stringLength);
    if (value === null) return reply.error(NOT_AN_INTEGER);
    sum += value;
    if (sum > INT64_MAX || sum < INT64_MIN) return reply.error(OVERFLOW);
  }
  const length = writeBigInt(wideText, 0, sum);
  let fresh = ref;
  if (ref === 0) fresh = database.addString(words.bytes, keyOffset, keyLength, length);
  else fresh = database.resizeInline(ref, length);
  database.markAsSet(fresh);
  const { records } = database;
  const to = records.bytesOf(fresh);
  const at = records.valueOffset(fresh);
  for (let i = 0; i < length; i++) to[at + i] = wideText[i];
  database.changed(words.bytes, keyOffset, keyLength, EVENT_STRING, "incrby");
  reply.bigInteger(sum);
}

/**
 * `INCRBYFLOAT key increment`: the new value's text, computed as extended floating point.
 *
 * Errors: value or increment not a float; the sum not finite.
 * Propagates as `SET key text KEEPTTL`: machines may differ in their arithmetic.
 *
 * @see {@link https://redis.io/docs/latest/commands/incrbyfloat/}
 */
export const incrbyfloat = defineCommand({
  name: "incrbyfloat",
  group: "string",
  since: "2.6.0",
  summary: "Adds a floating-point number to the one at a key",
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key increment:double",
  run: runIncrbyfloat,
});

const shortValue = new ShortDecimal();
const shortIncrement = new ShortDecimal();
const shortSum = new Uint8Array(SHORT_DECIMAL_TEXT_MAX);
/** What a key that is not there counts as. */
const NOTHING = latin1("0");

function runIncrbyfloat(call: Call): void {
  const { database, words, reply } = call;
  const keyOffset = words.starts[1];
  const keyLength = words.lengths[1];
  let ref = database.lookupWrite(words.bytes, keyOffset, keyLength);
  let value: Uint8Array = NOTHING, offset = 0, length = NOTHING.length;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
    value = database.locateString(ref);
    offset = database.stringOffset;
    length = database.stringLength;
  }
  const isShort = shortValue.read(value, offset, length) &&
    shortIncrement.read(words.bytes, words.starts[2], words.lengths[2]);
  let sum = shortSum;
  let sumLength = isShort ? addShortDecimals(shortValue, shortIncrement, sum) : 0;
  if (sumLength === 0) {
    sum = longSum(value, offset, length, words.text(2));
    sumLength = sum.length;
  }
  if (ref === 0) ref = database.addString(words.bytes, keyOffset, keyLength, sumLength);
  else ref = database.resizeString(ref, sumLength);
  database.markAsText(ref);
  copyBytes(database.locateString(ref), database.stringOffset, sum, 0, sumLength);
  database.changed(words.bytes, keyOffset, keyLength, EVENT_STRING, "incrbyfloat");
  reply.bulk(sum, 0, sumLength);
  // See "Outcomes enter the stream" in NOTES.
  if (call.isPropagating) {
    call.propagateAs("SET", word(1), sum.slice(0, sumLength), "KEEPTTL");
  }
}

/** Text of the sum of a string and an increment. @throws ReplyError */
function longSum(
  bytes: Uint8Array,
  offset: number,
  length: number,
  increment: string,
): Uint8Array<ArrayBuffer> {
  const value = length <= INLINE_STRING_MAX
    ? parseLongDouble(toLatin1(bytes, offset, length))
    : null;
  if (value === null) throw new ReplyError(NOT_A_FLOAT);
  const by = parseLongDouble(increment);
  if (by === null) throw new ReplyError(NOT_A_FLOAT);
  const sum = addLongDoubles(value, by);
  if (sum === null) throw new ReplyError("ERR increment would produce NaN or Infinity");
  return latin1(formatLongDouble(sum));
}
