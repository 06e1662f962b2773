/**
 * Many replicas of one master, and replicas in a chain, under load, while links are cut, servers in the midst
 * are killed and the first is restarted: all come into step. Where there are servers of Redis 2.8 to 6.2, one of each is among
 * the many.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasOldRedis, lacks, OLD_VERSIONS, startOldRedis } from "../support/old_redis.ts";
import type { Random } from "../support/random.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  askText,
  assertNoFaults,
  inStep,
  linkUp,
  replicate,
  shutDown,
  syncCounts,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, residentMb, type Trial } from "./trial.ts";

const KEYS = 5_000;
/** Fewer are a short form, without servers of other makes. */
const MANY = 10;

export const manyReplicas: Trial = {
  name: "replicas",
  title:
    "many replicas of one master under load; in each round links of some are cut and one is killed and " +
    "started anew: all come into step (with TSREDIS_OLD_SERVERS also one of each older version)",
  unit: "rounds",
  sizeOf: "replicas",
  short: { amount: 1, size: 3 },
  long: { amount: 10, size: 20 },
  msPerUnit: 6_000,
  run: (field) =>
    runFamily(field, (_, proxies) => proxies[0], field.extent.size < MANY ? [] : OLD_VERSIONS),
};

export const chain: Trial = {
  name: "chain",
  title:
    "a chain of servers, each the replica of the one before, under load; in each round links are cut, " +
    "the one in the middle is killed and started anew, or the first is restarted: all come into step",
  unit: "rounds",
  sizeOf: "servers behind the first",
  short: { amount: 2, size: 4 },
  long: { amount: 20, size: 4 },
  msPerUnit: 5_000,
  run: (field) => runFamily(field, (i, proxies) => proxies[i - 1], []),
};

/** A master, and who follows whom behind it: `above` names the proxy of whom the server `i` follows. */
async function runFamily(
  field: Field,
  above: (i: number, proxies: LinkProxy[]) => LinkProxy,
  oldVersions: readonly string[],
): Promise<Figures> {
  const servers: ServerProcess[] = [];
  const proxies: LinkProxy[] = [];
  const firstDir = await field.folder();
  for (let i = 0; i <= field.extent.size; i++) {
    servers.push(await field.start([], i === 0 ? firstDir : undefined));
    proxies.push(field.use(LinkProxy.to(servers[i])));
  }
  {
    using client = await servers[0].connect();
    for (const words of firstContent(KEYS)) await client.call(...words);
  }
  const join = async (i: number) => await replicate(servers[i], above(i, proxies));
  for (let i = 1; i < servers.length; i++) await join(i);
  for (const replica of servers.slice(1)) await linkUp(replica);
  const old: ServerProcess[] = [];
  for (const version of oldVersions.filter(hasOldRedis)) {
    const server = field.use(await startOldRedis(version));
    await ask(server, "SLAVEOF", "127.0.0.1", `${proxies[0].port}`);
    await linkUp(server);
    old.push(server);
  }
  const leavesOut = old.length === 0 ? undefined : lacks(OLD_VERSIONS[0]);
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    await field.round(number, `${servers.length} servers`, async () => {
      const load = await startLoad(servers[0], {
        seed: field.seed * 1_000 + number,
        hasShortFields: old.length === 0,
        ...(leavesOut === undefined ? {} : { leavesOut }),
      });
      await using _ = load;
      await load.further(200);
      cutSome(proxies, random);
      if (number % 2 === 1) {
        await load.stop();
        await restartFirst(field, servers, proxies, firstDir);
      } else {
        const victim = Math.ceil(servers.length / 2) - 1 || 1;
        await servers[victim].stop("SIGKILL");
        await load.further(200);
        servers[victim] = await field.start();
        proxies[victim].target = servers[victim].port;
        await join(victim);
      }
      // A key of its own, so that a server that has come back empty is not followed as an empty master.
      await ask(servers[0], "SET", `round:${number}`, "over");
      await load.stop();
      for (const replica of [...servers.slice(1), ...old]) await linkUp(replica);
      await inStep(servers[0], ...servers.slice(1));
      for (const replica of old) await holdsTheSame(servers[0], replica);
      for (const server of servers) assertNoFaults(server);
    });
  }
  const syncs = await Promise.all(servers.map(syncCounts));
  return {
    servers: servers.length + old.length,
    rounds: field.extent.amount,
    "full syncs": syncs.reduce((sum, { full }) => sum + full, 0),
    "partial ones": syncs.reduce((sum, { partialOk }) => sum + partialOk, 0),
    "MB of the first": Math.round(residentMb(servers[0])),
  };
}

/** The first is shut down and comes back with its dataset and its history, so that those behind it go on partially. */
async function restartFirst(
  field: Field,
  servers: ServerProcess[],
  proxies: LinkProxy[],
  dir: string,
): Promise<void> {
  const replicas = servers.slice(1);
  await inStep(servers[0], ...replicas);
  const before = replicas.map(fullSyncs);
  await shutDown(servers[0]);
  servers[0] = await field.start([], dir);
  proxies[0].target = servers[0].port;
  // Until all have asked it: a link may still be that to the one before.
  await inStep(servers[0], ...replicas);
  assertEquals(replicas.map(fullSyncs), before, "full syncs, by replica");
}

/** How often a replica has been given a whole dataset. */
function fullSyncs({ log }: ServerProcess): number {
  return log.split("Full resync from master").length;
}

/** For replicas that are sent a stream of their own, with other offsets. */
async function holdsTheSame(master: ServerProcess, replica: ServerProcess): Promise<void> {
  await eventually(async () => {
    const digests = [master, replica].map((server) => askText(server, "DEBUG", "DIGEST"));
    const [ours, theirs] = await Promise.all(digests);
    return ours === theirs;
  }, { timeoutMs: 60_000, what: `${replica.name} to hold the same` });
}

function cutSome(proxies: LinkProxy[], random: Random): void {
  for (const proxy of proxies) if (random.chance(0.4)) proxy.cut();
}
