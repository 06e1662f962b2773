/**
 * The comparison's own small client: one connection, one call at a time, and pipelined filling.
 *
 * It understands the RESP2 replies the comparison needs (line replies and bulk strings) and sends ASCII
 * words only. It leaves load generation to redis-benchmark: what is timed here is single calls.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Commands sent before their replies are read while filling; enough to hide the round trip. */
const FILL_BATCH = 1_000;

const CR = 13, LF = 10, MINUS = 45, DOLLAR = 36;

/** A server answered with an error reply; the message is the reply without its leading `-`. */
export class ErrorReply extends Error {}

/** Settles as `work` does, or rejects after `ms` milliseconds saying that `what` took too long. */
export function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no end after ${ms / 1000} s`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** The RESP form of a command of ASCII words. */
export function encodeCommand(...words: string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

/** One connection. Calls must not overlap. */
export class Client {
  #conn: Deno.Conn;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects to a server on this machine. */
  static async connect(port: number): Promise<Client> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new Client(conn);
  }

  /** Sends one command and waits for its reply; null for the null bulk string. Throws ErrorReply. */
  async call(...words: string[]): Promise<string | null> {
    await this.#write(encodeCommand(...words));
    return await this.#reply();
  }

  /**
   * Sends an already encoded command and waits until one reply has begun to arrive and is whole, without
   * decoding it: what the stall probe times.
   */
  async exchange(command: Uint8Array): Promise<void> {
    await this.#writeBytes(command);
    await this.#reply();
  }

  /**
   * Sends `count` commands, `command(i)` being the encoded i-th, in batches. Every reply must be a line
   * reply (`+OK`, `:1`); the first error reply is thrown.
   */
  async fill(count: number, command: (i: number) => string): Promise<void> {
    for (let i = 0; i < count;) {
      const batchEnd = Math.min(i + FILL_BATCH, count);
      const batch = batchEnd - i;
      let text = "";
      for (; i < batchEnd; i++) text += command(i);
      await this.#write(text);
      for (let n = 0; n < batch; n++) await this.#reply();
    }
  }

  /** The fields of `INFO section`. */
  async info(section: string): Promise<Map<string, string>> {
    const fields = new Map<string, string>();
    for (const line of (await this.call("INFO", section) ?? "").split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0 && !line.startsWith("#")) {
        fields.set(line.slice(0, colon), line.slice(colon + 1));
      }
    }
    return fields;
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed by the other side already: nothing is left to close.
    }
  }

  #write(text: string): Promise<void> {
    return this.#writeBytes(encoder.encode(text));
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  async #reply(): Promise<string | null> {
    const lineEnd = await this.#lineEnd();
    const kind = this.#buffer[this.#start];
    const line = decoder.decode(this.#buffer.subarray(this.#start + 1, lineEnd));
    this.#start = lineEnd + 2;
    if (kind === MINUS) throw new ErrorReply(line);
    if (kind !== DOLLAR) return line;
    const size = Number(line);
    if (size < 0) return null;
    while (this.#end - this.#start < size + 2) await this.#read();
    const text = decoder.decode(this.#buffer.subarray(this.#start, this.#start + size));
    this.#start += size + 2;
    return text;
  }

  /** The index of the CR that ends the line at `#start`, reading until it is there. */
  async #lineEnd(): Promise<number> {
    let scanned = 0; // relative to #start, which moves when the buffer is compacted
    for (;;) {
      for (let i = this.#start + scanned; i + 1 < this.#end; i++) {
        if (this.#buffer[i] === CR && this.#buffer[i + 1] === LF) return i;
      }
      scanned = Math.max(0, this.#end - this.#start - 1);
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    const read = await this.#conn.read(this.#buffer.subarray(this.#end));
    if (read === null) throw new Error("the server closed the connection");
    this.#end += read;
  }
}
