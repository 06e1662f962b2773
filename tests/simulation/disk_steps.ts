/**
 * One undertaking of a server on a simulated disk (a rewrite, a save, a first start ...), again and again: at each
 * of its disk operations in turn the process is killed, the power is cut, the disk fails once, or it is full from
 * there on. Each time the server has to start on what is left and have what it has promised.
 */

import { assert, assertEquals } from "@std/assert";
import { LocalClient } from "../../src/local_client.ts";
import type { Core } from "../../src/core.ts";
import { World } from "../../src/runtime/simulated.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { Random } from "../support/random.ts";
import { readNow } from "./read_now.ts";
import { SimulatedServer } from "./simulated_server.ts";

/** What happens at the operation. */
export const FATES = ["kill", "power cut", "one failure", "full from there on"] as const;
export type Fate = typeof FATES[number];

/** What a server does while that happens. */
export interface Undertaking {
  readonly name: string;
  /** Lines of configuration beside those of the disk. */
  readonly directives: readonly string[];
  /** Also the start of the server is a part of it. */
  readonly startsAnew?: boolean;
  /** What is there before its first start. */
  prepare?(play: StepPlay): void;
  /** Does it, while clients write; resolves when it is over. */
  run(play: StepPlay): Promise<void>;
  /** What of the counter has to be there at least after this fate. */
  promise(play: StepPlay, fate: Fate): number;
}

/** A full disk is so for this long. */
const FULL_MS = 5_000;
/** How long an undertaking may take. */
const LIMIT_MS = 120_000;
const SILENT_AFTER_MS = 3_000;

/** One play of an undertaking, with its fate at one of its operations. */
export class StepPlay {
  readonly random: Random;
  readonly world: World;
  readonly server: SimulatedServer;
  /** Highest value of the counter that was answered. */
  answered = 0;
  /** That of the counter when what was last saved for certain was begun. */
  saved = 0;
  /** Operations of the undertaking by now. */
  operations = 0;
  #isWriting = true;
  #isOver = false;

  constructor(
    readonly undertaking: Undertaking,
    readonly seed: number,
    readonly fate: Fate,
    /** The operation at which it happens, counted from 1; 0: nothing happens. */
    readonly at: number,
  ) {
    this.random = new Random(seed);
    this.world = new World(this.random.draw);
    this.server = new SimulatedServer(this.world.machine("a"), [
      'save ""',
      "auto-aof-rewrite-percentage 0",
      // What a power cut leaves of the last block is cut off.
      "aof-load-corrupt-tail-max-size 1gb",
      ...undertaking.directives,
    ]);
  }

