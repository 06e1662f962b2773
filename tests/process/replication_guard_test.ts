/**
 * `replica-guard-empty-master`: a master without persistence that was killed comes back empty, or nearly so.
 * Its replicas do not throw away the last copies of the data, unless a person says so.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import {
  ask,
  askText,
  infoOf,
  inStep,
  linkUp,
  offsetOf,
  plain,
  replicate,
  startPeer,
  startPeers,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { error } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

/** A master without persistence and its two replicas, in step; the proxy is "the same port". */
interface Trio {
  master: ServerProcess;
  replicas: ServerProcess[];
  proxy: LinkProxy;
  digest: string;
  offset: number;
}

async function startTrio(stack: AsyncDisposableStack, args: string[] = []): Promise<Trio> {
  const [master, ...replicas] = await startPeers(stack, ["tsredis", "tsredis", "tsredis"], args);
  const proxy = stack.use(LinkProxy.to(master));
  for (const replica of replicas) {
    await replicate(replica, proxy);
    await linkUp(replica);
  }
  for (let i = 0; i < 100; i++) await ask(master, "SET", `key:${i}`, `value ${i}`);
  await ask(master, "RPUSH", "list", "a", "b");
  const digest = await inStep(master, ...replicas);
  return { master, replicas, proxy, digest, offset: await offsetOf(master) };
}

/** Kills the master and starts another one where it was; `prepare` runs before it can be reached. */
async function killAndRestart(
  stack: AsyncDisposableStack,
  trio: Trio,
  prepare: (master: ServerProcess) => Promise<unknown> = () => Promise.resolve(),
): Promise<ServerProcess> {
  await trio.master.stop("SIGKILL");
  const again = stack.use(await startPeer("tsredis"));
  await prepare(again);
  trio.proxy.target = again.port;
  return again;
}

async function untilGuarded(trio: Trio): Promise<void> {
  for (const replica of trio.replicas) {
    await withLog([replica], () =>
      eventually(
        async () => (await infoOf(replica)).master_link_state === "guarded",
        { what: "the replica to guard its data" },
      ));
  }
}

Deno.test("replicas of a master that comes back empty keep their data, read-only, and say how to give them up", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  await killAndRestart(stack, trio);
  await untilGuarded(trio);
  for (const replica of trio.replicas) {
    assertEquals(await askText(replica, "DEBUG", "DIGEST"), trio.digest);
    using client = await replica.connect();
    assertEquals(
      await client.call("SET", "k", "v"),
      error("READONLY You can't write against a read only replica."),
    );
    assertMatch(plain(await client.call("ROLE")), /"slave", "127\.0\.0\.1", \d+, "guarded"/);
    const info = await infoOf(replica);
    assertEquals(info.master_link_status, "down");
    // By this and by its offset Sentinel tells how old its data are: as new as the master's last.
    assertEquals(info.master_link_down_since_seconds, "0");
    assertEquals(info.slave_repl_offset, `${trio.offset}`);
    const port = trio.proxy.port;
    const lines = () =>
      replica.log.split("\n").filter((line) =>
        new RegExp(`(SLAVEOF|REPLICAOF) 127\\.0\\.0\\.1 ${port}`, "i").test(line) &&
        /empty/i.test(line)
      );
    await eventually(() => lines().length > 0);
    assertEquals(lines().length, 1, replica.log);
  }
});

Deno.test("an explicit SLAVEOF to the empty master is obeyed: the replica that was told so is empty", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  const again = await killAndRestart(stack, trio);
  await untilGuarded(trio);
  const [told, other] = trio.replicas;
  await ask(told, "SLAVEOF", "127.0.0.1", `${trio.proxy.port}`);
  await linkUp(told);
  assertEquals(plain(await ask(told, "DBSIZE")), "0");
  await inStep(again, told);
  assertEquals((await infoOf(other)).master_link_state, "guarded");
  assertEquals(await askText(other, "DEBUG", "DIGEST"), trio.digest);
});

Deno.test("guarded replicas go on by themselves once the master comes back with data", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  const empty = await killAndRestart(stack, trio);
  await untilGuarded(trio);
  await empty.stop("SIGKILL");
  const filled = stack.use(await startPeer("tsredis"));
  await ask(filled, "SET", "restored", "from elsewhere");
  await fill(filled, 20);
  trio.proxy.target = filled.port;
  for (const replica of trio.replicas) await linkUp(replica);
  await inStep(filled, ...trio.replicas);
  for (const replica of trio.replicas) {
    assertEquals(await askText(replica, "GET", "restored"), "from elsewhere");
  }
});

/** Gives a server so many keys. */
async function fill(server: ServerProcess, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await ask(server, "SET", `new:${i}`, "life");
}

