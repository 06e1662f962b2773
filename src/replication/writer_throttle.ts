/**
 * `repl-throttle-writers`: the last resort before a replica is dropped for what it has not been sent. Off unless asked
 * for, and of use only where that stays in memory: what files hold (`repl-backlog-spill-size`) drops nobody. Writes of
 * clients wait as in CLIENT PAUSE WRITE while what slow replicas hold in memory is near the limit at which they
 * would be dropped; who only reads goes on.
 */

import type { Values } from "../config/config.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import type { AttachedReplica } from "./attached_replica.ts";
import type { ReplicationHost } from "./host.ts";
import type { History } from "./history.ts";

/** Shares of the limit at which writes begin to wait, and go on. */
const HOLD_FROM = 0.8;
const LET_GO_BELOW = 0.5;

export class WriterThrottle {
  readonly #host: ReplicationHost;
  readonly #history: History;
  readonly #replicas: Iterable<AttachedReplica>;
  readonly #values: Values<
    "repl-throttle-writers" | "client-output-buffer-limit" | "repl-backlog-size"
  >;
  /** Bytes in memory, not sent to a replica, for which it would be dropped; Infinity: writes never wait for that. */
  #limitBytes = Infinity;
  /** Since when writes wait, by the monotonic clock; NaN while they do not. */
  #sinceMs = NaN;
  #replica = "";
  #totalMs = 0;

  constructor(host: ReplicationHost, history: History, replicas: Iterable<AttachedReplica>) {
    this.#host = host;
    this.#history = history;
    this.#replicas = replicas;
    this.#values = host.config.onChange(
      ["repl-throttle-writers", "client-output-buffer-limit", "repl-backlog-size"],
      () => this.#changed(),
    );
    this.#changed();
  }

  #changed(): void {
    const { hardBytes, softBytes } = this.#values["client-output-buffer-limit"].replica;
    // Nobody is dropped for what the backlog keeps anyway (net/limits.ts), unless it is for long.
    const hardMax = Math.max(hardBytes, this.#values["repl-backlog-size"]);
    const limits = [hardBytes > 0 ? hardMax : 0, softBytes].filter((bytes) => bytes > 0);
    const isOn = this.#values["repl-throttle-writers"] && limits.length > 0;
    this.#limitBytes = isOn ? Math.min(...limits) : Infinity;
    this.tick();
  }

  /** Whether writes wait. */
  get isHolding(): boolean {
    return !Number.isNaN(this.#sinceMs);
  }

  /** The replica that has not been sent the most of what is in memory; null for none. */
  #slowest(): AttachedReplica | null {
    let slowest: AttachedReplica | null = null;
    for (const replica of this.#replicas) {
      if (replica.pendingBytes > (slowest?.pendingBytes ?? 0)) slowest = replica;
    }
    return slowest;
  }

  /** The stream has grown. */
  grew(): void {
    if (this.#limitBytes === Infinity || this.isHolding) return;
    const slowest = this.#slowest();
    if (slowest === null || slowest.pendingBytes < this.#limitBytes * HOLD_FROM) return;
    this.#replica = slowest.name;
    this.#sinceMs = this.#host.clock.monotonic();
    this.#host.holdWrites("throttle", true);
    const bytes = formatBytes(slowest.pendingBytes);
    this.#host.log.warning(
      `Writes wait for replica ${slowest.name}, which has not been sent ${bytes} (repl-throttle-writers)`,
    );
    this.#history.events.add("master", slowest.name, "throttling", `${bytes} had not been sent`);
  }

  /** Called by the timer: writes go on once the replicas have caught up, or gone. */
  tick(): void {
    if (!this.isHolding) return;
    if ((this.#slowest()?.pendingBytes ?? 0) >= this.#limitBytes * LET_GO_BELOW) return;
    this.#totalMs += this.#elapsedMs;
    const seconds = (this.#elapsedMs / 1000).toFixed(1);
    this.#sinceMs = NaN;
    this.#host.holdWrites("throttle", false);
    this.#host.log.notice(
      `Writes go on: they have waited ${seconds} seconds for replica ${this.#replica}`,
    );
    this.#replica = "";
  }

  get #elapsedMs(): number {
    return this.isHolding ? this.#host.clock.monotonic() - this.#sinceMs : 0;
  }

  /** Fields of INFO's section Replication. */
  infoFields(): [name: string, value: string | number][] {
    return [
      ["repl_writers_throttled", this.isHolding ? 1 : 0],
      ["repl_writers_throttled_for", this.#replica],
      ["repl_writers_throttled_ms", Math.floor(this.#totalMs + this.#elapsedMs)],
    ];
  }
}
