/**
 * A load of writes for replication tests, drawn from a seed: every command with the flag "write",
 * well-made and bent, over several databases, in and out of transactions, keys that expire while it
 * runs, commands that block until another client feeds them, PUBLISH; FLUSHDB, FLUSHALL and SWAPDB
 * now and then.
 *
 * Arguments mostly come from the groups of tests/compat. What a master answers is not looked at:
 * whether the replicas hold the same in the end is.
 */

import { type CommandSpec, drawCall, fill, groups } from "../compat/commands.ts";
import { Generator, poolKeys, tooMuch } from "../compat/generator.ts";
import { connect, encode, type Reply, type RespClient } from "./resp_client.ts";

/** Databases that the load writes to. */
export const LOAD_DATABASES = 4;

/** Write commands that the load leaves out, each with its reason. */
export const NOT_IN_LOAD: Readonly<Record<string, string>> = {
  migrate: "it needs another server",
  "restore-asking": "it is RESTORE by another name",
};

const db = (g: Generator) => String(g.between(0, LOAD_DATABASES - 1));
const blockingKey = (g: Generator, kind: "list" | "zset") => `b${kind}:${g.between(0, 2)}`;
const side = (g: Generator) => g.pick(["LEFT", "RIGHT"]);
const shortMs = (g: Generator) => String(g.between(1, 250));
const shortKey = (g: Generator) => `short:${g.between(0, 40)}`;
/** Few, so that what is done to one meets a time that it has. */
const timedKey = (g: Generator) => `timed:${g.between(0, 3)}`;
const longMs = (g: Generator) => String(g.between(100, 200) * 1000);

function spec(name: string, weight: number, args: (g: Generator) => string[]): CommandSpec {
  return { name, weight, args, mode: "kind", bend: false };
}

/** Keys that live for a moment: the master has to tell of their end. */
const shortLives: CommandSpec[] = [
  spec("SET", 3, (g) => [shortKey(g), g.value(), "PX", shortMs(g)]),
  spec("PSETEX", 2, (g) => [shortKey(g), shortMs(g), g.value()]),
  spec("PEXPIRE", 1, (g) => [g.anyKey(), shortMs(g)]),
  spec("PEXPIREAT", 1, (g) => [
    g.anyKey(),
    String((g as LoadGenerator).now() + g.between(-100, 250)),
  ]),
  spec("EXPIRE", 1, (g) => [g.anyKey(), g.pick(["1", "0", "-1"])]),
  spec("GETEX", 2, (g) => [shortKey(g), "PX", shortMs(g)]),
  spec("INCR", 1, (g) => [shortKey(g)]),
  spec("APPEND", 2, (g) => [shortKey(g), "more"]),
  spec("LPUSH", 1, (g) => [shortKey(g), "element"]),
  spec("PERSIST", 1, (g) => [shortKey(g)]),
  spec("COPY", 1, (g) => [shortKey(g), shortKey(g), "REPLACE"]),
  spec("RENAME", 1, (g) => [shortKey(g), shortKey(g)]),
  spec("HSET", 1, (g) => [shortKey(g), g.member(), g.member()]),
  // Times that outlive the load, and what keeps or changes them.
  spec("SET", 2, (g) => [timedKey(g), g.value(), "PX", longMs(g)]),
  spec("SET", 2, (g) => [timedKey(g), g.value(), "KEEPTTL"]),
  spec("SET", 1, (g) => [timedKey(g), g.value()]),
  spec("PEXPIRE", 2, (g) => [timedKey(g), longMs(g), g.pick(["NX", "XX", "GT", "LT"])]),
  spec("GETEX", 1, (g) => [timedKey(g), ...g.pick([["PERSIST"], ["PX", longMs(g)]])]),
];

/** Fields of hashes that live for a moment: what only servers since 7.4 know. */
const shortFields: CommandSpec[] = [
  spec("HPEXPIRE", 4, (g) => [g.key("hash"), shortMs(g), ...fields(g)]),
  spec("HPEXPIREAT", 2, (g) => [
    g.key("hash"),
    String((g as LoadGenerator).now() + g.between(-20, 250)),
    g.pick(["NX", "XX", "GT", "LT"]),
    ...fields(g),
  ]),
  spec("HEXPIRE", 1, (g) => [g.key("hash"), g.pick(["1", "0"]), ...fields(g)]),
  spec("HEXPIREAT", 1, (g) => [g.key("hash"), g.pick(["1", "4000000000"]), ...fields(g)]),
  spec("HPERSIST", 1, (g) => [g.key("hash"), ...fields(g)]),
  spec("HGETEX", 2, (g) => [g.key("hash"), "PX", shortMs(g), ...fields(g)]),
  spec("HGETDEL", 1, (g) => [g.key("hash"), ...fields(g)]),
  spec("HSETEX", 4, (g) => [
    ...[shortKey(g), "PX", shortMs(g), "FIELDS", "2"],
    ...[g.member(), g.value(), g.member(), g.value()],
  ]),
  spec("HSETEX", 1, (g) => [g.key("hash"), "KEEPTTL", "FIELDS", "1", g.member(), g.value()]),
  spec("HINCRBYFLOAT", 1, (g) => [g.key("hash"), g.member(), "1.5"]),
  spec("HGET", 2, (g) => [shortKey(g), g.member()]),
];

