/**
 * A few members with their scores, for the length of a command: what commands make of small sorted sets,
 * for which a `SortedSet` of its own would take longer than all the rest. Made once and used again.
 *
 * Members are added in any order, each once. After `order` they are walked as those of a
 * `SortedSetView` are: by score, and where scores are the same by their bytes.
 */

import { compareBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { ScratchSet } from "./scratch_set.ts";

/** As many members as it is meant for. */
export const SCORED_ELEMENTS_MAX = 256;

export class ScoredElements {
  readonly #members = new ScratchSet();
  readonly #scores = new Float64Array(SCORED_ELEMENTS_MAX);
  /** Numbers of members in their order, and as many places to merge them into. */
  #order = new Int32Array(SCORED_ELEMENTS_MAX);
  #spare = new Int32Array(SCORED_ELEMENTS_MAX);
  #at = -1;
  // The member that a walk is at.
  bytes: Uint8Array = NO_BYTES;
  offset = 0;
  length = 0;
  score = 0;

  get count(): number {
    return this.#members.count;
  }

  clear(): void {
    this.#members.clear();
  }

  /** The number of a member, -1 if it is not there. `hash` is `hashBytes` of it. */
  find(bytes: Uint8Array, offset: number, length: number, hash: number): number {
    return this.#members.numberOf(bytes, offset, length, hash);
  }

  scoreOf(number: number): number {
    return this.#scores[number];
  }

  setScore(number: number, score: number): void {
    this.#scores[number] = score;
  }

  /** Adds a copy of a member that is not there. */
  add(
    bytes: Uint8Array,
    offset: number,
    length: number,
    score: number,
    hash = hashBytes(bytes, offset, length),
  ): void {
    this.#scores[this.#members.count] = score;
    this.#members.add(bytes, offset, length, hash);
  }

  /** Brings all into their order: to be called before they are walked. Merges what is in order already. */
  order(): void {
    const { count } = this;
    for (let i = 0; i < count; i++) this.#order[i] = i;
    while (this.#mergeRuns(count) > 1);
  }

  /** Merges neighbouring runs two by two; answers how many are left. */
  #mergeRuns(count: number): number {
    const from = this.#order;
    const to = this.#spare;
    let runs = 0;
    for (let start = 0; start < count; runs++) {
      const middle = this.#runEnd(start, count);
      const end = middle === count ? count : this.#runEnd(middle, count);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takesLeft = right === end ||
          (left < middle && this.#compare(from[left], from[right]) <= 0);
        to[at] = takesLeft ? from[left++] : from[right++];
      }
      start = end;
    }
    this.#order = to;
    this.#spare = from;
    return runs;
  }

  #runEnd(start: number, count: number): number {
    const order = this.#order;
    let end = start + 1;
    while (end < count && this.#compare(order[end - 1], order[end]) <= 0) end++;
    return end;
  }

  #compare(a: number, b: number): number {
    const difference = this.#scores[a] - this.#scores[b];
    // Infinities of the same sign have no difference.
    if (difference !== 0 && difference === difference) return difference;
    const { texts } = this.#members;
    const startA = this.#members.startOf(a);
    const startB = this.#members.startOf(b);
    const lengthA = this.#members.startOf(a + 1) - startA;
    return compareBytes(
      texts,
      startA,
      lengthA,
      texts,
      startB,
      this.#members.startOf(b + 1) - startB,
    );
  }

  /** Stands on the first member; false when there is none. */
  first(): boolean {
    this.#at = -1;
    return this.next();
  }

  /** Goes on to the next one; false at the end. */
  next(): boolean {
    if (++this.#at >= this.count) return false;
    const number = this.#order[this.#at];
    this.bytes = this.#members.texts;
    this.offset = this.#members.startOf(number);
    this.length = this.#members.startOf(number + 1) - this.offset;
    this.score = this.#scores[number];
    return true;
  }
}

const NO_BYTES = new Uint8Array(0);
