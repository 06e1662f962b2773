/** Scripts that run for too long, over real sockets: pipelines, clients that leave, EXEC's reply. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { array, bulk, encode, integer, status } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

const LOOP = "for i = 1, 2e6 do end";

Deno.test("each request of a pipeline of long scripts is answered, also those that come meanwhile", async () => {
  await using s = await RunningServer.start("busy-reply-threshold 1");
  using client = await s.connect();
  const script = `${LOOP} return redis.call('incr', KEYS[1])`;
  const request = ["EVAL", script, "1", "k"];
  for (let round = 0; round < 5; round++) {
    await client.send(encode([request, request, request]));
    for (let i = 1; i <= 3; i++) assertEquals(await client.receive(), integer(4 * round + i));
    // A new read has begun long ago.
    assertEquals(await client.call("INCR", "k"), integer(4 * round + 4));
  }
});

Deno.test("EXEC with long scripts is answered whole, and what was asked behind it after it", async () => {
  await using s = await RunningServer.start("busy-reply-threshold 1");
  using client = await s.connect();
  const script = ["EVAL", `${LOOP} return redis.call('incr', 'k')`, "0"];
  const replies = await client.pipeline([["MULTI"], script, ["SET", "a", "b"], script, ["EXEC"], [
    "GET",
    "k",
  ]]);
  assertEquals(replies.slice(4), [array(integer(1), status("OK"), integer(2)), bulk("2")]);
});

Deno.test("a client that leaves while its script is under way leaves nothing behind", async () => {
  await using s = await RunningServer.start("busy-reply-threshold 1");
  using other = await s.connect();
  for (let i = 1; i <= 3; i++) {
    const client = await s.connect();
    await client.send(
      encode([["EVAL", "for i = 1, 3e7 do end return redis.call('incr', 'k')", "0"]]),
    );
    await eventually(() => s.core.scripts.isSuspended);
    client.close();
    await eventually(() => s.core.clients.count === 1);
    await eventually(() => !s.core.scripts.isSuspended);
    assertEquals(await other.call("GET", "k"), bulk(`${i}`));
    assertEquals(s.core.clients.blockedCount, 0);
  }
});
