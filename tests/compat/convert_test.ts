/**
 * What `tsredis convert` writes, loaded by real servers, and `tsredis diff` of a file and a running server: the
 * installed redis-server, and those of earlier versions where there are some (tests/support/old_redis.ts).
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { saveToBytes } from "../rdb/datasets.ts";
import { sampleServer } from "../rdb/version_samples.ts";
import { hasOldRedis, startOldRedis } from "../support/old_redis.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { runToolWith } from "../support/tool_runs.ts";
import { startTsredis } from "../support/tsredis_process.ts";
import { WorkFolder } from "../support/work_folder.ts";

interface Peer {
  readonly name: string;
  /** What ends the names of its tests: see tools/test.ts. */
  readonly suffix: string;
  /** The version of snapshots that it writes itself. */
  readonly version: number;
  readonly isThere: boolean;
  /** Whether its DEBUG DIGEST has scores in another form, as since 7.2. */
  readonly seesScoresOtherwise?: boolean;
  start(dir: string, ...args: string[]): Promise<ServerProcess>;
}

const DEBUG = ["--enable-debug-command", "yes"];
/** No waiting for further replicas before a snapshot begins. */
const AT_ONCE = ["--repl-diskless-sync-delay", "0"];

const PEERS: Peer[] = [
  { release: "2.8.24", version: 6 },
  { release: "3.0.7", version: 6 },
  { release: "3.2.13", version: 7 },
  { release: "4.0.14", version: 8 },
  { release: "5.0.14", version: 9 },
  { release: "6.2.14", version: 9 },
  { release: "7.2.4", version: 11 },
  { release: "7.4.1", version: 12 },
].map(({ release, version }): Peer => ({
  name: `redis-server ${release}`,
  suffix: " [old servers]",
  version,
  isThere: hasOldRedis(release),
  seesScoresOtherwise: version > 10,
  start: (dir, ...args) =>
    startOldRedis(release, { dir, args: [...AT_ONCE, ...(version > 9 ? DEBUG : []), ...args] }),
}));
PEERS.push({
  name: "redis-server",
  suffix: "",
  version: 10,
  isThere: hasRedisServer,
  start: (dir, ...args) => startRealRedis({ dir, args: [...AT_ONCE, ...DEBUG, ...args] }),
}, {
  name: "tsredis",
  suffix: "",
  version: 12,
  isThere: true,
  start: (dir, ...args) =>
    startTsredis({ dir, args: ["--save", "", ...AT_ONCE, ...DEBUG, ...args] }),
});

async function convert(...words: string[]): Promise<void> {
  const { exitCode, remarks } = await runToolWith(["convert", ...words]);
  assertEquals(exitCode, 0, remarks);
}

async function diff(...words: string[]): Promise<string> {
  const { exitCode, output, remarks } = await runToolWith(["diff", ...words]);
  assert(exitCode < 2, remarks);
  return output;
}

for (const { name, suffix, version, isThere, seesScoresOtherwise, start } of PEERS) {
  Deno.test({
    name:
      `convert: ${name} loads a snapshot of version ${version}, and diff finds it the same${suffix}`,
    ignore: !isThere,
    async fn() {
      using folder = new WorkFolder();
      const { keyspace } = sampleServer(version);
      const path = folder.write("sample.rdb", saveToBytes(keyspace, { version: 12 }));
      await convert(path, folder.at("dump.rdb"), "--rdb-version", `${version}`);
      await using server = await start(folder.path);
      using client = await server.connect();
      if (!seesScoresOtherwise) {
        assertEquals(textOf(await client.call("DEBUG", "DIGEST")), datasetDigest(keyspace));
      }
      const address = `127.0.0.1:${server.port}`;
      assertStringIncludes(await diff(path, address), " 0 different, 0 only in A, 0 only in B");

      const scanned = await diff("--scan", "--expiry-tolerance", "50", path, address);
      assertStringIncludes(scanned, " 0 different, 0 only in A, 0 only in B");

      await client.call("SET", "another", "key");
      assertStringIncludes(await diff("--scan", path, address), 'only in B: "another" (string)\n');
      assertStringIncludes(await diff(path, address), 'only in B: "another" (string)\n');
      assertStringIncludes(await diff(address, path), 'only in A: "another" (string)\n');
    },
  });

  Deno.test({
    name: `convert: ${name} loads an append-only file, and diff finds it the same${suffix}`,
    ignore: !isThere,
    async fn() {
      using folder = new WorkFolder();
      const path = folder.write(
        "sample.rdb",
        saveToBytes(sampleServer(version).keyspace, { version: 12 }),
      );
      const log = folder.at("appendonly.aof");
      await convert(path, log, "--aof", "--rdb-version", `${version}`);
      await using server = await start(folder.path, "--appendonly", "yes");
      assertStringIncludes(
        await diff(path, `127.0.0.1:${server.port}`),
        " 0 different, 0 only in A, 0 only in B",
      );
    },
  });
}

