/**
 * A snapshot on its way to replicas while it is made (a full sync without a disk): every chunk is
 * there once, in a list along which each receiver has a position.
 *
 *     "$EOF:<mark>" ──► chunk ──► chunk ──► … ──► "<mark>"
 *                         ^ a receiver       ^ another one
 *
 * A chunk goes back when all receivers have passed it. The slowest one thus sets the pace of the
 * walk: too much that waits makes it pause. One without any progress is for the master role to drop.
 *
 * Strings are compressed only where the link is what is waited for. On a fast one that would be work for both ends,
 * which then takes longer than the bytes that it saves. See "Compressed where the link is slow" in NOTES.
 */

import { latin1 } from "../base/bytes.ts";
import type { Relay, RelayEvents } from "../rdb/relayed_snapshot.ts";
import type { OutgoingPayload } from "./attached_replica.ts";

/** Bytes that wait for the slowest receiver beyond which the walk pauses. */
const WAITING_MAX = 4 << 20;

/** A link that takes less than so many bytes a second, while bytes wait for it, is slow. */
const SLOW_BYTES_PER_SECOND = 24 << 20;
/** How fast it is, is looked at about so often. */
const LOOK_MS = 100;

/** A part of what is sent. */
class Piece {
  next: Piece | null = null;

  constructor(
    readonly bytes: Uint8Array<ArrayBuffer>,
    readonly length: number,
    /** Whether the bytes are to be given back to the snapshot. */
    readonly isLent: boolean,
    /** Receivers that have not passed it. */
    public users: number,
  ) {}
}

export class RelayTransfer implements RelayEvents {
  /** Called when receivers may go on: there is more to send, or the end has come. */
  onMore: () => void = () => {};
  /** Called when the snapshot has failed. */
  onFailed: (failure: string) => void = () => {};
  readonly #mark: string;
  readonly #first: Piece;
  #last: Piece;
  readonly #receivers = new Set<RelayReceiver>();
  #relay: Relay | null = null;
  readonly #now: () => number;
  readonly #alwaysCompresses: boolean;
  #isSlow = false;
  /** Since the last look: when that was, bytes that all receivers have passed, and whether they had passed all there were. */
  #lookedMs: number;
  #passedBytes = 0;
  #hadPassedAll = false;
  #waitingBytes = 0;
  /** Bytes of the snapshot that have come. */
  totalBytes = 0;
  /** Everything has come, the mark included. */
  isComplete = false;

  /**
   * `mark` stands behind the last byte: 40 characters that nobody can foresee. `now` is the monotonic clock.
   * `alwaysCompresses`: also where that takes longer, because the bytes are kept.
   */
  constructor(mark: string, now: () => number, alwaysCompresses = false) {
    this.#mark = mark;
    this.#now = now;
    this.#alwaysCompresses = alwaysCompresses;
    this.#lookedMs = now();
    const line = latin1(`$EOF:${this.#mark}\r\n`);
    this.#first = this.#last = new Piece(line, line.length, false, 0);
  }

  /** The snapshot whose bytes these are: told right after it has begun. */
  begun(relay: Relay): void {
    this.#relay = relay;
  }

  /** A further receiver of everything; to be made before the first bytes come. */
  receiver(): OutgoingPayload {
    const receiver = new RelayReceiver(this, this.#first);
    this.#receivers.add(receiver);
    this.#first.users++;
    return receiver;
  }

  /** Receivers that are still there and have not got everything. */
  get receiverCount(): number {
    return this.#receivers.size;
  }

  /** How much of the dataset has been walked, 0 to 100. */
  get percent(): number {
    const snapshot = this.#relay?.snapshot;
    if (snapshot === undefined || snapshot.keysTotal === 0) return 100;
    return snapshot.keysDone / snapshot.keysTotal * 100;
  }

  /** RelayEvents. */
  onBytes(chunk: Uint8Array<ArrayBuffer>, length: number): void {
    // Before the first of them came there was nothing that a link could be slow with.
    if (this.totalBytes === 0) this.#lookedMs = this.#now();
    this.totalBytes += length;
    this.#append(chunk, length, true);
    this.onMore();
  }

  /** RelayEvents. */
  onEnd(failure: string | null): void {
    if (failure !== null) {
      this.onFailed(failure);
      return;
    }
    const mark = latin1(this.#mark);
    this.#append(mark, mark.length, false);
    this.isComplete = true;
    this.onMore();
  }

  /** RelayEvents. */
  isFull(): boolean {
    return this.#waitingBytes > WAITING_MAX;
  }

  /** RelayEvents. */
  compresses(): boolean {
    if (this.#alwaysCompresses) return true;
    if (this.totalBytes === 0) return false;
    const nowMs = this.#now();
    const elapsedMs = nowMs - this.#lookedMs;
    if (elapsedMs >= LOOK_MS) {
      const bytesPerSecond = this.#passedBytes / elapsedMs * 1000;
      this.#isSlow = !this.#hadPassedAll && bytesPerSecond < SLOW_BYTES_PER_SECOND;
      this.#lookedMs = nowMs;
      this.#passedBytes = 0;
      this.#hadPassedAll = this.#waitingBytes === 0;
    }
    return this.#isSlow;
  }

  /** Nobody is to get it any more. */
  abort(): void {
    this.#relay?.abort();
  }

  #append(bytes: Uint8Array<ArrayBuffer>, length: number, isLent: boolean): void {
    const piece = new Piece(bytes, length, isLent, this.#receivers.size);
    this.#last.next = piece;
    this.#last = piece;
    this.#waitingBytes += length;
    if (piece.users === 0) this.#release(piece);
  }

  /** A receiver has passed this piece. */
  passed(piece: Piece): void {
    if (--piece.users === 0) this.#release(piece);
  }

  #release(piece: Piece): void {
    if (piece !== this.#first) {
      this.#waitingBytes -= piece.length;
      this.#passedBytes += piece.length;
      if (this.#waitingBytes === 0) this.#hadPassedAll = true;
    }
    if (piece.isLent) this.#relay?.release(piece.bytes);
  }

  /** A receiver has everything, or has gone and gives up all from `piece` on. */
  left(receiver: RelayReceiver, piece: Piece | null): void {
    if (!this.#receivers.delete(receiver)) return;
    for (let at = piece; at !== null; at = at.next) this.passed(at);
  }
}

class RelayReceiver implements OutgoingPayload {
  readonly #transfer: RelayTransfer;
  /** What it is being sent, from `#at` on; when that has gone, what comes after it is next. */
  #piece: Piece;
  #at = 0;
  isDone = false;

  constructor(transfer: RelayTransfer, first: Piece) {
    this.#transfer = transfer;
    this.#piece = first;
  }

  get isAtEnd(): boolean {
    return this.#transfer.isComplete && this.#piece.next === null;
  }

  get #hasPassed(): boolean {
    return this.#at === this.#piece.length;
  }

  next(): Uint8Array | null {
    if (this.#hasPassed) {
      const { next } = this.#piece;
      if (next === null) return null;
      this.#piece = next;
      this.#at = 0;
    }
    return this.#piece.bytes.subarray(this.#at, this.#piece.length);
  }

  sent(count: number): void {
    this.#at += count;
    if (!this.#hasPassed) return;
    this.#transfer.passed(this.#piece);
    if (!this.isAtEnd) return;
    this.isDone = true;
    this.close();
  }

  close(): void {
    this.#transfer.left(this, this.#hasPassed ? this.#piece.next : this.#piece);
  }
}
