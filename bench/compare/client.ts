/**
 * The comparison's own small client: one connection, one call at a time, and pipelined filling.
 *
 * It understands RESP2: line replies and bulk strings it hands over, arrays it only reads to their end. It
 * leaves load generation to redis-benchmark: what is timed here is single calls.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Commands sent before their replies are read while filling; enough to hide the round trip. */
const FILL_BATCH = 1_000;

const CR = 13, LF = 10, MINUS = 45, DOLLAR = 36, STAR = 42;

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

/** The RESP form of a command whose words may be any bytes. */
export function encodeBytes(...words: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const parts = [encoder.encode(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? encoder.encode(word) : word;
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes.slice(), encoder.encode("\r\n"));
  }
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
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

  /** Sends one command and returns the bytes of its bulk string; null for null. Throws ErrorReply. */
  async bulk(...words: string[]): Promise<Uint8Array<ArrayBuffer> | null> {
    await this.#write(encodeCommand(...words));
    const size = Number(await this.#line());
    if (size < 0) return null;
    while (this.#end - this.#start < size + 2) await this.#read();
    const bytes = this.#buffer.slice(this.#start, this.#start + size);
    this.#start += size + 2;
    return bytes;
  }

  /** Sends a command of the SCAN family and returns the new cursor; what was found is let go. */
  async cursor(...words: string[]): Promise<string> {
    await this.#write(encodeCommand(...words));
    await this.#line();
    const cursor = await this.#reply();
    await this.skip(1);
    return cursor!;
  }

  /**
   * Sends an already encoded command and waits until its reply, of any kind and size, has arrived whole,
   * without decoding it: what is timed. Throws ErrorReply.
   */
  async exchange(command: Uint8Array): Promise<void> {
    await this.send(command);
    await this.skip(1);
  }

  /** Sends encoded commands without waiting for replies, for `skip` to read them. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** Reads `replies` replies and lets them go. Throws the first ErrorReply among them. */
  async skip(replies: number): Promise<void> {
    for (let left = this.#skipBuffered(replies); left > 0; left = this.#skipBuffered(left)) {
      await this.#read();
    }
  }

  /**
   * Skips those of `left` replies that lie whole in the buffer, and says how many remain. Elements of arrays
   * count as further replies. Without an await for each, of which a million would be a part of what is timed.
   */
  #skipBuffered(left: number): number {
    while (left > 0) {
      const lineEnd = this.#bufferedLineEnd(0);
      if (lineEnd < 0) break;
      const kind = this.#buffer[this.#start];
      const size = kind === DOLLAR || kind === STAR ? this.#sizeAt(this.#start + 1, lineEnd) : -1;
      const end = lineEnd + 2 + (kind === DOLLAR && size >= 0 ? size + 2 : 0);
      if (end > this.#end) break;
      if (kind === MINUS) this.#takeLine(lineEnd);
      this.#start = end;
      left += kind === STAR && size > 0 ? size - 1 : -1;
    }
    return left;
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
    return this.send(encoder.encode(text));
  }

  async #reply(): Promise<string | null> {
    await this.#lineEnd();
    const kind = this.#buffer[this.#start];
    const line = await this.#line();
    if (kind !== DOLLAR) return line;
    const size = Number(line);
    if (size < 0) return null;
    while (this.#end - this.#start < size + 2) await this.#read();
    const text = decoder.decode(this.#buffer.subarray(this.#start, this.#start + size));
    this.#start += size + 2;
    return text;
  }

  async #line(): Promise<string> {
    return this.#takeLine(await this.#lineEnd());
  }

  /** The text of the line from `#start` to `lineEnd`, after its first byte; goes past it. Throws ErrorReply. */
  #takeLine(lineEnd: number): string {
    const kind = this.#buffer[this.#start];
    const line = decoder.decode(this.#buffer.subarray(this.#start + 1, lineEnd));
    this.#start = lineEnd + 2;
    if (kind === MINUS) throw new ErrorReply(line);
    return line;
  }

  #sizeAt(start: number, end: number): number {
    if (this.#buffer[start] === MINUS) return -1;
    let size = 0;
    for (let i = start; i < end; i++) size = size * 10 + this.#buffer[i] - 48;
    return size;
  }

  /** The index of the CR that ends the line at `#start`, reading until it is there. */
  async #lineEnd(): Promise<number> {
    for (let scanned = 0;;) { // relative to #start, which moves when the buffer is compacted
      const lineEnd = this.#bufferedLineEnd(scanned);
      if (lineEnd >= 0) return lineEnd;
      scanned = Math.max(0, this.#end - this.#start - 1);
      await this.#read();
    }
  }

  /** The same where it is in the buffer already, else -1. The first `scanned` bytes are known to have none. */
  #bufferedLineEnd(scanned: number): number {
    for (let i = this.#start + scanned; i + 1 < this.#end; i++) {
      if (this.#buffer[i] === CR && this.#buffer[i + 1] === LF) return i;
    }
    return -1;
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
