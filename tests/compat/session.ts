/**
 * Runs drawn calls on two servers and compares what they answer and what they end up holding.
 *
 * Calls go out in batches, the same batch to both. A batch ends at a call that needs a follow-up
 * (a random choice has to be made good on the other side before anything else happens) and where
 * the connection changes. On a difference the rest of the batch is not judged: the calls that led
 * there are replayed from empty servers and dropped one by one while the difference stays, both
 * servers are emptied and filled again, and the session goes on, so one run finds many differences.
 *
 * What is not covered: replies pushed by the server, blocking calls, and anything that hangs on
 * the clock more finely than five seconds.
 */

import { assertEquals } from "@std/assert";
import { type Call, fill, type Group, groupNamed, groups, type Mode } from "./commands.ts";
import { Generator, poolKeys, tooMuch } from "./generator.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { Connection, type Peer, realServer, testedServer } from "./support.ts";
import { quote, render, renderPairs, type Reply } from "./reply.ts";

/** Calls per batch at most. */
const BATCH_SIZE = 40;
/** Differences after which a session gives up. */
const DIFFERENCES_MAX = Number(Deno.env.get("TSREDIS_COMPAT_DIFFERENCES") ?? 8);
/** Databases whose content is read back. */
const DATABASES_READ = 3;
/** Lifetimes may differ by this much: the two servers get a call at different instants. */
const LIFETIME_TOLERANCE_MS = 5_000;

/** Why replies may differ although neither server is wrong: 7.0.15 is compared with 7.2. */
const VERSION_DIFFERENCES: {
  reason: string;
  applies: (words: string[], real: Reply, tested: Reply) => boolean;
}[] = [
  {
    reason: "since 7.2 ZRANK and ZREVRANK take WITHSCORE",
    applies: (words, real) =>
      words.some((word) => /^Z(REV)?RANK$/i.test(word)) &&
      /number of arguments/.test(real.text),
  },
  {
    reason: "since 7.2 COMMAND GETKEYS and GETKEYSANDFLAGS look at a command without arguments",
    applies: (words, real) =>
      /^COMMAND$/i.test(words[0]) && /^GETKEYS/i.test(words[1] ?? "") && words.length === 3 &&
      /number of arguments for 'command\|getkeys/.test(real.text),
  },
  {
    reason: "since 7.2 LPOS refuses a RANK that has no negative",
    applies: (words, _, tested) =>
      /^LPOS$/i.test(words[0]) && words.includes("-9223372036854775808") &&
      tested.text.startsWith("ERR value is out of range"),
  },
  {
    reason: "since 7.2 XREAD and XREADGROUP are named when a stream has no id",
    applies: (_, real, tested) =>
      real.text.startsWith("ERR Unbalanced XREAD list") &&
      tested.text.startsWith("ERR Unbalanced 'xread"),
  },
  {
    reason: "since 7.2 XSETID looks at the entries that were deleted",
    applies: (words, _, tested) =>
      /^XSETID$/i.test(words[0]) && tested.text.includes("current max_deleted_entry_id"),
  },
  {
    reason: "since 7.2 doubles are printed in their shortest form",
    applies: (words, real, tested) =>
      /^(Z|GEO)/i.test(words[0]) && real.kind !== "error" &&
      sameDoubles(real, tested),
  },
  {
    reason: "since 7.2 there are more settings for a pattern of CONFIG GET to match",
    applies: (words, real, tested) =>
      /^CONFIG$/i.test(words[0]) && /^GET$/i.test(words[1] ?? "") && words.length > 2 &&
      real.kind !== "error" && tested.kind === real.kind &&
      tested.items.length > real.items.length &&
      isPartOf(renderPairs(real.items), renderPairs(tested.items)),
  },
];

/** The two servers under comparison with their connections. */
export class Pair {
  readonly real: Peer;
  readonly tested: Peer;
  realConns: Connection[] = [];
  testedConns: Connection[] = [];
  /** Commands the tested server has, upper case. */
  known = new Set<string>();
  #protocol = 2;

  constructor(real: Peer = realServer(), tested: Peer = testedServer()) {
    this.real = real;
    this.tested = tested;
  }

