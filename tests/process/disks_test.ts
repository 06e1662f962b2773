/**
 * Disks that let the server down: full, not to be written to, or with the folder gone. The log says so, writes are
 * refused with MISCONF, everything else is answered, and when the disk is well again so is the server, without a
 * restart. What was acknowledged is there after a kill.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { canMount, MountedDisk } from "../support/mounted_disk.ts";
import { ask, askText, assertNoFaults, infoOf } from "../support/replication_peers.ts";
import { error, type Reply, type RespClient, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

const MB = 1024 * 1024;
/** More than what is left of the last block of a file. */
const VALUE = "v".repeat(10_000);
const NOT_SAVED = error(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to " +
    "disk. Commands that may modify the data set are disabled, because this instance is configured " +
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). " +
    "Please check the Redis logs for details about the RDB error.",
);
const notWritten = (problem: string) => error(`MISCONF Errors writing to the AOF file: ${problem}`);

const mounted = { ignore: !canMount };

function withAof(dir: string, ...more: string[]) {
  return { dir, args: ["--appendonly", "yes", "--save", "", ...more] };
}

async function persistence(server: ServerProcess, field: string): Promise<string> {
  return (await infoOf(server, "persistence"))[field];
}

async function write(client: RespClient, key: string): Promise<Reply> {
  return await client.call("SET", key, VALUE);
}

/** Kills a server: the next one on the same folder has these keys, each with its value. */
async function assertKept(
  server: ServerProcess,
  again: { dir: string; args: string[] },
  keys: string[],
): Promise<void> {
  assertNoFaults(server, /MISCONF/);
  await server.stop("SIGKILL");
  await using other = await startTsredis(again);
  using client = await other.connect();
  for (const key of keys) assertEquals(textOf(await client.call("GET", key)), VALUE, key);
  await other.stop("SIGKILL");
}

const OK: Reply = { kind: "status", text: "OK" };

Deno.test({
  ...mounted,
  name:
    "a full disk, appendfsync always: what is not on it is not acknowledged, and is when it has room again [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    const options = withAof(disk.path, "--appendfsync", "always");
    await using server = await startTsredis(options);
    using client = await server.connect();
    using other = await server.connect();
    assertEquals(await write(client, "before"), OK);
    disk.fill();
    let isAnswered = false;
    const waiting = write(client, "waiting").finally(() => isAnswered = true);
    await server.untilLogged("Error writing to the AOF file: No space left on device");
    assertEquals(await write(other, "refused"), notWritten("No space left on device"));
    assertEquals(textOf(await other.call("GET", "before")), VALUE);
    assertEquals(await persistence(server, "aof_last_write_status"), "err");
    assertEquals(isAnswered, false);
    disk.free();
    assertEquals(await waiting, OK);
    await server.untilLogged("AOF write error looks solved, Redis can write again.");
    assertEquals(await write(other, "after"), OK);
    assertEquals(await persistence(server, "aof_last_write_status"), "ok");
    await assertKept(server, options, ["before", "waiting", "after"]);
  },
});

Deno.test({
  ...mounted,
  name:
    "a replica whose disk is too small for the snapshot keeps its data, waits longer each time, and takes it once it fits [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    const debug = ["--enable-debug-command", "yes"];
    const atOnce = ["--repl-diskless-sync-delay", "0"];
    await using master = await startTsredis({ args: [...debug, ...atOnce] });
    using client = await master.connect();
    const noise = new Uint8Array(60_000);
    for (let i = 0; i < 60; i++) await client.call("SET", `k${i}`, crypto.getRandomValues(noise));
    await using replica = await startTsredis({ dir: disk.path, args: ["--save", "", ...debug] });
    using there = await replica.connect();
    await there.call("SET", "own", "value");
    await there.call("REPLICAOF", "127.0.0.1", `${master.port}`);
    await replica.untilLogged(
      /Failed trying to load the MASTER synchronization DB from disk: cannot write .*: No space left on device/,
    );
    await replica.untilLogged(
      `The dataset of MASTER 127.0.0.1:${master.port} cannot be taken over (2 in a row): ` +
        `the next full sync is tried in 2 seconds, or at once with REPLICAOF 127.0.0.1 ${master.port}`,
    );
    assertEquals(textOf(await there.call("GET", "own")), "value");
    assertEquals([...Deno.readDirSync(disk.path)].filter(({ name }) => /temp/.test(name)), []);
    // Received straight into memory it needs no disk.
    await there.call("CONFIG", "SET", "repl-diskless-load", "on-empty-db");
    await there.call("REPLICAOF", "127.0.0.1", `${master.port}`);
    await eventually(async () => (await infoOf(replica)).master_link_status === "up");
    assertEquals(
      await askText(replica, "DEBUG", "DIGEST"),
      await askText(master, "DEBUG", "DIGEST"),
    );
    assertNoFaults(replica);
  },
});

