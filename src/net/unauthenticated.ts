/**
 * Limits for clients that have not authenticated where that is asked for: anybody who reaches the port can
 * be one. Input and output of each are bounded as in Redis (resp/parser.ts, dispatch/client.ts); their number
 * (`unauthenticated-clients-max`) and the time that one may take (`unauthenticated-timeout`) are tsredis's own
 * and off by default. Each refusal is an entry of ACL LOG, alike ones of a minute as one, and counted in INFO.
 */

import type { Setting } from "../config/config.ts";
import type { Client } from "../dispatch/client.ts";
import type { Services } from "../dispatch/services.ts";
import type { UnauthenticatedLimit } from "../observe/statistics.ts";

export class Unauthenticated {
  readonly #server: Services;
  readonly #countMax: Setting<number>;
  readonly #timeoutSeconds: Setting<number>;
  /** Who was one when it came, since the number was looked at last: the others are left out then. */
  readonly #came = new Set<Client>();

  constructor(server: Services) {
    this.#server = server;
    this.#countMax = server.config.setting("unauthenticated-clients-max");
    this.#timeoutSeconds = server.config.setting("unauthenticated-timeout");
  }

  /** Whether one more may come; takes time for as many as may be there, only when there are. */
  get hasRoom(): boolean {
    const max = this.#countMax.value;
    if (max === 0 || this.#came.size < max) return true;
    for (const client of this.#came) {
      if (client.isClosed || !client.needsAuth) this.#came.delete(client);
    }
    return this.#came.size < max;
  }

  /** A client has come. */
  came(client: Client): void {
    if (client.needsAuth && this.#countMax.value > 0) this.#came.add(client);
  }

  /** The connection has ended. */
  forget(client: Client): void {
    this.#came.delete(client);
  }

  /** Whether the client has had its time; counts it then. */
  isOverTime(client: Client, steadyMs: number): boolean {
    const seconds = this.#timeoutSeconds.value;
    if (seconds === 0 || !client.needsAuth) return false;
    if (steadyMs - client.createdMs <= seconds * 1000) return false;
    this.#server.log.verbose("Closing client that has not authenticated in time");
    this.refused(client, "time");
    return true;
  }

  /** A limit has been passed by this client. */
  refused(client: Client, limit: UnauthenticatedLimit): void {
    const { user } = client;
    this.note(limit, user?.name ?? "", client.info(this.#server.keyspace.steadyMs));
  }

  /** Enters and counts a refusal; `who` describes the client. */
  note(limit: UnauthenticatedLimit, user: string, who: string): void {
    const { accessLog, clock, statistics } = this.#server;
    statistics.unauthenticatedRefused[limit]++;
    accessLog.add("auth", "toplevel", `unauthenticated: ${limit}`, user, who, clock.now());
  }
}
