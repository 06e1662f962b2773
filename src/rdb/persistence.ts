/**
 * Saving and loading the dataset: what SAVE, BGSAVE, the save points, the start and the end of the
 * server ask for, and what INFO tells of it. Leaves the bytes to encoder and loader, the walk of a
 * background save to the snapshot, the file to a worker.
 */

import type { Config } from "../config/config.ts";
import { toPath } from "../config/parse.ts";
import { randomId } from "../base/random_id.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES, EXPIRE_IGNORED } from "../keyspace/expire_mode.ts";
import { FunctionLibraries } from "../keyspace/function_libraries.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { OpenFile, Runtime, Timer } from "../runtime/runtime.ts";
import { isSystemError, problemOf, SystemError } from "../runtime/system_error.ts";
import { type CommandFrame, COMMANDS_OPTIONS, saveCommands } from "./as_commands/save_commands.ts";
import { BackgroundSave } from "./background_save.ts";
import { type BaseEvents, BaseSave } from "./base_save.ts";
import { Claims } from "./claims.ts";
import { type ExpiredListener, type LibraryLoader, RdbLoader } from "./loader.ts";
import { DOUBT_MS, removeLeftovers, removeUnlocked } from "./leftovers.ts";
import { moduleLeftOut } from "./module_data.ts";
import { RdbError } from "./rdb_error.ts";
import { type Relay, RelayedSnapshot, type RelayEvents } from "./relayed_snapshot.ts";
import { ReplicaLoad, type ReplicaLoadOptions } from "./replica_load.ts";
import { SaveWorker } from "./snapshot_job.ts";
import { FileSource, RdbReader } from "./reader.ts";
import {
  accessOf,
  type LeftOutListener,
  saveDataset,
  type SavedDataset,
  type SnapshotHead,
} from "./save_dataset.ts";
import type { FinishedForm, SaveFile } from "./save_messages.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { SnapshotFile } from "./snapshot_file.ts";
import { keysPerSlice, nextSlice } from "./slice_delay.ts";
import { slotImportRemark, unheldRemark } from "./unheld.ts";
import {
  askedVersion,
  firstUnheld,
  fullVersion,
  fullVersionRemark,
  isVersionRelaxed,
  replicaVersion,
} from "./versions.ts";
import { type ChunkSink, RdbEncoder } from "./writer.ts";

/** A background save that failed is not tried again by itself for so long. */
const RETRY_MS = 5_000;
/** Time that loading takes before others get their turn, in ms. */
const LOAD_SLICE_MS = 4;
/** How often the log tells how far loading has come. */
const LOAD_REPORT_MS = 2_000;

/** What DEBUG RELOAD asks for. */
export interface ReloadOptions {
  /** NOSAVE: loads the file as it is. */
  readonly saves: boolean;
  /** NOFLUSH: keeps what is there. */
  readonly flushes: boolean;
  /** MERGE: a key in the file replaces the one that is there; otherwise that is an error. */
  readonly merges: boolean;
}

/**
 * Aux field of ours, in snapshots of replicas: commands of the master that had failed there. Who goes on from the
 * snapshot may differ from the master although nothing is missing.
 */
export const AUX_STREAM_ERRORS = "tsredis-stream-errors";
/** The same: offset of the master's stream behind which the dataset is known to be another one than the master's. */
export const AUX_DIVERGED_AT = "tsredis-diverged-at";
/** The same: keys and function libraries of the master's snapshot that had no place there. */
export const AUX_LEFT_OUT = "tsredis-left-out";

/** The link that a loaded snapshot was part of. */
export interface LoadedReplication {
  /** 40 hexadecimal digits. */
  readonly id: string;
  /** Offset in the stream up to which the dataset goes. */
  readonly offset: number;
  /** Database that the stream had selected there. */
  readonly database: number;
  /** Commands of the master that had failed up to there. */
  readonly streamErrors: number;
  /** Offset behind which the dataset is another one than the master's; -1 for none. */
  readonly divergedAt: number;
  /** Keys and function libraries of the master's that are not in the dataset. */
  readonly leftOut: number;
}

/** The aux fields of a snapshot that say where in the history of replication its dataset stands. */
const REPLICATION_AUX = [
  "repl-id",
  "repl-offset",
  "repl-stream-db",
  AUX_STREAM_ERRORS,
  AUX_DIVERGED_AT,
  AUX_LEFT_OUT,
];

/** What these fields say; null where they do not say enough. */
export function replicationOf(aux: ReadonlyMap<string, string>): LoadedReplication | null {
  const number = (name: string, missing: number) => {
    const value = aux.get(name) ?? "";
    return /^\d{1,15}$/.test(value) ? Number(value) : missing;
  };
  const id = aux.get("repl-id") ?? "";
  const offset = number("repl-offset", -1);
  if (!/^[0-9a-f]{40}$/.test(id) || offset < 0) return null;
  return {
    id,
    offset,
    database: number("repl-stream-db", 0),
    streamErrors: number(AUX_STREAM_ERRORS, 0),
    divergedAt: number(AUX_DIVERGED_AT, -1),
    leftOut: number(AUX_LEFT_OUT, 0),
  };
}

