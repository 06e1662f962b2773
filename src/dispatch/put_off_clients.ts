/**
 * Clients that wait before a request is carried out, with it and all their later input: for CLIENT PAUSE and
 * for keys that are held. A gate parks them; whoever lets them go has them come to all gates again.
 */

import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";

export class PutOffClients {
  /** In the order in which they came. */
  readonly #waiting = new Set<Client>();

  constructor(readonly clients: Clients) {}

  /** Has the client wait; the gate keeps its request. */
  park(client: Client): void {
    client.park = { isBlocking: false, unblock: () => this.#letGo(client) };
    this.clients.blockedCount++;
    this.#waiting.add(client);
  }

  letAllGo(): void {
    for (const client of [...this.#waiting]) this.#letGo(client);
  }

  /** The client's next turn begins with the request that was put off (Dispatcher.processInput). */
  #letGo(client: Client): void {
    if (!this.#waiting.delete(client)) return;
    client.park = null;
    this.clients.blockedCount--;
    client.transport.resume();
  }
}
