/**
 * One replica of ours: what it has told of itself, how far it has come, and what its connection is
 * to send it next. The output of such a connection is not made of replies; it is, in this order,
 *
 *     lines ──► payload ──► stream
 *     +FULLRESYNC, +CONTINUE, newlines     the snapshot     the backlog, from a cursor on
 *
 * and the stream flows only when the replica is ready for it. The states are those of Redis:
 *
 *     none ──PSYNC──► wait-start ──snapshot begins──► wait-end ──► (a file: send-bulk) ──► online
 *       └────────────────────────── PSYNC that can be continued ─────────────────────────────┘
 *
 * A snapshot over the socket leaves the replica online, but without its stream until it has
 * acknowledged: so that it finds the end of the snapshot where what it reads ends.
 */

import { latin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { BacklogCursor } from "../propagation/backlog.ts";
import type { FieldQuestion } from "./bridge/field_probe.ts";
import type { Target } from "./bridge/target.ts";
import type { TranslatedHistory } from "./bridge/translated_history.ts";
import type { OutputFeed, ReplicaConnection } from "./host.ts";

export type ReplicaState =
  /** An ordinary client that may have told something with REPLCONF. */
  | "none"
  /** Waits for a snapshot to begin. */
  | "wait-start"
  /** Waits for the end of a snapshot to disk, or is being sent one as it is made. */
  | "wait-end"
  /** Is being sent the file of a snapshot. */
  | "send-bulk"
  | "online";

/** The part of a snapshot that a replica gets, with what stands around it. */
export interface OutgoingPayload {
  /** The next bytes; null when there are none at present. */
  next(): Uint8Array | null;
  sent(count: number): void;
  /** Whether all has been sent. */
  readonly isDone: boolean;
  /** Whether what `next` has shown last is the end of it. */
  readonly isAtEnd: boolean;
  /** The replica has gone, or needs it no more. */
  close(): void;
}

export class AttachedReplica implements OutputFeed {
  // What REPLCONF has told.
  listeningPort = 0;
  /** `ip-address`; empty when it has told none. */
  announcedAddress = "";
  hasCapaEof = false;
  hasCapaPsync2 = false;
  /** Its PSYNC may come while answers to it are still to go out: it reads them in order. */
  hasCapaEarlyPsync = false;
  /** The latest version of snapshots that it says it reads; 0 when it has not said so. */
  readsRdb = 0;
  /** The version of Valkey that it says it is, as `serverVersion` has it; 0 when it has not said so. */
  valkeyVersion = 0;
  /** It is known not to know fields that expire. */
  lacksFields = false;
  /** What it has been asked about them on this link. */
  fieldQuestion: FieldQuestion | null = null;
  /** The log has said of it that it may not be able to read all it is sent. */
  isWarnedOf = false;
  /** Wants the snapshot and nothing after it. */
  isRdbOnly = false;
  /** `rdb-filter-only`: wants a snapshot without keys, or without function libraries. */
  excludesData = false;
  excludesFunctions = false;

  /** Who it is spoken to as, from PSYNC on; null: nothing is translated for it. */
  target: Target | null = null;
  /** The history that it follows, if that is a translated one. */
  translation: TranslatedHistory | null = null;
  /** The version of the snapshot that it was sent on this link; 0 for none. */
  sentVersion = 0;

  state: ReplicaState = "none";
  /** Came with SYNC: it does not acknowledge, and gets no line before the snapshot. */
  isOld = false;
  /** Whether it has said on this link what it has; until then `ackOffset` says nothing. */
  hasAcknowledged = false;
  /** What it has, as an offset of our own history. */
  ackOffset = 0;
  /** When it last acknowledged, by the monotonic clock, as are all times here. */
  ackMs = 0;
  /** Offset in the AOF that it has synced, of `REPLCONF ACK n FACK m`. */
  syncedOffset = 0;
  /** Whether it has told of such an offset. */
  hasSynced = false;
  /** When it asked to be synchronized. */
  askedMs = 0;
  /** Until when it has to wait for a snapshot, as it has refused all that there are; 0 for one that has not. */
  pausedUntilMs = 0;
  /** When the last of the snapshot's bytes were taken by the system; for who came with SYNC also of the stream's. */
  progressMs = 0;
  /** Bytes of the payload that have gone. */
  payloadBytes = 0;
  /** It has acknowledged while the end of its snapshot was on its way. */
  hasAckedEnd = false;
  /** It gets no stream before it has acknowledged. */
  waitsForAck = false;
  payload: OutgoingPayload | null = null;
  /** Called when the payload has gone. */
  onPayloadSent: (replica: AttachedReplica) => void = () => {};
  /** Called when all there is of the stream has been sent: it has to be woken when there is more. */
  onIdle: () => void = () => {};
  /** What of the stream it gets next; null while it is to get none. */
  cursor: BacklogCursor | null = null;
  /** Why we have closed its connection; empty when it was not us. */
  closeCause = "";

  readonly #lines: Uint8Array[] = [];
  #lineAt = 0;
  /** What `next` has shown last. */
  #source: "none" | "line" | "payload" | "stream" = "none";

  constructor(readonly client: ReplicaConnection, readonly clock: Clock) {}

  /** Where it can be reached: what it announces, else what the connection shows. */
  get ip(): string {
    if (this.announcedAddress !== "") return this.announcedAddress;
    const { address } = this.client.transport;
    const colon = address.lastIndexOf(":");
    return colon < 0 ? address : address.slice(0, colon).replace(/^\[|\]$/g, "");
  }

  /** As the log names it. */
  get name(): string {
    const { ip } = this;
    if (ip === "") return `client id #${this.client.id}`;
    if (this.listeningPort === 0) return `${ip}:<unknown-replica-port>`;
    return ip.includes(":") ? `[${ip}]:${this.listeningPort}` : `${ip}:${this.listeningPort}`;
  }

  /** What a snapshot for it has to be; replicas with the same can share one. */
  get needs(): number {
    return (this.excludesData ? 1 : 0) | (this.excludesFunctions ? 2 : 0);
  }

  /** Whether the stream flows to it. */
  get isStreaming(): boolean {
    return this.state === "online" && !this.waitsForAck;
  }

  /** Whether it has said that it has everything up to `offset`. */
  hasAll(offset: number): boolean {
    return this.state === "online" && this.hasAcknowledged && this.ackOffset >= offset;
  }

  /** Sends a line, before everything that has not gone yet. */
  say(text: string): void {
    this.#lines.push(latin1(text));
    this.client.transport.wake();
  }

  /** Sends a snapshot. */
  give(payload: OutgoingPayload): void {
    this.payload = payload;
    this.progressMs = this.clock.monotonic();
    this.client.transport.wake();
  }

  /** OutputFeed. */
  next(): Uint8Array | null {
    if (this.#lines.length > 0) {
      this.#source = "line";
      const line = this.#lines[0];
      return this.#lineAt === 0 ? line : line.subarray(this.#lineAt);
    }
    if (this.payload !== null) {
      this.#source = "payload";
      return this.payload.next();
    }
    if (!this.isStreaming || this.cursor === null) return null;
    this.#source = "stream";
    const bytes = this.cursor.peek();
    if (bytes === null) this.onIdle();
    return bytes;
  }

  /** OutputFeed. */
  sent(count: number): void {
    switch (this.#source) {
      case "none":
        return;
      case "line":
        this.#lineAt += count;
        if (this.#lineAt < this.#lines[0].length) return;
        this.#lines.shift();
        this.#lineAt = 0;
        return;
      case "payload": {
        const { payload } = this;
        if (payload === null) return; // taken away meanwhile
        payload.sent(count);
        this.payloadBytes += count;
        this.progressMs = this.clock.monotonic();
        if (!payload.isDone) return;
        this.payload = null;
        this.onPayloadSent(this);
        return;
      }
      case "stream":
        this.cursor?.advance(count);
        // Others tell by their acknowledgements that they go on.
        if (this.isOld) this.progressMs = this.clock.monotonic();
    }
  }

  /** OutputFeed: of the stream, also what waits for the snapshot to be over, as far as it is in memory. */
  get pendingBytes(): number {
    return this.cursor === null ? 0 : this.cursor.heldBehindBytes;
  }

  /** OutputFeed: one value can be larger than any limit; dropped for that, it would come back to the same place. */
  get exemptBytes(): number {
    return this.cursor === null ? 0 : this.cursor.largestPieceBytes;
  }

  /** Ends its connection; `cause` is for the record. */
  close(cause: string): void {
    if (this.closeCause === "") this.closeCause = cause;
    this.client.transport.close(false);
  }

  /** Lets go of what it holds: the connection has ended. */
  drop(): void {
    this.payload?.close();
    this.payload = null;
    this.cursor?.close();
    this.cursor = null;
    this.#lines.length = 0;
    this.#source = "none";
  }
}
