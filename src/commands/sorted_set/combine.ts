/**
 * Unions, intersections and differences of sorted sets, answered or stored. Plain sets may take part:
 * their members have the score 1.
 */

import { TYPE_SET, TYPE_ZSET } from "../../arena/record.ts";
import { hashBytes } from "../../base/hash.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Database } from "../../keyspace/database.ts";
import { SetView } from "../../keyspace/set.ts";
import { SortedSetView, sortedSetView } from "../../keyspace/sorted_set.ts";
import { ReplyError, SYNTAX_ERROR, WRONG_TYPE } from "../../resp/reply_error.ts";
import { parseScore } from "../../values/score.ts";
import { SCORED_ELEMENTS_MAX, ScoredElements } from "../../values/scored_elements.ts";
import { SortedSet } from "../../values/sorted_set.ts";
import type { Words } from "../../resp/words.ts";
import { CombinedInPieces, PieceSource, type PieceVisitor } from "./combined_in_pieces.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { countedKeys, oneKey } from "../../dispatch/key_specs.ts";
import { replyElement, replyElementsHeader } from "./score_reply.ts";
import { storeResult } from "./store.ts";

const WEIGHT_NOT_A_FLOAT = "ERR weight value is not a float";
const NEGATIVE_LIMIT = "ERR LIMIT can't be negative";

/**
 * `ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/zunion/}
 */
export const zunion = defineCommand({
  name: "zunion",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Joins sorted sets and answers with the result",
  complexity: "O(N*log(N)), N being the number of members in all the sets",
  arity: -3,
  flags: ["readonly"],
  keys: [countedKeys("RO access")],
  args: `
    numkeys:integer key...
    [WEIGHTS weight:integer...]
    [AGGREGATE aggregate:(SUM | MIN | MAX)]
    [WITHSCORES]
  `,
  run: runZunion,
});

function runZunion(call: Call): void {
  const request = new Request(call, 1, ANSWERED);
  replyResult(call, union(request), request.withScores);
}

/**
 * `ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/zinter/}
 */
export const zinter = defineCommand({
  name: "zinter",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Intersects sorted sets and answers with the result",
  complexity:
    "O(N*K+M*log(M)), N being the size of the smallest of K sets and M the size of the result",
  arity: -3,
  flags: ["readonly"],
  keys: [countedKeys("RO access")],
  args: `
    numkeys:integer key...
    [WEIGHTS weight:integer...]
    [AGGREGATE aggregate:(SUM | MIN | MAX)]
    [WITHSCORES]
  `,
  run: runZinter,
});

function runZinter(call: Call): void {
  const request = new Request(call, 1, ANSWERED);
  replyResult(call, intersection(request), request.withScores);
}

/**
 * `ZDIFF numkeys key [key ...] [WITHSCORES]`: the first set without the members of the others.
 *
 * @see {@link https://redis.io/docs/latest/commands/zdiff/}
 */
export const zdiff = defineCommand({
  name: "zdiff",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Answers with the members of a sorted set that others do not have",
  complexity:
    "O(N*K+M*log(M)), N being the size of the first of K sets and M the size of the result",
  arity: -3,
  flags: ["readonly"],
  keys: [countedKeys("RO access")],
  args: "numkeys:integer key... [WITHSCORES]",
  run: runZdiff,
});

function runZdiff(call: Call): void {
  const request = new Request(call, 1, ANSWERED | UNWEIGHTED);
  replyResult(call, difference(request), request.withScores);
}

/**
 * `ZINTERCARD numkeys key [key ...] [LIMIT limit]`: the size of the intersection, counted up to the
 * limit (0: no limit).
 *
 * @see {@link https://redis.io/docs/latest/commands/zintercard/}
 */
export const zintercard = defineCommand({
  name: "zintercard",
  group: "sorted-set",
  since: "7.0.0",
  summary: "Counts the members that sorted sets have in common",
  complexity: "O(N*K), N being the size of the smallest of K sets",
  arity: -3,
  flags: ["readonly"],
  keys: [countedKeys("RO access")],
  args: "numkeys:integer key... [LIMIT limit:integer]",
  run: runZintercard,
});

