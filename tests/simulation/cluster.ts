/**
 * A master and two replicas in a simulated world, with what is known of them: who follows whom, and
 * which writes have been confirmed by whom.
 */

import { World } from "../../src/runtime/simulated.ts";
import { Random } from "../support/random.ts";
import type { OldReplicas } from "./old_replicas.ts";
import { LinkError, SimulatedClient } from "./simulated_client.ts";
import { PORT, SimulatedServer } from "./simulated_server.ts";
import type { Reply } from "../support/reply_parser.ts";

export const NAMES = ["alpha", "beta", "gamma"];

/** A write that the master has answered, and perhaps all that followed it at the time have confirmed. */
export interface Confirmed {
  readonly value: string;
  /** Who has it in memory, as far as it is known. */
  readonly holders: Set<string>;
  /** Who has it on disk. */
  readonly durableOn: Set<string>;
}

export class Cluster {
  readonly world: World;
  readonly servers = new Map<string, SimulatedServer>();
  /** Who is the master. Writers write to it. */
  master = NAMES[0];
  /** Whom each is to follow. */
  readonly follows = new Map<string, string | null>();
  /** Replicas of older versions, if there are any. */
  old: OldReplicas | null = null;
  /** Whether all have append-only files. */
  hasAof = false;
  /** Whether what is answered is on the disk: `appendfsync always`. */
  syncsAlways = false;
  /** Grows whenever something happens that makes what a master says of its replicas doubtful. */
  epoch = 0;
  readonly confirmed = new Map<string, Confirmed>();
  /** What was done, for a failure's report. */
  readonly steps: string[] = [];
  readonly #director;

  constructor(readonly random: Random) {
    this.world = new World(random.draw);
    this.#director = this.world.machine("director").start();
  }

  add(name: string, directives: readonly string[]): void {
    const machine = this.world.machine(name, {
      clockOffsetMs: this.random.between(-1_500, 1_500),
      lookMs: this.random.pick([0, 0.005, 0.02]),
    });
    this.servers.set(name, new SimulatedServer(machine, directives));
  }

  server(name: string): SimulatedServer {
    return this.servers.get(name)!;
  }

  /** Notes a step for the report. */
  note(text: string): void {
    this.steps.push(`${(this.world.nowMs / 1000).toFixed(3)} ${text}`);
    this.world.note("scenario", text);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#director.timers.after(ms, resolve));
  }

  connect(name: string): Promise<SimulatedClient> {
    return SimulatedClient.connect(this.#director, name, PORT);
  }

  /** Sends one command over a connection of its own; null when no reply has come. */
  async ask(name: string, ...words: string[]): Promise<Reply | null> {
    try {
      const client = await this.connect(name);
      const reply = await client.call(...words);
      client.close();
      return reply;
    } catch (error) {
      if (error instanceof LinkError) return null;
      throw error;
    }
  }

  /** The others, and among them those that follow `name` directly. */
  othersThan(name: string): string[] {
    return NAMES.filter((other) => other !== name);
  }

  replicasOf(name: string): string[] {
    return NAMES.filter((other) => this.follows.get(other) === name);
  }

  /** Whether these, and nobody else, follow a server now: it is they whom WAIT counts. */
  isFollowedBy(name: string, replicas: readonly string[]): boolean {
    const master = this.server(name).ready;
    if (master === null || replicas.length === 0) return false;
    const oldCount = this.old?.attachedTo(name) ?? 0;
    if (master.replication.master.count !== replicas.length + oldCount) return false;
    return replicas.every((replica) => {
      const following = this.server(replica).ready?.replication.replica;
      // FAILOVER names it by its address.
      const isIts = [name, this.server(name).machine.ip].includes(following?.masterHost ?? "");
      return isIts && following!.isLinkUp;
    });
  }

  /** Starts a server as what it is to be. */
  start(name: string): void {
    const master = this.follows.get(name) ?? null;
    this.note(`${name} starts, ${master === null ? "as master" : `follows ${master}`}`);
    const server = this.server(name);
    // A server that cannot read its folder refuses to start, and rightly so.
    Object.assign(server.machine.disk.faults, { read: 0, write: 0, sync: 0, names: 0 });
    server.machine.disk.capacityBytes = Infinity;
    // It may also have ended by itself.
    this.lost(name);
    if (name === this.master) this.promoted(name);
    server.start(...(master === null ? [] : [`replicaof ${master} ${PORT}`]));
  }

  /** A server's memory is gone, and if it has lost its power, all of its disk that was not synced. */
  lost(name: string): void {
    this.epoch++;
    for (const { holders, durableOn } of this.confirmed.values()) {
      if (!durableOn.has(name)) holders.delete(name);
    }
  }

  /** From now on `name` is the master: what it has not, is lost, and may be. */
  promoted(name: string): void {
    this.epoch++;
    this.master = name;
    this.follows.set(name, null);
    for (const [key, { holders }] of this.confirmed) {
      if (!holders.has(name)) this.confirmed.delete(key);
    }
  }
}
