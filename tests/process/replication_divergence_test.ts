/**
 * A replica that parts from a real redis-server, and a master whose place a redis-server has taken: what the other side
 * sees of it, and that both are equal in the end.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import {
  ask,
  infoOf,
  inStep,
  linkUp,
  type Make,
  plain,
  replicate,
  startPeer,
  startPeers,
  withLog,
} from "../support/replication_peers.ts";

const makes: Make[] = hasRedisServer ? ["redis", "tsredis"] : ["tsredis"];

for (const make of makes) {
  Deno.test(`a replica on which a command fails is not counted by WAIT of its master, ${make}, and is in step again`, async () => {
    await using stack = new AsyncDisposableStack();
    const [master, replica] = await startPeers(stack, [make, "tsredis"]);
    await replicate(replica, master);
    await linkUp(replica);
    await ask(master, "SET", "other", "1");
    await inStep(master, replica);
    await ask(replica, "CONFIG", "SET", "replica-read-only", "no");
    await ask(replica, "SET", "k", "not a list");
    using client = await master.connect();
    // In one piece, as the full sync that is to heal begins a second later.
    await client.send("LPUSH k a\r\nWAIT 1 300\r\n");
    assertEquals([plain(await client.receive()), plain(await client.receive())], ["1", "0"]);
    await withLog([replica], () => eventually(() => replica.log.includes("CRITICAL")));
    await withLog([master, replica], () =>
      eventually(async () => {
        const info = await infoOf(replica);
        return info.master_stream_errors === "0" && info.master_link_status === "up";
      }, { timeoutMs: 30_000, what: "the replica to be healed" }));
    await inStep(master, replica);
    assertEquals((await infoOf(replica)).slave_priority, "100");
    await client.send("LPUSH k b\r\nWAIT 1 10000\r\n");
    assertEquals([plain(await client.receive()), plain(await client.receive())], ["2", "1"]);
  });

  Deno.test(`a master whose place a replica, ${make}, has taken saves what that does not have`, async () => {
    await using stack = new AsyncDisposableStack();
    const [old, next] = await startPeers(stack, ["tsredis", make]);
    await replicate(next, old);
    await linkUp(next);
    await ask(old, "SET", "shared", "1");
    await inStep(old, next);
    await ask(next, "REPLICAOF", "NO", "ONE");
    const { second_repl_offset, master_replid2 } = await infoOf(next);
    await ask(old, "SET", "lost", "1");
    await ask(next, "SET", "new", "1");
    await replicate(old, next);
    await linkUp(old);
    await inStep(next, old);
    const { diverged_tail_file, diverged_tail_commands } = await infoOf(old);
    assertEquals(
      [diverged_tail_file, diverged_tail_commands],
      [`diverged-${master_replid2}-${Number(second_repl_offset) - 1}.aof`, "1"],
    );
    const content = await Deno.readTextFile(`${old.dir}/${diverged_tail_file}`);
    assert(content.endsWith("*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$1\r\n1\r\n"), content);
  });

  Deno.test(`a master that was killed, and is started to follow the replica, ${make}, that took its place, saves what that does not have`, async () => {
    await using stack = new AsyncDisposableStack();
    const [old, next] = await startPeers(stack, ["tsredis", make], ["--appendonly", "yes"]);
    await replicate(next, old);
    await linkUp(next);
    await ask(old, "SET", "shared", "1");
    await inStep(old, next);
    await ask(next, "REPLICAOF", "NO", "ONE");
    const { second_repl_offset, master_replid2 } = await infoOf(next);
    await ask(old, "SET", "lost", "1");
    await old.stop("SIGKILL");
    const again = stack.use(
      await startPeer("tsredis", {
        args: ["--appendonly", "yes", "--replicaof", "127.0.0.1", `${next.port}`],
        dir: old.dir,
      }),
    );
    await linkUp(again);
    await inStep(next, again);
    const { diverged_tail_file } = await infoOf(again);
    assertEquals(
      diverged_tail_file,
      `diverged-${master_replid2}-${Number(second_repl_offset) - 1}.aof`,
    );
    const content = await Deno.readTextFile(`${again.dir}/${diverged_tail_file}`);
    assert(content.endsWith("*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$1\r\n1\r\n"), content);
  });
}
