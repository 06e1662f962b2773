/**
 * `tsredis diff`: what two datasets have that the other has not, and what is different in both.
 *
 * 1. A is gone through: of each key its fingerprint is kept (fingerprint_table.ts), of each library its source.
 * 2. B is gone through: each of its keys is looked up. What only B has is told. What differs is marked, with B's expiry
 *    and type in place of A's, and of some values copies are kept.
 * 3. If there is anything to tell of A's keys, A is gone through again, for their names and values.
 *
 * See "Comparing datasets" in NOTES.
 */

import { TYPE_HASH } from "../../arena/record.ts";
import { KINDS } from "../../rdb/kinds/index.ts";
import { RDB_VERSION_LISTPACKS } from "../../rdb/format.ts";
import type { DatasetVisitor, ShownKey } from "../dataset/dataset.ts";
import { DiffReport, placeOf } from "./diff_report.ts";
import { Fingerprint } from "./fingerprint.ts";
import { FingerprintTable } from "./fingerprint_table.ts";
import { drawHashKey, Hash128 } from "./hash128.ts";
import { LibraryComparison } from "./library_comparison.ts";
import { openDatasetOrServer, type OpenedDataset } from "../dataset/open_dataset.ts";
import {
  EXIT_FOUND,
  EXIT_WELL,
  type Tool,
  type ToolCall,
  ToolFailure,
  type ToolHost,
} from "../tool.ts";
import { numberOption } from "../number_option.ts";
import { ValueCopies } from "./value_copies.ts";
import { isSameTime, ValueDifference } from "./value_difference.ts";
import { visitParts } from "./value_parts.ts";

/** What expiries may be apart: who copies keys with the time that is left to them comes so close. */
const TOLERANCE_MS = 1_000;
const TOLERANCE_MS_MAX = 1_000_000_000;
/** Parts of a value that are told, unless asked for others. */
const PARTS_SHOWN = 3;
const DATABASE_MAX = 0x7fffffff;
/** Copies of values of B that differ. */
const COPIES_BYTES_MAX = 64 << 20;

export const diffTool: Tool = {
  name: "diff",
  operands: "A B",
  operandsMin: 2,
  operandsMax: 2,
  summary: "compares two datasets: files, folders, running servers",
  options: [
    { name: "json", help: "lines of JSON: one for each difference, and a summary" },
    { name: "scan", help: "ask servers key by key: SCAN, DUMP" },
    { name: "db", value: "N", help: "compare this database alone" },
    {
      name: "expiry-tolerance",
      value: "MS",
      help: `expiries that are no further apart are the same (${TOLERANCE_MS})`,
    },
    { name: "parts", value: "N", help: `parts of a value that are told (${PARTS_SHOWN})` },
    { name: "expired", help: "compare keys and fields whose time is over, too" },
    { name: "skip-modules", help: "pass over values of modules, which cannot be compared" },
  ],
  description: `
A and B are each a snapshot (*.rdb), an append-only file, its manifest, a
folder with one of these, or a running server: host:port, or
redis://[user[:password]@]host[:port]. The password may be in REDISCLI_AUTH,
as for redis-cli; on the command line others can see it. Whichever version of
Redis (from 2.8 on, as a server) or Valkey.

Content is compared, not how it is encoded: type, value, expiry, function
libraries; of streams also groups, consumers and what is pending, but not when
consumers were seen. What only Redis 7 knows of streams (entries ever added,
entries read by a group, the greatest deleted id) is compared if no side is a
snapshot from before it. Keys and fields whose time is over are left out, as
clients do not see them.

A server is asked for a snapshot as a replica would (SYNC): it makes one
background save, and what is compared is as of that instant. The snapshot lies
in TMPDIR, or /tmp, meanwhile. Two servers are asked one after the other: what
is written between the two is a difference. With --scan a server needs no right
to SYNC and makes no save, but each key is as of another moment.

Memory: 44 bytes for each key of A, the largest value, and at most 64 MB for
values that differ; an append-only file is loaded into memory.
`,
  exitCodes: [[EXIT_WELL, "the same"], [EXIT_FOUND, "different"]],
  run: diff,
};

