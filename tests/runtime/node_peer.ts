/** The other end of a connection by node:net and node:tls, which Deno and Bun both have. */

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Certificates } from "../support/certificates.ts";
import type { Peer } from "./network_suite.ts";

/** Connects to a port of 127.0.0.1. */
export function connectNodePeer(port: number): Promise<Peer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => resolve(new NodePeer(socket)));
  });
}

/** Connects to a port of 127.0.0.1 with TLS, showing this certificate, or none. */
export async function connectTlsPeer(
  port: number,
  certificates: Certificates,
  shown: string | null = "client",
): Promise<Peer> {
  const below = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const socket = connectTls({
    socket: below,
    ca: certificates.read("ca.crt") as never,
    ...shown === null ? {} : {
      cert: certificates.read(`${shown}.crt`) as never,
      key: certificates.read(`${shown}.key`) as never,
    },
    checkServerIdentity: () => undefined,
  });
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("secureConnect", resolve);
  });
  return new NodePeer(socket);
}

class NodePeer implements Peer {
  readonly #socket: Socket;
  #received = "";
  #hasEnded = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.removeAllListeners("error");
    socket.on("data", (bytes: Uint8Array) => this.#received += textOf(bytes));
    socket.on("end", () => this.#hasEnded = true);
    socket.on("error", () => this.#hasEnded = true);
    socket.on("close", () => this.#hasEnded = true);
  }

  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  received(): string {
    return this.#received;
  }

  hasEnded(): boolean {
    return this.#hasEnded;
  }

  endSending(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return text;
}
