/**
 * Tracking: tells clients that keep copies of keys when these change.
 *
 *     a client reads  ─► KeyTable: its number at each key
 *     a key changes   ─► the trackers at the key ─► "invalidate" ─► the client, or whom it redirects to
 *                     ─► Broadcast: the prefixes of the key ─► the same, at the end of the turn
 *
 * Beside dispatch, which says what was read, and the keyspace, which says what has changed (only while
 * somebody wants to know). It knows no sockets and no commands.
 *
 * A message to the client whose command runs waits for the end of that command (of a transaction, for the
 * end of EXEC), so that no reply is split. A message that a client need not have got does no harm, and a
 * missing one does: where there is no memory to remember a key, its reader is told at once to forget it,
 * and who cannot be told at all is disconnected.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/client-side-caching/}
 */

import type { Draw } from "../base/clock.ts";
import { isRefusal } from "../base/refused.ts";
import type { Timers } from "../runtime/runtime.ts";
import { Broadcast } from "./broadcast.ts";
import {
  ALL_KEYS,
  type Encoded,
  type Invalidation,
  KeyInvalidation,
  redirectBroken,
} from "./invalidation.ts";
import { KeyTable } from "./key_table.ts";
import { type TrackedClient, Tracker, type TrackingOptions } from "./tracker.ts";

/** What tracking asks of, and tells, the parts of the server that it does not know. */
export interface TrackingOwner {
  /** The connected client with this number. */
  clientOf(id: number): TrackedClient | undefined;
  /** The client whose command is being run, or null. */
  runningClient(): TrackedClient | null;
  /** Has a client sent these bytes when the command has ended; `goesFirst`: before other messages. */
  defer(client: TrackedClient, encoded: Encoded, goesFirst: boolean): void;
  /** Whether changes of keys are to be told of from now on. */
  wantsChanges(isWanted: boolean): void;
  /** Has `trim` called soon, until it says that there is nothing more to do. */
  trimSoon(): void;
}

/** Numbers in lists, for each key that may be remembered: more are too many as well. */
const ITEMS_PER_KEY_MAX = 64;
/** What is forgotten for a key that was added, where there are too many: keys and numbers together. */
const TRIM_PER_ADDITION = 4;
/** The same at once, when there may be fewer from now on. */
const TRIM_AT_ONCE = 2000;
/** So many numbers, and such a part of all, that are nobody's any more are worth a pass over the keys. */
const GONE_ITEMS_MIN = 1024;
const GONE_ITEMS_PART = 4;

const WHOLE = [new Uint8Array(0)];

export class Tracking {
  /** How many clients have tracking on. */
  clientCount = 0;
  readonly #table = new KeyTable();
  readonly #broadcast = new Broadcast();
  /** Of connected clients, by their number. */
  readonly #trackers = new Map<number, Tracker>();
  #lastNumber = 0;
  /** Numbers in the table whose client is gone. */
  #goneItems = 0;
  #isSweeping = false;
  #keysMax = 0;
  #isWanted = false;
  readonly #keyInvalidation = new KeyInvalidation();

  constructor(readonly timers: Timers, readonly draw: Draw, readonly owner: TrackingOwner) {}

  /** Keys that somebody has read. */
  get keyCount(): number {
    return this.#table.keyCount;
  }

  /** Of how many clients each has been read, summed up. */
  get itemCount(): number {
    return this.#table.itemCount;
  }

  /** Different prefixes in broadcasting mode. */
  get prefixCount(): number {
    return this.#broadcast.prefixCount;
  }

  /** Bytes in use for keys and prefixes. */
  get memoryBytes(): number {
    return this.#table.memoryBytes + this.#broadcast.memoryBytes;
  }

  /** Bytes held from the system for them. */
  get reservedBytes(): number {
    return this.#table.reservedBytes + this.#broadcast.memoryBytes;
  }

  // -- clients -------------------------------------------------------------------------------

  /**
   * Turns tracking on for a client, or changes its options; in broadcasting mode these prefixes are added
   * to those it has, none standing for all keys. @throws RangeError without a change when there is no memory
   */
  turnOn(client: TrackedClient, options: TrackingOptions, prefixes: readonly Uint8Array[]): void {
    const tracker = client.tracker ?? this.#newTracker(client);
    if (options.isBroadcast) {
      this.#broadcast.join(tracker, prefixes.length === 0 ? WHOLE : prefixes);
    }
    client.tracker = tracker;
    this.#trackers.set(tracker.number, tracker);
    if (!tracker.isOn) this.clientCount++;
    tracker.turnOn(options);
    this.#updateWanted();
  }

