/**
 * What happens to a simulated cluster, drawn from a seed: links are cut, machines crash, disks fill up,
 * replicas are promoted, while clients write and look. Then everything is mended, and within bounded
 * virtual time all servers have to hold the same.
 *
 * A failure says what was done, what happened last, what each server logged, and how to have all of it
 * again.
 */

import { Random } from "../support/random.ts";
import { Cluster, type Confirmed, NAMES } from "./cluster.ts";
import { OldReplicas } from "./old_replicas.ts";
import { LinkError } from "./simulated_client.ts";
import { PausedPromotion } from "./paused_promotion.ts";
import { PORT } from "./simulated_server.ts";
import { Workload } from "./workload.ts";

/** Virtual time within which everything is in step once nothing goes wrong any more. */
const MENDED_WITHIN_MS = 120_000;
/** Virtual time of the whole, beyond which the scenario itself must be stuck. */
const SCENARIO_MS = 600_000;

/** What came of a seed that was passed. */
export interface Outcome {
  readonly seed: number;
  /** Of all events; the same whenever the seed is run. */
  readonly hash: string;
  readonly eventCount: number;
  readonly virtualMs: number;
  readonly writeCount: number;
  readonly confirmedCount: number;
  readonly lookCount: number;
  /** What each replica of an older version has gone through. */
  readonly old: readonly string[];
  readonly steps: readonly string[];
}

/** Runs the scenario of a seed. @throws Error with the whole report */
export async function runScenario(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const cluster = new Cluster(random);
  const { world } = cluster;
  cluster.old = new OldReplicas(cluster, seed);
  const workload = new Workload(cluster, seed);
  const scenario = new Scenario(cluster, workload, seed);
  let isOver = false;
  try {
    scenario.play().then(() => isOver = true);
    const servers = [...cluster.servers.values(), ...cluster.old!.all.map(({ server }) => server)];
    await world.until(() => {
      // After each event, and there are fifty thousand.
      for (let i = 0; i < servers.length; i++) {
        const { name, failure } = servers[i];
        if (failure !== null) throw new Error(`${name} could not start: ${failure}`);
      }
      return isOver;
    }, SCENARIO_MS);
  } catch (cause) {
    throw new Error(report(seed, cluster, cause), { cause });
  }
  const { hash, count } = world.schedule.record;
  return {
    seed,
    hash,
    eventCount: count,
    virtualMs: world.nowMs,
    writeCount: workload.writeCount,
    confirmedCount: workload.confirmedCount,
    lookCount: workload.lookCount,
    old: cluster.old!.summaries,
    steps: cluster.steps,
  };
}

function report(seed: number, cluster: Cluster, cause: unknown): string {
  const parts = [
    `seed ${seed}: ${cause instanceof Error ? cause.stack : cause}`,
    "-- steps",
    ...cluster.steps,
    "-- last events",
    ...cluster.world.schedule.record.last(60),
  ];
  const old = cluster.old!.all.map(({ server }) => server);
  for (const { name, logLines } of [...cluster.servers.values(), ...old]) {
    parts.push(`-- log of ${name}`, ...logLines.slice(-60));
  }
  parts.push(`-- again: deno task simulate --seed ${seed}`);
  return parts.join("\n");
}

class Scenario {
  readonly #random: Random;

  constructor(readonly cluster: Cluster, readonly workload: Workload, readonly seed: number) {
    this.#random = cluster.random;
  }

