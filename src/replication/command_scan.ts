/** Reads the commands of the stream of writes out of the backlog, between two offsets, a piece at a time. */

import { copyBytes } from "../base/bytes.ts";
import type { Backlog, BacklogCursor } from "../propagation/backlog.ts";
import { BROKEN, MORE, RequestParser } from "../resp/parser.ts";
import type { Words } from "../resp/words.ts";

/** Bytes read before others get their turn. */
const TURN_BYTES = 1 << 20;

/** Lets others have their turn. */
export type Pause = () => Promise<void>;

export class CommandScan {
  readonly #cursor: BacklogCursor;
  readonly #parser: RequestParser;
  readonly #to: number;
  /** Offset behind what the parser has been given. */
  #given: number;
  #turnFrom: number;

  /** Of [from, to), which the backlog covers. `close` has to be called. */
  constructor(backlog: Backlog, from: number, to: number) {
    this.#cursor = backlog.cursor(from);
    this.#parser = new RequestParser({ bulkBytesMax: Number.MAX_SAFE_INTEGER }, () => null);
    this.#to = to;
    this.#given = this.#turnFrom = from;
  }

  /** Words of the command that was read last, and its bytes; good until the next call. */
  get words(): Words {
    return this.#parser.words;
  }

  get bytes(): Uint8Array {
    const { bytes, position, end } = this.#parser;
    return bytes.subarray(position, end);
  }

  /** Offset behind the command that was read last. */
  get offset(): number {
    const { pendingBytes, position, end } = this.#parser;
    return this.#given - pendingBytes + end - position;
  }

  /** The next command; false at the end, or where there is none: then `offset` is not the end, and `nextLoaded` may have one. */
  next(): boolean {
    for (;;) {
      const outcome = this.#parser.next();
      if (outcome === BROKEN) return false;
      if (outcome !== MORE) return true;
      if (!this.#give()) return false;
    }
  }

  /** As `next`, once what is missing has been read back from its file; false where it is something else. */
  async nextLoaded(): Promise<boolean> {
    while (this.#cursor.isInFile && await this.#cursor.loaded()) if (this.next()) return true;
    return false;
  }

  /** Hands the parser more bytes; false at the end. */
  #give(): boolean {
    const shown = this.#cursor.peek();
    if (shown === null || this.#given >= this.#to) return false;
    const space = this.#parser.space();
    const count = Math.min(shown.length, space.length, this.#to - this.#given);
    copyBytes(space, 0, shown, 0, count);
    this.#parser.filled(count);
    this.#cursor.advance(count);
    this.#given += count;
    return true;
  }

  /** Whether others are to have their turn. */
  get isTurnOver(): boolean {
    if (this.#given - this.#turnFrom < TURN_BYTES) return false;
    this.#turnFrom = this.#given;
    return true;
  }

  close(): void {
    this.#cursor.close();
  }
}

/** The database that is selected at `target`, where a command begins; -1 when nothing in the backlog says so. */
export async function databaseAt(backlog: Backlog, target: number, pause: Pause): Promise<number> {
  let database = -1;
  if (backlog.commandOffset >= target) return database;
  const scan = new CommandScan(backlog, backlog.commandOffset, target);
  try {
    while (scan.next() || await scan.nextLoaded()) {
      const selected = selectedBy(scan.words);
      if (selected >= 0) database = selected;
      if (scan.isTurnOver) await pause();
    }
  } finally {
    scan.close();
  }
  return database;
}

/** The database that a command selects; -1 when it selects none. */
export function selectedBy(words: Words): number {
  if (words.count !== 2 || !words.is(0, "select")) return -1;
  const index = Number(words.text(1));
  return Number.isInteger(index) && index >= 0 ? index : -1;
}
