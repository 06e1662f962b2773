/**
 * Reading a value in pieces, so that neither its size nor bytes that have not come yet hold anybody up:
 * the counterpart of value_walk.ts. A load is an object of its reader that is used again for each value
 * of its type; a small value is one step.
 *
 *     begin -> step, step ... -> LOAD_WHOLE (`value` holds it), or there is no such key: LOAD_EMPTY,
 *                                LOAD_LEFT_OUT
 *
 * A step that is broken off because bytes have run out (STARVED) or a part of a long string has been
 * read (PAUSED) is done again: what has been made use of lies before the reader's mark. Between two
 * marks is one string at most, at the end. Here are the parts that kinds share.
 */

import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import type { LoadedValue } from "./loaded_value.ts";

/** There is more to read; others may have their turn. */
export const LOAD_PART = 0;
/** It is an empty collection. */
export const LOAD_EMPTY = 1;
/** The value is whole. */
export const LOAD_WHOLE = 2;
/** It has been passed over: its key is to be left out. */
export const LOAD_LEFT_OUT = 3;

export abstract class ValueLoad {
  /** Starts on the value whose bytes come next, after its type byte; reads nothing yet. */
  abstract begin(): void;
  /** Reads a piece: one of LOAD_*. @throws RdbError when the bytes are damaged */
  abstract step(value: LoadedValue, reader: RdbReader): number;
}

/** A value whose elements stand one by one, behind their number. */
export abstract class ElementsLoad extends ValueLoad {
  #isOpen = false;
  #left = 0;

  override begin(): void {
    this.#isOpen = false;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (!this.#isOpen) {
      this.#left = this.open(value, reader);
      this.#isOpen = true;
      reader.mark();
    }
    value.beginPiece(reader);
    while (this.#left > 0) {
      if (value.isPieceOver(reader)) return LOAD_PART;
      this.readElement(value, reader);
      this.#left--;
      reader.mark();
    }
    return this.finish(value, reader) ? LOAD_WHOLE : LOAD_EMPTY;
  }

  /** Reads what stands before the elements; returns how many there are. */
  protected abstract open(value: LoadedValue, reader: RdbReader): number;
  /** Reads the next element. With more than one string it marks, and goes on there, between them. */
  protected abstract readElement(value: LoadedValue, reader: RdbReader): void;
  /** Makes what has been read the value, and lets go of it; false when it is empty. */
  protected abstract finish(value: LoadedValue, reader: RdbReader): boolean;
}

/**
 * Passes over a value whose elements stand one by one: a scan (see `ValueKind.newScan`). `open` says `beginPassing`, and
 * each element counts itself.
 */
export abstract class ElementsScan extends ElementsLoad {
  protected override finish(value: LoadedValue): boolean {
    return value.elements > 0;
  }
}

/** A value that stands packed in one string. */
export abstract class PackedLoad extends ValueLoad {
  /** What Redis's log calls such a value: "Zset ziplist". */
  protected abstract readonly name: string;
  #isOpen = false;
  #cursor: EntryCursor | null = null;

  override begin(): void {
    this.#isOpen = false;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (!this.#isOpen) {
      reader.readString();
      const state = this.takeWhole(value, reader);
      if (state !== LOAD_PART) return state;
      this.#cursor = this.cursorOf(value);
      // The string stays where it is until the reader reads on.
      this.#cursor.open(reader.strBuf, reader.strOff, reader.strLen, reader.strAt, this.name);
      this.open(value, reader);
      this.#isOpen = true;
      reader.mark();
    }
    const cursor = this.#cursor!;
    value.beginPiece(reader);
    while (cursor.next()) {
      this.readEntry(value, reader, cursor);
      if (value.isPieceOver(reader)) return LOAD_PART;
    }
    this.#cursor = null;
    return this.finish(value, reader) ? LOAD_WHOLE : LOAD_EMPTY;
  }

  /**
   * Makes the string that the reader has read the value as it is, if that may be (or says that it is
   * empty); LOAD_PART when its entries have to be gone through one by one.
   */
  protected takeWhole(_value: LoadedValue, _reader: RdbReader): number {
    return LOAD_PART;
  }
  /** The cursor that understands the packing; it checks what it passes. */
  protected abstract cursorOf(value: LoadedValue): EntryCursor;
  /** The entries begin; `reader.strAt` is where they lie in the snapshot. */
  protected abstract open(value: LoadedValue, reader: RdbReader): void;
  /** Adds what begins with the entry that the cursor stands on, and moves it to the last of that. */
  protected abstract readEntry(value: LoadedValue, reader: RdbReader, cursor: EntryCursor): void;
  /** Makes what has been read the value, and lets go of it; false when it is empty. */
  protected abstract finish(value: LoadedValue, reader: RdbReader): boolean;
}
