/**
 * RESTOREs of large payloads, as sliced_calls.ts does what takes long. The payload is checked and its value built
 * out of everybody's reach; then the request is run again, and finds the value made (`made`). What RESTORE asks of
 * the keyspace (is the key there, is there memory) is asked in that run, so that to others it all happens at once.
 *
 * Of the stream of a master, what is behind the request waits (replication/stream_applier.ts). Not here:
 * transactions, which have to go on at once.
 */

import { blocks } from "../base/blocks.ts";
import type { Words } from "../resp/words.ts";
import { type PayloadLeave, PayloadLoad } from "../rdb/payload.ts";
import { lowerVersion } from "../rdb/payload_version.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Making } from "./sliced_calls.ts";

class Restoring extends Making {
  /** The payload, and about as much again of the value. */
  readonly memoryBytes: number;

  constructor(dispatcher: Dispatcher, client: Client, words: Words, readonly load: PayloadLoad) {
    super(dispatcher.sliced, client, words);
    this.memoryBytes = 2 * words.bytes.length;
  }

  step(): boolean {
    return this.load.step();
  }

  abandon(): boolean {
    if (!this.words.isShared && !this.client.isMaster) blocks.give(this.words.bytes);
    return true;
  }
}

export class Restores {
  constructor(readonly dispatcher: Dispatcher) {}

  /** Parks the client of this call until `payload`, the word `index`, has become a value. */
  park(call: Call, index: number, leave: PayloadLeave): void {
    const { client, database } = call;
    const words = client.keepRequest(call.words);
    const { bytes, starts, lengths } = words;
    const load = new PayloadLoad(
      bytes,
      starts[index],
      lengths[index],
      leave,
      database.keyspace.limits,
    );
    const { dispatcher } = this;
    dispatcher.sliced.park(call, new Restoring(dispatcher, client, words, load));
  }

  /** What has been made for the request of this client, or null when that is to be done yet. */
  made(client: Client): PayloadLoad | null {
    const made = this.dispatcher.sliced.madeFor(client);
    return made instanceof Restoring ? made.load : null;
  }
}

/**
 * Puts the version of the payload in the words of a command down as far as its content allows, before they go anywhere.
 * Answers the version that it has then; 0 for none. See "Payloads in the stream" in NOTES.
 */
export function lowerPayload({ payloadWord }: Command, words: Words): number {
  if (payloadWord >= words.count) return 0;
  return lowerVersion(words.bytes, words.starts[payloadWord], words.lengths[payloadWord]);
}
