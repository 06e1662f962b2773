/**
 * What the comparing tests need of the outside: a connection that keeps replies as they came
 * (see reply.ts), and a pair of servers, the real redis-server and the one under test, both empty
 * and both on ports the system chose.
 *
 * The server under test is tsredis from this checkout. `TSREDIS_COMPAT_PEER=redis` puts a second
 * redis-server in its place: then nothing may differ, which tests these tests.
 */

import { fromFileUrl, join } from "@std/path";
import { bytesOf, type Reply, ReplyReader, silence } from "./reply.ts";

/** Milliseconds that a reply may take before the server counts as hung. */
const REPLY_TIMEOUT_MS = 10_000;

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** A client connection; replies come in the order of the calls. */
export class Connection {
  #conn: Deno.Conn;
  #reader = new ReplyReader();
  #chunk = new Uint8Array(65536);
  /** False once the server has closed, or a reply did not come in time. */
  alive = true;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects over TCP to 127.0.0.1. */
  static async open(port: number): Promise<Connection> {
    return new Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** One call, its words as byte strings. */
  async call(...words: string[]): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /** Sends all calls at once; gives one reply each, `silence` for those that never came. */
  async pipeline(calls: string[][]): Promise<Reply[]> {
    const sent = this.send(encodeCalls(calls));
    const replies: Reply[] = [];
    while (replies.length < calls.length) replies.push(await this.read());
    await sent;
    return replies;
  }

  /** Writes bytes as they are. A connection that breaks meanwhile is seen by the next read. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      this.alive = false;
    }
  }

  /** The next reply, pushes left out; `silence` if the connection ended or time is up. */
  async read(timeoutMs = REPLY_TIMEOUT_MS): Promise<Reply> {
    const deadline = Date.now() + timeoutMs;
    while (true) {
      const reply = this.#reader.next();
      if (reply !== null) {
        if (reply.kind === "push") continue;
        return reply;
      }
      if (!this.alive) return silence("the connection is closed");
      const left = deadline - Date.now();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<"timeout">((resolve) => {
        timer = setTimeout(() => resolve("timeout"), Math.max(0, left));
      });
      const pending = this.#conn.read(this.#chunk).catch(() => null);
      const got = await Promise.race([pending, timeout]);
      clearTimeout(timer);
      if (got === "timeout") {
        this.close(); // a read is under way and cannot be taken back
        await pending;
        return silence(`nothing within ${timeoutMs} ms`);
      }
      if (got === null) {
        this.close();
        return silence("the server closed the connection");
      }
      this.#reader.push(this.#chunk.subarray(0, got));
    }
  }

  /** Closes; calling it twice is harmless. */
  close(): void {
    this.alive = false;
    try {
      this.#conn.close();
    } catch {
      // closed before
    }
  }
}

/** The calls as the multibulk requests of RESP. */
export function encodeCalls(calls: string[][]): Uint8Array {
  let text = "";
  for (const words of calls) {
    text += `*${words.length}\r\n`;
    for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  }
  return bytesOf(text);
}

/** A server process of either kind, in a folder of its own that goes away with it. */
export class ServerProcess {
  #child: Deno.ChildProcess | null = null;
  #folder = "";
  #log = "";
  #draining: Promise<void>[] = [];
  /** Set while the process runs. */
  port = 0;

  constructor(
    /** How messages call this server. */
    readonly label: string,
    private readonly command: string,
    private readonly commandArgs: string[],
    private readonly directives: Record<string, string>,
  ) {}

  /** True while the process lives. */
  get running(): boolean {
    return this.#child !== null;
  }

  /** Last lines the server printed. */
  get logTail(): string {
    return this.#log.split("\n").slice(-30).join("\n");
  }

  /** Starts the process and waits until it answers PING. */
  async start(): Promise<void> {
    for (let attempt = 1;; attempt++) {
      if (await this.#tryStart()) return;
      await this.stop();
      if (attempt === 3) throw new Error(`Cannot start ${this.label}:\n${this.logTail}`);
    }
  }

  async #tryStart(): Promise<boolean> {
    this.#folder = await Deno.makeTempDir({ prefix: "tsredis-compat-" });
    this.port = freePort();
    const directives: Record<string, string> = {
      port: String(this.port),
      bind: "127.0.0.1",
      dir: this.#folder,
      save: "",
      "enable-debug-command": "yes",
      ...this.directives,
    };
    const args = [...this.commandArgs];
    for (const [name, value] of Object.entries(directives)) args.push(`--${name}`, value);
    const child = new Deno.Command(this.command, {
      args,
      env: { LC_ALL: "C" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#draining = [this.#drain(child.stdout), this.#drain(child.stderr)];
    let exited = false;
    child.status.then(() => {
      exited = true;
      if (this.#child === child) this.#child = null;
    });
    const deadline = Date.now() + 20_000;
    while (!exited && Date.now() < deadline) {
      try {
        const conn = await Connection.open(this.port);
        const reply = await conn.call("PING");
        conn.close();
        if (reply.kind === "status") return true;
      } catch {
        // not listening yet
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#log = (this.#log + decoder.decode(chunk, { stream: true })).slice(-20_000);
    }
  }

  /** Ends the process at once and removes its folder. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null) {
      try {
        child.kill("SIGKILL");
      } catch {
        // it ended by itself
      }
      await child.status;
    }
    await Promise.all(this.#draining);
    this.#draining = [];
    if (this.#folder !== "") await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
    this.#folder = "";
  }
}

/** A port nobody listens on at the moment. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (listener.addr as Deno.NetAddr).port;
  listener.close();
  return port;
}

/** The real server, not started. `directives` are added to the usual ones. */
export function realServer(directives: Record<string, string> = {}): ServerProcess {
  return new ServerProcess("redis-server 7.0.15", "redis-server", [], directives);
}

/** The server under test, not started. */
export function testedServer(directives: Record<string, string> = {}): ServerProcess {
  if (Deno.env.get("TSREDIS_COMPAT_PEER") === "redis") {
    return new ServerProcess("a second redis-server", "redis-server", [], directives);
  }
  return new ServerProcess("tsredis", Deno.execPath(), [
    "run",
    "--no-check",
    "--no-lock",
    ...importMapArgs(),
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys",
    join(ROOT, "main.ts"),
  ], directives);
}

/** Where the tests run with a map in place of deno.json's imports, the server needs it too. */
function importMapArgs(): string[] {
  const map = Deno.env.get("TSREDIS_IMPORT_MAP");
  return map === undefined || map === "" ? [] : [`--import-map=${map}`];
}

/** Whether redis-server is installed; tests that need it are ignored otherwise. */
export const redisInstalled: boolean = (() => {
  try {
    return new Deno.Command("redis-server", { args: ["--version"], stdout: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
})();
