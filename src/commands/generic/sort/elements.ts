/** Reads the elements of what SORT can sort, one after the other, in the order they lie in. */

import { TYPE_LIST, TYPE_SET } from "../../../arena/record.ts";
import type { Database } from "../../../keyspace/database.ts";
import { type ElementSink, listView, writeEntry } from "../../../keyspace/list.ts";
import { setView } from "../../../keyspace/set.ts";
import { sortedSetView } from "../../../keyspace/sorted_set.ts";

/** Number of elements of a list, set or sorted set. */
export function countElements(database: Database, ref: number): number {
  switch (database.typeOf(ref)) {
    case TYPE_LIST:
      return listView.open(database, ref).length;
    case TYPE_SET:
      setView.open(database, ref);
      return setView.count;
    default:
      return sortedSetView.open(database, ref).count;
  }
}

/**
 * Hands on the elements from index `from` to before `to`, which must be there, of a list, set or
 * sorted set. With `isReversed` counts and goes from the last one back; a set has no such order.
 */
export function readElements(
  database: Database,
  ref: number,
  from: number,
  to: number,
  isReversed: boolean,
  sink: ElementSink,
): void {
  if (from >= to) return;
  switch (database.typeOf(ref)) {
    case TYPE_LIST:
      return readList(database, ref, from, to, isReversed, sink);
    case TYPE_SET:
      return readSet(database, ref, from, to, sink);
    default:
      return readSortedSet(database, ref, from, to, isReversed, sink);
  }
}

function readList(
  database: Database,
  ref: number,
  from: number,
  to: number,
  isReversed: boolean,
  sink: ElementSink,
): void {
  const list = listView.open(database, ref);
  if (!isReversed) return list.writeRange(sink, from, to - from);
  list.seek(-1 - from);
  for (let rest = to - from; rest > 0; rest--) {
    list.read();
    writeEntry(sink);
    if (rest > 1) list.step(true);
  }
}

function readSet(
  database: Database,
  ref: number,
  from: number,
  to: number,
  sink: ElementSink,
): void {
  let index = 0;
  setView.open(database, ref);
  setView.forEach((bytes, offset, length) => {
    if (index >= from) sink.bulk(bytes, offset, length);
    return ++index >= to;
  });
}

function readSortedSet(
  database: Database,
  ref: number,
  from: number,
  to: number,
  isReversed: boolean,
  sink: ElementSink,
): void {
  const set = sortedSetView.open(database, ref);
  set.seek(isReversed ? set.count - 1 - from : from);
  for (let rest = to - from; rest > 0; rest--) {
    sink.bulk(set.bytes, set.offset, set.length);
    if (rest > 1) isReversed ? set.prev() : set.next();
  }
}
