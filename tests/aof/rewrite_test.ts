/** BGREWRITEAOF, rewrites that begin by themselves, and CONFIG SET appendonly. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { eventually } from "../support/eventually.ts";
import { AofServer } from "./aof_server.ts";

async function rewritten({ aof, server }: AofServer): Promise<void> {
  await eventually(() =>
    !aof.isRewriting && !server.core.persistence.isSaving && !aof.writer.isHeld
  );
  await aof.manifestWritten;
}

/** Another server loads what is there to this dataset. */
async function assertReloads(s: AofServer): Promise<void> {
  s.aof.endTurn();
  const other = await s.again();
  try {
    assertEquals(datasetDigest(other.server.keyspace), datasetDigest(s.server.keyspace));
  } finally {
    other.abandon();
  }
}

Deno.test("BGREWRITEAOF makes a base of its instant, and what follows goes into the next file", async () => {
  using s = await AofServer.start();
  for (let i = 0; i < 1000; i++) s.run("SET", `key:${i}`, i);
  assertEquals(s.run("BGREWRITEAOF"), "Background append only file rewriting started");
  assertEquals(s.run("BGREWRITEAOF"), {
    error: "ERR Background append only file rewriting already in progress",
  });
  assertEquals(s.info("aof_rewrite_in_progress"), "1");
  // While it is under way.
  for (let i = 0; i < 500; i++) {
    s.run("INCR", `key:${i}`);
    if (i % 100 === 0) await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
  await rewritten(s);
  assertEquals(
    s.manifest,
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  await eventually(() => s.names.length === 3);
  assert(s.log.includes("Background AOF rewrite finished successfully"));
  assertEquals([s.info("aof_last_bgrewrite_status"), s.info("aof_rewrites")], ["ok", "1"]);
  const bytes = s.names.slice(0, 2).reduce((sum, name) => sum + s.file(name).length, 0);
  assertEquals(s.info("aof_current_size"), String(bytes));
  s.run("SET", "after", 1);
  await assertReloads(s);
});

Deno.test("when a rewrite is over the manifest names no history any more", async () => {
  using s = await AofServer.start();
  const { logLines } = s.server;
  const named: string[] = [];
  logLines.push = (...lines) => {
    if (lines.join("").includes("rewrite finished successfully")) named.push(s.manifest);
    return Array.prototype.push.apply(logLines, lines);
  };
  s.run("SET", "k", 1);
  s.run("BGREWRITEAOF");
  await rewritten(s);
  assertEquals(named, [
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  ]);
});

Deno.test("with aof-use-rdb-preamble no a base consists of commands, from the first one on", async () => {
  using s = await AofServer.start({ "aof-use-rdb-preamble": "no", "aof-timestamp-enabled": "yes" });
  assert(s.log.includes("Creating AOF base file appendonly.aof.1.base.aof on server start"));
  for (let i = 0; i < 1000; i++) s.run("SET", `key:${i}`, i);
  s.run("SELECT", 3);
  s.run("RPUSH", "list", 1, 2, 3);
  s.run("BGREWRITEAOF");
  s.run("RPUSH", "list", 4);
  await rewritten(s);
  assertEquals(
    s.manifest,
    "file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  assertEquals(s.file("appendonly.aof.2.base.aof").slice(0, 4), "#TS:");
  assert(
    s.commands("appendonly.aof.2.base.aof").some((text) => text.startsWith("RPUSH list 1 2 3")),
  );
  await assertReloads(s);
  s.run("CONFIG", "SET", "aof-use-rdb-preamble", "yes", "rdb-key-save-delay", 1000);
  s.run("BGREWRITEAOF");
  // What a base is, is decided when it begins.
  await eventually(() => s.server.core.persistence.isSavingBase);
  s.run("CONFIG", "SET", "aof-use-rdb-preamble", "no", "rdb-key-save-delay", 0);
  await rewritten(s);
  assert(s.manifest.startsWith("file appendonly.aof.3.base.rdb seq 3 type b\n"), s.manifest);
  await assertReloads(s);
});

Deno.test("a base says where in the history of replication it stands, whatever it consists of", async () => {
  const id = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123cdef";
  for (const [preamble, suffix] of [["yes", "rdb"], ["no", "aof"]]) {
    const directives = { "aof-use-rdb-preamble": preamble };
    using s = new AofServer(directives);
    s.server.core.replication.snapshotAux = () => [
      ["repl-stream-db", 2],
      ["repl-id", id],
      ["repl-offset", 77],
    ];
    await s.aof.start();
    for (const step of [1, 2]) {
      assertStringIncludes(s.file(`appendonly.aof.${step}.base.${suffix}`), id);
      const other = await s.again(directives);
      const { loadedReplication } = other.server.core.persistence;
      assert(loadedReplication !== null);
      const { offset, database } = loadedReplication;
      assertEquals([loadedReplication.id, offset, database], [id, 77, 2]);
      other.abandon();
      s.run("BGREWRITEAOF");
      await rewritten(s);
    }
  }
});

Deno.test("a server that ends in the midst of a rewrite has lost nothing", async () => {
  using s = await AofServer.start();
  for (let i = 0; i < 1000; i++) s.run("SET", `key:${i}`, i);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 1000);
  s.run("BGREWRITEAOF");
  await eventually(() => s.server.core.persistence.isSavingBase && !s.aof.writer.isHeld);
  s.run("SET", "during", 1);
  assertEquals(
    s.manifest,
    "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n" +
      "file appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  const digest = datasetDigest(s.server.keyspace);
  const other = await s.again();
  assertEquals(datasetDigest(other.server.keyspace), digest);
  other.abandon();
});

Deno.test("what a process that has ended had not finished is cleared away at the next start", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  const path = `${s.folder}/appendonlydir`;
  const left = ["rewriteaof-bg-7-01234567.aof", "appendonly.aof.manifest", "appendonly.aof.incr"];
  for (const name of left) Deno.writeTextFileSync(`${path}/temp-${name}`, "half");
  Deno.writeTextFileSync(`${path}/temp-of-somebody-else`, "whole");
  const { files } = s.server.core.runtime;
  using locked = files.open(`${path}/temp-rewriteaof-bg-8-01234567.aof`, "write");
  assert(locked.tryLock());
  s.abandon();
  const other = await s.again();
  assertEquals(s.names.filter((name) => name.startsWith("temp-")), [
    "temp-of-somebody-else",
    "temp-rewriteaof-bg-8-01234567.aof",
  ]);
  assert(other.log.includes("which a process that has ended had not finished"));
  other.abandon();
});

Deno.test("BGSAVE and BGREWRITEAOF wait for each other", async () => {
  using s = await AofServer.start();
  for (let i = 0; i < 100; i++) s.run("SET", `key:${i}`, i);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 1000);
  s.run("BGSAVE");
  assertEquals(s.run("BGREWRITEAOF"), "Background append only file rewriting scheduled");
  assertEquals(s.info("aof_rewrite_scheduled"), "1");
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await rewritten(s);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 1000);
  s.server.core.cron();
  await eventually(() => s.server.core.persistence.isSavingBase);
  assertEquals([s.info("rdb_bgsave_in_progress"), s.info("aof_rewrite_in_progress")], ["0", "1"]);
  assertEquals(s.run("BGSAVE"), {
    error:
      "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE " +
      "in order to schedule a BGSAVE whenever possible.",
  });
  assertEquals(s.run("BGSAVE", "SCHEDULE"), "Background saving scheduled");
  assertEquals(s.run("SAVE"), "OK");
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await rewritten(s);
  s.server.core.cron();
  assertEquals(s.info("rdb_bgsave_in_progress"), "1");
  await rewritten(s);
  await assertReloads(s);
});