  async start(): Promise<void> {
    await Promise.all([this.real.start(), this.tested.start()]);
    await this.connect(this.#protocol);
    this.known = await commandsOf(this.tested.port);
  }

  /** New connections to both that speak this version of the protocol; false if one cannot. */
  async connect(protocol: number): Promise<boolean> {
    this.#protocol = protocol;
    this.disconnect();
    for (let i = 0; i < 2; i++) {
      this.realConns.push(await Connection.open(this.real.port));
      this.testedConns.push(await Connection.open(this.tested.port));
    }
    let spoken = true;
    if (protocol === 3) {
      for (const conn of [...this.realConns, ...this.testedConns]) {
        spoken = (await conn.call("HELLO", "3")).kind === "map" && spoken;
      }
    }
    return spoken;
  }

  disconnect(): void {
    for (const conn of [...this.realConns, ...this.testedConns]) conn.close();
    this.realConns = [];
    this.testedConns = [];
  }

  /** Empties both and undoes what calls left on the connections. Restarts a server that died. */
  async reset(): Promise<void> {
    if (!this.real.running || !this.tested.running) {
      await this.stop();
      await Promise.all([this.real.start(), this.tested.start()]);
      await this.connect(this.#protocol);
    } else if ([...this.realConns, ...this.testedConns].some((conn) => !conn.alive)) {
      await this.connect(this.#protocol);
    }
    const cleanup = [["DISCARD"], ["UNWATCH"], ["SELECT", "0"], ["CLIENT", "SETNAME", ""]];
    for (const conns of [this.realConns, this.testedConns]) {
      for (const conn of conns) await conn.pipeline(cleanup);
      if ((await conns[0].call("FLUSHALL")).kind === "error") await deleteAll(conns[0]);
    }
  }

  /** The same calls over the same connection on both. */
  async both(conn: 0 | 1, calls: string[][]): Promise<[Reply[], Reply[]]> {
    return await Promise.all([
      this.realConns[conn].pipeline(calls),
      this.testedConns[conn].pipeline(calls),
    ]);
  }

  /** Whether the tested server has the command of this call. */
  has(words: string[]): boolean {
    const name = (words[0] ?? "").toUpperCase();
    if (name === "COMMAND" && /^GETKEYS/i.test(words[1] ?? "") && words.length > 2) {
      if (!this.known.has(words[2].toUpperCase()) && DRAWN.has(words[2].toUpperCase())) {
        return false;
      }
    }
    return this.known.has(name) || !DRAWN.has(name);
  }

  async stop(): Promise<void> {
    this.disconnect();
    await Promise.all([this.real.stop(), this.tested.stop()]);
  }
}

/** Names of real commands that the groups draw: what a server may not have yet. */
const DRAWN = new Set(
  groups.flatMap((group) => group.specs.map((one) => one.name.split(" ")[0]))
    .filter((name) => /^[A-Z_]+$/.test(name) && name !== "UNKNOWNCMD"),
);

/** The commands a server has: what it says, or, if it does not know COMMAND, those it answers. */
export async function commandsOf(port: number, password?: string): Promise<Set<string>> {
  const conn = await Connection.open(port);
  if (password !== undefined) await conn.call("AUTH", password);
  const list = await conn.call("COMMAND", "LIST");
  let names = list.items.map((item) => item.text.toUpperCase());
  if (list.kind === "error") {
    names = [...DRAWN].filter((name) => !["SHUTDOWN", "RESET", "MULTI"].includes(name));
    const replies = await conn.pipeline(names.map((name) => [name]));
    names = names.filter((_, i) => !replies[i].text.startsWith("ERR unknown command"));
    names.push("MULTI");
  }
  conn.close();
  return new Set(names);
}

/** One disagreement, ready to be printed. */
interface Difference {
  index: number;
  /** How often the like was met: same command, same kinds of reply, same error. */
  times: number;
  /** The server under test lives and does not answer. */
  hangs: boolean;
  calls: Call[];
  real: string;
  tested: string;
}

/** What a session saw. */
export interface Outcome {
  compared: number;
  /** Calls per way of comparing. */
  byMode: Map<string, Set<string>>;
  /** Accepted differences between versions, with how often they were met. */
  accepted: Map<string, number>;
  /** Commands the tested server does not have yet. */
  leftOut: Set<string>;
  differences: Difference[];
}

/** One run over a group with one seed and one version of the protocol. */
export class Session {
  readonly outcome: Outcome = {
    compared: 0,
    byMode: new Map(),
    accepted: new Map(),
    leftOut: new Set(),
    differences: [],
  };
  /** Calls since both servers were empty. */
  #history: Call[] = [];
  /** Calls queued by MULTI on connection 0: how the elements of EXEC's reply compare. */
  #queued: Call[] | null = null;
  #generator: Generator;
  /** Differences in replies by what they are about, so that the like is counted, not repeated. */
  #bySign = new Map<string, Difference>();

  constructor(private readonly pair: Pair, private readonly group: Group, seed: number) {
    this.#generator = new Generator(seed);
  }

  /** Sends `total` calls or stops at too many differences. */
  async run(total: number): Promise<Outcome> {
    const outcome = this.outcome;
    let sinceRead = 0;
    let sinceFill = Infinity;
    while (outcome.compared < total && this.#differing() < DIFFERENCES_MAX) {
      if (sinceFill >= 1500) {
        await this.#refill();
        sinceFill = 0;
      }
      const batch = this.#draw();
      const good = await this.#runBatch(batch);
      sinceFill += batch.length;
      sinceRead += batch.length;
      if (!good) {
        sinceFill = Infinity;
      } else if (sinceRead >= 1000 || sinceFill >= 1500) {
        sinceRead = 0;
        if (!await this.#compareContents()) sinceFill = Infinity;
      }
    }
    if (this.#differing() < DIFFERENCES_MAX) await this.#compareContents();
    return outcome;
  }

  /** Differences so far; a repeated one weighs less, or one flaw would hide the others. */
  #differing(): number {
    return this.outcome.differences.reduce(
      (sum, one) => sum + (one.hangs ? 3 : 1) + (one.times - 1) / 20,
      0,
    );
  }

  async #refill(): Promise<void> {
    await this.pair.reset();
    this.#history = [];
    this.#queued = null;
    const calls = fill(this.#generator, poolKeys).filter((call) => this.pair.has(call.words));
    for (let at = 0; at < calls.length; at += BATCH_SIZE) {
      await this.#runBatch(calls.slice(at, at + BATCH_SIZE));
    }
  }

  /** Calls up to where the next ones have to wait for the replies. */
  #pending: Call[] = [];
  #draw(): Call[] {
    const batch: Call[] = [];
    while (batch.length < BATCH_SIZE) {
      while (this.#pending.length === 0) {
        for (const call of this.group.draw(this.#generator)) {
          if (tooMuch(call.words)) continue;
          if (!this.pair.has(call.words)) {
            this.outcome.leftOut.add(call.words[0].toUpperCase());
            continue;
          }
          this.#pending.push(call);
        }
      }
      if (batch.length > 0 && this.#pending[0].conn !== batch[0].conn) break;
      const call = this.#pending.shift()!;
      batch.push(call);
      if (call.mode === "pop" || call.mode === "sample" || call.mode === "payload") break;
    }
    return batch;
  }

  /** Runs and compares a batch; false after a difference, which is then recorded. */
  async #runBatch(batch: Call[]): Promise<boolean> {
    const before = this.#history.length;
    this.#history.push(...batch);
    const [real, tested] = await this.pair.both(batch[0].conn, batch.map((call) => call.words));
    for (let i = 0; i < batch.length; i++) {
      const wrong = await this.#judge(batch[i], real[i], tested[i]);
      this.outcome.compared++;
      if (wrong === null) continue;
      await this.#record(this.#history.slice(0, before + i + 1), wrong, real[i], tested[i]);
      return false;
    }
    return true;
  }

  async #judge(call: Call, real: Reply, tested: Reply): Promise<string | null> {
    const name = call.words[0].toUpperCase();
    const label = name === "OBJECT" || name === "CLIENT" || name === "CONFIG"
      ? `${name} ${(call.words[1] ?? "").toUpperCase()}`.trim()
      : name;
    const labels = this.outcome.byMode.get(call.mode) ?? new Set();
    this.outcome.byMode.set(call.mode, labels.add(label));
    if (call.conn === 0) {
      if (this.#queued !== null && real.text === "QUEUED") {
        this.#queued.push(call);
        return render(real) === render(tested) ? null : "replies differ";
      }
      if (name === "MULTI" && real.kind === "status") this.#queued = [];
      else if (name === "EXEC" && real.kind === "array") {
        const queued = this.#queued ?? [];
        this.#queued = null;
        return this.#judgeExec(queued, real, tested);
      } else if (name === "EXEC" || name === "DISCARD") {
        if (!real.text.startsWith("ERR wrong number")) this.#queued = null;
      } else if (name === "RESET") this.#queued = null;
    }
    return await this.#compare(call, real, tested);
  }

  #judgeExec(queued: Call[], real: Reply, tested: Reply): string | null {
    if (tested.kind !== "array" || tested.items.length !== real.items.length) return "EXEC differs";
    for (let i = 0; i < real.items.length; i++) {
      const call = queued[i];
      if (call === undefined || !this.#same(call, real.items[i], tested.items[i])) {
        return `element ${i} of EXEC differs (${call?.words.map(quote).join(" ")})`;
      }
    }
    return null;
  }

  /** Compares one pair of replies, with follow-ups; null if they agree, else what does not. */
  async #compare(call: Call, real: Reply, tested: Reply): Promise<string | null> {
    switch (call.mode) {
      case "pop":
        if (render(real) === render(tested)) return null;
        return await this.#agreeOnPop(call, real, tested);
      case "sample":
        if (render(real) === render(tested)) return null;
        return await this.#checkSample(call, real, tested);
      case "payload":
        if (real.kind !== "bulk" || tested.kind !== "bulk") {
          return this.#same({ ...call, mode: "equal" }, real, tested) ? null : "replies differ";
        }
        return await this.#exchange(real.text, tested.text);
      default:
        return this.#same(call, real, tested) ? null : "replies differ";
    }
  }

  #same(call: Call, real: Reply, tested: Reply): boolean {
    if (sameUnder(call.mode, real, tested)) return true;
    const accepted = VERSION_DIFFERENCES.find((one) => one.applies(call.words, real, tested));
    if (accepted === undefined) return false;
    const reason = accepted.reason;
    this.outcome.accepted.set(reason, (this.outcome.accepted.get(reason) ?? 0) + 1);
    return true;
  }

