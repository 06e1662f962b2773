/**
 * One database: keys with their values and expiries, and the only door to them. Its methods keep the
 * count of changes, WATCH, keyspace events, the expiry index, the memory count and the snapshot's
 * hook right, so that handlers cannot forget one. See "The one door" in NOTES.
 *
 * Keys are looked up by bytes (`lookupRead`, `lookupWrite`), which gives a record reference; 0 means
 * there is no such key. A reference is good until the next call that adds or resizes a record.
 * Collections go through the views beside this file (hash.ts, list.ts, …), strings through here.
 *
 * Not done here: propagation of the command (dispatch does it, from the count of changes), except for
 * expired keys, which enter the stream as DEL.
 */

import { blocks } from "../base/blocks.ts";
import { hashBytes } from "../base/hash.ts";
import { copyBytes, toLatin1 } from "../base/bytes.ts";
import { Dict, type MoveListener } from "../arena/dict.ts";
import { DueTimes, type PlaceKeeper } from "../arena/due_times.ts";
import { RefIndex } from "../arena/ref_index.ts";
import {
  ENC_EMBSTR,
  ENC_EXTERNAL,
  ENC_HASHTABLE,
  ENC_LISTPACK_EX,
  ENC_RAW,
  ENC_SKIPLIST,
  ENC_TEXT,
  isSlotEncoding,
  TYPE_STRING,
} from "../arena/record.ts";
import {
  EVENT_EXPIRED,
  EVENT_GENERIC,
  EVENT_HASH,
  EVENT_KEY_MISS,
  EVENT_NEW,
  EVENT_STRING,
  EVERY_CHANGE,
} from "../base/event_classes.ts";
import { EXPIRE_HIDES, EXPIRE_IGNORED } from "./expire_mode.ts";
import { Keyspace } from "./keyspace.ts";
import { DatabaseContent, type RecordReader, type RecordTable, type ValueSource } from "./doors.ts";
import { Holder, Links } from "../arena/links.ts";
import { type LargeValue, LongString, ValueSlots } from "./value_slots.ts";

/** Strings longer than this live in a slot. */
export const INLINE_STRING_MAX = 16 * 1024;

/** A table of watched keys that has become larger than this is not kept for the next ones. */
const SPARE_WATCHED_BYTES_MAX = 64 * 1024;

/** Room that a long string which grows gets on top of what it needs: half as much again, up to a megabyte. */
const ROOM_TO_GROW_MAX = 1 << 20;

/** Whether a key is there: "hidden" is past its time, and not to be deleted here or now. */
export type KeyPresence = "gone" | "hidden" | "there";

/** A client that watches a key: told when it changes. */
export interface Watcher {
  /**
   * A watched key was changed; `link` is the watcher's in `database.watched`. A key past its time
   * counts as "there" when it was changed by a command; only where whole databases are exchanged is
   * it said to be "hidden" now, and what it was. No watch may be ended from here.
   */
  keyChanged(database: Database, link: number, now: KeyPresence, before: KeyPresence): void;
  /**
   * Of a watched hash fields are gone, and others are left: their time was over. Told in place of `keyChanged` to those
   * who have it.
   */
  fieldsExpired?(): void;
}

/** The keys of one database that a watcher watches. */
export class WatchedKeys extends Holder<Watcher> {}

/** A reference in the table, with its tag and the usual empty slots. */
const TABLE_SHARE_BYTES = 8;
const FIRST_SEGMENT_BYTES = 64 * 1024;
/** The value of a record whose encoding keeps the value in a slot: its number. */
const SLOT_BYTES = 4;

export class Database implements MoveListener, PlaceKeeper, ValueSource {
  #dict: Dict;
  /** Keys that have an expiry. */
  #expires: RefIndex;
  /** Hashes with fields that expire, by the earliest; null as long as there have been none. */
  #fieldTimes: DueTimes | null = null;
  #slots = new ValueSlots();
  /** Watched keys with their watchers; null when there are none. */
  watched: Links<Watcher> | null = null;
  /** The table of the latest watches, empty and small: most watches are few and short. */
  #spareWatched: Links<Watcher> | null = null;
  /** Keys (latin1) that blocked clients wait for; null when there are none. */
  awaited: { has(key: string): boolean; keys(): Iterable<string> } | null = null;
  /**
   * Keys (latin1) that clients of a replica have given an expiry, which no master will send the DEL
   * of; null for none. Some may be gone already.
   */
  ownExpiries: Set<string> | null = null;
  /** Average time to live in ms, estimated by the expiry cycle. */
  averageTtlMs = 0;
  /** Where the expiry cycle goes on. */
  expireCursor = 0;

  constructor(readonly keyspace: Keyspace, readonly index: number) {
    this.#dict = this.#newDict();
    this.#expires = new RefIndex(this.#dict);
  }

