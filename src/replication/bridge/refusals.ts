/**
 * Replicas that are refused the dataset, as they cannot have all of it, ask again each second. The log tells of each
 * reason once a minute, and so does `REPLICATION LOG`. On the path of the master role, at PSYNC.
 */

const AGAIN_MS = 60_000;
const REFUSED_MAX = 1000;

export class Refusals {
  /** By "address:port": why, and when that was told last, monotonic ms. */
  readonly #told = new Map<string, { why: string; toldMs: number }>();

  /** A replica is refused: whether that is to be told. */
  isNews(name: string, why: string, steadyMs: number): boolean {
    const told = this.#told.get(name);
    if (told !== undefined && told.why === why && steadyMs - told.toldMs < AGAIN_MS) return false;
    if (this.#told.size >= REFUSED_MAX) this.#told.clear();
    this.#told.set(name, { why, toldMs: steadyMs });
    return true;
  }

  /** A replica is not refused any more. */
  taken(name: string): void {
    this.#told.delete(name);
  }
}