async function diff(call: ToolCall): Promise<number> {
  const settings: DiffSettings = {
    database: numberOption(call, "db", 0, DATABASE_MAX),
    toleranceMs: numberOption(call, "expiry-tolerance", 0, TOLERANCE_MS_MAX) ?? TOLERANCE_MS,
    partsShown: numberOption(call, "parts", 0, 1_000) ?? PARTS_SHOWN,
    comparesExpired: call.has("expired"),
    skipsModules: call.has("skip-modules"),
  };
  const { host } = call;
  drawHashKey(host.runtime.fillRandom);
  const [nameA, nameB] = call.operands;
  const scans = call.has("scan");
  const a = await openDatasetOrServer(host, nameA, scans);
  try {
    const b = await openDatasetOrServer(host, nameB, scans);
    try {
      const report = new DiffReport(host, call.has("json"));
      await new Comparison(host, a, b, settings, report).run();
      return report.differences > 0 ? EXIT_FOUND : EXIT_WELL;
    } finally {
      b.close();
    }
  } finally {
    a.close();
  }
}

interface DiffSettings {
  readonly database: number | null;
  readonly toleranceMs: number;
  readonly partsShown: number;
  readonly comparesExpired: boolean;
  readonly skipsModules: boolean;
}

// Marks in the table: B has the key, and in what it differs.
const SEEN = 16;
const EXPIRY = 32;
const TYPE = 64;
const VALUE = 128;

/** Whether streams of a version tell what Redis 7 knows of them. */
function knowsCounts({ version }: OpenedDataset): boolean {
  return version === null || version >= RDB_VERSION_LISTPACKS;
}

class Comparison {
  readonly #a: OpenedDataset;
  readonly #b: OpenedDataset;
  readonly #settings: DiffSettings;
  readonly #report: DiffReport;
  readonly #table = new FingerprintTable();
  readonly #libraries = new LibraryComparison();
  readonly #copies: ValueCopies;
  readonly #comparesCounts: boolean;
  readonly #nowMs: number;
  readonly #fingerprint: Fingerprint;
  readonly #key = new Hash128();
  /** Keys of A that there is something to tell of. */
  #toTell = 0;

  constructor(
    host: ToolHost,
    a: OpenedDataset,
    b: OpenedDataset,
    settings: DiffSettings,
    report: DiffReport,
  ) {
    this.#a = a;
    this.#b = b;
    this.#settings = settings;
    this.#report = report;
    this.#copies = new ValueCopies(host.runtime, COPIES_BYTES_MAX);
    this.#comparesCounts = knowsCounts(a) && knowsCounts(b);
    this.#nowMs = settings.comparesExpired ? -Infinity : host.runtime.clock.now();
    this.#fingerprint = new Fingerprint(this.#comparesCounts, this.#nowMs);
  }

  async run(): Promise<void> {
    const report = this.#report;
    await this.#a.walk(this.#visitor(this.#a, (key) => this.#remember(key)), "Reading A");
    const keysOfB = { count: 0 };
    await this.#b.walk(this.#visitor(this.#b, (key) => this.#compare(key, keysOfB)), "Comparing B");
    this.#libraries.tell(report);
    this.#toTell += this.#table.count - (keysOfB.count - report.onlyInB);
    if (this.#toTell > 0) {
      const { expired } = report;
      await this.#a.walk(this.#visitor(this.#a, (key) => this.#tell(key)), "Reading A again");
      report.expired = expired; // they have been counted before
    }
    report.end();
  }