Deno.test("in a transaction BGREWRITEAOF is put off until that is over", async () => {
  using s = await AofServer.start();
  for (const words of [["MULTI"], ["SET", "a", 1], ["BGREWRITEAOF"]]) s.run(...words);
  assertEquals(s.run("EXEC"), ["OK", "Background append only file rewriting scheduled"]);
  s.server.core.cron();
  await rewritten(s);
  assert(s.manifest.includes("appendonly.aof.2.base.rdb"));
  await assertReloads(s);
});

Deno.test("a file that has grown by auto-aof-rewrite-percentage is rewritten by itself", async () => {
  using s = await AofServer.start({
    "auto-aof-rewrite-min-size": 1000,
    "auto-aof-rewrite-percentage": 100,
  });
  s.run("SET", "a", "x".repeat(500));
  s.server.core.cron();
  assertEquals(s.aof.isRewriting, false);
  s.run("SET", "a", "x".repeat(500));
  s.server.core.cron();
  assertEquals(s.aof.isRewriting, true);
  assert(/Starting automatic rewriting of AOF on \d+% growth/.test(s.log));
  await rewritten(s);
  assert(s.manifest.includes("appendonly.aof.2.base.rdb"));
});

Deno.test("a rewrite that fails changes nothing, is told of, and is put off after three times", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  // Where the temporary base is to be there is a folder.
  const { writerName } = s.server.core.persistence;
  const path = `${s.folder}/appendonlydir/temp-rewriteaof-bg-${writerName}.aof`;
  Deno.mkdirSync(`${path}/not empty`, { recursive: true });
  for (let i = 0; i < 3; i++) {
    assertEquals(s.run("BGREWRITEAOF"), "Background append only file rewriting started");
    await rewritten(s);
  }
  assertEquals(s.info("aof_last_bgrewrite_status"), "err");
  assertEquals(s.info("aof_rewrites_consecutive_failures"), "3");
  assert(s.log.includes("Background AOF rewrite terminated with error"));
  s.run("SET", "b", 1);
  await assertReloads(s);
  s.run("CONFIG", "SET", "auto-aof-rewrite-min-size", 1);
  s.server.core.cron();
  assertEquals(s.aof.isRewriting, false);
  assert(s.log.includes("triggered the limit, will retry in 1 minutes"));
});

