/**
 * TLS on Deno, by `node:tls`: `Deno.listenTls` takes two thirds of the processor time, but can neither ask
 * for a client's certificate, nor choose versions, nor have idle connections probed (`tcp-keepalive`), nor take
 * other certificates while it listens. The sockets of Node call back as those of Bun do and are served as
 * those are (`Connected`), but for this:
 *
 * - They take all output there is and keep it. Here they are given no more than OUTPUT_MAX before the
 *   system has taken what they have.
 * - They end only when their output has gone, which a peer that does not read can prevent: they are given
 *   ENDING_MAX_MS for that.
 *
 * A connection is accepted as one of TCP, and handed to that `tls.Server` (which itself does not listen)
 * that the present context has: so another context takes over between two connections, and those that
 * there are keep theirs.
 */

import type { Server as TcpServer, Socket as TcpSocket } from "node:net";
import type { ConnectionOptions, Server as TlsServer, TLSSocket } from "node:tls";
import { Connected, type Raw } from "./bun_sockets.ts";
import { nodeNet, nodeTls } from "./builtin_modules.ts";
import { nodeError } from "./node_errors.ts";
import {
  type Address,
  type ConnectHandler,
  HANDSHAKE_MAX_MS,
  type Listener,
  type TlsContext,
  type TlsFiles,
  type TlsListenerHandler,
} from "./runtime.ts";
import { problemOf, SystemError } from "./system_error.ts";
import { isClientOf, readTlsFiles, type TlsTexts } from "./tls_files.ts";
import { shownCertificate, TlsHandshake } from "./tls_handshake.ts";
import { BAD_CERTIFICATE, HANDSHAKE_TIMEOUT, tlsProblem, UNEXPECTED_END } from "./tls_problem.ts";

/** Output that a socket holds at most, in bytes, before the system takes more. */
const OUTPUT_MAX = 64 * 1024;
/** How long a socket that is to end may take to get rid of its output. */
const ENDING_MAX_MS = 5_000;
/** After the address could not be listened on although it was free a moment ago. */
const LISTEN_AGAIN_MS = 100;
/** Connections that may wait to be accepted, as far as the system lets so many. */
const BACKLOG = 511;
/** Certificates of one chain that are looked at. */
const CHAIN_MAX = 10;

export class DenoTlsContext implements TlsContext {
  readonly #texts: TlsTexts;
  /** Servers without an address: one asks clients for certificates, the other does not. */
  readonly #servers = new Map<boolean, TlsServer>();
  /** Handshakes under way, by both ends; a handshake in itself does not know the socket that it makes. */
  readonly #handshakes = new Map<string, ServerEnd>();
  readonly #ofTcp = new WeakMap<TcpSocket, ServerEnd>();

  /** @throws TlsFileError */
  constructor(readonly files: TlsFiles) {
    this.#texts = readTlsFiles(files);
  }

  /** What both `createServer` and `connect` take. */
  get options() {
    const { certificate, key, authorities } = this.#texts;
    const { versions } = this.files;
    return {
      cert: certificate,
      key,
      ca: authorities,
      minVersion: versions.includes("TLSv1.2") ? "TLSv1.2" as const : "TLSv1.3" as const,
      maxVersion: versions.includes("TLSv1.3") ? "TLSv1.3" as const : "TLSv1.2" as const,
      // Who is not authorized is turned away by us, who can say why.
      rejectUnauthorized: false,
    };
  }

  /** Begins a handshake on a connection. */
  begin(end: ServerEnd): void {
    const { tcp, handshake } = end;
    const key = keyOf(handshake.remote, handshake.local);
    this.#handshakes.set(key, end);
    this.#ofTcp.set(tcp, end);
    tcp.on("close", () => {
      if (this.#handshakes.get(key) === end) this.#handshakes.delete(key);
    });
    this.#server(handshake.how.clientCertificates !== "no").emit("connection", tcp);
  }

  #server(asksForCertificate: boolean): TlsServer {
    let server = this.#servers.get(asksForCertificate);
    if (server !== undefined) return server;
    server = nodeTls().createServer({
      ...this.options,
      requestCert: asksForCertificate,
      handshakeTimeout: 2 * HANDSHAKE_MAX_MS, // ours is earlier
    });
    server.on("secureConnection", (socket) => {
      const key = keyOf(...endsOf(socket));
      const end = this.#handshakes.get(key);
      this.#handshakes.delete(key);
      socket.on("error", () => {}); // an error that nobody hears of would end the process
      if (end === undefined) socket.destroy();
      else end.secured(socket);
    });
    server.on("tlsClientError", (error, socket) => {
      // Its address is forgotten by now; but it knows on what it was made.
      const { _parent: tcp } = socket as unknown as { readonly _parent?: TcpSocket };
      if (tcp !== undefined) this.#ofTcp.get(tcp)?.handshake.failed(reasonOf(error));
    });
    this.#servers.set(asksForCertificate, server);
    return server;
  }
}

