/** Several server processes in one folder. */

import { assert, assertEquals } from "@std/assert";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

for (
  const [what, name, args] of [
    ["dump.rdb", "dump.rdb", ["--save", "900 1"]],
    ["the append-only file", "appendonlydir", ["--save", "", "--appendonly", "yes"]],
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
