/** Clients of a replica that track keys: they hear of what its master changes, and of a new dataset. */

import { assertEquals } from "@std/assert";
import { hasRedisServer } from "../support/real_redis.ts";
import { ask, linkUp, replicate, startPeer, startPeers } from "../support/replication_peers.ts";
import { type Reply, type RespClient, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

/** A connection of RESP3 with tracking. */
async function tracker(server: ServerProcess, ...options: string[]): Promise<RespClient> {
  const client = await server.connect();
  await client.call("HELLO", "3");
  await client.call("CLIENT", "TRACKING", "ON", ...options);
  return client;
}

/** What the next push says. */
async function pushed(client: RespClient): Promise<unknown> {
  const reply = await client.receive();
  assertEquals(reply.kind, "push");
  return plain(reply);
}

/** Arrays and pushes as arrays of what is in them, null as such, all else as its text. */
function plain(reply: Reply): unknown {
  if (reply.kind === "array" || reply.kind === "push") return reply.items.map(plain);
  return reply.kind === "null" ? null : textOf(reply);
}

for (const make of ["tsredis", "redis"] as const) {
  Deno.test({
    name:
      `clients of a replica with tracking hear of its master's writes and of a full sync (${make})`,
    ignore: make === "redis" && !hasRedisServer,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const [master, replica] = await startPeers(stack, ["tsredis", make]);
      await replicate(replica, master);
      await linkUp(replica);
      using reading = await tracker(replica);
      using all = await tracker(replica, "BCAST", "PREFIX", "k");
      await reading.call("GET", "k1");
      await ask(master, "MSET", "k1", "a", "other", "b");
      assertEquals(await pushed(reading), ["invalidate", ["k1"]]);
      assertEquals(await pushed(all), ["invalidate", ["k1"]]);

      await reading.call("GET", "k1");
      await using second = await startPeer("tsredis");
      await ask(second, "SET", "k1", "c");
      await replicate(replica, second);
      await linkUp(replica);
      assertEquals(await pushed(reading), ["invalidate", null]);
      assertEquals(await pushed(all), ["invalidate", null]);
      await ask(second, "SET", "k1", "d");
      assertEquals(await pushed(all), ["invalidate", ["k1"]]);
      // What was read before the full sync is not remembered any more.
      await reading.call("PING");
      assertEquals(reading.pushes, []);
    },
  });
}
