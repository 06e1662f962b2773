/**
 * The two ends of a replication link as a test plays them by hand: a connection read word by word,
 * a master that says what a test tells it to, a replica likewise.
 *
 * Bytes are strings with one character per byte, as in resp_client.ts.
 */

import { latin1, toLatin1 } from "../../src/base/bytes.ts";

/** How long anything may take, in milliseconds, before a test fails. */
const PATIENCE_MS = 15_000;

/** A connection, read piece by piece. */
export class Wire implements Disposable {
  #received = "";
  #ended = false;
  #closed = false;
  readonly #room = new Uint8Array(65_536);

  constructor(private readonly conn: Deno.Conn) {}

  async send(bytes: string | Uint8Array): Promise<void> {
    const raw = typeof bytes === "string" ? latin1(bytes) : bytes;
    for (let at = 0; at < raw.length;) at += await this.conn.write(raw.subarray(at));
  }

  /** The next line without its end. Lone newlines, the signs of life of a link, are passed over. */
  async line(): Promise<string> {
    for (;;) {
      let start = 0;
      while (this.#received[start] === "\n") start++;
      const end = this.#received.indexOf("\r\n", start);
      if (end >= 0) {
        const line = this.#received.slice(start, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      await this.#more("a line");
    }
  }

  /** Exactly so many bytes. */
  async take(size: number): Promise<string> {
    while (this.#received.length < size) await this.#more(`${size} bytes`);
    const bytes = this.#received.slice(0, size);
    this.#received = this.#received.slice(size);
    return bytes;
  }

  /** The next command, an array of RESP or inline. */
  async words(): Promise<string[]> {
    const line = await this.line();
    if (line[0] !== "*") return line.split(" ").filter((word) => word !== "");
    const words: string[] = [];
    for (let left = Number(line.slice(1)); left > 0; left--) {
      const size = Number((await this.line()).slice(1));
      words.push((await this.take(size + 2)).slice(0, -2));
    }
    return words;
  }

  /** The next command that is not an acknowledgement. */
  async request(): Promise<string[]> {
    for (;;) {
      const words = await this.words();
      if (!isAck(words)) return words;
    }
  }

  /** The next command that is a replica's acknowledgement; gives its offset. */
  async ack(): Promise<number> {
    for (;;) {
      const words = await this.words();
      if (isAck(words)) return Number(words[2]);
    }
  }

  /** The RDB after its header line: by length or up to the mark. */
  async rdb(header: string): Promise<string> {
    if (!header.startsWith("$EOF:")) return await this.take(Number(header.slice(1)));
    const mark = header.slice(5);
    for (;;) {
      const end = this.#received.indexOf(mark);
      if (end >= 0) {
        const rdb = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + mark.length);
        return rdb;
      }
      await this.#more("the end of an RDB");
    }
  }

  /** Reads until the other end closes; gives what came. */
  async untilClosed(): Promise<string> {
    while (!this.#ended) await this.#more("the end of the connection", true);
    return this.#received;
  }

  /** Reads on and forgets, so that the other end is never stopped by this one. Ends with it. */
  async drain(): Promise<void> {
    try {
      while (await this.conn.read(this.#room) !== null);
    } catch {
      // Closed by either end.
    }
    this.#ended = true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #more(what: string, mayEnd = false): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, PATIENCE_MS);
    try {
      const size = this.#ended ? null : await this.conn.read(this.#room).catch(() => null);
      if (isLate) throw new Error(`waited ${PATIENCE_MS} ms for ${what}; had ${this.#excerpt()}`);
      if (size === null) {
        this.#ended = true;
        if (!mayEnd) throw new Error(`closed before ${what}; had ${this.#excerpt()}`);
      } else this.#received += toLatin1(this.#room.subarray(0, size));
    } finally {
      clearTimeout(timer);
    }
  }

  #excerpt(): string {
    return JSON.stringify(this.#received.slice(-200));
  }
}

/** Whether these are the words of `REPLCONF ACK`. */
export function isAck(words: string[]): boolean {
  return words[0]?.toLowerCase() === "replconf" && words[1]?.toLowerCase() === "ack";
}

/** A port of 127.0.0.1 where a test plays the master. */
export class FakeMaster implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = (this.#listener.addr as Deno.NetAddr).port;
  readonly #wires: Wire[] = [];
  #closed = false;

  /** The next connection of a replica. */
  async accept(): Promise<Wire> {
    const timer = setTimeout(() => this.close(), PATIENCE_MS);
    try {
      const wire = new Wire(await this.#listener.accept());
      this.#wires.push(wire);
      return wire;
    } catch (cause) {
      throw new Error(`no replica came within ${PATIENCE_MS} ms`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Plays every connection with `play` until closed; what goes wrong in one ends that one. For
   * masters that are always wrong in the same way.
   */
  serve(play: (wire: Wire, index: number) => Promise<void>): void {
    const run = async () => {
      for (let index = 0;; index++) {
        let conn: Deno.Conn;
        try {
          conn = await this.#listener.accept();
        } catch {
          return;
        }
        const wire = new Wire(conn);
        this.#wires.push(wire);
        play(wire, index).catch(() => {}).finally(() => wire.close());
      }
    };
    void run();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const wire of this.#wires) wire.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Answers the handshake of a replica up to PSYNC or SYNC, whose words it gives. */
export async function shakeHands(wire: Wire): Promise<string[]> {
  for (;;) {
    const words = await wire.request();
    const name = words[0].toUpperCase();
    if (name === "PSYNC" || name === "SYNC") return words;
    await wire.send(name === "PING" ? "+PONG\r\n" : "+OK\r\n");
  }
}

/** Connects to a master, to play its replica. */
export async function fakeReplica(master: { port: number }): Promise<Wire> {
  return new Wire(await Deno.connect({ hostname: "127.0.0.1", port: master.port }));
}
