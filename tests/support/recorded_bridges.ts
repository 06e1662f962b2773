/**
 * Recorded links between tsredis and servers of other versions: where they lie, with which arguments they were recorded
 * and are played, and what stands in them beside bytes. Recorded by tests/compat/record_links.ts, played by
 * tests/process/recorded_bridges_test.ts.
 */

import { latin1 } from "../../src/base/bytes.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { SnapshotScan } from "../../src/rdb/scan.ts";

/** How the two servers of a recorded link stood to each other: its file is named `served-…` or `followed-…`. */
export type Part = "served" | "followed";

/** tsredis as master of such a link. How fast a link is, on which compression depends, differs each time. */
export const SERVED_ARGS: readonly string[] = [
  "--rdbcompression",
  "no",
  "--repl-diskless-sync",
  "yes",
  "--repl-ping-replica-period",
  "3600",
];

export function fileName(part: Part, version: string): string {
  return `${part}-${version.replaceAll(".", "-")}`;
}

/** What both servers held in the end. */
export function digestNote(digest: string): string {
  return `both servers answer DEBUG DIGEST with ${digest}`;
}

export function digestIn(note: string): string | undefined {
  return /^both servers answer DEBUG DIGEST with ([0-9a-f]{40})$/.exec(note)?.[1];
}

/** When a consumer was there or has got an entry: an integer of 64 bits that is a time in ms between 2025 and 2039. */
// deno-lint-ignore no-control-regex
const RECENT = /[^]{4}[\x95-\xff]\x01\0\0/g;

/** What is in a snapshot, whatever the order of its keys: its version, and by "database/key" each key's record. */
export function contentOfSnapshot(rdb: string): Record<string, string> {
  const bytes = latin1(rdb);
  const content: Record<string, string> = { version: rdb.slice(0, 9) };
  const scan = new SnapshotScan(RdbReader.fromBytes(bytes), {
    onKey: ({ databaseIndex, keyText, recordAt, offset }) =>
      content[`${databaseIndex}/${keyText}`] = rdb.slice(recordAt, offset)
        .replace(RECENT, "<recently>"),
    onLibrary: (name) => content[`library ${name}`] = "",
  });
  scan.run();
  return content;
}
