/**
 * DUMPs of large values, as sliced_calls.ts does what takes long. One after the other: when its turn comes, a
 * request looks for its key, and answers with the value of that moment, whatever becomes of it until the payload is
 * complete.
 */

import type { Command } from "./command.ts";
import type { Database } from "../keyspace/database.ts";
import { dumpPayload } from "../rdb/payload.ts";
import { PayloadDump } from "../rdb/payload_dump.ts";
import type { PayloadForm } from "../rdb/versions.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { SlicedCall } from "./sliced_calls.ts";

class Dumping extends SlicedCall {
  #hasBegun = false;
  #dump: PayloadDump | null = null;
  /** Of a value that had to be written at once, or is not there any more. */
  #payload: Uint8Array | null = null;

  constructor(
    readonly dispatcher: Dispatcher,
    client: Client,
    readonly command: Command,
    words: Words,
    readonly database: Database,
    /** The word that is the key. */
    readonly index: number,
    readonly form: PayloadForm,
  ) {
    super(dispatcher.sliced, client, words);
  }

  get memoryBytes(): number {
    return this.words.bytes.length + (this.#dump?.sizeBytes ?? 0);
  }

  step(): boolean {
    if (!this.#hasBegun) this.#begin();
    return this.#dump === null || this.#dump.step();
  }

  #begin(): void {
    this.#hasBegun = true;
    const { words, index, database, form } = this;
    const ref = database.records.get(words.bytes, words.starts[index], words.lengths[index]);
    if (ref === 0 || database.isExpired(ref)) return;
    this.#dump = PayloadDump.begin(database, ref, form);
    if (this.#dump === null) this.#payload = dumpPayload(database, ref, form);
  }

  finish(): void {
    this.dispatcher.endParked(
      this.client,
      this.command,
      this.words,
      (reply) => this.#answer(reply),
    );
    this.untrack(this.index);
  }

  #answer(reply: ReplyWriter): void {
    if (this.#dump !== null) {
      const { sizeBytes, chunks, lengths } = this.#dump;
      reply.sharedBulk(sizeBytes, chunks, lengths);
    } else if (this.#payload !== null) reply.bulk(this.#payload, 0, this.#payload.length);
    else reply.null();
  }

  abandon(): boolean {
    return this.#dump === null || this.#dump.discard();
  }
}

export class Dumps {
  constructor(readonly dispatcher: Dispatcher) {}

  /** Parks the client of this call until the payload of the key that is word `index` is made. */
  park(call: Call, index: number, form: PayloadForm): void {
    const { client, database, command } = call;
    const words = call.words.clone();
    const { dispatcher } = this;
    const dumping = new Dumping(dispatcher, client, command, words, database, index, form);
    dispatcher.sliced.park(call, dumping);
  }
}
