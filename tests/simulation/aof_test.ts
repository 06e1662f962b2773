/**
 * The append-only file on a simulated disk: the process is killed and the power is cut, again and again, at
 * moments that a seed determines, while clients write and rewrites go on. What `appendfsync` promises has
 * to hold, and each time the server has to start on what is left.
 *
 * TSREDIS_FUZZ_FACTOR=200 has it take so many times as many seeds.
 */

import { assert, assertEquals } from "@std/assert";
import { LocalClient } from "../../src/local_client.ts";
import type { Core } from "../../src/core.ts";
import type { Transport } from "../../src/dispatch/client.ts";
import { Words } from "../../src/resp/words.ts";
import { World } from "../../src/runtime/simulated.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { SimulatedServer } from "./simulated_server.ts";

const CLIENTS = 3;
const LIVES = 6;

/** What the end of a life has cost: what was written and not synced, or nothing. */
type Lost = "nothing" | "unsynced";

/** One machine through several lives of its server. */
class Play {
  readonly random: Random;
  readonly world: World;
  readonly server: SimulatedServer;
  /** Highest value of the counter that a client was answered. */
  answered = 0;
  /** That value when somebody was told by WAITAOF that it is on the disk. */
  synced = 0;
  /** Writes that were answered in all lives. */
  writes = 0;

  constructor(seed: number, readonly appendfsync: string) {
    this.random = new Random(seed);
    this.world = new World(this.random.draw);
    this.server = new SimulatedServer(this.world.machine("a"), [
      "appendonly yes",
      `appendfsync ${appendfsync}`,
      'save ""',
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
      if (i % 10 === 5) {
        const [here] = await run("WAITAOF", 1, 0, 300) as [number, number];
        if (here === 1) this.synced = Math.max(this.synced, Number(n));
      }
      if (i % 15 === 0) {
        await run("MULTI");
        await run("RPUSH", "left", i);
        await run("RPUSH", "right", i);
        await run("EXEC");
      }
    }
  }

  /** Rewrites that have come to their end in all lives. */
  get rewrites(): number {
    const done = "Background AOF rewrite finished successfully";
    return this.server.logLines.filter((line) => line.includes(done)).length;
  }

  /** Starts, looks at what is there, writes for a while, and ends somehow; answers how. */
  async life(lost: Lost): Promise<Lost> {
    const { server, world, random } = this;
    server.start();
    await world.until(() => server.isReady || server.failure !== null, 60_000);
    if (server.failure !== null) throw server.failure;
    this.#look(lost);
    const faults = server.machine.disk.faults;
    const areSome = this.appendfsync !== "no" && random.below(3) === 0;
    if (areSome) Object.assign(faults, { write: 0.02, sync: 0.1, names: 0.02 });
    for (let i = 0; i < CLIENTS; i++) this.#write().catch(() => {});
    await world.run(random.below(4) === 0 ? random.below(20) : random.below(3000));
    Object.assign(faults, { write: 0, sync: 0, names: 0 });
    if (random.below(2) === 0) {
      server.machine.kill();
      return "nothing";
    }
    server.machine.crash();
    return "unsynced";
  }

  #look(lost: Lost): void {
    const [database] = this.#core!.keyspace.databases;
    const read = (command: string, ...words: string[]) => readNow(this.#core!, command, ...words);
    const n = database.count === 0 ? 0 : Number(read("GET", "n") ?? 0);
    const least = this.appendfsync === "always" || (this.appendfsync === "no" && lost === "nothing")
      ? this.answered
      : this.synced;
    assert(n >= least, `${n} of ${least} writes are there (${this.appendfsync}, lost: ${lost})`);
    assertEquals(
      read("LLEN", "left"),
      read("LLEN", "right"),
      "a transaction is whole or not there",
    );
    this.answered = this.synced = n;
  }
}

const SILENT: Transport = {
  address: "",
  localAddress: "",
  descriptor: -1,
  isWriting: false,
  wake() {},
  resume() {},
  close() {},
};

/** What a server that does nothing else at the moment answers to a request for a string or a number. */
function readNow(core: Core, ...words: string[]): string | null {
  const client = core.openClient(true, () => SILENT);
  client.become(core.access.users.default, true);
  client.setNeedsAuth(false);
  core.dispatcher.execute(client, Words.of(...words));
  const chunk = client.reply.takeChunk()!;
  const text = new TextDecoder().decode(chunk.subarray(0, client.reply.chunkLength));
  core.closed(client);
  const [head, body] = text.split("\r\n");
  return head === "$-1" ? null : head.startsWith("$") ? body : head;
}

for (const appendfsync of ["always", "everysec", "no"]) {
  Deno.test(`appendfsync ${appendfsync} keeps its promise through kills and power cuts`, async () => {
    const first = fuzzSeed(1);
    let writes = 0;
    let rewrites = 0;
    for (let seed = first; seed < first + fuzzRounds(4); seed++) {
      const play = new Play(seed, appendfsync);
      try {
        let lost: Lost = "nothing";
        for (let i = 0; i < LIVES; i++) lost = await play.life(lost);
        writes += play.writes;
        rewrites += play.rewrites;
      } catch (error) {
        throw new Error(
          `seed ${seed}: ${error}\n${play.server.logLines.slice(-60).join("\n")}`,
          { cause: error },
        );
      }
    }
    assert(writes > 1000 && rewrites > 20, `${writes} writes, ${rewrites} rewrites`);
  });
}
