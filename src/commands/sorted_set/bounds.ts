/**
 * Ranges of a sorted set as commands spell them: by rank, by score, by the bytes of members. Each
 * comes down to a run of ranks, so that what is done with a range need not know its kind.
 *
 *     range.read(call, minWord, maxWord);   before the key is looked up: syntax is checked first
 *     range.locate(view, skip, most);       then `first` and `count` say which ranks
 *     range.seek(view, skip, most);         or the view stands where a walk over it begins
 *
 * One object of each kind serves all calls.
 */

import { compareBytes } from "../../base/bytes.ts";
import { parseDouble } from "../../base/doubles.ts";
import type { Call } from "../../dispatch/call.ts";
import type { MemberBound, ScoreBounds, SortedSetView } from "../../keyspace/sorted_set.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { parseScore } from "../../values/score.ts";

const NOT_A_SCORE_RANGE = "ERR min or max is not a float";
const NOT_A_LEX_RANGE = "ERR min or max not valid string range item";

const EXCLUSIVE = 0x28; // "("
const INCLUSIVE = 0x5b; // "["
const PLUS = 0x2b;
const MINUS = 0x2d;

export interface Range {
  /** Lowest rank of the range, after `locate`. */
  first: number;
  /** Members in the range, after `locate`. */
  count: number;
  /** Whether it is walked from its highest member on; `read` makes it false. */
  reverse: boolean;
  /** Takes the bounds from two words. @throws ReplyError when one is not of this kind */
  read(call: Call, minWord: number, maxWord: number): void;
  /** Finds the range in a set, without its first `skip` members, and of the rest at least `most`. */
  locate(view: SortedSetView, skip: number, most: number): void;
  /**
   * Has the view stand on the first member of a walk over the range that `read` has taken the bounds of, but for
   * the first `skip`; returns how many are to come, at most `most`.
   */
  seek(view: SortedSetView, skip: number, most: number): number;
  /** How many members of a set are in the range. */
  countIn(view: SortedSetView): number;
}

/** Leaves out the first members of a range that has been located. */
function leaveOut(range: Range, skip: number): void {
  const left = Math.min(skip, range.count);
  range.count -= left;
  if (!range.reverse) range.first += left;
}

/** `Range.seek` by ranks, which works for all of them. */
function seekRanks(range: Range, view: SortedSetView, skip: number, most: number): number {
  range.locate(view, skip, most);
  const count = Math.min(range.count, most);
  const first = range.reverse ? range.first + range.count - 1 : range.first;
  if (count > 0) view.seekWalk(first, range.reverse, count);
  return count;
}

/** Ranks, 0-based, both included; negative ones count from the highest score. */
class RankRange implements Range {
  first = 0;
  count = 0;
  #start = 0;
  #stop = 0;
  /** Whether rank 0 is the highest score. */
  reverse = false;

  read(call: Call, startWord: number, stopWord: number): void {
    this.#start = call.clampedInteger(startWord);
    this.#stop = call.clampedInteger(stopWord);
    this.reverse = false;
  }

  countIn(view: SortedSetView): number {
    this.locate(view, 0);
    return this.count;
  }

  locate(view: SortedSetView, skip: number): void {
    const total = view.count;
    let start = this.#start;
    let stop = this.#stop;
    if (start < 0) start = Math.max(0, start + total);
    if (stop < 0) stop += total;
    if (stop >= total) stop = total - 1;
    this.count = Math.max(0, stop - start + 1);
    this.first = this.reverse ? total - 1 - stop : start;
    leaveOut(this, skip);
  }

  seek(view: SortedSetView, skip: number, most: number): number {
    return seekRanks(this, view, skip, most);
  }
}

/** Members that a walk steps over to its first one; if it is to leave out more, ranks tell sooner where that is. */
const STEPPED_OVER_MAX = 64;

/** Scores: numbers, infinities included, with "(" in front to leave the bound itself out. */
class ScoreRange implements Range, ScoreBounds {
  first = 0;
  count = 0;
  reverse = false;
  min = 0;
  max = 0;
  minExclusive = false;
  maxExclusive = false;

  read({ words }: Call, minWord: number, maxWord: number): void {
    this.reverse = false;
    this.minExclusive = isExclusive(words, minWord);
    this.maxExclusive = isExclusive(words, maxWord);
    this.min = readBound(words, minWord, this.minExclusive);
    this.max = readBound(words, maxWord, this.maxExclusive);
  }

  countIn(view: SortedSetView): number {
    this.locate(view, 0);
    return this.count;
  }

  seek(view: SortedSetView, skip: number, most: number): number {
    const count = view.large === null || skip > STEPPED_OVER_MAX
      ? -1
      : view.seekScores(this, this.reverse, skip, most);
    return count >= 0 ? count : seekRanks(this, view, skip, most);
  }

