/**
 * What a client may hold up: unread output (`client-output-buffer-limit`), unanswered input
 * (`client-query-buffer-limit`), memory of all together (`maxmemory-clients`), idleness (`timeout`).
 * Whoever is over a limit is disconnected. Asked by connections after large reads and writes, and by
 * the server's timer for everybody.
 */

import type { Setting } from "../config/config.ts";
import type { OutputLimits } from "../config/kinds.ts";
import type { Client } from "../dispatch/client.ts";
import type { Services } from "../dispatch/services.ts";

export class ClientLimits {
  /** Bytes that all clients took, each when it was last looked at. */
  totalBytes = 0;
  readonly #output: Setting<OutputLimits>;
  readonly #queryBytes: Setting<number>;
  readonly #totalBytesMax: Setting<number>;
  readonly #maxMemory: Setting<number>;
  readonly #timeoutSeconds: Setting<number>;
  readonly #backlogBytes: Setting<number>;

  constructor(readonly server: Services) {
    const { config } = server;
    this.#output = config.setting("client-output-buffer-limit");
    this.#queryBytes = config.setting("client-query-buffer-limit");
    this.#totalBytesMax = config.setting("maxmemory-clients");
    this.#maxMemory = config.setting("maxmemory");
    this.#timeoutSeconds = config.setting("timeout");
    this.#backlogBytes = config.setting("repl-backlog-size");
  }

  /**
   * Whether the client has to go because of its unread output or unanswered input; logs it. What it
   * has come to take counts at once, which may end it, or larger ones, by `maxmemory-clients`.
   */
  isOver(client: Client): boolean {
    if (this.isOverOutput(client) || this.#isOverQuery(client)) return true;
    this.#count(client);
    this.#evict();
    return client.isClosed;
  }

  /** The client has gone: what it took counts no more. */
  forget(client: Client): void {
    this.totalBytes -= client.countedBytes;
    client.countedBytes = 0;
  }

  #count(client: Client): void {
    const bytes = client.memoryBytes;
    this.totalBytes += bytes - client.countedBytes;
    client.countedBytes = bytes;
  }

  #limitOf(client: Client): OutputLimits["normal"] {
    const { normal, pubsub, replica } = this.#output.value;
    const kind = client.class;
    return kind === "replica" ? replica : kind === "pubsub" ? pubsub : normal;
  }

  /** What a client may leave unread at most; a replica at least what the backlog keeps anyway. */
  #hardBytesOf(client: Client, { hardBytes }: OutputLimits["normal"]): number {
    return client.isReplica && hardBytes > 0
      ? Math.max(hardBytes, this.#backlogBytes.value)
      : hardBytes;
  }

  /** Whether the client's unread output is beyond the hard limit: no more is to be written to it. */
  isOverHardOutput(client: Client): boolean {
    const hardBytes = this.#hardBytesOf(client, this.#limitOf(client));
    return hardBytes > 0 && client.outputBytes >= hardBytes;
  }

  /** Whether the client has to go because of its unread output; logs it. */
  isOverOutput(client: Client): boolean {
    if (client.isMaster) return false; // its replies are cut from the start
    const bytes = client.outputBytes;
    const limit = this.#limitOf(client);
    const hardBytes = this.#hardBytesOf(client, limit);
    let isOver = client.reply.isCut || (hardBytes > 0 && bytes >= hardBytes);
    if (!isOver && limit.softBytes > 0 && bytes >= limit.softBytes) {
      const { nowMs } = this.server.keyspace;
      if (client.overSoftLimitSinceMs === 0) client.overSoftLimitSinceMs = nowMs;
      isOver = nowMs - client.overSoftLimitSinceMs > limit.softSeconds * 1000;
    } else if (!isOver) client.overSoftLimitSinceMs = 0;
    if (!isOver) return false;
    client.closeCause = `${bytes} bytes that it had not taken were over client-output-buffer-limit`;
    this.server.statistics.outputBufferLimitDisconnections++;
    this.server.log.warning(
      `Client ${this.#describe(client)} scheduled to be closed ASAP for overcoming of output ` +
        "buffer limits.",
    );
    return true;
  }

  #isOverQuery(client: Client): boolean {
    const bytes = client.parser?.pendingBytes ?? 0;
    if (bytes <= this.#queryBytes.value || client.isMaster) return false;
    this.server.statistics.queryBufferLimitDisconnections++;
    this.server.log.warning(
      `Closing client that reached max query buffer length: ${this.#describe(client)} ` +
        `(qbuf bytes: ${bytes})`,
    );
    return true;
  }

  /** The timer's look at all clients: disconnects who is over a limit or idle for too long. */
  tick(nowMs: number): void {
    const { clients, log } = this.server;
    const timeoutMs = this.#timeoutSeconds.value * 1000;
    for (const client of clients.byId.values()) {
      if (timeoutMs > 0 && nowMs - client.lastInteractionMs > timeoutMs && mayTimeOut(client)) {
        log.verbose("Closing idle client");
        client.transport.close(false);
      } else if (this.isOverOutput(client) || this.#isOverQuery(client)) {
        client.transport.close(false);
      } else this.#count(client);
    }
    this.#evict();
  }

  /** Disconnects clients, the largest first, until all together take less than `maxmemory-clients`. */
  #evict(): void {
    const limit = this.#totalBytesMax.value;
    // A percentage of `maxmemory` is a negative number.
    const limitBytes = limit < 0 ? Math.floor(this.#maxMemory.value * -limit / 100) : limit;
    if (limitBytes <= 0 || this.totalBytes <= limitBytes) return;
    const { clients, log, statistics } = this.server;
    const evictable = [...clients.byId.values()].filter(isEvictable)
      .map((client) => ({ client, bytes: client.memoryBytes }))
      .sort((a, b) => b.bytes - a.bytes);
    let total = 0;
    for (const { bytes } of evictable) total += bytes;
    for (const { client, bytes } of evictable) {
      if (total <= limitBytes) return;
      log.notice(`Evicting client: ${this.#describe(client)}`);
      statistics.evictedClients++;
      this.forget(client);
      client.transport.close(false);
      total -= bytes;
    }
  }

  #describe(client: Client): string {
    return client.info(this.server.keyspace.nowMs);
  }
}

/** Whether `timeout` counts for this client: not while it waits for us, or just listens. */
function mayTimeOut(client: Client): boolean {
  return client.class === "normal" && !client.isMonitor && client.park === null;
}

function isEvictable(client: Client): boolean {
  return !client.noEvict && !client.isMonitor &&
    (client.class === "normal" || client.class === "pubsub");
}
