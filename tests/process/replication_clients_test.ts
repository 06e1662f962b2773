/**
 * Programs and commands that deal with replicas: redis-cli as a reader of snapshots and streams,
 * WAIT and min-replicas-to-write with replicas of both makes.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisCli, hasRedisServer } from "../support/real_redis.ts";
import { writeSome } from "../support/replication_load.ts";
import {
  ask,
  askText,
  infoOf,
  inStep,
  linkUp,
  plain,
  replicate,
  startPeer,
  startPeers,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { error, integer, status } from "../support/resp_client.ts";

const decoder = new TextDecoder();

Deno.test({
  name: "redis-cli --rdb takes a snapshot that redis-server loads",
  ignore: !hasRedisCli || !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const master = stack.use(await startPeer("tsredis"));
    await writeSome(master, { seed: 7, count: 500 });
    await ask(master, "DEBUG", "SET-ACTIVE-EXPIRE", "0");
    const dir = await Deno.makeTempDir({ prefix: "tsredis-test-" });
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    for (const sync of ["yes", "no"]) {
      await ask(master, "CONFIG", "SET", "repl-diskless-sync", sync);
      const { success, stderr } = await new Deno.Command("redis-cli", {
        args: ["-p", `${master.port}`, "--rdb", `${dir}/dump.rdb`],
      }).output();
      assert(success, decoder.decode(stderr));
      // A replica keeps what is past its time, as its master may: only so are the digests the same.
      const args = ["--replicaof", "127.0.0.1", "1"];
      await using loaded = await startPeer("redis", { dir, args });
      assertEquals(
        await askText(loaded, "DEBUG", "DIGEST"),
        await askText(master, "DEBUG", "DIGEST"),
        decoder.decode(stderr),
      );
      await eventually(async () => (await infoOf(master)).connected_slaves === "0");
    }
  },
});

Deno.test({
  name: "redis-cli --replica prints the stream of writes",
  ignore: !hasRedisCli,
  async fn() {
    await using master = await startPeer("tsredis");
    await ask(master, "SET", "before", "1");
    const child = new Deno.Command("redis-cli", {
      args: ["-p", `${master.port}`, "--replica"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let printed = "";
    const drained = [child.stdout, child.stderr].map(async (stream) => {
      for await (const chunk of stream) printed += decoder.decode(chunk);
    });
    try {
      await eventually(() => /SYNC done/.test(printed), { what: "redis-cli to be in sync" })
        .catch((thrown) => {
          throw new Error(`${thrown.message}: ${printed}`);
        });
      await ask(master, "SET", "k", "a b");
      await eventually(() => printed.includes('"SET","k","a b"'), { what: "the SET" });
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await Promise.all(drained);
    }
  },
});

Deno.test({
  name: "WAIT counts replicas of both makes; a stalled one does not count",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, ours, real] = await startPeers(stack, ["tsredis", "tsredis", "redis"]);
    const proxy = stack.use(LinkProxy.to(master));
    await replicate(ours, master);
    await replicate(real, proxy);
    await linkUp(ours);
    await linkUp(real);
    using client = await master.connect();
    assertEquals(await client.call("WAIT", "2", "0"), integer(2));
    await client.call("SET", "k", "1");
    assertEquals(await client.call("WAIT", "2", "10000"), integer(2));
    proxy.stall("toReplica");
    await client.call("SET", "k", "2");
    assertEquals(await client.call("WAIT", "1", "10000"), integer(1));
    assertEquals(await client.call("WAIT", "2", "50"), integer(1));
    proxy.resume("toReplica");
    assertEquals(await client.call("WAIT", "2", "10000"), integer(2));
    await inStep(master, ours, real);
  },
});

Deno.test({
  name: "WAIT of redis-server counts tsredis",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, one, two] = await startPeers(stack, ["redis", "tsredis", "tsredis"]);
    for (const replica of [one, two]) {
      await replicate(replica, master);
      await linkUp(replica);
    }
    using client = await master.connect();
    await client.call("SET", "k", "1");
    assertEquals(await client.call("WAIT", "2", "10000"), integer(2));
    assertMatch(plain(await ask(master, "ROLE")), new RegExp(`"${one.port}".*"${two.port}"`));
  },
});

Deno.test("min-replicas-to-write refuses writes until a replica is there, and when it is gone", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], [
    "--min-replicas-to-write",
    "1",
    "--min-replicas-max-lag",
    "5",
  ]);
  using client = await master.connect();
  const refused = error("NOREPLICAS Not enough good replicas to write.");
  assertEquals(await client.call("SET", "k", "v"), refused);
  await replicate(replica, master);
  await linkUp(replica);
  await eventually(async () => (await client.call("SET", "k", "v")).kind === "status");
  await inStep(master, replica);
  await ask(replica, "REPLICAOF", "NO", "ONE");
  await eventually(async () => (await infoOf(master)).connected_slaves === "0");
  assertEquals(await client.call("SET", "k", "w"), refused);
  assertEquals(await askText(master, "GET", "k"), "v");
});

Deno.test("replica-serve-stale-data no: without a link only what needs no data is answered", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], [
    "--replica-serve-stale-data",
    "no",
  ]);
  const proxy = stack.use(LinkProxy.to(master));
  await ask(master, "SET", "k", "v");
  await replicate(replica, proxy);
  await linkUp(replica);
  await inStep(master, replica);
  using client = await replica.connect();
  assertEquals(plain(await client.call("GET", "k")), '"v"');
  await proxy.refuse();
  proxy.cut();
  const stale = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  await eventually(async () => (await client.call("GET", "k")).kind === "error");
  assertEquals(await client.call("GET", "k"), error(stale));
  assertEquals(await client.call("PING"), error(stale));
  assertEquals((await client.call("INFO")).kind, "bulk");
  proxy.accept();
  await linkUp(replica);
  assertEquals(await client.call("PING"), status("PONG"));
});