  #visitor(dataset: OpenedDataset, key: (key: ShownKey) => void): DatasetVisitor {
    const { database, skipsModules } = this.#settings;
    const refuse = (what: string) => {
      if (skipsModules) return;
      throw new ToolFailure(
        `${dataset.name}: ${what} cannot be compared; --skip-modules passes over it.`,
      );
    };
    return {
      library: (code) => this.#libraries.add(dataset === this.#a, code),
      key: (shown) => {
        if (database !== null && shown.database !== database) return;
        if (shown.expiresAtMs < this.#nowMs) {
          this.#report.expired++;
          return;
        }
        key(shown);
      },
      unheld: ({ kind, name: what }, number, name) => {
        const whose = `"${name}" (database ${number})`;
        if (kind === "part") refuse(`the ${what} of ${whose}`);
        else {
          const type = kind === "module" ? "the module type" : "type";
          refuse(`the value of ${whose}, of ${type} '${what}',`);
        }
      },
      moduleData: (module) => refuse(`data of the module '${module}'`),
    };
  }

  /** Takes the fingerprints of a key and its value; false when nothing of it counts. */
  #take({ database, place, ref }: ShownKey): boolean {
    const { records } = place;
    this.#key.ofBytes(
      database,
      records.bytesOf(ref),
      records.keyOffset(ref),
      records.keyLength(ref),
    );
    if (this.#fingerprint.of(place, ref)) return true;
    this.#report.expired++;
    return false;
  }

  #remember(key: ShownKey): void {
    if (!this.#take(key)) return;
    if (this.#table.find(this.#key) >= 0) this.#refuseTwice(this.#a, key);
    this.#table.add(this.#key, this.#fingerprint.sum, key.place.typeOf(key.ref), key.expiresAtMs);
  }

  #refuseTwice({ name }: OpenedDataset, key: ShownKey): never {
    throw new ToolFailure(`${name}: the key ${placeOf(key)} is there twice.`);
  }

  #compare(key: ShownKey, keys: { count: number }): void {
    if (!this.#take(key)) return;
    const table = this.#table;
    const type = key.place.typeOf(key.ref);
    const at = table.find(this.#key);
    keys.count++;
    if (at < 0) return this.#report.onlyIn("b", key, KINDS[type].name);
    if (table.marksOf(at) !== 0) this.#refuseTwice(this.#b, key);
    let marks = SEEN;
    if (type !== table.typeOf(at)) marks |= TYPE;
    else if (!table.hasValue(at, this.#fingerprint.sum)) {
      marks |= VALUE;
      if (this.#settings.partsShown > 0 || type === TYPE_HASH) {
        this.#copies.keep(at, key.place, key.ref);
      }
    }
    if (!isSameTime(table.expiryOf(at), key.expiresAtMs, this.#settings.toleranceMs)) {
      marks |= EXPIRY;
    }
    if (marks === SEEN) this.#report.same++;
    else {
      this.#toTell++;
      table.setType(at, type);
      table.setExpiry(at, key.expiresAtMs);
    }
    table.mark(at, marks);
  }

  #tell(key: ShownKey): void {
    if (!this.#take(key)) return;
    const table = this.#table;
    const at = table.find(this.#key);
    if (at < 0) throw new ToolFailure(`${this.#a.name} has changed while it was read.`);
    const marks = table.marksOf(at);
    const type = key.place.typeOf(key.ref);
    if (marks === SEEN) return;
    if (marks === 0) return this.#report.onlyIn("a", key, KINDS[type].name);
    const value = (marks & VALUE) === 0 ? null : this.#valueDifference(at, key);
    // Fields of a hash expire at different times, but not so different.
    const isSame = value !== null && value.count === 0 && type === TYPE_HASH &&
      marks === (SEEN | VALUE);
    if (isSame) {
      this.#report.same++;
      return;
    }
    this.#report.differs(key, {
      types: (marks & TYPE) === 0 ? null : [KINDS[type].name, KINDS[table.typeOf(at)].name],
      expiries: (marks & EXPIRY) === 0 ? null : [key.expiresAtMs, table.expiryOf(at)],
      type: KINDS[type].name,
      hasOtherValue: (marks & VALUE) !== 0,
      value,
    });
  }

  /** In what a value differs from its copy; null where there is none. */
  #valueDifference(at: number, { place, ref }: ShownKey): ValueDifference | null {
    const { partsShown, toleranceMs } = this.#settings;
    const difference = new ValueDifference(partsShown, toleranceMs);
    const isKept = this.#copies.show(at, (database, copy) => {
      visitParts(
        database,
        copy,
        this.#comparesCounts,
        this.#nowMs,
        (part) => difference.other(part),
      );
    });
    if (!isKept) return null;
    visitParts(place, ref, this.#comparesCounts, this.#nowMs, (part) => difference.one(part));
    difference.end();
    return difference;
  }
}
