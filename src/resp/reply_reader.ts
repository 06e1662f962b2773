/**
 * Replies read back from their bytes, for who has a server in the same program (local_client.ts): the
 * other direction of reply_writer.ts. RESP2 and RESP3, whole replies only; nothing on the path of a
 * request from outside.
 *
 * @see {@link https://redis.io/docs/latest/develop/reference/protocol-spec/}
 */

/**
 * What a command answers. Statuses are text, and so are bulk strings unless bytes were asked for;
 * integers beyond 2^53 are bigints. Maps and sets are of RESP3 (after HELLO 3). An error within an
 * array (EXEC) is an object of the class CommandError.
 */
export type Reply =
  | string
  | Uint8Array
  | number
  | bigint
  | boolean
  | null
  | CommandError
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>;

/** A command was answered with an error; `message` is all of it, such as "ERR syntax error". */
export class CommandError extends Error {
  /** "CommandError". */
  override name = "CommandError";
  /** Its first word: "ERR", "WRONGTYPE", "NOAUTH" … */
  readonly code: string;

  /** `message` is the error reply without its dash. */
  constructor(message: string) {
    super(message);
    this.code = message.split(" ", 1)[0];
  }
}

/** A reply, or a message that was not asked for. */
export interface ReceivedReply {
  readonly value: Reply;
  /** A push message of RESP3. */
  readonly isPush: boolean;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads the replies that begin at `bytes[0]`, one after the other: `read` until `isAtEnd`.
 *
 * @throws Error when the bytes are no replies, or end within one
 */
export class ReplyReader {
  readonly #bytes: Uint8Array;
  readonly #asBytes: boolean;
  #at = 0;

  /** `asBytes`: bulk strings are to come as bytes, not as text in UTF-8. */
  constructor(bytes: Uint8Array, asBytes: boolean) {
    this.#bytes = bytes;
    this.#asBytes = asBytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next reply. */
  read(): ReceivedReply {
    return { isPush: this.#bytes[this.#at] === 0x3e, value: this.#value() };
  }

  #value(): Reply {
    const type = String.fromCharCode(this.#bytes[this.#at]);
    const line = this.#line();
    switch (type) {
      case "+":
        return line;
      case "-":
        return new CommandError(line);
      case ":": {
        const value = Number(line);
        return Number.isSafeInteger(value) ? value : BigInt(line);
      }
      case "$":
        return this.#bulk(Number(line));
      case "*":
      case ">":
        return line === "-1" ? null : this.#values(Number(line));
      case "_":
        return null;
      case "#":
        return line === "t";
      case ",":
        return line === "inf" ? Infinity : line === "-inf" ? -Infinity : Number(line);
      case "(":
        return BigInt(line);
      case "=": {
        // Its first four bytes say what kind of text it is ("txt:").
        const text = this.#bulk(Number(line))!;
        return text.slice(4);
      }
      case "~":
        return new Set(this.#values(Number(line)));
      case "%": {
        const map = new Map<Reply, Reply>();
        for (let left = Number(line); left > 0; left--) map.set(this.#value(), this.#value());
        return map;
      }
    }
    throw new Error(`Cannot read a reply that begins with ${JSON.stringify(type)}`);
  }

  #values(count: number): Reply[] {
    const values: Reply[] = [];
    for (let i = 0; i < count; i++) values.push(this.#value());
    return values;
  }

  #bulk(length: number): string | Uint8Array | null {
    if (length < 0) return null;
    const from = this.#at;
    this.#at += length + 2;
    this.#check();
    const bytes = this.#bytes.subarray(from, from + length);
    return this.#asBytes ? bytes.slice() : decoder.decode(bytes);
  }

  /** The rest of a line behind the type; at the end `#at` is behind the line. */
  #line(): string {
    const from = this.#at + 1;
    const end = this.#bytes.indexOf(0x0d, from);
    this.#at = end < 0 ? Infinity : end + 2;
    this.#check();
    return decoder.decode(this.#bytes.subarray(from, end));
  }

  #check(): void {
    if (this.#at > this.#bytes.length) throw new Error("Cannot read a reply: it ends too early");
  }
}
