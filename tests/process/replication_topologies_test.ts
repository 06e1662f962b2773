/**
 * Servers of both makes that are told, at random, to follow and to lead each other, while links are
 * cut and whoever leads is written to. Whatever came before: once one leads and all follow it,
 * directly or through others, all hold what it holds.
 *
 * One round takes about a second; `deno task fuzz tests/process/replication_topologies_test.ts` runs
 * many with new seeds.
 */

import { Random } from "../support/random.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { writeSome } from "../support/replication_load.ts";
import {
  ask,
  assertNoFaults,
  inStep,
  linkUp,
  type Make,
  replicate,
  startPeers,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";

const SERVERS = 4;
const STEPS = 25;
const SEED = fuzzSeed(20_260_101);

Deno.test({
  name: "servers that follow and lead each other at random end in step",
  ignore: !hasRedisServer,
  async fn(t) {
    for (let round = 0; round < fuzzRounds(4); round++) {
      const seed = SEED + round;
      await t.step(`seed ${seed}`, () => runRound(seed));
    }
  },
});

async function runRound(seed: number): Promise<void> {
  const random = new Random(seed);
  await using stack = new AsyncDisposableStack();
  const makes = Array.from(
    { length: SERVERS },
    (): Make => random.chance(0.65) ? "tsredis" : "redis",
  );
  const servers = await startPeers(stack, makes, [
    "--repl-diskless-sync",
    random.pick(["yes", "no"]),
    "--repl-backlog-size",
    random.pick(["64kb", "64mb"]), // the small one makes full syncs of many partial ones
  ]);
  const proxies = servers.map((server) => stack.use(LinkProxy.to(server)));
  /** Whom each server follows, by its place; null for nobody. */
  const masters: (number | null)[] = servers.map(() => null);
  const steps = [makes.join(", ")];

  const follow = async (one: number, other: number) => {
    masters[one] = other;
    steps.push(`${one} follows ${other}`);
    await replicate(servers[one], proxies[other]);
  };
  const lead = async (one: number) => {
    masters[one] = null;
    steps.push(`${one} leads`);
    await ask(servers[one], "REPLICAOF", "NO", "ONE");
  };
  const isAbove = (one: number, other: number) => {
    for (let at: number | null = other; at !== null; at = masters[at]) if (at === one) return true;
    return false;
  };

  try {
    for (let step = 0; step < STEPS; step++) {
      const one = random.between(0, SERVERS - 1);
      const roll = random.between(0, 99);
      if (roll < 40) {
        const other = random.between(0, SERVERS - 1);
        if (!isAbove(one, other)) await follow(one, other);
      } else if (roll < 50) await lead(one);
      else if (roll < 65) {
        steps.push(`links to ${one} cut`);
        proxies[one].cut();
      } else if (roll < 72) {
        const sent = proxies[one].links.at(-1)?.count("toReplica") ?? 0;
        steps.push(`links to ${one} to be cut`);
        proxies[one].cutAfter("toReplica", sent + random.between(1, 30_000));
      } else if (roll < 90 && masters[one] === null) {
        steps.push(`${one} written to`);
        await writeSome(servers[one], { seed: seed * 100 + step, count: 150 });
      } else await new Promise((resolve) => setTimeout(resolve, random.between(1, 150)));
    }
    const top = random.between(0, SERVERS - 1);
    await lead(top);
    let last = top;
    const others = servers.keys().filter((one) => one !== top).toArray();
    for (const one of others) {
      await follow(one, random.chance(0.5) ? top : last);
      last = one;
    }
    await writeSome(servers[top], { seed: seed * 100 + STEPS, count: 100 });
    for (const one of others) await linkUp(servers[one]);
    await inStep(servers[top], ...others.map((one) => servers[one]));
    for (const server of servers) assertNoFaults(server);
  } catch (cause) {
    throw new Error(`seed ${seed}: ${steps.join("; ")}\n${(cause as Error).message}`, { cause });
  }
}
