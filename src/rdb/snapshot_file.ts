/**
 * The file that a snapshot is written to: under a temporary name until it is complete and on the
 * disk, so that whoever reads the real name finds a whole snapshot, the old one or the new one.
 *
 * Blocking: used by SAVE on the main thread and by the worker of BGSAVE.
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";

export class SnapshotFile {
  readonly #files: Files;
  readonly #folder: string;
  readonly #temporary: string;
  readonly #name: string;
  #file: OpenFile | null;

  /** Opens `temporary`; both names lie in `folder`. @throws SystemError, as all that follows */
  constructor(files: Files, folder: string, temporary: string, name: string) {
    this.#files = files;
    this.#folder = folder;
    this.#temporary = temporary;
    this.#name = name;
    this.#file = files.open(`${folder}/${temporary}`, "write");
  }

  /** Appends the first `length` bytes of `chunk`. */
  write(chunk: Uint8Array<ArrayBuffer>, length: number): void {
    this.#file!.write(chunk, 0, length);
  }

  /** Brings all bytes to the disk; `rename` and `syncFolder` complete the save. */
  finish(): void {
    this.#file!.sync();
    this.#file!.close();
    this.#file = null;
  }

  /** Gives the finished file its name. */
  rename(): void {
    renameSnapshot(this.#files, this.#folder, this.#temporary, this.#name);
  }

  /** Brings the name itself to the disk. */
  syncFolder(): void {
    this.#files.syncFolder(this.#folder);
  }

  /** Removes what was written. */
  abandon(): void {
    this.#file?.close();
    this.#file = null;
    removeIfThere(this.#files, `${this.#folder}/${this.#temporary}`);
  }
}

/** Gives a finished file its name; when that fails, the file is removed. @throws SystemError */
export function renameSnapshot(
  files: Files,
  folder: string,
  temporary: string,
  name: string,
): void {
  try {
    files.rename(`${folder}/${temporary}`, `${folder}/${name}`);
  } catch (error) {
    removeIfThere(files, `${folder}/${temporary}`);
    throw error;
  }
}

/**
 * `renameSnapshot` without waiting for the old file to be given up, which takes the system long when
 * it is large: the old file first gets a second name, and that goes away in the background.
 */
export function exchangeSnapshot(
  files: Files,
  folder: string,
  temporary: string,
  name: string,
): void {
  const old = `${folder}/${temporary}.old`;
  try {
    removeIfThere(files, old);
    files.link(`${folder}/${name}`, old);
  } catch {
    // There is none, or the file system has no links.
  }
  try {
    renameSnapshot(files, folder, temporary, name);
  } finally {
    files.removeSoon(old);
  }
}
