/**
 * `tsredis check --salvage OUT.rdb FILE`: a new snapshot with every key that can be read from a damaged file.
 *
 * Of a snapshot the whole parts are copied as they are, in its version; nothing is loaded. Where commands are involved
 * (an append-only file) all is loaded into memory, the commands are run up to the first that is damaged, and what they
 * have come to is saved: those behind it build on what is lost.
 */

import { PositionReader } from "../../aof/position.ts";
import { Crc64 } from "../../rdb/crc64.ts";
import { OPCODE_EOF, RDB_VERSION_CHECKSUM } from "../../rdb/format.ts";
import { RdbLoader } from "../../rdb/loader.ts";
import { RdbError } from "../../rdb/rdb_error.ts";
import { RdbReader } from "../../rdb/reader.ts";
import { ACCESS_NONE, DatasetWriter, SavedDatabase } from "../../rdb/save_dataset.ts";
import { fullVersion } from "../../rdb/versions.ts";
import { RdbEncoder } from "../../rdb/writer.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import { CommandNames } from "../check/command_names.ts";
import { LogCheck } from "../check/log_check.ts";
import { beginningOf, type DataPart, type DataSet, openPart } from "../data_files.ts";
import { OutputFile } from "../output_file.ts";
import { Progress } from "../progress.ts";
import { type ToolDataset, ToolFailure, type ToolHost } from "../tool.ts";
import { endPiece, PieceSource } from "./pieces.ts";
import { planSalvage, type SalvagePlan } from "./plan.ts";
import { type PartSalvage, type Salvage, SALVAGE_REMARKS_MAX } from "./report.ts";

const SLICE_MS = 50;
const COPY_BYTES = 256 * 1024;
/** Buckets of a table that are saved between two looks at the clock. */
const BUCKETS_PER_LOOK = 64;

/** Salvages what can be read of a dataset into a new snapshot. @throws Interrupted, ToolFailure, SystemError */
export async function salvage(host: ToolHost, set: DataSet, outPath: string): Promise<Salvage> {
  const work = new SalvageWork(host, set, outPath);
  try {
    return await work.run();
  } finally {
    work.end();
  }
}

class SalvageWork {
  readonly #parts: PartSalvage[] = [];
  readonly #remarks: string[] = [];
  #progress: Progress;
  #dataset: ToolDataset | null = null;
  #bytesBefore = 0;

  constructor(readonly host: ToolHost, readonly set: DataSet, readonly outPath: string) {
    this.#progress = new Progress(host, "Reading", set.totalBytes);
  }

  end(): void {
    this.#progress.end();
    this.#dataset?.close();
  }

  async run(): Promise<Salvage> {
    const { host, set, outPath } = this;
    const { files, process } = host.runtime;
    // Made first: nobody waits for a file that cannot be written.
    using out = new OutputFile(files, outPath, process.id);
    const keys = await this.#isSnapshotAlone()
      ? await this.#copySnapshot(set.parts[0], out)
      : await this.#saveAll(out);
    if (keys === 0 && this.#parts.every(({ isRead }) => !isRead)) {
      throw new ToolFailure(`nothing can be read of ${set.path}; ${outPath} is not made.`);
    }
    out.finish();
    return {
      set,
      outPath,
      keys,
      bytes: out.length,
      parts: this.#parts,
      remarks: this.#remarks,
    };
  }

  #now = (): number => this.host.runtime.clock.monotonic();

  #show = async (bytes: number, keys: number): Promise<void> => {
    if (this.#progress.isDue()) await this.#progress.show(this.#bytesBefore + bytes, keys);
  };

  /** Whether it is one snapshot with nothing behind it. */
  async #isSnapshotAlone(): Promise<boolean> {
    const { parts } = this.set;
    if (parts.length !== 1 || parts[0].role === "increment") return false;
    const { files } = this.host.runtime;
    if (beginningOf(files, parts[0].path) !== "snapshot") return parts[0].role === "snapshot";
    if (parts[0].role === "snapshot") return true;
    using file = openPart(files, parts[0]);
    const plan = await planSalvage(file, file.sizeBytes(), this.#now, this.#show);
    return plan.endBytes < 0 || plan.endBytes === file.sizeBytes();
  }

  // -- a snapshot alone -----------------------------------------------------------------------

  async #copySnapshot(part: DataPart, out: OutputFile): Promise<number> {
    using file = openPart(this.host.runtime.files, part);
    const plan = await planSalvage(file, file.sizeBytes(), this.#now, this.#show);
    this.#addPlan(part, plan);
    this.#progress.end();
    this.#progress = new Progress(this.host, "Writing", file.sizeBytes());
    if (plan.pieces.length > 0) await this.#copy(file, plan, out);
    return plan.keys;
  }

