/** The thread that writes snapshots, as the system sees it. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { startTsredis } from "../support/tsredis_process.ts";

/** The niceness of each thread of the server, by its id: the main thread's is the process's. */
async function nicenesses({ child: { pid } }: ServerProcess): Promise<Map<number, number>> {
  const script = `cat /proc/${pid}/task/*/stat`; // which tests may not read by themselves
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const found = new Map<number, number>();
  for (const stat of new TextDecoder().decode(stdout).trim().split("\n")) {
    // The thread's name, in parentheses, may itself hold spaces: fields are counted from its end.
    found.set(parseInt(stat), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]));
  }
  return found;
}

Deno.test({
  name: "the thread that writes snapshots lets others go first, and no other thread does",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await startTsredis();
    const own = (await nicenesses(server)).get(server.child.pid)!;
    await eventually(async () => {
      const others = [...(await nicenesses(server)).values()].filter((nice) => nice !== own);
      assertEquals(others, [Math.min(own + 5, 19)]);
      return true;
    });
  },
});
