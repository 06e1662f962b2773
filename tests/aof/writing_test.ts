/** What is written to an append-only file while the server serves, and when. */

import { assert, assertEquals } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { RunningServer } from "../server/running_server.ts";
import { eventually } from "../support/eventually.ts";
import { error, integer, status } from "../support/resp_client.ts";
import { AofServer } from "./aof_server.ts";

Deno.test("a server with nothing to load makes a base, an incremental file and a manifest", async () => {
  using s = await AofServer.start();
  assertEquals(
    s.manifest,
    "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
  );
  assertEquals(s.names, [
    "appendonly.aof.1.base.rdb",
    "appendonly.aof.1.incr.aof",
    "appendonly.aof.manifest",
  ]);
  assert(s.file("appendonly.aof.1.base.rdb").includes("aof-base\xc0\x01"));
  assert(s.log.includes("Creating AOF base file appendonly.aof.1.base.rdb on server start"));
  assert(s.log.includes("Creating AOF incr file appendonly.aof.1.incr.aof on server start"));
});

Deno.test("what a turn has changed is in the file at its end, not before", async () => {
  using s = await AofServer.start();
  s.server.run("SET", "a", 1);
  assertEquals(s.commands(), []);
  assertEquals(s.info("aof_buffer_length"), "50");
  assertEquals(s.aof.endTurn(), Infinity);
  assertEquals(s.commands(), ["SELECT 0", "SET a 1"]);
  assertEquals(s.info("aof_buffer_length"), "0");
  assertEquals(s.info("aof_current_size"), String(50 + s.file("appendonly.aof.1.base.rdb").length));
});

Deno.test("outcomes are written, with databases and brackets; messages and what changes nothing are not", async () => {
  using s = await AofServer.start();
  const set = "registered";
  s.run("SET", "k", "v", "EX", 100);
  s.run("GET", "k");
  s.run("PUBLISH", "channel", "message");
  s.run("SELECT", 2);
  for (const words of [["MULTI"], ["INCRBYFLOAT", "n", "1.5"], ["SADD", set, "m"], ["EXEC"]]) {
    s.run(...words);
  }
  s.run("SPOP", set);
  s.run("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)");
  s.run("EVAL", "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'unseen', 1)", 0);
  s.run("DEL", "absent");
  assertEquals(s.commands(), [
    "SELECT 0",
    "SET k v PXAT 1700000100000",
    "MULTI",
    "SELECT 2",
    "SET n 1.5 KEEPTTL",
    "SADD registered m",
    "EXEC",
    "SREM registered m",
    "FUNCTION LOAD #!lua name=l\nredis.register_function('f', function() end)",
  ]);
});

Deno.test("a key that expires or is evicted is removed in the file too", async () => {
  using s = await AofServer.start();
  s.run("SET", "k", "v", "PX", 10);
  s.server.clock.nowMs += 20;
  s.server.keyspace.refreshTime();
  s.run("GET", "k");
  assertEquals(s.commands().at(-1), "DEL k");
  s.run("SET", "other", "x".repeat(1000));
  s.run("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  s.run("CONFIG", "SET", "maxmemory", 1);
  s.run("PING");
  s.server.core.evictor.evict();
  s.aof.endTurn();
  assertEquals(s.commands().at(-1), "DEL other");
});

Deno.test("a restart has what was written, whatever its expiry says meanwhile, and goes on in the file", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  s.run("SET", "expired", 1, "PXAT", 1_600_000_000_000);
  s.run("SET", "saved", "v", "PXAT", 1_700_000_000_500);
  s.run("PERSIST", "saved");
  s.run("RPUSH", "list", 1, 2, 3);
  const digest = datasetDigest(s.server.keyspace);
  s.abandon();
  // The time of "saved" is over, and was when it was persisted not.
  const other = new AofServer({}, s.folder, false, { nowMs: 1_800_000_000_000 });
  await other.aof.start();
  assertEquals(datasetDigest(other.server.keyspace), digest);
  assertEquals([other.info("aof_enabled"), other.server.keyspace.dirty], ["1", 0]);
  assert(other.log.includes("Opening AOF incr file appendonly.aof.1.incr.aof on server start"));
  other.run("SET", "b", 2);
  assertEquals(other.commands().slice(-2), ["SELECT 0", "SET b 2"]);
  other.server.core.close();
});

