/** Users of simulated sockets for tests: they keep what comes, and send as much as they are told to. */

import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import type { ConnectHandler, Socket, SocketHandler } from "../../src/runtime/runtime.ts";
import type { SimulatedSocket } from "../../src/runtime/simulated/network.ts";

/**
 * One end of a connection: sends all of what it is given, keeps what comes and what becomes of it. Each
 * character of a text is a byte.
 */
export class Peer implements SocketHandler, ConnectHandler {
  socket: Socket | null = null;
  received = "";
  hasEnded = false;
  /** Why the connection broke or did not come about. */
  cause: string | null = null;
  /** What happened, in order: "connected", "filled 3", "drained" … */
  readonly calls: string[] = [];
  readonly #space: Uint8Array<ArrayBuffer>;
  #output = new Uint8Array(0);
  #sent = 0;
  #isFull = false;

  /** `spaceBytes` is how much it has room for at a time. */
  constructor(spaceBytes = 1000, readonly onText: (text: string, peer: Peer) => void = () => {}) {
    this.#space = new Uint8Array(spaceBytes);
  }

  connected(socket: Socket): SocketHandler {
    this.calls.push("connected");
    this.socket = socket;
    this.#push();
    return this;
  }

  failed(reason: string): void {
    this.calls.push("failed");
    this.cause = reason;
  }

  space(): Uint8Array<ArrayBuffer> {
    return this.#space;
  }

  filled(count: number): void {
    this.calls.push(`filled ${count}`);
    const text = toLatin1(this.#space, 0, count);
    this.received += text;
    this.onText(text, this);
  }

  ended(): void {
    this.calls.push("ended");
    this.hasEnded = true;
  }

  drained(): void {
    this.calls.push("drained");
    this.#isFull = false;
    this.#push();
  }

  closed(cause: string): void {
    this.calls.push("closed");
    this.cause = cause;
  }

  /** Bytes that the socket has not taken yet. */
  get waitingBytes(): number {
    return this.#output.length - this.#sent;
  }

  /** Sends a text; what the socket does not take at once, later. */
  send(text: string): void {
    if (this.#isFull) {
      // What has been offered has to stay in its place.
      this.#next += text;
      return;
    }
    this.#output = latin1(text);
    this.#sent = 0;
    this.#push();
  }

  #next = "";

  #push(): void {
    if (this.socket === null) return;
    while (this.#sent < this.#output.length) {
      this.#sent += this.socket.write(this.#output, this.#sent, this.#output.length);
      this.#isFull = this.#sent < this.#output.length;
      if (this.#isFull) return;
    }
    if (this.#next === "") {
      if (this.#endsWhenSent) this.endSending();
      return;
    }
    const text = this.#next;
    this.#next = "";
    this.send(text);
  }

  /** Shuts down the sending side only, once all has been taken. */
  endSending(): void {
    if (this.waitingBytes > 0) this.#endsWhenSent = true;
    else (this.socket as SimulatedSocket).endSending();
  }

  #endsWhenSent = false;
}
