/** Patterns of SORT's BY and GET: `weight_*`, `object_*->field`, or `#` for the element itself. */

import { TYPE_HASH, TYPE_STRING } from "../../../arena/record.ts";
import { copyBytes } from "../../../base/bytes.ts";
import type { Database } from "../../../keyspace/database.ts";
import { hashView } from "../../../keyspace/hash.ts";

const NUMBER_SIGN = 0x23;
const STAR = 0x2a;
const MINUS = 0x2d;
const GREATER = 0x3e;

export class Pattern {
  readonly isElement: boolean;
  readonly hasStar: boolean;
  /** The key that is looked up: what stands before the star stays in it. */
  #key: Uint8Array;
  readonly #before: number;
  readonly #after: Uint8Array;
  /** Field of a hash; null to read a string. */
  readonly #field: Uint8Array | null;
  /** Where what `find` has found lies. */
  bytes: Uint8Array;
  offset = 0;
  length = 0;

  constructor(text: Uint8Array) {
    this.isElement = text.length === 1 && text[0] === NUMBER_SIGN;
    const star = text.indexOf(STAR);
    this.hasStar = star >= 0;
    this.#before = Math.max(0, star);
    this.#key = text.slice(0, this.#before);
    this.bytes = this.#key;
    // An arrow counts behind the star only, and when a field follows it.
    let arrow = star + 1;
    while (arrow < text.length && !(text[arrow] === MINUS && text[arrow + 1] === GREATER)) arrow++;
    if (arrow + 2 < text.length) {
      this.#after = text.subarray(star + 1, arrow);
      this.#field = text.subarray(arrow + 2);
    } else {
      this.#after = text.subarray(star + 1);
      this.#field = null;
    }
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
    const ref = database.lookupRead(this.#key, 0, keyLength);
    if (ref === 0) return false;
    const field = this.#field;
    if (field === null) {
      if (database.typeOf(ref) !== TYPE_STRING) return false;
      const bytes = database.locateString(ref);
      this.#show(bytes, database.stringOffset, database.stringLength);
      return true;
    }
    if (database.typeOf(ref) !== TYPE_HASH) return false;
    hashView.open(database, ref);
    if (!hashView.find(field, 0, field.length)) return false;
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
    const before = this.#before;
    const after = this.#after;
    const keyLength = before + length + after.length;
    if (keyLength > this.#key.length) {
      const longer = new Uint8Array(keyLength * 2);
      longer.set(this.#key.subarray(0, before));
      this.#key = longer;
    }
    copyBytes(this.#key, before, element, offset, length);
    copyBytes(this.#key, before + length, after, 0, after.length);
    return keyLength;
  }
}
