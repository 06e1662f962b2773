/**
 * Files by `node:fs`, for Bun. (Deno has it too: tests hold it beside Deno's own file API.)
 *
 * A file here is a number to the system, which gives it to the next file once it is closed. So a file
 * that is closed while something in the background is under way with it is closed only after that.
 */

import type Fs from "node:fs";
import { nodeFs, nodeGlobal } from "./builtin_modules.ts";
import { nodeError, translatedFromNode as translated } from "./node_errors.ts";
import type { FileInfo, Files, OpenFile, OpenMode } from "./runtime.ts";
import { isSystemError, SystemError, throwUnlessUnsyncable } from "./system_error.ts";

const FLAGS: Record<OpenMode, string> = { read: "r", write: "w", append: "a", create: "wx+" };

/** Locks an open file by its number; false when that cannot be. See bun_lock.ts. */
export type LockFile = (descriptor: number) => boolean;

export class NodeFiles implements Files {
  readonly #fs = nodeFs();
  readonly #isWindows = nodeGlobal().platform === "win32";

  /** `node:fs` has no locks: without `lock` nothing can be locked. */
  constructor(readonly lock: LockFile = () => false) {}

  open(path: string, mode: OpenMode, permissions?: number): OpenFile {
    const fs = this.#fs;
    return translated(() =>
      new NodeFile(fs, fs.openSync(path, FLAGS[mode], permissions), this.lock)
    );
  }

  read(path: string): Uint8Array<ArrayBuffer> {
    return translated(() => new Uint8Array(this.#fs.readFileSync(path)));
  }

  info(path: string): FileInfo | null {
    try {
      const stat = translated(() => this.#fs.statSync(path));
      const mode = this.#isWindows ? null : stat.mode & 0o7777;
      return { sizeBytes: stat.size, isFolder: stat.isDirectory(), mode };
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return null;
      throw error;
    }
  }

  list(folder: string): { name: string; isFolder: boolean }[] {
    const entries = translated(() => this.#fs.readdirSync(folder, { withFileTypes: true }));
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  }

  rename(from: string, to: string): void {
    translated(() => this.#fs.renameSync(from, to));
  }

  link(existing: string, path: string): void {
    translated(() => this.#fs.linkSync(existing, path));
  }

  makeFolder(path: string): void {
    try {
      translated(() => this.#fs.mkdirSync(path));
    } catch (error) {
      if (!isSystemError(error, "EEXIST") || this.info(path)?.isFolder !== true) throw error;
    }
  }

  truncate(path: string, sizeBytes: number): void {
    translated(() => this.#fs.truncateSync(path, sizeBytes));
  }

  remove(path: string): void {
    translated(() => this.#fs.unlinkSync(path));
  }

  removeSoon(path: string): void {
    this.#fs.unlink(path, () => {});
  }

  setMode(path: string, mode: number): void {
    if (!this.#isWindows) translated(() => this.#fs.chmodSync(path, mode));
  }

  syncFolder(folder: string): void {
    if (this.#isWindows) return;
    try {
      using handle = this.open(folder, "read");
      handle.sync();
    } catch (error) {
      throwUnlessUnsyncable(error);
    }
  }

  async syncFolderSoon(folder: string): Promise<void> {
    if (this.#isWindows) return;
    try {
      using handle = this.open(folder, "read");
      await handle.syncSoon();
    } catch (error) {
      throwUnlessUnsyncable(error);
    }
  }
}

/** What `node:fs` calls when something in the background has ended. */
type Ended = (error: Error | null, count?: number) => void;

class NodeFile implements OpenFile {
  readonly #fs: typeof Fs;
  readonly #descriptor: number;
  /** Where reading and writing go on; null: where the system says, which is the case until `seek`. */
  #position: number | null = null;
  /** Things in the background that have not ended. */
  #underWay = 0;
  #isClosed = false;

  readonly #lock: LockFile;

  constructor(fs: typeof Fs, descriptor: number, lock: LockFile) {
    this.#fs = fs;
    this.#descriptor = descriptor;
    this.#lock = lock;
  }

  read(into: Uint8Array): number {
    this.#throwIfClosed();
    return this.#advance(
      translated(() => this.#fs.readSync(this.#descriptor, into, 0, into.length, this.#position)),
    );
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.#throwIfClosed();
    for (let at = from; at < to;) {
      at += this.#advance(
        translated(() => this.#fs.writeSync(this.#descriptor, bytes, at, to - at, this.#position)),
      );
    }
  }

  async readSoon(into: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#advance(
      await this.#inBackground((ended) =>
        this.#fs.read(this.#descriptor, into, 0, into.length, this.#position, ended)
      ),
    );
  }

  async writeSoon(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Promise<void> {
    for (let at = from; at < to;) {
      at += this.#advance(
        await this.#inBackground((ended) =>
          this.#fs.write(this.#descriptor, bytes, at, to - at, this.#position, ended)
        ),
      );
    }
  }

  sync(): void {
    this.#throwIfClosed();
    translated(() => this.#fs.fsyncSync(this.#descriptor));
  }

  async syncSoon(): Promise<void> {
    await this.#inBackground((ended) => this.#fs.fsync(this.#descriptor, ended));
  }

  seek(position: number): void {
    this.#throwIfClosed();
    this.#position = position;
  }

  tryLock(): boolean {
    this.#throwIfClosed();
    return this.#lock(this.#descriptor);
  }

  sizeBytes(): number {
    this.#throwIfClosed();
    return translated(() => this.#fs.fstatSync(this.#descriptor)).size;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#underWay === 0) this.#fs.closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #advance(count: number): number {
    if (this.#position !== null) this.#position += count;
    return count;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new SystemError("EBADF");
  }

  /** Begins something; resolves to the count it ends with. */
  #inBackground(begin: (ended: Ended) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      this.#underWay++;
      begin((error, count = 0) => {
        this.#underWay--;
        if (this.#isClosed && this.#underWay === 0) this.#fs.closeSync(this.#descriptor);
        if (this.#isClosed) reject(new SystemError("EBADF"));
        else if (error) reject(nodeError(error));
        else resolve(count);
      });
    });
  }
}
