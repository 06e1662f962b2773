/**
 * Claims on what a server writes: two that save to the same file, or write the same append-only file, would
 * destroy each other's data. In `dir` stands a file for each of them that its writer has locked:
 *
 *     .dump.rdb.lock                         claimed while there are save points, and since a first save
 *     .appendonlydir+appendonly.aof.lock     claimed while `appendonly` is yes
 *
 * Append-only files of several servers may share a folder under names of their own, as they may with Redis.
 *
 * The lock is the system's, which takes it away with the process however that ends, so neither a kill nor a process
 * id that is given again, nor the equal ids of two containers, can make a claim that nobody holds or hide one that
 * somebody does. What stands in the file (the process id) is for people only. It is removed at an orderly end.
 *
 * Who only reads a snapshot claims nothing. Where no such file can be made (a folder that is read-only) or locked
 * (some network file systems), the server goes on without and says so. See "Claims on files" in NOTES.
 */

import { latin1, toLatin1 } from "../base/bytes.ts";
import { randomId } from "../base/random_id.ts";
import type { Config } from "../config/config.ts";
import { toPath } from "../config/parse.ts";
import type { Log } from "../observe/log.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { OpenFile, Runtime } from "../runtime/runtime.ts";
import { isSystemError, problemOf } from "../runtime/system_error.ts";

/** A server that is being killed may need so long, in ms, until the system has taken its locks away. */
const WAIT_MS = 2_000;
const LOOK_EVERY_MS = 50;
/** Whoever ends may remove the file between two steps here: tries until that is no coincidence. */
const TRIES = 10;

/** What is claimed. */
interface Target {
  /** What is written. */
  readonly path: string;
  /** The file that is locked. */
  readonly lock: string;
  /** What to do about it when somebody else has it. */
  readonly remedy: string;
}

export class Claims {
  readonly #held = new Map<string, OpenFile>();
  /** Paths of which it has been said that they cannot be claimed. */
  readonly #unclaimable = new Set<string>();
  readonly #line: string;

  constructor(readonly config: Config, readonly log: Log, readonly runtime: Runtime) {
    this.#line = `${runtime.process.id} ${randomId(runtime.fillRandom)}\n`;
  }

  /** What is written under these names, one inside the other, in `dir`. */
  #target(names: string[], remedy: string): Target {
    const folder = toPath(this.config.value("dir"));
    const parts = names.map(toPath);
    return {
      path: `${folder}/${parts.join("/")}`,
      lock: `${folder}/.${parts.join("+")}.lock`,
      remedy,
    };
  }

  get #snapshot(): Target {
    return this.#target(
      [this.config.value("dbfilename")],
      'a `dir` or `dbfilename` of its own, or `save ""`',
    );
  }

  get #appendOnly(): Target {
    return this.#target(
      [this.config.value("appenddirname"), this.config.value("appendfilename")],
      "a `dir`, `appenddirname` or `appendfilename` of its own, or `appendonly no`",
    );
  }

  /** What this server is going to write by itself. */
  get #wanted(): Target[] {
    const { config } = this;
    return [
      ...(config.value("save").length > 0 ? [this.#snapshot] : []),
      ...(config.value("appendonly") ? [this.#appendOnly] : []),
    ];
  }

  /**
   * Claims what the configuration says that is going to be written. Rejects with the line for the log when another
   * server has it, and goes on having it for WAIT_MS.
   */
  async begin(): Promise<void> {
    const { runtime: { timers } } = this;
    for (let waitedMs = 0;; waitedMs += LOOK_EVERY_MS) {
      const problem = this.update();
      if (problem === null) return;
      if (waitedMs >= WAIT_MS) throw new Error(problem);
      await new Promise<void>((resolve) => timers.after(LOOK_EVERY_MS, resolve));
    }
  }

  /**
   * The same at once, and lets go of what is not going to be written any more. Answers null, or who has what is
   * wanted; then nothing has changed.
   */
  update(): string | null {
    const wanted = this.#wanted;
    const before = new Set(this.#held.keys());
    for (const target of wanted) {
      const problem = this.#claim(target);
      if (problem === null) continue;
      this.#letGo((lock) => !before.has(lock));
      return problem;
    }
    this.#letGo((lock) => !wanted.some((target) => target.lock === lock));
    return null;
  }

  /** A snapshot is about to be written: claims its file. Answers null, or who else writes it. */
  claimSnapshot(): string | null {
    return this.#claim(this.#snapshot);
  }

  /** Lets go of everything: the server has ended. */
  close(): void {
    this.#letGo(() => true);
  }

  #letGo(isGone: (lock: string) => boolean): void {
    for (const [lock, file] of this.#held) {
      if (!isGone(lock)) continue;
      this.#held.delete(lock);
      removeIfThere(this.runtime.files, lock);
      file.close();
    }
  }

  #claim({ path, lock, remedy }: Target): string | null {
    if (this.#held.has(lock)) return null;
    for (let tries = 0; tries < TRIES; tries++) {
      let file: OpenFile;
      try {
        file = this.runtime.files.open(lock, "append", 0o644);
      } catch (error) {
        return this.#goOnWithout(path, problemOf(error));
      }
      if (!file.tryLock()) {
        file.close();
        if (!this.#hasLocks(lock)) return this.#goOnWithout(path, "there are no locks here");
        return `${path} is written by another server${
          this.#holder(lock)
        }. Give this one ${remedy}.`;
      }
      if (this.#sign(file, lock)) {
        this.#held.set(lock, file);
        return null;
      }
      file.close();
    }
    return this.#goOnWithout(path, "the lock file does not stay");
  }

  /** Whether files can be locked there at all. */
  #hasLocks(lock: string): boolean {
    const { files } = this.runtime;
    const path = `${lock}.${this.#line.trim().replace(" ", "-")}`;
    try {
      using file = files.open(path, "create");
      return file.tryLock();
    } catch {
      return false;
    } finally {
      removeIfThere(files, path);
    }
  }

  #holder(lock: string): string {
    try {
      const pid = /(\d+) [0-9a-f]+\n$/.exec(toLatin1(this.runtime.files.read(lock)));
      return pid === null ? "" : ` (pid ${pid[1]})`;
    } catch {
      return "";
    }
  }

  /**
   * Writes who has it into the file that has been locked. False when that is not the file at the path any more:
   * its holder has removed it just before.
   */
  #sign(file: OpenFile, lock: string): boolean {
    const { files } = this.runtime;
    const line = latin1(this.#line);
    try {
      file.write(line, 0, line.length);
      const found = files.read(lock);
      if (!toLatin1(found).endsWith(this.#line)) return false;
      if (found.length > line.length) {
        // Whoever was killed has left a line.
        files.truncate(lock, 0);
        file.write(line, 0, line.length);
      }
      return true;
    } catch (error) {
      // On a full disk it is locked, and does not say by whom.
      return !isSystemError(error, "ENOENT");
    }
  }

  #goOnWithout(path: string, reason: string): null {
    if (this.#unclaimable.has(path)) return null;
    this.#unclaimable.add(path);
    this.log.notice(`Cannot make sure that no other server writes ${path}: ${reason}`);
    return null;
  }
}
