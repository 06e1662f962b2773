/**
 * Opens what a path stands for, so that a tool can go through its keys: a snapshot, which is read from its beginning to
 * its end each time, or an append-only file, which is loaded into memory, since only its commands together say what
 * there is.
 */

import { randomId } from "../../base/random_id.ts";
import { fromText } from "../../config/parse.ts";
import { Manifest, ManifestError } from "../../aof/manifest.ts";
import type { Database } from "../../keyspace/database.ts";
import { RdbError } from "../../rdb/rdb_error.ts";
import { removeIfThere } from "../../runtime/remove_if_there.ts";
import { problemOf, SystemError } from "../../runtime/system_error.ts";
import type { DatasetVisitor, ShownKey } from "./dataset.ts";
import type { BytesSink } from "../byte_writer.ts";
import { type DataSet, theDataSet } from "../data_files.ts";
import { type ServerAddress, serverAddressOf } from "./server_address.ts";
import { scanServer } from "./server_scan.ts";
import { downloadSnapshot } from "./server_snapshot.ts";
import { Progress } from "../progress.ts";
import { type SnapshotHead, snapshotHead, walkSnapshot } from "./snapshot_walk.ts";
import { Interrupted, type ToolDataset, ToolFailure, type ToolHost } from "../tool.ts";

/** A dataset that can be gone through, as often as need be. */
export interface OpenedDataset {
  /** As it was named. */
  readonly name: string;
  /** The version of the snapshot; null for commands. */
  readonly version: number | null;
  /** Shows all there is. Rejects with a ToolFailure, or with what the visitor throws. */
  walk(visitor: DatasetVisitor, what: string): Promise<void>;
  /** Gives back what it holds. */
  close(): void;
}

/**
 * Opens a file, a folder, or what a running server has; if it `scans`, that is asked for key by key.
 * @throws ToolFailure, UsageError
 */
export async function openDatasetOrServer(
  host: ToolHost,
  word: string,
  scans: boolean,
): Promise<OpenedDataset> {
  const { files, process } = host.runtime;
  const isFile = files.info(word) !== null;
  const address = isFile ? null : serverAddressOf(word, process.environment("REDISCLI_AUTH"));
  return address === null ? await openDataset(host, word) : await openServer(host, address, scans);
}

/** The snapshot of a server, in a file that goes away with it. */
async function openServer(
  host: ToolHost,
  address: ServerAddress,
  scans: boolean,
): Promise<OpenedDataset> {
  const { files, process, fillRandom } = host.runtime;
  const folder = process.environment("TMPDIR") || "/tmp";
  const path = `${folder}/tsredis-${process.id}-${randomId(fillRandom).slice(0, 8)}.rdb`;
  const forget = () => removeIfThere(files, path);
  try {
    using file = failingNow(path, () => files.open(path, "create", 0o600));
    const to: BytesSink = {
      write: (...bytes) => failingNow(path, () => file.write(...bytes)),
    };
    const version = scans ? await scanServer(host, address, to) : null;
    if (!scans) await downloadSnapshot(host, address, to);
    return await failing(address.name, () => {
      const head = snapshotHead(files, path);
      const known = { ...head, version: version ?? head.version };
      return Promise.resolve(new SnapshotDataset(host, path, address.name, known, forget));
    });
  } catch (error) {
    forget();
    throw error;
  }
}

function failingNow<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new ToolFailure(`${name}: ${problemOf(error)}`);
  }
}

/** Opens a file or folder. @throws ToolFailure */
export async function openDataset(host: ToolHost, path: string): Promise<OpenedDataset> {
  const { files } = host.runtime;
  return await failing(path, async () => {
    const set = theDataSet(files, path);
    if (set.kind === "append-only file") {
      return new LogDataset(host, path, await load(host, set));
    }
    const head = snapshotHead(files, set.path);
    if (head.aux.get("aof-preamble") !== "1") {
      return new SnapshotDataset(host, set.path, path, head);
    }
    return new LogDataset(host, path, await load(host, set));
  });
}

