/**
 * Replies from the bytes of a connection, for tests: every type of the wire kept apart, RESP2 and
 * RESP3. Bytes are strings with one character per byte; see resp_client.ts.
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

/** Thrown inside the parser when the bytes so far end within a reply. */
const INCOMPLETE = Symbol("incomplete reply");

export class ReplyParser {
  /** Received and not taken yet, one character per byte, from {@linkcode #at} on. */
  #received = "";
  #at = 0;

  /** Bytes have come. */
  add(bytes: Uint8Array): void {
    this.#received = this.rest + fromBytes(bytes);
    this.#at = 0;
  }

  /** The next reply or push message; null when it has not come to its end. */
  next(): Reply | null {
    const from = this.#at;
    // Most often it is asked once more than there are replies.
    if (from === this.#received.length) {
      this.#received = "";
      this.#at = 0;
      return null;
    }
    try {
      return this.#parse();
    } catch (thrown) {
      this.#at = from;
      if (thrown !== INCOMPLETE) throw thrown;
      return null;
    }
  }

  /** What has not been taken yet. */
  get rest(): string {
    return this.#at === 0 ? this.#received : this.#received.slice(this.#at);
  }

  /** Takes so many bytes as they are. */
  takeRaw(size: number): string {
    const raw = this.#received.slice(this.#at, this.#at + size);
    this.#at += raw.length;
    return raw;
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

/** Bytes as a string with one character per byte. */
export function fromBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    // Not spread: that makes an object for each byte.
    const part = bytes.subarray(at, at + 8_192) as unknown as number[];
    text += String.fromCharCode.apply(null, part);
  }
  return text;
}
