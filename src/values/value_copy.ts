/**
 * Copies of large values, made piece by piece: COPY of one may take long, and others are to have their turn meanwhile
 * (dispatch/makings.ts). Who must not wait has all of it at once (`run`). The value may be read until the end, and
 * its table be compacted; once it has changed, the copy is of no use any more. What is made of several values goes
 * the same way (keyspace/set_operation.ts).
 *
 * Here is what copies of tables share. Those of other structures stand beside them.
 */

import type { Dict } from "../arena/dict.ts";

/** A copy of a value in the making; it shares nothing with the value. */
export abstract class ValueCopy<T> {
  /** `copy` has nothing in it yet. */
  constructor(readonly copy: T) {}

  /** Copies a piece; true when that was the last. @throws RangeError when there is no memory for it */
  abstract step(): boolean;

  /** Lets go of the value, however much of it has been copied: to be called at the end in any case. */
  end(): void {}

  /** Copies all of it at once. @throws RangeError when there is no memory for it */
  run(): T {
    try {
      while (!this.step());
    } finally {
      this.end();
    }
    return this.copy;
  }
}

const gathered: number[] = [];

/** A copy of what has its elements in a table, by the table's order. */
export class TableCopy<T> extends ValueCopy<T> {
  readonly #table: Dict;
  readonly #add: (ref: number) => void;
  #cursor = 0;
  #isOver = false;

  /** `add` gives `copy` the element of a record. */
  constructor(copy: T, table: Dict, add: (ref: number) => void) {
    super(copy);
    this.#table = table;
    this.#add = add;
    // As long as no bucket is moved, every record is come upon once.
    table.pin();
  }

  override step(): boolean {
    gathered.length = 0;
    this.#cursor = this.#table.gatherSome(this.#cursor, gathered);
    for (let i = 0; i < gathered.length; i++) this.#add(gathered[i]);
    return this.#cursor === 0;
  }

  override end(): void {
    if (!this.#isOver) this.#table.unpin();
    this.#isOver = true;
  }
}
