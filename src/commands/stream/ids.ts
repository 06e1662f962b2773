/** Ids of entries in the words of a request. */

import { toLatin1 } from "../../base/bytes.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { StreamId } from "../../values/stream/stream_id.ts";

export const INVALID_ID = "ERR Invalid stream ID specified as stream command argument";
const INVALID_START = "ERR invalid start ID for the interval";
const INVALID_END = "ERR invalid end ID for the interval";

/** `parseId`: it is none. */
export const ID_INVALID = 0;
/** `parseId`: it is one. */
export const ID_WHOLE = 1;
/** `parseId`: it is milliseconds and "-*"; the sequence is 0. */
export const ID_WITHOUT_SEQUENCE = 2;

const DASH = 0x2d;
const PLUS = 0x2b;
const OPEN = 0x28;
/** Longer words are no ids. */
const TEXT_MAX = 127;
/** So many digits are exact as a number. */
const EXACT_DIGITS = 15;
const TWO_TO_32 = 0x100000000;
const U64_MAX = 2n ** 64n - 1n;

/** What to do where words leave something open. */
export interface IdRules {
  /** Whether "-" and "+" stand for the lowest and the greatest id. */
  readonly hasEnds?: boolean;
  /** Whether an id of milliseconds alone is the last one of them, not the first. */
  readonly isLast?: boolean;
  /** Whether the sequence may be "*". */
  readonly mayOmitSequence?: boolean;
}

const STRICT: IdRules = {};
const FIRST: IdRules = { hasEnds: true };
const LAST: IdRules = { hasEnds: true, isLast: true };

/** Reads an id; ID_*. */
export function parseId(
  bytes: Uint8Array,
  off: number,
  length: number,
  id: StreamId,
  rules: IdRules = STRICT,
): number {
  if (length === 1 && (bytes[off] === DASH || bytes[off] === PLUS)) {
    if (rules.hasEnds !== true) return ID_INVALID;
    if (bytes[off] === DASH) id.set(0, 0, 0, 0);
    else id.copy(GREATEST);
    return ID_WHOLE;
  }
  const dash = exactNumber(bytes, off, off + length);
  if (dash < 0) return parseSlowly(toLatin1(bytes, off, length), id, rules);
  const ms = exact;
  let seq = 0;
  if (dash < off + length) {
    if (bytes[dash] !== DASH || exactNumber(bytes, dash + 1, off + length) !== off + length) {
      return parseSlowly(toLatin1(bytes, off, length), id, rules);
    }
    seq = exact;
  } else if (rules.isLast === true) seq = -1;
  id.set(Math.floor(ms / TWO_TO_32), ms % TWO_TO_32, 0, 0);
  if (seq < 0) id.set(id.msHigh, id.msLow, 0xffffffff, 0xffffffff);
  else id.set(id.msHigh, id.msLow, Math.floor(seq / TWO_TO_32), seq % TWO_TO_32);
  return ID_WHOLE;
}

const GREATEST = StreamId.greatest();

/** The number that the last `exactNumber` has read. */
let exact = 0;

/** Reads digits; where they end, or -1 when there are none or too many for an exact number. */
function exactNumber(bytes: Uint8Array, off: number, end: number): number {
  exact = 0;
  let at = off;
  for (; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) break;
    exact = exact * 10 + digit;
  }
  return at === off || at - off > EXACT_DIGITS ? -1 : at;
}

/** What is unusual: great numbers, signs, spaces, as C's strtoull takes them. */
function parseSlowly(word: string, id: StreamId, rules: IdRules): number {
  if (word.length > TEXT_MAX) return ID_INVALID;
  const nul = word.indexOf("\0");
  const text = nul < 0 ? word : word.slice(0, nul);
  const dash = text.indexOf("-");
  const ms = unsigned(dash < 0 ? text : text.slice(0, dash));
  if (ms === null) return ID_INVALID;
  let seq: bigint | null = rules.isLast === true ? U64_MAX : 0n;
  const isOmitted = dash >= 0 && rules.mayOmitSequence === true && text.slice(dash + 1) === "*";
  if (isOmitted) seq = 0n;
  else if (dash >= 0) seq = unsigned(text.slice(dash + 1));
  if (seq === null) return ID_INVALID;
  id.set(
    Number(ms >> 32n),
    Number(ms & 0xffffffffn),
    Number(seq >> 32n),
    Number(seq & 0xffffffffn),
  );
  return isOmitted ? ID_WITHOUT_SEQUENCE : ID_WHOLE;
}

/** A number of 64 bits; null when the text is none. A negative one counts from above, if unusually written. */
function unsigned(text: string): bigint | null {
  const found = /^[ \t\n\v\f\r]*([+-]?)(\d+)$/.exec(text);
  if (found === null || /^-([1-9]\d*)$/.test(text)) return null;
  const value = BigInt(found[2]);
  if (value > U64_MAX) return null;
  return found[1] === "-" ? BigInt.asUintN(64, -value) : value;
}

/** Word `index` as an id, the sequence 0 when left out. Throws a ReplyError. */
export function readId({ bytes, starts, lengths }: Words, index: number, id: StreamId): void {
  if (parseId(bytes, starts[index], lengths[index], id) === ID_INVALID) {
    throw new ReplyError(INVALID_ID);
  }
}

/** The ids in the words from `first` on, each a new object. Throws a ReplyError. */
export function readIds(words: Words, first: number): StreamId[] {
  const ids: StreamId[] = [];
  for (let i = first; i < words.count; i++) {
    const id = new StreamId();
    readId(words, i, id);
    ids.push(id);
  }
  return ids;
}

/** Word `index` as the lowest id of a range, "(" in front of it: the next one. Throws a ReplyError. */
export function readStart(words: Words, index: number, id: StreamId): void {
  if (readEnd(words, index, id, FIRST) && !id.increment()) throw new ReplyError(INVALID_START);
}

/** Word `index` as the greatest id of a range, "(" in front of it: the one before. Throws a ReplyError. */
export function readStop(words: Words, index: number, id: StreamId): void {
  if (readEnd(words, index, id, LAST) && !id.decrement()) throw new ReplyError(INVALID_END);
}

/** Reads an end of a range; whether it is excluded. */
function readEnd(words: Words, index: number, id: StreamId, rules: IdRules): boolean {
  const { bytes, starts, lengths } = words;
  const isOpen = lengths[index] > 1 && bytes[starts[index]] === OPEN;
  const skipped = isOpen ? 1 : 0;
  const found = parseId(
    bytes,
    starts[index] + skipped,
    lengths[index] - skipped,
    id,
    isOpen ? { isLast: rules.isLast } : rules,
  );
  if (found === ID_INVALID) throw new ReplyError(INVALID_ID);
  return isOpen;
}