function runZintercard(call: Call): void {
  const request = new Request(call, 1, COUNTED | UNWEIGHTED);
  let count = 0;
  forEachCommon(request, () => ++count === request.limit);
  call.reply.integer(count);
}

/**
 * `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`.
 *
 * Replaces what is at the destination; an empty result removes it.
 *
 * @see {@link https://redis.io/docs/latest/commands/zunionstore/}
 */
export const zunionstore = defineCommand({
  name: "zunionstore",
  group: "sorted-set",
  since: "2.0.0",
  summary: "Joins sorted sets and stores the result",
  complexity: "O(N*log(N)), N being the number of members in all the sets",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), countedKeys("RO access", 2)],
  args: `
    destination:key numkeys:integer key#1...
    [WEIGHTS weight:integer...]
    [AGGREGATE aggregate:(SUM | MIN | MAX)]
  `,
  run: runZunionstore,
});

function runZunionstore(call: Call): void {
  store(call, "zunionstore", 0, union);
}

/**
 * `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`.
 *
 * Replaces what is at the destination; an empty result removes it.
 *
 * @see {@link https://redis.io/docs/latest/commands/zinterstore/}
 */
export const zinterstore = defineCommand({
  name: "zinterstore",
  group: "sorted-set",
  since: "2.0.0",
  summary: "Intersects sorted sets and stores the result",
  complexity:
    "O(N*K+M*log(M)), N being the size of the smallest of K sets and M the size of the result",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), countedKeys("RO access", 2)],
  args: `
    destination:key numkeys:integer key#1...
    [WEIGHTS weight:integer...]
    [AGGREGATE aggregate:(SUM | MIN | MAX)]
  `,
  run: runZinterstore,
});

function runZinterstore(call: Call): void {
  store(call, "zinterstore", 0, intersection);
}

/**
 * `ZDIFFSTORE destination numkeys key [key ...]`.
 *
 * Replaces what is at the destination; an empty result removes it.
 *
 * @see {@link https://redis.io/docs/latest/commands/zdiffstore/}
 */
export const zdiffstore = defineCommand({
  name: "zdiffstore",
  group: "sorted-set",
  since: "6.2.0",
  summary: "Stores the members of a sorted set that others do not have",
  complexity:
    "O(N*K+M*log(M)), N being the size of the first of K sets and M the size of the result",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), countedKeys("RO access", 2)],
  args: "destination:key numkeys:integer key#1...",
  run: runZdiffstore,
});

function runZdiffstore(call: Call): void {
  store(call, "zdiffstore", UNWEIGHTED, difference);
}

// -- words ------------------------------------------------------------------------------

// Which options a command takes, beside WEIGHTS and AGGREGATE.
/** WITHSCORES. */
const ANSWERED = 1;
/** LIMIT. */
const COUNTED = 2;
/** Neither WEIGHTS nor AGGREGATE. */
const UNWEIGHTED = 4;

/** How the scores of a member become one. */
interface Aggregate {
  readonly join: (a: number, b: number) => number;
  /** Whether each set counts with its weight alone. */
  readonly ignoresScores: boolean;
}

/** The sum of both; infinities of both signs make 0. */
function sum(a: number, b: number): number {
  const total = a + b;
  return total === total ? total : 0;
}

// A product of 0 and infinity is no number: comparing so that it never wins is Redis's way.
function lower(a: number, b: number): number {
  return b < a ? b : a;
}

function higher(a: number, b: number): number {
  return b > a ? b : a;
}

const SUM: Aggregate = { join: sum, ignoresScores: false };
const MIN: Aggregate = { join: lower, ignoresScores: false };
const MAX: Aggregate = { join: higher, ignoresScores: false };
const COUNT: Aggregate = { join: sum, ignoresScores: true };

/**
 * What AGGREGATE at word `at` asks for. COUNT came with Redis 8.8: its masters say it, clients cannot, since replicas of
 * 7.0 would not know it. @throws ReplyError
 */