  /** SPOP chose different members: each side must have the other's, and gives them up. */
  async #agreeOnPop(call: Call, real: Reply, tested: Reply): Promise<string | null> {
    if (!sameUnder("shape", real, tested)) return "replies differ";
    const key = call.words[1];
    const ofReal = textsOf(real);
    const ofTested = textsOf(tested);
    if (new Set(ofTested).size !== ofTested.length) return "the same member popped twice";
    const [fromReal, fromTested] = await Promise.all([
      this.pair.realConns[0].call("SREM", key, ...ofTested),
      this.pair.testedConns[0].call("SREM", key, ...ofReal),
    ]);
    const differing = ofReal.filter((member) => !ofTested.includes(member)).length;
    if (fromReal.text !== String(differing)) return "a popped member was not in the set";
    return fromTested.text === fromReal.text
      ? null
      : "a popped member is still there, or one more is gone";
  }

  /** Random members: as many, and all of them in the real server's key. */
  async #checkSample(call: Call, real: Reply, tested: Reply): Promise<string | null> {
    if (!sameUnder("shape", real, tested)) return "replies differ";
    const name = call.words[0].toUpperCase();
    const conn = this.pair.realConns[0];
    if (name === "RANDOMKEY") {
      return (await conn.call("EXISTS", tested.text)).text === "1" ? null : "no such key";
    }
    const key = call.words[1];
    const withValues = call.words.length > 3;
    const all = name === "SRANDMEMBER"
      ? await conn.call("SMEMBERS", key)
      : name === "HRANDFIELD"
      ? await conn.call("HGETALL", key)
      : await conn.call("ZRANGE", key, "0", "-1", "WITHSCORES");
    const paired = name !== "SRANDMEMBER";
    const universe = new Map<string, string>();
    const flat = flatten(all);
    for (let i = 0; i < flat.length; i += paired ? 2 : 1) {
      universe.set(flat[i], paired ? flat[i + 1] : "");
    }
    const given = flatten(tested);
    const step = withValues ? 2 : 1;
    for (let i = 0; i < given.length; i += step) {
      const value = universe.get(given[i]);
      if (value === undefined) return `${quote(given[i])} is not in the key`;
      if (withValues && value !== given[i + 1] && Number(value) !== Number(given[i + 1])) {
        return `${quote(given[i])} has another value`;
      }
    }
    const distinct = Number(call.words[2] ?? 1) >= 0;
    const members = given.filter((_, i) => i % step === 0);
    if (distinct && new Set(members).size !== members.length) return "a member came twice";
    return null;
  }

  /** Each server restores the other's payload; both must then hold the same value. */
  async #exchange(realPayload: string, testedPayload: string): Promise<string | null> {
    const key = "exchange:\x00";
    this.#generator.payloads.push(realPayload, testedPayload);
    if (this.#generator.payloads.length > 60) this.#generator.payloads.splice(0, 20);
    const [intoReal, intoTested] = await Promise.all([
      this.pair.realConns[0].call("RESTORE", key, "0", testedPayload, "REPLACE"),
      this.pair.testedConns[0].call("RESTORE", key, "0", realPayload, "REPLACE"),
    ]);
    if (intoReal.kind === "error") {
      return `redis-server refuses tsredis's payload: ${render(intoReal)}`;
    }
    if (intoTested.kind === "error") {
      return `tsredis refuses redis-server's payload: ${render(intoTested)}`;
    }
    const [a, b] = await Promise.all([
      readKey(this.pair.realConns[0], key),
      readKey(this.pair.testedConns[0], key),
    ]);
    await this.pair.both(0, [["DEL", key]]);
    return a === b ? null : `a restored value differs: ${a} / ${b}`;
  }

  /** Whether both servers hold the same; a difference is recorded with the calls of its key. */
  async #compareContents(): Promise<boolean> {
    const cleanup = [["DISCARD"], ["UNWATCH"], ["SELECT", "0"]];
    await this.pair.both(0, cleanup);
    this.#queued = null;
    this.#history.push({ conn: 0, words: ["DISCARD"], mode: "kind" });
    this.#history.push({ conn: 0, words: ["SELECT", "0"], mode: "kind" });
    for (const conns of [this.pair.realConns, this.pair.testedConns]) {
      if (!conns[0].alive) return false;
    }
    const [real, tested] = await Promise.all([
      readAll(this.pair.realConns[0]),
      readAll(this.pair.testedConns[0]),
    ]);
    // The digest covers keys whose life is over until somebody asks for them.
    const words = new Set(this.#history.flatMap((call) => call.words.slice(1)));
    for (let db = 0; db < DATABASES_READ; db++) {
      await this.pair.both(0, [["SELECT", String(db)], ["EXISTS", "", ...words]]);
    }
    await this.pair.both(0, [["SELECT", "0"]]);
    const [digestReal, digestTested] = await this.pair.both(0, [["DEBUG", "DIGEST"]]);
    this.outcome.compared++;
    const digestsDiffer = digestReal[0].kind === "status" && digestTested[0].kind === "status" &&
      digestReal[0].text !== digestTested[0].text;
    if (digestsDiffer) {
      await addDigests(this.pair.realConns[0], real);
      await addDigests(this.pair.testedConns[0], tested);
    }
    const found = differingKey(real, tested);
    if (found === null && digestsDiffer) {
      throw new Error("DEBUG DIGEST differs, and DEBUG DIGEST-VALUE of no key does");
    }
    if (found === null) return true;
    const at = found.indexOf(" "); // a name may have spaces
    const db = found.slice(0, at);
    const name = JSON.parse(found.slice(at + 1)) as string;
    const calls = this.#history.filter((call) => concerns(call, new Set([name])));
    const shrunk = await this.#shrink(calls, async () => {
      const [a, b] = await Promise.all([
        readAll(this.pair.realConns[0]),
        readAll(this.pair.testedConns[0]),
      ]);
      if (digestsDiffer) {
        await addDigests(this.pair.realConns[0], a);
        await addDigests(this.pair.testedConns[0], b);
      }
      return differingKey(a, b) !== null;
    });
    this.outcome.differences.push({
      times: 1,
      hangs: false,
      index: this.outcome.compared,
      calls: [...shrunk, {
        conn: 0,
        words: [`(then the content of database ${db} differs at ${quote(name)})`],
        mode: "equal",
      }],
      real: shorten(real.get(found) ?? "(missing)"),
      tested: shorten(tested.get(found) ?? "(missing)"),
    });
    return false;
  }

  async #record(history: Call[], wrong: string, real: Reply, tested: Reply): Promise<void> {
    const last = history[history.length - 1];
    const index = this.outcome.compared;
    const sign = `${last.words[0].toUpperCase()} ${wrong.slice(0, 12)} ${signOf(real)} ${
      signOf(tested)
    }`;
    const known = this.#bySign.get(sign);
    if (known !== undefined) {
      known.times++;
      return;
    }
    // A server that hangs costs the full time-out at every replay.
    const hangs = tested.kind === "silence" && this.pair.tested.running;
    const logTail = this.pair.tested.running ? "" : this.pair.tested.logTail;
    let seen = [real, tested];
    const related = relatedTo(history);
    const calls = hangs ? related.slice(-12) : await this.#shrink(related, async (replies) => {
      const [a, b] = replies[replies.length - 1];
      const silent = a.kind === "silence" || b.kind === "silence";
      const differ = silent ? a.kind !== b.kind : await this.#judge(last, a, b) !== null;
      if (differ) seen = [a, b];
      return differ;
    });
    const difference: Difference = {
      times: 1,
      hangs,
      index,
      calls,
      real: shorten(render(seen[0])) + (wrong === "replies differ" ? "" : `   (${wrong})`),
      tested: shorten(render(seen[1])) +
        (logTail === "" ? "" : `\n    the server ended; its last words:\n${logTail}`),
    };
    this.#bySign.set(sign, difference);
    this.outcome.differences.push(difference);
  }

  /**
   * The calls, less those without which the difference stays. Replays from empty servers; gives the
   * calls as they are if the difference does not come again.
   */
  async #shrink(
    calls: Call[],
    differs: (replies: [Reply, Reply][]) => Promise<boolean>,
  ): Promise<Call[]> {
    let tries = 0;
    const saved = this.#queued;
    const again = async (attempt: Call[]): Promise<boolean> => {
      tries++;
      await this.pair.reset();
      this.#queued = null;
      const replies: [Reply, Reply][] = [];
      for (const call of attempt) {
        const [a, b] = await this.pair.both(call.conn, [call.words]);
        replies.push([a[0], b[0]]);
        const last = call === attempt[attempt.length - 1];
        if (!last && call.mode === "pop") await this.#agreeOnPop(call, a[0], b[0]);
        if (!last && call.conn === 0) {
          const name = call.words[0].toUpperCase();
          if (a[0].text === "QUEUED") (this.#queued as Call[] | null)?.push(call);
          else if (name === "MULTI") this.#queued = [];
        }
      }
      return await differs(replies);
    };
    try {
      if (!await again(calls)) return calls.slice(-12);
      for (let size = Math.ceil(calls.length / 2); size >= 1; size = Math.floor(size / 2)) {
        for (let at = 0; at < calls.length - 1 && tries < 250;) {
          const without = [
            ...calls.slice(0, at),
            ...calls.slice(Math.min(at + size, calls.length - 1)),
          ];
          if (without.length < calls.length && await again(without)) calls = without;
          else at += size;
        }
      }
      return calls;
    } finally {
      this.#queued = saved;
    }
  }
}

