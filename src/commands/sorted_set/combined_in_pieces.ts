/**
 * ZUNIONSTORE, ZINTERSTORE and ZDIFFSTORE of sets that take long to go through: the result is made piece by piece
 * (dispatch/makings.ts). How it is done at once stands in combine.ts.
 */

import { ENC_SKIPLIST, TYPE_SET, TYPE_ZSET } from "../../arena/record.ts";
import type { Database } from "../../keyspace/database.ts";
import { largeSetOf } from "../../keyspace/set_operation.ts";
import { SortedSetView } from "../../keyspace/sorted_set.ts";
import { LargeSet } from "../../values/large_set.ts";
import { OrderedCursor } from "../../values/ordered_index.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import { ValueCopy } from "../../values/value_copy.ts";

/** Sees a member and its score, and the hash of the member. */
export type PieceVisitor = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  score: number,
  hash: number,
) => void;

/** Members that are given their places at once. */
const ORDERED_AT_ONCE = 64;

const gathered: number[] = [];
const walker = new OrderedCursor();

/** A set that takes part, as a table. */
export class PieceSource {
  /** Score of the member that `find` has found. */
  score = 1;
  #cursor = 0;
  #rank = 0;

  private constructor(readonly set: SortedSet | LargeSet, readonly weight: number) {}

  /**
   * The value at a key: an empty set when there is none. Null when it is no set, or its time is over, which is for
   * who runs the request to deal with.
   */
  static of(
    database: Database,
    bytes: Uint8Array,
    offset: number,
    length: number,
    weight: number,
  ): PieceSource | null {
    const ref = database.records.get(bytes, offset, length);
    if (ref === 0) return new PieceSource(new LargeSet(), weight);
    if (database.isExpired(ref)) return null;
    const type = database.typeOf(ref);
    if (type === TYPE_ZSET) return new PieceSource(sortedSetOf(database, ref), weight);
    return type === TYPE_SET ? new PieceSource(largeSetOf(database, ref), weight) : null;
  }

  get count(): number {
    return this.set.count;
  }

  /** Looks a member up; sets `score`. */
  find(bytes: Uint8Array, offset: number, length: number, hash: number): boolean {
    const { set } = this;
    const ref = set.find(bytes, offset, length, hash);
    if (ref !== 0 && set instanceof SortedSet) this.score = set.scoreOf(ref);
    return ref !== 0;
  }

  /** As long as no bucket is moved, every member of a plain set is come upon once. */
  pin(): void {
    if (this.set instanceof LargeSet) this.set.pin();
  }

  unpin(): void {
    if (this.set instanceof LargeSet) this.set.unpin();
  }

  /** Visits some more members; true when those were the last. */
  step(visit: PieceVisitor): boolean {
    return this.set instanceof SortedSet
      ? this.#stepSorted(this.set, visit)
      : this.#stepPlain(this.set, visit);
  }

  #stepSorted({ dict, index, count }: SortedSet, visit: PieceVisitor): boolean {
    if (!index.at(walker, this.#rank)) return true;
    const { refs, scores, at, end } = walker;
    this.#rank += end - at;
    dict.warmHeaders(refs, at, end);
    for (let i = at; i < end; i++) {
      const ref = refs[i];
      const bytes = dict.bytesOf(ref);
      visit(bytes, dict.keyOffset(ref), dict.keyLength(ref), scores[i], dict.hashOf(ref));
    }
    return this.#rank === count;
  }

  #stepPlain(set: LargeSet, visit: PieceVisitor): boolean {
    gathered.length = 0;
    this.#cursor = set.gatherSome(this.#cursor, gathered);
    for (let i = 0; i < gathered.length; i++) {
      const ref = gathered[i];
      visit(set.bytesOf(ref), set.keyOffset(ref), set.keyLength(ref), 1, set.hashOf(ref));
    }
    return this.#cursor === 0;
  }
}

/** A sorted set as a large one: itself, or a copy of a small one, which may move in memory. */
function sortedSetOf(database: Database, ref: number): SortedSet {
  if (database.encodingOf(ref) === ENC_SKIPLIST) return database.largeValue(ref) as SortedSet;
  const view = new SortedSetView().open(database, ref);
  const copy = new SortedSet();
  for (let on = view.first(); on; on = view.next()) {
    copy.addOrdered(view.bytes, view.offset, view.length, view.score);
  }
  return copy;
}

/** Goes through sources one after the other; what their visitors have added is put in order at the end. */
export class CombinedInPieces extends ValueCopy<SortedSet> {
  readonly #walked: readonly PieceSource[];
  readonly #visitorOf: (source: PieceSource) => PieceVisitor;
  #at = 0;
  #visit: PieceVisitor | null = null;
  #isOver = false;

  constructor(
    result: SortedSet,
    walked: readonly PieceSource[],
    visitorOf: (source: PieceSource) => PieceVisitor,
  ) {
    super(result);
    this.#walked = walked;
    this.#visitorOf = visitorOf;
    for (const source of walked) source.pin();
  }

  override step(): boolean {
    if (this.#at === this.#walked.length) return this.copy.orderSome(ORDERED_AT_ONCE);
    const source = this.#walked[this.#at];
    this.#visit ??= this.#visitorOf(source);
    if (source.step(this.#visit)) {
      this.#at++;
      this.#visit = null;
    }
    return false;
  }

  override end(): void {
    if (!this.#isOver) { for (const source of this.#walked) source.unpin(); }
    this.#isOver = true;
  }
}
