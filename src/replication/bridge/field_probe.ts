/**
 * Finds out which replicas know fields that expire. Redis 7.0 and 7.2 introduce themselves as 7.4 does, the first that
 * can be told of such fields. So once there are some, the stream asks, in a transaction between two questions that every
 * server answers:
 *
 *     REPLCONF GETACK *   MULTI  HPTTL …  REPLCONF GETACK * (8 times)  EXEC   REPLCONF GETACK *
 *                 `begin` ^                                      `end` ^
 *
 * A server without the command HPTTL drops the whole transaction. One that has it answers each GETACK within, and says
 * that it is at `begin`, as a transaction counts once it is over. Both say to the last question that they are at `end`;
 * who says so no other way than once a second is no server, or none that answers, and tells nothing. As the first
 * question is answered from before `begin`, what is said once a second is not taken for eight answers unless the link
 * stands still within these few bytes for as many seconds.
 *
 * Nothing is asked while a master of our own makes the stream. On the path of the master role: once a second, when WAIT
 * asks, and when the stream has grown after a rest.
 */

import type { AttachedReplica } from "../attached_replica.ts";
import type { ReplicationHost } from "../host.ts";

const GETACK = ["REPLCONF", "GETACK", "*"];
/** A command of those who know fields that expire; the key is not there, so nothing is read. */
const KNOWN_SINCE_7_4 = ["HPTTL", "tsredis-asks-for-HPTTL", "FIELDS", "1", "field"];
const ANSWERS = 8;
/** Who has been away for longer may be another server when it is back. */
const AWAY_MS = 15_000;
const LACKING_MAX = 1000;

/** What has been asked of one replica, as offsets of the stream. */
export interface FieldQuestion {
  /** Where the question begins, behind what has led to it. */
  readonly from: number;
  readonly begin: number;
  readonly end: number;
  /** Answers from within the transaction. */
  answers: number;
  /** What has come of it; null while it is open. */
  verdict: "knows" | "lacks" | "silent" | null;
}

/** Puts commands into the stream, several as a transaction. Answers false where that is not ours to do. */
export type Feed = (...commands: string[][]) => boolean;

export class FieldProbe {
  /** Who has been found to lack them, by "address:port", and when it was last here, monotonic ms. */
  readonly #lacking = new Map<string, number>();

  constructor(readonly host: ReplicationHost, readonly feed: Feed) {}

  /**
   * Asks those of these replicas who have not been asked on their link. Answers false where nothing can be asked.
   */
  ask(replicas: AttachedReplica[]): boolean {
    if (replicas.length === 0) return true;
    const { stream } = this.host.keyspace;
    const from = stream.offset;
    if (!this.feed(GETACK)) return false;
    const begin = stream.offset;
    this.feed(KNOWN_SINCE_7_4, ...Array<string[]>(ANSWERS).fill(GETACK));
    const end = stream.offset;
    this.feed(GETACK);
    for (const replica of replicas) {
      replica.fieldQuestion = { from, begin, end, answers: 0, verdict: null };
    }
    return true;
  }

  /** A replica says where it is; with the last of its answers there is a verdict. */
  answered(replica: AttachedReplica, question: FieldQuestion, offset: number): void {
    if (offset === question.begin) question.answers++;
    if (offset < question.end) return;
    const isServer = offset === question.end;
    question.verdict = question.answers >= ANSWERS ? "knows" : isServer ? "lacks" : "silent";
    if (question.verdict !== "lacks") return;
    if (this.#lacking.size >= LACKING_MAX) this.#lacking.clear();
    this.#lacking.set(replica.name, this.host.clock.monotonic());
  }

  /** Whether this replica has been found to lack them; asked at PSYNC, and then it was here last. */
  isLacking({ name }: AttachedReplica): boolean {
    const seenMs = this.#lacking.get(name);
    if (seenMs === undefined) return false;
    const steadyMs = this.host.clock.monotonic();
    if (steadyMs - seenMs > AWAY_MS) {
      this.#lacking.delete(name);
      return false;
    }
    this.#lacking.set(name, steadyMs);
    return true;
  }

  /** The link of a replica has ended. */
  left({ name }: AttachedReplica): void {
    if (this.#lacking.has(name)) this.#lacking.set(name, this.host.clock.monotonic());
  }
}
