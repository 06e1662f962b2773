/**
 * The receiving side of a full sync: takes the bytes of a snapshot as they come from the master,
 * builds the dataset beside the one that is being served, and exchanges the two once the new one is
 * whole and its checksum right.
 */

import type { Config } from "../config/config.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";

/** The receiver should stop reading while so many bytes wait. */
export const RECEIVED_MAX = 4 << 20;

export interface ReplicaLoadOptions {
  /** Bytes of the snapshot if announced ("$n"), else null (it ends where the sender says). */
  readonly totalBytes: number | null;
  /**
   * "file": into a temporary file in `dir`, and loaded from it when complete (`repl-diskless-load
   * disabled`); "stream": loaded while it arrives.
   */
  readonly mode: "file" | "stream";
}

export class ReplicaLoad {
  /** Called when `waitingBytes` has fallen below RECEIVED_MAX after having been over it. */
  onDrained: () => void = () => {};
  /** Bytes taken with `push`. */
  receivedBytes = 0;
  /** The aux fields `repl-stream-db` (0 if absent), `repl-id` and `repl-offset` (null if absent). */
  replicationDatabase = 0;
  replicationId: string | null = null;
  replicationOffset: number | null = null;

  constructor(
    readonly keyspace: Keyspace,
    readonly config: Config,
    readonly log: Log,
    readonly options: ReplicaLoadOptions,
  ) {}

  /**
   * Takes the next received bytes; copies what it needs to keep. Never throws: what is wrong with
   * the bytes, `finish` rejects with; `onFailed` tells it at once.
   */
  push(_bytes: Uint8Array, _offset: number, length: number): void {
    this.receivedBytes += length;
  }

  /** Called once when the load has failed before `finish` was called: no more bytes are needed. */
  onFailed: (failure: Error) => void = () => {};

  /** Received, and neither loaded nor in the file yet. Stop reading while it is over RECEIVED_MAX. */
  get waitingBytes(): number {
    return 0;
  }

  /** Bytes that have been read into the new dataset. */
  get loadedBytes(): number {
    return 0;
  }

  /** Keys of the new dataset so far. */
  get keysLoaded(): number {
    return 0;
  }

  /** Whether bytes are being read into the new dataset, or have been and wait for `swap`. */
  get isLoading(): boolean {
    return false;
  }

  /** Keys in the new dataset. */
  get keyCount(): number {
    return 0;
  }

  /**
   * All bytes have come. Resolves when the dataset is whole and its checksum right. Rejects with an
   * RdbError or the system's error; nothing of the dataset being served has been touched then.
   */
  finish(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Exchanges the dataset being served for the new one, at once; only after `finish` has resolved.
   * Fails the transactions that watch keys which were there or are there now, lets blocked clients
   * look again, gives up a background save of the old dataset, and sees to the received file:
   * it becomes `dbfilename`, or is removed (`rdb-del-sync-files`, and nothing is ever saved).
   */
  swap(): void {}

  /** Gives up: removes the file, forgets the data. Also to be called after a failure; may be repeated. */
  abandon(): void {}
}
