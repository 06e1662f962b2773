/**
 * The data of a running server, as of one instant: it is asked for a snapshot as a replica asks (SYNC), which servers
 * from 2.8 on answer, and the snapshot is kept in a file. Nothing is changed there; as for a new replica the server
 * makes one background save, and the user needs the right to SYNC.
 */

import { toLatin1 } from "../../base/bytes.ts";
import { fromText } from "../../config/parse.ts";
import { request, SYNC } from "../../replication/handshake.ts";
import { LinkSocket } from "../../replication/link_socket.ts";
import { type Payload, payloadOf } from "../../replication/sync_receiver.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import { problemOf } from "../../runtime/system_error.ts";
import { Progress } from "../progress.ts";
import { Interrupted, ToolFailure, type ToolHost, UsageError } from "../tool.ts";

/** Where a server is, and as whom to ask. */
export interface ServerAddress {
  /** As it was named, without a password. */
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
  readonly user: string | null;
  readonly password: string | null;
}

const REDIS_PORT = 6379;
const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/;
const SCHEME = /^[a-z][a-z+]*:\/\//i;

/**
 * The server that a word names: `host:port`, or `redis://[user[:password]@]host[:port]`, as redis-cli takes them. Null
 * for other words. Without a password in it, it is `defaultPassword`. @throws UsageError
 */
export function serverAddressOf(
  word: string,
  defaultPassword: string | undefined,
): ServerAddress | null {
  const found = HOST_AND_PORT.exec(word);
  const password = defaultPassword || null;
  if (found !== null) {
    return {
      name: word,
      hostname: found[1] ?? found[2],
      port: Number(found[3]),
      user: null,
      password,
    };
  }
  if (!SCHEME.test(word)) return null;
  return addressOfUrl(word, password);
}

function addressOfUrl(word: string, defaultPassword: string | null): ServerAddress {
  const url = URL.canParse(word) ? new URL(word) : null;
  if (url === null || url.protocol !== "redis:" || url.hostname === "") {
    throw new UsageError(
      `a server is named as host:port or redis://[user[:password]@]host[:port]; ` +
        "one that speaks TLS alone is asked by redis-cli --rdb for a file",
    );
  }
  if (url.pathname.length > 1) {
    throw new UsageError(
      "an address names no database: leave out what stands behind the port",
    );
  }
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = Number(url.port || REDIS_PORT);
  const user = decodeURIComponent(url.username) || null;
  const password = decodeURIComponent(url.password) || defaultPassword;
  return { name: `${url.hostname}:${port}`, hostname, port, user, password };
}

/** Has a server send its snapshot into a file. Rejects with a ToolFailure, or when interrupted. */
export async function downloadSnapshot(
  host: ToolHost,
  address: ServerAddress,
  file: OpenFile,
): Promise<void> {
  const attempt = LinkSocket.connect(host.runtime.network, address.hostname, address.port, null);
  let socket: LinkSocket | null = null;
  try {
    await unlessInterrupted(
      host,
      (async () => {
        socket = await attempt.socket;
        await new Download(host, address, socket, file).run();
      })(),
    );
  } catch (error) {
    attempt.cancel();
    if (error instanceof Interrupted || error instanceof ToolFailure) throw error;
    throw new ToolFailure(`${address.name}: ${problemOf(error)}`);
  } finally {
    (socket as LinkSocket | null)?.close();
  }
}

const LOOK_MS = 100;

/** What `work` comes to, unless Ctrl-C comes first. */
async function unlessInterrupted(host: ToolHost, work: Promise<void>): Promise<void> {
  const { timers } = host.runtime;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = timers.every(LOOK_MS, () => {
    host.checkpoint().catch(reject);
  });
  try {
    await Promise.race([work, promise]);
  } finally {
    timers.cancel(timer);
    work.catch(() => {});
  }
}

const BUFFER_BYTES = 256 * 1024;
const LINE_FEED = 10;

class Download {
  readonly #host: ToolHost;
  readonly #address: ServerAddress;
  readonly #socket: LinkSocket;
  readonly #file: OpenFile;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #from = 0;
  #to = 0;

  constructor(host: ToolHost, address: ServerAddress, socket: LinkSocket, file: OpenFile) {
    this.#host = host;
    this.#address = address;
    this.#socket = socket;
    this.#file = file;
  }

  async run(): Promise<void> {
    const { user, password } = this.#address;
    if (password !== null) {
      const words = user === null ? [password] : [user, password];
      const answer = await this.#ask(request("AUTH", ...words.map(fromText)));
      // A server without a password says so, and lets everybody in.
      if (answer.startsWith("-") && !/no password|without any password/i.test(answer)) {
        this.#refused(answer);
      }
    }
    // Servers that do not know these say so; the snapshot comes all the same.
    await this.#ask(request("REPLCONF", "capa", "eof"));
    await this.#ask(request("REPLCONF", "rdb-only", 1));
    await this.#socket.write(SYNC);
    const line = await this.#line();
    const payload = payloadOf(line, (bytes, offset, length) => {
      this.#file.write(bytes, offset, offset + length);
    });
    if (payload === null) this.#refused(line);
    await this.#receive(payload);
  }

  #refused(answer: string): never {
    throw new ToolFailure(`${this.#address.name}: ${answer.slice(1)}`);
  }

  async #ask(bytes: Uint8Array): Promise<string> {
    await this.#socket.write(bytes);
    return await this.#line();
  }

  /** The next line that is not empty: a server shows by empty ones that it is alive. */
  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(LINE_FEED, this.#from);
      if (end < 0) {
        await this.#more();
        continue;
      }
      const line = toLatin1(this.#buffer, this.#from, end - this.#from).trimEnd();
      this.#from = end + 1;
      if (line !== "") return line;
    }
  }

  async #more(): Promise<void> {
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === BUFFER_BYTES) {
      throw new Error("this is no Redis: it answers with a line without end");
    }
    const count = await this.#socket.read(this.#buffer.subarray(this.#to));
    if (count === 0) throw new Error("the server has closed the connection");
    this.#to += count;
  }

  async #receive(payload: Payload): Promise<void> {
    const { name } = this.#address;
    const progress = new Progress(this.#host, `Receiving ${name}`, Math.max(0, payload.totalBytes));
    let received = 0;
    try {
      while (!payload.isComplete) {
        if (this.#from === this.#to) await this.#more();
        const end = payload.take(this.#buffer, this.#from, this.#to);
        received += end - this.#from;
        this.#from = end;
        if (progress.isDue()) await progress.show(received, 0);
      }
    } finally {
      progress.end();
    }
  }
}
