/** The append-only file between processes: kills, restarts, and real servers on the same folder. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import type { RespClient } from "../support/resp_client.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

const aofArgs = (...more: string[]) => [
  "--appendonly",
  "yes",
  "--save",
  "",
  "--enable-debug-command",
  "yes",
  ...more,
];

async function text(client: RespClient, ...words: string[]): Promise<string> {
  const reply = await client.call(...words);
  return "text" in reply ? reply.text : "value" in reply ? String(reply.value) : reply.kind;
}

async function infoOf(client: RespClient, field: string): Promise<string | undefined> {
  const info = await text(client, "INFO", "persistence");
  return new RegExp(`^${field}:(.*)\r$`, "m").exec(info)?.[1];
}

/** redis-server writes nothing while a sync of "everysec" is under way: what it has answered since, dies with it. */
const AT_ONCE = ["--appendfsync", "always"];

/** Keys of all kinds, in two databases, some of them with an expiry. */
async function fill(client: RespClient): Promise<void> {
  const calls = [];
  for (let i = 0; i < 200; i++) {
    calls.push(["SET", `s:${i}`, `v${i}`, ...(i % 3 === 0 ? ["EX", "100000"] : [])]);
    calls.push(["RPUSH", `l:${i % 7}`, `e${i}`]);
    calls.push(["HSET", `h:${i % 5}`, `f${i}`, `v${i}`]);
    calls.push(["SADD", `set:${i % 5}`, `${i}`]);
    calls.push(["ZADD", `z:${i % 5}`, `${i / 4}`, `m${i}`]);
    calls.push(["XADD", "stream", "*", "f", `v${i}`]);
  }
  calls.push(["SPOP", "set:1"], ["INCRBYFLOAT", "n", "0.1"], ["GETEX", "s:1", "EX", "1000"]);
  calls.push([
    "FUNCTION",
    "LOAD",
    "REPLACE",
    "#!lua name=lib\nredis.register_function('f', function() end)",
  ]);
  calls.push(["SELECT", "3"], ["MULTI"], ["SET", "a", "1"], ["INCR", "a"], ["EXEC"], [
    "SELECT",
    "0",
  ]);
  for (const reply of await client.pipeline(calls)) assert(reply.kind !== "error", `${reply.kind}`);
}

/** While the disk is busy with a sync, `everysec` puts off what is to be written, as in Redis. */
async function untilWritten(client: RespClient): Promise<void> {
  await eventually(async () =>
    (await text(client, "INFO", "persistence")).includes("aof_buffer_length:0\r\n")
  );
}

async function rewrite(client: RespClient): Promise<void> {
  await client.call("BGREWRITEAOF");
  await eventually(async () => await infoOf(client, "aof_rewrite_in_progress") === "0");
}

const peers = { name: "", ignore: !hasRedisServer };

Deno.test({
  ...peers,
  name:
    "redis-server loads what tsredis has written, before a rewrite and after it, and the other way",
  async fn() {
    await using ours = await startTsredis({ args: aofArgs() });
    using client = await ours.connect();
    await fill(client);
    let digest = await text(client, "DEBUG", "DIGEST");
    await untilWritten(client);
    await ours.stop("SIGKILL");
    {
      await using theirs = await startRealRedis({ dir: ours.dir, args: aofArgs(...AT_ONCE) });
      using other = await theirs.connect();
      assertEquals(await text(other, "DEBUG", "DIGEST"), digest);
      await fill(other);
      await rewrite(other);
      await fill(other);
      digest = await text(other, "DEBUG", "DIGEST");
      await theirs.stop("SIGKILL");
    }
    {
      await using again = await startTsredis({ dir: ours.dir, args: aofArgs() });
      using other = await again.connect();
      assertEquals(await text(other, "DEBUG", "DIGEST"), digest);
      await rewrite(other);
      await fill(other);
      digest = await text(other, "DEBUG", "DIGEST");
      await untilWritten(other);
      await again.stop("SIGKILL");
    }
    await using last = await startRealRedis({ dir: ours.dir, args: aofArgs() });
    using other = await last.connect();
    assertEquals(await text(other, "DEBUG", "DIGEST"), digest);
  },
});

