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
  return /^::ffff:[0-9.]+$/i.test(hostname) ? hostname.slice(7) : hostname;
}

const ANY_IPV4 = "0.0.0.0";
const ANY_IPV6 = "::";

export class Listeners {
  readonly #open: Deno.Listener[] = [];
  #unixPath: string | null = null;
  /** The IPv4 addresses that `bind` names. */
  #ipv4 = new Set<string>();

  constructor(
    readonly onAccept: (accepted: Accepted) => void,
    readonly log: Log,
  ) {}

  /**
   * Listens on all addresses of a `bind` value ("*" and "::*" stand for all of a family). An address
   * with "-" before it may be missing on this machine. Port 0 means no TCP.
   *
   * The runtime's socket for all IPv6 addresses takes IPv4 as well, unless the system says
   * otherwise. So it is opened first, and what comes to an IPv4 address that was not asked for is
   * closed at once.
   *
   * @throws Error, after a line in the log, when an address is needed and cannot be had
   */
  openTcp(addresses: readonly string[], port: number): void {
    this.#ipv4 = new Set();
    if (port === 0) return;
    const wanted = addresses.map((given) => {
      const isOptional = given.startsWith("-");
      const name = isOptional ? given.slice(1) : given;
      const hostname = name === "*" ? ANY_IPV4 : name === "::*" ? ANY_IPV6 : name;
      return { name, hostname, isOptional };
    }).sort((a, b) => Number(b.hostname === ANY_IPV6) - Number(a.hostname === ANY_IPV6));
    const opened: Deno.Listener[] = [];
    let takesAll = false;
    for (const { name, hostname, isOptional } of wanted) {
      const isIpv4 = !hostname.includes(":");
      if (isIpv4) this.#ipv4.add(hostname === "localhost" ? "127.0.0.1" : hostname);
      try {
        opened.push(Deno.listen({ hostname, port, transport: "tcp" }));
        if (hostname === ANY_IPV6) takesAll = true;
      } catch (error) {
        if (takesAll && error instanceof Deno.errors.AddrInUse) continue;
        if (isOptional && isMissingAddress(error)) continue;
        // Who asks for all addresses is told so, whichever family was tried first.
        const shown = hostname === ANY_IPV6 && addresses.includes("*") ? "*" : name;
        this.log.warning(
          `Warning: Could not create server TCP listening socket ${shown}:${port}: bind: ` +
            reasonOf(error),
        );
        for (const listener of opened) listener.close();
        throw new Error(`Failed listening on port ${port} (TCP), aborting.`);
      }
    }
    for (const listener of opened) this.#start(listener);
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
    for (const listener of this.#open) {
      try {
        listener.close();
      } catch {
        // Closed already.
      }
    }
    this.#open.length = 0;
    if (this.#unixPath !== null) {
      try {
        Deno.removeSync(this.#unixPath);
      } catch {
        // Removed by somebody else.
      }
      this.#unixPath = null;
    }
  }

  /** Closes the TCP listeners only: CONFIG SET port or bind. */
  closeTcp(): void {
    for (let i = this.#open.length - 1; i >= 0; i--) {
      if (this.#open[i].addr.transport !== "tcp") continue;
      this.#open[i].close();
      this.#open.splice(i, 1);
    }
  }

  async #start(listener: Deno.Listener): Promise<void> {
    this.#open.push(listener);
    for (;;) {
      let socket: Deno.Conn;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (!this.#open.includes(listener)) return;
        // Out of descriptors and the like: give others time to close, then go on.
        this.log.warning(`Accepting client connection: ${reasonOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      this.#accepted(socket);
    }
  }

  #accepted(socket: Deno.Conn): void {
    const { remoteAddr, localAddr } = socket;
    if (localAddr.transport !== "tcp" || remoteAddr.transport !== "tcp") {
      const address = `${this.#unixPath}:0`;
      this.onAccept({ socket, address, localAddress: address, isUnix: true, isLocal: true });
      return;
    }
    const remote = plainAddress(remoteAddr.hostname);
    const local = plainAddress(localAddr.hostname);
    if (local !== localAddr.hostname && !this.#ipv4.has(ANY_IPV4) && !this.#ipv4.has(local)) {
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
}

function isMissingAddress(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable ||
    /not available|address family|EAFNOSUPPORT|resolve|lookup/i.test(reasonOf(error));
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\)$/, "");
}
