/**
 * The server that `tsredis replay` sends commands to, over one connection: many at once, and of their answers what is
 * an error. An answer of any kind is read to its end without being kept.
 */

import { toLatin1 } from "../../base/bytes.ts";
import { fromText } from "../../config/parse.ts";
import { request } from "../../replication/handshake.ts";
import { LinkSocket } from "../../replication/link_socket.ts";
import { problemOf } from "../../runtime/system_error.ts";
import type { ServerAddress } from "../dataset/server_address.ts";
import { ToolFailure, type ToolHost } from "../tool.ts";

const BUFFER_BYTES = 64 * 1024;
/** Longest text of an answer that is kept. */
const TEXT_BYTES_MAX = 1 << 20;
const LOOK_MS = 100;
/** How deep arrays lie in one another: an answer of EXEC holds those of its commands. */
const DEPTH_MAX = 32;
const LINE_FEED = 10;

/** Answers are read to here. */
interface Answer {
  /** What of it is an error, the answers within it included. */
  readonly errors: string[];
  /** Its text, if it is one; empty otherwise. */
  readonly text: string;
}

export class Target {
  readonly #host: ToolHost;
  readonly #address: ServerAddress;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #socket: LinkSocket | null = null;
  #from = 0;
  #to = 0;
  /** What Ctrl-C has thrown. */
  #interrupted: unknown = null;

  constructor(host: ToolHost, address: ServerAddress) {
    this.#host = host;
    this.#address = address;
  }

  /** Does `work` with a connection that is closed behind it. Rejects with a ToolFailure, or when interrupted. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    const { network, timers } = this.#host.runtime;
    const { hostname, port, name } = this.#address;
    const attempt = LinkSocket.connect(network, hostname, port, null);
    const timer = timers.every(LOOK_MS, () => {
      this.#host.checkpoint().catch((error) => {
        this.#interrupted = error;
        attempt.cancel();
        this.#socket?.close();
      });
    });
    try {
      this.#socket = await attempt.socket;
      await this.#authenticate();
      return await work();
    } catch (error) {
      if (this.#interrupted !== null) throw this.#interrupted;
      if (error instanceof ToolFailure) throw error;
      throw new ToolFailure(`${name}: ${problemOf(error)}`);
    } finally {
      timers.cancel(timer);
      this.#socket?.close();
    }
  }

  async #authenticate(): Promise<void> {
    const { user, password } = this.#address;
    if (password === null) return;
    const words = user === null ? [password] : [user, password];
    const { errors: [error] } = await this.ask(request("AUTH", ...words.map(fromText)));
    // A server without a password says so, and lets everybody in.
    if (error !== undefined && !/no password|without any password/i.test(error)) {
      throw new ToolFailure(`${this.#address.name}: ${error}`);
    }
  }

  async send(bytes: Uint8Array): Promise<void> {
    await this.#socket!.write(bytes);
  }

  /** Sends one request; its answer. */
  async ask(bytes: Uint8Array): Promise<Answer> {
    await this.send(bytes);
    return await this.answer();
  }

  /** The next answer. */
  async answer(depth = 0): Promise<Answer> {
    if (depth > DEPTH_MAX) throw this.#isNoRedis();
    const line = await this.#line();
    const rest = line.slice(1);
    switch (line[0]) {
      case "-":
        return { errors: [rest], text: "" };
      case "+":
      case ":":
        return { errors: [], text: rest };
      case "$":
        return { errors: [], text: await this.#bulk(this.#count(rest)) };
      case "*": {
        const errors: string[] = [];
        for (let left = this.#count(rest); left > 0; left--) {
          errors.push(...(await this.answer(depth + 1)).errors);
        }
        return { errors, text: "" };
      }
      default:
        throw this.#isNoRedis();
    }
  }

  #isNoRedis(): Error {
    return new Error("this is no Redis: its answer is none");
  }

  #count(text: string): number {
    if (!/^(?:-1|\d{1,10})$/.test(text)) throw this.#isNoRedis();
    return Number(text);
  }

  /** The text of a bulk string of so many bytes (-1: null), as far as it is kept. */
  async #bulk(length: number): Promise<string> {
    if (length < 0) return "";
    let text = "";
    for (let left = length + 2; left > 0;) {
      if (this.#from === this.#to) await this.#more();
      const count = Math.min(left, this.#to - this.#from);
      if (text.length < TEXT_BYTES_MAX) text += toLatin1(this.#buffer, this.#from, count);
      this.#from += count;
      left -= count;
    }
    return text.slice(0, length);
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(LINE_FEED, this.#from);
      if (end >= 0) {
        const line = toLatin1(this.#buffer, this.#from, end - this.#from);
        this.#from = end + 1;
        return line.trimEnd();
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === BUFFER_BYTES) throw this.#isNoRedis();
    const count = await this.#socket!.read(this.#buffer.subarray(this.#to));
    if (count === 0) throw new Error("the server has closed the connection");
    this.#to += count;
  }
}
