/**
 * Log lines about clients that came to no handshake. Whoever can reach the port can cause them, so there
 * are no more than LINES_MAX in a second; those that are left out are counted.
 */

import type { Log } from "../observe/log.ts";
import type { Timers } from "../runtime/runtime.ts";

const LINES_MAX = 20;
const SECOND_MS = 1_000;

export class HandshakeLog {
  #linesLeft = LINES_MAX;
  #leftOut = 0;
  #isSecondUnderWay = false;

  constructor(readonly log: Log, readonly timers: Timers) {}

  failed(reason: string, address: string, localAddress: string): void {
    if (!this.#isSecondUnderWay) {
      this.#isSecondUnderWay = true;
      this.timers.after(SECOND_MS, () => this.#secondOver());
    }
    if (this.#linesLeft === 0) {
      this.#leftOut++;
      return;
    }
    this.#linesLeft--;
    this.log.warning(
      `Error accepting a client connection: ${reason} (addr=${address} laddr=${localAddress})`,
    );
  }

  #secondOver(): void {
    this.#isSecondUnderWay = false;
    this.#linesLeft = LINES_MAX;
    if (this.#leftOut === 0) return;
    this.log.warning(`Error accepting a client connection: ${this.#leftOut} more of these`);
    this.#leftOut = 0;
  }
}
