/**
 * Sockets on Bun. They call back as runtime.ts has it; what is different:
 *
 * - Input comes in buffers of Bun's making, of up to 512 KB: it is copied to where the handler wants
 *   it, in as many pieces as that takes. What comes while reading is paused is kept, and only then is
 *   Bun told to read no more: so pausing for a moment costs nothing.
 * - Without `allowHalfOpen` a peer that shuts down its sending side would get no reply.
 * - `write` takes what the system takes at once; `drain` is also called when nothing was left over.
 * - What a callback throws would be swallowed by `error`.
 * - When descriptors run out Bun says nothing, and tries again and again: keep `maxclients` below.
 */

import { nodeFs } from "./builtin_modules.ts";
import { bun, type BunListener, type BunSocket, type BunSocketCallbacks } from "./bun_types.ts";
import type { Address, Listener, ListenerHandler, Socket, SocketHandler } from "./runtime.ts";
import { SystemError, systemErrorOf } from "./system_error.ts";

/**
 * Buffers of input from this size on are given back by hand: garbage of so much would pile up, and go back to the
 * system in between, which has to fill other pages with zeros then.
 */
const LARGE_INPUT = 4 * 1024;

/** Who is called back about a socket. */
export interface SocketEvents {
  /** `bytes` may be kept. */
  arrived(bytes: Uint8Array<ArrayBuffer>): void;
  ended(): void;
  drained(): void;
  closed(error: Error | undefined): void;
}

export type Raw = BunSocket<SocketEvents | undefined>;

/** Listens on an IP address or host name. @throws SystemError */
export function listenWith(
  hostname: string,
  port: number,
  socket: BunSocketCallbacks<SocketEvents | undefined>,
): Listener {
  try {
    const listener = bun().listen({ hostname, port, allowHalfOpen: true, socket });
    return new Listening(listener, listener.port);
  } catch (error) {
    throw networkError(error);
  }
}

/** Listens on a Unix socket. @throws SystemError */
export function listenUnix(path: string, mode: number, handler: ListenerHandler): Listener {
  const socket = accepting(handler, { hostname: path, port: 0 });
  let listener: BunListener | null = null;
  try {
    listener = bun().listen({ unix: path, allowHalfOpen: true, socket });
    if (mode !== 0) nodeFs().chmodSync(path, mode);
    return new Listening(listener, 0);
  } catch (error) {
    listener?.stop();
    throw networkError(error);
  }
}

/** A connection attempt that may be called off. */
export interface Attempt {
  isOver: boolean;
  /** Ends what has been opened; null as long as nothing has. */
  abandon: (() => void) | null;
}

/**
 * Begins to connect, from `source` where that is not empty and can be had. `opened` is called with the
 * connection, else `failed` with the system's words, unless it has been called off.
 */
export function connectWith(
  hostname: string,
  port: number,
  source: string,
  opened: (raw: Raw, attempt: Attempt) => void,
  failed: (reason: string) => void,
): { cancel(): void } {
  const attempt: Attempt = { isOver: false, abandon: null };
  const socket: BunSocketCallbacks<SocketEvents | undefined> = {
    ...callbacks,
    open(raw) {
      if (attempt.isOver) raw.end();
      else opened(raw, attempt);
    },
    connectError() {}, // the promise tells of it
  };
  const options = { hostname, port, allowHalfOpen: true, socket };
  // Of some addresses (no name at all, a port beyond 65535) Bun throws, which is to be a refusal as well.
  const connect = async () => {
    if (!attempt.isOver) await bun().connect(options);
  };
  const connectFromSource = async () => {
    await bun().connect({ ...options, localAddress: source });
  };
  const connecting = source === "" ? connect() : connectFromSource().catch(connect);
  connecting.catch((error: unknown) => {
    if (attempt.isOver) return;
    attempt.isOver = true;
    failed(networkError(error).message);
  });
  return {
    cancel() {
      attempt.isOver = true;
      attempt.abandon?.();
    },
  };
}

class Listening implements Listener {
  #listener: BunListener | null;

  constructor(listener: BunListener, readonly port: number) {
    this.#listener = listener;
  }

  /** Bun gives the address back at once, and removes the file of a Unix socket. */
  close(): Promise<void> {
    this.#listener?.stop();
    this.#listener = null;
    return Promise.resolve();
  }
}

/** What all sockets are called back with; who they are is in their `data`. */
export const callbacks: BunSocketCallbacks<SocketEvents | undefined> = {
  data(raw, bytes) {
    raw.data?.arrived(bytes);
  },
  end(raw) {
    raw.data?.ended();
  },
  drain(raw) {
    raw.data?.drained();
  },
  close(raw, error) {
    raw.data?.closed(error);
  },
  error(_raw, error) {
    // A fault in a handler, which nobody else would hear of.
    setTimeout(() => {
      throw error;
    });
  },
};

/** Has what is accepted served by whom the handler says. */
export function accepting(
  handler: ListenerHandler,
  here: Address | null,
): BunSocketCallbacks<SocketEvents | undefined> {
  return {
    ...callbacks,
    open(raw) {
      // A peer that has reset the connection before its turn came has no address any more.
      if (here === null && raw.remoteAddress === undefined) {
        raw.end();
        return;
      }
      const connected = raw.data = new Connected(raw, here);
      const server = handler.accepted(connected);
      if (server === null) connected.close();
      else connected.serveWith(server);
    },
  };
}

