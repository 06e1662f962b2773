/**
 * A server on a simulated disk: it is killed, the power is cut, it is asked to end, again and again, at moments that
 * a seed determines, while clients write, and rewrites and saves go on; the disk fails or is full for a while. What
 * its way of persistence promises has to hold, and each time it has to start on what is left.
 */

import { assert, assertEquals } from "@std/assert";
import type { Core } from "../../src/core.ts";
import { LocalClient } from "../../src/local_client.ts";
import { World } from "../../src/runtime/simulated.ts";
import { Random } from "../support/random.ts";
import { readNow } from "./read_now.ts";
import { SimulatedServer } from "./simulated_server.ts";

const CLIENTS = 3;
const LIVES = 6;

/** How data is kept: an append-only file with this `appendfsync`, or snapshots alone. */
export const WAYS = ["always", "everysec", "no", "snapshots"] as const;
export type Way = typeof WAYS[number];

/** What the end of a life has cost: what was written and not synced, what was not written, or nothing. */
type Lost = "nothing" | "unwritten" | "unsynced";

/** One machine through several lives of its server. */
export class DiskLives {
  readonly random: Random;
  readonly world: World;
  readonly server: SimulatedServer;
  /** Highest value of the counter that a client was answered. */
  answered = 0;
  /** That value when somebody was told by WAITAOF, or by the end of a save, that it is on the disk. */
  synced = 0;
  /** Writes that were answered in all lives. */
  writes = 0;
  /** Datasets that came back. */
  undone = 0;
  /** Lives that have ended. */
  count = 0;

  /** A life lasts `lifeMs` at most. */
  constructor(readonly seed: number, readonly way: Way, readonly lifeMs = 3_000) {
    this.random = new Random(seed);
    this.world = new World(this.random.draw);
    this.server = new SimulatedServer(this.world.machine("a"), [
      ...(way === "snapshots"
        ? ["save 3600 1"]
        : ["appendonly yes", `appendfsync ${way}`, 'save ""', "undo-window 3600"]),
      "auto-aof-rewrite-min-size 3kb",
      "auto-aof-rewrite-percentage 50",
      "aof-load-corrupt-tail-max-size 1gb",
    ]);
  }

