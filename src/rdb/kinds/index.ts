/**
 * The kinds of values. A new kind is a file beside this one and a line in `KINDS`; its type and its
 * encodings get numbers in arena/record.ts. tests/rdb/kinds_test.ts takes each through everything
 * that goes by this list.
 */

import { hashKind } from "./hash.ts";
import { listKind } from "./list.ts";
import { setKind } from "./set.ts";
import { sortedSetKind } from "./sorted_set.ts";
import { streamKind } from "./stream.ts";
import { stringKind } from "./string.ts";
import type { ValueKind } from "./value_kind.ts";

/** By TYPE_*. */
export const KINDS: readonly ValueKind[] = [
  stringKind,
  listKind,
  setKind,
  sortedSetKind,
  hashKind,
  streamKind,
];

const BY_RDB_TYPE: (ValueKind | undefined)[] = [];
for (const kind of KINDS) for (const rdbType of kind.rdbTypes) BY_RDB_TYPE[rdbType] = kind;

/** The kind of a record, by its meta word. */
export function kindOf(meta: number): ValueKind {
  return KINDS[meta & 0xf];
}

/** The kind that reads a value type of the snapshot format; undefined when none does. */
export function kindOfRdbType(rdbType: number): ValueKind | undefined {
  return BY_RDB_TYPE[rdbType];
}
