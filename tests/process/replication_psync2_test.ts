/**
 * One history under several masters (PSYNC2): after a promotion, and after clean restarts, everybody
 * goes on where they are. tsredis and redis-server in every part.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { fuzzSeed } from "../support/fuzz.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { startLoad, writeSome } from "../support/replication_load.ts";
import {
  ask,
  askText,
  infoOf,
  inStep,
  linkUp,
  type Make,
  offsetOf,
  replicate,
  shutDown,
  startPeer,
  startPeers,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";

const SEED = fuzzSeed(20_170_716);

/** A PING of the old master after the promotion would be a byte that the new one does not have. */
const NO_PINGS = ["--repl-ping-replica-period", "3600"];

function ignored(makes: Make[]): boolean {
  return makes.includes("redis") && !hasRedisServer;
}

/** A folder that outlives the servers that work in it. */
async function folder(stack: AsyncDisposableStack): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "tsredis-test-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  return dir;
}

const TRIOS: Make[][] = [
  ["tsredis", "tsredis", "tsredis"],
  ["redis", "tsredis", "redis"],
  ["tsredis", "redis", "tsredis"],
  ["redis", "redis", "tsredis"],
  ["tsredis", "tsredis", "redis"],
];

for (const makes of TRIOS) {
  const [old, promoted, sibling] = makes;
  Deno.test({
    name: `${promoted} is promoted: its sibling ${sibling} and its old master ${old} go on with it`,
    ignore: ignored(makes),
    async fn() {
      console.log(`seed ${SEED}`);
      await using stack = new AsyncDisposableStack();
      const [a, b, c] = await startPeers(stack, makes, NO_PINGS);
      await replicate(b, a);
      await replicate(c, a);
      await linkUp(b);
      await linkUp(c);
      await writeSome(a, { seed: SEED, count: 500 });
      await ask(a, "DEBUG", "SET-ACTIVE-EXPIRE", "0"); // nor any DEL that the new one does not have
      await inStep(a, b, c);
      const { master_replid: id, master_repl_offset: offset } = await infoOf(a);

      await ask(b, "REPLICAOF", "NO", "ONE");
      const info = await infoOf(b);
      assertNotEquals(info.master_replid, id);
      assertEquals(info.role, "master");
      assertEquals(info.master_replid2, id);
      assertEquals(info.second_repl_offset, `${Number(offset) + 1}`);

      await using load = await startLoad(b, { seed: SEED + 1 });
      await load.further(200);
      await replicate(c, b);
      await replicate(a, b);
      await linkUp(c);
      await linkUp(a);
      await load.further(200);
      await load.stop();
      await inStep(b, c, a);
      const counts = await syncCounts(b);
      assertEquals([counts.full, counts.partialOk], [0, 2], `${a.log}${b.log}${c.log}`);
      for (const server of [a, c]) {
        assertEquals((await infoOf(server)).master_replid, info.master_replid);
      }
    },
  });
}

const PAIRS: Make[][] = [["redis", "tsredis"], ["tsredis", "redis"], ["tsredis", "tsredis"]];

for (const makes of PAIRS) {
  const [masterMake, replicaMake] = makes;

  Deno.test({
    name: `${replicaMake}, a replica of ${masterMake}, goes on where it was after a clean restart`,
    ignore: ignored(makes),
    async fn() {
      await using stack = new AsyncDisposableStack();
      const dir = await folder(stack);
      const master = stack.use(await startPeer(masterMake));
      const args = ["--replicaof", "127.0.0.1", `${master.port}`];
      const first = stack.use(await startPeer(replicaMake, { dir, args }));
      await linkUp(first);
      await writeSome(master, { seed: SEED, count: 500 });
      await inStep(master, first);
      await ask(master, "SELECT", "3");
      await shutDown(first);
      await writeSome(master, { seed: SEED + 1, count: 200 });

      const second = stack.use(await startPeer(replicaMake, { dir, args }));
      await linkUp(second);
      await inStep(master, second);
      const counts = await syncCounts(master);
      assertEquals([counts.full, counts.partialOk], [1, 1], master.log + second.log);
    },
  });

  Deno.test({
    name: `${masterMake}, the master of ${replicaMake}, goes on where it was after a clean restart`,
    ignore: ignored(makes),
    async fn() {
      await using stack = new AsyncDisposableStack();
      const dir = await folder(stack);
      const first = stack.use(await startPeer(masterMake, { dir }));
      const proxy = stack.use(LinkProxy.to(first));
      const [one, two] = await startPeers(stack, [replicaMake, replicaMake]);
      for (const replica of [one, two]) {
        await replicate(replica, proxy);
        await linkUp(replica);
      }
      await writeSome(first, { seed: SEED, count: 500 });
      await inStep(first, one, two);
      const { master_replid: id } = await infoOf(first);
      await shutDown(first);
      for (const replica of [one, two]) {
        await eventually(async () => (await infoOf(replica)).master_link_status === "down");
      }

      const second = stack.use(await startPeer(masterMake, { dir }));
      proxy.target = second.port;
      await withLog([second, one, two], async () => {
        const info = await infoOf(second);
        assertNotEquals(info.master_replid, id);
        assertEquals(info.master_replid2, id);
        await linkUp(one);
        await linkUp(two);
        await writeSome(second, { seed: SEED + 1, count: 200 });
        await inStep(second, one, two);
        const counts = await syncCounts(second);
        assertEquals([counts.full, counts.partialOk], [0, 2]);
      });
    },
  });
}

