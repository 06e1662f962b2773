import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";

/** Lets the time pass, as the timer sees it. */
function pass(s: TestServer, ms: number): void {
  s.clock.nowMs += ms;
  s.keyspace.refreshTime();
  s.dispatcher.blocking.expire(s.keyspace.nowMs);
}

const NO_GROUP = {
  error: "NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option",
};

Deno.test("XREAD waits for entries behind the last one there was when it asked", () => {
  const s = testServer();
  s.run("XADD", "k", "1-0", "f", 1);
  const waiting = s.connect();
  assertEquals(waiting.run("XREAD", "BLOCK", 0, "STREAMS", "k", "other", "$", "$"), undefined);
  s.run("SET", "unrelated", "x");
  s.run("XADD", "k", "2-0", "f", 2);
  assertEquals(waiting.received(), [[["k", [["2-0", ["f", "2"]]]]]]);
  assertEquals(waiting.run("XREAD", "BLOCK", 0, "STREAMS", "k", "other", "$", "$"), undefined);
  s.run("XADD", "other", "5-0", "f", 5);
  assertEquals(waiting.received(), [[["other", [["5-0", ["f", "5"]]]]]]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("every XREAD that waits gets a new entry, and a transaction's entries come together", () => {
  const s = testServer();
  const clients = [s.connect(), s.connect(3)];
  for (const client of clients) client.run("XREAD", "BLOCK", 0, "STREAMS", "k", "0");
  s.run("MULTI");
  s.run("XADD", "k", "1-0", "f", 1);
  s.run("XADD", "k", "2-0", "f", 2);
  s.run("EXEC");
  const entries = [["1-0", ["f", "1"]], ["2-0", ["f", "2"]]];
  assertEquals(clients[0].received(), [[["k", entries]]]);
  assertEquals(clients[1].received().length, 1);
});

Deno.test("XREAD gives up when its time is over, and does not wait in a transaction", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("XREAD", "BLOCK", 100, "STREAMS", "k", "$");
  pass(s, 99);
  assertEquals(waiting.received(), []);
  pass(s, 1);
  assertEquals(waiting.received(), [null]);
  s.run("MULTI");
  s.run("XREAD", "BLOCK", 0, "STREAMS", "k", "$");
  assertEquals(s.run("EXEC"), [null]);
});

Deno.test("consumers of a group that wait get one entry each, first come first served", () => {
  const s = testServer();
  s.run("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM");
  const clients = [s.connect(), s.connect()];
  for (const [i, client] of clients.entries()) {
    client.run("XREADGROUP", "GROUP", "g", `c${i}`, "BLOCK", 0, "COUNT", 1, "STREAMS", "k", ">");
  }
  s.run("XADD", "k", "1-0", "f", 1);
  assertEquals(clients.map((client) => client.received()), [[[["k", [["1-0", ["f", "1"]]]]]], []]);
  s.run("XADD", "k", "2-0", "f", 2);
  assertEquals(clients[1].received(), [[["k", [["2-0", ["f", "2"]]]]]]);
  assertEquals(s.run("XPENDING", "k", "g"), [2, "1-0", "2-0", [["c0", "1"], ["c1", "1"]]]);
});

for (
  const [what, words] of [
    ["the key is deleted", ["DEL", "k"]],
    ["the group is destroyed", ["XGROUP", "DESTROY", "k", "g"]],
    ["the database is emptied", ["FLUSHALL"]],
    ["the key is renamed", ["RENAME", "k", "other"]],
  ] as const
) {
  Deno.test(`XREADGROUP that waits is told NOGROUP when ${what}`, () => {
    const s = testServer();
    s.run("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM");
    const waiting = s.connect();
    waiting.run("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "k", ">");
    s.run(...words as [string]);
    assertEquals(waiting.received(), [NO_GROUP]);
    assertEquals(s.clients.blockedCount, 0);
  });
}

Deno.test("XREADGROUP that waits is told when the key becomes another type", () => {
  const s = testServer();
  s.run("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM");
  const waiting = s.connect();
  waiting.run("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "k", ">");
  s.run("SET", "k", "x");
  assertEquals(waiting.received(), [{
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  }]);
});

Deno.test("XREAD goes on waiting when its key goes, and for the next stream there", () => {
  const s = testServer();
  s.run("XADD", "k", "1-0", "f", 1);
  const waiting = s.connect();
  waiting.run("XREAD", "BLOCK", 0, "STREAMS", "k", "$");
  s.run("DEL", "k");
  s.run("RPUSH", "k", "e");
  s.run("DEL", "k");
  assertEquals(waiting.received(), []);
  s.run("XADD", "k", "1-0", "f", "low");
  assertEquals(waiting.received(), []);
  s.run("XADD", "k", "2-0", "f", "high");
  assertEquals(waiting.received(), [[["k", [["2-0", ["f", "high"]]]]]]);
});

Deno.test("acknowledging and claiming leave WATCH and those who wait alone", () => {
  const s = testServer();
  s.run("XADD", "k", "1-0", "f", 1);
  s.run("XGROUP", "CREATE", "k", "g", 0);
  const other = s.connect();
  s.run("WATCH", "k");
  other.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">");
  other.run("XCLAIM", "k", "g", "d", 0, "1-0");
  other.run("XACK", "k", "g", "1-0");
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
  s.run("WATCH", "k");
  other.run("XADD", "k", "2-0", "f", 2);
  s.run("MULTI");
  assertEquals(s.run("EXEC"), null);
});
