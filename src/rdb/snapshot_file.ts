/**
 * The file that a snapshot is written to: under a temporary name until it is complete and on the
 * disk, so that whoever reads the real name finds a whole snapshot, the old one or the new one.
 *
 * Blocking: used by SAVE on the main thread and by the worker of BGSAVE.
 */

export class SnapshotFile {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #name: string;
  #file: Deno.FsFile | null;

  /** Opens `temporary`; both names lie in `folder`. @throws what the system says */
  constructor(folder: string, temporary: string, name: string) {
    this.#folder = folder;
    this.#temporary = temporary;
    this.#name = name;
    this.#file = Deno.openSync(`${folder}/${temporary}`, {
      write: true,
      create: true,
      truncate: true,
    });
  }

  /** Appends the first `length` bytes of `chunk`. */
  write(chunk: Uint8Array, length: number): void {
    let at = 0;
    while (at < length) at += this.#file!.writeSync(chunk.subarray(at, length));
  }

  /** Brings all bytes to the disk; `rename` and `syncFolder` complete the save. */
  finish(): void {
    this.#file!.syncSync();
    this.#file!.close();
    this.#file = null;
  }

  /** Gives the finished file its name. */
  rename(): void {
    renameSnapshot(this.#folder, this.#temporary, this.#name);
  }

  /** Brings the name itself to the disk. */
  syncFolder(): void {
    using folder = Deno.openSync(this.#folder);
    folder.syncSync();
  }

  /** Removes what was written. */
  abandon(): void {
    this.#file?.close();
    this.#file = null;
    removeIfThere(`${this.#folder}/${this.#temporary}`);
  }
}

/** Gives a finished file its name; when that fails, the file is removed. @throws what the system says */
export function renameSnapshot(folder: string, temporary: string, name: string): void {
  try {
    Deno.renameSync(`${folder}/${temporary}`, `${folder}/${name}`);
  } catch (error) {
    removeIfThere(`${folder}/${temporary}`);
    throw error;
  }
}

/**
 * `renameSnapshot` without waiting for the old file to be given up, which takes the system long when
 * it is large: the old file first gets a second name, and that goes away in the thread pool.
 */
export function exchangeSnapshot(folder: string, temporary: string, name: string): void {
  const old = `${folder}/${temporary}.old`;
  try {
    removeIfThere(old);
    Deno.linkSync(`${folder}/${name}`, old);
  } catch {
    // There is none, or the file system has no links.
  }
  try {
    renameSnapshot(folder, temporary, name);
  } finally {
    Deno.remove(old).catch(() => {});
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
