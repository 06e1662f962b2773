/** LCS: the longest common subsequence of two strings. */

import { TYPE_STRING } from "../../arena/record.ts";
import { commonLength, type CommonRun, commonRuns } from "../../base/common_subsequence.ts";
import type { Call } from "../../dispatch/call.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keyRange } from "../../dispatch/key_specs.ts";

/**
 * `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`. The subsequence itself, or its length,
 * or with IDX where its runs lie in both strings, last run first. Missing keys count as empty.
 *
 * Errors: not strings; LEN together with IDX; a table of 4 bytes per pair of bytes that would be larger
 * than the longest string allowed.
 *
 * @see {@link https://redis.io/docs/latest/commands/lcs/}
 */
export const lcs = defineCommand({
  name: "lcs",
  group: "string",
  since: "7.0.0",
  summary: "Finds the longest common subsequence of two strings",
  complexity: "O(N*M)",
  arity: -3,
  flags: ["readonly"],
  keys: [keyRange("RO access", 1, 1)],
  args: "key1:key key2:key [LEN] [IDX] [MINMATCHLEN len:integer] [WITHMATCHLEN]",
  run: runLcs,
});

function runLcs(call: Call): void {
  const { words, reply, server } = call;
  const a = readOperand(call, 1);
  const b = readOperand(call, 2);
  let wantsLength = false;
  let wantsRuns = false;
  let wantsRunLengths = false;
  let runLengthMin = 0;
  for (let i = 3; i < words.count; i++) {
    if (words.is(i, "idx")) wantsRuns = true;
    else if (words.is(i, "len")) wantsLength = true;
    else if (words.is(i, "withmatchlen")) wantsRunLengths = true;
    else if (words.is(i, "minmatchlen") && i + 1 < words.count) {
      runLengthMin = call.clampedInteger(++i);
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  if (wantsRuns && wantsLength) {
    return reply.error("ERR If you want both the length and indexes, please just use IDX.");
  }
  if ((a.length + 1) * (b.length + 1) * 4 > server.keyspace.limits.stringBytesMax) {
    return reply.error(
      "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
    );
  }
  if (wantsLength) return reply.integer(commonLength(a, b));
  const all = commonRuns(a, b);
  if (!wantsRuns) return reply.bulk(commonBytes(a, all));

  const runs = all.filter((run) => run.length >= runLengthMin);
  reply.map(2);
  reply.bulkText("matches");
  reply.array(runs.length);
  for (const run of runs) {
    reply.array(wantsRunLengths ? 3 : 2);
    for (const start of [run.startA, run.startB]) {
      reply.array(2);
      reply.integer(start);
      reply.integer(start + run.length - 1);
    }
    if (wantsRunLengths) reply.integer(run.length);
  }
  reply.bulkText("len");
  reply.integer(totalLength(all));
}

/** A copy of the string at the key of word `index`: looking up the other key may move this one. */
function readOperand({ database, words }: Call, index: number): Uint8Array {
  const ref = database.lookupRead(words.bytes, words.starts[index], words.lengths[index]);
  if (ref === 0) return new Uint8Array(0);
  if (database.typeOf(ref) !== TYPE_STRING) {
    throw new ReplyError("ERR The specified keys must contain string values");
  }
  const bytes = database.locateString(ref);
  return bytes.slice(database.stringOffset, database.stringOffset + database.stringLength);
}

/** The subsequence itself, put together from its last run to its first. */
function commonBytes(a: Uint8Array, runs: CommonRun[]): Uint8Array {
  const found = new Uint8Array(totalLength(runs));
  let end = found.length;
  for (const { startA, length } of runs) {
    end -= length;
    found.set(a.subarray(startA, startA + length), end);
  }
  return found;
}

function totalLength(runs: CommonRun[]): number {
  return runs.reduce((sum, run) => sum + run.length, 0);
}
