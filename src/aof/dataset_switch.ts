/**
 * Another dataset takes the place of the one that is served (UNDO RESTORE) while there is an append-only file, and
 * nothing that is answered is lost by that, whenever the process ends:
 *
 *     ... base, incr 7                    what is served goes on, and into incr 7
 *     ... base, incr 7        (incr 8)    incr 8 is written: commands that clear, and make the other dataset
 *     ... base, incr 7, incr 8, incr 9    the manifest names it and an empty file behind it; writes wait for that
 *     ... base, incr 7, incr 8, incr 9    the datasets are exchanged; what is written from now on goes into incr 9
 *
 * A start that finds the third line has the other dataset, though nobody has been told so: all that was answered
 * until then had happened before. So this is a step like any other command's. It takes no new base, as only a part
 * of the databases may be exchanged, and the next rewrite makes one of it all. Any server of Redis 7 reads these files.
 *
 * Until the manifest names it everything can be given up without a trace. After that incr 8 is made empty, which
 * comes to the same. One of these is made for each such exchange; see `AppendOnlyFile.exchangeDataset`.
 */

import type { Log } from "../observe/log.ts";
import type { Persistence } from "../rdb/persistence.ts";
import type { SavedDataset } from "../rdb/save_dataset.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { AofFolder } from "./folder.ts";
import type { Manifest } from "./manifest.ts";
import type { AofWriter } from "./writer.ts";

/** A dataset that is to take the place of what is served, or of a part of that. */
export interface Exchange {
  /** It, which does not change meanwhile. */
  readonly dataset: SavedDataset;
  /** Commands that clear what it takes the place of. */
  readonly clearing: readonly (readonly string[])[];
  /** Why it cannot take place as things are now, an error for whoever has asked; null if it can. */
  refusal(): string | null;
  /** Exchanges the two: between two units, and while nobody writes. */
  exchange(): void;
  /** It has taken place (null), or nothing has changed and this is why. */
  ended(failure: string | null): void;
}

/** What an exchange works with. */
export interface SwitchHost {
  readonly folder: AofFolder;
  readonly writer: AofWriter;
  readonly persistence: Persistence;
  readonly log: Log;
  readonly files: Files;
  /** Name of its file until that is complete. */
  readonly temporary: string;
  /** Lines before its commands. */
  readonly head: string;
  /** Whether a snapshot or a rewrite is under way, or a unit of work. */
  readonly mustWait: boolean;
  /** Whether a unit of work is under way. */
  readonly isAmidstUnit: boolean;
  /** Whether somebody has all writes wait: the dataset is to stay as it is. */
  readonly isPaused: boolean;
  /** Has writes wait, until the same with false. */
  holdWrites(isHeld: boolean): void;
  /** The present manifest, to be changed. */
  copyManifest(): Manifest;
  /** Writes the next one, which is the present one as soon as it has its name. */
  writeManifest(next: Manifest): Promise<void>;
  /** What follows goes into this file. @throws Error */
  switchTo(name: string): void;
  /** A rewrite is to put right what the files say. */
  scheduleRewrite(): void;
  /** It is over, however it went. */
  over(): void;
}

/** What has been done last. */
type Stage = "nothing" | "begun to write" | "written" | "begun to name" | "named" | "all";

export class DatasetSwitch {
  #stage: Stage = "nothing";
  /** Names of the file with the commands, and of the one behind it. */
  #name = "";
  #nextName = "";
  #hasTold = false;
  #holdsWrites = false;
  #hasRemarks = false;
  /** Why it is not to go on. */
  #givenUp: string | null = null;
  /** When the manifest is not being written any more. */
  #settled: Promise<void> = Promise.resolve();

  constructor(readonly host: SwitchHost, readonly wish: Exchange) {}

  /** Whether the files that the manifest is going to name are being made: no rewrite may begin. */
  get isUnderWay(): boolean {
    return this.#stage !== "nothing";
  }

  /** Whether it can be given up for no better reason than that somebody has changed their mind. */
  get mayBeGivenUp(): boolean {
    return this.#stage === "nothing" || this.#stage === "begun to write" ||
      this.#stage === "written";
  }

