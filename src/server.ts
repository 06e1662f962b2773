/**
 * Builds the parts of the server, hands them to each other and runs the timer: the only file that
 * knows them all. main.ts starts one; tests may build several side by side.
 */

import { resolve } from "@std/path";
import type { Clock, Draw } from "./base/clock.ts";
import { latin1 } from "./base/bytes.ts";
import { randomId } from "./base/random_id.ts";
import type { Command, CommandDefinition } from "./dispatch/command.ts";
import { commandTable } from "./commands/index.ts";
import type { Config, Values } from "./config/config.ts";
import { NOTIFY_KEYEVENT, NOTIFY_KEYSPACE } from "./config/notify.ts";
import { splitWords, toPath } from "./config/parse.ts";
import { type DirectiveName, DIRECTIVES, notActing } from "./config/table.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "./config/version.ts";
import { Client } from "./dispatch/client.ts";
import { Clients } from "./dispatch/clients.ts";
import {
  Dispatcher,
  GATE_ASYNC_LOADING,
  GATE_FEW_REPLICAS,
  GATE_LOADING,
  GATE_MEMORY,
  GATE_PAUSED,
  GATE_READ_ONLY,
  GATE_SAVE_FAILED,
  GATE_STALE,
  type GateChecks,
} from "./dispatch/dispatcher.ts";
import { Pause } from "./dispatch/pause.ts";
import type { Services, ShutdownOptions } from "./dispatch/services.ts";
import { Evictor } from "./keyspace/eviction.ts";
import { expireSlice } from "./keyspace/expiry.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES } from "./keyspace/expire_mode.ts";
import { Keyspace } from "./keyspace/keyspace.ts";
import { Connection } from "./net/connection.ts";
import { ClientLimits } from "./net/limits.ts";
import { type Accepted, Listeners } from "./net/listener.ts";
import { Refusal } from "./net/refusal.ts";
import { Turn } from "./net/turn.ts";
import { LatencyMonitor } from "./observe/latency.ts";
import { fileSink, type Log, type LogSink, standardOutputSink } from "./observe/log.ts";
import { feedMonitors } from "./commands/server/monitor_feed.ts";
import { SlowLog } from "./observe/slow_log.ts";
import { Statistics } from "./observe/statistics.ts";
import { WriteStream } from "./propagation/write_stream.ts";
import { Hub } from "./pubsub/hub.ts";
import { KeyEventPublisher } from "./pubsub/key_events.ts";
import { Persistence } from "./rdb/persistence.ts";
import type { LinkTransport, MasterClient, ReplicationHost } from "./replication/host.ts";
import { Replication } from "./replication/replication.ts";
import { runtime as processRuntime } from "./runtime/here.ts";
import type { Runtime, SocketHandler, Timer } from "./runtime/runtime.ts";
import { problemOf } from "./runtime/system_error.ts";
import { type InlineSplitter, type ParserLimits, RequestParser } from "./resp/parser.ts";
import { Shutdown } from "./shutdown.ts";

/** Directives that open and close gates. */
const GATE_DIRECTIVES = [
  "save",
  "stop-writes-on-bgsave-error",
  "replica-read-only",
  "replica-serve-stale-data",
  "replica-ignore-maxmemory",
  "min-replicas-to-write",
  "min-replicas-max-lag",
  "maxmemory",
] as const;

/** Time one turn of the timer may spend on housekeeping of data, in ms. */
const SLICE_MS = 1;

export interface ServerOptions {
  readonly config: Config;
  readonly log: Log;
  /** The one of this process if absent. */
  readonly runtime?: Runtime;
  /** The runtime's if absent. */
  readonly clock?: Clock;
  readonly draw?: Draw;
  /** Ends the process; a test hands in something milder. */
  readonly exit?: (code: number) => void;
}

