/**
 * The file that a snapshot is written to: under a temporary name until it is complete and on the
 * disk, so that whoever reads the real name finds a whole snapshot, the old one or the new one.
 *
 * Blocking: used by SAVE on the main thread and by the worker of BGSAVE. What fails is an Error whose
 * message is the line for the log, as Redis words it.
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";

/** With `syncsAhead`, so much is written between two syncs, as in Redis. */
const SYNC_BYTES = 4 << 20;

export class SnapshotFile {
  readonly #files: Files;
  readonly #folder: string;
  readonly #temporary: string;
  readonly #name: string;
  #file: OpenFile | null;
  readonly #syncsAhead: boolean;
  #unsyncedBytes = 0;

  /**
   * Opens `temporary`; both names lie in `folder`. With `syncsAhead` the file is brought to the disk every few MB, so
   * that others who use the disk do not have to wait for all of it at once. @throws Error, as all that follows
   */
  constructor(
    files: Files,
    folder: string,
    temporary: string,
    name: string,
    syncsAhead: boolean,
  ) {
    this.#syncsAhead = syncsAhead;
    this.#files = files;
    this.#folder = folder;
    this.#temporary = temporary;
    this.#name = name;
    this.#file = attempt(
      `Failed opening the temp RDB file ${temporary} (in server root dir ${folder}) for saving`,
      () => files.open(`${folder}/${temporary}`, "write"),
    );
    // Until it has its name, or its process ends: see leftovers.ts.
    this.#file.tryLock();
  }

  /** Appends the first `length` bytes of `chunk`. */
  write(chunk: Uint8Array<ArrayBuffer>, length: number): void {
    this.#attemptWrite("write", (file) => file.write(chunk, 0, length));
    this.#unsyncedBytes += length;
    if (this.#syncsAhead && this.#unsyncedBytes >= SYNC_BYTES) this.finish();
  }

  /** Brings all bytes to the disk; `rename` and `syncFolder` complete the save. */
  finish(): void {
    this.#unsyncedBytes = 0;
    this.#attemptWrite("fsync", (file) => file.sync());
  }

  #attemptWrite(operation: string, work: (file: OpenFile) => void): void {
    attempt(
      `Write error while saving DB to the disk(${operation})`,
      () => work(this.#file!),
      ` (file ${this.#folder}/${this.#temporary})`,
    );
  }

  /** Gives the finished file its name. */
  rename(): void {
    renameSnapshot(this.#files, this.#folder, this.#temporary, this.#name);
  }

  /** Brings the name itself to the disk. */
  syncFolder(): void {
    this.#file?.close();
    this.#file = null;
    attempt(
      "Failed to fsync directory while saving DB",
      () => this.#files.syncFolder(this.#folder),
      ` (directory ${this.#folder})`,
    );
  }

  /** Removes what was written. */
  abandon(): void {
    this.#file?.close();
    this.#file = null;
    removeIfThere(this.#files, `${this.#folder}/${this.#temporary}`);
  }
}

/** Runs `work`; what it throws is told with `context` before it and `place` behind it. */
function attempt<T>(context: string, work: () => T, place = ""): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${context}: ${problemOf(error)}${place}`, { cause: error });
  }
}

/** Gives a finished file its name; when that fails, the file is removed. @throws Error */
export function renameSnapshot(
  files: Files,
  folder: string,
  temporary: string,
  name: string,
): void {
  try {
    attempt(
      `Error moving temp DB file ${temporary} on the final destination ${name} ` +
        `(in server root dir ${folder})`,
      () => files.rename(`${folder}/${temporary}`, `${folder}/${name}`),
    );
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
