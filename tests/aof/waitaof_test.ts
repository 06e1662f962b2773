/** WAITAOF, and replicas that keep an append-only file. */

import { assert, assertEquals } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { RunningServer } from "../server/running_server.ts";
import { eventually } from "../support/eventually.ts";
import { array, error, integer, status } from "../support/resp_client.ts";
import { testServer } from "../support/test_server.ts";
import { AofServer } from "./aof_server.ts";

Deno.test("WAITAOF refuses what cannot be waited for", () => {
  const s = testServer();
  assertEquals(s.run("WAITAOF", 2, 0, 0), {
    error: "ERR value is out of range, must be between 0 and 1",
  });
  assertEquals(s.run("WAITAOF", 0, -1, 0), {
    error: "ERR value is out of range, must be positive",
  });
  assertEquals(s.run("WAITAOF", 0, 0, -1), { error: "ERR timeout is negative" });
  assertEquals(s.run("WAITAOF", 1, 0, 0), {
    error: "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
  });
  assertEquals(s.run("WAITAOF", 0, 0, 0), [0, 0]);
});

Deno.test("WAITAOF 1 waits for the sync of what its client has written, and answers at its timeout", async () => {
  using s = await AofServer.start({ "appendonly": true, "appendfsync": "always" });
  s.server.run("SET", "a", 1);
  assertEquals(s.server.run("WAITAOF", 1, 0, 0), undefined);
  s.aof.endTurn();
  assertEquals(s.server.run("WAITAOF", 1, 0, 0), [1, 0]);
  // Who has written nothing waits for nothing.
  s.server.run("SET", "a", 2);
  assertEquals(s.server.connect().run("WAITAOF", 1, 0, 0), [1, 0]);
});

const AT_ONCE = "repl-diskless-sync-delay 0";

async function follow(replica: RunningServer, master: RunningServer): Promise<void> {
  using client = await replica.connect();
  assertEquals(await client.call("REPLICAOF", "127.0.0.1", `${master.port}`), status("OK"));
  await eventually(() => replica.core.replication.replica.isLinkUp);
}

Deno.test("WAITAOF counts replicas that have it on their disk, and those only", async () => {
  await using master = await RunningServer.start("appendonly yes", AT_ONCE);
  await using replica = await RunningServer.start("appendonly yes", "appendfsync always");
  await using other = await RunningServer.start();
  await follow(replica, master);
  await follow(other, master);
  using client = await master.connect();
  await client.call("SET", "a", "1");
  assertEquals(await client.call("WAIT", "2", "0"), integer(2));
  assertEquals(await client.call("WAITAOF", "1", "1", "0"), array(integer(1), integer(1)));
  assertEquals(await client.call("WAITAOF", "1", "2", "50"), array(integer(1), integer(1)));
  using there = await replica.connect();
  assertEquals(
    await there.call("WAITAOF", "0", "0", "0"),
    error(
      "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas " +
        "are just local and are not propagated.",
    ),
  );
});

Deno.test("a replica's append-only file begins anew with a full sync, and has what its master sends", async () => {
  await using master = await RunningServer.start(AT_ONCE);
  await using replica = await RunningServer.start("appendonly yes", "replica-read-only no");
  {
    using own = await replica.connect();
    await own.call("SET", "of before", "1");
    using client = await master.connect();
    await client.pipeline([["SET", "a", "1"], ["RPUSH", "l", "1", "2"]]);
  }
  await follow(replica, master);
  await eventually(() => !replica.core.aof.isWaiting);
  using client = await master.connect();
  await client.pipeline([
    ["INCR", "a"],
    ["MULTI"],
    ["SET", "b", "1"],
    ["SELECT", "3"],
    ["SET", "c", "1"],
    ["EXEC"],
    ["PUBLISH", "ch", "message"],
  ]);
  await client.call("WAIT", "1", "0");
  using own = await replica.connect();
  await own.call("SET", "own", "1");
  const digest = datasetDigest(replica.core.keyspace);
  const { aof } = replica.core;
  await aof.manifestWritten;
  aof.endTurn();
  const again = new AofServer({}, replica.dir, false);
  await again.aof.start();
  assertEquals(datasetDigest(again.server.keyspace), digest);
  assertEquals(again.server.run("EXISTS", "a", "b", "l", "own", "of before"), 4);
  const text = again.names.filter((name) => name.endsWith(".incr.aof")).map((name) =>
    again.file(name)
  ).join("");
  assert(!text.includes("PUBLISH") && !text.includes("PING") && !text.includes("REPLCONF"), text);
  again.abandon();
});

