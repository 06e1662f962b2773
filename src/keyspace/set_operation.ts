/**
 * A set made of large ones, piece by piece: SUNIONSTORE, SINTERSTORE and SDIFFSTORE of sets that take long to go
 * through (dispatch/makings.ts). How it is done at once stands with the commands, commands/set/operations.ts.
 */

import { ENC_HASHTABLE, ENC_INTSET, TYPE_SET } from "../arena/record.ts";
import type { Words } from "../resp/words.ts";
import { LargeSet } from "../values/large_set.ts";
import { ValueCopy } from "../values/value_copy.ts";
import type { Database } from "./database.ts";
import { SetBuilder, SetView } from "./set.ts";

/** What a set is made of: the members of all, those that all have, or those of the first that the others have not. */
export type SetOperationName = "union" | "intersection" | "difference";

const gathered: number[] = [];

export class SetOperation extends ValueCopy<SetBuilder> {
  /** Sets that are gone through, one after the other, and those that are asked for each member. */
  readonly #walked: readonly LargeSet[];
  readonly #asked: readonly LargeSet[];
  /** Whether the result has what those have that are asked. */
  readonly #isWanted: boolean;
  /** Whether a member can come twice. */
  readonly #mayRepeat: boolean;
  #at = 0;
  #cursor = 0;
  #isOver = false;

  private constructor(result: SetBuilder, name: SetOperationName, sets: readonly LargeSet[]) {
    super(result);
    const isUnion = name === "union";
    this.#walked = isUnion ? sets : sets.slice(0, 1);
    this.#asked = isUnion ? [] : sets.slice(1);
    this.#isWanted = name === "intersection";
    this.#mayRepeat = isUnion && sets.length > 1;
    // As long as no bucket is moved, every member is come upon once.
    for (const set of this.#walked) set.pin();
  }

  /**
   * Begins with the sets of the keys in words `from` to the last; a missing one is empty. Null when one of them is no
   * set, or its time is over, which is for who runs the request to deal with.
   */
  static begin(
    name: SetOperationName,
    database: Database,
    { bytes, starts, lengths, count }: Words,
    from: number,
  ): SetOperation | null {
    const sets: LargeSet[] = [];
    for (let i = from; i < count; i++) {
      const ref = database.records.get(bytes, starts[i], lengths[i]);
      if (ref === 0) sets.push(new LargeSet());
      else if (database.typeOf(ref) !== TYPE_SET || database.isExpired(ref)) return null;
      else sets.push(largeSetOf(database, ref));
    }
    if (name === "intersection") sets.sort((a, b) => a.count - b.count);
    const builder = new SetBuilder();
    builder.begin(database.keyspace.limits, ENC_INTSET);
    return new SetOperation(builder, name, sets);
  }

  override step(): boolean {
    if (this.#at === this.#walked.length) return true;
    const set = this.#walked[this.#at];
    gathered.length = 0;
    this.#cursor = set.gatherSome(this.#cursor, gathered);
    for (let i = 0; i < gathered.length; i++) this.#visit(set, gathered[i]);
    if (this.#cursor === 0) this.#at++;
    return this.#at === this.#walked.length;
  }

  #visit(set: LargeSet, ref: number): void {
    const bytes = set.bytesOf(ref);
    const offset = set.keyOffset(ref);
    const length = set.keyLength(ref);
    const hash = set.hashOf(ref);
    for (const other of this.#asked) {
      if ((other.find(bytes, offset, length, hash) !== 0) !== this.#isWanted) return;
    }
    this.copy.add(bytes, offset, length, !this.#mayRepeat);
  }

  override end(): void {
    if (!this.#isOver) { for (const set of this.#walked) set.unpin(); }
    this.#isOver = true;
  }
}

/** A set as a table: itself, or a copy of a small one, which may move in memory. */
export function largeSetOf(database: Database, ref: number): LargeSet {
  if (database.encodingOf(ref) === ENC_HASHTABLE) return database.largeValue(ref) as LargeSet;
  const view = new SetView();
  view.open(database, ref);
  const copy = new LargeSet();
  view.forEach((bytes, offset, length) => {
    copy.addMember(bytes, offset, length);
  });
  return copy;
}
