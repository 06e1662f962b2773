/** HDEL: taking fields out of a hash. */

import { TYPE_HASH } from "../../arena/record.ts";
import type { Call } from "../../dispatch/call.ts";
import { EVENT_GENERIC, EVENT_HASH } from "../../base/event_classes.ts";
import { hashView } from "../../keyspace/hash.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

/**
 * `HDEL key field …`: answers how many fields were there. The key goes with the last field.
 *
 * @see {@link https://redis.io/docs/latest/commands/hdel/}
 */
export const hdel = defineCommand({
  name: "hdel",
  group: "hash",
  since: "2.0.0",
  history: [["2.4.0", "several fields"]],
  summary: "Removes fields from a hash",
  complexity: "O(N) with N fields named",
  arity: -3,
  flags: ["write", "fast"],
  keys: [oneKey("RW delete")],
  elementWord: 2,
  args: "key field...",
  run: runHdel,
});

function runHdel({ database, words, reply }: Call): void {
  const { bytes, starts, lengths, count } = words;
  const keyAt = starts[1];
  const keyLength = lengths[1];
  const ref = database.lookupWrite(bytes, keyAt, keyLength);
  if (ref === 0) return reply.integer(0);
  if (database.typeOf(ref) !== TYPE_HASH) return reply.error(WRONG_TYPE);
  hashView.openToWrite(database, ref);
  let removed = 0;
  for (let i = 2; i < count; i++) {
    if (hashView.remove(bytes, starts[i], lengths[i])) removed++;
  }
  if (removed > 0) {
    hashView.measure();
    const isEmpty = hashView.count === 0;
    database.changed(bytes, keyAt, keyLength, EVENT_HASH, "hdel", removed);
    if (isEmpty) {
      database.removeRecord(hashView.ref, bytes, keyAt, keyLength, EVENT_GENERIC, "del", 0);
    }
  }
  reply.integer(removed);
}
