/** DEBUG DIGEST: equal to a real server's for equal data, whatever the encoding. */

import { assertEquals, assertNotEquals } from "@std/assert";
import { textOf } from "../support/resp_client.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { Random } from "../support/random.ts";

/** Keys, the commands that make them, and the digests that redis-server 7.0.15 has given. */
const RECORDED: [key: string, commands: string[], digest: string][] = [
  ["s", ["SET s abc"], "21ffcd2d36aebffca02995acb412bcb827d4c1db"],
  ["n", ["SET n 12345", "PEXPIREAT n 4000000000000"], "074a6e8892a0b0b4fcf085794cb69322c36c9d00"],
  ["l", ["RPUSH l a 1 a"], "a8852c677667efc9ad28daffc70bc80a7d003dbc"],
  ["i", ["SADD i 3 -1"], "bce3118373476c8e60846a4bd3338d5483de5244"],
  ["t", ["SADD t x y"], "36846f8a92fb6b6b824c73bf468c5bbcf5075ede"],
  ["z", ["ZADD z 1.1 a -inf b 3 c"], "9a40f86600fd47a75167b05ce4ecfd3592990d65"],
  ["h", ["HSET h f v g 1"], "6679ee22f89ed8001eeb5309d0900265ea56c03a"],
];

for (const [key, commands, digest] of RECORDED) {
  Deno.test(`DEBUG DIGEST-VALUE after ${commands.join(", ")} is the real server's`, () => {
    const s = testServer();
    for (const command of commands) s.run(...command.split(" "));
    assertEquals(s.run("DEBUG", "DIGEST-VALUE", key), [digest]);
  });
}

Deno.test("DEBUG DIGEST covers keys, values, expiries and databases", () => {
  const s = testServer();
  assertEquals(s.run("DEBUG", "DIGEST"), "0".repeat(40));
  for (const [, commands] of RECORDED) {
    for (const command of commands) s.run(...command.split(" "));
  }
  s.run("SELECT", 3);
  s.run("SET", "k", "");
  assertEquals(s.run("DEBUG", "DIGEST"), "1c17b1853efadbdff4a02d179dab149b878c230f");
  s.run("SELECT", 4);
  s.run("SET", "k", "");
  assertNotEquals(s.run("DEBUG", "DIGEST"), "1c17b1853efadbdff4a02d179dab149b878c230f");
});

Deno.test("DEBUG DIGEST-VALUE does not depend on the encoding", () => {
  const s = testServer();
  const { limits } = s.keyspace;
  const make = (suffix: string) => {
    s.run("RPUSH", `l${suffix}`, "a", 1, "b");
    s.run("SADD", `t${suffix}`, "a", 1, "b");
    s.run("SADD", `i${suffix}`, 2, 1, 3);
    s.run("HSET", `h${suffix}`, "a", 1, "b", 2);
    s.run("ZADD", `z${suffix}`, 1.5, "a", -1, "b");
  };
  make("1");
  Object.assign(limits, {
    listMaxListpackSize: 1,
    setMaxIntsetEntries: 0,
    setMaxListpackEntries: 0,
    hashMaxListpackEntries: 0,
    zsetMaxListpackEntries: 0,
  });
  make("2");
  for (const name of ["l", "t", "i", "h", "z"]) {
    const [small, large] = s.run("DEBUG", "DIGEST-VALUE", `${name}1`, `${name}2`) as string[];
    assertNotEquals(
      s.run("OBJECT", "ENCODING", `${name}1`),
      s.run("OBJECT", "ENCODING", `${name}2`),
    );
    assertEquals(small, large, name);
  }
});

/** Fills a server with drawn data; the same calls go to `send`. */
function fill(s: TestServer, random: Random): (string | number)[][] {
  const calls: (string | number)[][] = [];
  const run = (...words: (string | number)[]) => {
    s.run(...words);
    calls.push(words);
  };
  const element = () =>
    random.draw() < 0.3
      ? String(Math.floor(random.draw() * 2 ** 50) - 2 ** 49)
      : Array.from({ length: random.below(80) }, () => String.fromCharCode(random.below(256))).join(
        "",
      );
  const score = () =>
    random.draw() < 0.5
      ? random.below(200) - 100
      : (random.draw() - 0.5) * 10 ** (random.below(60) - 30);
  for (let i = 0; i < 12; i++) {
    const elements = Array.from({ length: 1 + random.below(i % 2 === 0 ? 5 : 300) }, element);
    run("SELECT", random.below(3));
    run("SET", `s${i}`, element());
    run("RPUSH", `l${i}`, ...elements);
    run("SADD", `t${i}`, ...elements);
    run("HSET", `h${i}`, ...elements.flatMap((each) => [each, element()]));
    run("ZADD", `z${i}`, ...elements.flatMap((each) => [score(), each]));
    run("PEXPIREAT", `t${i}`, 4_000_000_000_000);
  }
  return calls;
}

Deno.test({
  name: "DEBUG DIGEST of drawn data is the real server's",
  ignore: !hasRedisServer,
  async fn() {
    const seed = 20_240_501;
    const s = testServer();
    const calls = fill(s, new Random(seed));
    await using real = await startRealRedis({ args: ["--enable-debug-command", "yes"] });
    using client = await real.connect();
    const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
    for (const words of calls) await client.call(...words.map((word) => bytes(String(word))));
    for (const database of ["0", "1", "2"]) {
      s.run("SELECT", database);
      await client.call("SELECT", database);
      for (const key of (s.run("KEYS", "*") as string[]).toSorted()) {
        const theirs = await client.call("DEBUG", "DIGEST-VALUE", key);
        const ours = s.run("DEBUG", "DIGEST-VALUE", key) as string[];
        assertEquals(Deno.inspect(theirs).includes(ours[0]), true, `seed ${seed}, key ${key}`);
      }
    }
    assertEquals(s.run("DEBUG", "DIGEST"), textOf(await client.call("DEBUG", "DIGEST")));
  },
});
