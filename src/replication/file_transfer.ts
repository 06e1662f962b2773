/**
 * The file of a snapshot on its way to one replica: "$<length>" and the bytes, read ahead in pieces,
 * so that neither the disk nor the replica makes anybody else wait.
 *
 * The file is opened when the snapshot has ended: a later one that takes its name is another file.
 */

import { latin1 } from "../base/bytes.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { OutgoingPayload } from "./attached_replica.ts";

const PIECE_BYTES = 256 << 10;

export class FileTransfer implements OutgoingPayload {
  readonly totalBytes: number;
  readonly #file: OpenFile;
  /** Called when there is more to send. */
  readonly #onMore: () => void;
  readonly #onFailed: (failure: string) => void;
  /** Being sent: the line first, then pieces of the file. */
  #piece: Uint8Array<ArrayBuffer>;
  #at = 0;
  #length: number;
  /** Read ahead. */
  #ahead = new Uint8Array(PIECE_BYTES);
  #aheadLength = 0;
  #readBytes = 0;
  #isReading = false;
  #isClosed = false;
  isDone = false;

  /** @throws SystemError when the file cannot be opened */
  constructor(
    files: Files,
    path: string,
    onMore: () => void,
    onFailed: (failure: string) => void,
  ) {
    this.#file = files.open(path, "read");
    this.totalBytes = this.#file.sizeBytes();
    this.#onMore = onMore;
    this.#onFailed = onFailed;
    this.#piece = latin1(`$${this.totalBytes}\r\n`);
    this.#length = this.#piece.length;
    this.#read();
  }

  get isAtEnd(): boolean {
    return this.#readBytes === this.totalBytes && this.#aheadLength === 0;
  }

  next(): Uint8Array | null {
    if (this.#at === this.#length) {
      if (this.#aheadLength === 0) return null;
      const free = this.#piece.length === PIECE_BYTES ? this.#piece : new Uint8Array(PIECE_BYTES);
      this.#piece = this.#ahead;
      this.#length = this.#aheadLength;
      this.#at = 0;
      this.#ahead = free;
      this.#aheadLength = 0;
      this.#read();
    }
    return this.#piece.subarray(this.#at, this.#length);
  }

  sent(count: number): void {
    this.#at += count;
    if (this.#at < this.#length || !this.isAtEnd) return;
    this.isDone = true;
    this.close();
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#isClosed || this.#readBytes === this.totalBytes) return;
    this.#isReading = true;
    try {
      const count = await this.#file.readSoon(this.#ahead);
      if (this.#isClosed) return;
      if (count === 0) throw new Error("the file has become shorter");
      this.#readBytes += count;
      this.#aheadLength = count;
      this.#onMore();
    } catch (error) {
      if (!this.#isClosed) this.#onFailed(problemOf(error));
    } finally {
      this.#isReading = false;
      if (this.#isClosed) this.#file.close();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isReading) this.#file.close();
  }
}
