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
export function addressText(address: Deno.Addr): string {
  if (address.transport !== "tcp") return "";
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether an IP address is a loopback one, also in its IPv4-in-IPv6 form. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.toLowerCase().replace(/^::ffff:/, "");
  return bare === "::1" || bare.startsWith("127.");
}

export class Listeners {
  readonly #open: Deno.Listener[] = [];
  #unixPath: string | null = null;

  constructor(
    readonly onAccept: (accepted: Accepted) => void,
    readonly log: Log,
  ) {}

  /**
   * Listens on all addresses of a `bind` value. An address with "-" before it may be missing on
   * this machine. Port 0 means no TCP. @throws when an address is needed and cannot be had
   */
  openTcp(addresses: readonly string[], port: number): void {
    if (port === 0) return;
    const opened: Deno.Listener[] = [];
    try {
      for (const given of addresses) {
        const isOptional = given.startsWith("-");
        const name = isOptional ? given.slice(1) : given;
        const hostname = name === "*" ? "0.0.0.0" : name;
        try {
          opened.push(Deno.listen({ hostname, port, transport: "tcp" }));
        } catch (error) {
          // Where "::" takes IPv4 as well, the address is served already.
          if (isOptional && (isMissingAddress(error) || opened.length > 0)) continue;
          this.log.warning(
            `Warning: Could not create server TCP listening socket ${name}:${port}: ${
              reasonOf(error)
            }`,
          );
          throw error;
        }
      }
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
    for (const listener of opened) this.#start(listener);
  }

  openUnix(path: string, mode: number): void {
    try {
      if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
    } catch {
      // Nothing there.
    }
    const listener = Deno.listen({ transport: "unix", path });
    this.#unixPath = path;
    if (mode !== 0) Deno.chmodSync(path, mode);
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
      const { remoteAddr, localAddr } = socket;
      const isUnix = localAddr.transport !== "tcp";
      this.onAccept({
        socket,
        address: isUnix ? `${this.#unixPath}:0` : addressText(remoteAddr),
        localAddress: isUnix ? `${this.#unixPath}:0` : addressText(localAddr),
        isUnix,
        isLocal: isUnix || isLoopback((remoteAddr as Deno.NetAddr).hostname),
      });
    }
  }
}

function isMissingAddress(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable ||
    /not available|address family|EAFNOSUPPORT|resolve|lookup/i.test(reasonOf(error));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
