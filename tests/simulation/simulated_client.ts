/** A client of a simulated server: commands and replies over the simulated network. */

import type { Socket, SocketHandler, Timers } from "../../src/runtime/runtime.ts";
import type { SimulatedRuntime } from "../../src/runtime/simulated.ts";
import { type Reply, ReplyParser } from "../support/reply_parser.ts";
import { encode } from "../support/resp_client.ts";

/** How long a client waits for what it has asked for, in virtual milliseconds. */
const PATIENCE_MS = 5_000;

/** The connection could not be made, is broken, or its end says nothing. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

/** Commands that were sent together. */
interface Waiting {
  readonly count: number;
  readonly replies: Reply[];
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: LinkError) => void;
}

/** Where input is put, and taken from before anybody else does so. */
const space = new Uint8Array(16_384);

export class SimulatedClient implements SocketHandler {
  readonly #socket: Socket;
  readonly #timers: Timers;
  readonly #parser = new ReplyParser();
  readonly #waiting: Waiting[] = [];
  #output: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #sent = 0;
  #isFull = false;
  readonly #next: Uint8Array<ArrayBuffer>[] = [];
  #isClosed = false;

  private constructor(socket: Socket, timers: Timers) {
    this.#socket = socket;
    this.#timers = timers;
  }

  /** Connects. @throws LinkError */
  static connect(runtime: SimulatedRuntime, host: string, port: number): Promise<SimulatedClient> {
    return new Promise((resolve, reject) => {
      const attempt = runtime.network.connectTcp(host, port, {
        connected: (socket) => {
          runtime.timers.cancel(timer);
          const client = new SimulatedClient(socket, runtime.timers);
          resolve(client);
          return client;
        },
        failed: (reason) => {
          runtime.timers.cancel(timer);
          reject(new LinkError(reason));
        },
      });
      const timer = runtime.timers.after(PATIENCE_MS, () => {
        attempt.cancel();
        reject(new LinkError("no connection"));
      });
    });
  }

  /** Sends a command; its reply. @throws LinkError, after which the client is of no more use */
  async call(...words: string[]): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /** Sends commands together; a reply for each. @throws as `call` */
  async pipeline(calls: string[][]): Promise<Reply[]> {
    if (this.#isClosed) throw new LinkError("closed");
    const answered = new Promise<Reply[]>((resolve, reject) =>
      this.#waiting.push({ count: calls.length, replies: [], resolve, reject })
    );
    if (calls.length === 0) this.#waiting.pop()!.resolve([]); // for nothing nobody waits
    this.#next.push(encode(calls) as Uint8Array<ArrayBuffer>);
    this.#push();
    const timer = this.#timers.after(PATIENCE_MS, () => this.#fail("no reply"));
    try {
      return await answered;
    } finally {
      this.#timers.cancel(timer);
    }
  }

  close(): void {
    this.#fail("closed here");
  }

  #push(): void {
    while (!this.#isFull) {
      if (this.#sent === this.#output.length) {
        const next = this.#next.shift();
        if (next === undefined) return;
        this.#output = next;
        this.#sent = 0;
      }
      this.#sent += this.#socket.write(this.#output, this.#sent, this.#output.length);
      this.#isFull = this.#sent < this.#output.length;
    }
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    for (const { reject } of this.#waiting.splice(0)) reject(new LinkError(reason));
  }

  space(): Uint8Array<ArrayBuffer> {
    return space;
  }

  filled(count: number): void {
    this.#parser.add(space.subarray(0, count));
    for (let reply = this.#parser.next(); reply !== null; reply = this.#parser.next()) {
      const first = this.#waiting[0];
      if (first === undefined) continue;
      first.replies.push(reply);
      if (first.replies.length === first.count) this.#waiting.shift()!.resolve(first.replies);
    }
  }

  drained(): void {
    this.#isFull = false;
    this.#push();
  }

  ended(): void {
    this.#fail("the server has closed");
  }

  closed(cause: string): void {
    this.#fail(cause);
  }
}
