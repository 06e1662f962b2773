/**
 * Clients of a simulated cluster: they write at random, have writes confirmed, and look at every
 * server for what no server may ever show. All of them go on through whatever happens to the servers.
 */

import type { Reply } from "../support/reply_parser.ts";
import { learnPayload, LoadGenerator } from "../support/replication_load.ts";
import { type Cluster, NAMES } from "./cluster.ts";
import { LinkError, type SimulatedClient } from "./simulated_client.ts";

/** Databases beyond those of the random load, which flushes and swaps its own. */
const OWN_DATABASE = "8";
const SECOND_DATABASE = "9";

/** A list that numbers are appended to. */
const APPENDED = "appended";

/** How long a client is idle after its connection has failed. */
const RETRY_MS = 200;

export class Workload {
  isStopping = false;
  /** Clients that have not ended yet. */
  runningCount = 0;
  writeCount = 0;
  confirmedCount = 0;
  lookCount = 0;
  #generation = 0;
  #appended = 0;

  constructor(readonly cluster: Cluster, readonly seed: number) {}

  start(): void {
    const { cluster } = this;
    for (let i = 0; i < 2; i++) {
      const g = new LoadGenerator(
        this.seed * 10 + i,
        () => cluster.server(cluster.master).server!.runtime.clock.now(),
        // Fields that expire are for no older server.
        cluster.old?.leavesOut("hexpire") !== true,
      );
      this.#run(() => cluster.master, 50, (client) => this.#writeAtRandom(client, g));
    }
    this.#run(() => cluster.master, 50, (client) => this.#writeGeneration(client));
    this.#run(() => cluster.master, 100, (client, name) => this.#writeConfirmed(client, name));
    this.#run(() => cluster.master, 50, (client, name) => this.#appendConfirmed(client, name));
    // Writes to whoever takes it for a master, if that takes writes at all.
    let believed = cluster.master;
    const strayLoad = new LoadGenerator(
      this.seed * 10 + 9,
      () => cluster.server(believed).server!.runtime.clock.now(),
    );
    this.#run(() => believed, 50, async (client) => {
      await this.#writeAtRandom(client, strayLoad);
      await this.#writeGeneration(client);
      if (cluster.random.chance(0.1)) believed = cluster.random.pick(NAMES);
    });
    for (const name of cluster.servers.keys()) {
      this.#run(() => name, 100, (client) => this.#look(client, name));
    }
  }

  /** One client: connects to who is named, does a piece of work again and again, starts anew. */
  async #run(
    whom: () => string,
    pauseMs: number,
    work: (client: SimulatedClient, name: string) => Promise<void>,
  ): Promise<void> {
    this.runningCount++;
    const { cluster } = this;
    while (!this.isStopping) {
      let client: SimulatedClient | null = null;
      const name = whom();
      try {
        client = await cluster.connect(name);
        while (!this.isStopping && whom() === name) {
          await work(client, name);
          await cluster.sleep(pauseMs * 2 * cluster.random.draw());
        }
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        await cluster.sleep(RETRY_MS);
      }
      client?.close();
    }
    this.runningCount--;
  }

  async #writeAtRandom(client: SimulatedClient, g: LoadGenerator): Promise<void> {
    const { old } = this.cluster;
    const calls = g.commands().filter(([name]) =>
      name.toUpperCase() !== "FLUSHALL" && old?.leavesOut(name) !== true
    );
    const replies = await client.pipeline(calls);
    replies.forEach((reply, i) => learnPayload(g, calls[i], reply));
    this.writeCount += calls.length;
  }

  /** Three keys that are always written together, one of them in another database. */
  async #writeGeneration(client: SimulatedClient): Promise<void> {
    const text = String(++this.#generation);
    await client.pipeline([
      ["MULTI"],
      ["SELECT", OWN_DATABASE],
      ["SET", "generation:a", text],
      ["SELECT", SECOND_DATABASE],
      ["SET", "generation:b", text],
      ["SELECT", OWN_DATABASE],
      ["RPUSH", "generations", text],
      ["LTRIM", "generations", "-50", "-1"],
      ["EXEC"],
      ["SELECT", "0"], // what comes next may flush its database
    ]);
  }

  /** Whatever becomes of a server: of what is written together it never shows a part. */
  async #look(client: SimulatedClient, name: string): Promise<void> {
    const replies = await client.pipeline([
      ["MULTI"],
      ["SELECT", OWN_DATABASE],
      ["GET", "generation:a"],
      ["LINDEX", "generations", "-1"],
      ["SELECT", SECOND_DATABASE],
      ["GET", "generation:b"],
      ["SELECT", OWN_DATABASE],
      ["LRANGE", APPENDED, "-20", "-1"],
      ["EXEC"],
    ]);
    const exec = replies[8];
    if (exec.kind !== "array") return; // loading, or no data to be shown
    const [, a, last, , b] = exec.items.map(shown);
    numbersOf(exec.items[6], name);
    if (a !== b || a !== last) {
      throw new Error(`${name} shows parts of two datasets: ${a}, ${b} and ${last}`);
    }
    this.lookCount++;
  }

  /** A key of its own for each write, which all direct replicas of the master confirm. */
  async #writeConfirmed(client: SimulatedClient, name: string): Promise<void> {
    const { cluster } = this;
    const key = `confirmed:${this.writeCount++}`;
    const value = String(cluster.world.nowMs);
    await this.#acknowledged(client, name, ["SET", key, value], key, value, true);
  }

  /** One such write by a client of its own, which ends with it. */
  async writeOneConfirmed(): Promise<void> {
    const { cluster } = this;
    const { master } = cluster;
    try {
      const client = await cluster.connect(master);
      await this.#writeConfirmed(client, master);
      client.close();
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
    }
  }

  /**
   * Numbers that grow, at the end of a list, each once: whatever was lost of it, none that is there may come before a
   * smaller one. Every few of them are confirmed.
   */
  async #appendConfirmed(client: SimulatedClient, name: string): Promise<void> {
    const value = String(++this.#appended);
    const key = `${APPENDED} ${value}`;
    const isToBeConfirmed = this.cluster.random.chance(0.3);
    await this.#acknowledged(client, name, ["RPUSH", APPENDED, value], key, value, isToBeConfirmed);
  }

  /**
   * Writes what it has not written before. Once that is answered the master has it, and loses it only with its memory
   * or its role; once WAIT has said so, all its direct replicas have it too, and each loses it only with its memory. What is
   * answered with `appendfsync always` is on the disk.
   */
  async #acknowledged(
    client: SimulatedClient,
    name: string,
    words: string[],
    key: string,
    value: string,
    isToBeConfirmed: boolean,
  ): Promise<void> {
    const { cluster } = this;
    const { epoch } = cluster;
    const replicas = cluster.replicasOf(name);
    const old = cluster.old?.countedBy(name) ?? [];
    const links = cluster.old?.links;
    const [, written] = await client.pipeline([["SELECT", OWN_DATABASE], words]);
    if (written.kind !== "status" && written.kind !== "integer") return;
    if (cluster.epoch !== epoch) return;
    const holders = new Set([name]);
    const durableOn = new Set(cluster.syncsAlways ? [name] : []);
    cluster.confirmed.set(key, { value, holders, durableOn });
    if (!isToBeConfirmed) return;
    const count = replicas.length + old.length;
    const reply = await client.call("WAIT", String(count), "1000");
    if (reply.kind !== "integer" || Number(reply.value) < count) return;
    if (cluster.epoch !== epoch || !cluster.isFollowedBy(name, replicas)) return;
    if (
      String(old) !== String(cluster.old?.countedBy(name) ?? []) || links !== cluster.old?.links
    ) {
      return;
    }
    if (words[0] === "SET") cluster.old?.assertHave(old, OWN_DATABASE, key, value);
    this.confirmedCount++;
    for (const replica of replicas) holders.add(replica);
  }

  /** Confirmed writes that a server does not show; each with what it shows. */
  async missingOn(name: string): Promise<string[]> {
    const { cluster } = this;
    const client = await cluster.connect(name);
    await client.call("SELECT", OWN_DATABASE);
    const missing: string[] = [];
    const appended = await this.#appendedOn(client, name);
    const keys: string[] = [];
    for (const [key, { value }] of cluster.confirmed) {
      if (!key.startsWith(APPENDED)) keys.push(key);
      else if (!appended.has(value)) missing.push(key);
    }
    const replies = await client.pipeline(keys.map((key) => ["GET", key]));
    replies.map(shown).forEach((text, i) => {
      const { value } = cluster.confirmed.get(keys[i])!;
      if (text !== value) missing.push(`${keys[i]} (${text} for ${value})`);
    });
    client.close();
    return missing;
  }

  /** What a server has of the list. @throws Error where it is out of order */
  async #appendedOn(client: SimulatedClient, name: string): Promise<Set<string>> {
    const reply = await client.call("LRANGE", APPENDED, "0", "-1");
    return new Set(numbersOf(reply, name));
  }
}

/** The numbers of the list, or of its end. @throws Error where they are out of order */
function numbersOf(reply: Reply, name: string): string[] {
  const values = reply.kind === "array" ? reply.items.map(shown) : [];
  for (let i = 1; i < values.length; i++) {
    if (Number(values[i - 1]) < Number(values[i])) continue;
    throw new Error(`${name} has ${values[i]} behind ${values[i - 1]}`);
  }
  return values;
}

function shown(reply: Reply): string {
  return reply.kind === "bulk" || reply.kind === "status"
    ? reply.text
    : reply.kind === "error"
    ? `error ${reply.text}`
    : reply.kind;
}
