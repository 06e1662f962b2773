/**
 * Sockets on Deno. Its connections promise; here they call back instead, so that what serves them is
 * the same under every runtime.
 *
 * Deno writes in the background only: `write` begins to, answers 0, and answers the next offer, made
 * when the handler has heard `drained`, with what has gone meanwhile. Reading asks for more as soon as
 * the handler has dealt with what came, into the handler's own buffer. Both go on in one async function
 * each as long as there is something to do: a read or a write costs the promises that Deno makes for
 * it and no others.
 */

import { denoError } from "./deno_errors.ts";
import { connectTls, DenoTlsContext, DenoTlsListener } from "./deno_tls.ts";
import type {
  Address,
  ConnectHandler,
  Listener,
  ListenerHandler,
  Network,
  Socket,
  SocketHandler,
  Timer,
  TlsContext,
  TlsFiles,
  TlsListenerHandler,
} from "./runtime.ts";
import { connectFrom } from "./source_address.ts";
import { problemOf, SystemError } from "./system_error.ts";

/** After a connection could not be accepted: time for others to give their descriptors back. */
const ACCEPT_AGAIN_MS = 100;
/** No read has come to its end while reading was paused. */
const NOTHING_HELD = -1;

export class DenoNetwork implements Network {
  listenTcp(hostname: string, port: number, handler: ListenerHandler): Listener {
    return new DenoListener(listenOn(hostname, port), handler, null);
  }

  listenUnix(path: string, mode: number, handler: ListenerHandler): Listener {
    try {
      const listener = Deno.listen({ transport: "unix", path });
      try {
        if (mode !== 0) Deno.chmodSync(path, mode);
      } catch (error) {
        listener.close();
        removeFile(path);
        throw error;
      }
      return new DenoListener(listener, handler, path);
    } catch (error) {
      throw networkError(error);
    }
  }

  connectTcp(
    hostname: string,
    port: number,
    handler: ConnectHandler,
    source = "",
  ): { cancel(): void } {
    if (source === "") return this.#connect(hostname, port, handler);
    let isCancelled = false;
    let current: { cancel(): void } | null = null;
    const connected = (socket: Socket) => handler.connected(socket);
    const fromAnywhere = () => {
      if (!isCancelled) current = this.#connect(hostname, port, handler);
    };
    try {
      current = connectFrom(source, hostname, port, connected, fromAnywhere);
    } catch {
      fromAnywhere(); // it is no address
    }
    return {
      cancel() {
        isCancelled = true;
        current?.cancel();
      },
    };
  }

  tlsContext(files: TlsFiles): TlsContext {
    return new DenoTlsContext(files);
  }

  listenTls(hostname: string, port: number, handler: TlsListenerHandler): Listener {
    // Node tells later whether an address can be had. So it is tried here, and given back to Node.
    const probe = listenOn(hostname, port);
    const address = probe.addr as Deno.NetAddr;
    probe.close();
    return new DenoTlsListener(address, handler);
  }

  connectTls(
    hostname: string,
    port: number,
    context: TlsContext,
    handler: ConnectHandler,
    source = "",
  ): { cancel(): void } {
    return connectTls(hostname, port, context as DenoTlsContext, handler, source);
  }

  #connect(hostname: string, port: number, handler: ConnectHandler): { cancel(): void } {
    const attempt = new AbortController();
    const { signal } = attempt;
    Deno.connect({ hostname, port, signal }).then((conn) => {
      if (signal.aborted) return conn.close();
      const socket = new DenoSocket(conn, conn.localAddr, conn.remoteAddr, false);
      socket.serveWith(handler.connected(socket));
    }, (error) => {
      if (!signal.aborted) handler.failed(problemOf(networkError(error)));
    });
    return { cancel: () => attempt.abort() };
  }
}

/** @throws SystemError */
function listenOn(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    throw networkError(error);
  }
}

class DenoListener implements Listener {
  readonly port: number;
  readonly #listener: Deno.TcpListener | Deno.UnixListener;
  readonly #handler: ListenerHandler;
  /** Null for TCP. */
  readonly #path: string | null;
  readonly #over: Promise<void>;
  #isClosed = false;
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(
    listener: Deno.TcpListener | Deno.UnixListener,
    handler: ListenerHandler,
    path: string | null,
  ) {
    this.port = listener.addr.transport === "tcp" ? listener.addr.port : 0;
    this.#listener = listener;
    this.#handler = handler;
    this.#path = path;
    this.#over = this.#acceptAll();
  }

