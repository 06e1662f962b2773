/** Fields of hashes that expire, between servers: chains of replicas, and one that does not know such fields. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import {
  ask,
  askText,
  inStep,
  linkUp,
  plain,
  replicate,
  startPeers,
} from "../support/replication_peers.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { connect, type Reply } from "../support/resp_client.ts";

/** The times of three fields of `key`, as a server has them. */
async function timesOf(server: ServerProcess, key: string): Promise<string> {
  return JSON.stringify(await ask(server, "HPEXPIRETIME", key, "FIELDS", "3", "a", "b", "c"));
}

/** Waits until a hash has so many fields, those included that are over and still there. */
async function hasLength(server: ServerProcess, key: string, length: string): Promise<void> {
  await eventually(async () => plain(await ask(server, "HLEN", key)) === length, {
    timeoutMs: 60_000,
    what: `${key} to have ${length} fields`,
  });
}

async function run(server: ServerProcess, ...lines: string[]): Promise<void> {
  using client = await connect(server.port);
  const replies: Reply[] = await client.pipeline(lines.map((line) => line.split(" ")));
  for (const [i, reply] of replies.entries()) {
    assertEquals(reply.kind === "error" ? reply : null, null, lines[i]);
  }
}

Deno.test("fields expire along a chain of replicas, after a full sync and on the live stream", async () => {
  await using stack = new AsyncDisposableStack();
  const [master, middle, last] = await startPeers(stack, ["tsredis", "tsredis", "tsredis"]);
  const large = Array.from({ length: 300 }, (_, i) => `f${i} v${i}`).join(" ");
  await run(
    master,
    "HSET small a 1 b 2 c 3",
    `HSET large a 1 b 2 c 3 ${large}`,
    ...["small", "large"].flatMap((key) => [
      `HPEXPIREAT ${key} 4000000000000 FIELDS 1 a`,
      `HEXPIREAT ${key} 4000000001 FIELDS 1 b`,
    ]),
  );
  await replicate(middle, master);
  await linkUp(middle);
  await replicate(last, middle);
  await linkUp(last);
  await run(
    master,
    "HSET live a 1 b 2 c 3",
    "HPEXPIRE live 100000 FIELDS 2 a b",
    "HPERSIST live FIELDS 1 a",
    "HSETEX made PXAT 4000000000000 FIELDS 2 a 1 b 2",
    "HPEXPIRE small 1 FIELDS 1 c",
    "HPEXPIRE large 1 FIELDS 3 c f1 f2",
    "HGETDEL large FIELDS 1 f3",
    "HINCRBYFLOAT made a 0.5",
  );
  await hasLength(master, "large", "299");
  await hasLength(master, "small", "2");
  await inStep(master, middle, last);
  for (const key of ["small", "large", "live", "made"]) {
    const times = await timesOf(master, key);
    for (const replica of [middle, last]) assertEquals(await timesOf(replica, key), times, key);
  }
});

Deno.test({
  name:
    "a replica of Redis 7.0 refuses a dataset with such fields, which both logs tell, and follows without",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, replica] = await startPeers(stack, ["tsredis", "redis"]);
    await run(master, "HSET h a 1 b 2", "HPEXPIREAT h 4000000000000 FIELDS 1 a");
    await replicate(replica, master);
    await replica.untilLogged("Can't handle RDB format version 12");
    await master.untilLogged(/RDB version 12.*older replicas will refuse it/);
    await run(master, "HPERSIST h FIELDS 1 a");
    await linkUp(replica);
    assertEquals(await askText(replica, "HGET", "h", "a"), "1");
  },
});