/** What a save is to write. */
interface SaveForm {
  readonly version: number;
  /** Hears of what the version cannot hold; absent where it can hold all. */
  readonly leftOut?: LeftOutListener;
  /** Aux fields of replication; absent: those of our history. */
  readonly aux?: readonly (readonly [string, string | number])[];
}

/** What a dataset is being made of. */
export interface LoadedFiles {
  readonly totalBytes: number;
  /** How many of them have been read. */
  loadedBytes(): number;
}

/** How far a load has come. */
interface Loading {
  readonly startedMs: number;
  /** The same by the monotonic clock. */
  readonly steadyStartMs: number;
  readonly files: LoadedFiles;
  readonly loader: RdbLoader;
  /** used-mem of the server that wrote the file, 0 when it does not say. */
  usedMemory: number;
  /** Aux fields of replication. */
  readonly replicationAux: Map<string, string>;
}

/**
 * Told that a snapshot has ended, so that the next can begin: a background save ("file"), one for
 * replicas ("relay"), or the base of an append-only file. `failure` is null when it went well, else what was wrong, or that it was given up. `path` is where a
 * file is then.
 */
export type SnapshotListener = (
  kind: "file" | "relay" | "base",
  failure: string | null,
  path: string,
) => void;

/** What a snapshot for replicas is to be. */
export interface ReplicaForm {
  readonly version: number;
  /** The aux fields of replication, where they are not those of our own history: then it is no save of ours. */
  readonly aux: readonly (readonly [string, string | number])[] | null;
}

/** What replication asks of who makes snapshots. There is never more than one under way. */
export interface SnapshotMaker {
  readonly isSaving: boolean;
  readonly isLoading: boolean;
  /**
   * Begins a snapshot to disk for replicas: of all there is. With aux fields of its own it is not where saves of ours are,
   * and for the caller to remove.
   */
  startBackground(form: ReplicaForm): void;
  /** Gives up a snapshot to disk that is under way. */
  abortBackground(): void;
  /** Begins a snapshot whose bytes go to `events`. */
  startRelay(events: RelayEvents, form: ReplicaForm): Relay;
  /** Has `listener` told of the end of each snapshot. */
  onSnapshotEnded(listener: SnapshotListener): void;
}

/** A field of INFO. */
export type AofField = [name: string, value: string | number];

/** What persistence asks of, and tells, the parts of the server that it does not know. */
export interface PersistenceOwner {
  /** `lastSaveOk` or `isLoading` may have changed. */
  persistenceChanged(): void;
  /** The aux fields of replication that a snapshot of this instant is to carry, in order. */
  replicationAux(): readonly (readonly [string, string | number])[];
  /** What adds function libraries to these of a dataset that is being loaded. */
  libraryLoader(libraries: FunctionLibraries): LibraryLoader;
  /** The one snapshot under way, if it is the base of an append-only file, has to make room for another. */
  snapshotNeeded(): void;
  /** The dataset is another one now: what has been written of the one before has nothing to do with it. */
  datasetReplaced(): void;
  /** The fields of INFO about the append-only file: those that are always there, those while it is on. */
  aofFields(): readonly [AofField[], AofField[]];
  /** `load` leaves out a key because its time is over. */
  expiredAtLoad(database: number, bytes: Uint8Array, offset: number, length: number): void;
}

export class Persistence implements SnapshotMaker {
  /** Whether the dataset is being loaded: most commands answer -LOADING. */
  isLoading = false;
  /** Unix time in ms of the last successful save (or the start). */
  lastSaveMs: number;
  /** Whether the last background save went well. */
  lastSaveOk = true;
  /** Why not; null when it did. */
  lastSaveProblem: string | null = null;
  /**
   * What `load` has found in the file of the replication it was part of; null unless id and offset were
   * there, and null again when the load has failed.
   */
  loadedReplication: LoadedReplication | null = null;
  /** The load of a full sync that is under way. */
  replicaLoad: ReplicaLoad | null = null;
  #isCleared = false;

  readonly #snapshotListeners: SnapshotListener[] = [];
  /** What it has for itself, of what several servers might write. */
  readonly claims: Claims;
  readonly #worker: SaveWorker;
  /** The snapshot under way; there is never more than one. */
  #background: BackgroundSave | RelayedSnapshot | BaseSave | null = null;
  /** Monotonic time at which it began. */
  #backgroundStarted = 0;
  /** Where the file of the latest save is. */
  #path = "";
  /** Changes at that moment. */
  #backgroundDirty = 0;
  /** Who waits for the save at the end of the server. */
  #finalEnded: ((isSaved: boolean) => void) | null = null;
  #isScheduled = false;
  #lastTryMs = -Infinity;
  /** When the dataset was last saved, or loaded, by the monotonic clock. */
  #savedMs: number;
  #lastDurationMs = -1;
  #saves = 0;
  /**
   * What temporary files are named by. The process id alone would not do: several servers of one
   * process, or the first processes of several containers, may share a folder.
   */
  readonly #writer: string;
  #loading: Loading | null = null;
  /** The second look at temporary files that may have been made just now. */
  #doubt: Timer | null = null;
  #lastKeysLoaded = 0;
  #lastKeysExpired = 0;

