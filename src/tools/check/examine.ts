/** Examines one dataset: its files one after the other, and with --load what they come to. */

import { PositionReader } from "../../aof/position.ts";
import { isSlotEncoding } from "../../arena/record.ts";
import { kindOf } from "../../rdb/kinds/index.ts";
import { RdbLoader } from "../../rdb/loader.ts";
import { replicationOf } from "../../rdb/persistence.ts";
import { FileSource, RdbReader } from "../../rdb/reader.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import { beginningOf, type DataPart, type DataSet, openPart } from "../data_files.ts";
import { Progress } from "../progress.ts";
import type { ToolDataset, ToolHost } from "../tool.ts";
import { CommandNames } from "./command_names.ts";
import type { Damage, Findings, PartFindings } from "./findings.ts";
import { LogCheck } from "./log_check.ts";
import { PrefixTree } from "./prefixes.ts";
import { elementsIn } from "./sizes.ts";
import { SnapshotCheck } from "./snapshot_check.ts";
import { Survey } from "./survey.ts";

/** Remarks of a load that are kept. */
const REMARKS_MAX = 20;
/** Keys that are counted between two looks at the clock. */
const KEYS_PER_LOOK = 256;

/** Looks at all files of a dataset. @throws Interrupted, ToolFailure, SystemError */
export async function examine(host: ToolHost, set: DataSet, loads: boolean): Promise<Findings> {
  const examination = new Examination(host, set, loads);
  try {
    return await examination.run();
  } finally {
    examination.end();
  }
}

class Examination {
  readonly #progress: Progress;
  readonly #survey: Survey;
  readonly #written = new PrefixTree();
  readonly #positions = new PositionReader();
  readonly #names = new CommandNames();
  readonly #remarks: string[] = [];
  readonly #dataset: ToolDataset | null;
  #bytesBefore = 0;

  constructor(readonly host: ToolHost, readonly set: DataSet, loads: boolean) {
    this.#progress = new Progress(host, "Reading", set.totalBytes);
    this.#survey = new Survey(host.runtime.clock.now());
    const remark = (line: string) => this.#remarks.length < REMARKS_MAX && this.#remarks.push(line);
    this.#dataset = loads ? host.openDataset(remark) : null;
  }

  end(): void {
    this.#progress.end();
    this.#dataset?.close();
  }