Deno.test("guarded replicas go on by themselves once the empty master has a tenth of their keys", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  const again = await killAndRestart(stack, trio);
  await untilGuarded(trio);
  await fill(again, 10);
  const [one] = trio.replicas;
  const { length } = trio.proxy.links;
  // Looked at several times.
  await eventually(() => trio.proxy.links.length >= length + 4, { timeoutMs: 30_000 });
  assertEquals((await infoOf(one)).master_link_state, "guarded");
  assertEquals(await askText(one, "DEBUG", "DIGEST"), trio.digest);
  await ask(again, "SET", "one", "more");
  for (const replica of trio.replicas) await linkUp(replica);
  await inStep(again, ...trio.replicas);
});

Deno.test("a master that has taken a write before its replicas come back is no more followed than an empty one", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  await killAndRestart(stack, trio, (master) => fill(master, 1));
  await untilGuarded(trio);
  const [one] = trio.replicas;
  assertEquals(await askText(one, "DEBUG", "DIGEST"), trio.digest);
  await one.untilLogged(
    "replica-guard-empty-master: the master has come back with no more than 1 of 101 keys",
  );
  // A person may say so.
  await ask(one, "REPLICAOF", "127.0.0.1", `${trio.proxy.port}`);
  await linkUp(one);
  assertEquals(plain(await ask(one, "DBSIZE")), "1");
});

Deno.test("a master that has been up for longer than replica-guard-grace is followed, one with a password too", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack, ["--replica-guard-grace", "2"]);
  for (const replica of trio.replicas) await ask(replica, "CONFIG", "SET", "masterauth", "secret");
  await killAndRestart(stack, trio, async (master) => {
    await fill(master, 1);
    await eventually(async () => Number((await infoOf(master, "server")).uptime_in_seconds) > 3, {
      timeoutMs: 30_000,
    });
    await ask(master, "CONFIG", "SET", "requirepass", "secret");
  });
  for (const replica of trio.replicas) await linkUp(replica);
});

for (
  const [what, args] of [
    ["no grace", ["--replica-guard-grace", "0"]],
    ["no share of the keys", ["--replica-guard-min-percent", "0"]],
  ] as const
) {
  Deno.test(`with ${what} a master that has taken one write is followed, as Redis's`, async () => {
    await using stack = new AsyncDisposableStack();
    const trio = await startTrio(stack, [...args]);
    const again = await killAndRestart(stack, trio, (master) => fill(master, 1));
    for (const replica of trio.replicas) await linkUp(replica);
    await inStep(again, ...trio.replicas);
  });
}

Deno.test("a guarded replica can be promoted: it has its data and takes writes", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack);
  await killAndRestart(stack, trio);
  await untilGuarded(trio);
  const [one, two] = trio.replicas;
  await ask(one, "REPLICAOF", "NO", "ONE");
  assertEquals(await askText(one, "DEBUG", "DIGEST"), trio.digest);
  await ask(one, "SET", "after", "promotion");
  await replicate(two, one);
  await linkUp(two);
  await inStep(one, two);
  assertEquals(await askText(two, "GET", "key:7"), "value 7");
});

Deno.test("without the guard, replicas of a master that comes back empty are empty too, as Redis's", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack, ["--replica-guard-empty-master", "no"]);
  const again = await killAndRestart(stack, trio);
  for (const replica of trio.replicas) {
    await linkUp(replica);
    await eventually(async () => plain(await ask(replica, "DBSIZE")) === "0");
  }
  await inStep(again, ...trio.replicas);
});

Deno.test("the guard is for data of this master: a replica of a new, empty master is emptied", async () => {
  await using stack = new AsyncDisposableStack();
  const [empty, replica] = await startPeers(stack, ["tsredis", "tsredis"]);
  await ask(replica, "SET", "its", "own");
  await replicate(replica, empty);
  await linkUp(replica);
  assertEquals(plain(await ask(replica, "DBSIZE")), "0");
});

Deno.test("a FLUSHALL of the master is obeyed, also one that a full sync carries", async () => {
  await using stack = new AsyncDisposableStack();
  const trio = await startTrio(stack, ["--repl-backlog-size", "16kb"]);
  await trio.proxy.refuse();
  trio.proxy.cut();
  await ask(trio.master, "SET", "big", "x".repeat(40_000)); // a partial resync is out of reach
  await ask(trio.master, "FLUSHALL");
  trio.proxy.accept();
  for (const replica of trio.replicas) {
    await linkUp(replica);
    assertEquals(plain(await ask(replica, "DBSIZE")), "0");
  }
  const { master_replid: id } = await infoOf(trio.master);
  for (const replica of trio.replicas) assertEquals((await infoOf(replica)).master_replid, id);
});