Deno.test({
  ...peers,
  name: "redis-server loads a base that consists of commands, and tsredis loads its",
  async fn() {
    const args = aofArgs("--aof-use-rdb-preamble", "no");
    await using ours = await startTsredis({ args });
    using client = await ours.connect();
    await fill(client);
    await addGaps(client);
    await rewrite(client);
    const digest = await text(client, "DEBUG", "DIGEST");
    const groups = await infoOfGroups(client);
    await ours.stop("SIGKILL");
    const manifest = Deno.readTextFileSync(`${ours.dir}/appendonlydir/appendonly.aof.manifest`);
    assert(manifest.startsWith("file appendonly.aof.2.base.aof seq 2 type b\n"), manifest);
    {
      await using theirs = await startRealRedis({ dir: ours.dir, args: [...args, ...AT_ONCE] });
      using other = await theirs.connect();
      assertEquals(await text(other, "DEBUG", "DIGEST"), digest);
      assertEquals(await infoOfGroups(other), groups);
      assert((await text(other, "FUNCTION", "DUMP")).includes("lib"));
      await other.call("XDEL", "gaps", "50-0");
      await rewrite(other);
      await theirs.stop("SIGKILL");
    }
    await using again = await startTsredis({ dir: ours.dir, args });
    using other = await again.connect();
    assert(await text(other, "DEBUG", "DIGEST") !== digest);
    assertEquals(await text(other, "XLEN", "gaps"), "78");
  },
});

Deno.test({
  ...peers,
  name:
    "UNDO RESTORE survives a kill right after its answer, here and with redis-server, and reaches its replica",
  async fn() {
    const args = aofArgs("--undo-window", "300", "--repl-diskless-sync-delay", "0");
    await using ours = await startTsredis({ args });
    await using replica = await startRealRedis({
      args: ["--enable-debug-command", "yes", "--replicaof", "127.0.0.1", `${ours.port}`],
    });
    using client = await ours.connect();
    using reader = await replica.connect();
    await fill(client);
    await addGaps(client);
    const digest = await text(client, "DEBUG", "DIGEST");
    await client.pipeline([["FLUSHALL"], ["SET", "since", "1"], ["WAIT", "1", "0"]]);
    assertEquals(await text(reader, "GET", "since"), "1");
    assertEquals(await text(client, "UNDO", "RESTORE", "1"), "OK");
    assertEquals(await text(client, "INCR", "after"), "1");
    await eventually(async () => await text(reader, "GET", "after") === "1");
    await client.call("DEL", "after");
    await eventually(async () => await text(reader, "DEBUG", "DIGEST") === digest);
    await client.call("INCR", "n2");
    const last = await text(client, "DEBUG", "DIGEST");
    await untilWritten(client);
    await ours.stop("SIGKILL");
    {
      await using theirs = await startRealRedis({ dir: ours.dir, args: aofArgs(...AT_ONCE) });
      using other = await theirs.connect();
      assertEquals(await text(other, "DEBUG", "DIGEST"), last);
      await theirs.stop("SIGKILL");
    }
    await using again = await startTsredis({ dir: ours.dir, args });
    using other = await again.connect();
    assertEquals(await text(other, "DEBUG", "DIGEST"), last);
    // What was replaced then is replaced by the file once more.
    assertEquals(await text(other, "UNDO", "RESTORE", "2"), "OK");
    assertEquals(await text(other, "GET", "since"), "1");
  },
});

/** A stream with groups that wait for entries which are not there any more. */
async function addGaps(client: RespClient): Promise<void> {
  const calls = Array.from({ length: 100 }, (_, i) => ["XADD", "gaps", `${i + 1}-0`, "f", "v"]);
  calls.push(["XGROUP", "CREATE", "gaps", "g", "0"], ["XGROUP", "CREATE", "gaps", "empty", "50"]);
  calls.push(["XREADGROUP", "GROUP", "g", "alice", "COUNT", "70", "STREAMS", "gaps", ">"]);
  calls.push(["XGROUP", "CREATECONSUMER", "gaps", "g", "bob"]);
  calls.push(["XTRIM", "gaps", "MAXLEN", "80"], ["XDEL", "gaps", "60-0"]);
  for (const reply of await client.pipeline(calls)) assert(reply.kind !== "error", `${reply.kind}`);
}

/** What is known of that stream and its groups; how long something waits, not. */
async function infoOfGroups(client: RespClient): Promise<string> {
  const pending = await client.call("XPENDING", "gaps", "g", "-", "+", "1000");
  assert(pending.kind === "array");
  const waiting = pending.items.map((item) => {
    assert(item.kind === "array");
    return item.items.filter((_, part) => part !== 2);
  });
  const others = [
    await client.call("XINFO", "GROUPS", "gaps"),
    await client.call("XINFO", "STREAM", "gaps"),
  ];
  const all = [waiting, others];
  return JSON.stringify(all, (_, value) => typeof value === "bigint" ? `${value}` : value);
}

