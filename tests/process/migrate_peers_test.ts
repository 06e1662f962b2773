/** MIGRATE between tsredis and a real redis-server, both ways: the same values, and the same answers. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { error, type RespClient, status, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { startTsredis } from "../support/tsredis_process.ts";

const DEBUG = ["--enable-debug-command", "yes"];
const START = {
  tsredis: () => startTsredis({ args: [...DEBUG, "--save", ""] }),
  "redis-server": () => startRealRedis({ args: DEBUG }),
} as const;
type Program = keyof typeof START;

const many = (count: number, one: (i: number) => string[]) =>
  Array.from({ length: count }, (_, i) => one(i)).flat();

/** Values of every kind and encoding; the word behind the command is the key. */
const CALLS: string[][] = [
  ["SET", "int", "123456"],
  ["SET", "raw", "compress me ".repeat(500)],
  ["SET", "huge", "0123456789abcdef".repeat(100_000)],
  ["SET", "", "empty key"],
  ["SET", "binary\r\n\0", "\r\n"],
  ["RPUSH", "list:small", "a", "b"],
  ["RPUSH", "list:large", ...many(20_000, (i) => [`element number ${i}`])],
  ["SADD", "set:ints", ...many(300, (i) => [`${i * i}`])],
  ["SADD", "set:large", ...many(20_000, (i) => [`member ${i}`])],
  ["HSET", "hash:small", "f", "v"],
  ["HSET", "hash:large", ...many(20_000, (i) => [`field ${i}`, `value ${i}`])],
  ["ZADD", "zset:small", "1", "a", "inf", "b"],
  ["ZADD", "zset:large", ...many(20_000, (i) => [`${i / 7}`, `member ${i}`])],
  ["XADD", "stream", "1-1", "f", "v"],
  ["PFADD", "hyperloglog", "a", "b", "c"],
  ["GEOADD", "places", "13.361389", "38.115556", "Palermo"],
];
const KEYS = CALLS.map((words) => words[1]);

async function fill(client: RespClient): Promise<void> {
  for (const words of CALLS) await client.call(...words);
  await client.call("PEXPIREAT", "hash:small", "4000000000000");
}

async function digest(client: RespClient): Promise<string> {
  return textOf(await client.call("DEBUG", "DIGEST"));
}

for (const [from, to] of [["tsredis", "redis-server"], ["redis-server", "tsredis"]] as const) {
  Deno.test({
    name: `MIGRATE from ${from} to ${to} brings every kind of value, one by one and together`,
    ignore: !hasRedisServer,
    async fn() {
      await using source = await START[from]();
      await using target = await START[to]();
      using here = await source.connect();
      using there = await target.connect();
      await fill(here);
      const before = await digest(here);
      const words = ["MIGRATE", "127.0.0.1", `${target.port}`];
      for (const key of KEYS.filter((key) => key !== "")) {
        assertEquals(await here.call(...words, key, "0", "30000", "COPY"), status("OK"));
      }
      const all = [...words, "", "0", "30000", "REPLACE", "KEYS", ...KEYS];
      assertEquals(await here.call(...all), status("OK"));
      assertEquals(await digest(there), before);
      assertEquals(await here.call("DBSIZE"), { kind: "integer", value: 0 });
    },
  });
}

/**
 * What MIGRATE is asked for, and answers, on one server. Not what the target refuses at AUTH or SELECT: Redis has it
 * store the keys all the same.
 */
async function answers(program: Program, target: ServerProcess): Promise<unknown[]> {
  await using source = await START[program]();
  using here = await source.connect();
  using there = await target.connect();
  await there.call("FLUSHALL");
  await there.call("MSET", "b", "theirs", "d", "theirs");
  await here.call("MSET", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6");
  const host = ["127.0.0.1", `${target.port}`];
  const calls: string[][] = [
    [...host, "none", "0", "1000"],
    [...host, "", "0", "1000", "KEYS", "none", "none"],
    [...host, "", "0", "1000"],
    [...host, "", "0", "1000", "KEYS"],
    [...host, "b", "0", "1000"],
    [...host, "", "0", "1000", "KEYS", "a", "b", "c"],
    [...host, "d", "0", "1000", "COPY", "REPLACE", "COPY"],
    [...host, "d", "0", "0"],
    [...host, "d", "0", "-1", "replace"],
    [...host, "e", "x", "1000"],
    [...host, "e", "0", "x"],
    [...host, "e", "0", "1000", "AUTH"],
    [...host, "e", "0", "1000", "AUTH2", "user"],
    [...host, "f", "0", "1000", "AUTH2", "default", "any"],
    [...host, "e", "0", "1000", "TIMEOUT"],
    [...host, "e", "0", "1000", "KEYS", "a"],
    [...host, "e", "0"],
    ["127.0.0.1", `${freePort()}`, "e", "0", "1000"],
    ["127.0.0.1", "port", "e", "0", "1000"],
    ["127.0.0.1", "65536", "e", "0", "1000"],
    ["127.0.0.1", "-1", "e", "0", "1000"],
    ["no such host", "1", "e", "0", "1000"],
  ];
  const got: unknown[] = [];
  for (const call of calls) {
    const reply = await here.call("MIGRATE", ...call);
    got.push([
      call.slice(2).join(" "),
      reply,
      await here.call("DBSIZE"),
      await there.call("DBSIZE"),
    ]);
  }
  return got;
}

Deno.test({
  name: "MIGRATE answers as a real redis-server does, and leaves the same keys",
  ignore: !hasRedisServer,
  async fn() {
    await using target = await startRealRedis();
    assertEquals(await answers("tsredis", target), await answers("redis-server", target));
  },
});

Deno.test({
  name: "MIGRATE says as a real redis-server does that the target is too slow, or wants a password",
  ignore: !hasRedisServer,
  async fn() {
    await using target = await startRealRedis({ args: [...DEBUG, "--requirepass", "secret"] });
    using there = await target.connect();
    await there.call("AUTH", "secret");
    for (const program of ["tsredis", "redis-server"] as const) {
      await using source = await START[program]();
      using here = await source.connect();
      await here.call("SET", "k", "v");
      const words = ["MIGRATE", "127.0.0.1", `${target.port}`, "k", "0"];
      assertEquals(
        await here.call(...words, "1000"),
        error("ERR Target instance replied with error: NOAUTH Authentication required."),
      );
      const sleeping = there.call("DEBUG", "SLEEP", "0.5");
      assertEquals(
        await here.call(...words, "100", "AUTH", "secret"),
        error("IOERR error or timeout reading to target instance"),
      );
      await sleeping;
      // What the connection that was given up had sent may be carried out after the sleep.
      await eventually(async () =>
        textOf(await there.call("CLIENT", "LIST")).trim().split("\n").length === 1
      );
      await there.call("FLUSHALL");
      assertEquals(await here.call(...words, "1000", "AUTH2", "default", "secret"), status("OK"));
      await there.call("FLUSHALL");
    }
  },
});
