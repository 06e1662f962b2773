/**
 * What has come to a replica and has not been carried out is not to be acknowledged. It is seen where much of that is there:
 * a replica that is told to wait (CLIENT PAUSE) reads on for a while, a client of the master waits for the confirmation
 * of what it has just written, and then the replica takes the master's place, with what it has carried out. Whatever
 * was confirmed has to be there.
 *
 * Where a transaction is cut in the midst of its bytes this cannot be seen, though much has come then as well: who
 * has written what stands behind it waits for its end too, and with its end all of it is carried out.
 *
 * Drawn from a sequence of its own, so that seeds without it go as ever.
 */

import { Random } from "../support/random.ts";
import type { Cluster } from "./cluster.ts";

const PROBABILITY = 0.2;
/** How long the replica is paused for: longer than all that is done meanwhile. */
const PAUSE_MS = 20_000;

export class PausedPromotion {
  readonly random: Random;
  /** Steps of the scenario until it happens; NaN for never. */
  #stepsLeft: number;

  constructor(seed: number) {
    this.random = new Random(seed ^ 0x706175);
    this.#stepsLeft = this.random.chance(PROBABILITY) ? this.random.between(0, 3) : NaN;
  }

  /** Whether it happens in this step; asked once for each. */
  get isDue(): boolean {
    return this.#stepsLeft-- === 0;
  }

  /** Pauses the replica and writes meanwhile. */
  async prepare(cluster: Cluster, name: string, write: () => Promise<void>): Promise<void> {
    await cluster.ask(name, "CLIENT", "PAUSE", String(PAUSE_MS), "WRITE");
    for (let left = this.random.between(1, 3); left > 0; left--) await write();
    await cluster.sleep(this.random.pick([0, 100, 1_500]));
  }
}