  /** When nothing is on its way to the disk any more, after `giveUp`. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  /** Goes on, if it can now. Called at once and by the timer. */
  tick(): void {
    if (this.#stage === "nothing") this.#begin();
    else if (this.#stage === "written") this.#beginToName();
    else if (this.#stage === "named") this.#exchange();
  }

  #begin(): void {
    const { host } = this;
    if (host.mustWait) {
      if (!this.#hasTold) host.log.notice("UNDO RESTORE waits for the end of what is being saved");
      this.#hasTold = true;
      return;
    }
    this.#stage = "begun to write";
    host.log.notice("Writing what is brought back to the append-only file");
    try {
      this.#write();
    } catch (error) {
      this.#fail(problemOf(error));
    }
  }

  #write(): void {
    const { host, wish } = this;
    const { folder, temporary } = host;
    const head = host.head + wish.clearing.map(encoded).join("");
    host.persistence.startBase(
      { folder: folder.path, temporary, name: temporary },
      { head, tail: "" },
      {
        finished: () => this.#nameFiles(),
        remark: () => this.#hasRemarks = true,
        ended: (failure) => {
          if (failure !== null) return this.#fail(failure);
          this.#stage = "written";
          this.tick();
        },
      },
      wish.dataset,
    );
  }

  /** Gives the files the names that the manifest is going to call them by. @throws Error */
  #nameFiles(): void {
    const { folder, temporary, files, log } = this.host;
    this.#nextManifest();
    folder.createForAppending(this.#nextName).close();
    files.rename(folder.pathOf(temporary), folder.pathOf(this.#name));
    log.notice(`Successfully created the AOF incr file ${this.#name}`);
  }

  #nextManifest(): Manifest {
    const { folder } = this.host;
    const next = this.host.copyManifest();
    this.#name = next.addIncrement(folder.prefix).name;
    this.#nextName = next.addIncrement(folder.prefix).name;
    return next;
  }

  /** Writes wait from here on: the file of before has to be whole, as it is not the last one any more. */
  #beginToName(): void {
    const { host } = this;
    const refusal = this.wish.refusal();
    if (refusal !== null) return this.#fail(refusal);
    if (host.isPaused || host.isAmidstUnit) return;
    this.#stage = "begun to name";
    this.#holdsWrites = true;
    host.holdWrites(true);
    this.#settled = this.#nameAll();
  }

  async #nameAll(): Promise<void> {
    const { host } = this;
    try {
      await host.writer.freeze();
      if (this.#givenUp === null) await host.writeManifest(this.#nextManifest());
    } catch (error) {
      this.#givenUp ??= problemOf(error);
    }
    if (this.#stage === "all") return;
    this.#stage = "named";
    if (this.#givenUp === null) this.tick();
    else this.#fail(this.#givenUp);
  }

  #exchange(): void {
    const { host, wish } = this;
    if (host.isAmidstUnit) return;
    const refusal = wish.refusal();
    if (refusal !== null) return this.#fail(refusal);
    try {
      host.writer.thaw();
      host.switchTo(this.#nextName);
    } catch (error) {
      return this.#fail(problemOf(error));
    }
    wish.exchange();
    if (this.#hasRemarks) host.scheduleRewrite();
    this.#over(null);
  }

  /** It is not to go on. */
  giveUp(reason: string): void {
    if (this.#stage === "all") return;
    this.#givenUp = reason;
    // Otherwise it is heard when the manifest has been written.
    if (this.#stage !== "begun to name") this.#fail(reason);
  }

  /** The server ends: what is in the files stays there. */
  close(): void {
    const stage = this.#stage;
    this.#stage = "all";
    const { persistence, folder, files, temporary } = this.host;
    if (stage === "begun to write") persistence.abortBase();
    if (stage !== "begun to write" && stage !== "written") return;
    for (const name of [temporary, this.#name, this.#nextName]) {
      if (name !== "") removeIfThere(files, folder.pathOf(name));
    }
  }

  /** Nothing has come of it: takes back what there is of it in the files. */
  #fail(reason: string): void {
    const { host } = this;
    const { folder, files } = host;
    const remove = (name: string) => {
      if (name !== "") removeIfThere(files, folder.pathOf(name));
    };
    switch (this.#stage) {
      case "begun to write":
        // No word of its end comes then.
        this.#stage = "all";
        host.persistence.abortBase();
        remove(host.temporary);
        remove(this.#name);
        remove(this.#nextName);
        break;
      case "written":
        remove(this.#name);
        remove(this.#nextName);
        break;
      case "named":
        this.#takeBack();
    }
    this.#over(reason);
  }

  /** If the manifest names the file, it is to say nothing; the next rewrite takes it out. */
  #takeBack(): void {
    const { folder, files, writer, log, scheduleRewrite } = this.host;
    writer.thaw();
    if (!this.host.copyManifest().increments.some(({ name }) => name === this.#name)) {
      removeIfThere(files, folder.pathOf(this.#name));
      removeIfThere(files, folder.pathOf(this.#nextName));
      return;
    }
    scheduleRewrite();
    try {
      files.truncate(folder.pathOf(this.#name), 0);
      folder.sync(this.#name);
    } catch (error) {
      log.warning(
        `${this.#name} cannot be taken out of the append-only file, which is rewritten: ${
          problemOf(error)
        }`,
      );
    }
  }

  #over(failure: string | null): void {
    this.#stage = "all";
    this.host.over();
    this.wish.ended(failure);
    if (this.#holdsWrites) this.host.holdWrites(false);
  }
}

/** A command in RESP; its words are latin1. */
function encoded(words: readonly string[]): string {
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join("")}`;
}
