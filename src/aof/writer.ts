/**
 * Writes what enters the stream of writes to the incremental file that is last, and brings it to the
 * disk as `appendfsync` says:
 *
 *     stream --append--> buffer --flush, before replies leave--> file --sync--> disk
 *
 * - always: one sync for all commands of a turn, before the replies to them. While that fails they wait.
 * - everysec: a sync each second, in the background. While one is under way the file is not written to,
 *   as the system would hold us up, for two seconds at most.
 * - no: the system syncs when it likes.
 *
 * A write that fails is taken back, its bytes stay in the buffer and are tried again; meanwhile `failure`
 * says what is wrong, for others to refuse writes. After a sync that has failed the system may have
 * dropped what was written, so it does not count as written: with `always` it is written once more, else
 * `isDamaged` asks for a rewrite.
 */

import { copyBytes, latin1 } from "../base/bytes.ts";
import { isRefusal } from "../base/refused.ts";
import { sleepThread } from "../base/sleep_thread.ts";
import type { Config } from "../config/config.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import type { LoadedReplication } from "../rdb/persistence.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { positionLines } from "./position.ts";

const BUFFER_BYTES = 16 * 1024;
/** A buffer is given back when it has grown beyond this. */
const BUFFER_BYTES_KEPT = 1 << 20;
/** So much is written without waiting for the end of the turn. */
const FLUSH_BYTES = 4 << 20;
/** With `everysec`, and how long writes wait for such a sync. */
const SYNC_EVERY_MS = 1_000;
const POSTPONE_MAX_MS = 2_000;
/** With more than that to be written, nothing waits for the file of before. */
const HELD_BYTES_MAX = 64 << 20;
/** The log tells of failing writes no more often than this. */
const TOLD_EVERY_MS = 30_000;

/** The annotation of `aof-timestamp-enabled` for a Unix time in ms. */
export function timestampLine(nowMs: number): string {
  return `#TS:${Math.floor(nowMs / 1000)}\r\n`;
}

/** The parts of the server that writing works with. */
export interface AofWriterHost {
  readonly keyspace: Keyspace;
  readonly config: Config;
  readonly log: Log;
  readonly files: Files;
  /** Something that the latency monitor watches has taken so long. */
  took(event: string, ms: number): void;
  /** `failure` may have changed. */
  failureChanged(): void;
  /** More may be on the disk than before. */
  synced(): void;
  /** Where in the history of replication the dataset stands at this moment; null when there is nothing to be told. */
  position(): LoadedReplication | null;
  /** What `no-appendfsync-on-rewrite` waits for is under way. */
  isSnapshotUnderWay(): boolean;
}

/** How far the stream of writes is on the disk. */
export interface Synced {
  /** By what was applied here, `WriteStream.appliedOffset`; */
  readonly appliedOffset: number;
  /** by what replicas are sent, `WriteStream.offset`. */
  readonly offset: number;
}

/** The file that is written to, opened twice: a sync in the background holds up who uses the same handle. */
class Target {
  /** Bytes that are in the file for certain. */
  sizeBytes: number;
  /** Of these, what is on the disk. */
  syncedBytes: number;
  isSyncing = false;

  /**
   * `unfinishedFrom` is where the file has to be cut off before it is written to, or null; `begins` is where the
   * stream stood when it was opened.
   */
  constructor(
    public path: string,
    readonly file: OpenFile,
    readonly syncFile: OpenFile,
    public unfinishedFrom: number | null,
    readonly begins: Synced,
  ) {
    this.sizeBytes = this.syncedBytes = file.sizeBytes();
  }

  close(): void {
    this.file.close();
    this.syncFile.close();
  }
}

export class AofWriter {
  /** What is wrong with writing or syncing, in the system's words; null when nothing is. */
  failure: string | null = null;
  /** Something that was written may be lost: only a rewrite makes it whole again. */
  isDamaged = false;
  /** What of the stream of writes is on the disk. */
  synced: Synced = { appliedOffset: 0, offset: 0 };
  /** `aof_delayed_fsync`. */
  delayedSyncs = 0;
  /** DEBUG AOF-FLUSH-SLEEP: how long everything is held up before each write. */
  sleepMs = 0;
  /** Whether `failure` is one of syncing, which a write that works does not end. */
  #isSyncFailure = false;
  /** Files of before whose sync is under way, and since when what follows has waited for that. */
  readonly #closing = new Set<Target>();
  #heldSinceMs = 0;
  /** When the last of them is over. */
  #closed: Promise<void> = Promise.resolve();
  #target: Target | null = null;
  /** Nothing is written for now, see `freeze`. */
  #isFrozen = false;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** Bytes at the buffer's beginning that are in the file, but not on the disk: see `always`. */
  #written = 0;
  #lastSyncMs = 0;
  #postponedMs = NaN;
  #toldMs = -Infinity;
  /** Second of the last annotation. */
  #annotated = 0;
  /** What the file has been told of replication, and whether commands have come since. */
  #writtenId = "";
  #writtenOffset = -1;
  #isBehindPosition = true;

