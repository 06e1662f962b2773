/**
 * Accepting connections: on each address of `bind`, at `port` and (with TLS) at `tls-port`, and on
 * `unixsocket`. Who comes by an address that
 * was not asked for is closed at once; whom `maxclients` and `protected-mode` let in is for the server
 * to say.
 */

import type { Log } from "../observe/log.ts";
import type {
  Listener,
  Runtime,
  ServerHandshake,
  Socket,
  SocketHandler,
} from "../runtime/runtime.ts";
import { isSystemError, problemOf } from "../runtime/system_error.ts";

/** A new socket, and who is at its ends. */
export interface Accepted {
  readonly socket: Socket;
  readonly address: string;
  readonly localAddress: string;
  /** Whether the peer is on this machine. */
  readonly isLocal: boolean;
}

/** "host:port", with brackets around IPv6. */
export function addressText(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether an IP address is this machine's own, as protected mode counts it. */
export function isLoopback(hostname: string): boolean {
  return hostname === "127.0.0.1" || hostname === "::1";
}

/**
 * An IPv4 address that a socket for both families shows in IPv6 ("::ffff:127.0.0.1"), as itself;
 * other addresses as they are.
 */
export function plainAddress(hostname: string): string {
  return /^::ffff:\d+(\.\d+){3}$/i.test(hostname) ? hostname.slice(7) : hostname;
}

const ANY_IPV4 = "0.0.0.0";
const ANY_IPV6 = "::";
/** How soon addresses are tried again that could not be had when all others were given up for them. */
const AGAIN_MS = 1000;

/** Where to listen; 0 for not at all. */
export interface Ports {
  readonly plain: number;
  readonly tls: number;
}

/** Who is asked about connections, and told of them. */
export interface ListenersOwner {
  /** Who is to serve a connection; null has it closed. */
  accept(accepted: Accepted): SocketHandler | null;
  /** How to shake hands with a client that comes to `tls-port`; null has it closed. */
  handshake(): ServerHandshake | null;
  /** A handshake has failed. */
  handshakeFailed(reason: string, address: string, localAddress: string): void;
}

/** An address as `bind` names it, and as the runtime does, with a port. */
interface WantedAddress {
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  /** It may be missing on this machine. */
  readonly isOptional: boolean;
}

interface TcpListener {
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly listener: Listener;
}

export class Listeners {
  readonly #runtime: Runtime;
  readonly #owner: ListenersOwner;
  readonly #log: Log;
  /** Handshakes that are under way: connections that are no clients yet. */
  handshakes = 0;
  #tcp: TcpListener[] = [];
  #unix: Listener | null = null;
  /** Closed, but their addresses are not free yet. */
  readonly #closing = new Set<Promise<void>>();
  /** The addresses that `bind` names. */
  #addresses = new Set<string>();
  /** Counts calls of `openTcp` and `close`: what is under way for an earlier one is given up. */
  #changes = 0;

  constructor(runtime: Runtime, owner: ListenersOwner, log: Log) {
    this.#runtime = runtime;
    this.#owner = owner;
    this.#log = log;
  }

  /**
   * Listens on all addresses of a `bind` value ("*" and "::*" stand for all of a family), and no
   * longer on those of an earlier call. An address with "-" before it may be missing on this machine.
   *
   * The runtime's socket for all IPv6 addresses takes IPv4 as well, unless the system says otherwise.
   * So it is opened first and serves what it keeps others from opening; what comes to an address that
   * was not asked for is closed at once. What a socket of an earlier call keeps from being opened is
   * opened once that has been closed, which is after the present turn: nothing that is no longer asked
   * for stays open.
   *
   * @throws Error, after a line in the log, when an address is needed and cannot be had; then all is
   * as before
   */
  openTcp(addresses: readonly string[], ports: Ports): void {
    const wanted = [
      ...wantedAddresses(addresses, ports.plain, false),
      ...wantedAddresses(addresses, ports.tls, true),
    ];
    const serving: TcpListener[] = [];
    const later: WantedAddress[] = [];
    const isBlocked = this.#closing.size > 0 ||
      this.#tcp.some((each) =>
        wanted.some(({ port }) => each.port === port) &&
        !wanted.some((address) => isSame(each, address))
      );
    for (const address of wanted) {
      const present = this.#tcp.find((each) => isSame(each, address));
      if (present !== undefined) {
        serving.push(present);
        continue;
      }
      try {
        let opened: TcpListener | null;
        try {
          opened = this.#open(address, serving);
        } catch (error) {
          if (!isBlocked || !isSystemError(error, "EADDRINUSE")) throw error;
          this.#tryOut(address);
          later.push(address);
          continue;
        }
        if (opened !== null) serving.push(opened);
      } catch (error) {
        this.#warn(address, addresses, error);
        for (const opened of serving) if (!this.#tcp.includes(opened)) this.#stop(opened.listener);
        const kind = address.isTls ? "TLS" : "TCP";
        throw new Error(`Failed listening on port ${address.port} (${kind}), aborting.`);
      }
    }
    const before = this.#tcp;
    this.#tcp = serving;
    this.#addresses = new Set(wanted.map(({ hostname }) => hostname));
    for (const each of before) if (!serving.includes(each)) this.#stop(each.listener);
    this.#changes++;
    if (later.length > 0) this.#openLater(later, before, addresses);
  }

  /** Opens an address, unless it is missing and may be, or is served by one of `serving`: null. */
  #open(wanted: WantedAddress, serving: readonly TcpListener[]): TcpListener | null {
    const { hostname, port, isTls, isOptional } = wanted;
    try {
      return { hostname, port, isTls, listener: this.#listen(hostname, port, isTls) };
    } catch (error) {
      if (isOptional && isMissingAddress(error)) return null;
      const isServed = isSystemError(error, "EADDRINUSE") &&
        serving.some((each) => isSame(each, { ...wanted, hostname: ANY_IPV6 }));
      if (isServed) return null;
      throw error;
    }
  }

  #listen(hostname: string, port: number, isTls: boolean): Listener {
    const { network } = this.#runtime;
    let listener: Listener; // nothing is accepted before it is there
    const failed = (reason: string) => this.#failed(reason);
    const accepted = (socket: Socket) => this.#accepted(socket, listener);
    if (!isTls) {
      listener = network.listenTcp(hostname, port, { accepted, failed });
      return listener;
    }
    listener = network.listenTls(hostname, port, {
      arrived: () => {
        const how = this.#owner.handshake();
        if (how !== null) this.handshakes++;
        return how;
      },
      accepted: (socket) => {
        this.handshakes--;
        return this.#accepted(socket, listener);
      },
      handshakeFailed: (reason, remote, local) => {
        this.handshakes--;
        const [address, localAddress] = [remote, local].map(plainText);
        this.#owner.handshakeFailed(reason, address, localAddress);
      },
      failed,
    });
    return listener;
  }

  /** Makes sure that a port of this address could be listened on. @throws SystemError */
  #tryOut({ hostname, isOptional }: WantedAddress): void {
    try {
      this.#stop(this.#listen(hostname, 0, false));
    } catch (error) {
      if (!isOptional || !isMissingAddress(error)) throw error;
    }
  }

  /**
   * Opens what listeners that are being closed have kept from being opened. Where that fails (somebody
   * else has the address), what was served before and still may be is served again; if that is
   * nothing, the addresses are tried again after a while.
   */
  async #openLater(
    later: readonly WantedAddress[],
    before: readonly TcpListener[],
    addresses: readonly string[],
  ): Promise<void> {
    const change = this.#changes;
    await Promise.all(this.#closing);
    if (change !== this.#changes) return;
    let hasFailed = false;
    for (const address of later) {
      try {
        const opened = this.#open(address, this.#tcp);
        if (opened !== null) this.#tcp.push(opened);
      } catch (error) {
        hasFailed = true;
        this.#warn(address, addresses, error);
      }
    }
    if (!hasFailed) return;
    for (const { hostname, port, isTls } of before) {
      const isOpen = this.#tcp.some((each) => isSame(each, { hostname, port, isTls }));
      if (isOpen || !this.#isServed(hostname)) continue;
      try {
        const listener = this.#listen(hostname, port, isTls);
        this.#tcp.push({ hostname, port, isTls, listener });
      } catch {
        // Served by what has been opened, or gone to somebody else.
      }
    }
    if (this.#tcp.length > 0) return;
    this.#runtime.timers.after(AGAIN_MS, () => {
      if (change === this.#changes) this.#openLater(later, before, addresses);
    });
  }

  #warn(
    { name, hostname, port, isTls }: WantedAddress,
    addresses: readonly string[],
    error: unknown,
  ): void {
    // Who asks for all addresses is told so, whichever family was tried first.
    const shown = hostname === ANY_IPV6 && addresses.includes("*") ? "*" : name;
    const step = isSystemError(error, "ENOTFOUND") ? "" : "bind: ";
    this.#log.warning(
      `Warning: Could not create server ${
        isTls ? "TLS" : "TCP"
      } listening socket ${shown}:${port}: ${step}` +
        problemOf(error),
    );
  }

  /** Listens on a Unix socket, in place of a file that is there. @throws Error when it cannot */
  openUnix(path: string, mode: number): void {
    try {
      this.#runtime.files.remove(path);
    } catch {
      // Nothing there.
    }
    try {
      this.#unix = this.#runtime.network.listenUnix(path, mode, {
        accepted: (socket) => this.#acceptedUnix(socket),
        failed: (reason) => this.#failed(reason),
      });
    } catch (error) {
      throw new Error(`Failed opening Unix socket: bind: ${problemOf(error)}`);
    }
  }

  /** Listens no more. Resolves when all addresses are free again. */
  async close(): Promise<void> {
    this.#changes++;
    for (const { listener } of this.#tcp) this.#stop(listener);
    this.#tcp = [];
    if (this.#unix !== null) this.#stop(this.#unix);
    this.#unix = null;
    await Promise.all(this.#closing);
  }

  #stop(listener: Listener): void {
    const closing = listener.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #failed(reason: string): void {
    this.#log.warning(`Accepting client connection: ${reason}`);
  }

  #acceptedUnix(socket: Socket): SocketHandler | null {
    const address = `${socket.remote.hostname}:0`;
    return this.#owner.accept({ socket, address, localAddress: address, isLocal: true });
  }

  #accepted(socket: Socket, listener: Listener): SocketHandler | null {
    const remote = plainAddress(socket.remote.hostname);
    const local = plainAddress(socket.local.hostname);
    const isForAll = this.#tcp.some((each) =>
      each.listener === listener && each.hostname === ANY_IPV6
    );
    if (isForAll && !this.#isServed(local)) return null;
    return this.#owner.accept({
      socket,
      address: plainText(socket.remote),
      localAddress: plainText(socket.local),
      isLocal: isLoopback(remote),
    });
  }

  /** Whether `bind` names this address of ours, or all of its family. */
  #isServed(address: string): boolean {
    return this.#addresses.has(address) ||
      this.#addresses.has(address.includes(":") ? ANY_IPV6 : ANY_IPV4) ||
      (address === "127.0.0.1" && this.#addresses.has("localhost"));
  }
}