  #newDict(): Dict {
    const dict = new Dict(FIRST_SEGMENT_BYTES);
    dict.listener = this;
    dict.growthGate = this.keyspace.growthGate;
    return dict;
  }

  // -- doors (see doors.ts) ------------------------------------------------------

  /** The fast read path: where the parts of a record lie. */
  get records(): RecordReader {
    return this.#dict;
  }

  /** For housekeeping and commands that go over all keys. */
  get table(): RecordTable {
    return this.#dict;
  }

  /** The storage as it is now, for a snapshot. */
  capture(): DatabaseContent {
    return new DatabaseContent(this.#dict, this.#slots, this.#expires.count);
  }

  /** Whether what was captured is still what this database holds. */
  hasContent({ records }: DatabaseContent): boolean {
    return this.#dict === records;
  }

  // -- counts and memory ----------------------------------------------------------

  /** Keys. */
  get count(): number {
    return this.#dict.count;
  }

  /** Keys that have an expiry. */
  get expiringCount(): number {
    return this.#expires.count;
  }

  /** Hashes with fields that expire. */
  get expiringHashCount(): number {
    return this.#fieldTimes === null ? 0 : this.#fieldTimes.count;
  }

  /** Bytes in use: records, tables, large values. */
  get memoryBytes(): number {
    return this.#dict.memoryBytes + this.expiryIndexBytes + this.#slots.bytes;
  }

  /** Bytes held from the system. */
  get reservedBytes(): number {
    return this.#dict.reservedBytes + this.expiryIndexBytes + this.#slots.bytes;
  }

  /** Bytes of the records, keys and small values included. */
  get recordBytes(): number {
    return this.#dict.arena.liveBytes;
  }

  /** Bytes of the segments that the records lie in. */
  get segmentBytes(): number {
    return this.#dict.arena.totalBytes;
  }

  /** Bytes of the hash table, without the records. */
  get tableBytes(): number {
    return this.#dict.memoryBytes - this.#dict.arena.liveBytes;
  }

  /** Bytes of the indexes of keys that have an expiry, and of hashes whose fields have. */
  get expiryIndexBytes(): number {
    const fieldTimes = this.#fieldTimes;
    return this.#expires.memoryBytes + (fieldTimes === null ? 0 : fieldTimes.memoryBytes);
  }

  /** Bytes of the values in slots. */
  get largeValueBytes(): number {
    return this.#slots.bytes;
  }

  /** Bytes that a key takes with its value: the record, its share of the table, a value in a slot. */
  bytesOfKey(ref: number): number {
    const value = isSlotEncoding(this.encodingOf(ref)) ? this.largeValue(ref).memoryBytes : 0;
    return this.#dict.chunkBytes(ref) + TABLE_SHARE_BYTES + value;
  }

  // -- lookup ----------------------------------------------------------------

  /** The key's record for reading, or 0: counts a hit or miss and touches the access clock. */
  lookupRead(bytes: Uint8Array, offset: number, length: number): number {
    const dict = this.#dict;
    const keyspace = this.keyspace;
    let ref = dict.get(bytes, offset, length);
    if (ref !== 0 && dict.flagsOf(ref) < 0 && this.isExpired(ref)) ref = this.#expireOnAccess(ref);
    if (ref === 0) {
      keyspace.keyspaceMisses++;
      if (keyspace.eventMask !== 0) {
        keyspace.notify(EVENT_KEY_MISS, "keymiss", this.index, bytes, offset, length);
      }
      return 0;
    }
    keyspace.keyspaceHits++;
    if (!keyspace.noTouch) this.touch(ref);
    return ref;
  }

  /**
   * The key's record for changing it, or 0; a key past its time is removed. A replica that takes writes
   * does so too, for itself: a write needs the place.
   */
  lookupWrite(bytes: Uint8Array, offset: number, length: number): number {
    const dict = this.#dict;
    const ref = dict.get(bytes, offset, length);
    if (ref !== 0 && dict.flagsOf(ref) < 0 && this.isExpired(ref)) {
      this.expireNow(ref);
      return 0;
    }
    if (ref !== 0 && !this.keyspace.noTouch) this.touch(ref);
    return ref;
  }

  /**
   * The key's record without counting or touching, or 0. A key past its time counts as missing and,
   * where expired keys are ours to delete, is deleted.
   */
  findOrExpire(bytes: Uint8Array, offset: number, length: number): number {
    const ref = this.#dict.get(bytes, offset, length);
    if (ref !== 0 && this.#dict.flagsOf(ref) < 0 && this.isExpired(ref)) {
      return this.#expireOnAccess(ref);
    }
    return ref;
  }

  /**
   * Sets the access clock of a record to what was saved: the idle time or the frequency, whichever the
   * policy in force counts. -1 is "not saved": then the clock stays as it is.
   */
  setAccess(ref: number, idleSeconds: number, frequency: number): void {
    const meta = this.#dict.metaOf(ref);
    this.#dict.setMeta(ref, this.keyspace.savedAccess(meta, idleSeconds, frequency));
  }

  /** Sets the access clock of a record to now. */
  touch(ref: number): void {
    const meta = this.#dict.metaOf(ref);
    const touched = this.keyspace.touched(meta);
    if (touched !== meta) this.#dict.setMeta(ref, touched);
  }

  /** Whether the record's time is over (never where expiries are ignored). */
  isExpired(ref: number): boolean {
    return this.#dict.expiryOf(ref) < this.keyspace.nowMs &&
      this.keyspace.expireMode !== EXPIRE_IGNORED;
  }

  #expireOnAccess(ref: number): number {
    if (this.keyspace.deletesExpired) this.expireNow(ref);
    return 0;
  }

  /** Removes a key whose time is over: it enters the stream as DEL. */
  expireNow(ref: number): void {
    const { keyspace } = this;
    const key = this.#keyOf(ref);
    this.#drop(ref);
    keyspace.expiredKeys++;
    keyspace.stream.add(this.index, [keyspace.unlinksExpired ? "UNLINK" : "DEL", key]);
    if (this.watched !== null) this.#touchWatched(key, 0, key.length);
    if (keyspace.eventMask !== 0) {
      keyspace.notify(EVENT_EXPIRED, "expired", this.index, key, 0, key.length);
      if ((keyspace.eventMask & EVERY_CHANGE) !== 0) {
        keyspace.listener.keyChanged(key, 0, key.length, false);
      }
    }
  }

  // -- what a record is --------------------------------------------------------

  /** TYPE_* of a record. */
  typeOf(ref: number): number {
    return this.#dict.metaOf(ref) & 0xf;
  }

  /** ENC_* of a record. */
  encodingOf(ref: number): number {
    return (this.#dict.metaOf(ref) >>> 4) & 0xf;
  }

  /** The value object of a record whose encoding keeps it in a slot. */
  largeValue(ref: number): LargeValue {
    return this.#slots.get(this.#dict.intValue(ref));
  }

  /** The same of any record, 0 for none: null when its value is not in a slot. */
  largeValueOf(ref: number): LargeValue | null {
    return ref !== 0 && isSlotEncoding(this.encodingOf(ref)) ? this.largeValue(ref) : null;
  }

  /** The elements of a large set, hash or sorted set as its table has them; null for all other values. */
  elementsOf(ref: number): RecordReader | null {
    const encoding = this.encodingOf(ref);
    if (encoding !== ENC_HASHTABLE && encoding !== ENC_SKIPLIST) return null;
    return this.largeValue(ref).dict ?? null;
  }

  // -- telling of changes ------------------------------------------------------

  /**
   * Says that a key has changed: counts `changes`, fails the transactions that watch it and sends an
   * event. Every change of a value ends with this (the methods here and the views call it).
   */
  changed(
    bytes: Uint8Array,
    offset: number,
    length: number,
    eventClass: number,
    event: string,
    changes = 1,
  ): void {
    const keyspace = this.keyspace;
    keyspace.dirty += changes;
    if (this.watched !== null) this.#touchWatched(bytes, offset, length);
    if (keyspace.eventMask !== 0) {
      keyspace.notifyChange(eventClass, event, this.index, bytes, offset, length);
    }
  }

  /**
   * `changed` for what WATCH does not look at, as it is no part of the value that clients read: the
   * consumer groups of a stream.
   */
  changedUnseen(
    bytes: Uint8Array,
    offset: number,
    length: number,
    eventClass: number,
    event: string,
    changes = 1,
  ): void {
    const keyspace = this.keyspace;
    keyspace.dirty += changes;
    if (keyspace.eventMask !== 0) {
      keyspace.notify(eventClass, event, this.index, bytes, offset, length);
    }
  }

  // -- strings -------------------------------------------------------------------

  /**
   * Makes the key a string, whatever it was. `expiresAtMs` NaN means no expiry; with `keepTtl` the
   * expiry stays as it is. Event "set".
   */
  setString(
    keyBytes: Uint8Array,
    keyOffset: number,
    keyLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    expiresAtMs = NaN,
    keepTtl = false,
  ): void {
    const dict = this.#dict;
    const keyspace = this.keyspace;
    const meta = STRING_META | keyspace.freshAccess;
    let ref = dict.get(keyBytes, keyOffset, keyLength);
    const { hash } = dict;
    let at = ref !== 0 && expiresAtMs !== expiresAtMs && length <= INLINE_STRING_MAX
      ? dict.overwrite(ref, length, meta)
      : -1;
    if (at < 0) {
      ref = this.#unlessExpired(ref);
      if (length > INLINE_STRING_MAX) {
        const value = LongString.copyOf(bytes, offset, length);
        this.#setLarge(keyBytes, keyOffset, keyLength, ref, value, expiresAtMs, keepTtl);
        return this.changed(keyBytes, keyOffset, keyLength, EVENT_STRING, "set");
      }
      if (ref === 0) {
        ref = dict.add(keyBytes, keyOffset, keyLength, hash, length, meta, expiresAtMs);
        if (expiresAtMs === expiresAtMs) this.#expiryAdded(hash, ref);
        if (keyspace.eventMask !== 0) {
          keyspace.notify(EVENT_NEW, "new", this.index, keyBytes, keyOffset, keyLength);
        }
      } else {
        ref = this.#resizeValue(ref, length, 0, keepTtl ? undefined : expiresAtMs);
        dict.setMeta(ref, meta);
      }
      at = dict.valueOffset(ref);
    }
    copyBytes(dict.bytesOf(ref), at, bytes, offset, length);
    this.changed(keyBytes, keyOffset, keyLength, EVENT_STRING, "set");
  }

  /** A record whose value is to be replaced, or 0. A key past its time goes first, wherever we are. */
  #unlessExpired(ref: number): number {
    if (ref === 0 || this.#dict.flagsOf(ref) >= 0 || !this.isExpired(ref)) return ref;
    this.expireNow(ref);
    return 0;
  }

  /**
   * `setString` of bytes that the caller has made for this and leaves to the database: where they are many, they
   * become the value without being copied. `memory` is what they are a part of, if `blocks` gave that.
   */
  setOwnString(
    keyBytes: Uint8Array,
    keyOffset: number,
    keyLength: number,
    bytes: Uint8Array,
    memory = bytes,
    expiresAtMs = NaN,
    keepTtl = false,
  ): void {
    const { length } = bytes;
    if (length <= INLINE_STRING_MAX) {
      this.setString(keyBytes, keyOffset, keyLength, bytes, 0, length, expiresAtMs, keepTtl);
      return;
    }
    const ref = this.#unlessExpired(this.#dict.get(keyBytes, keyOffset, keyLength));
    const value = new LongString(bytes, length, memory);
    this.#setLarge(keyBytes, keyOffset, keyLength, ref, value, expiresAtMs, keepTtl);
    this.changed(keyBytes, keyOffset, keyLength, EVENT_STRING, "set");
  }

  /**
   * Changes the length of a string's value in place: kept up to the shorter length, undefined beyond.
   * The string becomes "raw" (as after APPEND). The caller fills in bytes through `locateString` and
   * then says `changed`. Returns the new reference. `ref` must be a string.
   */
  resizeString(ref: number, length: number): number {
    const dict = this.#dict;
    const slots = this.#slots;
    if (this.encodingOf(ref) === ENC_EXTERNAL) {
      this.beforeWrite(ref);
      const slot = dict.intValue(ref);
      const value = slots.get(slot) as LongString;
      if (length > value.bytes.length) value.grow(withRoom(length));
      value.length = length;
      slots.measured(slot, value.memoryBytes);
      return ref;
    }
    if (length <= INLINE_STRING_MAX) {
      const fresh = dict.resizeValue(ref, length, Math.min(length, 1024));
      dict.setMeta(fresh, (dict.metaOf(fresh) & ~0xf0) | (ENC_RAW << 4));
      return fresh;
    }
    const at = dict.valueOffset(ref);
    const old = dict.valueLength(ref);
    const value = LongString.ofLength(length, withRoom(length));
    copyBytes(value.bytes, 0, dict.bytesOf(ref), at, Math.min(old, length));
    return this.replaceByLarge(ref, TYPE_STRING, ENC_EXTERNAL, value);
  }

  /**
   * Adds a string of `length` zero bytes under a key that is not there (the caller has looked). It is
   * "raw"; the caller fills it in through `locateString` and then says `changed`. Returns the reference.
   */
  addString(bytes: Uint8Array, offset: number, keyLength: number, length: number): number {
    if (length > INLINE_STRING_MAX) {
      const value = new LongString(blocks.takeGrowing(length, true), length);
      return this.addLarge(bytes, offset, keyLength, TYPE_STRING, ENC_EXTERNAL, value);
    }
    const ref = this.addRecord(bytes, offset, keyLength, TYPE_STRING, ENC_RAW, length);
    const at = this.#dict.valueOffset(ref);
    this.#dict.bytesOf(ref).fill(0, at, at + length);
    return ref;
  }

  /** `resizeString` to a length that is not below the present one, with zero bytes in the new room. */
  growString(ref: number, length: number): number {
    this.locateString(ref);
    const before = this.stringLength;
    const fresh = this.resizeString(ref, length);
    const bytes = this.locateString(fresh);
    bytes.fill(0, this.stringOffset + before, this.stringOffset + length);
    return fresh;
  }

  /** A string that was filled in bit by bit counts as set in one go: "int" or "embstr" again. */
  markAsSet(ref: number): void {
    const meta = this.#dict.metaOf(ref);
    const encoding = (meta >>> 4) & 0xf;
    if (encoding === ENC_RAW || encoding === ENC_TEXT) {
      this.#dict.setMeta(ref, (meta & ~0xf0) | (ENC_EMBSTR << 4));
    }
  }

  /** The same for text that does not count as an integer, whatever it looks like: "embstr". */
  markAsText(ref: number): void {
    const meta = this.#dict.metaOf(ref);
    const encoding = (meta >>> 4) & 0xf;
    if (encoding !== ENC_EXTERNAL) this.#dict.setMeta(ref, (meta & ~0xf0) | (ENC_TEXT << 4));
  }

  /**
   * Where a string's bytes lie: sets `stringOffset` and `stringLength`, returns the buffer. It may be
   * written to only right after `resizeString` or `beforeWrite`.
   */
  locateString(ref: number): Uint8Array {
    const dict = this.#dict;
    if (((dict.metaOf(ref) >>> 4) & 0xf) === ENC_EXTERNAL) {
      const value = this.#slots.get(dict.intValue(ref)) as LongString;
      this.stringOffset = 0;
      this.stringLength = value.length;
      return value.bytes;
    }
    this.stringOffset = dict.valueOffset(ref);
    this.stringLength = dict.valueLength(ref);
    return dict.bytesOf(ref);
  }

  stringOffset = 0;
  stringLength = 0;

  // -- records of any type -------------------------------------------------------

  /** Whether a snapshot wants to see records before they change. */
  get isCaptured(): boolean {
    return this.#dict.hook !== null;
  }

  /** Whether somebody may go on reading what is removed here. */
  get #isRead(): boolean {
    return Keyspace.snapshotsOpen > 0;
  }

  /** To be called before a value is changed in place (not needed for the methods here). */
  beforeWrite(ref: number): void {
    const hook = this.#dict.hook;
    if (hook !== null) hook.beforeRecordWrite(this.#dict, ref);
  }

  /**
   * Adds a key that is not there (the caller has looked). The value of an inline encoding has
   * `valueLength` undefined bytes. `hash` is `hashBytes` of the key. Event "new". Returns the
   * reference. @throws RangeError without a change when there is no memory
   */
  addRecord(
    bytes: Uint8Array,
    offset: number,
    length: number,
    type: number,
    encoding: number,
    valueLength: number,
    slackBytes = 0,
    expiresAtMs = NaN,
    hash = hashBytes(bytes, offset, length),
  ): number {
    const meta = type | (encoding << 4) | this.keyspace.freshAccess;
    const ref = this.#dict.add(
      bytes,
      offset,
      length,
      hash,
      valueLength,
      meta,
      expiresAtMs,
      slackBytes,
    );
    if (expiresAtMs === expiresAtMs) this.#expiryAdded(hash, ref);
    this.#added(bytes, offset, length);
    return ref;
  }

  /** There is a key that was not there. */
  #added(bytes: Uint8Array, offset: number, length: number): void {
    if (this.keyspace.eventMask !== 0) {
      this.keyspace.notify(EVENT_NEW, "new", this.index, bytes, offset, length);
    }
    if (this.awaited !== null) this.signalReady(bytes, offset, length);
  }

  /**
   * Makes a record as `addRecord` does, with a value of an inline encoding, which is out of reach until `addPrepared`:
   * for who adds many and can look for all their keys together (`records.warm`). Until then no command may run.
   * @throws RangeError without a change when there is no memory
   */
  prepareRecord(
    bytes: Uint8Array,
    offset: number,
    length: number,
    type: number,
    encoding: number,
    valueLength: number,
    expiresAtMs: number,
    hash: number,
  ): number {
    const meta = type | (encoding << 4) | this.keyspace.freshAccess;
    return this.#dict.prepare(bytes, offset, length, hash, valueLength, meta, expiresAtMs);
  }

  /**
   * Adds a prepared record, whose key is not there (the caller has looked). Event "new".
   * @throws RangeError when there is no memory: then it is gone
   */
  addPrepared(ref: number): void {
    const dict = this.#dict;
    dict.addPrepared(ref);
    if (dict.flagsOf(ref) < 0) this.#expiryAdded(dict.hashOf(ref), ref);
    if (this.keyspace.eventMask === 0 && this.awaited === null) return;
    const at = dict.keyOffset(ref);
    this.#added(dict.bytesOf(ref), at, dict.keyLength(ref));
  }

  /** Lets go of a prepared record that is not to be added. */
  freePrepared(ref: number): void {
    this.#dict.freePrepared(ref);
  }

  /** Adds a key that is not there, with a value in a slot. @throws RangeError without a change */
  addLarge(
    bytes: Uint8Array,
    offset: number,
    length: number,
    type: number,
    encoding: number,
    value: LargeValue,
    expiresAtMs = NaN,
    hash = hashBytes(bytes, offset, length),
  ): number {
    const size = SLOT_BYTES;
    const ref = this.addRecord(bytes, offset, length, type, encoding, size, 0, expiresAtMs, hash);
    this.#writeSlot(ref, this.#slots.add(value));
    return ref;
  }

  /**
   * Takes the memory that so many records of `bytes` bytes together will need, headers included, so that
   * what follows does not end in the midst of them; `expiring` of them will have an expiry. More than a segment's
   * bytes are not asked for. @throws RangeError without a change when there is no memory
   */
  reserve(records: number, bytes: number, expiring = 0): void {
    this.#dict.reserveRoom(records, bytes);
    if (expiring > 0) this.#expires.reserve(expiring);
  }

  /**
   * Replaces the value of a record by one in a slot, and its expiry (NaN for none) if one is given;
   * returns the new reference. @throws RangeError without a change when there is no memory
   */
  replaceByLarge(
    ref: number,
    type: number,
    encoding: number,
    value: LargeValue,
    expiresAtMs?: number,
  ): number {
    const dict = this.#dict;
    const fresh = this.#resizeValue(ref, SLOT_BYTES, 0, expiresAtMs);
    dict.setMeta(fresh, (dict.metaOf(fresh) & ~0xff) | type | (encoding << 4));
    this.#writeSlot(fresh, this.#slots.add(value));
    return fresh;
  }

  /**
   * Replaces the value of a record by `valueLength` undefined bytes inside it, and its expiry (NaN for
   * none) if one is given; returns the new reference. @throws RangeError without a change when there is
   * no memory
   */
  replaceByInline(
    ref: number,
    type: number,
    encoding: number,
    valueLength: number,
    slackBytes = 0,
    expiresAtMs?: number,
  ): number {
    const dict = this.#dict;
    const fresh = this.#resizeValue(ref, valueLength, slackBytes, expiresAtMs);
    dict.setMeta(fresh, (dict.metaOf(fresh) & ~0xff) | type | (encoding << 4));
    return fresh;
  }

  /**
   * Gives a record whose value is to be replaced another length, and another expiry (NaN for none) if one
   * is given: memory is taken before anything is let go of. The caller writes value and meta word.
   */
  #resizeValue(ref: number, length: number, slackBytes: number, expiresAtMs?: number): number {
    const dict = this.#dict;
    const slot = isSlotEncoding(this.encodingOf(ref)) ? dict.intValue(ref) : -1;
    const place = this.#fieldTimes === null ? 0 : this.#placeOf(ref);
    const fresh = expiresAtMs === undefined
      ? dict.resizeValue(ref, length, slackBytes)
      : this.#resizeExpiring(ref, length, expiresAtMs, slackBytes);
    if (place > 0) this.#fieldTimes!.removeAt(place - 1);
    if (slot >= 0) this.#releaseSlot(slot);
    return fresh;
  }

  /**
   * Has `add` put a value at a key in the place of the record `old`, 0 for none, which is out of reach
   * meanwhile. It is let go of then without an event, or is back if `add` throws. Returns what `add` does.
   */
  putAt<T>(old: number, add: () => T): T {
    if (old === 0) return add();
    const dict = this.#dict;
    this.beforeWrite(old);
    dict.detach(old);
    let added: T;
    try {
      added = add();
    } catch (error) {
      dict.attach(old);
      throw error;
    }
    if (dict.flagsOf(old) < 0) this.#expires.delete(dict.hashOf(old), old);
    this.#forgetFieldTimes(old);
    if (isSlotEncoding(this.encodingOf(old))) this.#releaseSlot(dict.intValue(old));
    dict.freeDetached(old);
    return added;
  }

  /** Takes back a key that was added in this very call, as if it had never been. Takes no memory. */
  takeBack(ref: number): void {
    this.#drop(ref);
  }

  /**
   * Gives a record another key, in this database or another, where that key is not there. Value,
   * expiry and access clock go along; a value in a slot is not copied. Returns the new reference.
   * @throws RangeError without a change when there is no memory
   */
  moveRecord(
    ref: number,
    target: Database,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const dict = this.#dict;
    const to = target.#dict;
    const meta = dict.metaOf(ref);
    const type = meta & 0xf;
    const encoding = this.encodingOf(ref);
    const expiresAtMs = dict.expiryOf(ref);
    const size = dict.valueLength(ref);
    const place = this.#fieldTimes === null ? 0 : this.#placeOf(ref);
    if (place > 0) target.reserveFieldTime();
    const fresh = target.addRecord(bytes, offset, length, type, encoding, size, 0, expiresAtMs);
    // Neither adding a record nor removing one moves any other.
    const at = dict.valueOffset(ref);
    copyBytes(to.bytesOf(fresh), to.valueOffset(fresh), dict.bytesOf(ref), at, size);
    to.setMeta(fresh, meta);
    this.beforeWrite(ref);
    const firstMs = place > 0 ? this.#fieldTimes!.timeAt(place - 1) : Infinity;
    this.#forgetFieldTimes(ref);
    if (isSlotEncoding(encoding)) {
      target.#writeSlot(fresh, target.#slots.add(this.#slots.remove(dict.intValue(ref))));
    }
    this.#takeOut(ref);
    target.setFieldTime(fresh, firstMs, true);
    return fresh;
  }

  /** Inline values: changes the length (see Dict.resizeValue); returns the new reference. */
  resizeInline(ref: number, valueLength: number, slackBytes = 0): number {
    return this.#dict.resizeValue(ref, valueLength, slackBytes);
  }

  /**
   * Inline values: says how long the value has become by being changed in place, at most
   * `records.valueCapacity`. Without this a later move takes along as many bytes as were known of.
   */
  setValueLength(ref: number, length: number): void {
    this.#dict.setValueLength(ref, length);
  }

  /**
   * A value in a slot has changed its size: it takes `memoryBytes` now. (Who has changed it knows its kind,
   * and reads that faster than where it could be any.)
   */
  measured(ref: number, memoryBytes: number): void {
    this.#slots.measured(this.#dict.intValue(ref), memoryBytes);
  }

  #writeSlot(ref: number, slot: number): void {
    const u8 = this.#dict.bytesOf(ref);
    const at = this.#dict.valueOffset(ref);
    u8[at] = slot;
    u8[at + 1] = slot >>> 8;
    u8[at + 2] = slot >>> 16;
    u8[at + 3] = slot >>> 24;
  }

  #setLarge(
    bytes: Uint8Array,
    offset: number,
    length: number,
    ref: number,
    value: LargeValue,
    expiresAtMs: number,
    keepTtl: boolean,
  ): void {
    if (ref === 0) {
      this.addLarge(bytes, offset, length, TYPE_STRING, ENC_EXTERNAL, value, expiresAtMs);
      return;
    }
    const expiry = keepTtl ? undefined : expiresAtMs;
    const fresh = this.replaceByLarge(ref, TYPE_STRING, ENC_EXTERNAL, value, expiry);
    this.#dict.setMeta(fresh, (this.#dict.metaOf(fresh) & 0xff) | this.keyspace.freshAccess);
  }

  /** Lets go of a slot, whose record a snapshot has been shown and which is gone or rewritten. */
  #releaseSlot(slot: number): void {
    const value = this.#slots.remove(slot);
    // A snapshot may still be reading it: then it is let go of, and collected after that.
    if (!this.#isRead) value.dispose?.();
  }

  // -- expiry ----------------------------------------------------------------------

  /** Expiry of a record in Unix ms, NaN when it has none. */
  expiryOf(ref: number): number {
    return this.#dict.expiryOf(ref);
  }

  /**
   * Sets (or with NaN clears) the expiry; returns the new reference. Says nothing of the change.
   * @throws RangeError without a change when there is no memory
   */
  setExpiry(ref: number, expiresAtMs: number): number {
    return this.#resizeExpiring(ref, this.#dict.valueLength(ref), expiresAtMs, 0);
  }

  /** `Dict.resizeExpiring`, keeping the index of expiries right. */
  #resizeExpiring(ref: number, length: number, expiresAtMs: number, slackBytes: number): number {
    const dict = this.#dict;
    const hash = dict.hashOf(ref);
    const had = dict.flagsOf(ref) < 0;
    const wants = expiresAtMs === expiresAtMs;
    // `recordMoved` sees to it that the index follows the record.
    if (!had && wants) this.#expires.add(hash, ref);
    let fresh: number;
    try {
      fresh = dict.resizeExpiring(ref, length, expiresAtMs, slackBytes);
    } catch (error) {
      if (!had && wants) this.#expires.delete(hash, ref);
      throw error;
    }
    if (had && !wants) this.#expires.delete(hash, ref);
    if (wants && this.keyspace.expireMode === EXPIRE_HIDES) this.#noteOwnExpiry(fresh);
    return fresh;
  }

  /** A record was made with an expiry; without memory to note that, it goes again. */
  #expiryAdded(hash: number, ref: number): void {
    try {
      this.#expires.add(hash, ref);
    } catch (error) {
      this.#dict.remove(ref);
      throw error;
    }
    if (this.keyspace.expireMode === EXPIRE_HIDES) this.#noteOwnExpiry(ref);
  }

  #noteOwnExpiry(ref: number): void {
    const dict = this.#dict;
    const key = toLatin1(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref));
    this.ownExpiries ??= new Set();
    this.ownExpiries.add(key);
  }

  /** A key drawn evenly among those that have an expiry, or 0 when there are none. */
  randomExpiring(draw: () => number): number {
    return this.#expires.random(draw);
  }

  /** `table.scan` over the keys that have an expiry alone. */
  scanExpiring(cursor: number, visit: (ref: number) => void): number {
    return this.#expires.scan(cursor, visit);
  }

  /** MoveListener: a record has a new place. */
  recordMoved(oldRef: number, newRef: number): void {
    if (this.#dict.flagsOf(newRef) < 0) {
      this.#expires.replace(this.#dict.hashOf(newRef), oldRef, newRef);
    }
    if (this.#fieldTimes !== null) {
      // Of the new one not all may have been written yet.
      const place = this.#placeOf(oldRef);
      if (place > 0) this.#fieldTimes.moved(place - 1, newRef);
    }
  }

  // -- hashes with fields that expire ------------------------------------------------------

  /** The place of a record among the hashes with fields that expire, + 1; 0 when it has none. */
  #placeOf(ref: number): number {
    const encoding = this.encodingOf(ref);
    if (encoding === ENC_LISTPACK_EX) return this.#dict.intValue(ref);
    return encoding === ENC_HASHTABLE ? this.largeValue(ref).dueAt ?? 0 : 0;
  }

  #setPlace(ref: number, place: number): void {
    if (this.encodingOf(ref) === ENC_LISTPACK_EX) this.#writeSlot(ref, place);
    else this.largeValue(ref).dueAt = place;
  }

  /** PlaceKeeper: where the time of a hash stands. */
  placed(ref: number, place: number): void {
    this.#setPlace(ref, place + 1);
  }

  /** Takes the memory that `setFieldTime` needs for a hash. @throws RangeError without a change */
  reserveFieldTime(): void {
    this.#fieldTimes ??= new DueTimes(this);
    this.#fieldTimes.reserve(1);
  }

  /**
   * Takes note of when the first field of a hash expires, in Unix ms; Infinity when none does. The record
   * must be such a hash. It `isAdded` when it has come with its value, which may name a place elsewhere.
   * @throws RangeError without a change when there is no memory: see `reserveFieldTime`
   */
  setFieldTime(ref: number, firstMs: number, isAdded = false): void {
    if (firstMs === Infinity) return isAdded ? undefined : this.#forgetFieldTimes(ref);
    this.#fieldTimes ??= new DueTimes(this);
    const place = isAdded ? 0 : this.#placeOf(ref);
    if (place === 0) this.#fieldTimes.add(ref, firstMs);
    else if (this.#fieldTimes.timeAt(place - 1) !== firstMs) {
      this.#fieldTimes.change(place - 1, firstMs);
    }
  }

  #forgetFieldTimes(ref: number): void {
    if (this.#fieldTimes === null) return;
    const place = this.#placeOf(ref);
    if (place === 0) return;
    this.#setPlace(ref, 0);
    this.#fieldTimes.removeAt(place - 1);
  }

  /** The hash of which a field expires first; there has to be one with such fields. */
  get firstExpiringHash(): number {
    return this.#fieldTimes!.firstRef;
  }

  /** Whether a value in a slot is one of these. Takes time for each value in a slot. */
  someLargeValue(test: (value: LargeValue) => boolean): boolean {
    return this.#slots.some(test);
  }

  /** The hash of which a field expires first, or 0 when none of them is over. */
  get hashDue(): number {
    const fieldTimes = this.#fieldTimes;
    return fieldTimes !== null && fieldTimes.firstMs < this.keyspace.nowMs
      ? fieldTimes.firstRef
      : 0;
  }

  /** Has it enter the stream that a field of a hash is gone, as its time was over, and counts it. */
  fieldExpired(ref: number, field: Uint8Array, offset: number, length: number): void {
    const { keyspace } = this;
    keyspace.expiredFields++;
    if (!keyspace.stream.isActive) return;
    const name = field.subarray(offset, offset + length);
    keyspace.stream.add(this.index, ["HDEL", this.#keyOf(ref), name]);
  }

  /** Tells of fields that are gone from a hash, as their time was over; the hash goes with the last of them. */
  fieldsExpired(ref: number, isEmpty: boolean): void {
    const key = this.#keyOf(ref);
    const { keyspace } = this;
    if (isEmpty) this.#drop(ref);
    if (this.watched !== null) this.#touchWatched(key, 0, key.length, !isEmpty);
    if (keyspace.eventMask === 0) return;
    keyspace.notify(EVENT_HASH, "hexpired", this.index, key, 0, key.length);
    if (isEmpty) keyspace.notify(EVENT_GENERIC, "del", this.index, key, 0, key.length);
    if ((keyspace.eventMask & EVERY_CHANGE) !== 0) {
      keyspace.listener.keyChanged(key, 0, key.length, false);
    }
  }

  #keyOf(ref: number): Uint8Array {
    const dict = this.#dict;
    const offset = dict.keyOffset(ref);
    return dict.bytesOf(ref).slice(offset, offset + dict.keyLength(ref));
  }

  // -- removal -----------------------------------------------------------------------

  /**
   * Removes a key if it is there: event "del". Large values cost no more than small ones. On a replica
   * a key past its time is there until somebody removes it.
   */
  remove(bytes: Uint8Array, offset: number, length: number): boolean {
    const ref = this.keyspace.expireMode === EXPIRE_HIDES
      ? this.#dict.get(bytes, offset, length)
      : this.lookupWrite(bytes, offset, length);
    if (ref === 0) return false;
    this.removeRecord(ref, bytes, offset, length);
    return true;
  }

  /** Removes the record of this key, with `event`. The key's bytes must not be the record's own. */
  removeRecord(
    ref: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    eventClass = EVENT_GENERIC,
    event = "del",
    changes = 1,
  ): void {
    this.#drop(ref);
    this.changed(bytes, offset, length, eventClass, event, changes);
  }

  #drop(ref: number): void {
    this.beforeWrite(ref);
    this.#forgetFieldTimes(ref);
    if (isSlotEncoding(this.encodingOf(ref))) this.#releaseSlot(this.#dict.intValue(ref));
    this.#takeOut(ref);
  }

  /** Removes a record whose slot, if it has one, is not its own any more. */
  #takeOut(ref: number): void {
    const dict = this.#dict;
    if (dict.flagsOf(ref) < 0) this.#expires.delete(dict.hashOf(ref), ref);
    dict.remove(ref);
  }

  /**
   * Removes everything. A running snapshot goes on with the old content, which nobody changes now.
   * @throws RangeError without a change when there is no memory for an empty database
   */
  clear(): number {
    const removed = this.count;
    const dict = this.#newDict();
    const expires = new RefIndex(dict);
    this.#dict.listener = null;
    if (!this.#isRead) {
      this.#dict.dispose();
      this.#expires.dispose();
      this.#fieldTimes?.dispose();
      this.keyspace.discard(this.#slots);
    }
    this.#fieldTimes = null;
    this.#dict = dict;
    this.#expires = expires;
    this.#slots = new ValueSlots();
    this.ownExpiries = null;
    this.averageTtlMs = 0;
    this.expireCursor = 0;
    return removed;
  }

  /** Empties the database; answers one, out of everybody's reach, that holds what was in it. Tells nobody. */
  takeContent(): Database {
    const other = new Database(this.keyspace, this.index);
    this.exchangeContent(other);
    return other;
  }

  /** A part of a pass over all memory: see Defragmenter and `ValueSlots.tidySome`. */
  tidySome(from: number, count: number, density: number): number {
    if (this.#dict.vacateOne() || this.#expires.vacateOne()) return from;
    if (this.#fieldTimes?.vacateOne()) return from;
    return this.#slots.tidySome(from, count, density);
  }

  /** Exchanges everything but the number and the watchers with another database. */
  exchangeContent(other: Database): void {
    const dict = this.#dict;
    const expires = this.#expires;
    const slots = this.#slots;
    const fieldTimes = this.#fieldTimes;
    const { ownExpiries, averageTtlMs, expireCursor } = this;
    this.#dict = other.#dict;
    this.#expires = other.#expires;
    this.#slots = other.#slots;
    this.#fieldTimes = other.#fieldTimes;
    this.ownExpiries = other.ownExpiries;
    this.averageTtlMs = other.averageTtlMs;
    this.expireCursor = other.expireCursor;
    other.#dict = dict;
    other.#expires = expires;
    other.#slots = slots;
    other.#fieldTimes = fieldTimes;
    if (this.#fieldTimes !== null) this.#fieldTimes.owner = this;
    if (fieldTimes !== null) fieldTimes.owner = other;
    other.ownExpiries = ownExpiries;
    other.averageTtlMs = averageTtlMs;
    other.expireCursor = expireCursor;
    this.#dict.listener = this;
    other.#dict.listener = other;
  }

  // -- blocked clients -------------------------------------------------------------------

  /** Says that blocked clients may find at this key what they wait for. New keys do it by themselves. */
  signalReady(bytes: Uint8Array, offset: number, length: number): void {
    if (this.awaited === null) return;
    const key = toLatin1(bytes, offset, length);
    if (this.awaited.has(key)) this.keyspace.readyKeys.push({ database: this.index, key });
  }

  /** `signalReady` for all keys that are waited for: the content has been exchanged. */
  signalAllReady(): void {
    if (this.awaited === null) return;
    for (const key of this.awaited.keys()) {
      this.keyspace.readyKeys.push({ database: this.index, key });
    }
  }

  // -- WATCH ---------------------------------------------------------------------------

  /**
   * Adds a key to those that a watcher watches here. Returns the link in `watched`, or 0 if the key is
   * watched by it already.
   */
  watch(keys: WatchedKeys, bytes: Uint8Array, offset: number, length: number): number {
    if (this.watched === null) {
      this.watched = this.#spareWatched ?? new Links();
      this.#spareWatched = null;
    }
    return this.watched.link(keys, bytes, offset, length);
  }

  /** Ends these watches. */
  unwatch(keys: WatchedKeys): void {
    if (this.watched === null) return;
    this.watched.unlinkAll(keys);
    if (this.watched.linkCount > 0) return;
    if (this.watched.memoryBytes <= SPARE_WATCHED_BYTES_MAX) this.#spareWatched = this.watched;
    this.watched = null;
  }

  #touchWatched(bytes: Uint8Array, offset: number, length: number, isOfFields = false): void {
    const name = this.watched!.find(bytes, offset, length);
    if (name === 0) return;
    const now = this.#dict.get(bytes, offset, length) === 0 ? "gone" : "there";
    this.#tellWatchers(name, now, "there", isOfFields);
  }

  /** `isOfFields`: the change is that fields of a hash were over. */
  #tellWatchers(name: number, now: KeyPresence, before: KeyPresence, isOfFields = false): void {
    const watched = this.watched!;
    for (let link = watched.firstOf(name); link !== 0; link = watched.nextOf(link)) {
      const watcher = watched.memberOf(link);
      if (isOfFields && watcher.fieldsExpired !== undefined) watcher.fieldsExpired();
      else watcher.keyChanged(this, link, now, before);
    }
  }

  /** Whether a key is there; one past its time is let go of first where that is ours to do. */
  presenceOf(bytes: Uint8Array, offset: number, length: number): KeyPresence {
    if (this.findOrExpire(bytes, offset, length) !== 0) return "there";
    return this.#dict.get(bytes, offset, length) === 0 ? "gone" : "hidden";
  }

  /**
   * Fails the transactions that watch keys which are here or in `other`, whose content is to come
   * here. A key past its time is not there, before the swap or after it.
   */
  touchSwapped(other: Database): void {
    const { watched } = this;
    if (watched === null) return;
    for (let name = watched.nameAfter(0); name !== 0; name = watched.nameAfter(name)) {
      const key = watched.copyOf(name);
      const before = this.presenceOf(key, 0, key.length);
      const now = other.presenceOf(key, 0, key.length);
      if (before !== "gone" || now !== "gone") this.#tellWatchers(name, now, before);
    }
  }

  /** Fails the transactions that watch keys which are there: before a flush. */
  touchAllWatched(): void {
    const { watched } = this;
    if (watched === null) return;
    for (let name = watched.nameAfter(0); name !== 0; name = watched.nameAfter(name)) {
      const bytes = watched.bytesOf(name);
      const ref = this.#dict.get(bytes, watched.offsetOf(name), watched.lengthOf(name));
      if (ref !== 0) this.#tellWatchers(name, "gone", "there");
    }
  }
}

const STRING_META = TYPE_STRING | (ENC_EMBSTR << 4);

/** What a string that grows to `length` bytes gets, so that many small additions do not move it each time. */
function withRoom(length: number): number {
  return length + Math.min(length >> 1, ROOM_TO_GROW_MAX);
}
