/**
 * UNDO RESTORE while there is an append-only file: its client is parked until the file leads to what is brought back.
 * Beside dispatch, as migrations.ts is; how the file comes there is for src/aof/dataset_switch.ts to say.
 *
 * Until then everybody is served from the present dataset, which is the one that is kept in turn. It is given up when
 * its client leaves, when the dataset that is to come is dropped, or when this server becomes a replica: at most one
 * is under way. See "What was replaced" in NOTES.
 */

import type { SealedDataset } from "../keyspace/sealed_datasets.ts";
import { ReplyError } from "../resp/reply_error.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Command } from "./command.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Words } from "../resp/words.ts";

/** What UNDO RESTORE says and does around it. */
export interface UndoRestore {
  readonly dataset: SealedDataset;
  /** Why it cannot be brought back as things are now, an error; null if it can. */
  refusal(): string | null;
  /** Brings it back, with all that follows from that. */
  restore(): void;
}

class Waiting implements Park {
  /** CLIENT UNBLOCK does not end it: who leaves gives it up, and UNDO DROP does. */
  readonly isBlocking = false;
  hasLeft = false;

  constructor(
    readonly owner: UndoRestores,
    readonly client: Client,
    readonly command: Command,
    readonly words: Words,
    readonly dataset: SealedDataset,
  ) {}

  unblock(): void {
    this.hasLeft = true;
    this.owner.clientLeft();
  }
}

export class UndoRestores {
  #waiting: Waiting | null = null;

  constructor(readonly dispatcher: Dispatcher) {}

  /** The dataset that is on its way back; null when there is none. */
  get dataset(): SealedDataset | null {
    return this.#waiting?.dataset ?? null;
  }

  /** Parks the client of this call until the dataset is back. @throws ReplyError where that cannot begin */
  begin(call: Call, { dataset, refusal, restore }: UndoRestore): void {
    const { client, command, words, server } = call;
    const { keyspace, aof, clients } = server;
    if (!call.mayPark) {
      throw new ReplyError(
        "ERR UNDO RESTORE has to wait for the append-only file, which cannot be done here",
      );
    }
    if (aof.isExchanging) {
      throw new ReplyError("ERR another UNDO RESTORE is under way: see undo_restore_in_progress");
    }
    const waiting = new Waiting(this, client, command, words.clone(), dataset);
    call.isParked = true;
    client.park = waiting;
    clients.blockedCount++;
    this.#waiting = waiting;
    keyspace.sealed.held = dataset;
    aof.exchangeDataset({
      dataset: keyspace.sealed.savedForm(dataset),
      clearing: keyspace.sealed.clearing(dataset),
      refusal,
      exchange: () => {
        keyspace.refreshTime();
        keyspace.sealed.held = null;
        restore();
      },
      ended: (failure) => this.#ended(waiting, failure),
    });
  }

  #ended(waiting: Waiting, failure: string | null): void {
    const { dispatcher } = this;
    const { keyspace, log } = dispatcher.server;
    const { client, command, words, dataset } = waiting;
    this.#waiting = null;
    keyspace.sealed.held = null;
    if (failure !== null) {
      log.warning(`UNDO RESTORE ${dataset.id} is given up, and nothing has changed: ${failure}`);
    }
    const text = failure === null || failure.startsWith("ERR ")
      ? failure
      : `ERR nothing has changed: ${failure}`;
    if (waiting.hasLeft) {
      dispatcher.server.clients.blockedCount--;
      client.park = null;
    } else dispatcher.endParked(client, command, words, text ?? ((reply) => reply.ok()));
    if (failure === null) dispatcher.unitEnded();
    else keyspace.sealed.tick();
  }

  /** Nobody waits any more. What can be given up is; what is just being named goes on. */
  clientLeft(): void {
    if (this.dispatcher.server.aof.mayGiveUpExchange) this.cancel("its client has left");
  }

  /** Gives up what is under way, if something is; its client is told why. */
  cancel(reason: string): void {
    if (this.#waiting !== null) this.dispatcher.server.aof.giveUpExchange(reason);
  }
}
