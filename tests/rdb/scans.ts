/** Scans of snapshots in memory, and what comes of them beside a load. */

import { RdbLoader } from "../../src/rdb/loader.ts";
import { RdbError } from "../../src/rdb/rdb_error.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { type ScanListener, SnapshotScan } from "../../src/rdb/scan.ts";
import { testServer } from "../support/test_server.ts";

/** A window that most values do not fit into, so that they are read on across its end. */
const WINDOW_BYTES = 4096;

/** Scans a whole snapshot. @throws RdbError */
export function scanBytes(
  bytes: Uint8Array,
  listener: ScanListener = {},
  checksum = true,
): SnapshotScan {
  let at = 0;
  const source = {
    fill(buf: Uint8Array, off: number): number {
      const count = Math.min(buf.length - off, bytes.length - at);
      buf.set(bytes.subarray(at, at + count), off);
      at += count;
      return count;
    },
    remaining: () => bytes.length - at,
  };
  const options = { pauses: false, windowBytes: WINDOW_BYTES, checksum };
  const scan = new SnapshotScan(RdbReader.fromSource(source, options), listener);
  scan.run();
  return scan;
}

/**
 * "whole" with the offset of the end, or the kind of error with its place; "database" where there are not as many.
 */
function outcomeOf(read: () => { readonly offset: number }): [string, number] {
  try {
    return ["whole", read().offset];
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    return [error.what.includes("configured to handle") ? "database" : error.kind, error.offset];
  }
}

export function scanOutcome(bytes: Uint8Array, checksum = true): [string, number] {
  return outcomeOf(() => scanBytes(bytes, {}, checksum));
}

/** Of a load that leaves out keys of modules, into a server with more databases than the corpus has. */
export function loadOutcome(bytes: Uint8Array, checksum = true): [string, number] {
  const { keyspace } = testServer({ directives: { databases: 32 } });
  return outcomeOf(() => {
    const reader = RdbReader.fromBytes(bytes, 0, bytes.length, { checksum });
    const loader = new RdbLoader(keyspace, reader, { dropsExpired: false, onUnheld() {} });
    loader.run();
    return loader;
  });
}
