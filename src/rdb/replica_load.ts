/**
 * The receiving side of a full sync: takes the bytes of a snapshot as they come from the master,
 * builds the dataset beside the one that is being served, and exchanges the two once the new one is
 * whole and its checksum right. See "Built aside, then swapped" in NOTES.
 *
 *     push -> ReceivedBytes -+-> (mode "stream") RdbReader -> RdbLoader -> a second Keyspace -> swap
 *                            '-> (mode "file")   temporary file -> RdbReader -> ...      '-> dbfilename
 *
 * Everything happens in slices between requests. Keys past their time are kept: the master sends the
 * DELs. Not here: the link, and when to begin, give up or swap (src/replication/).
 */

import type { Config } from "../config/config.ts";
import { quoted } from "../base/printable.ts";
import { toPath } from "../config/parse.ts";
import { EXPIRE_HIDES, EXPIRE_IGNORED } from "../keyspace/expire_mode.ts";
import type { FunctionLibraries } from "../keyspace/function_libraries.ts";
import { Database } from "../keyspace/database.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { OpenFile, Runtime } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { type LibraryLoader, RdbLoader } from "./loader.ts";
import { LeftOut } from "./left_out.ts";
import { FileSource, RdbReader } from "./reader.ts";
import { ReceivedBytes } from "./received_bytes.ts";
import { moduleLeftOut } from "./module_data.ts";
import { RdbError } from "./rdb_error.ts";
import { keysPerSlice, nextSlice } from "./slice_delay.ts";
import { exchangeSnapshot } from "./snapshot_file.ts";
import { slotImportRemark } from "./unheld.ts";
import { isVersionRelaxed } from "./versions.ts";

/** The receiver should stop reading while so many bytes wait. */
export const RECEIVED_MAX = 4 << 20;
/** Time that loading takes before others get their turn, in ms. */
const SLICE_MS = 2;
/** Keys that a table is made for before they have come. */
const RESERVE_MAX = 4 << 20;

export interface ReplicaLoadOptions {
  /** Bytes of the snapshot if announced ("$n"), else null (it ends where the sender says). */
  readonly totalBytes: number | null;
  /**
   * "file": into a temporary file in `dir`, and loaded from it when complete (`repl-diskless-load
   * disabled`); "stream": loaded while it arrives.
   */
  readonly mode: "file" | "stream";
  /**
   * Whether clients are to be told LOADING while it is read into the new dataset, because what is
   * being served belongs to another history.
   */
  readonly hidesServed?: boolean;
  /** The master as logs name it. */
  readonly master?: string;
}

/** What the rest of persistence does when a load comes to its end. */
export interface ReplicaLoadOwner {
  /** What adds function libraries to these. */
  libraryLoader(libraries: FunctionLibraries): LibraryLoader;
  /** Reading into the new dataset begins. */
  began(): void;
  /** The dataset is about to be exchanged: a background save of the old one is of no use. */
  beforeSwap(): void;
  /** The received file is about to become that of snapshots: null, or why it may not. */
  mayKeep(): string | null;
  /** The dataset has been exchanged, and it is known where in the history of replication it stands. */
  replaced(): void;
  /** Swapped or given up. */
  closed(): void;
}

/** Aux fields that say nothing of the data: who has written them, and where. */
const KNOWN_AUX: ReadonlySet<string> = new Set([
  "redis-ver",
  "valkey-ver",
  "redis-bits",
  "ctime",
  "aof-base",
  "aof-preamble",
]);

/** Numbers the temporary files of one process. */
let loads = 0;

export class ReplicaLoad {
  /** Called when `waitingBytes` has fallen below RECEIVED_MAX after having been over it. */
  onDrained: () => void = () => {};
  /** Called once when the load has failed before `finish` was called: no more bytes are needed. */
  onFailed: (failure: Error) => void = () => {};
  /** Bytes taken with `push`. */
  receivedBytes = 0;
  /** The aux fields `repl-stream-db` (0 if absent), `repl-id` and `repl-offset` (null if absent). */
  replicationDatabase = 0;
  replicationId: string | null = null;
  replicationOffset: number | null = null;
  /** What of the snapshot is not in the new dataset, as it has no place here. */
  readonly leftOut = new LeftOut();
  /** used-mem of the server that wrote the snapshot, 0 when it does not say. */
  usedMemory = 0;
  /** Unix time in ms at which loading began; 0 before. */
  startedMs = 0;
  /** The same by the monotonic clock. */
  steadyStartMs = 0;