Deno.test("aof-timestamp-enabled says in which second commands came", async () => {
  using s = await AofServer.start({ "aof-timestamp-enabled": true });
  s.run("SET", "a", 1);
  s.run("SET", "a", 2);
  s.server.clock.nowMs += 1000;
  s.run("SET", "a", 3);
  assertEquals(s.commands(), [
    "#TS:1700000000",
    "SELECT 0",
    "SET a 1",
    "SET a 2",
    "#TS:1700000001",
    "SET a 3",
  ]);
  const again = await s.again();
  assertEquals(again.server.run("GET", "a"), "3");
  again.server.core.close();
});

Deno.test("a transaction whose end is missing is not run, and not joined by what is written next", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  const whole = s.file("appendonly.aof.1.incr.aof").length;
  for (const words of [["MULTI"], ["SET", "a", 2], ["SET", "b", 2], ["EXEC"]]) s.run(...words);
  s.abandon();
  // In the midst of the second SET.
  s.truncate("appendonly.aof.1.incr.aof", whole + 15 + 27 + 10);
  const second = await s.again();
  assertEquals([second.server.run("GET", "a"), second.server.run("EXISTS", "b")], ["1", 0]);
  // As Redis leaves it.
  assertEquals(second.commands(), ["SELECT 0", "SET a 1", "MULTI", "SET a 2"]);
  second.run("SET", "c", 3);
  assertEquals(second.commands(), ["SELECT 0", "SET a 1", "SELECT 0", "SET c 3"]);
  second.abandon();
  const third = await s.again();
  assertEquals([third.server.run("GET", "a"), third.server.run("GET", "c")], ["1", "3"]);
  third.server.core.close();
});

Deno.test("a file that is torn is the last one where those behind it are empty, and only there", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  s.run("SET", "b", 2);
  s.abandon();
  s.truncate("appendonly.aof.1.incr.aof", 60);
  s.append("appendonly.aof.manifest", "file appendonly.aof.2.incr.aof seq 2 type i\n");
  s.append("appendonly.aof.2.incr.aof", "*1\r\n$4\r\nPING\r\n");
  const refused = new AofServer({}, s.folder, false);
  const failure = await refused.aof.start().then(() => null, (error) => error.message);
  assertEquals(failure, "Fatal error: the truncated file is not the last file");
  assertEquals(s.file("appendonly.aof.1.incr.aof").length, 60);
  refused.server.core.close();
  s.truncate("appendonly.aof.2.incr.aof", 0);
  const other = await s.again();
  assertEquals([other.server.run("GET", "a"), other.server.run("GET", "b")], ["1", null]);
  assertEquals(other.commands(), ["SELECT 0", "SET a 1"]);
  other.server.core.close();
});

Deno.test("aof-load-truncated no refuses a file that ends in the midst of a command, and leaves it alone", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  s.abandon();
  s.truncate("appendonly.aof.1.incr.aof", 45);
  const other = new AofServer({ "aof-load-truncated": false }, s.folder, false);
  const failure = await other.aof.start().then(() => null, (error) => error.message);
  assert(failure.startsWith("Unexpected end of file reading the append only file"), failure);
  assertEquals(s.file("appendonly.aof.1.incr.aof").length, 45);
  other.server.core.close();
});

Deno.test("aof-load-corrupt-tail-max-size cuts off what is no command at the end, and keeps it", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  s.abandon();
  const name = "appendonly.aof.1.incr.aof";
  s.append(name, "\0".repeat(64));
  const refused = new AofServer({ "aof-load-corrupt-tail-max-size": 63 }, s.folder, false);
  const failure = await refused.aof.start().then(() => null, (error) => error.message);
  assert(failure.startsWith("Bad file format reading the append only file"), failure);
  refused.server.core.close();
  const other = await s.again({ "aof-load-corrupt-tail-max-size": 64 });
  assertEquals(other.server.run("GET", "a"), "1");
  assertEquals(other.file(`${name}.cut-50`), "\0".repeat(64));
  assertEquals(other.commands(), ["SELECT 0", "SET a 1"]);
  other.server.core.close();
});

