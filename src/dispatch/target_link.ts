/**
 * A connection to a server that values are sent to (MIGRATE), and those of them that are kept for the next time:
 * opening one takes longer than sending a small value. Below migrations.ts, which says what goes over it.
 *
 * Each step (connecting, 64 KB that go out, a line that comes) has the whole timeout, as in Redis.
 */

import { toLatin1 } from "../base/bytes.ts";
import { LinkSocket } from "../replication/link_socket.ts";
import { type Network, TIMER_MAX_MS, type Timers, type TlsContext } from "../runtime/runtime.ts";
import { problemOf, SystemError } from "../runtime/system_error.ts";

/** Bytes that go out within one timeout. */
const WRITE_BYTES = 64 * 1024;
const READ_BYTES = 16 * 1024;
/** Answers are statuses and errors: a longer line is none of ours. */
const LINE_BYTES_MAX = 64 * 1024;
const LINE_FEED = 10;
/** How many connections are kept, and for how long, in ms. */
const KEPT_MAX = 64;
const KEPT_MS = 10_000;

/** What Redis does not hear of before it has something to send, in the system's words. */
const REFUSALS = ["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH"]
  .map((code) => new SystemError(code).message);

/** What could not be done in time, or at all. */
export type LinkStep = "connecting" | "writing" | "reading";

export class TargetFailure extends Error {
  constructor(readonly step: LinkStep, readonly isTimeout: boolean) {
    super(`error or timeout ${step}`);
  }
}

/** A connection that is being opened. */
export interface TargetAttempt {
  readonly link: Promise<TargetLink>;
  cancel(): void;
}

export class TargetLink {
  /** The database that it has selected, in the words of who asked; empty when not known. */
  database = "";
  /** By `Keyspace.steadyMs`. */
  lastUsedMs = 0;
  readonly #timers: Timers;
  readonly #socket: LinkSocket;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #from = 0;
  #to = 0;
  #hasTimedOut = false;
  #isClosed = false;

  private constructor(readonly name: string, timers: Timers, socket: LinkSocket) {
    this.#timers = timers;
    this.#socket = socket;
    socket.socket.setNoDelay(true);
  }

  /** Begins to connect, with TLS if there is a context. `link` rejects with a TargetFailure, also after `cancel`. */
  static open(
    network: Network,
    timers: Timers,
    tls: TlsContext | null,
    { host, port }: { readonly host: string; readonly port: number },
    timeoutMs: number,
  ): TargetAttempt {
    const { promise, resolve, reject } = Promise.withResolvers<TargetLink>();
    const attempt = LinkSocket.connect(network, host, port, tls);
    const giveUp = (failure: TargetFailure) => {
      timers.cancel(timer);
      attempt.cancel();
      reject(failure);
    };
    const timer = timers.after(
      Math.min(timeoutMs, TIMER_MAX_MS),
      () => giveUp(new TargetFailure("connecting", true)),
    );
    attempt.socket.then((socket) => {
      timers.cancel(timer);
      resolve(new TargetLink(`${host}:${port}`, timers, socket));
    }, (error) => {
      const isRefused = REFUSALS.includes(problemOf(error));
      giveUp(new TargetFailure(isRefused ? "writing" : "connecting", false));
    });
    return {
      link: promise,
      cancel: () => giveUp(new TargetFailure("connecting", false)),
    };
  }

  /** Whether it is open and the next answer is that of the next request: nothing has come that was not read. */
  get isUsable(): boolean {
    return !this.#isClosed && this.#from === this.#to;
  }

  /** Sends the first `length` of these bytes. @throws TargetFailure */
  async send(bytes: Uint8Array, length: number, timeoutMs: number): Promise<void> {
    for (let at = 0; at < length; at += WRITE_BYTES) {
      const piece = bytes.subarray(at, Math.min(length, at + WRITE_BYTES));
      await this.#within(timeoutMs, "writing", this.#socket.write(piece));
    }
  }

  /** The next line, without its end. @throws TargetFailure also when the connection ends before that */
  async readLine(timeoutMs: number): Promise<string> {
    let line = "";
    for (;;) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(LINE_FEED, this.#from);
      if (end >= 0) {
        line += toLatin1(this.#buffer, this.#from, end - this.#from);
        this.#from = end + 1;
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      line += toLatin1(this.#buffer, this.#from, this.#to - this.#from);
      this.#from = this.#to = 0;
      if (line.length > LINE_BYTES_MAX) throw new TargetFailure("reading", false);
      const count = await this.#within(timeoutMs, "reading", this.#socket.read(this.#buffer));
      if (count === 0) throw new TargetFailure("reading", false);
      this.#to = count;
    }
  }

  /** Has reads and writes under way end; may be repeated. */
  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  async #within<T>(timeoutMs: number, step: LinkStep, work: Promise<T>): Promise<T> {
    const timer = this.#timers.after(Math.min(timeoutMs, TIMER_MAX_MS), () => {
      this.#hasTimedOut = true;
      this.close();
    });
    let done: T;
    try {
      done = await work;
    } catch {
      throw new TargetFailure(step, false);
    } finally {
      this.#timers.cancel(timer);
    }
    if (this.#hasTimedOut) throw new TargetFailure(step, true);
    return done;
  }
}

/** Connections that nobody uses at present, the longest unused first. */
export class KeptLinks {
  readonly #links: TargetLink[] = [];

  get count(): number {
    return this.#links.length;
  }

  /** Hands over one of this name, if there is one. */
  take(name: string): TargetLink | null {
    const at = this.#links.findLastIndex((link) => link.name === name);
    return at < 0 ? null : this.#links.splice(at, 1)[0];
  }

  keep(link: TargetLink, steadyMs: number): void {
    link.lastUsedMs = steadyMs;
    this.#links.push(link);
    if (this.#links.length > KEPT_MAX) this.#links.shift()!.close();
  }

  /** Closes those that have not been used for long. */
  tick(steadyMs: number): void {
    while (this.#links.length > 0 && steadyMs - this.#links[0].lastUsedMs > KEPT_MS) {
      this.#links.shift()!.close();
    }
  }

  close(): void {
    for (const link of this.#links) link.close();
    this.#links.length = 0;
  }
}
