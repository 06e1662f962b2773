/** The tests' own client, so that a failing test means the server. */

import { assertEquals, assertRejects } from "@std/assert";
import { eventually } from "./eventually.ts";
import { hasRedisServer, startRealRedis } from "./real_redis.ts";
import {
  array,
  bulk,
  connect,
  error,
  integer,
  NULL_BULK,
  type Reply,
  status,
} from "./resp_client.ts";

/** A server that answers the first bytes it gets with a fixed text, one byte per write. */
function cannedServer(answer: string): { port: number; done: Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    using conn = await listener.accept();
    listener.close();
    await conn.read(new Uint8Array(4_096));
    for (const char of answer) await conn.write(Uint8Array.of(char.charCodeAt(0)));
  })();
  return { port: (listener.addr as Deno.NetAddr).port, done };
}

Deno.test("RespClient reads every type of RESP2 and RESP3, cut at any byte", async () => {
  const server = cannedServer(
    "+OK\r\n-ERR no\r\n:-7\r\n:9223372036854775807\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n_\r\n,1.50\r\n#t\r\n" +
      "(123\r\n!5\r\nERR x\r\n=5\r\ntxt:a\r\n~1\r\n:1\r\n%1\r\n+k\r\n*2\r\n:1\r\n$0\r\n\r\n>1\r\n$1\r\n\xff\r\n",
  );
  using client = await connect(server.port);
  await client.send("x");
  const expected: Reply[] = [
    status("OK"),
    error("ERR no"),
    integer(-7),
    integer(9223372036854775807n),
    bulk("a\r\n"),
    NULL_BULK,
    { kind: "null", form: "*-1" },
    { kind: "null", form: "_" },
    { kind: "double", text: "1.50" },
    { kind: "boolean", value: true },
    { kind: "bigNumber", text: "123" },
    error("ERR x"),
    { kind: "verbatim", text: "txt:a" },
    { kind: "set", items: [integer(1)] },
    { kind: "map", entries: [[status("k"), array(integer(1), bulk(""))]] },
    { kind: "push", items: [bulk("\xff")] },
  ];
  for (const reply of expected) assertEquals(await client.receive(), reply);
  await assertRejects(() => client.receive(), Error, "closed the connection");
  await server.done;
});

Deno.test("eventually fails with what it waited for and what it saw last", async () => {
  let calls = 0;
  assertEquals(await eventually(() => ++calls === 3 && "done"), "done");
  await assertRejects(
    () => eventually(() => Promise.reject(new Error("not there")), { timeoutMs: 5, what: "Godot" }),
    Error,
    "waited 5 ms for Godot; last seen: Error: not there",
  );
});

Deno.test({
  name: "RespClient drives a real server: pipelines, errors, binary words, RESP3 pushes",
  ignore: !hasRedisServer,
  async fn() {
    await using server = await startRealRedis();
    using client = await server.connect();
    assertEquals(
      await client.pipeline([["SET", "k\0", Uint8Array.of(0, 255, 13, 10)], ["GET", "k\0"], [
        "LPOP",
      ]]),
      [status("OK"), bulk("\0\xff\r\n"), error("ERR wrong number of arguments for 'lpop' command")],
    );
    await client.call("HELLO", "3");
    await client.call("CLIENT", "TRACKING", "ON");
    await client.call("GET", "k\0");
    // The connection that tracks a key is told of its own write too, beside the reply.
    assertEquals(await client.call("SET", "k\0", "v"), status("OK"));
    await client.call("PING");
    assertEquals(client.pushes, [{
      kind: "push",
      items: [bulk("invalidate"), array(bulk("k\0"))],
    }]);
  },
});
