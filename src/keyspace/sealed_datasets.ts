/**
 * What FLUSHALL, FLUSHDB or a full sync has replaced, kept for a while (`undo-window`) so that it can be brought back:
 * UNDO. Beside the path of requests: whoever replaces data hands them over here instead of clearing them.
 *
 * A sealed dataset is databases with nobody who could change them: no number reaches them, nothing in them expires or
 * is evicted, no snapshot has them. They cost what they take in memory, and go, the oldest first, when their time is
 * over, when all of them together are larger than `undo-max-memory`, or when their memory is needed (`maxmemory`). Of
 * SWAPDB there is nothing to be kept: it is noted, so that it can be told and turned back. See "What was replaced" in
 * NOTES.
 */

import { Database } from "./database.ts";
import { FunctionLibraries } from "./function_libraries.ts";
import type { Keyspace } from "./keyspace.ts";

/** What has replaced the data. */
export type SealCause = "flushall" | "flushdb" | "swapdb" | "full-sync" | "undo";

/** A dataset that was replaced. */
export interface SealedDataset {
  /** Grows from one to the next, from 1. */
  readonly id: number;
  readonly cause: SealCause;
  /** Who has replaced it: a client, or the master, in words for people. */
  readonly by: string;
  /** Unix time in ms at which it was replaced. */
  readonly sealedAtMs: number;
  /** The same by the monotonic clock. */
  readonly sealedSteadyMs: number;
  /** Those that had keys, with the numbers they had. */
  readonly databases: readonly Database[];
  /** See Replaced. */
  readonly isWhole: boolean;
  /** Function libraries that were replaced too; null when they were not. */
  readonly libraries: FunctionLibraries | null;
  /** Of SWAPDB: the two databases. */
  readonly swapped: readonly [number, number] | null;
}

/** Data that have been replaced. */
export interface Replaced {
  readonly cause: SealCause;
  /** Who has replaced them. */
  readonly by: string;
  /** Databases out of everybody's reach, with the numbers they had. */
  readonly databases: readonly Database[];
  readonly libraries: FunctionLibraries | null;
  /** Whether these were all databases that had keys: brought back, they leave all others empty. */
  readonly isWhole: boolean;
}

/** A sealed dataset as those see it who save datasets: what they ask of a keyspace. */
export type SealedForm =
  & Pick<Keyspace, "clock" | "dataBytes" | "idleSeconds" | "lfuCounter">
  & { readonly databases: readonly Database[]; readonly libraries: FunctionLibraries };

/** Why a dataset is not kept, or not any more; the latter three are the names of directives. */
export type DropReason = "asked for" | "undo-window" | "undo-max-memory" | "maxmemory";

/** Hears of what becomes of replaced data. */
export interface SealListener {
  /** It is kept. */
  sealed(dataset: SealedDataset): void;
  /** It is gone, or has not been kept at all. */
  dropped(dataset: SealedDataset, keys: number, bytes: number, reason: DropReason): void;
}

const NOBODY: SealListener = { sealed() {}, dropped() {} };

/** Swaps take no memory, so that their number has a bound of its own. */
const SEALED_MAX = 1_000;

/** The number of keys of a sealed dataset. */
export function sealedKeys({ databases }: SealedDataset): number {
  return databases.reduce((sum, { count }) => sum + count, 0);
}

/** Bytes of memory that it takes. */
export function sealedBytes({ databases, libraries }: SealedDataset): number {
  const bytes = databases.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  return bytes + (libraries?.memoryBytes ?? 0);
}

export class SealedDatasets {
  /** `undo-window` in ms; 0 keeps nothing. */
  windowMs = 0;
  /** `undo-max-memory` in bytes. */
  bytesMax = Infinity;
  listener: SealListener = NOBODY;
  /** One that is about to be brought back, and stays until then, whatever would make it go. */
  held: SealedDataset | null = null;
  #sealed: SealedDataset[] = [];
  #lastId = 0;

  constructor(readonly keyspace: Keyspace) {}

  /** All that are kept, the oldest first. */
  get all(): readonly SealedDataset[] {
    return this.#sealed;
  }

