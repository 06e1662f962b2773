/**
 * FAILOVER: a master hands its role over to one of its replicas, without losing a write.
 *
 *     no-failover ──begin──► waiting-for-sync ──a replica has all──► failover-in-progress
 *          ▲                        │                                        │
 *          └──── time over, ABORT ──┴──── PSYNC … FAILOVER is granted, or not, or ABORT
 *
 * Writes wait from the beginning to the end, so that the stream stands still and a replica can have all of
 * it. Then we follow that replica, and the PSYNC that we send it asks it to take over; it does, and we go on
 * with it where we are. If it does not, we are a master again. The states are those of Redis, as INFO names
 * them.
 *
 * Redis waits for the acknowledgement that a replica sends once a second. Here replicas are asked, right
 * before the stream stands still. An answer tells the offset before the question, so they are asked twice:
 * who answers the second has all but the question. See "The role of master, handed over" in NOTES.
 */

import { oneLine } from "../base/printable.ts";
import type { History } from "./history.ts";
import type { ReplicationHost } from "./host.ts";
import type { HandOver } from "./master_link.ts";
import type { MasterRole } from "./master_role.ts";
import type { ReplicaRole } from "./replica_role.ts";

/** INFO's words. */
export type FailoverState = "no-failover" | "waiting-for-sync" | "failover-in-progress";

/** The replica that is to take over. */
export interface FailoverTarget {
  readonly host: string;
  readonly port: number;
}

/** What FAILOVER was asked. */
export interface FailoverRequest {
  /** Null: whichever has everything first. */
  readonly target: FailoverTarget | null;
  /** How long a replica may take to have everything; 0: for ever. */
  readonly timeoutMs: number;
  /** When that time is over the target takes over all the same: what it has not is lost. */
  readonly isForced: boolean;
}

const NOTHING: FailoverRequest = { target: null, timeoutMs: 0, isForced: false };

export class Failover implements HandOver {
  #state: FailoverState = "no-failover";
  #request = NOTHING;
  /** By the monotonic clock; Infinity: never. */
  #deadlineMs = Infinity;
  /** Offset behind the questions to the replicas, and before the second of them. */
  #askedAt = -1;
  #settledAt = -1;

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly master: MasterRole,
    readonly replica: ReplicaRole,
  ) {
    master.onAcknowledged = () => this.#checkSoon();
  }

  get state(): FailoverState {
    return this.#state;
  }

  get isUnderWay(): boolean {
    return this.#state !== "no-failover";
  }

  // -- the beginning -------------------------------------------------------------------------

  /** Begins one. Returns the error to answer, null when all is well. */
  begin(request: FailoverRequest): string | null {
    const refusal = this.#refusal(request);
    if (refusal !== null) return `ERR ${refusal}`;
    const { host } = this;
    const { target, timeoutMs } = request;
    host.log.notice(`FAILOVER requested to ${nameOf(target)}.`);
    this.#say(`requested to ${nameOf(target)}`);
    this.#request = request;
    this.#deadlineMs = timeoutMs > 0 ? host.clock.monotonic() + timeoutMs : Infinity;
    this.#state = "waiting-for-sync";
    this.#askedAt = this.#settledAt = -1;
    this.master.isHandingOver = true;
    host.holdWrites("failover", true);
    // The command may be one of a transaction, the rest of which still enters the stream.
    host.runtime.timers.soon(() => this.#ask());
    return null;
  }

  #refusal({ target, timeoutMs, isForced }: FailoverRequest): string | null {
    const { master, replica } = this;
    if (this.isUnderWay) return "FAILOVER already in progress.";
    if (replica.isFollowing) return "FAILOVER is not valid when server is a replica.";
    if (master.count === 0) return "FAILOVER requires connected replicas.";
    if (isForced && (timeoutMs === 0 || target === null)) {
      return "FAILOVER with force option requires both a timeout and target HOST and IP.";
    }
    if (target === null) return null;
    const found = master.findReplica(target.host, target.port);
    if (found === null) return "FAILOVER target HOST and PORT is not a replica.";
    return found.state === "online" ? null : "FAILOVER target replica is not online.";
  }

  /** Asks the replicas how far they are. */
  #ask(): void {
    if (this.#state !== "waiting-for-sync") return;
    this.master.ask();
    this.#settledAt = this.history.offset;
    this.master.ask();
    this.#askedAt = this.history.offset;
  }

  // -- waiting for a replica -------------------------------------------------------------------

  /** A replica has acknowledged more: looked at once its own call is over, as its link may end by it. */
  #checkSoon(): void {
    if (this.#state !== "waiting-for-sync") return;
    this.host.runtime.timers.soon(() => this.#check());
  }

  tick(steadyMs: number): void {
    if (this.#state !== "waiting-for-sync") return;
    if (steadyMs < this.#deadlineMs) return this.#check();
    const { target, isForced } = this.#request;
    if (!isForced) {
      this.abort("Replica never caught up before timeout");
      return;
    }
    this.host.log.notice(`FAILOVER to ${nameOf(target)} time out exceeded, failing over.`);
    this.#handOver(target!);
  }

  #check(): void {
    if (this.#state !== "waiting-for-sync" || this.#askedAt < 0) return;
    const { master, history: { offset } } = this;
    const needed = offset === this.#askedAt ? this.#settledAt : offset;
    const { target } = this.#request;
    const found = target === null
      ? master.caughtUp(needed)
      : master.findReplica(target.host, target.port);
    if (found === null || !found.hasAll(needed)) return;
    const chosen = target ?? { host: found.ip, port: found.listeningPort };
    this.host.log.notice(`Failover target ${nameOf(chosen)} is synced, failing over.`);
    this.#handOver(chosen);
  }

  #handOver(target: FailoverTarget): void {
    this.#request = { ...this.#request, target };
    this.#state = "failover-in-progress";
    this.replica.handOverTo(target.host, target.port, this);
  }

  // -- the end ---------------------------------------------------------------------------------

  /** HandOver. */
  granted(): void {
    this.#say(`${nameOf(this.#request.target)} is the master now`);
    this.#clear();
  }

  /** HandOver. */
  refused(): void {
    this.abort("Failover target rejected psync request");
  }

  /** Calls it off; false when there is none. */
  abort(why: string): boolean {
    if (!this.isUnderWay) return false;
    const to = nameOf(this.#request.target);
    this.host.log.notice(`FAILOVER to ${to} aborted: ${why}`);
    this.#say(`to ${to} aborted: ${why}`);
    if (this.#state === "failover-in-progress") this.replica.stop();
    this.#clear();
    return true;
  }

  #clear(): void {
    this.#state = "no-failover";
    this.#request = NOTHING;
    this.master.isHandingOver = false;
    this.replica.handOver = null;
    this.host.holdWrites("failover", false);
  }

  #say(text: string): void {
    this.history.events.add("self", "", "failover", text);
  }
}

function nameOf(target: FailoverTarget | null): string {
  return target === null ? "any replica" : `${oneLine(target.host)}:${target.port}`;
}
