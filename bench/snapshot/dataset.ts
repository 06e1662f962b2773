/**
 * What the snapshot benchmark stores and writes: many strings, one large hash and one large sorted set, and a
 * numbered sequence of writes to them that everybody can work out.
 *
 * Every value carries the number of the write it came from (0: it was there at first). So a file tells by itself
 * which writes are in it, and whether it is of one instant: it has to hold exactly what the writes up to one number
 * made, of every element (`verify.ts`).
 *
 *     element   0 … strings-1          a key of its own      SET key:00000007 <number><letters>, one in 16 times DEL
 *               … +fields-1            a field of `hash`     HSET hash field:00000007 <number><letters>
 *               … +members-1           a member of `zset`    ZADD zset <number>.<fraction> member:00000007
 */

/** How many elements of each kind there are. */
export interface Shape {
  strings: number;
  fields: number;
  members: number;
}

/** Of so many keys, two are large: they have two elements for every five keys. */
export function shapeOf(keys: number): Shape {
  const elements = Math.max(1, Math.round(keys * 0.4));
  return { strings: keys - 2, fields: elements, members: elements };
}

/** Elements of all kinds together. */
export function elementsOf({ strings, fields, members }: Shape): number {
  return strings + fields + members;
}

export const STRING_BYTES = 240;
export const FIELD_BYTES = 60;

/** Digits of the number at the beginning of each value. */
export const NUMBER_DIGITS = 10;
export const INDEX_DIGITS = 8;
/** One in so many writes to a key of its own removes it. */
const DELETE_EVERY = 16;
/** No command is longer. */
export const COMMAND_BYTES_MAX = 512;

const encoder = new TextEncoder();
const SET = encoder.encode(`*3\r\n$3\r\nSET\r\n$12\r\nkey:00000000\r\n$${STRING_BYTES}\r\n`);
const SET_INDEX = SET.length - INDEX_DIGITS - `\r\n$${STRING_BYTES}\r\n`.length;
const DEL = encoder.encode("*2\r\n$3\r\nDEL\r\n$12\r\nkey:00000000\r\n");
const DEL_INDEX = DEL.length - INDEX_DIGITS - 2;
const HSET = encoder.encode(
  `*4\r\n$4\r\nHSET\r\n$4\r\nhash\r\n$14\r\nfield:00000000\r\n$${FIELD_BYTES}\r\n`,
);
const HSET_INDEX = HSET.length - INDEX_DIGITS - `\r\n$${FIELD_BYTES}\r\n`.length;
const ZADD = encoder.encode(
  "*4\r\n$4\r\nZADD\r\n$4\r\nzset\r\n$19\r\n0000000000.00000000\r\n$15\r\nmember:00000000\r\n",
);
const ZADD_INDEX = ZADD.length - INDEX_DIGITS - 2;
const ZADD_FRACTION = ZADD_INDEX - "\r\n$15\r\nmember:".length - INDEX_DIGITS;
const ZADD_NUMBER = ZADD_FRACTION - 1 - NUMBER_DIGITS;

/** Letters in no order, which do not compress: what values are filled up with. */
const LETTERS = 1 << 16;
const letters = new Uint8Array(LETTERS + STRING_BYTES);
for (let i = 0; i < letters.length; i++) letters[i] = 48 + (mixed(i) >>> 26);

/** Where in `letters` those of an element begin. */
export function lettersAt(element: number): number {
  return Math.imul(element, 37) & (LETTERS - 1);
}

export { letters };

/** All bits of `i` have a part in all bits of it. */
function mixed(i: number): number {
  let bits = Math.imul(i ^ i >>> 16, 0x85ebca6b);
  bits = Math.imul(bits ^ bits >>> 13, 0xc2b2ae35);
  return (bits ^ bits >>> 16) >>> 0;
}

/** What follows the point in the score of a member. */
export function fractionOf(element: number): number {
  return mixed(element) % 10 ** INDEX_DIGITS;
}

export class Writes {
  readonly #total: number;

  constructor(readonly shape: Shape) {
    this.#total = elementsOf(shape);
  }

  /** The element that write `number`, at least 1, is for. */
  elementOf(number: number): number {
    return Math.floor(mixed(number) / 2 ** 32 * this.#total);
  }

  /** Whether write `number` removes a key. */
  isDelete(number: number): boolean {
    return mixed(number + 0x5bd1e995) % DELETE_EVERY === 0 &&
      this.elementOf(number) < this.shape.strings;
  }

  /** Puts write `number` into `out` at `at`; where it ends. */
  encode(number: number, out: Uint8Array, at: number): number {
    const element = this.elementOf(number);
    if (!this.isDelete(number)) return this.encodeElement(element, number, out, at);
    out.set(DEL, at);
    putDigits(out, at + DEL_INDEX, element, INDEX_DIGITS);
    return at + DEL.length;
  }

  /** Puts the command into `out` that gives an element the value of write `number`; where it ends. */
  encodeElement(element: number, number: number, out: Uint8Array, at: number): number {
    const { strings, fields } = this.shape;
    if (element < strings) {
      out.set(SET, at);
      putDigits(out, at + SET_INDEX, element, INDEX_DIGITS);
      return putValue(out, at + SET.length, element, number, STRING_BYTES);
    }
    if (element < strings + fields) {
      out.set(HSET, at);
      putDigits(out, at + HSET_INDEX, element - strings, INDEX_DIGITS);
      return putValue(out, at + HSET.length, element, number, FIELD_BYTES);
    }
    out.set(ZADD, at);
    putDigits(out, at + ZADD_NUMBER, number, NUMBER_DIGITS);
    putDigits(out, at + ZADD_FRACTION, fractionOf(element), INDEX_DIGITS);
    putDigits(out, at + ZADD_INDEX, element - strings - fields, INDEX_DIGITS);
    return at + ZADD.length;
  }
}

function putValue(
  out: Uint8Array,
  at: number,
  element: number,
  number: number,
  length: number,
): number {
  putDigits(out, at, number, NUMBER_DIGITS);
  const from = lettersAt(element);
  out.set(letters.subarray(from, from + length - NUMBER_DIGITS), at + NUMBER_DIGITS);
  out[at + length] = 13;
  out[at + length + 1] = 10;
  return at + length + 2;
}

function putDigits(out: Uint8Array, at: number, value: number, digits: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    const rest = Math.floor(value / 10);
    out[i] = 48 + value - rest * 10;
    value = rest;
  }
}

/** The decimal digits in `bytes` from `at` on; NaN where there is something else. */
export function digitsAt(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const digit = bytes[i] - 48;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