export class Server implements Services, GateChecks, ReplicationHost {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly config: Config;
  readonly log: Log;
  readonly keyspace: Keyspace;
  readonly dispatcher: Dispatcher;
  readonly clients = new Clients();
  readonly statistics = new Statistics();
  readonly slowLog = new SlowLog();
  readonly latency = new LatencyMonitor();
  readonly persistence: Persistence;
  readonly replication: Replication;
  readonly hub: Hub;
  readonly turn: Turn;
  readonly pause: Pause;
  readonly evictor: Evictor;
  readonly runId: string;
  readonly startedMs: number;
  port = 0;
  /** Turns of the timer since the start. */
  cronTurns = 0;
  /** DEBUG SET-ACTIVE-EXPIRE. */
  isActiveExpireOn = true;
  /** DEBUG PAUSE-CRON. */
  isTimerOn = true;
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION. */
  skipsChecksums = false;
  readonly #limits: ParserLimits = { bulkBytesMax: 0 };
  readonly #clientLimits: ClientLimits;
  readonly #listeners: Listeners;
  readonly #exit: (code: number) => void;
  #timer: Timer | null = null;
  readonly #shutdown: Shutdown;
  #gateValues!: Values<(typeof GATE_DIRECTIVES)[number]>;
  #isStopped = false;
  /** Housekeeping that is to go on soon. */
  readonly #pending = new Set<string>();
  #hasPidFile = false;
  #nextDescriptor = 8;

  constructor(options: ServerOptions) {
    const { config, log } = options;
    this.config = config;
    this.log = log;
    const runtime = this.runtime = options.runtime ?? processRuntime;
    this.clock = options.clock ?? runtime.clock;
    const { timers } = runtime;
    this.hub = new Hub(timers, this.clock);
    this.turn = new Turn(timers);
    this.draw = options.draw ?? Math.random;
    this.#exit = options.exit ?? runtime.process.exit;
    this.runId = randomId(runtime.fillRandom);
    this.keyspace = new Keyspace(
      config.value("databases"),
      this.clock,
      this.draw,
      new WriteStream(),
    );
    this.startedMs = this.keyspace.nowMs;
    this.evictor = new Evictor(this.keyspace);
    // What slow replicas hold up would only grow by the DELs of evicted keys.
    this.evictor.usedBytes = () => this.usedMemory() - (this.replication.backlog?.excessBytes ?? 0);
    this.evictor.onRunning = () => timers.after(0, () => this.evictor.evict());
    this.pause = new Pause(this.clients, this.keyspace);
    this.pause.onChange = (isPaused) => {
      this.setGate(GATE_PAUSED, isPaused);
      this.keyspace.keepsExpired = isPaused;
      if (!isPaused) this.replication.replica.goOn();
    };
    this.persistence = new Persistence(this.keyspace, config, log, runtime);
    this.persistence.onChange = () => this.updateGates();
    this.keyspace.onFlushed = () => this.persistence.datasetFlushed();
    this.dispatcher = new Dispatcher(this, this);
    this.hub.runningClient = () => this.dispatcher.runningClient;
    this.#clientLimits = new ClientLimits(this);
    this.dispatcher.isOverOutputLimit = (client) => this.#clientLimits.isOverOutput(client);
    this.dispatcher.onLinkError = (client, command, text) => {
      this.statistics.unexpectedErrors++;
      const [from, to] = client.isMaster ? ["replica", "master"] : ["master", "replica"];
      log.warning(
        `== CRITICAL == This ${from} is sending an error to its ${to}: '${text}' after processing ` +
          `the command '${command?.fullName ?? "<unknown>"}'`,
      );
    };
    this.dispatcher.onMonitor = (client, words) => feedMonitors(this, client, words);
    this.dispatcher.setCommands(namedCommands(config));
    this.#listeners = new Listeners(this.runtime, (accepted) => this.#accept(accepted), log);
    this.replication = new Replication(this);
    this.replication.master.onAcknowledged = () =>
      this.dispatcher.acknowledgementWaits.acknowledged();
    this.#shutdown = new Shutdown(this, { stop: () => this.stop(), exit: this.#exit });
    this.persistence.replicationAux = () => this.replication.snapshotAux();
    this.persistence.onExpiredAtLoad = (...expired) => this.replication.expiredAtLoad(...expired);
    this.#bindConfig();
  }

  // -- configuration -------------------------------------------------------------------