  constructor(readonly host: AofWriterHost) {}

  get #nowMs(): number {
    return this.host.keyspace.clock.monotonic();
  }

  get #policy(): string {
    return this.host.config.value("appendfsync");
  }

  /** Bytes that have not been written. */
  get bufferBytes(): number {
    return this.#length - this.#written;
  }

  /** Bytes of memory that the buffer takes. */
  get heldBytes(): number {
    return this.#target === null ? 0 : this.#buffer.length;
  }

  /** The path of the file that is written to; null when there is none. */
  get path(): string | null {
    return this.#target?.path ?? null;
  }

  /** Size of the file that is written to. */
  get fileBytes(): number {
    return this.#target?.sizeBytes ?? 0;
  }

  get isSyncing(): boolean {
    return this.#target?.isSyncing ?? false;
  }

  /**
   * From now on this file is written to; both are the same, opened for appending. The one before is
   * synced and closed: call `flush` first. `unfinishedFrom`: see AofLoader.
   */
  writeTo(
    path: string,
    file: OpenFile,
    syncFile: OpenFile,
    unfinishedFrom: number | null = null,
  ): void {
    const isFirst = this.#target === null && this.#closing.size === 0;
    this.#syncAndClose();
    this.#target = new Target(path, file, syncFile, unfinishedFrom, this.#position);
    // What was before the first file is in what it follows upon.
    if (isFirst) this.synced = this.#position;
    this.#writtenId = "";
    this.#writtenOffset = -1;
    this.#isBehindPosition = true;
    this.#lastSyncMs = this.#nowMs;
    this.#postponedMs = NaN;
  }

  /** The base that comes before the present file is on the disk: so is all that was before that file. */
  baseSynced(): void {
    const begins = this.#target?.begins;
    // It may belong to another history of replication, whose offsets are others.
    if (begins !== undefined && begins.appliedOffset >= this.synced.appliedOffset) {
      this.synced = begins;
    }
  }

  /** Syncs in the background what has been written so far. Rejects when that fails, which is no `failure` yet. */
  async syncAhead(): Promise<void> {
    await this.#closed;
    await this.#target?.syncFile.syncSoon();
  }

  /** Writes everything: another file may follow. @throws Error */
  complete(): void {
    if (this.#target === null) return;
    this.flush(true);
    if (this.bufferBytes > 0) throw new Error("Cannot write to the append-only file yet");
  }

  /**
   * Writes and syncs everything; what comes from then on is held until `thaw`, or until something else ends that. The
   * file may be followed by others then. Rejects when it cannot be written or synced.
   */
  async freeze(): Promise<void> {
    await this.#closed;
    const target = this.#target;
    if (target === null) return;
    this.settle();
    this.complete();
    this.#isFrozen = true;
    const position = this.#position;
    const { sizeBytes } = target;
    await target.syncFile.syncSoon();
    target.syncedBytes = Math.max(target.syncedBytes, sizeBytes);
    this.#drop();
    this.#syncedUpTo(position);
  }

  /** Ends `freeze`. */
  thaw(): void {
    this.#isFrozen = false;
    this.flush();
  }

  /** Whether what is to be written waits until the file of before is on the disk. */
  get isHeld(): boolean {
    return this.#closing.size > 0;
  }

  /** Cuts off a transaction that has no end, if there is one. @throws SystemError */
  settle(): void {
    const target = this.#target;
    if (target === null || target.unfinishedFrom === null) return;
    this.host.files.truncate(target.path, target.unfinishedFrom);
    target.sizeBytes = target.syncedBytes = target.unfinishedFrom;
    target.unfinishedFrom = null;
  }

  /** Syncs and closes the file of before, in the background: what follows waits for it in the buffer. */
  #syncAndClose(): void {
    const target = this.#target;
    if (target === null) return;
    this.#target = null;
    if (target.syncedBytes === target.sizeBytes) return target.close();
    const position = this.#position;
    if (this.#closing.size === 0) this.#heldSinceMs = this.#nowMs;
    this.#closing.add(target);
    this.#closed = target.syncFile.syncSoon().then(
      () => this.#closingEnded(target, position),
      (error) => this.#closingFailed(target, error),
    ).finally(() => target.close());
  }

  #closingEnded(target: Target, position: Synced): void {
    if (!this.#closing.delete(target)) return;
    this.#syncedUpTo(position);
    this.flush();
    // Replies may have waited for it.
    this.host.failureChanged();
  }

  #closingFailed(target: Target, error: unknown): void {
    if (!this.#closing.delete(target)) return;
    this.isDamaged = true;
    this.#syncFailed(error);
  }

  /**
   * Whether what is to be written has to wait, because the file of before is not on the disk: after a power cut a
   * file may only lack its end when nothing follows it. With `always` replies wait too; else that ends in time, for
   * this thread to wait for the disk.
   */
  #mustHold(policy: string): boolean {
    if (this.#closing.size === 0) return false;
    const heldMs = this.#nowMs - this.#heldSinceMs;
    if (policy === "always" || (heldMs < POSTPONE_MAX_MS && this.bufferBytes < HELD_BYTES_MAX)) {
      return true;
    }
    this.#tellOfSlowSync();
    this.#endHold();
    return false;
  }

  /** Waits until files of before are on the disk. */
  #endHold(): void {
    const position = this.synced;
    for (const target of this.#closing) {
      try {
        target.file.sync();
        this.#closingEnded(target, position);
      } catch (error) {
        this.#closingFailed(target, error);
      }
    }
  }

  /** How far the stream has come. */
  get #position(): Synced {
    const { appliedOffset, offset } = this.host.keyspace.stream;
    return { appliedOffset, offset };
  }

  /** Stops: writes and syncs what there is, and closes the file. What fails is in the log. */
  close(): void {
    const target = this.#target;
    if (target === null) return;
    this.#isFrozen = false;
    this.#notePosition(true);
    this.#endHold();
    this.flush(true);
    if (this.bufferBytes > 0) {
      this.host.log.warning(
        `${this.bufferBytes} bytes of changes could not be written to the AOF file: ${this.failure}`,
      );
    }
    try {
      if (target.syncedBytes !== target.sizeBytes) target.file.sync();
    } catch (error) {
      this.host.log.warning(`Fail to fsync the AOF file: ${problemOf(error)}`);
    }
    this.forget();
    target.close();
    this.#target = null;
  }

  /** The file has another name. */
  renamed(path: string): void {
    if (this.#target !== null) this.#target.path = path;
  }

  /** Stops as `close` does, but does not wait for the disk. */
  letGo(): void {
    this.#isFrozen = false;
    this.#endHold();
    this.flush(true);
    this.#syncAndClose();
    this.forget();
  }

  /** Stops without writing what there is: the file is of no use to anybody. */
  discard(): void {
    this.#target?.close();
    this.#target = null;
    this.forget();
  }

  /** What has not been written is not to be written any more, and what was wrong is over. */
  forget(): void {
    this.#isFrozen = false;
    this.#length = this.#written = 0;
    this.isDamaged = false;
    this.#setFailure(null);
  }

  // -- taking --------------------------------------------------------------------------------

  /** Takes the stream's next bytes: whole commands. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#target === null) return;
    this.#isBehindPosition = true;
    if (this.host.config.value("aof-timestamp-enabled")) this.#annotate();
    this.#take(bytes, offset, length);
  }

  /** `aof-timestamp-enabled`: which second begins here. */
  #annotate(): void {
    const second = Math.floor(this.host.keyspace.clock.now() / 1000);
    if (second <= this.#annotated) return;
    this.#annotated = second;
    const line = latin1(timestampLine(second * 1000));
    this.#take(line, 0, line.length);
  }

  /**
   * Between two units, and not for each of them: says where the dataset stands, if commands have come since that was said last, or
   * (`isLast`) anything else.
   */
  #notePosition(isLast = false): void {
    if (this.#target === null || (!this.#isBehindPosition && !isLast)) return;
    const position = this.host.position();
    if (position === null) return;
    const isWritten = position.offset === this.#writtenOffset && position.id === this.#writtenId;
    if (isWritten && !this.#isBehindPosition) return;
    const lines = latin1(positionLines(position, this.#writtenId));
    this.#writtenId = position.id;
    this.#writtenOffset = position.offset;
    this.#isBehindPosition = false;
    this.#take(lines, 0, lines.length);
  }

  #take(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#length + length > FLUSH_BYTES) this.flush(true);
    try {
      this.#ensure(length);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#writeThrough(bytes, offset, length);
      return;
    }
    copyBytes(this.#buffer, this.#length, bytes, offset, length);
    this.#length += length;
  }

  #ensure(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, needed));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  /** There is no memory to keep these bytes: they go into the file now, or are lost to it. */
  #writeThrough(bytes: Uint8Array, offset: number, length: number): void {
    const target = this.#target!;
    this.#endHold();
    this.flush(true);
    try {
      this.settle();
      if (this.bufferBytes > 0) throw new Error("no memory for what cannot be written");
      target.file.write(bytes, offset, offset + length);
      target.sizeBytes += length;
    } catch (error) {
      this.isDamaged = true;
      this.#takeBack(target, 0);
      this.#setFailure(problemOf(error));
    }
  }

  // -- writing -------------------------------------------------------------------------------

  /**
   * The turn has ended: writes what there is. Answers up to which offset of what was applied changes
   * may be told of: with `always` no further than they are on the disk. Infinity for all.
   */
  endTurn(): number {
    this.flush();
    const mayAll = this.#policy !== "always" || (this.#length === 0 && this.failure === null);
    return mayAll ? Infinity : this.synced.appliedOffset;
  }

  /**
   * The dataset is of another history from here on: says so at once, as what was written behind this place is looked for
   * by that name when another server has taken ours.
   */
  noteHistory(): void {
    this.#notePosition(true);
    this.flush();
  }

  /** Called by the timer: what has been put off, and syncs that are due. */
  tick(): void {
    this.#notePosition();
    this.flush();
  }

  /** Writes the buffer, and syncs if that is due; `force` does not wait for a sync under way. */
  flush(force = false): void {
    const target = this.#target;
    if (target === null || this.#isFrozen) return;
    const policy = this.#policy;
    if (this.bufferBytes > 0) {
      if (this.#mustHold(policy)) return;
      if (policy === "everysec" && !force && this.#isPostponed(target)) return;
      if (!this.#write(target)) return;
    }
    if (target.syncedBytes === target.sizeBytes && this.failure === null) {
      this.#drop();
      // What has come since has changed nothing.
      if (this.synced.offset !== this.host.keyspace.stream.offset) this.#syncedUpTo(this.#position);
      return;
    }
    if (
      this.host.config.value("no-appendfsync-on-rewrite") && this.host.isSnapshotUnderWay()
    ) return this.#drop();
    if (policy === "always") this.#syncNow(target);
    else {
      this.#drop();
      if (policy === "everysec") this.#syncSoon(target);
      else this.#setFailure(null);
    }
  }

  /** Whether the write is better put off, because a sync is under way. */
  #isPostponed(target: Target): boolean {
    if (!target.isSyncing) return false;
    const nowMs = this.#nowMs;
    if (this.#postponedMs !== this.#postponedMs) this.#postponedMs = nowMs;
    if (nowMs - this.#postponedMs < POSTPONE_MAX_MS) return true;
    this.#tellOfSlowSync();
    return false;
  }

  #tellOfSlowSync(): void {
    this.delayedSyncs++;
    this.host.log.notice(
      "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without " +
        "waiting for fsync to complete, this may slow down Redis.",
    );
  }

  #write(target: Target): boolean {
    const startedMs = this.#nowMs;
    sleepThread(this.sleepMs);
    try {
      this.settle();
      target.file.write(this.#buffer, this.#written, this.#length);
    } catch (error) {
      this.#writeFailed(target, error);
      return false;
    }
    const ms = this.#nowMs - startedMs;
    const meanwhile = target.isSyncing
      ? "pending-fsync"
      : this.host.isSnapshotUnderWay()
      ? "active-child"
      : "alone";
    this.host.took(`aof-write-${meanwhile}`, ms);
    this.host.took("aof-write", ms);
    target.sizeBytes += this.bufferBytes;
    this.#written = this.#length;
    this.#postponedMs = NaN;
    // With `always` what was written counts when it is synced.
    if (!this.#isSyncFailure && this.#policy !== "always") this.#setFailure(null);
    return true;
  }

  #writeFailed(target: Target, error: unknown): void {
    const problem = problemOf(error);
    this.#tell(`Error writing to the AOF file: ${problem}`);
    this.#takeBack(target, this.bufferBytes);
    this.#setFailure(problem);
  }

  /** Removes what a write that failed has written of its `lengthMax` bytes; else that counts as written. */
  #takeBack(target: Target, lengthMax: number): void {
    try {
      this.host.files.truncate(target.path, target.sizeBytes);
    } catch (error) {
      this.#tell(
        "Could not remove short write from the append-only file.  Redis may refuse to load the AOF " +
          `the next time it starts.  ftruncate: ${problemOf(error)}`,
      );
      this.#countRest(target, lengthMax);
    }
  }

  #countRest(target: Target, lengthMax: number): void {
    try {
      const rest = target.file.sizeBytes() - target.sizeBytes;
      if (rest <= 0 || rest > lengthMax) return;
      target.sizeBytes += rest;
      this.#written += rest;
    } catch {
      // The next write will show what is wrong.
    }
  }

  #tell(message: string): void {
    const nowMs = this.#nowMs;
    if (this.failure === null) this.#toldMs = -Infinity;
    if (nowMs > this.#toldMs && nowMs - this.#toldMs < TOLD_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.host.log.warning(message);
  }

  #setFailure(problem: string | null, isOfSync = false): void {
    this.#isSyncFailure = isOfSync;
    if (this.failure === problem) return;
    const wasWrong = this.failure !== null;
    this.failure = problem;
    if (wasWrong && problem === null && this.#target !== null) {
      this.host.log.notice("AOF write error looks solved, Redis can write again.");
    }
    this.host.failureChanged();
  }

  /** What was written need not be kept. */
  #drop(): void {
    if (this.#written === 0) return;
    copyBytes(this.#buffer, 0, this.#buffer, this.#written, this.bufferBytes);
    this.#length -= this.#written;
    this.#written = 0;
    if (this.#length === 0 && this.#buffer.length > BUFFER_BYTES_KEPT) {
      this.#buffer = new Uint8Array(BUFFER_BYTES);
    }
  }

  // -- syncing -------------------------------------------------------------------------------

  #syncNow(target: Target): void {
    const position = this.#position;
    const startedMs = this.#nowMs;
    try {
      target.file.sync();
      this.host.took("aof-fsync-always", this.#nowMs - startedMs);
    } catch (error) {
      this.#syncFailed(error);
      // What is not on the disk is written again, at the same place.
      if (this.#written > 0 && target.sizeBytes - this.#written === target.syncedBytes) {
        this.#rewind(target);
      } else this.isDamaged = true;
      return;
    }
    target.syncedBytes = target.sizeBytes;
    this.#lastSyncMs = this.#nowMs;
    this.#drop();
    this.#syncedUpTo(position);
  }

  #rewind(target: Target): void {
    try {
      this.host.files.truncate(target.path, target.syncedBytes);
      target.sizeBytes = target.syncedBytes;
      this.#written = 0;
    } catch (error) {
      this.isDamaged = true;
      this.#tell(`Could not take back what was not synced: ${problemOf(error)}`);
    }
  }

  #syncSoon(target: Target): void {
    const nowMs = this.#nowMs;
    if (target.isSyncing || nowMs - this.#lastSyncMs < SYNC_EVERY_MS) return;
    this.#lastSyncMs = nowMs;
    target.isSyncing = true;
    const { sizeBytes } = target;
    const position = this.#position;
    target.syncFile.syncSoon().then(() => {
      target.syncedBytes = Math.max(target.syncedBytes, sizeBytes);
      target.isSyncing = false;
      this.#syncedUpTo(position);
    }, (error) => {
      target.isSyncing = false;
      if (this.#target !== target) return;
      this.isDamaged = true;
      this.#syncFailed(error);
    });
  }

  #syncFailed(error: unknown): void {
    const problem = problemOf(error);
    this.#tell(`Fail to fsync the AOF file: ${problem}`);
    this.#setFailure(problem, true);
  }

  #syncedUpTo(position: Synced): void {
    // A later file says nothing while the one before it is not there.
    if (this.#closing.size === 0 && position.appliedOffset >= this.synced.appliedOffset) {
      this.synced = position;
    }
    if (this.bufferBytes === 0) this.#setFailure(null);
    this.host.synced();
  }
}
