/**
 * Has garbage collected once a server has come to rest. The runtimes collect when much is made anew; what
 * a load has left behind (connections, buffers, views) would otherwise stay for as long as nothing happens.
 *
 * Called by the server's timer. On Deno a collection takes ten to fifty milliseconds, in which nobody is
 * served. So there is none while clients ask for something, even little, nor in the midst of a snapshot, a full sync, a
 * MIGRATE or a call in slices: clients wait longer than usual as it is. A server that is never at rest leaves it to its
 * runtime.
 */

/** What has been done so far, as counters that only grow. */
export interface Work {
  readonly bytes: number;
  readonly connections: number;
  /** A snapshot, a full sync or the like is under way. */
  readonly isBusy: boolean;
}

/** A connection with its client counts as so many bytes. */
const CONNECTION_BYTES = 4096;
/** So much between two turns of the timer is load. */
const LOAD_BYTES = 32 * 1024;
/** After so long at rest there is a collection, and then a second one: some memory comes free by the first. */
const REST_MS = 1_000;
/** So much in that time is rest still: a PING now and then, a replica's acknowledgements. */
const REST_BYTES = 1_024;
const COLLECTIONS = 2;

export class IdleCollection {
  #seenBytes = 0;
  #restSinceMs = 0;
  /** What had been seen when the rest began. */
  #restBytes = 0;
  #due = 0;

  constructor(readonly collect: () => void) {}

  /** `nowMs` is of a clock that only goes forward. */
  tick({ bytes, connections, isBusy }: Work, nowMs: number): void {
    const seenBytes = bytes + connections * CONNECTION_BYTES;
    const isLoad = seenBytes - this.#seenBytes > LOAD_BYTES;
    this.#seenBytes = seenBytes;
    if (isLoad) this.#due = COLLECTIONS;
    if (isBusy || seenBytes - this.#restBytes > REST_BYTES) this.#beginRest(nowMs);
    else if (this.#due > 0 && nowMs - this.#restSinceMs >= REST_MS) {
      this.#beginRest(nowMs);
      this.#due--;
      this.collect();
    }
  }

  #beginRest(nowMs: number): void {
    this.#restSinceMs = nowMs;
    this.#restBytes = this.#seenBytes;
  }
}
