/** Pub/sub over real sockets: what subscribers get byte by byte, who is slow, who is gone. */

import { assert, assertEquals } from "@std/assert";
import { Listener, transcripts } from "../pubsub/transcript.ts";
import { eventually } from "../support/eventually.ts";
import { hasPythonRedis, pythonWithRedis } from "../support/real_redis.ts";
import { encode, integer, type Reply, textOf } from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

/** The text of an array's part. */
function partText(message: Reply, index: number): string {
  if (!("items" in message)) throw new Error(`no array: ${message.kind}`);
  return textOf(message.items[index]);
}

Deno.test("a session typed into telnet gets arrays of three and four parts", async () => {
  await using s = await RunningServer.start();
  using publisher = await s.connect();
  const person = await Listener.open(s.port);
  let expected = "";
  const shows = async (...parts: string[]) => {
    expected += parts.map((part) => part + "\r\n").join("");
    await person.until((text) => text.length >= expected.length, JSON.stringify(expected));
    assertEquals(person.text, expected);
  };
  await person.send("SUBSCRIBE chat_room\r\n");
  await shows("*3", "$9", "subscribe", "$9", "chat_room", ":1");
  assertEquals(await publisher.call("PUBLISH", "chat_room", "Hello, all"), integer(1));
  await shows("*3", "$7", "message", "$9", "chat_room", "$10", "Hello, all");
  await person.send("PSUBSCRIBE chat_*\r\n");
  await shows("*3", "$10", "psubscribe", "$6", "chat_*", ":2");
  assertEquals(await publisher.call("PUBLISH", "chat_room", "twice"), integer(2));
  const parts = ["$9", "chat_room", "$5", "twice"];
  await shows("*3", "$7", "message", ...parts, "*4", "$8", "pmessage", "$6", "chat_*", ...parts);
  await person.send("GET k\r\n");
  await shows(
    "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are " +
      "allowed in this context",
  );
  await person.send("PUNSUBSCRIBE chat_*\r\n");
  await shows("*3", "$12", "punsubscribe", "$6", "chat_*", ":1");
  await person.send("PUNSUBSCRIBE\r\n");
  await shows("*3", "$12", "punsubscribe", "$-1", ":1");
  await person.send("UNSUBSCRIBE\r\n");
  await shows("*3", "$11", "unsubscribe", "$9", "chat_room", ":0");
  assertEquals(await publisher.call("PUBLISH", "chat_room", "nobody"), integer(0));
  await person.send("QUIT\r\n");
  await shows("+OK");
  await person.close();
});

Deno.test("RESP3 subscribers get pushes between the replies to their own commands", async () => {
  await using s = await RunningServer.start();
  const got = await transcripts(s.port, [
    { on: "3a", send: ["SUBSCRIBE", "c"] },
    { on: "2p", send: ["PUBLISH", "c", "x"] },
    { on: "3a", send: ["SET", "k", "v"] },
    { on: "3a", send: ["PUBLISH", "c", "own"] },
  ]);
  const text = got["3a"].replace(/\$6\r\nmark\d+\.\r\n/g, "");
  const push = (kind: string, last: string) =>
    `>3\r\n$${kind.length}\r\n${kind}\r\n$1\r\nc\r\n${last}\r\n`;
  assertEquals(
    text,
    push("subscribe", ":1") + push("message", "$1\r\nx") + "+OK\r\n:1\r\n" +
      push("message", "$3\r\nown"),
  );
});

Deno.test("a subscriber that does not read is closed at its limit and slows nobody", async () => {
  await using s = await RunningServer.start("client-output-buffer-limit pubsub 4mb 0 0");
  const slow = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
  await slow.write(encode([["SUBSCRIBE", "c"]]));
  using quick = await s.connect();
  await quick.call("SUBSCRIBE", "c");
  await eventually(() => s.core.hub.subscriberCount(new Uint8Array([99]), 0, 1) === 2);
  using publisher = await s.connect();
  // Small messages and one large one a time, more than the system's buffers and the limit together.
  const large = "L".repeat(1 << 20);
  let sent = 0;
  while (s.core.statistics.outputBufferLimitDisconnections === 0 && sent < 200) {
    const small = Array.from({ length: 20 }, (_, i) => ["PUBLISH", "c", `m${i}`]);
    await publisher.pipeline([...small, ["PUBLISH", "c", large]]);
    sent++;
    for (let i = 0; i < 21; i++) {
      const message = await quick.receive();
      assert(partText(message, 2) === (i < 20 ? `m${i}` : large));
    }
  }
  assertEquals(s.core.statistics.outputBufferLimitDisconnections, 1);
  assert(s.hasLogged("overcoming of output buffer limits"));
  await eventually(() => s.core.hub.subscriberCount(new Uint8Array([99]), 0, 1) === 1);
  assertEquals(await publisher.call("PUBLISH", "c", "after"), integer(1));
  slow.close();
});

