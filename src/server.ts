/**
 * A server: the core (core.ts) on sockets, with a timer, a pid file, and what it does at a signal.
 * main.ts starts one as a program, mod.ts within another one.
 */

import { resolve } from "@std/path";
import { latin1 } from "./base/bytes.ts";
import type { Clock, Draw } from "./base/clock.ts";
import type { Config } from "./config/config.ts";
import { ConfigError, FATAL, fromText, toPath } from "./config/parse.ts";
import { withoutEffect } from "./config/without_effect.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "./config/version.ts";
import { Core } from "./core.ts";
import { Connection } from "./net/connection.ts";
import { HandshakeLog } from "./net/handshake_log.ts";
import { type Accepted, Listeners } from "./net/listener.ts";
import { fitMaxClients, refuseMaxClients } from "./net/open_files_limit.ts";
import { Refusal } from "./net/refusal.ts";
import { CANNOT_UPDATE } from "./net/tls.ts";
import { fileSink, type Log, type LogSink, standardOutputSink } from "./observe/log.ts";
import { runtime as processRuntime } from "./runtime/here.ts";
import type { Runtime, ServerHandshake, SocketHandler, Timer } from "./runtime/runtime.ts";
import { problemOf } from "./runtime/system_error.ts";
import { Supervision } from "./supervision.ts";

/** Free ports that are tried before giving up. */
const FREE_PORT_TRIES = 20;

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
  /** Whether it listens on a free port that it finds, whatever `port` says. */
  readonly takesFreePort?: boolean;
  /** Whether it leaves the file that `dbfilename` names alone at the start. */
  readonly beginsEmpty?: boolean;
}

export class Server {
  readonly core: Core;
  readonly runtime: Runtime;
  readonly #listeners: Listeners;
  readonly #exit: (code: number) => void;
  readonly #supervision: Supervision;
  #timer: Timer | null = null;
  #stopped: Promise<void> | null = null;
  #hasPidFile = false;
  #nextDescriptor = 8;
  readonly #takesFreePort: boolean;
  readonly #beginsEmpty: boolean;

