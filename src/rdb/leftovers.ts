/**
 * Temporary files of servers that have ended in the midst of a save or a full sync: cleared away at the next
 * start in the same folder. A process id says nothing here (containers share folders and have ids of
 * their own), so whoever writes such a file has it locked, and the system takes the lock away with the process.
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";

/**
 * Names of ours: `temp-<process>-<random>.rdb` of BGSAVE, with `-main` of SAVE and `-replicas` of one for replicas
 * alone, and of a full sync `temp-<second>.<process>.<number>.rdb`; with `.old`, the file before. Redis's have fewer parts. And
 * `temp-<process>-<random>-<number>.backlog` of the stream for slow replicas.
 */
const OURS =
  /^temp-((\d+-[0-9a-f]{8}(-main|-replicas)?|\d+\.\d+\.\d+)\.rdb(\.old)?|\d+-[0-9a-f]{8}-(rdb\d+-)?\d+\.backlog)$/;

/** How long a file can be there without being locked: its maker does both in one go. */
export const DOUBT_MS = 1_000;

/** Names of files: those removed, and empty ones, which may have been made just now and not be locked yet. */
export interface Leftovers {
  readonly removed: string[];
  readonly doubtful: string[];
}

/** Removes what dead processes have left in a folder. Never throws. */
export function removeLeftovers(files: Files, folder: string): Leftovers {
  const names = namesIn(files, folder).filter((name) => OURS.test(name));
  const doubtful = names.filter((name) => isEmpty(files, `${folder}/${name}`));
  const certain = names.filter((name) => !doubtful.includes(name));
  return { removed: removeUnlocked(files, folder, certain), doubtful };
}

/** Removes of these files those that are locked by nobody; returns their names. Never throws. */
export function removeUnlocked(files: Files, folder: string, names: readonly string[]): string[] {
  return names.filter((name) => {
    const path = `${folder}/${name}`;
    if (!isUnlocked(files, path)) return false;
    removeIfThere(files, path);
    return true;
  });
}

function namesIn(files: Files, folder: string): string[] {
  try {
    return files.list(folder).filter(({ isFolder }) => !isFolder).map(({ name }) => name);
  } catch {
    return [];
  }
}

function isEmpty(files: Files, path: string): boolean {
  return asked(files, path, (file) => file.sizeBytes() === 0);
}

function isUnlocked(files: Files, path: string): boolean {
  return asked(files, path, (file) => file.tryLock());
}

/** What an open file answers; false where it cannot be opened. */
function asked(files: Files, path: string, question: (file: OpenFile) => boolean): boolean {
  try {
    using file = files.open(path, "read");
    return question(file);
  } catch {
    return false;
  }
}
