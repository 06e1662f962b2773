/**
 * A network that fails without a word: packets vanish between a master, its replica and a replica of that one, so that
 * no connection ends by itself; packets are lost and late. Both ends notice by `repl-timeout`, and whoever was
 * cut off goes on where it was, without a full sync.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { canHaveNetwork, type Machine, OwnNetwork } from "../support/own_network.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

const REPL_TIMEOUT_SECONDS = 2;

export const partitions: Trial = {
  name: "partitions",
  title:
    "machines whose packets vanish or are late, under load: both ends notice within repl-timeout, " +
    "and go on partially",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 1, size: 1_000 },
  long: { amount: 40, size: 20_000 },
  msPerUnit: 3_500,
  needs: { isHere: canHaveNetwork, suffix: "own network" },
  run,
};

interface Node {
  machine: Machine;
  server: ServerProcess;
}

interface Scene {
  network: OwnNetwork;
  /** The master, its replica, and a replica of that. */
  nodes: Node[];
  figures: { noticedByReplicaMs: number; noticedByMasterMs: number; lostPackets: number };
}

/** What the network does; each is over when the promise is. */
const FAULTS: Record<string, (scene: Scene, who: Node) => Promise<void>> = {
  async "cut off for good, as it seems"({ network, nodes, figures }, who) {
    network.shut(who.machine);
    const [master, replica] = nodes;
    const below = who === nodes[2] ? nodes[2] : replica;
    const above = who === nodes[2] ? replica : master;
    const startedMs = performance.now();
    const sinceMs = () => Math.round(performance.now() - startedMs);
    const noticed = (what: string, isTrue: () => Promise<boolean>) =>
      eventually(isTrue, { timeoutMs: 30_000, what }).then(sinceMs);
    const [byReplica, byMaster] = await Promise.all([
      noticed("the replica to give up its link", async () => {
        return (await infoOf(below.server)).master_link_status === "down";
      }),
      noticed("the master to give up its replica", async () => {
        return (await infoOf(above.server)).connected_slaves === "0";
      }),
    ]);
    figures.noticedByReplicaMs = Math.max(figures.noticedByReplicaMs, byReplica);
    figures.noticedByMasterMs = Math.max(figures.noticedByMasterMs, byMaster);
    await below.server.untilLogged("MASTER timeout: no data nor PING received...");
    await above.server.untilLogged("Disconnecting timedout replica (streaming sync)");
    network.open(who.machine);
  },
  async "cut off for a moment"({ network }, { machine }) {
    network.shut(machine);
    await pause(700);
    network.open(machine);
  },
  async "lost and late packets"({ network, figures }, { machine }) {
    network.degrade(machine);
    await pause(3_000);
    figures.lostPackets += network.lostPackets(machine);
    network.restore(machine);
  },
};

async function run(field: Field): Promise<Figures> {
  const network = field.use(new OwnNetwork());
  const nodes: Node[] = [];
  for (let i = 0; i < 3; i++) {
    const machine = network.machine();
    const { hostname, inside } = machine;
    const args = ["--repl-timeout", `${REPL_TIMEOUT_SECONDS}`, "--repl-ping-replica-period", "1"];
    const how = { hostname, inside };
    const server = await field.start([...args, "--protected-mode", "no"], undefined, how);
    nodes.push({ machine, server });
  }
  const servers = nodes.map(({ server }) => server);
  const [master] = servers;
  {
    using client = await master.connect();
    for (const words of firstContent(field.extent.size)) await client.call(...words);
  }
  for (const i of [1, 2]) {
    const { machine: { address }, server: { port } } = nodes[i - 1];
    await ask(servers[i], "REPLICAOF", address, `${port}`);
    await linkUp(servers[i]);
  }
  const figures = { noticedByReplicaMs: 0, noticedByMasterMs: 0, lostPackets: 0 };
  const kinds = Object.keys(FAULTS);
  for (let number = 0; number < field.extent.amount; number++) {
    const kind = kinds[number % kinds.length];
    const random = field.random(number);
    const who = random.pick(nodes.slice(1));
    await field.round(
      number,
      `${kind}, of ${nodes.indexOf(who)}`,
      () =>
        withLog(servers, async () => {
          const load = await startLoad(master, {
            seed: field.seed * 1_000 + number,
            hasShortFields: true,
          });
          await using _ = load;
          await load.further(100);
          await FAULTS[kind]({ network, nodes, figures }, who);
          await load.further(100);
          await load.stop();
          for (const replica of servers.slice(1)) await linkUp(replica);
          await inStep(master, ...servers.slice(1));
          for (const server of servers) assertNoFaults(server);
        }),
    );
  }
  const counts = await Promise.all(servers.map(syncCounts));
  assertEquals(counts.map(({ full }) => full), [1, 1, 0], "full syncs");
  return {
    faults: field.extent.amount,
    "noticed by the replica within ms": figures.noticedByReplicaMs,
    "by the master": figures.noticedByMasterMs,
    "partial syncs": counts.reduce((sum, { partialOk }) => sum + partialOk, 0),
    "packets lost": figures.lostPackets,
  };
}