/** Our end of a connection that a client has made, until its handshake is done. */
class ServerEnd {
  readonly handshake: TlsHandshake;

  constructor(
    readonly tcp: TcpSocket,
    how: TlsHandshake["how"],
    readonly handler: TlsListenerHandler,
    readonly authorities: readonly string[],
  ) {
    const [remote, local] = endsOf(tcp);
    this.handshake = new TlsHandshake(how, handler, remote, local, () => tcp.destroy());
    tcp.on("error", (error) => this.handshake.failed(reasonOf(error)));
    tcp.on("close", () => this.handshake.failed(UNEXPECTED_END));
  }

  /** Node calls it when the handshake is done. */
  secured(socket: TLSSocket): void {
    // A session is taken up again whichever context it began with, and counts as authorized then.
    const isValid = socket.authorized &&
      (!socket.isSessionReused() || isClientOf(chainOf(socket), this.authorities));
    const shown = shownCertificate(socket.getPeerCertificate(), isValid);
    if (!this.handshake.isWelcome(shown)) {
      socket.destroy();
      return;
    }
    const connected = attach(socket);
    connected.commonName = this.handshake.commonName;
    const server = this.handler.accepted(connected);
    if (server === null) connected.close();
    else connected.serveWith(server);
  }
}

/** Listens on an address that has just been found to be free. */
export class DenoTlsListener implements Listener {
  readonly port: number;
  readonly #hostname: string;
  readonly #server: TcpServer;
  readonly #handler: TlsListenerHandler;
  #again: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  /** `address` is an IP address and a port. */
  constructor(address: Address, handler: TlsListenerHandler) {
    this.port = address.port;
    this.#hostname = address.hostname;
    this.#handler = handler;
    const server = this.#server = nodeNet().createServer(
      { noDelay: true }, // and a connection that ends before its handshake is over
      (tcp) => this.#accepted(tcp),
    );
    server.on("error", (error) => {
      if (this.#isClosed) return;
      handler.failed(problemOf(nodeError(error)));
      if (!server.listening) this.#again = setTimeout(() => this.#listen(), LISTEN_AGAIN_MS);
    });
    this.#listen();
  }

