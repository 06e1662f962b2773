/**
 * A large sorted set (answered as "skiplist"): a Dict whose records are the members, and an index
 * that keeps them in order. Small ones are listpacks and live elsewhere.
 *
 *     record key    member bytes
 *     record value  score, float64 little-endian (not aligned)
 *
 * The index holds each score a second time beside the record's reference, so that walking a range
 * reads no records for scores. The set listens to its Dict: when compaction moves a record, the
 * index follows. NaN never enters; the commands refuse it.
 *
 * References and cursors are valid until the next change of the set.
 */

import { Dict, type MoveListener, WARM_RECORDS_MAX } from "../arena/dict.ts";
import type { DictFill } from "../arena/dict_fill.ts";
import { copyWords } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { OrderedCursor, OrderedIndex } from "./ordered_index.ts";
import { ValueCopy } from "./value_copy.ts";

const SCORE_BYTES = 8;

// A score on its way between a number and the bytes of a record.
const scoreNumber = new Float64Array(1);
const scoreBytes = new Uint8Array(scoreNumber.buffer);

/** Members from which the records of a set do not stay in the caches by themselves. */
const WARM_COUNT_MIN = 20_000;
/** Takes the sums of warming reads, so that the compiler cannot leave them out. */
export let warmSum = 0;

const NO_REFS = new Int32Array(0);
const popped = new OrderedCursor();
const walker = new OrderedCursor();

export class SortedSet implements MoveListener {
  /** Records without a place in the order, as they came: mostly in runs that are in order. */
  #pending = NO_REFS;
  readonly dict: Dict;
  /** Ranks, ranges and walks; to be changed through the methods below only. */
  readonly index: OrderedIndex;

  constructor() {
    this.dict = new Dict();
    this.dict.listener = this;
    this.index = new OrderedIndex(this.dict);
  }

  /** Members in the set. */
  get count(): number {
    return this.index.count;
  }

  /** Bytes in use: records, hash table and index. O(1). */
  get memoryBytes(): number {
    return this.dict.memoryBytes + this.index.memoryBytes;
  }

  /** Gives the memory back. The set may not be used any more. */
  dispose(): void {
    this.dict.dispose();
  }

  /** Makes room for `count` members at once, while the set is empty. */
  reserve(count: number): void {
    this.dict.reserve(count);
  }

  /** The record of a member, or 0. `hash` is `hashBytes` of the member. */
  find(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash = hashBytes(bytes, offset, length),
  ): number {
    return this.dict.find(bytes, offset, length, hash);
  }

  /** Score of a member's record. */
  scoreOf(ref: number): number {
    const bytes = this.dict.bytesOf(ref);
    const at = this.dict.valueOffset(ref);
    for (let i = 0; i < SCORE_BYTES; i++) scoreBytes[i] = bytes[at + i];
    return scoreNumber[0];
  }

