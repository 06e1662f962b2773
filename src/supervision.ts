/**
 * Telling the service manager how the server does, where `supervised` asks for that: that it has
 * started (`READY=1`), what it is about (`STATUS=`), that it ends (`STOPPING=1`). A part of
 * src/server.ts. Words and times are those of Redis, but for the last: it is told when the dataset has
 * been saved, since a manager that has been told kills what takes too long.
 */

import type { Config } from "./config/config.ts";
import { supervisorOf } from "./config/supervisor.ts";
import type { Log } from "./observe/log.ts";
import type { Replication } from "./replication/replication.ts";
import type { Runtime } from "./runtime/runtime.ts";

const READY = "Ready to accept connections";
/** A manager that does not listen is not waited for any longer at the end. */
const LAST_WORD_MS = 1_000;

export class Supervision {
  readonly #config: Config;
  readonly #log: Log;
  readonly #runtime: Runtime;
  #isOn = false;
  /** What the manager shows. */
  #status = "";
  /** Messages that are on their way. */
  #told: Promise<unknown> = Promise.resolve();

  constructor(config: Config, log: Log, runtime: Runtime) {
    this.#config = config;
    this.#log = log;
    this.#runtime = runtime;
  }

  /** The start begins. */
  begin(): void {
    const wanted = this.#config.value("supervised");
    this.#isOn = supervisorOf(this.#config, this.#runtime.process) === "systemd";
    if (this.#isOn) {
      this.#log.notice(
        "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and " +
          "TimeoutStopSec in your service unit.",
      );
      this.#show("Redis is loading...");
    } else if (wanted === "systemd") {
      this.#log.warning("systemd supervision error: NOTIFY_SOCKET not found!");
    } else if (wanted === "upstart") {
      this.#log.warning("Warning: 'supervised upstart' has no effect: only systemd is told");
    }
  }

  /** The dataset is there, and clients are served. */
  ready(replication: Replication): void {
    this.look(replication);
    this.#tell("READY=1\n");
  }

  /** Role or link may have changed. */
  look({ isReplica, replica }: Replication): void {
    if (!this.#isOn) return;
    this.#show(
      !isReplica
        ? READY
        : replica.isLinkUp
        ? `MASTER <-> REPLICA sync: Finished with success. ${READY} in read-write mode.`
        : `${READY} in read-only mode. Waiting for MASTER <-> REPLICA sync`,
    );
  }

  /** The dataset is being saved before the end. */
  saving(): void {
    this.#show("Saving the final RDB snapshot");
  }

  /** It could not be saved: the server may have to stay. */
  saveFailed(): void {
    this.#show("Error trying to save the DB, can't exit.");
  }

  /** The end has come. Resolves when everything that was to be told has been, or soon; null: at once. */
  stopping(): Promise<unknown> | null {
    if (!this.#isOn) return null;
    this.#tell("STOPPING=1\n");
    const { timers } = this.#runtime;
    const isLate = new Promise<void>((resolve) => timers.after(LAST_WORD_MS, resolve));
    return Promise.race([this.#told, isLate]);
  }

  #show(status: string): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#tell(`STATUS=${status}\n`);
  }

  #tell(state: string): void {
    if (!this.#isOn) return;
    const told = this.#runtime.process.notifyServiceManager(state);
    this.#told = Promise.all([this.#told, told]);
  }
}