for (const makes of PAIRS) {
  const [masterMake, replicaMake] = makes;
  Deno.test({
    name: `${masterMake} -> ${replicaMake}: who was killed comes back with an older snapshot`,
    ignore: ignored(makes),
    async fn() {
      await using stack = new AsyncDisposableStack();
      const dirs = [await folder(stack), await folder(stack)];
      const master = stack.use(await startPeer(masterMake, { dir: dirs[0] }));
      const proxy = stack.use(LinkProxy.to(master));
      const args = ["--replicaof", "127.0.0.1", `${proxy.port}`];
      const replica = stack.use(await startPeer(replicaMake, { dir: dirs[1], args }));
      await linkUp(replica);
      await writeSome(master, { seed: SEED, count: 300 });
      await inStep(master, replica);
      await ask(master, "SAVE");
      await ask(replica, "SAVE");
      await writeSome(master, { seed: SEED + 1, count: 300 });
      await inStep(master, replica);

      // A replica goes on from what its snapshot has.
      await replica.stop("SIGKILL");
      const second = stack.use(await startPeer(replicaMake, { dir: dirs[1], args }));
      await linkUp(second);
      await inStep(master, second);
      const counts = await syncCounts(master);
      assertEquals([counts.full, counts.partialOk], [1, 1], master.log + second.log);

      // A master does not: its replica is ahead. And when it has come as far again, it has come
      // there by other writes, which must not be taken for those that the replica has.
      await proxy.refuse();
      await master.stop("SIGKILL");
      const other = stack.use(await startPeer(masterMake, { dir: dirs[0] }));
      const ahead = await offsetOf(second);
      for (let round = 0; round < 5; round++) {
        await writeSome(other, { seed: SEED + 2 + round, count: 300 });
      }
      assert(await offsetOf(other) > ahead, `${await offsetOf(other)} after ${ahead}`);
      proxy.target = other.port;
      proxy.accept();
      await linkUp(second);
      await inStep(other, second);
      const { full, partialOk } = await syncCounts(other);
      assertEquals([full, partialOk], [1, 0], other.log + second.log);
    },
  });
}

Deno.test("a replica that was promoted and written to syncs fully when its old master takes it back", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], NO_PINGS);
  await replicate(replica, master);
  await linkUp(replica);
  await ask(master, "SET", "k", "of the master");
  await inStep(master, replica);
  await ask(replica, "REPLICAOF", "NO", "ONE");
  await ask(replica, "SET", "k", "of the other history");
  await replicate(replica, master);
  await linkUp(replica);
  await inStep(master, replica);
  assertEquals(await askText(replica, "GET", "k"), "of the master");
  const counts = await syncCounts(master);
  assertEquals([counts.full, counts.partialOk], [2, 0]);
  assert(counts.partialErr >= 1, master.log);
});

Deno.test("an overrun backlog makes the sync a full one", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], [
    "--repl-backlog-size",
    "16kb",
  ]);
  const proxy = stack.use(LinkProxy.to(master));
  await replicate(replica, proxy);
  await linkUp(replica);
  const before = await syncCounts(master);
  await proxy.refuse();
  proxy.cut();
  for (let i = 0; i < 3; i++) await ask(master, "SET", "big", "x".repeat(15_000));
  proxy.accept();
  await linkUp(replica);
  await inStep(master, replica);
  const { full, partialOk, partialErr } = await syncCounts(master);
  assertEquals([full, partialOk, partialErr - before.partialErr], [2, 0, 1], master.log);
});