  async run(): Promise<Findings> {
    const parts: PartFindings[] = [];
    for (const part of this.set.parts) {
      parts.push(await this.#examinePart(part));
      this.#bytesBefore += part.sizeBytes ?? 0;
    }
    if (this.#dataset !== null) await this.#surveyDataset(this.#dataset);
    return {
      set: this.set,
      parts,
      survey: this.#survey,
      written: this.#written.total.keys > 0 ? this.#written : null,
      replication: this.#positions.position,
      isLoaded: this.#dataset !== null,
      remarks: this.#remarks,
    };
  }

  #now = (): number => this.host.runtime.clock.monotonic();

  async #examinePart(part: DataPart): Promise<PartFindings> {
    const found: PartFindings = {
      part,
      snapshot: null,
      log: null,
      damage: null,
      trailingBytes: 0,
    };
    if (part.sizeBytes === null) {
      return { ...found, damage: damageOf("missing", "there is no such file") };
    }
    const { files } = this.host.runtime;
    const beginning = beginningOf(files, part.path);
    const isSnapshot = beginning === "snapshot" || part.role === "snapshot";
    if (beginning === "empty" && isSnapshot) {
      return { ...found, damage: damageOf("truncated", "the file is empty") };
    }
    if (beginning === "other" && part.role === "snapshot") {
      return {
        ...found,
        damage: damageOf("corrupt", "neither a snapshot nor an append-only file"),
      };
    }
    using file = openPart(files, part);
    if (isSnapshot) await this.#examineSnapshot(file, found);
    const from = found.snapshot?.endBytes ?? 0;
    if (found.damage !== null) return found;
    if (isSnapshot && (from === part.sizeBytes || !hasCommandsAt(file, from))) {
      found.trailingBytes = part.sizeBytes - from;
      return found;
    }
    await this.#examineLog(file, from, found);
    return found;
  }

  // -- snapshots ------------------------------------------------------------------------------

  async #examineSnapshot(file: OpenFile, found: PartFindings): Promise<void> {
    const check = new SnapshotCheck(file, this.#dataset === null ? this.#survey : null);
    found.snapshot = check.findings;
    while (!check.step(this.#now)) await this.#show(check.scan.offset, check.findings.keys);
    found.damage = check.damage;
    this.#positions.position = replicationOf(check.findings.aux);
    if (this.#dataset !== null && isReadable(check.damage)) await this.#load(file, this.#dataset);
  }

  /** Loads what a check has found to be sound. */
  async #load(file: OpenFile, { keyspace }: ToolDataset): Promise<void> {
    file.seek(0);
    const reader = RdbReader.fromSource(new FileSource(file), { checksum: false });
    const loader = new RdbLoader(keyspace, reader, { dropsExpired: false, onUnheld() {} });
    const slice = () => loader.stepFor(50, this.#now, Infinity);
    while (!slice()) await this.#show(loader.offset, loader.keysLoaded);
  }

  // -- commands -------------------------------------------------------------------------------

  async #examineLog(file: OpenFile, from: number, found: PartFindings): Promise<void> {
    // As in a server each file begins in database 0.
    const run = this.#dataset?.runCommands() ?? null;
    const check = new LogCheck(file, {
      beginBytes: from,
      names: this.#names,
      positions: this.#positions,
      written: this.#written,
      run: run === null ? undefined : (words) => run.run(words),
    });
    found.log = check.findings;
    let isDone = false;
    const step = () => isDone = check.step(this.#now);
    while (!isDone) {
      if (this.#dataset === null) step();
      else this.#dataset.replay(step);
      await this.#show(check.offset, 0);
    }
    found.damage = check.damage;
  }

  async #show(bytes: number, keys: number): Promise<void> {
    if (this.#progress.isDue()) await this.#progress.show(this.#bytesBefore + bytes, keys);
  }

  // -- what has been loaded -------------------------------------------------------------------

  async #surveyDataset({ keyspace }: ToolDataset): Promise<void> {
    for (const database of keyspace.databases) {
      let cursor = 0;
      let keys = 0;
      do {
        cursor = database.table.scan(cursor, (ref) => {
          keys++;
          const { records } = database;
          const meta = records.metaOf(ref);
          const encoding = (meta >>> 4) & 0xf;
          const kind = kindOf(meta);
          const large = isSlotEncoding(encoding) ? database.largeValue(ref) : null;
          const bytes = records.bytesOf(ref);
          this.#survey.add({
            database: database.index,
            bytes,
            offset: records.keyOffset(ref),
            length: records.keyLength(ref),
            type: kind.name,
            form: `${kind.name}, ${kind.encodingName(database, ref)}`,
            elements: elementsIn(kind.type, encoding, large, bytes, records.valueOffset(ref)),
            fileBytes: 0,
            memoryBytes: database.bytesOfKey(ref),
            expiresAtMs: records.expiryOf(ref),
          });
        });
        if (keys % KEYS_PER_LOOK < 16) await this.#show(0, keys);
      } while (cursor !== 0);
    }
  }
}

function damageOf(kind: Damage["kind"], what: string): Damage {
  return { kind, what, offset: 0, key: null, lastKey: null, soundBytes: 0 };
}

/** Whether all keys can be read: the checksum at most is wrong. */
function isReadable(damage: Damage | null): boolean {
  return damage === null || damage.kind === "checksum";
}

/** Whether what comes behind a snapshot looks like the rest of an append-only file. */
function hasCommandsAt(file: OpenFile, offset: number): boolean {
  file.seek(offset);
  const first = new Uint8Array(1);
  return file.read(first) === 1 && (first[0] === 0x2a || first[0] === 0x23);
}
