/**
 * The parts of the server as commands see them. `core.ts` builds them and hands them over; tests
 * build the same with a clock and a random source of their own.
 */

import type { AppendOnlyFile } from "../aof/append_only_file.ts";
import type { Clock, Draw } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Evictor } from "../keyspace/eviction.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { AccessLog } from "../observe/access_log.ts";
import type { LatencyMonitor } from "../observe/latency.ts";
import type { Log } from "../observe/log.ts";
import type { MemoryGuard } from "../observe/memory_guard.ts";
import type { SlowLog } from "../observe/slow_log.ts";
import type { Statistics, UnauthenticatedLimit } from "../observe/statistics.ts";
import type { Persistence } from "../rdb/persistence.ts";
import type { Replication } from "../replication/replication.ts";
import type { Runtime, TlsContext } from "../runtime/runtime.ts";
import type { Hub } from "../pubsub/hub.ts";
import type { Tracking } from "../tracking/tracking.ts";
import type { AccessControl } from "./access_control.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Pause } from "./pause.ts";
import type { Scripts } from "./scripts.ts";

export interface Services {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly keyspace: Keyspace;
  readonly evictor: Evictor;
  readonly config: Config;
  readonly dispatcher: Dispatcher;
  readonly clients: Clients;
  readonly access: AccessControl;
  readonly scripts: Scripts;
  readonly pause: Pause;
  readonly statistics: Statistics;
  readonly slowLog: SlowLog;
  readonly accessLog: AccessLog;
  readonly latency: LatencyMonitor;
  readonly log: Log;
  /** Says whether there is memory for something large. */
  readonly memory: MemoryGuard;
  readonly persistence: Persistence;
  readonly aof: AppendOnlyFile;
  readonly hub: Hub;
  readonly tracking: Tracking;
  readonly replication: Replication;
  /** 40 hex digits that name this run. */
  readonly runId: string;
  /** By the monotonic clock. */
  readonly startedMs: number;
  /** Where the server listens; 0 when it has no TCP port. */
  readonly port: number;
  /** Where it listens with TLS; 0 when it does not. */
  readonly tlsPort: number;
  /** The one of the two that is shown where there is place for one. */
  readonly shownPort: number;
  /** Told of who has passed a limit for clients that have not authenticated. */
  readonly unauthenticated: { refused(client: Client, limit: UnauthenticatedLimit): void };
  /** What links are made with. */
  readonly tls: {
    /** Of MIGRATE; null: without TLS. */
    readonly forTarget: TlsContext | null;
  };
  /** Whether keys past their time are removed without being asked for. */
  isActiveExpireOn: boolean;
  /** Whether the timer does its work; see DEBUG PAUSE-CRON. */
  isTimerOn: boolean;
  /** Whether RESTORE takes a payload whose checksum is wrong; see DEBUG SET-SKIP-CHECKSUM-VALIDATION. */
  skipsChecksums: boolean;
  /** Bytes in use: what `maxmemory` is compared with. */
  usedMemory(): number;
  /** The clients' part of it. */
  clientBytes(): number;
  /** Of these, what links to replicas take. */
  replicaClientBytes(): number;
  /** Ends the server: see SHUTDOWN. */
  requestShutdown(options: ShutdownOptions): void;
  /** Calls a shutdown off that waits for replicas; false when there is none. */
  abortShutdown(): boolean;
  /** How long such a shutdown still waits at most, in ms; null when there is none. */
  shutdownRemainingMs(steadyMs: number): number | null;
}

export interface ShutdownOptions {
  /** "save" and "nosave" override the save points; "default" saves when there are any. */
  readonly save: "default" | "save" | "nosave";
  /** Ends even when saving fails. */
  readonly force: boolean;
  /** Does not wait for replicas. */
  readonly now: boolean;
  /** Called when replicas are waited for. */
  onWaiting(): void;
  /** Called when the shutdown does not take place, possibly after `onWaiting`. */
  onRefused(reason: string): void;
}
