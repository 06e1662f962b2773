/**
 * A server as a process of its own, for tests: on a free port, in a temporary folder, its log kept
 * for the message of a failing test. Knows nothing of which server it is; real_redis.ts and
 * tsredis_process.ts do.
 */

import { eventually } from "./eventually.ts";
import { freePort } from "./free_port.ts";
import { connect, type RespClient } from "./resp_client.ts";

/** What to start. */
export interface Launch {
  /** The name that error messages use. */
  name: string;
  /** The program and all it needs before its own arguments. */
  command: string[];
  /** The server's arguments; `--port`, `--bind` and `--dir` are put before them. */
  args: string[];
  env?: Record<string, string>;
  /** A folder to work in. Without it the server has a new one, removed when it is disposed. */
  dir?: string;
  /** Where it listens, if that is to be where another one has. Without it on a free port. */
  port?: number;
  /** The machine it is on, if that is another one: it listens on all its addresses, the test uses this one. */
  hostname?: string;
}

/** How a process ended, as Deno tells it. */
export type Ending = Deno.CommandStatus;

/** A running server; `await using` stops it and removes its folder. */
export class ServerProcess implements AsyncDisposable {
  #log = "";
  readonly #drained: Promise<unknown>;
  #ending: Ending | null = null;

  private constructor(
    readonly name: string,
    readonly port: number,
    /** Where its data is; outlives {@linkcode stop}, so that a test can start on it again. */
    readonly dir: string,
    readonly child: Deno.ChildProcess,
    private readonly ownsDir: boolean,
    /** Where the test reaches it; 127.0.0.1 if absent. */
    readonly hostname?: string,
  ) {
    this.#drained = Promise.all([this.#drain(child.stdout), this.#drain(child.stderr)]);
    child.status.then((ending) => this.#ending = ending);
  }

  /** Starts the server and waits until it answers PING. Tries three ports before giving up. */
  static async start(launch: Launch): Promise<ServerProcess> {
    for (let attempt = 1;; attempt++) {
      const server = await ServerProcess.spawn(launch);
      try {
        await server.#answers();
        return server;
      } catch (cause) {
        await server[Symbol.asyncDispose]();
        // Between finding a free port and the server taking it, another process may have it.
        if (attempt < 3 && /address (already )?in use/i.test(server.log)) continue;
        throw new Error(`Cannot start ${launch.name}:\n${server.log}`, { cause });
      }
    }
  }

  /** Starts the server without waiting: for tests of what keeps it from starting. */
  static async spawn(launch: Launch): Promise<ServerProcess> {
    const dir = launch.dir ?? await Deno.makeTempDir({ prefix: "tsredis-test-" });
    const port = launch.port ?? freePort();
    const [program, ...before] = launch.command;
    const { hostname } = launch;
    const bind = hostname === undefined ? "127.0.0.1" : "0.0.0.0";
    const child = new Deno.Command(program, {
      args: [...before, "--port", `${port}`, "--bind", bind, "--dir", dir, ...launch.args],
      env: launch.env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ownsDir = launch.dir === undefined;
    return new ServerProcess(launch.name, port, dir, child, ownsDir, hostname);
  }

  /**
   * All it printed that has come here so far. While it runs, a reply may be here before the line that
   * was logged earlier: wait for that with `untilLogged`.
   */
  get log(): string {
    return this.#log;
  }

  /** Waits until this stands in its log. */
  async untilLogged(expected: string | RegExp): Promise<void> {
    const isThere = () =>
      typeof expected === "string" ? this.#log.includes(expected) : expected.test(this.#log);
    try {
      await eventually(isThere, { what: `${this.name} to log ${expected}` });
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${this.#log}`, { cause });
    }
  }

  /** A new connection to it. */
  connect(): Promise<RespClient> {
    return connect(this.port, this.hostname);
  }

  /** Sends a signal, SIGTERM unless another is named, and waits for the end (SIGKILL after 20 s). */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Ending> {
    if (this.#ending === null) {
      this.#kill(signal);
      const killer = setTimeout(() => this.#kill("SIGKILL"), 20_000);
      await this.child.status;
      clearTimeout(killer);
    }
    return await this.ended();
  }

  /** Waits for it to end by itself. */
  async ended(): Promise<Ending> {
    const ending = await this.child.status;
    await this.#drained;
    return ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    if (this.ownsDir) await Deno.remove(this.dir, { recursive: true });
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.child.kill(signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  async #answers(): Promise<void> {
    await eventually(async () => {
      if (this.#ending !== null) return true;
      using client = await this.connect();
      const reply = await client.call("PING");
      // A server still loading answers too, with an error.
      return !(reply.kind === "error" && reply.text.startsWith("LOADING"));
    }, { timeoutMs: 30_000, what: `${this.name} to answer PING` });
    if (this.#ending !== null) throw new Error(`it ended with code ${this.#ending.code}`);
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#log += decoder.decode(chunk, { stream: true });
  }
}
