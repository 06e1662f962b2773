/**
 * The file that a snapshot is written to: under a temporary name until it is complete and on the
 * disk, so that whoever reads the real name finds a whole snapshot, the old one or the new one.
 *
 * Blocking: used by SAVE on the main thread and by the worker of BGSAVE.
 */

export class SnapshotFile {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #path: string;
  #file: Deno.FsFile | null;

  /** Opens `temporary`; both names lie in `folder`. @throws what the system says */
  constructor(folder: string, temporary: string, name: string) {
    this.#folder = folder;
    this.#temporary = `${folder}/${temporary}`;
    this.#path = `${folder}/${name}`;
    this.#file = Deno.openSync(this.#temporary, { write: true, create: true, truncate: true });
  }

  /** Appends the first `length` bytes of `chunk`. */
  write(chunk: Uint8Array, length: number): void {
    let at = 0;
    while (at < length) at += this.#file!.writeSync(chunk.subarray(at, length));
  }

  /** Brings all bytes to the disk and gives the file its name. */
  commit(): void {
    this.#file!.syncSync();
    this.#file!.close();
    this.#file = null;
    try {
      Deno.renameSync(this.#temporary, this.#path);
    } catch (error) {
      removeIfThere(this.#temporary);
      throw error;
    }
    // The name itself is on the disk only when the folder is.
    using folder = Deno.openSync(this.#folder);
    folder.syncSync();
  }

  /** Removes what was written. */
  abandon(): void {
    if (this.#file === null) return;
    this.#file.close();
    this.#file = null;
    removeIfThere(this.#temporary);
  }
}

/** Removes a file, if it is there and may be removed. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Not there, or not ours.
  }
}
