/**
 * A load of writes that tells afterwards, of any dataset, whether it is one that was there at some instant.
 *
 * Each transaction is drawn from its name alone, is free of time and chance, and enters its name into a list in
 * the same instant. Whatever the order in which the server took the transactions of several clients, that list
 * has it: carried out in this order on a model, they must give the same digest.
 */

import { assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { connect, type Reply, type RespClient, textOf } from "../support/resp_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { pause } from "./trial.ts";

/** The database of the list of names and of their count. */
const LOG_DATABASE = "9";
/** Databases that are written to. */
const DATABASES = 3;
const FAR_FUTURE_MS = 4_100_000_000_000;
const BATCH = 500;
/** Between the transactions of a writer: what is written has to be gone through again by the model. */
const PAUSE_MS = 5;
/** Keys that differ of which an error tells. */
const SHOWN_MAX = 6;

type Draw = (random: Random) => string[];

const key = (kind: string, random: Random) => `${kind}:${random.below(12)}`;
const member = (random: Random) => `m${random.below(300)}`;
const number = (random: Random) => String(random.between(-1000, 1000));
const text = (random: Random) =>
  random.chance(0.05) ? "x".repeat(random.below(40_000)) : `value ${random.below(1e9)}`;
const some = (random: Random, draw: (random: Random) => string) =>
  Array.from({ length: random.between(1, 6) }, () => draw(random));

/** What a transaction does, each as likely as the others. */
const WRITES: Draw[] = [
  (r) => ["SET", `fill:${r.below(5_000)}`, text(r)],
  (r) => ["SET", key("s", r), text(r)],
  (r) => ["APPEND", key("s", r), text(r)],
  (r) => ["SETRANGE", key("s", r), String(r.below(2_000)), "change"],
  (r) => ["SETBIT", key("bits", r), String(r.below(20_000)), String(r.below(2))],
  (r) => ["BITOP", "XOR", key("bits", r), key("bits", r), key("bits", r)],
  (r) => ["INCRBY", key("n", r), number(r)],
  (r) => ["DEL", `fill:${r.below(5_000)}`, key("s", r)],
  (r) => ["RENAME", `fill:${r.below(5_000)}`, `fill:${r.below(5_000)}`],
  (r) => ["COPY", key("h", r), key("h", r), "REPLACE"],
  (r) => ["MOVE", `fill:${r.below(5_000)}`, String(r.below(DATABASES))],
  (r) => ["PEXPIREAT", `fill:${r.below(5_000)}`, String(FAR_FUTURE_MS + r.below(1e6))],
  (r) => ["PERSIST", `fill:${r.below(5_000)}`],
  (r) => ["RPUSH", "large list", ...some(r, text)],
  (r) => ["LPOP", "large list", String(r.between(1, 4))],
  (r) => ["LSET", "large list", String(r.below(400)), text(r)],
  (r) => ["LPUSH", key("l", r), ...some(r, member)],
  (r) => ["LREM", key("l", r), "1", member(r)],
  (r) => ["LMOVE", key("l", r), key("l", r), "LEFT", "RIGHT"],
  (r) => ["LTRIM", key("l", r), "0", "200"],
  (r) => ["SADD", "large set", ...some(r, (q) => `new ${q.below(1e6)}`)],
  (r) => ["SREM", "large set", `member:${r.below(3_000)}`],
  (r) => ["SADD", key("e", r), ...some(r, member)],
  (r) => ["SMOVE", key("e", r), key("e", r), member(r)],
  (r) => ["SUNIONSTORE", key("e", r), key("e", r), key("e", r)],
  (r) => ["HSET", "large hash", `field:${r.below(3_000)}`, text(r)],
  (r) => ["HDEL", "large hash", `field:${r.below(3_000)}`],
  (r) => ["HSET", key("h", r), member(r), text(r)],
  (r) => ["HINCRBY", key("counts", r), member(r), number(r)],
  (r) => ["ZADD", "large zset", number(r), `member:${r.below(3_000)}`],
  (r) => ["ZREMRANGEBYRANK", "large zset", String(r.below(9)), "9"],
  (r) => ["ZINCRBY", key("z", r), number(r), member(r)],
  (r) => ["ZREM", key("z", r), ...some(r, member)],
  (r) => ["ZUNIONSTORE", key("z", r), "2", key("z", r), key("z", r)],
];

/** The words of the transaction `name`, between MULTI and EXEC included. */
export function transaction(seed: number, name: string): string[][] {
  let drawnFrom = seed;
  for (let i = 0; i < name.length; i++) {
    drawnFrom = Math.imul(drawnFrom ^ name.charCodeAt(i), 0x01000193);
  }
  const random = new Random(drawnFrom);
  const writes = Array.from({ length: random.between(1, 8) }, () => random.pick(WRITES)(random));
  return [
    ["MULTI"],
    ["SELECT", LOG_DATABASE],
    ["RPUSH", "log", name],
    ["SELECT", String(random.below(DATABASES))],
    ...writes,
    ["EXEC"],
  ];
}

/** Content to begin with, as commands: `keys` strings, and large collections of a tenth of that. */
export function* firstContent(keys: number): Generator<string[]> {
  const inPieces = function* (count: number, start: string[], item: (i: number) => string[]) {
    for (let at = 0; at < count; at += BATCH) {
      const size = Math.min(BATCH, count - at);
      yield [...start, ...Array.from({ length: size }, (_, i) => item(at + i)).flat()];
    }
  };
  yield* inPieces(keys, ["MSET"], (i) => [`fill:${i}`, `content of key ${i} `.repeat(1 + i % 5)]);
  const members = Math.ceil(keys / 10);
  yield* inPieces(members, ["RPUSH", "large list"], (i) => [`element ${i}`]);
  yield* inPieces(members, ["SADD", "large set"], (i) => [`member:${i}`]);
  yield* inPieces(members, ["HSET", "large hash"], (i) => [`field:${i}`, `value ${i}`]);
  yield* inPieces(members, ["ZADD", "large zset"], (i) => [`${i / 3}`, `member:${i}`]);
}

/** What a server must hold: the model, and the history that it has been through. */
export class KnownHistory {
  readonly model: TestServer = testServer({ keepsStream: false });
  /** Transactions that the model has been through: the length of the list of names. */
  length = 0;
  /** By its place in the list, the name of each transaction that was answered. */
  readonly answered = new Map<number, string>();
  /** When they were answered, in this order: the place, and `Date.now()`. */
  #answers: [place: number, ms: number][] = [];
  #nextName = 0;

  constructor(readonly seed: number) {}

  /** Gives a server, and the model, something to begin with. */
  async fill(client: RespClient, keys: number): Promise<void> {
    for (const words of firstContent(keys)) {
      await client.call(...words);
      this.model.run(...words);
    }
  }

  /** A name for one more transaction. */
  newName(writer: string): string {
    return `${writer}:${this.#nextName++}`;
  }

  /** Notes what a server answered to a transaction. */
  noteAnswer(name: string, replies: Reply[]): void {
    const reply = replies.at(-1)!;
    if (reply.kind !== "array") throw new Error(`EXEC was answered ${Deno.inspect(reply)}`);
    const pushed = reply.items[1];
    if (pushed.kind !== "integer") throw new Error(`RPUSH was answered ${Deno.inspect(pushed)}`);
    this.answered.set(Number(pushed.value), name);
    this.#answers.push([Number(pushed.value), Date.now()]);
  }

  /** How long the list of names was in the last of the answers that came until then. */
  answeredUntil(ms: number): number {
    const places = this.#answers.filter(([, answeredMs]) => answeredMs <= ms).map(([place]) =>
      place
    );
    return Math.max(this.length, ...places);
  }

  /**
   * Writes on one connection until it ends or `isStopping` says so. Gives how many transactions were answered;
   * throws what a server must not answer.
   */
  async write(port: number, writer: string, isStopping: () => boolean): Promise<number> {
    let count = 0;
    const connection = await connect(port).catch(() => null);
    if (connection === null) return 0;
    using client = connection;
    while (!isStopping()) {
      const names = Array.from({ length: 8 }, () => this.newName(writer));
      const calls = names.map((name) => transaction(this.seed, name));
      const replies = await client.pipeline(calls.flat()).catch(() => null);
      if (replies === null) break; // the server was killed
      let at = 0;
      for (const [i, name] of names.entries()) {
        this.noteAnswer(name, replies.slice(at, at += calls[i].length));
        count++;
      }
      await pause(PAUSE_MS);
    }
    return count;
  }

  /**
   * Demands that a server holds the dataset as of some instant of this history, not before `floor` transactions,
   * and makes that the state of the model. Gives how many transactions that are.
   */
  async demand(client: RespClient, floor: number): Promise<number> {
    await client.call("SELECT", LOG_DATABASE);
    const names = await client.call("LRANGE", "log", String(this.length), "-1");
    await client.call("SELECT", "0");
    if (names.kind !== "array") throw new Error(`no list of names: ${Deno.inspect(names)}`);
    const length = this.length + names.items.length;
    if (length < floor) {
      throw new Error(`${length} transactions are there, where ${floor} had been saved`);
    }
    for (const item of names.items) this.#replay(textOf(item));
    this.answered.clear();
    this.#answers = [];
    if (textOf(await client.call("DEBUG", "DIGEST")) !== this.model.run("DEBUG", "DIGEST")) {
      const keys = await this.#differences(client);
      throw new Error(
        `the dataset is not that of any instant (${length} transactions): ${keys.length} keys differ, ` +
          `${keys.slice(0, SHOWN_MAX).join("; ")}`,
      );
    }
    return length;
  }

  /** The keys that a server has and the model has not, or the other way, or with another value, and how. */
  async #differences(client: RespClient): Promise<string[]> {
    const found: string[] = [];
    for (let database = 0; database < DATABASES; database++) {
      const select = ["SELECT", `${database}`];
      this.model.run(...select);
      await client.call(...select);
      const theirs = await client.call("KEYS", "*");
      if (theirs.kind !== "array") throw new Error(`no keys: ${Deno.inspect(theirs)}`);
      const ours = this.model.run("KEYS", "*") as string[];
      for (const key of new Set([...theirs.items.map(textOf), ...ours])) {
        const dump = ["DEBUG", "DIGEST-VALUE", key];
        const [one] = this.model.run(...dump) as string[];
        const other = await client.call(...dump);
        if (other.kind === "array" && textOf(other.items[0]) === one) continue;
        const type = this.model.run("TYPE", key);
        const length = type === "list"
          ? ["LLEN", key]
          : type === "string"
          ? ["STRLEN", key]
          : ["TYPE", key];
        const there = Deno.inspect(await client.call(...length));
        found.push(`${database} ${key} (${type}, ${this.model.run(...length)} expected, ${there})`);
      }
      this.model.run("SELECT", 0);
      await client.call("SELECT", "0");
    }
    return found;
  }

  #replay(name: string): void {
    this.length++;
    const answered = this.answered.get(this.length);
    if (answered !== undefined) assertEquals(name, answered, `transaction ${this.length}`);
    for (const words of transaction(this.seed, name)) this.model.run(...words);
    this.model.run("SELECT", 0);
  }

  /** How many transactions a server has been through by now. */
  async lengthOn(client: RespClient): Promise<number> {
    const [, length] = await client.pipeline([
      ["SELECT", LOG_DATABASE],
      ["LLEN", "log"],
      ["SELECT", "0"],
    ]);
    if (length.kind !== "integer") throw new Error(`LLEN: ${Deno.inspect(length)}`);
    return Number(length.value);
  }
}
