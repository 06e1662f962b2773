/**
 * Where reading can go on behind damage in a snapshot, if that can be told soundly:
 *
 * - "frame": the lengths of the damaged value are intact, only its content is not. Then they say where it ends; that is
 *   believed if from there on four keys can be read, or all up to the end.
 * - "search": the lengths themselves are damaged. Then the next byte is looked for from which everything up to the end
 *   mark at the end of the file can be read, or a thousand keys. As bytes within a damaged value may look like a key by
 *   chance, and the next one then begin where a true one does, the first three keys that are found so are left out.
 *
 * Otherwise there is no such place, and what lies behind the damage is lost.
 */

import {
  OPCODE_EOF,
  OPCODE_EXPIRETIME,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_IDLE,
  OPCODE_KEY_META,
  OPCODE_SELECTDB,
  RDB_VERSION_CHECKSUM,
  TYPE_MAX,
} from "../../rdb/format.ts";
import { HashTemplates } from "../../rdb/kinds/hash_templates.ts";
import { RdbError } from "../../rdb/rdb_error.ts";
import { FileSource, RdbReader } from "../../rdb/reader.ts";
import { SnapshotScan } from "../../rdb/scan.ts";
import { SeenNames } from "../../rdb/seen_names.ts";
import { skipValue } from "../../rdb/skip_value.ts";
import type { OpenFile } from "../../runtime/runtime.ts";

/** Keys behind an intact frame that have to be readable. */
const FRAME_KEYS = 4;
/** Keys behind a place that was searched for, if not all of them are readable. */
const SEARCH_KEYS = 1000;
/** Keys that are left out behind such a place. */
const DOUBTFUL_KEYS = 3;
/** How far is searched. */
export const SEARCH_BYTES = 16 << 20;
/** Bytes that are looked at together. */
const BLOCK_BYTES = 256 * 1024;
/** Windows of trials are small: most of them end soon. */
const TRIAL_WINDOW_BYTES = 4096;
const TRIAL_SLICE_MS = 50;
/** Places that are remembered. */
const DEAD_ENDS_MAX = 1_000_000;
/** Ends a trial. */
const DEAD_END = Symbol("no further");
/** The longest key that a place is taken for one for. */
const KEY_BYTES_MAX = 1 << 20;

/** Where reading goes on. */
export interface Resumption {
  readonly at: number;
  readonly how: "frame" | "search";
  readonly database: number;
  /** Keys that were left out, as they may be none. */
  readonly doubtful: readonly Uint8Array[];
}

/** Where the damage is, and in what. */
export interface Break {
  readonly version: number;
  readonly database: number;
  /** Where the damaged part begins. */
  readonly partAt: number;
  /** Where the type byte of the damaged value stands; -1 when the damage is in something else. */
  readonly valueOf: number;
  readonly valueType: number;
  /** Whether the file was cut off: nothing comes behind. */
  readonly isCut: boolean;
  /** Templates of hashes that have come before it. */
  readonly templates: HashTemplates;
}

/** Called now and then with the byte that has been come to. */
type AtWork = (bytes: number) => Promise<void>;

/** Finds it; null when there is no such place. @throws SystemError, what `atWork` throws */
export async function findResumption(
  file: OpenFile,
  sizeBytes: number,
  broken: Break,
  now: () => number,
  atWork: AtWork,
): Promise<Resumption | null> {
  const search = new Search(file, sizeBytes, broken, now, atWork);
  return await search.byFrame() ?? await search.byTrial();
}

class Search {
  /** Places from which no trial has come far. */
  readonly #deadEnds = new Set<number>();

  constructor(
    readonly file: OpenFile,
    readonly sizeBytes: number,
    readonly broken: Break,
    readonly now: () => number,
    readonly atWork: AtWork,
  ) {}

  async byFrame(): Promise<Resumption | null> {
    const at = this.#frameEnd();
    if (at === null || !await this.#tryAt(at, FRAME_KEYS)) return null;
    return { at, how: "frame", database: this.broken.database, doubtful: [] };
  }

  #frameEnd(): number | null {
    const { valueOf, valueType } = this.broken;
    if (valueOf < 0) return null;
    const reader = this.#readerAt(valueOf);
    try {
      reader.readByte();
      reader.skipString();
      skipValue(reader, valueType);
      return valueOf + reader.offset;
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      return null;
    }
  }

