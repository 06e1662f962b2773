/**
 * The append-only file as a whole: loads it at the start, has it written while the server serves, makes
 * it anew when it has grown (BGREWRITEAOF), and turns it on and off at run time.
 *
 *     off ──CONFIG SET appendonly yes──► waiting ──the first base is there──► on
 *      ▲                                    │                                 │
 *      └────────CONFIG SET appendonly no────┴─────────────────────────────────┘
 *
 * ## A rewrite
 *
 * 1. The next incremental file is made and put into the manifest.
 * 2. Between two units of the stream of writes, at once: what follows goes into that file, as soon as the
 *    one before is on the disk, and a snapshot of this instant begins.
 * 3. The snapshot is complete: it becomes the base, and the manifest names it and what was written since.
 * 4. What came before is history and removed.
 *
 * Whenever the process ends, the manifest names files that together are the dataset. While the server
 * is "waiting" the file of step 1 has a temporary name until step 3: what came before it does not go
 * together with it. How a dataset is exchanged for another one: dataset_switch.ts. See "The append-only file" in
 * NOTES.
 */

import type { Config } from "../config/config.ts";
import { toPath } from "../config/parse.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import type { StreamReader } from "../propagation/write_stream.ts";
import type { CommandFrame } from "../rdb/as_commands/command_finisher.ts";
import type { BaseSave } from "../rdb/base_save.ts";
import type { LoadedReplication, Persistence } from "../rdb/persistence.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, Runtime } from "../runtime/runtime.ts";
import { isSystemError, problemOf } from "../runtime/system_error.ts";
import { DatasetSwitch, type Exchange } from "./dataset_switch.ts";
import { AofFolder } from "./folder.ts";
import { AofLoader, type AofOwner as AofRunner } from "./loader.ts";
import { type BaseFormat, Manifest } from "./manifest.ts";
import { positionLines } from "./position.ts";
import { AofWriter, timestampLine } from "./writer.ts";
import { WrittenTail } from "./written_tail.ts";

/** After so many rewrites that failed one after the other, the next is put off. */
const FAILURES_MAX = 3;
const LOOK_EVERY_MS = 1_000;
const MINUTE_MS = 60_000;
const RETRY_MINUTES_MAX = 60;

/** What the append-only file asks of, and tells, the parts of the server that it does not know. */
export interface AofOwner extends AofRunner {
  /** `failure` may have changed. */
  aofFailureChanged(): void;
  /** Whether the replies of a turn have to wait for `endTurn` may have changed; so may whether those kept back may go. */
  aofStateChanged(): void;
  /** More is on the disk than before. */
  aofSynced(): void;
  /** Something that the latency monitor watches has taken so long. */
  aofTook(event: string, ms: number): void;
  /** Where in the history of replication the dataset stands; null where it is of none. */
  replicationPosition(): LoadedReplication | null;
  /** Whether a unit of work is under way, in the midst of which no snapshot may begin. */
  readonly isAmidstUnit: boolean;
  /** Whether somebody has all writes wait: the dataset is to stay as it is. */
  readonly isPaused: boolean;
  /** Has writes wait, until the same with false. */
  holdWrites(asker: "undo", isHeld: boolean): void;
}

/** The parts of the server that it works on. */
export interface AofHost {
  readonly keyspace: Keyspace;
  readonly config: Config;
  readonly log: Log;
  readonly runtime: Runtime;
  readonly persistence: Persistence;
  readonly owner: AofOwner;
}

/** A rewrite under way. */
interface Rewrite {
  readonly startedMs: number;
  /** Name of the base until it is complete. */
  readonly temporary: string;
  /** Of the base. */
  format: BaseFormat;
  /** Null before the snapshot begins. */
  save: BaseSave | null;
  /** It is not to go on, whatever step it is at. */
  isGivenUp: boolean;
}

/** What became of the request for a rewrite. */
export type RewriteAnswer = "started" | "scheduled" | "under way" | "failed";

