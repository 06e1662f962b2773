import { assertEquals } from "@std/assert";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;

/** Lets the time pass, as the timer sees it. */
function pass(s: TestServer, ms: number): void {
  s.clock.nowMs += ms;
  s.keyspace.refreshTime();
  s.dispatcher.blocking.expire(s.keyspace.nowMs);
}

Deno.test("a blocking pop answers at once when there is something", () => {
  const s = testServer();
  s.run("ZADD", "b", 1, "m1", 2, "m2", 3, "m3", 4, "m4", 5, "m5");
  s.propagated();
  assertEquals(s.run("BZPOPMIN", "a", "b", 0), ["b", "m1", "1"]);
  assertEquals(s.run("BZPOPMAX", "a", "b", "0.5"), ["b", "m5", "5"]);
  assertEquals(s.run("BZMPOP", 0, 2, "a", "b", "MAX", "COUNT", 2), ["b", [
    ["m4", "4"],
    ["m3", "3"],
  ]]);
  assertEquals(s.run("BZMPOP", 0, 1, "b", "MIN", "COUNT", 9), ["b", [["m2", "2"]]]);
  assertEquals(s.run("EXISTS", "b"), 0);
  assertEquals(s.propagated(), ["ZPOPMIN b", "ZPOPMAX b", "ZPOPMAX b 2", "ZPOPMIN b 1"]);
});

Deno.test("the reply has the same shape in RESP3", () => {
  const s = testServer();
  const c = s.connect(3);
  s.run("ZADD", "z", 1.5, "a", 2, "b");
  assertEquals(c.run("BZPOPMIN", "z", 0), ["z", "a", "1.5"]);
  assertEquals(c.run("BZMPOP", 0, 1, "z", "MIN"), ["z", [["b", "2"]]]);
});

for (
  const [words, reply, popped] of [
    ["BZPOPMIN a z 0", ["z", "x", "1"], "ZPOPMIN z"],
    ["BZPOPMAX a z 0", ["z", "y", "2"], "ZPOPMAX z"],
    ["BZMPOP 0 2 a z MIN COUNT 5", ["z", [["x", "1"], ["y", "2"]]], "ZPOPMIN z 2"],
  ] as [string, Value, string][]
) {
  Deno.test(`${words} waits, and is served by ZADD with all it has added`, () => {
    const s = testServer();
    const waiting = s.connect();
    assertEquals(waiting.run(...words.split(" ")), undefined);
    assertEquals(s.clients.blockedCount, 1);
    s.run("RPUSH", "a", "a list is of no interest");
    assertEquals(waiting.received(), []);
    s.run("DEL", "a");
    s.propagated();
    assertEquals(s.run("ZADD", "z", 2, "y", 1, "x"), 2);
    assertEquals(waiting.received(), [reply]);
    assertEquals(s.propagated(), ["ZADD z 2 y 1 x", popped]);
    assertEquals(s.clients.blockedCount, 0);
  });
}

for (const store of ["ZUNIONSTORE z 1 s", "ZRANGESTORE z s 0 -1", "RENAME s z", "COPY s z"]) {
  Deno.test(`${store} serves who waits for the sorted set`, () => {
    const s = testServer();
    const waiting = s.connect();
    s.run("ZADD", "s", 7, "m");
    waiting.run("BZPOPMIN", "z", 0);
    s.run(...store.split(" "));
    assertEquals(waiting.received(), [["z", "m", "7"]]);
  });
}

Deno.test("the timeout answers a null array, and inside MULTI nothing waits", () => {
  const s = testServer({ nowMs: NOW });
  const waiting = s.connect();
  for (const words of ["BZPOPMIN z 0.5", "BZPOPMAX z 0.5", "BZMPOP 0.5 1 z MIN"]) {
    waiting.run(...words.split(" "));
    pass(s, 499);
    assertEquals(waiting.received(), [], words);
    pass(s, 1);
    assertEquals(waiting.received(), [null], words);
    s.run("MULTI");
    s.run(...words.split(" "));
    assertEquals(s.run("EXEC"), [null], words);
  }
});

for (
  const [words, error] of [
    ["BZPOPMIN z -1", "ERR timeout is negative"],
    ["BZPOPMIN z x", "ERR timeout is not a float or out of range"],
    ["BZPOPMAX l 0", "WRONGTYPE Operation against a key holding the wrong kind of value"],
    ["BZMPOP 0 0 z MIN", "ERR numkeys should be greater than 0"],
    ["BZMPOP 0 1 z MID", "ERR syntax error"],
    ["BZMPOP 0 1 z MIN COUNT 0", "ERR count should be greater than 0"],
    ["BZMPOP 0 1 l MIN", "WRONGTYPE Operation against a key holding the wrong kind of value"],
  ]
) {
  Deno.test(`${words} is refused and does not wait`, () => {
    const s = testServer();
    s.run("RPUSH", "l", "a");
    s.propagated();
    assertEquals(s.run(...words.split(" ")), { error });
    assertEquals([s.clients.blockedCount, s.propagated()], [0, []]);
  });
}