  locate(view: SortedSetView, skip: number): void {
    // "-inf" and "+inf" need not be looked for.
    const isFromFirst = this.min === -Infinity && !this.minExclusive;
    const isToLast = this.max === Infinity && !this.maxExclusive;
    const first = isFromFirst ? 0 : view.countBelowScore(this.min, this.minExclusive);
    const end = isToLast ? view.count : view.countBelowScore(this.max, !this.maxExclusive);
    this.first = first;
    this.count = Math.max(0, end - first);
    leaveOut(this, skip);
  }
}

function isExclusive(words: Words, word: number): boolean {
  return words.lengths[word] > 0 && words.bytes[words.starts[word]] === EXCLUSIVE;
}

function readBound(words: Words, word: number, exclusive: boolean): number {
  const skip = exclusive ? 1 : 0;
  let bound = parseScore(words.bytes, words.starts[word] + skip, words.lengths[word] - skip);
  if (bound === bound) return bound;
  // Bounds go beyond what scores may be: leading blanks, nothing at all for 0, 1e999 for infinity,
  // anything behind a zero byte.
  const text = words.text(word).slice(skip).split("\0")[0].replace(/^[\t-\r ]+/, "");
  bound = text === "" ? 0 : parseDouble(text);
  if (bound !== bound) throw new ReplyError(NOT_A_SCORE_RANGE);
  return bound;
}

/** A bound as a walk needs it. */
class LexBound implements MemberBound {
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
  exclusive = false;
  isEnd = false;
  /** The byte before the member: whether it belongs to the range, or which end of the set this is. */
  mark = 0;
}

// Where a walk begins and where it ends.
const nearEnd = new LexBound();
const farEnd = new LexBound();

/**
 * Members by their bytes, where all have one score: "[a" from a on, "(a" from behind a, "-" and "+"
 * for the lowest and highest there are.
 *
 * Where scores differ, members are not ordered by their bytes, and the answer is what Redis's walk
 * gives: nothing unless the lowest member is within the upper bound and the highest within the lower
 * one; else from the first member within the near bound on, as long as members are within the far
 * one. In a small set that first one is looked for one by one. In a large one Redis jumps, by levels
 * that chance gave its list, and we by our tree: there the two may begin at different members.
 */
class LexRange implements Range {
  first = 0;
  count = 0;
  reverse = false;
  #words!: Words;
  #min = 0;
  #max = 0;

  read({ words }: Call, minWord: number, maxWord: number): void {
    this.reverse = false;
    this.#words = words;
    this.#min = minWord;
    this.#max = maxWord;
    if (!isLexBound(words, minWord) || !isLexBound(words, maxWord)) {
      throw new ReplyError(NOT_A_LEX_RANGE);
    }
  }

  seek(view: SortedSetView, skip: number, most: number): number {
    const { large } = view;
    const count = large === null || !large.index.isOneScore || skip > STEPPED_OVER_MAX
      ? -1
      : this.#seekMembers(view, skip, most);
    return count >= 0 ? count : seekRanks(this, view, skip, most);
  }

