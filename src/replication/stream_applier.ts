/**
 * Runs what the stream of a master says, and hands the same bytes on: into our own stream, and so to
 * the backlog and to our replicas.
 *
 * The offset of our stream is always that of what has been carried out, which is what may be
 * acknowledged and what a resync goes on from. A transaction counts once EXEC has been carried out:
 *
 *     ... SET  MULTI  INCR  INCR | SET  EXEC  DEL ...        | the end of what has come so far
 *     relayed ^       held       ^
 *
 * so that a link that is cut in the middle of one begins again with its MULTI. In the same way a request that takes
 * long (dispatch/sliced_calls.ts) counts once it has been carried out; nothing behind it is looked at before. See
 * "Bytes of a master are handed on" in NOTES.
 */

import type { MasterClient, ReplicationHost } from "./host.ts";
import type { RequestParser } from "../resp/parser.ts";
import type { Words } from "../resp/words.ts";

/** Bytes of the stream that are not counted yet, and do not change. */
interface Held {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

export class StreamApplier {
  readonly #parser: RequestParser;
  /** The bytes of a transaction that is not complete, from its MULTI on, or of the request that is under way. */
  #held: Held[] = [];
  #heldBytes = 0;
  #isInTurn = false;
  /** Where in the parser's buffer this turn began. */
  #turnFrom = 0;
  /** Where in it the latest transaction of this turn began; -1 for none. */
  #multiAt = -1;
  /** Where in it the request begins that is not to be carried out, nor what is behind it; -1 for none. */
  #stopAt = -1;

  /** `client.parser` must be there. */
  constructor(readonly host: ReplicationHost, readonly client: MasterClient) {
    this.#parser = client.parser!;
    client.onTransaction = () => {
      this.#multiAt = this.#parser.position;
    };
    client.onKeep = () => this.#keep();
  }

  /** The request at hand is kept: what is before it counts, it itself will. */
  #keep(): Words {
    const parser = this.#parser;
    this.#releaseHeld();
    this.#relay(this.#turnFrom, parser.position);
    const kept = parser.keepRequest();
    this.#held.push({ bytes: kept.bytes, at: kept.requestAt, end: kept.requestEnd });
    this.#heldBytes = kept.requestEnd - kept.requestAt;
    this.#turnFrom = parser.position;
    this.#multiAt = -1;
    return kept;
  }

  /** Carries out all requests that have come completely. A fault of ours in one of them counts as its failure. */
  turn(): void {
    const { host, client } = this;
    const parser = this.#parser;
    this.#isInTurn = true;
    this.#turnFrom = parser.position;
    this.#multiAt = -1;
    for (;;) {
      try {
        host.processMasterInput(client);
        break;
      } catch (error) {
        // What failed is behind us: each further try begins with the next request.
        host.masterCommandFault(client, error);
      }
    }
    this.settle();
  }

  /** The request at hand is not carried out, and does not count. Nothing follows: the link ends. */
  stopBefore(): void {
    this.#stopAt = this.#parser.position;
    this.client.isClosing = true;
  }

  /** Counts what has been carried out in this turn; also called when it ends before its time. */
  settle(): void {
    if (!this.#isInTurn) return;
    this.#isInTurn = false;
    const from = this.#turnFrom;
    const to = this.#stopAt >= 0 ? this.#stopAt : this.#parser.position;
    if (this.client.park !== null) return; // nothing has been carried out since `#keep`
    if (!this.client.isInMulti) {
      this.#releaseHeld();
      this.#relay(from, to);
    } else if (this.#multiAt >= 0) {
      this.#releaseHeld();
      this.#relay(from, this.#multiAt);
      this.#hold(this.#multiAt, to);
    } else this.#hold(from, to);
  }

  /** What was kept has been carried out, and nothing behind it will be: it counts. */
  turnOver(): void {
    this.#releaseHeld();
  }

  /** Offset of what has been carried out; in a turn, up to the request that is being carried out. */
  get offset(): number {
    const { offset } = this.host.keyspace.stream;
    if (!this.#isInTurn || this.client.park !== null) return offset;
    if (!this.client.isInMulti) {
      return offset + this.#heldBytes + this.#parser.position - this.#turnFrom;
    }
    return this.#multiAt < 0 ? offset : offset + this.#heldBytes + this.#multiAt - this.#turnFrom;
  }

  /** Offset of what has come. */
  get readOffset(): number {
    const { offset } = this.host.keyspace.stream;
    const consumed = this.#isInTurn ? this.#parser.position - this.#turnFrom : 0;
    return offset + this.#heldBytes + consumed + this.#parser.pendingBytes;
  }

  #relay(from: number, to: number): void {
    this.host.keyspace.stream.relay(this.#parser.bytes, from, to - from);
  }

  #hold(from: number, to: number): void {
    if (to === from) return;
    const bytes = this.#parser.bytes.slice(from, to);
    this.#held.push({ bytes, at: 0, end: bytes.length });
    this.#heldBytes += to - from;
  }

  #releaseHeld(): void {
    if (this.#heldBytes === 0) return;
    const { stream } = this.host.keyspace;
    for (const { bytes, at, end } of this.#held) stream.relay(bytes, at, end - at, true);
    this.#held = [];
    this.#heldBytes = 0;
  }
}
