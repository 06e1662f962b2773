/**
 * An evenly drawable, scannable set of references to another dict's records, with no records of its
 * own: the expiry index of a database (which keys have an expiry). The owner says when a record
 * moves. Resizes step by step, as Dict does.
 */

import { tryAllocating } from "../base/refused.ts";
import type { Dict } from "./dict.ts";
import {
  GROW_FILL,
  mayGrow,
  MIN_BUCKETS,
  moveBucket,
  randomFrom,
  reserveInTables,
  scanTables,
  Table,
} from "./table.ts";

export class RefIndex {
  #table = new Table(MIN_BUCKETS);
  #next: Table | null = null;
  #rehashAt = 0;
  /** > 0 while buckets must stay where they are (a scan is under way). */
  #pinned = 0;

  /** `owner` is the dict whose records the references are. */
  constructor(readonly owner: Dict) {}

  get count(): number {
    return this.#table.used + (this.#next === null ? 0 : this.#next.used);
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes + (this.#next === null ? 0 : this.#next.memoryBytes);
  }

  /** Adds a reference that is not there. @throws RangeError without a change when there is no memory */
  add(hash: number, ref: number): void {
    if (this.#next !== null) {
      this.#next.put(hash, ref);
      this.#step();
      return;
    }
    this.#table.put(hash, ref);
    const isFull = this.#table.used > this.#table.buckets * GROW_FILL;
    if (isFull && mayGrow(this.#table, this.owner.growthGate)) {
      this.#resize(this.#table.buckets * 2);
    }
  }

  delete(hash: number, ref: number): void {
    const next = this.#next;
    if (next !== null && next.replace(hash, ref, ref)) next.take(hash, ref);
    else this.#table.take(hash, ref);
    if (next !== null) this.#step();
    else if (this.#table.used < this.#table.buckets >> 1 && this.#table.buckets > MIN_BUCKETS) {
      this.#resize(this.#table.buckets >> 1);
    }
  }

  /** Takes the memory for so many references more. @throws RangeError without a change when there is none */
  reserve(count: number): void {
    reserveInTables(
      this.#table,
      this.#next,
      count,
      this.owner.growthGate,
      (buckets) => this.#beginResize(buckets),
    );
  }

  /** Begins to move to a table of another size, if there is memory for one: the old one does too. */
  #resize(buckets: number): void {
    tryAllocating(() => this.#beginResize(buckets));
  }

  #beginResize(buckets: number): Table {
    this.#next = new Table(buckets);
    this.#rehashAt = 0;
    return this.#next;
  }

  replace(hash: number, oldRef: number, newRef: number): void {
    if (!this.#table.replace(hash, oldRef, newRef)) this.#next?.replace(hash, oldRef, newRef);
  }

  #step(): void {
    if (this.#pinned > 0) return;
    const table = this.#table;
    const next = this.#next!;
    if (!moveBucket(table, next, this.#rehashAt, this.owner.arena)) return;
    if (++this.#rehashAt === table.buckets) {
      table.dispose();
      this.#table = next;
      this.#next = null;
    }
  }

  /** See `Dict.vacateOne`. */
  vacateOne(): boolean {
    return this.#table.vacate() || (this.#next?.vacate() ?? false);
  }

  /** Gives the memory back. The index may not be used any more. */
  dispose(): void {
    this.#table.dispose();
    this.#next?.dispose();
  }

  /**
   * Calls `visit` for the references of one bucket per table; returns the next cursor, 0 at the end.
   * `visit` may remove the reference it is given, nothing else.
   */
  scan(cursor: number, visit: (ref: number) => void): number {
    this.#pinned++;
    try {
      return scanTables(this.#table, this.#next, cursor, visit);
    } finally {
      this.#pinned--;
    }
  }

  /** A reference drawn evenly, or 0 when empty. */
  random(draw: () => number): number {
    return randomFrom(this.#table, this.#next, draw);
  }

  /** Largest cursor mask, to start a scan anywhere. */
  get mask(): number {
    return this.#next === null ? this.#table.mask : Math.max(this.#table.mask, this.#next.mask);
  }
}
