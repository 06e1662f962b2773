/** What the commands that store a sorted set have in common. */

import type { Call } from "../../dispatch/call.ts";
import { EVENT_ZSET } from "../../base/event_classes.ts";
import { storeSortedSet } from "../../keyspace/sorted_set.ts";
import type { ScoredElements } from "../../values/scored_elements.ts";
import type { SortedSet } from "../../values/sorted_set.ts";

/** Stores the result of a command at the key in word 1, or removes that key, and answers its size. */
export function storeResult(call: Call, set: SortedSet | ScoredElements, event: string): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const { count } = set;
  if (count === 0) database.remove(bytes, starts[1], lengths[1]);
  else {
    storeSortedSet(database, bytes, starts[1], lengths[1], set);
    database.changed(bytes, starts[1], lengths[1], EVENT_ZSET, event);
  }
  reply.integer(count);
}
