/**
 * Which history the dataset belongs to: the pair of replication ids of PSYNC2.
 *
 * A history is named by 40 hex digits and counted in bytes of the stream of writes. `id` names the
 * present one. `secondId` names the one it grew out of, and is good for offsets up to `secondOffset`:
 * a promoted replica keeps the id of its master there, so that its siblings and the old master can
 * go on with it where they are.
 */

import { type FillRandom, randomId } from "../base/random_id.ts";

const NO_ID = "0".repeat(40);

export class ReplicationIds {
  /** `master_replid`. */
  id: string;
  /** `master_replid2`: 40 zeros for none. */
  secondId = NO_ID;
  /** `second_repl_offset`: who has the second history may ask for bytes up to this one; -1 for none. */
  secondOffset = -1;

  readonly #fillRandom: FillRandom;

  constructor(fillRandom: FillRandom) {
    this.#fillRandom = fillRandom;
    this.id = randomId(fillRandom);
  }

  /** A new history that grows out of none. */
  renew(): void {
    this.id = randomId(this.#fillRandom);
    this.forgetSecond();
  }

  /** A new history from `offset` on, which goes on with the present one. */
  branch(offset: number): void {
    this.continueAs(randomId(this.#fillRandom), offset);
  }

  /** The present history goes on under another name from `offset` on. */
  continueAs(id: string, offset: number): void {
    this.secondId = this.id;
    this.secondOffset = offset + 1;
    this.id = id;
  }

  /** The dataset is from now on of the history `id`. */
  adopt(id: string): void {
    this.id = id;
    this.forgetSecond();
  }

  /** The dataset was of the history `id` up to `offset`. */
  rememberSecond(id: string, offset: number): void {
    this.secondId = id;
    this.secondOffset = offset + 1;
  }

  forgetSecond(): void {
    this.secondId = NO_ID;
    this.secondOffset = -1;
  }

  /** Whether who is of history `id` and wants byte number `wanted` next (the first is 1) shares ours. */
  shares(id: string, wanted: number): boolean {
    const asked = id.toLowerCase();
    if (asked === this.id) return true;
    return asked === this.secondId && this.secondOffset >= 0 && wanted <= this.secondOffset;
  }
}
