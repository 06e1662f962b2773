/**
 * Where in the history of replication a dataset stands, as lines of an append-only file that other servers
 * pass over:
 *
 *     #RI:<replication id>                 once in each file, and when it changes
 *     #RP:<offset>:<database>:<…>:<…>:<…>  behind the commands that lead there; the rest is how far the dataset is the
 *                                          master's: `streamErrors`, `divergedAt`, `leftOut`
 *
 * Who loads a file that ends with such a line can go on from there: a replica needs no full sync.
 */

import type { LoadedReplication } from "../rdb/persistence.ts";

/** The lines for a position; `idBefore` is the id that the file has named last. */
export function positionLines(position: LoadedReplication, idBefore: string): string {
  const { id, offset, database, streamErrors, divergedAt, leftOut } = position;
  const line = `#RP:${offset}:${database}:${streamErrors}:${divergedAt}:${leftOut}\r\n`;
  return id === idBefore ? line : `#RI:${id}\r\n${line}`;
}

/** Finds the position in the lines of a file, in their order. */
export class PositionReader {
  #id = "";
  /** The furthest that was ever known: what has been read is at it, or behind it. */
  last: LoadedReplication | null = null;
  #position: LoadedReplication | null = null;

  /** Where what has been read so far stands; null when that is not known. */
  get position(): LoadedReplication | null {
    return this.#position;
  }

  /** Begins with the position of a base. */
  set position(value: LoadedReplication | null) {
    this.#position = value;
    this.#id = value?.id ?? "";
    this.last = value ?? this.last;
  }

  /** A line that begins with #. */
  line(text: string): void {
    const id = /^#RI:([0-9a-f]{40})$/.exec(text);
    if (id !== null) this.#id = id[1];
    const found = /^#RP:(\d{1,15}):(\d{1,9}):(\d{1,15}):(-1|\d{1,15}):(\d{1,15})$/.exec(text);
    if (found === null || this.#id === "") return;
    const [offset, database, streamErrors, divergedAt, leftOut] = found.slice(1).map(Number);
    this.#position = { id: this.#id, offset, database, streamErrors, divergedAt, leftOut };
    this.last = this.#position;
  }

  /** A command: from here on it is another dataset. */
  command(): void {
    this.#position = null;
  }
}