  get core(): Core {
    return this.server.server!.core;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Plays it; true when the undertaking had as many operations. */
  async play(): Promise<boolean> {
    const { undertaking, server, fate } = this;
    const { disk } = server.machine;
    undertaking.prepare?.(this);
    if (!undertaking.startsAnew) await this.#start();
    if (this.at > 0) disk.beforeOperation = () => this.#operation();
    if (undertaking.startsAnew) {
      await this.#start().catch(() => {});
    }
    if (server.isReady && !this.#isOver) await this.#run();
    const wasReached = this.operations >= this.at;
    disk.beforeOperation = null;
    disk.capacityBytes = Infinity;
    if (!wasReached) return false;
    if (fate === "one failure" || fate === "full from there on") await this.#recover();
    await this.#look();
    return true;
  }

  async #start(): Promise<void> {
    const { server, world } = this;
    server.failure = null;
    server.start();
    await world.until(
      () => server.isReady || server.failure !== null || !server.isRunning,
      LIMIT_MS,
    );
    if (server.failure !== null) throw server.failure;
  }

  /** Clients write while the undertaking goes on. */
  async #run(): Promise<void> {
    const writing = this.#write().catch(() => {});
    let isDone = false;
    const done = this.undertaking.run(this).catch((error) => {
      if (!this.#isOver) throw error;
    }).finally(() => isDone = true);
    await this.world.until(
      () => isDone || this.#isOver || !this.server.isRunning,
      LIMIT_MS,
    );
    this.#isWriting = false;
    await this.world.run(this.#isOver ? 0 : 100);
    void done;
    void writing;
  }

  async #write(): Promise<void> {
    const client = new LocalClient(this.core);
    for (let i = 0; this.#isWriting && !this.#isOver; i++) {
      const n = Number(await client.run(["INCR", "n"], false));
      if (this.#isOver) return;
      this.answered = Math.max(this.answered, n);
      await client.run(["MULTI"], false);
      await client.run(["RPUSH", "left", i], false);
      await client.run(["RPUSH", "right", i], false);
      await client.run(["EXEC"], false);
      await client.run(["SET", `key:${i % 5}`, "x".repeat(this.random.below(900))], false);
      await this.pause(this.random.below(40));
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.core.runtime.timers.after(ms, resolve));
  }

  /** Runs a command; errors are thrown. */
  async call(...words: (string | number)[]): Promise<unknown> {
    return await new LocalClient(this.core).run(words, false);
  }

  /** A field of INFO's section Persistence. */
  info(field: string): string {
    const all = [...this.core.aof.infoFields(), ...this.core.persistence.infoFields()];
    return String(all.find(([name]) => name === field)?.[1]);
  }

  /** Waits, as long as the server is there. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#isOver) await this.pause(10);
  }

  #operation(): void {
    if (++this.operations !== this.at) return;
    const { machine } = this.server;
    switch (this.fate) {
      case "one failure":
        throw new SystemError("EIO");
      case "full from there on":
        machine.disk.fill();
        this.core.runtime.timers.after(FULL_MS, () => machine.disk.capacityBytes = Infinity);
        return;
      case "kill":
        this.#isOver = true;
        machine.kill();
        break;
      case "power cut":
        this.#isOver = true;
        machine.crash();
    }
    throw new SystemError("EBADF");
  }

  /** After a failure the server goes on, takes writes again, and what it takes then is kept. */
  async #recover(): Promise<void> {
    const { server, world } = this;
    if (!server.isReady || !server.isRunning) {
      // It has not started, or has ended, and has said why.
      server.machine.kill();
      return;
    }
    let isWritten = false;
    const write = async () => {
      while (!isWritten) {
        const n = await this.call("INCR", "n").catch(() => 0);
        if (Number(n) > 0) {
          this.answered = Math.max(this.answered, Number(n));
          isWritten = true;
        } else await this.pause(50);
      }
    };
    write().catch(() => {});
    await world.until(() => isWritten, LIMIT_MS);
    await world.run(SILENT_AFTER_MS);
    server.machine.crash();
  }

  /** The next start has what was promised, and is a dataset of an instant. */
  async #look(): Promise<void> {
    await this.#start();
    const { core } = this;
    const n = Number(readNow(core, "GET", "n") ?? 0);
    const promised = this.undertaking.promise(this, this.fate);
    assert(n >= promised, `${n} is there, where ${promised} were promised`);
    assertEquals(readNow(core, "LLEN", "left"), readNow(core, "LLEN", "right"));
    // What was left unfinished is gone, and the next rewrite and save work.
    await this.world.run(2_000);
    const names = (folder: string) => {
      try {
        return core.runtime.files.list(folder).map(({ name }) => name);
      } catch {
        return [];
      }
    };
    const left = [...names("/data"), ...names("/data/appendonlydir")]
      .filter((name) => name.startsWith("temp-"));
    assertEquals(left, [], "temporary files");
    assertEquals(readNow(core, "SAVE"), "+OK");
    this.server.machine.kill();
  }
}

// -- what is undertaken ----------------------------------------------------------------------------

const ALWAYS = ["appendonly yes", "appendfsync always"];
const INCREMENT = "/data/appendonlydir/appendonly.aof.1.incr.aof";

async function rewrite(play: StepPlay): Promise<void> {
  // It may say at once that it cannot.
  await play.call("BGREWRITEAOF").catch(() => {});
  await play.until(() => play.info("aof_rewrite_in_progress") === "0");
  // What is history goes.
  await play.pause(50);
}

/**
 * The counter is far up in what is flushed and brought back: so it never goes down, whichever of the two datasets
 * there is, and whichever of what was answered has been lost shows.
 */
async function undoFlushall(play: StepPlay): Promise<void> {
  await play.call("EVAL", FLUSHED, 0).catch(() => {});
  if (play.isOver) return;
  await play.pause(30);
  const answer = await play.call("UNDO", "RESTORE", 1).catch(() => "failed");
  if (!play.isOver && answer === "OK") play.answered = Math.max(play.answered, FLUSHED_AT);
  await play.pause(50);
}

const FLUSHED_AT = 1_000_000;
const FLUSHED = `
  local n = redis.call("GET", "n") or 0
  redis.call("SET", "n", ${FLUSHED_AT})
  redis.call("SELECT", 3)
  for i = 1, 50 do
    redis.call("RPUSH", "list", string.rep("x", 2000))
    redis.call("HSET", "hash", i, i)
  end
  redis.call("FLUSHALL")
  redis.call("SELECT", 0)
  redis.call("SET", "n", n)`;

/** Puts a file on the disk before the first start. */
function put(play: StepPlay, path: string, text: string): void {
  const { machine } = play.server;
  const { files } = machine.start();
  const bytes = new TextEncoder().encode(text);
  const folder = path.slice(0, path.lastIndexOf("/"));
  files.makeFolder(folder);
  {
    using file = files.open(path, "write");
    file.write(bytes, 0, bytes.length);
    file.sync();
  }
  files.syncFolder(folder);
  files.syncFolder("/data");
  machine.kill();
}

const counted = (times: number) => "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(times);

/** All that was answered. */
const answered = (play: StepPlay) => play.answered;

