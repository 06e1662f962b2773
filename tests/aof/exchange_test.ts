/** UNDO RESTORE with an append-only file: the datasets are exchanged when the file leads to the one that comes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandCatalog } from "../../src/commands/catalog.ts";
import { commandTable } from "../../src/commands/index.ts";
import { FunctionLibraries } from "../../src/keyspace/function_libraries.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { eventually } from "../support/eventually.ts";
import type { TestClient } from "../support/test_server.ts";
import { AofServer } from "./aof_server.ts";

type Directives = NonNullable<ConstructorParameters<typeof AofServer>[0]>;

/** Has the walk over keys take its time. */
const SLOW = "1000";
const LIBRARY = "#!lua name=mine\nredis.register_function('f', function() return 1 end)";

/** A server from which all has been flushed: keys of all kinds in two databases. */
async function flushed(directives: Directives = {}): Promise<{ s: AofServer; digest: string }> {
  const s = await AofServer.start({ "undo-window": 300, ...directives });
  s.run("SET", "text", "1");
  s.run("SET", "timed", "1", "PX", 1_000_000);
  for (let i = 0; i < 300; i++) {
    s.run("HSET", "hash", `field ${i}`, i);
    s.run("ZADD", "sorted", i, `member ${i}`);
    s.run("SADD", "set", i);
    s.run("SET", `key:${i}`, i);
  }
  s.run("HEXPIRE", "hash", 500, "FIELDS", 1, "field 7");
  s.run("XADD", "stream", "1-1", "a", "b");
  s.run("XGROUP", "CREATE", "stream", "group", "0");
  s.run("SELECT", 9);
  s.run("RPUSH", "list", ..."abcdef");
  s.run("SELECT", 0);
  const digest = datasetDigest(s.server.keyspace);
  s.run("FLUSHALL");
  return { s, digest };
}

function digestOf(s: AofServer): string {
  return datasetDigest(s.server.keyspace);
}

/** Begins UNDO RESTORE, whose client is answered later. */
function begin(s: AofServer, id = 1): TestClient {
  const client = s.server.connect();
  assertEquals(client.run("UNDO", "RESTORE", id), undefined);
  return client;
}

/** What it is answered in the end. */
async function answer(s: AofServer, client: TestClient): Promise<unknown> {
  await eventually(() => {
    s.server.core.cron();
    return !s.aof.isExchanging;
  });
  return client.received()[0];
}

/** What a server finds that starts on what has been written so far. */
async function assertReloads(s: AofServer, digest = digestOf(s)): Promise<void> {
  s.aof.endTurn();
  const other = await s.again();
  try {
    assertEquals(digestOf(other), digest);
  } finally {
    other.abandon();
  }
}

function kept(s: AofServer): (readonly [number, string])[] {
  return s.server.keyspace.sealed.all.map(({ id, cause }) => [id, cause] as const);
}

