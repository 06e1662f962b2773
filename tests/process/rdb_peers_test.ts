/** Snapshots between tsredis and a real redis-server, both ways, and redis-check-rdb on ours. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisCheckRdb, hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { startTsredis } from "../support/tsredis_process.ts";

const DEBUG = ["--enable-debug-command", "yes"];

/** Fills a server with values of every encoding, and some in other databases. */
async function fill(server: ServerProcess): Promise<void> {
  using client = await server.connect();
  const many = (count: number, one: (i: number) => string[]) =>
    Array.from({ length: count }, (_, i) => one(i)).flat();
  const long = "z".repeat(100);
  const calls: string[][] = [
    ["SET", "int", "123456"],
    ["SET", "embstr", "hello"],
    ["SET", "raw", "compress me ".repeat(500)],
    ["SET", "huge", "0123456789abcdef".repeat(40_000)],
    ["SET", "expires", "v", "PXAT", "4000000000000"],
    ["SET", "", "empty key"],
    ["RPUSH", "list:small", ...many(50, (i) => [`${i}`, `element ${i}`])],
    ["RPUSH", "list:large", ...many(5000, (i) => [`element number ${i}`]), "p".repeat(20_000)],
    ["SADD", "set:ints", ...many(300, (i) => [`${i * i * i}`])],
    ["SADD", "set:small", "a", "-5", long.slice(0, 60)],
    ["SADD", "set:large", ...many(2000, (i) => [`member ${i}`])],
    ["HSET", "hash:small", "f", "v", "n", "12345678901234567890"],
    ["HSET", "hash:large", ...many(2000, (i) => [`field ${i}`, `value ${i} ${long}`])],
    ["HSET", "hash:long", "f", "q".repeat(100_000)],
    ["ZADD", "zset:small", "1", "a", "-0.5", "b", "inf", "c", "1e17", "d"],
    ["ZADD", "zset:large", ...many(2000, (i) => [`${i / 7}`, `member ${i}`])],
    ["PEXPIREAT", "zset:large", "4000000000000"],
    ["SELECT", "9"],
    ["SET", "elsewhere", "v"],
  ];
  for (const call of calls) await client.call(...call);
}

async function ask(server: ServerProcess, ...words: string[]): Promise<string> {
  using client = await server.connect();
  return textOf(await client.call(...words));
}

async function checkRdb(path: string): Promise<void> {
  const { stdout, success } = await new Deno.Command("redis-check-rdb", { args: [path] }).output();
  const text = new TextDecoder().decode(stdout);
  assert(success && text.includes("RDB looks OK"), text);
}

const SETTINGS = [
  [],
  ["--rdbcompression", "no"],
  ["--maxmemory-policy", "allkeys-lru"],
  ...["6", "7", "8", "9"].map((version) => ["--rdb-version", version]),
];

for (const settings of SETTINGS) {
  const name = settings.join(" ") || "the defaults";
  Deno.test({
    name: `redis-server loads what tsredis saves, by SAVE and BGSAVE, with ${name}`,
    ignore: !hasRedisServer || !hasRedisCheckRdb,
    async fn() {
      await using server = await startTsredis({ args: [...DEBUG, "--save", "", ...settings] });
      await fill(server);
      const digest = await ask(server, "DEBUG", "DIGEST");
      for (const command of ["SAVE", "BGSAVE"]) {
        await ask(server, command);
        while ((await ask(server, "INFO", "persistence")).includes("bgsave_in_progress:1"));
        await checkRdb(`${server.dir}/dump.rdb`);
        await using real = await startRealRedis({ args: DEBUG, dir: server.dir });
        assertEquals(await ask(real, "DEBUG", "DIGEST"), digest, command);
      }
    },
  });
}

Deno.test({
  name: "tsredis loads what redis-server saves",
  ignore: !hasRedisServer,
  async fn() {
    await using real = await startRealRedis({ args: DEBUG });
    await fill(real);
    const digest = await ask(real, "DEBUG", "DIGEST");
    await ask(real, "SAVE");
    await using server = await startTsredis({ args: [...DEBUG, "--save", ""], dir: real.dir });
    assertEquals(await ask(server, "DEBUG", "DIGEST"), digest);
    await server.untilLogged("Done loading RDB, keys loaded: 17, keys expired: 0.");
  },
});

