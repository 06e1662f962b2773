/** Finds out what of a snapshot can be kept: its whole parts, and what was lost between them. */

import { HashTemplates } from "../../rdb/kinds/hash_templates.ts";
import { RdbError } from "../../rdb/rdb_error.ts";
import { FileSource, RdbReader } from "../../rdb/reader.ts";
import { SnapshotScan } from "../../rdb/scan.ts";
import { SeenNames } from "../../rdb/seen_names.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import { type Piece, selectPiece } from "./pieces.ts";
import { findResumption, hasEndMark, type Resumption } from "./resume.ts";

const SLICE_MS = 50;
/** Keys before damaged lengths that are named. */
const SUSPECT_KEYS = 3;
/** Losses that are told one by one. */
export const LOSSES_MAX = 10_000;

/** A run of a file that is lost. */
export interface Loss {
  readonly from: number;
  readonly to: number;
  /** What is wrong there. */
  readonly what: string;
  /** Where exactly. */
  readonly offset: number;
  /** The key whose value is damaged, where that is known. */
  readonly key: Uint8Array | null;
  readonly database: number;
  /** How the place was found at which reading goes on; null when the rest is lost. */
  readonly how: Resumption["how"] | null;
  /** Keys behind it that were left out, as they may be none. */
  readonly doubtful: readonly Uint8Array[];
  /** The keys before it, which were kept: where lengths are damaged, that may begin in them and go unnoticed. */
  readonly suspect: readonly Uint8Array[];
}

export interface SalvagePlan {
  /** What is kept, without the end mark. */
  readonly pieces: Piece[];
  version: number;
  keys: number;
  readonly losses: Loss[];
  /** Whether all can be read and the checksum says that something has been altered. */
  isAltered: boolean;
  /** Where the snapshot ends, if it was read to its end; -1 if not. */
  endBytes: number;
}

/** Called now and then with the bytes that have been read and the keys found. */
export type AtWork = (bytes: number, keys: number) => Promise<void>;

/** Plans the salvage of the snapshot that a file begins with. @throws SystemError, what `atWork` throws */
export async function planSalvage(
  file: OpenFile,
  sizeBytes: number,
  now: () => number,
  atWork: AtWork,
): Promise<SalvagePlan> {
  const planning = new Planning(file, sizeBytes, now, atWork);
  await planning.run();
  return planning.plan;
}

class Planning {
  readonly plan: SalvagePlan = {
    pieces: [],
    version: 0,
    keys: 0,
    losses: [],
    isAltered: false,
    endBytes: -1,
  };
  readonly #keys = new SeenNames();
  readonly #templates = new HashTemplates();
  /** Where the last records begin that are whole, in turn, and how many there have been. */
  readonly #records = new Float64Array(SUSPECT_KEYS);
  #recordCount = 0;
  /** The database in which what is kept has come to its end. */
  #selected = 0;

  constructor(
    readonly file: OpenFile,
    readonly sizeBytes: number,
    readonly now: () => number,
    readonly atWork: AtWork,
  ) {}

  async run(): Promise<void> {
    let at: Resumption | null = { at: 0, how: "frame", database: 0, doubtful: [] };
    while (at !== null) at = await this.#runFrom(at);
  }

  /** Goes on from a place up to the end, or the next damage; answers where to go on behind that. */
  async #runFrom({ at, database }: Resumption): Promise<Resumption | null> {
    const { plan } = this;
    this.file.seek(at);
    const reader = RdbReader.fromSource(new FileSource(this.file, this.sizeBytes - at), {
      pauses: false,
      checksum: at === 0,
    });
    this.#recordCount = 0;
    const scan = new SnapshotScan(
      reader,
      {
        onKey: (scan) => {
          plan.keys++;
          this.#records[this.#recordCount++ % SUSPECT_KEYS] = at + scan.recordAt;
        },
      },
      this.#keys,
      this.#templates,
    );
    if (at > 0) scan.enter(plan.version, database);
    try {
      while (!scan.step(this.now() + SLICE_MS, this.now)) {
        await this.atWork(at + scan.offset, plan.keys);
      }
      plan.endBytes = at + scan.offset;
      this.#keep(at, scan, database);
      return null;
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      plan.version ||= scan.version;
      this.#keep(at, scan, database);
      if (error.kind !== "checksum") return await this.#resume(at, scan, error);
      plan.isAltered = true;
      plan.endBytes = at + scan.offset;
      return null;
    }
  }

  /** Keeps what a scan that has begun at `at` has found to be whole. */
  #keep(at: number, scan: SnapshotScan, database: number): void {
    const { plan } = this;
    plan.version ||= scan.version;
    if (scan.partAt === 0) return;
    if (database !== this.#selected) plan.pieces.push(selectPiece(database));
    plan.pieces.push({ from: at, to: at + scan.partAt });
    this.#selected = scan.databaseIndex;
  }

  async #resume(at: number, scan: SnapshotScan, error: RdbError): Promise<Resumption | null> {
    const { plan, sizeBytes } = this;
    const isOfKey = scan.recordAt >= 0;
    const from = at + scan.partAt;
    const isCut = error.kind === "truncated" &&
      !hasEndMark(this.file, sizeBytes, plan.version, from);
    const found = plan.version === 0 || plan.losses.length === LOSSES_MAX
      ? null
      : await findResumption(
        this.file,
        sizeBytes,
        {
          version: plan.version,
          database: scan.databaseIndex,
          partAt: from,
          valueOf: isOfKey && scan.typeAt >= 0 ? at + scan.typeAt : -1,
          valueType: scan.valueType,
          isCut,
          templates: this.#templates,
        },
        this.now,
        (bytes) => this.atWork(bytes, plan.keys),
      );
    plan.losses.push({
      from,
      to: found?.at ?? sizeBytes,
      what: error.what.replace(/,? at byte \d+/, ""),
      offset: at + error.offset,
      key: isOfKey && scan.typeAt >= 0 ? scan.key.slice(0, scan.keyLength) : null,
      database: scan.databaseIndex,
      how: found?.how ?? null,
      doubtful: found?.doubtful ?? [],
      suspect: found?.how === "frame" || isCut ? [] : this.#lastKeys(from),
    });
    return found;
  }

  /** The names of the last keys before `to` that are whole. */
  #lastKeys(to: number): Uint8Array[] {
    const count = Math.min(this.#recordCount, SUSPECT_KEYS);
    if (count === 0) return [];
    const from = this.#records[(this.#recordCount - count) % SUSPECT_KEYS];
    this.file.seek(from);
    const reader = RdbReader.fromSource(new FileSource(this.file, to - from), {
      pauses: false,
      checksum: false,
    });
    const keys: Uint8Array[] = [];
    const scan = new SnapshotScan(
      reader,
      {
        onKey: (scan) => void keys.push(scan.key.slice(0, scan.keyLength)),
      },
      new SeenNames(),
      new HashTemplates(this.#templates),
    );
    scan.enter(this.plan.version, 0);
    try {
      scan.run();
    } catch (error) {
      // It ends without an end mark.
      if (!(error instanceof RdbError)) throw error;
    }
    return keys;
  }
}
