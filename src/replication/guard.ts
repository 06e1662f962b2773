/**
 * `replica-guard-empty-master`: a master without persistence that was killed comes back empty, or nearly so
 * if somebody has written before its replicas were there, and with a new history. Its replicas, which then
 * hold the last copies of the data, are not to throw them away unless a person says so. See "An empty master"
 * in NOTES.
 */

/** What the decision is made of. */
export interface EmptyOffer {
  /** `replica-guard-empty-master`. */
  readonly isGuardOn: boolean;
  /** A person has told this server to follow that master, and it has not been in step since. */
  readonly isAccepted: boolean;
  /** Our data are those of a master: synced with it, or loaded with its replication id. */
  readonly isOfMaster: boolean;
  /** Keys that we hold. */
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
