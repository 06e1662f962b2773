/**
 * Real servers of Redis 2.8 to 6.2 as replicas of tsredis: under a load of every write command that their data can hold
 * they end with the same data, are counted by WAIT, and go on partially after a cut link; and so behind a tsredis that
 * follows a newer server. Skipped by name where a server is not there (tests/support/old_redis.ts).
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { fuzzSeed } from "../support/fuzz.ts";
import { hasOldRedis, lacks, OLD_VERSIONS, startOldRedis } from "../support/old_redis.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  type Address,
  ask,
  askText,
  differingKeys,
  infoOf,
  linkUp,
  startPeer,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { textOf } from "../support/resp_client.ts";

const SEED = fuzzSeed(20_180_322);

/** Makes a server a replica by the word that all know. */
async function follow(replica: Address, master: Address): Promise<void> {
  await ask(replica, "SLAVEOF", "127.0.0.1", `${master.port}`);
}

/** Waits until a replica has acknowledged everything, and compares the data. */
async function assertSame(master: ServerProcess, replica: ServerProcess): Promise<void> {
  await withLog([master, replica], async () => {
    await eventually(async () => {
      using client = await master.connect();
      await client.call("SET", "the last", "word");
      const reply = await client.call("WAIT", "1", "1000");
      return reply.kind === "integer" && Number(reply.value) === 1;
    }, { timeoutMs: 60_000, what: "WAIT to count the replica" });
    await eventually(async () => {
      const [ours, theirs] = await Promise.all(
        [master, replica].map((server) => askText(server, "DEBUG", "DIGEST")),
      );
      return ours === theirs;
    }, { timeoutMs: 2_000, what: "equal digests" }).catch(async (cause) => {
      throw new Error((await differingKeys(master, replica)).join("\n"), { cause });
    });
    await assertSameTimes(master, replica);
  });
}

/** What the measuring of a time may take, in ms. */
const SLACK_MS = 50;

/** When keys expire, as far as servers without PEXPIRETIME can be asked. */
async function assertSameTimes(master: ServerProcess, replica: ServerProcess): Promise<void> {
  using ours = await master.connect();
  using theirs = await replica.connect();
  const keys = await ours.call("KEYS", "*");
  assert(keys.kind === "array");
  for (const key of keys.items.map(textOf)) {
    const [left, right] = await Promise.all([ours.call("PTTL", key), theirs.call("PTTL", key)]);
    assert(left.kind === "integer" && right.kind === "integer");
    const [a, b] = [Number(left.value), Number(right.value)];
    // A key that is about to go is there until the master says so.
    if (a < SLACK_MS * 10) continue;
    assert(Math.abs(a - b) < SLACK_MS * 10, `${key} has ${a} ms here and ${b} there`);
  }
}

for (const version of OLD_VERSIONS) {
  const ignore = !hasOldRedis(version);
  for (const sync of ["yes", "no"]) {
    Deno.test({
      name:
        `redis ${version} follows tsredis under a load (repl-diskless-sync ${sync}) [old servers]`,
      ignore,
      async fn() {
        console.log(`seed ${SEED}`);
        await using master = await startPeer("tsredis", {
          args: ["--repl-diskless-sync", sync],
        });
        await using replica = await startOldRedis(version);
        await using load = await startLoad(master, { seed: SEED, leavesOut: lacks(version) });
        await load.further(500);
        await follow(replica, master);
        await linkUp(replica);
        await load.further(4_000);
        await load.stop();
        await assertSame(master, replica);
      },
    });
  }

  Deno.test({
    name:
      `redis ${version} goes on partially after a cut link, and tells of all it has [old servers]`,
    ignore,
    async fn() {
      await using master = await startPeer("tsredis");
      await using replica = await startOldRedis(version);
      await using proxy = LinkProxy.to(master);
      await using load = await startLoad(master, {
        seed: SEED + 1,
        leavesOut: (words) => lacks(version)(words) || /^flush/i.test(words[0]),
      });
      await follow(replica, proxy);
      await linkUp(replica);
      const before = await syncCounts(master);
      for (let cut = 1; cut <= 3; cut++) {
        await load.further(500);
        const links = proxy.links.length;
        proxy.cutAfter("toReplica", proxy.link.count("toReplica") + 1_000 * cut);
        await eventually(() => proxy.links.length > links, {
          timeoutMs: 20_000,
          what: "a new link",
        });
        await linkUp(replica);
      }
      await load.stop();
      await assertSame(master, replica);
      const after = await syncCounts(master);
      await withLog([master, replica], async () => {
        assertEquals([after.full, after.partialOk], [before.full, before.partialOk + 3]);
        await eventually(async () => {
          const { master_repl_offset, slave0 } = await infoOf(master);
          return slave0.includes(`offset=${master_repl_offset},`);
        }, { timeoutMs: 20_000, what: "the replica to have acknowledged all" });
      });
    },
  });
}