Deno.test({
  name: "DUMP of each server is taken by RESTORE of the other",
  ignore: !hasRedisServer,
  async fn() {
    await using ours = await startTsredis({ args: [...DEBUG, "--save", ""] });
    await using real = await startRealRedis({ args: DEBUG });
    await fill(ours);
    using from = await ours.connect();
    using to = await real.connect();
    using back = await ours.connect();
    await from.call("SELECT", "0");
    const keys = await from.call("KEYS", "*");
    const names = keys.kind === "array" ? keys.items.map(textOf) : [];
    assertEquals(names.length, 16);
    for (const key of names) {
      const digest = await from.call("DEBUG", "DIGEST-VALUE", key);
      const payload = textOf(await from.call("DUMP", key));
      assertEquals(textOf(await to.call("RESTORE", key, "0", payload)), "OK", key);
      const returned = textOf(await to.call("DUMP", key));
      const name = `back:${key}`;
      assertEquals(textOf(await back.call("RESTORE", name, "0", returned)), "OK", key);
      for (const [client, copy] of [[to, key], [back, name]] as const) {
        const found = await client.call("DEBUG", "DIGEST-VALUE", copy);
        // The digest of a value has its expiry in it, which DUMP leaves out.
        const expires = await from.call("PTTL", key);
        if (expires.kind === "integer" && expires.value === -1) assertEquals(found, digest, key);
      }
    }
  },
});

Deno.test({
  name:
    "function libraries of a master of Redis come through a replica of ours, its file and its own replica",
  ignore: !hasRedisServer,
  async fn() {
    await using real = await startRealRedis();
    const code = "#!lua name=mylib\n" +
      "redis.register_function{function_name='greet', flags={'no-writes'}, " +
      "callback=function(keys, args) return 'hello ' .. args[1] end}\n";
    assertEquals(await ask(real, "FUNCTION", "LOAD", code), "mylib");
    await using ours = await startTsredis({ args: ["--repl-diskless-sync-delay", "0"] });
    await ask(ours, "REPLICAOF", "127.0.0.1", String(real.port));
    await ours.untilLogged("MASTER <-> REPLICA sync: Finished with success");
    assertMatch(await ask(ours, "INFO", "memory"), /^number_of_libraries:1\r$/m);
    await ask(ours, "SAVE");

    await using replica = await startRealRedis();
    await ask(replica, "REPLICAOF", "127.0.0.1", String(ours.port));
    await replica.untilLogged("MASTER <-> REPLICA sync: Finished with success");
    assertEquals(
      await ask(replica, "FCALL_RO", "greet", "0", "world"),
      "hello world",
    );
    await using loaded = await startRealRedis({ dir: ours.dir });
    assertEquals(await ask(loaded, "FCALL", "greet", "0", "again"), "hello again");
  },
});

for (const version of ["6", "9", "10"]) {
  Deno.test({
    name:
      `a full sync of a master with rdb-version ${version} lacks nothing, and is of that version if it can be`,
    ignore: !hasRedisServer,
    async fn() {
      const args = [...DEBUG, "--save", "", "--repl-diskless-sync-delay", "0"];
      for (const diskless of ["yes", "no"]) {
        await using master = await startTsredis({
          args: [...args, "--rdb-version", version, "--repl-diskless-sync", diskless],
        });
        await fill(master);
        const head = () =>
          new TextDecoder().decode(Deno.readFileSync(`${master.dir}/dump.rdb`).subarray(0, 9));
        const before = await ask(master, "DEBUG", "DIGEST");
        const replicaArgs = [...DEBUG, "--replicaof", "127.0.0.1", `${master.port}`];
        {
          await using replica = await startRealRedis({ args: replicaArgs });
          await eventually(async () => await ask(replica, "DEBUG", "DIGEST") === before);
          // An older version is sent from a file of its own.
          if (version !== "10") await master.untilLogged(`RDB version ${version}`);
          else if (diskless === "no") assertEquals(head(), "REDIS0010");
        }
        await ask(master, "XADD", "stream", "1-1", "f", "v");
        const after = await ask(master, "DEBUG", "DIGEST");
        await using replica = await startRealRedis({ args: replicaArgs });
        await eventually(async () => await ask(replica, "DEBUG", "DIGEST") === after);
        const told =
          'RDB version 6 cannot hold the stream "stream" (database 0), so the snapshot for ' +
          "replicas is written in version 10: older replicas will refuse it";
        if (diskless === "no" && version !== "9") assertEquals(head(), "REDIS0010");
        if (version === "6") await master.untilLogged(told);
        else assert(!master.log.includes("cannot hold"), master.log);
      }
    },
  });
}
