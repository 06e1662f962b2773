/**
 * FAILOVER in a simulated cluster with clients that write all the while: no write that was answered is lost,
 * nobody needs a full sync, and writes wait no longer than the network takes. The same seeds each time.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { Cluster, NAMES } from "./cluster.ts";
import { LinkError } from "./simulated_client.ts";
import { PORT } from "./simulated_server.ts";

const SEEDS = 30;
/** Virtual time of one scenario, at most. */
const SCENARIO_MS = 300_000;

/** Ways of the network, in milliseconds. */
const LATENCIES = [[0.05, 0.5], [1, 5], [20, 60]] as const;

class Scene {
  readonly cluster: Cluster;
  readonly random: Random;
  /** Keys whose SET was answered with OK. */
  readonly written: string[] = [];
  #isOver = false;
  #keys = 0;
  readonly #writers: Promise<void>[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
    this.cluster = new Cluster(this.random);
  }

  /** A master and two replicas, in step, and writers. */
  async begin(): Promise<void> {
    const { cluster, random } = this;
    cluster.world.network.latencyMs = random.pick(LATENCIES);
    for (const name of NAMES) cluster.add(name, ["repl-diskless-sync-delay 0", 'save ""']);
    for (const name of NAMES) cluster.follows.set(name, name === NAMES[0] ? null : NAMES[0]);
    for (const name of NAMES) cluster.start(name);
    for (const name of NAMES.slice(1)) await this.until(name, "master_link_status", "up");
    for (let i = 0; i < 4; i++) this.#writers.push(this.#write());
    await cluster.sleep(random.between(10, 2_000));
  }

  /** Sets new keys, at whichever server is the master. */
  async #write(): Promise<void> {
    const { cluster, random } = this;
    while (!this.#isOver) {
      try {
        const client = await cluster.connect(random.pick(NAMES));
        while (!this.#isOver) {
          const key = `key:${this.#keys++}`;
          const reply = await client.call("SET", key, "v");
          if (reply.kind === "error") break; // it is no master
          this.written.push(key);
          await cluster.sleep(random.between(0, 5));
        }
        client.close();
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
      }
      await cluster.sleep(5);
    }
  }

  async endWriting(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#writers);
  }

  async info(name: string, field: string): Promise<string | undefined> {
    const reply = await this.cluster.ask(name, "INFO", "everything");
    if (reply === null || !("text" in reply)) return undefined;
    return new RegExp(`^${field}:(.*)\r$`, "m").exec(reply.text)?.[1];
  }

  /** Waits, in virtual time, until a field of INFO is this. */
  async until(name: string, field: string, value: string): Promise<void> {
    while (await this.info(name, field) !== value) await this.cluster.sleep(20);
  }

  async order(name: string, ...words: string[]): Promise<void> {
    const reply = await this.cluster.ask(name, ...words);
    assert(reply !== null && "text" in reply && reply.text === "OK", `${words}: ${reply?.kind}`);
  }

  /** Whoever is the master has all that was written, and the others have the same. */
  async check(master: string): Promise<void> {
    const { cluster } = this;
    await this.endWriting();
    for (const name of cluster.othersThan(master)) {
      await this.until(name, "master_link_status", "up");
    }
    const offset = await this.info(master, "master_repl_offset");
    for (const name of cluster.othersThan(master)) {
      while (Number(await this.info(name, "slave_repl_offset")) < Number(offset)) {
        await cluster.sleep(20);
      }
    }
    const client = await cluster.connect(master);
    const found = await client.call("EXISTS", ...this.written);
    assertEquals(found.kind === "integer" && Number(found.value), this.written.length);
    client.close();
    const [digest, ...others] = NAMES.map((name) => cluster.server(name).digest);
    for (const other of others) assertEquals(other, digest);
  }

  /** Plays, in virtual time. A failure tells of the logs. */
  async play(seed: number, story: () => Promise<void>): Promise<void> {
    let isOver = false;
    let failure: unknown = null;
    story().catch((error) => failure = error).then(() => isOver = true);
    try {
      await this.cluster.world.until(() => isOver, SCENARIO_MS);
      if (failure !== null) throw failure;
    } catch (cause) {
      const logs = [...this.cluster.servers.values()].map(({ name, logLines }) =>
        [`-- log of ${name}`, ...logLines.slice(-30)].join("\n")
      );
      throw new Error(`seed ${seed}: ${cause}\n${logs.join("\n")}`, { cause });
    }
  }
}