  constructor(options: ServerOptions) {
    const { config, log } = options;
    this.#takesFreePort = options.takesFreePort ?? false;
    this.#beginsEmpty = options.beginsEmpty ?? false;
    const runtime = this.runtime = options.runtime ?? processRuntime;
    this.#exit = options.exit ?? ((code) => runtime.process.exit(code));
    const handshakeLog = new HandshakeLog(log, runtime.timers);
    this.#listeners = new Listeners(runtime, {
      accept: (accepted) => this.#accept(accepted),
      handshake: () => this.#handshake(),
      handshakeFailed: (...how) => handshakeLog.failed(...how),
    }, log);
    this.#supervision = new Supervision(config, log, runtime);
    this.core = new Core({
      config,
      log,
      runtime,
      clock: options.clock ?? runtime.clock,
      draw: options.draw ?? Math.random,
      ending: { supervision: this.#supervision, stop: () => this.stop(), exit: this.#exit },
    });
    config.onChange(
      ["maxclients"],
      ({ maxclients }) => refuseMaxClients(maxclients, runtime.process),
    );
    config.onChange(
      ["bind"],
      () => this.#rebind("Failed to bind to specified addresses."),
    );
    config.onChange(
      ["port"],
      () => this.#rebind("Unable to listen on this port. Check server logs."),
    );
    config.onChange(
      ["tls-port"],
      () =>
        this.core.tls.ensure()
          ? this.#rebind("Unable to listen on this port. Check server logs.")
          : CANNOT_UPDATE,
    );
    config.onChange(["hz"], (values) => {
      if (this.#timer !== null) this.#setTimer(values["hz"]);
    });
  }

  // -- start ----------------------------------------------------------------------------

  /** Listens, loads the dataset and serves. Rejects when that is impossible. */
  async start(): Promise<void> {
    const { core, runtime } = this;
    const { config, log } = core;
    this.#supervision.begin();
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
    fitMaxClients(config, runtime.process, log);
    if (!core.tls.configure()) {
      throw new Error("Failed to configure TLS. Check logs for more info.");
    }
    if (this.#takesFreePort) await this.#openFreePort();
    else this.#openPort(config.value("port"));
    const path = config.value("unixsocket");
    if (path !== null && path !== "") {
      this.#listeners.openUnix(path, config.value("unixsocketperm"));
      log.notice(`The server is now ready to accept connections at ${path}`);
    }
    if (config.value("always-show-logo")) this.#showLogo();
    else log.notice(`Running mode=standalone, port=${core.shownPort}.`);
    this.#writePidFile();
    this.#warnOfIdleDirectives();
    log.notice("Server initialized");
    this.#setTimer(config.value("hz"));
    await core.load(this.#beginsEmpty);
    if (core.port !== 0) log.notice("Ready to accept connections tcp");
    if (path !== null && path !== "") log.notice("Ready to accept connections unix");
    if (core.tlsPort !== 0) log.notice("Ready to accept connections tls");
    this.#supervision.ready(core.replication);
  }

  #openPort(port: number): void {
    const { core } = this;
    const tlsPort = core.config.value("tls-port");
    this.#listeners.openTcp(core.config.value("bind"), { plain: port, tls: tlsPort });
    core.port = port;
    core.tlsPort = tlsPort;
  }

  /** Listens on a port that is free on all addresses of `bind`, which becomes `port`. */
  async #openFreePort(): Promise<void> {
    const { config } = this.core;
    for (let triesLeft = FREE_PORT_TRIES;; triesLeft--) {
      const nobody = { accepted: () => null, failed: () => {} };
      const probe = this.runtime.network.listenTcp("127.0.0.1", 0, nobody);
      const { port } = probe;
      await probe.close();
      try {
        this.#openPort(port);
        config.assign("port", [String(port)]);
        return;
      } catch (error) {
        // Somebody else was quicker, or has it on another address.
        if (triesLeft === 0) throw error;
      }
    }
  }

  /** Has the timer run so many times a second. */
  #setTimer(hz: number): void {
    const { core, runtime: { timers } } = this;
    timers.cancel(this.#timer);
    this.#timer = timers.every(1000 / Math.max(10, hz), () => {
      core.cron();
      if (!core.persistence.isLoading && !core.shutdown.isFinal) {
        this.#supervision.look(core.replication);
      }
    });
  }

  /** `pidfile`. As in Redis the server goes on without it when it cannot be written. */
  #writePidFile(): void {
    const path = filePath(this.core.config, "pidfile");
    if (path === null) return;
    try {
      const line = latin1(`${this.runtime.process.id}\n`);
      using file = this.runtime.files.open(path, "write");
      file.write(line, 0, line.length);
      this.#hasPidFile = true;
    } catch (error) {
      this.core.log.notice(`Failed to write PID file: ${problemOf(error)}`);
    }
  }

  /** Says which directives were set although nothing here looks at them. */
  #warnOfIdleDirectives(): void {
    for (const { name, reason } of withoutEffect(this.core.config)) {
      this.core.log.warning(`Warning: '${name}' is set but has no effect: ${reason}`);
    }
  }

  /** `always-show-logo`: what is running, and where, for people and for scripts that look for it. */
  #showLogo(): void {
    const { log } = this.core;
    log.notice("  .---.");
    log.notice(` ( ts  )   tsredis ${TSREDIS_VERSION} (Redis ${REDIS_VERSION}), 64 bit`);
    log.notice("  )---(    Running in standalone mode");
    log.notice(` ( redis)  Port: ${this.core.shownPort}`);
    log.notice(`  '---'    PID: ${this.runtime.process.id}`);
  }

  /** Listens where the configuration says by now; answers with `refusal` where that cannot be. */
  #rebind(refusal: string): string | void {
    try {
      this.#openPort(this.core.config.value("port"));
    } catch {
      return refusal;
    }
  }

  // -- connections -------------------------------------------------------------------------

  /** How to shake hands with who comes to `tls-port`; null when there are clients enough. */
  #handshake(): ServerHandshake | null {
    const { clients, config, statistics, tls } = this.core;
    if (clients.count + this.#listeners.handshakes < config.value("maxclients")) {
      return tls.handshake();
    }
    statistics.connectionsRejected++;
    return null;
  }

  /** Takes a connection, or turns it away; returns who is to serve it. */
  #accept({ socket, address, localAddress, isLocal }: Accepted): SocketHandler {
    const { core } = this;
    const { config, statistics } = core;
    if (core.clients.count >= config.value("maxclients")) {
      statistics.connectionsRejected++;
      return new Refusal(socket, "-ERR max number of clients reached\r\n");
    }
    const certified = config.value("tls-auth-clients-user") === "CN" ? socket.commonName : null;
    if (!certified && core.access.needsAuth && !core.unauthenticated.hasRoom) {
      statistics.connectionsRejected++;
      core.unauthenticated.note("number", "default", `addr=${address} laddr=${localAddress}`);
      return new Refusal(socket, "-ERR max number of unauthenticated clients reached\r\n");
    }
    if (config.value("protected-mode") && core.access.users.default.isNoPass && !isLocal) {
      statistics.connectionsRejected++;
      return new Refusal(socket, PROTECTED);
    }
    if (!socket.isUnix) {
      socket.setNoDelay(true);
      if (config.value("tcp-keepalive") > 0) socket.setKeepAlive(true);
    }
    const descriptor = this.#nextDescriptor++;
    let connection!: Connection;
    const client = core.openClient(isLocal, (client) => {
      connection = new Connection(client, socket, core, address, localAddress, descriptor);
      return connection;
    });
    client.isUnixSocket = socket.isUnix;
    if (certified) core.access.admitByCertificate(client, fromText(certified));
    core.unauthenticated.came(client);
    statistics.connectionsReceived++;
    return connection;
  }

  // -- the end --------------------------------------------------------------------------------------

  /** SIGTERM or SIGINT: shuts down as `shutdown-on-sigterm` and `-sigint` say. */
  onSignal(signal: "SIGTERM" | "SIGINT"): void {
    const { core } = this;
    const isInterrupt = signal === "SIGINT";
    if (isInterrupt && core.isShutdownUnderWay) {
      core.log.warning("You insist... exiting now.");
      core.persistence.close(); // removes what a save has written so far
      this.#exit(1);
      return;
    }
    core.log.warning(
      core.persistence.isLoading
        ? "Received shutdown signal during loading, scheduling shutdown."
        : `Received ${signal} scheduling shutdown...`,
    );
    const words = core.config.value(
      isInterrupt ? "shutdown-on-sigint" : "shutdown-on-sigterm",
    );
    core.requestShutdownBySignal({
      save: words.includes("save") ? "save" : words.includes("nosave") ? "nosave" : "default",
      force: words.includes("force"),
      now: words.includes("now"),
      onWaiting: () => {},
      onRefused: () => {},
    });
  }

  /**
   * Stops serving: closes sockets and the timer, saves nothing. Resolves when its addresses can be
   * listened on again. May be repeated.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { timers, files } = this.runtime;
    timers.cancel(this.#timer);
    this.#timer = null;
    const listenersClosed = this.#listeners.close();
    this.core.close();
    const pidFile = filePath(this.core.config, "pidfile");
    if (pidFile !== null && this.#hasPidFile) {
      this.core.log.notice("Removing the pid file.");
      try {
        files.remove(pidFile);
      } catch {
        // It is not ours to insist.
      }
    }
    await listenersClosed;
    // What has been called off of reads and writes comes to its end.
    await new Promise<void>((resolve) => timers.after(0, resolve));
    await timers.release();
  }
}

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

/** Where a file is that a directive names, counted from `dir`; null when it names none. */
function filePath(config: Config, name: "pidfile" | "logfile"): string | null {
  const path = config.value(name);
  return path === null || path === "" ? null : resolve(toPath(config.value("dir")), toPath(path));
}

/** Where the log goes, from `logfile`. @throws ConfigError when that cannot be written */
export function logSink(config: Config): LogSink {
  const { process, files } = config.runtime;
  const path = filePath(config, "logfile");
  if (path === null) return standardOutputSink(process);
  try {
    files.open(path, "append").close();
  } catch (error) {
    throw new ConfigError(`${FATAL}\nCan't open the log file: ${problemOf(error)}`, null);
  }
  return fileSink(files, path);
}