export class AppendOnlyFile {
  readonly folder: AofFolder;
  readonly writer: AofWriter;
  #state: "off" | "waiting" | "on" = "off";
  #manifest: Manifest | null = null;
  /** When all that has been asked for is written. */
  #manifestWritten: Promise<void> = Promise.resolve();
  #rewrite: Rewrite | null = null;
  #switch: DatasetSwitch | null = null;
  #isScheduled = false;
  /** Why a file that somebody has removed cannot be made anew. */
  #problem: string | null = null;
  /** Why the last rewrite that could not begin could not, in the system's words. */
  #beginProblem = "";
  /** What the log was told of that last, and when. */
  #told = "";
  #toldMs = 0;
  /** Where what was loaded at the start stands in the history of replication, or is behind; null when nothing says so. */
  loadedPosition: LoadedReplication | null = null;
  /** When it was last looked whether the file is there. */
  #lookedMs = 0;
  /** Bytes of base and incremental files but the last one, and the same with it after the last rewrite. */
  #otherBytes = 0;
  #baseBytes = 0;
  #rewrites = 0;
  #failures = 0;
  #lastRewriteOk = true;
  #lastRewriteMs = -1;
  /** With `#failures` at their limit: when the next rewrite may begin by itself. */
  #notBeforeMs = 0;
  #retryMinutes = 0;

  constructor(readonly host: AofHost) {
    const { keyspace, config, log, runtime, owner, persistence } = host;
    this.folder = new AofFolder(config, log, runtime.files);
    this.writer = new AofWriter({
      keyspace,
      config,
      log,
      files: runtime.files,
      took: (event, ms) => owner.aofTook(event, ms),
      failureChanged: () => owner.aofFailureChanged(),
      synced: () => owner.aofSynced(),
      position: () => owner.isAmidstUnit ? null : owner.replicationPosition(),
      isSnapshotUnderWay: () => persistence.isSaving,
    });
  }

  /** Whether changes are being written: `appendonly yes`, and the dataset has been loaded. */
  get isOn(): boolean {
    return this.#state !== "off";
  }

  /** Whether the first base after CONFIG SET appendonly yes is not there yet: a restart would not find this dataset. */
  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** When what is known of the files is in the manifest, as far as it can be written. */
  get manifestWritten(): Promise<void> {
    return this.#manifestWritten;
  }

  /** Whether what was applied here up to this offset (`WriteStream.appliedOffset`) is on the disk. */
  hasSynced(appliedOffset: number): boolean {
    return this.#state === "on" && this.writer.synced.appliedOffset >= appliedOffset;
  }

  /** What replicas are sent (`WriteStream.offset`) up to here is on the disk; null while it is off. */
  get syncedOffset(): number | null {
    if (!this.isOn) return null;
    return this.isWaiting ? 0 : this.writer.synced.offset;
  }

  get isRewriting(): boolean {
    return this.#rewrite !== null;
  }

  /** Why writes are to be refused, in the system's words; else null. */
  get failure(): string | null {
    return this.isOn ? this.writer.failure ?? this.#problem : null;
  }

