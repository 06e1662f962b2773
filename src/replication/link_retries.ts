/**
 * When a link to the master is tried again, and which of the tries the log tells of. On the path of the replica role:
 * asked whenever a link has ended.
 *
 * A link that was up is sought again at once, as Redis does; one that did not get that far after a while that
 * grows to about a second, and so is one that was lost right after a full sync, or time and again as soon as it
 * was up: what cuts it would have us ask without end. Where a full sync has failed for what the snapshot holds
 * (a kind of value that is not known here, damage), the next one is likely to fail too, and each costs the
 * master a whole snapshot: so the pauses grow to a minute, until a sync succeeds or a person says REPLICAOF. Of
 * tries that fail alike before the master has given anything the log tells once, however often they repeat: a
 * full sync, or a link that was up, is news each time.
 */

import { oneLine } from "../base/printable.ts";
import type { History } from "./history.ts";
import type { ReplicationHost } from "./host.ts";

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1000;
/** After tries that have failed for what the snapshot, or the stream, holds. */
const CONTENT_RETRY_MS_MIN = 1000;
const CONTENT_RETRY_MS_MAX = 60_000;
/** So many tries in a row that have failed for the same: what is tried from then on is told of no more. */
const SILENT_AFTER = 2;
/** Streams that could not be trusted so soon after one another are the same trouble. */
const FORGOTTEN_WITHIN_MS = 600_000;
/** Between the tries of a replica that guards its data: each is a full sync for the master. */
const GUARDED_RETRY_MS = 2000;
/** If the master has some keys: each of them is sent each time. */
const GUARDED_RETRY_MS_MAX = 30_000;
/** A link that was up for less behind a full sync does not count as one that works, */
const STEADY_MS = 1000;
/** behind a partial sync for less than this; but what is sought again at once is also the first such one. */
const PARTIAL_STEADY_MS = 100;

/** A link that has come to its end. */
export interface EndedLink {
  /** Why it has, as the log tells it. */
  readonly message: string;
  readonly wasUp: boolean;
  /** It went on where we were, without a snapshot. */
  readonly isPartial: boolean;
  /** The master has given nothing, not even a part of a snapshot. */
  readonly isFutile: boolean;
}

export class LinkRetries {
  /** Tries in a row that have failed for the same. */
  failures = 0;
  /** Full syncs, since the last that succeeded, that have failed for what the snapshot holds; why the latest did. */
  badSnapshots = 0;
  snapshotProblem = "";
  /** When the next try begins after such a one, by the monotonic clock; 0: it is not waited for. */
  nextSnapshotMs = 0;
  /** The stream has selected a database that is not here: why it cannot go on, at which offset, how often in a row. */
  stop: { readonly why: string; readonly offset: number; readonly count: number } | null = null;
  /** Of the tries that have failed the latest, if they have failed alike before a full sync has begun. */
  #futileTries = 0;
  #lastFailure = "";
  /** Since when the link is up, or was last, by the monotonic clock. */
  #upSinceMs = 0;
  /** When a stream last was not to be trusted, by the monotonic clock, and how often since it was. */
  #forgottenMs = -Infinity;
  #timesForgotten = 0;

  constructor(readonly host: ReplicationHost, readonly history: History) {}

  /** Another master is followed from now on, or none. */
  reset(): void {
    this.failures = 0;
    this.#futileTries = 0;
    this.#lastFailure = "";
    this.stop = null;
    this.#forgetBadSnapshots();
  }

  /** A link is up. */
  linkUp(): void {
    this.#forgetBadSnapshots();
    this.#upSinceMs = this.host.clock.monotonic();
  }

