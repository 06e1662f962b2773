/** What a check finds out of one dataset. reports.ts tells it, as text or as JSON. */

import type { LoadedReplication } from "../../rdb/persistence.ts";
import type { DataPart, DataSet } from "../data_files.ts";
import type { Survey } from "./survey.ts";

/** A key of a snapshot, for messages. */
export interface KeyPlace {
  /** Its bytes. */
  readonly key: Uint8Array;
  readonly database: number;
  readonly type: string;
  /** Where its record begins and ends in the file; `end` is null for one that has not been read to its end. */
  readonly begin: number;
  readonly end: number | null;
}

/** The first place of a file that cannot be read. */
export interface Damage {
  /** What is wrong, without the place. */
  readonly what: string;
  /**
   * "truncated": the file ends too early; "corrupt": it cannot be what a server writes; "checksum": all of it can be
   * read, and something of it has been altered; "unsupported": it is of a version or kind that is not known here;
   * "missing": there is no such file; "refused": it can be read, and a server would not start with it.
   */
  readonly kind: "truncated" | "corrupt" | "checksum" | "unsupported" | "missing" | "refused";
  /** In the file, from 0. */
  readonly offset: number;
  /** The key that was being read. */
  readonly key: KeyPlace | null;
  /** The last key before it that is whole. */
  readonly lastKey: KeyPlace | null;
  /** Up to where everything is whole. */
  readonly soundBytes: number;
}

/** A snapshot, also one that an append-only file begins with. */
export interface SnapshotFindings {
  version: number;
  /** Where it ends: behind its checksum. */
  endBytes: number;
  /** "none" where the writer kept none, or the version has none; "unknown" where the file does not get as far. */
  checksum: "right" | "wrong" | "none" | "unknown";
  readonly aux: Map<string, string>;
  /** Function libraries. */
  readonly libraries: string[];
  /** Modules that keep data beside keys, and types of modules with the number of their keys. */
  readonly modules: Set<string>;
  readonly moduleKeys: Map<string, number>;
  /** What else has no place here, by what it is, with the number of keys that have it. */
  readonly unheld: Map<string, number>;
  /** Jobs that brought slots of a cluster to the server that wrote it. */
  readonly slotImports: string[];
  /** Keys, whatever a server would do with them. */
  keys: number;
  /** Keys whose collection is empty: a server leaves them out. */
  emptyKeys: number;
  /** Keys that the file says a database has. */
  readonly announced: Map<number, number>;
  /** Whether there were too many keys to tell whether one comes twice. */
  isDuplicateUnknown: boolean;
}

export interface CommandCount {
  commands: number;
  bytes: number;
}

/** The commands of an append-only file. */
export interface LogFindings {
  /** Where they begin: behind a snapshot, if there is one. */
  beginBytes: number;
  commands: number;
  readonly byName: Map<string, CommandCount>;
  readonly byDatabase: Map<number, CommandCount>;
  transactions: number;
  /** Where a transaction begins that has no end; null when there is none. A server leaves it out. */
  unfinishedFrom: number | null;
  /** Different keys that the commands name; a lower bound where there are more than `areNamesCounted` says. */
  names: number;
  areNamesCounted: boolean;
  /** Seconds of Unix time that the last annotation names (`aof-timestamp-enabled`); null when there is none. */
  timestamp: number | null;
}

export interface PartFindings {
  readonly part: DataPart;
  snapshot: SnapshotFindings | null;
  log: LogFindings | null;
  damage: Damage | null;
  /** Bytes behind the end of a snapshot that are nothing a server reads. */
  trailingBytes: number;
}

export interface Findings {
  readonly set: DataSet;
  readonly parts: readonly PartFindings[];
  /** Keys of the snapshots; with --load those that the dataset has. */
  readonly survey: Survey;
  /** What the commands have written, by the keys they name; null where there are none. */
  readonly written: Survey["prefixes"] | null;
  readonly replication: LoadedReplication | null;
  /** With --load: whether the commands were run, and what a server would have said of them. */
  readonly isLoaded: boolean;
  readonly remarks: readonly string[];
}

/** Whether a server would load all of it, and read it as it was written. */
export function isSound({ set, parts }: Findings): boolean {
  return set.problem === null &&
    parts.every(({ damage, log }) => damage === null && (log?.unfinishedFrom ?? null) === null);
}
