/**
 * Replicas of older versions beside a simulated cluster: which there are, what happens to them meanwhile, and how they
 * have to end. All of it is drawn from a sequence of its own, so that seeds without them go as ever.
 *
 * At the end each holds what its master holds, key by key with its time, or the master has said by name what it cannot
 * be given; and none has been sent a word or a form that its version does not know.
 */

import { Random } from "../support/random.ts";
import { type Cluster, NAMES } from "./cluster.ts";
import { OldReplica } from "./old_replica.ts";
import { OldVersion } from "./old_version.ts";
import { readNowIn } from "./read_now.ts";
import { PORT } from "./simulated_server.ts";

const PROBABILITY = 0.3;
const VERSIONS = [
  "2.6.17",
  "2.8.24",
  "3.0.7",
  "3.2.13",
  "4.0.14",
  "5.0.14",
  "6.2.14",
  "7.0.15",
];
/** How seldom the load has what the versions here cannot hold: streams, fields that expire. */
const UNSAYABLE = 0.1;
/** Virtual time within which they have to hold the same, once nothing goes wrong any more. */
const SAME_WITHIN_MS = 120_000;

/** Virtual time between two looks at whether they hold the same. */
const WATCH_MS = 500;

/** Directives that say from where on values are kept in other forms. */
const ENCODINGS = /^(hash|zset|set|list)-max-/;

/** Commands for what came with 5.0 and with 7.4, or later. */
const STREAMS = /^x/i;
const FIELD_TIMES = /^(h(p?expire(at)?|persist|getex|setex|getdel))$/i;

export class OldReplicas {
  readonly all: OldReplica[] = [];
  /** Whether the load has what they cannot be given. */
  readonly hasUnsayable: boolean;
  isStopping = false;
  readonly #random: Random;

  constructor(readonly cluster: Cluster, seed: number) {
    const random = this.#random = new Random(seed ^ 0x6f6c64);
    const count = random.chance(PROBABILITY) ? random.pick([1, 1, 1, 2]) : 0;
    for (let i = 0; i < count; i++) {
      const machine = cluster.world.machine(`old${i}`, {
        clockOffsetMs: random.between(-1_500, 1_500),
      });
      const version = new OldVersion(random.pick(VERSIONS));
      this.all.push(new OldReplica(machine, version, cluster.master));
    }
    this.hasUnsayable = random.chance(UNSAYABLE);
  }

  /**
   * Whether a command is left out of the load. Nothing is translated for a 7.0 as long as it reads our snapshots, and a
   * server that follows another cannot ask it what it knows: so there are no times of fields where one is.
   */
  leavesOut(name: string): boolean {
    const { all } = this;
    if (FIELD_TIMES.test(name) && all.some(({ version }) => version.is("7.0.0"))) return true;
    if (all.length === 0 || this.hasUnsayable) return false;
    return FIELD_TIMES.test(name) ||
      (STREAMS.test(name) && all.some(({ version }) => !version.is("5.0.0")));
  }

  /** Starts them, and has them live through what is drawn until `isStopping`. */
  start(): void {
    for (const old of this.all) {
      // What a score of -0 becomes hangs on the form in which a sorted set is kept: it is to be the same everywhere.
      const { directives } = this.cluster.server(this.cluster.master);
      old.directives.push(...directives.filter((line) => ENCODINGS.test(line)));
      old.follows = this.cluster.master;
      this.cluster.note(`${old.name} is a redis ${old.version.text} and follows ${old.follows}`);
      old.start();
      this.#live(old);
      this.#watch(old);
    }
  }

