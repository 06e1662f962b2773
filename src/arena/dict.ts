/**
 * Hash table of bytes: records in an arena, found by key. The keyspace of a database, the members
 * of a large set, the fields of a large hash and the members of a large sorted set are each a Dict.
 *
 * A lookup reads a bucket (table.ts), comparing four tags at a time, and then the one record whose
 * tag agreed: two dependent reads.
 *
 * Growing and shrinking is incremental as in Redis: two tables stand side by side, each change and
 * each turn of the timer moves some buckets, and lookups look into both. `scan` walks buckets by a
 * cursor whose bits are counted up from the top (Redis's reverse binary), which gives its promise:
 * what is there from the first call to the last is returned at least once, whatever resizes happen.
 *
 * Not promised: references stay valid only until the next call that inserts or resizes a value.
 */

import { hashBytes, HASHED_BYTES_MAX, hashedWords } from "../base/hash.ts";
import { equalBytes } from "../base/bytes.ts";
import { isRefusal, tryAllocating } from "../base/refused.ts";
import { Arena, CHUNK_UNITS_MAX, roundUnits } from "./arena.ts";
import {
  EXPIRY_BIT,
  EXPIRY_BYTES,
  FREE,
  HEADER_BYTES,
  isNotedEncoding,
  KEY_LENGTH_MASK,
  REF_MASK,
  REF_SHIFT,
  SNAPSHOT_BIT,
} from "./record.ts";
import {
  FIRST_REF,
  GROW_FILL,
  type GrowthGate,
  HIGHS,
  LINK,
  mayGrow,
  MIN_BUCKETS,
  moveBucket,
  ONES,
  randomFrom,
  RESERVED_BUCKETS,
  reserveInTables,
  scanTables,
  SHRINK_FILL,
  Table,
  tagOf,
} from "./table.ts";

/**
 * Records that a change of a large collection moves out of sparse segments, if there are any: more than
 * one change can leave behind, so that a collection that shrinks gives its memory back as it does.
 */
export const COMPACT_RECORDS = 16;

/** Compaction begins when less than this share of an arena is in use, unless memory is scarce. */
const USUAL_DENSITY = 0.6;

/** What has to know when a record gets a new reference: the expiry index, an ordered index. */
export interface MoveListener {
  recordMoved(oldRef: number, newRef: number): void;
}

/** What has to see records before they change: the snapshot (see src/rdb/snapshot.ts). */
export interface WriteHook {
  /** Called before the record's value or expiry changes, and before it is removed. */
  beforeRecordWrite(dict: Dict, ref: number): void;
  /** Another wants to be the hook: this one, if it knows how to, does without from now on. */
  preempt?(): void;
}

/** Records that `warmRecords` takes at once, at most. */
export const WARM_RECORDS_MAX = 16;
const warmHashes = new Int32Array(WARM_RECORDS_MAX);

/** Records that a walk reads ahead, at least. */
const GATHERED_MIN = 48;

/** Of no meaning: what is read ahead ends here, so that the reads are not left out. */
export let warmedSum = 0;

export class Dict {
  readonly arena: Arena;
  /** Set while a snapshot is being taken of this dict, else null. */
  hook: WriteHook | null = null;
  /**
   * SNAPSHOT_BIT as new records get it, 0 or that bit. Between snapshots all records agree with it; a
   * snapshot begins by changing it, so that the records there differ and new ones do not.
   */
  parity = 0;
  listener: MoveListener | null = null;
  /** Asked before the table grows, as long as that can be put off; null where it may always. */
  growthGate: GrowthGate | null = null;
  /** Hash of the key that was last asked for with `get`. */
  hash = 0;
  #table: Table;
  /** The table being filled while a resize is under way, else null. */
  #next: Table | null = null;
  /** Next bucket of #table to move. */
  #rehashAt = 0;
  /** > 0 while buckets must stay where they are (an iteration is under way). */
  #pinned = 0;
  /** Where emptying a sparse segment has got to, in units. */
  #compactAt = 0;