Deno.test({
  name: "diff: a server that asks for a password is told it, by the address or REDISCLI_AUTH",
  ignore: !hasRedisServer,
  async fn() {
    using folder = new WorkFolder();
    const path = folder.write("empty.rdb", saveToBytes(sampleServer(6).keyspace));
    await using server = await startRealRedis({ args: [...AT_ONCE, "--requirepass", "a secret"] });
    using client = await server.connect();
    await client.call("AUTH", "a secret");
    await client.call("ACL", "SETUSER", "copier", "on", ">p@ss", "+psync", "+sync", "+replconf");
    await client.call("ACL", "SETUSER", "nobody", "on", ">none", "+get");
    const at = `127.0.0.1:${server.port}`;
    const ask = (address: string) => runToolWith(["diff", path, address]);
    assertEquals((await ask(`redis://:a%20secret@${at}`)).exitCode, 1);
    assertEquals((await ask(`redis://copier:p%40ss@${at}`)).exitCode, 1);
    const refused = await ask(at);
    assertEquals(refused.exitCode, 3);
    assertStringIncludes(refused.remarks, `tsredis diff: ${at}: NOAUTH`);
    assertStringIncludes((await ask(`redis://:wrong@${at}`)).remarks, `${at}: WRONGPASS`);
    const powerless = await ask(`redis://nobody:none@${at}`);
    assertEquals(powerless.exitCode, 3);
    assertStringIncludes(powerless.remarks, "NOPERM");
  },
});

Deno.test({
  name: "diff: a user who may not SYNC can have a server asked key by key, functions included",
  ignore: !hasRedisServer,
  async fn() {
    using folder = new WorkFolder();
    await using server = await startRealRedis();
    using client = await server.connect();
    await client.call("SET", "k", "v", "PXAT", "4000000000000");
    await client.call("SELECT", "3");
    for (let i = 0; i < 3_000; i++) await client.call("SET", `key:${i}`, `${i}`);
    const library = "#!lua name=lib\nredis.register_function('f', function() end)";
    await client.call("FUNCTION", "LOAD", library);
    await client.call("ACL", "SETUSER", "reader", "on", ">p", "~*", "+@all", "-sync", "-psync");
    await client.call("ACL", "SETUSER", "blind", "on", ">p", "~*", "+@all", "-function");
    const at = `127.0.0.1:${server.port}`;
    const all = folder.at("all.rdb");
    await client.call("SAVE");
    await Deno.copyFile(`${server.dir}/dump.rdb`, all);
    const ask = (address: string, ...options: string[]) =>
      runToolWith(["diff", ...options, "--expiry-tolerance", "0", all, `redis://${address}`]);

    const refused = await ask(`reader:p@${at}`);
    assertEquals(refused.exitCode, 3);
    assertStringIncludes(refused.remarks, "NOPERM");
    assertStringIncludes(refused.remarks, "--scan");
    const { exitCode, output } = await ask(`reader:p@${at}`, "--scan");
    assertEquals([exitCode, output], [
      0,
      "3001 keys the same, 0 different, 0 only in A, 0 only in B\n",
    ]);
    const blind = await ask(`blind:p@${at}`, "--scan");
    assertEquals(blind.exitCode, 3);
    assertStringIncludes(blind.remarks, `${at}: FUNCTION: NOPERM`);
  },
});

Deno.test("diff: a server that is not there is an error, and leaves no file", async () => {
  using folder = new WorkFolder();
  const path = folder.write("empty.rdb", saveToBytes(sampleServer(6).keyspace));
  const { exitCode, remarks } = await runToolWith(["diff", path, "127.0.0.1:1"]);
  assertEquals(exitCode, 3);
  assertStringIncludes(remarks, "127.0.0.1:1: Connection refused");
});
