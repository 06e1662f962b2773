/**
 * Replication between tsredis and a real redis-server in every place of a link or a chain: full
 * sync, partial resync after a cut link, the same data and the same bytes, under a load of every
 * write command there is.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { fuzzSeed } from "../support/fuzz.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { startLoad, writeSome } from "../support/replication_load.ts";
import {
  ask,
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
  const [master, ...replicas] = servers;
  const proxies = servers.slice(0, -1).map((server) => stack.use(LinkProxy.to(server)));
  await writeSome(master, { seed: SEED + 1, count: 1_000 });
  for (const replica of replicas) await ask(replica, "SET", "of its own", "to be dropped");

  const load = stack.use(await startLoad(master, { seed: SEED }));
  for (const [i, replica] of replicas.entries()) {
    await replicate(replica, proxies[i]);
    await linkUp(replica);
  }
  await load.further(1_500);
  for (const [i, replica] of replicas.entries()) {
    const before = await syncCounts(servers[i]);
    assertEquals([before.full, before.partialOk], [1, 0], `syncs of server ${i}`);
    await cutAndWait(proxies[i], replica);
    await load.further(1_000);
    const after = await syncCounts(servers[i]);
    assertEquals([after.full, after.partialOk], [1, 1], servers[i].log + replica.log);
  }
  await load.stop();
  await inStep(master, ...replicas);

  for (const proxy of proxies) {
    const syncs = proxy.links.map(recordedSync).filter(({ kind }) => kind !== "none");
    assertEquals(syncs.map(({ kind }) => kind), ["full", "partial"]);
    assertEquals(syncs[0].isDiskless, isDiskless);
  }
  if (proxies.length === 2) {
    const compared = assertSameStream(proxies[0].links, proxies[1].links);
    assert(compared > 1_000, `only ${compared} bytes of the stream went over both hops`);
  }

  // The link has to carry on, not only to have carried the load.
  await ask(master, "SET", "last", "word");
  await withLog(servers, () =>
    eventually(async () => {
      for (const replica of replicas) await ask(replica, "DEBUG", "DIGEST-VALUE", "last");
      return true;
    }));
  await inStep(master, ...replicas);
}
