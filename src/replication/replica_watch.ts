/**
 * What time does to the links of replicas: signs of life go out each `repl-ping-replica-period`, who shows none for
 * `repl-timeout` is given up, and the backlog `repl-backlog-ttl` after the last of them has left. On the path of the
 * master role, from its timer, once a second.
 */

import type { AttachedReplica } from "./attached_replica.ts";
import type { MasterRole } from "./master_role.ts";

export class ReplicaWatch {
  #lastPingMs: number;
  /** Since when there has been no replica, by the monotonic clock; NaN before that has been noted. */
  #noReplicasSinceMs = NaN;

  constructor(readonly master: MasterRole, readonly replicas: ReadonlySet<AttachedReplica>) {
    this.#lastPingMs = master.host.clock.monotonic();
  }

  /** From now on counts `repl-backlog-ttl`, if there is no replica. */
  noteNoReplicas(): void {
    this.#noReplicasSinceMs = this.master.host.clock.monotonic();
  }

  /** Once a second; `steadyMs` is the monotonic time. */
  look(steadyMs: number): void {
    this.#ping(steadyMs);
    this.#dropSilent(steadyMs);
    this.#dropIdleBacklog(steadyMs);
  }

  /** Signs of life: PING in the stream, a newline to who waits for a snapshot. */
  #ping(steadyMs: number): void {
    const { config } = this.master.host;
    if (steadyMs - this.#lastPingMs >= config.value("repl-ping-replica-period") * 1000) {
      this.#lastPingMs = steadyMs;
      if (!this.master.isHandingOver) this.master.addForReplicas(["ping"]);
    }
    for (const replica of this.replicas) {
      const { state, payload } = replica;
      if (state === "wait-start" || (state === "wait-end" && payload === null)) replica.say("\n");
    }
  }

  /** Ends links that show no life for `repl-timeout`. */
  #dropSilent(steadyMs: number): void {
    const { config, log } = this.master.host;
    const timeoutSeconds = config.value("repl-timeout");
    for (const replica of [...this.replicas]) {
      const { state, name } = replica;
      if (state === "online" && (!replica.isOld || replica.waitsForAck)) {
        // Also who came with SYNC has to tell that it has a snapshot that ended with a mark: before it gets nothing.
        const seconds = secondsBetween(replica.ackMs, steadyMs);
        if (seconds <= timeoutSeconds) continue;
        log.warning(`Disconnecting timedout replica (streaming sync): ${name}`);
        replica.close(`no acknowledgement for ${seconds} seconds`);
      } else if (state === "online" && this.master.throttle.isHolding) {
        // It never acknowledges, and no limit of output ends it, as writes wait before that is reached.
        const seconds = secondsBetween(Math.max(replica.ackMs, replica.progressMs), steadyMs);
        if (seconds <= timeoutSeconds || !replica.client.transport.isWriting) continue;
        log.warning(
          `Disconnecting timedout replica (streaming sync): ${name}, for which writes wait, has taken nothing for ` +
            `${seconds} seconds`,
        );
        replica.close(
          `it took no byte of the stream for ${seconds} seconds, and writes waited for it`,
        );
      } else if (replica.payload !== null && replica.client.transport.isWriting) {
        const seconds = secondsBetween(replica.progressMs, steadyMs);
        if (seconds <= timeoutSeconds) continue;
        log.warning(`Disconnecting timedout replica (full sync): ${name}`);
        replica.close(`it took no byte of the snapshot for ${seconds} seconds`);
      }
    }
  }

  /** `repl-backlog-ttl`. */
  #dropIdleBacklog(steadyMs: number): void {
    const { ids, backlog, events } = this.master.history;
    const { config, log } = this.master.host;
    const ttlSeconds = config.value("repl-backlog-ttl");
    if (
      this.replicas.size > 0 || ttlSeconds === 0 || backlog === null ||
      this.master.ourMaster.isFollowing
    ) return;
    if (Number.isNaN(this.#noReplicasSinceMs)) this.#noReplicasSinceMs = steadyMs;
    if (secondsBetween(this.#noReplicasSinceMs, steadyMs) <= ttlSeconds) return;
    // Without a backlog offsets are not counted: what then has the old id and offset may differ.
    ids.renew();
    this.master.history.dropBacklog();
    const text =
      `Replication backlog freed after ${ttlSeconds} seconds without connected replicas.`;
    log.notice(text);
    events.add("self", "", "backlog-freed", text);
  }
}

/** Seconds between two times in ms, each rounded down as Redis counts them; 0 where the second is earlier. */
export function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, Math.floor(toMs / 1000) - Math.floor(fromMs / 1000));
}