  readonly #append: StreamReader = (bytes, offset, length) => {
    this.writer.append(bytes, offset, length);
  };

  // -- the start -----------------------------------------------------------------------------

  /**
   * `appendonly yes` at the start: loads what is there, and has changes written from now on. Rejects with
   * the line for the log when the server must not start on this.
   */
  async start(): Promise<void> {
    const { unfinishedFrom, positions } = await this.load();
    this.loadedPosition = positions.last;
    this.#open(unfinishedFrom);
  }

  /** Loads what is there. Rejects as `start`. */
  async load(): Promise<AofLoader> {
    const { keyspace, log } = this.host;
    this.folder.removeLeftovers();
    const manifest = this.#manifest = this.folder.read();
    this.folder.takeOverOldFile(manifest);
    const loader = new AofLoader(this.host, this.folder);
    const { clock } = keyspace;
    const started = clock.monotonic();
    if (await loader.load(manifest)) {
      const seconds = (clock.monotonic() - started) / 1000;
      log.notice(`DB loaded from append only file: ${seconds.toFixed(3)} seconds`);
      keyspace.dirty = 0;
    } else this.#warnOfSnapshot();
    return loader;
  }

  /**
   * DEBUG LOADAOF: what is there takes the place of the dataset. Rejects with the line for the log when
   * it cannot be loaded; the dataset is as before then.
   */
  async reload(): Promise<void> {
    const { keyspace, persistence } = this.host;
    const exchange = this.#switch;
    this.giveUpRewrite();
    this.giveUpExchange("the append-only file is loaded again");
    await exchange?.settled;
    persistence.abortBackground();
    this.writer.flush(true);
    await this.#manifestWritten;
    const putBack = persistence.takeAway();
    try {
      this.#manifest = this.folder.read();
      await new AofLoader(this.host, this.folder).load(this.#manifest);
      keyspace.dirty = 0;
    } catch (error) {
      putBack();
      throw error;
    } finally {
      for (const database of keyspace.databases) database.touchAllWatched();
      keyspace.listener.contentReplaced();
    }
  }

  /** With no append-only file the dataset is empty, as in Redis: also where a snapshot would have data. */
  #warnOfSnapshot(): void {
    const { runtime, persistence, log } = this.host;
    if (runtime.files.info(persistence.filePath) === null) return;
    log.warning(
      `Warning: there is no append-only file, so the dataset is empty; ${persistence.filePath} is ` +
        "not loaded while appendonly is set. To load it, start with appendonly no, and then use " +
        "CONFIG SET appendonly yes.",
    );
  }

  /** Opens the last incremental file, or makes one, and a base where there is nothing. @throws Error */
  #open(unfinishedFrom: number | null): void {
    const { folder } = this;
    const { log } = this.host;
    const manifest = this.#manifest!;
    const before = manifest.toText();
    folder.ensure();
    if (manifest.isEmpty) {
      const commands = this.#commandFrame();
      const { name } = manifest.addBase(folder.prefix, formatOf(commands));
      this.host.persistence.saveBase(folder.path, this.#temporary, toPath(name), commands);
      log.notice(`Creating AOF base file ${name} on server start`);
    }
    const last = manifest.increments.at(-1);
    const { name } = last ?? manifest.addIncrement(folder.prefix);
    const file = folder.openForAppending(name);
    // Who wrote them may have been killed before they were synced.
    for (const { name } of manifest.loadable) folder.sync(name);
    if (manifest.toText() !== before) folder.write(manifest);
    // So may the names: those of a manifest that was found here count only once they are on the disk.
    folder.syncNames();
    log.notice(`${last ? "Opening" : "Creating"} AOF incr file ${name} on server start`);
    const syncFile = folder.openForAppending(name);
    this.writer.writeTo(folder.pathOf(name), file, syncFile, unfinishedFrom);
    this.#countFiles();
    this.#baseBytes = manifest.base === null ? 0 : folder.sizeOf(manifest.base.name);
    this.#setState("on");
    if (folder.removeHistory(manifest)) folder.write(manifest);
  }

  /** The lines around a base of commands as of now; null for one that is a snapshot (`aof-use-rdb-preamble`). */
  #commandFrame(): CommandFrame | null {
    const { config, keyspace, owner } = this.host;
    if (config.value("aof-use-rdb-preamble")) return null;
    const position = owner.replicationPosition();
    return {
      head: config.value("aof-timestamp-enabled") ? timestampLine(keyspace.clock.now()) : "",
      tail: position === null ? "" : positionLines(position, ""),
    };
  }

  get #temporary(): string {
    return `temp-rewriteaof-bg-${this.host.persistence.writerName}.aof`;
  }

  /** Counts what the manifest names but for the file that is being written. */
  #countFiles(): void {
    const names = this.#manifest!.loadable.slice(0, -1).map(({ name }) => name);
    this.#otherBytes = names.reduce((sum, name) => sum + this.folder.sizeOf(name), 0);
  }

  #setState(state: "off" | "waiting" | "on"): void {
    const { stream } = this.host.keyspace;
    const wasOn = this.isOn;
    this.#state = state;
    if (this.isOn && !wasOn) stream.attachApplied(this.#append);
    else if (!this.isOn && wasOn) stream.detach(this.#append);
    this.host.owner.aofStateChanged();
  }

  // -- writing -------------------------------------------------------------------------------

  /** The commands of a turn are done: up to which offset of what was applied the replies may tell of changes. */
  endTurn(): number {
    if (this.#state === "on") return this.writer.endTurn();
    this.writer.flush();
    return Infinity;
  }

  /** The dataset is of another history from here on. */
  noteHistory(): void {
    if (this.#state === "on") this.writer.noteHistory();
  }

  /**
   * What was written behind `offset` of the history `id`, as far as it is still there as commands; null when there is
   * nothing. Rejects with a SystemError.
   */
  async writtenBehind(
    id: string,
    offset: number,
    pause: () => Promise<void>,
  ): Promise<WrittenTail | null> {
    if (this.#state !== "on") return null;
    this.writer.flush(true);
    const paths = this.#manifest!.increments.map(({ name }) => this.folder.pathOf(name));
    return await WrittenTail.open(this.host.runtime.files, paths, id, offset, pause);
  }

  /** Called by the server's timer. */
  tick(): void {
    this.writer.tick();
    this.#lookForFile();
    if (this.#rewrite !== null || this.host.persistence.isLoading) return;
    this.#switch?.tick();
    if (this.writer.isDamaged && this.failure === null && this.#state === "on") {
      this.host.log.notice("The append-only file is rewritten, as a part of it may be lost.");
      this.#isScheduled = true;
      this.writer.isDamaged = false;
    }
    if (this.#isScheduled && !this.#mustWait && !this.#isLimited()) {
      this.#begin();
      return;
    }
    this.#rewriteIfGrown();
  }

  /**
   * Each second: whether the file that is written to is still there by its name. The system lets one write
   * to a file that was removed, and nothing of that is ever read again.
   */
  #lookForFile(): void {
    const { keyspace, runtime: { files }, log } = this.host;
    const nowMs = keyspace.clock.monotonic();
    if (!this.isOn || nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    const { path } = this.writer;
    if (this.#problem === null) {
      if (path === null || isThere(files, path)) return;
      log.warning(`The AOF file ${path} has been removed, and is made anew.`);
      this.#manifest = new Manifest();
    } else if (this.#mustWait) return;
    this.datasetReplaced();
    const isBegun = this.#rewrite !== null || persistenceIsBusy(this.host);
    this.#setProblem(isBegun ? null : this.#beginProblem);
  }

  #setProblem(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.host.owner.aofFailureChanged();
  }

  /** `auto-aof-rewrite-percentage` and `auto-aof-rewrite-min-size`. */
  #rewriteIfGrown(): void {
    const { config, log } = this.host;
    const percentage = config.value("auto-aof-rewrite-percentage");
    if (this.#state !== "on" || percentage === 0 || this.#mustWait) return;
    const size = this.#currentBytes;
    if (size <= config.value("auto-aof-rewrite-min-size")) return;
    const growth = Math.floor(size * 100 / (this.#baseBytes || 1)) - 100;
    if (growth < percentage || this.#isLimited()) return;
    log.notice(`Starting automatic rewriting of AOF on ${growth}% growth`);
    this.#begin();
  }

  get #currentBytes(): number {
    return this.#otherBytes + this.writer.fileBytes;
  }

  /** After several failures a rewrite begins by itself only after a while, which becomes longer. */
  #isLimited(): boolean {
    if (this.#failures < FAILURES_MAX) {
      this.#retryMinutes = this.#notBeforeMs = 0;
      return false;
    }
    const nowMs = this.host.keyspace.clock.monotonic();
    if (this.#notBeforeMs !== 0) {
      if (nowMs < this.#notBeforeMs) return true;
      this.#notBeforeMs = 0;
      return false;
    }
    this.#retryMinutes = Math.min(RETRY_MINUTES_MAX, this.#retryMinutes * 2 || 1);
    this.#notBeforeMs = nowMs + this.#retryMinutes * MINUTE_MS;
    this.host.log.warning(
      "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in " +
        `${this.#retryMinutes} minutes`,
    );
    return true;
  }

  // -- on and off at run time ------------------------------------------------------------------

  /** CONFIG SET appendonly yes. False when it cannot be; the log says why. */
  turnOn(): boolean {
    if (this.isOn) return true;
    const { log } = this.host;
    try {
      this.#manifest ??= this.folder.read();
    } catch (error) {
      log.warning(problemOf(error));
      return false;
    }
    this.writer.forget();
    this.#setState("waiting");
    if (this.#mustWait) {
      this.#isScheduled = true;
      log.notice(
        "AOF was enabled but there is already another background operation. An AOF background was " +
          "scheduled to start when possible.",
      );
      return true;
    }
    if (this.#begin()) return true;
    this.#setState("off");
    log.warning(
      "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check " +
        "the above logs for more info about the error.",
    );
    return false;
  }

  /** CONFIG SET appendonly no: what has been written stays, and is of no further use. */
  turnOff(): void {
    if (!this.isOn) return;
    this.giveUpRewrite();
    this.giveUpExchange("the append-only file has been turned off");
    this.#isScheduled = false;
    this.writer.close();
    this.#setState("off");
  }

  /**
   * The dataset is another one now (a full sync): what has been written does not belong to it. Begins
   * anew, as after CONFIG SET appendonly yes, and is tried again until that works. Until then a restart
   * would load the dataset of before.
   */
  datasetReplaced(): void {
    if (!this.isOn) return;
    this.giveUpRewrite();
    this.giveUpExchange("the append-only file begins anew");
    this.writer.letGo();
    this.#setState("waiting");
    if (this.#mustWait || !this.#begin()) this.#isScheduled = true;
  }

  /** The server ends: writes and syncs what there is. */
  close(): void {
    this.giveUpRewrite();
    this.#switch?.close();
    this.writer.close();
    if (this.isOn) this.host.keyspace.stream.detach(this.#append);
    this.#state = "off";
  }

  // -- rewriting -------------------------------------------------------------------------------

  /** BGREWRITEAOF. `isInTransaction` puts it off until that is over. */
  requestRewrite(isInTransaction: boolean): RewriteAnswer {
    if (this.#rewrite !== null) return "under way";
    if (this.#mustWait || isInTransaction) {
      this.#isScheduled = true;
      this.#failures = 0;
      return "scheduled";
    }
    return this.#begin() ? "started" : "failed";
  }

  /** Whether a rewrite cannot begin now. */
  get #mustWait(): boolean {
    return this.#isBusy || this.#switch?.isUnderWay === true;
  }

  get #isBusy(): boolean {
    return this.#rewrite !== null || persistenceIsBusy(this.host);
  }

  /** Begins a rewrite; false when that cannot be, which is in the log. */
  #begin(): boolean {
    const { folder } = this;
    const { keyspace } = this.host;
    try {
      this.#manifest ??= folder.read();
      folder.ensure();
      const rewrite: Rewrite = {
        startedMs: keyspace.clock.monotonic(),
        temporary: this.#temporary,
        format: "rdb",
        save: null,
        isGivenUp: false,
      };
      if (this.#state === "on") this.#openNext(rewrite);
      else {
        this.#rewrite = rewrite;
        if (this.#state === "waiting") this.#switchTo(folder.temporaryIncrement);
        this.#startBase(rewrite);
      }
    } catch (error) {
      this.#rewrite = null;
      this.#lastRewriteOk = false;
      this.#failures++;
      this.#beginProblem = problemOf((error as Error).cause ?? error);
      this.#tell(problemOf(error));
      return false;
    }
    this.#told = "";
    this.#isScheduled = false;
    this.#rewrites++;
    return true;
  }

  /** Says why a rewrite cannot begin: what is tried again and again, not more than once a minute. */
  #tell(message: string): void {
    const nowMs = this.host.keyspace.clock.monotonic();
    if (message === this.#told && nowMs - this.#toldMs < MINUTE_MS) return;
    this.#told = message;
    this.#toldMs = nowMs;
    this.host.log.warning(message);
  }

  /** Step 1: the next incremental file. What the disk takes long for is not waited for. @throws Error */
  #openNext(rewrite: Rewrite): void {
    const { folder } = this;
    // As soon as it is not the last one any more, all of it has to be whole.
    this.writer.settle();
    const next = this.#manifest!.copy();
    const { name } = next.addIncrement(folder.prefix);
    folder.createForAppending(name).close();
    this.#rewrite = rewrite;
    this.#syncAheadOf(next).then(() => {
      if (rewrite.isGivenUp) return this.#over(rewrite, null);
      this.#otherBytes += this.writer.fileBytes;
      this.#switchTo(name);
      const { persistence, owner } = this.host;
      if (persistence.isSaving || owner.isAmidstUnit) {
        // Somebody else was quicker.
        this.#rewrite = null;
        this.#isScheduled = true;
      } else this.#startBase(rewrite);
    }).catch((error) => this.#over(rewrite, problemOf(error)));
  }

  /** Brings what has been written to the disk, before the next file and again behind it: little is left then. */
  async #syncAheadOf(next: Manifest): Promise<void> {
    await this.writer.syncAhead();
    await this.#writeManifest(next);
    await this.writer.syncAhead();
  }

  /** Writes the manifest, after what is still being written; it is the present one then. */
  #writeManifest(next: Manifest): Promise<void> {
    // What is there by name counts, whether it is on the disk or not: no name in it is used again.
    const written = this.#manifestWritten.then(() =>
      this.folder.writeSoon(next, () => this.#manifest = next)
    );
    this.#manifestWritten = written.catch(() => {});
    return written;
  }

  /** What follows goes into this file. @throws Error */
  #switchTo(name: string, why = "background rewrite"): void {
    const { folder, writer } = this;
    writer.complete();
    const file = this.#state === "waiting"
      ? folder.createForAppending(name)
      : folder.openForAppending(name);
    writer.writeTo(folder.pathOf(name), file, folder.openForAppending(name));
    // It may have to be read without what is before it.
    this.host.keyspace.stream.reselectApplied();
    this.host.log.notice(`Creating AOF incr file ${name} on ${why}`);
  }

  /** Step 2: the snapshot of this instant. */
  #startBase(rewrite: Rewrite): void {
    const { folder } = this;
    const { log, runtime } = this.host;
    log.notice(`Background append only file rewriting started by pid ${runtime.process.id}`);
    let next: Manifest;
    const commands = this.#commandFrame();
    rewrite.format = formatOf(commands);
    rewrite.save = this.host.persistence.startBase(
      { folder: folder.path, temporary: rewrite.temporary, name: rewrite.temporary },
      commands,
      {
        finished: () => next = this.#nameFiles(rewrite),
        ended: (failure) => {
          if (failure !== null) this.#over(rewrite, failure);
          else {
            this.#complete(rewrite, next).catch((error) => this.#over(rewrite, problemOf(error)));
          }
        },
      },
    );
  }

  /** Step 3: gives the files their names; answers the manifest to be. @throws Error */
  #nameFiles({ temporary, format }: Rewrite): Manifest {
    const { folder } = this;
    const { log, runtime: { files } } = this.host;
    log.notice(`Successfully created the temporary AOF base file ${temporary}`);
    log.notice("Background AOF rewrite terminated with success");
    const next = this.#manifest!.copy();
    const base = next.addBase(folder.prefix, format);
    this.#rename(temporary, base.name, "base");
    if (this.#state === "waiting") {
      const { name } = next.addIncrement(folder.prefix);
      try {
        this.#rename(folder.temporaryIncrement, name, "incr");
      } catch (error) {
        removeIfThere(files, folder.pathOf(base.name));
        throw error;
      }
      this.writer.renamed(folder.pathOf(name));
    }
    next.retireIncrements(this.isOn ? 1 : 0);
    return next;
  }

  #rename(temporary: string, name: string, kind: "base" | "incr"): void {
    const { folder } = this;
    const { log, runtime: { files } } = this.host;
    try {
      files.rename(folder.pathOf(temporary), folder.pathOf(name));
    } catch (error) {
      throw new Error(
        `Error trying to rename the temporary AOF ${kind} file ${temporary} into ${name}: ` +
          problemOf(error),
      );
    }
    log.notice(`Successfully renamed the temporary AOF ${kind} file ${temporary} into ${name}`);
  }

  /** The files are on the disk: the manifest names them, and what they replace goes. */
  async #complete(rewrite: Rewrite, next: Manifest): Promise<void> {
    const { folder } = this;
    await this.#writeManifest(next);
    if (rewrite.isGivenUp) return;
    if (this.isOn) {
      this.#countFiles();
      this.#baseBytes = this.#currentBytes;
    }
    if (this.#state === "waiting") {
      this.writer.baseSynced();
      this.#setState("on");
      this.host.owner.aofSynced();
    }
    const left = next.copy();
    if (folder.removeHistory(left)) {
      // What cannot be written now names files that do not matter, and is written with the next rewrite.
      await this.#writeManifest(left).catch((error) => this.host.log.warning(problemOf(error)));
    }
    // As in Redis, the folder is as it stays when INFO says that there is no rewrite any more.
    this.#over(rewrite, null, true);
  }

  /** `aof-disable-auto-gc` has changed: removes what it has kept. */
  removeHistory(): void {
    if (!this.isOn || this.#manifest === null) return;
    // The manifest is being changed, which ends with the same, or comes to it with the next rewrite.
    if (this.#rewrite !== null || this.#switch?.isUnderWay === true) return;
    const left = this.#manifest.copy();
    if (!this.folder.removeHistory(left)) return;
    this.#writeManifest(left).catch((error) => this.host.log.warning(problemOf(error)));
  }

  /** A rewrite has come to its end: as a failure, complete, or (null) because it was given up. */
  #over(rewrite: Rewrite, failure: string | null, isComplete = false): void {
    const { log, keyspace, runtime: { files } } = this.host;
    if (this.#rewrite !== rewrite) return;
    this.#rewrite = null;
    this.#lastRewriteMs = keyspace.clock.monotonic() - rewrite.startedMs;
    if (isComplete) {
      this.#lastRewriteOk = true;
      this.#failures = 0;
      log.notice("Background AOF rewrite finished successfully");
      return;
    }
    if (failure !== null) {
      this.#lastRewriteOk = false;
      this.#failures++;
      log.warning(failure);
      log.warning("Background AOF rewrite terminated with error");
    }
    removeIfThere(files, this.folder.pathOf(rewrite.temporary));
    // What was collected since goes with it; the next rewrite begins anew.
    if (this.#state !== "waiting") return;
    this.writer.discard();
    this.#isScheduled = true;
    const { temporaryIncrement } = this.folder;
    log.notice(`Removing the temp incr aof file ${temporaryIncrement} in the background`);
    removeIfThere(files, this.folder.pathOf(temporaryIncrement));
  }

  /** Gives up a rewrite that is under way. */
  giveUpRewrite(): void {
    const rewrite = this.#rewrite;
    if (rewrite === null || rewrite.isGivenUp) return;
    rewrite.isGivenUp = true;
    const { id } = this.host.runtime.process;
    this.host.log.notice(
      `Killing running AOF rewrite child: ${id} (it is this process that rewrites, and gives it up)`,
    );
    this.host.persistence.abortBase();
    this.#over(rewrite, null);
  }

  // -- another dataset in place of this one -------------------------------------------------------

  /** Whether another dataset is on its way to the place of the one that is served. */
  get isExchanging(): boolean {
    return this.#switch !== null;
  }

  /** Whether that can still be given up by whoever has asked for it. */
  get mayGiveUpExchange(): boolean {
    return this.#switch?.mayBeGivenUp === true;
  }

  /**
   * Has another dataset take the place of the one that is served, as soon as the files lead there; see
   * dataset_switch.ts. Only while it is on and not waiting, and not while another is on its way.
   */
  exchangeDataset(wish: Exchange): void {
    const { host, folder, writer } = this;
    const { persistence, log, runtime, owner, config, keyspace } = host;
    const isBusy = () => this.#isBusy;
    this.#switch = new DatasetSwitch({
      folder,
      writer,
      persistence,
      log,
      files: runtime.files,
      temporary: this.#temporary,
      head: config.value("aof-timestamp-enabled") ? timestampLine(keyspace.clock.now()) : "",
      get mustWait() {
        return isBusy();
      },
      get isAmidstUnit() {
        return owner.isAmidstUnit;
      },
      get isPaused() {
        return owner.isPaused;
      },
      holdWrites: (isHeld) => owner.holdWrites("undo", isHeld),
      copyManifest: () => this.#manifest!.copy(),
      writeManifest: (next) => this.#writeManifest(next),
      switchTo: (name) => {
        this.#switchTo(name, "UNDO RESTORE");
        this.#countFiles();
      },
      scheduleRewrite: () => this.#isScheduled ||= this.isOn,
      over: () => this.#switch = null,
    }, wish);
    this.#switch.tick();
  }

  /** Gives that up, if it is under way: nothing changes. */
  giveUpExchange(reason: string): void {
    this.#switch?.giveUp(reason);
  }

  // -- INFO --------------------------------------------------------------------------------------

  /** The fields of INFO's section Persistence that are always there, in order. */
  infoFields(): [name: string, value: string | number][] {
    const { clock } = this.host.keyspace;
    const rewrite = this.#rewrite;
    return [
      ["aof_enabled", this.isOn ? 1 : 0],
      ["aof_rewrite_in_progress", rewrite === null ? 0 : 1],
      ["aof_rewrite_scheduled", this.#isScheduled ? 1 : 0],
      ["aof_last_rewrite_time_sec", wholeSeconds(this.#lastRewriteMs)],
      [
        "aof_current_rewrite_time_sec",
        rewrite === null ? -1 : wholeSeconds(clock.monotonic() - rewrite.startedMs),
      ],
      ["aof_last_bgrewrite_status", this.#lastRewriteOk ? "ok" : "err"],
      ["aof_rewrites", this.#rewrites],
      ["aof_rewrites_consecutive_failures", this.#failures],
      ["aof_last_write_status", this.failure === null ? "ok" : "err"],
      ["aof_last_cow_size", 0],
      ["undo_restore_in_progress", this.isExchanging ? 1 : 0],
    ];
  }

  /** Those that are there only while it is on. */
  sizeFields(): [name: string, value: string | number][] {
    if (!this.isOn) return [];
    const { writer } = this;
    return [
      ["aof_current_size", this.#currentBytes],
      ["aof_base_size", this.#baseBytes],
      ["aof_pending_rewrite", this.#isScheduled ? 1 : 0],
      ["aof_buffer_length", writer.bufferBytes],
      ["aof_pending_bio_fsync", writer.isSyncing ? 1 : 0],
      ["aof_delayed_fsync", writer.delayedSyncs],
    ];
  }
}

function isThere(files: Files, path: string): boolean {
  try {
    return files.info(path) !== null;
  } catch (error) {
    // Where it cannot be asked, a write will show what is wrong.
    return !isSystemError(error, "ENOTDIR");
  }
}

function formatOf(commands: CommandFrame | null): BaseFormat {
  return commands === null ? "rdb" : "aof";
}

function persistenceIsBusy({ persistence, owner }: AofHost): boolean {
  return persistence.isSaving || owner.isAmidstUnit;
}

function wholeSeconds(ms: number): number {
  return ms < 0 ? -1 : Math.floor(ms / 1000);
}
