/**
 * Replication between tsredis and a real redis-server in every place of a link or a chain: full
 * sync, partial resync after a cut link, the same data and the same bytes, under a load of every
 * write command there is.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { eventually } from "../support/eventually.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { startLoad, writeSome } from "../support/replication_load.ts";
import {
  ask,
  askText,
  countedFor,
  cutAndWait,
  inStep,
  linkUp,
  type Make,
  replicate,
  startPeers,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { assertSameStream, recordedSync } from "../support/replication_stream.ts";
import type { ServerProcess } from "../support/server_process.ts";

const CHAINS: Make[][] = [
  ["redis", "tsredis"],
  ["tsredis", "redis"],
  ["tsredis", "tsredis"],
  ["tsredis", "redis", "tsredis"],
  ["redis", "tsredis", "redis"],
  ["tsredis", "tsredis", "tsredis"],
];
const SYNCS = {
  disk: ["--repl-diskless-sync", "no", "--repl-diskless-load", "disabled"],
  diskless: ["--repl-diskless-sync", "yes", "--repl-diskless-load", "swapdb"],
};

const PAIRS = CHAINS.filter((chain) => chain.length === 2);

const SEED = fuzzSeed(20_150_401);

for (const chain of CHAINS) {
  for (const [sync, args] of Object.entries(SYNCS)) {
    Deno.test({
      name: `${chain.join(" -> ")}, ${sync}: full sync, partial resync and equal data under a load`,
      ignore: chain.includes("redis") && !hasRedisServer,
      fn: () => runChain(chain, args, sync === "diskless"),
    });
  }
}

async function runChain(chain: Make[], args: string[], isDiskless: boolean): Promise<void> {
  console.log(`seed ${SEED}`);
  await using stack = new AsyncDisposableStack();
  const servers = await startPeers(stack, chain, args);
  const proxies = servers.slice(0, -1).map((server) => stack.use(LinkProxy.to(server)));
  await withLog(servers, () => syncAndCut(servers, proxies));

  for (const proxy of proxies) {
    const syncs = proxy.links.map(recordedSync).filter(({ kind }) => kind !== "none");
    assertEquals([...new Set(syncs.map(({ kind }) => kind))], ["full", "partial"]);
    // One that a FLUSHALL of the load has ended may not have come to its first byte.
    assertEquals(syncs.find(({ rdb }) => rdb !== null)?.isDiskless, isDiskless);
  }
  if (proxies.length === 2) {
    const compared = assertSameStream(proxies[0].links, proxies[1].links);
    assert(compared > 1_000, `only ${compared} bytes of the stream went over both hops`);
  }
}

/** Links a chain under a load, cuts each link once, and waits for equal data. */
async function syncAndCut(servers: ServerProcess[], proxies: LinkProxy[]): Promise<void> {
  const [master, ...replicas] = servers;
  await writeSome(master, { seed: SEED + 1, count: 1_000 });
  for (const replica of replicas) await ask(replica, "SET", "of its own", "to be dropped");

  await using load = await startLoad(master, { seed: SEED });
  for (const [i, replica] of replicas.entries()) {
    await replicate(replica, proxies[i]);
    await linkUp(replica);
  }
  await load.further(1_500);
  for (const [i, replica] of replicas.entries()) {
    // A FLUSHALL ends the save of a full sync, which then begins anew, here as with Redis, or goes on partially where
    // the replica had all of the snapshot already.
    const before = await syncCounts(servers[i]);
    assert(before.full >= 1 && before.partialOk <= 1, `server ${i}: ${Deno.inspect(before)}`);
    await cutAndWait(proxies[i], replica);
    await load.further(1_000);
    const after = await syncCounts(servers[i]);
    assertEquals(
      [after.full, after.partialOk],
      [before.full, before.partialOk + 1],
      `server ${i}, its link cut`,
    );
  }
  await load.stop();
  await inStep(master, ...replicas);
  // The links have to carry on, not only to have carried the load.
  await ask(master, "SET", "last", "word");
  await inStep(master, ...replicas);
  for (const replica of replicas) assertEquals(await askText(replica, "GET", "last"), "word");
}

for (const pair of PAIRS) {
  Deno.test({
    name: `${
      pair.join(" -> ")
    }: a stream that is cut at any byte, in transactions too, loses nothing`,
    ignore: pair.includes("redis") && !hasRedisServer,
    async fn() {
      console.log(`seed ${SEED}`);
      await using stack = new AsyncDisposableStack();
      const [master, replica] = await startPeers(stack, pair);
      const proxy = stack.use(LinkProxy.to(master));
      const random = new Random(SEED);
      await replicate(replica, proxy);
      await linkUp(replica);
      await using load = await startLoad(master, { seed: SEED, commandsPerBatch: 10 });
      for (let cut = 1; cut <= fuzzRounds(8); cut++) {
        const { link } = proxy;
        proxy.cutAfter("toReplica", link.count("toReplica") + random.between(1, 20_000));
        await withLog(
          [master, replica],
          () =>
            eventually(() => proxy.links.length > cut && proxy.link.count("toReplica") > 200, {
              what: `the link to be made again after cut ${cut}`,
            }),
        );
      }
      await load.stop();
      await inStep(master, replica);
      const counts = await syncCounts(master);
      assertEquals(counts.full, 1, master.log);
      assert(counts.partialOk >= fuzzRounds(8), `${counts.partialOk} partial resyncs`);
      // What came twice would show in the data; here, that each byte went over the link once.
      const syncs = proxy.links.map(recordedSync).filter(({ stream }) => stream !== null);
      for (const [i, { stream }] of syncs.entries()) {
        const next = syncs[i + 1]?.stream;
        if (next) assert(next.from <= stream!.from + stream!.bytes.length, `a gap after link ${i}`);
      }
    },
  });
}

Deno.test({
  name: "redis -> tsredis: a slow link and a stalled one hold nobody up and lose nothing",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, replica] = await startPeers(stack, ["redis", "tsredis"]);
    const proxy = stack.use(LinkProxy.to(master));
    await writeSome(master, { seed: SEED, count: 500 });
    proxy.bytesPerMs = 400;
    await replicate(replica, proxy);
    await linkUp(replica);
    proxy.bytesPerMs = Infinity;
    proxy.stall("toReplica");
    await writeSome(master, { seed: SEED + 1, count: 500 });
    await ask(replica, "PING");
    proxy.resume("toReplica");
    await inStep(master, replica);
  },
});

Deno.test({
  name:
    "tsredis -> redis 7.0, which does not tell its version: a field that expires ends the link by its name",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, replica] = await startPeers(stack, ["tsredis", "redis"], SYNCS.diskless);
    await replicate(replica, master);
    await linkUp(replica);
    assertEquals(await countedFor(master, 10_000, "HSET", "h", "f", "v"), 1);
    // Its first answer already comes from behind the command that it does not know.
    assertEquals(await countedFor(master, 500, "HEXPIRE", "h", "1000", "FIELDS", "1", "f"), 0);
    await master.untilLogged(
      /cannot be told to a server older than Redis 7\.4: .*fields of the hash "h" expire \(database 0\)/,
    );
    await replica.untilLogged("Master is currently unable to PSYNC but should be in the future: ");
    await ask(master, "HPERSIST", "h", "FIELDS", "1", "f");
    await ask(master, "SET", "last", "1");
    await linkUp(replica);
    await inStep(master, replica);
    assertEquals((await syncCounts(master)).full, 2);
  },
});