/** INFO's fields about the append-only file; sizes and what fork costs differ. */
async function aofFields(client: RespClient): Promise<string[]> {
  const info = await text(client, "INFO", "persistence");
  return info.split("\r\n").filter((line) => /^(aof|module)_/.test(line))
    .map((line) => line.replace(/^(\w+_(size|time_sec)):.*/, "$1"));
}

Deno.test({
  ...peers,
  name: "INFO tells of the append-only file what redis-server tells, field by field",
  async fn() {
    const options = { args: ["--save", ""] };
    await using ours = await startTsredis(options);
    await using theirs = await startRealRedis(options);
    using client = await ours.connect();
    using other = await theirs.connect();
    for (
      const [step, ...words] of [
        ["at the start", "SET", "a", "1"],
        ["rewritten while it is off", "BGREWRITEAOF"],
        ["turned on", "CONFIG", "SET", "appendonly", "yes"],
        ["written to", "SET", "b", "2"],
        ["rewritten", "BGREWRITEAOF"],
        ["turned off", "CONFIG", "SET", "appendonly", "no"],
      ]
    ) {
      for (const each of [client, other]) {
        await each.call(...words);
        await eventually(async () => await infoOf(each, "aof_rewrite_in_progress") === "0");
        await eventually(async () => (await infoOf(each, "aof_pending_bio_fsync") ?? "0") === "0");
      }
      assertEquals(await aofFields(client), await aofFields(other), step);
    }
  },
});

for (const appendfsync of ["always", "everysec", "no"]) {
  const what = appendfsync === "everysec"
    ? "every write that was waited for"
    : "every answered write";
  Deno.test(`kill -9 under load, appendfsync ${appendfsync}: ${what} is there`, async () => {
    const args = aofArgs("--appendfsync", appendfsync, "--auto-aof-rewrite-min-size", "20kb");
    const first = await startTsredis({ args });
    const { dir } = first;
    try {
      let acknowledged = 0;
      let server = first;
      for (let round = 0; round < 3; round++) {
        const clients = await Promise.all([1, 2, 3].map(() => server.connect()));
        const loads = clients.map(async (client) => {
          try {
            for (;;) {
              const reply = await client.call("INCR", "n");
              if (reply.kind === "integer") {
                acknowledged = Math.max(acknowledged, Number(reply.value));
              }
            }
          } catch {
            // It has been killed.
          }
        });
        await eventually(() => acknowledged > (round + 1) * 1000);
        if (appendfsync === "everysec") {
          // While a sync is under way answers do not wait for the file.
          using waiting = await server.connect();
          await waiting.call("SET", "waited", `${round}`);
          await waiting.call("WAITAOF", "1", "0", "0");
        }
        await server.stop("SIGKILL");
        await Promise.all(loads);
        clients.forEach((client) => client[Symbol.dispose]());
        server = await startTsredis({ args, dir });
        using client = await server.connect();
        if (appendfsync === "everysec") {
          assertEquals(await text(client, "GET", "waited"), `${round}`);
          continue;
        }
        const found = Number(await text(client, "GET", "n"));
        assert(found >= acknowledged, `round ${round}: ${found} < ${acknowledged}`);
      }
      await server.stop("SIGKILL");
    } finally {
      await first[Symbol.asyncDispose]();
    }
  });
}

Deno.test("a server that is asked to end, has its changes in the append-only file", async () => {
  await using first = await startTsredis({ args: aofArgs("--appendfsync", "no") });
  using client = await first.connect();
  await fill(client);
  const digest = await text(client, "DEBUG", "DIGEST");
  assertEquals((await first.stop()).code, 0);
  assert(first.log.includes("Calling fsync() on the AOF file."));
  await using second = await startTsredis({ args: aofArgs(), dir: first.dir });
  using other = await second.connect();
  assertEquals(await text(other, "DEBUG", "DIGEST"), digest);
});

Deno.test("an append-only file that is damaged in its midst keeps a server from starting", async () => {
  await using first = await startTsredis({ args: aofArgs() });
  using client = await first.connect();
  await fill(client);
  await first.stop("SIGKILL");
  const path = `${first.dir}/appendonlydir/appendonly.aof.1.incr.aof`;
  const bytes = Deno.readFileSync(path);
  // Where a command begins: within a value nobody would see it.
  const begin = new TextDecoder("latin1").decode(bytes).indexOf("\r\n*", bytes.length >> 1) + 2;
  bytes.set([0x58, 0x58], begin);
  Deno.writeFileSync(path, bytes);
  await using second = await spawnTsredis({ args: aofArgs(), dir: first.dir });
  assertEquals((await second.ended()).code, 1);
  assert(/Bad file format reading|Unknown command|Cannot carry out/.test(second.log), second.log);
});