/** Whether two replies agree under a mode that needs no follow-up. */
export function sameUnder(mode: Mode, real: Reply, tested: Reply): boolean {
  if (real.kind === "silence" || tested.kind === "silence") return false;
  if (real.kind === "error" || tested.kind === "error" || mode === "equal") {
    return render(real) === render(tested);
  }
  if (real.kind !== tested.kind) return false;
  switch (mode) {
    case "sorted":
      return sameElements(real.items.map(render), tested.items.map(render));
    case "pairs":
      return sameElements(renderPairs(real.items), renderPairs(tested.items));
    case "scan":
    case "scanPairs": {
      if (real.items.length !== 2 || tested.items.length !== 2) return false;
      const each = mode === "scan" ? (items: Reply[]) => items.map(render) : renderPairs;
      return render(real.items[0]) === render(tested.items[0]) &&
        sameElements(each(real.items[1].items), each(tested.items[1].items));
    }
    case "lifetime": {
      if (real.kind !== "integer") return render(real) === render(tested);
      const a = Number(real.text);
      const b = Number(tested.text);
      return a === b || (a >= 0 && b >= 0 && Math.abs(a - b) <= LIFETIME_TOLERANCE_MS);
    }
    case "encoding":
      return real.text === tested.text ||
        (tested.text === "listpack" && (real.text === "quicklist" || real.text === "hashtable"));
    case "sample":
    case "pop":
    case "shape":
      return real.items.length === tested.items.length;
    case "kind":
      return true;
    default:
      return render(real) === render(tested);
  }
}

