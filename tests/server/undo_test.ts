/** UNDO with replicas, an append-only file and a full sync: src/commands/server/undo.ts. */

import { assertEquals } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { eventually } from "../support/eventually.ts";
import { error, type RespClient } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

const WINDOW = "undo-window 300";

async function follow(replica: RunningServer, master: RunningServer): Promise<void> {
  using client = await replica.connect();
  await client.call("REPLICAOF", "127.0.0.1", `${master.port}`);
  await eventually(() => replica.core.replication.replica.isLinkUp);
}

function digestOf({ core }: RunningServer): string {
  return datasetDigest(core.keyspace);
}

async function fill(client: RespClient): Promise<void> {
  await client.pipeline([
    ["SELECT", "0"],
    ["SET", "a", "1"],
    ["HSET", "hash", "field", "value"],
    ["SELECT", "4"],
    ["RPUSH", "list", "1", "2", "3"],
    ["SELECT", "0"],
  ]);
}

Deno.test("UNDO RESTORE reaches replicas and the append-only file", async () => {
  await using master = await RunningServer.start(
    WINDOW,
    "appendonly yes",
    "repl-diskless-sync-delay 0",
  );
  await using replica = await RunningServer.start(WINDOW);
  await follow(replica, master);
  using client = await master.connect();
  await fill(client);
  const digest = digestOf(master);
  await client.pipeline([["FLUSHALL"], ["SET", "since", "1"]]);
  await client.call("WAIT", "1", "0");
  assertEquals(replica.core.keyspace.keyCount, 1);
  assertEquals(replica.core.keyspace.sealed.all.map(({ cause, by }) => [cause, by]), [
    ["flushall", `master 127.0.0.1:${master.port}`],
  ]);
  await client.call("UNDO", "RESTORE", "1");
  assertEquals(digestOf(master), digest);
  await eventually(() => digestOf(replica) === digest);
  // The stream goes on behind it.
  await eventually(() => replica.core.replication.replica.isLinkUp && !master.core.aof.isWaiting);
  await client.call("INCR", "a");
  await client.call("WAIT", "1", "0");
  assertEquals(digestOf(replica), digestOf(master));
  const now = digestOf(master);
  master.server.stop();
  await using again = await RunningServer.startIn(master.dir, "appendonly yes");
  assertEquals(digestOf(again), now);
});

Deno.test("what a full sync has replaced comes back once the server is a master again", async () => {
  await using master = await RunningServer.start();
  await using server = await RunningServer.start(WINDOW);
  using client = await server.connect();
  await fill(client);
  await client.call(
    "FUNCTION",
    "LOAD",
    "#!lua name=mine\nredis.register_function('f', function() return 1 end)",
  );
  const digest = digestOf(server);
  await follow(server, master);
  assertEquals(server.core.keyspace.keyCount, 0);
  const refusal = await client.call("UNDO", "RESTORE", "1");
  assertEquals(refusal, error("READONLY You can't write against a read only replica."));
  await client.call("CONFIG", "SET", "replica-read-only", "no");
  assertEquals(
    await client.call("UNDO", "RESTORE", "1"),
    error(
      "ERR the data of a replica are its master's: UNDO there, or make this server a master " +
        "(REPLICAOF NO ONE) first",
    ),
  );
  await client.call("REPLICAOF", "NO", "ONE");
  await client.call("UNDO", "RESTORE", "1");
  assertEquals(digestOf(server), digest);
  assertEquals([...server.core.keyspace.libraries.codes].length, 1);
});

Deno.test("a FLUSHALL of the append-only file can be undone after a restart, and says where it is from", async () => {
  await using server = await RunningServer.start(WINDOW, "appendonly yes");
  using client = await server.connect();
  await fill(client);
  const digest = digestOf(server);
  await client.call("FLUSHALL");
  server.server.stop();
  await using again = await RunningServer.startIn(server.dir, WINDOW, "appendonly yes");
  const sealed = again.core.keyspace.sealed.all.map(({ id, cause, by }) => [id, cause, by]);
  assertEquals(sealed, [[1, "flushall", "the append-only file"]]);
  using other = await again.connect();
  await other.call("UNDO", "RESTORE", "1");
  assertEquals(digestOf(again), digest);
  const now = digestOf(again);
  await other.call("SET", "after", "1");
  again.server.stop();
  await using third = await RunningServer.startIn(server.dir, WINDOW, "appendonly yes");
  using reader = await third.connect();
  await reader.call("DEL", "after");
  assertEquals(digestOf(third), now);
});
