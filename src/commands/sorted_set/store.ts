/** What the commands that store a sorted set have in common. */

import type { Call } from "../../dispatch/call.ts";
import { EVENT_ZSET } from "../../base/event_classes.ts";
import { storeSortedSet } from "../../keyspace/sorted_set.ts";
import type { ScoredElements } from "../../values/scored_elements.ts";
import type { SortedSet } from "../../values/sorted_set.ts";

/**
 * Stores the result of a command at the key in word `key`, or removes that key, and answers its size.
 * Storing counts as so many `changes`.
 */
export function storeResult(
  call: Call,
  set: SortedSet | ScoredElements,
  event: string,
  key = 1,
  changes = 1,
): void {
  const { words, reply, database } = call;
  const { bytes, starts, lengths } = words;
  const { count } = set;
  if (count === 0) database.remove(bytes, starts[key], lengths[key]);
  else {
    storeSortedSet(database, bytes, starts[key], lengths[key], set);
    database.changed(bytes, starts[key], lengths[key], EVENT_ZSET, event, changes);
  }
  reply.integer(count);
}