  /** Puts directives into effect, now and whenever CONFIG SET changes them. */
  #bindConfig(): void {
    const { config, keyspace, evictor, slowLog, latency, dispatcher } = this;
    config.bind([
      "hash-max-listpack-entries",
      "hash-max-listpack-value",
      "list-max-listpack-size",
      "set-max-intset-entries",
      "set-max-listpack-entries",
      "set-max-listpack-value",
      "zset-max-listpack-entries",
      "zset-max-listpack-value",
      "proto-max-bulk-len",
    ], (values) => {
      const { limits } = keyspace;
      limits.hashMaxListpackEntries = values["hash-max-listpack-entries"];
      limits.hashMaxListpackValue = values["hash-max-listpack-value"];
      limits.listMaxListpackSize = values["list-max-listpack-size"];
      limits.setMaxIntsetEntries = values["set-max-intset-entries"];
      limits.setMaxListpackEntries = values["set-max-listpack-entries"];
      limits.setMaxListpackValue = values["set-max-listpack-value"];
      limits.zsetMaxListpackEntries = values["zset-max-listpack-entries"];
      limits.zsetMaxListpackValue = values["zset-max-listpack-value"];
      limits.stringBytesMax = values["proto-max-bulk-len"];
      this.#limits.bulkBytesMax = values["proto-max-bulk-len"];
    });
    config.bind([
      "maxmemory-policy",
      "maxmemory-samples",
      "lfu-log-factor",
      "lfu-decay-time",
      "active-expire-effort",
      "lazyfree-lazy-expire",
      "lazyfree-lazy-eviction",
    ], (values) => {
      evictor.policy = values["maxmemory-policy"];
      evictor.samples = values["maxmemory-samples"];
      keyspace.usesLfu = evictor.policy.endsWith("-lfu");
      keyspace.lfuLogFactor = values["lfu-log-factor"];
      keyspace.lfuDecayMinutes = values["lfu-decay-time"];
      keyspace.expireEffort = values["active-expire-effort"];
      keyspace.unlinksExpired = values["lazyfree-lazy-expire"];
      keyspace.unlinksEvicted = values["lazyfree-lazy-eviction"];
      keyspace.refreshTime();
    });
    config.bind(["maxmemory"], (values) => {
      evictor.maxBytes = values["maxmemory"];
    });
    // A lower limit holds at once, not only when the next command comes.
    config.onChange(["maxmemory"], () => evictor.onRunning());
    config.bind(GATE_DIRECTIVES, (values) => {
      this.#gateValues = values;
      this.updateGates();
    });
    config.bind([
      "slowlog-log-slower-than",
      "slowlog-max-len",
      "latency-monitor-threshold",
      "loglevel",
    ], (values) => {
      const usec = values["slowlog-log-slower-than"];
      slowLog.thresholdUsec = usec;
      slowLog.lengthMax = values["slowlog-max-len"];
      slowLog.trim();
      latency.thresholdMs = values["latency-monitor-threshold"];
      dispatcher.timesAll = (usec >= 0 && usec < 1000) ||
        (latency.thresholdMs > 0 && latency.thresholdMs < 2);
      this.log.level = values["loglevel"];
    });

    const events = new KeyEventPublisher(this.hub);
    keyspace.onEvent = (_class, event, database, bytes, offset, length) =>
      events.publish(event, database, bytes, offset, length);
    config.bind(["notify-keyspace-events"], (values) => {
      const flags = values["notify-keyspace-events"];
      events.toKeyspace = (flags & NOTIFY_KEYSPACE) !== 0;
      events.toKeyevent = (flags & NOTIFY_KEYEVENT) !== 0;
      keyspace.eventMask = events.toKeyspace || events.toKeyevent ? flags : 0;
    });