Deno.test({
  name:
    "redis 3.2.13 gets anew what it cannot be told: SWAPDB, and refuses a stream by its name [old servers]",
  ignore: !hasOldRedis("3.2.13"),
  async fn() {
    await using master = await startPeer("tsredis");
    await using replica = await startOldRedis("3.2.13");
    await ask(master, "SET", "k", "v");
    await follow(replica, master);
    await linkUp(replica);
    await ask(master, "SWAPDB", "0", "1");
    await master.untilLogged(/synchronize anew: .*two databases that change places/);
    await eventually(async () => (await syncCounts(master)).full === 2, {
      timeoutMs: 20_000,
      what: "the second full sync",
    });
    await linkUp(replica);
    await assertSame(master, replica);
    await ask(master, "XADD", "events", "*", "f", "v");
    await master.untilLogged('RDB version 6 cannot hold the stream "events" (database 0)');
    await ask(master, "SET", "k", "later");
    await ask(master, "DEL", "events");
    await linkUp(replica);
    await assertSame(master, replica);
  },
});

// -- between a newer master and an older replica ------------------------------------------------------------------

const NEWER = "7.4.1";

for (const version of ["2.8.24", "5.0.14", "6.2.14"]) {
  Deno.test({
    name:
      `redis ${NEWER} -> tsredis -> redis ${version}: what arrives is what the one between has [old servers]`,
    ignore: !hasOldRedis(NEWER) || !hasOldRedis(version),
    async fn() {
      await using master = await startOldRedis(NEWER, {
        args: ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"],
      });
      await using bridge = await startPeer("tsredis");
      await using replica = await startOldRedis(version);
      const seed = SEED + 2;
      // Without streams: Redis 7.4 sends XGROUP SETID with an ENTRIESREAD that no server takes.
      await using load = await startLoad(master, {
        seed,
        leavesOut: (words) => /^x/i.test(words[0]) || lacks(version)(words),
      });
      await load.further(500);
      await follow(bridge, master);
      await linkUp(bridge);
      await follow(replica, bridge);
      await linkUp(replica);
      await load.further(3_000);
      await load.stop();
      await ask(master, "SET", "the last", "word");
      await withLog([master, bridge, replica], async () => {
        await eventually(async () => {
          const [ours, theirs] = await Promise.all(
            [bridge, replica].map((server) => askText(server, "DEBUG", "DIGEST")),
          );
          return ours === theirs && await askText(replica, "GET", "the last") === "word";
        }, { timeoutMs: 30_000, what: "equal digests" });
        assertEquals((await infoOf(bridge)).connected_slaves, "1");
      });
    },
  });
}

Deno.test({
  name:
    `redis ${NEWER} -> tsredis -> redis 6.2.14: a field that expires ends the older link by its name [old servers]`,
  ignore: !hasOldRedis(NEWER) || !hasOldRedis("6.2.14"),
  async fn() {
    await using master = await startOldRedis(NEWER, { args: ["--repl-diskless-sync-delay", "0"] });
    await using bridge = await startPeer("tsredis", { args: ["--rdb-version-for-replicas", "9"] });
    await using replica = await startOldRedis("6.2.14");
    await ask(master, "HSET", "h", "f", "v", "g", "w");
    await follow(bridge, master);
    await linkUp(bridge);
    await follow(replica, bridge);
    await linkUp(replica);
    assertEquals(await askText(replica, "HGET", "h", "f"), "v");
    await ask(master, "HEXPIRE", "h", "1000", "FIELDS", "1", "f");
    await bridge.untilLogged(/synchronize anew: .*fields of the hash "h" expire \(database 0\)/);
    await bridge.untilLogged(/is refused, as it cannot have all of the data: .*the hash "h"/);
    assertEquals(await askText(replica, "HGET", "h", "f"), "v");
    await ask(master, "HPERSIST", "h", "FIELDS", "1", "f");
    await ask(master, "HSET", "h", "g", "later");
    await linkUp(replica);
    await eventually(async () => await askText(replica, "HGET", "h", "g") === "later", {
      timeoutMs: 30_000,
      what: "the replica to have the later value",
    });
  },
});
