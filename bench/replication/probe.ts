/** Clients that ask a server about every millisecond and note how long each answer took. */

import { Client, encodeCommand, ErrorReply } from "../compare/client.ts";
import type { RunningServer } from "../compare/servers.ts";
import type { ProbeSample } from "./figures.ts";
import { pause } from "./replica_set.ts";

const PAUSE_MS = 1;

/** One probing connection. An error reply counts as an answer: what is looked for is silence. */
export class Probe {
  #server: RunningServer;
  #client: Client;
  #commands: Uint8Array[];
  #next = 0;
  #stopped = false;

  private constructor(server: RunningServer, client: Client, commands: Uint8Array[]) {
    this.#server = server;
    this.#client = client;
    this.#commands = commands;
  }

  /** Connects to `server`; `commands` are sent in turn. */
  static async open(server: RunningServer, commands: string[][]): Promise<Probe> {
    const encoder = new TextEncoder();
    // Encoded beforehand: the less the probe itself allocates, the less its own pauses show.
    const encoded = commands.map((words) => encoder.encode(encodeCommand(...words)));
    return new Probe(server, await Client.connect(server.port), encoded);
  }

  /** Probes until `stop`. */
  watch(): Promise<ProbeSample> {
    this.#stopped = false;
    const watching = this.#server.guard("probing", this.#watch());
    watching.catch(() => {}); // whoever started it looks at it later, and then sees the failure
    return watching;
  }

  async #watch(): Promise<ProbeSample> {
    const sentAtMs: number[] = [];
    const latenciesMs: number[] = [];
    let refused = 0;
    while (!this.#stopped) {
      const command = this.#commands[this.#next++ % this.#commands.length];
      const sentAt = performance.now();
      try {
        await this.#client.exchange(command);
      } catch (error) {
        if (!(error instanceof ErrorReply)) throw error;
        refused++;
      }
      sentAtMs.push(sentAt);
      latenciesMs.push(performance.now() - sentAt);
      await pause(PAUSE_MS);
    }
    return { sentAtMs, latenciesMs, refused };
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#client.close();
  }
}
