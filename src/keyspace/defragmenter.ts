/**
 * Gives memory back to the system that lies in gaps: between records of sparse segments, and between the parts of
 * sparse blocks (base/blocks.ts). Called by the server's timer, in slices.
 *
 * A pass goes over everything in the keyspace that has memory in blocks. What lies in the blocks that were chosen
 * to be emptied is copied elsewhere by its owner; then nothing is left in them and they go. Meanwhile nobody may
 * read by hand what is moved, so there is no pass while a snapshot is under way.
 *
 * How dense memory is to be depends on whether there is enough: gaps of a third cost less than closing them,
 * but below `maxmemory` the machine must not see much more than that.
 */

import { blocks } from "../base/blocks.ts";
import type { Database } from "./database.ts";
import { Keyspace } from "./keyspace.ts";

/** Memory is scarce when data and gaps pass `maxmemory` by this factor. */
const SCARCE_FROM = 1.02;
/** Share of memory that is in use where there is enough, and where it is scarce. */
const USUAL_DENSITY = 0.6;
const SCARCE_DENSITY = 0.95;
/** Gaps in blocks that are left alone. */
const GAP_BYTES_MIN = 2 << 20;
/** Gaps where memory is not scarce. */
const USUAL_GAP_BYTES_MIN = 32 << 20;
/** Records, or values in slots, looked at before time is. */
const ITEMS = 64;

/** What has memory in blocks besides the databases: see `Dict`. */
export interface MovableTable {
  compactStep(records: number, density: number): boolean;
  vacateOne(): boolean;
}

export class Defragmenter {
  /** Tables that are no part of a database. */
  readonly others: MovableTable[] = [];
  #isUnderWay = false;
  #database = 0;
  #slot = 0;

  constructor(readonly keyspace: Keyspace) {}

  /** Bytes that are held for data and that no data has. */
  get slackBytes(): number {
    const { reservedBytes, dataBytes, sealed } = this.keyspace;
    return reservedBytes - dataBytes + sealed.reservedBytes - sealed.bytes + blocks.gapBytes;
  }

  /** Whether `usedBytes` and the gaps pass a limit of `maxBytes`, 0 for none. */
  isScarce(usedBytes: number, maxBytes: number): boolean {
    return maxBytes > 0 && usedBytes + this.slackBytes > maxBytes * SCARCE_FROM;
  }

  /**
   * Some work; true while there is more. No command may be reading values. `atOnce`: memory goes back before this
   * returns, as for `Blocks.settle`.
   */
  step(isScarce: boolean, atOnce = false): boolean {
    if (Keyspace.snapshotsOpen > 0) return this.#end(atOnce);
    const density = isScarce ? SCARCE_DENSITY : USUAL_DENSITY;
    if (this.#isUnderWay) {
      if (this.#moveSome(density)) return true;
      this.#end(atOnce);
    }
    return this.#begin(density) || this.#compact(density);
  }

  #begin(density: number): boolean {
    this.#database = 0;
    this.#slot = 0;
    return this.#isUnderWay = blocks.beginEmptying(gapBytesMax(density));
  }

  /** All that have memory in blocks: those that are served, and those that are kept for UNDO. */
  get #databases(): readonly Database[] {
    const { databases, sealed } = this.keyspace;
    return sealed.all.length === 0 ? databases : [...databases, ...sealed.databases()];
  }

  #compact(density: number): boolean {
    for (const { table } of this.#databases) {
      if (table.compactStep(ITEMS * 2, density)) return true;
    }
    return this.others.some((table) => table.compactStep(ITEMS * 2, density));
  }

  #moveSome(density: number): boolean {
    const databases = this.#databases;
    try {
      if (this.others.some((table) => table.vacateOne())) return true;
      this.#slot = databases[this.#database]?.tidySome(this.#slot, ITEMS, density) ?? -1;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return false; // there is no memory to move to
    }
    if (this.#slot >= 0) return true;
    this.#slot = 0;
    return ++this.#database < databases.length;
  }

  #end(atOnce: boolean): false {
    if (this.#isUnderWay) blocks.endEmptying(atOnce);
    this.#isUnderWay = false;
    return false;
  }
}

function gapBytesMax(density: number): number {
  const least = density === SCARCE_DENSITY ? GAP_BYTES_MIN : USUAL_GAP_BYTES_MIN;
  return Math.max(least, blocks.heldBytes * (1 - density));
}