  async play(): Promise<void> {
    const { cluster, workload } = this;
    const random = this.#random;
    this.#setUp();
    await this.#allReady();
    cluster.old!.start();
    workload.start();
    await cluster.sleep(random.between(0, 3_000));
    const paused = new PausedPromotion(this.seed);
    for (let left = random.between(4, 9); left > 0; left--) {
      await (paused.isDue ? this.#promotePaused(paused) : this.#something());
      await cluster.sleep(random.pick([0, 50, 500, 2_000, 4_000]));
    }
    await this.#mend();
  }

  #setUp(): void {
    const { cluster } = this;
    const random = this.#random;
    const isChain = random.chance(0.4);
    const directives = [
      `repl-diskless-sync ${random.pick(["yes", "no"])}`,
      `repl-diskless-load ${random.pick(["disabled", "swapdb", "on-empty-db"])}`,
      "repl-diskless-sync-delay 0",
      `repl-backlog-size ${random.pick(["16kb", "64kb", "4mb"])}`,
      `repl-timeout ${random.pick(["5", "10", "60"])}`,
      `repl-ping-replica-period ${random.pick(["1", "3"])}`,
      `save ${random.pick(['""', "1 1", "3 50"])}`,
      `rdbcompression ${random.pick(["yes", "no"])}`,
      `hash-max-listpack-entries ${random.pick(["4", "128"])}`,
      `zset-max-listpack-entries ${random.pick(["4", "128"])}`,
      `set-max-intset-entries ${random.pick(["4", "512"])}`,
      `list-max-listpack-size ${random.pick(["3", "-2"])}`,
      `rdb-key-save-delay ${random.pick(["0", "0", "200"])}`,
      `key-load-delay ${random.pick(["0", "0", "200"])}`,
      `replica-serve-stale-data ${random.pick(["yes", "yes", "no"])}`,
      `repl-backlog-spill-size ${random.pick(["32mb", "1kb"])}`,
      `repl-max-concurrent-full-syncs ${random.pick(["0", "0", "1"])}`,
      `undo-window ${random.pick(["0", "60"])}`,
    ];
    if (random.chance(0.4)) {
      cluster.hasAof = true;
      const sync = random.pick(["always", "everysec", "no"]);
      cluster.syncsAlways = sync === "always";
      directives.push(
        "appendonly yes",
        `appendfsync ${sync}`,
        `aof-use-rdb-preamble ${random.pick(["yes", "no"])}`,
        "auto-aof-rewrite-min-size 3kb",
        // A power cut may take anything off the end that was not synced.
        "aof-load-corrupt-tail-max-size 1gb",
      );
    }
    if (random.chance(0.15)) directives.push("maxmemory 1500kb", "maxmemory-policy volatile-ttl");
    if (random.chance(0.15)) {
      directives.push("min-replicas-to-write 1", "min-replicas-max-lag 2");
    }
    const { network } = cluster.world;
    network.latencyMs = random.pick([[0.05, 1], [0.05, 1], [0.5, 10], [20, 60]] as const);
    network.bufferBytes = random.pick([[1_024, 65_536], [256, 2_048]] as const);
    // Where the longest command takes longer than the limit's second, no link would ever last.
    const isSlow = network.latencyMs[1] > 1;
    if (random.chance(0.2) && !isSlow) {
      directives.push("client-output-buffer-limit replica 48kb 24kb 1");
    }
    for (const name of NAMES) cluster.add(name, directives);
    cluster.note([...directives, `${network.latencyMs} ms on the way`].join("; "));
    cluster.follows.set(NAMES[0], null);
    cluster.follows.set(NAMES[1], NAMES[0]);
    cluster.follows.set(NAMES[2], isChain ? NAMES[1] : NAMES[0]);
    for (const name of random.shuffle([...NAMES])) cluster.start(name);
  }

