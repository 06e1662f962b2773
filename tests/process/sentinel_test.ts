/**
 * Debian's redis-sentinel over groups of tsredis servers, and over groups that real ones are part of: a master
 * that is killed, frozen or told to go is replaced, and whoever was it comes back as a replica.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisSentinel, hasRedisServer } from "../support/real_redis.ts";
import {
  ask,
  askText,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  type Make,
  plain,
  replicate,
  startPeer,
  startPeers,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { Sentinels } from "../support/sentinels.ts";
import type { ServerProcess } from "../support/server_process.ts";

const ignore = !hasRedisSentinel || !hasRedisServer;
const KEYS = 200;

/** A master with keys, and its replicas, in step. */
async function startGroup(stack: AsyncDisposableStack, makes: Make[]): Promise<ServerProcess[]> {
  const servers = await startPeers(stack, makes);
  const [master, ...replicas] = servers;
  for (const replica of replicas) {
    await replicate(replica, master);
    await linkUp(replica);
  }
  using client = await master.connect();
  for (let i = 0; i < KEYS; i++) await client.call("SET", `key:${i}`, `value ${i}`);
  await inStep(master, ...replicas);
  return servers;
}

/** All others follow `master`, and have what it has. */
async function untilFollowed(master: ServerProcess, others: ServerProcess[]): Promise<void> {
  for (const other of others) {
    await withLog(
      [other],
      () =>
        eventually(async () => (await infoOf(other)).master_port === `${master.port}`, {
          timeoutMs: 60_000,
          what: `${other.name} to follow the new master`,
        }),
    );
    await linkUp(other);
  }
  await inStep(master, ...others);
}

const GROUPS: [what: string, makes: Make[]][] = [
  ["three tsredis", ["tsredis", "tsredis", "tsredis"]],
  ["redis-server, tsredis, redis-server", ["redis", "tsredis", "redis"]],
];

for (const [what, makes] of GROUPS) {
  Deno.test({
    name: `sentinels over ${what}: a master that is killed, frozen or told to go is replaced`,
    ignore,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const servers = await startGroup(stack, makes);
      const sentinels = stack.use(await Sentinels.start(servers[0], 2));

      // On command.
      let [master] = servers;
      await sentinels.failOver();
      let next = await sentinels.untilFailedOver(master, servers);
      await untilFollowed(next, servers.filter((server) => server !== next));
      await ask(next, "SET", "after", "a command");

      // Frozen: it comes to again as a replica.
      master = next;
      Deno.kill(master.child.pid, "SIGSTOP");
      next = await sentinels.untilFailedOver(master, servers);
      await ask(next, "SET", "after", "a freeze");
      Deno.kill(master.child.pid, "SIGCONT");
      await untilFollowed(next, servers.filter((server) => server !== next));
      assertEquals(await askText(master, "GET", "after"), "a freeze");

      // Killed, and started again without data.
      master = next;
      await master.stop("SIGKILL");
      next = await sentinels.untilFailedOver(master, servers);
      await ask(next, "SET", "after", "a kill");
      const left = servers.filter((server) => server !== next && server !== master);
      await untilFollowed(next, left);
      assertEquals(await askText(next, "GET", "key:7"), "value 7");
      const make = master.name === "redis-server" ? "redis" : "tsredis";
      const again = stack.use(await startPeer(make, { port: master.port }));
      await untilFollowed(next, [...left, again]);
      assertEquals(await askText(again, "GET", "key:7"), "value 7");
      for (const server of servers) if (server.name === "tsredis") assertNoFaults(server);
    },
  });
}

Deno.test({
  name: "a replica with priority 0 is not promoted, one with a lower priority before others",
  ignore,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const servers = await startGroup(stack, ["tsredis", "tsredis", "tsredis", "tsredis"]);
    const [master, first, never, later] = servers;
    await ask(first, "CONFIG", "SET", "replica-priority", "10");
    await ask(never, "CONFIG", "SET", "replica-priority", "0");
    await ask(later, "CONFIG", "SET", "replica-priority", "20");
    const sentinels = stack.use(await Sentinels.start(master, 3));
    await sentinels.failOver();
    assertEquals(await sentinels.untilFailedOver(master, servers), first);
  },
});

Deno.test({
  name:
    "a master that comes back nearly empty: a guarded replica is promoted, however late, with the data",
  ignore,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, ...replicas] = await startPeers(stack, ["tsredis", "tsredis", "tsredis"]);
    const proxy = stack.use(LinkProxy.to(master));
    for (const replica of replicas) {
      await replicate(replica, proxy);
      await linkUp(replica);
    }
    for (let i = 0; i < KEYS; i++) await ask(master, "SET", `key:${i}`, `value ${i}`);
    const digest = await inStep(master, ...replicas);
    const downAfterMs = 1500;
    const sentinels = stack.use(await Sentinels.start(proxy, 2, { downAfterMs }));

    // Sooner than the sentinels find out.
    const empty = stack.use(await startPeer("tsredis"));
    await ask(empty, "SET", "first", "write");
    proxy.target = empty.port;
    await master.stop("SIGKILL");
    for (const replica of replicas) {
      await eventually(async () => (await infoOf(replica)).master_link_state === "guarded", {
        timeoutMs: 30_000,
      });
    }
    const guardedMs = performance.now();
    // Sentinel takes data for old whose link has been down for ten times as long as makes a master down.
    await eventually(() => performance.now() - guardedMs > 11 * downAfterMs + 1000, {
      timeoutMs: 60_000,
    });
    await eventually(async () => {
      // On a machine that is very slow they may have taken the master for down meanwhile.
      if (await sentinels.masterPort() !== proxy.port) return true;
      try {
        await sentinels.failOver();
        return true;
      } catch (error) {
        // It has not looked again yet.
        assert(/NOGOODSLAVE|INPROG/.test(String(error)), String(error));
        return false;
      }
    }, { timeoutMs: 30_000, what: "a replica that is good enough" });
    const next = await sentinels.untilFailedOver(proxy, replicas);
    await untilFollowed(next, replicas.filter((replica) => replica !== next));
    assertEquals(await askText(next, "DEBUG", "DIGEST"), digest);
    // The empty one follows too, and has all again.
    await eventually(async () => plain(await ask(empty, "DBSIZE")) === `${KEYS}`, {
      timeoutMs: 60_000,
    });
    assertEquals(await askText(empty, "DEBUG", "DIGEST"), digest);
  },
});
