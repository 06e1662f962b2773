/** Results of SORT that become a list: SORT … STORE. */

import { EVENT_GENERIC, EVENT_LIST } from "../../../base/event_classes.ts";
import { INT64_TEXT_MAX, writeBigInt, writeInteger } from "../../../base/integers.ts";
import type { Call } from "../../../dispatch/call.ts";
import type { Database } from "../../../keyspace/database.ts";
import { listView } from "../../../keyspace/list.ts";
import { QuickList } from "../../../values/quicklist.ts";
import type { Results } from "./results.ts";

/** Text of an integer on its way into the list. */
const digits = new Uint8Array(INT64_TEXT_MAX + 4);

/**
 * Gathers results in a list that is under no key yet, because patterns may still read what is at the
 * destination.
 */
export class StoredResults implements Results {
  readonly #list: QuickList;

  constructor(database: Database) {
    this.#list = new QuickList(database.keyspace.limits.listMaxListpackSize);
  }

  bulk(bytes: Uint8Array, offset: number, length: number): void {
    this.#list.pushTail(bytes, offset, length);
  }

  bulkInteger(n: number): void {
    this.bulk(digits, 0, writeInteger(digits, 0, n));
  }

  bulkBigInt(n: bigint): void {
    this.bulk(digits, 0, writeBigInt(digits, 0, n));
  }

  /** A result that is missing becomes an empty element. */
  null(): void {
    this.bulk(digits, 0, 0);
  }

  /** Makes it the value of the key in a word, in place of any other, and answers with its length. */
  store({ database, words, reply }: Call, word: number): void {
    const { bytes } = words;
    const keyAt = words.starts[word];
    const keyLength = words.lengths[word];
    const { count } = this.#list;
    reply.integer(count);
    const old = database.lookupWrite(bytes, keyAt, keyLength);
    if (count === 0) {
      if (old !== 0) {
        database.removeRecord(old, bytes, keyAt, keyLength, EVENT_GENERIC, "del");
      }
      return;
    }
    database.putAt(old, () => {
      listView.createFrom(database, bytes, keyAt, keyLength, this.#list);
    });
    database.changed(bytes, keyAt, keyLength, EVENT_LIST, "sortstore", count);
  }
}
