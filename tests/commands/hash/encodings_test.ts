/**
 * Drawn calls, well-made and bent, on hashes with fields that expire: a server whose hashes are listpacks and
 * one whose are tables answer the same, hold the same and put the same into the stream of writes.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../support/random.ts";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;

class Calls {
  nowMs = NOW;

  constructor(readonly random: Random) {}

  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }

  field = () => this.pick(["a", "b", "c", "1", "22", "", "x".repeat(70)]);
  key = () => this.pick(["h", "g", "text"]);

  time(): string {
    return this.pick([
      ...["1", "5", "100", "0", "-1", "x", "70368744177663", "70368744177664"],
      ...[String(this.nowMs + this.random.below(60)), "9223372036854775807"],
    ]);
  }

  /** FIELDS with mostly the right number. */
  fields(each: () => string[] = () => [this.field()]): string[] {
    const count = 1 + this.random.below(3);
    const told = this.random.below(12) === 0 ? this.random.below(5) : count;
    return ["FIELDS", String(told), ...Array.from({ length: count }, each).flat()];
  }

  condition = () =>
    this.random.below(2) === 0 ? [] : [this.pick(["NX", "XX", "GT", "LT", "nx", "ZZ"])];

  expiration(): string[] {
    const kind = this.random.below(6);
    if (kind < 2) return [];
    if (kind === 2) return [this.pick(["PERSIST", "KEEPTTL", "FNX", "FXX"])];
    return [this.pick(["EX", "PX", "EXAT", "PXAT"]), this.time()];
  }

  next(): string[] {
    const pair = () => [this.field(), this.pick(["1", "2.5", "v", "w".repeat(80)])];
    return this.pick<() => string[]>([
      () => [
        this.pick(["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"]),
        ...[this.key(), this.time(), ...this.condition(), ...this.fields()],
      ],
      () => ["HPEXPIREAT", "h", String(this.nowMs + this.random.below(60)), ...this.fields()],
      () => [this.pick(["HTTL", "HPTTL", "HPERSIST", "HGETDEL"]), this.key(), ...this.fields()],
      () => ["HPEXPIRETIME", this.key(), ...this.fields()],
      () => ["HGETEX", this.key(), ...this.expiration(), ...this.fields()],
      () => [
        ...["HSETEX", this.key(), ...this.expiration(), ...this.expiration()],
        ...this.fields(pair),
      ],
      () => ["HSET", this.key(), ...pair(), ...pair()],
      () => ["HSETNX", this.key(), ...pair()],
      () => [this.pick(["HINCRBY", "HINCRBYFLOAT"]), this.key(), this.field(), "3"],
      () => [this.pick(["HGET", "HSTRLEN", "HEXISTS", "HDEL"]), this.key(), this.field()],
      () => ["HMGET", this.key(), this.field(), this.field()],
      () => [this.pick(["HGETALL", "HKEYS", "HVALS", "HLEN", "EXISTS", "DEL"]), this.key()],
      () => ["HRANDFIELD", this.key(), "100"],
      () => ["HSCAN", this.key(), "0", "COUNT", "1000"],
      () => this.pick([["COPY", "h", "g", "REPLACE"], ["RENAME", "g", "h"]]),
      () => this.pick([["DEBUG", "DIGEST"], ["INFO", "keyspace"], ["SET", "text", "v"]]),
    ])();
  }
}

/** A reply without the order that a table gives it. */
function unordered([name]: string[], reply: Value | undefined): Value | undefined {
  if (!/^(HGETALL|HKEYS|HVALS|HRANDFIELD|HSCAN)$/.test(name) || !Array.isArray(reply)) return reply;
  const elements = name === "HSCAN" ? reply[1] : reply;
  return (elements as string[]).toSorted();
}

for (const seed of [1, 2, 3]) {
  Deno.test(`listpacks and tables with times answer the same (seed ${seed})`, () => {
    const servers: TestServer[] = [128, 0].map((entries) => {
      const s = testServer({ nowMs: NOW });
      s.keyspace.limits.hashMaxListpackEntries = entries;
      return s;
    });
    const calls = new Calls(new Random(seed));
    let errors = 0;
    for (let i = 0; i < 20_000; i++) {
      if (calls.random.below(6) === 0) calls.nowMs += calls.random.below(20);
      const words = calls.next();
      const [one, other] = servers.map((s) => {
        s.clock.nowMs = calls.nowMs;
        return [unordered(words, s.run(...words)), s.propagated().toSorted()];
      });
      assertEquals(one, other, `call ${i}: ${words.join(" ")}`);
      if (typeof one[0] === "object" && one[0] !== null && "error" in one[0]) errors++;
    }
    assert(errors > 1000 && errors < 10_000, `${errors} errors`);
    assert(servers[0].keyspace.expiredFields > 100);
  });
}
