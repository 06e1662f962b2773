/**
 * Values of types of Redis 8.8 that there are none of here: arrays, and the time that GCRA keeps. They are passed over,
 * so that their keys can be left out by name, or refused. format.ts draws them.
 */

import type { LoadedValue } from "./kinds/loaded_value.ts";
import { LOAD_LEFT_OUT, LOAD_PART, ValueLoad } from "./kinds/value_load.ts";
import type { RdbReader } from "./reader.ts";

const ARRAY = { kind: "type", name: "array" } as const;
const GCRA = { kind: "type", name: "gcra" } as const;

// What stands before an element of an array says how it is written.
const ELEMENT_INTEGER = 1;
const ELEMENT_DOUBLE = 2;
/** The greatest; like 0 it is a string. */
const ELEMENT_SHORT_STRING = 3;

const NUMBER_BYTES = 8;
/** Of an element: its place, its tag, and one byte at least. */
const ELEMENT_BYTES_MIN = 3;

/** Passes over an array. */
export class ArrayPass extends ValueLoad {
  /** Elements that are still to come; -1 before their number is known. */
  #left = -1;

  override begin(): void {
    this.#left = -1;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (this.#left < 0) {
      const at = reader.offset;
      const count = readCount(reader);
      value.leaveOut(ARRAY, reader, at);
      this.#left = count;
      reader.mark();
    }
    value.beginPiece(reader);
    while (this.#left > 0) {
      if (value.isPieceOver(reader)) return LOAD_PART;
      this.#passElement(reader);
      reader.mark();
    }
    return LOAD_LEFT_OUT;
  }

  #passElement(reader: RdbReader): void {
    reader.readPlainLength("the place of an element");
    const at = reader.offset;
    const tag = reader.readPlainLength("the tag of an element");
    if (tag > ELEMENT_SHORT_STRING) throw reader.error(`unknown tag ${tag} of an element`, at);
    if (tag === ELEMENT_INTEGER || tag === ELEMENT_DOUBLE) this.#skip(reader, NUMBER_BYTES);
    else {
      reader.beginSkipString();
      this.#left--;
      reader.finishSkip();
    }
  }

  /** A skip that stops on the way is not begun again: the element is counted before. */
  #skip(reader: RdbReader, length: number): void {
    this.#left--;
    reader.skip(length);
  }
}

/** Reads what stands before the elements; how many there are. */
function readCount(reader: RdbReader): number {
  const count = reader.readCount("elements of an array", ELEMENT_BYTES_MIN);
  const at = reader.offset;
  const hasPlace = reader.readPlainLength("whether an array has a place for insertions");
  if (hasPlace > 1) throw reader.error(`unknown mark ${hasPlace} in an array`, at);
  if (hasPlace === 1) reader.readPlainLength("the place of the next insertion");
  return count;
}

/** Passes over the time that GCRA keeps. */
export class GcraPass extends ValueLoad {
  override begin(): void {}

  override step(value: LoadedValue, reader: RdbReader): number {
    const at = reader.offset;
    reader.readPlainLength("the time of a GCRA");
    value.leaveOut(GCRA, reader, at);
    return LOAD_LEFT_OUT;
  }
}
