/**
 * Goes through a snapshot key by key: each is loaded into an otherwise empty keyspace, shown, and removed again. So a
 * snapshot of any size takes the memory of its largest value.
 */

import type { Draw } from "../../base/clock.ts";
import { hashBytes } from "../../base/hash.ts";
import type { Database } from "../../keyspace/database.ts";
import { Keyspace } from "../../keyspace/keyspace.ts";
import { WriteStream } from "../../propagation/write_stream.ts";
import { OPCODE_AUX } from "../../rdb/format.ts";
import { LOAD_WHOLE } from "../../rdb/kinds/value_load.ts";
import { ValueReader } from "../../rdb/load_value.ts";
import { FileSource, RdbReader } from "../../rdb/reader.ts";
import { SnapshotParser } from "../../rdb/snapshot_parser.ts";
import { toLatin1 } from "../../base/bytes.ts";
import type { Files, Runtime } from "../../runtime/runtime.ts";
import type { DatasetVisitor, ShownKey } from "./dataset.ts";
import type { Progress } from "../progress.ts";

/** Nothing here is drawn by chance. */
const NO_DRAW: Draw = () => 0;
/** A slice of a walk takes about so many ms, then others have their turn. */
const SLICE_MS = 20;
/** What a file is read into before its first key is known. */
const HEAD_WINDOW_BYTES = 64 * 1024;

/** What a snapshot says of itself. */
export interface SnapshotHead {
  readonly version: number;
  readonly aux: ReadonlyMap<string, string>;
}

/** Reads what stands before the first key. @throws RdbError */
export function snapshotHead(files: Files, path: string): SnapshotHead {
  using file = files.open(path, "read");
  const reader = RdbReader.fromSource(new FileSource(file), {
    checksum: false,
    windowBytes: HEAD_WINDOW_BYTES,
  });
  const version = reader.readHeader();
  const aux = new Map<string, string>();
  while (reader.readByte() === OPCODE_AUX) {
    const name = nextString(reader);
    aux.set(name, nextString(reader));
  }
  return { version, aux };
}

function nextString(reader: RdbReader): string {
  reader.readString();
  return toLatin1(reader.strBuf, reader.strOff, reader.strLen);
}

/** Where a walk has come to its end. */
export interface WalkedSnapshot {
  readonly keys: number;
  /** Bytes of the file behind the snapshot, and the first of them (-1: none). */
  readonly bytesBehind: number;
  readonly firstBehind: number;
}

/** Shows all there is in a snapshot. Rejects with an RdbError, or with what the visitor throws. */
export async function walkSnapshot(
  runtime: Runtime,
  path: string,
  visitor: DatasetVisitor,
  progress: Progress,
): Promise<WalkedSnapshot> {
  using file = runtime.files.open(path, "read");
  const sizeBytes = file.sizeBytes();
  const keyspace = new Keyspace(1, runtime.clock, NO_DRAW, new WriteStream());
  const reader = RdbReader.fromSource(new FileSource(file));
  const walk = new SnapshotWalk(reader, keyspace, visitor);
  const now = () => runtime.clock.monotonic();
  while (!walk.step(now() + SLICE_MS, now)) {
    if (progress.isDue()) await progress.show(walk.offset, walk.keys);
  }
  const bytesBehind = sizeBytes - walk.offset;
  const firstBehind = bytesBehind > 0 ? reader.readByte() : -1;
  return { keys: walk.keys, bytesBehind, firstBehind };
}

class SnapshotWalk extends SnapshotParser {
  keys = 0;
  readonly #visitor: DatasetVisitor;
  readonly #place: Database;
  readonly #shown: ShownKey;

  constructor(reader: RdbReader, keyspace: Keyspace, visitor: DatasetVisitor) {
    super(reader, new ValueReader(keyspace.limits));
    this.values.leavesOut = true;
    this.#visitor = visitor;
    const [place] = keyspace.databases;
    this.#place = place;
    this.#shown = {
      database: 0,
      place,
      ref: 0,
      expiresAtMs: NaN,
      idleSeconds: -1,
      frequency: -1,
    };
  }

  protected override select(index: number): void {
    this.#shown.database = index;
  }

  protected override sized(): void {}

  protected override auxRead(): void {}

  protected override libraryRead(): void {
    const { strBuf, strOff, strLen } = this.reader;
    this.#visitor.library(strBuf.slice(strOff, strOff + strLen));
  }

  protected override moduleRead(name: string): void {
    this.#visitor.moduleData(name);
  }

  protected override keyRead(state: number): void {
    const { key, keyLength: length, expiresAtMs } = this;
    const shown = this.#shown;
    for (const unheld of this.values.unheld) {
      this.#visitor.unheld(unheld, shown.database, toLatin1(key, 0, length));
    }
    // An empty collection is no key: old servers could write one, and none loads it.
    if (state !== LOAD_WHOLE) return;
    const hash = hashBytes(key, 0, length);
    shown.ref = this.values.place(this.#place, key, 0, length, hash, expiresAtMs);
    shown.expiresAtMs = expiresAtMs;
    shown.idleSeconds = this.idleSeconds;
    shown.frequency = this.frequency;
    this.keys++;
    try {
      this.#visitor.key(shown);
    } finally {
      this.#place.takeBack(shown.ref);
    }
  }
}