Deno.test("CONFIG SET appendonly yes writes the dataset that is there, and from then on what follows", async () => {
  using s = new AofServer();
  s.server.core.persistence.begin();
  s.run("SET", "before", 1);
  assertEquals(s.run("CONFIG", "SET", "appendonly", "yes"), "OK");
  assertEquals([s.info("aof_enabled"), s.aof.isWaiting], ["1", true]);
  s.run("SET", "during", 1);
  assert(s.names.includes("temp-appendonly.aof.incr"));
  await rewritten(s);
  assertEquals(s.aof.isWaiting, false);
  assertEquals(
    s.manifest,
    "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
  );
  s.run("SET", "after", 1);
  assertEquals(s.commands(), ["SELECT 0", "SET during 1", "SET after 1"]);
  await assertReloads(s);
  assertEquals(s.run("CONFIG", "SET", "appendonly", "no"), "OK");
  assertEquals(s.info("aof_enabled"), "0");
  s.run("SET", "unseen", 1);
  assertEquals(s.commands().length, 3);
  assertEquals(s.run("CONFIG", "SET", "appendonly", "yes"), "OK");
  await rewritten(s);
  assertEquals(
    s.manifest,
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  await assertReloads(s);
});

Deno.test("CONFIG SET appendonly yes while a snapshot is under way begins behind it", async () => {
  using s = new AofServer({ "rdb-key-save-delay": 1000 });
  s.server.core.persistence.begin();
  for (let i = 0; i < 50; i++) s.run("SET", `key:${i}`, i);
  s.run("BGSAVE");
  assertEquals(s.run("CONFIG", "SET", "appendonly", "yes"), "OK");
  assert(s.log.includes("AOF was enabled but there is already another background operation."));
  s.run("SET", "during", 1);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await rewritten(s);
  s.server.core.cron();
  await rewritten(s);
  assertEquals(s.aof.isWaiting, false);
  await assertReloads(s);
});

Deno.test("CONFIG SET appendonly yes is refused where the folder cannot be made", () => {
  using s = new AofServer();
  Deno.writeTextFileSync(`${s.folder}/appendonlydir`, "a file");
  assertEquals(s.run("CONFIG", "SET", "appendonly", "yes"), {
    error: "ERR CONFIG SET failed (possibly related to argument 'appendonly') - " +
      "Unable to turn on AOF. Check server logs.",
  });
  assertEquals([s.info("aof_enabled"), s.run("CONFIG", "GET", "appendonly")], ["0", [
    "appendonly",
    "no",
  ]]);
});

Deno.test("BGREWRITEAOF with appendonly no leaves an append-only file as of its moment", async () => {
  using s = new AofServer();
  s.server.core.persistence.begin();
  s.run("SET", "a", 1);
  assertEquals(s.run("BGREWRITEAOF"), "Background append only file rewriting started");
  await rewritten(s);
  assertEquals(s.manifest, "file appendonly.aof.1.base.rdb seq 1 type b\n");
  await assertReloads(s);
});

Deno.test("aof-disable-auto-gc keeps what is history, until it is turned off", async () => {
  using s = await AofServer.start({ "aof-disable-auto-gc": true });
  s.run("BGREWRITEAOF");
  await rewritten(s);
  assertEquals(
    s.manifest,
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\n" +
      "file appendonly.aof.1.base.rdb seq 1 type h\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
  s.run("CONFIG", "SET", "aof-disable-auto-gc", "no");
  await eventually(() => s.names.length === 3);
  await eventually(() => !s.manifest.includes("type h"));
});

Deno.test("FLUSHALL during a rewrite: the base is of before, and the next file begins with it", async () => {
  using s = await AofServer.start();
  for (let i = 0; i < 100; i++) s.run("SET", `key:${i}`, i);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 100);
  s.run("BGREWRITEAOF");
  await eventually(() => s.server.core.persistence.isSavingBase);
  s.run("FLUSHALL");
  s.run("SET", "new", 1);
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await rewritten(s);
  assertEquals(s.run("DBSIZE"), 1);
  await assertReloads(s);
});

Deno.test("a folder that somebody removes is made anew; while that cannot be, writes are refused", async () => {
  using s = await AofServer.start();
  s.run("SET", "a", 1);
  const path = `${s.folder}/appendonlydir`;
  Deno.removeSync(path, { recursive: true });
  Deno.writeTextFileSync(path, "in the way");
  s.server.clock.nowMs += 1000;
  s.server.core.cron();
  assert(s.log.includes("has been removed, and is made anew."));
  const refused = s.run("SET", "b", 2) as { error: string };
  assertMatch(refused.error, /^MISCONF Errors writing to the AOF file: (File exists|EEXIST)/);
  const before = s.server.logLines.length;
  for (let second = 0; second < 50; second++) {
    s.server.clock.nowMs += 1000;
    s.server.core.cron();
  }
  // Each second it is tried again: that is said once a minute.
  const lines = s.server.logLines.slice(before).filter((line) => !/triggered the limit/.test(line));
  assertEquals(lines, []);
  s.server.clock.nowMs += 10_000;
  s.server.core.cron();
  const again = s.server.logLines.slice(before).join("");
  assertEquals(again.match(/Can't open or create append-only dir appendonlydir/g)?.length, 1);
  Deno.removeSync(path);
  s.server.clock.nowMs += 1000;
  s.server.core.cron();
  assertEquals(s.run("SET", "b", 2), "OK");
  await rewritten(s);
  assertEquals(s.aof.isWaiting, false);
  assertEquals(
    s.manifest,
    "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
  );
  await assertReloads(s);
});

Deno.test("SHUTDOWN is refused while the first base is being written, unless it is forced", async () => {
  using s = new AofServer({ "rdb-key-save-delay": 1000, "save": [] });
  s.server.core.persistence.begin();
  for (let i = 0; i < 100; i++) s.run("SET", `key:${i}`, i);
  s.run("CONFIG", "SET", "appendonly", "yes");
  assertEquals(s.run("SHUTDOWN"), { error: "ERR Errors trying to SHUTDOWN. Check logs." });
  assert(s.log.includes("Writing initial AOF, can't exit."));
  s.server.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await rewritten(s);
  s.run("SHUTDOWN");
  assertEquals(s.server.exits, [0]);
});

Deno.test("CONFIG SET appendonly no gives up a rewrite, and leaves nothing unfinished behind", async () => {
  using s = new AofServer({ "rdb-key-save-delay": 10_000_000 });
  s.server.run("SET", "k", "v");
  assertEquals(s.server.run("CONFIG", "SET", "appendonly", "yes"), "OK");
  assertEquals(s.info("aof_rewrite_in_progress"), "1");
  assert(s.names.includes("temp-appendonly.aof.incr"));
  assertEquals(s.server.run("CONFIG", "SET", "appendonly", "no"), "OK");
  assertEquals(s.info("aof_rewrite_in_progress"), "0");
  assert(/Killing running AOF rewrite child: \d+/.test(s.log));
  assert(
    s.log.includes("Removing the temp incr aof file temp-appendonly.aof.incr in the background"),
  );
  await eventually(() => s.names.length === 0);
});

Deno.test("CONFIG SET rdb-key-save-delay acts at once, also on a pause that is under way", async () => {
  using s = await AofServer.start({ "rdb-key-save-delay": 10_000_000 });
  s.run("SET", "k", "v");
  s.run("BGREWRITEAOF");
  await eventually(() => s.names.some((name) => name.startsWith("temp-rewriteaof")));
  s.run("CONFIG", "SET", "rdb-key-save-delay", 0);
  await eventually(() => s.info("aof_rewrite_in_progress") === "0", { timeoutMs: 5_000 });
  assertEquals(s.info("aof_last_bgrewrite_status"), "ok");
});

Deno.test("a rewrite tells the log what Redis tells, in its order", async () => {
  using s = await AofServer.start({ "save": "" });
  s.run("SET", "a", 1);
  const before = s.server.logLines.length;
  s.run("BGREWRITEAOF");
  await rewritten(s);
  const lines = s.server.logLines.slice(before).map((line) =>
    line.replace(/^\S+ .{24} /, "").replace(/temp-\S+\.aof/, "TEMP").replace(/pid \d+/, "pid N")
      .trimEnd()
  );
  assertEquals(lines, [
    "* Creating AOF incr file appendonly.aof.2.incr.aof on background rewrite",
    "* Background append only file rewriting started by pid N",
    "* Successfully created the temporary AOF base file TEMP",
    "* Background AOF rewrite terminated with success",
    "* Successfully renamed the temporary AOF base file TEMP into appendonly.aof.2.base.rdb",
    "* Removing the history file appendonly.aof.1.incr.aof in the background",
    "* Removing the history file appendonly.aof.1.base.rdb in the background",
    "* Background AOF rewrite finished successfully",
  ]);
});
