/** Patterns of SORT's BY and GET: `weight_*`, `object_*->field`, or `#` for the element itself. */

import { TYPE_HASH, TYPE_STRING } from "../../../arena/record.ts";
import { copyBytes } from "../../../base/bytes.ts";
import type { Database } from "../../../keyspace/database.ts";
import { hashView } from "../../../keyspace/hash.ts";

const NUMBER_SIGN = 0x23;
const STAR = 0x2a;
const MINUS = 0x2d;
const GREATER = 0x3e;

/** The key that is looked up, of whatever pattern. */
let key = new Uint8Array(256);

/** A pattern in a word of the request, which it reads where it lies. */
export class Pattern {
  readonly isElement: boolean;
  readonly hasStar: boolean;
  /** The places in the request: of the pattern, of the star, of what follows it, of the field. */
  readonly #text: Uint8Array;
  readonly #start: number;
  readonly #star: number;
  readonly #afterEnd: number;
  readonly #fieldStart: number;
  /** Length of the name of a hash's field; 0 to read a string. */
  readonly #fieldLength: number;
  /** Where what `find` has found lies. */
  bytes: Uint8Array;
  offset = 0;
  length = 0;

  constructor(text: Uint8Array, start: number, length: number) {
    this.#text = text;
    this.#start = start;
    this.bytes = text;
    const end = start + length;
    this.isElement = length === 1 && text[start] === NUMBER_SIGN;
    let star = start;
    while (star < end && text[star] !== STAR) star++;
    this.hasStar = star < end;
    this.#star = star;
    // An arrow counts behind the star only, and when a field follows it.
    let arrow = star + 1;
    while (arrow + 1 < end && !(text[arrow] === MINUS && text[arrow + 1] === GREATER)) arrow++;
    const hasField = arrow + 2 < end;
    this.#afterEnd = hasField ? arrow : end;
    this.#fieldStart = arrow + 2;
    this.#fieldLength = hasField ? end - arrow - 2 : 0;
  }

  /**
   * Finds what the pattern points at for an element; false when there is nothing. `bytes`, `offset`
   * and `length` then say where it lies, until the database is changed or something else is found.
   */
  find(database: Database, element: Uint8Array, offset: number, length: number): boolean {
    if (this.isElement) {
      this.#show(element, offset, length);
      return true;
    }
    if (!this.hasStar) return false;
    const keyLength = this.#makeKey(element, offset, length);
    const ref = database.lookupRead(key, 0, keyLength);
    if (ref === 0) return false;
    if (this.#fieldLength === 0) {
      if (database.typeOf(ref) !== TYPE_STRING) return false;
      const bytes = database.locateString(ref);
      this.#show(bytes, database.stringOffset, database.stringLength);
      return true;
    }
    if (database.typeOf(ref) !== TYPE_HASH) return false;
    hashView.open(database, ref);
    if (!hashView.find(this.#text, this.#fieldStart, this.#fieldLength)) return false;
    const { value } = hashView;
    this.#show(value.bytes, value.offset, value.length);
    return true;
  }

  #show(bytes: Uint8Array, offset: number, length: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
  }

  /** Puts the element in the place of the star; returns the length of the key. */
  #makeKey(element: Uint8Array, offset: number, length: number): number {
    const text = this.#text;
    const before = this.#star - this.#start;
    const after = this.#afterEnd - this.#star - 1;
    const keyLength = before + length + after;
    if (keyLength > key.length) key = new Uint8Array(keyLength * 2);
    copyBytes(key, 0, text, this.#start, before);
    copyBytes(key, before, element, offset, length);
    copyBytes(key, before + length, text, this.#star + 1, after);
    return keyLength;
  }
}
