/**
 * Everything of a server below its sockets: builds the parts and hands them to each other. A server
 * (server.ts) is this with listeners, a timer and a process around it; tests build the same with a
 * clock and chance of their own. Several live side by side in one process and share nothing.
 *
 * What one part has to tell another above it goes through the interface that it names as its owner;
 * the core is the owner of them all.
 */

import { type AofOwner, AppendOnlyFile } from "./aof/append_only_file.ts";
import type { AofRun } from "./aof/loader.ts";
import { blocks, connectionBlocks, KEPT_BYTES_MAX } from "./base/blocks.ts";
import { toLatin1 } from "./base/bytes.ts";
import type { Clock, Draw } from "./base/clock.ts";
import { EVERY_CHANGE } from "./base/event_classes.ts";
import { quoted } from "./base/printable.ts";
import { randomId } from "./base/random_id.ts";
import { commandCatalog } from "./commands/catalog.ts";
import { commandTable } from "./commands/index.ts";
import { feedMonitors } from "./commands/server/monitor_feed.ts";
import type { Config, Values } from "./config/config.ts";
import { NOTIFY_KEYEVENT, NOTIFY_KEYSPACE } from "./config/notify.ts";
import { splitWords } from "./config/parse.ts";
import { AccessControl } from "./dispatch/access_control.ts";
import { Client, type Transport } from "./dispatch/client.ts";
import { Clients } from "./dispatch/clients.ts";
import type { Command, CommandDefinition } from "./dispatch/command.ts";
import {
  Dispatcher,
  type DispatchOwner,
  GATE_ASYNC_LOADING,
  GATE_FEW_REPLICAS,
  GATE_HEAP_FULL,
  GATE_LOADING,
  GATE_LOG_FAILED,
  GATE_MEMORY,
  GATE_PAUSED,
  GATE_READ_ONLY,
  GATE_SAVE_FAILED,
  GATE_STALE,
} from "./dispatch/dispatcher.ts";
import { Scripts } from "./dispatch/scripts.ts";
import { Pause, type PauseOwner } from "./dispatch/pause.ts";
import type { Services, ShutdownOptions } from "./dispatch/services.ts";
import { type EvictionOwner, Evictor } from "./keyspace/eviction.ts";
import { IdleCollection } from "./idle_collection.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES } from "./keyspace/expire_mode.ts";
import { expireSlice } from "./keyspace/expiry.ts";
import type { FunctionLibraries } from "./keyspace/function_libraries.ts";
import { Keyspace, type KeyspaceListener } from "./keyspace/keyspace.ts";
import type { ConnectionOwner } from "./net/connection.ts";
import { ClientLimits } from "./net/limits.ts";
import { Tls } from "./net/tls.ts";
import { Unauthenticated } from "./net/unauthenticated.ts";
import { Turn } from "./net/turn.ts";
import { LatencyMonitor } from "./observe/latency.ts";
import { MemoryGuard } from "./observe/memory_guard.ts";
import { OomScore } from "./observe/oom_score.ts";
import type { Log } from "./observe/log.ts";
import { AccessLog } from "./observe/access_log.ts";
import { SlowLog } from "./observe/slow_log.ts";
import { Statistics } from "./observe/statistics.ts";
import { ABORT_EXIT_CODE, logPanic, PANIC_EXIT_CODE } from "./panic.ts";
import { UndoLog } from "./dispatch/undo_log.ts";
import { WriteStream } from "./propagation/write_stream.ts";
import { Hub } from "./pubsub/hub.ts";
import { KeyEventPublisher } from "./pubsub/key_events.ts";
import type { Encoded } from "./tracking/invalidation.ts";
import type { TrackedClient } from "./tracking/tracker.ts";
import { Tracking, type TrackingOwner } from "./tracking/tracking.ts";
import type { LibraryLoader } from "./rdb/loader.ts";
import { lzfProgram } from "./rdb/lzf_program.ts";
import {
  type AofField,
  AUX_DIVERGED_AT,
  AUX_LEFT_OUT,
  AUX_STREAM_ERRORS,
  type LoadedReplication,
  Persistence,
  type PersistenceOwner,
  type SnapshotMaker,
} from "./rdb/persistence.ts";
import type { StreamCommand } from "./replication/bridge/translator.ts";
import { StreamCommands } from "./dispatch/stream_commands.ts";
import type {
  CommandSource,
  LinkTransport,
  MasterClient,
  ReplicationHost,
} from "./replication/host.ts";
import { Replication } from "./replication/replication.ts";
import { type InlineSplitter, type ParserLimits, RequestParser } from "./resp/parser.ts";
import { ReplyError } from "./resp/reply_error.ts";
import type { Words } from "./resp/words.ts";
import type { Runtime, Timer } from "./runtime/runtime.ts";
import { tellsOfNoSpace } from "./runtime/system_error.ts";
import { Shutdown, type ShutdownActions } from "./shutdown.ts";

/** Time one turn of the timer may spend on housekeeping of data, in ms. */
const SLICE_MS = 1;
/** The turn of the timer in which is made what takes milliseconds and the first DUMP or RESTORE needs. */
const PREPARED_AT_TURN = 5;
/** A slice of a call that takes long counts as so many bytes of load: one between two turns of the timer is enough. */
const SLICED_BYTES = 64 * 1024;

/** While a script is suspended, work on the data is put off by so much, again and again. */
const SUSPENDED_MS = 10;

/** What the runtime itself takes, about; part of used memory so that `maxmemory` is not exceeded. */
const BASE_BYTES = 1 << 20;

