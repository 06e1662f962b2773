/**
 * The order of a large sorted set: a B+ tree over (score, member bytes) that also counts, so that
 * ranks are found as fast as members. It stands beside a Dict whose records are the members (see
 * sorted_set.ts) and holds only (score: float64, reference: int32) pairs; member bytes are read
 * through the Dict, and only to decide between equal scores.
 *
 *     level 2 |          node           |   nodes: per child the smallest (score, reference) of its
 *     level 1 |  node  |  node  | node  |   subtree, the number of elements in it, its number
 *     leaves  |..|..|..|..|..|..|..|..|..|   leaves: 64 pairs each, linked in both directions
 *
 * Nodes and leaves are numbers, their content lies in typed arrays: nothing for the collector to
 * trace, no object per node. Leaves live in slabs of 64, so that growing copies little; slab 0
 * starts with room for eight pairs, because sorted sets with one long member land here too. The
 * arrays stay dense: when a leaf or a node goes, the one with the highest number takes its place.
 *
 * Invariants (tests/values/ordered_index_test.ts checks them):
 * - The smallest pair a node keeps for a child is exactly that child's first element. A reference
 *   kept in a node therefore never outlives its record, and may always be compared through.
 * - No leaf and no node is empty, except the one leaf of an empty tree.
 * - All leaves have the same depth. Half-filled neighbours are merged when their sum fits easily
 *   (MERGE_MAX); between that and a full leaf there is room, so add/remove at one place do not
 *   split and merge in turn.
 *
 * Equal scores: while the last steps of a search compare members, each probe would be a read of a
 * record somewhere in memory. So a leaf or node whose scores are all equal gets hints when a search
 * comes by: `skip`, a number of leading bytes that all its members share, and per pair the four
 * bytes after those. Most probes are then decided without a record (adding to a million members of
 * one score took 2.2 µs without hints). Where scores differ there are none.
 *
 * At both ends a full leaf is not halved but left full: loading in order, up or down, fills leaves
 * completely.
 *
 * Memory is taken before anything changes, and what would only be of use (hints, smaller arrays) is done
 * without where it is refused: a change is whole, or has not been.
 *
 * Scores are never NaN. -0 and 0 are the same place in the order. Not promised: cursors are
 * invalid after any change of the tree, including `replaceRef`.
 */

import { type Dict, WARM_RECORDS_MAX } from "../arena/dict.ts";
import { tryAllocating } from "../base/refused.ts";
import {
  EXPIRY_BYTES,
  HEADER_BYTES,
  KEY_LENGTH_MASK,
  REF_MASK,
  REF_SHIFT,
} from "../arena/record.ts";

/** Pairs in a leaf, children in a node, leaves in a slab: all 1 << SHIFT. */
const SHIFT = 6;
const FULL = 1 << SHIFT;
const MASK = FULL - 1;
/** Below this, a leaf or node looks for a neighbour to merge with. */
const SPARSE = FULL >> 2;
/** Merging must leave room for a while. */
const MERGE_MAX = FULL - SPARSE;
const FIRST_PAIRS = 8;
const SLAB_PAIRS = FULL * FULL;
/** Levels of nodes: 16 children each at the very worst is enough for 2^31 elements. */
const LEVELS_MAX = 16;
const NONE = -1;
/** In place of a score: the walk ends at the member searched for. */
const MEMBER_BOUND = NaN;
/** Leaves in which a walk's end is looked for before ranks are. */
const LEAVES_LOOKED_AT = 4;
/** Instead of `skip`: no hints yet; a search may make them. */
const UNHINTED = -1;
/** Instead of `skip`: scores differ, hints are not worth trying until there is a split or merge. */
const MIXED = -2;
/** Fewest pairs that hints are made for. */
const HINTED_MIN = 8;

// Leaf meta, four int32 per leaf.
const COUNT = 0;
const PREV = 1;
const NEXT = 2;
const PARENT = 3;
// Node meta, four int32 per node: COUNT (children), LEVEL, SKIP, PARENT.
const LEVEL = 1;
const SKIP = 2;

type Floats = Float64Array<ArrayBuffer>;
type Ints = Int32Array<ArrayBuffer>;
const NO_SCORES = new Float64Array(0);
const NO_REFS = new Int32Array(0);

/** A place in the order; made once by the caller and used again and again. */
export class OrderedCursor {
  /** Score of the element the cursor stands on. */
  score = NaN;
  /** Reference of its record. */
  ref = 0;
  // The current leaf: its slab's arrays, the pair's place there, and the leaf's bounds.
  leaf = NONE;
  at = 0;
  begin = 0;
  end = 0;
  scores: Float64Array = NO_SCORES;
  refs: Int32Array = NO_REFS;
}

export class OrderedIndex {
  /** Elements in the index. */
  count = 0;
  /** Bytes of all arrays of the index. */
  memoryBytes = 0;

  /** Leaf pairs by slab. */
  readonly #scores: Floats[] = [];
  readonly #refs: Ints[] = [];
  /** Hints by slab; empty until a leaf of the slab needs them. */
  readonly #hints: Ints[] = [];
  /** Per leaf: bytes that its members share, or UNHINTED or MIXED. */
  #leafSkip: Ints = NO_REFS;
  #leafMeta: Ints;
  #leaves = 0;
  #firstLeaf = 0;
  #lastLeaf = 0;

  // Nodes: child i of node n is at (n << SHIFT) + i of the five arrays.
  #minScores = NO_SCORES;
  #minRefs = NO_REFS;
  #minHints = NO_REFS;
  #kids = NO_REFS;
  #kidCounts = NO_REFS;
  #nodeMeta = NO_REFS;
  #nodes = 0;
  #nodeRoom = 0;

  /** Levels of nodes above the leaves; 0 while there is one leaf. */
  #height = 0;
  /** Node at the top, or the one leaf. */
  #root = 0;

  // Where the last descent came to: node and child index by level (from 1), leaf and place in it.
  readonly #pathNode = new Int32Array(LEVELS_MAX);
  readonly #pathIndex = new Int32Array(LEVELS_MAX);
  #leaf = 0;
  #place = 0;

  // The member searched for.
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #length = 0;

  // Numbers that went out of use during a change; see #flush.
  readonly #goneNodes: number[] = [];
  #goneLeaf = NONE;
  /**
   * Whether what is taken out may come back, to undo a change: meanwhile no leaves are merged, and no memory
   * is given back.
   */
  keepsMemory = false;
  /** The element that is being taken out comes back: no node is given back. */
  #keepsNodes = false;

  constructor(readonly dict: Dict) {
    this.#leafMeta = new Int32Array(4);
    this.#reset();
  }