  get #core() {
    return this.server.ready;
  }

  /** Writes until its server is gone. */
  async #write(): Promise<void> {
    const core = this.#core!;
    const client = new LocalClient(core);
    const run = (...words: (string | number)[]) => client.run(words, false);
    for (let i = 0;; i++) {
      await new Promise<void>((resolve) =>
        core.runtime.timers.after(this.random.below(20), resolve)
      );
      const n = await run("INCR", "n");
      if (this.#core !== core) return;
      this.writes++;
      this.answered = Math.max(this.answered, Number(n));
      await run("SET", `key:${this.random.below(50)}`, "x".repeat(this.random.below(200)));
      if (this.way === "snapshots") {
        if (i % 10 === 5) await this.#save(core, Number(n));
      } else if (i % 10 === 5) {
        const [here] = await run("WAITAOF", 1, 0, 300) as [number, number];
        if (here === 1) this.synced = Math.max(this.synced, Number(n));
      }
      if (i % 20 === 12 && this.way !== "snapshots") await this.#undo(run, i);
      if (i % 15 === 0) {
        await run("MULTI");
        await run("RPUSH", "left", i);
        await run("RPUSH", "right", i);
        await run("EXEC");
      }
    }
  }

  /** A database that nobody else writes to is flushed and brought back: all that others write stays. */
  async #undo(run: (...words: (string | number)[]) => Promise<unknown>, i: number): Promise<void> {
    await run("SELECT", 9);
    try {
      await run("SET", `kept:${i}`, "x".repeat(2000));
      await run("FLUSHDB");
      const [latest] = await run("UNDO", "LIST") as [unknown, number][];
      if (await run("UNDO", "RESTORE", latest[1]) === "OK") this.undone++;
    } catch {
      // Another client was quicker, or the disk fails.
    }
    await run("SELECT", 0);
  }

  /** BGSAVE: what was written before is saved when it has come to its end. */
  async #save(core: Core, n: number): Promise<void> {
    const { persistence } = core;
    if (persistence.isSaving) return;
    const run = (...words: string[]) => new LocalClient(core).run(words, false);
    if (await run("BGSAVE").catch(() => "") !== "Background saving started") return;
    while (persistence.isSaving) {
      await new Promise<void>((resolve) => core.runtime.timers.after(5, resolve));
    }
    if (this.#core === core && persistence.lastSaveOk) this.synced = Math.max(this.synced, n);
  }

  /** Plays it from its beginning to its end. @throws Error with the end of the log */
  async play(): Promise<void> {
    try {
      let lost: Lost = "nothing";
      for (; this.count < LIVES; this.count++) lost = await this.life(lost);
    } catch (error) {
      const log = this.server.logLines.slice(-60).join("\n");
      throw new Error(`${this.way}, seed ${this.seed}: ${error}\n${log}`, { cause: error });
    }
  }

  /** Rewrites and saves that have come to their end in all lives. */
  get rewrites(): number {
    const done = this.way === "snapshots"
      ? "Background saving terminated with success"
      : "Background AOF rewrite finished successfully";
    return this.server.logLines.filter((line) => line.includes(done)).length;
  }

  /** Starts, looks at what is there, writes for a while, and ends somehow; answers how. */
  async life(lost: Lost): Promise<Lost> {
    const { server, world, random } = this;
    server.start();
    await world.until(() => server.isReady || server.failure !== null, 60_000);
    if (server.failure !== null) throw server.failure;
    this.#look(lost);
    const { disk } = server.machine;
    const { faults } = disk;
    const mayFail = this.way !== "no";
    const fails = mayFail && random.below(3) === 0;
    if (fails) Object.assign(faults, { write: 0.02, sync: 0.1, names: 0.02 });
    const getsFull = mayFail && random.below(4) === 0;
    if (getsFull) disk.capacityBytes = disk.usedBytes + random.below(20_000);
    for (let i = 0; i < CLIENTS; i++) this.#write().catch(() => {});
    await world.run(random.below(4) === 0 ? random.below(20) : random.below(this.lifeMs));
    Object.assign(faults, { write: 0, sync: 0, names: 0 });
    disk.capacityBytes = Infinity;
    // It goes on after that.
    if (random.below(2) === 0) await world.run(random.below(this.lifeMs));
    switch (random.below(fails || getsFull ? 2 : 3)) {
      case 0:
        server.machine.kill();
        return "unwritten";
      case 1:
        server.machine.crash();
        return "unsynced";
      default:
        await this.#stop();
        return "nothing";
    }
  }

  /** The server is asked to end, and ends. */
  async #stop(): Promise<void> {
    const { server, world } = this;
    new LocalClient(server.server!.core).run(["SHUTDOWN"], false).catch(() => {});
    await world.until(() => !server.isRunning, 60_000);
  }

  #look(lost: Lost): void {
    const [database] = this.#core!.keyspace.databases;
    const read = (command: string, ...words: string[]) => readNow(this.#core!, command, ...words);
    const n = database.count === 0 ? 0 : Number(read("GET", "n") ?? 0);
    const keepsAll = this.way === "always" || lost === "nothing" ||
      (this.way === "no" && lost === "unwritten");
    const least = keepsAll ? this.answered : this.synced;
    assert(n >= least, `${n} of ${least} writes are there (lost: ${lost})`);
    assertEquals(
      read("LLEN", "left"),
      read("LLEN", "right"),
      "a transaction is whole or not there",
    );
    this.answered = n;
    // A snapshot whose name had not come to the disk may be the one that was loaded, and not be the next time.
    if (this.way !== "snapshots" || lost === "nothing") this.synced = n;
  }
}
