/** The longest wait of a client that does nothing but PING, watched from a Worker: `stall_worker.ts`. */

/** What the worker is to watch. */
export interface StallQuestion {
  port: number;
  isBeingStarted: boolean;
}

/** What the worker says: that it has begun, or the longest wait in milliseconds at the end, or why it has none. */
export type StallMessage = { begun: true } | { longestMs: number } | { failure: string };

export class StallWatch {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /**
   * Begins to watch the server at `port`; resolves once the first answers have come. Of one that is only being
   * started, every answer counts.
   */
  static async begin(port: number, isBeingStarted = false): Promise<StallWatch> {
    const url = new URL("./stall_worker.ts", import.meta.url);
    const watch = new StallWatch(new Worker(url, { type: "module" }));
    await watch.#ask({ port, isBeingStarted });
    return watch;
  }

  /** Ends the watch: the longest wait, milliseconds, also of an answer that was outstanding at the end. */
  async end(): Promise<number> {
    const answer = await this.#ask("end");
    this.#worker.terminate();
    return "longestMs" in answer ? answer.longestMs : NaN;
  }

  #ask(question: StallQuestion | "end"): Promise<StallMessage> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<StallMessage>) =>
        "failure" in data ? reject(new Error(data.failure)) : resolve(data);
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage(question);
    });
  }
}