    // Who came while no password was asked for may stay; the others need one while there is one.
    config.onChange(["requirepass"], () => {
      const needsPassword = this.#needsPassword;
      for (const client of this.clients.byId.values()) {
        client.setNeedsAuth(needsPassword && !client.isAuthenticated);
      }
    });
    config.onChange(["port", "bind"], (values) => this.#rebind(values));
    config.onChange(["hz"], (values) => this.#setTimer(values["hz"]));
  }

  setGate(bit: number, isClosed: boolean): void {
    if (isClosed) this.dispatcher.gateBits |= bit;
    else this.dispatcher.gateBits &= ~bit;
  }

  // -- start ----------------------------------------------------------------------------

  /** Listens, loads the dataset and serves. Rejects when that is impossible. */
  async start(): Promise<void> {
    const { config, log, runtime } = this;
    log.notice("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log.notice(
      `Redis version=${REDIS_VERSION}, bits=64, tsredis version=${TSREDIS_VERSION}, ` +
        `${runtime.name}=${runtime.version}, pid=${runtime.process.id}, just started`,
    );
    if (config.file === null) {
      log.warning(
        "Warning: no config file specified, using the default config. In order to specify a config " +
          "file use tsredis /path/to/redis.conf",
      );
    } else log.notice("Configuration loaded");
    this.port = config.value("port");
    this.#listeners.openTcp(config.value("bind"), this.port);
    const path = config.value("unixsocket");
    if (path !== null && path !== "") {
      this.#listeners.openUnix(path, config.value("unixsocketperm"));
      log.notice(`The server is now ready to accept connections at ${path}`);
    }
    if (config.value("always-show-logo")) this.#showLogo();
    else log.notice(`Running mode=standalone, port=${this.port}.`);
    this.#writePidFile();
    this.#warnOfIdleDirectives();
    log.notice("Server initialized");
    this.#setTimer(config.value("hz"));
    this.setGate(GATE_LOADING, true);
    this.replication.begin();
    await this.persistence.load();
    this.setGate(GATE_LOADING, false);
    this.replication.loaded();
    if (this.port !== 0) log.notice("Ready to accept connections tcp");
    if (path !== null && path !== "") log.notice("Ready to accept connections unix");
  }

  /** Has the timer run so many times a second. */
  #setTimer(hz: number): void {
    if (this.#isStopped) return;
    const { timers } = this.runtime;
    timers.cancel(this.#timer);
    this.#timer = timers.every(1000 / Math.max(10, hz), () => this.#cron());
  }

  /** `pidfile`. As in Redis the server goes on without it when it cannot be written. */
  #writePidFile(): void {
    const path = filePath(this.config, "pidfile");
    if (path === null) return;
    try {
      const line = latin1(`${this.runtime.process.id}\n`);
      using file = this.runtime.files.open(path, "write");
      file.write(line, 0, line.length);
      this.#hasPidFile = true;
    } catch (error) {
      this.log.notice(`Failed to write PID file: ${problemOf(error)}`);
    }
  }

  /** Says which directives were set although nothing here looks at them. */
  #warnOfIdleDirectives(): void {
    const { config, log } = this;
    for (const { name, reason } of notActing()) {
      if (!Object.hasOwn(DIRECTIVES, name) || config.isDefault(name as DirectiveName)) continue;
      log.warning(`Warning: '${name}' is set but has no effect: ${reason}`);
    }
  }

