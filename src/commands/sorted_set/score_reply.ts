/** Scores and members in replies. */

import type { SortedSetView } from "../../keyspace/sorted_set.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { scoreToText } from "../../values/score.ts";

/** Writes a score: a double in RESP3, its shortest text in RESP2. */
export function replyScore(reply: ReplyWriter, score: number): void {
  // Whole scores are the usual case and need no string; -0 is not among them.
  if (
    reply.resp === 2 && Number.isSafeInteger(score) && (score !== 0 || Object.is(score, 0))
  ) {
    reply.bulkInteger(score);
  } else if (reply.resp === 2) reply.bulkText(scoreToText(score));
  else reply.double(score);
}

/** Announces `count` elements: with scores they are pairs, which RESP2 gets flat. */
export function replyElementsHeader(reply: ReplyWriter, count: number, withScores: boolean): void {
  reply.array(withScores && reply.resp === 2 ? count * 2 : count);
}

/** What stands on an element. */
type OnElement = Pick<SortedSetView, "bytes" | "offset" | "length" | "score">;

/** Writes the element the view stands on, announced by `replyElementsHeader`. */
export function replyElement(reply: ReplyWriter, view: OnElement, withScores: boolean): void {
  if (!withScores) {
    reply.bulk(view.bytes, view.offset, view.length);
    return;
  }
  if (reply.resp !== 2) reply.array(2);
  reply.bulk(view.bytes, view.offset, view.length);
  replyScore(reply, view.score);
}