Deno.test("a subscriber that is gone is forgotten, CLIENT KILL TYPE pubsub finds the others", async () => {
  await using s = await RunningServer.start();
  using admin = await s.connect();
  const ears = await Promise.all([0, 1, 2].map(() => Listener.open(s.port)));
  for (const ear of ears) {
    await ear.send(["SUBSCRIBE", "c"]);
    await ear.until((text) => text.endsWith(":1\r\n"), "the confirmation");
  }
  await ears[0].close();
  await eventually(() => s.core.clients.count === 3, { what: "one to be gone" });
  assertEquals(await admin.call("PUBLISH", "c", "x"), integer(2));
  assertEquals(await admin.call("CLIENT", "KILL", "TYPE", "pubsub"), integer(2));
  await ears[1].until(() => false, "the end");
  assertEquals(ears[1].isClosed, true);
  assertEquals(await admin.call("PUBLISH", "c", "x"), integer(0));
  for (const ear of ears) await ear.close();
});

Deno.test("expired, evicted and changed keys are told of where notify-keyspace-events says so", async () => {
  await using s = await RunningServer.start("notify-keyspace-events Exe$");
  using client = await s.connect();
  using ear = await s.connect();
  await ear.call("PSUBSCRIBE", "__key*");
  const next = async () => {
    const message = await ear.receive();
    return `${partText(message, 2)} ${partText(message, 3)}`;
  };
  await client.call("SET", "k", "v", "PX", "1");
  assertEquals(await next(), "__keyevent@0__:set k");
  assertEquals(await next(), "__keyevent@0__:expired k");
  await client.call("SELECT", "3");
  await client.call("SET", "gone", "v");
  assertEquals(await next(), "__keyevent@3__:set gone");
  // A lower limit holds without a further command.
  await client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1");
  assertEquals(await next(), "__keyevent@3__:evicted gone");
  await client.call("CONFIG", "SET", "maxmemory", "0", "notify-keyspace-events", "");
  await client.call("SET", "k", "v");
  await client.call("PUBLISH", "__key", "last");
  assertEquals(await next(), "__key last");
});

const SCRIPT = `
import sys, redis
port = int(sys.argv[1])
publisher = redis.Redis(port=port, decode_responses=True)
p = redis.Redis(port=port, decode_responses=True).pubsub()
p.subscribe("first", "second")
def get(): return p.get_message(timeout=10)
assert get() == {"type": "subscribe", "pattern": None, "channel": "first", "data": 1}
assert get() == {"type": "subscribe", "pattern": None, "channel": "second", "data": 2}
assert publisher.publish("first", "hello") == 1
assert publisher.publish("second", "there") == 1
assert get() == {"type": "message", "pattern": None, "channel": "first", "data": "hello"}
assert get() == {"type": "message", "pattern": None, "channel": "second", "data": "there"}
p.psubscribe("f*")
assert get()["type"] == "psubscribe"
assert publisher.publish("first", "both") == 2
assert {get()["type"], get()["type"]} == {"message", "pmessage"}
p.ping()
assert get()["type"] == "pong"
assert publisher.pubsub_numsub("first", "x") == [("first", 1), ("x", 0)]
assert sorted(publisher.pubsub_channels()) == ["first", "second"]
assert publisher.pubsub_numpat() == 1
p.unsubscribe()
assert get()["type"] == "unsubscribe" and get()["type"] == "unsubscribe"
p.punsubscribe()
assert get()["type"] == "punsubscribe"
assert publisher.publish("first", "nobody") == 0
print("done")
`;

Deno.test({
  name: "redis-py: pubsub() subscribes, hears, pings and leaves",
  ignore: !hasPythonRedis,
  fn: async () => {
    await using s = await RunningServer.start();
    const { stdout, stderr } = await new Deno.Command(pythonWithRedis!, {
      args: ["-c", SCRIPT, `${s.port}`],
    }).output();
    const text = new TextDecoder();
    assertEquals(text.decode(stdout) + text.decode(stderr), "done\n");
  },
});