/** Runs `work`; what is wrong with a file is told with the name that it was given by. */
async function failing<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RdbError) throw new ToolFailure(`${name}: ${error.what}.${DAMAGED}`);
    if (error instanceof ManifestError || error instanceof SystemError) {
      throw new ToolFailure(`${name}: ${problemOf(error)}`);
    }
    throw error;
  }
}

const DAMAGED = " 'tsredis check' tells more of it.";

class SnapshotDataset implements OpenedDataset {
  readonly version: number;
  readonly #host: ToolHost;
  readonly #path: string;

  /** `close` calls `closed`. */
  constructor(
    host: ToolHost,
    path: string,
    readonly name: string,
    head: SnapshotHead,
    readonly closed: () => void = () => {},
  ) {
    this.version = head.version;
    this.#host = host;
    this.#path = path;
  }

  async walk(visitor: DatasetVisitor, what: string): Promise<void> {
    const { runtime } = this.#host;
    const sizeBytes = runtime.files.info(this.#path)?.sizeBytes ?? 0;
    const progress = new Progress(this.#host, what, sizeBytes);
    try {
      const { bytesBehind, firstBehind } = await failing(
        this.name,
        () => walkSnapshot(runtime, this.#path, visitor, progress),
      );
      if (bytesBehind === 0) return;
      if (firstBehind === COMMAND || firstBehind === COMMENT) {
        throw new ToolFailure(
          `${this.name}: commands follow the snapshot: it is an append-only file; give it a name that ends in .aof.`,
        );
      }
      this.#host.remark(`${this.name}: ${bytesBehind} bytes behind the snapshot are not read.\n`);
    } finally {
      progress.end();
    }
  }

  close(): void {
    this.closed();
  }
}

const COMMAND = 0x2a; // *
const COMMENT = 0x23; // #

async function load(host: ToolHost, set: DataSet): Promise<ToolDataset> {
  const cut = set.path.lastIndexOf("/") + 1;
  let { manifest } = set;
  if (manifest === null) {
    manifest = new Manifest();
    manifest.takeOver(fromText(set.path.slice(cut)));
  }
  const dataset = host.openDataset((line) => host.remark(`${line}\n`));
  const progress = new Progress(host, "Loading", set.totalBytes);
  try {
    await dataset.load({
      folder: set.path.slice(0, cut),
      manifest,
      atWork: async (bytes, keys) => {
        if (progress.isDue()) await progress.show(bytes, keys);
      },
    });
    return dataset;
  } catch (error) {
    dataset.close();
    if (error instanceof Interrupted || error instanceof ToolFailure) throw error;
    throw new ToolFailure(`${set.path}: ${problemOf(error)}.`);
  } finally {
    progress.end();
  }
}

class LogDataset implements OpenedDataset {
  readonly version = null;
  readonly #host: ToolHost;
  readonly #dataset: ToolDataset;

  constructor(host: ToolHost, readonly name: string, dataset: ToolDataset) {
    this.#host = host;
    this.#dataset = dataset;
  }

  async walk(visitor: DatasetVisitor, what: string): Promise<void> {
    const { databases, libraries } = this.#dataset.keyspace;
    for (const code of libraries.codes) visitor.library(code);
    const progress = new Progress(this.#host, what, 0);
    let keys = 0;
    try {
      for (const place of databases) {
        let cursor = 0;
        do {
          cursor = place.table.scan(cursor, (ref) => {
            visitor.key(shown(place, ref));
            keys++;
          });
          if (progress.isDue()) await progress.show(0, keys);
        } while (cursor !== 0);
      }
    } finally {
      progress.end();
    }
  }

  close(): void {
    this.#dataset.close();
  }
}

function shown(place: Database, ref: number): ShownKey {
  const expiresAtMs = place.expiryOf(ref);
  return { database: place.index, place, ref, expiresAtMs, idleSeconds: -1, frequency: -1 };
}
