/** What has been measured now, together with what earlier runs have kept. */

import { type FullSyncResult, type RuntimeResults, SYNC_PARTS } from "./figures.ts";
import { SYNC_MODES } from "./full_sync.ts";

/** Each part, and of full syncs each mode, as it was measured now, else as it was kept. */
export function withKept(now: RuntimeResults, kept: RuntimeResults | undefined): RuntimeResults {
  if (kept === undefined) return now;
  const isNew = (old: FullSyncResult) =>
    now.fullSync.some((result) =>
      result.part === old.part && result.mode === old.mode && result.replicas === old.replicas
    );
  return {
    ...kept,
    ...now,
    measured: { ...kept.measured, ...now.measured },
    fullSync: [...kept.fullSync.filter((old) => !isNew(old)), ...now.fullSync].toSorted(inOrder),
  };
}

/** The order of pages and charts. */
function inOrder(a: FullSyncResult, b: FullSyncResult): number {
  return SYNC_PARTS.indexOf(a.part) - SYNC_PARTS.indexOf(b.part) ||
    a.replicas - b.replicas ||
    modeIndex(a) - modeIndex(b);
}

function modeIndex({ mode }: FullSyncResult): number {
  return SYNC_MODES.findIndex(({ title }) => title === mode);
}
