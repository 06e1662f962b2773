/** One background save (BGSAVE): a snapshot that the worker writes to a file. */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { FinishedForm, FromSaveWorker, SaveFile } from "./save_messages.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { exchangeSnapshot } from "./snapshot_file.ts";
import { type SaveWorker, SnapshotJob } from "./snapshot_job.ts";

/** How it ended: the error's message, or null when the file is there. */
export type SaveEnded = (failure: string | null) => void;

export class BackgroundSave extends SnapshotJob {
  readonly #file: SaveFile;
  readonly #ended: SaveEnded;

  constructor(
    keyspace: Keyspace,
    worker: SaveWorker,
    file: SaveFile,
    form: FinishedForm,
    options: SnapshotOptions,
    delay: () => number,
    ended: SaveEnded,
  ) {
    super(keyspace, worker, file, form, options, delay);
    this.#file = file;
    this.#ended = ended;
  }

  protected override hear(message: FromSaveWorker): void {
    switch (message.kind) {
      case "finished":
        this.#rename();
        return;
      case "done":
        this.isOver = true;
        this.#ended(null);
        return;
      case "failed":
        this.giveUp();
        this.#ended(message.message);
    }
  }

  /** Here and not in the worker, so that a save that was given up cannot replace a later one. */
  #rename(): void {
    const { folder, temporary, name } = this.#file;
    try {
      exchangeSnapshot(this.worker.runtime.files, folder, temporary, name);
      this.worker.send({ kind: "renamed", job: this.job });
    } catch (error) {
      this.abort();
      this.#ended(problemOf(error));
    }
  }
}
