/**
 * Ranges of a sorted set as commands spell them: by rank, by score, by the bytes of members. Each
 * comes down to a run of ranks, so that what is done with a range need not know its kind.
 *
 *     range.read(call, minWord, maxWord);   before the key is looked up: syntax is checked first
 *     range.locate(view);                   then `first` and `count` say which ranks
 *
 * One object of each kind serves all calls.
 */

import { parseDouble } from "../../base/doubles.ts";
import type { Call } from "../../dispatch/call.ts";
import type { SortedSetView } from "../../keyspace/sorted_set.ts";
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
  /** Takes the bounds from two words. @throws ReplyError when one is not of this kind */
  read(call: Call, minWord: number, maxWord: number): void;
  /** Finds the range in a set. */
  locate(view: SortedSetView): void;
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

  locate(view: SortedSetView): void {
    const total = view.count;
    let start = this.#start;
    let stop = this.#stop;
    if (start < 0) start = Math.max(0, start + total);
    if (stop < 0) stop += total;
    if (stop >= total) stop = total - 1;
    this.count = Math.max(0, stop - start + 1);
    this.first = this.reverse ? total - 1 - stop : start;
  }
}

/** Scores: numbers, infinities included, with "(" in front to leave the bound itself out. */
class ScoreRange implements Range {
  first = 0;
  count = 0;
  #min = 0;
  #max = 0;
  #minExclusive = false;
  #maxExclusive = false;

  read({ words }: Call, minWord: number, maxWord: number): void {
    this.#minExclusive = isExclusive(words, minWord);
    this.#maxExclusive = isExclusive(words, maxWord);
    this.#min = readBound(words, minWord, this.#minExclusive);
    this.#max = readBound(words, maxWord, this.#maxExclusive);
  }

  locate(view: SortedSetView): void {
    const first = view.countBelowScore(this.#min, this.#minExclusive);
    const end = view.countBelowScore(this.#max, !this.#maxExclusive);
    this.first = first;
    this.count = Math.max(0, end - first);
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

/**
 * Members by their bytes, where all have one score: "[a" from a on, "(a" from behind a, "-" and "+"
 * for the lowest and highest there are.
 */
class LexRange implements Range {
  first = 0;
  count = 0;
  #words!: Words;
  #min = 0;
  #max = 0;

  read({ words }: Call, minWord: number, maxWord: number): void {
    this.#words = words;
    this.#min = minWord;
    this.#max = maxWord;
    if (!isLexBound(words, minWord) || !isLexBound(words, maxWord)) {
      throw new ReplyError(NOT_A_LEX_RANGE);
    }
  }

  locate(view: SortedSetView): void {
    const first = this.#countBelow(view, this.#min, false);
    const end = this.#countBelow(view, this.#max, true);
    this.first = first;
    this.count = Math.max(0, end - first);
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
