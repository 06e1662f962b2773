/**
 * Clients that wait until what they wrote is where they want it: with enough replicas (WAIT), or on the
 * disks of enough servers (WAITAOF). Beside dispatch, as
 * blocking.ts is for clients that wait for keys; the master role says who has acknowledged what.
 */

import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import { type Timer, TIMER_MAX_MS } from "../runtime/runtime.ts";
import type { Command } from "./command.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Services } from "./services.ts";

/** What a client waits for. */
export interface AcknowledgementGoal {
  /** Whether it is enough by now; `server` is where the client has written. */
  isReached(server: Services): boolean;
  /** Answers how much of it there is. */
  reply(server: Services, reply: ReplyWriter): void;
  /** The error, once it can no longer be reached. */
  refusal?(server: Services): string | null;
}

class Waiter implements Park {
  readonly isBlocking = true;
  timer: Timer | null = null;

  constructor(
    readonly owner: AcknowledgementWaits,
    readonly client: Client,
    readonly command: Command,
    readonly words: Words,
    readonly goal: AcknowledgementGoal,
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

  /** Answers the call if its goal is reached or it may not wait, else parks its client; `timeoutMs` 0: for ever. */
  await(call: Call, goal: AcknowledgementGoal, timeoutMs: number): void {
    const { client, words, command, server } = call;
    if (!call.mayPark || goal.isReached(server)) return goal.reply(server, call.reply);
    const waiter = new Waiter(this, client, command, words.clone(), goal);
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

  /** Something has come to a replica, or to a disk, or cannot any more: lets those go that have waited for it. */
  acknowledged(): void {
    if (this.#waiters.size === 0) return;
    const { server } = this.dispatcher;
    for (const waiter of this.#waiters) {
      const refusal = waiter.goal.refusal?.(server) ?? null;
      if (refusal !== null || waiter.goal.isReached(server)) this.release(waiter, refusal);
    }
  }

  /** Ends all waiting with an error: when the server stops being a master. */
  releaseAll(errorText: string): void {
    for (const waiter of this.#waiters) this.release(waiter, errorText);
  }

  /** Ends the waiting of one client with an error, or (null) with what there is. */
  release(waiter: Waiter, errorText: string | null): void {
    if (!this.#waiters.delete(waiter)) return;
    const { client, command, words, goal } = waiter;
    const { server } = this.dispatcher;
    server.runtime.timers.cancel(waiter.timer);
    this.dispatcher.endParked(
      client,
      command,
      words,
      errorText ?? ((reply) => goal.reply(server, reply)),
    );
  }
}