function fields(g: Generator): string[] {
  return ["FIELDS", "2", `m${g.between(0, 9)}`, g.member()];
}

/** What other clients wait for, and what the load writes there. */
const feeding: CommandSpec[] = [
  spec(
    "RPUSH",
    5,
    (g) => [blockingKey(g, "list"), ...g.many(1, 3, () => `${g.between(0, 99)}`)],
  ),
  spec("ZADD", 3, (g) => [blockingKey(g, "zset"), String(g.between(0, 99)), g.member()]),
  spec("DEL", 1, (g) => [blockingKey(g, "list"), blockingKey(g, "zset")]),
  spec("LMOVE", 1, (g) => [g.key("list"), blockingKey(g, "list"), side(g), side(g)]),
];

/** What the second client asks for; a timeout of 10 ms keeps it from waiting for long. */
const blocking: CommandSpec[] = [
  spec("BLPOP", 3, (g) => [blockingKey(g, "list"), blockingKey(g, "list"), "0.01"]),
  spec("BRPOP", 3, (g) => [blockingKey(g, "list"), "0.01"]),
  spec("BRPOPLPUSH", 2, (g) => [blockingKey(g, "list"), blockingKey(g, "list"), "0.01"]),
  spec(
    "BLMOVE",
    2,
    (g) => [blockingKey(g, "list"), blockingKey(g, "list"), side(g), side(g), "0.01"],
  ),
  spec("BLMPOP", 3, (g) => [
    "0.01",
    "2",
    blockingKey(g, "list"),
    blockingKey(g, "list"),
    side(g),
    "COUNT",
    String(g.between(1, 3)),
  ]),
  spec("BZPOPMIN", 2, (g) => [blockingKey(g, "zset"), blockingKey(g, "zset"), "0.01"]),
  spec("BZPOPMAX", 2, (g) => [blockingKey(g, "zset"), "0.01"]),
  spec("BZMPOP", 2, (g) => ["0.01", "1", blockingKey(g, "zset"), g.pick(["MIN", "MAX"])]),
];

/** Commands whose drawn arguments seldom meet anything, with some that do. */
const hits: CommandSpec[] = [
  spec("SMOVE", 3, (g) => [g.key("set"), g.key("set"), `m${g.between(0, 9)}`]),
  spec("ZADD", 3, (g) => [
    ...[`ranked:${g.between(0, 1)}`, ...g.pick([["GT"], ["LT"], ["NX"], ["XX", "CH"], []])],
    ...[String(g.between(-9, 9)), `m${g.between(0, 3)}`],
  ]),
  spec("ZREMRANGEBYRANK", 1, (g) => [g.key("zset"), "0", "0"]),
  spec("ZREMRANGEBYSCORE", 1, (g) => [g.key("zset"), "-5", "5"]),
  spec("ZREMRANGEBYLEX", 1, (g) => [g.lexKey(), "-", "[m5"]),
  spec("HDEL", 1, (g) => [g.key("hash"), `m${g.between(0, 9)}`, `m${g.between(0, 9)}`]),
  spec("LREM", 1, (g) => [g.key("list"), "1", `m${g.between(0, 9)}`]),
  spec("XADD", 3, (g) => [g.key("stream"), `${g.between(0, 60)}-*`, "f", g.value()]),
  spec("XADD", 1, (g) => ["short:stream", "*", "f", g.value()]),
  spec("XGROUP", 2, (g) => ["CREATE", g.key("stream"), "g1", "0", "MKSTREAM"]),
  spec("XREADGROUP", 8, (g) => [
    ...["GROUP", "g1", g.pick(["c1", "c2"]), "COUNT", "3"],
    ...["STREAMS", g.key("stream"), ">"],
  ]),
  spec("XCLAIM", 2, (g) => [
    ...[g.key("stream"), "g1", "c2", "0", ...g.many(2, 5, () => `${g.between(0, 60)}-0`), "FORCE"],
  ]),
  spec("XTRIM", 2, (g) => [g.key("stream"), "MAXLEN", "1"]),
  spec("GEOADD", 2, (g) => [g.key("geo"), "13.3", "52.5", `m${g.between(0, 5)}`]),
  spec("GEORADIUSBYMEMBER", 2, (g) => [
    ...[g.key("geo"), `m${g.between(0, 5)}`, "100", "km", "STORE", g.key("geo")],
  ]),
  spec("XSETID", 1, () => ["short:stream", "4000000000000-0"]),
  spec("XDEL", 2, (g) => [g.key("stream"), ...g.many(2, 5, () => `${g.between(0, 60)}-0`)]),
  spec("XACK", 3, (g) => [g.key("stream"), "g1", ...g.many(30, 40, () => `${g.between(0, 60)}-0`)]),
  spec("XAUTOCLAIM", 2, (g) => [g.key("stream"), "g1", "c1", "0", "0"]),
  spec("LINSERT", 1, (g) => [g.key("list"), "AFTER", `m${g.between(0, 9)}`, g.value()]),
];

