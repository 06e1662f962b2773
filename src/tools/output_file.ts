/**
 * A file that a tool makes. It never takes the place of one that is there; until it is whole and on the disk it has
 * another name, `NAME.part-<process>`, and that is removed when the tool ends without it (`using`):
 *
 *     using out = new OutputFile(files, path, process.id);
 *     out.write(bytes, 0, bytes.length);
 *     out.finish();
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { isSystemError, problemOf } from "../runtime/system_error.ts";
import { ToolFailure } from "./tool.ts";

/** Bytes that are collected before they are written. */
const BUFFER_BYTES = 256 * 1024;

export class OutputFile {
  readonly #files: Files;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: OpenFile;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;
  #written = 0;

  /** @throws ToolFailure when `path` is there already, or cannot be written */
  constructor(files: Files, path: string, processId: number) {
    this.#files = files;
    this.#path = path;
    this.#temporary = `${path}.part-${processId}`;
    this.#file = this.#attempt(() => {
      if (files.info(path) !== null) throw this.#isThere();
      return files.open(this.#temporary, "create", 0o644);
    });
  }

  /** How many bytes it has. */
  get length(): number {
    return this.#written + this.#used;
  }

  /** @throws ToolFailure */
  write(bytes: Uint8Array, from: number, to: number): void {
    if (to - from > BUFFER_BYTES - this.#used) this.#flush();
    if (to - from > BUFFER_BYTES) {
      this.#attempt(() => this.#file.write(bytes, from, to));
      this.#written += to - from;
      return;
    }
    this.#buffer.set(bytes.subarray(from, to), this.#used);
    this.#used += to - from;
  }

  #flush(): void {
    this.#attempt(() => this.#file.write(this.#buffer, 0, this.#used));
    this.#written += this.#used;
    this.#used = 0;
  }

  /** Brings all of it to the disk and gives it its name. @throws ToolFailure */
  finish(): void {
    this.#flush();
    this.#attempt(() => {
      this.#file.sync();
      this.#name();
      this.#files.syncFolder(folderOf(this.#path));
    });
  }

  /** A link fails where the name has been taken meanwhile; a file system may have none. */
  #name(): void {
    const files = this.#files;
    try {
      files.link(this.#temporary, this.#path);
      files.remove(this.#temporary);
    } catch (error) {
      if (isSystemError(error, "EEXIST") || files.info(this.#path) !== null) throw this.#isThere();
      files.rename(this.#temporary, this.#path);
    }
  }

  #isThere(): ToolFailure {
    return new ToolFailure(`${this.#path} is there already; nothing is written over it.`);
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof ToolFailure) throw error;
      throw new ToolFailure(`cannot write ${this.#path}: ${problemOf(error)}`);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
    removeIfThere(this.#files, this.#temporary);
  }
}

function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end + 1);
}
