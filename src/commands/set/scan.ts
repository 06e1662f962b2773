/** SSCAN: walking a set by cursor. */

import type { Call } from "../../dispatch/call.ts";
import { setView } from "../../keyspace/set.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { emptyScan, parseScanOptions, scanCursor } from "../scan.ts";

/**
 * `SSCAN key cursor [MATCH pattern] [COUNT count]`.
 *
 * @see {@link https://redis.io/docs/latest/commands/sscan/}
 */
export const sscan = defineCommand({
  name: "sscan",
  group: "set",
  since: "2.8.0",
  summary: "Walks the members of a set in steps",
  complexity: "O(1) for a step, O(N) for a whole walk over N members",
  arity: -3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key cursor:integer [MATCH pattern] [COUNT count:integer]",
  run: runSscan,
});

function runSscan(call: Call): void {
  const { database, words, reply } = call;
  const cursor = scanCursor(call, 2);
  if (!setView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return emptyScan(reply);
  }
  const scan = parseScanOptions(call, 3);
  scan.begin();
  const { large } = setView;
  let next = 0;
  if (large !== null) {
    next = scan.walkTable(large, cursor, (record) => {
      const bytes = large.bytesOf(record);
      const offset = large.keyOffset(record);
      const length = large.keyLength(record);
      if (scan.matches(bytes, offset, length)) scan.add(bytes, offset, length);
    });
  } else {
    setView.forEach((bytes, offset, length) => {
      if (scan.matches(bytes, offset, length)) scan.add(bytes, offset, length);
    });
  }
  scan.finish(reply, next);
}