  #seekMembers(view: SortedSetView, skip: number, most: number): number {
    const { reverse } = this;
    const from = this.#bound(nearEnd, reverse ? this.#max : this.#min);
    const to = this.#bound(farEnd, reverse ? this.#min : this.#max);
    // Beyond the end of the set at which the walk begins, or before the one at which it ends, there is nothing.
    const isEmpty = from.mark === (reverse ? MINUS : PLUS) || to.mark === (reverse ? PLUS : MINUS);
    return isEmpty ? 0 : view.seekMembers(from, to, reverse, skip, most);
  }

  #bound(bound: LexBound, word: number): LexBound {
    const { bytes, starts, lengths } = this.#words;
    bound.bytes = bytes;
    bound.mark = bytes[starts[word]];
    bound.offset = starts[word] + 1;
    bound.length = lengths[word] - 1;
    bound.exclusive = bound.mark === EXCLUSIVE;
    bound.isEnd = bound.mark === PLUS || bound.mark === MINUS;
    return bound;
  }

  locate(view: SortedSetView, skip: number, most: number): void {
    if (isOneScore(view)) {
      this.#locateByBounds(view);
      leaveOut(this, skip);
    } else this.#walk(view, skip, most);
  }

  countIn(view: SortedSetView): number {
    // Of a large set Redis counts all between the two bounds, without a walk.
    if (view.large === null && !isOneScore(view)) this.#walk(view, 0, Infinity);
    else if (isOneScore(view) || this.#mayHave(view)) this.#locateByBounds(view);
    else return 0;
    return this.count;
  }

  #locateByBounds(view: SortedSetView): void {
    const first = this.#countBelow(view, this.#min, false);
    const end = this.#countBelow(view, this.#max, true);
    this.first = first;
    this.count = Math.max(0, end - first);
  }

  /** The way through a set of unequal scores. */
  #walk(view: SortedSetView, skip: number, most: number): void {
    this.first = 0;
    this.count = 0;
    if (!this.#mayHave(view)) return;
    const begin = this.#beginOfWalk(view);
    if (begin < 0 || !view.seek(begin) || !this.#isAboveMin(view) || !this.#isBelowMax(view)) {
      return;
    }
    const from = this.reverse ? begin - skip : begin + skip;
    if (from < 0 || !view.seek(from)) return;
    let count = 0;
    while (count < most && (this.reverse ? this.#isAboveMin(view) : this.#isBelowMax(view))) {
      count++;
      if (!(this.reverse ? view.prev() : view.next())) break;
    }
    this.first = this.reverse ? from - count + 1 : from;
    this.count = count;
  }

  /** False when the bounds contradict each other, or leave out the lowest or the highest member. */
  #mayHave(view: SortedSetView): boolean {
    const { bytes, starts } = this.#words;
    const order = this.#compareBounds();
    const isOpen = bytes[starts[this.#min]] === EXCLUSIVE || bytes[starts[this.#max]] === EXCLUSIVE;
    if (order > 0 || (order === 0 && isOpen)) return false;
    return view.seek(view.count - 1) && this.#isAboveMin(view) &&
      view.seek(0) && this.#isBelowMax(view);
  }

  /** The rank to begin at; -1 or `view.count` when there is none. */
  #beginOfWalk(view: SortedSetView): number {
    if (view.large !== null) {
      return this.reverse
        ? this.#countBelow(view, this.#max, true) - 1
        : this.#countBelow(view, this.#min, false);
    }
    let rank = this.reverse ? view.count - 1 : 0;
    let on = view.seek(rank);
    while (on && !(this.reverse ? this.#isBelowMax(view) : this.#isAboveMin(view))) {
      rank += this.reverse ? -1 : 1;
      on = this.reverse ? view.prev() : view.next();
    }
    return rank;
  }

  /** Whether the view's member is within the lower bound. */
  #isAboveMin(view: SortedSetView): boolean {
    return this.#compare(view, this.#min) > 0;
  }

  /** Whether the view's member is within the upper bound. */
  #isBelowMax(view: SortedSetView): boolean {
    return this.#compare(view, this.#max) < 0;
  }

  /** The view's member beside a bound: a bound that it belongs to counts as beyond it. */
  #compare(view: SortedSetView, word: number): number {
    const { bytes, starts, lengths } = this.#words;
    const start = starts[word];
    const mark = bytes[start];
    if (mark === MINUS) return 1;
    if (mark === PLUS) return -1;
    const order = compareBytes(
      view.bytes,
      view.offset,
      view.length,
      bytes,
      start + 1,
      lengths[word] - 1,
    );
    if (order !== 0 || mark === EXCLUSIVE) return order;
    return word === this.#min ? 1 : -1;
  }

  #compareBounds(): number {
    const { bytes, starts, lengths } = this.#words;
    const place = (word: number) => PLACE_OF_MARK[bytes[starts[word]]] ?? 0;
    const difference = place(this.#min) - place(this.#max);
    if (difference !== 0 || place(this.#min) !== 0) return difference;
    const [min, max] = [this.#min, this.#max];
    return compareBytes(
      bytes,
      starts[min] + 1,
      lengths[min] - 1,
      bytes,
      starts[max] + 1,
      lengths[max] - 1,
    );
  }

  /** Members before a bound; one that is the bound itself counts when it belongs to that side. */
  #countBelow(view: SortedSetView, word: number, isMax: boolean): number {
    const { bytes, starts, lengths } = this.#words;
    const start = starts[word];
    const mark = bytes[start];
    if (mark === MINUS) return 0;
    if (mark === PLUS) return view.count;
    return view.countBelowMember(
      bytes,
      start + 1,
      lengths[word] - 1,
      isMax === (mark === INCLUSIVE),
    );
  }
}

/** Where "-" and "+" lie beside bounds that are bytes. */
const PLACE_OF_MARK: Record<number, number> = { [MINUS]: -1, [PLUS]: 1 };

/** Whether all members have the same score; a set is ordered by it. */
function isOneScore(view: SortedSetView): boolean {
  if (view.large !== null) return view.large.index.isOneScore;
  if (!view.seek(0)) return true;
  const lowest = view.score;
  view.seek(view.count - 1);
  return view.score === lowest;
}

function isLexBound(words: Words, word: number): boolean {
  const length = words.lengths[word];
  if (length === 0) return false;
  const mark = words.bytes[words.starts[word]];
  return mark === EXCLUSIVE || mark === INCLUSIVE ||
    (length === 1 && (mark === MINUS || mark === PLUS));
}

export const rankRange = new RankRange();
export const scoreRange = new ScoreRange();
export const lexRange = new LexRange();
