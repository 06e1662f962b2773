/**
 * The few parts of Bun that are used here, as types: the project is checked by Deno, which does not
 * know them.
 */

/** What Bun calls about a socket; each is given the socket. */
export interface BunSocketCallbacks<Data> {
  open?(socket: BunSocket<Data>): void;
  /** `bytes` may be kept: nobody else uses them. */
  data?(socket: BunSocket<Data>, bytes: Uint8Array<ArrayBuffer>): void;
  /** The peer has shut down its sending side. */
  end?(socket: BunSocket<Data>): void;
  drain?(socket: BunSocket<Data>): void;
  /** Also after an end of our own making. `error` is there when the connection was broken. */
  close?(socket: BunSocket<Data>, error?: Error): void;
  /** A TLS handshake is done, or has failed with `error` where it is not `isDone`. */
  handshake?(socket: BunSocket<Data>, isDone: boolean, error: Error | null): void;
  /** One of the other callbacks has thrown this. */
  error?(socket: BunSocket<Data>, error: Error): void;
  connectError?(socket: BunSocket<Data>, error: Error): void;
}

export interface BunSocket<Data> {
  data: Data;
  readonly localAddress: string;
  readonly localPort: number;
  /** Undefined when the peer is gone already. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  /** Answers how many have been taken; -1 when it is closed. */
  write(bytes: Uint8Array, from: number, count: number): number;
  /** Closes; what `write` has taken still goes out. Calls `close` before it returns. */
  end(): void;
  pause(): void;
  resume(): void;
  setNoDelay(isOn: boolean): boolean;
  setKeepAlive(isOn: boolean): boolean;
}

/** A socket that TLS can be put on, or has been. */
export interface BunSecureSocket<Data> extends BunSocket<Data> {
  /** Whether the peer has shown a certificate that is valid. */
  readonly authorized: boolean;
  /** Closes both directions; what `write` has taken still goes out. (`end` leaves that of input open.) */
  close(): void;
  /** What the peer has shown; undefined or empty if nothing. */
  getPeerCertificate(): { readonly subject?: { readonly CN?: string | string[] } } | undefined;
  /** Begins a handshake; the second socket of the answer is the one to use from then on. */
  upgradeTLS<Other>(options: {
    readonly tls: BunTlsOptions;
    readonly isServer: boolean;
    readonly allowHalfOpen: boolean;
    readonly data: Other;
    readonly socket: BunSocketCallbacks<Other>;
  }): [BunSocket<Data>, BunSecureSocket<Other>];
}

export interface BunTlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly ca: readonly string[];
  readonly requestCert?: boolean;
  readonly rejectUnauthorized: boolean;
  /** For a server that has certificates for several names. */
  readonly serverName?: string;
  /** Bits of OpenSSL's SSL_OP_…. */
  readonly secureOptions?: number;
}

export interface BunListener {
  readonly port: number;
  /** Stops accepting; with `true` also ends what has been accepted. */
  stop(closesAll?: boolean): void;
}

export interface BunApi {
  readonly version: string;
  /** Collects: at once and all, or soon and in the background. */
  gc(isThorough: boolean): void;
  listen<Data>(options: {
    readonly hostname?: string;
    readonly port?: number;
    readonly unix?: string;
    readonly allowHalfOpen: boolean;
    readonly socket: BunSocketCallbacks<Data>;
  }): BunListener;
  connect<Data>(options: {
    readonly hostname: string;
    readonly port: number;
    readonly allowHalfOpen: boolean;
    /** The address to connect from. */
    readonly localAddress?: string;
    readonly socket: BunSocketCallbacks<Data>;
  }): Promise<BunSocket<Data>>;
}

/** Bun itself. Only to be called where the program runs on it. */
export function bun(): BunApi {
  return (globalThis as unknown as { readonly Bun: BunApi }).Bun;
}
