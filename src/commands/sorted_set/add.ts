/** Commands that give members scores: ZADD and ZINCRBY. */

import type { Database } from "../../keyspace/database.ts";
import type { Call } from "../../dispatch/call.ts";
import { tryAllocating } from "../../base/refused.ts";
import { EVENT_ZSET } from "../../base/event_classes.ts";
import {
  PUT_ADDED,
  PUT_GREATER,
  PUT_INCREMENT,
  PUT_LESS,
  PUT_NAN,
  PUT_NEW,
  PUT_OLD,
  PUT_REFUSED,
  PUT_UPDATED,
  sortedSetView as view,
} from "../../keyspace/sorted_set.ts";
import { NOT_A_FLOAT, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { parseScore } from "../../values/score.ts";
import type { Words } from "../../resp/words.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { replyScore } from "./score_reply.ts";

const NX_WITH_XX = "ERR XX and NX options at the same time are not compatible";
const GT_WITH_LT = "ERR GT, LT, and/or NX options at the same time are not compatible";
const INCREMENT_OF_MANY = "ERR INCR option supports a single increment-element pair";
const SCORE_IS_NAN = "ERR resulting score is not a number (NaN)";

/**
 * `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`.
 *
 * Answers the number of members added, with CH that of members changed; with INCR the new score, or
 * null when a condition was not met.
 *
 * @see {@link https://redis.io/docs/latest/commands/zadd/}
 */
export const zadd = defineCommand({
  name: "zadd",
  group: "sorted-set",
  since: "1.2.0",
  history: [["2.4.0", "several members"], ["3.0.2", "`XX`, `NX`, `CH` and `INCR`"], [
    "6.2.0",
    "`GT` and `LT`",
  ]],
  summary: "Puts members with their scores into a sorted set",
  complexity: "O(log(N)) per member, N being the size of the sorted set",
  arity: -4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW update")],
  elementWord: 3,
  args: `
    key
    [condition:(NX | XX)@3.0.2]
    [comparison:(GT | LT)@6.2.0]
    [change:CH@3.0.2]
    [increment:INCR@3.0.2]
    score_member:(score:double member)...
  `,
  run: runZadd,
});

function runZadd(call: Call): void {
  const { words } = call;
  let flags = 0;
  let countsChanged = false;
  let at = 2;
  for (; at < words.count; at++) {
    const length = words.lengths[at];
    if (length === 2) {
      if (words.is(at, "nx")) flags |= PUT_NEW;
      else if (words.is(at, "xx")) flags |= PUT_OLD;
      else if (words.is(at, "gt")) flags |= PUT_GREATER;
      else if (words.is(at, "lt")) flags |= PUT_LESS;
      else if (words.is(at, "ch")) countsChanged = true;
      else break;
    } else if (length === 4 && words.is(at, "incr")) flags |= PUT_INCREMENT;
    else break;
  }
  put(call, at, flags, countsChanged);
}

/**
 * `ZINCRBY key increment member`. Answers the new score.
 *
 * @see {@link https://redis.io/docs/latest/commands/zincrby/}
 */
export const zincrby = defineCommand({
  name: "zincrby",
  group: "sorted-set",
  since: "1.2.0",
  summary: "Raises or lowers the score of a member, which is added at 0 if missing",
  complexity: "O(log(N)), N being the size of the sorted set",
  arity: 4,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  elementWord: 3,
  args: "key increment:integer member",
  run: runZincrby,
});

function runZincrby(call: Call): void {
  put(call, 2, PUT_INCREMENT, false);
}

/** Scores of the request, read before anything is changed. */
let scores = new Float64Array(64);
/** What has become of each pair. */
let outcomes = new Int8Array(64);

/** Takes back the first `count` members, in words as `putMembers` has them, by their `outcomes`; `scores` are those before. */
function undo(
  { bytes, starts, lengths }: Words,
  first: number,
  step: number,
  count: number,
): void {
  const wordOf = (i: number) => first + i * step;
  let lost = 0;
  for (let i = count - 1; i >= 0; i--) {
    const word = wordOf(i);
    if (outcomes[i] === PUT_ADDED) view.remove(bytes, starts[word], lengths[word]);
  }
  for (let i = count - 1; i >= 0; i--) {
    const word = wordOf(i);
    if (outcomes[i] !== PUT_UPDATED) continue;
    // Only if it is there: a member that is named twice may have been new.
    const restore = () => view.put(bytes, starts[word], lengths[word], scores[i], PUT_OLD);
    if (!tryAllocating(restore)) lost++;
  }
  view.settle();
  if (lost > 0) {
    throw new Error(`${lost} scores are not what they were: no memory to undo a change`);
  }
}

/**
 * Puts all members of a request, in words as `putMembers` has them, into the set that is open; if memory is
 * refused, none, and a set that is new to `newIn` goes. Leaves the `outcomes`; answers the last of them.
 */
function putAll(
  words: Words,
  first: number,
  step: number,
  count: number,
  flags: number,
  newIn: Database | null,
): number {
  const { bytes, starts, lengths } = words;
  let i = 0;
  try {
    if (count > outcomes.length) outcomes = new Int8Array(count * 2);
    if (newIn === null) view.mayUndo(count);
    for (; i < count; i++) {
      const word = first + i * step;
      outcomes[i] = view.put(bytes, starts[word], lengths[word], scores[i], flags);
      if (outcomes[i] === PUT_UPDATED) scores[i] = view.oldScore; // to undo it
    }
  } catch (error) {
    if (newIn === null) undo(words, first, step, i);
    else newIn.takeBack(view.ref);
    throw error;
  } finally {
    if (newIn === null) view.mayUndo(0);
  }
  return outcomes[count - 1];
}

/** Room for as many scores, for `putMembers`, after which they are those from before. */
export function roomForScores(count: number): Float64Array {
  if (count > scores.length) scores = new Float64Array(count * 2);
  return scores;
}

/** What ZADD and ZINCRBY have in common; pairs of scores and members begin at word `first`. */
function put(call: Call, first: number, flags: number, countsChanged: boolean): void {
  const { words, reply } = call;
  const { bytes, starts, lengths } = words;
  const pairs = (words.count - first) >> 1;
  if (pairs === 0 || pairs << 1 !== words.count - first) return reply.error(SYNTAX_ERROR);
  if (flags !== 0) {
    const isNew = (flags & PUT_NEW) !== 0;
    const isGreater = (flags & PUT_GREATER) !== 0;
    const isLess = (flags & PUT_LESS) !== 0;
    if (isNew && (flags & PUT_OLD) !== 0) return reply.error(NX_WITH_XX);
    if ((isGreater && isNew) || (isLess && isNew) || (isGreater && isLess)) {
      return reply.error(GT_WITH_LT);
    }
    if ((flags & PUT_INCREMENT) !== 0 && pairs > 1) return reply.error(INCREMENT_OF_MANY);
  }
  roomForScores(pairs);
  for (let i = 0; i < pairs; i++) {
    const word = first + (i << 1);
    const score = parseScore(bytes, starts[word], lengths[word]);
    if (score !== score) return reply.error(NOT_A_FLOAT);
    scores[i] = score;
  }
  putMembers(call, pairs, first + 1, 2, flags, countsChanged);
}

/**
 * Gives the members in word `first`, `first + step`, ... the scores that `roomForScores` holds, by the
 * conditions in `flags` (PUT_*), and answers as ZADD does. Answers how many members were changed.
 */
export function putMembers(
  call: Call,
  count: number,
  first: number,
  step: number,
  flags: number,
  countsChanged: boolean,
): number {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const isIncrement = (flags & PUT_INCREMENT) !== 0;
  const isThere = view.openWrite(database, bytes, starts[1], lengths[1]);
  if (isThere) {
    view.beforeWrite();
    view.makeRoom(count);
  } else if ((flags & PUT_OLD) !== 0) {
    if (isIncrement) reply.null();
    else reply.integer(0);
    return 0;
  } else {
    view.create(database, bytes, starts[1], lengths[1], count, lengths[first]);
  }

  let outcome = PUT_REFUSED;
  let added = 0;
  let updated = 0;
  if (isThere && count === 1) {
    outcome = view.put(bytes, starts[first], lengths[first], scores[0], flags);
    if (outcome === PUT_ADDED) added = 1;
    else if (outcome === PUT_UPDATED) updated = 1;
  } else {
    outcome = putAll(words, first, step, count, flags, isThere ? null : database);
    for (let i = 0; i < count; i++) {
      if (outcomes[i] === PUT_ADDED) added++;
      else if (outcomes[i] === PUT_UPDATED) updated++;
    }
  }
  view.settle();
  if (added + updated > 0) {
    const event = isIncrement ? "zincr" : "zadd";
    database.changed(bytes, starts[1], lengths[1], EVENT_ZSET, event, added + updated);
  }

  if (!isIncrement) reply.integer(countsChanged ? added + updated : added);
  else if (outcome === PUT_NAN) reply.error(SCORE_IS_NAN);
  else if (outcome === PUT_REFUSED) reply.null();
  else replyScore(reply, view.score);
  return added + updated;
}
