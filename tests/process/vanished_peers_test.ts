/** Connections whose other end is gone before the server has looked at them. */

import { assertEquals } from "@std/assert";
import { integer } from "../support/resp_client.ts";
import { startTsredis } from "../support/tsredis_process.ts";
import { connectNodePeer } from "../runtime/node_peer.ts";

Deno.test({
  name: "connections that were reset before they are accepted harm nobody",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using server = await startTsredis();
    using client = await server.connect();
    // While it is stopped, the system takes the connections for it.
    server.child.kill("SIGSTOP");
    for (let i = 0; i < 50; i++) (await connectNodePeer(server.port)).reset();
    const peer = await connectNodePeer(server.port);
    peer.close();
    server.child.kill("SIGCONT");
    assertEquals(await client.call("DBSIZE"), integer(0));
    using another = await server.connect();
    assertEquals(await another.call("DBSIZE"), integer(0));
  },
});