  async byTrial(): Promise<Resumption | null> {
    const { partAt, isCut } = this.broken;
    if (isCut) return null;
    const until = Math.min(this.sizeBytes, partAt + SEARCH_BYTES);
    const block = new Uint8Array(BLOCK_BYTES);
    for (let from = partAt + 1; from < until; from += BLOCK_BYTES - 8) {
      await this.atWork(from);
      this.file.seek(from);
      const length = readFully(this.file, block);
      const end = Math.min(length, BLOCK_BYTES - 8, until - from);
      for (let i = 0; i < end; i++) {
        if (!mayBegin(block, i, length)) continue;
        if (await this.#tryAt(from + i, SEARCH_KEYS)) return this.#behindDoubtful(from + i);
      }
    }
    return null;
  }

  /** Reads on from a place until so many keys have come, or the end; whether either comes. */
  async #tryAt(at: number, keysMin: number): Promise<boolean> {
    if (this.#deadEnds.has(at)) return false;
    const passed = [at];
    const scan = this.#scanAt(at, {
      onKey: (scan) => {
        const next = at + scan.offset;
        if (this.#deadEnds.has(next)) throw DEAD_END;
        passed.push(next);
      },
    });
    const isEnough = () => passed.length > keysMin;
    try {
      while (!isEnough()) {
        const until = this.now() + TRIAL_SLICE_MS;
        const isDone = scan.step(until, () => isEnough() ? Infinity : this.now());
        if (isDone) return at + scan.offset === this.sizeBytes;
        await this.atWork(at + scan.offset);
      }
    } catch (error) {
      if (error !== DEAD_END && !(error instanceof RdbError)) throw error;
    }
    if (!isEnough()) this.#bury(passed);
    return isEnough();
  }

  /** From none of these places one comes far: later trials need not go there again. */
  #bury(places: readonly number[]): void {
    if (this.#deadEnds.size > DEAD_ENDS_MAX) return;
    for (const place of places) this.#deadEnds.add(place);
  }

  /** Behind the first keys at a place that was searched for; null when nothing comes behind them. */
  #behindDoubtful(at: number): Resumption | null {
    const doubtful: Uint8Array[] = [];
    let found: Resumption | null = null;
    const scan = this.#scanAt(at, {
      onKey: (scan) => {
        doubtful.push(scan.key.slice(0, scan.keyLength));
        if (doubtful.length < DOUBTFUL_KEYS) return;
        found = { at: at + scan.offset, how: "search", database: scan.databaseIndex, doubtful };
        throw DEAD_END;
      },
    });
    try {
      scan.run();
    } catch (error) {
      if (error !== DEAD_END) throw error;
    }
    return found;
  }

  #scanAt(at: number, listener: { onKey(scan: SnapshotScan): void }): SnapshotScan {
    const templates = new HashTemplates(this.broken.templates);
    const scan = new SnapshotScan(this.#readerAt(at), listener, new SeenNames(), templates);
    scan.enter(this.broken.version, this.broken.database);
    return scan;
  }

  #readerAt(at: number): RdbReader {
    this.file.seek(at);
    const source = new FileSource(this.file, this.sizeBytes - at);
    return RdbReader.fromSource(source, {
      pauses: false,
      checksum: false,
      windowBytes: TRIAL_WINDOW_BYTES,
    });
  }
}

/** Whether a file ends as a snapshot of this version does, behind `partAt`. */
export function hasEndMark(
  file: OpenFile,
  sizeBytes: number,
  version: number,
  partAt: number,
): boolean {
  const at = sizeBytes - (version < RDB_VERSION_CHECKSUM ? 0 : 8) - 1;
  if (at <= partAt) return false;
  const byte = new Uint8Array(1);
  file.seek(at);
  return file.read(byte) === 1 && byte[0] === OPCODE_EOF;
}

/** Whether a key, or what stands before one, may begin at `at` of a block: only to be quick about what cannot. */
function mayBegin(block: Uint8Array, at: number, end: number): boolean {
  const code = block[at];
  if (code <= TYPE_MAX) return at + 1 < end && mayBeKeyLength(block, at + 1, end);
  return code === OPCODE_EXPIRETIME_MS || code === OPCODE_EXPIRETIME || code === OPCODE_IDLE ||
    code === OPCODE_FREQ || code === OPCODE_KEY_META || code === OPCODE_SELECTDB;
}

function mayBeKeyLength(block: Uint8Array, at: number, end: number): boolean {
  const first = block[at];
  if (first < 0x80) return true;
  if (first !== 0x80) return first >= 0xc0 && first <= 0xc3;
  if (at + 5 > end) return true;
  const length = ((block[at + 1] << 24) | (block[at + 2] << 16) | (block[at + 3] << 8)) >>> 0;
  return length <= KEY_BYTES_MAX;
}

/** Fills as much of `into` as there is. */
function readFully(file: OpenFile, into: Uint8Array): number {
  let length = 0;
  for (let got = -1; got !== 0 && length < into.length; length += got) {
    got = file.read(into.subarray(length));
  }
  return length;
}
