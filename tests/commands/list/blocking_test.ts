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
  s.run("RPUSH", "b", 1, 2, 3, 4, 5, 6);
  s.propagated();
  assertEquals(s.run("BLPOP", "a", "b", 0), ["b", "1"]);
  assertEquals(s.run("BRPOP", "a", "b", "0.5"), ["b", "6"]);
  assertEquals(s.run("BLMPOP", 0, 2, "a", "b", "LEFT", "COUNT", 2), ["b", ["2", "3"]]);
  assertEquals(s.run("BLMOVE", "b", "c", "LEFT", "RIGHT", 0), "4");
  assertEquals(s.run("BRPOPLPUSH", "b", "c", 0), "5");
  assertEquals(s.propagated(), [
    "LPOP b",
    "RPOP b",
    "LPOP b 2",
    "LMOVE b c LEFT RIGHT",
    "RPOPLPUSH b c",
  ]);
});

Deno.test("a parked client is served by the push, which goes into the stream first", () => {
  const s = testServer();
  const waiting = s.connect();
  assertEquals(waiting.run("BLPOP", "a", "b", 0), undefined);
  assertEquals(s.clients.blockedCount, 1);
  assertEquals(s.run("RPUSH", "b", "x", "y"), 2);
  assertEquals(waiting.received(), [["b", "x"]]);
  assertEquals(s.clients.blockedCount, 0);
  assertEquals(s.run("LRANGE", "b", 0, -1), ["y"]);
  assertEquals(s.propagated(), ["SELECT 0", "RPUSH b x y", "LPOP b"]);
  assertEquals(s.keyspace.databases[0].awaited, null);
});

Deno.test("waiting clients are served in the order of their arrival while there is something", () => {
  const s = testServer();
  const clients = [s.connect(), s.connect(), s.connect()];
  clients[0].run("BLPOP", "k", 0);
  clients[1].run("BRPOP", "other", "k", 0);
  clients[2].run("BLPOP", "k", 0);
  s.run("RPUSH", "k", 1, 2);
  assertEquals(clients.map((client) => client.received()), [[["k", "1"]], [["k", "2"]], []]);
  s.run("RPUSH", "k", 3);
  assertEquals(clients[2].received(), [["k", "3"]]);
});

Deno.test("a transaction serves after EXEC, by what it leaves", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLPOP", "k", 0);
  s.run("MULTI");
  s.run("RPUSH", "k", 1);
  s.run("DEL", "k");
  s.run("RPUSH", "k", 2, 3);
  s.run("LPUSH", "k", "first");
  s.propagated();
  assertEquals(s.run("EXEC"), [1, 1, 2, 3]);
  assertEquals(waiting.received(), [["k", "first"]]);
  assertEquals(s.propagated().slice(-3), ["LPUSH k first", "EXEC", "LPOP k"]);
});

Deno.test("a key that came and went leaves the client waiting", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLPOP", "k", 0);
  s.run("MULTI");
  s.run("RPUSH", "k", 1);
  s.run("DEL", "k");
  s.run("EXEC");
  assertEquals(waiting.received(), []);
  s.run("ZADD", "k", 1, "m"); // another type is not for it
  assertEquals(waiting.received(), []);
  s.run("DEL", "k");
  s.run("RPUSH", "k", 1);
  assertEquals(waiting.received(), [["k", "1"]]);
});

Deno.test("BLMOVE hands an element on, which may serve the next client", () => {
  const s = testServer();
  const [first, second, third] = [s.connect(), s.connect(), s.connect()];
  first.run("BLMOVE", "a", "b", "LEFT", "LEFT", 0);
  second.run("BRPOPLPUSH", "b", "c", 0);
  third.run("BLMPOP", 0, 1, "c", "RIGHT", "COUNT", 5);
  s.propagated();
  s.run("RPUSH", "a", "x");
  assertEquals([first.received(), second.received(), third.received()], [
    ["x"],
    ["x"],
    [["c", ["x"]]],
  ]);
  assertEquals(s.propagated(), [
    "SELECT 0",
    "RPUSH a x",
    "LMOVE a b LEFT LEFT",
    "RPOPLPUSH b c",
    "RPOP c 1",
  ]);
  assertEquals(s.keyspace.keyCount, 0);
});

Deno.test("BLMOVE to a key of another type answers with an error when it is served", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLMOVE", "a", "str", "LEFT", "LEFT", 0);
  s.run("SET", "str", "v");
  s.run("RPUSH", "a", "x");
  assertEquals(waiting.received(), [{
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  }]);
  assertEquals(s.run("LRANGE", "a", 0, -1), ["x"]);
});

Deno.test("RENAME, COPY, MOVE and SWAPDB make keys ready too", () => {
  const cases: [string, (s: TestServer) => void][] = [
    ["RENAME", (s) => s.run("RENAME", "from", "k")],
    ["COPY", (s) => s.run("COPY", "from", "k")],
    ["SORT", (s) => s.run("SORT", "from", "STORE", "k")],
    ["SWAPDB", (s) => {
      s.run("COPY", "from", "k", "DB", 2);
      s.run("SWAPDB", 2, 0);
    }],
    ["MOVE", (s) => {
      const other = s.connect();
      other.run("SELECT", 2);
      other.run("RPUSH", "k", 1);
      other.run("MOVE", "k", 0);
    }],
  ];
  for (const [name, makeReady] of cases) {
    const s = testServer();
    const waiting = s.connect();
    s.run("RPUSH", "from", 1);
    waiting.run("BLPOP", "k", 0);
    makeReady(s);
    assertEquals(waiting.received(), [["k", "1"]], name);
  }
});

