/**
 * The socket of a link to another server that we have asked for, with promises: a link is a long story told in
 * order (to our master in master_link.ts, for MIGRATE in dispatch/target_link.ts), and reads only as fast as it can
 * use what comes. Between two reads nothing is taken
 * from the socket, so what the master sends meanwhile waits in the system. The stream at the end of the
 * story is read without a promise for each piece.
 */

import type {
  ConnectHandler,
  Network,
  Socket,
  SocketHandler,
  TlsContext,
} from "../runtime/runtime.ts";

/** A connection attempt. */
export interface LinkAttempt {
  /** Rejects with the system's words. Never settles after `cancel`. */
  readonly socket: Promise<LinkSocket>;
  cancel(): void;
}

const NO_ROOM = new Uint8Array(0);

interface Reader {
  readonly space: () => Uint8Array<ArrayBuffer>;
  readonly filled: (count: number) => Promise<void> | void;
  readonly ended: (cause: string | null) => void;
  readonly failed: (error: unknown) => void;
}

export class LinkSocket implements SocketHandler {
  readonly socket: Socket;
  #into: Uint8Array<ArrayBuffer> | null = null;
  #onRead: ((count: number) => void) | null = null;
  #onReadFailed: ((failure: Error) => void) | null = null;
  /** Who reads all that comes. */
  #reader: Reader | null = null;
  /** It has answered a promise: what came before the end of the connection is to be used first. */
  #isDelayed = false;
  #out: Uint8Array | null = null;
  #sent = 0;
  #onSent: (() => void) | null = null;
  #onSendFailed: ((failure: Error) => void) | null = null;
  #hasEnded = false;
  /** Why there is nothing to be had from it any more. */
  #failure: Error | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.pauseReading();
  }

  /** Begins to connect, with TLS if there is a context, from the address `source` if that is not empty. */
  static connect(
    network: Network,
    hostname: string,
    port: number,
    tls: TlsContext | null,
    source = "",
  ): LinkAttempt {
    let attempt: { cancel(): void } | undefined;
    const socket = new Promise<LinkSocket>((resolve, reject) => {
      const handler: ConnectHandler = {
        connected: (socket) => {
          const link = new LinkSocket(socket);
          resolve(link);
          return link;
        },
        failed: (reason) => reject(new Error(reason)),
      };
      attempt = tls === null
        ? network.connectTcp(hostname, port, handler, source)
        : network.connectTls(hostname, port, tls, handler, source);
    });
    return { socket, cancel: () => attempt?.cancel() };
  }

  /**
   * Reads into these bytes, at least one; answers how many have come, 0 at the end of the stream or
   * after `close`. Rejects when the connection is broken. One read at a time.
   */
  read(into: Uint8Array<ArrayBuffer>): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#hasEnded) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      this.#into = into;
      this.#onRead = resolve;
      this.#onReadFailed = reject;
      this.socket.resumeReading();
    });
  }

  /**
   * Reads until the end of the stream, or `close`: each piece into what `space` gives, whereupon
   * `filled` is called. Where that answers a promise, the next piece is read once it has resolved.
   * Resolves with the system's words when the connection is broken, else with null; rejects with what
   * `filled` has thrown.
   */
  readAll(
    space: () => Uint8Array<ArrayBuffer>,
    filled: (count: number) => Promise<void> | void,
  ): Promise<string | null> {
    if (this.#failure !== null) return Promise.resolve(this.#failure.message);
    if (this.#hasEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { space, filled, ended: resolve, failed: reject };
      this.socket.resumeReading();
    });
  }

  /** Sends all of these bytes. Rejects when the connection is broken. One call at a time. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#out = bytes;
      this.#sent = 0;
      this.#onSent = resolve;
      this.#onSendFailed = reject;
      this.drained();
    });
  }

  /** Ends it: reads and writes under way come to an end. May be repeated. */
  close(): void {
    this.socket.close();
    this.ended();
    this.#haveSent();
  }

  #haveRead(count: number): void {
    const onRead = this.#onRead;
    this.#into = this.#onRead = this.#onReadFailed = null;
    onRead?.(count);
  }

  #haveSent(): void {
    const onSent = this.#onSent;
    this.#out = this.#onSent = this.#onSendFailed = null;
    onSent?.();
  }

  // -- SocketHandler -----------------------------------------------------------------------

  space(): Uint8Array<ArrayBuffer> {
    if (this.#reader === null) return this.#into!;
    try {
      return this.#reader.space();
    } catch (error) {
      // There is no memory for what is coming: whoever reads ends the link.
      this.#reader.failed(error);
      this.socket.close();
      return NO_ROOM;
    }
  }

  filled(count: number): void {
    const reader = this.#reader;
    if (reader === null) {
      this.socket.pauseReading();
      this.#haveRead(count);
      return;
    }
    try {
      const delay = reader.filled(count);
      if (delay === undefined) return;
      this.socket.pauseReading();
      this.#isDelayed = true;
      delay.then(() => {
        this.#isDelayed = false;
        if (this.#failure === null) this.socket.resumeReading();
        else reader.ended(this.#failure.message);
      }, reader.failed);
    } catch (error) {
      this.socket.pauseReading();
      reader.failed(error);
    }
  }

  ended(): void {
    this.#hasEnded = true;
    this.#haveRead(0);
    this.#reader?.ended(null);
  }

  drained(): void {
    const bytes = this.#out!;
    this.#sent += this.socket.write(bytes, this.#sent, bytes.length);
    if (this.#sent === bytes.length) this.#haveSent();
  }

  closed(cause: string): void {
    const failure = this.#failure = new Error(cause);
    const onReadFailed = this.#onReadFailed;
    const onSendFailed = this.#onSendFailed;
    this.#onRead =
      this.#onReadFailed =
      this.#onSent =
      this.#onSendFailed =
        null;
    onReadFailed?.(failure);
    if (!this.#isDelayed) this.#reader?.ended(cause);
    onSendFailed?.(failure);
  }
}
