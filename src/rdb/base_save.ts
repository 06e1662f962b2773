/**
 * The snapshot that an append-only file is based on: written by the worker like that of BGSAVE, but it
 * is for its maker to give it its name when it is complete.
 */

import type { SavedDataset } from "./save_dataset.ts";
import type { FinishedForm, FromSaveWorker, SaveFile } from "./save_messages.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { type SaveWorker, SnapshotJob } from "./snapshot_job.ts";

/** Who wants a base. */
export interface BaseEvents {
  /** The file is complete and on the disk: gives it its name. What it throws ends the save as failed. */
  finished(): void;
  /** What its form cannot say of a key; a part of a line for the log. */
  remark(what: string): void;
  /** It is over: null when the file is on the disk under its name, else what was wrong. */
  ended(failure: string | null): void;
}

export class BaseSave extends SnapshotJob {
  readonly #events: BaseEvents;

  constructor(
    dataset: SavedDataset,
    worker: SaveWorker,
    file: SaveFile,
    form: FinishedForm,
    options: SnapshotOptions,
    delay: () => number,
    events: BaseEvents,
  ) {
    super(dataset, worker, file, form, options, delay);
    this.#events = events;
  }

  protected override hear(message: FromSaveWorker): void {
    switch (message.kind) {
      case "remark":
        this.#events.remark(message.message);
        return;
      case "finished":
        this.#name();
        return;
      case "done":
        this.isOver = true;
        this.#events.ended(null);
        return;
      case "failed":
        this.giveUp();
        this.#events.ended(message.message);
    }
  }

  #name(): void {
    try {
      this.#events.finished();
      this.worker.send({ kind: "renamed", job: this.job });
    } catch (error) {
      this.abort();
      this.#events.ended(error instanceof Error ? error.message : String(error));
    }
  }
}
