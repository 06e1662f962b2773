/**
 * A bad network between a replica and a master under load: cut, slow, half open, refused, garbage in either
 * direction, in the stream and within a full sync. After each fault both are in step again.
 */

import { eventually } from "../support/eventually.ts";
import type { Random } from "../support/random.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  askOnceLoaded,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  replicate,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { type Direction, LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

export const proxyFaults: Trial = {
  name: "proxy-faults",
  title:
    "a replication link through a network that cuts, delays, refuses, falls silent and sends garbage, " +
    "under load: replica and master come into step after each fault",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 4, size: 1_000 },
  long: { amount: 60, size: 30_000 },
  msPerUnit: 4_000,
  run,
};

interface Link {
  random: Random;
  master: ServerProcess;
  replica: ServerProcess;
  proxy: LinkProxy;
}

const DIRECTIONS: readonly Direction[] = ["toMaster", "toReplica"];

/** What a master logs where garbage comes for a command of its replica, as in Redis. */
const GARBAGE_TOLD_OF = /CRITICAL == This master is sending an error to its replica/;

const garbage = (random: Random) => random.bytes(random.between(1, 200));

/** What can go wrong. Each comes back when the network is as it should be again. */
const FAULTS: Record<string, (link: Link) => Promise<void>> = {
  // deno-lint-ignore require-await
  async cut({ proxy }) {
    proxy.cut();
  },
  async "cut within a command or an answer"({ proxy, random }) {
    const direction = random.pick(DIRECTIONS);
    proxy.cutAfter(direction, proxy.link.count(direction) + random.between(1, 20_000));
    await pause(random.between(50, 400));
    proxy.cut();
  },
  async "cut within a full sync"({ proxy, random, master, replica }) {
    proxy.bytesPerMs = 3_000;
    await forceFullSync({ proxy, master, replica });
    proxy.cutAfter("toReplica", random.between(1, 400_000));
    await pause(random.between(50, 500));
    proxy.bytesPerMs = Infinity;
  },
  async slow({ proxy, random }) {
    proxy.bytesPerMs = random.between(20, 400);
    await pause(random.between(200, 800));
    proxy.bytesPerMs = Infinity;
  },
  async "silent for a while"({ proxy, random }) {
    const direction = random.pick(DIRECTIONS);
    proxy.stall(direction);
    await pause(random.between(200, 800));
    proxy.resume(direction);
  },
  // Nothing comes through and nothing ends: either side has to give the link up by itself.
  async "half open"({ proxy, random, replica }) {
    const { link } = proxy;
    const direction = random.pick(DIRECTIONS);
    proxy.stall(direction);
    await withLog([replica], () =>
      eventually(() => link.isClosed, {
        timeoutMs: 30_000,
        what: "a half open link to be given up",
      }));
    proxy.resume(direction);
  },
  async refused({ proxy, random }) {
    await proxy.refuse();
    proxy.cut();
    await pause(random.between(100, 800));
    proxy.accept();
  },
  async "garbage to the master"({ proxy, random }) {
    const at = proxy.link.count("toMaster") + random.below(60);
    proxy.damage({ direction: "toMaster", at, insert: garbage(random) });
    await pause(random.between(300, 1_300));
    proxy.cut();
  },
  // What comes garbled and is still a command is carried out, as by any replica: only a full sync mends that.
  async "garbage to the replica"(link) {
    const { proxy, random } = link;
    const at = proxy.link.count("toReplica") + random.below(4_000);
    proxy.damage({ direction: "toReplica", at, insert: garbage(random) });
    await pause(random.between(100, 500));
    proxy.heal(); // what has not come so far is not to hit what comes later
    await forceFullSync(link);
  },
  async "a flipped bit within a full sync"({ proxy, random, master, replica }) {
    const damaged = proxy.links.length;
    await forceFullSync({ proxy, master, replica }, () =>
      proxy.damage({
        direction: "toReplica",
        at: random.between(200, 100_000),
        flip: 1 << random.below(8),
      }));
    await eventually(() => proxy.links.length > damaged, { what: "a new link" });
    // Whether the snapshot or what follows was hit: the next sync is a full one for certain.
    await pause(random.between(100, 500));
    proxy.heal();
    await forceFullSync({ proxy, master, replica });
  },
};

async function run(field: Field): Promise<Figures> {
  const args = ["--repl-timeout", "2", "--repl-ping-replica-period", "1"];
  const [master, replica] = await Promise.all([
    field.start([...args, "--repl-backlog-size", "256kb"]),
    field.start(args),
  ]);
  {
    using client = await master.connect();
    for (const words of firstContent(field.extent.size)) await client.call(...words);
  }
  const proxy = field.use(LinkProxy.to(master));
  await replicate(replica, proxy);
  await linkUp(replica);
  const kinds = field.random(-1).shuffle(Object.keys(FAULTS));
  for (let number = 0; number < field.extent.amount; number++) {
    const kind = kinds[number % kinds.length];
    await field.round(number, kind, async () => {
      const random = field.random(number);
      const load = await startLoad(master, {
        seed: field.seed * 1_000 + number,
        commandsPerBatch: random.pick([10, 100]),
        hasShortFields: true,
      });
      await using _ = load;
      await load.further(100);
      await FAULTS[kind]({ random, master, replica, proxy });
      proxy.heal();
      await load.further(100);
      await load.stop();
      await linkUp(replica);
      await inStep(master, replica);
      assertNoFaults(master, GARBAGE_TOLD_OF);
    });
  }
  const { full, partialOk, partialErr } = await syncCounts(master);
  return {
    faults: field.extent.amount,
    kinds: Math.min(kinds.length, field.extent.amount),
    links: proxy.links.length,
    "full syncs": full,
    "partial ones": partialOk,
    "refused partial ones": partialErr,
  };
}

/** Has the replica forget whom it follows, and begin anew; `between` runs before it connects. */
async function forceFullSync(
  { proxy, master, replica }: Pick<Link, "proxy" | "master" | "replica">,
  between: () => void = () => {},
): Promise<void> {
  await askOnceLoaded(replica, "REPLICAOF", "NO", "ONE");
  await ask(replica, "DEBUG", "CHANGE-REPL-ID");
  const { full } = await syncCounts(master);
  between();
  await replicate(replica, proxy);
  await eventually(
    async () =>
      (await syncCounts(master)).full > full || (await infoOf(replica)).master_link_status === "up",
    { timeoutMs: 30_000, what: "a full sync to begin" },
  );
}
