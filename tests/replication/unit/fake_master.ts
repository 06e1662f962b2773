/**
 * A master that says what the test wants, over a real socket: answers, snapshots and streams in the
 * pieces that the test cuts them into.
 */

import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { RunningServer } from "../../server/running_server.ts";
import { type Reply, textOf } from "../../support/resp_client.ts";

/** 40 digits of a history. */
export const HISTORY = "0123456789abcdef0123456789abcdef01234567";

export class FakeMaster implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #links: FakeLink[] = [];
  /** Links that replicas have opened so far. */
  linkCount = 0;

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** The next link that a replica opens. */
  async accept(): Promise<FakeLink> {
    const link = new FakeLink(await this.#listener.accept());
    this.#links.push(link);
    this.linkCount++;
    return link;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const link of this.#links) link.close();
  }
}

export class FakeLink {
  #text = "";

  constructor(readonly socket: Deno.TcpConn) {
    socket.setNoDelay(true);
  }

  /** What has come with earlier requests and was not asked for yet. */
  get unread(): string {
    return this.#text;
  }

  /** The next request's words, joined by spaces; signs of life are passed over. Null at the end. */
  async request(): Promise<string | null> {
    for (;;) {
      this.#text = this.#text.replace(/^\n+/, "");
      const words = this.#words();
      if (words !== null) return words.join(" ");
      const bytes = new Uint8Array(65536);
      const count = await this.socket.read(bytes).catch(() => null);
      if (count === null) return null;
      this.#text += toLatin1(bytes, 0, count);
    }
  }

  #words(): string[] | null {
    const inline = /^(SYNC)\r\n/.exec(this.#text);
    if (inline !== null) {
      this.#text = this.#text.slice(inline[0].length);
      return [inline[1]];
    }
    const head = /^\*(\d+)\r\n/.exec(this.#text);
    if (head === null) return null;
    let at = head[0].length;
    const words: string[] = [];
    for (let i = 0; i < Number(head[1]); i++) {
      const length = /^\$(\d+)\r\n/.exec(this.#text.slice(at));
      if (length === null) return null;
      at += length[0].length;
      const end = at + Number(length[1]);
      if (this.#text.length < end + 2) return null;
      words.push(this.#text.slice(at, end));
      at = end + 2;
    }
    this.#text = this.#text.slice(at);
    return words;
  }

  /** Answers everything before PSYNC with what `answers` says for it, else as a master of today. */
  async greet(answers: Record<string, string> = {}): Promise<string> {
    for (;;) {
      const said = await this.request();
      if (said === null) throw new Error("the replica has closed the link");
      if (said.startsWith("PSYNC")) return said;
      const known = Object.keys(answers).find((start) => said.startsWith(start));
      await this.send(
        known !== undefined ? answers[known] : said === "PING" ? "+PONG\r\n" : "+OK\r\n",
      );
    }
  }

  /** The next request that is none of the acknowledgements that come by the second. */
  async acknowledged(): Promise<number> {
    for (;;) {
      const said = await this.request();
      if (said === null) throw new Error("the replica has closed the link");
      const found = /^REPLCONF ACK (\d+)$/.exec(said);
      if (found !== null) return Number(found[1]);
    }
  }

  /** Waits until the replica acknowledges this offset. */
  async untilAcknowledged(offset: number): Promise<void> {
    while (await this.acknowledged() !== offset);
  }

  async send(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === "string" ? latin1(text) : text;
    let at = 0;
    while (at < bytes.length) at += await this.socket.write(bytes.subarray(at));
  }

  /** Sends in pieces of `size` bytes, each by itself. */
  async sendCut(text: string, size: number): Promise<void> {
    for (let at = 0; at < text.length; at += size) {
      await this.send(text.slice(at, at + size));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  close(): void {
    try {
      this.socket.close();
    } catch {
      // Closed before.
    }
  }
}

/** A request as an array of bulk strings. */
export function array(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** A snapshot with these strings, without a checksum. */
export function snapshot(strings: Record<string, string>): string {
  const text = (value: string) => String.fromCharCode(value.length) + value;
  const records = Object.entries(strings).map(([key, value]) => `\x00${text(key)}${text(value)}`);
  const body = records.length === 0 ? "" : `\xfe\x00${records.join("")}`;
  return `REDIS0011${body}\xff${"\0".repeat(8)}`;
}

// -- servers that follow it -----------------------------------------------------------------

/** A replica of the master, with this configuration. */
export async function replicaOf(master: FakeMaster, ...lines: string[]): Promise<RunningServer> {
  const s = await RunningServer.start(...lines);
  await ask(s, "REPLICAOF", "127.0.0.1", `${master.port}`);
  return s;
}

/** The reply to one request of a client of its own. */
export async function ask(s: RunningServer, ...words: string[]): Promise<Reply> {
  using client = await s.connect();
  return await client.call(...words);
}

export async function get(s: RunningServer, key: string): Promise<string> {
  return textOf(await ask(s, "GET", key));
}

/** INFO's fields about replication. */
export function info(s: RunningServer): Record<string, string> {
  const { replication, keyspace } = s.core;
  return Object.fromEntries(
    replication.infoFields(keyspace.steadyMs).map(([name, value]) => [name, String(value)]),
  );
}