Deno.test("appendfsync always syncs before replies leave, everysec in the background, no never", async () => {
  using s = await AofServer.start({ "appendfsync": "always" });
  assertEquals(s.turn("SET", "a", 1), ["OK", true]);
  const { writer } = s.aof;
  const { stream } = s.server.keyspace;
  const offsets = () => [stream.appliedOffset, writer.synced.appliedOffset];
  assertEquals(offsets(), [50, 50]);
  s.run("CONFIG", "SET", "appendfsync", "everysec");
  s.run("SET", "a", 2);
  assertEquals(offsets(), [77, 50]);
  s.server.clock.nowMs += 1000;
  s.run("PING");
  await eventually(() => writer.synced.appliedOffset === 77);
  s.run("CONFIG", "SET", "appendfsync", "no");
  s.run("SET", "a", 3);
  s.server.clock.nowMs += 5000;
  s.run("PING");
  assertEquals([...offsets(), writer.isSyncing], [104, 77, false]);
});

Deno.test("the end of the server writes and syncs what there is", async () => {
  using s = await AofServer.start({ "appendfsync": "no" });
  s.server.run("SET", "a", 1);
  s.server.core.close();
  assertEquals(s.commands(), ["SELECT 0", "SET a 1"]);
});

Deno.test("appendonly without an append-only file leaves a snapshot alone, and says so", async () => {
  using s = new AofServer();
  s.server.run("SET", "a", 1);
  s.server.run("SAVE");
  const other = new AofServer({}, s.folder, false);
  await other.aof.start();
  assertEquals(other.server.run("DBSIZE"), 0);
  assert(other.log.includes("there is no append-only file, so the dataset is empty"));
  other.server.core.close();
});

Deno.test("DEBUG LOADAOF has the file's dataset take the place of the one that is there", async () => {
  await using s = await RunningServer.start("appendonly yes", "enable-debug-command yes");
  using client = await s.connect();
  await client.pipeline([["SET", "a", "1", "EX", "100"], ["RPUSH", "l", "1", "2"], ["INCR", "a"]]);
  const digest = await client.call("DEBUG", "DIGEST");
  assertEquals(await client.call("DEBUG", "LOADAOF"), status("OK"));
  assertEquals(await client.call("DEBUG", "DIGEST"), digest);
  assertEquals(await client.call("INCR", "a"), integer(3));
  assert(s.hasLogged("Append Only File loaded by DEBUG LOADAOF"));
  const path = `${s.dir}/appendonlydir/appendonly.aof.manifest`;
  Deno.writeTextFileSync(path, "damaged\n");
  assertEquals(
    await client.call("DEBUG", "LOADAOF"),
    error("ERR Error trying to load the AOF files, check server logs."),
  );
  assertEquals(await client.call("INCR", "a"), integer(4));
});

Deno.test("the latency monitor is told of writes and syncs", async () => {
  using s = await AofServer.start({ "appendfsync": "always" });
  const { clock } = s.server;
  s.server.run("CONFIG", "SET", "latency-monitor-threshold", 1);
  const { files } = s.server.core.runtime;
  const { open } = files;
  files.open = (...how) => {
    const file = open.call(files, ...how);
    const { write, sync } = file;
    file.write = (...bytes) => {
      clock.nowMs += 5;
      write.call(file, ...bytes);
    };
    file.sync = () => {
      clock.nowMs += 7;
      sync.call(file);
    };
    return file;
  };
  try {
    s.run("BGREWRITEAOF");
    await eventually(() => !s.aof.isRewriting);
    s.run("SET", "a", 1);
  } finally {
    files.open = open;
  }
  const latest = s.server.run("LATENCY", "LATEST") as [string, number, number, number][];
  const last = new Map(latest.map(([event, , ms]) => [event, ms]));
  assertEquals(
    [last.get("aof-write"), last.get("aof-write-alone"), last.get("aof-fsync-always")],
    [5, 5, 7],
  );
});
