/** HSCAN: walking a hash by cursor. */

import type { Call } from "../../dispatch/call.ts";
import { hashView } from "../../keyspace/hash.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import { emptyScan, parseScanOptions, scanCursor } from "../scan.ts";

/**
 * `HSCAN key cursor [MATCH pattern] [COUNT count]`: fields with their values; MATCH looks at fields.
 *
 * @see {@link https://redis.io/docs/latest/commands/hscan/}
 */
export const hscan = defineCommand({
  name: "hscan",
  group: "hash",
  since: "2.8.0",
  summary: "Walks the fields of a hash in steps",
  complexity: "O(1) for a step, O(N) for a whole walk over N fields",
  arity: -3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO access")],
  args: "key cursor:integer [MATCH pattern] [COUNT count:integer]",
  run: runHscan,
});

function runHscan(call: Call): void {
  const { database, words, reply } = call;
  const cursor = scanCursor(call, 2);
  if (!hashView.openRead(database, words.bytes, words.starts[1], words.lengths[1])) {
    return emptyScan(reply);
  }
  const scan = parseScanOptions(call, 3);
  scan.begin();
  const { large, field, value } = hashView;
  let next = 0;
  if (large !== null) {
    next = scan.walkTable(large.dict, cursor, (record) => {
      if (large.due !== null && hashView.isOver(large.expiryOf(record))) return;
      large.readField(record, field);
      if (!scan.matches(field.bytes, field.offset, field.length)) return;
      scan.add(field.bytes, field.offset, field.length);
      large.readValue(record, value);
      scan.add(value.bytes, value.offset, value.length);
    });
  } else {
    hashView.forEach((f, fOffset, fLength, v, vOffset, vLength) => {
      if (!scan.matches(f, fOffset, fLength)) return;
      scan.add(f, fOffset, fLength);
      scan.add(v, vOffset, vLength);
    });
  }
  scan.finish(reply, next);
}
