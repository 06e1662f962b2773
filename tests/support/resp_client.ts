/**
 * A client for tests: replies keep every type of the wire apart, as plain objects that
 * `assertEquals` compares exactly. RESP2 and RESP3; raw bytes can be sent and received too.
 *
 * Bytes are strings with one character per byte (U+0000 to U+00FF), in words and in replies, so
 * that any bytes can be written as a literal and nothing is decoded on the way.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

/** A reply, by its type on the wire. */
export type Reply =
  | { kind: "status" | "error" | "bulk" | "verbatim" | "double" | "bigNumber"; text: string }
  /** A bigint where a number would not be exact. */
  | { kind: "integer"; value: number | bigint }
  | { kind: "boolean"; value: boolean }
  /** RESP2 has two, the null bulk string and the null array. */
  | { kind: "null"; form: "$-1" | "*-1" | "_" }
  | { kind: "array" | "set" | "push"; items: Reply[] }
  | { kind: "map" | "attribute"; entries: [Reply, Reply][] };

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
const REPLY_TIMEOUT_MS = 10_000;

/** Thrown inside the parser when the bytes so far end within a reply. */
const INCOMPLETE = Symbol("incomplete reply");

/** Connects to a server on 127.0.0.1. */
export async function connect(port: number): Promise<RespClient> {
  return new RespClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}

/** One connection; see {@linkcode connect}. */
export class RespClient implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #chunk = new Uint8Array(65_536);
  /** Received and not taken yet, one character per byte, from {@linkcode #at} on. */
  #received = "";
  #at = 0;
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
      const start = this.#at;
      try {
        const reply = this.#parse();
        this.#received = this.#received.slice(this.#at);
        this.#at = 0;
        return reply;
      } catch (thrown) {
        if (thrown !== INCOMPLETE) throw thrown;
        this.#at = start;
      }
      if (!await this.#readMore()) throw new Error("the server closed the connection");
    }
  }

  /** Exactly `size` bytes, unparsed. */
  async receiveRaw(size: number): Promise<string> {
    while (this.#received.length < size) {
      if (!await this.#readMore()) throw new Error("the server closed the connection");
    }
    const raw = this.#received.slice(0, size);
    this.#received = this.#received.slice(size);
    return raw;
  }

  /** Everything until the server closes the connection. */
  async receiveUntilClosed(): Promise<string> {
    while (await this.#readMore());
    const raw = this.#received;
    this.#received = "";
    return raw;
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
      this.#received += fromBytes(this.#chunk.subarray(0, size));
      return true;
    } catch (cause) {
      if (tooLong) throw new Error(`no reply within ${REPLY_TIMEOUT_MS} ms`);
      if (cause instanceof Deno.errors.ConnectionReset) return false;
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  #line(): string {
    const end = this.#received.indexOf("\r\n", this.#at);
    if (end < 0) throw INCOMPLETE;
    const line = this.#received.slice(this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #text(size: number): string {
    const end = this.#at + size;
    if (end + 2 > this.#received.length) throw INCOMPLETE;
    if (this.#received.slice(end, end + 2) !== "\r\n") throw new Error("a string without its end");
    const text = this.#received.slice(this.#at, end);
    this.#at = end + 2;
    return text;
  }

  #items(count: number): Reply[] {
    const items: Reply[] = [];
    for (let i = 0; i < count; i++) items.push(this.#parse());
    return items;
  }

  #entries(count: number): [Reply, Reply][] {
    const entries: [Reply, Reply][] = [];
    for (let i = 0; i < count; i++) entries.push([this.#parse(), this.#parse()]);
    return entries;
  }

  #parse(): Reply {
    const line = this.#line();
    const text = line.slice(1);
    switch (line[0]) {
      case "+":
        return { kind: "status", text };
      case "-":
        return { kind: "error", text };
      case ":": {
        const value = Number(text);
        return { kind: "integer", value: Number.isSafeInteger(value) ? value : BigInt(text) };
      }
      case "$":
        if (text === "-1") return { kind: "null", form: "$-1" };
        return { kind: "bulk", text: this.#text(Number(text)) };
      case "!":
        return { kind: "error", text: this.#text(Number(text)) };
      case "=":
        return { kind: "verbatim", text: this.#text(Number(text)) };
      case ",":
        return { kind: "double", text };
      case "(":
        return { kind: "bigNumber", text };
      case "#":
        return { kind: "boolean", value: text === "t" };
      case "_":
        return { kind: "null", form: "_" };
      case "*":
        if (text === "-1") return { kind: "null", form: "*-1" };
        return { kind: "array", items: this.#items(Number(text)) };
      case "~":
        return { kind: "set", items: this.#items(Number(text)) };
      case ">":
        return { kind: "push", items: this.#items(Number(text)) };
      case "%":
        return { kind: "map", entries: this.#entries(Number(text)) };
      case "|":
        return { kind: "attribute", entries: this.#entries(Number(text)) };
      default:
        throw new Error(`not a reply: ${JSON.stringify(line)}`);
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

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) throw new RangeError(`not one byte: ${JSON.stringify(text[i])}`);
    bytes[i] = code;
  }
  return bytes;
}

function fromBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return text;
}
