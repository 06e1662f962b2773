/**
 * A link that is cut over and over, in a simulated cluster, whose time is its own: as long as it is only cut, the replica
 * is back at once, by a partial resync; what is cut as soon as it is up is sought with pauses.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { Cluster } from "./cluster.ts";
import { PORT } from "./simulated_server.ts";

/** More than a handshake takes here, and less than the shortest pause. */
const AT_ONCE_MS = 60;
const [MASTER, REPLICA] = ["alpha", "beta"];

/** Runs `story` with a master and a replica whose link is up. */
async function withLink(story: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster(new Random(1));
  for (const name of [MASTER, REPLICA]) {
    cluster.add(name, ["repl-diskless-sync-delay 0", 'save ""']);
    cluster.follows.set(name, null);
    cluster.start(name);
  }
  let isOver = false;
  let failure: unknown = null;
  const { ip } = cluster.server(MASTER).machine;
  const whole = async () => {
    while (await cluster.ask(REPLICA, "REPLICAOF", ip, `${PORT}`) === null) await cluster.sleep(20);
    while (!isUp(cluster)) await cluster.sleep(20);
    await cluster.sleep(2_000);
    await story(cluster);
  };
  whole().catch((error) => failure = error).then(() => isOver = true);
  await cluster.world.until(() => isOver, 600_000);
  if (failure !== null) throw failure;
}

function isUp(cluster: Cluster): boolean {
  return cluster.server(REPLICA).ready?.replication.replica.isLinkUp === true;
}

function syncs(cluster: Cluster): { partial: number; full: number } {
  const { partialSyncs, fullSyncs } = cluster.server(MASTER).server!.core.statistics;
  return { partial: partialSyncs, full: fullSyncs };
}

/** Cuts the link; how long it takes until there is another one that is up. */
async function cut(cluster: Cluster): Promise<number> {
  const { partial } = syncs(cluster);
  const fromMs = cluster.world.nowMs;
  await cluster.ask(MASTER, "CLIENT", "KILL", "TYPE", "replica");
  while (syncs(cluster).partial === partial || !isUp(cluster)) await cluster.sleep(1);
  return cluster.world.nowMs - fromMs;
}

Deno.test("a link that is cut is back at once, however soon after the last time", async () => {
  await withLink(async (cluster) => {
    const { full } = syncs(cluster);
    for (const standsMs of [0, 2_000, 150, 500, 150, 150, 900]) {
      await cluster.sleep(standsMs);
      const ms = await cut(cluster);
      assert(ms < AT_ONCE_MS, `${ms} ms after it stood for ${standsMs}`);
    }
    assertEquals(syncs(cluster).full, full);
  });
});

Deno.test("a link that is cut as soon as it is up is sought at once the first time, then with pauses", async () => {
  await withLink(async (cluster) => {
    assert(await cut(cluster) < AT_ONCE_MS);
    assert(await cut(cluster) < AT_ONCE_MS);
    const fromMs = cluster.world.nowMs;
    for (let i = 0; i < 6; i++) await cut(cluster);
    const ms = cluster.world.nowMs - fromMs;
    assert(ms > 1_500, `six cuts in ${ms} ms`);
  });
});
