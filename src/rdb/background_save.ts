/**
 * One background save: drives the walk of a snapshot between requests and passes its chunks to the
 * worker that writes the file. See src/rdb/snapshot.ts and save_worker.ts.
 */

import type { Clock } from "../base/clock.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { FromSaveWorker, ToSaveWorker } from "./save_messages.ts";
import { renameSnapshot } from "./snapshot_file.ts";
import { Snapshot, type SnapshotOptions, type SnapshotSink } from "./snapshot.ts";

/** Time that the walk may take before requests get their turn, in ms. */
const SLICE_MS = 1;
/** Chunks that the worker has not dealt with; the walk waits when there are more. */
const CHUNKS_UNDER_WAY_MAX = 16;

/**
 * The worker that writes snapshot files. Starting one holds up the event loop for more than ten
 * milliseconds, and ending one gives hardly any memory back: it is started before the server serves
 * anybody, and kept.
 */
export class SaveWorker {
  #worker: Worker | null = null;
  /** Hears what the worker says. */
  onMessage: (message: FromSaveWorker) => void = () => {};

  start(): void {
    if (this.#worker !== null) return;
    this.#worker = new Worker(new URL("./save_worker.ts", import.meta.url), { type: "module" });
    const worker = this.#worker;
    worker.onmessage = ({ data }: MessageEvent<FromSaveWorker>) => this.onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end();
      this.onMessage({ kind: "failed", message: event.message });
    };
  }

  send(message: ToSaveWorker, transfer: Transferable[] = []): void {
    this.start();
    this.#worker!.postMessage(message, transfer);
  }

  end(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** Where the file goes and how it is written. */
export interface SaveTarget {
  readonly folder: string;
  readonly temporary: string;
  readonly name: string;
  readonly compress: boolean;
  readonly checksum: boolean;
}

/** How it ended: the error's message, or null when the file is there. */
export type SaveEnded = (failure: string | null) => void;

export class BackgroundSave implements SnapshotSink {
  readonly snapshot: Snapshot;
  readonly #worker: SaveWorker;
  readonly #target: SaveTarget;
  readonly #clock: Clock;
  readonly #ended: SaveEnded;
  #underWay = 0;
  #isWalked = false;
  #isOver = false;
  /** Whether the walk has been asked to go on. */
  #isScheduled = false;

  constructor(
    keyspace: Keyspace,
    worker: SaveWorker,
    target: SaveTarget,
    options: SnapshotOptions,
    ended: SaveEnded,
  ) {
    this.#worker = worker;
    this.#target = target;
    this.#clock = keyspace.clock;
    this.#ended = ended;
    worker.onMessage = (message) => this.#hear(message);
    worker.send({ kind: "begin", ...target });
    this.snapshot = new Snapshot(keyspace, this, options);
    this.#schedule();
  }

  /** SnapshotSink. */
  readonly write = (
    chunk: Uint8Array<ArrayBuffer>,
    length: number,
    strings: Int32Array<ArrayBuffer> | null,
  ): void => {
    if (this.#isOver) return;
    this.#underWay++;
    this.#worker.send({ kind: "chunk", chunk, length, strings }, [chunk.buffer]);
  };

  /** SnapshotSink. */
  isFull(): boolean {
    return this.#underWay > CHUNKS_UNDER_WAY_MAX;
  }

  /** Gives up: nothing is left of the save, and `ended` is not called. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isWalked) this.snapshot.abort();
    this.#worker.send({ kind: "abandon" });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWalked || this.#isOver) return;
    this.#isScheduled = true;
    setTimeout(() => this.#walk(), 0);
  }

  #walk(): void {
    this.#isScheduled = false;
    if (this.#isOver || this.#isWalked) return;
    const clock = this.#clock;
    if (!this.snapshot.step(clock.monotonic() + SLICE_MS, () => clock.monotonic())) {
      // With too much under way, the answer of the worker brings the walk on.
      if (!this.isFull()) this.#schedule();
      return;
    }
    this.#isWalked = true;
    this.#worker.send({ kind: "end" });
  }

  #hear(message: FromSaveWorker): void {
    if (message.kind === "taken") {
      this.#underWay--;
      if (!this.#isOver) {
        this.snapshot.recycle(message.chunk);
        this.#schedule();
      }
      return;
    }
    if (this.#isOver) return;
    if (message.kind === "finished") {
      this.#rename();
      return;
    }
    this.#isOver = true;
    if (message.kind === "done") this.#ended(null);
    else {
      if (!this.#isWalked) this.snapshot.abort();
      this.#ended(message.message);
    }
  }
  /** Here and not in the worker, so that a save that was given up cannot replace a later one. */
  #rename(): void {
    const { folder, temporary, name } = this.#target;
    try {
      renameSnapshot(folder, temporary, name);
      this.#worker.send({ kind: "renamed" });
    } catch (error) {
      this.#isOver = true;
      this.#worker.send({ kind: "abandon" });
      this.#ended(error instanceof Error ? error.message : String(error));
    }
  }
}
