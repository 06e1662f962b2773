/**
 * Pauses: commands of normal clients wait until they end; theirs and all their later input. Several may be
 * on at once, each with an asker of its own; together they are as long and as strict as the longest and
 * the strictest.
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import { PutOffClients } from "./put_off_clients.ts";

/** Told when a pause begins or ends, to close or open its gate. */
export interface PauseOwner {
  pauseChanged(isPaused: boolean): void;
}

/**
 * Who has asked for a pause: CLIENT PAUSE, SHUTDOWN, FAILOVER, `repl-throttle-writers` or UNDO RESTORE. Each ends its
 * own only.
 */
export type PauseAsker = "client" | "shutdown" | "failover" | "throttle" | "undo";

interface Asked {
  readonly endsMs: number;
  readonly includesReads: boolean;
}

export class Pause {
  /** When the last of them ends, by `Keyspace.steadyMs`; 0 when there is none. */
  endsMs = 0;
  /** Whether commands that only read wait too. */
  includesReads = false;
  readonly #asked = new Map<PauseAsker, Asked>();
  readonly #waiting: PutOffClients;

  constructor(clients: Clients, readonly keyspace: Keyspace, readonly owner: PauseOwner) {
    this.#waiting = new PutOffClients(clients);
  }

  /** Starts a pause or makes the present one of this asker longer or stricter, never shorter or milder. */
  begin(asker: PauseAsker, endsMs: number, includesReads: boolean): void {
    const present = this.#asked.get(asker);
    this.#asked.set(asker, {
      endsMs: Math.max(present?.endsMs ?? 0, endsMs),
      includesReads: includesReads || present?.includesReads === true,
    });
    this.#sum();
    this.owner.pauseChanged(true);
  }

  /** Ends the pause of this asker: who need not wait for another one goes on. */
  end(asker: PauseAsker): void {
    this.#asked.delete(asker);
    this.#sum();
    this.owner.pauseChanged(this.endsMs !== 0);
    this.#waiting.letAllGo(); // they come to the gate again, in the order in which they came
  }

  #sum(): void {
    this.endsMs = 0;
    this.includesReads = false;
    for (const { endsMs, includesReads } of this.#asked.values()) {
      this.endsMs = Math.max(this.endsMs, endsMs);
      this.includesReads ||= includesReads;
    }
  }

  /** Called by the timer. */
  tick(steadyMs: number): void {
    for (const [asker, { endsMs }] of this.#asked) if (steadyMs >= endsMs) this.end(asker);
  }

  /** Parks the client until the pause ends if this command has to wait for that; else false. */
  parkIfPaused(client: Client, isWrite: boolean): boolean {
    if (this.endsMs === 0 || client.isMaster || client.isReplica) return false;
    if (!this.includesReads && !isWrite) return false;
    this.#waiting.park(client);
    return true;
  }
}
