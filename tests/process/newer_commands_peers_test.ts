/** What commands and options of Redis 8 do reaches a replica that is a redis-server 7.0, which knows none of them. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { startPeers } from "../support/replication_peers.ts";
import { textOf } from "../support/resp_client.ts";

const CALLS = [
  "SET k 1",
  "SET k 2 IFEQ 1",
  "SET k 3 IFNE 1 EX 1000",
  "SET k 4 IFDNE 0000000000000000 KEEPTTL",
  "SET k 5 IFEQ 4 GET PXAT 4000000000000",
  "SET gone v",
  "DELEX gone IFEQ v",
  "MSETEX 2 a 1 b 2",
  "MSETEX 2 a 3 c 4 PX 1000000",
  "MSETEX 2 a 5 d 6 KEEPTTL",
  ...Array.from({ length: 20 }, (_, i) => `XADD x ${i + 1}-0 f ${i}`),
  "XGROUP CREATE x g 0",
  "XGROUP CREATE x h 0",
  "XREADGROUP GROUP g one COUNT 15 STREAMS x >",
  "XREADGROUP GROUP h two COUNT 10 STREAMS x >",
  "XACK x g 1-0 2-0 5-0 6-0",
  "XACK x h 1-0 2-0 5-0",
  "XDELEX x ACKED IDS 2 1-0 6-0",
  "XDELEX x DELREF IDS 1 7-0",
  "XACKDEL x g DELREF IDS 1 8-0",
  "XACKDEL x g ACKED IDS 1 9-0",
  "XTRIM x MAXLEN 15 ACKED",
  "XTRIM x MINID 4-0 DELREF",
  "XADD x DELREF MAXLEN ~ 10 500-* f v",
  "XADD x ACKED MAXLEN 5 1000-* f v",
  "XADD x KEEPREF MAXLEN 8 2000-0 f v",
  "XACKDEL x h KEEPREF IDS 1 10-0",
];

Deno.test({
  name: "SET IFEQ, MSETEX, DELEX, XDELEX, XACKDEL and their like reach a replica of Redis 7.0",
  ignore: !hasRedisServer,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [master, replica] = await startPeers(stack, ["tsredis", "redis"]);
    using here = await master.connect();
    using there = await replica.connect();
    await there.call("REPLICAOF", "127.0.0.1", `${master.port}`);
    await eventually(async () =>
      textOf(await there.call("INFO", "replication")).includes("master_link_status:up")
    );
    for (const call of CALLS) {
      const reply = await here.call(...call.split(" "));
      assertEquals(reply.kind === "error" ? reply : null, null, call);
    }
    const asked = [
      ["DEBUG", "DIGEST"],
      ["XPENDING", "x", "g"],
      ["XPENDING", "x", "h"],
      ["XRANGE", "x", "-", "+"],
      ["XLEN", "x"],
      ["PEXPIRETIME", "k"],
      ["PEXPIRETIME", "a"],
    ];
    await here.call("WAIT", "1", "10000");
    for (const words of asked) {
      assertEquals(await there.call(...words), await here.call(...words), words.join(" "));
    }
  },
});
