/**
 * The folder of the append-only file (`appenddirname` in `dir`): reads and writes the manifest there,
 * takes over a single file of before Redis 7, removes what is history. What is wrong is an Error whose
 * message is the line for the log, as Redis words it.
 */

import { latin1 } from "../base/bytes.ts";
import type { Config } from "../config/config.ts";
import { toPath } from "../config/parse.ts";
import type { Log } from "../observe/log.ts";
import { removeUnlocked } from "../rdb/leftovers.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { Manifest, ManifestError } from "./manifest.ts";

export class AofFolder {
  constructor(readonly config: Config, readonly log: Log, readonly files: Files) {}

  /** `appendfilename`, a byte string, which all names begin with. */
  get prefix(): string {
    return this.config.value("appendfilename");
  }

  get #dir(): string {
    return toPath(this.config.value("dir"));
  }

  /** `appenddirname`, a byte string. */
  get name(): string {
    return this.config.value("appenddirname");
  }

  /** The folder, with its whole path. */
  get path(): string {
    return `${this.#dir}/${toPath(this.name)}`;
  }

  /** The whole path of a file in it, whose name is a byte string. */
  pathOf(name: string): string {
    return `${this.path}/${toPath(name)}`;
  }

  get #manifestName(): string {
    return `${this.prefix}.manifest`;
  }

  /** Changes collect here while the first base of a running server is being written. */
  get temporaryIncrement(): string {
    return `temp-${this.prefix}.incr`;
  }

  /** Where the append-only file of before Redis 7 is. */
  get #oldPath(): string {
    return `${this.#dir}/${toPath(this.prefix)}`;
  }

  /** Whether there is an append-only file, be it the single one of before Redis 7. */
  get isThere(): boolean {
    return this.#has(this.pathOf(this.#manifestName)) || this.#hasOldFile;
  }

  get #hasOldFile(): boolean {
    return this.files.info(this.#oldPath)?.isFolder === false;
  }

  #has(path: string): boolean {
    return this.files.info(path) !== null;
  }

  /** Makes the folder, if there is none. @throws Error */
  ensure(): void {
    attempt(
      `Can't open or create append-only dir ${this.name}`,
      () => this.files.makeFolder(this.path),
    );
  }

  /** Opens a file of the folder for writing at its end. @throws Error */
  openForAppending(name: string): OpenFile {
    return attempt(
      `Can't open the append-only file ${name}`,
      () => this.files.open(this.pathOf(name), "append", 0o644),
    );
  }

  /** The same, of a file that is to be empty. @throws Error */
  createForAppending(name: string): OpenFile {
    return attempt(`Can't open the append-only file ${name}`, () => {
      this.files.open(this.pathOf(name), "write", 0o644).close();
      return this.files.open(this.pathOf(name), "append");
    });
  }

  /** Brings the names in the folder, and its own, to the disk. @throws Error */
  syncNames(): void {
    attempt(`Fail to fsync AOF directory ${this.name}`, () => {
      this.files.syncFolder(this.path);
      this.files.syncFolder(this.#dir);
    });
  }

  /** Brings a file of the folder to the disk. @throws Error */
  sync(name: string): void {
    attempt(`Fail to fsync the AOF file ${name}`, () => {
      using file = this.files.open(this.pathOf(name), "append");
      file.sync();
    });
  }

  /** Size of a file of the folder. @throws Error */
  sizeOf(name: string): number {
    const info = attempt(
      `Unable to obtain the AOF file ${name} length. stat`,
      () => this.files.info(this.pathOf(name)),
    );
    if (info !== null) return info.sizeBytes;
    throw new Error(
      `Unable to obtain the AOF file ${name} length. stat: No such file or directory`,
    );
  }

  // -- the manifest --------------------------------------------------------------------------

  /** The manifest, empty where there is none. @throws Error, the lines before its message being logged */
  read(): Manifest {
    const path = this.pathOf(this.#manifestName);
    if (!this.#has(path)) {
      this.log.debug(
        this.#has(this.path)
          ? `The AOF manifest file ${this.#manifestName} doesn't exist`
          : `The AOF directory ${this.name} doesn't exist`,
      );
      return new Manifest();
    }
    const bytes = attempt(
      `Fatal error: can't open the AOF manifest file ${path} for reading`,
      () => this.files.read(path),
    );
    try {
      return Manifest.parse(bytes);
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      this.log.warning("*** FATAL AOF MANIFEST FILE ERROR ***");
      if (error.line !== null) {
        this.log.warning(`Reading the manifest file, at line ${error.lineNumber}`);
        this.log.warning(`>>> '${error.line}'`);
      }
      throw error;
    }
  }

  /** Writes the manifest and brings it to the disk; whoever reads it finds the old one or this. @throws Error */
  write(manifest: Manifest): void {
    const text = latin1(manifest.toText());
    const { files } = this;
    const { temporary, temporaryPath, path } = this.#manifestPaths();
    using file = attempt(
      `Can't open the AOF manifest file ${temporary}`,
      () => files.open(temporaryPath, "write", 0o644),
    );
    attempt(
      `Error trying to write the temporary AOF manifest file ${temporary}`,
      () => file.write(text, 0, text.length),
    );
    attempt(`Fail to fsync the temp AOF file ${temporary}`, () => file.sync());
    this.#exchange(temporary, temporaryPath, path);
    attempt(`Fail to fsync AOF directory ${path}`, () => files.syncFolder(this.path));
  }

  /**
   * The same while the server serves: what takes the disk long is left to the background. `isNamed` is
   * called when it has taken the place of the one before, also where that may not be on the disk.
   */
  async writeSoon(manifest: Manifest, isNamed: () => void): Promise<void> {
    const text = latin1(manifest.toText());
    const { files } = this;
    const { temporary, temporaryPath, path } = this.#manifestPaths();
    using file = attempt(
      `Can't open the AOF manifest file ${temporary}`,
      () => files.open(temporaryPath, "write", 0o644),
    );
    attempt(
      `Error trying to write the temporary AOF manifest file ${temporary}`,
      () => file.write(text, 0, text.length),
    );
    await attemptSoon(`Fail to fsync the temp AOF file ${temporary}`, () => file.syncSoon());
    this.#exchange(temporary, temporaryPath, path);
    isNamed();
    await attemptSoon(
      `Fail to fsync AOF directory ${path}`,
      () => files.syncFolderSoon(this.path),
    );
    // The folder may have been made just now.
    await attemptSoon(
      `Fail to fsync directory ${this.#dir}`,
      () => files.syncFolderSoon(this.#dir),
    );
  }

  #manifestPaths(): { temporary: string; temporaryPath: string; path: string } {
    const temporary = `temp-${this.#manifestName}`;
    return {
      temporary,
      temporaryPath: this.pathOf(temporary),
      path: this.pathOf(this.#manifestName),
    };
  }

  #exchange(temporary: string, temporaryPath: string, path: string): void {
    attempt(
      `Error trying to rename the temporary AOF manifest file ${temporary} into ${this.#manifestName}`,
      () => this.files.rename(temporaryPath, path),
    );
  }

  // -- files that come and go ------------------------------------------------------------------

  /**
   * Where a server before Redis 7 has left its single file, and no other append-only file is there,
   * that becomes the base. A start that ends in the midst of it does it again. @throws Error
   */
  takeOverOldFile(manifest: Manifest): void {
    const { prefix } = this;
    if (!this.#hasOldFile) return;
    const { base, increments } = manifest;
    const isBegun = base !== null && increments.length === 0 && base.name === prefix &&
      !this.#has(this.pathOf(prefix));
    if (!manifest.isEmpty && !isBegun) return;
    this.ensure();
    manifest.takeOver(prefix);
    this.write(manifest);
    attempt(
      `Error trying to move the old AOF file ${prefix} into dir ${this.name}`,
      () => this.files.rename(this.#oldPath, this.pathOf(prefix)),
    );
    this.log.notice(
      `Successfully migrated an old-style AOF file (${prefix}) into the AOF directory (${this.name}).`,
    );
  }

  /** Removes what is history, unless `aof-disable-auto-gc` keeps it; true when the manifest has changed. */
  removeHistory(manifest: Manifest): boolean {
    if (this.config.value("aof-disable-auto-gc") || manifest.history.length === 0) return false;
    for (const { name } of manifest.history) {
      this.log.notice(`Removing the history file ${name} in the background`);
      this.files.removeSoon(this.pathOf(name));
    }
    manifest.history = [];
    return true;
  }

  /** Removes what a process that has ended had not finished. Never throws. */
  removeLeftovers(): void {
    const names = this.#names().filter((name) => LEFTOVER.test(name));
    for (const name of removeUnlocked(this.files, this.path, names)) {
      this.log.notice(`Removed ${name}, which a process that has ended had not finished`);
    }
  }

  #names(): string[] {
    try {
      return this.files.list(this.path).filter(({ isFolder }) => !isFolder).map(({ name }) => name);
    } catch {
      return [];
    }
  }
}

/** Bases that were not finished; manifests and increments that were not renamed. */
const LEFTOVER = /^temp-(rewriteaof-bg-.*\.aof|.*\.(manifest|incr))$/;

/** Runs `work`; what it throws is told with `context` before it. */
function attempt<T>(context: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${context}: ${problemOf(error)}`, { cause: error });
  }
}

async function attemptSoon(context: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`${context}: ${problemOf(error)}`, { cause: error });
  }
}