  #newTracker(client: TrackedClient): Tracker {
    do {
      this.#lastNumber = this.#lastNumber === 0xffffffff ? 1 : this.#lastNumber + 1;
    } while (this.#trackers.has(this.#lastNumber));
    return new Tracker(client, this.#lastNumber);
  }

  /** Turns tracking off. What the client has read stays remembered, for when it is on again. */
  turnOff({ tracker }: TrackedClient): void {
    if (tracker === null || !tracker.isOn) return;
    this.#broadcast.leave(tracker);
    tracker.turnOff();
    this.clientCount--;
    this.#updateWanted();
  }

  /** The client is gone. */
  forget(client: TrackedClient): void {
    const { tracker } = client;
    if (tracker === null) return;
    this.turnOff(client);
    this.#trackers.delete(tracker.number);
    this.#goneItems += tracker.keyCount;
    client.tracker = null;
  }

  /** Copies of a client's prefixes, in the order in which it gave them. */
  prefixesOf({ tracker }: TrackedClient): Uint8Array[] {
    return tracker === null ? [] : this.#broadcast.prefixesOf(tracker);
  }

  #updateWanted(): void {
    const isWanted = this.#table.keyCount > 0 || this.#broadcast.prefixCount > 0;
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.owner.wantsChanges(isWanted);
  }

  // -- what clients read ---------------------------------------------------------------------

  /** The client of a tracker has read a key, and is to be told when it changes. */
  remember(tracker: Tracker, bytes: Uint8Array, offset: number, length: number): void {
    try {
      this.#add(tracker, bytes, offset, length);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.invalidateFor(tracker, bytes, offset, length);
    }
    if (!this.#isWanted) this.#updateWanted();
    this.#trim(TRIM_PER_ADDITION);
  }

  #add(tracker: Tracker, bytes: Uint8Array, offset: number, length: number): void {
    let addition = this.#table.add(bytes, offset, length, tracker.number);
    if (addition === "full") {
      // More clients than a list has room for, or had it: they all begin anew.
      this.#forgetKey(this.#table.find(bytes, offset, length), null);
      addition = this.#table.add(bytes, offset, length, tracker.number);
    }
    if (addition === "added") tracker.keyCount++;
  }

  /** Tells one client to forget a key. */
  invalidateFor(tracker: Tracker, bytes: Uint8Array, offset: number, length: number): void {
    this.#keyInvalidation.begin(bytes, offset, length);
    this.#send(tracker, this.#keyInvalidation);
  }

  // -- what changes --------------------------------------------------------------------------

