/** Clients that ask a server about every millisecond and note how long each answer took. */

import { Client, encodeCommand, ErrorReply } from "../compare/client.ts";
import type { RunningServer } from "../compare/servers.ts";
import type { ProbeSample } from "./figures.ts";
import { pause } from "./replica_set.ts";

const PAUSE_MS = 1;

/** How long probes run before it counts, so that their own code is warm. */
const WARM_UP_MS = 500;

/** What is probed: servers, and for each the commands that are sent in turn. */
export type ProbeTargets = readonly (readonly [RunningServer, string[][]])[];

/** Probes of several servers that watch at the same times. */
export class Probes {
  readonly #probes: Probe[] = [];

  private constructor() {}

  /** Connects to all targets and lets them answer for a while. */
  static async open(targets: ProbeTargets): Promise<Probes> {
    const probes = new Probes();
    try {
      for (const [server, commands] of targets) {
        probes.#probes.push(await Probe.open(server, commands));
      }
      await probes.during(() => pause(WARM_UP_MS));
    } catch (error) {
      probes.close();
      throw error;
    }
    return probes;
  }

  /** Probes while `work` runs: what was seen of each target, in their order, and what `work` gave. */
  async during<T>(work: () => Promise<T>): Promise<{ seen: ProbeSample[]; result: T }> {
    const watching = this.#probes.map((probe) => probe.watch());
    try {
      const result = await work();
      for (const probe of this.#probes) probe.stop();
      return { seen: await Promise.all(watching), result };
    } finally {
      for (const probe of this.#probes) probe.stop();
    }
  }

  close(): void {
    for (const probe of this.#probes) probe.close();
  }
}

/** Opens probes, lets them watch while `work` runs, and closes them; see `Probes.during`. */
export async function probed<T>(
  targets: ProbeTargets,
  work: () => Promise<T>,
): Promise<{ seen: ProbeSample[]; result: T }> {
  const probes = await Probes.open(targets);
  try {
    return await probes.during(work);
  } finally {
    probes.close();
  }
}

/** One probing connection. An error reply counts as an answer: what is looked for is silence. */
class Probe {
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