  /** Databases in them, whose memory has an owner like that of any other (see Defragmenter). */
  *databases(): Iterable<Database> {
    for (const { databases } of this.#sealed) yield* databases;
  }

  /** Bytes in use. */
  get bytes(): number {
    let bytes = 0;
    for (const sealed of this.#sealed) bytes += sealedBytes(sealed);
    return bytes;
  }

  /** Bytes held from the system. */
  get reservedBytes(): number {
    let bytes = 0;
    for (const database of this.databases()) bytes += database.reservedBytes;
    return bytes;
  }

  /**
   * Empties databases; what was in them is kept if it may be. Returns the number of keys. The caller tells watchers
   * and listeners, and counts the changes.
   */
  empty(databases: readonly Database[], cause: SealCause, by: string, isWhole: boolean): number {
    if (this.windowMs === 0) {
      return databases.reduce((removed, database) => removed + database.clear(), 0);
    }
    const replaced = databases.map((database) => database.takeContent());
    const removed = replaced.reduce((sum, { count }) => sum + count, 0);
    this.take({ cause, by, databases: replaced, libraries: null, isWhole });
    return removed;
  }

  /** Takes over data that have been replaced. They are let go of where they may not be kept. */
  take({ cause, by, databases, libraries, isWhole }: Replaced): void {
    const filled = databases.filter(({ count }) => count > 0);
    for (const database of databases) if (database.count === 0) database.clear();
    if (filled.length === 0 && (libraries === null || libraries.count === 0)) return;
    const sealed = this.#next({ cause, by, databases: filled, libraries, isWhole, swapped: null });
    if (this.windowMs === 0) return letGo(sealed);
    if (sealedBytes(sealed) > this.bytesMax) return this.#drop(sealed, "undo-max-memory");
    this.#add(sealed);
    this.#keepToMemory();
  }

  /** Notes that two databases were exchanged. */
  noteSwap(first: number, second: number, by: string): void {
    if (this.windowMs === 0) return;
    const swapped = [first, second] as const;
    this.#add(
      this.#next({
        cause: "swapdb",
        by,
        databases: [],
        libraries: null,
        isWhole: false,
        swapped,
      }),
    );
  }

  #next(what: Omit<SealedDataset, "id" | "sealedAtMs" | "sealedSteadyMs">): SealedDataset {
    const { nowMs, steadyMs } = this.keyspace;
    return { ...what, id: this.#lastId + 1, sealedAtMs: nowMs, sealedSteadyMs: steadyMs };
  }

  #add(sealed: SealedDataset): void {
    this.#lastId = sealed.id;
    this.#sealed.push(sealed);
    this.listener.sealed(sealed);
    if (this.#sealed.length <= SEALED_MAX) return;
    const oldest = this.#sealed.find((other) => other !== this.held);
    if (oldest !== undefined) this.drop(oldest, "undo-max-memory");
  }

  /** The one with this id; null when there is none, or none any more. */
  find(id: number): SealedDataset | null {
    return this.#sealed.find((sealed) => sealed.id === id) ?? null;
  }

  /** Seconds until it goes by itself, as of now. */
  secondsLeft({ sealedSteadyMs }: SealedDataset): number {
    return Math.max(0, (sealedSteadyMs + this.windowMs - this.keyspace.steadyMs) / 1000);
  }

  /** Lets go of one. */
  drop(sealed: SealedDataset, reason: DropReason): void {
    this.#remove(sealed);
    this.#drop(sealed, reason);
  }

  #drop(sealed: SealedDataset, reason: DropReason): void {
    const keys = sealedKeys(sealed);
    const bytes = sealedBytes(sealed);
    letGo(sealed);
    this.listener.dropped(sealed, keys, bytes, reason);
  }

  #remove(sealed: SealedDataset): void {
    this.#sealed = this.#sealed.filter((other) => other !== sealed);
  }

  /** Lets go of the oldest that takes memory; false when there is none. */
  dropOldest(reason: DropReason): boolean {
    const oldest = this.#sealed.find((sealed) => sealed.swapped === null && sealed !== this.held);
    if (oldest === undefined) return false;
    this.drop(oldest, reason);
    return true;
  }

  /** Called by the timer, and when limits have changed: lets go of what is not to be kept any more. */
  tick(): void {
    if (this.#sealed.length === 0) return;
    for (const sealed of this.#sealed) {
      if (sealed !== this.held && this.secondsLeft(sealed) === 0) this.drop(sealed, "undo-window");
    }
    this.#keepToMemory();
  }

  #keepToMemory(): void {
    while (this.bytes > this.bytesMax && this.dropOldest("undo-max-memory"));
  }

  /** One as it is written to a file. */
  savedForm({ databases, libraries }: SealedDataset): SealedForm {
    const { clock } = this.keyspace;
    return {
      clock,
      databases,
      libraries: libraries ?? new FunctionLibraries(),
      dataBytes: databases.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      idleSeconds: (meta) => this.keyspace.idleSeconds(meta),
      lfuCounter: (meta) => this.keyspace.lfuCounter(meta),
    };
  }

  /** Commands that empty what one takes the place of when it is brought back. */
  clearing({ databases, libraries, isWhole }: SealedDataset): string[][] {
    const flushes = isWhole
      ? [["FLUSHALL"]]
      : databases.flatMap(({ index }) => [["SELECT", `${index}`], ["FLUSHDB"]]);
    return libraries === null ? flushes : [...flushes, ["FUNCTION", "FLUSH"]];
  }

  /** Bytes of what is there now and would have to be kept if this dataset were brought back. */
  bytesToReplace({ databases, isWhole, libraries }: SealedDataset): number {
    const { keyspace } = this;
    const now = isWhole
      ? keyspace.databases.filter(({ count }) => count > 0)
      : databases.map(({ index }) => keyspace.databases[index]);
    const bytes = now.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
    return bytes + (libraries === null ? 0 : keyspace.libraries.memoryBytes);
  }

  /**
   * Brings a dataset back: it takes the place of what is there, which is kept in turn. Fails transactions that watch
   * what is exchanged, and lets blocked clients look again. Of SWAPDB the databases are exchanged once more.
   */
  restore(sealed: SealedDataset, by: string): void {
    const { keyspace } = this;
    this.#remove(sealed);
    if (sealed.swapped !== null) return keyspace.swap(...sealed.swapped);
    const databases = sealed.isWhole ? this.#withOthers(sealed.databases) : sealed.databases;
    for (const replaced of databases) {
      const database = keyspace.databases[replaced.index];
      keyspace.dirty += database.count + replaced.count;
      database.touchSwapped(replaced);
      database.exchangeContent(replaced);
      database.signalAllReady();
    }
    if (sealed.libraries !== null) keyspace.libraries.exchange(sealed.libraries);
    keyspace.listener.contentReplaced();
    const { libraries, isWhole } = sealed;
    this.take({ cause: "undo", by, databases, libraries, isWhole });
  }

  /** Beside these databases, empty ones for all others that have keys now. */
  #withOthers(databases: readonly Database[]): readonly Database[] {
    const indexes = new Set(databases.map(({ index }) => index));
    const others = this.keyspace.databases.filter(({ index, count }) =>
      count > 0 && !indexes.has(index)
    );
    return [...databases, ...others.map(({ index }) => new Database(this.keyspace, index))];
  }
}

function letGo({ databases }: SealedDataset): void {
  for (const database of databases) database.clear();
}