  /** A key has changed: by the command at hand, or (`isByClient` false) as it has expired. */
  keyChanged(bytes: Uint8Array, offset: number, length: number, isByClient: boolean): void {
    const source = isByClient ? this.owner.runningClient() : null;
    if (this.#broadcast.prefixCount > 0) this.#noteForBroadcast(bytes, offset, length, source);
    const entry = this.#table.find(bytes, offset, length);
    if (entry === 0) return;
    this.#forgetKey(entry, source);
    if (this.#table.keyCount === 0) this.#updateWanted();
  }

  /** Tells all who have read a key, but for who has changed it and does not want to hear of that. */
  #forgetKey(entry: number, source: TrackedClient | null): void {
    const table = this.#table;
    const invalidation = this.#keyInvalidation;
    invalidation.begin(table.bytesOf(entry), table.offsetOf(entry), table.lengthOf(entry));
    const count = table.countOf(entry);
    for (let place = 0; place < count; place++) {
      const tracker = this.#trackers.get(table.numberAt(entry, place));
      if (tracker === undefined) {
        this.#goneItems--;
        continue;
      }
      tracker.keyCount--;
      const isLoop = tracker.options.isNoLoop && tracker.client === source;
      if (tracker.hearsOfKeys && !isLoop) this.#send(tracker, invalidation);
    }
    table.remove(entry);
  }

  #noteForBroadcast(
    bytes: Uint8Array,
    offset: number,
    length: number,
    source: TrackedClient | null,
  ): void {
    const wasPending = this.#broadcast.hasPending;
    try {
      this.#broadcast.changed(bytes, offset, length, source);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      for (const tracker of this.#broadcast.trackers()) this.#cut(tracker.client);
    }
    if (!wasPending && this.#broadcast.hasPending) this.timers.afterInput(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#broadcast.deliver((tracker, invalidation) => this.#send(tracker, invalidation));
  };

  /** A database has been emptied, or got another content: nothing holds that anybody has read. */
  allChanged(): void {
    for (const tracker of this.#trackers.values()) {
      tracker.keyCount = 0;
      if (tracker.isOn) this.#send(tracker, ALL_KEYS);
    }
    this.#goneItems = 0;
    this.#isSweeping = false;
    this.#table.clear();
    this.#updateWanted();
  }

  // -- messages ------------------------------------------------------------------------------

  #send(tracker: Tracker, invalidation: Invalidation): void {
    const { client, options: { redirectId } } = tracker;
    const receiver = redirectId === 0 ? client : this.owner.clientOf(redirectId);
    if (receiver === undefined) {
      tracker.isRedirectBroken = true;
      if (client.reply.resp > 2) this.#post(client, client, redirectBroken(redirectId));
    } else if (receiver.reply.resp > 2 || (redirectId !== 0 && receiver.isSubscriber)) {
      // RESP2 has messages only for those who listen to channels.
      this.#post(client, receiver, invalidation);
    }
  }

  /** Has `receiver` sent what is for `client`; without memory for that it is disconnected. */
  #post(client: TrackedClient, receiver: TrackedClient, invalidation: Invalidation): void {
    if (receiver.isClosing) return;
    try {
      const encoded = invalidation.encoded(receiver.reply.resp);
      const running = this.owner.runningClient();
      if (running !== null && (client === running || receiver === running)) {
        return this.owner.defer(receiver, encoded, client === running);
      }
      receiver.reply.share(encoded.buffer, encoded.start, encoded.count);
      receiver.transport.wake();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#cut(receiver);
    }
  }

  #cut(client: TrackedClient): void {
    client.reply.isCut = true;
    client.transport.wake();
  }

  // -- bounds and housekeeping -----------------------------------------------------------------

  /** The most keys to be remembered, `tracking-table-max-keys`; 0 for no limit. */
  set keysMax(count: number) {
    this.#keysMax = count;
    this.#trim(TRIM_AT_ONCE);
    if (this.#isOver) this.owner.trimSoon();
  }

  get #isOver(): boolean {
    const max = this.#keysMax;
    if (max === 0) return false;
    return this.#table.keyCount > max || this.#table.itemCount > max * ITEMS_PER_KEY_MAX;
  }

  /** Forgets some of the keys that are too many, drawn by chance, and says so; true if there are more. */
  trim(): boolean {
    this.#trim(TRIM_AT_ONCE);
    return this.#isOver;
  }

  #trim(count: number): void {
    for (let left = count; left > 0 && this.#isOver;) {
      const entry = this.#table.random(this.draw);
      left -= 1 + this.#table.countOf(entry);
      this.#forgetKey(entry, null);
    }
  }

  /** A slice of housekeeping; true while there is more to do. */
  tidySome(): boolean {
    if (this.#table.rehashSome()) return true;
    if (!this.#isSweeping && !this.#isSweepWorthwhile) return false;
    this.#isSweeping = this.#table.sweepSome(this.#isGone);
    this.#updateWanted();
    return this.#isSweeping;
  }

  get #isSweepWorthwhile(): boolean {
    return this.#goneItems >= GONE_ITEMS_MIN &&
      this.#goneItems * GONE_ITEMS_PART >= this.#table.itemCount;
  }

  readonly #isGone = (number: number): boolean => {
    if (this.#trackers.has(number)) return false;
    this.#goneItems--;
    return true;
  };

  /** See `Dict.compactStep`. */
  compactStep(records: number, density: number): boolean {
    return this.#table.compactStep(records, density);
  }

  /** See `Dict.vacateOne`. */
  vacateOne(): boolean {
    return this.#table.vacateOne();
  }
}