  async #acceptAll(): Promise<void> {
    const here = this.#path === null ? null : { hostname: this.#path, port: 0 };
    for (;;) {
      let conn: Deno.TcpConn | Deno.UnixConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#isClosed) return;
        this.#handler.failed(problemOf(networkError(error)));
        await this.#rest();
        if (this.#isClosed) return;
        continue;
      }
      if (this.#isClosed) {
        conn.close();
        return;
      }
      const socket = new DenoSocket(
        conn,
        here ?? conn.localAddr as Deno.NetAddr,
        here ?? conn.remoteAddr as Deno.NetAddr,
        here !== null,
      );
      const handler = this.#handler.accepted(socket);
      if (handler === null) socket.close();
      else socket.serveWith(handler);
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = { timer: setTimeout(resolve, ACCEPT_AGAIN_MS), end: resolve };
    });
  }

  close(): Promise<void> {
    if (this.#isClosed) return this.#over;
    this.#isClosed = true;
    this.#listener.close();
    if (this.#pause !== null) {
      clearTimeout(this.#pause.timer as number);
      this.#pause.end();
    }
    if (this.#path !== null) removeFile(this.#path);
    // Deno gives the address back when the accept under way has ended.
    return this.#over;
  }
}

class DenoSocket implements Socket {
  readonly #conn: Deno.TcpConn | Deno.UnixConn;
  #handler: SocketHandler | null = null;
  #isClosed = false;
  /** A read is under way, or about to be begun. */
  #isReading = false;
  #isPaused = false;
  /** What a read has given while reading was paused, 0 for the end of input; or NOTHING_HELD. */
  #heldCount = NOTHING_HELD;
  /** Bytes that have gone since the last offer. */
  #gone = 0;
  /** `drained` is being called: what is offered in it is sent by the function that calls. */
  #isAsking = false;
  #offered: Uint8Array | null = null;

  constructor(
    conn: Deno.TcpConn | Deno.UnixConn,
    readonly local: Address,
    readonly remote: Address,
    readonly isUnix: boolean,
  ) {
    this.#conn = conn;
  }

  /** Begins to read for this handler. */
  serveWith(handler: SocketHandler): void {
    this.#handler = handler;
    if (this.#isClosed || this.#isPaused) return;
    this.#isReading = true;
    this.#read(handler);
  }

  async #read(handler: SocketHandler): Promise<void> {
    let count = this.#heldCount;
    this.#heldCount = NOTHING_HELD;
    for (;;) {
      if (count === NOTHING_HELD) {
        const space = handler.space(0);
        if (this.#isClosed) return;
        try {
          count = await this.#conn.read(space) ?? 0;
        } catch (error) {
          this.#isReading = false;
          this.#fail(error);
          return;
        }
      }
      if (this.#isClosed) return;
      if (this.#isPaused) {
        this.#heldCount = count;
        break;
      }
      if (count === 0) {
        this.#isReading = false;
        this.#isPaused = true; // there is nothing more to read
        handler.ended();
        return;
      }
      handler.filled(count);
      if (this.#isClosed) return;
      if (this.#isPaused) break;
      count = NOTHING_HELD;
    }
    this.#isReading = false;
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    if (this.#isReading || this.#handler === null) return;
    this.#isReading = true;
    queueMicrotask(this.#readAgain);
  }

  readonly #readAgain = (): void => {
    if (this.#isClosed || this.#isPaused) this.#isReading = false;
    else this.#read(this.#handler!);
  };

  write(bytes: Uint8Array, from: number, to: number): number {
    if (this.#isClosed) return 0;
    const gone = this.#gone;
    this.#gone = 0;
    if (from + gone < to) {
      const rest = bytes.subarray(from + gone, to);
      if (this.#isAsking) this.#offered = rest;
      else this.#send(rest);
    }
    return gone;
  }

  async #send(first: Uint8Array): Promise<void> {
    let bytes: Uint8Array | null = first;
    while (bytes !== null) {
      try {
        this.#gone = await this.#conn.write(bytes);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#isClosed) return;
      this.#offered = null;
      this.#isAsking = true;
      this.#handler!.drained();
      this.#isAsking = false;
      bytes = this.#isClosed ? null : this.#offered;
    }
  }

  setNoDelay(isOn: boolean): void {
    if (this.#isClosed || this.isUnix) return;
    (this.#conn as Deno.TcpConn).setNoDelay(isOn);
  }

  setKeepAlive(isOn: boolean): void {
    if (this.#isClosed || this.isUnix) return;
    (this.#conn as Deno.TcpConn).setKeepAlive(isOn);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Deno closes only once it has called off the read under way. The peer is to hear of the end
    // before anybody else reads the answer to what has caused it.
    if (this.#isReading) this.#conn.closeWrite().catch(() => {});
    try {
      this.#conn.close();
    } catch {
      // Closed already by Deno.
    }
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.close();
    this.#handler?.closed(problemOf(networkError(error)));
  }
}

/** As a SystemError; a host name that nobody knows has no code of its own in Deno. */
function networkError(error: unknown): unknown {
  const found = denoError(error);
  if (found instanceof SystemError || !(found instanceof Error)) return found;
  return /failed to lookup address/.test(found.message)
    ? new SystemError("ENOTFOUND", undefined, { cause: error })
    : found;
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Removed by somebody else.
  }
}
