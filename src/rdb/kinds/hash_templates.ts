/**
 * Templates of hashes: names of fields that a snapshot of Redis 8.10 has once, before its first key, for all hashes with
 * just these fields. Such a hash is one as any other here.
 */

import { copyBytes } from "../../base/bytes.ts";
import type { RdbReader } from "../reader.ts";

const NAMES_BYTES_FIRST = 256;

/** Names of fields in the order in which the values of a hash come: one behind the other in `bytes`. */
export class HashTemplate {
  bytes = new Uint8Array(NAMES_BYTES_FIRST);
  readonly #ends: number[] = [];

  get count(): number {
    return this.#ends.length;
  }

  /** Where the name of a field begins in `bytes`. */
  offsetOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1];
  }

  lengthOf(index: number): number {
    return this.#ends[index] - this.offsetOf(index);
  }

  add(bytes: Uint8Array, offset: number, length: number): void {
    const start = this.offsetOf(this.count);
    const end = start + length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(2 * end);
      copyBytes(larger, 0, this.bytes, 0, start);
      this.bytes = larger;
    }
    copyBytes(this.bytes, start, bytes, offset, length);
    this.#ends.push(end);
  }
}

/** The templates of one snapshot, by their numbers there. */
export class HashTemplates {
  readonly #byNumber: Map<number, HashTemplate>;

  constructor(others?: HashTemplates) {
    this.#byNumber = new Map(others === undefined ? [] : others.#byNumber);
  }

  /** Adds one; its opcode was at `at`. @throws RdbError when there is one of its number */
  add(number: number, template: HashTemplate, reader: RdbReader, at: number): void {
    if (this.#byNumber.has(number)) {
      throw reader.error(`hash template ${number} is there twice`, at);
    }
    this.#byNumber.set(number, template);
  }

  /** The one that a hash at `at` names. @throws RdbError when there is none */
  get(number: number, reader: RdbReader, at: number): HashTemplate {
    const template = this.#byNumber.get(number);
    if (template === undefined) throw reader.error(`no hash template ${number}`, at);
    return template;
  }
}
