/**
 * We as a master: serves the replicas that are attached, from the handshake to the stream.
 */

import type { ReplicaConnection } from "./host.ts";
import type { Replication } from "./replication.ts";

export class MasterRole {
  constructor(readonly replication: Replication) {}

  /** PSYNC: `id` is "?" or a replication id, `wanted` the number of the first byte that is wanted. */
  psync(_client: ReplicaConnection, _id: string, _wanted: number): void {}

  /** The stream of writes has grown: replicas are to be sent what is new once the turn is over. */
  streamGrew(): void {}

  /** Ends the links of all replicas: they have to ask again (our history has another name, or is another). */
  disconnectAll(_why: string): void {}

  /** The connection of a replica has ended. */
  closed(_client: ReplicaConnection): void {}

  /** How far the replica is behind that is furthest behind, in bytes. */
  get behindBytesMax(): number {
    return 0;
  }

  /** Replicas that are in step well enough for `min-replicas-to-write`. */
  get goodCount(): number {
    return 0;
  }

  /** From now on counts `repl-backlog-ttl`, if there is no replica. */
  noteNoReplicas(): void {}

  /** All attached replicas: who they are and what they have acknowledged. */
  attachedReplicas(): { name: string; ackOffset: number; lagSeconds: number; state: string }[] {
    return [];
  }

  /** Asks replicas to say at once how far they are. */
  requestAcks(): void {}

  /** Attached replicas. */
  get count(): number {
    return 0;
  }

  tick(_nowMs: number): void {}

  close(): void {}

  infoFields(_nowMs: number): [name: string, value: string | number][] {
    return [["connected_slaves", 0]];
  }
}
