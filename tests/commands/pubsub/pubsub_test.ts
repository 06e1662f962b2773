import { assert, assertEquals } from "@std/assert";
import { testServer, type Value } from "../../support/test_server.ts";

const only = (name: string) => ({
  error: `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / ` +
    "RESET are allowed in this context",
});

for (const resp of [2, 3]) {
  Deno.test(`SUBSCRIBE confirms each channel and counts them with patterns, RESP${resp}`, () => {
    const s = testServer();
    const c = s.connect(resp);
    assertEquals(c.runAll("SUBSCRIBE", "a", "b", "a"), [
      ["subscribe", "a", 1],
      ["subscribe", "b", 2],
      ["subscribe", "a", 2],
    ]);
    assertEquals(c.runAll("PSUBSCRIBE", "a*"), [["psubscribe", "a*", 3]]);
    assertEquals(c.runAll("SSUBSCRIBE", "a"), [["ssubscribe", "a", 1]]);
    assertEquals(s.run("PUBLISH", "a", "x"), 2);
    assertEquals(c.received(), [["message", "a", "x"], ["pmessage", "a*", "a", "x"]]);
    assertEquals(s.run("SPUBLISH", "a", "y"), 1);
    assertEquals(c.received(), [["smessage", "a", "y"]]);
  });

  Deno.test(`UNSUBSCRIBE without words ends all, in order; null when there is none, RESP${resp}`, () => {
    const s = testServer();
    const c = s.connect(resp);
    for (const prefix of ["", "P", "S"]) {
      const reply = `${prefix.toLowerCase()}unsubscribe`;
      c.run(`${prefix}SUBSCRIBE`, "b", "a", "c");
      assertEquals(c.runAll(`${prefix}UNSUBSCRIBE`), [
        [reply, "b", 2],
        [reply, "a", 1],
        [reply, "c", 0],
      ]);
      assertEquals(c.runAll(`${prefix}UNSUBSCRIBE`), [[reply, null, 0]]);
      assertEquals(c.runAll(`${prefix}UNSUBSCRIBE`, "x", "y"), [[reply, "x", 0], [reply, "y", 0]]);
    }
    assertEquals(s.run("PUBLISH", "a", "x"), 0);
    assertEquals(c.run("GET", "k"), null);
  });
}

Deno.test("confirmations and messages are pushes in RESP3, arrays in RESP2", () => {
  const s = testServer();
  for (const [resp, sign] of [[2, "*"], [3, ">"]] as const) {
    const { client } = s.connect(resp);
    const hub = s.hub;
    hub.subscribe(client, new Uint8Array([97]), 0, 1);
    s.run("PUBLISH", "a", "x");
    const chunk = client.reply.takeChunk()!;
    assertEquals(String.fromCharCode(chunk[0]), sign);
  }
});

Deno.test("a RESP2 client with any subscription runs the commands of its mode only", () => {
  const s = testServer();
  for (const kind of ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]) {
    const c = s.connect();
    c.run(kind, "a");
    assertEquals(c.run("GET", "k"), only("get"));
    assertEquals(c.run("HELLO", "3"), only("hello"));
    assertEquals(c.run("CLIENT", "LIST"), only("client|list"));
    assertEquals(c.run("PING"), ["pong", ""]);
    assertEquals(c.run("PING", "x"), ["pong", "x"]);
    assertEquals(c.run(kind.replace("SUB", "UNSUB"), "a")?.toString().slice(-2), ",0");
    assertEquals(c.run("GET", "k"), null);
    assertEquals(c.run("PING"), "PONG");
  }
});

Deno.test("a RESP3 client runs everything while subscribed, until HELLO 2", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("SUBSCRIBE", "a");
  assertEquals(c.run("GET", "k"), null);
  assertEquals(c.run("PING"), "PONG");
  c.run("HELLO", "2");
  assertEquals(c.run("GET", "k"), only("get"));
  s.run("PUBLISH", "a", "x");
  assertEquals(c.received(), [["message", "a", "x"]]);
});

Deno.test("RESET ends all subscriptions without a word about them", () => {
  const s = testServer();
  const c = s.connect();
  c.run("SUBSCRIBE", "a");
  c.run("PSUBSCRIBE", "b");
  c.run("SSUBSCRIBE", "c");
  assertEquals(c.runAll("RESET"), ["RESET"]);
  assertEquals(c.run("PING"), "PONG");
  assertEquals(s.run("PUBSUB", "CHANNELS"), []);
  assertEquals(s.run("PUBSUB", "NUMPAT"), 0);
  assertEquals(s.run("PUBSUB", "SHARDCHANNELS"), []);
});

Deno.test("what a client publishes to itself comes after the reply, as in 7.2", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("SUBSCRIBE", "a");
  assertEquals(c.runAll("PUBLISH", "a", "x"), [1, ["message", "a", "x"]]);
  c.run("MULTI");
  c.run("PUBLISH", "a", "1");
  c.run("PUBLISH", "a", "2");
  c.run("SUBSCRIBE", "b");
  const replies: Value[] = c.runAll("EXEC");
  assertEquals(replies.length, 3);
  assertEquals(replies.slice(1), [["message", "a", "1"], ["message", "a", "2"]]);
  assertEquals((replies[0] as Value[])[2], ["subscribe", "b", 2]);
});

