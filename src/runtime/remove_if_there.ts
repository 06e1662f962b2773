/** Removing what may not be there. */

import type { Files } from "./runtime.ts";

/**
 * Removes a file, if it is there and may be removed. When it is there and cannot be, whoever then
 * makes it anew hears why.
 */
export function removeIfThere(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch {
    // Not there, or not ours.
  }
}