  async #allReady(): Promise<void> {
    const { cluster } = this;
    while (!NAMES.every((name) => cluster.server(name).ready !== null)) await cluster.sleep(10);
  }

  // -- what goes wrong -----------------------------------------------------------------------

  async #something(): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const name = random.pick(NAMES);
    const isMaster = name === cluster.master;
    const roll = random.below(100);
    if (roll < 12) this.#cut(name);
    else if (roll < 24) await this.#partition(name);
    else if (roll < 34) await this.#masterLeftAlone();
    else if (roll < 48) await (isMaster ? this.#masterDies() : this.#dies(name));
    else if (roll < 53) await this.#promote(random.pick(cluster.othersThan(cluster.master)));
    else if (roll < 57) await this.#failOver();
    else if (roll < 65) await this.#turn();
    else if (roll < 78) await this.#diskTrouble(name);
    else if (roll < 86) await this.#save(name);
    else if (roll < 92) {
      cluster.note("the master closes its links to replicas");
      await cluster.ask(cluster.master, "CLIENT", "KILL", "TYPE", "replica");
    } else await this.#inStepForOnce();
  }

  #cut(name: string): void {
    const { cluster } = this;
    const { machine } = cluster.server(name);
    const other = this.#random.chance(0.5)
      ? cluster.server(this.#random.pick(cluster.othersThan(name))).machine
      : undefined;
    cluster.note(`connections of ${name}${other ? ` and ${other.name}` : ""} are cut`);
    cluster.world.network.cut(machine, other);
  }

  async #partition(name: string): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const { network } = cluster.world;
    const { machine } = cluster.server(name);
    const others = random.chance(0.5)
      ? [random.pick(cluster.othersThan(name))]
      : cluster.othersThan(name);
    const ways = random.pick(["to", "from", "both"]);
    cluster.note(`nothing passes, ${ways} ways, between ${name} and ${others}`);
    for (const other of others) {
      const peer = cluster.server(other).machine;
      if (ways !== "from") network.partition(machine, peer);
      if (ways !== "to") network.partition(peer, machine);
    }
    await cluster.sleep(random.pick([100, 1_000, 4_000, 12_000]));
    if (random.chance(0.3)) await this.#something();
    cluster.note("the network is whole again");
    network.heal();
  }

  /** The master goes on without its replicas, one of which takes its place behind its back. */
  async #masterLeftAlone(): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const { network } = cluster.world;
    const old = cluster.master;
    const { machine } = cluster.server(old);
    const isDeaf = random.chance(0.5);
    cluster.note(`nothing of ${old} comes to the others${isDeaf ? ", nor of theirs to it" : ""}`);
    for (const name of cluster.othersThan(old)) {
      const peer = cluster.server(name).machine;
      network.partition(machine, peer);
      if (isDeaf) network.partition(peer, machine);
    }
    await cluster.sleep(random.pick([100, 1_000, 6_000]));
    await this.#promote(random.pick(cluster.othersThan(old)));
    await cluster.sleep(random.pick([0, 1_000]));
    cluster.note("the network is whole again");
    network.heal();
  }

  /** A server stops in one of several ways. */
  async #stop(name: string): Promise<void> {
    const { cluster } = this;
    const server = cluster.server(name);
    if (!server.isRunning) return;
    const random = this.#random;
    if (random.chance(0.25)) {
      cluster.note(`${name} saves in the background`);
      await cluster.ask(name, "BGSAVE");
      await cluster.sleep(random.draw() * 10);
    }
    const how = random.pick(["crash", "crash", "kill", "save", "nosave"] as const);
    cluster.note(`${name} stops: ${how}`);
    if (how === "crash") server.machine.crash();
    else if (how === "kill") server.machine.kill();
    else await this.#shutDown(name, how);
    cluster.lost(name);
  }

  /** As a service manager does it: what has not ended in time is killed. */
  async #shutDown(name: string, how: "save" | "nosave"): Promise<void> {
    const { cluster } = this;
    const { machine } = cluster.server(name);
    const holding = this.#confirmedBy(name);
    cluster.epoch++;
    await cluster.ask(name, "SHUTDOWN", how.toUpperCase());
    for (let i = 0; i < 150 && machine.isRunning; i++) await cluster.sleep(100);
    if (machine.isRunning) {
      cluster.note(`${name} is killed`);
      machine.kill();
    } else if (how === "save" && machine.process?.exitCode === 0) {
      for (const { durableOn } of holding) durableOn.add(name);
    }
  }

  async #dies(name: string): Promise<void> {
    const { cluster } = this;
    await this.#stop(name);
    await cluster.sleep(this.#random.pick([10, 500, 3_000, 8_000]));
    if (!cluster.server(name).isRunning) cluster.start(name);
  }

  /** Another one takes its place, or it comes back with what it has saved. */
  async #masterDies(): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const old = cluster.master;
    if (random.chance(0.3)) await this.#save(old);
    await this.#stop(old);
    await cluster.sleep(random.pick([10, 500, 3_000]));
    if (random.chance(0.6)) {
      await this.#promote(random.pick(cluster.othersThan(old)));
      await cluster.sleep(random.pick([10, 500, 3_000]));
    }
    // Else what only memory held is lost, and its replicas will follow it in that.
    if (cluster.master === old) {
      cluster.note(`${old} is to be the master again, with what it has saved`);
    }
    if (!cluster.server(old).isRunning) cluster.start(old);
  }

  async #promote(name: string): Promise<void> {
    const { cluster } = this;
    if (cluster.server(name).ready === null) return;
    cluster.note(`${name} becomes the master`);
    const reply = await cluster.ask(name, "REPLICAOF", "NO", "ONE");
    if (reply?.kind !== "status") {
      cluster.note(`... or not: ${JSON.stringify(reply)}`);
      cluster.epoch++;
      // It may have been done all the same: the mending tells it whom to follow.
      return;
    }
    cluster.promoted(name);
    await this.#turn();
  }

  /** A replica that carries nothing out for a while takes the place of the master. */
  async #promotePaused(paused: PausedPromotion): Promise<void> {
    const { cluster, workload } = this;
    const name = paused.random.pick(cluster.replicasOf(cluster.master));
    cluster.note(`${name} is paused`);
    await paused.prepare(cluster, name, () => workload.writeOneConfirmed());
    await this.#promote(name);
    await cluster.ask(name, "CLIENT", "UNPAUSE");
  }

  /** The master hands its role over by itself; where that does not work it stays what it was. */
  async #failOver(): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const old = cluster.master;
    const to = random.pick(cluster.othersThan(old));
    const { ip } = cluster.server(to).machine;
    cluster.note(`${old} is to hand over to ${to}`);
    cluster.epoch++;
    const timeout = random.pick(["200", "2000"]);
    await cluster.ask(old, "FAILOVER", "TO", ip, String(PORT), "TIMEOUT", timeout);
    for (let i = 0; i < 100; i++) {
      const core = cluster.server(old).ready;
      if (core === null || core.replication.failover.state === "no-failover") break;
      await cluster.sleep(50);
    }
    const [before, after] = [old, to].map((name) => cluster.server(name).ready?.replication);
    if (before?.isReplica && after?.isReplica === false) {
      cluster.note(`${old} has handed over`);
      cluster.follows.set(old, to);
      cluster.promoted(to);
      if (random.chance(0.5)) await this.#turn();
      return;
    }
    cluster.note(`${old} has not handed over`);
    await cluster.ask(old, "FAILOVER", "ABORT");
    await cluster.ask(old, "REPLICAOF", "NO", "ONE");
    await this.#turn();
  }

  /** The others are told to follow the master, directly or one by way of the other. */
  async #turn(): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const [one, other] = random.shuffle(cluster.othersThan(cluster.master));
    cluster.epoch++;
    cluster.follows.set(one, cluster.master);
    cluster.follows.set(other, random.chance(0.4) ? one : cluster.master);
    for (const name of random.shuffle([one, other])) await this.#tellToFollow(name);
  }

  async #tellToFollow(name: string): Promise<void> {
    const { cluster } = this;
    const master = cluster.follows.get(name)!;
    cluster.note(`${name} is told to follow ${master}`);
    if (cluster.server(name).isRunning) {
      await cluster.ask(name, "REPLICAOF", master, String(PORT));
    }
  }

  async #diskTrouble(name: string): Promise<void> {
    const { cluster } = this;
    const random = this.#random;
    const { disk } = cluster.server(name).machine;
    // One that cannot make its files when it has loaded them refuses to start, and rightly so.
    if (cluster.hasAof && cluster.server(name).ready === null) return;
    switch (random.below(3)) {
      case 0:
        cluster.note(`the disk of ${name} is full`);
        disk.capacityBytes = disk.usedBytes + random.pick([0, 100, 5_000]);
        break;
      case 1:
        cluster.note(`the disk of ${name} fails`);
        disk.faults[random.pick(["write", "sync", "names"] as const)] = random.pick([0.3, 1]);
        break;
      default:
        cluster.note(`the disk of ${name} is slow`);
        disk.delayMs = [10, 300];
    }
    if (random.chance(0.6)) await cluster.ask(name, "BGSAVE");
    await cluster.sleep(random.pick([200, 2_000, 6_000]));
    if (random.chance(0.4)) await this.#something();
    cluster.note(`the disk of ${name} is well again`);
    this.#repair(name);
  }

  #repair(name: string): void {
    const { disk } = this.cluster.server(name).machine;
    disk.capacityBytes = Infinity;
    disk.delayMs = [0.05, 1];
    Object.assign(disk.faults, { read: 0, write: 0, sync: 0, names: 0 });
  }

  /** A save that was answered with OK has brought to the disk what was confirmed before it. */
  async #save(name: string): Promise<void> {
    const { cluster } = this;
    const holding = this.#confirmedBy(name);
    const { epoch } = cluster;
    const reply = await cluster.ask(name, "SAVE");
    cluster.note(`${name} saves: ${JSON.stringify(reply)}`);
    if (reply?.kind !== "status" || cluster.epoch !== epoch) return;
    // With an append-only file nobody will look at the snapshot.
    if (cluster.hasAof && !(await this.#isInAof(name))) return;
    if (cluster.epoch !== epoch) return;
    for (const { durableOn } of holding) durableOn.add(name);
  }

  /** Whether a server, a master, has all that came before this on its disk. */
  async #isInAof(name: string): Promise<boolean> {
    const { cluster } = this;
    try {
      const client = await cluster.connect(name);
      await client.call("INCR", "marker");
      const reply = await client.call("WAITAOF", "1", "0", "3000");
      client.close();
      return reply.kind === "array" && reply.items[0].kind === "integer" &&
        Number(reply.items[0].value) === 1;
    } catch (error) {
      if (error instanceof LinkError) return false;
      throw error;
    }
  }

  /** What this server is known to have, as of now. */
  #confirmedBy(name: string): Confirmed[] {
    return [...this.cluster.confirmed.values()].filter(({ holders }) => holders.has(name));
  }

  /** Waits for a moment in which all are in step, if there is one, and notes what that means. */
  async #inStepForOnce(): Promise<void> {
    const { cluster } = this;
    const { epoch } = cluster;
    const before = [...cluster.confirmed.values()];
    for (let i = 0; i < 500; i++) {
      if (this.#isInStep()) {
        if (cluster.epoch !== epoch) return;
        cluster.note("all are in step");
        for (const { holders } of before) for (const name of NAMES) holders.add(name);
        return;
      }
      await cluster.sleep(10);
    }
  }

  // -- how it ends -----------------------------------------------------------------------------

  #isInStep(): boolean {
    const { cluster } = this;
    const master = cluster.server(cluster.master).ready;
    if (master === null || master.replication.isReplica) return false;
    return NAMES.every((name) => {
      const server = cluster.server(name).ready;
      if (server === null) return false;
      const { replication } = server;
      if (replication.offset !== master.replication.offset) return false;
      return name === cluster.master || replication.replica.isLinkUp;
    });
  }

  async #mend(): Promise<void> {
    const { cluster, workload } = this;
    cluster.note("everything is mended");
    cluster.world.network.heal();
    cluster.old!.mend();
    for (const name of NAMES) {
      this.#repair(name);
      if (!cluster.server(name).isRunning) cluster.start(name);
    }
    await this.#allReady();
    await cluster.sleep(500);
    workload.isStopping = true;
    const deadlineMs = cluster.world.nowMs + MENDED_WITHIN_MS;
    while (workload.runningCount > 0 || !this.#isInStep()) {
      if (cluster.world.nowMs > deadlineMs) throw new Error("the servers do not come into step");
      await this.#helpAsAPersonWould();
      await cluster.sleep(100);
    }
    await this.#compare();
    await cluster.old!.compare();
  }

  /**
   * What needs a person, as in Redis. Who has not heard whom it is to follow (a server that loads
   * refuses to be told) hears it again, and so does a replica that guards its data against an empty
   * master. A server whose last save has failed, and which refuses writes and replicas until one
   * succeeds, is told to save.
   */
  async #helpAsAPersonWould(): Promise<void> {
    const { cluster } = this;
    for (const name of NAMES) {
      const server = cluster.server(name).ready;
      if (server === null) continue;
      const { isReplica, replica } = server.replication;
      const master = cluster.follows.get(name) ?? null;
      if (master === null) {
        if (isReplica) await cluster.ask(name, "REPLICAOF", "NO", "ONE");
      } else if (!isReplica || replica.masterHost !== master || replica.isGuarded) {
        await this.#tellToFollow(name);
      }
      if (!server.persistence.lastSaveOk) await this.#save(name);
    }
  }

  async #compare(): Promise<void> {
    const { cluster, workload } = this;
    // Keys that live for a moment come to their end, and their replicas hear of it.
    await cluster.sleep(3_000);
    while (!this.#isInStep()) await cluster.sleep(10);
    const digests = NAMES.map((name) => cluster.server(name).digest);
    if (new Set(digests).size > 1) throw new Error(`the servers differ: ${this.#differences()}`);
    for (const name of NAMES) {
      const missing = await workload.missingOn(name);
      if (missing.length > 0) {
        throw new Error(`${name} has lost ${missing.length} confirmed writes: ${missing[0]}, ...`);
      }
    }
    for (const { name, logLines } of cluster.servers.values()) {
      const fault = logLines.find((line) =>
        /CRITICAL|Cannot apply|Protocol error|Error: /.test(line)
      );
      if (fault !== undefined) throw new Error(`a fault in the log of ${name}: ${fault}`);
    }
  }

  /** The first keys that are not the same everywhere, each with what the servers have of it. */
  #differences(): string {
    const all = NAMES.map((name) => this.cluster.server(name).contents());
    const keys = new Set(all.flatMap((contents) => [...contents.keys()]));
    const differing = [...keys].filter((key) => new Set(all.map((each) => each.get(key))).size > 1);
    const shown = differing.slice(0, 10).map((key) =>
      `${key}: ${all.map((contents) => contents.get(key) ?? "not there").join(" | ")}`
    );
    return `${differing.length} keys\n${shown.join("\n")}`;
  }
}
