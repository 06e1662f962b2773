/**
 * Which replicas may go on with the stream where they are, and why others may not; those get a snapshot
 * (full_sync.ts). On the path of the master role, at PSYNC.
 */

import { formatBytes } from "../observe/bytes_for_people.ts";
import type { AttachedReplica } from "./attached_replica.ts";
import type { MasterRole } from "./master_role.ts";

/** Replicas to be remembered of those that are to have a full sync next. */
const UNSOUND_MAX = 1000;

export class PartialSyncs {
  /** Names of replicas whose dataset is known to be another one, with the reason. */
  readonly #unsound = new Map<string, string>();

  constructor(readonly master: MasterRole) {}

  /** The dataset of a replica is not ours, whatever it acknowledges: only a full sync makes it so again. */
  noteUnsound({ name }: AttachedReplica, why: string): void {
    if (this.#unsound.size >= UNSOUND_MAX) this.#unsound.clear();
    this.#unsound.set(name, why);
  }

  /** It has been sent the whole dataset. */
  fullySynced({ name }: AttachedReplica): void {
    this.#unsound.delete(name);
  }

  /** Why this replica cannot go on partially (logged); null when it can. */
  refusal(replica: AttachedReplica, id: string, wanted: number): string | null {
    const { host: { log }, history, unreadable: unreadableWrites } = this.master;
    const { ids } = history;
    const { translation } = replica;
    const { backlog, offset } = translation ?? history;
    if (id.startsWith("?")) {
      log.notice(`Full resync requested by replica ${replica.name}`);
      return "it asked for a full resync";
    }
    const unsound = this.#unsound.get(replica.name);
    if (unsound !== undefined) {
      log.notice(`Partial resynchronization not accepted: ${replica.name} ${unsound}`);
      return `it ${unsound}: its dataset is another one`;
    }
    if (translation === null && replica.target !== null) {
      log.notice(
        `Partial resynchronization not accepted: ${replica.name} has to be sent what ` +
          `${replica.target.name} know`,
      );
      return `it is taken for ${replica.target.name}, whose stream is another one`;
    }
    if (translation === null && !ids.shares(id, wanted)) {
      if (id.toLowerCase() === ids.secondId && ids.secondOffset >= 0) {
        log.notice(
          "Partial resynchronization not accepted: Requested offset for second ID was " +
            `${wanted}, but I can reply up to ${ids.secondOffset}`,
        );
        return `it asked for offset ${wanted} of our second id, which is good up to ` +
          `${ids.secondOffset}: ${wanted - ids.secondOffset} bytes of its history are not ours`;
      }
      log.notice(
        "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for " +
          `'${id}', my replication IDs are '${ids.id}' and '${ids.secondId}')`,
      );
      return `it asked for replication id ${id}, ours are ${ids.id} and ${ids.secondId}`;
    }
    const unreadable = translation === null
      ? unreadableWrites.partialRefusal(replica, wanted - 1)
      : null;
    if (unreadable !== null) {
      log.notice(`Partial resynchronization not accepted: ${unreadable}`);
      return unreadable;
    }
    if (backlog !== null && backlog.covers(wanted - 1)) return null;
    log.notice(
      `Unable to partial resync with replica ${replica.name} for lack of backlog ` +
        `(Replica request was: ${wanted}).`,
    );
    if (wanted > offset) {
      log.warning(
        `Warning: replica ${replica.name} tried to PSYNC with an offset that is greater than the ` +
          "master replication offset.",
      );
    }
    if (backlog === null) return `it asked for offset ${wanted}, and there is no backlog`;
    const first = backlog.beginOffset + 1;
    return wanted < first
      ? `it asked for offset ${wanted}, the backlog begins at ${first}: ${
        first - wanted
      } bytes are missing`
      : `it asked for offset ${wanted}, ${wanted - 1 - offset} bytes beyond ours, ${offset}`;
  }

  /** Goes on with the stream where the replica is. */
  begin(replica: AttachedReplica, wanted: number): void {
    const { id, backlog } = this.master.historyOf(replica);
    const { log, clock } = this.master.host;
    replica.state = "online";
    replica.ackMs = clock.monotonic();
    replica.cursor = backlog!.cursor(wanted - 1);
    replica.say(replica.hasCapaPsync2 ? `+CONTINUE ${id}\r\n` : "+CONTINUE\r\n");
    const bytes = replica.cursor.behindBytes;
    log.notice(
      `Partial resynchronization request from ${replica.name} accepted. Sending ${bytes} bytes of ` +
        `backlog starting from offset ${wanted}.`,
    );
    this.master.note(
      replica,
      "partial-sync",
      `from offset ${wanted} on, ${formatBytes(bytes)} of backlog`,
    );
  }
}