  readonly #owner: ReplicaLoadOwner;
  readonly #received: ReceivedBytes;
  readonly #fresh: Keyspace;
  readonly #now: () => number;
  #loader: RdbLoader | null = null;
  /** The temporary file's folder and name; null in mode "stream". */
  readonly #folder: string;
  readonly #temporary: string;
  #file: OpenFile | null = null;
  #isWriting = false;
  #isComplete = false;
  #isScheduled = false;
  #wasOver = false;
  #state: "taking" | "loaded" | "failed" | "closed" = "taking";
  #failure: Error | null = null;
  #resolve: (() => void) | null = null;
  #reject: ((failure: Error) => void) | null = null;

  /** Made by Persistence.beginReplicaLoad. */
  constructor(
    readonly keyspace: Keyspace,
    readonly config: Config,
    readonly log: Log,
    readonly runtime: Runtime,
    readonly options: ReplicaLoadOptions,
    owner: ReplicaLoadOwner,
  ) {
    this.#owner = owner;
    this.#now = () => keyspace.clock.monotonic();
    this.#received = new ReceivedBytes(options.totalBytes);
    this.#fresh = besides(keyspace);
    this.#folder = toPath(config.value("dir"));
    const second = Math.floor(keyspace.clock.now() / 1000);
    this.#temporary = `temp-${second}.${runtime.process.id}.${++loads}.rdb`;
    if (options.mode === "stream") {
      const reader = RdbReader.fromGrowing(this.#received, keyspace.limits.stringBytesMax, {
        checksum: config.value("rdbchecksum"),
        relaxedVersion: isVersionRelaxed(config),
      });
      this.#begin(reader);
      return;
    }
    try {
      this.#file = runtime.files.open(this.#path, "create");
      this.#file.tryLock(); // see leftovers.ts
    } catch (error) {
      this.#fail(fileError("cannot open", this.#path, error));
    }
  }

  get #path(): string {
    return `${this.#folder}/${this.#temporary}`;
  }

  // -- progress ------------------------------------------------------------------------

  /** Received, and neither loaded nor in the file yet. Stop reading while it is over RECEIVED_MAX. */
  get waitingBytes(): number {
    return this.#received.count;
  }

  /** Bytes that have been read into the new dataset. */
  get loadedBytes(): number {
    return this.#loader?.offset ?? 0;
  }

  /** Keys read so far. */
  get keysLoaded(): number {
    return this.#loader?.keysLoaded ?? 0;
  }

  /** Bytes that the snapshot has, 0 when that is not known yet. */
  get totalBytes(): number {
    return this.options.totalBytes ?? (this.#isComplete ? this.receivedBytes : 0);
  }

  /** Whether bytes are being read into the new dataset, or have been and wait for `swap`. */
  get isLoading(): boolean {
    return this.startedMs > 0 && (this.#state === "taking" || this.#state === "loaded");
  }

  /** Whether most commands are to answer -LOADING now, see `ReplicaLoadOptions`. */
  get hidesServed(): boolean {
    return this.options.hidesServed === true && this.isLoading;
  }

  /** Keys in the new dataset (after `swap`: in the old one). */
  get keyCount(): number {
    return this.#fresh.keyCount;
  }

  // -- receiving -------------------------------------------------------------------------

  /**
   * Takes the next received bytes; copies what it needs to keep. Never throws: what is wrong with
   * the bytes, `finish` rejects with; `onFailed` tells it at once.
   */
  push(bytes: Uint8Array, offset: number, length: number): void {
    this.receivedBytes += length;
    if (this.#state !== "taking") {
      // Behind the end mark, where nothing may follow.
      if (this.#state === "loaded" && length > 0) this.#fail(this.#tooMuch(this.loadedBytes));
      return;
    }
    const { totalBytes } = this.options;
    if (totalBytes !== null && this.receivedBytes > totalBytes) {
      this.#fail(this.#tooMuch(totalBytes));
      return;
    }
    this.#received.push(bytes, offset, length);
    if (this.#received.count > RECEIVED_MAX) this.#wasOver = true;
    this.#goOn();
  }

  #tooMuch(at: number): RdbError {
    return new RdbError("corrupt", "bytes behind the end of the snapshot", at);
  }

  /**
   * All bytes have come. Resolves when the dataset is whole and its checksum right. Rejects with an
   * RdbError, the system's error, or one that names what would be left out; nothing of the dataset being served has been touched then.
   * Neither happens after `abandon`.
   */
  finish(): Promise<void> {
    this.#isComplete = this.#received.isComplete = true;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#failure !== null) reject(this.#failure);
      else if (this.#state === "loaded") resolve();
      else this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#loader !== null) this.#schedule();
    else this.#write();
  }

  #drained(): void {
    if (!this.#wasOver || this.#received.count >= RECEIVED_MAX) return;
    this.#wasOver = false;
    this.onDrained();
  }

  #fail(failure: Error): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.#state = "failed";
    this.#failure = failure;
    this.#letGo();
    if (this.#reject !== null) this.#reject(failure);
    // Not from inside the constructor or `push`: the caller is not ready for it there.
    else this.runtime.timers.soon(() => this.#reject === null && this.onFailed(failure));
  }

  /** Forgets data and file. */
  #letGo(): void {
    this.#received.clear();
    for (const database of this.#fresh.databases) database.clear();
    if (this.#file === null) return;
    // A write under way ends with an error then, which nobody hears.
    this.#file.close();
    this.#file = null;
    removeIfThere(this.runtime.files, this.#path);
  }

  // -- the file ----------------------------------------------------------------------------

  /** Brings what has been received to the file, and with everything there begins to load it. */
  async #write(): Promise<void> {
    if (this.#isWriting || this.#file === null) return;
    this.#isWriting = true;
    const file = this.#file;
    try {
      for (;;) {
        const bytes = this.#received.take();
        if (bytes === null) break;
        await file.writeSoon(bytes, 0, bytes.length);
        if (this.#state !== "taking") return;
        this.#received.giveBack(bytes);
        this.#drained();
      }
      this.#isWriting = false;
      if (!this.#isComplete) return;
      this.#isWriting = true;
      await file.syncSoon();
      if (this.#state !== "taking") return;
      file.seek(0);
      this.#begin(RdbReader.fromSource(new FileSource(file), {
        checksum: this.config.value("rdbchecksum"),
        relaxedVersion: isVersionRelaxed(this.config),
      }));
      this.#schedule();
    } catch (error) {
      this.#fail(fileError("cannot write", this.#path, error));
    }
  }

  // -- loading -----------------------------------------------------------------------------

  #begin(reader: RdbReader): void {
    this.#loader = new RdbLoader(this.#fresh, reader, {
      dropsExpired: false,
      reserveMax: RESERVE_MAX,
      libraryLoader: (libraries) => this.#owner.libraryLoader(libraries),
      onAux: (name, value) => this.#hearAux(name, value),
      onEmptyKey: (key) => this.log.notice(`rdbLoadObject skipping empty key: ${key}`),
      onModule: (name) => this.log.warning(moduleLeftOut(name)),
      onSlotImport: (job) => this.log.warning(slotImportRemark(job)),
      onUnheld: (...key) => this.leftOut.key(...key),
      onBadLibrary: (...library) => this.leftOut.library(...library),
    });
  }

  #hearAux(name: string, value: string): void {
    if (name === "repl-stream-db") this.replicationDatabase = Number(value) || 0;
    else if (name === "repl-id") this.replicationId = value;
    else if (name === "repl-offset") this.replicationOffset = Number(value);
    else if (name === "used-mem") this.usedMemory = Number(value) || 0;
    else if (!KNOWN_AUX.has(name)) this.log.verbose(`Unrecognized RDB AUX field: ${quoted(name)}`);
  }

  #schedule(keysDone = 0): void {
    if (this.#isScheduled || this.#state !== "taking") return;
    this.#isScheduled = true;
    nextSlice(
      this.runtime.timers,
      () => this.config.value("key-load-delay"),
      keysDone,
      () => this.#slice(),
    );
  }

  #slice(): void {
    this.#isScheduled = false;
    if (this.#state !== "taking") return;
    const loader = this.#loader!;
    const before = loader.keysLoaded;
    if (this.startedMs === 0) {
      this.startedMs = this.keyspace.clock.now();
      this.steadyStartMs = this.keyspace.clock.monotonic();
      this.#owner.began();
    }
    try {
      if (loader.stepFor(SLICE_MS, this.#now, keysPerSlice(this.config.value("key-load-delay")))) {
        this.#loaded();
        return;
      }
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#drained();
    if (!loader.isStarved || this.#received.count > 0) this.#schedule(loader.keysLoaded - before);
  }

  #loaded(): void {
    if (this.loadedBytes < Math.max(this.receivedBytes, this.options.totalBytes ?? 0)) {
      this.#fail(this.#tooMuch(this.loadedBytes));
      return;
    }
    const refusal = this.#tellLeftOut();
    if (refusal !== null) return this.#fail(new Error(refusal));
    this.#state = "loaded";
    if (this.#isComplete) this.#resolve?.();
  }

  /** Names what the new dataset lacks; why it is not to take the place of the old one, null if it may. */
  #tellLeftOut(): string | null {
    const { leftOut, config, log } = this;
    if (leftOut.isEmpty) return null;
    const isAccepted = config.value("replica-accept-lossy-sync") ||
      (leftOut.libraries === 0 && config.value("rdb-skip-unknown-modules"));
    const how = isAccepted ? "is left out" : "would be left out";
    for (const line of leftOut.lines) {
      log.warning(`Of the master's snapshot ${how}, as it has no place here: ${line}`);
    }
    if (isAccepted) return null;
    return `the snapshot holds what has no place here: ${leftOut.summary}. Nothing of it is taken, and nothing ` +
      "of the present data dropped; with replica-accept-lossy-sync yes the rest of it is taken";
  }

  // -- the end -----------------------------------------------------------------------------

  /**
   * Exchanges the dataset being served for the new one, at once; only after `finish` has resolved.
   * Fails the transactions that watch keys which were there or are there now, and lets blocked
   * clients look again (dispatch serves them behind its next request, or when asked to). Gives up a
   * background save of the old dataset, and sees to the received file: it becomes `dbfilename`, or is
   * removed (`rdb-del-sync-files`, when nothing is ever saved).
   */
  swap(): void {
    if (this.#state !== "loaded") throw new Error("replica load: swap before all is loaded");
    this.#state = "closed";
    this.#owner.beforeSwap();
    this.#fresh.expireMode = EXPIRE_HIDES;
    this.#fresh.refreshTime();
    this.keyspace.databases.forEach((database, index) => {
      const other = this.#fresh.databases[index];
      database.touchSwapped(other);
      database.exchangeContent(other);
      database.signalAllReady();
    });
    this.keyspace.libraries.exchange(this.#fresh.libraries);
    this.keyspace.listener.contentReplaced();
    if (this.#file !== null) this.#keepFile(this.#file);
    this.#file = null;
    this.#seal(this.#fresh);
    this.#owner.closed();
  }

  /** To be called after `swap`, once it is known where in the history of replication the new dataset stands. */
  tellReplaced(): void {
    this.#owner.replaced();
  }

  /** Has the dataset that was served kept for UNDO, if it may be. */
  #seal({ databases, libraries }: Keyspace): void {
    const { keyspace } = this;
    const replaced = databases.map(({ index }) => new Database(keyspace, index));
    replaced.forEach((database, index) => database.exchangeContent(databases[index]));
    keyspace.sealed.take({
      cause: "full-sync",
      by: `master ${this.options.master ?? ""}`.trim(),
      databases: replaced,
      libraries,
      isWhole: true,
    });
  }

  /** Gives the received file its name. What takes the disk long is left to the thread pool. */
  #keepFile(file: OpenFile): void {
    using _ = file;
    const { config } = this;
    const { files } = this.runtime;
    if (
      config.value("rdb-del-sync-files") && config.value("save").length === 0 &&
      !config.value("appendonly")
    ) {
      files.removeSoon(this.#path);
      return;
    }
    const problem = this.#owner.mayKeep();
    if (problem !== null) {
      this.log.warning(problem);
      files.removeSoon(this.#path);
      return;
    }
    const name = toPath(config.value("dbfilename"));
    try {
      exchangeSnapshot(files, this.#folder, this.#temporary, name);
    } catch (error) {
      this.log.warning(
        `Failed trying to rename the temp DB into ${name} in MASTER <-> REPLICA synchronization: ` +
          problemOf((error as Error).cause ?? error),
      );
    }
    files.syncFolderSoon(this.#folder).catch(() => {});
  }

  /** Gives up: removes the file, forgets the data. Also to be called after a failure; may be repeated. */
  abandon(): void {
    if (this.#state === "closed") return;
    if (this.#state !== "failed") this.#letGo();
    this.#state = "closed";
    this.#owner.closed();
  }
}

/** An empty keyspace with the settings of another. */
function besides(keyspace: Keyspace): Keyspace {
  const { databases, clock, draw, stream } = keyspace;
  // Nothing is added to the stream: no key expires in there.
  const fresh = new Keyspace(databases.length, clock, draw, stream);
  Object.assign(fresh.limits, keyspace.limits);
  fresh.usesLfu = keyspace.usesLfu;
  fresh.lfuLogFactor = keyspace.lfuLogFactor;
  fresh.lfuDecayMinutes = keyspace.lfuDecayMinutes;
  fresh.expireMode = EXPIRE_IGNORED;
  fresh.hasRoom = keyspace.hasRoom;
  fresh.refreshTime();
  return fresh;
}

function fileError(what: string, path: string, error: unknown): Error {
  return new Error(`${what} ${path}: ${problemOf(error)}`);
}