/** What `callbacks` are called about. */
export class Connected implements Socket, SocketEvents {
  readonly isUnix: boolean;
  commonName: string | null = null;
  readonly local: Address;
  readonly remote: Address;
  readonly #raw: Raw;
  #handler: SocketHandler | null = null;
  #isClosed = false;
  /** `drained` is owed. */
  #isFull = false;
  #isPaused = false;
  /** Bun has been told to read no more. */
  #isStopped = false;
  /** The handler is being given what has come, or soon will be. */
  #isGiving = false;
  /** Input that has not been given to the handler, from `#heldAt` on. */
  #held: Uint8Array<ArrayBuffer>[] = [];
  #heldAt = 0;
  /** The end of input has come, and been told. */
  #hasEnded = false;
  #hasToldEnd = false;

  readonly #end: () => void;

  /**
   * `here` is the address of both ends of a Unix socket, null for TCP. `end` closes `raw`, where its own
   * `end` does not.
   */
  constructor(raw: Raw, here: Address | null, end: () => void = () => raw.end()) {
    this.#raw = raw;
    this.#end = end;
    this.isUnix = here !== null;
    this.local = here ?? { hostname: raw.localAddress, port: raw.localPort };
    this.remote = here ?? { hostname: raw.remoteAddress ?? "", port: raw.remotePort };
  }

  serveWith(handler: SocketHandler): void {
    this.#handler = handler;
  }

  // -- input ---------------------------------------------------------------------------------

  arrived(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isClosed) return;
    if (this.#isPaused || this.#isGiving) {
      this.#held.push(bytes);
      if (this.#isPaused) this.#stop();
      return;
    }
    this.#isGiving = true;
    const given = this.#give(bytes, 0);
    this.#isGiving = false;
    if (given < bytes.length && !this.#isClosed) {
      this.#held.push(bytes);
      this.#heldAt = given;
      if (this.#isPaused) this.#stop();
    }
  }

  /** Gives the handler what is in `bytes` behind `at`, until reading is paused; returns where it got to. */
  #give(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    const handler = this.#handler!;
    while (at < bytes.length && !this.#isPaused && !this.#isClosed) {
      const left = bytes.length - at;
      const space = handler.space(left);
      if (this.#isClosed) break;
      const count = Math.min(left, space.length);
      if (count === bytes.length) space.set(bytes);
      else space.set(bytes.subarray(at, at + count));
      at += count;
      handler.filled(count);
    }
    if (at === bytes.length && at >= LARGE_INPUT && at === bytes.buffer.byteLength) {
      bytes.buffer.transfer(0);
    }
    return at;
  }

  ended(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (!this.#isPaused && !this.#isGiving && this.#held.length === 0) this.#tellEnd();
  }

  #tellEnd(): void {
    this.#hasToldEnd = true;
    this.#handler!.ended();
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#raw.pause();
  }

  resumeReading(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    if (this.#isGiving) return;
    if (this.#held.length === 0 && !this.#hasEnded) {
      this.#goOn();
      return;
    }
    this.#isGiving = true;
    queueMicrotask(this.#giveHeld);
  }

  readonly #giveHeld = (): void => {
    while (this.#held.length > 0 && !this.#isPaused && !this.#isClosed) {
      const bytes = this.#held[0];
      this.#heldAt = this.#give(bytes, this.#heldAt);
      if (this.#heldAt < bytes.length) break;
      this.#held.shift();
      this.#heldAt = 0;
    }
    this.#isGiving = false;
    if (this.#isClosed || this.#isPaused) return;
    if (this.#hasEnded && !this.#hasToldEnd) this.#tellEnd();
    else this.#goOn();
  };

  #goOn(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#raw.resume();
  }

  // -- output --------------------------------------------------------------------------------

  write(bytes: Uint8Array, from: number, to: number): number {
    if (this.#isClosed || from === to) return 0;
    const count = to - from;
    const taken = Math.max(0, this.#raw.write(bytes, from, count));
    this.#isFull = taken < count;
    return taken;
  }

  drained(): void {
    if (!this.#isFull || this.#isClosed) return;
    this.#isFull = false;
    this.#handler!.drained();
  }

  setNoDelay(isOn: boolean): void {
    if (!this.#isClosed && !this.isUnix) this.#raw.setNoDelay(isOn);
  }

  setKeepAlive(isOn: boolean): void {
    if (!this.#isClosed && !this.isUnix) this.#raw.setKeepAlive(isOn);
  }

  // -- the end -------------------------------------------------------------------------------

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = [];
    this.#end();
  }

  closed(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = [];
    const broken = error === undefined ? new SystemError("ECONNRESET") : networkError(error);
    this.#handler?.closed(broken.message);
  }
}

/** As a SystemError. Bun has its own words for most, and none for a host name that nobody knows. */
export function networkError(error: unknown): SystemError {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  const isUnknownName = typeof code !== "string" || message.startsWith("getaddrinfo");
  return systemErrorOf(isUnknownName ? "ENOTFOUND" : code, message, error);
}