for (
  const [who, more] of [
    ["replica", []],
    // Its stream is one of its own, in files of their own.
    ["older replica", ["--rdb-version-for-replicas", "9"]],
  ] as [string, string[]][]
) {
  Deno.test({
    ...mounted,
    name:
      `a full disk: what a slow ${who} has not been sent makes room for what clients write [own disk]`,
    async fn() {
      using disk = new MountedDisk(16 * MB);
      const limits = ["--repl-backlog-spill-size", "1mb", "--repl-diskless-sync-delay", "0"];
      const options = withAof(disk.path, "--auto-aof-rewrite-percentage", "0", ...limits, ...more);
      await using server = await startTsredis(options);
      using client = await server.connect();
      using replica = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const encoder = new TextEncoder();
      await replica.write(encoder.encode("REPLCONF capa eof capa psync2\r\n"));
      await replica.read(new Uint8Array("+OK..".length));
      await replica.write(encoder.encode("PSYNC ? -1\r\n"));
      await server.untilLogged("Streamed replica with replica");
      if (more.length > 0) await server.untilLogged("The replication stream is translated");
      const long = "v".repeat(100_000);
      // The file and what the replica has not been sent grow by as much.
      for (let i = 0; i < 200 && !server.log.includes("is dropped"); i++) {
        await client.call("SET", "k", long);
      }
      await server.untilLogged("is dropped: what it has not been sent takes room on a disk");
      await server.untilLogged("those are gone");
      await eventually(async () => (await client.call("SET", "after", VALUE)).kind === "status");
      await server.untilLogged("AOF write error looks solved, Redis can write again.");
      await assertKept(server, options, ["after"]);
    },
  });
}

Deno.test({
  ...mounted,
  name:
    "a full disk, appendfsync everysec: writes are refused until what was answered is in the file [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    const options = withAof(disk.path, "--appendfsync", "everysec");
    await using server = await startTsredis(options);
    using client = await server.connect();
    assertEquals(await write(client, "before"), OK);
    disk.fill();
    // While a sync is under way what is written waits, and is answered.
    const written = ["before"];
    await eventually(async () => {
      const reply = await write(client, `w${written.length}`);
      if (reply.kind === "status") written.push(`w${written.length}`);
      return reply.kind === "error";
    });
    assertEquals(await write(client, "refused"), notWritten("No space left on device"));
    await server.untilLogged("Error writing to the AOF file: No space left on device");
    assertEquals(textOf(await client.call("GET", "before")), VALUE);
    disk.free();
    await eventually(async () => (await write(client, "after")).kind === "status");
    await server.untilLogged("AOF write error looks solved, Redis can write again.");
    await client.call("WAITAOF", "1", "0", "0");
    await assertKept(server, options, [...written, "after"]);
  },
});

Deno.test({
  ...mounted,
  name:
    "a disk without room for a rewrite: it fails and says so, writing goes on, and the next one works [own disk]",
  async fn() {
    using disk = new MountedDisk(4 * MB);
    const options = withAof(disk.path, "--appendfsync", "always", "--rdbcompression", "no");
    await using server = await startTsredis(options);
    using client = await server.connect();
    for (let i = 0; i < 100; i++) await write(client, `k${i}`);
    disk.fill(MB / 2);
    for (let tries = 1; tries <= 2; tries++) {
      await ask(server, "BGREWRITEAOF");
      await eventually(async () => await persistence(server, "aof_rewrite_in_progress") === "0");
      assertEquals(await persistence(server, "aof_last_bgrewrite_status"), "err");
      assertEquals(await persistence(server, "aof_rewrites_consecutive_failures"), `${tries}`);
      assertEquals(await write(client, `more${tries}`), OK);
    }
    await server.untilLogged(
      /No space left on device[^]*Background AOF rewrite terminated with error/,
    );
    await eventually(() => unfinished(disk.path).length === 0);
    disk.free();
    await ask(server, "BGREWRITEAOF");
    await eventually(async () => await persistence(server, "aof_last_bgrewrite_status") === "ok");
    assertEquals(await write(client, "after"), OK);
    await assertKept(server, options, ["k0", "k99", "more1", "more2", "after"]);
  },
});

Deno.test({
  ...mounted,
  name:
    "a full disk: BGSAVE fails, the file of before stays, and writes are refused until a save works [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    const options = {
      dir: disk.path,
      args: ["--save", "3600", "100000", "--rdbcompression", "no"],
    };
    await using server = await startTsredis(options);
    using client = await server.connect();
    await write(client, "saved");
    await ask(server, "SAVE");
    for (let i = 0; i < 100; i++) await write(client, `k${i}`);
    disk.fill(MB / 2);
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "err");
    await server.untilLogged("No space left on device");
    assertEquals(await write(client, "refused"), NOT_SAVED);
    assertEquals(textOf(await client.call("GET", "k1")), VALUE);
    assertEquals((await client.call("SAVE")).kind, "error");
    await eventually(() => unfinished(disk.path).length === 0);
    disk.free();
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "ok");
    assertEquals(await write(client, "after"), OK);
    await assertKept(server, options, ["saved", "k0", "k99"]);
  },
});

