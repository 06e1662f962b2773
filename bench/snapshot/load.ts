/** The writing client of the snapshot benchmark, in a thread of its own: `load_worker.ts`. */

import { AskedWorker } from "./asked_worker.ts";
import type { Shape } from "./dataset.ts";

/** What the thread is asked. */
export type LoadQuestion =
  | { kind: "connect"; port: number; shape: Shape; perSecond: number }
  | { kind: "fill" }
  | { kind: "begin" }
  | { kind: "counts" }
  | { kind: "end" };

/** How far the writes have come: their numbers. */
export interface LoadCounts {
  sent: number;
  answered: number;
  atMs: number;
}

/** What became of the writes between `begin` and `end`. */
export interface LoadReport {
  counts: LoadCounts;
  /** Writes that were answered in each whole second. */
  perSecond: number[];
  /** The latest that a batch was made after its instant while the connection took bytes: the client's own delay. */
  latestMs: number;
}

export class Load {
  readonly #worker = new AskedWorker<LoadQuestion, unknown>("./load_worker.ts");

  private constructor() {}

  static async connect(port: number, shape: Shape, perSecond: number): Promise<Load> {
    const load = new Load();
    await load.#worker.ask({ kind: "connect", port, shape, perSecond });
    return load;
  }

  /** Stores all elements as they are at first. */
  async fill(): Promise<void> {
    await this.#worker.ask({ kind: "fill" });
  }

  /** From now on it writes at its rate, until `end`. */
  async begin(): Promise<void> {
    await this.#worker.ask({ kind: "begin" });
  }

  counts(): Promise<LoadCounts> {
    return this.#worker.ask<LoadCounts>({ kind: "counts" });
  }

  /** Stops writing; resolves when all has been answered. */
  end(): Promise<LoadReport> {
    return this.#worker.ask<LoadReport>({ kind: "end" });
  }

  close(): void {
    this.#worker.end();
  }
}
