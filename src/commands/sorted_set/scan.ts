/** ZSCAN: walking a sorted set by cursor. */

import type { Call } from "../../dispatch/call.ts";
import { sortedSetView as view } from "../../keyspace/sorted_set.ts";
import { writeText } from "../../base/bytes.ts";
import { writeInteger } from "../../base/integers.ts";
import { scoreToText, scoreToWideText } from "../../values/score.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { emptyScan, parseScanOptions, type Scan, scanCursor } from "../scan.ts";

/**
 * `ZSCAN key cursor [MATCH pattern] [COUNT count]`: members with their scores; MATCH looks at
 * members. Scores are strings in RESP3 too, and those of large sets have 17 digits.
 *
 * @see {@link https://redis.io/docs/latest/commands/zscan/}
 */
export const zscan = defineCommand({
  name: "zscan",
  group: "sorted-set",
  since: "2.8.0",
  summary: "Walks the members of a sorted set in steps",
  complexity: "O(1) for a step, O(N) for a whole walk over N members",
  arity: -3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key cursor:integer [MATCH pattern] [COUNT count:integer]",
  run: runZscan,
});

function runZscan(call: Call): void {
  const { database, words, reply } = call;
  const cursor = scanCursor(call, 2);
  if (!view.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return emptyScan(reply);
  }
  const scan = parseScanOptions(call, 3);
  scan.begin();
  let next = 0;
  const { large } = view;
  if (large !== null) {
    next = scan.walkTable(large.dict, cursor, (ref) => {
      view.readRecord(ref);
      addElement(scan, scoreToWideText);
    });
  } else {
    for (let on = view.first(); on; on = view.next()) addElement(scan, scoreToText);
  }
  scan.finish(reply, next);
}

/** Adds the element the view stands on, if it matches. */
function addElement(scan: Scan, toText: (score: number) => string): void {
  if (!scan.matches(view.bytes, view.offset, view.length)) return;
  scan.add(view.bytes, view.offset, view.length);
  const { score } = view;
  const isWhole = Number.isSafeInteger(score) && !Object.is(score, -0);
  const length = isWhole
    ? writeInteger(scoreText, 0, score)
    : writeText(scoreText, 0, toText(score));
  scan.add(scoreText, 0, length);
}

/** A score on its way into the answer. */
const scoreText = new Uint8Array(64);
