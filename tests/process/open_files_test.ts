/** The server where the system allows few open files. */

import { assertEquals } from "@std/assert";
import { error } from "../support/resp_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { tsredisCommand } from "../support/tsredis_process.ts";

Deno.test({
  name: "under ulimit -n 100 the server keeps maxclients below that, where it may look",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await ServerProcess.start({
      name: "tsredis",
      command: ["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh", ...await tsredisCommand()],
      args: [],
    });
    using client = await server.connect();
    const info = await client.call("INFO", "server");
    // Deno's sandbox keeps /proc from the program, which then knows of no limit.
    if (info.kind !== "bulk" || !info.text.includes("bun_version:")) return;
    await server.untilLogged("maxclients has been reduced to 36");
    assertEquals(
      await client.call("CONFIG", "SET", "maxclients", "37"),
      error(
        "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system " +
          "is not able to handle the specified number of clients, try with 36",
      ),
    );
  },
});
