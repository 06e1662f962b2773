/**
 * Calls that take long and wait for nothing: beside dispatch, as blocking.ts is for those that wait for keys. Their
 * client is parked while the work goes on in slices, between the requests of others; then the call is answered.
 * restores.ts, dumps.ts, makings.ts and digests.ts say what is done.
 *
 * Not here: transactions, which have to go on at once. See "Calls in slices" in NOTES.
 */

import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** Time that the work takes before others get their turn, in ms. */
export const SLICE_MS = 2;

export abstract class SlicedCall implements Park {
  /** Not for a person to end: it does not wait for anything. */
  readonly isBlocking = false;
  /** What the client makes the server hold meanwhile. */
  abstract readonly memoryBytes: number;
  /** Its client has gone, and there is still something to be done. */
  isAbandoned = false;

  constructor(readonly owner: SlicedCalls, readonly client: Client, readonly words: Words) {}

  /** Does a piece; true when the call can be answered. */
  abstract step(): boolean;
  /** Answers the call, has its client go on and lets go of everything. */
  abstract finish(): void;
  /** Lets go of everything as the client has gone; false when further steps are needed all the same. */
  abstract abandon(): boolean;

  /**
   * After an answer of what the key that is word `index` has held: it may have changed since, so a client that tracks
   * is not to keep that.
   */
  protected untrack(index: number): void {
    const { client: { tracker }, words: { bytes, starts, lengths }, owner } = this;
    if (tracker === null || !tracker.hearsOfKeys) return;
    const { tracking } = owner.dispatcher.server;
    tracking.invalidateFor(tracker, bytes, starts[index], lengths[index]);
  }

  unblock(): void {
    if (this.client.isClosed) this.owner.forget(this);
  }
}

/**
 * A call that makes what its request needs. Once that is there (or will not be), the request is run again, through all
 * gates: what others see happens at that moment.
 */
export abstract class Making extends SlicedCall {
  finish(): void {
    this.owner.runAgain(this);
    this.abandon();
  }
}

export class SlicedCalls {
  /** Slices since the start. */
  slices = 0;
  /** The one whose request is being run again. */
  #made: Making | null = null;
  readonly #underWay = new Set<SlicedCall>();
  #isScheduled = false;

  constructor(readonly dispatcher: Dispatcher) {}

  /** Whether there is such a call. */
  get isUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Parks the client of a call until it has been answered. */
  park(call: Call, sliced: SlicedCall): void {
    call.isParked = true;
    call.client.park = sliced;
    this.dispatcher.server.clients.blockedCount++;
    this.#underWay.add(sliced);
    this.#schedule();
  }

  /** What was made for the request of this client that is being run again; null when that is not so. */
  madeFor(client: Client): Making | null {
    return this.#made?.client === client ? this.#made : null;
  }

  /** Whether the call at hand is of a request that was parked. */
  get isRunningAgain(): boolean {
    return this.#made !== null;
  }

  /** Runs the request again for which something was made. */
  runAgain(making: Making): void {
    const { client, words } = making;
    const { dispatcher } = this;
    dispatcher.server.clients.blockedCount--;
    client.park = null;
    this.#made = making;
    try {
      // The server may have become a replica, or have no memory left. What a pause puts off now is made anew
      // after it.
      dispatcher.execute(client, words);
    } finally {
      this.#made = null;
    }
    client.transport.resume();
  }

  /** Its client has gone. */
  forget(sliced: SlicedCall): void {
    if (sliced.isAbandoned || !this.#underWay.has(sliced)) return;
    this.dispatcher.server.clients.blockedCount--;
    this.#abandon(sliced);
  }

  #abandon(sliced: SlicedCall): void {
    if (sliced.isAbandoned || sliced.abandon()) this.#underWay.delete(sliced);
    else sliced.isAbandoned = true;
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
    const [sliced] = this.#underWay;
    if (sliced === undefined || this.dispatcher.server.scripts.isSuspended) return;
    if (sliced.client.isClosed) this.forget(sliced);
    if (!this.#underWay.has(sliced)) return;
    this.slices++;
    const { clock, keyspace } = this.dispatcher.server;
    keyspace.refreshTime();
    const until = clock.monotonic() + SLICE_MS;
    try {
      while (!sliced.step()) if (clock.monotonic() > until) return;
    } catch (error) {
      this.#fail(sliced, error);
      return;
    }
    this.#underWay.delete(sliced);
    if (!sliced.isAbandoned) sliced.finish();
  }

  /** A step has thrown, for lack of memory or by a fault of ours. */
  #fail(sliced: SlicedCall, error: unknown): void {
    const isAnswered = !sliced.isAbandoned;
    this.#abandon(sliced);
    if (isAnswered) this.dispatcher.failParked(sliced.client, sliced.words, error);
  }
}