Deno.test("UNDO RESTORE is answered when the append-only file leads to what is back", async () => {
  const { s, digest } = await flushed({ "rdb-key-save-delay": SLOW, "save": [] });
  using _ = s;
  s.run("SET", "since", 1);
  const client = begin(s);
  assertEquals(s.info("undo_restore_in_progress"), "1");
  let answered = 0;
  while (s.server.core.persistence.isSaving) {
    // Those who are not asked to wait are served as ever.
    assertEquals(s.run("INCR", "since"), ++answered + 1);
    await assertReloads(s);
    s.server.config.assign("rdb-key-save-delay", ["0"]);
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  assert(answered > 0);
  assertEquals(await answer(s, client), "OK");
  assertEquals(s.info("undo_restore_in_progress"), "0");
  assertEquals(digestOf(s), digest);
  await assertReloads(s);
  assertEquals(s.run("INCR", "text"), 2);
  await assertReloads(s);
  assertEquals(
    s.manifest.split("\n").map((line) => line.split(" ")[1]).filter(Boolean),
    [
      "appendonly.aof.1.base.rdb",
      "appendonly.aof.1.incr.aof",
      "appendonly.aof.2.incr.aof",
      "appendonly.aof.3.incr.aof",
    ],
  );
  assertEquals(s.commands("appendonly.aof.3.incr.aof").slice(0, 2), ["SELECT 0", "INCR text"]);
  // What was written meanwhile is kept in turn.
  assertEquals(kept(s), [[2, "undo"]]);
  assertEquals(await answer(s, begin(s, 2)), "OK");
  assertEquals([s.run("GET", "since"), s.run("DBSIZE")], [String(answered + 1), 1]);
  await assertReloads(s);
  s.run("BGREWRITEAOF");
  await eventually(() => !s.aof.isRewriting);
  await s.aof.manifestWritten;
  await assertReloads(s);
  await eventually(() => s.names.length === 3);
});

Deno.test("UNDO RESTORE of one database leaves the others, and what is written to them meanwhile", async () => {
  using s = await AofServer.start({ "undo-window": 300, "save": [] });
  const other = s.server.connect();
  other.run("SELECT", 9);
  other.run("RPUSH", "list", 1, 2, 3);
  other.run("FLUSHDB");
  other.run("SET", "since", 1);
  const client = begin(s);
  s.run("SET", "text", 1);
  assertEquals(await answer(s, client), "OK");
  assertEquals([other.run("LLEN", "list"), other.run("DBSIZE"), s.run("GET", "text")], [3, 1, "1"]);
  await assertReloads(s);
});

Deno.test("UNDO RESTORE brings function libraries back where these were replaced too", async () => {
  using s = await AofServer.start({ "undo-window": 300, "save": [] });
  const { libraries, sealed, databases } = s.server.keyspace;
  s.run("FUNCTION", "LOAD", LIBRARY);
  s.run("SET", "text", 1);
  // As a full sync does.
  const replaced = new FunctionLibraries();
  libraries.exchange(replaced);
  sealed.take({
    cause: "full-sync",
    by: "master",
    databases: databases.map((database) => database.takeContent()),
    libraries: replaced,
    isWhole: true,
  });
  s.run("FUNCTION", "LOAD", LIBRARY.replaceAll("mine", "since").replaceAll("'f'", "'g'"));
  assertEquals(await answer(s, begin(s)), "OK");
  assertEquals(s.run("FCALL", "f", 0), 1);
  const other = await s.again();
  assertEquals(other.run("FCALL", "f", 0), 1);
  assertStringIncludes(JSON.stringify(other.run("FCALL", "g", 0)), "Function not found");
  other.abandon();
});

Deno.test("UNDO RESTORE is given up without a trace when its client leaves, or what is to come is dropped", async () => {
  const { s } = await flushed({ "rdb-key-save-delay": SLOW, "save": [], "appendonly": true });
  using _ = s;
  s.run("SET", "since", 1);
  const { core } = s.server;
  const names = s.names;
  const leaver = begin(s);
  assertEquals(s.run("UNDO", "RESTORE", 1), {
    error: "ERR another UNDO RESTORE is under way: see undo_restore_in_progress",
  });
  core.closed(leaver.client);
  assertEquals([s.aof.isExchanging, core.clients.blockedCount, kept(s)], [false, 0, [[
    1,
    "flushall",
  ]]]);
  assert(
    s.log.includes("UNDO RESTORE 1 is given up, and nothing has changed: its client has left"),
  );
  let client = begin(s);
  s.run("CONFIG", "SET", "appendonly", "no");
  assertEquals(client.received()[0], {
    error: "ERR nothing has changed: the append-only file has been turned off",
  });
  s.run("CONFIG", "SET", "appendonly", "yes", "rdb-key-save-delay", 0);
  await eventually(() => !s.aof.isWaiting && !s.aof.isRewriting);
  s.run("CONFIG", "SET", "rdb-key-save-delay", SLOW);
  client = begin(s);
  s.run("REPLICAOF", "127.0.0.1", 1);
  assertEquals(client.received()[0], {
    error: "ERR nothing has changed: this server is a replica now",
  });
  s.run("REPLICAOF", "NO", "ONE");
  client = begin(s);
  assertEquals(s.run("UNDO", "DROP", 1), "OK");
  assertEquals(client.received()[0], { error: "ERR nothing has changed: UNDO DROP 1" });
  assertEquals([s.run("GET", "since"), kept(s)], ["1", []]);
  await eventually(() => s.names.length === names.length);
  assertEquals(s.server.pause.endsMs, 0);
  await assertReloads(s);
});

Deno.test("UNDO RESTORE waits for a save under way, and what it brings back stays for it meanwhile", async () => {
  const { s, digest } = await flushed({ "save": [] });
  using _ = s;
  s.run("SET", "since", 1);
  s.run("CONFIG", "SET", "rdb-key-save-delay", 10_000_000);
  assertEquals(s.run("BGSAVE"), "Background saving started");
  const client = begin(s);
  assert(s.log.includes("UNDO RESTORE waits for the end of what is being saved"));
  s.server.clock.nowMs += 400_000;
  s.server.core.cron();
  s.run("CONFIG", "SET", "undo-max-memory", 1000);
  assertEquals(kept(s), [[1, "flushall"]]);
  s.run("CONFIG", "SET", "undo-max-memory", "1gb", "rdb-key-save-delay", 0);
  assertEquals(await answer(s, client), "OK");
  assertEquals(digestOf(s), digest);
  await assertReloads(s);
});

Deno.test("UNDO RESTORE is refused at its end too where what is there could not be kept", async () => {
  const { s } = await flushed({ "rdb-key-save-delay": SLOW, "save": [] });
  using _ = s;
  s.run("SET", "since", 1);
  const client = begin(s);
  s.run("CONFIG", "SET", "undo-max-memory", 100);
  s.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  const { error } = await answer(s, client) as { error: string };
  assert(error.startsWith("ERR what is there now ("), error);
  assertEquals(s.run("GET", "since"), "1");
  assertEquals(s.server.pause.endsMs, 0);
  await assertReloads(s);
});

Deno.test("UNDO RESTORE waits while writes are to wait, and writes go on after it", async () => {
  const { s, digest } = await flushed({ "save": [] });
  using _ = s;
  s.run("SET", "since", 1);
  const client = begin(s);
  s.run("CLIENT", "PAUSE", 100_000, "WRITE");
  await eventually(() => !s.server.core.persistence.isSaving);
  s.server.core.cron();
  assertEquals([s.aof.isExchanging, client.received()], [true, []]);
  s.run("CLIENT", "UNPAUSE");
  assertEquals(await answer(s, client), "OK");
  assertEquals(digestOf(s), digest);
  assertEquals(s.run("SET", "after", 1), "OK");
});

Deno.test("UNDO RESTORE serves who waits for a key that is back, tells who tracks, and fails who watches", async () => {
  const { s } = await flushed({ "save": [] });
  using _ = s;
  const [popper, tracker, watcher] = [s.server.connect(), s.server.connect(), s.server.connect()];
  popper.run("SELECT", 9);
  assertEquals(popper.run("BLPOP", "list", 0), undefined);
  tracker.run("HELLO", 3);
  tracker.run("CLIENT", "TRACKING", "ON");
  tracker.run("GET", "text");
  watcher.run("WATCH", "text");
  assertEquals(await answer(s, begin(s)), "OK");
  assertEquals(popper.received(), [["list", "a"]]);
  assertStringIncludes(JSON.stringify(tracker.received()), "invalidate");
  watcher.run("MULTI");
  assertEquals(watcher.run("EXEC"), null);
  await assertReloads(s);
});

Deno.test("UNDO RESTORE cannot be part of a transaction or a script", async () => {
  const { s } = await flushed({ "save": [] });
  using _ = s;
  s.run("MULTI");
  assertEquals(s.run("UNDO", "RESTORE", 1), {
    error: "ERR Command not allowed inside a transaction",
  });
  s.run("DISCARD");
  const script = "return redis.call('UNDO', 'RESTORE', 1)";
  assertStringIncludes(JSON.stringify(s.run("EVAL", script, 0)), "not allowed from script");
  assertEquals(kept(s), [[1, "flushall"]]);
});

Deno.test("the append-only file is read where nobody may call FLUSHALL", async () => {
  using s = await AofServer.start({ "undo-window": 300, "save": [] });
  s.run("SET", "text", 1);
  s.run("FLUSHALL");
  s.run("SET", "since", 1);
  assertEquals(await answer(s, begin(s)), "OK");
  s.aof.endTurn();
  const other = new AofServer({}, s.folder, false);
  const { dispatcher } = other.server;
  const named = commandTable.filter(({ name }) => name !== "flushall");
  dispatcher.setCommands(named.map((each) => [each.name, each]), commandCatalog());
  dispatcher.setLogged(commandTable);
  await other.aof.start();
  assertEquals(digestOf(other), digestOf(s));
  assertStringIncludes(JSON.stringify(other.run("FLUSHALL")), "unknown command");
  other.abandon();
});
