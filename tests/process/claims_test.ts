/** Several server processes in one folder. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

for (
  const [what, name, args] of [
    ["dump.rdb", "dump.rdb", ["--save", "900 1"]],
    ["the append-only file", "appendonlydir/appendonly.aof", ["--save", "", "--appendonly", "yes"]],
  ] as const
) {
  Deno.test(`a second server that would write ${what} of a folder does not start, and names the first`, async () => {
    await using first = await startTsredis({ args: [...args] });
    using client = await first.connect();
    await client.call("SET", "k", "v");
    const info = await client.call("INFO", "server");
    const pid = "text" in info ? /process_id:(\d+)/.exec(info.text)?.[1] : undefined;
    await using second = await spawnTsredis({ args: [...args], dir: first.dir });
    assertEquals((await second.ended()).code, 1);
    const line = `${name} is written by another server (pid ${pid}).`;
    assert(second.log.includes(line), second.log);
    // The first one has not noticed, and its end, however it comes, makes room at once.
    assertEquals(await client.call("GET", "k"), { kind: "bulk", text: "v" });
    await first.stop("SIGKILL");
    await using third = await startTsredis({ args: [...args], dir: first.dir });
    assert(!third.log.includes("is written by another server"), third.log);
  });
}

Deno.test("append-only files with names of their own share a folder, through rewrites and restarts", async () => {
  const args = (name: string) => ["--save", "", "--appendonly", "yes", "--appendfilename", name];
  const names = ["one.aof", "two.aof"];
  await using first = await startTsredis({ args: args(names[0]) });
  const { dir } = first;
  await using second = await startTsredis({ args: args(names[1]), dir });
  for (const [i, server] of [first, second].entries()) {
    using client = await server.connect();
    await client.call("SET", "k", names[i]);
    await client.call("BGREWRITEAOF");
    await eventually(async () => {
      const info = await client.call("INFO", "persistence");
      return "text" in info && /aof_rewrites:1\r/.test(info.text) &&
        info.text.includes("aof_rewrite_in_progress:0");
    });
    await client.call("SET", "after", names[i]);
  }
  await first.stop();
  await second.stop();
  for (const name of names) {
    await using again = await startTsredis({ args: args(name), dir });
    using client = await again.connect();
    for (const key of ["k", "after"]) {
      assertEquals(await client.call("GET", key), { kind: "bulk", text: name });
    }
    assertEquals(await client.call("DBSIZE"), { kind: "integer", value: 2 });
  }
});
