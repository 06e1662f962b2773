/**
 * Where the snapshot of a full sync ends in the bytes of a link, and what comes before it.
 *
 * A master announces it with a line, after any number of empty ones that only show it is alive:
 *
 *     $<bytes>\r\n      so many bytes follow, and nothing behind them
 *     $EOF:<mark>\r\n   it ends where the mark comes again, 40 bytes that are drawn for each sync
 *
 * Bytes are passed on as they come; of a marked one the last 39 are held back, as they may be the
 * beginning of the mark.
 */

import { copyBytes, latin1 } from "../base/bytes.ts";

const MARK_BYTES = 40;

/** Takes the snapshot's bytes; they hold only during the call. */
export type PayloadSink = (bytes: Uint8Array, offset: number, length: number) => void;

export interface Payload {
  /** Bytes of it; -1 when it ends with a mark. */
  readonly totalBytes: number;
  /** Whether all of it has come. */
  readonly isComplete: boolean;
  /** Takes bytes [from, to); returns where in them it ends, `to` if it goes on. */
  take(bytes: Uint8Array, from: number, to: number): number;
}

/** What a line announces; null when it is no announcement. */
export function payloadOf(line: string, sink: PayloadSink): Payload | null {
  const marked = /^\$EOF:([^]{40})$/.exec(line);
  if (marked !== null) return new MarkedPayload(latin1(marked[1]), sink);
  if (!/^\$\d{1,15}$/.test(line)) return null;
  return new CountedPayload(Number(line.slice(1)), sink);
}

class CountedPayload implements Payload {
  #left: number;

  constructor(readonly totalBytes: number, readonly sink: PayloadSink) {
    this.#left = totalBytes;
  }

  get isComplete(): boolean {
    return this.#left === 0;
  }

  take(bytes: Uint8Array, from: number, to: number): number {
    const count = Math.min(this.#left, to - from);
    this.#left -= count;
    if (count > 0) this.sink(bytes, from, count);
    return from + count;
  }
}

class MarkedPayload implements Payload {
  readonly totalBytes = -1;
  isComplete = false;
  /** The last bytes that have come, fewer than a mark has. */
  readonly #held = new Uint8Array(MARK_BYTES - 1);
  #heldBytes = 0;
  /** What is held with what has come next. */
  readonly #seam = new Uint8Array(2 * (MARK_BYTES - 1));

  constructor(readonly mark: Uint8Array, readonly sink: PayloadSink) {}

  take(bytes: Uint8Array, from: number, to: number): number {
    const held = this.#heldBytes;
    const next = Math.min(to - from, MARK_BYTES - 1);
    const seam = this.#seam;
    copyBytes(seam, 0, this.#held, 0, held);
    copyBytes(seam, held, bytes, from, next);
    const seamBytes = held + next;

    const inSeam = find(this.mark, seam, 0, seamBytes);
    if (inSeam >= 0) {
      this.isComplete = true;
      if (inSeam > 0) this.sink(seam, 0, inSeam);
      return from + inSeam + MARK_BYTES - held;
    }
    const found = find(this.mark, bytes, from, to);
    if (found >= 0) {
      this.isComplete = true;
      if (held > 0) this.sink(this.#held, 0, held);
      if (found > from) this.sink(bytes, from, found - from);
      return found + MARK_BYTES;
    }

    const keptBytes = Math.min(held + to - from, MARK_BYTES - 1);
    if (to - from >= keptBytes) {
      // Everything held goes on, and all that has come but its end.
      if (held > 0) this.sink(this.#held, 0, held);
      if (to - from > keptBytes) this.sink(bytes, from, to - from - keptBytes);
      copyBytes(this.#held, 0, bytes, to - keptBytes, keptBytes);
    } else {
      // Few bytes: the seam is all there is, and its end is kept.
      if (seamBytes > keptBytes) this.sink(seam, 0, seamBytes - keptBytes);
      copyBytes(this.#held, 0, seam, seamBytes - keptBytes, keptBytes);
    }
    this.#heldBytes = keptBytes;
    return to;
  }
}

/** Where the mark begins within [from, to) of the bytes, whole; -1 if nowhere. */
function find(mark: Uint8Array, bytes: Uint8Array, from: number, to: number): number {
  const last = to - mark.length;
  const first = mark[0];
  let at = from;
  while (at <= last) {
    at = bytes.indexOf(first, at);
    if (at < 0 || at > last) return -1;
    let i = 1;
    while (i < mark.length && bytes[at + i] === mark[i]) i++;
    if (i === mark.length) return at;
    at++;
  }
  return -1;
}
