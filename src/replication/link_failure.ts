/** Why a link to our master has ended, and what follows from that. */

export class LinkFailure extends Error {
  constructor(
    /** A line for the log, which also says it all for `REPLICATION LOG`. */
    message: string,
    readonly more: {
      readonly level?: "notice" | "warning";
      /** What has come is not to be trusted: the next sync is a full one. */
      readonly forgets?: boolean;
      /** An empty dataset was refused. */
      readonly isGuard?: boolean;
      /** What the snapshot or the stream holds cannot be taken: the next try will most likely go no better. */
      readonly isOfContent?: boolean;
      /** The master follows another server and has no link to it. */
      readonly isMasterless?: boolean;
      /** It is ended for a full sync that is to make our dataset the master's again. */
      readonly heals?: boolean;
    } = {},
  ) {
    super(message);
  }
}