Deno.test("a key of another database serves nobody", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLPOP", "k", 0);
  const other = s.connect();
  other.run("SELECT", 1);
  other.run("RPUSH", "k", 1);
  assertEquals(waiting.received(), []);
});

Deno.test("the timeout answers null in the command's form, and not before its time", () => {
  const cases: (string | number)[][] = [
    ["BLPOP", "k", "0.05"],
    ["BRPOP", "k", "0.05"],
    ["BLMPOP", "0.05", 1, "k", "LEFT"],
    ["BLMOVE", "k", "l", "LEFT", "LEFT", "0.05"],
    ["BRPOPLPUSH", "k", "l", "0.05"],
  ];
  for (const words of cases) {
    const s = testServer({ nowMs: NOW });
    const waiting = s.connect();
    assertEquals(waiting.run(...words), undefined);
    pass(s, 49);
    assertEquals(waiting.received(), []);
    pass(s, 1);
    assertEquals(waiting.received(), [null], words.join(" "));
    assertEquals(s.clients.blockedCount, 0);
    s.run("RPUSH", "k", 1);
    assertEquals(waiting.received(), []);
    assertEquals(s.run("LLEN", "k"), 1);
  }
});

Deno.test("inside MULTI nothing waits", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("BLPOP", "k", 0);
  s.run("BLMOVE", "k", "l", "LEFT", "LEFT", 0);
  s.run("BLMPOP", 0, 1, "k", "LEFT");
  assertEquals(s.run("EXEC"), [null, null, null]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("a client that has gone is skipped and forgotten", () => {
  const s = testServer();
  const [gone, waiting] = [s.connect(), s.connect()];
  gone.run("BLPOP", "k", 0);
  waiting.run("BLPOP", "k", 0);
  gone.client.isClosed = true;
  s.run("RPUSH", "k", 1);
  assertEquals(waiting.received(), [["k", "1"]]);
  assertEquals(s.clients.blockedCount, 0);
  const again = s.connect();
  again.run("BLPOP", "k", 0);
  again.client.isClosed = true;
  pass(s, 1);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("CLIENT UNBLOCK ends waiting as by timeout or with an error", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLPOP", "k", 0);
  waiting.client.park!.unblock(false);
  assertEquals(waiting.received(), [null]);
  waiting.run("BLPOP", "k", 0);
  waiting.client.park!.unblock(true);
  assertEquals(waiting.received(), [{
    error: "UNBLOCKED client unblocked via CLIENT UNBLOCK",
  }]);
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("the same key given twice is one wait", () => {
  const s = testServer();
  const waiting = s.connect();
  waiting.run("BLPOP", "k", "k", 0);
  s.run("RPUSH", "k", 1, 2);
  assertEquals(waiting.received(), [["k", "1"]]);
  assertEquals(s.run("LLEN", "k"), 1);
  assertEquals(s.keyspace.databases[0].awaited, null);
});

Deno.test("blocking commands refuse wrong words before they wait", () => {
  const s = testServer();
  s.run("SET", "str", "v");
  const notAFloat = { error: "ERR timeout is not a float or out of range" };
  const negative = { error: "ERR timeout is negative" };
  const outOfRange = { error: "ERR timeout is out of range" };
  const refused: [(string | number)[], Value][] = [
    [["BLPOP", "k", "x"], notAFloat],
    [["BLPOP", "k", -1], negative],
    [["BLPOP", "k", "1e300"], outOfRange],
    [["BLPOP", "k", "inf"], outOfRange],
    [["BLMPOP", "x", 1, "k", "LEFT"], notAFloat],
    [["BLMPOP", 0, 0, "k", "LEFT"], { error: "ERR numkeys should be greater than 0" }],
    [["BLMOVE", "k", "l", "UP", "LEFT", 0], { error: "ERR syntax error" }],
    [["BLMOVE", "k", "l", "LEFT", "LEFT", -1], negative],
    [["BRPOPLPUSH", "k", "l", "x"], notAFloat],
    [["BLPOP", "k", "str", 0], {
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    }],
  ];
  for (const [words, error] of refused) assertEquals(s.run(...words), error, words.join(" "));
  assertEquals(s.clients.blockedCount, 0);
});

Deno.test("a request that waits is shown to monitors at once, and counted and logged when it ends", () => {
  const s = testServer();
  const shown: string[] = [];
  s.dispatcher.owner.showToMonitors = (_client, words) => shown.push(words.text(0));
  s.dispatcher.timesAll = true;
  const { slowLog, statistics } = s.services;
  slowLog.thresholdUsec = 0;
  s.clients.monitors.add(s.connect().client);
  const command = s.dispatcher.byName.get("blpop")!;
  const before = { calls: command.calls, failed: command.failedCalls };
  const ended = () => [
    command.calls - before.calls,
    command.failedCalls - before.failed,
    slowLog.entries.filter(({ words }) => words[0] === "BLPOP").length,
  ];
  const waiting = s.connect();

  waiting.run("BLPOP", "k", 0);
  assertEquals([shown, ended()], [["BLPOP"], [0, 0, 0]]);
  s.run("RPUSH", "k", "v");
  assertEquals([shown, ended()], [["BLPOP", "RPUSH"], [1, 0, 1]]);

  waiting.run("BLPOP", "k", 1);
  pass(s, 1000);
  assertEquals(ended(), [2, 0, 2]);
  assertEquals(statistics.errorsByCode.get("UNBLOCKED"), undefined);

  waiting.run("BLPOP", "k", 0);
  waiting.client.park!.unblock(true);
  assertEquals(ended(), [3, 1, 3]);
  assertEquals(statistics.errorsByCode.get("UNBLOCKED"), 1);
});