/** A reply without what varies from call to call. */
function signOf(reply: Reply): string {
  return reply.kind === "error" || reply.kind === "silence"
    ? reply.text.replace(/'[^]*'/, "''")
    : reply.kind;
}

function sameElements(a: string[], b: string[]): boolean {
  if (a.length !== b.length) return false;
  const left = [...a].sort();
  const right = [...b].sort();
  return left.every((item, i) => item === right[i]);
}

function isPartOf(part: string[], whole: string[]): boolean {
  const all = new Set(whole);
  return part.every((item) => all.has(item));
}

/** Whether replies are the same but for how their doubles are printed. */
function sameDoubles(real: Reply, tested: Reply): boolean {
  if (real.kind !== tested.kind || real.items.length !== tested.items.length) return false;
  if (real.items.length > 0) {
    return real.items.every((item, i) => sameDoubles(item, tested.items[i]));
  }
  if (render(real) === render(tested)) return true;
  // Two whole numbers that differ are two numbers, however close as doubles; but for the sign of 0.
  const whole = /^-?\d+$/.test(real.text) && /^-?\d+$/.test(tested.text) &&
    real.text !== "-0" && tested.text !== "-0";
  const numbers = [real.text, tested.text].every((text) => /^-?\d+(\.\d+)?(e[+-]\d+)?$/.test(text));
  return numbers && !whole && Number(real.text) === Number(tested.text);
}

