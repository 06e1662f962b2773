/** Clients that do nothing but PING, in a thread of their own: `watch_worker.ts`. */

import type { ProbeSample } from "../replication/figures.ts";
import { AskedWorker } from "./asked_worker.ts";

/** What the thread is asked: to begin with these servers, or what it has seen. */
export type WatchQuestion = { ports: number[] } | "end";

export class Watch {
  readonly #worker = new AskedWorker<WatchQuestion, unknown>("./watch_worker.ts");

  private constructor() {}

  /** Begins to PING each of the servers about every millisecond; resolves once that is warm. */
  static async begin(...ports: number[]): Promise<Watch> {
    const watch = new Watch();
    await watch.#worker.ask({ ports });
    return watch;
  }

  /** Ends it: what was seen of each server. Times are those of `nowMs`. */
  async end(): Promise<ProbeSample[]> {
    const samples = await this.#worker.ask<ProbeSample[]>("end");
    this.#worker.end();
    return samples;
  }
}
