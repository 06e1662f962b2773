/** The dataset across the end of the process: saved, killed, damaged, saved while it changes. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { integer, type RespClient, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

async function infoField(client: RespClient, name: string): Promise<string> {
  const text = textOf(await client.call("INFO", "persistence"));
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)?.[1] ?? "";
}

async function saved(client: RespClient): Promise<void> {
  await eventually(async () => await infoField(client, "rdb_bgsave_in_progress") === "0", {
    what: "the background save to end",
  });
}

function temporaryFiles(server: ServerProcess): string[] {
  return [...Deno.readDirSync(server.dir)].map(({ name }) => name)
    .filter((name) => name.startsWith("temp-"));
}

Deno.test("SIGTERM saves the dataset, and the next start has it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startTsredis({ dir });
    {
      using client = await server.connect();
      await client.call("SET", "k", "v");
    }
    assertEquals((await server.stop()).code, 0);
    await using again = await startTsredis({ dir });
    using client = await again.connect();
    assertEquals(textOf(await client.call("GET", "k")), "v");
    await again.untilLogged(/Loading RDB produced by version 7\.2\.4/);
    await again.untilLogged(/Done loading RDB, keys loaded: 1, keys expired: 0\./);
    await again.untilLogged(/DB loaded from disk: \d+\.\d{3} seconds/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a background save holds the dataset as of BGSAVE, while clients go on writing", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startTsredis({ dir, args: ["--save", ""] });
    {
      using client = await server.connect();
      const fields = Array.from({ length: 40_000 }, (_, i) => [`f${i}`, "old"]).flat();
      await client.call("HSET", "hash", ...fields);
      for (let i = 0; i < 20; i++) {
        const pairs = Array.from({ length: 2000 }, (_, j) => [`k${i * 2000 + j}`, "old"]).flat();
        await client.call("MSET", ...pairs);
      }
      await client.call("BGSAVE");
      // All of this comes before the walk can have ended, or after: the file must be the same.
      for (let i = 0; i < 40_000; i += 97) {
        await client.call("SET", `k${i}`, "new");
        await client.call("HSET", "hash", `f${i}`, "new");
        await client.call("DEL", `k${i + 1}`);
        await client.call("SET", `extra${i}`, "new");
      }
      await saved(client);
      assertEquals(await infoField(client, "rdb_last_bgsave_status"), "ok");
    }
    assertEquals(temporaryFiles(server), []);
    await server.stop("SIGKILL");
    await using again = await startTsredis({ dir, args: ["--save", ""] });
    using client = await again.connect();
    assertEquals(await client.call("DBSIZE"), integer(40_001));
    for (let i = 0; i < 40_000; i += 97) {
      assertEquals(textOf(await client.call("GET", `k${i}`)), "old");
      assertEquals(textOf(await client.call("GET", `k${i + 1}`)), "old");
      assertEquals(textOf(await client.call("HGET", "hash", `f${i}`)), "old");
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a damaged file keeps the server from starting, with the place in the log", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startTsredis({ dir });
    {
      using client = await server.connect();
      for (let i = 0; i < 100; i++) await client.call("SET", `key:${i}`, `value ${i}`);
      await client.call("SAVE");
    }
    await server.stop("SIGKILL");
    const bytes = await Deno.readFile(`${dir}/dump.rdb`);
    await Deno.writeFile(`${dir}/dump.rdb`, bytes.subarray(0, bytes.length >> 1));
    await using broken = await spawnTsredis({ dir });
    assertEquals((await broken.ended()).code, 1);
    assertMatch(broken.log, /Cannot load snapshot: unexpected end of file.* at byte \d+/);
    bytes[bytes.length >> 1] ^= 1;
    await Deno.writeFile(`${dir}/dump.rdb`, bytes);
    await using flipped = await spawnTsredis({ dir });
    assertEquals((await flipped.ended()).code, 1);
    assertMatch(flipped.log, /Cannot load snapshot: .* at byte \d+/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a save point saves by itself", async () => {
  await using server = await startTsredis({ args: ["--save", "1", "2"] });
  using client = await server.connect();
  await client.call("SET", "a", "1");
  await client.call("SET", "b", "1");
  await server.untilLogged("Background saving terminated with success");
  await server.untilLogged(/2 changes in 1 seconds\. Saving\.\.\./);
  assertEquals(await infoField(client, "rdb_changes_since_last_save"), "0");
});

Deno.test("a background save that fails stops writes until one goes well", async () => {
  await using server = await startTsredis({ args: ["--save", "10000", "1"] });
  using client = await server.connect();
  await client.call("SET", "k", "v");
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  assertEquals(textOf(await client.call("BGSAVE")), "Background saving started");
  await saved(client);
  assertEquals(await infoField(client, "rdb_last_bgsave_status"), "err");
  const refused = await client.call("SET", "k", "w");
  assert(refused.kind === "error" && refused.text.startsWith("MISCONF"), Deno.inspect(refused));
  assertEquals(textOf(await client.call("GET", "k")), "v");
  assertEquals(temporaryFiles(server), []);
  const save = await client.call("SAVE");
  assertEquals(save.kind, "error");
  await Deno.remove(`${server.dir}/dump.rdb`);
  await client.call("BGSAVE");
  await saved(client);
  assertEquals(await infoField(client, "rdb_last_bgsave_status"), "ok");
  assertEquals(textOf(await client.call("SET", "k", "w")), "OK");
});

Deno.test("FLUSHALL with save points leaves an empty file, also during a background save", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startTsredis({ dir });
    {
      using client = await server.connect();
      for (let i = 0; i < 1000; i++) await client.call("SET", `k${i}`, "v");
      await client.call("BGSAVE");
      await client.call("FLUSHALL");
      assertEquals(await infoField(client, "rdb_bgsave_in_progress"), "0");
    }
    await server.stop("SIGKILL");
    await using again = await startTsredis({ dir });
    using client = await again.connect();
    assertEquals(await client.call("DBSIZE"), integer(0));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("DEBUG RELOAD gives the dataset back, and refuses a damaged file without losing it", async () => {
  await using server = await startTsredis({ args: ["--enable-debug-command", "yes"] });
  using client = await server.connect();
  await client.call("RPUSH", "l", "a", "b");
  await client.call("SET", "k", "v", "PX", "100000");
  const digest = textOf(await client.call("DEBUG", "DIGEST"));
  assertEquals(textOf(await client.call("DEBUG", "RELOAD")), "OK");
  assertEquals(textOf(await client.call("DEBUG", "DIGEST")), digest);
  const bytes = await Deno.readFile(`${server.dir}/dump.rdb`);
  bytes[bytes.length - 1] ^= 1;
  await Deno.writeFile(`${server.dir}/dump.rdb`, bytes);
  const reply = await client.call("DEBUG", "RELOAD", "NOSAVE");
  assertEquals(reply.kind, "error");
  assertEquals(textOf(await client.call("DEBUG", "DIGEST")), digest);
});
