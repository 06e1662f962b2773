/**
 * We as a replica: finds the master, gets the dataset, and applies the master's stream.
 */

import type { Replication } from "./replication.ts";

export class ReplicaRole {
  /** Whom we follow; null for a master. */
  masterHost: string | null = null;
  masterPort = 0;
  /** Database that the master's stream has selected; -1 when not known. */
  database = -1;

  constructor(readonly replication: Replication) {}

  /** Whether the link is up: the dataset is that of the master, and its stream arrives. */
  get isLinkUp(): boolean {
    return false;
  }

  /** At the start of the server: this is the master; it is not sought before the dataset is loaded. */
  begin(_host: string, _port: number): void {}

  /** The dataset is of our history and offset: partial resync may be asked for. */
  resumeAt(_database: number): void {}

  /** Seeks the master, if there is one to be followed. */
  connectSoon(): void {}

  /** Whether an empty dataset of a master that has lost its own was refused. */
  get isGuarded(): boolean {
    return false;
  }

  /** Whether a full sync is being received or loaded. */
  get isSyncing(): boolean {
    return false;
  }

  /** Follows this master from now on, by the will of a person. */
  follow(_host: string, _port: number): void {}

  /** Becomes a master. */
  stop(): void {}

  /** REPLCONF GETACK of the master. */
  sendAck(): void {}

  tick(_nowMs: number): void {}

  close(): void {}

  infoFields(_nowMs: number): [name: string, value: string | number][] {
    return [];
  }
}