  /** `always-show-logo`: what is running, and where, for people and for scripts that look for it. */
  #showLogo(): void {
    const { log } = this;
    log.notice("  .---.");
    log.notice(` ( ts  )   tsredis ${TSREDIS_VERSION} (Redis ${REDIS_VERSION}), 64 bit`);
    log.notice("  )---(    Running in standalone mode");
    log.notice(` ( redis)  Port: ${this.port}`);
    log.notice(`  '---'    PID: ${this.runtime.process.id}`);
  }

  #rebind({ bind, port }: Values<"bind" | "port">): string | void {
    try {
      this.#listeners.openTcp(bind, port);
      this.port = port;
    } catch {
      return "Unable to listen on this port. Check server logs.";
    }
  }

  // -- connections -------------------------------------------------------------------------

  /** Takes a connection, or turns it away; returns who is to serve it. */
  #accept({ socket, address, localAddress, isLocal }: Accepted): SocketHandler {
    const { config, statistics } = this;
    if (this.clients.count >= config.value("maxclients")) {
      statistics.connectionsRejected++;
      return new Refusal(socket, "-ERR max number of clients reached\r\n");
    }
    const needsPassword = this.#needsPassword;
    if (config.value("protected-mode") && !needsPassword && !isLocal) {
      statistics.connectionsRejected++;
      return new Refusal(socket, PROTECTED);
    }
    if (!socket.isUnix) {
      socket.setNoDelay(true);
      if (config.value("tcp-keepalive") > 0) socket.setKeepAlive(true);
    }
    const client = new Client(
      this.clients.nextId(),
      this.keyspace.databases[0],
      this.clock.now(),
    );
    client.isUnixSocket = socket.isUnix;
    client.isLocal = isLocal;
    client.isAuthenticated = !needsPassword;
    client.parser = new RequestParser(this.#limits, splitWords);
    client.setNeedsAuth(needsPassword);
    client.reply.isOverLimit = () => this.#clientLimits.isOverHardOutput(client);
    const connection = new Connection(
      client,
      socket,
      this,
      address,
      localAddress,
      this.#nextDescriptor++,
    );
    client.transport = connection;
    this.clients.add(client);
    statistics.connectionsReceived++;
    return connection;
  }

  get #needsPassword(): boolean {
    const password = this.config.value("requirepass");
    return password !== null && password !== "";
  }

  /** ConnectionOwner. */
  isOverLimit(client: Client): boolean {
    return this.#clientLimits.isOver(client);
  }

  /** ConnectionOwner: forgets a client. */
  closed(client: Client): void {
    client.park?.unblock(false);
    client.endTransaction();
    if (client.isReplica) this.replication.master.closed(client);
    client.paused = null;
    this.hub.forget(client);
    client.reply.clear();
    this.#clientLimits.forget(client);
    this.clients.remove(client);
  }

  // -- gates ---------------------------------------------------------------------------------

  freeMemory(): boolean {
    // While clients are held up the dataset is to stay as it is.
    if (this.pause.endsMs !== 0) return true;
    return this.evictor.freeMemory();
  }

  parkIfPaused(client: Client, isWrite: boolean): boolean {
    return this.pause.parkIfPaused(client, isWrite);
  }

  refuseProtected(command: Command, client: Client): string | null {
    const name = command.fullName.split("|")[0];
    const who = this.config.value(
      name === "debug" ? "enable-debug-command" : "enable-module-command",
    );
    if (who === "yes" || (who === "local" && client.isLocal)) return null;
    return `ERR ${name.toUpperCase()} command not allowed. If the enable-${name}-command option is set ` +
      'to "local", you can run it from a local connection, otherwise you need to set this option in ' +
      "the configuration file, and then restart the server.";
  }

  /** Puts what a state of the server closes or opens into the gates; called after each change. */
  updateGates(): void {
    const { persistence } = this;
    const values = this.#gateValues;
    this.setGate(
      GATE_SAVE_FAILED,
      !persistence.lastSaveOk && values["stop-writes-on-bgsave-error"] && values["save"].length > 0,
    );
    const { isReplica, replica, master } = this.replication;
    this.setGate(
      GATE_READ_ONLY,
      isReplica && (values["replica-read-only"] || replica.isGuarded),
    );
    this.setGate(
      GATE_STALE,
      isReplica && !replica.isLinkUp && !values["replica-serve-stale-data"],
    );
    this.setGate(GATE_ASYNC_LOADING, persistence.replicaLoad?.isLoading === true);
    const replicasMin = values["min-replicas-to-write"];
    this.setGate(
      GATE_FEW_REPLICAS,
      !isReplica && replicasMin > 0 && values["min-replicas-max-lag"] > 0 &&
        master.goodCount < replicasMin,
    );
    this.setGate(
      GATE_MEMORY,
      values["maxmemory"] > 0 && !(isReplica && values["replica-ignore-maxmemory"]),
    );
  }

  // -- replication ---------------------------------------------------------------------------

  /** ReplicationHost. */
  openMasterClient(transport: LinkTransport, takesInline: boolean): MasterClient {
    const client = new Client(this.clients.nextId(), this.keyspace.databases[0], this.clock.now());
    client.becomeMaster();
    client.parser = new RequestParser(MASTER_LIMITS, takesInline ? splitWords : emptyLine);
    client.reply.isCut = true; // nobody reads what the master's commands answer
    client.transport = transport;
    this.clients.add(client);
    return client;
  }

  /** ReplicationHost. */
  get isPaused(): boolean {
    return this.pause.endsMs !== 0;
  }

  /** ReplicationHost. */
  processMasterInput(client: MasterClient): void {
    this.dispatcher.processInput(client as Client);
  }

  /** ReplicationHost. */
  closeMasterClient(client: MasterClient): void {
    this.closed(client as Client);
  }

  /** ReplicationHost. */
  replicationChanged(): void {
    this.updateGates();
    // A dataset that was swapped in may have what blocked clients wait for.
    if (this.keyspace.readyKeys.length > 0) this.dispatcher.blocking.serveReady();
  }

  /** ReplicationHost. */
  roleChanged(): void {
    const { keyspace } = this;
    const { isReplica } = this.replication;
    keyspace.roleExpireMode = isReplica ? EXPIRE_HIDES : EXPIRE_DELETES;
    keyspace.expireMode = keyspace.roleExpireMode;
    keyspace.stream.isRelaying = isReplica;
    for (const database of keyspace.databases) database.ownExpiries = null;
    this.log.role = isReplica ? "S" : "M";
    if (isReplica) {
      this.dispatcher.blocking.releaseAll(INSTANCE_CHANGED);
      this.dispatcher.acknowledgementWaits.releaseAll(INSTANCE_CHANGED);
    }
    this.updateGates();
  }

  // -- the timer ---------------------------------------------------------------------------------

  #cron(): void {
    if (!this.isTimerOn) return;
    const { keyspace, statistics } = this;
    this.cronTurns++;
    keyspace.refreshTime();
    const nowMs = keyspace.nowMs;
    statistics.commandRate.sample(statistics.commandsProcessed, nowMs);
    statistics.inputRate.sample(statistics.netInputBytes, nowMs);
    statistics.outputRate.sample(statistics.netOutputBytes, nowMs);
    statistics.replicationInputRate.sample(statistics.netReplicationInputBytes, nowMs);
    statistics.replicationOutputRate.sample(statistics.netReplicationOutputBytes, nowMs);
    const used = this.usedMemory();
    if (used > statistics.peakMemoryBytes) statistics.peakMemoryBytes = used;
    this.pause.tick(nowMs);
    this.dispatcher.blocking.expire(nowMs);
    this.#clientLimits.tick(nowMs);
    if (!this.persistence.isLoading) {
      if (this.isActiveExpireOn && this.pause.endsMs === 0) this.#expire();
      this.#tidy();
    }
    this.persistence.tick(nowMs);
    this.replication.tick(nowMs);
    this.#shutdown.tick(nowMs);
    this.updateGates();
  }

  /** A slice of the search for expired keys; goes on soon when there was not time for all. */
  #expire(): void {
    const { keyspace, clock } = this;
    const started = clock.monotonic();
    const hasMore = expireSlice(keyspace, SLICE_MS, () => clock.monotonic());
    const ms = clock.monotonic() - started;
    keyspace.expireCycleMs += ms;
    this.latency.add("expire-cycle", ms, keyspace.nowMs);
    if (hasMore) this.#again("expire");
  }

  /** Moves on resizes and compaction, a slice at a time. */
  #tidy(): void {
    const until = this.clock.monotonic() + SLICE_MS;
    for (const { table } of this.keyspace.databases) {
      while (table.rehashSome(64)) if (this.clock.monotonic() > until) return this.#again("tidy");
      while (table.compactStep(256)) if (this.clock.monotonic() > until) return this.#again("tidy");
    }
  }

  /** Has housekeeping that ran out of time go on before the next turn, at a fifth of the time. */
  #again(work: "expire" | "tidy"): void {
    if (this.#pending.has(work) || this.#shutdown.isFinal) return;
    this.#pending.add(work);
    this.runtime.timers.after(SLICE_MS * 4, () => {
      this.#pending.delete(work);
      if (!this.isTimerOn || this.#shutdown.isFinal || this.persistence.isLoading) return;
      this.keyspace.refreshTime();
      if (work === "tidy") this.#tidy();
      else if (this.isActiveExpireOn && this.pause.endsMs === 0) this.#expire();
    });
  }

  /** Bytes in use: data, clients' buffers, and a flat share for the program itself. */
  usedMemory(): number {
    const backlogBytes = this.replication.backlog?.heldBytes ?? 0;
    return BASE_BYTES + this.keyspace.dataBytes + this.clientBytes() + backlogBytes;
  }

  /** As each was last looked at: asked before each command where `maxmemory` is set. */
  clientBytes(): number {
    return this.#clientLimits.totalBytes;
  }

  // -- the end --------------------------------------------------------------------------------------

  /** SIGTERM or SIGINT: shuts down as `shutdown-on-sigterm` and `-sigint` say. */
  onSignal(signal: "SIGTERM" | "SIGINT"): void {
    const isInterrupt = signal === "SIGINT";
    if (isInterrupt && this.#shutdown.isWaiting) {
      this.log.warning("You insist... exiting now.");
      this.#exit(1);
    }
    this.log.warning(
      isInterrupt
        ? "Received SIGINT scheduling shutdown..."
        : "Received SIGTERM scheduling shutdown...",
    );
    if (this.persistence.isLoading) {
      this.log.warning("Received shutdown signal during loading, exiting now.");
      this.#exit(1);
    }
    const words = this.config.value(isInterrupt ? "shutdown-on-sigint" : "shutdown-on-sigterm");
    this.requestShutdown({
      save: words.includes("save") ? "save" : words.includes("nosave") ? "nosave" : "default",
      force: words.includes("force"),
      now: words.includes("now"),
      onWaiting: () => {},
      onRefused: () => {},
    });
  }

  requestShutdown(options: ShutdownOptions): void {
    this.#shutdown.request(options);
  }

  abortShutdown(): boolean {
    return this.#shutdown.abort();
  }

  shutdownRemainingMs(nowMs: number): number | null {
    return this.#shutdown.isWaiting ? this.#shutdown.remainingMs(nowMs) : null;
  }

  /** Stops serving: closes sockets and the timer, saves nothing. */
  stop(): void {
    this.#isStopped = true;
    this.runtime.timers.cancel(this.#timer);
    this.#listeners.close();
    this.replication.close();
    this.persistence.close();
    for (const client of [...this.clients.byId.values()]) client.transport.close(false);
    const pidFile = filePath(this.config, "pidfile");
    if (pidFile === null || !this.#hasPidFile) return;
    this.log.notice("Removing the pid file.");
    try {
      this.runtime.files.remove(pidFile);
    } catch {
      // It is not ours to insist.
    }
  }
}

/** What the runtime itself takes, about; part of used memory so that `maxmemory` is not exceeded. */
const BASE_BYTES = 1 << 20;

/** Told to clients that wait for what a replica does not give. */
const INSTANCE_CHANGED =
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/** What a master sends is not bounded by `proto-max-bulk-len` of ours. */
const MASTER_LIMITS: ParserLimits = { bulkBytesMax: 0xffffffff };

/** Of lines that are no arrays a master sends empty ones only, to show that it is alive. */
const emptyLine: InlineSplitter = (_bytes, _offset, length) => length === 0 ? [] : null;

const PROTECTED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is " +
  "set for the default user. In this mode connections are only accepted from the loopback interface. " +
  "If you want to connect from external computers to Redis you may adopt one of the following " +
  "solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from " +
  "the loopback interface by connecting to Redis from the same host the server is running, however " +
  "MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make " +
  "this change permanent. 2) Alternatively you can just disable the protected mode by editing the " +
  "Redis configuration file, and setting the protected mode option to 'no', and then restarting the " +
  "server. 3) If you started the server manually just for testing, restart it with the " +
  "'--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: " +
  "You only need to do one of the above things in order for the server to start accepting " +
  "connections from the outside.\r\n";

/** The command table under the names that `rename-command` leaves. */
function namedCommands(config: Config): Map<string, CommandDefinition> {
  const named = new Map(commandTable.map((command) => [command.name, command]));
  for (const { from, to } of config.renames) {
    const command = named.get(from);
    if (command === undefined) continue;
    named.delete(from);
    if (to !== "") named.set(to, command);
  }
  return named;
}

/** Where a file is that a directive names, counted from `dir`; null when it names none. */
function filePath(config: Config, name: "pidfile" | "logfile"): string | null {
  const path = config.value(name);
  return path === null || path === "" ? null : resolve(toPath(config.value("dir")), toPath(path));
}

/** Where the log goes, from `logfile`; to standard output when that cannot be written. */
export function logSink(config: Config): LogSink {
  const { process, files } = config.runtime;
  const path = filePath(config, "logfile");
  if (path === null) return standardOutputSink(process);
  try {
    files.open(path, "append").close();
  } catch (error) {
    console.error(`Can't open the log file: ${problemOf(error)}`);
    return standardOutputSink(process);
  }
  return fileSink(files, path);
}
