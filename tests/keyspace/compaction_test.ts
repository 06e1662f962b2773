import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { testServer } from "../support/test_server.ts";

for (const [add, remove] of [["SADD", "SREM"], ["HSET", "HDEL"], ["ZADD", "ZREM"]]) {
  Deno.test(`a large collection that shrinks gives its memory back (${remove})`, () => {
    const s = testServer();
    const name = (i: number) => `a-member-of-some-length:${i}`;
    const words = (i: number) =>
      add === "SADD" ? [name(i)] : add === "HSET" ? [name(i), `v${i}`] : [i, name(i)];
    for (let i = 0; i < 60_000; i += 100) {
      s.run(add, "k", ...Array.from({ length: 100 }, (_, n) => words(i + n)).flat());
    }
    const database = s.keyspace.databases[0];
    const large = database.largeValue(database.records.get(latin1("k"), 0, 1)) as unknown as {
      dict?: { arena: { totalBytes: number } };
      arena?: { totalBytes: number };
    };
    const arena = large.arena ?? large.dict!.arena;
    const full = arena.totalBytes;
    assert(full > 2 << 20);
    for (let i = 0; i < 60_000; i++) if (i % 100 !== 0) s.run(remove, "k", name(i));
    assert(arena.totalBytes < full / 3, `${full} -> ${arena.totalBytes}`);
    const count = { SADD: "SCARD", HSET: "HLEN", ZADD: "ZCARD" }[add]!;
    assertEquals(s.run(count, "k"), 600);
    const read = { SADD: "SISMEMBER", HSET: "HGET", ZADD: "ZSCORE" }[add]!;
    assertEquals(s.run(read, "k", name(59_900)), { SADD: 1, HSET: "v59900", ZADD: "59900" }[add]);
  });
}