Deno.test("a replica that restarts on its append-only file goes on partially, however it has ended", async () => {
  await using master = await RunningServer.start(AT_ONCE);
  await using replica = await RunningServer.start("appendonly yes");
  await follow(replica, master);
  await eventually(() => !replica.core.aof.isWaiting);
  using client = await master.connect();
  await client.pipeline([["SET", "a", "1"], ["SELECT", "5"], ["SET", "b", "1"]]);
  await client.call("WAIT", "1", "0");
  const { id } = replica.core.replication.ids;
  const { offset } = replica.core.replication;
  // The timer has written it, and nothing comes after it.
  await eventually(() => replica.core.aof.writer.bufferBytes === 0);
  await eventually(() => lastLines(replica, 1)[0].startsWith("#RP:"));
  const killed = new AofServer({}, replica.dir, false);
  await killed.aof.start();
  const loaded = killed.server.core.persistence.loadedReplication;
  const whole = { streamErrors: 0, divergedAt: -1, leftOut: 0 };
  assertEquals(loaded, { id, offset: loaded!.offset, database: 5, ...whole });
  assert(loaded!.offset <= offset);
  killed.abandon();
  await replica.server.stop();
  await client.call("INCR", "b");
  const line = `replicaof 127.0.0.1 ${master.port}`;
  await using again = await RunningServer.startIn(replica.dir, "appendonly yes", line);
  await eventually(() => again.core.replication.replica.isLinkUp);
  await eventually(() => master.core.replication.offset === again.core.replication.offset);
  assertEquals(datasetDigest(again.core.keyspace), datasetDigest(master.core.keyspace));
  using asking = await master.connect();
  const info = await asking.call("INFO", "stats");
  assert(
    "text" in info && info.text.includes("sync_partial_ok:1"),
    "text" in info ? info.text : "",
  );
});

function lastLines({ dir }: RunningServer, count: number): string[] {
  const folder = `${dir}/appendonlydir`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".incr.aof")).sort();
  return Deno.readTextFileSync(`${folder}/${names.at(-1)}`).trimEnd().split("\r\n").slice(-count);
}

// Killed within the next tenth of a second it has to find what it wrote under that name.
Deno.test("the append-only file says at once that another history begins: for the first replica, and a promotion", async () => {
  await using master = await RunningServer.start("appendonly yes", AT_ONCE);
  await using replica = await RunningServer.start("appendonly yes");
  await follow(replica, master);
  const { ids } = master.core.replication;
  assertEquals(lastLines(master, 2), [`#RI:${ids.id}`, "#RP:0:0:0:-1:0"]);
  await eventually(() => !replica.core.aof.isWaiting);
  using writer = await master.connect();
  await writer.call("SET", "a", "1");
  // The place is the same, the name of the history another.
  await eventually(() =>
    lastLines(replica, 1)[0] === `#RP:${master.core.replication.offset}:0:0:-1:0`
  );
  using client = await replica.connect();
  await client.call("REPLICAOF", "NO", "ONE");
  const promoted = replica.core.replication.ids;
  assertEquals(promoted.secondId, ids.id);
  assertEquals(lastLines(replica, 2)[0], `#RI:${promoted.id}`);
});

Deno.test("WAITAOF 1 ends with an error when the file is turned off; who waits for replicas goes on", async () => {
  await using s = await RunningServer.start("appendonly yes", "appendfsync no");
  using client = await s.connect();
  using local = await s.connect();
  using remote = await s.connect();
  for (const [each, wanted] of [[local, "1"], [remote, "0"]] as const) {
    await each.call("INCR", "a");
    await each.send(`WAITAOF ${wanted} 1 0\r\n`);
  }
  await eventually(() => s.core.clients.blockedCount === 2);
  assertEquals(await client.call("CONFIG", "SET", "appendonly", "no"), status("OK"));
  assertEquals(
    await local.receive(),
    error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
  );
  assertEquals(s.core.clients.blockedCount, 1);
});

Deno.test("after a full sync the base names the history and the database where it goes on, and counts as synced", async () => {
  await using one = await RunningServer.start("appendonly yes", "appendfsync always", AT_ONCE);
  await using two = await RunningServer.start("appendonly yes", "appendfsync always", AT_ONCE);
  // It syncs nothing but what a rewrite syncs.
  await using replica = await RunningServer.start("appendonly yes", "appendfsync no");
  // A master that has had no replica has selected nothing in its stream.
  for (
    const [value, master, selected] of [["1", one, 0], ["2", two, 0], ["3", one, 3]] as const
  ) {
    using client = await master.connect();
    await client.call("SELECT", value);
    await client.call("SET", "a", value);
    await follow(replica, master);
    await eventually(() => !replica.core.aof.isWaiting);
    const { id } = master.core.replication.ids;
    const folder = `${replica.dir}/appendonlydir`;
    const [base] = Deno.readTextFileSync(`${folder}/appendonly.aof.manifest`).split("\n");
    const bytes = Deno.readFileSync(`${folder}/${base.split(" ")[1]}`);
    const text = new TextDecoder("latin1").decode(bytes);
    assert(text.includes(`repl-id(${id}`), "names the history");
    const at = text.indexOf("repl-stream-db") + "repl-stream-db".length;
    assertEquals(text.charCodeAt(at + 1), selected, "names the database that is selected there");
    assertEquals(await client.call("WAITAOF", "1", "1", "0"), array(integer(1), integer(1)));
    await client.call("SET", "b", value);
    assertEquals(await client.call("WAIT", "1", "0"), integer(1));
  }
});
