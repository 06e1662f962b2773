/**
 * Roles that change each second under load: whoever leads is written to, and now and then another one is told to
 * lead, in order (writes paused, until the next one is level) or without any. What all replicas had confirmed is
 * there in the end, and all hold the same.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import type { Random } from "../support/random.ts";
import { hasOldRedis, startOldRedis } from "../support/old_redis.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  askOnceLoaded,
  askText,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  offsetOf,
  replicate,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { connect } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

const SERVERS = 3;
/** A server of this version follows whoever leads, where there is one. */
const OLD_VERSION = "6.2.14";
/** Of the load's databases none: it flushes and swaps those. */
const OWN_DATABASE = "9";

export const roleFlips: Trial = {
  name: "role-flips",
  title:
    "another of three servers leads each second, under load: what both replicas had confirmed " +
    "stays, and all three hold the same in the end (with TSREDIS_OLD_SERVERS also a replica of 6.2)",
  unit: "rounds",
  sizeOf: "milliseconds between flips",
  short: { amount: 4, size: 200 },
  long: { amount: 60, size: 1_000 },
  msPerUnit: 2_000,
  run,
};

async function run(field: Field): Promise<Figures> {
  const servers = await Promise.all(
    Array.from({ length: SERVERS }, () => field.start(["--repl-timeout", "20"])),
  );
  const old = hasOldRedis(OLD_VERSION) ? [field.use(await startOldRedis(OLD_VERSION))] : [];
  let leader = 0;
  await follow(servers, leader, old);
  const confirmed: string[] = [];
  const counts = { inOrder: 0, unconfirmed: 0 };
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const next = (leader + random.between(1, SERVERS - 1)) % SERVERS;
    const isInOrder = random.chance(0.5);
    const what = `${leader} to ${next}, ${isInOrder ? "in order" : "without any"}`;
    leader = await field.round(number, what, () =>
      withLog(servers, async () => {
        for (const [i, server] of servers.entries()) if (i !== leader) await linkUp(server);
        const load = await startLoad(servers[leader], {
          seed: field.seed * 1_000 + number,
          flushesAll: false,
          hasShortFields: old.length === 0,
        });
        await using _ = load;
        const stop = { isDone: false };
        const writing = writeConfirmed(
          servers[leader],
          SERVERS - 1 + old.length,
          `round:${number}`,
          confirmed,
          stop,
        );
        writing.catch(() => {}); // told of where it is awaited
        await pause(field.extent.size);
        if (isInOrder) {
          await standStill(servers[leader], servers[next]);
          counts.inOrder++;
        }
        await follow(servers, next, old);
        stop.isDone = true;
        counts.unconfirmed += await writing;
        await settle(random);
        return next;
      }));
  }
  for (const [i, server] of servers.entries()) if (i !== leader) await linkUp(server);
  const others = servers.filter((_, i) => i !== leader);
  await inStep(servers[leader], ...others);
  for (const server of old) {
    await linkUp(server);
    await eventually(
      async () =>
        await askText(server, "DEBUG", "DIGEST") ===
          await askText(servers[leader], "DEBUG", "DIGEST"),
      { timeoutMs: 60_000, what: `${server.name} to hold the same` },
    );
  }
  await assertHeld(servers[leader], confirmed);
  for (const server of servers) assertNoFaults(server);
  const syncs = await Promise.all(servers.map(syncCounts));
  return {
    flips: field.extent.amount,
    "in order": counts.inOrder,
    "confirmed writes": confirmed.length,
    "not confirmed": counts.unconfirmed,
    "full syncs": syncs.reduce((sum, { full }) => sum + full, 0),
    "partial ones": syncs.reduce((sum, { partialOk }) => sum + partialOk, 0),
  };
}

/** Has one lead and the others follow it, told in the order that a careless person would choose. */
async function follow(
  servers: ServerProcess[],
  leader: number,
  old: ServerProcess[],
): Promise<void> {
  await askOnceLoaded(servers[leader], "REPLICAOF", "NO", "ONE");
  for (const server of old) await replicate(server, servers[leader]);
  for (const [i, server] of servers.entries()) {
    if (i !== leader) await replicate(server, servers[leader]);
  }
}

/** Pauses writes and waits until the next leader has all there was. */
async function standStill(leader: ServerProcess, next: ServerProcess): Promise<void> {
  await ask(leader, "CLIENT", "PAUSE", "20000", "WRITE");
  await eventually(async () => await offsetOf(leader) === await offsetOf(next), {
    timeoutMs: 15_000,
    what: "the next leader to be level",
  });
  await ask(leader, "CLIENT", "UNPAUSE").catch(() => {});
}

/** Writes one key after the other and has all replicas confirm each; gives how many were not confirmed. */
async function writeConfirmed(
  leader: ServerProcess,
  replicas: number,
  name: string,
  confirmed: string[],
  stop: { isDone: boolean },
): Promise<number> {
  let count = 0;
  using client = await connect(leader.port);
  await client.call("SELECT", OWN_DATABASE);
  for (let i = 0; !stop.isDone; i++) {
    const key = `${name}:${i}`;
    const [set, wait] = await client.pipeline([
      ["SET", key, key],
      ["WAIT", String(replicas), "500"],
    ]);
    if (set.kind === "status" && wait.kind === "integer" && Number(wait.value) >= replicas) {
      confirmed.push(key);
    } else count++;
  }
  return count;
}

async function settle(random: Random): Promise<void> {
  await pause(random.between(0, 50));
}

async function assertHeld(server: ServerProcess, keys: string[]): Promise<void> {
  using client = await connect(server.port);
  await client.call("SELECT", OWN_DATABASE);
  const missing: string[] = [];
  for (let at = 0; at < keys.length; at += 500) {
    const some = keys.slice(at, at + 500);
    const replies = await client.pipeline(some.map((key) => ["GET", key]));
    replies.forEach((reply, i) => {
      if (reply.kind !== "bulk" || reply.text !== some[i]) missing.push(some[i]);
    });
  }
  const { role } = await infoOf(server);
  const shown = missing.length === 0 ? "" : `${missing[0]} to ${missing.at(-1)}`;
  assertEquals(missing.length, 0, `confirmed writes that the ${role} does not have: ${shown}`);
}
