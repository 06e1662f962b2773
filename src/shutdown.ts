/**
 * The end of the server: SHUTDOWN and signals. Replicas that have not acknowledged everything are
 * waited for, up to `shutdown-timeout`, while writes are paused; then the dataset is saved, where that
 * is asked for or configured. A part of src/core.ts.
 *
 *     request ──► replicas lag: waits ──► saves ──► the end
 *                        │                  │
 *                        └ ABORT            └ cannot save: the server stays
 *
 * While replicas are waited for, writes are paused; while the dataset is saved, all commands are, and
 * the stream stays where it is: the file has its offset, from which replicas go on after a restart.
 * The save goes on in the background only so that signals are heard: a second SIGINT ends the process
 * at once.
 */

import type { Services, ShutdownOptions } from "./dispatch/services.ts";
import type { Supervision } from "./supervision.ts";

/** What ends the process, and what goes before it. */
export interface ShutdownActions {
  /** Told how far the end has come; nobody if absent. */
  readonly supervision?: Supervision;
  /** Stops serving: sockets, timer. */
  stop(): void;
  exit(code: number): void;
}

export class Shutdown {
  #isFinal = false;
  /** Requests that wait for the end; the first decides how to end. */
  readonly #waiting: ShutdownOptions[] = [];
  /** By `Keyspace.steadyMs`. */
  #deadlineMs = 0;
  /** Offset that replicas are waited for to acknowledge. */
  #offset = 0;
  /** Replicas are waited for no more, the dataset is being saved. */
  #isSaving = false;

  constructor(readonly server: Services, readonly actions: ShutdownActions) {}

  /** Whether an end has been asked for and has not come yet. */
  get isUnderWay(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether dataset and stream have to stay as they are: they are being saved, or the end has come. */
  get isFinal(): boolean {
    return this.#isFinal || this.#isSaving;
  }

  /** Whether the end that replicas are waited for was asked for without a save. */
  get savesNothing(): boolean {
    return this.isWaiting && this.#waiting[0].save === "nosave";
  }

  /** Whether replicas are being waited for. */
  get isWaiting(): boolean {
    return this.isUnderWay && !this.#isSaving;
  }

  /** How long replicas are waited for at most, in ms from `steadyMs` on. */
  remainingMs(steadyMs: number): number {
    return Math.max(0, this.#deadlineMs - steadyMs);
  }

  request(options: ShutdownOptions): void {
    if (this.#isFinal) return;
    const { log, config, replication, keyspace } = this.server;
    log.notice("User requested shutdown...");
    if (this.#isSaving) return this.#wait(options);
    const timeoutMs = config.value("shutdown-timeout") * 1000;
    this.#offset = this.isWaiting ? this.#offset : replication.offset;
    if (options.now || timeoutMs === 0 || this.#lagging().length === 0) {
      return this.#finish(options);
    }
    if (!this.isWaiting) {
      log.notice("Waiting for replicas before shutting down.");
      this.#deadlineMs = keyspace.steadyMs + timeoutMs;
      replication.master.requestAcks();
    }
    this.#wait(options);
  }

  /** Who asks waits, and writes do, until the end or `#giveUp`. */
  #wait(options: ShutdownOptions): void {
    if (!this.isUnderWay) this.server.pause.begin("shutdown", Infinity, false);
    this.#waiting.push(options);
    options.onWaiting();
  }

  /** SHUTDOWN ABORT: false when there is nothing to be called off. */
  abort(): boolean {
    if (!this.isWaiting) return false;
    this.server.log.notice("Shutdown manually aborted.");
    this.#giveUp();
    return true;
  }

  /** Called by the timer and when replicas acknowledge. */
  tick(steadyMs: number): void {
    if (!this.isWaiting) return;
    if (steadyMs < this.#deadlineMs && this.#lagging().length > 0) return;
    this.#finish(this.#waiting[0]);
  }

  #lagging() {
    const { master } = this.server.replication;
    return master.attachedReplicas().filter(({ ackOffset }) => ackOffset < this.#offset);
  }

  /** Those who asked are told that the server stays, and writes go on. */
  #giveUp(): void {
    this.#isSaving = false;
    for (const { onRefused } of this.#waiting.splice(0)) {
      onRefused("ERR Errors trying to SHUTDOWN. Check logs.");
    }
    this.server.pause.end("shutdown");
  }

  #finish(options: ShutdownOptions): void {
    const { log, config, persistence, replication, pause } = this.server;
    const replicas = replication.master.attachedReplicas();
    const lagging = this.#lagging();
    for (const { name, ackOffset, lagSeconds, state } of lagging) {
      log.notice(
        `Lagging replica ${name} reported offset ${
          replication.offset - ackOffset
        } behind master, ` +
          `lag=${lagSeconds}, state=${state}.`,
      );
    }
    if (replicas.length > 0) {
      log.notice(
        `${replicas.length - lagging.length} of ${replicas.length} replicas are in sync when ` +
          "shutting down.",
      );
    }
    if (this.#isWritingFirstBase(options)) return this.#refuse(options);
    const saves = options.save === "save" ||
      (options.save === "default" && config.value("save").length > 0);
    if (!saves || persistence.isLoading) return this.#end();
    log.notice("Saving the final RDB snapshot before exiting.");
    this.actions.supervision?.saving();
    // Who does not wait for replicas, as others do, waits for the save like them.
    if (!this.#waiting.includes(options)) this.#wait(options);
    this.#isSaving = true;
    pause.begin("shutdown", Infinity, true);
    persistence.saveFinally((isSaved) => {
      if (!isSaved) {
        log.warning("Error trying to save the DB, can't exit.");
        this.actions.supervision?.saveFailed();
        if (!options.force) {
          this.#refuse(options);
          return;
        }
      }
      this.#end();
    });
  }

  /** Whether there is no append-only file yet of this dataset, which would be lost; said in the log. */
  #isWritingFirstBase({ force }: ShutdownOptions): boolean {
    const { aof, log } = this.server;
    if (!aof.isWaiting) return false;
    log.warning(
      force ? "Writing initial AOF. Exit anyway." : "Writing initial AOF, can't exit.",
    );
    return !force;
  }

  /** Something is wrong: whoever asked is told, and the server stays. */
  #refuse(options: ShutdownOptions): void {
    this.server.log.warning(
      "Errors trying to shut down the server. Check the logs for more information.",
    );
    if (!this.#waiting.includes(options)) this.#waiting.push(options);
    this.#giveUp();
  }

  #end(): void {
    const { aof, log } = this.server;
    if (aof.isOn) log.notice("Calling fsync() on the AOF file.");
    this.#isFinal = true;
    this.actions.stop();
    this.server.log.warning("Redis is now ready to exit, bye bye...");
    const told = this.actions.supervision?.stopping() ?? null;
    if (told === null) this.actions.exit(0);
    else void told.then(() => this.actions.exit(0));
  }
}
