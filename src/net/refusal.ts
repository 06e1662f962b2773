/** A connection that is told why it is not served, and closed. */

import type { Socket, SocketHandler } from "../runtime/runtime.ts";

const NO_SPACE = new Uint8Array(0);

export class Refusal implements SocketHandler {
  readonly #socket: Socket;
  readonly #text: Uint8Array<ArrayBuffer>;
  #at = 0;

  /** Sends a line, RESP with its end, and closes when it has gone. */
  constructor(socket: Socket, line: string) {
    this.#socket = socket;
    this.#text = new TextEncoder().encode(line);
    socket.pauseReading();
    this.drained();
  }

  drained(): void {
    this.#at += this.#socket.write(this.#text, this.#at, this.#text.length);
    if (this.#at === this.#text.length) this.#socket.close();
  }

  // Nothing is read, and with the end of the connection nothing is left to do.
  space(): Uint8Array<ArrayBuffer> {
    return NO_SPACE;
  }
  filled(): void {}
  ended(): void {}
  closed(): void {}
}
