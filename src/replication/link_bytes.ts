/**
 * The bytes of a link to our master: lines and snapshot are read through a buffer, the stream goes on behind them into
 * a parser's, and requests go out one after the other. What a master sends is read only when it is asked for here.
 */

import { toLatin1 } from "../base/bytes.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { ReplicationHost } from "./host.ts";
import { LinkFailure } from "./link_failure.ts";
import type { LinkSocket } from "./link_socket.ts";

/** Where the bytes of handshake and snapshot are read into; the stream has the parser's buffer. */
const BUFFER_BYTES = 128 * 1024;
/** Longest line of a handshake. */
const LINE_BYTES_MAX = 16 * 1024;

/** The link that these are of. */
export interface LinkBytesOwner {
  /** What is to be acknowledged at present, as a request. */
  acknowledgement(): Uint8Array;
  /** Nothing can be sent any more. */
  failed(failure: LinkFailure): void;
}

export class LinkBytes {
  /** When something last came, or when it was our turn, by the monotonic clock. */
  lastReadMs: number;
  isWriting = false;
  /** What a failed read means at present. */
  readFailure = (why: string): LinkFailure => new LinkFailure(why);
  #socket: LinkSocket | null = null;
  #isOver = false;
  #buffer = new Uint8Array(0);
  #from = 0;
  #to = 0;
  /** Requests on their way out. */
  readonly #outgoing: Uint8Array[] = [];
  #owesAck = false;

  constructor(readonly host: ReplicationHost, readonly owner: LinkBytesOwner) {
    this.lastReadMs = host.clock.monotonic();
  }

  /** The connection is there. */
  open(socket: LinkSocket): void {
    this.#socket = socket;
    this.#buffer = new Uint8Array(BUFFER_BYTES);
    this.lastReadMs = this.host.clock.monotonic();
  }

  /** The link has ended: who is reading gets a failure. */
  close(): void {
    this.#isOver = true;
    this.#socket?.close();
  }

  // -- reading -----------------------------------------------------------------------------

  /** The next line, without its end. @throws LinkFailure */
  async line(): Promise<string> {
    let looked = 0;
    for (;;) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(10, this.#from + looked);
      if (end >= 0) {
        const line = toLatin1(this.#buffer, this.#from, end - this.#from);
        this.#from = end + 1;
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      looked = this.#to - this.#from;
      if (looked > LINE_BYTES_MAX) throw this.readFailure("a line without an end");
      await this.read();
    }
  }

  /** Reads more into the buffer. @throws LinkFailure */
  async read(): Promise<void> {
    if (this.#from === this.#to) this.#from = this.#to = 0;
    else if (this.#to === this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    let count: number;
    try {
      count = await this.#socket!.read(this.#buffer.subarray(this.#to));
    } catch (error) {
      throw this.readFailure(problemOf(error));
    }
    if (this.#isOver) throw this.readFailure("the link has ended");
    if (count === 0) throw this.readFailure("connection lost");
    this.#to += count;
    this.#countRead(count);
  }

  /** Has `taker` take of what is in the buffer, from `from` up to `to`; it answers up to where it has. */
  take(taker: (bytes: Uint8Array<ArrayBuffer>, from: number, to: number) => number): void {
    this.#from = taker(this.#buffer, this.#from, this.#to);
  }

  /** Whether there is something in the buffer. */
  get hasMore(): boolean {
    return this.#from < this.#to;
  }

  /** Moves as much of the buffer there as fits; answers how many bytes. */
  moveTo(space: Uint8Array): number {
    const count = Math.min(space.length, this.#to - this.#from);
    space.set(this.#buffer.subarray(this.#from, this.#from + count));
    this.#from += count;
    return count;
  }

  /**
   * From here on what comes goes to where `space` says, and `took` is called with how many bytes it was, in the call that
   * brings them; nothing is read while a promise of it is open. The buffer, which has to be empty, is given back. Answers
   * why nothing comes any more; null where the master has closed.
   */
  async readAll(
    space: () => Uint8Array<ArrayBuffer>,
    took: (count: number) => void | Promise<void>,
  ): Promise<string | null> {
    this.#buffer = new Uint8Array(0);
    return await this.#socket!.readAll(space, (count) => {
      this.#countRead(count);
      return took(count);
    });
  }

  #countRead(count: number): void {
    const { statistics, clock } = this.host;
    statistics.netInputBytes += count;
    statistics.netReplicationInputBytes += count;
    statistics.readsProcessed++;
    this.lastReadMs = clock.monotonic();
  }

  // -- writing -----------------------------------------------------------------------------

  send(bytes: Uint8Array): void {
    this.#outgoing.push(bytes);
    if (!this.isWriting) this.#write();
  }

  /** Sends an acknowledgement, of what is to be acknowledged once what is on its way out has gone. */
  acknowledge(): void {
    if (this.isWriting) this.#owesAck = true;
    else this.send(this.owner.acknowledgement());
  }

  async #write(): Promise<void> {
    const { statistics } = this.host;
    this.isWriting = true;
    try {
      for (;;) {
        const bytes = this.#outgoing.shift();
        if (bytes === undefined) break;
        await this.#socket!.write(bytes);
        statistics.netOutputBytes += bytes.length;
        statistics.writesProcessed++;
        if (this.#isOver) return;
        if (this.#owesAck && this.#outgoing.length === 0) {
          this.#owesAck = false;
          this.#outgoing.push(this.owner.acknowledgement());
        }
      }
    } catch (error) {
      this.owner.failed(new LinkFailure(`I/O error writing to MASTER: ${problemOf(error)}`));
    }
    this.isWriting = false;
  }
}
