/**
 * All databases and what they share: time, the access clock, the count of changes, statistics, the
 * stream of writes. Handlers reach data through a Database (database.ts), the one door.
 */

import type { Clock, Draw } from "../base/clock.ts";
import type { WriteStream } from "../propagation/write_stream.ts";
import { EVERY_CHANGE } from "../base/event_classes.ts";
import { Database } from "./database.ts";
import { Defragmenter } from "./defragmenter.ts";
import { EXPIRE_DELETES } from "./expire_mode.ts";
import { FunctionLibraries } from "./function_libraries.ts";
import { SealedDatasets } from "./sealed_datasets.ts";
import type { ValueSlots } from "./value_slots.ts";

/** Bounds of values and thresholds of the small encodings; see the directives of the same names. */
export interface ValueLimits {
  hashMaxListpackEntries: number;
  hashMaxListpackValue: number;
  setMaxIntsetEntries: number;
  setMaxListpackEntries: number;
  setMaxListpackValue: number;
  zsetMaxListpackEntries: number;
  zsetMaxListpackValue: number;
  listMaxListpackSize: number;
  /** Longest sparse form of a HyperLogLog in bytes, `hll-sparse-max-bytes`. */
  hllSparseBytesMax: number;
  /** `stream-node-max-bytes`, 0 for no limit. */
  streamNodeMaxBytes: number;
  /** `stream-node-max-entries`, 0 for no limit. */
  streamNodeMaxEntries: number;
  /** Longest string that may be made, `proto-max-bulk-len`. */
  stringBytesMax: number;
}

/** What they are where nobody says otherwise. */
export const DEFAULT_LIMITS: Readonly<ValueLimits> = {
  hashMaxListpackEntries: 128,
  hashMaxListpackValue: 64,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
  listMaxListpackSize: -2,
  hllSparseBytesMax: 3000,
  streamNodeMaxBytes: 4096,
  streamNodeMaxEntries: 100,
  stringBytesMax: 512 * 1024 * 1024,
};

/** Who hears of what happens to keys. */
export interface KeyspaceListener {
  /** An event of a class in `eventMask` has happened to a key, whose bytes hold only during the call. */
  keyEvent(
    event: string,
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /**
   * A key has changed, or (`isByCommand` false) passed its time and gone; only while EVERY_CHANGE is in
   * `eventMask`. The bytes hold only during the call, and nothing may be thrown.
   */
  keyChanged(bytes: Uint8Array, offset: number, length: number, isByCommand: boolean): void;
  /** A database has been emptied, or has got another content as a whole. */
  contentReplaced(): void;
  /** FLUSHALL has removed everything. */
  flushed(): void;
}

const NOBODY: KeyspaceListener = {
  keyEvent() {},
  keyChanged() {},
  contentReplaced() {},
  flushed() {},
};

/** How far the two clocks may go before they are compared again, in ms. */
const COMPARE_MS = 50;

/** Values that are given back in the call that empties a database; more take their time. */
const DISCARDED_AT_ONCE = 1_000;

/** LFU: counter of a key that was just made. */
const LFU_NEW = 5;

export class Keyspace {
  /**
   * Snapshots under way, of all keyspaces: contents are exchanged between them. Meanwhile the memory of values
   * that are removed is let go of instead of given back, since a snapshot may still read them.
   */
  static snapshotsOpen = 0;

