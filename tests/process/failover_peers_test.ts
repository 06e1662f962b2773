/**
 * FAILOVER between processes, tsredis and real redis-server at either end, with clients that write all the
 * while: what was answered is there afterwards, and nobody needs a full sync.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import {
  ask,
  assertNoFaults,
  infoOf,
  inStep,
  linkUp,
  type Make,
  plain,
  replicate,
  startPeers,
  syncCounts,
  withLog,
} from "../support/replication_peers.ts";
import { error } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

/** Writers that set new keys wherever the master is, until they are told to end. */
class Writers {
  readonly written: string[] = [];
  #isOver = false;
  readonly #all: Promise<void>[] = [];

  constructor(readonly servers: readonly ServerProcess[], count: number) {
    for (let i = 0; i < count; i++) this.#all.push(this.#write(i));
  }

  async #write(writer: number): Promise<void> {
    for (let n = 0; !this.#isOver;) {
      for (const server of this.servers) {
        using client = await server.connect();
        while (!this.#isOver) {
          const key = `key:${writer}:${n++}`;
          if ((await client.call("SET", key, "v")).kind === "error") break;
          this.written.push(key);
        }
      }
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all);
  }
}

async function until(server: ServerProcess, field: string, value: string): Promise<void> {
  await eventually(async () => (await infoOf(server))[field] === value, {
    timeoutMs: 30_000,
    what: `${field} of ${server.name} to be ${value}`,
  });
}

const PAIRS: [Make, Make][] = [["tsredis", "tsredis"], ["tsredis", "redis"], ["redis", "tsredis"]];

for (const [first, second] of PAIRS) {
  Deno.test({
    name: `FAILOVER from ${first} to ${second} and back keeps what was written`,
    ignore: !hasRedisServer,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const servers = await startPeers(stack, [first, second, first]);
      const [one, two, three] = servers;
      await withLog(servers, async () => {
        for (const replica of [two, three]) {
          await replicate(replica, one);
          await linkUp(replica);
        }
        const fullBefore = (await Promise.all(servers.map(syncCounts))).map(({ full }) => full);
        const writers = new Writers(servers, 3);
        await eventually(() => writers.written.length > 200);
        for (const [from, to] of [[one, two], [two, one]]) {
          assertEquals(
            plain(await ask(from, "FAILOVER", "TO", "127.0.0.1", `${to.port}`)),
            '"OK"',
          );
          await until(from, "role", "slave");
          await until(from, "master_failover_state", "no-failover");
          await until(to, "role", "master");
          await replicate(three, to);
          for (const replica of [from, three]) await linkUp(replica);
          const { length } = writers.written;
          await eventually(() => writers.written.length > length + 200);
        }
        await writers.end();
        await inStep(one, two, three);
        using client = await one.connect();
        const { written } = writers;
        for (let at = 0; at < written.length; at += 1000) {
          const keys = written.slice(at, at + 1000);
          assertEquals(plain(await client.call("EXISTS", ...keys)), `${keys.length}`);
        }
        const fullAfter = (await Promise.all(servers.map(syncCounts))).map(({ full }) => full);
        assertEquals(fullAfter, fullBefore, "full syncs");
        for (const server of servers) {
          if (server.name !== "redis-server") assertNoFaults(server);
        }
      });
    },
  });
}

/** What both servers say when a FAILOVER goes wrong, in order. */
async function refusals(makes: [Make, Make]): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const [master, target] = await startPeers(stack, makes);
  const said: string[] = [];
  using client = await master.connect();
  const say = async (...words: string[]) => {
    said.push(plain(await client.call(...words)).replaceAll(`${target.port}`, "<port>"));
  };
  const states: (string | undefined)[] = [];
  await say("FAILOVER");
  await replicate(target, master);
  await linkUp(target);
  await say("FAILOVER", "TO", "nowhere", `${target.port}`);
  await say("FAILOVER", "TO", "127.0.0.1", "1");
  await say("FAILOVER", "ABORT");
  using other = await target.connect();
  said.push(plain(await other.call("FAILOVER")).replaceAll(`${target.port}`, "<port>"));
  // The target may not be asked: the master stays what it is, and what waited is done.
  await ask(target, "ACL", "SETUSER", "default", "-psync");
  Deno.kill(target.child.pid, "SIGSTOP"); // so that it has not everything before the write waits
  await ask(master, "SET", "k", "u");
  await say("FAILOVER");
  using writer = await master.connect();
  const written = writer.call("SET", "k", "v");
  await eventually(async () => (await infoOf(master, "clients")).blocked_clients === "1");
  Deno.kill(target.child.pid, "SIGCONT");
  await until(master, "master_failover_state", "no-failover");
  said.push(plain(await written));
  await ask(target, "ACL", "SETUSER", "default", "+psync");
  await linkUp(target);
  await inStep(master, target);
  states.push((await infoOf(master)).role, (await infoOf(target)).role);
  const told = ["FAILOVER requested", "is synced, failing over", "aborted"];
  const lines = master.log.split("\n").filter((line) => told.some((text) => line.includes(text)));
  return [
    ...said,
    ...states.map(String),
    ...lines.map((line) => line.replace(/^.* [*#] /, "").replaceAll(`${target.port}`, "<port>")),
  ];
}

Deno.test({
  name: "FAILOVER that is refused has the same words as with redis-server, here and in the log",
  ignore: !hasRedisServer || Deno.build.os === "windows",
  async fn() {
    const ours = await refusals(["tsredis", "tsredis"]);
    assertEquals(ours, await refusals(["redis", "redis"]));
    assert(ours.some((line) => line.includes("Failover target rejected psync request")), `${ours}`);
  },
});

Deno.test({
  name: "FAILOVER with FORCE goes to a replica that was frozen, once it goes on",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, target] = await startPeers(stack, ["tsredis", "tsredis"]);
    await replicate(target, master);
    await linkUp(target);
    Deno.kill(target.child.pid, "SIGSTOP");
    await ask(master, "SET", "case", "2");
    const { port } = target;
    await ask(master, "FAILOVER", "TO", "127.0.0.1", `${port}`, "TIMEOUT", "100", "FORCE");
    await until(master, "master_failover_state", "failover-in-progress");
    using client = await master.connect();
    assertEquals(
      await client.call("SET", "a", "1"),
      error("READONLY You can't write against a read only replica."),
    );
    Deno.kill(target.child.pid, "SIGCONT");
    await until(target, "role", "master");
    await linkUp(master);
    await inStep(target, master);
  },
});
