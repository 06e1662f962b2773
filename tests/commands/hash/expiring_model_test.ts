/**
 * Drawn calls on a hash with fields that expire, compared with a Map after each; small limits make all
 * encodings occur. Beside it a replica that is handed the stream of writes, and now and then the hash goes
 * through a snapshot, DUMP and RESTORE, or COPY and RENAME.
 */

import { assertEquals } from "@std/assert";
import { EXPIRE_HIDES, EXPIRE_IGNORED } from "../../../src/keyspace/expire_mode.ts";
import { expireSlice } from "../../../src/keyspace/expiry.ts";
import { loadBytes, saveToBytes } from "../../rdb/datasets.ts";
import { Random } from "../../support/random.ts";
import { TestSnapshot } from "../../rdb/test_snapshot.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

interface Field {
  value: string;
  /** NaN: it does not expire. */
  timeMs: number;
}

class Pair {
  readonly model = new Map<string, Field>();
  readonly random: Random;

  constructor(readonly s: TestServer, readonly replica: TestServer, seed: number) {
    this.random = new Random(seed);
    replica.keyspace.expireMode = replica.keyspace.roleExpireMode = EXPIRE_HIDES;
  }

  get nowMs(): number {
    return this.s.clock.nowMs;
  }

  field(): string {
    const { random } = this;
    return random.draw() < 0.5 ? `f${random.below(30)}` : String(random.below(30) - 15);
  }

  /** What a client sees of a field; what is over is not there. */
  seen(field: string): Field | undefined {
    const found = this.model.get(field);
    return found !== undefined && found.timeMs < this.nowMs ? undefined : found;
  }

