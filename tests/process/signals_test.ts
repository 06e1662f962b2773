/** What signals do to the process, and what the end of it does to the data. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { integer, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

const KEYS = 300;
/** With a save that takes three seconds. */
const SLOW = ["--save", "3600 1", "--rdb-key-save-delay", "10000"];

async function inFolder(check: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "tsredis-test-" });
  try {
    await check(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Names in its folder, without those that only say who writes there. */
function filesOf(server: ServerProcess): string[] {
  return [...Deno.readDirSync(server.dir)].map(({ name }) => name)
    .filter((name) => !name.endsWith(".lock")).sort();
}

async function fill(server: ServerProcess, value: string): Promise<void> {
  using client = await server.connect();
  const pairs = Array.from({ length: KEYS }, (_, i) => [`k${i}`, value]).flat();
  assertEquals(textOf(await client.call("MSET", ...pairs)), "OK");
}

/** Sends the signal that begins the end, and waits until the save is in its midst. */
async function beginEnd(server: ServerProcess, signal: Deno.Signal): Promise<void> {
  server.child.kill(signal);
  await eventually(() => filesOf(server).some((name) => name.startsWith("temp-")));
  await server.untilLogged("Saving the final RDB snapshot before exiting.");
}

Deno.test("SIGHUP and SIGALRM do not end the server", async () => {
  await using server = await startTsredis();
  using client = await server.connect();
  await client.call("SET", "k", "v");
  for (const signal of ["SIGHUP", "SIGALRM", "SIGHUP"] as const) server.child.kill(signal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(textOf(await client.call("GET", "k")), "v");
});

Deno.test("a second SIGINT ends a saving server at once, and the old file is whole", () =>
  inFolder(async (dir) => {
    {
      await using server = await startTsredis({ dir });
      await fill(server, "old");
      assertEquals((await server.stop()).code, 0);
    }
    const old = await Deno.readFile(`${dir}/dump.rdb`);
    await using server = await startTsredis({ dir, args: SLOW });
    await fill(server, "new");
    await beginEnd(server, "SIGINT");
    server.child.kill("SIGINT");
    assertEquals((await server.ended()).code, 1);
    assertStringIncludes(server.log, "# You insist... exiting now.\n");
    assertEquals(filesOf(server), ["dump.rdb"]);
    assertEquals(await Deno.readFile(`${dir}/dump.rdb`), old);
  }));

for (const signals of [["SIGINT"], ["SIGINT", "SIGTERM"], ["SIGTERM", "SIGTERM"]] as const) {
  Deno.test(`${signals.join(" and ")} save the dataset of that moment, however long it takes`, () =>
    inFolder(async (dir) => {
      {
        await using server = await startTsredis({ dir, args: SLOW });
        await fill(server, "old");
        using writer = await server.connect();
        using reader = await server.connect();
        await beginEnd(server, signals[0]);
        for (const signal of signals.slice(1)) server.child.kill(signal);
        // As while a real server saves: nobody is answered, so nobody is told of a write that is lost.
        const answers = [writer.call("SET", "k0", "new"), reader.call("GET", "k0")];
        const outcomes = Promise.allSettled(answers);
        assertEquals((await server.ended()).code, 0);
        for (const { status } of await outcomes) assertEquals(status, "rejected");
        assertMatch(server.log, /DB saved on disk\n.*ready to exit, bye bye\.\.\.\n$/);
        assertEquals(filesOf(server), ["dump.rdb"]);
      }
      await using again = await startTsredis({ dir });
      using client = await again.connect();
      assertEquals(await client.call("DBSIZE"), integer(KEYS));
      assertEquals(textOf(await client.call("GET", "k0")), "old");
    }));
}

Deno.test("a server that cannot save stays, says why, and serves on", async () => {
  await using server = await startTsredis({ args: ["--save", "3600 1"] });
  using client = await server.connect();
  await client.call("SET", "k", "v");
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  assertEquals(textOf(await client.call("CLIENT", "PAUSE", "100000", "WRITE")), "OK");
  server.child.kill("SIGTERM");
  await server.untilLogged("Errors trying to shut down the server.");
  await server.untilLogged(
    /Error moving temp DB file \S+ on the final destination dump\.rdb \(.*\): Is a directory\n/,
  );
  await server.untilLogged("# Error trying to save the DB, can't exit.\n");
  // What was paused before still is.
  using writer = await server.connect();
  const written = writer.call("SET", "k", "w");
  assertEquals(textOf(await client.call("GET", "k")), "v");
  assertEquals(textOf(await client.call("CLIENT", "UNPAUSE")), "OK");
  assertEquals(textOf(await written), "OK");
  const refused = await client.call("SHUTDOWN");
  assertEquals(refused, { kind: "error", text: "ERR Errors trying to SHUTDOWN. Check logs." });
  assertEquals(textOf(await client.call("GET", "k")), "w");
  assertEquals(filesOf(server), ["dump.rdb"]);
  // Whoever insists gets out without a file.
  client.call("SHUTDOWN", "FORCE").catch(() => {});
  assertEquals((await server.ended()).code, 0);
});

Deno.test("SIGTERM while the dataset is loaded ends the server and leaves the file alone", () =>
  inFolder(async (dir) => {
    {
      await using server = await startTsredis({ dir });
      await fill(server, "v");
      await server.stop();
    }
    const file = await Deno.readFile(`${dir}/dump.rdb`);
    await using server = await spawnTsredis({ dir, args: ["--key-load-delay", "100000"] });
    await eventually(() => server.log.includes("RDB memory usage when created"));
    assertEquals((await server.stop()).code, 0);
    assertStringIncludes(
      server.log,
      "Received shutdown signal during loading, scheduling shutdown.",
    );
    assertEquals(await Deno.readFile(`${dir}/dump.rdb`), file);
  }));

Deno.test("replicas go on where they were after a master's end that took long to save", () =>
  inFolder(async (dir) => {
    const args = [...SLOW, "--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0"];
    await using replica = await startTsredis();
    using client = await replica.connect();
    await using master = await startTsredis({ dir, args });
    const { port } = master;
    await fill(master, "v");
    await client.call("REPLICAOF", "127.0.0.1", `${port}`);
    await eventually(async () => textOf(await client.call("INFO")).includes("link_status:up"), {
      timeoutMs: 20_000,
    });
    assertEquals((await master.stop()).code, 0);
    await using again = await spawnTsredis({ dir, args: ["--port", `${port}`] });
    await eventually(() => /Partial resynchronization request .* accepted/.test(again.log), {
      timeoutMs: 20_000,
    });
    assert(!again.log.includes("Full resync"), again.log);
  }));

Deno.test("SIGTERM does not end a server with a key that rdb-version cannot hold, and the log names it", () =>
  inFolder(async (dir) => {
    await using server = await startTsredis({
      dir,
      args: ["--save", "3600 1", "--rdb-version", "6"],
    });
    await fill(server, "v");
    using client = await server.connect();
    await client.call("XADD", "stream", "1-1", "f", "v");
    server.child.kill("SIGTERM");
    await server.untilLogged("Errors trying to shut down the server.");
    assertStringIncludes(server.log, 'RDB version 6 cannot hold the stream "stream" (database 0)');
    assertEquals(filesOf(server), []);
    assertEquals(await client.call("DBSIZE"), integer(KEYS + 1));
    await client.call("CONFIG", "SET", "rdb-version-lossy", "yes");
    assertEquals((await server.stop()).code, 0);
    assertStringIncludes(server.log, '"stream" (database 0): it is left out of the snapshot');
    assertEquals(filesOf(server), ["dump.rdb"]);
    const head = (await Deno.readFile(`${dir}/dump.rdb`)).subarray(0, 9);
    assertEquals(new TextDecoder().decode(head), "REDIS0006");
  }));
