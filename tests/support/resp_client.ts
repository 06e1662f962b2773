/**
 * A client for tests: replies keep every type of the wire apart, as plain objects that
 * `assertEquals` compares exactly. RESP2 and RESP3; raw bytes can be sent and received too.
 *
 * Bytes are strings with one character per byte (U+0000 to U+00FF), in words and in replies, so
 * that any bytes can be written as a literal and nothing is decoded on the way.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

import { fromBytes, type Reply, ReplyParser } from "./reply_parser.ts";

export type { Reply };

/** The expected reply of a test: a status such as `+OK`. */
export function status(text: string): Reply {
  return { kind: "status", text };
}

/** The expected reply of a test: an error, its code included. */
export function error(text: string): Reply {
  return { kind: "error", text };
}

/** The expected reply of a test: an integer. */
export function integer(value: number | bigint): Reply {
  return { kind: "integer", value };
}

/** The expected reply of a test: a bulk string. */
export function bulk(text: string): Reply {
  return { kind: "bulk", text };
}

/** The expected reply of a test: an array. */
export function array(...items: Reply[]): Reply {
  return { kind: "array", items };
}

/** RESP2's null bulk string, the answer of GET to a missing key. */
export const NULL_BULK: Reply = { kind: "null", form: "$-1" };

/** The text of a status, a bulk string and the like; throws for other replies, naming them. */
export function textOf(reply: Reply): string {
  if ("text" in reply && reply.kind !== "error") return reply.text;
  throw new Error(`not a reply with a text: ${Deno.inspect(reply)}`);
}

/** How long a reply may take, in milliseconds, before a test fails. */
const REPLY_TIMEOUT_MS = 60_000;

/** Connects to a server, on 127.0.0.1 unless another address is given. */
export async function connect(port: number, hostname = "127.0.0.1"): Promise<RespClient> {
  return new RespClient(await Deno.connect({ hostname, port }));
}

/** One connection; see {@linkcode connect}. */
export class RespClient implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #chunk = new Uint8Array(65_536);
  readonly #parser = new ReplyParser();
  #closed = false;
  /** The push messages that came between the replies of {@linkcode pipeline}, oldest first. */
  readonly pushes: Reply[] = [];

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends one command and gives its reply; an error reply is a reply like any other. */
  async call(...words: (string | Uint8Array)[]): Promise<Reply> {
    return (await this.pipeline([words]))[0];
  }

  /** Sends all commands at once; gives one reply for each. */
  async pipeline(calls: (string | Uint8Array)[][]): Promise<Reply[]> {
    // Sent and received at the same time: a server may stop reading while it cannot write.
    const sending = this.send(encode(calls));
    sending.catch(() => {}); // reported below, where it is awaited
    const replies: Reply[] = [];
    while (replies.length < calls.length) {
      const reply = await this.receive();
      if (reply.kind === "push") this.pushes.push(reply);
      else replies.push(reply);
    }
    await sending;
    return replies;
  }

  /** Writes bytes as they are. */
  async send(bytes: string | Uint8Array): Promise<void> {
    const raw = typeof bytes === "string" ? toBytes(bytes) : bytes;
    for (let at = 0; at < raw.length;) at += await this.#conn.write(raw.subarray(at));
  }

  /** The next reply or push message; fails when the server closes or takes too long. */
  async receive(): Promise<Reply> {
    while (true) {
      const reply = this.#parser.next();
      if (reply !== null) return reply;
      if (!await this.#readMore()) throw new Error("the server closed the connection");
    }
  }

  /** Exactly `size` bytes, unparsed. */
  async receiveRaw(size: number): Promise<string> {
    while (this.#parser.rest.length < size) {
      if (!await this.#readMore()) throw new Error("the server closed the connection");
    }
    return this.#parser.takeRaw(size);
  }

  /** Everything until the server closes the connection. */
  async receiveUntilClosed(): Promise<string> {
    while (await this.#readMore());
    return this.#parser.takeRaw(this.#parser.rest.length);
  }

  /** Closes; a second time is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** False once the server has closed, in either way. */
  async #readMore(): Promise<boolean> {
    let tooLong = false;
    const timer = setTimeout(() => {
      tooLong = true;
      this.close(); // ends the read
    }, REPLY_TIMEOUT_MS);
    try {
      const size = await this.#conn.read(this.#chunk);
      if (size === null) return false;
      this.#parser.add(this.#chunk.subarray(0, size));
      return true;
    } catch (cause) {
      if (tooLong) throw new Error(`no reply within ${REPLY_TIMEOUT_MS} ms`);
      if (cause instanceof Deno.errors.ConnectionReset) return false;
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Commands as RESP sends them, one after the other. */
export function encode(calls: (string | Uint8Array)[][]): Uint8Array {
  const parts: string[] = [];
  for (const words of calls) {
    parts.push(`*${words.length}\r\n`);
    for (const word of words) {
      const text = typeof word === "string" ? word : fromBytes(word);
      parts.push(`$${text.length}\r\n${text}\r\n`);
    }
  }
  return toBytes(parts.join(""));
}

const encoder = new TextEncoder();

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  // What is ASCII, and that is most, native code writes at once.
  if (encoder.encodeInto(text, bytes).read === text.length) return bytes;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) throw new RangeError(`not one byte: ${JSON.stringify(text[i])}`);
    bytes[i] = code;
  }
  return bytes;
}
