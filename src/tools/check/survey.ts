/** What there is in a dataset, counted key by key in memory that has a bound: types, databases, sizes, expiries. */

import { PrefixTree } from "./prefixes.ts";

/** The largest keys that are kept. */
const LARGEST_MAX = 10;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Spans from now within which keys expire, in ms; the last one is all the rest. */
const SPANS: readonly (readonly [name: string, untilMs: number])[] = [
  ["past", 0],
  ["within an hour", HOUR_MS],
  ["within a day", DAY_MS],
  ["within a week", 7 * DAY_MS],
  ["within 30 days", 30 * DAY_MS],
  ["later", Infinity],
];

/** A key, as it is counted. The bytes of its name are good during the call only. */
export interface CountedKey {
  readonly database: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly type: string;
  /** The type with the form of its value, in the file or in memory: "hash, listpack". */
  readonly form: string;
  readonly elements: number;
  /** In the file; 0 where it is of no file. */
  readonly fileBytes: number;
  readonly memoryBytes: number;
  /** Unix ms, NaN for none. */
  readonly expiresAtMs: number;
}

export interface TypeCount {
  keys: number;
  elements: number;
  fileBytes: number;
  memoryBytes: number;
}

export interface DatabaseCount {
  keys: number;
  expiring: number;
  memoryBytes: number;
}

export interface LargestKey extends TypeCount {
  readonly database: number;
  readonly key: Uint8Array;
  readonly type: string;
}

export class Survey {
  keys = 0;
  elements = 0;
  fileBytes = 0;
  memoryBytes = 0;
  expiring = 0;
  /** Unix ms; Infinity and -Infinity when nothing expires. */
  firstExpiryMs = Infinity;
  lastExpiryMs = -Infinity;
  readonly types = new Map<string, TypeCount>();
  readonly encodings = new Map<string, TypeCount>();
  readonly databases = new Map<number, DatabaseCount>();
  readonly prefixes = new PrefixTree();
  /** By size in memory, the largest first. */
  readonly largest: LargestKey[] = [];
  readonly #spans = SPANS.map(() => 0);

  /** Expiries are seen from `nowMs`, in Unix ms. */
  constructor(readonly nowMs: number) {}

  add(key: CountedKey): void {
    this.keys++;
    this.elements += key.elements;
    this.fileBytes += key.fileBytes;
    this.memoryBytes += key.memoryBytes;
    addTo(this.types, key.type, key);
    addTo(this.encodings, key.form, key);
    this.#addToDatabase(key);
    this.prefixes.add(key.bytes, key.offset, key.length, key.memoryBytes);
    if (key.expiresAtMs === key.expiresAtMs) this.#addExpiry(key.expiresAtMs);
    this.#addLargest(key);
  }

  /** How many keys expire in each span of time from now. */
  get spans(): (readonly [name: string, keys: number])[] {
    return SPANS.map(([name], i) => [name, this.#spans[i]] as const);
  }

  #addToDatabase({ database, memoryBytes, expiresAtMs }: CountedKey): void {
    let count = this.databases.get(database);
    if (count === undefined) {
      this.databases.set(database, count = { keys: 0, expiring: 0, memoryBytes: 0 });
    }
    count.keys++;
    count.memoryBytes += memoryBytes;
    if (expiresAtMs === expiresAtMs) count.expiring++;
  }

  #addExpiry(expiresAtMs: number): void {
    this.expiring++;
    this.firstExpiryMs = Math.min(this.firstExpiryMs, expiresAtMs);
    this.lastExpiryMs = Math.max(this.lastExpiryMs, expiresAtMs);
    const inMs = expiresAtMs - this.nowMs;
    this.#spans[SPANS.findIndex(([, untilMs]) => inMs < untilMs || untilMs === Infinity)]++;
  }

  #addLargest(key: CountedKey): void {
    const { largest } = this;
    const { memoryBytes } = key;
    if (largest.length === LARGEST_MAX) {
      if (largest[LARGEST_MAX - 1].memoryBytes >= memoryBytes) return;
      largest.pop();
    }
    let at = largest.length;
    while (at > 0 && largest[at - 1].memoryBytes < memoryBytes) at--;
    largest.splice(at, 0, {
      database: key.database,
      key: key.bytes.slice(key.offset, key.offset + Math.min(key.length, SHOWN_MAX)),
      type: key.type,
      keys: 1,
      elements: key.elements,
      fileBytes: key.fileBytes,
      memoryBytes,
    });
  }
}

/** More of a key is not kept. */
const SHOWN_MAX = 1024;

function addTo(counts: Map<string, TypeCount>, name: string, key: CountedKey): void {
  let count = counts.get(name);
  if (count === undefined) {
    counts.set(name, count = { keys: 0, elements: 0, fileBytes: 0, memoryBytes: 0 });
  }
  count.keys++;
  count.elements += key.elements;
  count.fileBytes += key.fileBytes;
  count.memoryBytes += key.memoryBytes;
}
