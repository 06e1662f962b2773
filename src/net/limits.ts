/**
 * What a client may hold up: unread output (`client-output-buffer-limit`), unanswered input
 * (`client-query-buffer-limit`), memory of all together (`maxmemory-clients`), idleness (`timeout`).
 * Whoever is over a limit is disconnected. Asked by connections after large reads and writes, after
 * the turns of clients that have the server hold something, and by the server's timer for everybody.
 */

import type { Setting } from "../config/config.ts";
import type { OutputLimits } from "../config/kinds.ts";
import { type Client, UNAUTHENTICATED_OUTPUT_MAX } from "../dispatch/client.ts";
import type { ClientClass } from "../dispatch/client_info.ts";
import type { Services } from "../dispatch/services.ts";
import type { Unauthenticated } from "./unauthenticated.ts";

/** Output of one client with which the system's memory is looked at, and once more for each as much. */
const MEMORY_STEP_BYTES = 32 << 20;

export class ClientLimits {
  /** Bytes that all clients took, each when it was last looked at. */
  totalBytes = 0;
  /** The same by class. */
  readonly bytesOf: Record<ClientClass, number> = { normal: 0, pubsub: 0, replica: 0, master: 0 };
  readonly #output: Setting<OutputLimits>;
  readonly #queryBytes: Setting<number>;
  readonly #totalBytesMax: Setting<number>;
  readonly #maxMemory: Setting<number>;
  readonly #timeoutSeconds: Setting<number>;

  /** The client whose output was last looked at for want of memory, and how much it was, in steps. */
  #memoryClient: Client | null = null;
  #memoryStep = 0;

  constructor(readonly server: Services, readonly unauthenticated: Unauthenticated) {
    const { config } = server;
    this.#output = config.setting("client-output-buffer-limit");
    this.#queryBytes = config.setting("client-query-buffer-limit");
    this.#totalBytesMax = config.setting("maxmemory-clients");
    this.#maxMemory = config.setting("maxmemory");
    this.#timeoutSeconds = config.setting("timeout");
  }

  /**
   * Whether the client has to go because of its unread output or unanswered input; logs it. What it
   * has come to take counts at once, which may end it, or larger ones, by `maxmemory-clients`.
   */
  isOver(client: Client): boolean {
    if (this.isOverOutput(client) || this.#isOverQuery(client)) return true;
    this.count(client);
    return client.isClosed;
  }

  /** Counts what a client takes now; that may end it, or larger ones, by `maxmemory-clients`. */
  count(client: Client): void {
    if (client.isClosed) return;
    this.#look(client);
    this.#evict();
  }

  /** The same for all clients, at once when `maxmemory-clients` is changed. */
  countAll(): void {
    for (const client of this.server.clients.byId.values()) this.#look(client);
    this.#evict();
  }

  /** Whether there is a limit for what all clients together take. */
  get limitsMemory(): boolean {
    return this.#totalBytesMax.value !== 0;
  }

  /** The client has gone: what it took counts no more. */
  forget(client: Client): void {
    this.#note(client, 0);
  }

  #look(client: Client): void {
    this.#note(client, client.memoryBytes);
  }

