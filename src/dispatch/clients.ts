/** All connected clients, by id, and what they are counted by. */

import type { Client } from "./client.ts";

export class Clients {
  readonly byId = new Map<number, Client>();
  /** Clients that MONITOR. */
  readonly monitors = new Set<Client>();
  /** Clients that are parked in a blocking command. */
  blockedCount = 0;
  #nextId = 1;

  nextId(): number {
    return this.#nextId++;
  }

  add(client: Client): void {
    this.byId.set(client.id, client);
  }

  remove(client: Client): void {
    this.byId.delete(client.id);
    this.monitors.delete(client);
  }

  get count(): number {
    return this.byId.size;
  }
}
