/** HINCRBY and HINCRBYFLOAT: counting in a field. */

import { TYPE_HASH } from "../../arena/record.ts";
import { latin1, toLatin1 } from "../../base/bytes.ts";
import {
  addLongDoubles,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from "../../base/long_double.ts";
import {
  INT64_MAX,
  INT64_MIN,
  parseInt64,
  parseInteger,
  writeBigInt,
  writeInteger,
} from "../../base/integers.ts";
import {
  addShortDecimals,
  SHORT_DECIMAL_TEXT_MAX,
  ShortDecimal,
} from "../../base/short_decimal.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_HASH } from "../../base/event_classes.ts";
import { hashView } from "../../keyspace/hash.ts";
import { word } from "../../propagation/stream_part.ts";
import { NOT_A_FLOAT, OVERFLOW, ReplyError, WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { setField } from "./set.ts";

const NOT_AN_INTEGER_IN_HASH = "ERR hash value is not an integer";
const NOT_A_FLOAT_IN_HASH = "ERR hash value is not a float";
const INCREMENT_NOT_FINITE = "ERR value is NaN or Infinity";
const SUM_NOT_FINITE = "ERR increment would produce NaN or Infinity";

/** Longer texts are no numbers to Redis, so they need not become strings here. */
const FLOAT_TEXT_MAX = 5 * 1024;

/** Text of a new value on its way into a hash. */
const text = new Uint8Array(24);

/**
 * `HINCRBY key field increment`: adds to the 64-bit integer in a field (0 if it is not there) and
 * answers the sum.
 *
 * @see {@link https://redis.io/docs/latest/commands/hincrby/}
 */
export const hincrby = defineCommand({
  name: "hincrby",
  group: "hash",
  since: "2.0.0",
  summary: "Adds an integer to the value of a field",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  elementWord: 2,
  args: "key field increment:integer",
  run: runHincrby,
});

function runHincrby(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const increment = parseInteger(bytes, starts[3], lengths[3]);
  // Sums that a number holds exactly are the rule; bigint is for the rest.
  const wideIncrement = increment === increment ? null : call.bigInteger(3);
  let ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  let isThere = false;
  let old = 0;
  let wideOld: bigint | null = null;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
    hashView.open(database, ref);
    isThere = hashView.find(bytes, starts[2], lengths[2]);
    // The hash is gone if that was its last field, and over.
    ref = hashView.ref;
    if (isThere) {
      const { value } = hashView;
      old = parseInteger(value.bytes, value.offset, value.length);
      if (old !== old) {
        wideOld = parseInt64(value.bytes, value.offset, value.length);
        if (wideOld === null) return reply.error(NOT_AN_INTEGER_IN_HASH);
      }
    }
  }
  const sum = old + increment; // NaN when one of them is wide
  if (Number.isSafeInteger(sum)) {
    setField(call, ref, text, 0, writeInteger(text, 0, sum), isThere);
    reply.integer(sum);
  } else {
    const wideSum = (wideOld ?? BigInt(old)) + (wideIncrement ?? BigInt(increment));
    if (wideSum > INT64_MAX || wideSum < INT64_MIN) return reply.error(OVERFLOW);
    setField(call, ref, text, 0, writeBigInt(text, 0, wideSum), isThere);
    reply.bigInteger(wideSum);
  }
  database.changed(bytes, starts[1], lengths[1], EVENT_HASH, "hincrby");
}

/**
 * `HINCRBYFLOAT key field increment`: adds in extended precision and answers the sum.
 *
 * Propagates as `HSET key field sum`: a replica's rounding may differ. When the field expires follows as
 * HPEXPIREAT, since HSET puts an end to that.
 *
 * @see {@link https://redis.io/docs/latest/commands/hincrbyfloat/}
 */
export const hincrbyfloat = defineCommand({
  name: "hincrbyfloat",
  group: "hash",
  since: "2.6.0",
  summary: "Adds a fraction to the value of a field",
  complexity: "O(1)",
  arity: 4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  elementWord: 2,
  args: "key field increment:double",
  run: runHincrbyfloat,
});

const shortIncrement = new ShortDecimal();
const shortValue = new ShortDecimal();
const shortSum = new Uint8Array(SHORT_DECIMAL_TEXT_MAX);
/** What a field that is not there counts as. */
const NOTHING = { bytes: latin1("0") as Uint8Array, offset: 0, length: 1 };

function runHincrbyfloat(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const isShort = shortIncrement.read(bytes, starts[3], lengths[3]);
  const increment = isShort ? null : longIncrement(call);
  let ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  let isThere = false;
  let expiresAtMs = NaN;
  if (ref !== 0) {
    if (database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
    hashView.open(database, ref);
    isThere = hashView.find(bytes, starts[2], lengths[2]);
    ref = hashView.ref;
    if (isThere && hashView.hasTimes) {
      expiresAtMs = hashView.expiryOf(bytes, starts[2], lengths[2]);
    }
  }
  const old = isThere ? hashView.value : NOTHING;
  let sum = shortSum;
  let sumLength = isShort && shortValue.read(old.bytes, old.offset, old.length)
    ? addShortDecimals(shortValue, shortIncrement, sum)
    : 0;
  if (sumLength === 0) {
    sum = longSum(old, increment ?? longIncrement(call));
    sumLength = sum.length;
  }
  setField(call, ref, sum, 0, sumLength, isThere);
  database.changed(bytes, starts[1], lengths[1], EVENT_HASH, "hincrbyfloat");
  reply.bulk(sum, 0, sumLength);
  if (!call.isPropagating) return;
  call.propagateAs("HSET", word(1), word(2), sum.slice(0, sumLength));
  if (expiresAtMs === expiresAtMs) {
    call.propagateAs("HPEXPIREAT", word(1), expiresAtMs, "FIELDS", 1, word(2));
  }
}

/** The increment of HINCRBYFLOAT. @throws ReplyError */
function longIncrement({ words }: Call): LongDouble {
  const increment = parseLongDouble(words.text(3));
  if (increment === null) throw new ReplyError(NOT_A_FLOAT);
  if (increment.isInfinite) throw new ReplyError(INCREMENT_NOT_FINITE);
  return increment;
}

/** Text of the sum of a field's value and an increment. @throws ReplyError */
function longSum(value: typeof NOTHING, increment: LongDouble): Uint8Array<ArrayBuffer> {
  const { bytes, offset, length } = value;
  const old = length <= FLOAT_TEXT_MAX ? parseLongDouble(toLatin1(bytes, offset, length)) : null;
  if (old === null) throw new ReplyError(NOT_A_FLOAT_IN_HASH);
  const sum = addLongDoubles(old, increment);
  if (sum === null) throw new ReplyError(SUM_NOT_FINITE);
  return latin1(formatLongDouble(sum));
}
