/**
 * Temporary files of servers that have ended in the midst of a save or a full sync: cleared away at the next
 * start in the same folder. A process id says nothing here (containers share folders and have ids of
 * their own), so whoever writes such a file has it locked, and the system takes the lock away with the process.
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files } from "../runtime/runtime.ts";

/**
 * Names of ours: `temp-<process>-<random>.rdb` of BGSAVE, with `-main` of SAVE, and of a full sync
 * `temp-<second>.<process>.<number>.rdb`; with `.old`, the file before. Redis's have fewer parts.
 */
const OURS = /^temp-(\d+-[0-9a-f]{8}(-main)?|\d+\.\d+\.\d+)\.rdb(\.old)?$/;

/** Removes what dead processes have left in a folder; returns the names. Never throws. */
export function removeLeftovers(files: Files, folder: string): string[] {
  const removed: string[] = [];
  for (const name of namesIn(files, folder)) {
    const path = `${folder}/${name}`;
    if (!OURS.test(name) || !isLeftover(files, path)) continue;
    removeIfThere(files, path);
    removed.push(name);
  }
  return removed;
}

function namesIn(files: Files, folder: string): string[] {
  try {
    return files.list(folder).filter(({ isFolder }) => !isFolder).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** An empty file may have been made just now, and is about to be locked. */
function isLeftover(files: Files, path: string): boolean {
  try {
    using file = files.open(path, "read");
    return file.sizeBytes() > 0 && file.tryLock();
  } catch {
    return false;
  }
}