const rare: CommandSpec[] = [
  spec("SELECT", 30, (g) => [db(g)]),
  spec("PUBLISH", 20, (g) => [`channel:${g.between(0, 3)}`, g.value()]),
  spec("MOVE", 20, (g) => [g.anyKey(), db(g)]),
  spec("SWAPDB", 10, (g) => [db(g), db(g)]),
  spec("COPY", 20, (g) => [g.anyKey(), g.anyKey(), "DB", db(g), "REPLACE"]),
  spec("FLUSHDB", 2, (g) => g.pick([[], ["ASYNC"], ["SYNC"]])),
  spec("FLUSHALL", 1, (g) => g.pick([[], ["ASYNC"], ["SYNC"]])),
];

/** Groups of tests/compat whose commands on data are taken over. */
const GROUPS = [
  "strings",
  "bits",
  "keys",
  "expiry",
  "lists",
  "sets",
  "hashes",
  "sorted sets",
  "sort",
  "dump and restore",
  "hyperloglogs",
  "geo",
  "streams",
];
/** Drawn by the load itself, or of no use to it. */
const OWN =
  /^(SELECT|SWAPDB|FLUSHDB|FLUSHALL|KEYS|SCAN|DBSIZE|DEBUG|MEMORY|OBJECT|RANDOMKEY|CONFIG)/;

const fromCompat = GROUPS.map((name) => groups.find((group) => group.name === name)!)
  .map(({ specs }) => specs.filter((one) => !OWN.test(one.name)));

/** The commands that the load draws, in lower case. */
export function commandsInLoad(): Set<string> {
  const all = [...fromCompat.flat(), ...shortLives, ...feeding, ...blocking, ...hits, ...rare];
  return new Set(all.map((one) => one.name.split(" ")[0].toLowerCase()));
}

function pickSpec(g: Generator, specs: CommandSpec[]): CommandSpec {
  let roll = g.next() % specs.reduce((sum, one) => sum + one.weight, 0);
  for (const one of specs) {
    roll -= one.weight;
    if (roll < 0) return one;
  }
  return specs[0];
}

/**
 * What servers need not agree on: the order of ties in SORT by weights with STORE; BITFIELD with
 * OVERFLOW FAIL, for which Redis lengthens the string and, where all fails, tells no replica; and ZRANGESTORE
 * with a LIMIT from a negative index on, which finds nothing before Redis 7.4, and since then in large sets what is that
 * far before their end.
 */
function isLeftOpen(words: string[]): boolean {
  const upper = words.map((word) => word.toUpperCase());
  return (upper[0] === "SORT" && upper.includes("BY") && upper.includes("STORE")) ||
    (upper[0] === "BITFIELD" && upper.includes("FAIL")) ||
    (upper[0] === "ZRANGESTORE" &&
      upper.some((word, i) => word === "LIMIT" && Number(upper[i + 1]) < 0));
}

export class LoadGenerator extends Generator {
  #untilFill = 0;

  /**
   * `now` tells the unix time of the server that is written to, in milliseconds. With `hasShortFields` there are
   * commands that redis 7.0 does not know.
   */
  constructor(
    seed: number,
    readonly now: () => number = Date.now,
    readonly hasShortFields = false,
  ) {
    super(seed);
  }

  /** One command of the load, for a client that must not wait. */
  command(): string[] {
    for (;;) {
      const roll = this.between(0, 99);
      const specs = roll < 12
        ? (this.hasShortFields && this.chance(0.5) ? shortFields : shortLives)
        : roll < 20
        ? feeding
        : roll < 24
        ? rare
        : roll < 28
        ? hits
        : this.pick(fromCompat);
      const { words } = drawCall(this, pickSpec(this, specs));
      if (specs !== shortLives && specs !== shortFields && tooMuch(words)) continue;
      if (!isLeftOpen(words)) return words;
    }
  }

