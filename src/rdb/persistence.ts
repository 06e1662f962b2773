/**
 * Saving and loading the dataset: what SAVE, BGSAVE, the save points, the start and the end of the
 * server ask for. Leaves the bytes to the encoder and the walk to the snapshot.
 */

import type { Config } from "../config/config.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";

export class Persistence {
  /** Whether the dataset is being loaded: most commands answer -LOADING. */
  isLoading = false;
  /** Whether a background save is under way. */
  isSaving = false;
  /** Unix time in ms of the last successful save (or the start). */
  lastSaveMs: number;
  /** Whether the last background save went well. */
  lastSaveOk = true;

  constructor(readonly keyspace: Keyspace, readonly config: Config, readonly log: Log) {
    this.lastSaveMs = keyspace.nowMs;
  }

  /** Loads the file that the configuration names. */
  async load(): Promise<void> {}

  /** Called by the timer: save points, the end of a background save. */
  tick(_nowMs: number): void {}

  /** Saves at once; false when that failed (logged). */
  saveNow(): boolean {
    return true;
  }

  /** The server ends. */
  close(): void {}
}
