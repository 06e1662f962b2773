/**
 * `replica-guard-empty-master`: a master without persistence that was killed comes back empty, or nearly so
 * if somebody has written before its replicas were there, and with a new history. Its replicas, which then
 * hold the last copies of the data, are not to throw them away unless a person says so. See "An empty master"
 * in NOTES.
 */

import type { Database } from "../keyspace/database.ts";

/** What the decision is made of. */
export interface EmptyOffer {
  /** `replica-guard-empty-master`. */
  readonly isGuardOn: boolean;
  /** A person has told this server to follow that master, and it has not been in step since. */
  readonly isAccepted: boolean;
  /** Our data are those of a master: synced with it, or loaded with its replication id. */
  readonly isOfMaster: boolean;
  /** Keys that we hold and whose time is not over: a replica keeps the others until its master says DEL. */
  readonly keysHeld: number;
  /** Keys of the dataset that the master has sent. */
  readonly keysOffered: number;
  /** The master goes on with a history that we know: it has emptied itself on purpose. */
  readonly isKnownHistory: boolean;
  /** `replica-guard-min-percent`: with fewer of our keys than this a dataset is nearly empty. */
  readonly percentMin: number;
  /** Our data are guarded already: that ends when the master has data again, however long it has been up. */
  readonly isGuarded: boolean;
}

/**
 * Whether the dataset of a master is to be refused, because it would only take our data away. `if-restarted`:
 * if the master was started within the last `replica-guard-grace` seconds.
 */
export type Verdict = "take" | "refuse" | "if-restarted";

export function judge(offer: EmptyOffer): Verdict {
  const { keysHeld, keysOffered } = offer;
  const isOurs = offer.isGuardOn && !offer.isAccepted && !offer.isKnownHistory &&
    offer.isOfMaster && keysHeld > 0;
  if (!isOurs) return "take";
  if (keysOffered === 0) return "refuse";
  if (keysOffered * 100 >= keysHeld * offer.percentMin) return "take";
  return offer.isGuarded ? "refuse" : "if-restarted";
}

/** Buckets of the index of expiries that are looked at before others get their turn. */
const TURN_BUCKETS = 2_000;

/**
 * How many keys there are whose time is not over; counts no further than to `enough`. Those with an expiry are looked at
 * one by one, with a `pause` now and then.
 */
export async function livingKeys(
  databases: readonly Database[],
  enough: number,
  pause: () => Promise<void>,
): Promise<number> {
  let living = databases.reduce((sum, { count, expiringCount }) => sum + count - expiringCount, 0);
  for (const database of databases) {
    let cursor = 0;
    let buckets = 0;
    const look = (ref: number) => {
      if (!database.isExpired(ref)) living++;
    };
    while (living < enough && database.expiringCount > 0) {
      cursor = database.scanExpiring(cursor, look);
      if (cursor === 0) break;
      if (++buckets % TURN_BUCKETS === 0) await pause();
    }
  }
  return living;
}

/** The number of our keys from which on a dataset of `keysOffered` counts as nearly empty; `percentMin` above 0. */
export function keysEnoughToRefuse(keysOffered: number, percentMin: number): number {
  return keysOffered === 0 ? 1 : Math.floor(keysOffered * 100 / percentMin) + 1;
}