Deno.test({
  ...mounted,
  name: "a disk that cannot be written to: BGSAVE fails, and works when it can be [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    // Who saves holds a file open, and then the system does not let writes be forbidden.
    const options = { dir: disk.path, args: ["--save", ""] };
    await using server = await startTsredis(options);
    using client = await server.connect();
    await write(client, "k");
    disk.forbidWrites();
    await ask(server, "CONFIG", "SET", "save", "3600 100000");
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "err");
    await server.untilLogged("Read-only file system");
    assertEquals(await write(client, "refused"), NOT_SAVED);
    assertEquals(textOf(await client.call("GET", "k")), VALUE);
    disk.allowWrites();
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "ok");
    assertEquals(await write(client, "after"), OK);
    await assertKept(server, options, ["k"]);
  },
});

Deno.test({
  ...mounted,
  name:
    "a disk that cannot be written to: CONFIG SET appendonly yes is refused, and works when it can be [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    await using server = await startTsredis({ dir: disk.path, args: ["--save", ""] });
    using client = await server.connect();
    await write(client, "before");
    disk.forbidWrites();
    assertEquals((await client.call("CONFIG", "SET", "appendonly", "yes")).kind, "error");
    await server.untilLogged("Read-only file system");
    assertEquals(await persistence(server, "aof_enabled"), "0");
    assertEquals(await write(client, "meanwhile"), OK);
    disk.allowWrites();
    assertEquals(await client.call("CONFIG", "SET", "appendonly", "yes"), OK);
    await eventually(async () => await persistence(server, "aof_rewrite_in_progress") === "0");
    assertEquals(await write(client, "after"), OK);
    await client.call("WAITAOF", "1", "0", "0");
    await assertKept(server, withAof(disk.path), ["before", "meanwhile", "after"]);
  },
});

Deno.test({
  ...mounted,
  name:
    "a server with appendonly yes does not start on a disk that cannot be written to, and says why [own disk]",
  async fn() {
    using disk = new MountedDisk(2 * MB);
    disk.forbidWrites();
    await using server = await spawnTsredis(withAof(disk.path));
    assertEquals((await server.ended()).code, 1);
    assertMatch(
      server.log,
      /Can't open or create append-only dir appendonlydir: Read-only file system/,
    );
  },
});

for (const appendfsync of ["always", "everysec"]) {
  Deno.test(`the folder of the append-only file is removed, appendfsync ${appendfsync}: it is made anew`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "tsredis-test-" });
    const options = withAof(dir, "--appendfsync", appendfsync);
    try {
      await using server = await startTsredis(options);
      using client = await server.connect();
      await write(client, "before");
      await Deno.remove(`${dir}/appendonlydir`, { recursive: true });
      await server.untilLogged("has been removed, and is made anew");
      await server.untilLogged("Background AOF rewrite finished successfully");
      assertEquals(await write(client, "after"), OK);
      await client.call("WAITAOF", "1", "0", "0");
      await assertKept(server, options, ["before", "after"]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });

  Deno.test(`the server's folder is removed, appendfsync ${appendfsync}: writes are refused until it is back`, async () => {
    const top = await Deno.makeTempDir({ prefix: "tsredis-test-" });
    const dir = `${top}/data`;
    await Deno.mkdir(dir);
    const options = withAof(dir, "--appendfsync", appendfsync);
    try {
      await using server = await startTsredis(options);
      using client = await server.connect();
      await write(client, "before");
      await Deno.remove(dir, { recursive: true });
      await eventually(async () => (await write(client, "meanwhile")).kind === "error");
      assertEquals(await write(client, "refused"), notWritten("No such file or directory"));
      assertEquals(textOf(await client.call("GET", "before")), VALUE);
      await Deno.mkdir(dir);
      await eventually(async () => (await write(client, "after")).kind === "status");
      await eventually(async () => await persistence(server, "aof_rewrite_in_progress") === "0");
      await client.call("WAITAOF", "1", "0", "0");
      await assertKept(server, options, ["before", "after"]);
    } finally {
      await Deno.remove(top, { recursive: true });
    }
  });
}

Deno.test("the server's folder is removed: BGSAVE fails, and works when it is back", async () => {
  const top = await Deno.makeTempDir({ prefix: "tsredis-test-" });
  const dir = `${top}/data`;
  await Deno.mkdir(dir);
  const options = { dir, args: ["--save", "3600", "100000"] };
  try {
    await using server = await startTsredis(options);
    using client = await server.connect();
    await write(client, "k");
    await Deno.remove(dir, { recursive: true });
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "err");
    await server.untilLogged("No such file or directory");
    assertEquals(await write(client, "refused"), NOT_SAVED);
    assertEquals(await askText(server, "GET", "k"), VALUE);
    await Deno.mkdir(dir);
    await ask(server, "BGSAVE");
    await eventually(async () => await persistence(server, "rdb_last_bgsave_status") === "ok");
    assert((await write(client, "after")).kind === "status");
    await assertKept(server, options, ["k"]);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
});

/** What is there for as long as something is being written. */
function unfinished(dir: string): string[] {
  const folders = [dir, `${dir}/appendonlydir`];
  return folders.flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => name);
    } catch {
      return [];
    }
  }).filter((name) => name.startsWith("temp-"));
}
