/** Checks a snapshot by a scan (rdb/scan.ts), and counts its keys. */

import { codeName } from "../../rdb/format.ts";
import { kindOfRdbType } from "../../rdb/kinds/index.ts";
import { LOAD_LEFT_OUT, LOAD_WHOLE } from "../../rdb/kinds/value_load.ts";
import { RdbError } from "../../rdb/rdb_error.ts";
import { FileSource, RdbReader } from "../../rdb/reader.ts";
import { SnapshotScan } from "../../rdb/scan.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import type { Damage, KeyPlace, SnapshotFindings } from "./findings.ts";
import { elementsOf, memoryOf } from "./sizes.ts";
import type { Survey } from "./survey.ts";

/** Time between two looks at signals and progress, in ms. */
const SLICE_MS = 50;

/** Told of a key that is whole: its record is [scan.recordAt, scan.offset) of the file. */
export type KeyListener = (scan: SnapshotScan, state: number) => void;

/** A value of a module's type is called that. */
const MODULE_TYPE = "module";

export class SnapshotCheck {
  readonly findings: SnapshotFindings = {
    version: 0,
    endBytes: 0,
    checksum: "unknown",
    aux: new Map(),
    libraries: [],
    modules: new Set(),
    moduleKeys: new Map(),
    unheld: new Map(),
    slotImports: [],
    keys: 0,
    emptyKeys: 0,
    announced: new Map(),
    isDuplicateUnknown: false,
  };
  damage: Damage | null = null;
  readonly scan: SnapshotScan;
  #lastKey: KeyPlace | null = null;
  #keyBytes = new Uint8Array(256);
  #lastLength = 0;
  #lastBegin = -1;
  readonly #forms: (string | undefined)[] = [];
  #lastEnd = 0;
  #lastDatabase = 0;
  #lastType = "";

  /** Of the snapshot that `file` begins with, where it stands. Its keys are counted in `survey`, and told of. */
  constructor(
    file: OpenFile,
    readonly survey: Survey | null,
    private readonly onKey: KeyListener = () => {},
  ) {
    const reader = RdbReader.fromSource(new FileSource(file), { pauses: false });
    const { findings } = this;
    this.scan = new SnapshotScan(reader, {
      onAux: (name, value) => findings.aux.set(name, value),
      onSizes: (keys) => findings.announced.set(this.scan.databaseIndex, keys),
      onLibrary: (name) => findings.libraries.push(name),
      onModule: (name) => findings.modules.add(name),
      onSlotImport: (job) => findings.slotImports.push(job),
      onKey: (scan, state) => this.#count(scan, state),
    });
  }

  /** Reads on for a while; true when the end, or damage, has been come to. @throws SystemError */
  step(now: () => number): boolean {
    const { findings, scan } = this;
    try {
      const isDone = scan.step(now() + SLICE_MS, now);
      if (isDone) findings.checksum = scan.isSummed ? "right" : "none";
      return isDone;
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      if (error.kind === "checksum") findings.checksum = "wrong";
      this.damage = this.#damageOf(error);
      return true;
    } finally {
      findings.version = scan.version;
      findings.endBytes = scan.offset;
      findings.isDuplicateUnknown = scan.isDuplicateUnknown;
    }
  }

  #count(scan: SnapshotScan, state: number): void {
    const { findings } = this;
    const type = typeNameOf(scan, state);
    findings.keys++;
    for (const { kind, name } of scan.values.unheld) {
      if (kind === "module") countIn(findings.moduleKeys, name);
      else countIn(findings.unheld, kind === "type" ? `values of type '${name}'` : name);
    }
    if (state !== LOAD_WHOLE && state !== LOAD_LEFT_OUT) findings.emptyKeys++;
    this.#keep(scan, type);
    this.onKey(scan, state);
    if (this.survey !== null && (state === LOAD_WHOLE || state === LOAD_LEFT_OUT)) {
      this.#survey(this.survey, scan, type, state === LOAD_WHOLE);
    }
  }

  #survey(survey: Survey, scan: SnapshotScan, type: string, isWhole: boolean): void {
    const { values, keyLength, expiresAtMs } = scan;
    const fileBytes = scan.offset - scan.recordAt;
    survey.add({
      database: scan.databaseIndex,
      bytes: scan.key,
      offset: 0,
      length: keyLength,
      type,
      form: this.#formOf(scan, type),
      elements: isWhole ? elementsOf(values) : 0,
      fileBytes,
      memoryBytes: isWhole ? memoryOf(values, keyLength, expiresAtMs === expiresAtMs) : fileBytes,
      expiresAtMs,
    });
  }

  /** "hash, listpack": made once for each type of the format. */
  #formOf({ valueType }: SnapshotScan, type: string): string {
    return this.#forms[valueType] ??= `${type}, ${codeName(valueType & 0xff)}`;
  }

  /** Remembers the key without making an object for it. */
  #keep(scan: SnapshotScan, type: string): void {
    const { key, keyLength } = scan;
    if (this.#keyBytes.length < keyLength) this.#keyBytes = new Uint8Array(keyLength);
    for (let i = 0; i < keyLength; i++) this.#keyBytes[i] = key[i];
    this.#lastLength = keyLength;
    this.#lastBegin = scan.recordAt;
    this.#lastEnd = scan.offset;
    this.#lastDatabase = scan.databaseIndex;
    this.#lastType = type;
  }

  #damageOf({ kind, what, offset }: RdbError): Damage {
    if (this.#lastBegin >= 0) {
      this.#lastKey = {
        key: this.#keyBytes.slice(0, this.#lastLength),
        database: this.#lastDatabase,
        type: this.#lastType,
        begin: this.#lastBegin,
        end: this.#lastEnd,
      };
    }
    return {
      what: what.replace(/,? at byte \d+$/, ""),
      kind: kind === "memory" ? "corrupt" : kind,
      offset,
      key: this.#keyBeingRead(),
      lastKey: this.#lastKey,
      soundBytes: kind === "checksum" ? this.scan.offset : this.scan.partAt,
    };
  }

  #keyBeingRead(): KeyPlace | null {
    const { scan } = this;
    if (scan.valueOf < 0) return null;
    return {
      key: scan.key.slice(0, scan.keyLength),
      database: scan.databaseIndex,
      type: typeNameOf(scan, LOAD_WHOLE),
      begin: scan.recordAt,
      end: null,
    };
  }
}

function countIn(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function typeNameOf(scan: SnapshotScan, state: number): string {
  if (state === LOAD_LEFT_OUT) {
    return scan.values.unheld.find(({ kind }) => kind === "type")?.name ?? MODULE_TYPE;
  }
  return kindOfRdbType(scan.valueType)?.name ?? MODULE_TYPE;
}