  /** Whenever one has all there is it holds what its master holds; what has come wrong may be deleted before the end. */
  async #watch(old: OldReplica): Promise<void> {
    while (!this.isStopping) {
      await this.cluster.sleep(WATCH_MS);
      if (old.faults.length > 0 || !this.#isCaughtUp(old) || this.#differing(old).length === 0) {
        continue;
      }
      old.faults.push(`it differs ${this.cluster.world.nowMs} ms on: ${this.#differences(old)}`);
    }
  }

  async #live(old: OldReplica): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    for (;;) {
      await cluster.sleep(random.pick([50, 500, 1_000, 3_000]));
      if (this.isStopping) return;
      await this.#something(old);
    }
  }

  async #something(old: OldReplica): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const roll = random.below(100);
    if (roll < 45) {
      cluster.note(`connections of ${old.name} are cut`);
      cluster.world.network.cut(old.machine);
    } else if (roll < 60) {
      cluster.note(`nothing passes between ${old.name} and ${old.follows}`);
      const peer = cluster.server(old.follows).machine;
      cluster.world.network.partition(peer, old.machine);
      if (random.chance(0.5)) cluster.world.network.partition(old.machine, peer);
      await cluster.sleep(random.pick([100, 2_000, 12_000]));
      cluster.world.network.heal(old.machine);
    } else if (roll < 70) {
      this.#follow(old, random.chance(0.6) ? cluster.master : random.pick(NAMES));
    } else if (roll < 80) this.#restart(old);
  }

  #follow(old: OldReplica, name: string): void {
    if (old.follows === name) return;
    this.cluster.note(`${old.name} is told to follow ${name}`);
    old.follow(name);
  }

  #restart(old: OldReplica): void {
    this.cluster.note(`${old.name} is started again`);
    if (this.#random.chance(0.5)) old.machine.crash();
    else old.machine.kill();
    old.start();
  }

  /** What each has gone through. */
  get summaries(): string[] {
    return this.all.map(({ version, upCount, partialCount, commandCount, isUp }) =>
      `redis ${version.text}: ${upCount} links, ${partialCount} of them partial, ` +
      `${commandCount} commands${isUp ? "" : ", refused in the end"}`
    );
  }

  // -- what a master knows of them ---------------------------------------------------------------

  /** How many are attached to a server. */
  attachedTo(name: string): number {
    const attached = this.cluster.server(name).ready?.replication.master.attachedReplicas() ?? [];
    return this.all.filter((old) => attached.some((replica) => replica.name === addressOf(old)))
      .length;
  }

  /** Which of their links have come as far as the stream, each by its number: one that has come since may have been counted. */
  get links(): string {
    return this.all.map(({ upCount }) => upCount).join(" ");
  }

  /** The links that a server counts in WAIT, each with its number: two looks can be compared. */
  countedBy(name: string): string[] {
    return this.all.filter((old) => old.acknowledges && old.link!.master === name)
      .map((old) => `${old.name} ${old.upCount}`);
  }

  /** Those that were counted for a write have it. @throws Error for the first that has not */
  assertHave(counted: readonly string[], database: string, key: string, value: string): void {
    for (const old of this.all) {
      if (!counted.includes(`${old.name} ${old.upCount}`) || !old.acknowledges) continue;
      // What has come is counted before 4.0, and may be a part of a transaction still.
      if (old.queue !== null || old.text !== "") continue;
      const core = old.server.ready!;
      const text = readNowIn(core, Number(database), "GET", key);
      if (text === value) continue;
      throw new Error(`${old.name} was counted for ${key} ${value} and has ${text}`);
    }
  }

  // -- how it ends -------------------------------------------------------------------------------

  /** Nothing happens to them any more; they follow the master. */
  mend(): void {
    this.isStopping = true;
    for (const old of this.all) {
      if (!old.server.isRunning) old.start();
      this.#follow(old, this.cluster.master);
    }
  }

  /** @throws Error where one does not end as it has to */
  async compare(): Promise<void> {
    const { cluster } = this;
    const untilMs = cluster.world.nowMs + SAME_WITHIN_MS;
    for (const old of this.all) {
      while (!this.#isSame(old) && !this.#isRefusedByName(old)) {
        this.#assertNoFaults(old);
        if (cluster.world.nowMs > untilMs) {
          throw new Error(`${old.name} (${old.version.text}) differs: ${this.#differences(old)}`);
        }
        await cluster.sleep(500);
      }
      this.#assertNoFaults(old);
    }
  }

  #assertNoFaults({ faults, name }: OldReplica): void {
    if (faults.length > 0) {
      throw new Error(`${name} was sent what it may not be sent: ${faults[0]}`);
    }
  }

  /** Whether it holds what its master holds, and its master knows that. */
  #isSame(old: OldReplica): boolean {
    if (this.cluster.server(old.follows).ready === null || !old.isUp) return false;
    return (!old.acknowledges || this.#isCaughtUp(old)) && this.#differing(old).length === 0;
  }

  /** Whether its master knows that it has all there is. */
  #isCaughtUp(old: OldReplica): boolean {
    const master = this.cluster.server(old.follows).ready;
    if (master === null || !old.acknowledges || old.queue !== null || old.text !== "") return false;
    const { offset } = master.replication;
    const known = master.replication.master.attachedReplicas()
      .find(({ name }) => name === addressOf(old));
    return known?.ackOffset === offset;
  }

  #differing(old: OldReplica): string[] {
    const theirs = old.server.contents();
    const ours = this.cluster.server(old.follows).contents();
    return [...new Set([...theirs.keys(), ...ours.keys()])]
      .filter((key) => comparable(theirs.get(key)) !== comparable(ours.get(key)));
  }

  #differences(old: OldReplica): string {
    const master = this.cluster.server(old.follows);
    const differing = old.server.ready === null ? [] : this.#differing(old);
    const contents = [master, old.server].map((server) => server.contents());
    const shown = differing.slice(0, 10).map((key) =>
      `${key}: ${contents.map((each) => each.get(key) ?? "not there").join(" | ")}`
    );
    const known = master.ready?.replication.master.attachedReplicas();
    return `${differing.length} keys, up ${old.isUp}, last answer ${old.lastAnswer}, offset ` +
      `${old.link?.offset}, attached to ${master.ready?.replication.offset}: ` +
      `${JSON.stringify(known)}\n${shown.join("\n")}`;
  }

  /** Whether its master refuses it what its version cannot hold, and says so. */
  #isRefusedByName(old: OldReplica): boolean {
    if (old.isUp || !this.hasUnsayable) return false;
    const { logLines } = this.cluster.server(old.follows);
    const unread = `Replica ${addressOf(old)} leaves whenever it has the snapshot`;
    const unheld = /no older version can be sent: RDB version \d+ cannot hold .*"/;
    if (old.refusedCount >= 2) {
      return logLines.some((line) => line.includes(unread) && unheld.test(line));
    }
    const refusal = /^-(?:ERR|NOMASTERLINK) (.*)$/.exec(old.lastAnswer)?.[1];
    if (refusal === undefined) return false;
    const told = `Replica ${
      addressOf(old)
    } is refused, as it cannot have all of the data: ${refusal}`;
    return /\bkey "|"/.test(refusal) && logLines.some((line) => line.includes(told));
  }
}

/** What a server has of a key; times too far away to be a number are not told apart. */
function comparable(content = "not there"): string {
  return content.replace(/, \d{17,}$/, ", far away");
}

function addressOf({ machine }: OldReplica): string {
  return `${machine.ip}:${PORT}`;
}