  /** By a method without a promise of compatibility where there is one, since `listen` begins later. */
  #listen(): void {
    this.#again = null;
    const server = this.#server as TcpServer & {
      _listen2?(hostname: string, port: number, family: 4 | 6, backlog: number): void;
    };
    if (typeof server._listen2 === "function") {
      const family = this.#hostname.includes(":") ? 6 : 4;
      server._listen2(this.#hostname, this.port, family, BACKLOG);
    } else server.listen({ host: this.#hostname, port: this.port });
  }

  #accepted(tcp: TcpSocket): void {
    const how = this.#isClosed || tcp.remoteAddress === undefined ? null : this.#handler.arrived();
    if (how === null) {
      tcp.on("error", () => {});
      tcp.destroy();
      return;
    }
    const context = how.context as DenoTlsContext;
    context.begin(new ServerEnd(tcp, how, this.#handler, context.options.ca));
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    if (this.#again !== null) clearTimeout(this.#again);
    // Node calls it closed when all its connections have ended; the address is free before.
    this.#server.close();
    return Promise.resolve();
  }
}

/** Begins to connect and to shake hands. */
export function connectTls(
  hostname: string,
  port: number,
  context: DenoTlsContext,
  handler: ConnectHandler,
  source: string,
): { cancel(): void } {
  let isOver = false;
  let attempt: TLSSocket | null = null;
  const connect = (from: string) => {
    const { isIP } = nodeNet();
    let cause: Error | undefined;
    const options: ConnectionOptions = {
      ...context.options,
      host: hostname,
      port,
      servername: isIP(hostname) === 0 ? hostname : "",
      checkServerIdentity: () => undefined,
    };
    if (from !== "") Object.assign(options, { localAddress: from });
    let socket: TLSSocket;
    try {
      socket = attempt = nodeTls().connect(options);
    } catch (error) {
      if (from !== "") return connect(""); // it is no address
      // Nor is whom to connect to: told of as any refusal, once whoever asked has heard what calls it off.
      queueMicrotask(() => {
        if (isOver) return;
        isOver = true;
        handler.failed(reasonOf(error as Error));
      });
      return;
    }
    const timer = setTimeout(() => failed(HANDSHAKE_TIMEOUT), HANDSHAKE_MAX_MS);
    const failed = (reason: string) => {
      clearTimeout(timer);
      if (isOver || attempt !== socket) return;
      socket.destroy();
      // From where it was to begin there is no way: then from anywhere.
      if (from !== "" && socket.localAddress === undefined) return connect("");
      isOver = true;
      handler.failed(reason);
    };
    socket.on("error", (error) => cause = error);
    socket.on("close", () => failed(cause === undefined ? UNEXPECTED_END : reasonOf(cause)));
    socket.on("secureConnect", () => {
      clearTimeout(timer);
      if (isOver) return;
      if (!socket.authorized) return failed(BAD_CERTIFICATE);
      isOver = true;
      socket.removeAllListeners("close");
      const connected = attach(socket);
      connected.serveWith(handler.connected(connected));
    });
  };
  connect(source);
  return {
    cancel() {
      if (isOver) return;
      isOver = true;
      attempt?.destroy();
    },
  };
}

/** What a client has shown: its certificate and those behind it, in DER. */
function chainOf(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && chain.length < CHAIN_MAX) {
    chain.push(certificate.raw);
    const { issuerCertificate } = certificate;
    if (issuerCertificate === certificate || issuerCertificate === undefined) break;
    certificate = issuerCertificate;
  }
  return chain;
}

/** A socket in our shape. From now on what happens to it is told to its handler. */
function attach(socket: TLSSocket): Connected {
  socket.allowHalfOpen = true;
  const connected = new Connected(rawOf(socket), null);
  let cause: Error | undefined;
  socket.on("data", (bytes) => connected.arrived(bytes as Uint8Array<ArrayBuffer>));
  socket.on("end", () => connected.ended());
  socket.on("drain", () => connected.drained());
  socket.on("error", (error) => cause = asReset(error));
  socket.on("close", () => connected.closed(cause));
  return connected;
}

function rawOf(socket: TLSSocket): Raw {
  const [remote, local] = endsOf(socket);
  return {
    data: undefined,
    localAddress: local.hostname,
    localPort: local.port,
    remoteAddress: remote.hostname,
    remotePort: remote.port,
    write(bytes, from, count) {
      const taken = Math.min(count, OUTPUT_MAX - socket.writableLength);
      if (taken <= 0) return 0;
      socket.write(bytes.slice(from, from + taken));
      return taken;
    },
    end() {
      socket.destroySoon();
      const timer = setTimeout(() => socket.destroy(), ENDING_MAX_MS);
      socket.on("close", () => clearTimeout(timer));
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    setNoDelay(isOn) {
      socket.setNoDelay(isOn);
      return true;
    },
    setKeepAlive(isOn) {
      socket.setKeepAlive(isOn);
      return true;
    },
  };
}

/** The other end and ours. */
function endsOf(socket: TcpSocket): [remote: Address, local: Address] {
  return [
    { hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    { hostname: socket.localAddress ?? "", port: socket.localPort ?? 0 },
  ];
}

function keyOf(remote: Address, local: Address): string {
  return `${remote.hostname} ${remote.port} ${local.hostname} ${local.port}`;
}

/** The words for an error before the handshake is done. */
function reasonOf(error: Error): string {
  if (error.message === "socket hang up") return UNEXPECTED_END;
  const found = nodeError(error);
  return found instanceof SystemError ? found.message : tlsProblem(error);
}

/** An error of a connection, with a code that has words of the system. */
function asReset(error: Error): Error {
  return nodeError(error) instanceof SystemError
    ? error
    : new SystemError("EIO", tlsProblem(error));
}
