/** CLIENT PAUSE: commands of normal clients wait until it ends; theirs and all their later input. */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import { PutOffClients } from "./put_off_clients.ts";

/** Told when a pause begins or ends, to close or open its gate. */
export interface PauseOwner {
  pauseChanged(isPaused: boolean): void;
}

export class Pause {
  /** When it ends, by `Keyspace.steadyMs`; 0 when there is none. */
  endsMs = 0;
  /** Whether commands that only read wait too. */
  includesReads = false;
  readonly #waiting: PutOffClients;

  constructor(clients: Clients, readonly keyspace: Keyspace, readonly owner: PauseOwner) {
    this.#waiting = new PutOffClients(clients);
  }

  /** Starts a pause or makes the present one longer or stricter, never shorter or milder. */
  begin(endsMs: number, includesReads: boolean): void {
    this.endsMs = Math.max(this.endsMs, endsMs);
    this.includesReads = this.includesReads || includesReads;
    this.owner.pauseChanged(true);
  }

  /** Ends the pause: who waited goes on. */
  end(): void {
    this.endsMs = 0;
    this.includesReads = false;
    this.owner.pauseChanged(false);
    this.#waiting.letAllGo();
  }

  /** Called by the timer. */
  tick(steadyMs: number): void {
    if (this.endsMs !== 0 && steadyMs >= this.endsMs) this.end();
  }

  /** Parks the client until the pause ends if this command has to wait for that; else false. */
  parkIfPaused(client: Client, isWrite: boolean): boolean {
    if (this.endsMs === 0 || client.isMaster || client.isReplica) return false;
    if (!this.includesReads && !isWrite) return false;
    this.#waiting.park(client);
    return true;
  }
}