  constructor(firstSegmentBytes = 4096, buckets = MIN_BUCKETS) {
    this.arena = new Arena(firstSegmentBytes);
    this.#table = new Table(buckets);
  }

  /** Gives all memory back. The dict may not be used any more. */
  dispose(): void {
    this.arena.dispose();
    this.#table.dispose();
    this.#next?.dispose();
  }

  /** Records in the dict. */
  get count(): number {
    return this.#table.used + (this.#next === null ? 0 : this.#next.used);
  }

  /** Bytes in use: live chunks and tables. */
  get memoryBytes(): number {
    return this.arena.liveBytes + this.#table.memoryBytes +
      (this.#next === null ? 0 : this.#next.memoryBytes);
  }

  /** Bytes taken from the system. */
  get reservedBytes(): number {
    return this.arena.totalBytes + this.memoryBytes - this.arena.liveBytes;
  }

  get isRehashing(): boolean {
    return this.#next !== null;
  }

  /** Main buckets of both tables, for DEBUG and INFO. */
  get bucketCount(): number {
    return this.#table.buckets + (this.#next === null ? 0 : this.#next.buckets);
  }

  /** The record with this key, or 0. `hash` is `hashBytes` of the key. */
  find(bytes: Uint8Array, offset: number, length: number, hash: number): number {
    const ref = this.#findIn(this.#table, bytes, offset, length, hash, false);
    if (ref !== 0 || this.#next === null) return ref;
    return this.#findIn(this.#next, bytes, offset, length, hash, false);
  }

  /** `isHashed`: the key lies in `hashedWords`, too. */
  #findIn(
    table: Table,
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    isHashed: boolean,
  ): number {
    const ints = table.ints;
    const segments = this.arena.i32;
    const tags = Math.imul(tagOf(hash), ONES);
    let at = (hash & table.mask) << 4;
    for (;;) {
      for (let word = 0; word < 3; word++) {
        const x = ints[at + word] ^ tags;
        let hits = (x - ONES) & ~x & HIGHS;
        while (hits !== 0) {
          const slot = (word << 2) + ((31 - Math.clz32(hits & -hits)) >> 3);
          const ref = ints[at + FIRST_REF + slot];
          const segment = ref >>> REF_SHIFT;
          const header = segments[segment];
          const head = (ref & REF_MASK) << 1;
          if (header[head] === hash && ref !== 0) {
            const word2 = header[head + 2];
            if ((word2 & KEY_LENGTH_MASK) === length) {
              const k = (head << 2) + (word2 < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
              if (
                isHashed
                  ? isHashedKey(header, k >> 2, length)
                  : equalBytes(this.arena.u8[segment], k, length, bytes, offset, length)
              ) return ref;
            }
          }
          hits &= hits - 1;
        }
      }
      const link = ints[at + LINK];
      if (link === 0) return 0;
      at = link << 4;
    }
  }

  /**
   * Brings what lookups of these hashes will read into the processor's caches. The reads of one pass
   * do not depend on each other, so their misses overlap, which those of lookups one after the other
   * do not. Changes nothing; returns a number of no meaning, so that the reads are not left out.
   */
  warm(hashes: Int32Array, count: number): number {
    const { ints, mask } = this.#table;
    const segments = this.arena.i32;
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= ints[(hashes[i] & mask) << 4];
    for (let i = 0; i < count; i++) {
      const hash = hashes[i];
      const tags = Math.imul(tagOf(hash), ONES);
      const at = (hash & mask) << 4;
      for (let word = 0; word < 3; word++) {
        const x = ints[at + word] ^ tags;
        const hits = (x - ONES) & ~x & HIGHS;
        if (hits === 0) continue;
        const slot = (word << 2) + ((31 - Math.clz32(hits & -hits)) >> 3);
        const ref = ints[at + FIRST_REF + slot];
        sum ^= segments[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
        break;
      }
    }
    return sum;
  }

  /** Reads the headers of records, listed in `refs` from `at` to `end`, which are about to be looked at. */
  warmHeaders(refs: Int32Array, at: number, end: number): void {
    const segments = this.arena.i32;
    let sum = 0;
    for (let i = at; i < end; i++) {
      const ref = refs[i];
      sum ^= segments[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 2];
    }
    warmedSum = sum;
  }

  /**
   * The same for records that are known: reads what is needed to look at `count` of them, listed in
   * `refs` from `at` on, and to remove them.
   */
  warmRecords(refs: Int32Array, at: number, count: number): number {
    const segments = this.arena.i32;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const ref = refs[at + i];
      warmHashes[i] = segments[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
    }
    const { ints, mask } = this.#table;
    for (let i = 0; i < count; i++) {
      const ref = refs[at + i];
      const header = segments[ref >>> REF_SHIFT];
      const head = (ref & REF_MASK) << 1;
      const words = header[head + 3] >>> 15; // of the chunk: its end may be another cache line
      sum ^= ints[(warmHashes[i] & mask) << 4] ^ header[head + words - 1];
    }
    return sum;
  }

  /** `find` by key bytes alone; `hash` is their hash afterwards. */
  get(bytes: Uint8Array, offset: number, length: number): number {
    const hash = this.hash = hashBytes(bytes, offset, length);
    const isHashed = length <= HASHED_BYTES_MAX;
    const ref = this.#findIn(this.#table, bytes, offset, length, hash, isHashed);
    if (ref !== 0 || this.#next === null) return ref;
    return this.#findIn(this.#next, bytes, offset, length, hash, isHashed);
  }

  /**
   * Adds a record for a key that is not there. The value's bytes are undefined: the caller fills
   * them in. `expiresAtMs` NaN means none. `slackBytes` is room for the value to grow in place.
   * @throws RangeError without a change when there is no memory
   */
  add(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    valueLength: number,
    meta: number,
    expiresAtMs: number,
    slackBytes = 0,
  ): number {
    const ref = this.prepare(
      bytes,
      offset,
      length,
      hash,
      valueLength,
      meta,
      expiresAtMs,
      slackBytes,
    );
    this.#insert(hash, ref);
    return ref;
  }

  /**
   * Makes a record as `add` does, which is out of reach until `addPrepared`; meanwhile nothing may be compacted.
   * @throws RangeError without a change when there is no memory
   */
  prepare(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash: number,
    valueLength: number,
    meta: number,
    expiresAtMs: number,
    slackBytes = 0,
  ): number {
    const hasExpiry = expiresAtMs === expiresAtMs;
    const ref = this.#newRecord(
      HEADER_BYTES + (hasExpiry ? EXPIRY_BYTES : 0) + length + valueLength + slackBytes,
    );
    const segment = ref >>> REF_SHIFT;
    const i32 = this.arena.i32[segment];
    const head = (ref & REF_MASK) << 1;
    i32[head] = hash;
    i32[head + 1] = meta;
    i32[head + 2] = length | this.parity;
    i32[head + 3] |= valueLength;
    let at = (head << 2) + HEADER_BYTES;
    if (hasExpiry) {
      i32[head + 2] |= EXPIRY_BIT;
      this.arena.f64[segment][at >> 3] = expiresAtMs;
      at += EXPIRY_BYTES;
    }
    const u8 = this.arena.u8[segment];
    if (length < 48) {
      for (let i = 0; i < length; i++) u8[at + i] = bytes[offset + i];
    } else u8.set(bytes.subarray(offset, offset + length), at);
    return ref;
  }

  /** Brings a prepared record within reach; its key is not there. Frees it if there is no memory. @throws RangeError */
  addPrepared(ref: number): void {
    this.#insert(this.hashOf(ref), ref);
  }

  #insert(hash: number, ref: number): void {
    const next = this.#next;
    const table = next === null ? this.#table : next;
    try {
      table.put(hash, ref);
    } catch (error) {
      this.#freeChunk(ref);
      throw error;
    }
    if (next !== null) this.#rehashStep(1);
    else if (table.used > table.buckets * GROW_FILL) this.#grow(table);
  }

  #freeChunk(ref: number): void {
    const word3 = this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 3];
    this.arena.free(ref, word3 >>> 16);
  }

