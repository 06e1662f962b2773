/** Where a running server listens, by whichever runtime it is. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { RespClient, status } from "../support/resp_client.ts";
import { startTsredis } from "../support/tsredis_process.ts";

/** Whether somebody listens there, whatever happens to the connection then. */
async function isOpen(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("CONFIG SET bind listens anew: what is no longer named is not open to anybody", async () => {
  await using s = await startTsredis({ args: ["--bind", "*", "-::*", "--protected-mode", "no"] });
  using client = new RespClient(await Deno.connect({ hostname: "127.0.0.1", port: s.port }));
  const hosts = ["127.0.0.1", "127.0.0.2"];
  for (
    const [bind, ...open] of [
      ["* -::*", true, true],
      ["127.0.0.1", true, false],
      ["127.0.0.2", false, true],
      ["* -::*", true, true],
      ["127.0.0.1 -::1", true, false],
      ["*", true, true],
      ["127.0.0.1", true, false],
    ]
  ) {
    assertEquals(await client.call("CONFIG", "SET", "bind", `${bind}`), status("OK"));
    await eventually(async () => {
      assertEquals(await Promise.all(hosts.map((host) => isOpen(host, s.port))), open, `${bind}`);
      return true;
    }, { what: `bind ${bind}` });
  }
});
