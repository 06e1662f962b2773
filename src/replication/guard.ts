/**
 * `replica-guard-empty-master`: a master without persistence that was killed comes back empty and
 * with a new history. Its replicas, which then hold the last copies of the data, are not to throw
 * them away unless a person says so. See "An empty master" in NOTES.
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
}

/** Whether the dataset of a master is to be refused, because it would only take our data away. */
export function refusesEmpty(offer: EmptyOffer): boolean {
  return offer.isGuardOn && !offer.isAccepted && !offer.isKnownHistory && offer.isOfMaster &&
    offer.keysHeld > 0 && offer.keysOffered === 0;
}