/** Whether both are the same place to listen at. */
function isSame(
  one: Pick<TcpListener, "hostname" | "port" | "isTls">,
  other: Pick<TcpListener, "hostname" | "port" | "isTls">,
): boolean {
  return one.hostname === other.hostname && one.port === other.port && one.isTls === other.isTls;
}

/** An address in text, as CLIENT LIST has it. */
function plainText({ hostname, port }: { hostname: string; port: number }): string {
  return addressText(plainAddress(hostname), port);
}

/** The addresses of a `bind` value with a port that is not 0; that of all IPv6 addresses comes first. */
function wantedAddresses(
  addresses: readonly string[],
  port: number,
  isTls: boolean,
): WantedAddress[] {
  if (port === 0) return [];
  return addresses.map((given) => {
    const isOptional = given.startsWith("-");
    const name = isOptional ? given.slice(1) : given;
    const hostname = name === "*" ? ANY_IPV4 : name === "::*" ? ANY_IPV6 : name;
    return { name, hostname, port, isTls, isOptional };
  }).sort((a, b) => Number(b.hostname === ANY_IPV6) - Number(a.hostname === ANY_IPV6));
}

function isMissingAddress(error: unknown): boolean {
  return isSystemError(error, "EADDRNOTAVAIL") || isSystemError(error, "EAFNOSUPPORT") ||
    isSystemError(error, "ENOTFOUND");
}
