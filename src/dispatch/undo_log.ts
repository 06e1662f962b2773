/** The log's lines about data that were replaced: that they are kept for UNDO, or gone. */

import {
  type DropReason,
  sealedBytes,
  type SealedDataset,
  type SealedDatasets,
  sealedKeys,
  type SealListener,
} from "../keyspace/sealed_datasets.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import type { Log } from "../observe/log.ts";

const REASONS: Readonly<Record<DropReason, string>> = {
  "asked for": "UNDO DROP",
  "undo-window": "undo-window is over",
  "undo-max-memory": "more than undo-max-memory would be kept",
  "maxmemory": "its memory is needed",
};

export class UndoLog implements SealListener {
  constructor(readonly log: Log, readonly datasets: SealedDatasets) {}

  /** SealListener. */
  sealed(dataset: SealedDataset): void {
    const { id, swapped } = dataset;
    const what = swapped === null
      ? `${sealedKeys(dataset)} keys (${formatBytes(sealedBytes(dataset))}) are kept`
      : "is noted";
    this.log.notice(
      `${whatWasDone(dataset)}: ${what} for ${
        this.datasets.windowMs / 1000
      } seconds, see UNDO RESTORE ${id}`,
    );
  }

  /** SealListener. */
  dropped(dataset: SealedDataset, keys: number, bytes: number, reason: DropReason): void {
    const isNormal = reason === "asked for" || reason === "undo-window";
    const what = `${keys} keys (${formatBytes(bytes)}) are let go of: ${REASONS[reason]}`;
    const line = `${whatWasDone(dataset)}: ${what}`;
    if (isNormal) this.log.notice(line);
    else this.log.warning(line);
  }
}

function whatWasDone({ cause, by }: SealedDataset): string {
  return `${cause} by ${by}`;
}