Deno.test("FAILOVER hands the role over without losing a write or a full sync", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scene = new Scene(seed);
    const { cluster, random } = scene;
    await scene.play(seed, async () => {
      await scene.begin();
      let master = NAMES[0];
      const syncs = async () => {
        let count = 0;
        for (const name of NAMES) count += Number(await scene.info(name, "sync_full"));
        return count;
      };
      const before = await syncs();
      for (let round = 0; round < 3; round++) {
        const to = random.pick(cluster.othersThan(master));
        const { ip } = cluster.server(to).machine;
        const isNamed = random.chance(0.5);
        const wayMs = cluster.world.network.latencyMs[1];
        const fromMs = cluster.world.nowMs;
        await scene.order(master, "FAILOVER", ...(isNamed ? ["TO", ip, `${PORT}`] : []));
        while (await scene.info(master, "master_failover_state") !== "no-failover") {
          await cluster.sleep(1);
        }
        // Connecting, handshake and questions: some ways there and back, and the steps of the test.
        const tookMs = cluster.world.nowMs - fromMs;
        assert(tookMs < 200 + 30 * wayMs, `${tookMs} ms with ${wayMs} ms on the way`);
        assertEquals(await scene.info(master, "role"), "slave");
        const port = await scene.info(master, "master_port");
        const host = await scene.info(master, "master_host");
        const next = cluster.othersThan(master).find((name) =>
          cluster.server(name).machine.ip === host
        )!;
        assertEquals([port, isNamed ? next : to], [`${PORT}`, to]);
        assertEquals(await scene.info(next, "role"), "master");
        const third = NAMES.find((name) => name !== master && name !== next)!;
        // As a person or a sentinel does; until then it is the replica of a replica.
        await scene.order(third, "REPLICAOF", cluster.server(next).machine.ip, `${PORT}`);
        for (const name of [master, third]) await scene.until(name, "master_link_status", "up");
        master = next;
        await cluster.sleep(random.between(10, 2_000));
      }
      assert(scene.written.length > 100, `${scene.written.length} writes`);
      await scene.check(master);
      assertEquals(await syncs(), before, "full syncs");
    });
  }
});

Deno.test("a FAILOVER whose target is out of reach, or dies, leaves the master what it was", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const scene = new Scene(seed);
    const { cluster, random } = scene;
    const { world } = cluster;
    await scene.play(seed, async () => {
      await scene.begin();
      const [master, target] = NAMES;
      const { machine } = cluster.server(target);
      const isDead = seed % 2 === 0;
      if (!isDead) {
        world.network.partition(machine, cluster.server(master).machine);
        await cluster.sleep(100);
      }
      await scene.order(master, "FAILOVER", "TO", machine.ip, `${PORT}`, "TIMEOUT", "700");
      if (isDead) {
        await cluster.sleep(random.between(0, 20));
        machine.crash();
        await cluster.sleep(2_000);
        // Whom it follows already has gone: as in Redis that is for a person to say.
        if (await scene.info(master, "master_failover_state") === "failover-in-progress") {
          await scene.order(master, "FAILOVER", "ABORT");
        }
      }
      await scene.until(master, "master_failover_state", "no-failover");
      const role = await scene.info(master, "role");
      if (isDead) cluster.start(target);
      else world.network.heal();
      if (role === "slave") {
        // It had taken over when it died, and is told to be the master again.
        await scene.order(master, "REPLICAOF", "NO", "ONE");
      }
      await scene.check(master);
    });
  }
});
