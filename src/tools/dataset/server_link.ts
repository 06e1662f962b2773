/**
 * A connection to a server that a tool asks for its data: words out, replies in, one after the other. What the server
 * says is read as it comes; Ctrl-C ends it wherever it is.
 */

import { toLatin1 } from "../../base/bytes.ts";
import { fromText } from "../../config/parse.ts";
import { request } from "../../replication/handshake.ts";
import { LinkSocket } from "../../replication/link_socket.ts";
import { problemOf } from "../../runtime/system_error.ts";
import { Interrupted, ToolFailure, type ToolHost } from "../tool.ts";
import type { ServerAddress } from "./server_address.ts";

const LOOK_MS = 100;
const BUFFER_BYTES = 256 * 1024;
const LINE_FEED = 10;
/** No reply has a longer string, nor more elements. */
const STRING_BYTES_MAX = 2 ** 32 - 1;
const ELEMENTS_MAX = 2 ** 24;

/** A reply: a status or integer as text, an error, a string as bytes, null, or several replies. */
export type ServerReply = string | ServerError | Uint8Array | null | ServerReply[];

/** An error that the server has answered. */
export class ServerError {
  constructor(readonly text: string) {}
}

/**
 * Connects, says who asks, and runs `work` on the connection. Rejects with a ToolFailure, with what `work` throws, or
 * when interrupted.
 */
export async function withServer(
  host: ToolHost,
  address: ServerAddress,
  work: (link: ServerLink) => Promise<void>,
): Promise<void> {
  const attempt = LinkSocket.connect(host.runtime.network, address.hostname, address.port, null);
  let socket: LinkSocket | null = null;
  try {
    await unlessInterrupted(
      host,
      (async () => {
        socket = await attempt.socket;
        const link = new ServerLink(address.name, socket);
        await link.introduce(address);
        await work(link);
      })(),
    );
  } catch (error) {
    attempt.cancel();
    if (error instanceof Interrupted || error instanceof ToolFailure) throw error;
    throw new ToolFailure(`${address.name}: ${problemOf(error)}`);
  } finally {
    (socket as LinkSocket | null)?.close();
  }
}

/** What `work` comes to, unless Ctrl-C comes first. */
async function unlessInterrupted(host: ToolHost, work: Promise<void>): Promise<void> {
  const { timers } = host.runtime;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = timers.every(LOOK_MS, () => {
    host.checkpoint().catch(reject);
  });
  try {
    await Promise.race([work, promise]);
  } finally {
    timers.cancel(timer);
    work.catch(() => {});
  }
}

export class ServerLink {
  /** The server, for messages. */
  readonly name: string;
  readonly #socket: LinkSocket;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #from = 0;
  #to = 0;

  constructor(name: string, socket: LinkSocket) {
    this.name = name;
    this.#socket = socket;
  }

  /** Says who asks, if there is something to be said. */
  async introduce({ user, password }: ServerAddress): Promise<void> {
    if (password === null) return;
    const words = user === null ? [password] : [user, password];
    const answer = await this.ask("AUTH", ...words.map(fromText));
    // A server without a password says so, and lets everybody in.
    if (answer instanceof ServerError && !/no password|without any password/i.test(answer.text)) {
      this.refused(answer.text);
    }
  }

  refused(answer: string): never {
    throw new ToolFailure(`${this.name}: ${answer}`);
  }

  /** Sends bytes; nothing is read. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.#socket.write(bytes);
  }

  /** Sends a request, and reads the reply. Words are byte strings. */
  async ask(...words: (string | number)[]): Promise<ServerReply> {
    await this.send(request(...words));
    return await this.reply();
  }

  /** The next line that is not empty: a server shows by empty ones that it is alive. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(LINE_FEED, this.#from);
      if (end < 0) {
        await this.#more();
        continue;
      }
      const line = toLatin1(this.#buffer, this.#from, end - this.#from).trimEnd();
      this.#from = end + 1;
      if (line !== "") return line;
    }
  }

  /** The next reply, in RESP2. */
  async reply(): Promise<ServerReply> {
    const line = await this.line();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
      case ":":
        return rest;
      case "-":
        return new ServerError(rest);
      case "$":
        return await this.#bulk(Number(rest));
      case "*":
        return await this.#several(Number(rest));
    }
    throw new Error("this is no Redis: it does not answer as one");
  }

  async #bulk(length: number): Promise<Uint8Array | null> {
    if (length === -1) return null;
    if (!(length >= 0 && length <= STRING_BYTES_MAX)) {
      throw new Error("a string of no known length");
    }
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      if (this.#from === this.#to) await this.#more();
      const count = Math.min(length - at, this.#to - this.#from);
      bytes.set(this.#buffer.subarray(this.#from, this.#from + count), at);
      this.#from += count;
      at += count;
    }
    return bytes; // the line end behind it is an empty line to `line`
  }

  async #several(count: number): Promise<ServerReply[] | null> {
    if (count === -1) return null;
    if (!(count >= 0 && count <= ELEMENTS_MAX)) throw new Error("a reply of no known length");
    const replies: ServerReply[] = [];
    while (replies.length < count) replies.push(await this.reply());
    return replies;
  }

  /** Hands on what comes, at least one byte: `take` answers where in it to go on. */
  async pass(take: (bytes: Uint8Array, from: number, to: number) => number): Promise<void> {
    if (this.#from === this.#to) await this.#more();
    this.#from = take(this.#buffer, this.#from, this.#to);
  }

  async #more(): Promise<void> {
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === BUFFER_BYTES) {
      throw new Error("this is no Redis: it answers with a line without end");
    }
    const count = await this.#socket.read(this.#buffer.subarray(this.#to));
    if (count === 0) throw new Error("the server has closed the connection");
    this.#to += count;
  }
}
