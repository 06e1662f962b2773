/**
 * RESTOREs of large payloads: beside dispatch, as blocking.ts is for clients that wait for keys. The
 * payload is checked and its value built in slices, out of everybody's reach, while the client is parked;
 * then the request is run again, and finds the value made (`made`). What RESTORE asks of the keyspace (is
 * the key there, is there memory) is asked in that run, so that to others it all happens at once.
 *
 * Not here: transactions and the stream of a master, which have to go on at once.
 */

import { blocks } from "../base/blocks.ts";
import type { Words } from "../resp/words.ts";
import { PayloadLoad } from "../rdb/payload.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** Time that building takes before others get their turn, in ms. */
const SLICE_MS = 2;

class Restoring implements Park {
  /** Not for a person to end: it does not wait for anything. */
  readonly isBlocking = false;
  /** What the client makes the server hold meanwhile: the payload, and about as much again of the value. */
  readonly memoryBytes: number;

  constructor(
    readonly owner: Restores,
    readonly client: Client,
    readonly words: Words,
    readonly load: PayloadLoad,
  ) {
    this.memoryBytes = 2 * words.bytes.length;
  }

  unblock(): void {
    if (this.client.isClosed) this.owner.forget(this);
  }

  /** Gives the request's memory back: nobody reads it any more. */
  dispose(): void {
    blocks.give(this.words.bytes);
  }
}

export class Restores {
  readonly #underWay = new Set<Restoring>();
  #isScheduled = false;
  /** The one whose value is made: its request is being run again. */
  #made: Restoring | null = null;

  constructor(readonly dispatcher: Dispatcher) {}

  /** Parks the client of this call until `payload`, the word `index`, has become a value. */
  park(call: Call, index: number, skipsChecksum: boolean): void {
    const { client, database, server } = call;
    const { parser } = client;
    // A payload of a gigabyte is not copied for this.
    const words = parser !== null && parser.words === call.words
      ? parser.keepRequest()
      : call.words.clone();
    const { bytes, starts, lengths } = words;
    const load = new PayloadLoad(
      bytes,
      starts[index],
      lengths[index],
      skipsChecksum,
      database.keyspace.limits,
      call.nowMs,
    );
    const restoring = new Restoring(this, client, words, load);
    call.isParked = true;
    client.park = restoring;
    server.clients.blockedCount++;
    this.#underWay.add(restoring);
    this.#schedule();
  }

  /** What has been made for the request of this client, or null when that is to be done yet. */
  made(client: Client): PayloadLoad | null {
    return this.#made?.client === client ? this.#made.load : null;
  }

  /** Whether the call at hand is of a request that was parked. */
  get isRunningAgain(): boolean {
    return this.#made !== null;
  }

  /** Its client has gone. */
  forget(restoring: Restoring): void {
    if (this.#end(restoring)) restoring.dispose();
  }

  #end(restoring: Restoring): boolean {
    if (!this.#underWay.delete(restoring)) return false;
    this.dispatcher.server.clients.blockedCount--;
    return true;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#underWay.size === 0) return;
    this.#isScheduled = true;
    this.dispatcher.server.runtime.timers.afterOthers(() => {
      this.#isScheduled = false;
      this.#slice();
      this.#schedule();
    });
  }

  /** Goes on with the one that is longest under way, so that not all are held in halves. */
  #slice(): void {
    const [restoring] = this.#underWay;
    if (restoring === undefined) return;
    if (restoring.client.isClosed) return this.forget(restoring);
    const { clock } = this.dispatcher.server;
    const until = clock.monotonic() + SLICE_MS;
    while (!restoring.load.step()) if (clock.monotonic() > until) return;
    this.#runAgain(restoring);
  }

  #runAgain(restoring: Restoring): void {
    const { client, words } = restoring;
    const { dispatcher } = this;
    this.#end(restoring);
    client.park = null;
    dispatcher.server.keyspace.refreshTime();
    this.#made = restoring;
    try {
      // Through all gates again: the server may have become a replica, or have no memory left. What a
      // pause puts off now is built again after it.
      dispatcher.execute(client, words);
    } finally {
      this.#made = null;
      restoring.dispose();
    }
    client.transport.resume();
  }
}
