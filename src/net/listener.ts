/**
 * Accepting connections: on each address of `bind` and on `unixsocket`. Refuses those that
 * `maxclients` or `protected-mode` do not allow, with Redis's words.
 */

import type { Log } from "../observe/log.ts";

/** A new socket, and who is at its ends. */
export interface Accepted {
  readonly socket: Deno.Conn;
  readonly address: string;
  readonly localAddress: string;
  readonly isUnix: boolean;
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

interface TcpListener {
  readonly hostname: string;
  readonly port: number;
  readonly listener: Deno.Listener;
}

export class Listeners {
  readonly #open = new Set<Deno.Listener>();
  #unixPath: string | null = null;
  #tcp: TcpListener[] = [];
  /** The addresses that `bind` names. */
  #addresses = new Set<string>();

  constructor(
    readonly onAccept: (accepted: Accepted) => void,
    readonly log: Log,
  ) {}

  /**
   * Listens on all addresses of a `bind` value ("*" and "::*" stand for all of a family), and no
   * longer on those of an earlier call. An address with "-" before it may be missing on this machine.
   * Port 0 means no TCP.
   *
   * The runtime's socket for all IPv6 addresses takes IPv4 as well, unless the system says otherwise.
   * So it is opened first and serves what it keeps others from opening; what comes to an address that
   * was not asked for is closed at once. A socket that serves the new addresses too stays open: the
   * runtime gives an address back only after the present turn, too late to listen on it again.
   *
   * @throws Error, after a line in the log, when an address is needed and cannot be had; then all is
   * as before
   */
  openTcp(addresses: readonly string[], port: number): void {
    const wanted = port === 0 ? [] : addresses.map((given) => {
      const isOptional = given.startsWith("-");
      const name = isOptional ? given.slice(1) : given;
      const hostname = name === "*" ? ANY_IPV4 : name === "::*" ? ANY_IPV6 : name;
      return { name, hostname, isOptional };
    }).sort((a, b) => Number(b.hostname === ANY_IPV6) - Number(a.hostname === ANY_IPV6));
    const serving: TcpListener[] = [];
    for (const { name, hostname, isOptional } of wanted) {
      const isThis = (each: TcpListener) => each.hostname === hostname && each.port === port;
      const isForAll = (each: TcpListener) => each.hostname === ANY_IPV6 && each.port === port;
      const present = this.#tcp.find(isThis);
      if (present !== undefined) {
        serving.push(present);
        continue;
      }
      try {
        serving.push({ hostname, port, listener: Deno.listen({ hostname, port }) });
      } catch (error) {
        const forAll = serving.find(isForAll) ?? this.#tcp.find(isForAll);
        if (forAll !== undefined && error instanceof Deno.errors.AddrInUse) {
          if (!serving.includes(forAll)) serving.push(forAll);
          continue;
        }
        if (isOptional && isMissingAddress(error)) continue;
        // Who asks for all addresses is told so, whichever family was tried first.
        const shown = hostname === ANY_IPV6 && addresses.includes("*") ? "*" : name;
        this.log.warning(
          `Warning: Could not create server TCP listening socket ${shown}:${port}: bind: ` +
            reasonOf(error),
        );
        for (const opened of serving) if (!this.#tcp.includes(opened)) opened.listener.close();
        throw new Error(`Failed listening on port ${port} (TCP), aborting.`);
      }
    }
    const before = this.#tcp;
    this.#tcp = serving;
    this.#addresses = new Set(wanted.map(({ hostname }) => hostname));
    for (const each of before) if (!serving.includes(each)) this.#stop(each.listener);
    for (const each of serving) if (!before.includes(each)) this.#start(each.listener);
  }

  /** Listens on a Unix socket, in place of a file that is there. @throws Error when it cannot */
  openUnix(path: string, mode: number): void {
    try {
      Deno.removeSync(path);
    } catch {
      // Nothing there.
    }
    let listener: Deno.UnixListener;
    try {
      listener = Deno.listen({ transport: "unix", path });
      if (mode !== 0) Deno.chmodSync(path, mode);
    } catch (error) {
      throw new Error(`Failed opening Unix socket: bind: ${reasonOf(error)}`);
    }
    this.#unixPath = path;
    this.#start(listener as unknown as Deno.Listener);
  }

  close(): void {
    for (const listener of [...this.#open]) this.#stop(listener);
    this.#tcp = [];
    if (this.#unixPath !== null) {
      try {
        Deno.removeSync(this.#unixPath);
      } catch {
        // Removed by somebody else.
      }
      this.#unixPath = null;
    }
  }

  #stop(listener: Deno.Listener): void {
    this.#open.delete(listener);
    try {
      listener.close();
    } catch {
      // Closed already.
    }
  }

  async #start(listener: Deno.Listener): Promise<void> {
    this.#open.add(listener);
    for (;;) {
      let socket: Deno.Conn;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (!this.#open.has(listener)) return;
        // Out of descriptors and the like: give others time to close, then go on.
        this.log.warning(`Accepting client connection: ${reasonOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      this.#accepted(socket, listener);
    }
  }

  #accepted(socket: Deno.Conn, listener: Deno.Listener): void {
    const { remoteAddr, localAddr } = socket;
    if (localAddr.transport !== "tcp" || remoteAddr.transport !== "tcp") {
      const address = `${this.#unixPath}:0`;
      this.onAccept({ socket, address, localAddress: address, isUnix: true, isLocal: true });
      return;
    }
    const remote = plainAddress(remoteAddr.hostname);
    const local = plainAddress(localAddr.hostname);
    const isForAll = this.#tcp.some((each) =>
      each.listener === listener && each.hostname === ANY_IPV6
    );
    if (isForAll && !this.#isServed(local)) {
      socket.close();
      return;
    }
    this.onAccept({
      socket,
      address: addressText(remote, remoteAddr.port),
      localAddress: addressText(local, localAddr.port),
      isUnix: false,
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

function isMissingAddress(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable ||
    /not available|address family|EAFNOSUPPORT|resolve|lookup/i.test(reasonOf(error));
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\)$/, "");
}
