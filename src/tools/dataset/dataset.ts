/**
 * A dataset as the tools go through it: libraries first, then key after key, wherever it comes from (a snapshot that is
 * read once from its beginning to its end, or an append-only file that has been loaded).
 */

import type { Database } from "../../keyspace/database.ts";
import type { Unheld } from "../../rdb/unheld.ts";

/** A key, good during the call that shows it. */
export interface ShownKey {
  /** Number of its database in the dataset; `place` is where it lies at present. */
  database: number;
  place: Database;
  ref: number;
  /** Unix time in ms, NaN for none. */
  expiresAtMs: number;
  /** What is said of its use, -1 where nothing is. */
  idleSeconds: number;
  frequency: number;
}

/** Sees a dataset. What it throws ends the walk. */
export interface DatasetVisitor {
  library(code: Uint8Array): void;
  key(key: ShownKey): void;
  /**
   * What of a key has no place here: its value, then no `key` of it comes, or a part that it is shown without. The key in
   * latin1.
   */
  unheld(unheld: Unheld, database: number, key: string): void;
  /** Data of a module beside keys, which nobody can read here. */
  moduleData(module: string): void;
}
