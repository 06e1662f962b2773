/**
 * A client in the same program as the server: a connection without a socket. Requests are handed to
 * the core as bytes, as connection.ts does with what comes from outside, and replies are read back.
 *
 * One request at a time: a request that has to wait (BLPOP, CLIENT PAUSE) holds up those behind it, as
 * on a connection. Its commands are trusted: it need not authenticate.
 */

import type { Core } from "./core.ts";
import type { Client, Transport } from "./dispatch/client.ts";
import type { TurnOutput } from "./net/turn.ts";
import { CommandError, type Reply, ReplyReader } from "./resp/reply_reader.ts";
import { recycleChunk } from "./resp/reply_writer.ts";

/** A word of a command: text is sent in UTF-8, a number as its decimal text. */
export type Word = string | number | bigint | Uint8Array;

/** Hears messages that no command has asked for: those of subscriptions, and of MONITOR. */
export type MessageListener = (message: Reply) => void;

interface Request {
  readonly words: readonly Word[];
  /** Whether its reply is to have bytes for text. */
  readonly asBytes: boolean;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

const encoder = new TextEncoder();
const CLOSED = "Cannot run a command: the connection to the server has been closed";

export class LocalClient implements Transport, TurnOutput {
  readonly address = "in-process:0";
  readonly localAddress = "in-process:0";
  readonly descriptor = -1;
  readonly isWriting = false;
  readonly #core: Core;
  readonly #client: Client;
  readonly #onMessage: MessageListener;
  readonly #waiting: Request[] = [];
  /** The request that has been handed in and not been answered. */
  #current: Request | null = null;
  #isAwake = false;
  #isHeld = false;

  constructor(core: Core, onMessage: MessageListener = () => {}) {
    this.#core = core;
    this.#onMessage = onMessage;
    this.#client = core.openClient(true, () => this);
    this.#client.become(core.access.users.default, true);
    this.#client.setNeedsAuth(false);
  }

  get isClosed(): boolean {
    return this.#client.isClosed;
  }

  /**
   * Runs a command. Null when it has no reply (CLIENT REPLY OFF, SUBSCRIBE in RESP3). Rejects with a
   * CommandError when the answer is an error.
   */
  run(words: readonly Word[], asBytes: boolean): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (words.length === 0) reject(new TypeError("Cannot run a command without a name"));
      else if (this.isClosed) reject(new Error(CLOSED));
      else {
        this.#waiting.push({ words, asBytes, resolve, reject });
        this.#turn();
      }
    });
  }

  // -- Transport -----------------------------------------------------------------------------

  wake(): void {
    if (this.#isAwake || this.isClosed) return;
    this.#isAwake = true;
    this.#core.runtime.timers.soon(() => {
      this.#isAwake = false;
      this.#flush();
    });
  }

  resume(): void {
    this.#core.runtime.timers.soon(() => {
      if (this.isClosed || this.#client.park !== null) return;
      // What a pause has put off runs now.
      this.#process();
      this.#flush();
    });
  }

  /** What has been answered is delivered before that; what waits is rejected. */
  close(afterReply: boolean): void {
    const client = this.#client;
    if (client.isClosed) return;
    if (afterReply) {
      client.isClosing = true;
      this.wake();
      return;
    }
    this.#deliver();
    client.isClosed = true;
    client.isClosing = true;
    this.#core.closed(client);
    const unanswered = this.#waiting.splice(0);
    if (this.#current !== null) unanswered.unshift(this.#current);
    this.#current = null;
    for (const { reject } of unanswered) reject(new Error(CLOSED));
  }

  // -- requests and replies --------------------------------------------------------------------

  /** Hands in the next request, if the one before has been answered. */
  #turn(): void {
    if (this.#current !== null) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#current = next;
    this.#feed(next.words);
    this.#process();
    this.#flush();
  }

  #feed(words: readonly Word[]): void {
    const parser = this.#client.parser!;
    const parts: Uint8Array[] = [encoder.encode(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = word instanceof Uint8Array ? word : encoder.encode(String(word));
      parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
    }
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        const space = parser.space();
        const count = Math.min(space.length, part.length - at);
        space.set(part.subarray(at, at + count));
        parser.filled(count);
        at += count;
      }
    }
  }

  #process(): void {
    try {
      this.#core.dispatcher.processInput(this.#client);
    } catch (error) {
      this.#core.log.fault(`Cannot serve client id=${this.#client.id}`, error);
      this.close(false);
    }
  }

  /** Delivers what there is, now or (when somebody waits for it) at the end of the turn. */
  #flush(): void {
    if (this.isClosed) return;
    if (!this.#core.turn.isAwaited) this.sendHeld();
    else if (!this.#isHeld) {
      this.#isHeld = true;
      this.#core.turn.hold(this);
    }
  }

  /** TurnOutput. */
  get appliedOffset(): number {
    return this.#client.appliedOffset;
  }

  /** TurnOutput. */
  sendHeld(): void {
    this.#isHeld = false;
    if (this.isClosed) return;
    this.#deliver();
    if (this.#client.isClosing) this.close(false);
    else this.#turn();
  }

  #deliver(): void {
    const client = this.#client;
    if (client.holdsOutput) return;
    const bytes = this.#takeOutput();
    const reader = new ReplyReader(bytes, this.#current?.asBytes ?? false);
    while (!reader.isAtEnd) {
      const { value, isPush } = reader.read();
      // Whoever hears it may run commands; those of the present turn come to their end before.
      if (isPush || this.#current === null) {
        this.#core.runtime.timers.soon(() => this.#onMessage(value));
      } else this.#answer(value);
    }
    // It has been carried out without a reply.
    if (this.#current !== null && client.park === null) this.#answer(null);
  }

  #answer(value: Reply): void {
    const { resolve, reject } = this.#current!;
    this.#current = null;
    if (value instanceof CommandError) reject(value);
    else resolve(value);
  }

  #takeOutput(): Uint8Array {
    const { reply } = this.#client;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let chunk = reply.takeChunk(); chunk !== null; chunk = reply.takeChunk()) {
      const part = chunk.slice(0, reply.chunkLength);
      recycleChunk(chunk);
      chunks.push(part);
      size += part.length;
    }
    if (chunks.length === 1) return chunks[0];
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}
