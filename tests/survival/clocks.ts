/**
 * Clocks that are set an hour, or a day, on or back while servers run: that of the master, of the replica, or both.
 * What is a duration stays what it is (timeouts of links and of blocked clients, the lag of replicas, the sync of the
 * append-only file, the backlog's life), only instants follow the clock (expiries). With Redis a BLPOP of three
 * seconds ends at once when the clock is set on, and an hour late when it is set back.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  plain,
  replicate,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { hasFaketime, SettableClock } from "../support/set_clock.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

const HOUR_SECONDS = 3600;
/** How long clients are blocked across a jump. */
const BLOCKED_SECONDS = 1;
/** What a timer may be early by, as it counts whole turns. */
const EARLY_MS = 50;

export const clocks: Trial = {
  name: "clocks",
  title:
    "clocks that are set on or back by an hour or a day, of master and replica, under load: no link is " +
    "lost, no client is let go early, writes are taken and synced, keys expire by the new time",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 1, size: 300 },
  long: { amount: 40, size: 5_000 },
  msPerUnit: 3_000,
  needs: { isHere: hasFaketime, suffix: "faketime" },
  run,
};

const ARGS = [
  ...["--repl-timeout", "30", "--repl-ping-replica-period", "1", "--repl-backlog-ttl", "60"],
  ...["--appendonly", "yes", "--appendfsync", "everysec"],
];
const MASTER_ARGS = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "20"];

async function run(field: Field): Promise<Figures> {
  const times = [field.use(new SettableClock()), field.use(new SettableClock())];
  const start = (i: number, args: string[]) =>
    field.start([...ARGS, ...args], undefined, { env: times[i].env });
  const servers = await Promise.all([start(0, []), start(1, [])]);
  const [master, replica] = servers;
  {
    using client = await master.connect();
    for (const words of firstContent(field.extent.size)) await client.call(...words);
  }
  await replicate(replica, master);
  await linkUp(replica);
  await ask(master, "CONFIG", "SET", ...MASTER_ARGS.map((word) => word.replace(/^--/, "")));
  const longest = { waitMs: 0 };
  let resumed = 0;
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const who = random.pick([[0], [1], [0, 1]]);
    const seconds = random.pick([1, -1]) * random.pick([HOUR_SECONDS, 24 * HOUR_SECONDS]);
    const what = `${who.map((i) => ["master", "replica"][i]).join(" and ")} by ${seconds} s`;
    await field.round(number, what, () =>
      withLog(servers, async () => {
        const load = await startLoad(master, { seed: field.seed * 1_000 + number });
        await using _ = load;
        await load.further(50);
        const blocked = Promise.all(servers.map((server) => blockedMs(server)));
        await pause(300);
        for (const i of who) times[i].set(seconds);
        for (const i of who) await assertExpiry(servers[i], i === 0, seconds);
        const waits = await blocked;
        for (const [i, ms] of waits.entries()) {
          assert(ms >= BLOCKED_SECONDS * 1000 - EARLY_MS, `${what}: let go after ${ms} ms (${i})`);
          longest.waitMs = Math.max(longest.waitMs, ms);
        }
        if (random.chance(0.3)) {
          resumed++;
          await ask(master, "CLIENT", "KILL", "TYPE", "replica");
          await eventually(async () => (await syncCounts(master)).partialOk === resumed, {
            timeoutMs: 30_000,
            what: "a partial resync",
          });
        }
        await assertTaken(master, random.between(1, 10));
        await load.further(50);
        await load.stop();
        // Two datasets are compared by what is not expired: on both sides of the same instant.
        for (const time of times) time.set(0);
        assertEquals((await infoOf(replica)).master_link_status, "up");
        await inStep(master, replica);
        for (const server of servers) assertNoFaults(server);
        const { full, partialOk } = await syncCounts(master);
        assertEquals([full, partialOk], [1, resumed], "syncs: no link was to be lost but by us");
      }));
  }
  return {
    jumps: field.extent.amount,
    "links cut, and gone on with partially": resumed,
    "longest wait of BLPOP and XREAD 1 s, ms": Math.round(longest.waitMs),
  };
}

/** How long a client waits that has asked to be blocked for a second; a replica serves only readers. */
async function blockedMs(server: ServerProcess): Promise<number> {
  using client = await server.connect();
  const startedMs = performance.now();
  const { role } = await infoOf(server);
  const words = role === "master"
    ? ["BLPOP", "of nobody", `${BLOCKED_SECONDS}`]
    : ["XREAD", "BLOCK", `${BLOCKED_SECONDS * 1000}`, "STREAMS", "of nobody", "$"];
  assertEquals((await client.call(...words)).kind, "null");
  return performance.now() - startedMs;
}

/** A key that is to live for a minute has ended where the clock was set on, and lives longer where it was set back. */
async function assertExpiry(
  server: ServerProcess,
  isMaster: boolean,
  seconds: number,
): Promise<void> {
  if (!isMaster) return;
  using client = await server.connect();
  const [, left] = await client.pipeline([
    ["SET", "short", "v", "PXAT", `${Date.now() + 60_000}`],
    ["TTL", "short"],
  ]);
  if (seconds > 0) assertEquals(plain(left), "-2");
  else assert(Number(plain(left)) > 60 - seconds - 30, `TTL ${plain(left)}`);
}

/** Writes are taken, as a replica is near; they are synced here and there. */
async function assertTaken(master: ServerProcess, count: number): Promise<void> {
  using client = await master.connect();
  for (let i = 0; i < count; i++) {
    assertEquals((await client.call("SET", "taken", `${i}`)).kind, "status");
    await pause(50);
  }
  assertEquals(plain(await client.call("WAITAOF", "1", "1", "20000")), "[1, 1]");
}
