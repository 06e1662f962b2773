/**
 * kill -9 in the midst of a full sync, of the replica or of the master, from disk or diskless, received into a
 * file or straight into memory: nobody ever shows a part of a dataset, and once both are there again they are in
 * step. Where the master comes back empty, the replica keeps what it has.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import type { Random } from "../support/random.ts";
import { startLoad, type WriteLoad } from "../support/replication_load.ts";
import {
  ask,
  askText,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  replicate,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, type Trial } from "./trial.ts";

/** Who is killed, and how the master comes back: with the data of its last save, or with none. */
const VICTIMS = ["replica", "replica", "master", "empty master"] as const;
type Victim = typeof VICTIMS[number];
const LOADS = ["disabled", "on-empty-db", "swapdb"];
/** Small, so that what is written in the midst of a sync needs the next one to be full too. */
const BACKLOG = "32kb";

export const killedInSync: Trial = {
  name: "kill-in-sync",
  title:
    "kill -9 of replica or master in the midst of a full sync (disk, diskless, swapdb): no part of a " +
    "dataset is ever shown, both come into step, and an empty master is not followed",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 3, size: 4_000 },
  long: { amount: 36, size: 50_000 },
  msPerUnit: 7_000,
  run,
};

interface Round {
  field: Field;
  random: Random;
  args: string[];
  dirs: { master: string; replica: string };
  master: ServerProcess;
  replica: ServerProcess;
  proxy: LinkProxy;
}

async function run(field: Field): Promise<Figures> {
  const counts = new Map<string, number>();
  let amid = 0;
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const victim = VICTIMS[(number + field.seed) % VICTIMS.length];
    const diskless = random.pick(["yes", "no"]);
    const load = random.pick(LOADS);
    const what = `${victim}, diskless ${diskless}, load ${load}`;
    await field.round(number, what, async () => {
      const args = ["--repl-diskless-sync", diskless, "--repl-diskless-load", load];
      args.push("--repl-backlog-size", BACKLOG, "--repl-timeout", "15");
      args.push("--repl-ping-replica-period", "1");
      if (await killAmidSync(field, random, victim, args)) amid++;
    });
    counts.set(victim, (counts.get(victim) ?? 0) + 1);
  }
  return {
    rounds: field.extent.amount,
    ...Object.fromEntries([...counts].map(([victim, count]) => [`${victim} killed`, count])),
    "amid the snapshot": amid,
  };
}

/** One round; whether the sync was still under way when the victim was killed. */
async function killAmidSync(
  field: Field,
  random: Random,
  victim: Victim,
  args: string[],
): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const dirs = { master: await field.folder(), replica: await field.folder() };
  const [master, replica] = await Promise.all([
    field.start(args, dirs.master),
    field.start(args, dirs.replica),
  ]);
  const proxy = stack.use(LinkProxy.to(master));
  const round: Round = { field, random, args, dirs, master, replica, proxy };
  await fillAndSync(round);
  const old = await askText(replica, "DEBUG", "DIGEST");

  // The link is cut, and what is written meanwhile does not fit the backlog: the next sync is a full one.
  await proxy.refuse();
  proxy.cut();
  const load = stack.use(
    await startLoad(master, {
      seed: field.seed * 100 + random.below(100),
      hasShortFields: true,
    }),
  );
  for (let i = 0; i < 8; i++) await ask(master, "SET", `late:${i}`, "x".repeat(20_000));
  const size = victim === "empty master" ? 0 : await saveMaster(round, old);
  const isAmid = await untilAmid(round, size);
  await (victim === "replica" ? killReplica(round, load) : killMaster(round, victim, old));
  for (const server of [round.master, round.replica]) {
    assertNoFaults(server);
    await server.stop("SIGKILL");
  }
  return isAmid;
}

async function fillAndSync({ field, master, replica, proxy }: Round): Promise<void> {
  {
    using client = await master.connect();
    for (const words of firstContent(field.extent.size)) await client.call(...words);
  }
  await replicate(replica, proxy);
  await linkUp(replica);
  await inStep(master, replica);
}

/** Has the master save, for its next start; about how many bytes a snapshot has. */
async function saveMaster({ master, dirs }: Round, old: string): Promise<number> {
  await ask(master, "SAVE");
  assert(old !== await askText(master, "DEBUG", "DIGEST"), "nothing was written");
  return (await Deno.stat(`${dirs.master}/dump.rdb`)).size;
}

/** Lets the sync begin, slowly, and waits until a part of it has come. */
async function untilAmid(
  { random, replica, proxy, master }: Round,
  size: number,
): Promise<boolean> {
  const until = 200 + random.below(Math.max(size, 20_000));
  const links = proxy.links.length;
  proxy.bytesPerMs = Math.max(2_000, size / 300);
  proxy.accept();
  await withLog([master, replica], () =>
    eventually(
      async () =>
        proxy.links.length > links &&
        (proxy.link.count("toReplica") >= until ||
          (await infoOf(replica)).master_link_status === "up"),
      { timeoutMs: 30_000, what: `${until} bytes of a full sync` },
    ));
  return (await infoOf(replica)).master_link_status !== "up";
}

async function killReplica(round: Round, load: WriteLoad): Promise<void> {
  const { field, args, dirs, proxy, master } = round;
  await round.replica.stop("SIGKILL");
  proxy.bytesPerMs = Infinity;
  round.replica = await field.start(args, dirs.replica);
  await replicate(round.replica, proxy);
  await load.further(100);
  await load.stop();
  await linkUp(round.replica);
  await inStep(master, round.replica);
  await eventually(() => temporaryFiles(dirs.replica).length === 0, {
    what: `temporary files of the replica to go away: ${temporaryFiles(dirs.replica)}`,
  });
}

async function killMaster(round: Round, victim: Victim, old: string): Promise<void> {
  const { field, args, dirs, replica, proxy } = round;
  await round.master.stop("SIGKILL");
  await proxy.refuse();
  proxy.cut();
  proxy.bytesPerMs = Infinity;
  // A replica alone shows the dataset of before, or that of the sync, and no mixture.
  const whole = await eventually(async () => {
    const { master_sync_in_progress, master_link_status } = await infoOf(replica);
    return master_sync_in_progress === "0" && master_link_status === "down";
  }, { what: "the replica to notice that its master has gone" });
  assert(whole);
  const kept = await askText(replica, "DEBUG", "DIGEST");
  const hadSynced = replica.log.split("Finished with success").length > 2;
  if (!hadSynced) assertEquals(kept, old, "the replica has changed, though no sync was whole");
  round.master = await field.start(args, victim === "master" ? dirs.master : undefined);
  proxy.target = round.master.port;
  proxy.accept();
  if (victim === "empty master") {
    await eventually(async () => (await infoOf(replica)).master_link_state === "guarded", {
      timeoutMs: 30_000,
      what: "the replica to guard its data",
    });
    assertEquals(await askText(replica, "DEBUG", "DIGEST"), kept, "data of a guarded replica");
    await replicate(replica, proxy); // a person accepts the empty dataset
  }
  await linkUp(replica);
  await ask(round.master, "SET", "after", "the kill");
  await inStep(round.master, replica);
}

function temporaryFiles(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name)
    .filter((name) => name.startsWith("temp-"));
}
