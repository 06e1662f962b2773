/** A master and a replica whose machines' clocks are set by hours while they work and while a link is dead. */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { Cluster } from "./cluster.ts";

const HOUR_MS = 3_600_000;

async function field(cluster: Cluster, server: string, name: string): Promise<string | undefined> {
  const reply = await cluster.ask(server, "INFO", "everything");
  assert(reply !== null && "text" in reply);
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(reply.text)?.[1];
}

/** Waits, in virtual time, until a field of INFO is this; answers how long that took. */
async function until(cluster: Cluster, server: string, name: string, value: string) {
  const fromMs = cluster.world.nowMs;
  while (await field(cluster, server, name) !== value) {
    assert(cluster.world.nowMs - fromMs < 60_000, `${name} of ${server} does not become ${value}`);
    await cluster.sleep(50);
  }
  return cluster.world.nowMs - fromMs;
}

async function play(cluster: Cluster, hourMs: number): Promise<void> {
  const directives = ["repl-timeout 5", "repl-ping-replica-period 1", "save 3 1"];
  for (const name of ["alpha", "beta"]) cluster.add(name, directives);
  cluster.follows.set("alpha", null);
  cluster.follows.set("beta", "alpha");
  cluster.start("alpha");
  cluster.start("beta");
  await cluster.sleep(1000);
  await until(cluster, "beta", "master_link_status", "up");
  await cluster.ask("alpha", "SET", "k", "v");
  await cluster.ask("alpha", "CLIENT", "PAUSE", "500", "WRITE");
  const uptime = Number(await field(cluster, "alpha", "uptime_in_seconds"));

  const machines = ["alpha", "beta"].map((name) => cluster.server(name).machine);
  for (const machine of machines) machine.clockSetMs = hourMs;
  const pausedMs = cluster.world.nowMs;
  await cluster.ask("alpha", "SET", "k", "w");
  assert(cluster.world.nowMs - pausedMs < 1000, "the pause has ended");
  await cluster.sleep(20_000);
  assertEquals(await field(cluster, "alpha", "rdb_changes_since_last_save"), "0");
  const now = Number(await field(cluster, "alpha", "uptime_in_seconds"));
  assert(now - uptime >= 20 && now - uptime <= 23, `${now - uptime} seconds have passed`);
  assertEquals(await field(cluster, "alpha", "sync_full"), "1");
  assertEquals(await field(cluster, "alpha", "sync_partial_ok"), "0", "the link has held");

  // Nothing arrives from here on, and no end tells of it: both find out by their clocks.
  const { network } = cluster.world;
  network.partition(machines[0], machines[1]);
  network.partition(machines[1], machines[0]);
  await cluster.sleep(1000);
  for (const machine of machines) machine.clockSetMs = 0;
  for (
    const [server, name, value] of [
      ["beta", "master_link_status", "down"],
      ["alpha", "connected_slaves", "0"],
    ]
  ) {
    const tookMs = await until(cluster, server, name, value);
    assert(tookMs < 7_000, `${server} needed ${tookMs} ms`);
  }
}

for (const [way, hourMs] of [["back", -HOUR_MS], ["on", HOUR_MS]] as const) {
  Deno.test(`clocks set ${way} an hour end no link, and keep none that is dead`, async () => {
    const cluster = new Cluster(new Random(5));
    let isOver = false;
    let failure: unknown = null;
    play(cluster, hourMs).catch((error) => failure = error).finally(() => isOver = true);
    await cluster.world.until(() => isOver, 200_000);
    if (failure !== null) throw failure;
  });
}