/** Told to clients that wait for what a replica does not give. */
const INSTANCE_CHANGED =
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/** What a master sends is not bounded by `proto-max-bulk-len` of ours. */
const MASTER_LIMITS: ParserLimits = { bulkBytesMax: 0xffffffff };

/** How often the log tells that a replica goes on although it cannot save. */
const UNSAVED_TOLD_EVERY_MS = 10_000;
/** Bytes of the stream that are shown in the log with a command of the master that has failed. */
const BACKLOG_SHOWN = 256;

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

export interface CoreOptions {
  readonly config: Config;
  readonly log: Log;
  readonly runtime: Runtime;
  /** The runtime's if absent. */
  readonly clock?: Clock;
  readonly draw: Draw;
  /** What ends the server when SHUTDOWN has come to its end. */
  readonly ending: ShutdownActions;
  /** Makes the snapshots for replicas; the persistence if absent. */
  readonly snapshots?: SnapshotMaker;
}

export class Core
  implements
    Services,
    ConnectionOwner,
    DispatchOwner,
    PauseOwner,
    ReplicationHost,
    PersistenceOwner,
    AofOwner,
    KeyspaceListener,
    TrackingOwner,
    EvictionOwner {
  readonly config: Config;
  readonly log: Log;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly keyspace: Keyspace;
  readonly evictor: Evictor;
  readonly persistence: Persistence;
  readonly aof: AppendOnlyFile;
  readonly snapshots: SnapshotMaker;
  readonly clients = new Clients();
  readonly access: AccessControl;
  readonly pause: Pause;
  readonly hub: Hub;
  readonly tracking: Tracking;
  readonly turn: Turn;
  readonly dispatcher: Dispatcher;
  readonly #streamCommands: StreamCommands;
  readonly scripts: Scripts;
  readonly clientLimits: ClientLimits;
  readonly unauthenticated: Unauthenticated;
  readonly replication: Replication;
  readonly statistics = new Statistics();
  readonly slowLog = new SlowLog();
  readonly accessLog = new AccessLog();
  readonly latency = new LatencyMonitor();
  readonly memory: MemoryGuard;
  readonly oomScore: OomScore;
  readonly shutdown: Shutdown;
  readonly runId: string;
  readonly startedMs: number;
  port = 0;
  tlsPort = 0;
  readonly tls: Tls;

  get shownPort(): number {
    return this.port || this.tlsPort;
  }

  /** What a signal has asked for while the timer was held up. */
  #heldShutdown: ShutdownOptions | null = null;
  /** Has replies leave at once again. */
  #endAwaiting: (() => void) | null = null;
  /** When the timer's last turn was, by the monotonic clock. */
  #lastTurnMs: number;
  /** Turns of the timer since the start. */
  cronTurns = 0;
  /** DEBUG SET-ACTIVE-EXPIRE. */
  isActiveExpireOn = true;
  /** DEBUG PAUSE-CRON. */
  isTimerOn = true;
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION. */
  skipsChecksums = false;
  readonly #keyEvents: KeyEventPublisher;
  readonly #ending: ShutdownActions;
  /** When the log last told that what the master sends cannot be saved, by the monotonic clock. */
  #unsavedToldMs = -Infinity;
  /** Limits of the parsers of all clients. */
  readonly #parserLimits: ParserLimits = { bulkBytesMax: 0 };
  #gateValues!: Values<(typeof GATE_DIRECTIVES)[number]>;
  readonly #idleCollection = new IdleCollection(() => this.runtime.process.collectGarbage(false));
  /** Work that is to go on soon, by what it is. */
  readonly #pending = new Map<"expire" | "tidy" | "evict" | "trim", Timer>();
  /** It has ended: nothing is served any more. */
  isClosed = false;
  /** `load` is under way. */
  #isStarting = false;

  constructor(options: CoreOptions) {
    const { config, log, runtime, draw } = options;
    const clock = options.clock ?? runtime.clock;
    this.config = config;
    this.log = log;
    this.runtime = runtime;
    this.memory = new MemoryGuard(runtime.process);
    this.oomScore = new OomScore(config, log, runtime.files);
    blocks.returnedMin = connectionBlocks.returnedMin = runtime.process.returnedMin;
    this.clock = clock;
    this.draw = draw;
    this.runId = randomId(runtime.fillRandom);
    this.keyspace = new Keyspace(config.value("databases"), clock, draw, new WriteStream(), this);
    this.startedMs = this.keyspace.steadyMs;
    this.tls = new Tls(config, runtime, log);
    this.#lastTurnMs = clock.monotonic();
    this.evictor = new Evictor(this.keyspace, this);
    this.keyspace.sealed.listener = new UndoLog(log, this.keyspace.sealed);
    this.keyspace.hasRoom = (bytes) => {
      const { maxBytes } = this.evictor;
      if (maxBytes === 0) return true;
      while (this.usedBytes() + bytes > maxBytes) {
        if (!this.keyspace.sealed.dropOldest("maxmemory")) return false;
      }
      return true;
    };
    this.persistence = new Persistence(this.keyspace, config, log, runtime, this);
    this.aof = new AppendOnlyFile({
      keyspace: this.keyspace,
      config,
      log,
      runtime,
      persistence: this.persistence,
      owner: this,
    });
    this.snapshots = options.snapshots ?? this.persistence;
    this.pause = new Pause(this.clients, this.keyspace, this);
    this.dispatcher = new Dispatcher(this, this);
    this.dispatcher.setCommands(namedCommands(config), commandCatalog());
    this.dispatcher.setLogged(commandTable);
    this.access = new AccessControl(this, commandCatalog());
    this.#streamCommands = new StreamCommands(this.dispatcher);
    this.scripts = new Scripts(this.dispatcher);
    this.hub = new Hub(runtime.timers, clock, () => this.dispatcher.runningClient);
    this.tracking = new Tracking(runtime.timers, draw, this);
    this.keyspace.defragmenter.others.push(this.tracking);
    this.turn = new Turn(runtime.timers);
    this.#keyEvents = new KeyEventPublisher(this.hub);
    this.unauthenticated = new Unauthenticated(this);
    this.clientLimits = new ClientLimits(this, this.unauthenticated);
    this.replication = new Replication(this);
    this.#ending = options.ending;
    this.shutdown = new Shutdown(this, options.ending);
    this.#bindConfig();
    this.access.begin();
  }

  // -- configuration -------------------------------------------------------------------

  /** Puts directives into effect, now and whenever CONFIG SET changes them. */
  #bindConfig(): void {
    const { config, keyspace, evictor, slowLog, accessLog, latency, dispatcher } = this;
    config.bind([
      "hash-max-listpack-entries",
      "hash-max-listpack-value",
      "hll-sparse-max-bytes",
      "list-max-listpack-size",
      "set-max-intset-entries",
      "set-max-listpack-entries",
      "set-max-listpack-value",
      "stream-node-max-bytes",
      "stream-node-max-entries",
      "zset-max-listpack-entries",
      "zset-max-listpack-value",
      "proto-max-bulk-len",
    ], (values) => {
      const { limits } = keyspace;
      limits.hashMaxListpackEntries = values["hash-max-listpack-entries"];
      limits.hashMaxListpackValue = values["hash-max-listpack-value"];
      limits.listMaxListpackSize = values["list-max-listpack-size"];
      limits.hllSparseBytesMax = values["hll-sparse-max-bytes"];
      limits.setMaxIntsetEntries = values["set-max-intset-entries"];
      limits.setMaxListpackEntries = values["set-max-listpack-entries"];
      limits.setMaxListpackValue = values["set-max-listpack-value"];
      limits.streamNodeMaxBytes = values["stream-node-max-bytes"];
      limits.streamNodeMaxEntries = values["stream-node-max-entries"];
      limits.zsetMaxListpackEntries = values["zset-max-listpack-entries"];
      limits.zsetMaxListpackValue = values["zset-max-listpack-value"];
      limits.stringBytesMax = values["proto-max-bulk-len"];
      this.#parserLimits.bulkBytesMax = values["proto-max-bulk-len"];
    });
    config.bind([
      "maxmemory-policy",
      "maxmemory-samples",
      "lfu-log-factor",
      "lfu-decay-time",
      "active-expire-effort",
      "lazyfree-lazy-expire",
      "lazyfree-lazy-eviction",
      "lazyfree-lazy-server-del",
    ], (values) => {
      evictor.policy = values["maxmemory-policy"];
      evictor.samples = values["maxmemory-samples"];
      keyspace.usesLfu = evictor.policy.endsWith("-lfu");
      keyspace.lfuLogFactor = values["lfu-log-factor"];
      keyspace.lfuDecayMinutes = values["lfu-decay-time"];
      keyspace.expireEffort = values["active-expire-effort"];
      keyspace.unlinksExpired = values["lazyfree-lazy-expire"];
      keyspace.unlinksEvicted = values["lazyfree-lazy-eviction"];
      keyspace.unlinksEmptied = values["lazyfree-lazy-server-del"];
      keyspace.refreshTime();
    });
    config.bind(["undo-window", "undo-max-memory"], (values) => {
      const { sealed } = keyspace;
      sealed.windowMs = values["undo-window"] * 1000;
      sealed.bytesMax = values["undo-max-memory"];
      sealed.tick();
    });
    config.bind(["maxmemory"], (values) => {
      evictor.maxBytes = values["maxmemory"];
      blocks.keptBytesMax = evictor.maxBytes > 0 ? 0 : KEPT_BYTES_MAX;
    });
    // A lower limit holds at once, not only when the next command comes.
    config.onChange(
      ["maxmemory", "maxmemory-policy", "replica-ignore-maxmemory"],
      () => this.evictSoon(),
    );
    config.onChange(["maxmemory", "maxmemory-clients"], () => this.clientLimits.countAll());
    config.bind(GATE_DIRECTIVES, (values) => {
      this.#gateValues = values;
      this.updateGates();
    });
    config.onChange(["lua-memory-limit"], () => this.scripts.forgetEngines());
    config.onChange(
      ["oom-score-adj", "oom-score-adj-values"],
      () => this.oomScore.apply(this.replication.isReplica) ?? undefined,
    );
    // Before anybody begins to write there.
    config.onChange(["dir", "dbfilename", "save", "appendonly"], () => {
      return this.persistence.claims.update() ?? undefined;
    });
    config.onChange(["appendonly"], (values) => {
      if (!values["appendonly"]) this.aof.turnOff();
      else if (!this.aof.turnOn()) return "Unable to turn on AOF. Check server logs.";
    });
    config.onChange(["aof-disable-auto-gc"], () => this.aof.removeHistory());
    config.bind(["acllog-max-len"], (values) => {
      accessLog.lengthMax = values["acllog-max-len"];
      accessLog.trim();
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

    // As in Redis: a period that turns of the timer are too rare for is made longer.
    config.onChange(["watchdog-period"], (values) => {
      const periodMin = Math.floor(1000 / config.value("hz")) * 2;
      const period = values["watchdog-period"];
      if (period > 0 && period < periodMin) config.assign("watchdog-period", [String(periodMin)]);
    });

    const events = this.#keyEvents;
    config.bind(["notify-keyspace-events"], (values) => {
      const flags = values["notify-keyspace-events"];
      events.toKeyspace = (flags & NOTIFY_KEYSPACE) !== 0;
      events.toKeyevent = (flags & NOTIFY_KEYEVENT) !== 0;
      const mask = events.toKeyspace || events.toKeyevent ? flags : 0;
      keyspace.eventMask = mask | (keyspace.eventMask & EVERY_CHANGE);
    });
    config.bind(["tracking-table-max-keys"], (values) => {
      this.tracking.keysMax = values["tracking-table-max-keys"];
    });
  }

  setGate(bit: number, isClosed: boolean): void {
    if (isClosed) this.dispatcher.gateBits |= bit;
    else this.dispatcher.gateBits &= ~bit;
  }

  // -- the start and the end -----------------------------------------------------------------

  /**
   * Takes the role that the configuration names, loads the dataset (unless it is to be empty at first; then nothing
   * may be there that this server would replace), and then seeks the master.
   */
  async load(beginsEmpty = false): Promise<void> {
    this.#isStarting = true;
    this.updateGates();
    await this.persistence.claims.begin();
    if (this.isClosed) throw new Error("The server has been stopped while it waited for its files");
    if (beginsEmpty) this.#refuseToReplace();
    this.replication.begin();
    this.oomScore.apply(this.replication.isReplica);
    // With `appendonly` the dataset is what the append-only file says, whatever snapshots there are.
    if (this.config.value("appendonly")) {
      this.persistence.begin();
      await this.aof.start();
    } else if (!beginsEmpty) await this.persistence.load();
    this.#isStarting = false;
    this.updateGates();
    this.replication.loaded();
  }

  /**
   * A server that begins empty, where nobody has named its folder, must not put that in the place of a dataset that
   * lies there. @throws Error
   */
  #refuseToReplace(): void {
    const { config, aof, persistence: { filePath } } = this;
    const snapshot = config.value("save").length > 0 && this.runtime.files.info(filePath) !== null;
    const found = config.value("appendonly") && aof.folder.isThere
      ? aof.folder.path
      : snapshot
      ? filePath
      : null;
    if (found === null) return;
    throw new Error(
      `${found} is there and would be replaced: name its folder as \`dir\` to load it, or another one`,
    );
  }

  /** Ends all connections and all that goes on; saves nothing. */
  close(): void {
    this.isClosed = true;
    for (const timer of this.#pending.values()) this.runtime.timers.cancel(timer);
    this.#pending.clear();
    this.replication.close();
    this.dispatcher.migrations.close();
    this.scripts.close();
    this.aof.close();
    this.persistence.close();
    this.oomScore.restore();
    for (const client of [...this.clients.byId.values()]) client.transport.close(false);
  }

  requestShutdown(options: ShutdownOptions): void {
    this.shutdown.request(options);
  }

  /**
   * A signal asks for the end: it is heard by the timer, as in Redis, which DEBUG PAUSE-CRON holds up, and a script
   * that runs for too long.
   */
  requestShutdownBySignal(options: ShutdownOptions): void {
    if (this.isTimerOn && !this.scripts.isSuspended) this.requestShutdown(options);
    else this.#heldShutdown = options;
  }

  /** Whether an end has been asked for and has not come yet. */
  get isShutdownUnderWay(): boolean {
    return this.shutdown.isUnderWay || this.#heldShutdown !== null;
  }

  abortShutdown(): boolean {
    if (this.#heldShutdown === null) return this.shutdown.abort();
    this.#heldShutdown = null;
    this.log.notice("Shutdown manually aborted.");
    return true;
  }

  shutdownRemainingMs(steadyMs: number): number | null {
    return this.shutdown.isWaiting ? this.shutdown.remainingMs(steadyMs) : null;
  }

  // -- clients -------------------------------------------------------------------------------

  /**
   * A new client, whose requests come as bytes; `transport` is made for it. Whoever calls hands the
   * bytes to its parser and then calls `dispatcher.processInput`; at its end `closed`.
   */
  openClient(isLocal: boolean, transport: (client: Client) => Transport): Client {
    if (this.isClosed) throw new Error("Cannot open a client: the server has stopped");
    const client = new Client(
      this.clients.nextId(),
      this.keyspace.databases[0],
      this.clock.monotonic(),
    );
    client.isLocal = isLocal;
    client.parser = new RequestParser(this.#parserLimits, splitWords);
    this.access.admit(client);
    client.reply.isOverLimit = (moreBytes) => this.clientLimits.isOverHardOutput(client, moreBytes);
    client.transport = transport(client);
    this.clients.add(client);
    return client;
  }

  /** ConnectionOwner. */
  isOverLimit(client: Client): boolean {
    return this.clientLimits.isOver(client);
  }

  /** ConnectionOwner. */
  get limitsClientMemory(): boolean {
    return this.clientLimits.limitsMemory;
  }

  /** ConnectionOwner. */
  countMemory(client: Client): void {
    this.clientLimits.count(client);
  }

  /** ConnectionOwner: forgets a client. */
  closed(client: Client): void {
    client.park?.unblock(false);
    client.endTransaction();
    if (client.isReplica) this.replication.master.closed(client);
    client.paused = null;
    this.hub.forget(client);
    this.tracking.forget(client);
    client.reply.clear();
    this.clientLimits.forget(client);
    this.unauthenticated.forget(client);
    this.clients.remove(client);
  }

  // -- gates, and what else dispatch asks ----------------------------------------------------

  /** DispatchOwner. */
  freeMemory(): boolean {
    return this.evictor.freeMemory();
  }

  /** DispatchOwner. */
  parkIfPaused(client: Client, isWrite: boolean): boolean {
    return this.pause.parkIfPaused(client, isWrite);
  }

  /** DispatchOwner. */
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

  /** DispatchOwner. */
  isOverOutputLimit(client: Client): boolean {
    return this.clientLimits.isOverOutput(client);
  }

  /** DispatchOwner. */
  linkFailed(client: Client, command: Command | null, text: string): void {
    this.statistics.unexpectedErrors++;
    const name = command?.fullName ?? "<unknown>";
    const { config, replication: { replica, backlog } } = this;
    const isStop = client.isMaster && name === "select";
    if (isStop) replica.databaseMissing();
    const isNews = !client.isMaster || isStop ||
      replica.commandFailed(command?.fullName ?? null, text);
    const [from, to] = client.isMaster ? ["replica", "master"] : ["master", "replica"];
    if (isNews) {
      this.log.warning(
        `== CRITICAL == This ${from} is sending an error to its ${to}: '${text}' after processing ` +
          `the command '${name}'`,
      );
    }
    if (!client.isMaster) return;
    const latest = isNews ? backlog?.latest(BACKLOG_SHOWN) : undefined;
    if (latest !== undefined && latest.length > 0) {
      this.log.notice(`Latest backlog is: '${quoted(toLatin1(latest, 0, latest.length))}'`);
    }
    // As in Redis, a replica whose data has parted from its master's ends where that is asked for.
    if (config.value("propagation-error-behavior") === "ignore") return;
    if (!config.value("replica-read-only")) return;
    client.isClosing = true; // what has come behind it is not carried out
    this.#panic(
      `This ${from} panicked sending an error to its ${to} after processing the command '${name}'`,
    );
  }

  /** Ends the process: going on would do harm. */
  #panic(message: string): void {
    logPanic(this.log, message);
    this.#ending.stop();
    this.#ending.exit(
      this.config.value("use-exit-on-panic") ? PANIC_EXIT_CODE : ABORT_EXIT_CODE,
    );
  }

  /** DispatchOwner. */
  showToMonitors(client: Client, words: Words): void {
    feedMonitors(this, client, words);
  }

  /** PauseOwner. */
  pauseChanged(isPaused: boolean): void {
    this.setGate(GATE_PAUSED, isPaused);
    this.keyspace.keepsExpired = isPaused;
    if (isPaused) return;
    this.replication.replica.goOn();
    this.dispatcher.migrations.goOn();
  }

  /** Puts what a state of the server closes or opens into the gates; called after each change. */
  updateGates(): void {
    const { persistence } = this;
    const values = this.#gateValues;
    this.setGate(
      GATE_SAVE_FAILED,
      !persistence.lastSaveOk && values["stop-writes-on-bgsave-error"] && values["save"].length > 0,
    );
    this.setGate(GATE_LOG_FAILED, this.aof.failure !== null);
    const { isReplica, replica, master } = this.replication;
    this.setGate(
      GATE_READ_ONLY,
      isReplica && (values["replica-read-only"] || replica.isGuarded),
    );
    this.setGate(
      GATE_STALE,
      isReplica && !replica.isLinkUp && !values["replica-serve-stale-data"],
    );
    const load = persistence.replicaLoad;
    this.setGate(
      GATE_LOADING,
      this.#isStarting || persistence.isLoading || load?.hidesServed === true,
    );
    this.setGate(GATE_ASYNC_LOADING, load?.isLoading === true);
    const replicasMin = values["min-replicas-to-write"];
    this.setGate(
      GATE_FEW_REPLICAS,
      !isReplica && replicasMin > 0 && values["min-replicas-max-lag"] > 0 &&
        master.goodCount < replicasMin,
    );
    this.lookAtHeap();
    this.setGate(GATE_MEMORY, values["maxmemory"] > 0 && !this.#followsMemoryOfMaster);
  }

  /** DispatchOwner. */
  lookAtHeap(): void {
    this.setGate(GATE_HEAP_FULL, this.memory.isHeapFull);
  }

  // -- data ----------------------------------------------------------------------------------

  /** KeyspaceListener. */
  keyEvent(event: string, database: number, bytes: Uint8Array, offset: number, length: number) {
    this.#keyEvents.publish(event, database, bytes, offset, length);
  }

  /** KeyspaceListener. */
  keyChanged(bytes: Uint8Array, offset: number, length: number, isByCommand: boolean): void {
    this.tracking.keyChanged(bytes, offset, length, isByCommand);
  }

  /** KeyspaceListener. */
  contentReplaced(): void {
    this.tracking.allChanged();
  }

  /** TrackingOwner. */
  clientOf(id: number): TrackedClient | undefined {
    return this.clients.byId.get(id);
  }

  /** TrackingOwner. */
  runningClient(): TrackedClient | null {
    return this.dispatcher.runningClient;
  }

  /** TrackingOwner. */
  defer(client: TrackedClient, { buffer, start, count }: Encoded, goesFirst: boolean): void {
    this.hub.defer(client, buffer, start, count, goesFirst);
  }

  /** TrackingOwner. */
  wantsChanges(isWanted: boolean): void {
    if (isWanted) this.keyspace.eventMask |= EVERY_CHANGE;
    else this.keyspace.eventMask &= ~EVERY_CHANGE;
  }

  /** TrackingOwner. */
  trimSoon(): void {
    this.#soon("trim", 0, () => {
      if (this.tracking.trim()) this.trimSoon();
    });
  }

  /** KeyspaceListener. */
  flushed(): void {
    this.persistence.datasetFlushed();
  }

  /** PersistenceOwner. */
  persistenceChanged(): void {
    this.updateGates();
  }

  /** PersistenceOwner. */
  replicationAux(): readonly (readonly [string, string | number])[] {
    return this.replication.snapshotAux();
  }

  /** PersistenceOwner. */
  libraryLoader(libraries: FunctionLibraries): LibraryLoader {
    return this.scripts.libraryLoader(libraries);
  }

  /** PersistenceOwner. */
  expiredAtLoad(database: number, bytes: Uint8Array, offset: number, length: number): void {
    this.replication.expiredAtLoad(database, bytes, offset, length);
  }

  /** PersistenceOwner. */
  snapshotNeeded(): void {
    this.aof.giveUpRewrite();
    this.aof.giveUpExchange("something else had to be saved first");
  }

  /** PersistenceOwner. */
  datasetReplaced(): void {
    this.aof.datasetReplaced();
  }

  /** PersistenceOwner. */
  aofFields(): readonly [AofField[], AofField[]] {
    return [this.aof.infoFields(), this.aof.sizeFields()];
  }

  /** AofOwner. */
  runCommands(): AofRun {
    const client = new Client(
      this.clients.nextId(),
      this.keyspace.databases[0],
      this.clock.monotonic(),
    );
    client.becomeMaster();
    client.reply.isCut = true; // nobody reads what the commands answer
    return {
      run: (words) => this.#replay(client, words),
      get isUnderWay() {
        return client.park !== null;
      },
    };
  }

  #replay(client: Client, words: Words): string | null {
    let problem: string | null;
    try {
      problem = this.dispatcher.replay(client, words);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      return this.dispatcher.findLogged(words) === null ? "unknown" : error.text;
    }
    if (problem === null) return null;
    this.statistics.unexpectedErrors++;
    const name = words.text(0).toLowerCase();
    this.log.warning(
      "== CRITICAL == This server is sending an error to its AOF-loading-client: " +
        `'${problem}' after processing the command '${name}'`,
    );
    // What follows would go into another database.
    return name === "select" || this.config.value("propagation-error-behavior") === "panic"
      ? problem
      : null;
  }

  /** AofOwner. */
  aofFailureChanged(): void {
    this.updateGates();
    // What has been kept back is on the disk by now.
    if (this.aof.failure === null) this.turn.release();
  }

  /** AofOwner. */
  aofStateChanged(): void {
    if (this.aof.isOn) this.#endAwaiting ??= this.turn.beforeReplies(() => this.aof.endTurn());
    else {
      this.#endAwaiting?.();
      this.#endAwaiting = null;
      this.turn.release();
      this.dispatcher.acknowledgementWaits.acknowledged();
    }
    this.updateGates();
  }

  /** AofOwner. */
  aofSynced(): void {
    this.dispatcher.acknowledgementWaits.acknowledged();
    // Whoever waits on our master for what is on our disk hears of it with the next acknowledgement, each second.
  }

  /** AofOwner. */
  aofTook(event: string, ms: number): void {
    this.latency.add(event, ms, this.keyspace.nowMs);
  }

  /** ReplicationHost. */
  get syncedOffset(): number | null {
    return this.aof.syncedOffset;
  }

  /** ReplicationHost. */
  get loadedPosition(): LoadedReplication | null {
    return this.aof.loadedPosition;
  }

  /** ReplicationHost. */
  writtenBehind(
    id: string,
    offset: number,
    pause: () => Promise<void>,
  ): Promise<CommandSource | null> {
    return this.aof.writtenBehind(id, offset, pause);
  }

  /** AofOwner. */
  replicationPosition(): LoadedReplication | null {
    const aux = new Map(this.replication.snapshotAux());
    const id = aux.get("repl-id");
    const offset = aux.get("repl-offset");
    if (id === undefined || offset === undefined) return null;
    return {
      id: String(id),
      offset: Number(offset),
      database: Number(aux.get("repl-stream-db") ?? 0),
      streamErrors: Number(aux.get(AUX_STREAM_ERRORS) ?? 0),
      divergedAt: Number(aux.get(AUX_DIVERGED_AT) ?? -1),
      leftOut: Number(aux.get(AUX_LEFT_OUT) ?? 0),
    };
  }

  /** AofOwner. */
  get isAmidstUnit(): boolean {
    return this.scripts.isSuspended || this.keyspace.stream.hasPending;
  }

  /**
   * EvictionOwner: what slow replicas hold up would only grow by the DELs of evicted keys, as would what waits to be
   * written to the append-only file.
   */
  usedBytes(): number {
    const { replication, aof } = this;
    return this.usedMemory() - replication.excessBacklogBytes - aof.writer.heldBytes;
  }

  /**
   * EvictionOwner. A replica follows its master, whose evictions come as DELs, unless it is told to keep
   * a limit of its own; while clients are held up the dataset is to stay as it is.
   */
  mayEvict(): boolean {
    return !this.#followsMemoryOfMaster && this.pause.endsMs === 0 && !this.persistence.isLoading;
  }

  get #followsMemoryOfMaster(): boolean {
    return this.replication.isReplica && this.#gateValues["replica-ignore-maxmemory"];
  }

  /** EvictionOwner. */
  evictSoon(): void {
    this.#soon("evict", 0, () => {
      if (!this.shutdown.isFinal) this.evictor.evict();
    });
  }

  // -- replication ---------------------------------------------------------------------------

  /** ReplicationHost. */
  openMasterClient(transport: LinkTransport, takesInline: boolean): MasterClient {
    const client = new Client(
      this.clients.nextId(),
      this.keyspace.databases[0],
      this.clock.monotonic(),
    );
    client.becomeMaster();
    client.parser = new RequestParser(MASTER_LIMITS, takesInline ? splitWords : emptyLine);
    client.reply.isCut = true; // nobody reads what the master's commands answer
    client.transport = transport;
    this.clients.add(client);
    return client;
  }

  /** ReplicationHost, AofOwner. */
  get isPaused(): boolean {
    return this.pause.endsMs !== 0 || this.scripts.isSuspended;
  }

  /** ReplicationHost. */
  holdWrites(asker: "failover" | "throttle" | "undo", isHeld: boolean): void {
    if (isHeld) this.pause.begin(asker, Infinity, false);
    else this.pause.end(asker);
  }

  /** ReplicationHost. */
  get isHeldByScript(): boolean {
    return this.scripts.isSuspended;
  }

  /** ReplicationHost. */
  processMasterInput(client: MasterClient): void {
    const { gateBits } = this.dispatcher;
    if ((gateBits & (GATE_SAVE_FAILED | GATE_LOG_FAILED)) !== 0) this.#tellUnsaved();
    // What the master sends is never refused, so room is made as long as there is something to evict.
    if ((this.dispatcher.gateBits & GATE_MEMORY) !== 0) this.evictor.evict();
    this.dispatcher.processInput(client as Client);
  }

  /** What the master sends is applied although it cannot be saved here: a person is to know. */
  #tellUnsaved(): void {
    const { steadyMs } = this.keyspace;
    if (steadyMs < this.#unsavedToldMs + UNSAVED_TOLD_EVERY_MS) return;
    this.#unsavedToldMs = steadyMs;
    this.log.warning(
      "Replica is applying a command even though it is unable to write to disk.",
    );
  }

  /** ReplicationHost. */
  masterCommandFault(client: MasterClient, error: unknown): void {
    this.log.fault("Cannot apply a command of the master", error);
    const { lastCommand } = client as Client;
    const message = error instanceof Error ? error.message : String(error);
    this.linkFailed(client as Client, lastCommand, `ERR internal error: ${message}`);
  }

  /** ReplicationHost. */
  commandOf(words: Words): StreamCommand | null {
    return this.#streamCommands.of(words);
  }

  /** ReplicationHost. */
  closeMasterClient(client: MasterClient): void {
    (client as Client).isClosed = true;
    this.closed(client as Client);
  }

  /** ReplicationHost. */
  replicationChanged(): void {
    this.updateGates();
    // A dataset that was swapped in may have what blocked clients wait for.
    if (this.scripts.isSuspended) return;
    if (this.keyspace.readyKeys.length > 0) this.dispatcher.blocking.serveReady();
  }

  /** ReplicationHost. */
  historyBegan(): void {
    this.aof.noteHistory();
  }

  /** ReplicationHost. */
  acknowledged(): void {
    this.dispatcher.acknowledgementWaits.acknowledged();
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
      this.dispatcher.migrations.cancelAll(INSTANCE_CHANGED);
      this.dispatcher.undoRestores.cancel("this server is a replica now");
    }
    this.oomScore.apply(isReplica);
    this.updateGates();
  }

  // -- the timer ---------------------------------------------------------------------------------

  /** One turn of the server's timer, ten times a second or more. */
  cron(): void {
    const { clock, statistics } = this;
    const startedMs = clock.monotonic();
    this.#cron();
    const usec = (clock.monotonic() - startedMs) * 1000;
    statistics.turns++;
    statistics.turnTimed(usec, 1);
    statistics.timerUsec += usec;
  }

  #cron(): void {
    this.#watch();
    if (!this.isTimerOn) return;
    const { keyspace, statistics } = this;
    this.cronTurns++;
    if (this.cronTurns === PREPARED_AT_TURN) lzfProgram();
    blocks.tick();
    connectionBlocks.tick();
    this.#collectAtRest();
    keyspace.refreshTime();
    // What is waited for is a matter of durations: nobody is to wait longer because a clock was set.
    const { steadyMs } = keyspace;
    statistics.commandRate.sample(statistics.commandsProcessed, steadyMs);
    statistics.turnRate.sample(statistics.turns, steadyMs);
    statistics.turnUsecRate.sample(statistics.turnUsec, steadyMs);
    statistics.inputRate.sample(statistics.netInputBytes, steadyMs);
    statistics.outputRate.sample(statistics.netOutputBytes, steadyMs);
    statistics.replicationInputRate.sample(statistics.netReplicationInputBytes, steadyMs);
    statistics.replicationOutputRate.sample(statistics.netReplicationOutputBytes, steadyMs);
    const used = this.usedMemory();
    if (used > statistics.peakMemoryBytes) statistics.peakMemoryBytes = used;
    if (this.scripts.isSuspended) {
      // The data stand still until the script is over: only what has nothing to do with them goes on.
      this.clientLimits.tick(steadyMs);
      this.replication.replica.tick(steadyMs);
      if (this.shutdown.savesNothing) this.shutdown.tick(steadyMs);
      return;
    }
    const held = this.#heldShutdown;
    this.#heldShutdown = null;
    if (held !== null) this.requestShutdown(held);
    this.pause.tick(steadyMs);
    this.dispatcher.blocking.expire(steadyMs);
    this.dispatcher.migrations.tick(steadyMs);
    this.clientLimits.tick(steadyMs);
    keyspace.sealed.tick();
    if (!this.persistence.isLoading) {
      if (this.isActiveExpireOn && this.pause.endsMs === 0) this.#expire();
      this.#tidy();
    }
    this.persistence.tick(steadyMs);
    this.aof.tick();
    // Not only when that changes: some of it may be on its way to a file just then.
    const problems = [this.aof.failure, this.persistence.lastSaveProblem];
    if (problems.some(tellsOfNoSpace)) {
      this.replication.master.makeRoomOnDisk();
    }
    if (!this.shutdown.isFinal) this.replication.tick(steadyMs);
    this.shutdown.tick(steadyMs);
    this.updateGates();
    // What has expired may be a key whose end somebody waits for.
    if (keyspace.readyKeys.length > 0) this.dispatcher.blocking.serveReady();
  }

  /** `watchdog-period`: says that the event loop stood still for longer, and what took longest. */
  #watch(): void {
    const nowMs = this.clock.monotonic();
    const ms = nowMs - this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    const { command, ms: commandMs } = this.dispatcher.takeSlowest();
    const period = this.config.value("watchdog-period");
    if (period === 0 || ms <= period) return;
    const { log } = this;
    log.warning("--- WATCHDOG TIMER EXPIRED ---");
    log.warning(`The event loop stood still for ${Math.round(ms)} ms.`);
    if (command !== null) {
      log.warning(
        `The longest command meanwhile: ${command.fullName}, ${commandMs.toFixed(1)} ms.`,
      );
    }
    log.warning("--------");
  }

  #collectAtRest(): void {
    const { netInputBytes, netOutputBytes, connectionsReceived } = this.statistics;
    // Those that have come, and those that have gone.
    const connections = 2 * connectionsReceived - this.clients.count;
    const { persistence, replication, dispatcher: { sliced, migrations } } = this;
    const isBusy = persistence.isSaving || replication.replica.isSyncing ||
      sliced.isUnderWay || migrations.isUnderWay;
    const bytes = netInputBytes + netOutputBytes + sliced.slices * SLICED_BYTES;
    const work = { bytes, connections, isBusy };
    this.#idleCollection.tick(work, this.clock.monotonic());
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
    while (this.tracking.tidySome()) {
      if (this.clock.monotonic() > until) return this.#again("tidy");
    }
    while (this.keyspace.discardSome(64)) {
      if (this.clock.monotonic() > until) return this.#again("tidy");
    }
    for (const { table } of this.keyspace.databases) {
      while (table.rehashSome(64)) if (this.clock.monotonic() > until) return this.#again("tidy");
    }
    const { defragmenter } = this.keyspace;
    const isScarce = this.#isMemoryScarce;
    while (defragmenter.step(isScarce)) {
      if (this.clock.monotonic() > until) {
        return this.#again("tidy", isScarce ? SLICE_MS : undefined);
      }
    }
  }

  /** Whether data and what lies unused between them pass `maxmemory`. */
  get #isMemoryScarce(): boolean {
    return this.keyspace.defragmenter.isScarce(this.usedBytes(), this.evictor.maxBytes);
  }

  /** Has housekeeping that ran out of time go on before the next turn: at a fifth of the time, if not told otherwise. */
  #again(work: "expire" | "tidy", pauseMs = SLICE_MS * 4): void {
    this.#soon(work, pauseMs, () => {
      if (!this.isTimerOn || this.persistence.isLoading) return;
      this.keyspace.refreshTime();
      if (work === "tidy") this.#tidy();
      else if (this.isActiveExpireOn && this.pause.endsMs === 0) this.#expire();
    });
  }

  /** Has this done in `ms` milliseconds, once however often it is asked for. */
  #soon(name: "expire" | "tidy" | "evict" | "trim", ms: number, work: () => void): void {
    if (this.isClosed || this.#pending.has(name)) return;
    const timer = this.runtime.timers.after(ms, () => {
      this.#pending.delete(name);
      if (this.scripts.isSuspended) return this.#soon(name, SUSPENDED_MS, work);
      work();
    });
    this.#pending.set(name, timer);
  }

  /** Bytes in use: data, clients' buffers, and a flat share for the program itself. */
  usedMemory(): number {
    const { aof } = this;
    const { backlogBytes } = this.replication;
    const { dataBytes, sealed } = this.keyspace;
    return BASE_BYTES + dataBytes + sealed.bytes + this.tracking.memoryBytes + this.clientBytes() +
      backlogBytes + aof.writer.heldBytes + this.scripts.memoryBytes;
  }

  /** As each was last looked at: asked before each command where `maxmemory` is set. */
  clientBytes(): number {
    return this.clientLimits.totalBytes;
  }

  /** The part of the links to replicas. */
  replicaClientBytes(): number {
    return this.clientLimits.bytesOf.replica;
  }
}

/** Of lines that are no arrays a master sends empty ones only, to show that it is alive. */
const emptyLine: InlineSplitter = (_bytes, _offset, length) => length === 0 ? [] : null;

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
