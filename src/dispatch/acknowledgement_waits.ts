/**
 * Clients that wait until enough replicas have acknowledged what they wrote: WAIT. Beside dispatch, as
 * blocking.ts is for clients that wait for keys; the master role says who has acknowledged what.
 */

import type { Words } from "../resp/words.ts";
import { type Timer, TIMER_MAX_MS } from "../runtime/runtime.ts";
import type { Command } from "./command.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";

class Waiter implements Park {
  readonly isBlocking = true;
  timer: Timer | null = null;

  constructor(
    readonly owner: AcknowledgementWaits,
    readonly client: Client,
    readonly command: Command,
    readonly words: Words,
    /** Offset of the stream that is to be acknowledged, and by how many. */
    readonly offset: number,
    readonly count: number,
  ) {}

  unblock(withError: boolean): void {
    this.owner.release(
      this,
      withError ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : null,
    );
  }
}

export class AcknowledgementWaits {
  readonly #waiters = new Set<Waiter>();

  constructor(readonly dispatcher: Dispatcher) {}

  /** Parks the client of this call until `count` replicas have all it wrote; `timeoutMs` 0: for ever. */
  park(call: Call, count: number, timeoutMs: number): void {
    const { client, words, command, server } = call;
    const waiter = new Waiter(this, client, command, words.clone(), client.writeOffset, count);
    if (timeoutMs > 0) {
      waiter.timer = server.runtime.timers.after(
        Math.min(timeoutMs, TIMER_MAX_MS),
        () => this.release(waiter, null),
      );
    }
    call.isParked = true;
    client.park = waiter;
    server.clients.blockedCount++;
    this.#waiters.add(waiter);
    server.replication.master.requestAcks();
  }

  /** How many clients wait for a limited time. */
  get timedCount(): number {
    let count = 0;
    for (const { timer } of this.#waiters) if (timer !== null) count++;
    return count;
  }

  /** A replica has acknowledged something: lets those go that have waited for it. */
  acknowledged(): void {
    if (this.#waiters.size === 0) return;
    const { master } = this.dispatcher.server.replication;
    for (const waiter of this.#waiters) {
      if (master.acknowledgedCount(waiter.offset) >= waiter.count) this.release(waiter, null);
    }
  }

  /** Ends all waiting with an error: when the server stops being a master. */
  releaseAll(errorText: string): void {
    for (const waiter of this.#waiters) this.release(waiter, errorText);
  }

  /** Ends the waiting of one client with an error, or (null) with the number of replicas. */
  release(waiter: Waiter, errorText: string | null): void {
    if (!this.#waiters.delete(waiter)) return;
    const { client, command, words, offset } = waiter;
    const { server } = this.dispatcher;
    server.runtime.timers.cancel(waiter.timer);
    this.dispatcher.endParked(
      client,
      command,
      words,
      errorText ?? ((reply) => reply.integer(server.replication.master.acknowledgedCount(offset))),
    );
  }
}
