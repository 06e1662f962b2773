/**
 * What the comparing tests need of the outside: a connection on which a missing reply is a reply to
 * compare too, and the pair of servers, the real redis-server and the one under test, both empty.
 *
 * The server under test is tsredis from this checkout, or the executable that
 * `TSREDIS_TEST_EXECUTABLE` names. `TSREDIS_COMPAT_PEER=redis` puts a second redis-server in its
 * place: then nothing may differ, which tests these tests.
 */

import { startRealRedis } from "../support/real_redis.ts";
import { connect, encode, type RespClient } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { startTsredis } from "../support/tsredis_process.ts";
import { fromClient, type Reply, silence } from "./reply.ts";

/** A client connection; replies come in the order of the calls. */
export class Connection {
  /** False once the server has closed, or a reply did not come in time. */
  alive = true;

  private constructor(private readonly client: RespClient) {}

  /** Connects over TCP to 127.0.0.1. */
  static async open(port: number): Promise<Connection> {
    return new Connection(await connect(port));
  }

  /** One call, its words as byte strings. */
  async call(...words: string[]): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /** Sends all calls at once; gives one reply each, `silence` for those that never came. */
  async pipeline(calls: string[][]): Promise<Reply[]> {
    const sent = this.send(encode(calls));
    const replies: Reply[] = [];
    while (replies.length < calls.length) replies.push(await this.read());
    await sent;
    return replies;
  }

  /** Writes bytes as they are. A connection that breaks meanwhile is seen by the next read. */
  async send(bytes: string | Uint8Array): Promise<void> {
    try {
      await this.client.send(bytes);
    } catch {
      this.alive = false;
    }
  }

  /** The next reply, pushes left out; `silence` if the connection ended or time is up. */
  async read(): Promise<Reply> {
    while (this.alive) {
      try {
        const reply = await this.client.receive();
        if (reply.kind !== "push") return fromClient(reply);
      } catch (thrown) {
        this.close();
        return silence((thrown as Error).message);
      }
    }
    return silence("the connection is closed");
  }

  /** Closes; calling it twice is harmless. */
  close(): void {
    this.alive = false;
    this.client.close();
  }
}

/** A server that can be started again; its process ends with {@linkcode stop} at the latest. */
export class Peer {
  #process: ServerProcess | null = null;
  #ended = false;

  constructor(private readonly launch: () => Promise<ServerProcess>) {}

  async start(): Promise<void> {
    const started = await this.launch();
    this.#process = started;
    this.#ended = false;
    started.child.status.then(() => {
      if (this.#process === started) this.#ended = true;
    });
  }

  get port(): number {
    return this.#process?.port ?? 0;
  }

  /** Its folder. */
  get dir(): string {
    return this.#process?.dir ?? "";
  }

  /** Whether the process lives. */
  get running(): boolean {
    return this.#process !== null && !this.#ended;
  }

  /** The last lines of its log. */
  get logTail(): string {
    return (this.#process?.log ?? "").split("\n").slice(-25).join("\n");
  }

  /** Ends the process at once and removes its folder. */
  async stop(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    await process?.[Symbol.asyncDispose]();
  }
}

const TEST_ARGS = ["--save", "", "--enable-debug-command", "yes"];

/** The real server, not started, with these arguments beside the usual ones. */
export function realServer(args: string[] = []): Peer {
  return new Peer(() => startRealRedis({ args: [...TEST_ARGS, ...args] }));
}

/** The server under test, not started. */
export function testedServer(args: string[] = []): Peer {
  if (Deno.env.get("TSREDIS_COMPAT_PEER") === "redis") return realServer(args);
  return new Peer(() => startTsredis({ args: [...TEST_ARGS, ...args] }));
}