  /** A chunk for a record of `bytes`; word 3 holds its size, the rest is undefined. */
  #newRecord(bytes: number): number {
    const units = (bytes + 7) >>> 3;
    const arena = this.arena;
    if (units > CHUNK_UNITS_MAX) {
      const ref = arena.allocateSegment(bytes);
      arena.i32[ref >>> REF_SHIFT][3] = 0;
      return ref;
    }
    const ref = arena.allocate(units);
    arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 3] = roundUnits(units) << 16;
    return ref;
  }

  /** Removes a record and frees its chunk. Takes no memory. */
  remove(ref: number): void {
    if (this.hook !== null) this.hook.beforeRecordWrite(this, ref);
    const i32 = this.arena.i32[ref >>> REF_SHIFT];
    const head = (ref & REF_MASK) << 1;
    this.#takeOut(i32[head], ref);
    this.arena.free(ref, i32[head + 3] >>> 16);
    this.#removed();
  }

  /**
   * Takes a record out of reach: it is not found any more, but what it holds stays, until `freeDetached`
   * ends it or `attach` brings it back.
   */
  detach(ref: number): void {
    this.#takeOut(this.hashOf(ref), ref);
  }

  /** Brings a detached record back. Takes no memory, if no record has been added since. */
  attach(ref: number): void {
    (this.#next ?? this.#table).put(this.hashOf(ref), ref);
  }

  /** Frees the chunk of a prepared record that is not to be added. */
  freePrepared(ref: number): void {
    this.#freeChunk(ref);
  }

  /** Frees the chunk of a detached record. */
  freeDetached(ref: number): void {
    this.#freeChunk(ref);
    this.#removed();
  }

  /** There is one record less: a table that is too large becomes smaller, step by step. */
  #removed(): void {
    const table = this.#table;
    if (this.#next !== null) this.#rehashStep(1);
    else if (table.used < table.buckets * SHRINK_FILL && table.buckets > MIN_BUCKETS) {
      this.#shrink();
    }
  }

  #takeOut(hash: number, ref: number): void {
    const next = this.#next;
    if (next !== null && next.replace(hash, ref, ref)) {
      next.take(hash, ref);
    } else this.#table.take(hash, ref);
  }

  // -- reading a record ------------------------------------------------------

  /** Bytes of the segment that `ref` lies in; offsets below are into these. */
  bytesOf(ref: number): Uint8Array {
    return this.arena.u8[ref >>> REF_SHIFT];
  }

  hashOf(ref: number): number {
    return this.arena.i32[ref >>> REF_SHIFT][(ref & REF_MASK) << 1];
  }

  metaOf(ref: number): number {
    return this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 1];
  }

  setMeta(ref: number, meta: number): void {
    this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 1] = meta;
  }

  /** Word 2: key length with the flag bits. */
  flagsOf(ref: number): number {
    return this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 2];
  }

  setFlags(ref: number, word: number): void {
    this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 2] = word;
  }

  keyLength(ref: number): number {
    return this.flagsOf(ref) & KEY_LENGTH_MASK;
  }

  keyOffset(ref: number): number {
    return ((ref & REF_MASK) << 3) +
      (this.flagsOf(ref) < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
  }

  valueLength(ref: number): number {
    return this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 3] & 0xffff;
  }

  valueOffset(ref: number): number {
    const word2 = this.flagsOf(ref);
    return ((ref & REF_MASK) << 3) + (word2 & KEY_LENGTH_MASK) +
      (word2 < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
  }

  /** Most bytes the value may have without the record moving. */
  valueCapacity(ref: number): number {
    const units = this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 3] >>> 16;
    const bytes = units === 0 ? this.arena.u8[ref >>> REF_SHIFT].length : units << 3;
    return Math.min(0xffff, bytes - (this.valueOffset(ref) - ((ref & REF_MASK) << 3)));
  }

  /**
   * Says how long the value has become by being changed in place, at most `valueCapacity`. Without
   * this a later move takes along as many bytes as the record knows of.
   */
  setValueLength(ref: number, length: number): void {
    const i32 = this.arena.i32[ref >>> REF_SHIFT];
    const at = ((ref & REF_MASK) << 1) + 3;
    i32[at] = (i32[at] & ~0xffff) | length;
  }

  /** Bytes of the chunk a record lies in. */
  chunkBytes(ref: number): number {
    const units = this.arena.i32[ref >>> REF_SHIFT][((ref & REF_MASK) << 1) + 3] >>> 16;
    return units === 0 ? this.arena.u8[ref >>> REF_SHIFT].length : units << 3;
  }

  /** Expiry in Unix ms, NaN when there is none. */
  expiryOf(ref: number): number {
    if (this.flagsOf(ref) >= 0) return NaN;
    return this.arena.f64[ref >>> REF_SHIFT][(ref & REF_MASK) + (HEADER_BYTES >> 3)];
  }

  /** A 4-byte little-endian integer value: the slot number of encodings that use one. */
  intValue(ref: number): number {
    const u8 = this.arena.u8[ref >>> REF_SHIFT];
    const at = this.valueOffset(ref);
    return u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24);
  }

  // -- changing a record -----------------------------------------------------

  /**
   * Makes room for a value of `valueLength` (at most INLINE_VALUE_MAX) and sets that length; the
   * old value's bytes are kept up to the shorter length. Returns the record's reference, which is
   * a new one when the chunk was too small. `slackBytes` is added when it has to move.
   * @throws RangeError without a change when there is no memory; never where the value gets no longer
   */
  resizeValue(ref: number, valueLength: number, slackBytes = 0): number {
    if (this.hook !== null) this.hook.beforeRecordWrite(this, ref);
    const arena = this.arena;
    const i32 = arena.i32[ref >>> REF_SHIFT];
    const head = (ref & REF_MASK) << 1;
    const word2 = i32[head + 2];
    const word3 = i32[head + 3];
    const before = (word2 & KEY_LENGTH_MASK) +
      (word2 < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
    const units = word3 >>> 16;
    const needed = (before + valueLength + 7) >>> 3;
    if (units === 0) {
      if (before + valueLength <= arena.u8[ref >>> REF_SHIFT].length) {
        i32[head + 3] = valueLength;
        return ref;
      }
    } else if (needed <= units && (units <= 16 || needed << 1 >= units)) {
      i32[head + 3] = (word3 & ~0xffff) | valueLength;
      return ref;
    }
    const slack = Math.min(slackBytes, 0xffff - valueLength);
    const bytes = before + valueLength + slack;
    if (needed <= units) return this.#shrinkRecord(ref, bytes, valueLength);
    return this.#rebuild(ref, bytes, valueLength, this.expiryOf(ref));
  }

  /** Moves a record to a smaller chunk; where there is no memory for that, it stays where it is. */
  #shrinkRecord(ref: number, bytes: number, valueLength: number): number {
    try {
      return this.#rebuild(ref, bytes, valueLength, this.expiryOf(ref));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.setValueLength(ref, valueLength);
      return ref;
    }
  }

  /**
   * Takes a value of `valueLength` bytes and a new meta word in the place of what is there, where that
   * is simple: no expiry, no value in a slot or an index, no snapshot that wants to see the old value, a chunk of the
   * right size. For a Dict whose meta words are a database's.
   * Returns where in `bytesOf` the value is to be written, or -1: nothing has been done.
   */
  overwrite(ref: number, valueLength: number, meta: number): number {
    if (this.hook !== null) return -1;
    const i32 = this.arena.i32[ref >>> REF_SHIFT];
    const head = (ref & REF_MASK) << 1;
    const keyLength = i32[head + 2] & ~SNAPSHOT_BIT; // negative with an expiry
    const word3 = i32[head + 3];
    const units = word3 >>> 16;
    const needed = (HEADER_BYTES + keyLength + valueLength + 7) >>> 3;
    if (keyLength < 0 || needed > units || needed << 1 < units) return -1;
    if (isNotedEncoding((i32[head + 1] >>> 4) & 0xf)) return -1;
    i32[head + 1] = meta;
    i32[head + 3] = (word3 & ~0xffff) | valueLength;
    return (head << 2) + HEADER_BYTES + keyLength;
  }

  /**
   * Sets or (NaN) clears the expiry; returns the reference, new when the record had to move.
   * @throws RangeError without a change when there is no memory
   */
  setExpiry(ref: number, expiresAtMs: number): number {
    return this.resizeExpiring(ref, this.valueLength(ref), expiresAtMs);
  }

  /** `resizeValue` and `setExpiry` in one step: where there is no memory, nothing has changed. */
  resizeExpiring(ref: number, valueLength: number, expiresAtMs: number, slackBytes = 0): number {
    const has = this.flagsOf(ref) < 0;
    const wants = expiresAtMs === expiresAtMs;
    if (has === wants) {
      const kept = this.resizeValue(ref, valueLength, slackBytes);
      if (wants) {
        this.arena.f64[kept >>> REF_SHIFT][(kept & REF_MASK) + (HEADER_BYTES >> 3)] = expiresAtMs;
      }
      return kept;
    }
    if (this.hook !== null) this.hook.beforeRecordWrite(this, ref);
    const header = HEADER_BYTES + (wants ? EXPIRY_BYTES : 0);
    const slack = Math.min(slackBytes, 0xffff - valueLength);
    const bytes = header + this.keyLength(ref) + valueLength + slack;
    return this.#rebuild(ref, bytes, valueLength, expiresAtMs);
  }

  /** Copies a record into a new chunk of `bytes` and points the table there. */
  #rebuild(ref: number, bytes: number, valueLength: number, expiresAtMs: number): number {
    const arena = this.arena;
    const fresh = this.#newRecord(bytes);
    const from = arena.i32[ref >>> REF_SHIFT];
    const fromHead = (ref & REF_MASK) << 1;
    const to = arena.i32[fresh >>> REF_SHIFT];
    const toHead = (fresh & REF_MASK) << 1;
    const hash = from[fromHead];
    const word2 = from[fromHead + 2];
    const keyLength = word2 & KEY_LENGTH_MASK;
    const hasExpiry = expiresAtMs === expiresAtMs;
    to[toHead] = hash;
    to[toHead + 1] = from[fromHead + 1];
    to[toHead + 2] = hasExpiry ? word2 | EXPIRY_BIT : word2 & ~EXPIRY_BIT;
    to[toHead + 3] |= valueLength;
    let toAt = (toHead << 2) + HEADER_BYTES;
    if (hasExpiry) {
      arena.f64[fresh >>> REF_SHIFT][toAt >> 3] = expiresAtMs;
      toAt += EXPIRY_BYTES;
    }
    const fromAt = (fromHead << 2) + (word2 < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
    // All that may be in the chunk, not only the recorded length: a value that was edited within its
    // slack may be longer than what is recorded.
    const kept = keyLength + Math.min(valueLength, this.valueCapacity(ref));
    const source = arena.u8[ref >>> REF_SHIFT];
    const target = arena.u8[fresh >>> REF_SHIFT];
    if (kept < 48) {
      for (let i = 0; i < kept; i++) target[toAt + i] = source[fromAt + i];
    } else target.set(source.subarray(fromAt, fromAt + kept), toAt);
    this.#repoint(hash, ref, fresh);
    arena.free(ref, from[fromHead + 3] >>> 16);
    return fresh;
  }

  #repoint(hash: number, oldRef: number, newRef: number): void {
    if (!this.#table.replace(hash, oldRef, newRef)) {
      if (this.#next === null || !this.#next.replace(hash, oldRef, newRef)) {
        throw new Error("dict: a record is missing from its bucket");
      }
    }
    if (this.listener !== null) this.listener.recordMoved(oldRef, newRef);
  }

  // -- resizing ---------------------------------------------------------------

  /** Makes the table large enough for `count` records at once, while it is still empty. */
  reserve(count: number): void {
    if (this.count > 0) return;
    let buckets = MIN_BUCKETS;
    while (buckets * GROW_FILL < count && buckets < 1 << 26) buckets *= 2;
    const table = new Table(buckets);
    this.#table.dispose();
    this.#next?.dispose();
    this.#table = table;
    this.#next = null;
  }

  #grow(table: Table): void {
    if (mayGrow(table, this.growthGate)) this.#resize(table.buckets * 2);
  }

  /**
   * Takes the memory for so many further records of `bytes` bytes together, as far as a segment and the
   * usual spread of hashes go. @throws RangeError without a change when there is none
   */
  reserveRoom(records: number, bytes: number): void {
    this.arena.reserve((bytes + 7) >>> 3);
    const roomy = this.#table;
    if (
      this.#next === null && roomy.used + records <= roomy.buckets * GROW_FILL &&
      roomy.hasOverflow(RESERVED_BUCKETS)
    ) return;
    reserveInTables(
      this.#table,
      this.#next,
      records,
      this.growthGate,
      (buckets) => this.#beginResize(buckets),
    );
  }

  #shrink(): void {
    let buckets = MIN_BUCKETS;
    while (buckets * (GROW_FILL >> 1) < this.#table.used) buckets *= 2;
    if (buckets < this.#table.buckets) this.#resize(buckets);
  }

  /** Begins to move to a table of another size, if there is memory for one: the old one does too. */
  #resize(buckets: number): void {
    const hasBegun = tryAllocating(() => this.#beginResize(buckets));
    if (hasBegun && this.#table.buckets <= 8) this.#rehashStep(this.#table.buckets);
  }

  #beginResize(buckets: number): Table {
    this.#next = new Table(buckets);
    this.#rehashAt = 0;
    return this.#next;
  }

  #rehashStep(buckets: number): void {
    if (this.#pinned > 0) return;
    const table = this.#table;
    const next = this.#next!;
    for (let n = 0; n < buckets; n++) {
      if (!moveBucket(table, next, this.#rehashAt, this.arena)) return;
      if (++this.#rehashAt === table.buckets) {
        table.dispose();
        this.#table = next;
        this.#next = null;
        if (next.used > next.buckets * GROW_FILL) this.#grow(next);
        return;
      }
    }
  }

  /** Moves some buckets if a resize is under way; true while there is more to do that can be done. */
  rehashSome(buckets: number): boolean {
    if (this.#next === null || this.#pinned > 0) return false;
    const before = this.#rehashAt;
    this.#rehashStep(buckets);
    return this.#next !== null && this.#rehashAt !== before;
  }

  // -- walking ----------------------------------------------------------------

  /**
   * Calls `visit` for every record of the buckets at `cursor`; returns the next cursor, 0 at the
   * end. Redis's guarantee: records there during the whole walk are visited at least once.
   * `visit` may remove the record it is given, nothing else.
   */
  scan(cursor: number, visit: (ref: number) => void): number {
    this.#pinned++;
    try {
      return scanTables(this.#table, this.#next, cursor, visit);
    } finally {
      this.#pinned--;
    }
  }

  /** A record drawn evenly, or 0 when the dict is empty. `draw` gives [0, 1). */
  random(draw: () => number): number {
    return randomFrom(this.#table, this.#next, draw);
  }

  /**
   * Walks all records at once (short ones: for long walks use `scan` in slices). `visit` must not
   * change the dict.
   */
  forEach(visit: (ref: number) => void): void {
    this.forEachUntil((ref) => {
      visit(ref);
    });
  }

  /**
   * `forEach` until `visit` answers true. Records lie anywhere in memory: each is read once, some dozens
   * together, before it is visited, so that the waits for them overlap.
   */
  forEachUntil(visit: (ref: number) => boolean | void): void {
    this.#pinned++;
    try {
      const refs: number[] = [];
      let cursor = 0;
      do {
        cursor = this.gatherSome(cursor, refs);
        for (let i = 0; i < refs.length; i++) if (visit(refs[i]) === true) return;
        refs.length = 0;
      } while (cursor !== 0);
    } finally {
      this.#pinned--;
    }
  }

  /**
   * Puts some dozens of records behind those in `refs`: of the buckets from `cursor` on. Returns the next cursor, as
   * `scan` does, with what that promises. Each is read once, so that the waits for them overlap.
   */
  gatherSome(cursor: number, refs: number[]): number {
    const gather = (ref: number) => {
      refs.push(ref);
    };
    let at = cursor;
    do at = scanTables(this.#table, this.#next, at, gather); while (
      at !== 0 && refs.length < GATHERED_MIN
    );
    const segments = this.arena.i32;
    let sum = 0;
    for (let i = 0; i < refs.length; i++) {
      sum ^= segments[refs[i] >>> REF_SHIFT][(refs[i] & REF_MASK) << 1];
    }
    warmedSum = sum;
    return at;
  }

  /**
   * Until `unpin` all records stay in their buckets, so that a walk by a cursor comes upon each of them once, as long
   * as none is added or removed. A resize under way waits, and what is compacted moves in memory alone.
   */
  pin(): void {
    this.#pinned++;
  }

  /** Ends what `pin` has begun; several may have. */
  unpin(): void {
    this.#pinned--;
  }

  // -- compaction ---------------------------------------------------------------

  /**
   * Moves one segment or table out of the blocks that are being emptied (see base/blocks.ts), without a change to
   * references; false when nothing lies there. Not while a walk or a command is under way.
   */
  vacateOne(): boolean {
    return this.arena.vacateOne() || this.#table.vacate() || (this.#next?.vacate() ?? false);
  }

  /**
   * Empties sparse segments by copying their live records elsewhere, about `records` of them a
   * call, until a share of `density` is in use. Returns true while there is more to do that can be
   * done: without memory for it, it waits. Cost per record: a copy and a table lookup.
   */
  compactStep(records: number, density = USUAL_DENSITY): boolean {
    const arena = this.arena;
    if (arena.emptying < 0) {
      if (!arena.isSparse(density) || !arena.beginEmptying(density)) return false;
      this.#compactAt = arena.emptying === 0 ? 1 : 0;
    }
    const segment = arena.emptying;
    const i32 = arena.i32[segment];
    const top = arena.segmentTop[segment];
    let at = this.#compactAt;
    let left = records;
    while (at < top && left > 0) {
      left--;
      const head = at << 1;
      const ref = (segment << REF_SHIFT) | at;
      if (i32[head + 1] === FREE) {
        const units = i32[head + 3];
        arena.withdraw(ref, units);
        at += units;
        continue;
      }
      const units = i32[head + 3] >>> 16;
      const fresh = this.#placeToMove(units);
      if (fresh === 0) {
        this.#compactAt = at;
        return false;
      }
      const to = arena.i32[fresh >>> REF_SHIFT];
      const toHead = (fresh & REF_MASK) << 1;
      if (units <= 16) {
        for (let k = 0; k < units << 1; k++) to[toHead + k] = i32[head + k];
      } else to.set(i32.subarray(head, head + (units << 1)), toHead);
      to[toHead + 3] = (i32[head + 3] & 0xffff) | (roundUnits(units) << 16);
      this.#repoint(i32[head], ref, fresh);
      arena.free(ref, units);
      at += units;
    }
    this.#compactAt = at;
    if (at < top) return true;
    arena.endEmptying();
    return arena.isSparse(density);
  }

  /** A chunk that a record may move to, or 0: what gives memory back fails nobody for lack of it. */
  #placeToMove(units: number): number {
    try {
      return this.arena.allocate(units);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return 0;
    }
  }
}

/** Whether the key that was hashed last is the one at `at` of `ints`, which has the same length, in bytes. */
function isHashedKey(ints: Int32Array, at: number, length: number): boolean {
  const whole = length >> 2;
  for (let i = 0; i < whole; i++) if (ints[at + i] !== hashedWords[i]) return false;
  const rest = (length & 3) << 3;
  return rest === 0 || (ints[at + whole] ^ hashedWords[whole]) << (32 - rest) === 0;
}