function readAggregate({ words, client }: Call, at: number): Aggregate {
  if (words.is(at, "sum")) return SUM;
  if (words.is(at, "min")) return MIN;
  if (words.is(at, "max")) return MAX;
  if (client.isMaster && words.is(at, "count")) return COUNT;
  throw new ReplyError(SYNTAX_ERROR);
}

/** The words of a call from the number of keys on, and the sets they name. */
class Request {
  readonly sources: Source[] = [];
  aggregate = SUM;
  withScores = false;
  /** 0: no limit. */
  limit = 0;

  /** Reads the words from `at` on; the sets are looked up before the options. @throws ReplyError */
  constructor(call: Call, at: number, options: number) {
    const { words, database } = call;
    const keys = call.clampedInteger(at);
    if (keys < 1) {
      throw new ReplyError(
        `ERR at least 1 input key is needed for '${call.command.fullName}' command`,
      );
    }
    if (keys > words.count - at - 1) throw new ReplyError(SYNTAX_ERROR);
    let word = at + 1;
    for (const end = word + keys; word < end; word++) {
      const place = this.sources.length;
      const { bytes, starts, lengths } = words;
      this.sources.push(new Source(place, database, bytes, starts[word], lengths[word]));
    }
    const takesWeights = (options & UNWEIGHTED) === 0;
    while (word < words.count) {
      const left = words.count - word;
      if (takesWeights && left > keys && words.is(word, "weights")) {
        word++;
        for (const source of this.sources) source.weight = readWeight(call, word++);
      } else if (takesWeights && left > 1 && words.is(word, "aggregate")) {
        this.aggregate = readAggregate(call, word + 1);
        word += 2;
      } else if ((options & ANSWERED) !== 0 && words.is(word, "withscores")) {
        this.withScores = true;
        word++;
      } else if ((options & COUNTED) !== 0 && left > 1 && words.is(word, "limit")) {
        this.limit = call.clampedInteger(word + 1, NEGATIVE_LIMIT);
        if (this.limit < 0) throw new ReplyError(NEGATIVE_LIMIT);
        word += 2;
      } else throw new ReplyError(SYNTAX_ERROR);
    }
  }

  /** The sets, smallest first; scores are aggregated in this order. */
  get bySize(): Source[] {
    return this.sources.toSorted((a, b) => a.count - b.count);
  }
}

function readWeight({ words }: Call, word: number): number {
  const weight = parseScore(words.bytes, words.starts[word], words.lengths[word]);
  if (weight !== weight) throw new ReplyError(WEIGHT_NOT_A_FLOAT);
  return weight;
}

// -- sets -------------------------------------------------------------------------------

/** Sees a member and its score; answering true ends the walk. */
type ElementVisitor = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  score: number,
) => boolean | void;

/** The same, given the hash of the member too. */
type CommonVisitor = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  score: number,
  hash: number,
) => boolean | void;

const sortedViews: SortedSetView[] = [];
const plainViews: SetView[] = [];

/** One of the sets to be combined: sorted, plain, or missing (as if empty). */
class Source {
  readonly count: number = 0;
  weight = 1;
  /** Score of the member that `find` has found. */
  score = 1;
  readonly #sorted: SortedSetView | null = null;
  readonly #plain: SetView | null = null;

  /** `place` counts the sources of a call: the views of each place are kept for the next call. */
  constructor(
    place: number,
    database: Database,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ) {
    const ref = database.lookupRead(bytes, offset, length);
    if (ref === 0) return;
    const type = database.typeOf(ref);
    if (type === TYPE_ZSET) {
      this.#sorted = (sortedViews[place] ??= new SortedSetView()).open(database, ref);
      this.count = this.#sorted.count;
    } else if (type === TYPE_SET) {
      this.#plain = plainViews[place] ??= new SetView();
      this.#plain.open(database, ref);
      this.count = this.#plain.count;
    } else throw new ReplyError(WRONG_TYPE);
  }

