/**
 * What a case runs on: a server of one kind, connections to it, and the measuring of what it uses.
 *
 * Memory is told without what the server takes when idle and empty (a runtime is larger than redis-server, by an
 * amount that no data changes), so that figures of data compare.
 */

import { Client, encodeCommand } from "../compare/client.ts";
import { type RunningServer, type ServerSpec, startServer } from "../compare/servers.ts";
import { FIGURE, type Figures } from "./cases.ts";
import { StallWatch } from "./stall_watch.ts";

/** Time given to a server after its start before its idle size is read. */
const SETTLE_MS = 500;

export class Bench {
  /** The server under measurement, started with the options of the case. */
  readonly server: RunningServer;
  /** Resident memory when it had nothing. */
  readonly idleBytes: number;
  readonly #spec: ServerSpec;
  readonly #workDir: string;
  readonly #others: RunningServer[] = [];
  readonly #clients: Client[] = [];

  /** Its data folder. */
  readonly dir: string;

  private constructor(spec: ServerSpec, workDir: string, server: RunningServer, dir: string) {
    this.dir = dir;
    this.#spec = spec;
    this.#workDir = workDir;
    this.server = server;
    this.idleBytes = server.residentBytes();
  }

  /** Starts a server with these options, its data in a new folder in `workDir`, and waits until it is idle. */
  static async open(spec: ServerSpec, options: string[], workDir: string): Promise<Bench> {
    const dir = newDir(workDir);
    const server = await startServer(withOptions(spec, options), dir);
    await pause(SETTLE_MS);
    return new Bench(spec, workDir, server, dir);
  }

  /**
   * Starts one more server of the same kind: a replica, or one that loads what lies in `dir`. It is stopped with
   * the bench, unless the case stops it itself.
   */
  async startAnother(
    options: string[],
    dir: string = newDir(this.#workDir),
  ): Promise<RunningServer> {
    const server = await startServer(withOptions(this.#spec, options), dir);
    this.#others.push(server);
    return server;
  }

  /**
   * `startAnother` and `watch` at once: from the start of its process until its data are loaded. The idle size is
   * that of the first server.
   */
  async watchStart(options: string[], dir: string): Promise<Figures> {
    const watches: Promise<StallWatch>[] = [];
    const server = await startServer(
      withOptions(this.#spec, options),
      dir,
      (port) => watches.push(StallWatch.begin(port, true)),
    );
    this.#others.push(server);
    const longestMs = await (await watches[0]).end();
    return {
      [FIGURE.time]: server.startMs,
      [FIGURE.peak]: this.#aboveIdle(server.peakBytes()),
      [FIGURE.stall]: longestMs,
    };
  }

  /** A further connection, closed with the bench. */
  async connect(server = this.server): Promise<Client> {
    const client = await Client.connect(server.port);
    this.#clients.push(client);
    return client;
  }

  /** One call on the server's first connection; see `Client.call`. */
  call(...words: string[]): Promise<string | null> {
    return this.server.call(...words);
  }

  /**
   * Sends one command and lets its reply go, however long it is: what is timed. With `limitMs`, fails when there
   * is no reply for so long.
   */
  exchange(words: string[], limitMs?: number): Promise<void> {
    const command = new TextEncoder().encode(encodeCommand(...words));
    return this.server.guard(words[0], this.server.client.exchange(command), limitMs);
  }

  /**
   * Does `work` and takes time, peak of the memory and longest wait of another client meanwhile. That client sends
   * PING every millisecond, from a thread of its own.
   */
  async watch(work: () => Promise<unknown>, server = this.server): Promise<Figures> {
    const watch = await StallWatch.begin(server.port);
    server.forgetPeak();
    const startedAt = performance.now();
    await work();
    const timeMs = performance.now() - startedAt;
    const peakBytes = server.peakBytes();
    const longestMs = await server.guard("watching", watch.end());
    return {
      [FIGURE.time]: timeMs,
      [FIGURE.peak]: this.#aboveIdle(peakBytes),
      [FIGURE.stall]: longestMs,
    };
  }

  /** Waits `ms`, then reads resident memory and `used_memory`. */
  async memoryAfter(ms: number, server = this.server): Promise<Figures> {
    await pause(ms);
    const info = await server.info("memory");
    return {
      [FIGURE.after]: this.#aboveIdle(server.residentBytes()),
      [FIGURE.used]: Number(info.get("used_memory")) / 1e6,
    };
  }

  #aboveIdle(bytes: number): number {
    return Math.max(0, bytes - this.idleBytes) / 1e6;
  }

  /** Closes connections and stops servers. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const server of [...this.#others, this.server]) await server.stop();
  }
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function withOptions(spec: ServerSpec, options: string[]): ServerSpec {
  return { label: spec.label, command: [...spec.command, ...options] };
}

function newDir(workDir: string): string {
  return Deno.makeTempDirSync({ dir: workDir });
}
