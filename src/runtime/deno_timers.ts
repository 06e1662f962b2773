/**
 * Timers on Deno, and how long work is cut into slices there: a slice, then whatever is ready on
 * sockets and timers, then the next slice as soon as possible.
 *
 * Deno offers nothing for that: a timer waits one to two milliseconds even if nobody else wants the
 * thread, while message channels, immediates and answers of the thread pool come round without the
 * sockets having been looked at (clients then waited up to 60 ms). A byte sent to oneself over a
 * connection of one's own arrives when sockets are looked at, some 15 µs later if there is nothing
 * else: all others that are ready have their turn then.
 */

import type { Timers } from "./runtime.ts";
import { WebTimers } from "./web_timers.ts";

export class DenoTimers extends WebTimers implements Timers {
  readonly #waiting: (() => void)[] = [];
  readonly #byte = new Uint8Array(1);
  readonly #received = new Uint8Array(64);
  #isAsked = false;
  /** The opening of the connection, begun once; null when it is to be begun anew. */
  #opening: Promise<void> | null = null;
  #ends: { readonly near: Deno.TcpConn; readonly far: Deno.TcpConn } | null = null;

  /** What Deno has read in one round it hands over all together, before any microtask of that. */
  afterInput(work: () => void): void {
    queueMicrotask(work);
  }

  afterOthers(work: () => void): void {
    this.#waiting.push(work);
    if (this.#isAsked) return;
    this.#isAsked = true;
    if (this.#ends === null) {
      this.#opening ??= this.#open().catch(() => {}); // without it, timers do
      setTimeout(this.#run, 0);
      return;
    }
    const ends = this.#ends;
    const { near, far } = ends;
    Promise.all([near.write(this.#byte), far.read(this.#received)]).then(this.#run, () => {
      if (this.#ends === ends) this.#ends = null;
      setTimeout(this.#run, 0);
    });
  }

  readonly #run = (): void => {
    this.#isAsked = false;
    // Each by itself: an error of one is no business of the others.
    for (const work of this.#waiting.splice(0)) queueMicrotask(work);
  };

  async release(): Promise<void> {
    await this.#opening;
    this.#opening = null;
    this.#ends?.near.close();
    this.#ends?.far.close();
    this.#ends = null;
  }

  async #open(): Promise<void> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const [near, far] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port }),
      listener.accept(),
    ]);
    if ((near.localAddr as Deno.NetAddr).port !== (far.remoteAddr as Deno.NetAddr).port) {
      near.close();
      far.close();
      return; // somebody else was quicker to connect
    }
    near.setNoDelay(true);
    this.#ends = { near, far };
  }
}