  forEach(visit: ElementVisitor): void {
    const view = this.#sorted;
    if (view === null) {
      this.#plain?.forEach((bytes, offset, length) => visit(bytes, offset, length, 1));
      return;
    }
    for (let on = view.first(); on; on = view.next()) {
      if (visit(view.bytes, view.offset, view.length, view.score) === true) return;
    }
  }

  /** Looks a member up; sets `score`. */
  find(bytes: Uint8Array, offset: number, length: number, hash: number): boolean {
    if (this.#sorted === null) {
      return this.#plain !== null && this.#plain.hasHashed(bytes, offset, length, hash);
    }
    if (!this.#sorted.find(bytes, offset, length, hash)) return false;
    this.score = this.#sorted.score;
    return true;
  }
}

// -- storing ----------------------------------------------------------------------------

type Combination = (request: Request) => SortedSet | ScoredElements;

/** From so many members on that are gone through, a result is made in slices, if the client may wait. */
const SLICED_MEMBERS = 20_000;

/** Stores a result, which may have been made while the client waited. */
function store(call: Call, event: string, options: number, combine: Combination): void {
  const { makings } = call.server.dispatcher;
  const made = makings.take(call.client) as SortedSet | null;
  if (made !== null) return storeResult(call, made, event);
  const request = new Request(call, 2, options);
  const keys = request.sources.map((_, place) => 3 + place);
  const isLong = walkedCount(request, combine) >= SLICED_MEMBERS;
  const begin = (database: Database, words: Words) =>
    combineInPieces(request, combine, database, words, keys);
  if (isLong && makings.park(call, keys, begin)) return;
  storeResult(call, combine(request), event);
}

/** How many members a combination goes through. */
function walkedCount({ sources, bySize }: Request, combine: Combination): number {
  if (combine === difference) return sources[0].count;
  if (combine === intersection) return bySize[0].count;
  return sources.reduce((sum, { count }) => sum + count, 0);
}

/** Begins to combine what is at the keys now as a request asks for; null when that is not to be done in pieces. */
function combineInPieces(
  { sources, aggregate }: Request,
  combine: Combination,
  database: Database,
  { bytes, starts, lengths }: Words,
  keys: readonly number[],
): CombinedInPieces | null {
  const taking: PieceSource[] = [];
  for (const [place, key] of keys.entries()) {
    const { weight } = sources[place];
    const source = PieceSource.of(database, bytes, starts[key], lengths[key], weight);
    if (source === null) return null;
    taking.push(source);
  }
  const result = new SortedSet();
  if (combine === difference) {
    const [first, ...others] = taking;
    return new CombinedInPieces(result, [first], () => differing(others, addTo(result)));
  }
  taking.sort((a, b) => a.count - b.count);
  if (combine === intersection) {
    const [smallest, ...others] = taking;
    const visit = common(smallest, others, aggregate, addTo(result));
    return new CombinedInPieces(result, [smallest], () => visit);
  }
  result.reserve(taking[taking.length - 1].count);
  return new CombinedInPieces(result, taking, (source) => uniting(result, source, aggregate));
}

/** Adds members that come once each. */
function addTo(result: SortedSet): PieceVisitor {
  return (bytes, offset, length, score, hash) => {
    result.addOrdered(bytes, offset, length, score, hash);
  };
}

// -- combining --------------------------------------------------------------------------

/** What is asked of a set beside its members. */
interface Asked {
  readonly weight: number;
  readonly score: number;
  find(bytes: Uint8Array, offset: number, length: number, hash: number): boolean;
}

/** Takes the members of a source into a union. */
function uniting(result: SortedSet, { weight }: Asked, aggregate: Aggregate): PieceVisitor {
  return (bytes, offset, length, score, hash) => {
    const value = aggregate.ignoresScores ? weight : weighted(score, weight);
    const ref = result.find(bytes, offset, length, hash);
    if (ref === 0) result.addPending(bytes, offset, length, value, hash);
    else result.setPendingScore(ref, aggregate.join(result.scoreOf(ref), value));
  };
}

/** Of a set's members shows those that all others have, with their aggregated scores. */
function common(
  smallest: Asked,
  others: readonly Asked[],
  { join, ignoresScores }: Aggregate,
  visit: CommonVisitor,
): CommonVisitor {
  return (bytes, offset, length, score, hash) => {
    let value = ignoresScores ? smallest.weight : weighted(score, smallest.weight);
    for (const other of others) {
      if (!other.find(bytes, offset, length, hash)) return;
      value = join(value, ignoresScores ? other.weight : other.score * other.weight);
    }
    return visit(bytes, offset, length, value, hash);
  };
}

/** Of a set's members shows those that none of the others has. */
function differing(others: readonly Asked[], visit: PieceVisitor): PieceVisitor {
  return (bytes, offset, length, score, hash) => {
    for (const other of others) if (other.find(bytes, offset, length, hash)) return;
    visit(bytes, offset, length, score, hash);
  };
}

/** Has a visitor see all members of a source, with their hashes. */
function forEachHashed(source: Source, visit: CommonVisitor): void {
  source.forEach((bytes, offset, length, score) =>
    visit(bytes, offset, length, score, hashBytes(bytes, offset, length))
  );
}

/** A score times its weight; 0 where that is no number. */
function weighted(score: number, weight: number): number {
  const product = score * weight;
  return product === product ? product : 0;
}

/** The result where it has few members at most; kept for the next call. */
const few = new ScoredElements();

function union({ bySize, aggregate }: Request): SortedSet | ScoredElements {
  const most = bySize.reduce((sum, source) => sum + source.count, 0);
  if (most <= SCORED_ELEMENTS_MAX) return unionOfFew(bySize, aggregate);
  const result = new SortedSet();
  result.reserve(bySize[bySize.length - 1].count);
  for (const source of bySize) forEachHashed(source, uniting(result, source, aggregate));
  result.orderAll();
  return result;
}

function unionOfFew(sources: Source[], aggregate: Aggregate): ScoredElements {
  few.clear();
  for (const source of sources) {
    const { weight } = source;
    source.forEach((bytes, offset, length, score) => {
      const value = aggregate.ignoresScores ? weight : weighted(score, weight);
      const hash = hashBytes(bytes, offset, length);
      const found = few.find(bytes, offset, length, hash);
      if (found < 0) few.add(bytes, offset, length, value, hash);
      else few.setScore(found, aggregate.join(few.scoreOf(found), value));
    });
  }
  few.order();
  return few;
}

/** Takes the members of a result in, of which there are `most` at the most. */
function gather(most: number, fill: (add: CommonVisitor) => void): SortedSet | ScoredElements {
  if (most <= SCORED_ELEMENTS_MAX) {
    few.clear();
    fill((bytes, offset, length, score, hash) => few.add(bytes, offset, length, score, hash));
    few.order();
    return few;
  }
  const result = new SortedSet();
  fill((bytes, offset, length, score, hash) => {
    result.addOrdered(bytes, offset, length, score, hash);
  });
  return result;
}

function intersection(request: Request): SortedSet | ScoredElements {
  // They come in the order of the smallest set, which mostly is that of the result.
  return gather(request.bySize[0].count, (add) => forEachCommon(request, add));
}

/** Visits the members that all sets have, with their aggregated scores. */
function forEachCommon({ bySize, aggregate }: Request, visit: CommonVisitor): void {
  const [smallest, ...others] = bySize;
  forEachHashed(smallest, common(smallest, others, aggregate, visit));
}

function difference({ sources }: Request): SortedSet | ScoredElements {
  const [first, ...others] = sources;
  return gather(first.count, (add) => forEachHashed(first, differing(others, add)));
}

function replyResult(
  { reply }: Call,
  result: SortedSet | ScoredElements,
  withScores: boolean,
): void {
  const view = result instanceof SortedSet ? sortedSetView.openDetached(result) : result;
  replyElementsHeader(reply, result.count, withScores);
  for (let on = view.first(); on; on = view.next()) replyElement(reply, view, withScores);
}
