/**
 * A snapshot under way: drives its walk between requests and passes the chunks to the worker that
 * finishes them. What becomes of the finished bytes is for background_save.ts (a file) and
 * relayed_snapshot.ts (replicas) to say. See src/rdb/snapshot.ts and save_work.ts.
 */

import { blocks } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { isRefusal } from "../base/refused.ts";
import type { Runtime, WorkerPort, WorkerProgram } from "../runtime/runtime.ts";
import type { SavedDataset } from "./save_dataset.ts";
import { runSaveWork } from "./save_work.ts";
import type { FinishedForm, FromSaveWorker, SaveFile, ToSaveWorker } from "./save_messages.ts";
import { Snapshot, type SnapshotOptions, type SnapshotSink } from "./snapshot.ts";
import { keysPerSlice, nextSlice } from "./slice_delay.ts";

/** Time that the walk may take before requests get their turn, in ms. */
const SLICE_MS = 1;
/** Chunks that the worker has not dealt with; the walk waits when there are more. */
const CHUNKS_UNDER_WAY_MAX = 16;

const PROGRAM: WorkerProgram = {
  url: new URL("./save_worker.ts", import.meta.url),
  run: runSaveWork,
};

/**
 * The worker that finishes snapshots. Starting one holds up the event loop for more than ten
 * milliseconds, and ending one gives hardly any memory back: it is started before the server serves
 * anybody, and kept. It frees the memory that this thread has no use for.
 */
export class SaveWorker {
  #worker: WorkerPort | null = null;
  #job = 0;
  /** Hears what the worker says of the snapshot under way. */
  #onMessage: (message: FromSaveWorker) => void = () => {};

  constructor(readonly runtime: Runtime) {}

  start(): void {
    this.#worker ??= this.runtime.openWorker(
      PROGRAM,
      (message) => {
        const answer = message as FromSaveWorker;
        // What is said of a snapshot that was given up is no business of the one after it.
        if (answer.job === this.#job) this.#onMessage(answer);
      },
      (reason) => {
        this.end();
        this.#onMessage({ kind: "failed", job: this.#job, message: reason });
      },
    );
    if (this.#worker.isThread) blocks.freeElsewhere = this.#free;
  }

  readonly #free = (memory: ArrayBuffer): void => this.send({ kind: "free", memory }, [memory]);

  /** Begins a snapshot, to `file` or (null) back to `onMessage`; returns its number. */
  begin(
    file: SaveFile | null,
    form: FinishedForm,
    onMessage: (message: FromSaveWorker) => void,
  ): number {
    const job = ++this.#job;
    this.#onMessage = onMessage;
    this.send({ kind: "begin", job, file, form });
    return job;
  }

  send(message: ToSaveWorker, transfer: ArrayBuffer[] = []): void {
    this.start();
    this.#worker!.post(message, transfer);
  }

  end(): void {
    if (blocks.freeElsewhere === this.#free) blocks.freeElsewhere = null;
    this.#worker?.end();
    this.#worker = null;
  }
}

export abstract class SnapshotJob implements SnapshotSink {
  readonly snapshot: Snapshot;
  /** Nothing is to happen any more: done, failed or given up. */
  protected isOver = false;
  protected readonly worker: SaveWorker;
  protected readonly job: number;
  readonly #clock: Clock;
  readonly #delay: () => number;
  #underWay = 0;
  #isWalked = false;
  /** Whether the walk has been asked to go on. */
  #isScheduled = false;
  /** Keys for which `rdb-key-save-delay` has been waited, or is. */
  #delayedKeys = 0;

  /** `form` and `options` have to agree. `delay` is `rdb-key-save-delay`; see slice_delay.ts. */
  constructor(
    dataset: SavedDataset,
    worker: SaveWorker,
    file: SaveFile | null,
    form: FinishedForm,
    options: SnapshotOptions,
    delay: () => number,
  ) {
    this.worker = worker;
    this.#clock = dataset.clock;
    this.#delay = delay;
    this.job = worker.begin(file, form, (message) => this.#hear(message));
    this.snapshot = new Snapshot(dataset, this, options);
    this.schedule();
  }

  /** SnapshotSink. */
  readonly write = (
    chunk: Uint8Array<ArrayBuffer>,
    length: number,
    strings: Int32Array<ArrayBuffer> | null,
  ): void => {
    if (this.isOver) return;
    this.#underWay++;
    const { job } = this;
    this.worker.send({ kind: "chunk", job, chunk, length, strings }, [chunk.buffer]);
  };

  /** SnapshotSink. */
  isFull(): boolean {
    return this.#underWay > CHUNKS_UNDER_WAY_MAX;
  }

  /** Whether it is worth while to compress, if that is wanted at all. */
  protected get compresses(): boolean {
    return true;
  }

  /** Gives up: nothing is left of it, and nobody is told of its end. */
  abort(): void {
    if (this.isOver) return;
    this.giveUp();
    this.worker.send({ kind: "abandon", job: this.job });
  }

  /** Ends the walk, wherever it is. */
  protected giveUp(): void {
    this.isOver = true;
    if (!this.#isWalked) this.snapshot.abort();
  }

  /** Lets the walk go on, when others have had their turn. */
  protected schedule(keysDone = 0): void {
    if (this.#isScheduled || this.#isWalked || this.isOver) return;
    this.#isScheduled = true;
    this.#delayedKeys += keysDone;
    nextSlice(this.worker.runtime.timers, this.#delay, keysDone, () => this.#walk());
  }

  #walk(): void {
    this.#isScheduled = false;
    if (this.isOver || this.#isWalked || this.isFull()) return;
    const clock = this.#clock;
    const { snapshot } = this;
    const before = snapshot.keysDone;
    // Writes may have brought keys forward: with a fork they would have taken their time all the same.
    if (this.#delay() === 0) this.#delayedKeys = before;
    else if (before > this.#delayedKeys) return this.schedule(before - this.#delayedKeys);
    const untilKeys = before + keysPerSlice(this.#delay());
    let isWalked = false;
    snapshot.compresses = this.compresses;
    try {
      isWalked = snapshot.step(clock.monotonic() + SLICE_MS, () => clock.monotonic(), untilKeys);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.worker.send({ kind: "abandon", job: this.job });
      this.hear({ kind: "failed", job: this.job, message: "no memory for what has changed" });
      return;
    }
    if (!isWalked) {
      // With too much under way, somebody's answer brings the walk on.
      if (!this.isFull()) this.schedule(snapshot.keysDone - before);
      return;
    }
    this.#isWalked = true;
    this.worker.send({ kind: "end", job: this.job });
  }

  #hear(message: FromSaveWorker): void {
    if (message.kind === "taken") {
      this.#underWay--;
      if (!this.isOver) {
        this.snapshot.recycle(message.chunk);
        this.schedule();
      }
      return;
    }
    if (!this.isOver) this.hear(message);
  }

  /** The worker says something other than "taken". */
  protected abstract hear(message: FromSaveWorker): void;
}