  #writeScore(ref: number, score: number): void {
    const bytes = this.dict.bytesOf(ref);
    const at = this.dict.valueOffset(ref);
    scoreNumber[0] = score;
    for (let i = 0; i < SCORE_BYTES; i++) bytes[at + i] = scoreBytes[i];
  }

  /** 0-based rank of a member's record, from the lowest score. */
  rankOf(ref: number): number {
    return this.index.rankOf(this.scoreOf(ref), ref);
  }

  /**
   * Adds a member that is not there; returns its record. @throws RangeError without a change when there is
   * no memory
   */
  add(
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
    hash = hashBytes(bytes, offset, length),
  ): number {
    const ref = this.#newRecord(bytes, offset, length, score, hash);
    try {
      this.index.insert(score, ref);
    } catch (error) {
      this.dict.remove(ref);
      throw error;
    }
    return ref;
  }

  /**
   * `add` for members that come in order, up or down, as from a file; right in any order, fast in
   * those two.
   */
  addOrdered(
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
    hash = hashBytes(bytes, offset, length),
  ): number {
    const ref = this.#newRecord(bytes, offset, length, score, hash);
    try {
      this.index.insertOrdered(score, ref);
    } catch (error) {
      this.dict.remove(ref);
      throw error;
    }
    return ref;
  }

  /**
   * `addOrdered` by way of a `fill` of `dict`, which looks whether the member is there: 0 when one of those added so is
   * there twice, see DictFill. Until it has been flushed `find` does not find all. @throws RangeError when there is no
   * memory: the set is of no further use
   */
  addOrderedWith(
    fill: DictFill,
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
  ): number {
    const hash = hashBytes(bytes, offset, length);
    const ref = fill.add(bytes, offset, length, hash, SCORE_BYTES, 0);
    if (ref === 0) return 0;
    scoreNumber[0] = score;
    const at = this.dict.valueOffset(ref);
    copyWords(this.dict.bytesOf(ref), at, scoreBytes, 0, SCORE_BYTES);
    this.index.insertOrdered(score, ref);
    return ref;
  }

  #newRecord(
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
    hash: number,
  ): number {
    const ref = this.dict.add(bytes, offset, length, hash, SCORE_BYTES, 0, NaN);
    this.#writeScore(ref, score);
    return ref;
  }

  /**
   * Adds a record that has no place in the order yet: for filling a set whose scores change on the
   * way. `setPendingScore` changes them, `orderAll` ends this; in between nothing else may be called
   * but `find` and `scoreOf`, and the set must be out of reach of others.
   */
  addPending(
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
    hash = hashBytes(bytes, offset, length),
  ): number {
    const ref = this.#newRecord(bytes, offset, length, score, hash);
    const { count } = this.dict;
    if (count > this.#pending.length) {
      const more = new Int32Array(Math.max(64, count * 2));
      more.set(this.#pending);
      this.#pending = more;
    }
    this.#pending[count - 1] = ref;
    return ref;
  }

  /** Gives a record without a place another score. */
  setPendingScore(ref: number, score: number): void {
    this.#writeScore(ref, score);
  }

  /** Puts all records in order, after `addPending`. */
  orderAll(): void {
    this.orderSome(Infinity);
  }

  /** The same for so many records; true when there are no more. In between nothing else may be called. */
  orderSome(most: number): boolean {
    if (this.#pending === NO_REFS) return true;
    const { count } = this.dict;
    const end = Math.min(count, this.index.count + most);
    for (let i = this.index.count; i < end; i++) {
      const ref = this.#pending[i];
      this.index.insertOrdered(this.scoreOf(ref), ref);
    }
    if (end < count) return false;
    this.#pending = NO_REFS;
    return true;
  }

  /** A deep copy. */
  clone(): SortedSet {
    return this.beginCopy().run();
  }

  /** `clone` in pieces, or of some members: `count` from `rank` on, which must be there. */
  beginCopy(rank = 0, count = this.count): ValueCopy<SortedSet> {
    return new SortedSetCopy(this, rank, rank + count);
  }

  /**
   * Gives a member another score; its record stays where it is. @throws RangeError without a change when
   * there is no memory
   */
  setScore(ref: number, newScore: number): void {
    this.dict.hook?.beforeRecordWrite(this.dict, ref);
    this.index.update(this.scoreOf(ref), ref, newScore);
    this.#writeScore(ref, newScore);
  }

  /** Removes a member. */
  remove(ref: number): void {
    this.index.delete(this.scoreOf(ref), ref);
    this.dict.remove(ref);
  }

  /** Removes the member with the lowest score, if there is one; `index.first` shows it before. */
  removeFirst(): void {
    if (!this.index.popFirst(popped)) return;
    this.dict.remove(popped.ref);
    this.#warmEnd(false);
  }

  /** Removes the member with the highest score, if there is one; `index.last` shows it before. */
  removeLast(): void {
    if (!this.index.popLast(popped)) return;
    this.dict.remove(popped.ref);
    this.#warmEnd(true);
  }

  /** Who takes one off an end often takes the next: their records lie anywhere, so many are read at once. */
  #warmEnd(last: boolean): void {
    const { count } = this.index;
    if (count % WARM_RECORDS_MAX !== 0 || count < WARM_COUNT_MIN) return;
    warmSum ^= this.index.warmEnd(last);
  }

  /** Removes `count` members from `rank` on; both must lie inside the set. */
  removeRange(rank: number, count: number): void {
    if (count <= 0 || !this.index.at(walker, rank)) return;
    let left = count;
    do {
      this.dict.remove(walker.ref);
    } while (--left > 0 && this.index.next(walker));
    this.index.deleteRange(rank, count);
  }

  /** A member's record drawn evenly, or 0 when empty. `draw` gives [0, 1). */
  random(draw: () => number): number {
    return this.dict.random(draw);
  }

  /** Called by the Dict: a record has moved and can be read at both places. */
  recordMoved(oldRef: number, newRef: number): void {
    this.index.replaceRef(this.scoreOf(newRef), oldRef, newRef);
  }
}

/** Copies members by their rank, a leaf of the index at a time. */
class SortedSetCopy extends ValueCopy<SortedSet> {
  #rank: number;

  constructor(readonly source: SortedSet, rank: number, readonly endRank: number) {
    super(new SortedSet());
    this.copy.reserve(endRank - rank);
    this.#rank = rank;
  }

  override step(): boolean {
    const { source: { dict, index }, copy, endRank } = this;
    if (this.#rank >= endRank || !index.at(walker, this.#rank)) return true;
    const { refs, scores, at } = walker;
    const end = Math.min(walker.end, at + endRank - this.#rank);
    dict.warmHeaders(refs, at, end);
    for (let i = at; i < end; i++) {
      const ref = refs[i];
      const bytes = dict.bytesOf(ref);
      copy.addOrdered(bytes, dict.keyOffset(ref), dict.keyLength(ref), scores[i], dict.hashOf(ref));
    }
    this.#rank += end - at;
    return false;
  }
}
