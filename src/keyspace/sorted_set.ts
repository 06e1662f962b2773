/**
 * Sorted sets as commands see them, whatever their encoding. Between commands and values.
 *
 * A small sorted set is listpack bytes inside its record (ENC_LISTPACK), a larger one a SortedSet in
 * a slot (ENC_SKIPLIST, the name that OBJECT ENCODING answers). The listpack is Redis's:
 *
 *     member | score | member | score ...      by score, then by the bytes of the member
 *
 * with scores as integers where they are, else as their shortest text. `zset-max-listpack-entries`
 * and `zset-max-listpack-value` draw the line; a set that has become large stays so.
 *
 * Open a view on a record, work, then `settle`. Handlers share `sortedSetView`, as they run one at a
 * time and to their end; who needs two sets at once makes views of its own. Reading a whole set:
 *
 *     view.open(database, ref);
 *     for (let on = view.first(); on; on = view.next()) {
 *       use(view.bytes, view.offset, view.length, view.score);
 *     }
 *
 * Making a set at once (results of commands): fill a SortedSet and give it to
 * `storeSortedSet`, which chooses the encoding.
 *
 * Not done here: `Database.changed` and removing an emptied key, which the handlers do as their
 * events demand. Members to be stored must not lie in the set itself.
 */

import { COMPACT_RECORDS } from "../arena/dict.ts";
import { ENC_LISTPACK, ENC_SKIPLIST, INLINE_VALUE_MAX, TYPE_ZSET } from "../arena/record.ts";
import { compareBytes, copyBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { ReplyError, WRONG_TYPE } from "../resp/reply_error.ts";
import {
  LP_EMPTY_BYTES,
  lpAppend,
  lpAppendInteger,
  lpBytes,
  lpCount,
  lpDelete,
  lpEnd,
  lpEntry,
  lpEntryCopyText,
  lpFind,
  lpFirst,
  lpGet,
  lpInsertBefore,
  lpInsertIntegerBefore,
  lpLast,
  lpNew,
  lpPrev,
  lpSeek,
  lpSize,
} from "../values/listpack.ts";
import { OrderedCursor } from "../values/ordered_index.ts";
import { isStoredAsInteger, parseScore, SCORE_TEXT_MAX, writeScore } from "../values/score.ts";
import type { ScoredElements } from "../values/scored_elements.ts";
import { SortedSet } from "../values/sorted_set.ts";
import type { Database } from "./database.ts";
import type { ValueLimits } from "./keyspace.ts";

// How `put` treats members that are there or not; bits.
/** Only members that are not there. */
export const PUT_NEW = 1;
/** Only members that are there. */
export const PUT_OLD = 2;
/** The score is added to the present one. */
export const PUT_INCREMENT = 4;
/** A present member only to a greater score. */
export const PUT_GREATER = 8;
/** A present member only to a lesser score. */
export const PUT_LESS = 16;

// What `put` has done.
/** Nothing, because of the conditions. */
export const PUT_REFUSED = 0;
export const PUT_ADDED = 1;
export const PUT_UPDATED = 2;
/** The member had this score already. */
export const PUT_SAME = 3;
/** Nothing: infinities of both signs were to be added. */
export const PUT_NAN = -1;

/** Leaves of the order that a walk enters before it counts as a long one. */
const LONG_WALK_LEAVES = 2;
/** Most bytes that an entry of a listpack takes beside its text. */
const ENTRY_OVERHEAD_MAX = 10;
const NO_BYTES = new Uint8Array(0);
const scoreText = new Uint8Array(SCORE_TEXT_MAX);

/** The score in the entry at `pos`. */
function scoreAt(buf: Uint8Array, pos: number): number {
  const head = buf[pos];
  if (head < 0x80) return head;
  lpGet(buf, pos);
  if (lpEntry.isInt) return lpEntry.big === null ? lpEntry.int : Number(lpEntry.big);
  const score = parseScore(buf, lpEntry.off, lpEntry.len);
  // Only bytes from outside can hold anything else than a number; it must not get into an order.
  return score === score ? score : 0;
}

/** Compares the entry at `pos` with a member, as bytes. Integers are compared as their text. */
function compareEntry(
  buf: Uint8Array,
  pos: number,
  bytes: Uint8Array,
  off: number,
  len: number,
): number {
  lpGet(buf, pos);
  if (!lpEntry.isInt) return compareBytes(buf, lpEntry.off, lpEntry.len, bytes, off, len);
  const length = lpEntryCopyText(memberText, 0);
  return compareBytes(memberText, 0, length, bytes, off, len);
}

const memberText = new Uint8Array(24);

/** Most bytes that a member of this length takes in a listpack, with its score. */
function insertionSize(length: number): number {
  return length + SCORE_TEXT_MAX + 2 * ENTRY_OVERHEAD_MAX;
}

function isSmall(limits: ValueLimits, count: number, memberLength: number): boolean {
  return count <= limits.zsetMaxListpackEntries && memberLength <= limits.zsetMaxListpackValue &&
    memberLength <= INLINE_VALUE_MAX - LP_EMPTY_BYTES - SCORE_TEXT_MAX - 2 * ENTRY_OVERHEAD_MAX;
}

/** A range of scores, the bounds of which belong to it unless they are exclusive. */
export interface ScoreBounds {
  readonly min: number;
  readonly max: number;
  readonly minExclusive: boolean;
  readonly maxExclusive: boolean;
}

/** An end of a range of members, which belongs to it unless it is exclusive. */
export interface MemberBound {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly exclusive: boolean;
  /** Whether there is none, and the range begins or ends where the set does. */
  readonly isEnd: boolean;
}

export class SortedSetView {
  database!: Database;
  /** The record; its reference changes when a small set grows. */
  ref = 0;
  /** The set when it is large, else null. */
  large: SortedSet | null = null;

  // The element that a walk or `find` stands on, until the next change.
  /** Where the member's bytes lie. */
  bytes: Uint8Array = NO_BYTES;
  offset = 0;
  length = 0;
  /** Its score; after `put` the score that the member has now. */
  score = NaN;
  /** After `put` of a member that was there: the score that it had before. */
  oldScore = NaN;

  /** What `mayUndo` was told. */
  #changes = 0;
  readonly #cursor = new OrderedCursor();
  /** Place of the element in the listpack's buffer; record of the member found in a large set. */
  #pos = 0;
  /** Leaves of the order that a walk has entered on its way. */
  #leaves = 0;
  /** Text of a member that the listpack keeps as an integer. */
  readonly #text = new Uint8Array(24);

  /** Works on this record, which must be a sorted set. */
  open(database: Database, ref: number): this {
    this.database = database;
    this.ref = ref;
    this.large = database.encodingOf(ref) === ENC_SKIPLIST
      ? database.largeValue(ref) as SortedSet
      : null;
    return this;
  }

  /** Works on an existing SortedSet, for reading only. */
  openDetached(set: SortedSet): this {
    this.large = set;
    this.ref = 0;
    return this;
  }

  /** Looks a key up for reading; false when it is missing. @throws ReplyError WRONGTYPE */
  openRead(database: Database, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#openChecked(database, database.lookupRead(bytes, offset, length));
  }

  /** Looks a key up for changing it; false when it is missing. @throws ReplyError WRONGTYPE */
  openWrite(database: Database, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#openChecked(database, database.lookupWrite(bytes, offset, length));
  }

  #openChecked(database: Database, ref: number): boolean {
    if (ref === 0) return false;
    if (database.typeOf(ref) !== TYPE_ZSET) throw new ReplyError(WRONG_TYPE);
    this.open(database, ref);
    return true;
  }

  /**
   * Adds an empty set at a key that is not there and opens it: small if `count` members and the
   * first one's length allow that. The caller puts at least one member into it.
   */
  create(
    database: Database,
    key: Uint8Array,
    offset: number,
    length: number,
    count: number,
    memberLength: number,
  ): this {
    this.database = database;
    if (isSmall(database.keyspace.limits, count, memberLength)) {
      this.large = null;
      const room = Math.min(count * (memberLength + 6), 1024);
      this.ref = database.addRecord(
        key,
        offset,
        length,
        TYPE_ZSET,
        ENC_LISTPACK,
        LP_EMPTY_BYTES + room,
      );
      const { records } = database;
      lpNew(records.bytesOf(this.ref), records.valueOffset(this.ref));
    } else {
      this.large = new SortedSet();
      this.large.reserve(count);
      this.ref = database.addLarge(key, offset, length, TYPE_ZSET, ENC_SKIPLIST, this.large);
    }
    return this;
  }

  /** Number of members. */
  get count(): number {
    if (this.large !== null) return this.large.index.count;
    const { records } = this.database;
    return lpCount(records.bytesOf(this.ref), records.valueOffset(this.ref)) >> 1;
  }

  // -- changing -------------------------------------------------------------------

  /** To be called once before a change of a set that was there. */
  beforeWrite(): void {
    this.database.beforeWrite(this.ref);
  }

  /** Makes the set a large one at once if `count` members are about to be put into it. */
  makeRoom(count: number): void {
    if (this.large === null && count > this.database.keyspace.limits.zsetMaxListpackEntries) {
      this.#convert(count);
    }
  }

  /**
   * Gives a member a score, adding it if need be, under the conditions in `flags` (PUT_NEW to
   * PUT_LESS). Answers what it has done (PUT_REFUSED to PUT_NAN); `score` is then the member's score,
   * unless refused. @throws RangeError without a change when there is no memory
   */
  put(bytes: Uint8Array, off: number, len: number, score: number, flags: number): number {
    const large = this.large;
    if (large === null) return this.#putSmall(bytes, off, len, score, flags);
    const hash = hashBytes(bytes, off, len);
    const ref = large.find(bytes, off, len, hash);
    if (ref === 0) {
      if ((flags & PUT_OLD) !== 0) return PUT_REFUSED;
      large.add(bytes, off, len, score, hash);
      this.score = score;
      return PUT_ADDED;
    }
    const outcome = this.#decide(large.scoreOf(ref), score, flags);
    if (outcome === PUT_UPDATED) large.setScore(ref, this.score);
    return outcome;
  }

  /** What becomes of a member with score `old`; `score` is then its new one. */
  #decide(old: number, score: number, flags: number): number {
    this.oldScore = old;
    if (flags !== 0) {
      if ((flags & PUT_NEW) !== 0) return PUT_REFUSED;
      if ((flags & PUT_INCREMENT) !== 0) {
        score += old;
        if (score !== score) return PUT_NAN;
      }
      if ((flags & PUT_GREATER) !== 0 && score <= old) return PUT_REFUSED;
      if ((flags & PUT_LESS) !== 0 && score >= old) return PUT_REFUSED;
    }
    this.score = score;
    return score === old ? PUT_SAME : PUT_UPDATED;
  }

  #putSmall(bytes: Uint8Array, off: number, len: number, score: number, flags: number): number {
    const { records, keyspace } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, off, len, 1);
    if (pos < 0) {
      if ((flags & PUT_OLD) !== 0) return PUT_REFUSED;
      const count = lpCount(buf, base) >> 1;
      if (
        !isSmall(keyspace.limits, count + 1, len) ||
        lpBytes(buf, base) + insertionSize(len) > INLINE_VALUE_MAX
      ) {
        this.#convert(count + 1);
        this.large!.add(bytes, off, len, score);
      } else this.#insertSmall(bytes, off, len, score);
      this.score = score;
      return PUT_ADDED;
    }
    const scorePos = pos + lpSize(buf, pos);
    const outcome = this.#decide(scoreAt(buf, scorePos), score, flags);
    if (outcome === PUT_UPDATED) {
      // The room that it needs at its new place, before it leaves the old one.
      const oldSize = scorePos + lpSize(buf, scorePos) - pos;
      this.#grow(insertionSize(len) - oldSize);
      const at = records.valueOffset(this.ref);
      lpDelete(records.bytesOf(this.ref), at, at + pos - base, 2);
      this.#insertSmall(bytes, off, len, this.score);
    }
    return outcome;
  }

  /** Inserts a member at its place in the listpack. */
  #insertSmall(bytes: Uint8Array, off: number, len: number, score: number): void {
    const { records } = this.database;
    this.#grow(insertionSize(len));
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const cap = records.valueCapacity(this.ref);
    const end = lpEnd(buf, base);
    let pos = lpFirst(buf, base);
    // Scores often ascend: what belongs to the end need not be looked for.
    if (pos < 0 || scoreAt(buf, lpLast(buf, base)) < score) pos = end;
    while (pos < end) {
      const at = pos + lpSize(buf, pos);
      const other = scoreAt(buf, at);
      if (other > score) break;
      if (other === score && compareEntry(buf, pos, bytes, off, len) > 0) break;
      pos = at + lpSize(buf, at);
    }
    lpInsertBefore(buf, base, cap, pos, bytes, off, len);
    const at = pos + lpSize(buf, pos);
    if (isStoredAsInteger(score)) {
      const stored = Number.isSafeInteger(score) ? score : BigInt(score);
      lpInsertIntegerBefore(buf, base, cap, at, stored);
    } else lpInsertBefore(buf, base, cap, at, scoreText, 0, writeScore(scoreText, 0, score));
  }

  /**
   * Makes room for `bytes` more in the listpack's record. Until `settle`, the record's length covers
   * more than the listpack, never less: a record that moves takes only that many bytes along.
   */
  #grow(bytes: number): void {
    const { database } = this;
    const { records } = database;
    const size = lpBytes(records.bytesOf(this.ref), records.valueOffset(this.ref));
    if (size + bytes <= records.valueLength(this.ref)) return;
    this.ref = database.resizeInline(this.ref, size + bytes, size >> 2);
  }

  /** Makes a small set a large one, with room for `count` members. */
  #convert(count: number): void {
    const set = new SortedSet();
    set.reserve(count);
    for (let on = this.first(); on; on = this.next()) {
      set.addOrdered(this.bytes, this.offset, this.length, this.score);
    }
    if (this.#changes > 0) set.index.reserve(this.#changes);
    set.index.keepsMemory = this.#changes > 0;
    this.ref = this.database.replaceByLarge(this.ref, TYPE_ZSET, ENC_SKIPLIST, set);
    this.large = set;
  }

  /** Removes a member; false when it is not there. */
  remove(bytes: Uint8Array, off: number, len: number): boolean {
    const large = this.large;
    if (large !== null) {
      const ref = large.find(bytes, off, len);
      if (ref === 0) return false;
      large.remove(ref);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, off, len, 1);
    if (pos < 0) return false;
    lpDelete(buf, base, pos, 2);
    return true;
  }

  /** Removes the members with the `count` ranks from `rank` on; all must be there. */
  removeRange(rank: number, count: number): void {
    if (count <= 0) return;
    const large = this.large;
    if (large !== null) {
      large.removeRange(rank, count);
      return;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    lpDelete(buf, base, lpSeek(buf, base, rank * 2), count * 2);
  }

  /** Removes the member with the lowest or highest score; there must be one. */
  removeEnd(highest: boolean): void {
    const large = this.large;
    if (large === null) this.removeRange(highest ? this.count - 1 : 0, 1);
    else if (highest) large.removeLast();
    else large.removeFirst();
  }

  /**
   * Says how many changes follow that may all have to be undone: a large set takes the memory for that now.
   * 0 is the end of them, which has to come before the next `open`. @throws RangeError without a change
   */
  mayUndo(changes: number): void {
    this.#changes = changes;
    const { large } = this;
    if (large === null) return;
    try {
      if (changes > 0) large.index.reserve(changes);
    } finally {
      this.database.measured(this.ref, large.memoryBytes);
    }
    large.index.keepsMemory = changes > 0;
  }

  /** Ends a change: the record's length or the memory count. */
  settle(): void {
    const { database } = this;
    if (this.large !== null) {
      this.large.dict.compactStep(COMPACT_RECORDS);
      database.measured(this.ref, this.large.memoryBytes);
      return;
    }
    const { records } = database;
    const size = lpBytes(records.bytesOf(this.ref), records.valueOffset(this.ref));
    if (size !== records.valueLength(this.ref)) this.ref = database.resizeInline(this.ref, size);
  }

  // -- single members ----------------------------------------------------------------

  /**
   * Looks a member up: sets `score`, and the member that `rank` answers for. `hash` is its
   * `hashBytes`, where the caller has that at hand.
   */
  find(bytes: Uint8Array, off: number, len: number, hash?: number): boolean {
    const large = this.large;
    if (large !== null) {
      const ref = large.find(bytes, off, len, hash);
      if (ref === 0) return false;
      this.#pos = ref;
      this.score = large.scoreOf(ref);
      return true;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpFind(buf, base, lpFirst(buf, base), bytes, off, len, 1);
    if (pos < 0) return false;
    this.#pos = pos;
    this.score = scoreAt(buf, pos + lpSize(buf, pos));
    return true;
  }

  /** Rank, from the lowest score, of the member that `find` has found. */
  rank(): number {
    const large = this.large;
    if (large !== null) return large.index.rankOf(this.score, this.#pos);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    let rank = 0;
    for (let pos = lpFirst(buf, records.valueOffset(this.ref)); pos < this.#pos; rank++) {
      pos += lpSize(buf, pos);
      pos += lpSize(buf, pos);
    }
    return rank;
  }

  /** Members with a score below `score`, or, when `inclusive`, at most `score`. */
  countBelowScore(score: number, inclusive: boolean): number {
    const large = this.large;
    if (large !== null) return large.index.countBelowScore(score, inclusive);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const end = lpEnd(buf, base);
    let count = 0;
    let pos = lpFirst(buf, base);
    if (pos < 0) return 0;
    const highest = scoreAt(buf, lpLast(buf, base));
    if (inclusive ? highest <= score : highest < score) return lpCount(buf, base) >> 1;
    while (pos < end) {
      const at = pos + lpSize(buf, pos);
      const other = scoreAt(buf, at);
      if (inclusive ? other > score : other >= score) break;
      pos = at + lpSize(buf, at);
      count++;
    }
    return count;
  }

  /** Members below these bytes, or, when `inclusive`, at most them; all scores should be equal. */
  countBelowMember(bytes: Uint8Array, off: number, len: number, inclusive: boolean): number {
    const large = this.large;
    if (large !== null) {
      const before = large.index.memoryBytes;
      const count = large.index.countBelowMember(bytes, off, len, inclusive);
      this.#countHints(before);
      return count;
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const end = lpEnd(buf, base);
    let count = 0;
    let pos = lpFirst(buf, base);
    if (pos < 0) pos = end;
    while (pos < end) {
      const order = compareEntry(buf, pos, bytes, off, len);
      if (inclusive ? order > 0 : order >= 0) break;
      pos += lpSize(buf, pos);
      pos += lpSize(buf, pos);
      count++;
    }
    return count;
  }

  /** Stands on a member drawn evenly; the set must not be empty. */
  random(): void {
    const { draw } = this.database.keyspace;
    const large = this.large;
    if (large === null) {
      this.seek(Math.floor(draw() * this.count));
      return;
    }
    this.readRecord(large.random(draw));
  }

  /** Shows a record of a large set, as its Dict's `scan` gives them; this is no place to walk on from. */
  readRecord(ref: number): void {
    const large = this.large!;
    this.#show(large, ref);
    this.score = large.scoreOf(ref);
  }

  // -- walking -----------------------------------------------------------------------

  /** Stands on the lowest element; false when the set is empty. */
  first(): boolean {
    const large = this.large;
    if (large !== null) return large.index.first(this.#cursor) && this.#read(large);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    return this.#readSmall(buf, lpFirst(buf, records.valueOffset(this.ref)));
  }

  /** Stands on the highest element; false when the set is empty. */
  last(): boolean {
    const large = this.large;
    if (large !== null) return large.index.last(this.#cursor) && this.#read(large);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpLast(buf, base);
    return this.#readSmall(buf, pos < 0 ? -1 : lpPrev(buf, base, pos));
  }

  /** Stands on the element with this rank (0 is the lowest score); false when there is none. */
  seek(rank: number): boolean {
    const large = this.large;
    this.#leaves = 0;
    if (large !== null) return large.index.at(this.#cursor, rank) && this.#read(large);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    return this.#readSmall(buf, lpSeek(buf, records.valueOffset(this.ref), rank * 2));
  }

  /**
   * Stands on the element of a large set at which a walk over a range of scores begins, `skip` elements on: up
   * from its lowest or, if `reverse`, down from its highest. Returns how many follow, that one included, and at
   * most `most`; -1 when ranks tell it sooner.
   */
  seekScores(bounds: ScoreBounds, reverse: boolean, skip: number, most: number): number {
    const { index } = this.large!;
    const cursor = this.#cursor;
    const { min, max, minExclusive, maxExclusive } = bounds;
    const on = reverse
      ? index.lastUpTo(cursor, max, maxExclusive)
      : index.firstFrom(cursor, min, minExclusive);
    if (!on || !this.#stepOver(reverse, skip)) return 0;
    const count = reverse
      ? index.countTowards(cursor, true, min, minExclusive, most)
      : index.countTowards(cursor, false, max, maxExclusive, most);
    return this.#beginWalk(reverse, count);
  }

  /** `seekScores` for a range of members, where all have one score: from one end of it to the other. */
  seekMembers(
    from: MemberBound,
    to: MemberBound,
    reverse: boolean,
    skip: number,
    most: number,
  ): number {
    const { index } = this.large!;
    const before = index.memoryBytes;
    const on = this.#standOn(from, reverse) && this.#stepOver(reverse, skip);
    this.#countHints(before);
    if (!on) return 0;
    const cursor = this.#cursor;
    const { bytes, offset, length, exclusive } = to;
    const count = to.isEnd
      ? index.countTowards(cursor, reverse, reverse ? -Infinity : Infinity, false, most)
      : index.countTowardsMember(cursor, reverse, bytes, offset, length, exclusive, most);
    return this.#beginWalk(reverse, count);
  }

  /** A search among members may have made hints for those to come: these count as well. */
  #countHints(memoryBefore: number): void {
    const large = this.large!;
    if (large.index.memoryBytes === memoryBefore || this.ref === 0) return;
    this.database.measured(this.ref, large.memoryBytes);
  }

  #standOn({ bytes, offset, length, exclusive, isEnd }: MemberBound, reverse: boolean): boolean {
    const { index } = this.large!;
    const cursor = this.#cursor;
    if (isEnd) return reverse ? index.last(cursor) : index.first(cursor);
    return reverse
      ? index.lastUpToMember(cursor, bytes, offset, length, exclusive)
      : index.firstFromMember(cursor, bytes, offset, length, exclusive);
  }

  /** Moves the cursor on; false when there are not so many elements. */
  #stepOver(reverse: boolean, count: number): boolean {
    const { index } = this.large!;
    for (let i = 0; i < count; i++) {
      if (!(reverse ? index.prev(this.#cursor) : index.next(this.#cursor))) return false;
    }
    return true;
  }

  /** Shows the element that the cursor stands on, where a walk of `count` begins. Returns `count`. */
  #beginWalk(reverse: boolean, count: number): number {
    if (count <= 0) return count;
    const large = this.large!;
    this.#leaves = 0;
    this.#warmWalk(large, reverse, count);
    this.#read(large);
    return count;
  }

  /** `seek` to the element at which a walk of `count` begins, up or down. */
  seekWalk(rank: number, reverse: boolean, count: number): void {
    const large = this.large;
    if (large === null) this.seek(rank);
    else if (large.index.at(this.#cursor, rank)) this.#beginWalk(reverse, count);
  }

  /** Moves to the next higher element; false at the end. */
  next(): boolean {
    const large = this.large;
    if (large !== null) {
      if (!large.index.next(this.#cursor)) return false;
      if (this.#cursor.at === this.#cursor.begin) this.#enterLeaf(large);
      return this.#read(large);
    }
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    let pos = this.#pos + lpSize(buf, this.#pos);
    pos += lpSize(buf, pos);
    return this.#readSmall(buf, pos < lpEnd(buf, records.valueOffset(this.ref)) ? pos : -1);
  }

  /**
   * `seek`, for who asks for scores: afterwards `score` alone is that of the element, unless it is looked for
   * again. In a large set that spares a read somewhere in memory.
   */
  seekScore(rank: number): boolean {
    const large = this.large;
    if (large === null) return this.seek(rank);
    if (!large.index.at(this.#cursor, rank)) return false;
    this.score = this.#cursor.score;
    return true;
  }

  /** The element that it stands on, for `seekPlace`: good until the set changes. */
  get place(): number {
    return this.large === null ? this.#pos : this.#cursor.ref;
  }

  /** Stands on the element at a place. It must be found anew before a step from there. */
  seekPlace(place: number): void {
    const large = this.large;
    if (large === null) {
      const { records } = this.database;
      this.#readSmall(records.bytesOf(this.ref), place);
      return;
    }
    this.score = large.scoreOf(place);
    this.#show(large, place);
  }

  /** Reads what lies at places that are about to be looked at, in one go; see `Dict.warmHeaders`. */
  warmPlaces(places: Int32Array, from: number, to: number): void {
    if (this.large !== null) this.large.dict.warmHeaders(places, from, to);
  }

  /** `next` as `seekScore` is `seek`. */
  nextScore(): boolean {
    const large = this.large;
    if (large === null) return this.next();
    if (!large.index.next(this.#cursor)) return false;
    this.score = this.#cursor.score;
    return true;
  }

  /** Moves to the next lower element; false at the end. */
  prev(): boolean {
    const large = this.large;
    if (large !== null) return large.index.prev(this.#cursor) && this.#read(large);
    const { records } = this.database;
    const buf = records.bytesOf(this.ref);
    const base = records.valueOffset(this.ref);
    const pos = lpPrev(buf, base, this.#pos);
    return this.#readSmall(buf, pos < 0 ? -1 : lpPrev(buf, base, pos));
  }

  /** Reads the members of the leaf that a walk of `count` begins in, in one go: see `#enterLeaf`. */
  #warmWalk({ dict }: SortedSet, reverse: boolean, count: number): void {
    const { refs, at, begin, end } = this.#cursor;
    if (reverse) dict.warmHeaders(refs, Math.max(begin, at + 1 - count), at + 1);
    else dict.warmHeaders(refs, at, Math.min(end, at + count));
  }

  /** In a long walk the next members are read in one go, so that their misses in the caches overlap. */
  #enterLeaf({ dict }: SortedSet): void {
    if (++this.#leaves < LONG_WALK_LEAVES) return;
    const { refs, begin, end } = this.#cursor;
    dict.warmHeaders(refs, begin, end);
  }

  #read(large: SortedSet): boolean {
    this.score = this.#cursor.score;
    this.#show(large, this.#cursor.ref);
    return true;
  }

  #show(large: SortedSet, ref: number): void {
    const { dict } = large;
    this.bytes = dict.bytesOf(ref);
    this.offset = dict.keyOffset(ref);
    this.length = dict.keyLength(ref);
  }

  #readSmall(buf: Uint8Array, pos: number): boolean {
    if (pos < 0) return false;
    this.#pos = pos;
    lpGet(buf, pos);
    if (lpEntry.isInt) {
      this.bytes = this.#text;
      this.offset = 0;
      this.length = lpEntryCopyText(this.#text, 0);
    } else {
      this.bytes = buf;
      this.offset = lpEntry.off;
      this.length = lpEntry.len;
    }
    this.score = scoreAt(buf, pos + lpSize(buf, pos));
    return true;
  }
}

/** The view that handlers share. */
export const sortedSetView = new SortedSetView();

// -- whole sets -------------------------------------------------------------------------

const detached = new SortedSetView();
/** Where a listpack is put together before its record is made. */
let listpack = NO_BYTES;

/**
 * Makes the key this sorted set, whatever it was, as a small or a large one; a SortedSet belongs to the
 * database then and must not be empty. `expiresAtMs` NaN means no expiry. Tells nobody.
 */
export function storeSortedSet(
  database: Database,
  key: Uint8Array,
  offset: number,
  length: number,
  made: SortedSet | ScoredElements,
  expiresAtMs = NaN,
): void {
  const size = packSmall(database.keyspace.limits, made);
  if (size > 0) {
    storeSmall(database, key, offset, length, size, expiresAtMs);
    return;
  }
  const set = made instanceof SortedSet ? made : largeOf(made);
  const ref = database.findOrExpire(key, offset, length);
  if (ref === 0) {
    database.addLarge(key, offset, length, TYPE_ZSET, ENC_SKIPLIST, set, expiresAtMs);
  } else {
    database.replaceByLarge(ref, TYPE_ZSET, ENC_SKIPLIST, set, expiresAtMs);
  }
}

function largeOf(elements: ScoredElements): SortedSet {
  const set = new SortedSet();
  set.reserve(elements.count);
  for (let on = elements.first(); on; on = elements.next()) {
    set.addOrdered(elements.bytes, elements.offset, elements.length, elements.score);
  }
  return set;
}

/** Puts a set into `listpack` if it is small enough; answers the size in bytes, or 0. */
function packSmall(limits: ValueLimits, set: SortedSet | ScoredElements): number {
  if (set.count > limits.zsetMaxListpackEntries) return 0;
  if (listpack.length === 0) listpack = new Uint8Array(INLINE_VALUE_MAX);
  let size = lpNew(listpack, 0);
  const elements = set instanceof SortedSet ? detached.openDetached(set) : set;
  for (let on = elements.first(); on; on = elements.next()) {
    const { bytes, offset, length, score } = elements;
    if (length > limits.zsetMaxListpackValue) return 0;
    size = lpAppend(listpack, 0, INLINE_VALUE_MAX, bytes, offset, length);
    if (size < 0) return 0;
    if (isStoredAsInteger(score)) {
      const stored = Number.isSafeInteger(score) ? score : BigInt(score);
      size = lpAppendInteger(listpack, 0, INLINE_VALUE_MAX, stored);
    } else {
      const count = writeScore(scoreText, 0, score);
      size = lpAppend(listpack, 0, INLINE_VALUE_MAX, scoreText, 0, count);
    }
    if (size < 0) return 0;
  }
  return size;
}

/** Makes the key what is in `listpack`. */
function storeSmall(
  database: Database,
  key: Uint8Array,
  offset: number,
  length: number,
  size: number,
  expiresAtMs: number,
): void {
  let ref = database.findOrExpire(key, offset, length);
  if (ref === 0) {
    ref = database.addRecord(key, offset, length, TYPE_ZSET, ENC_LISTPACK, size, 0, expiresAtMs);
  } else {
    ref = database.replaceByInline(ref, TYPE_ZSET, ENC_LISTPACK, size, 0, expiresAtMs);
  }
  const { records } = database;
  copyBytes(records.bytesOf(ref), records.valueOffset(ref), listpack, 0, size);
}