/** A score in JavaScript's form, which does not depend on the server's. */
function scoreText(text: string): string {
  const value = Number(text);
  return Number.isNaN(value) ? text : String(value);
}

function textsOf(reply: Reply): string[] {
  return reply.kind === "bulk" ? [reply.text] : reply.items.map((item) => item.text);
}

/** All scalars of a reply in turn: RESP3 nests where RESP2 is flat. */
function flatten(reply: Reply): string[] {
  return reply.kind === "array" || reply.kind === "set" || reply.kind === "map"
    ? reply.items.flatMap(flatten)
    : [reply.text];
}

const CONTEXT = new Set([
  "SELECT",
  "MULTI",
  "EXEC",
  "DISCARD",
  "WATCH",
  "UNWATCH",
  "FLUSHDB",
  "FLUSHALL",
  "SWAPDB",
  "HELLO",
  "CONFIG",
]);

function concerns(call: Call, keys: Set<string>): boolean {
  return CONTEXT.has(call.words[0].toUpperCase()) || call.words.some((word) => keys.has(word));
}

/** The last call, and those before it that touch its keys or the state of the connection. */
function relatedTo(history: Call[]): Call[] {
  const last = history[history.length - 1];
  const keys = new Set(last.words.slice(1));
  const related: Call[] = [last];
  let rest = history.length - 2;
  if (last.words[0].toUpperCase() === "EXEC") {
    // All that was queued for it, and the keys of that.
    while (rest >= 0 && history[rest].words[0].toUpperCase() !== "EXEC") {
      related.unshift(history[rest]);
      for (const word of history[rest].words.slice(1, 4)) keys.add(word);
      rest--;
    }
  }
  for (let i = rest; i >= 0; i--) {
    if (!concerns(history[i], keys)) continue;
    related.unshift(history[i]);
    // Keys that flow into these keys matter as well.
    if (related.length < 200) {
      for (const word of history[i].words.slice(1, 4)) if (word.length > 2) keys.add(word);
    }
  }
  return related;
}

