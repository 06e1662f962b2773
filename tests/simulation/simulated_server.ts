/** A tsredis server on a machine of a simulated world, through all its crashes and starts. */

import { Config } from "../../src/config/config.ts";
import type { Core } from "../../src/core.ts";
import { datasetDigest, valueDigest } from "../../src/rdb/digest.ts";
import { fromBytes } from "../support/reply_parser.ts";
import { Log } from "../../src/observe/log.ts";
import type { Machine } from "../../src/runtime/simulated.ts";
import { Server } from "../../src/server.ts";

export const PORT = 6379;

export class SimulatedServer {
  /** Lines of the log of all its runs. */
  readonly logLines: string[] = [];
  /** The run that is or was last. */
  server: Server | null = null;
  /** Whether it has loaded its dataset, in this run. */
  isReady = false;
  /** Why it could not start. */
  failure: unknown = null;

  constructor(readonly machine: Machine, readonly directives: readonly string[]) {}

  get name(): string {
    return this.machine.name;
  }

  get isRunning(): boolean {
    return this.machine.isRunning;
  }

  /** Starts a process; `directives` are lines of configuration for this run only. */
  start(...directives: string[]): void {
    const runtime = this.machine.start();
    const options = [
      `port ${PORT}`,
      "protected-mode no",
      "loglevel verbose",
      ...this.directives,
      ...directives,
    ];
    const config = Config.load(
      runtime,
      { file: null, fromStdin: false, options: options.join("\n") + "\n" },
      { folder: runtime.process.workingFolder },
    );
    const decoder = new TextDecoder();
    const log = new Log(
      runtime.clock,
      runtime.process.id,
      (line) => this.logLines.push(decoder.decode(line).trimEnd()),
    );
    this.isReady = false;
    const server = new Server({
      config,
      log,
      runtime,
      draw: () => runtime.draw(),
      exit: (code) => runtime.process.exit(code),
    });
    this.server = server;
    server.start().then(() => {
      if (this.server === server) this.isReady = true;
    }, (error) => this.failure = error);
  }

  /** What runs and has loaded its dataset. */
  get ready(): Core | null {
    return this.isRunning && this.isReady ? this.server!.core : null;
  }

  get digest(): string {
    return datasetDigest(this.server!.core.keyspace);
  }

  /** What it holds: a digest of the value by database and key. */
  contents(): Map<string, string> {
    const found = new Map<string, string>();
    for (const database of this.server!.core.keyspace.databases) {
      const { records, table } = database;
      table.forEach((ref) => {
        const at = records.keyOffset(ref);
        const key = fromBytes(records.bytesOf(ref).subarray(at, at + records.keyLength(ref)));
        found.set(
          `${database.index} ${key}`,
          `${valueDigest(database, ref)}, ${database.expiryOf(ref)}`,
        );
      });
    }
    return found;
  }
}
