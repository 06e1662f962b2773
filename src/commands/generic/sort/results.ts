/** Takes the elements in the order that SORT was asked for, and hands on what is wanted of each. */

import { INT64_TEXT_MAX, writeBigInt, writeInteger } from "../../../base/integers.ts";
import type { Database } from "../../../keyspace/database.ts";
import type { ElementSink } from "../../../keyspace/list.ts";
import type { Pattern } from "./pattern.ts";

/** Where results go: a reply, or the list that is stored. */
export interface Results extends ElementSink {
  /** A GET that leads nowhere. */
  null(): void;
}

/** Text of an integer on its way into a pattern. */
const digits = new Uint8Array(INT64_TEXT_MAX + 4);

export class ResultWriter implements ElementSink {
  /** Without `gets`, the elements themselves are the results. */
  constructor(
    readonly database: Database,
    readonly gets: readonly Pattern[],
    readonly results: Results,
  ) {}

  bulk(bytes: Uint8Array, offset: number, length: number): void {
    const { gets, results } = this;
    if (gets.length === 0) return results.bulk(bytes, offset, length);
    for (const get of gets) {
      if (get.find(this.database, bytes, offset, length)) {
        results.bulk(get.bytes, get.offset, get.length);
      } else results.null();
    }
  }

  bulkInteger(n: number): void {
    if (this.gets.length === 0) return this.results.bulkInteger(n);
    this.bulk(digits, 0, writeInteger(digits, 0, n));
  }

  bulkBigInt(n: bigint): void {
    if (this.gets.length === 0) return this.results.bulkBigInt(n);
    this.bulk(digits, 0, writeBigInt(digits, 0, n));
  }
}