  #note(client: Client, bytes: number): void {
    const { bytesOf } = this;
    bytesOf[client.countedClass] -= client.countedBytes;
    client.countedClass = client.class;
    bytesOf[client.countedClass] += bytes;
    this.totalBytes += bytes - client.countedBytes;
    client.countedBytes = bytes;
  }

  #limitOf(client: Client): OutputLimits["normal"] {
    const { normal, pubsub, replica } = this.#output.value;
    const kind = client.class;
    return kind === "replica" ? replica : kind === "pubsub" ? pubsub : normal;
  }

  /**
   * What a client may leave unread at most; a replica at least what the backlog keeps anyway, and the largest single
   * command in it comes on top: with less, one that goes on partially would be cut off as soon as it is back, again and
   * again.
   */
  #hardBytesOf(client: Client, { hardBytes }: OutputLimits["normal"]): number {
    return client.isReplica && hardBytes > 0
      ? Math.max(hardBytes, this.server.replication.backlogBytesMax) + exemptBytesOf(client)
      : hardBytes;
  }

  /**
   * Whether the client's unread output is beyond the hard limit, or there is no memory for `moreBytes`
   * of it: no more is to be written to it.
   */
  isOverHardOutput(client: Client, moreBytes = 0): boolean {
    if (isOverUnauthenticated(client) || this.#isBeyondMemory(client, moreBytes)) return true;
    const hardBytes = this.#hardBytesOf(client, this.#limitOf(client));
    return hardBytes > 0 && client.outputBytes >= hardBytes;
  }

  /**
   * Whether the system has no memory for more output, whatever the limits say. The system is asked
   * before a large piece, and each time that much has come together.
   */
  #isBeyondMemory(client: Client, moreBytes: number): boolean {
    const step = Math.floor((client.outputBytes + moreBytes) / MEMORY_STEP_BYTES);
    const isSame = step === this.#memoryStep && client === this.#memoryClient;
    if (step === 0 || (isSame && moreBytes < MEMORY_STEP_BYTES)) return false;
    this.#memoryStep = step;
    this.#memoryClient = client;
    return !this.server.memory.mayAllocate(Math.max(moreBytes, MEMORY_STEP_BYTES));
  }

  /** Whether the client has to go because of its unread output; logs it. */
  isOverOutput(client: Client): boolean {
    if (client.isMaster) return false; // its replies are cut from the start
    const bytes = client.outputBytes;
    const limit = this.#limitOf(client);
    const hardBytes = this.#hardBytesOf(client, limit);
    let isOver = client.reply.isCut || (hardBytes > 0 && bytes >= hardBytes) ||
      isOverUnauthenticated(client);
    if (!isOver && limit.softBytes > 0 && bytes >= limit.softBytes + exemptBytesOf(client)) {
      const { steadyMs } = this.server.keyspace;
      if (client.overSoftLimitSinceMs === 0) client.overSoftLimitSinceMs = steadyMs;
      isOver = steadyMs - client.overSoftLimitSinceMs > limit.softSeconds * 1000;
    } else if (!isOver) client.overSoftLimitSinceMs = 0;
    if (!isOver) return false;
    if (isOverUnauthenticated(client)) this.unauthenticated.refused(client, "output");
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
  tick(steadyMs: number): void {
    const { clients, log } = this.server;
    const timeoutMs = this.#timeoutSeconds.value * 1000;
    for (const client of clients.byId.values()) {
      if (timeoutMs > 0 && steadyMs - client.lastInteractionMs > timeoutMs && mayTimeOut(client)) {
        log.verbose("Closing idle client");
        client.transport.close(false);
      } else if (
        this.isOverOutput(client) || this.#isOverQuery(client) ||
        this.unauthenticated.isOverTime(client, steadyMs)
      ) {
        client.transport.close(false);
      } else {
        // The words of a command that waits may lie in the buffer.
        if (client.park === null) {
          client.parser?.giveBackUnused(steadyMs - client.lastInteractionMs);
        }
        this.#look(client);
      }
    }
    this.#evict();
  }

  /**
   * Disconnects clients, the largest first, until all together take no more than `maxmemory-clients`.
   * Those that must not be disconnected count too, links to masters and replicas apart.
   */
  #evict(): void {
    const limit = this.#totalBytesMax.value;
    // A percentage of `maxmemory` is a negative number.
    const limitBytes = limit < 0 ? Math.floor(this.#maxMemory.value * -limit / 100) : limit;
    const isOver = () => this.bytesOf.normal + this.bytesOf.pubsub > limitBytes;
    if (limitBytes <= 0 || !isOver()) return;
    const { clients, dispatcher, log, statistics } = this.server;
    for (const client of clients.byId.values()) this.#look(client);
    if (!isOver()) return;
    const evictable = [...clients.byId.values()].filter(isEvictable)
      .sort((a, b) => b.countedBytes - a.countedBytes);
    for (const client of evictable) {
      log.notice(`Evicting client: ${this.#describe(client)}`);
      statistics.evictedClients++;
      this.forget(client);
      // Whose command is being run still gets the reply.
      client.transport.close(client === dispatcher.runningClient);
      if (!isOver()) return;
    }
    log.warning("Over client maxmemory after evicting all evictable clients");
  }

  #describe(client: Client): string {
    return client.info(this.server.keyspace.steadyMs);
  }
}

/** What of the output of a client counts for no limit. */
function exemptBytesOf({ feed }: Client): number {
  return feed === null ? 0 : feed.exemptBytes;
}

/** Whether `timeout` counts for this client: not while it waits for us, or just listens. */
function mayTimeOut(client: Client): boolean {
  return client.class === "normal" && !client.isMonitor && client.park === null;
}

function isEvictable(client: Client): boolean {
  return !client.noEvict && !client.isMonitor && !client.isClosing &&
    (client.class === "normal" || client.class === "pubsub");
}

/** Whether a client leaves more unread than one may that has not authenticated. */
function isOverUnauthenticated(client: Client): boolean {
  return client.needsAuth && client.outputBytes > UNAUTHENTICATED_OUTPUT_MAX;
}
