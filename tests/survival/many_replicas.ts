/**
 * Many replicas of one master, and replicas in a chain, under load, while links are cut and servers in the midst
 * are killed: all come into step.
 */

import type { Random } from "../support/random.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  assertNoFaults,
  inStep,
  linkUp,
  replicate,
  syncCounts,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, residentMb, type Trial } from "./trial.ts";

const KEYS = 5_000;

export const manyReplicas: Trial = {
  name: "replicas",
  title:
    "many replicas of one master under load; in each round links of some are cut and one is killed and " +
    "started anew: all come into step",
  unit: "rounds",
  sizeOf: "replicas",
  short: { amount: 1, size: 3 },
  long: { amount: 10, size: 20 },
  msPerUnit: 6_000,
  run: (field) => runFamily(field, (_, proxies) => proxies[0]),
};

export const chain: Trial = {
  name: "chain",
  title:
    "a chain of servers, each the replica of the one before, under load; in each round links are cut " +
    "and one is killed and started anew: all come into step",
  unit: "rounds",
  sizeOf: "servers behind the first",
  short: { amount: 1, size: 4 },
  long: { amount: 10, size: 4 },
  msPerUnit: 5_000,
  run: (field) => runFamily(field, (i, proxies) => proxies[i - 1]),
};

/** A master, and who follows whom behind it: `above` names the proxy of whom the server `i` follows. */
async function runFamily(
  field: Field,
  above: (i: number, proxies: LinkProxy[]) => LinkProxy,
): Promise<Figures> {
  const servers: ServerProcess[] = [];
  const proxies: LinkProxy[] = [];
  for (let i = 0; i <= field.extent.size; i++) {
    servers.push(await field.start());
    proxies.push(field.use(LinkProxy.to(servers[i])));
  }
  {
    using client = await servers[0].connect();
    for (const words of firstContent(KEYS)) await client.call(...words);
  }
  const join = async (i: number) => await replicate(servers[i], above(i, proxies));
  for (let i = 1; i < servers.length; i++) await join(i);
  for (const replica of servers.slice(1)) await linkUp(replica);
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    await field.round(number, `${servers.length} servers`, async () => {
      const load = await startLoad(servers[0], {
        seed: field.seed * 1_000 + number,
        hasShortFields: true,
      });
      await using _ = load;
      await load.further(200);
      cutSome(proxies, random);
      const victim = random.between(1, servers.length - 1);
      await servers[victim].stop("SIGKILL");
      await load.further(200);
      servers[victim] = await field.start();
      proxies[victim].target = servers[victim].port;
      await join(victim);
      // A key of its own, so that a server that has come back empty is not followed as an empty master.
      await ask(servers[0], "SET", `round:${number}`, "over");
      await load.stop();
      for (const replica of servers.slice(1)) await linkUp(replica);
      await inStep(servers[0], ...servers.slice(1));
      for (const server of servers) assertNoFaults(server);
    });
  }
  const syncs = await Promise.all(servers.map(syncCounts));
  return {
    servers: servers.length,
    rounds: field.extent.amount,
    "full syncs": syncs.reduce((sum, { full }) => sum + full, 0),
    "partial ones": syncs.reduce((sum, { partialOk }) => sum + partialOk, 0),
    "MB of the first": Math.round(residentMb(servers[0])),
  };
}

function cutSome(proxies: LinkProxy[], random: Random): void {
  for (const proxy of proxies) if (random.chance(0.4)) proxy.cut();
}