  #forgetBadSnapshots(): void {
    this.badSnapshots = 0;
    this.snapshotProblem = "";
    this.nextSnapshotMs = 0;
  }

  /** Whether the same has been tried in vain so often that the log is not told of the next try. */
  get isSilent(): boolean {
    return this.#futileTries >= SILENT_AFTER;
  }

  /** Whether it is so since the latest try. */
  get isNewlySilent(): boolean {
    return this.#futileTries === SILENT_AFTER;
  }

  /** Whether a failure is that of the try before, but for numbers. */
  isSame(message: string): boolean {
    return isSameTrouble(message, this.#lastFailure);
  }

  /** Counts a link that has ended. Returns whether the next is to be sought at once. */
  ended({ message, wasUp, isPartial, isFutile }: EndedLink, steadyMs: number): boolean {
    const isSame = this.isSame(message);
    const steadyFromMs = isPartial ? PARTIAL_STEADY_MS : STEADY_MS;
    const wasSteady = wasUp && steadyMs - this.#upSinceMs >= steadyFromMs;
    const isAtOnce = wasSteady || (wasUp && isPartial && this.failures === 0);
    if (wasSteady) this.failures = 0;
    else this.failures = isSame ? this.failures + 1 : 1;
    this.#futileTries = !isFutile ? 0 : isSame ? this.#futileTries + 1 : 1;
    this.#lastFailure = wasSteady ? "" : message;
    return isAtOnce;
  }

  /**
   * How long to wait before the next try, in ms; `guardedTries` counts those in a row in which a master that we guard our
   * data against has had some keys, null when we do not.
   */
  usualPauseMs(guardedTries: number | null): number {
    const usual = guardedTries !== null
      ? Math.min(GUARDED_RETRY_MS_MAX, GUARDED_RETRY_MS * 2 ** Math.max(0, guardedTries - 1))
      : Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(10, this.failures - 1));
    return usual * (0.75 + this.host.draw() / 2);
  }

  /** A full sync has failed for what the snapshot holds: returns how long to wait before the next, in ms. */
  badSnapshot(hostname: string, port: number, why: string): number {
    const { host, history: { events } } = this;
    const peer = `${hostname}:${port}`;
    const delayMs = contentPauseMs(this.badSnapshots);
    this.badSnapshots++;
    this.snapshotProblem = oneLine(why);
    this.nextSnapshotMs = host.clock.monotonic() + delayMs;
    const seconds = delayMs / 1000;
    host.log.warning(
      `The dataset of MASTER ${peer} cannot be taken over (${this.badSnapshots} in a row): the next full ` +
        `sync is tried in ${seconds} seconds, or at once with REPLICAOF ${hostname} ${port}`,
    );
    events.again("replica", peer, "waiting", `the next full sync is tried in ${seconds} seconds`);
    return delayMs;
  }

  /**
   * The stream is not to be trusted, a full sync follows: returns how long to wait before that, in ms; null where that is as usual.
   */
  forgotten(steadyMs: number): number | null {
    this.#timesForgotten = steadyMs - this.#forgottenMs < FORGOTTEN_WITHIN_MS
      ? this.#timesForgotten + 1
      : 0;
    this.#forgottenMs = steadyMs;
    return this.#timesForgotten === 0 ? null : contentPauseMs(this.#timesForgotten - 1);
  }

  /** The stream goes on with what is not here: returns how long to wait before it is asked for again, in ms. */
  stopped(peer: string, why: string): number {
    const { host, history: { events, offset } } = this;
    const count = this.stop?.offset === offset ? this.stop.count + 1 : 1;
    this.stop = { why: oneLine(why), offset, count };
    const delayMs = contentPauseMs(count - 1);
    const what = `the stream of the master is asked for again in ${delayMs / 1000} seconds`;
    host.log.warning(`Nothing behind offset ${offset} is applied (${count} in a row): ${what}`);
    events.again("replica", peer, "waiting", what);
    return delayMs;
  }
}

/** Whether two failures differ in numbers only: a place in the stream, a port, a time. */
function isSameTrouble(message: string, other: string): boolean {
  return message === other || message.replace(/\d+/g, "0") === other.replace(/\d+/g, "0");
}

/** The pause behind so many tries that have failed for what the master has, and one more. */
function contentPauseMs(failures: number): number {
  return Math.min(CONTENT_RETRY_MS_MAX, CONTENT_RETRY_MS_MIN * 2 ** Math.min(10, failures));
}