  readonly databases: Database[] = [];
  readonly libraries = new FunctionLibraries();
  readonly limits: ValueLimits = { ...DEFAULT_LIMITS };
  /** What was replaced, for UNDO. */
  readonly sealed = new SealedDatasets(this);
  readonly defragmenter = new Defragmenter(this);
  /** Unix time in ms as of the start of the present turn: one instant for a whole command. */
  nowMs: number;
  /**
   * The same instant by the monotonic clock, in ms: what durations are measured by, as nobody sets it.
   * Good to 50 ms: looking at that clock costs more than at the other one, see `refreshTime`.
   */
  steadyMs = 0;
  /** What both clocks showed when they were last compared. */
  #comparedMs = 0;
  #comparedSteadyMs = 0;
  /** Unix time less monotonic time at the start. */
  readonly #steadyOriginMs: number;
  /** Changes since the last save. */
  dirty = 0;
  /** EXPIRE_*: what a lookup does with a key past its time, just now. */
  expireMode = EXPIRE_DELETES;
  /** EXPIRE_* that goes with our role: in force but for the calls of our master and loads. */
  roleExpireMode = EXPIRE_DELETES;
  /** Whether keys past their time stay for now although they are ours to delete: CLIENT PAUSE. */
  keepsExpired = false;
  /** Whether expired keys enter the stream as UNLINK instead of DEL, `lazyfree-lazy-expire`. */
  unlinksExpired = false;
  /** Likewise for evicted keys, `lazyfree-lazy-eviction`. */
  unlinksEvicted = false;
  /** Likewise for keys that a command deletes on its way (SPOP of all members), `lazyfree-lazy-server-del`. */
  unlinksEmptied = false;
  /** Whether lookups leave the access clock alone (CLIENT NO-TOUCH, a forced read of OBJECT). */
  noTouch = false;
  /** Whether an LFU policy is chosen: the access clock then holds minutes and a counter. */
  usesLfu = false;
  lfuLogFactor = 10;
  lfuDecayMinutes = 1;
  /** Access clock for a record made or read now, in place in word 1. */
  freshAccess = 0;

  /** Keys (latin1) that blocked clients wait for and that were made since dispatch last looked. */
  readyKeys: { readonly database: number; readonly key: string }[] = [];

  /** Classes of events that the listener hears of, and EVERY_CHANGE; 0 for none. */
  eventMask = 0;

  keyspaceHits = 0;
  keyspaceMisses = 0;
  expiredKeys = 0;
  /** Fields of hashes that are gone as their time was over. */
  expiredFields = 0;
  evictedKeys = 0;
  /** Milliseconds the active cycle has spent on expired keys. */
  expireCycleMs = 0;
  /** How hard the expiry cycle tries, 1 to 10, `active-expire-effort`. */
  expireEffort = 1;
  /** Share of expired ones among keys with an expiry, as the expiry cycle last estimated it: 0 to 1. */
  expiredShare = 0;
  /** Times the expiry cycle ended for lack of time. */
  expireTimeouts = 0;
  /** Database that the expiry cycle looks at next. */
  expireDatabase = 0;
  /** The same for fields of hashes. */
  expireFieldsDatabase = 0;

  /** Whether there is room for so many bytes below `maxmemory`; set by the server. */
  hasRoom: (bytes: number) => boolean = () => true;
  /** What tables of keys ask before they grow. */
  readonly growthGate = (bytes: number): boolean => this.hasRoom(bytes);

  /** Values of databases that were emptied, whose memory is still to be given back. */
  #discarded: ValueSlots[] = [];

  constructor(
    count: number,
    readonly clock: Clock,
    readonly draw: Draw,
    readonly stream: WriteStream,
    public listener: KeyspaceListener = NOBODY,
  ) {
    this.nowMs = this.#comparedMs = clock.now();
    this.steadyMs = this.#comparedSteadyMs = clock.monotonic();
    this.#steadyOriginMs = this.nowMs - this.steadyMs;
    for (let i = 0; i < count; i++) this.databases.push(new Database(this, i));
    this.refreshTime();
  }

  /** A script is suspended: time stands still for the data until it is over. */
  isTimeHeld = false;

  /** Takes the time anew: at the start of each turn. */
  refreshTime(): void {
    const nowMs = this.clock.now();
    if (!this.isTimeHeld) this.nowMs = nowMs;
    let elapsedMs = nowMs - this.#comparedMs;
    if (elapsedMs < 0 || elapsedMs > COMPARE_MS) {
      this.#comparedMs = nowMs;
      this.#comparedSteadyMs = this.clock.monotonic();
      elapsedMs = 0;
    }
    this.steadyMs = this.#comparedSteadyMs + elapsedMs;
    this.freshAccess = this.usesLfu
      ? ((Math.floor(this.accessMs / 60_000) & 0xffff) << 16) | (LFU_NEW << 8)
      : (Math.floor(this.accessMs / 1000) & 0xffffff) << 8;
  }

  /** What access clocks go by, in ms: Unix time as of the start, and monotonic time since. */
  get accessMs(): number {
    return this.#steadyOriginMs + this.steadyMs;
  }