  step(): void {
    const { s, model, random } = this;
    const field = this.field();
    const found = this.seen(field);
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2: {
        const long = random.draw() < 0.02 ? 65_530 + random.below(12) : random.below(12);
        const value = random.draw() < 0.3 ? String(random.below(1e6)) : "v".repeat(long);
        s.run("HSET", "h", field, value);
        model.set(field, { value, timeMs: NaN });
        break;
      }
      case 3:
        assertEquals(s.run("HDEL", "h", field), model.delete(field) ? 1 : 0);
        break;
      case 4:
        assertEquals(s.run("HGET", "h", field), found?.value ?? null);
        if (found === undefined) model.delete(field);
        break;
      case 5:
      case 6:
      case 7: {
        const timeMs = this.nowMs + random.below(50) - 3;
        const answer = timeMs <= this.nowMs ? 2 : 1;
        const expected = found === undefined ? -2 : answer;
        assertEquals(s.run("HPEXPIREAT", "h", timeMs, "FIELDS", 1, field), [expected]);
        if (found === undefined || answer === 2) model.delete(field);
        else found.timeMs = timeMs;
        break;
      }
      case 8: {
        const expected = found === undefined ? -2 : Number.isNaN(found.timeMs) ? -1 : 1;
        assertEquals(s.run("HPERSIST", "h", "FIELDS", 1, field), [expected]);
        if (found !== undefined) found.timeMs = NaN;
        break;
      }
      case 9: {
        const times = ["HPTTL", "h", "FIELDS", 1, field];
        const left = found === undefined
          ? -2
          : Number.isNaN(found.timeMs)
          ? -1
          : found.timeMs - this.nowMs;
        assertEquals(s.run(...times), [left]);
        break;
      }
      case 10: {
        const ttl = random.below(40) + 1;
        const keeps = random.draw() < 0.5;
        const other = this.field();
        const option = keeps ? ["KEEPTTL"] : ["PX", ttl];
        assertEquals(s.run("HSETEX", "h", ...option, "FIELDS", 2, field, "x", other, "y"), 1);
        const kept = [field, other].map((name) => model.get(name)?.timeMs ?? NaN);
        for (const [i, name] of [field, other].entries()) {
          const timeMs = keeps ? kept[i] : this.nowMs + ttl;
          model.set(name, { value: i === 0 && field !== other ? "x" : "y", timeMs });
        }
        break;
      }
      default:
        this.pass(random.below(15));
    }
  }

  pass(ms: number): void {
    const { s, replica, random } = this;
    s.clock.nowMs += ms;
    replica.clock.nowMs = s.clock.nowMs;
    if (random.draw() < 0.5) return;
    s.keyspace.refreshTime();
    expireSlice(s.keyspace, 1000, () => 0);
    for (const [field, { timeMs }] of this.model) if (timeMs < this.nowMs) this.model.delete(field);
  }

  check(s: TestServer, key: string): void {
    const flat = s.run("HGETALL", key) as string[];
    const pairs = flat.flatMap((field, i) => i % 2 === 0 ? [[field, flat[i + 1]]] : []);
    const expected = [...this.model].filter(([field]) => this.seen(field) !== undefined);
    assertEquals(pairs.toSorted(), expected.map(([field, { value }]) => [field, value]).toSorted());
    assertEquals(s.run("HLEN", key), this.model.size);
    if (expected.length === 0) return;
    const fields = expected.map(([field]) => field);
    const times = expected.map(([, { timeMs }]) => Number.isNaN(timeMs) ? -1 : timeMs);
    assertEquals(s.run("HPEXPIRETIME", key, "FIELDS", fields.length, ...fields), times);
    const drawn = s.run("HRANDFIELD", key, -20) as string[];
    if (s !== this.s) assertEquals(drawn.filter((field) => !fields.includes(field)), []);
  }

  /** Hands the replica what has entered the stream. */
  replicate(): void {
    const { keyspace } = this.replica;
    for (const line of this.s.propagated()) {
      keyspace.expireMode = EXPIRE_IGNORED;
      this.replica.run(...line.split(" "));
    }
    keyspace.expireMode = EXPIRE_HIDES;
  }

  move(): void {
    const { s, random } = this;
    if (this.model.size === 0) return;
    switch (random.below(4)) {
      case 0: {
        const payload = s.run("DUMP", "h") as string;
        const other = copyOf(s);
        assertEquals(other.run("RESTORE", "r", 0, payload), "OK");
        this.check(other, "r");
        break;
      }
      case 1:
        s.run("COPY", "h", "copy");
        s.run("RENAME", "copy", "h");
        break;
      case 2: {
        const loaded = copyOf(s);
        loadBytes(loaded.keyspace, saveToBytes(s.keyspace));
        this.check(loaded, "h");
        break;
      }
      default: {
        const before = [...this.model].map(([field, each]) => [field, { ...each }] as const);
        const nowMs = this.nowMs;
        const snapshot = new TestSnapshot(s, random.draw() < 0.5);
        for (let i = 0; i < 10; i++) {
          this.step();
          if (random.draw() < 0.5) snapshot.step();
        }
        while (!snapshot.step());
        const loaded = copyOf(s);
        loaded.clock.nowMs = nowMs;
        loadBytes(loaded.keyspace, snapshot.bytes());
        const then = new Pair(loaded, testServer(), 1);
        for (const [field, each] of before) then.model.set(field, each);
        then.check(loaded, "h");
      }
    }
  }
}

/** An empty server with the same limits and the same clock. */
function copyOf(s: TestServer): TestServer {
  const other = testServer({ nowMs: s.clock.nowMs });
  Object.assign(other.keyspace.limits, s.keyspace.limits);
  return other;
}

for (
  const [seed, entries, longest] of [[1, 128, 64], [2, 20, 64], [3, 12, 1000], [4, 0, 0], [
    5,
    40,
    8,
  ]]
) {
  Deno.test(`a hash with times is what a map would be (seed ${seed}, listpacks up to ${entries})`, () => {
    const s = testServer();
    const replica = testServer();
    for (const { keyspace } of [s, replica]) {
      keyspace.limits.hashMaxListpackEntries = entries;
      keyspace.limits.hashMaxListpackValue = longest;
    }
    const pair = new Pair(s, replica, seed);
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 40; i++) pair.step();
      pair.check(s, "h");
      // HRANDFIELD has removed what is over.
      for (const [field, { timeMs }] of pair.model) {
        if (timeMs < pair.nowMs) pair.model.delete(field);
      }
      pair.replicate();
      pair.check(replica, "h");
      pair.move();
      pair.replicate();
      if (round % 10 === 9) {
        s.run("DEL", "h");
        pair.model.clear();
      }
    }
    s.run("DEL", "h");
    assertEquals(s.keyspace.databases[0].expiringHashCount, 0);
    assertEquals(s.keyspace.databases[0].largeValueBytes, 0);
  });
}