  /** One command, one transaction, or now and then (and first) content for all keys. */
  commands(): string[][] {
    if (this.#untilFill-- <= 0) {
      this.#untilFill = this.between(200, 400);
      return fill(this, poolKeys).map(({ words }) => words);
    }
    if (!this.chance(0.06)) return [this.command()];
    const inside = Array.from({ length: this.between(0, 5) }, () => this.command());
    return [["MULTI"], ...inside, [this.chance(0.9) ? "EXEC" : "DISCARD"]];
  }

  /** One command that may wait. */
  blockingCommand(): string[] {
    return drawCall(this, pickSpec(this, blocking)).words;
  }
}

/** How a load is to be. */
export interface LoadOptions {
  commandsPerBatch: number;
  pauseMs: number;
  /** Whether FLUSHALL is among its commands, which empties databases of others too. */
  flushesAll: boolean;
  /** Whether there are commands that redis 7.0 does not know: fields of hashes that expire. */
  hasShortFields: boolean;
  /** Commands that are left out. */
  leavesOut: (words: readonly string[]) => boolean;
}

const USUAL_LOAD: LoadOptions = {
  commandsPerBatch: 30,
  pauseMs: 1,
  flushesAll: true,
  hasShortFields: false,
  leavesOut: () => false,
};

/** A running load; see {@linkcode startLoad}. */
export class WriteLoad implements AsyncDisposable {
  /** Commands sent so far. */
  sent = 0;
  #stopping = false;
  #failure: unknown = null;
  readonly #loops: Promise<void>[];

  constructor(
    readonly seed: number,
    private readonly clients: RespClient[],
    options: LoadOptions,
  ) {
    const [writer, blocked] = clients;
    this.#loops = [
      this.#guarded(() => this.#write(writer, options)),
      this.#guarded(() => this.#block(blocked)),
    ];
  }

  /** Waits until so many further commands have been answered. */
  async further(commands: number): Promise<void> {
    const until = this.sent + commands;
    while (this.sent < until && this.#failure === null) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends the load: what was sent has been answered. Throws what went wrong on the way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
    for (const client of this.clients) client.close();
    if (this.#failure !== null) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure = null;
    await this.stop().catch(() => {}); // a failing test has its own error
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (thrown) {
      this.#failure ??= new Error(`the load (seed ${this.seed}) failed: ${thrown}`, {
        cause: thrown,
      });
    }
  }

  async #write(
    client: RespClient,
    { commandsPerBatch, pauseMs, flushesAll, hasShortFields, leavesOut }: LoadOptions,
  ): Promise<void> {
    const g = new LoadGenerator(this.seed, Date.now, hasShortFields);
    while (!this.#stopping) {
      const batch: string[][] = [];
      while (batch.length < commandsPerBatch) {
        const commands = g.commands().filter((words) => !leavesOut(words));
        batch.push(
          ...(flushesAll ? commands : commands.filter(([name]) => !/^flushall$/i.test(name))),
        );
      }
      const replies = await client.pipeline(batch);
      replies.forEach((reply, i) => learnPayload(g, batch[i], reply));
      this.sent += batch.length;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #block(client: RespClient): Promise<void> {
    const g = new LoadGenerator(this.seed ^ 0x5bd1e995);
    while (!this.#stopping) {
      if (g.chance(0.05)) await client.call("SELECT", db(g));
      await client.call(...g.blockingCommand());
    }
  }
}

/** Keeps a DUMP payload that the server has answered with, for RESTORE. */
export function learnPayload(g: Generator, words: string[], reply: Reply): void {
  if (words[0].toUpperCase() !== "DUMP" || reply.kind !== "bulk") return;
  if (g.payloads.length < 40) g.payloads.push(reply.text);
  else g.payloads[g.between(0, 39)] = reply.text;
}

/** Starts a load on a server; it runs until stopped. The seed belongs in the test's name or output. */
export async function startLoad(
  server: { port: number; hostname?: string },
  { seed, ...given }: { seed: number } & Partial<LoadOptions>,
): Promise<WriteLoad> {
  const { port, hostname } = server;
  const clients = [await connect(port, hostname), await connect(port, hostname)];
  return new WriteLoad(seed, clients, { ...USUAL_LOAD, ...given });
}

/** Sends exactly `count` commands of a load and waits for the answers. */
export async function writeSome(
  server: { port: number },
  { seed, count }: { seed: number; count: number },
): Promise<void> {
  using client = await connect(server.port);
  const g = new LoadGenerator(seed);
  for (let sent = 0; sent < count;) {
    const batch: string[][] = [];
    while (batch.length < 50) batch.push(...g.commands());
    const replies = await client.pipeline(batch);
    replies.forEach((reply, i) => learnPayload(g, batch[i], reply));
    sent += batch.length;
  }
}

/** The bytes of a command as it stands in a stream of writes. */
export function streamBytes(...words: string[]): Uint8Array {
  return encode([words]);
}