  /** Whether a key past its time goes when it is come across. */
  get deletesExpired(): boolean {
    return this.expireMode === EXPIRE_DELETES && !this.keepsExpired;
  }

  /** Bytes in use for data: records, tables, large values, function libraries. */
  get dataBytes(): number {
    let bytes = this.libraries.memoryBytes;
    for (const database of this.databases) bytes += database.memoryBytes;
    return bytes;
  }

  /** Bytes held from the system for data. */
  get reservedBytes(): number {
    let bytes = 0;
    for (const database of this.databases) bytes += database.reservedBytes;
    return bytes;
  }

  /** Has the memory of all these values given back in time, by `discardSome`. */
  discard(values: ValueSlots): void {
    if (values.disposeSome(DISCARDED_AT_ONCE)) this.#discarded.push(values);
  }

  /** Gives back the memory of some values that were discarded; true while there are more. */
  discardSome(count: number): boolean {
    const values = this.#discarded.at(-1);
    if (values === undefined) return false;
    if (!values.disposeSome(count)) this.#discarded.pop();
    return this.#discarded.length > 0;
  }

  get keyCount(): number {
    let count = 0;
    for (const database of this.databases) count += database.count;
    return count;
  }

  /** Tells listeners of a change of a key, and of its event. */
  notifyChange(
    eventClass: number,
    event: string,
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if ((this.eventMask & EVERY_CHANGE) !== 0) {
      this.listener.keyChanged(bytes, offset, length, true);
    }
    this.notify(eventClass, event, database, bytes, offset, length);
  }

  /** Tells listeners of an event on a key. */
  notify(
    eventClass: number,
    event: string,
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if ((this.eventMask & eventClass) !== 0) {
      this.listener.keyEvent(event, database, bytes, offset, length);
    }
  }

  /**
   * The access clock of a record that is read now. LRU: the second. LFU: the counter decayed by the
   * time since, then raised with a chance that falls as it grows.
   */
  touched(meta: number): number {
    if (!this.usesLfu) return (meta & 0xff) | this.freshAccess;
    let counter = this.lfuCounter(meta);
    if (counter < 255) {
      const base = Math.max(0, counter - LFU_NEW);
      if (this.draw() < 1 / (base * this.lfuLogFactor + 1)) counter++;
    }
    return (meta & 0xff) | (counter << 8) | (this.freshAccess & 0xffff0000);
  }

  /** LFU counter as of now: one less for each `lfu-decay-time` that has gone by. */
  lfuCounter(meta: number): number {
    const counter = (meta >>> 8) & 0xff;
    if (this.lfuDecayMinutes === 0) return counter;
    const then = meta >>> 16;
    const now = Math.floor(this.accessMs / 60_000) & 0xffff;
    const minutes = now >= then ? now - then : 0x10000 - then + now;
    return Math.max(0, counter - Math.floor(minutes / this.lfuDecayMinutes));
  }

  /**
   * The meta word of a record with its access clock as it was saved: the idle time or the frequency,
   * whichever the policy in force counts; -1 is "not saved". Otherwise the clock stays as it is.
   */
  savedAccess(meta: number, idleSeconds: number, frequency: number): number {
    if (this.usesLfu) {
      return frequency < 0 ? meta : (meta & 0xffff00ff) | ((frequency & 0xff) << 8);
    }
    if (idleSeconds < 0) return meta;
    const seconds = Math.floor(this.accessMs / 1000) - idleSeconds;
    return (meta & 0xff) | ((seconds & 0xffffff) << 8);
  }

  /** Seconds since the record was last accessed (LRU). */
  idleSeconds(meta: number): number {
    const then = meta >>> 8;
    const now = Math.floor(this.accessMs / 1000) & 0xffffff;
    return now >= then ? now - then : 0x1000000 - then + now;
  }

  /** Exchanges the content of two databases (SWAPDB); clients stay with their numbers. */
  swap(first: number, second: number): void {
    const a = this.databases[first];
    const b = this.databases[second];
    if (a === b) return;
    a.touchSwapped(b);
    b.touchSwapped(a);
    a.exchangeContent(b);
    a.signalAllReady();
    b.signalAllReady();
    this.dirty++;
  }
}