  constructor(
    readonly keyspace: Keyspace,
    readonly config: Config,
    readonly log: Log,
    readonly runtime: Runtime,
    readonly owner: PersistenceOwner,
  ) {
    this.#worker = new SaveWorker(runtime);
    this.claims = new Claims(config, log, runtime);
    this.#writer = `${runtime.process.id}-${randomId(runtime.fillRandom).slice(0, 8)}`;
    this.lastSaveMs = keyspace.nowMs;
    this.#savedMs = keyspace.steadyMs;
  }

  /** Whether a snapshot is under way: a background save, one for replicas, or a base. */
  get isSaving(): boolean {
    return this.#background !== null || this.#finalEnded !== null;
  }

  /** Whether that is the base of an append-only file. */
  get isSavingBase(): boolean {
    return this.#background instanceof BaseSave;
  }

  /** What temporary files of this server are named by. */
  get writerName(): string {
    return this.#writer;
  }

  // -- saving ------------------------------------------------------------------------

  /** The file that SAVE and BGSAVE write and `load` reads, with its whole path. */
  get filePath(): string {
    return `${this.#folder}/${this.#fileName}`;
  }

  get #folder(): string {
    return toPath(this.config.value("dir"));
  }

  get #fileName(): string {
    return toPath(this.config.value("dbfilename"));
  }

  /** The file's name while a background save writes it. */
  get #temporary(): string {
    return `temp-${this.#writer}.rdb`;
  }

  /**
   * Why nothing is saved now: another server writes the file; or what the version cannot hold that `rdb-version` asks
   * for, and that `rdb-version-lossy` (or the caller, without `mayLose`) forbids to leave out. Null if all is well.
   */
  refusal(mayLose = true): string | null {
    return this.claims.claimSnapshot() ?? this.#unheldRefusal(mayLose);
  }

  #unheldRefusal(mayLose: boolean): string | null {
    const { keyspace, config } = this;
    const version = askedVersion(config);
    if (version === null || (mayLose && config.value("rdb-version-lossy"))) return null;
    const unheld = firstUnheld(keyspace, version);
    return unheld === null ? null : `${unheld}, see rdb-version and rdb-version-lossy`;
  }

  /** What a save is to write now. */
  #saveForm(): SaveForm {
    const { config, log } = this;
    const version = askedVersion(config);
    if (version === null) return this.#fullForm();
    if (!config.value("rdb-version-lossy")) return { version };
    return { version, leftOut: (what) => log.warning(`${what}: it is left out of the snapshot`) };
  }

  /** The form that holds all there is; says so in the log where that is not the usual one. */
  #fullForm(): SaveForm {
    const { keyspace, log } = this;
    const remark = fullVersionRemark(keyspace);
    if (remark !== null) log.notice(remark);
    return { version: fullVersion(keyspace) };
  }

  /**
   * SAVE: writes the file at once; false when that failed or was refused (logged). Not during a background save.
   * Only with `mayLose` something may be left out.
   */
  save(mayLose = true): boolean {
    const failure = this.refusal(mayLose) ?? this.#writeFile(this.#saveForm());
    if (failure !== null) {
      this.log.warning(failure);
      return false;
    }
    this.log.notice("DB saved on disk");
    this.keyspace.dirty = 0;
    this.#saved();
    this.#saves++;
    return true;
  }

  /** Writes the file at once; answers null, or what went wrong. */
  #writeFile(form: SaveForm): string | null {
    try {
      const aux = this.owner.replicationAux();
      const temporary = `temp-${this.#writer}-main.rdb`;
      this.#saveNow(this.#folder, temporary, this.#fileName, this.#finishedForm(), (sink) => {
        this.#writeSnapshot(sink, form, { aux });
      });
    } catch (error) {
      return problemOf(error);
    }
    return null;
  }

  /**
   * Writes the base of an append-only file at once, in a form that holds all there is: a snapshot, or with
   * `commands` these. @throws Error
   */
  saveBase(
    folder: string,
    temporary: string,
    name: string,
    commands: CommandFrame | null,
  ): void {
    const head = { aux: this.owner.replicationAux(), isAofBase: true };
    this.#saveNow(folder, temporary, name, this.#finishedForm(commands, true), (sink) => {
      if (commands === null) this.#writeSnapshot(sink, this.#fullForm(), head);
      else saveCommands(this.keyspace, commands, sink, (what) => this.#remark(what));
    });
  }

  /** Writes the whole dataset at once. */
  #writeSnapshot(sink: ChunkSink, { version, leftOut }: SaveForm, head: SnapshotHead): void {
    const encoder: RdbEncoder = new RdbEncoder((...chunk) => {
      sink(...chunk);
      encoder.recycle(chunk[0]);
    }, { ...this.#finishedForm(), version });
    saveDataset(this.keyspace, encoder, this.#access, head, leftOut);
  }

  #saveNow(
    folder: string,
    temporary: string,
    name: string,
    { syncsAhead }: FinishedForm,
    write: (sink: ChunkSink) => void,
  ): void {
    const { files } = this.runtime;
    const file = new SnapshotFile(files, folder, temporary, name, syncsAhead);
    try {
      write((chunk, length) => file.write(chunk, length));
      file.finish();
      file.rename();
      file.syncFolder();
    } catch (error) {
      file.abandon();
      throw error;
    }
  }

  /**
   * `save` for the end of the server, while the event loop goes on: the dataset of this instant. A
   * snapshot under way is given up, and no other begins before `ended` has heard whether the file is
   * there. What gives up this one (a dataset that is swapped in, FLUSHALL) makes it begin again.
   */
  saveFinally(ended: (isSaved: boolean) => void): void {
    this.#finalEnded = ended;
    if (this.#background instanceof RelayedSnapshot) {
      this.#background.fail("the server is shutting down");
    }
    this.abortBackground();
    this.owner.snapshotNeeded();
    this.#beginFinal();
  }

  #beginFinal(): void {
    if (this.#finalEnded === null || this.#background !== null) return;
    const refusal = this.refusal();
    if (refusal === null) {
      return this.#beginSave(this.#saveForm(), (failure) => this.#finalSaveEnded(failure));
    }
    this.#backgroundStarted = this.keyspace.clock.monotonic();
    this.runtime.timers.soon(() => {
      if (this.#finalEnded !== null) this.#finalSaveEnded(refusal);
    });
  }

  #finalSaveEnded(failure: string | null): void {
    const { keyspace, log } = this;
    const ended = this.#finalEnded;
    this.#background = null;
    this.#finalEnded = null;
    this.#lastDurationMs = keyspace.clock.monotonic() - this.#backgroundStarted;
    if (failure === null) {
      log.notice("DB saved on disk");
      this.#savedSince();
    } else log.warning(failure);
    ended?.(failure === null);
    this.#snapshotEnded("file", failure);
  }

  /** What has changed since the background save began is still to be saved. */
  #savedSince(): void {
    this.keyspace.dirty = Math.max(0, this.keyspace.dirty - this.#backgroundDirty);
    this.#saved();
  }

  #saved(): void {
    this.lastSaveMs = this.keyspace.clock.now();
    this.#savedMs = this.keyspace.clock.monotonic();
    this.lastSaveOk = true;
    this.lastSaveProblem = null;
    this.owner.persistenceChanged();
  }

  /**
   * BGSAVE: begins a background save. Not while one is under way. Answers null, or why none has begun, which has been
   * logged and counts as a save that failed.
   */
  saveInBackground(): string | null {
    this.#isScheduled = false;
    this.#lastTryMs = this.keyspace.clock.monotonic();
    const refusal = this.refusal();
    if (refusal === null) this.#startBackground(this.#saveForm());
    else {
      this.log.warning(refusal);
      this.lastSaveOk = false;
      this.lastSaveProblem = refusal;
      this.owner.persistenceChanged();
    }
    return refusal;
  }

  /** SnapshotMaker. */
  startBackground({ version, aux }: ReplicaForm = this.#usualForm()): void {
    if (aux !== null) return this.#startForReplicas({ version, aux });
    this.#isScheduled = false;
    this.#lastTryMs = this.keyspace.clock.monotonic();
    const problem = this.claims.claimSnapshot();
    if (problem === null) this.#startBackground({ version });
    else this.runtime.timers.soon(() => this.#backgroundEnded(problem));
  }

  #usualForm(): ReplicaForm {
    return { version: replicaVersion(this.keyspace, this.config), aux: null };
  }

  /** A snapshot that is for replicas alone: what is saved of the dataset stays what it was. */
  #startForReplicas(form: SaveForm): void {
    const name = `temp-${this.#writer}-replicas.rdb`;
    this.#beginSave(form, (failure) => this.#replicasEnded(failure), name);
    this.log.notice(`Background saving for replicas started by pid ${this.runtime.process.id}`);
  }

  #replicasEnded(failure: string | null): void {
    this.#background = null;
    if (failure !== null) this.log.warning(failure);
    this.#snapshotEnded("file", failure);
  }

  #startBackground(form: SaveForm): void {
    this.#beginSave(form, (failure) => this.#backgroundEnded(failure));
    this.log.notice(`Background saving started by pid ${this.runtime.process.id}`);
  }

  #beginSave(
    form: SaveForm,
    ended: (failure: string | null) => void,
    name = this.#fileName,
  ): void {
    const { keyspace, config } = this;
    this.#backgroundStarted = keyspace.clock.monotonic();
    this.#backgroundDirty = keyspace.dirty;
    this.#saves++;
    this.#path = `${this.#folder}/${name}`;
    this.#background = new BackgroundSave(
      keyspace,
      this.#worker,
      {
        folder: this.#folder,
        temporary: this.#temporary,
        name,
      },
      this.#finishedForm(),
      this.#snapshotOptions(form),
      () => config.value("rdb-key-save-delay"),
      ended,
    );
  }

  #snapshotOptions(form: SaveForm): SnapshotOptions {
    return {
      ...form,
      access: this.#access,
      compress: this.config.value("rdbcompression"),
      aux: form.aux ?? this.owner.replicationAux(),
    };
  }

  /** ACCESS_*. */
  get #access(): number {
    return accessOf(this.config.value("maxmemory-policy"));
  }

  /** What becomes of the walker's chunks. With `isAof` they are for an append-only file. */
  #finishedForm(commands: CommandFrame | null = null, isAof = commands !== null): FinishedForm {
    const { config } = this;
    return {
      compress: commands === null && config.value("rdbcompression"),
      checksum: config.value("rdbchecksum"),
      commands,
      syncsAhead: config.value(
        isAof ? "aof-rewrite-incremental-fsync" : "rdb-save-incremental-fsync",
      ),
    };
  }

  /** Commands cannot say something that is in the dataset. */
  #remark(what: string): void {
    this.log.warning(`Commands cannot express ${what}: it is left out of the append-only file`);
  }

  /**
   * Begins a snapshot of this instant whose bytes go to `events`, for replicas. Not while `isSaving`.
   * It counts as the one snapshot under way.
   */
  startRelay(
    events: RelayEvents,
    { version, aux }: ReplicaForm = this.#usualForm(),
  ): RelayedSnapshot {
    this.#backgroundStarted = this.keyspace.clock.monotonic();
    const { config } = this;
    const relay = new RelayedSnapshot(
      this.keyspace,
      this.#worker,
      this.#finishedForm(),
      this.#snapshotOptions(aux === null ? { version } : { version, aux }),
      () => config.value("rdb-key-save-delay"),
      events,
      (failure) => this.#relayEnded(failure),
    );
    this.#background = relay;
    return relay;
  }

  /**
   * Begins a snapshot of this instant that is to be a part of an append-only file: the base, or another dataset than
   * what is served. With `commands` it is written as these. Not while `isSaving`. It counts as the one snapshot
   * under way.
   */
  startBase(
    file: SaveFile,
    commands: CommandFrame | null,
    events: Omit<BaseEvents, "remark"> & Partial<BaseEvents>,
    dataset: SavedDataset = this.keyspace,
  ): BaseSave {
    const { config } = this;
    const save = new BaseSave(
      dataset,
      this.#worker,
      file,
      this.#finishedForm(commands, true),
      commands !== null
        ? COMMANDS_OPTIONS
        : { ...this.#snapshotOptions(this.#fullForm()), isAofBase: true },
      () => config.value("rdb-key-save-delay"),
      {
        remark: (what) => {
          this.#remark(what);
          events.remark?.(what);
        },
        finished: () => events.finished(),
        ended: (failure) => {
          this.#background = null;
          events.ended(failure);
          this.#snapshotEnded("base", failure);
        },
      },
    );
    return this.#background = save;
  }

  /** Gives up a base that is under way. */
  abortBase(): void {
    const background = this.#background;
    if (!(background instanceof BaseSave)) return;
    background.abort();
    this.#background = null;
    this.#snapshotEnded("base", "given up");
  }

  /** SnapshotMaker. */
  onSnapshotEnded(listener: SnapshotListener): void {
    this.#snapshotListeners.push(listener);
  }

  #snapshotEnded(kind: "file" | "relay" | "base", failure: string | null): void {
    for (const listener of this.#snapshotListeners) listener(kind, failure, this.#path);
  }

  #relayEnded(failure: string | null): void {
    this.#background = null;
    this.#lastDurationMs = this.keyspace.clock.monotonic() - this.#backgroundStarted;
    this.#snapshotEnded("relay", failure);
  }

  /** BGSAVE SCHEDULE: begins a background save as soon as that is possible. */
  schedule(): void {
    this.#isScheduled = true;
  }

  #backgroundEnded(failure: string | null): void {
    const { keyspace, log } = this;
    this.#background = null;
    this.#lastDurationMs = keyspace.clock.monotonic() - this.#backgroundStarted;
    if (failure === null) {
      log.notice("DB saved on disk");
      log.notice("Background saving terminated with success");
      this.#savedSince();
      this.#snapshotEnded("file", null);
      return;
    }
    log.warning(failure);
    log.warning("Background saving error");
    this.lastSaveOk = false;
    this.lastSaveProblem = failure;
    this.owner.persistenceChanged();
    this.#snapshotEnded("file", failure);
  }

  /** Gives up a background save that is under way. A snapshot for replicas goes on. */
  abortBackground(): void {
    const background = this.#background;
    if (!(background instanceof BackgroundSave)) return;
    background.abort();
    this.#background = null;
    this.#lastDurationMs = this.keyspace.clock.monotonic() - this.#backgroundStarted;
    this.#snapshotEnded("file", "given up");
    // When the dataset is what it is going to be.
    if (this.#finalEnded !== null) this.runtime.timers.soon(() => this.#beginFinal());
  }

  /**
   * FLUSHALL has removed everything: a snapshot of the old content is given up, whether it goes to a file
   * or to replicas (whose full sync begins again), and with save points the empty dataset is saved at once, lest the old one come back at the next start.
   */
  datasetFlushed(): void {
    // Replicas would be sent what is gone already, and FLUSHALL behind it.
    if (this.#background instanceof RelayedSnapshot) {
      this.#background.fail("the dataset has been flushed");
    }
    this.abortBackground();
    if (this.config.value("save").length === 0) return;
    this.save();
  }

  /** What was replaced has been brought back: with save points it is saved soon, as FLUSHALL has saved without it. */
  datasetRestored(): void {
    if (this.config.value("save").length > 0) this.schedule();
  }

  /** Called by the timer: save points, what was scheduled. */
  tick(steadyMs: number): void {
    if (this.isSaving || this.isLoading) return;
    const { keyspace, config, log } = this;
    const mayTry = this.lastSaveOk || steadyMs - this.#lastTryMs > RETRY_MS;
    if (!mayTry) return;
    if (this.#isScheduled) {
      this.saveInBackground();
      return;
    }
    for (const { seconds, changes } of config.value("save")) {
      const age = Math.floor((steadyMs - this.#savedMs) / 1000);
      if (keyspace.dirty < changes || age <= seconds) continue;
      log.notice(`${changes} changes in ${seconds} seconds. Saving...`);
      this.saveInBackground();
      return;
    }
  }

  /** The server ends: a save, a relay or a load under way leaves nothing behind. */
  close(): void {
    this.#snapshotListeners.length = 0;
    this.#finalEnded = null;
    this.runtime.timers.cancel(this.#doubt);
    this.replicaLoad?.abandon();
    if (this.#background instanceof RelayedSnapshot) this.#background.abort();
    else if (this.#background instanceof BackgroundSave) {
      this.abortBackground();
      // The worker may not come to it any more.
      removeIfThere(this.runtime.files, `${this.#folder}/${this.#temporary}`);
    }
    this.#worker.end();
    this.claims.close();
  }

  // -- full sync, receiving ---------------------------------------------------------------

  /** Begins to take the snapshot of a full sync; it is `replicaLoad` until `swap` or `abandon`. */
  beginReplicaLoad(options: ReplicaLoadOptions): ReplicaLoad {
    this.replicaLoad?.abandon();
    // A server that began empty has not looked at the folder yet.
    if (options.mode === "file") this.#clearLeftovers();
    const { keyspace, config, log, runtime } = this;
    const load: ReplicaLoad = new ReplicaLoad(keyspace, config, log, runtime, options, {
      libraryLoader: (libraries) => this.owner.libraryLoader(libraries),
      // It would put the old dataset where the new one is.
      beforeSwap: () => {
        this.abortBackground();
        this.owner.snapshotNeeded();
      },
      mayKeep: () => this.claims.claimSnapshot(),
      replaced: () => this.owner.datasetReplaced(),
      began: () => this.owner.persistenceChanged(),
      closed: () => {
        if (this.replicaLoad === load) this.replicaLoad = null;
        this.owner.persistenceChanged();
      },
    });
    this.replicaLoad = load;
    return load;
  }

  // -- loading ---------------------------------------------------------------------------

  /** Removes what dead processes have left, once, before a file of this kind is made or looked for. */
  #clearLeftovers(): void {
    if (this.#isCleared) return;
    this.#isCleared = true;
    const { runtime: { files, timers } } = this;
    const folder = this.#folder;
    const tell = (name: string) =>
      this.log.notice(`Removed ${name}, which a process that has ended had not finished`);
    const { removed, doubtful } = removeLeftovers(files, folder);
    removed.forEach(tell);
    if (doubtful.length === 0) return;
    this.#doubt = timers.after(DOUBT_MS, () => {
      this.#doubt = null;
      removeUnlocked(files, folder, doubtful).forEach(tell);
    });
  }

  /** Makes ready to save, and removes what dead processes have left. Before anybody is served. */
  begin(): void {
    this.#worker.start();
    this.#clearLeftovers();
  }

  /**
   * Loads the file that the configuration names, in slices; without the file the dataset stays empty.
   * Rejects when the file cannot be read or is damaged: the server must not serve what was read then.
   */
  async load(): Promise<void> {
    this.begin();
    const file = this.#open();
    if (file === null) return;
    using _ = file;
    const { clock, expireMode } = this.keyspace;
    const started = clock.monotonic();
    await this.whileLoading(async () => {
      const { owner } = this;
      const onExpired: ExpiredListener = (...key) => owner.expiredAtLoad(...key);
      const loading = this.#begin(file, expireMode !== EXPIRE_HIDES, false, onExpired);
      await this.#run(loading);
    });
    const seconds = (clock.monotonic() - started) / 1000;
    this.log.notice(`DB loaded from disk: ${seconds.toFixed(3)} seconds`);
  }

  /**
   * Runs `work`, which makes the dataset: clients are told LOADING, and keys are there whatever their
   * expiry says.
   */
  async whileLoading(work: () => Promise<void>): Promise<void> {
    const { keyspace } = this;
    const { expireMode, roleExpireMode } = keyspace;
    this.isLoading = true;
    keyspace.expireMode = keyspace.roleExpireMode = EXPIRE_IGNORED;
    this.owner.persistenceChanged();
    try {
      await work();
    } catch (error) {
      this.loadedReplication = null;
      throw this.#failure(error);
    } finally {
      this.isLoading = false;
      this.#loading = null;
      keyspace.expireMode = expireMode;
      keyspace.roleExpireMode = roleExpireMode;
      this.owner.persistenceChanged();
    }
  }

  /**
   * Loads a snapshot that an append-only file begins with, or is based on, as a part of `files`; in
   * `whileLoading`. Keys past their time stay: what follows may still change that. Resolves with the
   * offset at which it ends.
   */
  async loadBase(file: OpenFile, files: LoadedFiles): Promise<number> {
    const loading = this.#begin(file, false, false, undefined, files);
    await this.#run(loading);
    return loading.loader.offset;
  }

  async #run(loading: Loading): Promise<void> {
    const { keyspace, config, log } = this;
    const now = () => keyspace.clock.monotonic();
    let reportAt = now() + LOAD_REPORT_MS;
    const { loader, files } = loading;
    for (;;) {
      const before = loader.keysLoaded;
      const delay = () => config.value("key-load-delay");
      if (loader.stepFor(LOAD_SLICE_MS, now, keysPerSlice(delay()))) break;
      if (now() > reportAt) {
        reportAt += LOAD_REPORT_MS;
        const percent = files.loadedBytes() / files.totalBytes * 100;
        log.notice(`Loading DB in memory: ${percent.toFixed(1)}%, ${loader.keysLoaded} keys`);
      }
      await new Promise<void>((resolve) =>
        nextSlice(this.runtime.timers, delay, loader.keysLoaded - before, resolve)
      );
      keyspace.refreshTime();
    }
    this.#loaded(loading);
  }

  /** Empties the dataset, which nobody is told of; answers what puts it back in place of what is there then. */
  takeAway(): () => void {
    const { databases, libraries } = this.keyspace;
    const before = databases.map((database) => database.takeContent());
    const librariesBefore = new FunctionLibraries();
    librariesBefore.exchange(libraries);
    return () => {
      databases.forEach((database, index) => database.exchangeContent(before[index]));
      libraries.exchange(librariesBefore);
    };
  }

  /**
   * DEBUG RELOAD: saves to the file and loads it back, all at once. Returns what went wrong, or null.
   * When the file cannot be loaded, the dataset is as before.
   */
  reload(options: ReloadOptions): string | null {
    const { keyspace, log } = this;
    this.abortBackground();
    if (options.saves && !this.save(false)) return "cannot save the dataset";
    const file = this.#open();
    if (file === null) return "there is no file to load";
    using _ = file;
    const { expireMode, eventMask } = keyspace;
    keyspace.expireMode = EXPIRE_IGNORED;
    keyspace.eventMask = 0;
    const putBack = options.flushes ? this.takeAway() : null;
    try {
      const loading = this.#begin(file, expireMode === EXPIRE_DELETES, options.merges);
      loading.loader.run();
      this.#loaded(loading);
      keyspace.dirty = 0;
      return null;
    } catch (error) {
      putBack?.();
      const failure = this.#failure(error);
      log.warning(failure.message);
      return failure.message;
    } finally {
      this.#loading = null;
      keyspace.expireMode = expireMode;
      keyspace.eventMask = eventMask;
      for (const database of keyspace.databases) database.touchAllWatched();
      keyspace.listener.contentReplaced();
    }
  }

  #open(): OpenFile | null {
    const path = `${this.#folder}/${this.#fileName}`;
    try {
      return this.runtime.files.open(path, "read");
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return null;
      throw new Error(
        `Fatal error: can't open the RDB file ${path} for reading: ${problemOf(error)}`,
      );
    }
  }

  #begin(
    file: OpenFile,
    dropsExpired: boolean,
    replaces: boolean,
    onExpired?: ExpiredListener,
    files?: LoadedFiles,
  ): Loading {
    const { keyspace, config, log } = this;
    const source = new FileSource(file);
    const reader = RdbReader.fromSource(source, {
      checksum: config.value("rdbchecksum"),
      relaxedVersion: isVersionRelaxed(config),
    });
    const loader = new RdbLoader(keyspace, reader, {
      dropsExpired,
      replaces,
      onExpired,
      libraryLoader: (libraries) => this.owner.libraryLoader(libraries),
      onAux: (name, value) => this.#hearAux(name, value),
      onEmptyKey: (key) => log.notice(`rdbLoadObject skipping empty key: ${key}`),
      onModule: (name) => log.warning(moduleLeftOut(name)),
      onSlotImport: (job) => log.warning(slotImportRemark(job)),
      onUnheld: config.value("rdb-skip-unknown-modules")
        ? (...key) => log.warning(unheldRemark(...key))
        : undefined,
    });
    const startedMs = keyspace.clock.now();
    this.#loading = {
      startedMs,
      steadyStartMs: keyspace.clock.monotonic(),
      files: files ?? { totalBytes: source.remaining(), loadedBytes: () => loader.offset },
      loader,
      usedMemory: 0,
      replicationAux: new Map(),
    };
    return this.#loading;
  }

  #hearAux(name: string, value: string): void {
    const { log } = this;
    const loading = this.#loading!;
    if (name === "redis-ver" || name === "valkey-ver") {
      log.notice(`Loading RDB produced by version ${value}`);
    } else if (name === "ctime") {
      const age = Math.floor(this.keyspace.clock.now() / 1000) - Number(value);
      log.notice(`RDB age ${Math.max(0, age)} seconds`);
    } else if (name === "used-mem") {
      const bytes = Number(value);
      loading.usedMemory = bytes;
      log.notice(`RDB memory usage when created ${(bytes / (1 << 20)).toFixed(2)} Mb`);
    } else if (name === "aof-base" && value === "1") log.notice("RDB is base AOF");
    else if (name === "aof-preamble" && value === "1") log.notice("RDB has an AOF tail");
    if (!REPLICATION_AUX.includes(name)) return;
    loading.replicationAux.set(name, value);
    // Known from here on: a key that is left out may have to be told to replicas.
    const position = replicationOf(loading.replicationAux);
    if (this.isLoading && position !== null) this.loadedReplication = position;
  }

  #loaded({ loader }: Loading): void {
    const { log } = this;
    this.#lastKeysLoaded = loader.keysLoaded;
    this.#lastKeysExpired = loader.keysExpired;
    const empty = loader.keysEmpty > 0 ? `, empty keys skipped: ${loader.keysEmpty}` : "";
    const { keysLeftOut } = loader;
    const leftOut = keysLeftOut > 0 ? `, keys left out: ${keysLeftOut}` : "";
    log.notice(
      `Done loading RDB, keys loaded: ${loader.keysLoaded}, ` +
        `keys expired: ${loader.keysExpired}${empty}${leftOut}.`,
    );
  }

  /** What to tell of an error during a load. */
  #failure(error: unknown): Error {
    const path = this.filePath;
    if (error instanceof SystemError) {
      return new Error(`Fatal error: can't read the RDB file ${path}: ${error.message}`);
    }
    if (!(error instanceof RdbError)) return error as Error;
    return new Error(
      `${error.message} of ${path}. Terminating server after rdb file reading failure.`,
    );
  }

  // -- INFO --------------------------------------------------------------------------------

  /** The fields of INFO's section Persistence, in order. */
  infoFields(): [name: string, value: string | number][] {
    const { keyspace } = this;
    const [aofFields, aofSizes] = this.owner.aofFields();
    const snapshot = this.#background?.snapshot;
    const isSaving = this.isSaving && !this.isSavingBase;
    const elapsedMs = keyspace.clock.monotonic() - this.#backgroundStarted;
    const percent = snapshot === undefined || snapshot.keysTotal === 0
      ? 0
      : snapshot.keysDone / snapshot.keysTotal * 100;
    const load = this.replicaLoad;
    const fields: [string, string | number][] = [
      ["loading", this.isLoading || load?.hidesServed ? 1 : 0],
      ["async_loading", load?.isLoading && !load.hidesServed ? 1 : 0],
      ["current_cow_peak", 0],
      ["current_cow_size", 0],
      ["current_cow_size_age", 0],
      ["current_fork_perc", percent.toFixed(2)],
      ["current_save_keys_processed", snapshot?.keysDone ?? 0],
      ["current_save_keys_total", snapshot?.keysTotal ?? 0],
      ["rdb_changes_since_last_save", keyspace.dirty],
      ["rdb_bgsave_in_progress", isSaving ? 1 : 0],
      ["rdb_last_save_time", Math.floor(this.lastSaveMs / 1000)],
      ["rdb_last_bgsave_status", this.lastSaveOk ? "ok" : "err"],
      ["rdb_last_bgsave_time_sec", wholeSeconds(this.#lastDurationMs)],
      ["rdb_current_bgsave_time_sec", isSaving ? wholeSeconds(elapsedMs) : -1],
      ["rdb_saves", this.#saves],
      ["rdb_last_cow_size", 0],
      ["rdb_last_load_keys_expired", this.#loading?.loader.keysExpired ?? this.#lastKeysExpired],
      ["rdb_last_load_keys_loaded", this.#loading?.loader.keysLoaded ?? this.#lastKeysLoaded],
      ...aofFields,
      ["module_fork_in_progress", 0],
      ["module_fork_last_cow_size", 0],
      ...aofSizes,
    ];
    if (this.#loading !== null) {
      const { files, usedMemory } = this.#loading;
      const loaded = files.loadedBytes();
      fields.push(...this.#loadingFields(this.#loading, files.totalBytes, usedMemory, loaded));
    } else if (load?.isLoading) {
      const { totalBytes, usedMemory, loadedBytes } = load;
      fields.push(...this.#loadingFields(load, totalBytes, usedMemory, loadedBytes));
    }
    return fields;
  }

  /** Where the size is not known (0), the memory that the data took elsewhere stands in for it. */
  #loadingFields(
    { startedMs, steadyStartMs }: { readonly startedMs: number; readonly steadyStartMs: number },
    totalBytes: number,
    usedMemory: number,
    loaded: number,
  ): [string, string | number][] {
    const elapsed = (this.keyspace.clock.monotonic() - steadyStartMs) / 1000;
    const isKnown = totalBytes > 0;
    const expected = isKnown ? totalBytes : usedMemory;
    const share = expected === 0 ? 0 : Math.min(loaded / expected, isKnown ? 1 : 0.9999);
    const left = Math.max(expected - loaded, isKnown ? 0 : 1);
    const eta = loaded === 0 ? 1 : elapsed * left / loaded;
    return [
      ["loading_start_time", Math.floor(startedMs / 1000)],
      ["loading_total_bytes", totalBytes],
      ["loading_rdb_used_mem", usedMemory],
      ["loading_loaded_bytes", loaded],
      ["loading_loaded_perc", (share * 100).toFixed(2)],
      ["loading_eta_seconds", Math.floor(eta)],
    ];
  }
}

function wholeSeconds(ms: number): number {
  return ms < 0 ? -1 : Math.floor(ms / 1000);
}
