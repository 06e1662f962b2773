/**
 * Replies as a comparing test sees them: a parser of RESP2 and RESP3 that keeps every type of the
 * wire apart (a null bulk is not a null array, a set is not an array), and a one-line rendering of
 * them, which is what gets compared and what a person reads when two servers disagree.
 *
 * Bytes are carried as JavaScript strings with one character per byte (U+0000..U+00FF). That is
 * slow and exactly right for a test: nothing is ever decoded, and words can be written as literals.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

/** One reply. `text` holds the bytes of a scalar, `items` the elements of an aggregate. */
export interface Reply {
  kind:
    | "status"
    | "error"
    | "integer"
    | "bulk"
    | "nil"
    | "double"
    | "boolean"
    | "number"
    | "verbatim"
    | "array"
    | "set"
    | "map"
    | "push"
    | "attribute"
    /** Not of the wire: the connection ended, or nothing came in time. */
    | "silence";
  text: string;
  /** Elements of an aggregate; of a map, keys and values in turn. */
  items: Reply[];
}

const NO_ITEMS: Reply[] = [];

/** A reply that never came; `why` says what was seen instead. */
export function silence(why: string): Reply {
  return { kind: "silence", text: why, items: NO_ITEMS };
}

/** Thrown by {@link ReplyReader.next} when the reply is not complete yet. */
const INCOMPLETE = Symbol("incomplete reply");

/** Takes bytes as they arrive and gives out whole replies. Not for untrusted input. */
export class ReplyReader {
  #bytes = new Uint8Array(65536);
  #length = 0;
  #at = 0;

  /** Appends what a socket gave. */
  push(chunk: Uint8Array): void {
    if (this.#at > 0) {
      this.#bytes.copyWithin(0, this.#at, this.#length);
      this.#length -= this.#at;
      this.#at = 0;
    }
    if (this.#length + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + chunk.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  /** The next whole reply, or null while more bytes are needed. */
  next(): Reply | null {
    const start = this.#at;
    try {
      return this.#read();
    } catch (error) {
      if (error !== INCOMPLETE) throw error;
      this.#at = start;
      return null;
    }
  }

  /** What has arrived and was not taken by {@link next}. */
  rest(): string {
    return latin1(this.#bytes.subarray(this.#at, this.#length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(13, this.#at);
    if (end < 0 || end + 1 >= this.#length) throw INCOMPLETE;
    const line = latin1(this.#bytes.subarray(this.#at, end));
    this.#at = end + 2;
    return line;
  }

  #read(): Reply {
    const line = this.#line();
    const text = line.slice(1);
    switch (line[0]) {
      case "+":
        return { kind: "status", text, items: NO_ITEMS };
      case "-":
        return { kind: "error", text, items: NO_ITEMS };
      case ":":
        return { kind: "integer", text, items: NO_ITEMS };
      case ",":
        return { kind: "double", text, items: NO_ITEMS };
      case "#":
        return { kind: "boolean", text, items: NO_ITEMS };
      case "(":
        return { kind: "number", text, items: NO_ITEMS };
      case "_":
        return { kind: "nil", text: "_", items: NO_ITEMS };
      case "$":
      case "=":
      case "!": {
        const size = Number(text);
        if (size < 0) return { kind: "nil", text: "$-1", items: NO_ITEMS };
        if (this.#at + size + 2 > this.#length) throw INCOMPLETE;
        const bytes = latin1(this.#bytes.subarray(this.#at, this.#at + size));
        this.#at += size + 2;
        const kind = line[0] === "$" ? "bulk" : line[0] === "=" ? "verbatim" : "error";
        return { kind, text: bytes, items: NO_ITEMS };
      }
      case "*":
        if (text === "-1") return { kind: "nil", text: "*-1", items: NO_ITEMS };
        return { kind: "array", text: "", items: this.#items(Number(text)) };
      case "~":
        return { kind: "set", text: "", items: this.#items(Number(text)) };
      case ">":
        return { kind: "push", text: "", items: this.#items(Number(text)) };
      case "%":
        return { kind: "map", text: "", items: this.#items(2 * Number(text)) };
      case "|":
        return { kind: "attribute", text: "", items: this.#items(2 * Number(text)) };
      default:
        throw new Error(`Cannot read a reply: it begins with ${JSON.stringify(line)}`);
    }
  }

  #items(count: number): Reply[] {
    const items: Reply[] = [];
    for (let i = 0; i < count; i++) items.push(this.#read());
    return items;
  }
}

/** The bytes of a string that has one character per byte. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The inverse of {@link bytesOf}. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return text;
}

/** A word between quotes, with what is not printable ASCII escaped as redis-cli does. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (char === '"' || char === "\\") out += "\\" + char;
    else if (char === "\n") out += "\\n";
    else if (char === "\r") out += "\\r";
    else if (char === "\t") out += "\\t";
    else if (code < 32 || code > 126) out += "\\x" + code.toString(16).padStart(2, "0");
    else out += char;
  }
  return out + '"';
}

/**
 * A reply on one line: `+OK`, `-ERR …`, `:1`, `"bulk"`, `(nil)`, `[a, b]`, and of RESP3 `,1.5`,
 * `#t`, `~[a, b]`, `{k => v}`. Two replies are the same exactly if their renderings are.
 */
export function render(reply: Reply): string {
  switch (reply.kind) {
    case "status":
      return "+" + reply.text;
    case "error":
      return "-" + reply.text;
    case "integer":
      return ":" + reply.text;
    case "bulk":
      return quote(reply.text);
    case "nil":
      return reply.text === "$-1" ? "(nil)" : reply.text === "*-1" ? "(nil array)" : "(null)";
    case "double":
      return "," + reply.text;
    case "boolean":
      return "#" + reply.text;
    case "number":
      return "(" + reply.text;
    case "verbatim":
      return "=" + quote(reply.text);
    case "array":
      return "[" + reply.items.map(render).join(", ") + "]";
    case "set":
      return "~[" + reply.items.map(render).join(", ") + "]";
    case "push":
      return ">[" + reply.items.map(render).join(", ") + "]";
    case "map":
      return "{" + renderPairs(reply.items).join(", ") + "}";
    case "attribute":
      return "|{" + renderPairs(reply.items).join(", ") + "}";
    case "silence":
      return `(no reply: ${reply.text})`;
  }
}

/** The renderings of each two neighbours of a flat list of keys and values. */
export function renderPairs(items: Reply[]): string[] {
  const pairs: string[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const value = items[i + 1];
    pairs.push(render(items[i]) + " => " + (value === undefined ? "(none)" : render(value)));
  }
  return pairs;
}