  #addPlan(part: DataPart, plan: SalvagePlan): void {
    const isRead = plan.pieces.length > 0;
    const { losses, isAltered } = plan;
    this.#parts.push({ part, isRead, losses, isAltered, commands: 0, logLoss: null });
  }

  async #copy(
    file: OpenFile,
    { pieces, version, keys }: SalvagePlan,
    out: OutputFile,
  ): Promise<void> {
    const source = new PieceSource(file, pieces);
    const crc = new Crc64();
    const bytes = new Uint8Array(COPY_BYTES);
    for (let count; (count = source.fill(bytes, 0)) > 0;) {
      crc.update(bytes, 0, count);
      out.write(bytes, 0, count);
      await this.#show(out.length, keys);
    }
    bytes[0] = OPCODE_EOF;
    crc.update(bytes, 0, 1);
    out.write(bytes, 0, 1);
    if (version < RDB_VERSION_CHECKSUM) return;
    crc.writeTo(bytes, 0);
    out.write(bytes, 0, 8);
  }

  // -- with commands --------------------------------------------------------------------------

  async #saveAll(out: OutputFile): Promise<number> {
    const remark = (line: string) =>
      this.#remarks.length < SALVAGE_REMARKS_MAX && this.#remarks.push(line);
    const dataset = this.#dataset = this.host.openDataset(remark);
    const names = new CommandNames();
    let isBroken = false;
    for (const part of this.set.parts) {
      if (isBroken) this.#leaveOut(part, "comes behind commands that are lost");
      else if (part.sizeBytes === null) this.#leaveOut(part, "there is no such file");
      else isBroken = await this.#loadPart(part, dataset, names);
      isBroken ||= part.sizeBytes === null;
      this.#bytesBefore += part.sizeBytes ?? 0;
    }
    return await this.#save(dataset, out);
  }

  #leaveOut(part: DataPart, what: string): void {
    const to = part.sizeBytes ?? 0;
    const logLoss = { from: 0, to, what, offset: 0 };
    this.#parts.push({ part, isRead: false, losses: [], isAltered: false, commands: 0, logLoss });
  }

  /** Loads what can be read of a file; whether commands are lost. */
  async #loadPart(part: DataPart, dataset: ToolDataset, names: CommandNames): Promise<boolean> {
    const { files } = this.host.runtime;
    using file = openPart(files, part);
    const sizeBytes = file.sizeBytes();
    let from = 0;
    if (beginningOf(files, part.path) === "snapshot") {
      const plan = await planSalvage(file, sizeBytes, this.#now, this.#show);
      this.#addPlan(part, plan);
      await this.#loadPlan(file, plan, dataset);
      if (plan.endBytes < 0) return part.role !== "base";
      from = plan.endBytes;
    } else {
      const isRead = true;
      this.#parts.push({ part, isRead, losses: [], isAltered: false, commands: 0, logLoss: null });
    }
    return from < sizeBytes && await this.#runCommands(file, from, sizeBytes, dataset, names);
  }

  async #loadPlan(file: OpenFile, plan: SalvagePlan, { keyspace }: ToolDataset): Promise<void> {
    if (plan.pieces.length === 0) return;
    const source = new PieceSource(file, [...plan.pieces, endPiece(plan.version)]);
    const loader = new RdbLoader(keyspace, RdbReader.fromSource(source, { checksum: false }), {
      dropsExpired: false,
      onUnheld: ({ kind, name }, database, key) => {
        const what = kind === "part"
          ? `has ${name}`
          : `is of the ${kind === "module" ? "module " : ""}type ${name}`;
        this.#remarks.push(`key ${key} (database ${database}) ${what}`);
      },
    });
    try {
      while (!loader.stepFor(SLICE_MS, this.#now, Infinity)) {
        await this.#show(loader.offset, loader.keysLoaded);
      }
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      throw new ToolFailure(`cannot load what was found to be whole: ${error.what}`);
    }
  }

  /** Runs the commands of a file up to the first that is damaged; whether there is one. */
  async #runCommands(
    file: OpenFile,
    from: number,
    sizeBytes: number,
    dataset: ToolDataset,
    names: CommandNames,
  ): Promise<boolean> {
    const run = dataset.runCommands();
    const check = new LogCheck(file, {
      beginBytes: from,
      names,
      positions: new PositionReader(),
      run: (words) => run.run(words),
    });
    let isDone = false;
    while (!isDone) {
      dataset.replay(() => isDone = check.step(this.#now));
      await this.#show(check.offset, 0);
    }
    const found = this.#parts.at(-1)!;
    found.commands = check.findings.commands;
    const { damage, findings: { unfinishedFrom } } = check;
    if (damage === null && unfinishedFrom === null) return false;
    found.logLoss = {
      from: damage?.soundBytes ?? unfinishedFrom!,
      to: sizeBytes,
      what: damage?.what ?? "a transaction without an end",
      offset: damage?.offset ?? unfinishedFrom!,
    };
    return true;
  }

  async #save({ keyspace }: ToolDataset, out: OutputFile): Promise<number> {
    this.#progress.end();
    this.#progress = new Progress(this.host, "Writing", 0);
    this.#bytesBefore = 0;
    const encoder: RdbEncoder = new RdbEncoder((chunk, length) => {
      out.write(chunk, 0, length);
      encoder.recycle(chunk);
    }, { version: fullVersion(keyspace) });
    const writer = new DatasetWriter(keyspace, ACCESS_NONE);
    writer.begin(encoder);
    writer.writeLibraries(encoder);
    let keys = 0;
    for (const database of keyspace.databases) {
      if (database.count === 0) continue;
      const source = new SavedDatabase(database);
      let cursor = 0;
      do {
        for (let i = 0; i < BUCKETS_PER_LOOK; i++) {
          cursor = database.table.scan(cursor, (ref) => {
            writer.write(encoder, source, ref);
            keys++;
          });
          if (cursor === 0) break;
        }
        await this.#show(encoder.offset, keys);
      } while (cursor !== 0);
    }
    encoder.writeEof();
    return keys;
  }
}