/** The value of a key on one line, in an order that both servers give. */
async function readKey(conn: Connection, key: string): Promise<string> {
  const type = (await conn.call("TYPE", key)).text;
  switch (type) {
    case "string":
      return "string " + render(await conn.call("GET", key));
    case "list":
      return "list " + render(await conn.call("LRANGE", key, "0", "-1"));
    case "set":
      return "set " + flatten(await conn.call("SMEMBERS", key)).map(quote).sort().join(" ");
    case "hash":
      return "hash " + renderPairs((await conn.call("HGETALL", key)).items).sort().join(", ");
    case "zset": {
      const flat = flatten(await conn.call("ZRANGE", key, "0", "-1", "WITHSCORES"));
      return "zset " + flat.map((text, i) => i % 2 === 0 ? quote(text) : scoreText(text)).join(" ");
    }
    default:
      return type;
  }
}

/** Empties the databases the groups use on a server without FLUSHALL. */
async function deleteAll(conn: Connection): Promise<void> {
  for (const key of (await readAll(conn)).keys()) {
    const at = key.indexOf(" ");
    await conn.pipeline([["SELECT", key.slice(0, at)], ["DEL", JSON.parse(key.slice(at + 1))]]);
  }
  await conn.call("SELECT", "0");
}

/** Everything in the databases the groups use: `db "key"` to value and lifetime. */
async function readAll(conn: Connection): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for (let db = 0; db < DATABASES_READ; db++) {
    if ((await conn.call("SELECT", String(db))).kind === "error") continue;
    for (const key of flatten(await conn.call("KEYS", "*")).sort()) {
      const ttl = Number((await conn.call("PTTL", key)).text);
      const life = ttl < 0 ? String(ttl) : "~" + ttl;
      content.set(`${db} ${JSON.stringify(key)}`, `${await readKey(conn, key)} ttl ${life}`);
    }
  }
  await conn.call("SELECT", "0");
  return content;
}

/** Puts DEBUG DIGEST-VALUE before the content of each key. */
async function addDigests(conn: Connection, content: Map<string, string>): Promise<void> {
  for (const [key, value] of content) {
    const at = key.indexOf(" ");
    const [, digest] = await conn.pipeline([
      ["SELECT", key.slice(0, at)],
      ["DEBUG", "DIGEST-VALUE", JSON.parse(key.slice(at + 1))],
    ]);
    content.set(key, `${render(digest)} ${value}`);
  }
  await conn.call("SELECT", "0");
}