export const UNDERTAKINGS: readonly Undertaking[] = [
  { name: "a rewrite, appendfsync always", directives: ALWAYS, run: rewrite, promise: answered },
  {
    name: "a rewrite to a base of commands",
    directives: [...ALWAYS, "aof-use-rdb-preamble no"],
    run: rewrite,
    promise: answered,
  },
  {
    name: "a rewrite, appendfsync everysec",
    directives: ["appendonly yes", "appendfsync everysec"],
    async run(play) {
      await play.pause(30);
      const client = new LocalClient(play.core);
      const n = Number(await client.run(["INCR", "n"], false).catch(() => 0));
      const answer = await client.run(["WAITAOF", 1, 0, 3_000], false) as [number, number];
      if (answer[0] === 1 && !play.isOver) play.saved = n;
      await rewrite(play);
    },
    // A process that is killed has written what it answered, but for what waited for a sync.
    promise: (play) => play.saved,
  },
  {
    name: "CONFIG SET appendonly no, and yes",
    directives: ALWAYS,
    async run(play) {
      await play.pause(50);
      play.saved = play.answered;
      await play.call("CONFIG", "SET", "appendonly", "no");
      await play.pause(50);
      while (!play.core.aof.isOn && !play.isOver) {
        await play.call("CONFIG", "SET", "appendonly", "yes").catch(() => play.pause(500));
      }
      await play.until(() => !play.core.aof.isWaiting);
      if (!play.isOver) play.saved = Infinity;
    },
    promise: (play) => Math.min(play.saved, play.answered),
  },
  {
    name: "the first start",
    directives: ALWAYS,
    startsAnew: true,
    run: (play) => play.pause(100),
    promise: answered,
  },
  {
    name: "taking over a single file",
    directives: ALWAYS,
    startsAnew: true,
    prepare: (play) => put(play, "/data/appendonly.aof", counted(7)),
    run: (play) => play.pause(100),
    promise: (play) => Math.max(7, play.answered),
  },
  {
    name: "a start that cuts a tail off",
    directives: ALWAYS,
    startsAnew: true,
    prepare(play) {
      put(play, INCREMENT, counted(7) + "$damaged");
      put(
        play,
        "/data/appendonlydir/appendonly.aof.manifest",
        "file appendonly.aof.1.incr.aof seq 1 type i\n",
      );
    },
    run: (play) => play.pause(100),
    promise: (play) => Math.max(7, play.answered),
  },
  {
    name: "SHUTDOWN with an append-only file",
    directives: ["appendonly yes", "appendfsync everysec"],
    async run(play) {
      await play.pause(100);
      await play.call("SHUTDOWN");
    },
    promise: (play, fate) => play.server.isRunning || fate !== "kill" ? 0 : play.saved,
  },
  {
    name: "UNDO RESTORE of all databases, appendfsync always",
    directives: [...ALWAYS, "undo-window 3600"],
    run: undoFlushall,
    promise: answered,
  },
  {
    name: "UNDO RESTORE of all databases, appendfsync no",
    directives: ["appendonly yes", "appendfsync no", "undo-window 3600"],
    run: undoFlushall,
    // Whatever was written before a process is killed is in its files.
    promise: (play, fate) => fate === "kill" ? play.answered : 0,
  },
  {
    name: "UNDO RESTORE of one database",
    directives: [...ALWAYS, "undo-window 3600", "aof-timestamp-enabled yes"],
    async run(play) {
      const client = new LocalClient(play.core);
      await client.run(["SELECT", 9], false).catch(() => {});
      await client.run(["SET", "kept", 1], false).catch(() => {});
      await client.run(["FLUSHDB"], false).catch(() => {});
      await client.run(["SET", "since", 1], false).catch(() => {});
      const answer = await client.run(["UNDO", "RESTORE", 1], false).catch(() => "failed");
      if (play.isOver) return;
      const isBack = answer === "OK";
      await play.pause(50);
      const kept = await client.run(["GET", "kept"], false);
      const since = await client.run(["GET", "since"], false);
      if (play.isOver || !isBack) return;
      assertEquals([kept, since], ["1", null]);
    },
    promise: answered,
  },
  {
    name: "BGSAVE",
    directives: [],
    async run(play) {
      for (let i = 0; i < 2; i++) {
        await play.pause(50);
        const n = play.answered;
        await play.call("BGSAVE");
        await play.until(() => play.info("rdb_bgsave_in_progress") === "0");
        if (!play.isOver && play.info("rdb_last_bgsave_status") === "ok") play.saved = n;
      }
    },
    promise: (play) => play.saved,
  },
  {
    name: "SAVE",
    directives: [],
    async run(play) {
      for (let i = 0; i < 2; i++) {
        await play.pause(50);
        const n = play.answered;
        const reply = await play.call("SAVE").catch(() => "failed");
        if (!play.isOver && reply === "OK") play.saved = n;
      }
    },
    promise: (play) => play.saved,
  },
];
