/** Files by Deno's file API. */

import { denoError, translated } from "./deno_errors.ts";
import type { FileInfo, Files, OpenFile, OpenMode } from "./runtime.ts";
import { isSystemError, throwUnlessUnsyncable } from "./system_error.ts";

const OPTIONS: Record<OpenMode, Deno.OpenOptions> = {
  read: { read: true },
  write: { write: true, create: true, truncate: true },
  append: { append: true, create: true },
  create: { read: true, write: true, createNew: true },
};

export class DenoFiles implements Files {
  open(path: string, mode: OpenMode, permissions?: number): OpenFile {
    const options = OPTIONS[mode];
    return translated(() =>
      new DenoFile(
        Deno.openSync(path, mode === "read" ? options : { ...options, mode: permissions }),
      )
    );
  }

  read(path: string): Uint8Array<ArrayBuffer> {
    return translated(() => Deno.readFileSync(path));
  }

  info(path: string): FileInfo | null {
    try {
      const { size, isDirectory, mode } = translated(() => Deno.statSync(path));
      return { sizeBytes: size, isFolder: isDirectory, mode: mode === null ? null : mode & 0o7777 };
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return null;
      throw error;
    }
  }

  list(folder: string): { name: string; isFolder: boolean }[] {
    return translated(() =>
      Array.from(
        Deno.readDirSync(folder),
        ({ name, isDirectory }) => ({ name, isFolder: isDirectory }),
      )
    );
  }

  rename(from: string, to: string): void {
    translated(() => Deno.renameSync(from, to));
  }

  makeFolder(path: string): void {
    try {
      translated(() => Deno.mkdirSync(path));
    } catch (error) {
      if (!isSystemError(error, "EEXIST") || this.info(path)?.isFolder !== true) throw error;
    }
  }

  truncate(path: string, sizeBytes: number): void {
    translated(() => Deno.truncateSync(path, sizeBytes));
  }

  link(existing: string, path: string): void {
    translated(() => Deno.linkSync(existing, path));
  }

  remove(path: string): void {
    translated(() => Deno.removeSync(path));
  }

  removeSoon(path: string): void {
    Deno.remove(path).catch(() => {});
  }

  setMode(path: string, mode: number): void {
    if (!isWindows()) translated(() => Deno.chmodSync(path, mode));
  }

  syncFolder(folder: string): void {
    if (isWindows()) return;
    try {
      using handle = Deno.openSync(folder);
      handle.syncSync();
    } catch (error) {
      throwUnlessUnsyncable(denoError(error));
    }
  }

  async syncFolderSoon(folder: string): Promise<void> {
    if (isWindows()) return;
    try {
      using handle = await Deno.open(folder);
      await handle.sync();
    } catch (error) {
      throwUnlessUnsyncable(denoError(error));
    }
  }
}

const isWindows = () => Deno.build.os === "windows";

class DenoFile implements OpenFile {
  readonly #file: Deno.FsFile;
  #isClosed = false;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  read(into: Uint8Array): number {
    return translated(() => this.#file.readSync(into)) ?? 0;
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    translated(() => {
      for (let at = from; at < to;) at += this.#file.writeSync(bytes.subarray(at, to));
    });
  }

  async readSoon(into: Uint8Array<ArrayBuffer>): Promise<number> {
    try {
      return await this.#file.read(into) ?? 0;
    } catch (error) {
      throw denoError(error);
    }
  }

  async writeSoon(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Promise<void> {
    try {
      for (let at = from; at < to;) at += await this.#file.write(bytes.subarray(at, to));
    } catch (error) {
      throw denoError(error);
    }
  }

  sync(): void {
    translated(() => this.#file.syncSync());
  }

  async syncSoon(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw denoError(error);
    }
  }

  seek(position: number): void {
    translated(() => this.#file.seekSync(position, Deno.SeekMode.Start));
  }

  tryLock(): boolean {
    try {
      return this.#file.tryLockSync(true);
    } catch {
      return false;
    }
  }

  sizeBytes(): number {
    return translated(() => this.#file.statSync()).size;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
