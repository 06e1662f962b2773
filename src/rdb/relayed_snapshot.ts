/**
 * A snapshot for replicas, without a file: the worker sends the finished bytes back, and they are
 * handed to whoever passes them on (a full sync without a disk).
 *
 *     Snapshot  --chunks-->  worker (compression, checksum)  --finished bytes-->  RelayEvents.onBytes
 *               <--taken---                                  <----release------
 *
 * Buffers go both ways and are used again. The walk waits while too many of either kind are away.
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { FinishedForm, FromSaveWorker } from "./save_messages.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { type SaveWorker, SnapshotJob } from "./snapshot_job.ts";

/** Buffers of finished bytes that have not been released; the walk waits when there are more. */
const UNRELEASED_MAX = 16;

/** Longer strings are sent as they are, so that not all of one has to be in memory at a time. */
const COMPRESS_MAX = 4 << 20;

/** Who passes a relayed snapshot on. */
export interface RelayEvents {
  /**
   * The next finished bytes of the snapshot, in order: header, end mark and checksum included. The
   * first `length` bytes of `chunk`, which is the receiver's until it gives it back with `release`.
   */
  onBytes(chunk: Uint8Array<ArrayBuffer>, length: number): void;
  /** Null: everything has been handed to `onBytes`. Text: it has failed. Not called after `abort`. */
  onEnd(failure: string | null): void;
  /** Whether the walk should wait because receivers are slow; when that has changed, call `resume`. */
  isFull(): boolean;
  /** Whether receivers take bytes so slowly that it is worth while to compress them. */
  compresses(): boolean;
}

/** A snapshot under way whose bytes go to replicas. */
export interface Relay {
  readonly snapshot: { readonly keysTotal: number; readonly keysDone: number };
  /** Gives back a chunk that `onBytes` was handed. Also fine after the end. */
  release(chunk: Uint8Array<ArrayBuffer>): void;
  /** `isFull` of the receiver has changed: the walk goes on. */
  resume(): void;
  /** Gives it up; nothing happens when it is over. */
  abort(): void;
}

export class RelayedSnapshot extends SnapshotJob implements Relay {
  readonly #events: RelayEvents;
  readonly #ended: (failure: string | null) => void;
  #unreleased = 0;

  /** `ended` is called after `events.onEnd`, and when it is given up. Made by Persistence.startRelay. */
  constructor(
    keyspace: Keyspace,
    worker: SaveWorker,
    form: FinishedForm,
    options: SnapshotOptions,
    delay: () => number,
    events: RelayEvents,
    ended: (failure: string | null) => void,
  ) {
    super(keyspace, worker, null, form, { ...options, compressMax: COMPRESS_MAX }, delay);
    this.#events = events;
    this.#ended = ended;
  }

  /** SnapshotSink. */
  override isFull(): boolean {
    return super.isFull() || this.#unreleased > UNRELEASED_MAX || this.#events.isFull();
  }

  protected override get compresses(): boolean {
    return this.#events.compresses();
  }

  override abort(): void {
    if (this.isOver) return;
    super.abort();
    this.#ended("given up");
  }

  /** Ends it as if it had failed: those who wait for its bytes are told. */
  fail(reason: string): void {
    if (this.isOver) return;
    super.abort();
    this.#events.onEnd(reason);
    this.#ended(reason);
  }

  /** Gives back a chunk that `onBytes` was handed. Also fine after the end. */
  release(chunk: Uint8Array<ArrayBuffer>): void {
    this.#unreleased--;
    if (this.isOver) return;
    this.worker.send({ kind: "release", chunk }, [chunk.buffer]);
    this.schedule();
  }

  /** `isFull` of the receiver has changed: the walk goes on. */
  resume(): void {
    this.schedule();
  }

  protected override hear(message: FromSaveWorker): void {
    switch (message.kind) {
      case "bytes":
        this.#unreleased++;
        this.#events.onBytes(message.chunk, message.length);
        return;
      case "finished":
        this.isOver = true;
        this.#events.onEnd(null);
        this.#ended(null);
        return;
      case "failed":
        this.giveUp();
        this.#events.onEnd(message.message);
        this.#ended(message.message);
    }
  }
}