  #reset(): void {
    const scores = new Float64Array(FIRST_PAIRS);
    const refs = new Int32Array(FIRST_PAIRS);
    const meta = Int32Array.of(0, NONE, NONE, NONE);
    this.#leafSkip = Int32Array.of(UNHINTED);
    this.#leafMeta = meta;
    this.#scores.length = 0;
    this.#refs.length = 0;
    this.#hints.length = 0;
    this.#scores.push(scores);
    this.#refs.push(refs);
    this.#hints.push(NO_REFS);
    this.#leaves = 1;
    this.#firstLeaf =
      this.#lastLeaf =
      this.#root =
      this.#height =
      this.count =
        0;
    this.#minScores = NO_SCORES;
    this.#minRefs =
      this.#minHints =
      this.#kids =
      this.#kidCounts =
      this.#nodeMeta =
        NO_REFS;
    this.#nodes = this.#nodeRoom = 0;
    this.#measure();
  }

  #measure(): void {
    let bytes = this.#leafMeta.byteLength + this.#leafSkip.byteLength +
      this.#nodeRoom * (FULL * 24 + 16);
    for (let slab = 0; slab < this.#scores.length; slab++) {
      bytes += this.#scores[slab].length * 12 + this.#hints[slab].byteLength;
    }
    this.memoryBytes = bytes;
  }

  // -- changing -----------------------------------------------------------------

  /**
   * Adds an element that is not there; the record must be complete. O(log n) comparisons.
   * @throws RangeError without a change when there is no memory
   */
  insert(score: number, ref: number): void {
    this.#seekRecord(ref);
    this.#descend(score);
    this.#place = this.#placeInLeaf(score);
    this.#insertHere(score, ref);
  }

  /**
   * `insert` for input that mostly comes in order, up or down (an RDB file has it downwards): tries
   * the ends first, where a comparison and a store are all it takes.
   */
  insertOrdered(score: number, ref: number): void {
    this.#seekRecord(ref);
    if (this.count > 0) {
      const first = this.#firstLeaf;
      const last = this.#lastLeaf;
      const lastAt = ((last & MASK) << SHIFT) + this.#leafMeta[last << 2] - 1;
      if (this.#isBefore(this.#scores[last >>> SHIFT], this.#refs[last >>> SHIFT], lastAt, score)) {
        this.#descendToLast();
        this.#place++;
      } else if (
        !this.#isBefore(
          this.#scores[first >>> SHIFT],
          this.#refs[first >>> SHIFT],
          (first & MASK) << SHIFT,
          score,
        )
      ) {
        this.#descendToFirst();
      } else {
        this.insert(score, ref);
        return;
      }
    } else this.#descendToFirst();
    this.#insertHere(score, ref);
  }

  /** Takes an element out; its record must still be readable. @throws Error when it is not there */
  delete(score: number, ref: number): void {
    this.#find(score, ref);
    this.#removeHere(1);
  }

  /**
   * Gives an element a new score; cheap when its place in the order stays the same.
   * @throws RangeError without a change when there is no memory
   */
  update(oldScore: number, ref: number, newScore: number): void {
    this.#find(oldScore, ref);
    const leaf = this.#leaf;
    const meta = leaf << 2;
    const scores = this.#scores[leaf >>> SHIFT];
    const begin = (leaf & MASK) << SHIFT;
    const at = begin + this.#place;
    const isFirst = this.#place === 0;
    const isLast = this.#place === this.#leafMeta[meta + COUNT] - 1;
    if (
      // Also -0 in the place of 0.
      oldScore === newScore ||
      (isFirst ? this.#leafMeta[meta + PREV] === NONE : scores[at - 1] < newScore) &&
        (isLast ? this.#leafMeta[meta + NEXT] === NONE : scores[at + 1] > newScore)
    ) {
      scores[at] = newScore;
      if (isFirst) this.#setFirst(1, newScore, ref);
      return;
    }
    if (this.#hasSpare) {
      this.#keepsNodes = true;
      this.#removeHere(1);
      this.#keepsNodes = false;
      this.insert(newScore, ref);
      return;
    }
    // There may be no memory to put it anywhere else: it goes from its old place once it has the new one.
    this.insert(newScore, ref);
    this.#findOld(oldScore, ref);
    this.#removeHere(1);
  }

  /** `#find` for an element that is there twice, with two scores that differ. */
  #findOld(score: number, ref: number): void {
    this.#find(score, ref);
    const slab = this.#leaf >>> SHIFT;
    const begin = (this.#leaf & MASK) << SHIFT;
    const at = begin + this.#place;
    if (this.#scores[slab][at] !== score) {
      this.#place = this.#refs[slab].indexOf(ref, at + 1) - begin;
    }
  }

  /** Whether an insertion takes no memory, wherever it is: also after an element was taken out. */
  get #hasSpare(): boolean {
    if (this.#height === 0) return true; // the one leaf has the place that was left
    const leaf = this.#leaves;
    const isSlabThere = leaf < FULL
      ? (leaf + 1) << SHIFT <= this.#scores[0].length
      : leaf >>> SHIFT < this.#scores.length;
    return isSlabThere && leaf << 2 < this.#leafMeta.length &&
      this.#nodes + this.#height < this.#nodeRoom;
  }

  /**
   * An element's record has a new reference. Both records must be readable: nodes may still hold
   * the old reference while its place is looked for.
   */
  replaceRef(score: number, oldRef: number, newRef: number): void {
    this.#find(score, oldRef);
    const leaf = this.#leaf;
    this.#refs[leaf >>> SHIFT][((leaf & MASK) << SHIFT) + this.#place] = newRef;
    if (this.#place === 0) this.#setFirst(1, score, newRef);
  }

  /** Takes out the first element and leaves it in the cursor's score and ref; false when empty. */
  popFirst(cursor: OrderedCursor): boolean {
    if (this.count === 0) return false;
    this.#descendToFirst();
    this.#popHere(cursor);
    return true;
  }

  /** Takes out the last element and leaves it in the cursor's score and ref; false when empty. */
  popLast(cursor: OrderedCursor): boolean {
    if (this.count === 0) return false;
    this.#descendToLast();
    this.#popHere(cursor);
    return true;
  }

  /**
   * Brings the records at one end into the processor's caches, see `Dict.warmRecords`. Returns a
   * number of no meaning.
   */
  warmEnd(last: boolean): number {
    const leaf = last ? this.#lastLeaf : this.#firstLeaf;
    const held = this.#leafMeta[leaf << 2];
    const count = held < WARM_RECORDS_MAX ? held : WARM_RECORDS_MAX;
    const begin = ((leaf & MASK) << SHIFT) + (last ? held - count : 0);
    return this.dict.warmRecords(this.#refs[leaf >>> SHIFT], begin, count);
  }

  #popHere(cursor: OrderedCursor): void {
    const leaf = this.#leaf;
    const at = ((leaf & MASK) << SHIFT) + this.#place;
    cursor.score = this.#scores[leaf >>> SHIFT][at];
    cursor.ref = this.#refs[leaf >>> SHIFT][at];
    this.#removeHere(1);
  }

  /**
   * Takes out `count` elements from `rank` on; both must lie inside the index. Compares no members,
   * so their records may be gone already. Cost: O(log n) per leaf touched.
   */
  deleteRange(rank: number, count: number): void {
    let left = count;
    while (left > 0) {
      this.#descendToRank(rank);
      const here = Math.min(left, this.#leafMeta[this.#leaf << 2] - this.#place);
      this.#removeHere(here);
      left -= here;
    }
  }

  /** Takes out everything. */
  clear(): void {
    this.#reset();
  }

  // -- ranks and ranges ----------------------------------------------------------

  /** Elements before this one (0-based rank). @throws Error when it is not there */
  rankOf(score: number, ref: number): number {
    this.#find(score, ref);
    return this.#pathRank() + this.#place;
  }

  /** Elements with a score below `score`, or, when `inclusive`, at most `score`. */
  countBelowScore(score: number, inclusive: boolean): number {
    let node = this.#root;
    let rank = 0;
    for (let level = this.#height; level > 0; level--) {
      const base = node << SHIFT;
      const n = this.#nodeMeta[node << 2];
      // The last child that starts before the boundary holds it.
      const before = countScores(this.#minScores, base, n, score, inclusive);
      const index = before === 0 ? 0 : before - 1;
      for (let i = 0; i < index; i++) rank += this.#kidCounts[base + i];
      node = this.#kids[base + index];
    }
    return rank +
      countScores(
        this.#scores[node >>> SHIFT],
        (node & MASK) << SHIFT,
        this.#leafMeta[node << 2],
        score,
        inclusive,
      );
  }

  /**
   * Elements whose member is below the given bytes, or, when `inclusive`, at most them. Looks at
   * members only: the answer means something when all scores are equal (as for ZRANGEBYLEX).
   */
  countBelowMember(
    bytes: Uint8Array,
    offset: number,
    length: number,
    inclusive: boolean,
  ): number {
    this.#seekBytes(bytes, offset, length);
    if (this.isOneScore) {
      const place = this.#descendToMember(inclusive);
      return this.#pathRank() + place;
    }
    let node = this.#root;
    let rank = 0;
    for (let level = this.#height; level > 0; level--) {
      const base = node << SHIFT;
      const before = this.#countMembers(
        this.#minRefs,
        base,
        this.#nodeMeta[node << 2],
        inclusive,
      );
      const index = before === 0 ? 0 : before - 1;
      for (let i = 0; i < index; i++) rank += this.#kidCounts[base + i];
      node = this.#kids[base + index];
    }
    return rank +
      this.#countMembers(
        this.#refs[node >>> SHIFT],
        (node & MASK) << SHIFT,
        this.#leafMeta[node << 2],
        inclusive,
      );
  }

  /** Puts the cursor on the element of this rank; false when there is none. */
  at(cursor: OrderedCursor, rank: number): boolean {
    if (rank < 0 || rank >= this.count) return false;
    let node = this.#root;
    let left = rank;
    const counts = this.#kidCounts;
    for (let level = this.#height; level > 0; level--) {
      let at = node << SHIFT;
      while (left >= counts[at]) left -= counts[at++];
      node = this.#kids[at];
    }
    this.#enter(cursor, node, left);
    return true;
  }

  /** Puts the cursor on the first element; false when the index is empty. */
  first(cursor: OrderedCursor): boolean {
    if (this.count === 0) return false;
    this.#enter(cursor, this.#firstLeaf, 0);
    return true;
  }

  /** Puts the cursor on the last element; false when the index is empty. */
  last(cursor: OrderedCursor): boolean {
    if (this.count === 0) return false;
    this.#enter(cursor, this.#lastLeaf, this.#leafMeta[this.#lastLeaf << 2] - 1);
    return true;
  }

  /** Whether all elements have the same score. */
  get isOneScore(): boolean {
    const last = this.#lastLeaf;
    const lastAt = ((last & MASK) << SHIFT) + this.#leafMeta[last << 2] - 1;
    const lowest = this.#scores[this.#firstLeaf >>> SHIFT][(this.#firstLeaf & MASK) << SHIFT];
    return this.count > 0 && lowest === this.#scores[last >>> SHIFT][lastAt];
  }

  /**
   * Puts the cursor on the first element with a score of at least `score` or, when `exclusive`, above it;
   * false when there is none.
   */
  firstFrom(cursor: OrderedCursor, score: number, exclusive: boolean): boolean {
    return this.#enterFrom(cursor, this.#descendToScore(score, exclusive));
  }

  /**
   * Puts the cursor on the last element with a score of at most `score` or, when `exclusive`, below it;
   * false when there is none.
   */
  lastUpTo(cursor: OrderedCursor, score: number, exclusive: boolean): boolean {
    return this.#enterBelow(cursor, this.#descendToScore(score, !exclusive));
  }

  /** `firstFrom` by members, where all have one score. */
  firstFromMember(
    cursor: OrderedCursor,
    bytes: Uint8Array,
    offset: number,
    length: number,
    exclusive: boolean,
  ): boolean {
    this.#seekBytes(bytes, offset, length);
    return this.#enterFrom(cursor, this.#descendToMember(exclusive));
  }

  /** `lastUpTo` by members, where all have one score. */
  lastUpToMember(
    cursor: OrderedCursor,
    bytes: Uint8Array,
    offset: number,
    length: number,
    exclusive: boolean,
  ): boolean {
    this.#seekBytes(bytes, offset, length);
    return this.#enterBelow(cursor, this.#descendToMember(!exclusive));
  }

  /**
   * How many elements a walk from the cursor, up or down, comes by before the score `bound` is passed (or reached,
   * when `exclusive`), `most` at most. -1 when that is not seen within a few leaves: then ranks tell it sooner.
   */
  countTowards(
    cursor: OrderedCursor,
    reverse: boolean,
    bound: number,
    exclusive: boolean,
    most: number,
  ): number {
    let { leaf, at, begin, end } = cursor;
    let count = 0;
    for (let looks = 0; looks < LEAVES_LOOKED_AT; looks++) {
      const here = reverse ? at + 1 - begin : end - at;
      const wanted = Math.min(here, most - count);
      const within = reverse
        ? wanted - this.#countIn(leaf, at + 1 - wanted, wanted, bound, exclusive)
        : this.#countIn(leaf, at, wanted, bound, !exclusive);
      count += within;
      if (within < here || count === most) return count;
      leaf = this.#leafMeta[(leaf << 2) + (reverse ? PREV : NEXT)];
      if (leaf === NONE) return count;
      begin = (leaf & MASK) << SHIFT;
      end = begin + this.#leafMeta[leaf << 2];
      at = reverse ? end - 1 : begin;
    }
    return -1;
  }

  /** `countTowards` a member, where all have one score. */
  countTowardsMember(
    cursor: OrderedCursor,
    reverse: boolean,
    bytes: Uint8Array,
    offset: number,
    length: number,
    exclusive: boolean,
    most: number,
  ): number {
    this.#seekBytes(bytes, offset, length);
    return this.countTowards(cursor, reverse, MEMBER_BOUND, exclusive, most);
  }

  /** How many of `n` pairs of a leaf are below (or at most) a score, or the member searched for. */
  #countIn(leaf: number, at: number, n: number, bound: number, inclusive: boolean): number {
    const slab = leaf >>> SHIFT;
    return bound === bound
      ? countScores(this.#scores[slab], at, n, bound, inclusive)
      : this.#countMembers(this.#refs[slab], at, n, inclusive);
  }

  /** Puts the cursor on the last element that is at most (score, member); false when there is none. */
  atMost(
    cursor: OrderedCursor,
    score: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    this.#seekBytes(bytes, offset, length);
    this.#descend(score);
    return this.#enterBelow(cursor, this.#placeInLeaf(score));
  }

  /** Puts the cursor on the element at a place of the path's leaf, which may be behind its last; false at the end. */
  #enterFrom(cursor: OrderedCursor, place: number): boolean {
    const meta = this.#leaf << 2;
    if (place < this.#leafMeta[meta]) {
      this.#enter(cursor, this.#leaf, place);
      return true;
    }
    const next = this.#leafMeta[meta + NEXT];
    if (next === NONE) return false;
    this.#enter(cursor, next, 0);
    return true;
  }

  /** Puts the cursor on the element before a place of the path's leaf; false when there is none. */
  #enterBelow(cursor: OrderedCursor, place: number): boolean {
    if (place === 0) return this.#enterBefore(cursor, this.#leaf);
    this.#enter(cursor, this.#leaf, place - 1);
    return true;
  }

  /** Puts the cursor on the last element before a leaf; false when there is none. */
  #enterBefore(cursor: OrderedCursor, leaf: number): boolean {
    const before = this.#leafMeta[(leaf << 2) + PREV];
    if (before === NONE) return false;
    this.#enter(cursor, before, this.#leafMeta[before << 2] - 1);
    return true;
  }

  /** One element on; false (and the cursor stays) at the end. */
  next(cursor: OrderedCursor): boolean {
    const at = cursor.at + 1;
    if (at < cursor.end) {
      cursor.at = at;
      cursor.score = cursor.scores[at];
      cursor.ref = cursor.refs[at];
      return true;
    }
    const leaf = this.#leafMeta[(cursor.leaf << 2) + NEXT];
    if (leaf === NONE) return false;
    this.#enter(cursor, leaf, 0);
    return true;
  }

  /** One element back; false (and the cursor stays) at the start. */
  prev(cursor: OrderedCursor): boolean {
    const at = cursor.at - 1;
    if (at >= cursor.begin) {
      cursor.at = at;
      cursor.score = cursor.scores[at];
      cursor.ref = cursor.refs[at];
      return true;
    }
    return this.#enterBefore(cursor, cursor.leaf);
  }

  #enter(cursor: OrderedCursor, leaf: number, place: number): void {
    const slab = leaf >>> SHIFT;
    const begin = (leaf & MASK) << SHIFT;
    cursor.leaf = leaf;
    cursor.begin = begin;
    cursor.end = begin + this.#leafMeta[leaf << 2];
    cursor.at = begin + place;
    cursor.scores = this.#scores[slab];
    cursor.refs = this.#refs[slab];
    cursor.score = cursor.scores[cursor.at];
    cursor.ref = cursor.refs[cursor.at];
  }

  // -- searching -----------------------------------------------------------------

  /** Makes this the member searched for. */
  #seekBytes(bytes: Uint8Array, offset: number, length: number): void {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#length = length;
  }

  /** Makes the member of a record the one searched for. */
  #seekRecord(ref: number): void {
    const dict = this.dict;
    this.#bytes = dict.bytesOf(ref);
    this.#offset = dict.keyOffset(ref);
    this.#length = dict.keyLength(ref);
  }

  /** Goes down to the leaf where (score, member searched for) is or would be. */
  #descend(score: number): void {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const base = node << SHIFT;
      const n = this.#nodeMeta[node << 2];
      const upTo = this.#nodeMeta[(node << 2) + SKIP] === MIXED
        ? this.#countAtMost(this.#minScores, this.#minRefs, base, n, score)
        : this.#placeInNode(node, score);
      const index = upTo === 0 ? 0 : upTo - 1;
      this.#pathNode[level] = node;
      this.#pathIndex[level] = index;
      node = this.#kids[base + index];
    }
    this.#leaf = node;
  }

  /** Goes down to an element that must be there. */
  #find(score: number, ref: number): void {
    this.#seekRecord(ref);
    this.#descend(score);
    const leaf = this.#leaf;
    const refs = this.#refs[leaf >>> SHIFT];
    const begin = (leaf & MASK) << SHIFT;
    const end = begin + this.#leafMeta[leaf << 2];
    // By reference: reads four cache lines at most and no records.
    for (let at = begin; at < end; at++) {
      if (refs[at] === ref) {
        this.#place = at - begin;
        return;
      }
    }
    throw new Error("ordered index: a member is missing from its leaf");
  }

  /** Goes down to the leaf where the scores below (or at most) `score` end; returns how many of it are. */
  #descendToScore(score: number, inclusive: boolean): number {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const base = node << SHIFT;
      const n = this.#nodeMeta[node << 2];
      const before = countScores(this.#minScores, base, n, score, inclusive);
      node = this.#kids[before === 0 ? base : base + before - 1];
    }
    this.#leaf = node;
    const begin = (node & MASK) << SHIFT;
    const n = this.#leafMeta[node << 2];
    return countScores(this.#scores[node >>> SHIFT], begin, n, score, inclusive);
  }

  /**
   * Where all have one score, goes down to the leaf where the members below (or at most) the one searched for
   * end; returns how many of it are. The path leads there.
   */
  #descendToMember(inclusive: boolean): number {
    const score = this.#scores[this.#firstLeaf >>> SHIFT][(this.#firstLeaf & MASK) << SHIFT];
    this.#descend(score);
    const upTo = this.#placeInLeaf(score);
    if (inclusive || upTo === 0) return upTo;
    const ref = this.#refs[this.#leaf >>> SHIFT][((this.#leaf & MASK) << SHIFT) + upTo - 1];
    const isThere = this.#sharedBytes(ref, 0) === this.#length &&
      this.dict.keyLength(ref) === this.#length;
    return isThere ? upTo - 1 : upTo;
  }

  #descendToFirst(): void {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      this.#pathNode[level] = node;
      this.#pathIndex[level] = 0;
      node = this.#kids[node << SHIFT];
    }
    this.#leaf = node;
    this.#place = 0;
  }

  /** To the last element (place -1 of the one leaf when empty). */
  #descendToLast(): void {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const index = this.#nodeMeta[node << 2] - 1;
      this.#pathNode[level] = node;
      this.#pathIndex[level] = index;
      node = this.#kids[(node << SHIFT) + index];
    }
    this.#leaf = node;
    this.#place = this.#leafMeta[node << 2] - 1;
  }

  #descendToRank(rank: number): void {
    let node = this.#root;
    let left = rank;
    for (let level = this.#height; level > 0; level--) {
      const base = node << SHIFT;
      let at = base;
      while (left >= this.#kidCounts[at]) left -= this.#kidCounts[at++];
      this.#pathNode[level] = node;
      this.#pathIndex[level] = at - base;
      node = this.#kids[at];
    }
    this.#leaf = node;
    this.#place = left;
  }

  /** Elements before the leaf that the path leads to. */
  #pathRank(): number {
    let rank = 0;
    for (let level = this.#height; level > 0; level--) {
      const base = this.#pathNode[level] << SHIFT;
      const end = base + this.#pathIndex[level];
      for (let at = base; at < end; at++) rank += this.#kidCounts[at];
    }
    return rank;
  }

  /**
   * How many of the `n` pairs from `base` on are at most (score, member searched for): among those of
   * that score a binary search. Bytes that the members on both sides of the gap have in common with the
   * one searched for need not be compared again: what lies between shares them too (`lowShared`,
   * `highShared`).
   */
  #countAtMost(
    scores: Float64Array,
    refs: Int32Array,
    base: number,
    n: number,
    score: number,
  ): number {
    let low = base + countScores(scores, base, n, score, false);
    let high = base + n;
    if (low === high || scores[low] !== score) return low - base;
    high = low + countScores(scores, low, high - low, score, true);
    let lowShared = 0;
    let highShared = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const shared = this.#sharedBytes(
        refs[middle],
        lowShared < highShared ? lowShared : highShared,
      );
      if (shared < 0) {
        high = middle;
        highShared = ~shared;
      } else {
        low = middle + 1;
        lowShared = shared;
      }
    }
    return low - base;
  }

  /** Where in the path's leaf (score, member searched for) belongs. */
  #placeInLeaf(score: number): number {
    const leaf = this.#leaf;
    const slab = leaf >>> SHIFT;
    const begin = (leaf & MASK) << SHIFT;
    const n = this.#leafMeta[leaf << 2];
    const scores = this.#scores[slab];
    const refs = this.#refs[slab];
    let skip = this.#leafSkip[leaf];
    if (skip === UNHINTED && n >= HINTED_MIN) {
      if (
        this.#hints[slab].length === 0 && scores[begin] === scores[begin + n - 1] &&
        !this.#addHints(slab)
      ) return this.#countAtMost(scores, refs, begin, n, score);
      skip = this.#makeHints(scores, refs, this.#hints[slab], begin, n);
      this.#leafSkip[leaf] = skip;
    }
    if (skip < 0) return this.#countAtMost(scores, refs, begin, n, score);
    return this.#countHinted(scores, refs, this.#hints[slab], begin, n, skip, score);
  }

  /** Makes room for the hints of a slab's leaves; false when there is no memory: a search can do without. */
  #addHints(slab: number): boolean {
    return tryAllocating(() => {
      this.#hints[slab] = new Int32Array(this.#refs[slab].length);
      this.memoryBytes += this.#hints[slab].byteLength;
    });
  }

  /** Children of a node that start at or before (score, member searched for). */
  #placeInNode(node: number, score: number): number {
    const base = node << SHIFT;
    const n = this.#nodeMeta[node << 2];
    let skip = this.#nodeMeta[(node << 2) + SKIP];
    if (skip === UNHINTED && n >= HINTED_MIN) {
      skip = this.#makeHints(this.#minScores, this.#minRefs, this.#minHints, base, n);
      this.#nodeMeta[(node << 2) + SKIP] = skip;
    }
    if (skip < 0) return this.#countAtMost(this.#minScores, this.#minRefs, base, n, score);
    return this.#countHinted(
      this.#minScores,
      this.#minRefs,
      this.#minHints,
      base,
      n,
      skip,
      score,
    );
  }

  /** `#countAtMost` by hints. */
  #countHinted(
    scores: Float64Array,
    refs: Int32Array,
    hints: Int32Array,
    base: number,
    n: number,
    skip: number,
    score: number,
  ): number {
    // Scores may have changed since the hints were made. In order as they are, the first and the
    // last say whether all are equal.
    if (
      scores[base] !== score || scores[base + n - 1] !== score ||
      (skip > 0 && this.#sharedWith(refs[base]) < skip)
    ) {
      return this.#countAtMost(scores, refs, base, n, score);
    }
    const hint = hintOf(this.#bytes, this.#offset, this.#length, skip);
    let low = base;
    let high = base + n;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = hints[middle];
      if (other < hint) low = middle + 1;
      else if (other > hint) high = middle;
      else if (this.#sharedBytes(refs[middle], skip) >= 0) low = middle + 1;
      else high = middle;
    }
    return low - base;
  }

  /**
   * Makes hints for `n` pairs if their scores are all equal; answers how many bytes they skip, or
   * MIXED.
   */
  #makeHints(
    scores: Float64Array,
    refs: Int32Array,
    hints: Int32Array,
    base: number,
    n: number,
  ): number {
    const last = base + n - 1;
    if (scores[base] !== scores[last]) return MIXED;
    const bytes = this.#bytes;
    const offset = this.#offset;
    const length = this.#length;
    // Members are in order, so what the first and the last share is shared by all.
    this.#seekRecord(refs[last]);
    const skip = this.#sharedWith(refs[base]);
    this.#bytes = bytes;
    this.#offset = offset;
    this.#length = length;
    this.#writeHints(refs, hints, base, n, skip);
    return skip;
  }

  #writeHints(
    refs: Int32Array,
    hints: Int32Array,
    base: number,
    n: number,
    skip: number,
  ): void {
    const { dict } = this;
    for (let at = base; at < base + n; at++) {
      const ref = refs[at];
      hints[at] = hintOf(dict.bytesOf(ref), dict.keyOffset(ref), dict.keyLength(ref), skip);
    }
  }

  /** Leading bytes that a record's member and the one searched for share. */
  #sharedWith(ref: number): number {
    const shared = this.#sharedBytes(ref, 0);
    return shared < 0 ? ~shared : shared;
  }

  /** How many of the `n` members from `base` on are below (or at most) the one searched for. */
  #countMembers(refs: Int32Array, base: number, n: number, inclusive: boolean): number {
    let low = base;
    let high = base + n;
    let lowShared = 0;
    let highShared = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const shared = this.#sharedBytes(
        refs[middle],
        lowShared < highShared ? lowShared : highShared,
      );
      const isEqual = shared === this.#length && this.dict.keyLength(refs[middle]) === shared;
      if (shared >= 0 && (inclusive || !isEqual)) {
        low = middle + 1;
        lowShared = shared;
      } else {
        high = middle;
        highShared = shared < 0 ? ~shared : shared;
      }
    }
    return low - base;
  }

  /**
   * Compares a record's member with the one searched for, of which the first `from` bytes are known
   * to agree. Answers the number of leading bytes that agree, as is when the record's member is
   * lower or equal, complemented (negative) when it is higher.
   */
  #sharedBytes(ref: number, from: number): number {
    const arena = this.dict.arena;
    const segment = ref >>> REF_SHIFT;
    const head = (ref & REF_MASK) << 1;
    const word2 = arena.i32[segment][head + 2];
    const length = word2 & KEY_LENGTH_MASK;
    const start = (head << 2) + (word2 < 0 ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES);
    const u8 = arena.u8[segment];
    const bytes = this.#bytes;
    const offset = this.#offset;
    const end = length < this.#length ? length : this.#length;
    for (let i = from; i < end; i++) {
      const a = u8[start + i];
      const b = bytes[offset + i];
      if (a !== b) return a < b ? i : ~i;
    }
    return length <= this.#length ? end : ~end;
  }

  /** Whether the pair at `at` is at most (score, member searched for). */
  #isBefore(scores: Float64Array, refs: Int32Array, at: number, score: number): boolean {
    const other = scores[at];
    if (other < score) return true;
    return other === score && this.#sharedBytes(refs[at], 0) >= 0;
  }

  // -- growing -------------------------------------------------------------------

  /** Inserts at the path's place. */
  #insertHere(score: number, ref: number): void {
    if (this.#leafMeta[this.#leaf << 2] === FULL && !this.#goesToNext()) {
      this.#reserveSplit();
      this.#splitLeaf();
    }
    const leaf = this.#leaf;
    const slab = leaf >>> SHIFT;
    const begin = (leaf & MASK) << SHIFT;
    const place = begin + this.#place;
    const end = begin + this.#leafMeta[leaf << 2];
    if (slab === 0 && end === this.#scores[0].length) this.#resizeFirstSlab(end * 2);
    if (this.#leafSkip[leaf] >= 0) this.#insertHint(score);
    this.#leafMeta[leaf << 2]++;
    const scores = this.#scores[slab];
    const refs = this.#refs[slab];
    for (let at = end; at > place; at--) {
      scores[at] = scores[at - 1];
      refs[at] = refs[at - 1];
    }
    scores[place] = score;
    refs[place] = ref;
    this.count++;
    const counts = this.#kidCounts;
    for (let level = this.#height; level > 0; level--) {
      counts[(this.#pathNode[level] << SHIFT) + this.#pathIndex[level]]++;
    }
    if (place === begin) this.#setFirst(1, score, ref);
  }

  /** Makes room for and writes the hint of the element that is being inserted at the path's place. */
  #insertHint(score: number): void {
    const leaf = this.#leaf;
    const slab = leaf >>> SHIFT;
    const begin = (leaf & MASK) << SHIFT;
    if (this.#scores[slab][begin] !== score) {
      this.#leafSkip[leaf] = MIXED;
      return;
    }
    const shared = this.#sharedWith(this.#refs[slab][begin]);
    const end = begin + this.#leafMeta[leaf << 2];
    if (shared < this.#leafSkip[leaf]) {
      this.#writeHints(this.#refs[slab], this.#hints[slab], begin, end - begin, shared);
      this.#leafSkip[leaf] = shared;
    }
    const hints = this.#hints[slab];
    const place = begin + this.#place;
    for (let at = end; at > place; at--) hints[at] = hints[at - 1];
    hints[place] = hintOf(this.#bytes, this.#offset, this.#length, this.#leafSkip[leaf]);
  }

  /** The path's child at `level` starts with another element now: so may those above. */
  #setFirst(level: number, score: number, ref: number): void {
    for (let l = level; l <= this.#height; l++) {
      const at = (this.#pathNode[l] << SHIFT) + this.#pathIndex[l];
      this.#minScores[at] = score;
      this.#minRefs[at] = ref;
      this.#nodeMeta[(this.#pathNode[l] << 2) + SKIP] = UNHINTED;
      if (this.#pathIndex[l] > 0) return;
    }
  }

  /** Between the path's full leaf and the next, what is inserted goes into the next if that has room. */
  #goesToNext(): boolean {
    const next = this.#leafMeta[(this.#leaf << 2) + NEXT];
    if (this.#place < FULL || next === NONE || this.#leafMeta[next << 2] === FULL) return false;
    this.#leaf = next;
    this.#place = 0;
    this.#stepPath(1);
    return true;
  }

  /** Takes the memory that a split of the path's leaf needs: a leaf, and a node for each one that is full. */
  #reserveSplit(): void {
    let nodes = 0;
    let level = 1;
    while (level <= this.#height && this.#nodeMeta[this.#pathNode[level] << 2] === FULL) {
      nodes++;
      level++;
    }
    if (level > this.#height) nodes++; // the root
    let room = this.#nodeRoom;
    while (room < this.#nodes + nodes) room = grown(room);
    if (room > this.#nodeRoom) this.#resizeNodes(room);
    this.#reserveLeaf();
  }

  /** Makes room in the path's full leaf; leaf, place and path then say where to insert. */
  #splitLeaf(): void {
    const left = this.#leaf;
    const right = this.#newLeaf();
    const meta = this.#leafMeta;
    const next = meta[(left << 2) + NEXT];
    // The end of the order that grows, if one does.
    const edge = this.#place === FULL && next === NONE
      ? 1
      : this.#place === 0 && meta[(left << 2) + PREV] === NONE
      ? -1
      : 0;
    const cut = edge > 0 ? FULL : edge < 0 ? 0 : FULL >> 1;
    const from = (left & MASK) << SHIFT;
    const to = (right & MASK) << SHIFT;
    const scores = this.#scores[left >>> SHIFT];
    const refs = this.#refs[left >>> SHIFT];
    const newScores = this.#scores[right >>> SHIFT];
    const newRefs = this.#refs[right >>> SHIFT];
    for (let i = cut; i < FULL; i++) {
      newScores[to + i - cut] = scores[from + i];
      newRefs[to + i - cut] = refs[from + i];
    }
    meta[left << 2] = cut;
    meta[(left << 2) + NEXT] = right;
    this.#leafSkip[left] = UNHINTED;
    meta[right << 2] = FULL - cut;
    meta[(right << 2) + PREV] = left;
    meta[(right << 2) + NEXT] = next;
    if (next !== NONE) meta[(next << 2) + PREV] = right;
    else this.#lastLeaf = right;
    // What an empty right leaf starts with is set by the insertion that follows.
    this.#addChild(1, right, newScores[to], newRefs[to], FULL - cut, edge);
    if (this.#place > cut || edge > 0) {
      this.#place -= cut;
      this.#leaf = right;
      this.#stepPath(1);
    }
  }

  /**
   * Puts a child to the right of the path's one at `level`, from which its `kidCount` elements were
   * split off. The path leads to the same child as before.
   */
  #addChild(
    level: number,
    kid: number,
    score: number,
    ref: number,
    kidCount: number,
    edge: number,
  ): void {
    if (level > this.#height) this.#addRoot();
    const node = this.#pathNode[level];
    const index = this.#pathIndex[level];
    this.#kidCounts[(node << SHIFT) + index] -= kidCount;
    const place = index + 1;
    if (this.#nodeMeta[node << 2] < FULL) {
      this.#putChild(node, place, kid, score, ref, kidCount);
      return;
    }
    const right = this.#newNode(level);
    const cut = edge > 0 ? FULL : edge < 0 ? 1 : FULL >> 1;
    this.#moveChildren(node, cut, right);
    if (place > cut || edge > 0) this.#putChild(right, place - cut, kid, score, ref, kidCount);
    else this.#putChild(node, place, kid, score, ref, kidCount);
    const first = right << SHIFT;
    let elements = 0;
    for (let i = 0; i < this.#nodeMeta[right << 2]; i++) elements += this.#kidCounts[first + i];
    this.#addChild(
      level + 1,
      right,
      this.#minScores[first],
      this.#minRefs[first],
      elements,
      edge,
    );
    if (index >= cut) {
      this.#pathNode[level] = right;
      this.#pathIndex[level] = index - cut;
      this.#stepPath(level + 1);
    }
  }

  #addRoot(): void {
    const old = this.#root;
    const level = this.#height + 1;
    const root = this.#newNode(level);
    // Of a leaf, the minimum may not be valid yet (an empty one at the low end): then the insertion
    // that follows sets it.
    const leafAt = (old & MASK) << SHIFT;
    const score = level === 1 ? this.#scores[old >>> SHIFT][leafAt] : this.#minScores[old << SHIFT];
    const ref = level === 1 ? this.#refs[old >>> SHIFT][leafAt] : this.#minRefs[old << SHIFT];
    this.#putChild(root, 0, old, score, ref, this.count);
    this.#root = root;
    this.#height = level;
    this.#pathNode[level] = root;
    this.#pathIndex[level] = 0;
  }

  /** Path entries from `level` up move on to the next child at that level. */
  #stepPath(level: number): void {
    let l = level;
    while (this.#pathIndex[l] + 1 === this.#nodeMeta[this.#pathNode[l] << 2]) l++;
    this.#pathIndex[l]++;
    while (l > level) {
      const node = this.#kids[(this.#pathNode[l] << SHIFT) + this.#pathIndex[l]];
      l--;
      this.#pathNode[l] = node;
      this.#pathIndex[l] = 0;
    }
  }

  #putChild(
    node: number,
    index: number,
    kid: number,
    score: number,
    ref: number,
    kidCount: number,
  ): void {
    const base = node << SHIFT;
    const place = base + index;
    const minScores = this.#minScores;
    const minRefs = this.#minRefs;
    const kids = this.#kids;
    const counts = this.#kidCounts;
    for (let at = base + this.#nodeMeta[node << 2]++; at > place; at--) {
      minScores[at] = minScores[at - 1];
      minRefs[at] = minRefs[at - 1];
      kids[at] = kids[at - 1];
      counts[at] = counts[at - 1];
    }
    minScores[place] = score;
    minRefs[place] = ref;
    kids[place] = kid;
    counts[place] = kidCount;
    this.#nodeMeta[(node << 2) + SKIP] = UNHINTED;
    this.#setParent(this.#nodeMeta[(node << 2) + LEVEL] - 1, kid, node);
  }

  /** Appends the children of `from` from index `cut` on to those of `to`. */
  #moveChildren(from: number, cut: number, to: number): void {
    const n = this.#nodeMeta[from << 2];
    const kidLevel = this.#nodeMeta[(from << 2) + LEVEL] - 1;
    let target = (to << SHIFT) + this.#nodeMeta[to << 2];
    for (let i = cut; i < n; i++, target++) {
      const at = (from << SHIFT) + i;
      this.#minScores[target] = this.#minScores[at];
      this.#minRefs[target] = this.#minRefs[at];
      this.#kids[target] = this.#kids[at];
      this.#kidCounts[target] = this.#kidCounts[at];
      this.#setParent(kidLevel, this.#kids[at], to);
    }
    this.#nodeMeta[(from << 2) + SKIP] = UNHINTED;
    this.#nodeMeta[(to << 2) + SKIP] = UNHINTED;
    this.#nodeMeta[to << 2] += n - cut;
    this.#nodeMeta[from << 2] = cut;
  }

  #setParent(level: number, number: number, parent: number): void {
    if (level === 0) this.#leafMeta[(number << 2) + PARENT] = parent;
    else this.#nodeMeta[(number << 2) + PARENT] = parent;
  }

  #addSlab(): void {
    const scores = new Float64Array(SLAB_PAIRS);
    const refs = new Int32Array(SLAB_PAIRS);
    this.#scores.push(scores);
    this.#refs.push(refs);
    this.#hints.push(NO_REFS);
    this.#measure();
  }

  /** Takes the memory for one leaf more. */
  #reserveLeaf(): void {
    const leaf = this.#leaves;
    const slab = leaf >>> SHIFT;
    if (slab === this.#scores.length) this.#addSlab();
    else if (slab === 0 && (leaf + 1) << SHIFT > this.#scores[0].length) {
      this.#resizeFirstSlab(this.#scores[0].length * 2);
    }
    if (leaf << 2 === this.#leafMeta.length) this.#resizeLeafMeta(grown(leaf));
  }

  /**
   * Takes the memory for so many changes that may have to be undone: scattered over the order, they split
   * more leaves than they fill. @throws RangeError without a change when there is none
   */
  reserve(changes: number): void {
    const more = (changes >> (SHIFT - 2)) + 2;
    const leaves = this.#leaves + more;
    // Nodes that are mostly half full, or a split of all nodes above each leaf.
    const splits = Math.min(leaves >> (SHIFT - 1), more * this.#height);
    const nodes = this.#nodes + splits + this.#height + 2;
    const leafRoom = this.#leafMeta.length >> 2;
    if (nodes > this.#nodeRoom) this.#resizeNodes(Math.max(nodes, grown(this.#nodeRoom)));
    if (leaves > leafRoom) this.#resizeLeafMeta(Math.max(leaves, grown(leafRoom)));
    let pairs = this.#scores[0].length;
    while (pairs < SLAB_PAIRS && pairs < leaves << SHIFT) pairs *= 2;
    if (pairs > this.#scores[0].length) this.#resizeFirstSlab(pairs);
    while (this.#scores.length << SHIFT < leaves) this.#addSlab();
  }

  /** The number of a further leaf, for which there is room. */
  #newLeaf(): number {
    const leaf = this.#leaves++;
    this.#leafMeta[(leaf << 2) + PARENT] = NONE;
    this.#leafSkip[leaf] = UNHINTED;
    return leaf;
  }

  /** The number of a further node, for which there is room. */
  #newNode(level: number): number {
    const node = this.#nodes++;
    const meta = node << 2;
    this.#nodeMeta[meta] = 0;
    this.#nodeMeta[meta + LEVEL] = level;
    this.#nodeMeta[meta + SKIP] = UNHINTED;
    this.#nodeMeta[meta + PARENT] = NONE;
    return node;
  }

  // Each of these takes all that it needs before it changes anything.

  #resizeFirstSlab(pairs: number): void {
    const scores = resizedScores(this.#scores[0], pairs);
    const refs = resizedInts(this.#refs[0], pairs);
    const hints = this.#hints[0].length > 0 ? resizedInts(this.#hints[0], pairs) : NO_REFS;
    this.#scores[0] = scores;
    this.#refs[0] = refs;
    this.#hints[0] = hints;
    this.#measure();
  }

  #resizeLeafMeta(leaves: number): void {
    const meta = resizedInts(this.#leafMeta, leaves << 2);
    this.#leafSkip = resizedInts(this.#leafSkip, leaves);
    this.#leafMeta = meta;
    this.#measure();
  }

  #resizeNodes(nodes: number): void {
    const minScores = resizedScores(this.#minScores, nodes << SHIFT);
    const minRefs = resizedInts(this.#minRefs, nodes << SHIFT);
    const minHints = resizedInts(this.#minHints, nodes << SHIFT);
    const kids = resizedInts(this.#kids, nodes << SHIFT);
    const kidCounts = resizedInts(this.#kidCounts, nodes << SHIFT);
    this.#nodeMeta = resizedInts(this.#nodeMeta, nodes << 2);
    this.#minScores = minScores;
    this.#minRefs = minRefs;
    this.#minHints = minHints;
    this.#kids = kids;
    this.#kidCounts = kidCounts;
    this.#nodeRoom = nodes;
    this.#measure();
  }

  // -- shrinking -----------------------------------------------------------------

  /** Takes out `count` elements of the path's leaf from the path's place on. */
  #removeHere(count: number): void {
    const leaf = this.#leaf;
    const slab = leaf >>> SHIFT;
    const begin = (leaf & MASK) << SHIFT;
    const scores = this.#scores[slab];
    const refs = this.#refs[slab];
    const left = this.#leafMeta[leaf << 2] - count;
    const end = begin + left;
    for (let at = begin + this.#place; at < end; at++) {
      scores[at] = scores[at + count];
      refs[at] = refs[at + count];
    }
    if (this.#leafSkip[leaf] >= 0) {
      const hints = this.#hints[slab];
      for (let at = begin + this.#place; at < end; at++) hints[at] = hints[at + count];
    }
    this.#leafMeta[leaf << 2] = left;
    this.count -= count;
    const counts = this.#kidCounts;
    for (let level = this.#height; level > 0; level--) {
      counts[(this.#pathNode[level] << SHIFT) + this.#pathIndex[level]] -= count;
    }
    if (this.#height === 0) return;
    if (this.#place === 0 && left > 0) this.#setFirst(1, scores[begin], refs[begin]);
    if (left >= SPARSE) return;
    if (left === 0) {
      if (this.count === 0) this.#empty();
      else this.#dropLeaf(leaf, this.#pathIndex[1]);
    } else if (!this.keepsMemory) this.#mergeLeaf();
    this.#flush();
  }

  /** The last element is gone: the arrays are made anew, or kept where there is no memory for others. */
  #empty(): void {
    if (!this.keepsMemory && tryAllocating(() => this.#reset())) return;
    this.#leafMeta.set([0, NONE, NONE, NONE]);
    this.#leafSkip[0] = UNHINTED;
    this.#leaves = 1;
    this.#firstLeaf =
      this.#lastLeaf =
      this.#root =
      this.#height =
      this.#nodes =
        0;
  }

  /** Merges the path's leaf with a neighbour under the same node, if together they fit well. */
  #mergeLeaf(): void {
    const meta = this.#leafMeta;
    const node = this.#pathNode[1];
    const base = node << SHIFT;
    let index = this.#pathIndex[1];
    const mine = meta[this.#leaf << 2];
    const isFirst = index === 0;
    const isLast = index + 1 === this.#nodeMeta[node << 2];
    if (!isLast && mine + this.#kidCounts[base + index + 1] <= MERGE_MAX) index++;
    else if (isFirst || mine + this.#kidCounts[base + index - 1] > MERGE_MAX) return;
    // The leaf at `index` goes into the one before.
    const from = this.#kids[base + index];
    const to = this.#kids[base + index - 1];
    const n = meta[from << 2];
    const have = meta[to << 2];
    this.#copyPairs(from, 0, to, have, n);
    meta[to << 2] = have + n;
    // No new hints here: in the midst of deleteRange, some records are gone.
    this.#leafSkip[to] = UNHINTED;
    this.#kidCounts[base + index - 1] += n;
    this.#dropLeaf(from, index);
  }

  /** Unlinks a leaf, the path's node's child at `index`. */
  #dropLeaf(leaf: number, index: number): void {
    const meta = this.#leafMeta;
    const prev = meta[(leaf << 2) + PREV];
    const next = meta[(leaf << 2) + NEXT];
    if (prev === NONE) this.#firstLeaf = next;
    else meta[(prev << 2) + NEXT] = next;
    if (next === NONE) this.#lastLeaf = prev;
    else meta[(next << 2) + PREV] = prev;
    this.#goneLeaf = leaf;
    this.#dropChild(1, index);
  }

  /** Takes a child out of the path's node at `level`; then that node may have to go or merge. */
  #dropChild(level: number, index: number): void {
    const node = this.#pathNode[level];
    const base = node << SHIFT;
    const n = --this.#nodeMeta[node << 2];
    this.#nodeMeta[(node << 2) + SKIP] = UNHINTED;
    for (let at = base + index; at < base + n; at++) {
      this.#minScores[at] = this.#minScores[at + 1];
      this.#minRefs[at] = this.#minRefs[at + 1];
      this.#kids[at] = this.#kids[at + 1];
      this.#kidCounts[at] = this.#kidCounts[at + 1];
    }
    if (n === 0) {
      this.#goneNodes.push(node);
      this.#dropChild(level + 1, this.#pathIndex[level + 1]);
      return;
    }
    if (index === 0) this.#setFirst(level + 1, this.#minScores[base], this.#minRefs[base]);
    if (level === this.#height) this.#lowerRoot();
    else if (n < SPARSE && !this.keepsMemory) this.#mergeNode(level);
  }

  /** Merges the path's node at `level` with a neighbour under the same parent, as with leaves. */
  #mergeNode(level: number): void {
    const parent = this.#pathNode[level + 1];
    const base = parent << SHIFT;
    let index = this.#pathIndex[level + 1];
    const mine = this.#nodeMeta[this.#pathNode[level] << 2];
    const isFirst = index === 0;
    const isLast = index + 1 === this.#nodeMeta[parent << 2];
    if (!isLast && mine + this.#nodeMeta[this.#kids[base + index + 1] << 2] <= MERGE_MAX) index++;
    else if (isFirst || mine + this.#nodeMeta[this.#kids[base + index - 1] << 2] > MERGE_MAX) {
      return;
    }
    const from = this.#kids[base + index];
    this.#moveChildren(from, 0, this.#kids[base + index - 1]);
    this.#kidCounts[base + index - 1] += this.#kidCounts[base + index];
    this.#goneNodes.push(from);
    this.#dropChild(level + 1, index);
  }

  /** A root with one child is not needed. */
  #lowerRoot(): void {
    while (this.#height > 0 && this.#nodeMeta[this.#root << 2] === 1) {
      this.#goneNodes.push(this.#root);
      this.#root = this.#kids[this.#root << SHIFT];
      this.#height--;
      this.#setParent(this.#height, this.#root, NONE);
    }
  }

  /**
   * Fills the holes that a removal left in the numbering: at its end, when no path is needed any
   * more. Highest first, so that what moves into a hole is in use.
   */
  #flush(): void {
    if (this.#goneLeaf !== NONE) {
      const gone = this.#goneLeaf;
      this.#goneLeaf = NONE;
      const last = --this.#leaves;
      if (gone !== last) this.#moveLeaf(last, gone);
      this.#shrinkLeaves();
    }
    const gone = this.#goneNodes;
    if (gone.length === 0) return;
    while (gone.length > 0) {
      let highest = 0;
      for (let i = 1; i < gone.length; i++) if (gone[i] > gone[highest]) highest = i;
      const node = gone[highest];
      gone[highest] = gone[gone.length - 1];
      gone.pop();
      const last = --this.#nodes;
      if (node !== last) this.#moveNode(last, node);
    }
    if (this.#nodes <= this.#nodeRoom >> 2 && !this.#keepsNodes && !this.keepsMemory) {
      tryAllocating(() => this.#resizeNodes(this.#nodes));
    }
  }

  #moveLeaf(from: number, to: number): void {
    const meta = this.#leafMeta;
    this.#copyPairs(from, 0, to, 0, meta[from << 2]);
    for (let i = 0; i < 4; i++) meta[(to << 2) + i] = meta[(from << 2) + i];
    this.#leafSkip[to] = this.#leafSkip[from] === MIXED ? MIXED : UNHINTED;
    const prev = meta[(to << 2) + PREV];
    const next = meta[(to << 2) + NEXT];
    if (prev === NONE) this.#firstLeaf = to;
    else meta[(prev << 2) + NEXT] = to;
    if (next === NONE) this.#lastLeaf = to;
    else meta[(next << 2) + PREV] = to;
    this.#renameChild(meta[(to << 2) + PARENT], from, to);
  }

  #moveNode(from: number, to: number): void {
    const meta = this.#nodeMeta;
    const level = meta[(from << 2) + LEVEL];
    meta[to << 2] = 0;
    meta[(to << 2) + LEVEL] = level;
    meta[(to << 2) + PARENT] = meta[(from << 2) + PARENT];
    this.#moveChildren(from, 0, to);
    this.#renameChild(meta[(to << 2) + PARENT], from, to);
  }

  #renameChild(parent: number, from: number, to: number): void {
    if (parent === NONE) {
      this.#root = to;
      return;
    }
    let at = parent << SHIFT;
    while (this.#kids[at] !== from) at++;
    this.#kids[at] = to;
  }

  #copyPairs(from: number, fromPlace: number, to: number, toPlace: number, n: number): void {
    const scores = this.#scores[from >>> SHIFT];
    const refs = this.#refs[from >>> SHIFT];
    const toScores = this.#scores[to >>> SHIFT];
    const toRefs = this.#refs[to >>> SHIFT];
    const source = ((from & MASK) << SHIFT) + fromPlace;
    const target = ((to & MASK) << SHIFT) + toPlace;
    for (let i = 0; i < n; i++) {
      toScores[target + i] = scores[source + i];
      toRefs[target + i] = refs[source + i];
    }
  }

  /** Gives memory back once half a slab more than one is unused. */
  #shrinkLeaves(): void {
    if (this.keepsMemory) return;
    const slabs = this.#scores.length;
    if (slabs > 1) {
      if (this.#leaves > (slabs - 1) * FULL - (FULL >> 1)) return;
      this.#scores.pop();
      this.#refs.pop();
      this.#hints.pop();
      this.#measure();
    } else if (this.#leaves << (SHIFT + 2) <= this.#scores[0].length) {
      tryAllocating(() => this.#resizeFirstSlab(this.#scores[0].length >> 1));
    }
    if (this.#leaves << 4 <= this.#leafMeta.length) {
      tryAllocating(() => this.#resizeLeafMeta(this.#leaves * 2));
    }
  }

  /**
   * Throws when an invariant of the tree does not hold; for tests and DEBUG. Cost: O(n), with a
   * comparison per element.
   */
  verify(): void {
    const leaves: number[] = [];
    const nodes = new Set<number>();
    const fail = (what: string): never => {
      throw new Error(`ordered index: ${what}`);
    };
    const checkHints = (refs: Ints, hints: Ints, base: number, n: number, skip: number) => {
      for (let at = base; skip >= 0 && at < base + n; at++) {
        this.#seekRecord(refs[at]);
        if (this.#sharedWith(refs[base]) < skip) fail("bytes that members share");
        const hint = hintOf(this.#bytes, this.#offset, this.#length, skip);
        if (hints[at] !== hint) fail("hint of a member");
      }
    };
    /** Checks a subtree; answers its size. */
    const visit = (level: number, number: number, parent: number): number => {
      if (level === 0) {
        leaves.push(number);
        if (this.#leafMeta[(number << 2) + PARENT] !== parent) fail("parent of a leaf");
        const n = this.#leafMeta[number << 2];
        if (n > FULL || (n === 0 && this.count > 0)) fail("size of a leaf");
        const slab = number >>> SHIFT;
        const begin = (number & MASK) << SHIFT;
        checkHints(this.#refs[slab], this.#hints[slab], begin, n, this.#leafSkip[number]);
        return n;
      }
      if (nodes.has(number)) fail("node reached twice");
      nodes.add(number);
      if (this.#nodeMeta[(number << 2) + PARENT] !== parent) fail("parent of a node");
      if (this.#nodeMeta[(number << 2) + LEVEL] !== level) fail("level of a node");
      const n = this.#nodeMeta[number << 2];
      const skip = this.#nodeMeta[(number << 2) + SKIP];
      checkHints(this.#minRefs, this.#minHints, number << SHIFT, n, skip);
      if (n < 1 || n > FULL || (parent === NONE && n < 2)) fail("size of a node");
      let total = 0;
      for (let i = 0; i < n; i++) {
        const at = (number << SHIFT) + i;
        const before = leaves.length;
        const size = visit(level - 1, this.#kids[at], number);
        if (size !== this.#kidCounts[at]) fail("count of a child");
        total += size;
        const leaf = leaves[before];
        const pair = (leaf & MASK) << SHIFT;
        if (
          this.#minScores[at] !== this.#scores[leaf >>> SHIFT][pair] ||
          this.#minRefs[at] !== this.#refs[leaf >>> SHIFT][pair]
        ) fail("minimum of a child");
      }
      return total;
    };
    if (visit(this.#height, this.#root, NONE) !== this.count) fail("total count");
    if (leaves.length !== this.#leaves) fail("leaves in use");
    if (nodes.size !== this.#nodes) fail("nodes in use");
    let prev = NONE;
    let leaf = this.#firstLeaf;
    for (const expected of leaves) {
      if (leaf !== expected || this.#leafMeta[(leaf << 2) + PREV] !== prev) fail("leaf links");
      prev = leaf;
      leaf = this.#leafMeta[(leaf << 2) + NEXT];
    }
    if (leaf !== NONE || this.#lastLeaf !== prev) fail("last leaf");
    const cursor = new OrderedCursor();
    if (!this.first(cursor)) return;
    for (let rank = 1; rank < this.count; rank++) {
      const score = cursor.score;
      this.#seekRecord(cursor.ref);
      if (!this.next(cursor)) fail("end before the last element");
      if (cursor.score < score) fail("order of scores");
      if (cursor.score === score && this.#sharedBytes(cursor.ref, 0) >= 0) {
        fail("order of members");
      }
    }
    if (this.next(cursor)) fail("element after the last");
  }
}

/** Four bytes of a member from `skip` on, zeros after its end, as an int32 of the same order. */
function hintOf(bytes: Uint8Array, offset: number, length: number, skip: number): number {
  const at = offset + skip;
  const end = offset + length;
  let hint = 0;
  if (at < end) hint = bytes[at] << 24;
  if (at + 1 < end) hint |= bytes[at + 1] << 16;
  if (at + 2 < end) hint |= bytes[at + 2] << 8;
  if (at + 3 < end) hint |= bytes[at + 3];
  return hint ^ 0x80000000;
}

/** Scores in a cache line. */
const LINE_SCORES = 8;

/**
 * How many of the `n` scores from `base` on are below (or at most) `score`.
 *
 * Counts in two steps, the lines that are below as a whole and then the scores of the line behind them, and
 * without a branch that depends on a score: somewhere in a large set all is a miss in the caches. The lines' misses
 * overlap then, where those of a search by halving wait for each other and for wrong guesses.
 */
function countScores(
  scores: Float64Array,
  base: number,
  n: number,
  score: number,
  inclusive: boolean,
): number {
  const end = base + n;
  let lines = 0;
  let at = base + LINE_SCORES - 1;
  if (inclusive) {
    for (; at < end; at += LINE_SCORES) lines += +(scores[at] <= score);
  } else for (; at < end; at += LINE_SCORES) lines += +(scores[at] < score);
  let count = lines * LINE_SCORES;
  const stop = count + LINE_SCORES < n ? base + count + LINE_SCORES : end;
  at = base + count;
  if (inclusive) { for (; at < stop; at++) count += +(scores[at] <= score); }
  else for (; at < stop; at++) count += +(scores[at] < score);
  return count;
}

/**
 * Room for what is full at so many: by a share of it, so that many small changes do not copy it again and again. What
 * they would leave behind stays until it is collected.
 */
function grown(count: number): number {
  return count + (count >> 2) + 1;
}

function resizedScores(old: Floats, length: number): Floats {
  const fresh = new Float64Array(length);
  fresh.set(old.length > length ? old.subarray(0, length) : old);
  return fresh;
}

function resizedInts(old: Ints, length: number): Ints {
  const fresh = new Int32Array(length);
  fresh.set(old.length > length ? old.subarray(0, length) : old);
  return fresh;
}