/** The first key that the two do not hold alike, lifetimes compared with tolerance. */
function differingKey(real: Map<string, string>, tested: Map<string, string>): string | null {
  for (const [key, value] of real) {
    const other = tested.get(key);
    if (other === value) continue;
    if (other === undefined) return key;
    const [body, life] = splitLife(value);
    const [otherBody, otherLife] = splitLife(other);
    if (body !== otherBody) return key;
    if (life < 0 || otherLife < 0 || Math.abs(life - otherLife) > LIFETIME_TOLERANCE_MS) return key;
  }
  for (const key of tested.keys()) if (!real.has(key)) return key;
  return null;
}

function splitLife(value: string): [string, number] {
  const at = value.lastIndexOf(" ttl ");
  return [value.slice(0, at), Number(value.slice(at + 5).replace("~", ""))];
}

function shorten(text: string): string {
  return text.length <= 600
    ? text
    : `${text.slice(0, 450)} … ${text.slice(-130)} (${text.length} characters)`;
}

/** The calls as lines that redis-cli would take. */
function printCalls(calls: Call[]): string {
  return calls.slice(-14).map((call) => {
    const line = call.words.map((word) =>
      /^[\w:*.+#-]+$/.test(word) || word.startsWith("(") ? word : quote(word)
    ).join(" ");
    return `    ${call.conn === 1 ? "(second connection) " : ""}${
      line.length > 400 ? line.slice(0, 400) + " …" : line
    }`;
  }).join("\n");
}

const SEED = Number(Deno.env.get("TSREDIS_COMPAT_SEED") ?? 20240715);
const CALLS = Number(Deno.env.get("TSREDIS_COMPAT_CALLS") ?? 4000);

/**
 * Defines the test of a group: a session over RESP2 with the usual thresholds of encodings, and
 * one over RESP3 with small ones, so that collections change their encoding all the time.
 * `TSREDIS_COMPAT_CALLS` sets the calls of each session, `TSREDIS_COMPAT_SEED` what is drawn.
 */
export function compatTest(name: string): void {
  const group = groupNamed(name);
  Deno.test({
    name: `${name}: replies and contents are those of redis-server 7.0.15`,
    ignore: !hasRedisServer,
    fn: async () => {
      const pair = new Pair();
      const problems: string[] = [];
      try {
        await pair.start();
        for (const protocol of [2, 3]) {
          let spoken = protocol;
          if (!await pair.connect(protocol)) {
            console.log("left out: RESP3, tsredis does not have HELLO");
            await pair.connect(spoken = 2);
          }
          if (protocol === 3) await setSmallThresholds(pair);
          const seed = SEED + protocol;
          const outcome = await new Session(pair, group, seed).run(CALLS);
          report(name, spoken, seed, outcome, problems);
        }
      } finally {
        await pair.stop();
      }
      assertEquals(problems.length, 0, "\n" + problems.join("\n\n"));
    },
  });
}

async function setSmallThresholds(pair: Pair): Promise<void> {
  const settings = {
    "hash-max-listpack-entries": "8",
    "hash-max-listpack-value": "20",
    "zset-max-listpack-entries": "8",
    "zset-max-listpack-value": "20",
    "set-max-intset-entries": "12",
    "list-max-listpack-size": "6",
    "list-compress-depth": "1",
  };
  for (const [name, value] of Object.entries(settings)) {
    await pair.both(0, [["CONFIG", "SET", name, value]]);
  }
  await pair.testedConns[0].call("CONFIG", "SET", "set-max-listpack-entries", "8");
}

function report(
  name: string,
  protocol: number,
  seed: number,
  outcome: Outcome,
  problems: string[],
): void {
  const lines = [
    `compared ${outcome.compared} calls with redis-server 7.0.15 (${name}, RESP${protocol})`,
  ];
  for (const [mode, names] of outcome.byMode) {
    if (mode !== "equal") lines.push(`  compared as ${mode}: ${[...names].sort().join(", ")}`);
  }
  for (const [reason, times] of outcome.accepted) {
    lines.push(`  accepted ${times} times: ${reason}`);
  }
  if (outcome.leftOut.size > 0) {
    lines.push(`  left out, tsredis does not have them: ${[...outcome.leftOut].sort().join(" ")}`);
  }
  console.log(lines.join("\n"));
  for (const difference of outcome.differences) {
    problems.push([
      `Differs from redis-server: seed ${seed}, RESP${protocol}, call ${difference.index}${
        difference.times > 1 ? `, the like ${difference.times} times` : ""
      }; calls that lead there from empty servers:`,
      printCalls(difference.calls),
      `  redis-server: ${difference.real}`,
      `  tsredis:      ${difference.tested}`,
      `  again: TSREDIS_COMPAT_SEED=${SEED} TSREDIS_COMPAT_CALLS=${CALLS} deno task test tests/compat/ --filter "${name}:"`,
    ].join("\n"));
  }
}