Deno.test("CLIENT REPLY OFF and SKIP keep confirmations and messages", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("CLIENT", "REPLY", "OFF");
  assertEquals(c.runAll("SUBSCRIBE", "a", "b"), [["subscribe", "a", 1], ["subscribe", "b", 2]]);
  assertEquals(c.runAll("GET", "k"), []);
  assertEquals(c.runAll("PUBLISH", "a", "x"), [["message", "a", "x"]]);
  assertEquals(c.runAll("UNSUBSCRIBE"), [["unsubscribe", "a", 1], ["unsubscribe", "b", 0]]);
  c.run("CLIENT", "REPLY", "ON");
  c.run("CLIENT", "REPLY", "SKIP");
  assertEquals(c.runAll("SUBSCRIBE", "a"), [["subscribe", "a", 1]]);
  assertEquals(c.runAll("GET", "k"), [null]);
});

Deno.test("in a transaction SUBSCRIBE answers in its place, SSUBSCRIBE is refused", () => {
  const s = testServer();
  const c = s.connect();
  c.run("MULTI");
  c.run("SUBSCRIBE", "a");
  c.run("GET", "k");
  c.run("SSUBSCRIBE", "a");
  assertEquals(c.run("EXEC"), [
    ["subscribe", "a", 1],
    null,
    { error: "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client" },
  ]);
  assertEquals(c.run("GET", "k"), only("get"));
});

Deno.test("PUBLISH and SPUBLISH enter the stream of writes as they came, once, heard or not", () => {
  const s = testServer();
  s.propagated();
  s.run("PUBLISH", "a", "b");
  assertEquals(s.propagated(), ["SELECT 0", "PUBLISH a b"]);
  const c = s.connect();
  c.run("PSUBSCRIBE", "*");
  s.run("publish", "a", "c");
  s.run("SPUBLISH", "a", "d");
  assertEquals(s.propagated(), ["publish a c", "SPUBLISH a d"]);
  s.run("MULTI");
  s.run("SET", "k", "v");
  s.run("PUBLISH", "a", "e");
  assertEquals(s.run("EXEC"), ["OK", 1]);
  assertEquals(s.propagated(), ["MULTI", "SET k v", "PUBLISH a e", "EXEC"]);
  assertEquals(s.keyspace.dirty, 1);
});

Deno.test("PUBSUB tells channels, numbers of subscribers and of patterns", () => {
  const s = testServer();
  const [one, two] = [s.connect(), s.connect()];
  one.run("SUBSCRIBE", "a", "b");
  two.run("SUBSCRIBE", "b");
  one.run("PSUBSCRIBE", "p*", "q*");
  two.run("PSUBSCRIBE", "p*");
  one.run("SSUBSCRIBE", "s1", "s2");
  assertEquals((s.run("PUBSUB", "CHANNELS") as string[]).sort(), ["a", "b"]);
  assertEquals(s.run("PUBSUB", "CHANNELS", "[b]"), ["b"]);
  assertEquals(s.run("PUBSUB", "NUMSUB", "b", "x", "a"), ["b", 2, "x", 0, "a", 1]);
  assertEquals(s.run("PUBSUB", "NUMSUB"), []);
  assertEquals(s.run("PUBSUB", "NUMPAT"), 2);
  assertEquals(s.run("PUBSUB", "SHARDCHANNELS", "*2"), ["s2"]);
  assertEquals(s.run("PUBSUB", "SHARDNUMSUB", "s1", "a"), ["s1", 1, "a", 0]);
  assertEquals((s.run("PUBSUB", "HELP") as string[]).length > 5, true);
  assertEquals(s.run("PUBSUB", "CHANNELS", "a", "b"), {
    error: "ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.",
  });
});

Deno.test("subscriptions show in CLIENT LIST, by TYPE and in the memory of a client", () => {
  const s = testServer();
  const c = s.connect();
  const before = c.client.memoryBytes;
  c.run("SUBSCRIBE", "a".repeat(1000), "b");
  c.run("PSUBSCRIBE", "p");
  c.run("SSUBSCRIBE", "s");
  const list = s.run("CLIENT", "LIST", "TYPE", "pubsub") as string;
  assertEquals(list.split("\n").length, 2);
  assert(/ flags=P .* sub=2 psub=1 ssub=1 /.test(list), list);
  assert(c.client.memoryBytes > before + 1000);
  c.run("UNSUBSCRIBE");
  c.run("PUNSUBSCRIBE");
  c.run("SUNSUBSCRIBE");
  assertEquals(s.run("CLIENT", "LIST", "TYPE", "pubsub"), "");
  assert(c.client.memoryBytes < before + 100);
});

const REFUSED = [
  "SUBSCRIBE",
  "PSUBSCRIBE",
  "SSUBSCRIBE",
  "PUBLISH a",
  "SPUBLISH a",
  "PUBLISH a b c",
];
for (const line of REFUSED) {
  Deno.test(`${line} has a wrong number of words`, () => {
    const s = testServer();
    const words = line.split(" ");
    assertEquals(s.run(...words), {
      error: `ERR wrong number of arguments for '${words[0].toLowerCase()}' command`,
    });
    assertEquals(s.propagated(), []);
  });
}
