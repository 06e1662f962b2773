/**
 * DIGESTs of long strings, as sliced_calls.ts does what takes long. As with DUMP (dumps.ts), a request looks for its
 * key when its turn comes, and hashes the string as it is then, whatever becomes of it meanwhile.
 */

import { xxh3Hex, Xxh3Run } from "../base/xxh3.ts";
import type { Database } from "../keyspace/database.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { isLongString, isString, StringReading } from "../keyspace/string_reading.ts";
import { WRONG_TYPE } from "../resp/reply_error.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { SlicedCall } from "./sliced_calls.ts";

/** Longer strings are hashed in slices, if the client may wait. */
const AT_ONCE_BYTES = 1 << 20;
/** Bytes that are hashed between two looks at the clock. */
const STEP_BYTES = 128 * 1024;

class Digesting extends SlicedCall {
  #hasBegun = false;
  #reading: StringReading | null = null;
  #run: Xxh3Run | null = null;
  /** The answer; null when there is no string at the key any more. */
  #digest: string | null = null;
  #isOfWrongType = false;

  constructor(
    readonly dispatcher: Dispatcher,
    client: Client,
    readonly command: Command,
    words: Words,
    readonly database: Database,
    /** The word that is the key. */
    readonly index: number,
  ) {
    super(dispatcher.sliced, client, words);
  }

  get memoryBytes(): number {
    return this.words.bytes.length;
  }

  step(): boolean {
    if (!this.#hasBegun) this.#begin();
    const reading = this.#reading;
    if (reading === null || !this.#run!.step(reading.bytes, 0, STEP_BYTES)) return reading === null;
    this.#digest = this.#run!.hex(reading.bytes, 0);
    this.#end();
    return true;
  }

  #begin(): void {
    this.#hasBegun = true;
    const { words: { bytes, starts, lengths }, index, database } = this;
    const ref = database.records.get(bytes, starts[index], lengths[index]);
    if (ref === 0 || database.isExpired(ref)) return;
    const content = database.capture();
    if (!isString(database, ref)) this.#isOfWrongType = true;
    else if (!isLongString(database, ref) || !StringReading.mayBegin(content)) {
      this.#digest = stringDigest(database, ref);
    } else {
      this.#reading = new StringReading(content, ref);
      this.#run = new Xxh3Run(this.#reading.length);
      // What is removed meanwhile is not given back: it may be this string.
      Keyspace.snapshotsOpen++;
    }
  }

  #end(): void {
    if (this.#reading === null) return;
    this.#reading.end();
    this.#reading = null;
    Keyspace.snapshotsOpen--;
  }

  finish(): void {
    const { dispatcher, client, command, words } = this;
    const answer = this.#isOfWrongType ? WRONG_TYPE : (reply: ReplyWriter) => this.#answer(reply);
    dispatcher.endParked(client, command, words, answer);
    this.untrack(this.index);
  }

  #answer(reply: ReplyWriter): void {
    if (this.#digest === null) reply.null();
    else reply.bulkText(this.#digest);
  }

  abandon(): boolean {
    this.#end();
    return true;
  }
}

/** The digest of the string of a record, made at once. */
export function stringDigest(database: Database, ref: number): string {
  const bytes = database.locateString(ref);
  return xxh3Hex(bytes, database.stringOffset, database.stringLength);
}

export class Digests {
  constructor(readonly dispatcher: Dispatcher) {}

  /**
   * Parks the client of this call until the string of `ref`, whose key is word `index`, is hashed. False when that is to be
   * done at once: it is not long, or the client may not wait.
   */
  park(call: Call, index: number, ref: number): boolean {
    const { client, command, database } = call;
    if (!isLongString(database, ref) || !call.mayPark || client.isMaster) return false;
    database.locateString(ref);
    if (database.stringLength <= AT_ONCE_BYTES) return false;
    const { dispatcher } = this;
    const words = call.words.clone();
    const digesting = new Digesting(dispatcher, client, command, words, database, index);
    dispatcher.sliced.park(call, digesting);
    return true;
  }
}
