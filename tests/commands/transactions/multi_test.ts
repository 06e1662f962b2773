import { assertEquals } from "@std/assert";
import { EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { InputClient } from "../../support/input_client.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

Deno.test("EXEC answers with the replies of the queued commands, in order", () => {
  const s = testServer();
  assertEquals(s.run("MULTI"), "OK");
  assertEquals(s.run("SET", "k", "1"), "QUEUED");
  assertEquals(s.run("GET", "k"), "QUEUED");
  assertEquals(s.run("EXEC"), ["OK", "1"]);
  assertEquals(s.run("EXEC"), { error: "ERR EXEC without MULTI" });
});

Deno.test("A command refused while queuing makes EXEC fail and changes nothing", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("GET"), { error: "ERR wrong number of arguments for 'get' command" });
  assertEquals(s.run("EXEC"), {
    error: "EXECABORT Transaction discarded because of previous errors.",
  });
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("EXEC answers null when a watched key was changed by another client", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "k");
  other.run("SET", "k", "2");
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("EXEC"), null);
  assertEquals(s.run("GET", "k"), "2");
  s.run("WATCH", "k");
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("EXEC"), ["OK"]);
});

Deno.test("A watched key whose time is over makes EXEC fail", () => {
  const s = testServer({ nowMs: 1000 });
  s.run("SET", "k", "1", "PX", 100);
  s.run("WATCH", "k");
  s.clock.nowMs = 1101;
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), null);
});

/** Where keys past their time stay although nobody can see them. */
const HIDING: [place: string, begin: (s: TestServer) => void][] = [
  ["on a replica", (s) => s.keyspace.expireMode = EXPIRE_HIDES],
  ["while CLIENT PAUSE WRITE is on", (s) => s.run("CLIENT", "PAUSE", 100_000, "WRITE")],
];

/** What EXEC of a PING answers. */
function execOf(s: TestServer) {
  s.run("MULTI");
  s.run("PING");
  return s.run("EXEC");
}

for (const [place, begin] of HIDING) {
  Deno.test(`${place} a watched key that passes its time makes EXEC fail`, () => {
    const s = testServer();
    s.run("SET", "k", "1", "PX", 100);
    begin(s);
    s.run("WATCH", "k");
    assertEquals(execOf(s), ["PONG"]);
    s.run("WATCH", "other", "k");
    s.clock.nowMs += 101;
    assertEquals(execOf(s), null);
  });

  Deno.test(`${place} a key past its time at WATCH does not make EXEC fail`, () => {
    const s = testServer();
    s.run("SET", "k", "1", "PX", 100);
    begin(s);
    s.clock.nowMs += 101;
    s.run("WATCH", "k", "k");
    assertEquals(execOf(s), ["PONG"]);
  });
}

Deno.test("the DEL of a key past its time at WATCH does not make EXEC fail, a new value does", () => {
  const s = testServer();
  s.run("SET", "k", "1", "PX", 100);
  s.clock.nowMs += 101;
  s.keyspace.expireMode = EXPIRE_HIDES;
  const master = s.connect();
  master.client.becomeMaster();
  const fromMaster = (...words: string[]) => {
    s.keyspace.roleExpireMode = EXPIRE_HIDES;
    master.run(...words);
  };
  s.run("WATCH", "k");
  fromMaster("DEL", "k");
  assertEquals(execOf(s), ["PONG"]);

  fromMaster("SET", "k", "2", "PXAT", String(s.clock.nowMs - 1));
  s.run("WATCH", "k");
  fromMaster("DEL", "k");
  fromMaster("SET", "k", "3");
  assertEquals(execOf(s), null, "made anew after it had gone");

  fromMaster("SET", "k", "2", "PXAT", String(s.clock.nowMs - 1));
  s.run("WATCH", "k");
  fromMaster("SET", "k", "3");
  assertEquals(execOf(s), null, "made anew in its place");
});

Deno.test("SWAPDB and FLUSHALL with keys past their time that stay: only a visible change fails EXEC", () => {
  for (
    const [here, there, fails] of [
      ["gone", "hidden", false],
      ["hidden", "gone", false],
      ["hidden", "hidden", false],
      ["hidden", "there", true],
      ["there", "hidden", true],
    ]
  ) {
    const s = testServer();
    const other = s.connect();
    other.run("SELECT", 1);
    for (const [client, state] of [[s, here], [other, there]] as const) {
      if (state !== "gone") client.run("SET", "k", "v");
      if (state === "hidden") client.run("PEXPIRE", "k", 100);
    }
    s.clock.nowMs += 101;
    s.keyspace.expireMode = EXPIRE_HIDES;
    s.run("WATCH", "k");
    other.run("SWAPDB", 0, 1);
    assertEquals(execOf(s) === null, fails, `${here}, then ${there}`);
  }
  const s = testServer();
  s.run("SET", "k", "v", "PX", 100);
  s.clock.nowMs += 101;
  s.keyspace.expireMode = EXPIRE_HIDES;
  s.run("WATCH", "k");
  s.connect().run("FLUSHALL");
  assertEquals(execOf(s), ["PONG"]);
});

Deno.test("Several writes of one transaction enter the stream between MULTI and EXEC", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("SET", "a", "1");
  s.run("SET", "b", "2");
  assertEquals(s.propagated(), []);
  s.run("EXEC");
  assertEquals(s.propagated(), ["MULTI", "SELECT 0", "SET a 1", "SET b 2", "EXEC"]);
  s.run("SET", "a", "3");
  assertEquals(s.propagated(), ["SET a 3"]);
});

Deno.test("SELECT chooses a database and the stream follows it", () => {
  const s = testServer();
  s.run("SET", "k", "0");
  assertEquals(s.run("SELECT", 5), "OK");
  assertEquals(s.run("GET", "k"), null);
  s.run("SET", "k", "5");
  assertEquals(s.propagated(), ["SELECT 0", "SET k 0", "SELECT 5", "SET k 5"]);
  assertEquals(s.run("SELECT", 16), { error: "ERR DB index is out of range" });
  assertEquals(s.run("SELECT", -1), { error: "ERR DB index is out of range" });
  assertEquals(s.run("SELECT", "x"), { error: "ERR value is not an integer or out of range" });
  assertEquals(s.run("SELECT", "2147483648"), {
    error: "ERR value is out of range, value must between -2147483648 and 2147483647",
  });
});

for (
  const [words, error] of [
    ["EXEC", "ERR EXEC without MULTI"],
    ["DISCARD", "ERR DISCARD without MULTI"],
  ]
) {
  Deno.test(`${words} outside of a transaction is refused`, () => {
    assertEquals(testServer().run(words), { error });
  });
}

Deno.test("MULTI and WATCH inside a transaction are refused and do not doom it", () => {
  const s = testServer();
  s.run("MULTI");
  assertEquals(s.run("MULTI"), { error: "ERR MULTI calls can not be nested" });
  assertEquals(s.run("WATCH", "k"), { error: "ERR WATCH inside MULTI is not allowed" });
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
});

Deno.test("an empty transaction answers an empty array and leaves no trace in the stream", () => {
  const s = testServer();
  s.run("MULTI");
  assertEquals(s.run("EXEC"), []);
  s.run("MULTI");
  s.run("GET", "k");
  assertEquals(s.run("EXEC"), [null]);
  assertEquals(s.propagated(), []);
});

Deno.test("DISCARD drops the queue and the watches", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "k");
  s.run("MULTI");
  s.run("SET", "k", "1");
  assertEquals(s.run("DISCARD"), "OK");
  assertEquals(s.run("GET", "k"), null);
  other.run("SET", "k", "2");
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
});

Deno.test("DISCARD ends a transaction that is doomed", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("NOSUCH");
  assertEquals(s.run("DISCARD"), "OK");
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
});

Deno.test("an error of one command keeps the others of EXEC from nothing", () => {
  const s = testServer();
  s.run("SET", "k", "x");
  s.run("MULTI");
  s.run("SET", "a", "1");
  s.run("INCR", "k");
  s.run("LPUSH", "k", "1");
  s.run("SET", "b", "2");
  assertEquals(s.run("EXEC"), [
    "OK",
    { error: "ERR value is not an integer or out of range" },
    { error: "WRONGTYPE Operation against a key holding the wrong kind of value" },
    "OK",
  ]);
  assertEquals(s.propagated().slice(2), ["MULTI", "SET a 1", "SET b 2", "EXEC"]);
});

Deno.test("a transaction with one write enters the stream without brackets", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("GET", "a");
  s.run("SET", "a", "1");
  s.run("EXEC");
  assertEquals(s.propagated().slice(1), ["SET a 1"]);
});

Deno.test("SELECT inside a transaction counts for what follows it, also after EXEC", () => {
  const s = testServer();
  s.run("MULTI");
  s.run("SET", "k", "0");
  s.run("SELECT", 2);
  s.run("SET", "k", "2");
  s.run("EXEC");
  assertEquals(s.run("GET", "k"), "2");
  s.run("SELECT", 0);
  assertEquals(s.run("GET", "k"), "0");
});

Deno.test("UNWATCH forgets the watched keys", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "a", "b");
  other.run("SET", "b", "1");
  assertEquals(s.run("UNWATCH"), "OK");
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
});

for (
  const [name, change] of [
    ["removal", (c) => c.run("DEL", "k")],
    ["the client itself", (_, s) => s.run("APPEND", "k", "x")],
    ["a write in a transaction", (c) => {
      c.run("MULTI");
      c.run("SET", "k", "3");
      c.run("EXEC");
    }],
    ["expiry set", (c) => c.run("PEXPIRE", "k", 10_000)],
    ["another type", (c) => {
      c.run("DEL", "k");
      c.run("RPUSH", "k", "1");
    }],
    ["a change and its opposite", (c) => {
      c.run("INCR", "k");
      c.run("DECR", "k");
    }],
  ] as [string, (other: ReturnType<TestServer["connect"]>, s: TestServer) => void][]
) {
  Deno.test(`EXEC answers null after WATCH and this change: ${name}`, () => {
    for (const resp of [2, 3]) {
      const s = testServer();
      const c = s.connect(resp);
      s.run("SET", "k", "1");
      c.run("WATCH", "other", "k");
      s.run("WATCH", "k");
      change(s.connect(), s);
      c.run("MULTI");
      c.run("SET", "never", "1");
      assertEquals(c.run("EXEC"), null);
      assertEquals(s.run("GET", "never"), null);
    }
  });
}

for (
  const [name, words] of [
    ["a read", ["GET", "k"]],
    ["a write that changed nothing", ["DEL", "missing"]],
    ["a write to another key", ["SET", "k2", "1"]],
    ["a refused write", ["LPUSH", "k", "x"]],
  ] as [string, string[]][]
) {
  Deno.test(`EXEC runs after WATCH and ${name}`, () => {
    const s = testServer();
    s.run("SET", "k", "1");
    s.run("WATCH", "k", "missing");
    s.connect().run(...words);
    s.run("MULTI");
    s.run("PING");
    assertEquals(s.run("EXEC"), ["PONG"]);
  });
}

Deno.test("a key in another database is not the watched one", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "k");
  other.run("SELECT", 1);
  other.run("SET", "k", "1");
  s.run("MULTI");
  s.run("PING");
  assertEquals(s.run("EXEC"), ["PONG"]);
});

Deno.test("a key that was past its time when it was watched may go", () => {
  const s = testServer({ nowMs: 1000 });
  s.run("SET", "k", "1", "PX", 100);
  s.clock.nowMs = 1101;
  s.run("WATCH", "k");
  s.run("MULTI");
  s.run("GET", "k");
  assertEquals(s.run("EXEC"), [null]);
});

Deno.test("queued words are kept as they were when the request was sent", () => {
  const s = testServer();
  const c = new InputClient(s);
  const value = "v".repeat(5000);
  c.send(`MULTI\r\nSET k ${value}\r\n` + "ECHO filler\r\n".repeat(2000) + "EXEC\r\n", 700);
  const replies = c.received();
  assertEquals((replies.at(-1) as string[]).length, 2001);
  assertEquals(s.run("GET", "k"), value);
});

for (
  const [name, before, swapped] of [
    ["a key takes the place of one", ["SET k 1", "SELECT 1", "SET k 1"], null],
    ["a key takes the place of none", ["SELECT 1", "SET k 1"], null],
    ["none takes the place of a key", ["SET k 1"], null],
    ["none takes the place of none", [], ["PONG"]],
    ["a key past its time takes the place of none", ["SELECT 1", "SET k 1 PX 5"], ["PONG"]],
    ["a key past its time takes the place of a key", ["SET k 1", "SELECT 1", "SET k 1 PX 5"], null],
    [
      "one key past its time takes the place of another",
      ["SET k 1 PX 5", "SELECT 1", "SET k 1 PX 5"],
      ["PONG"],
    ],
  ] as [string, string[], string[] | null][]
) {
  Deno.test(`SWAPDB ${swapped === null ? "fails" : "leaves"} a transaction when ${name}`, () => {
    const s = testServer({ nowMs: 1000 });
    const setUp = s.connect();
    for (const words of before) setUp.run(...words.split(" "));
    s.clock.nowMs = 1010;
    s.run("WATCH", "k");
    s.connect().run("SWAPDB", 0, 1);
    s.run("MULTI");
    s.run("PING");
    assertEquals(s.run("EXEC"), swapped);
  });
}

Deno.test("EXEC of very many commands answers for each, and runs those that change something", () => {
  const s = testServer();
  const c = new InputClient(s);
  c.send("MULTI\r\n");
  const count = 20_000;
  for (let i = 0; i < count; i += 1000) c.send("INCR n\r\n".repeat(1000));
  assertEquals(c.received().length, count + 1);
  assertEquals(s.run("GET", "n"), null);
  c.send("EXEC\r\n");
  const [replies] = c.received() as number[][];
  assertEquals(replies.length, count);
  assertEquals([replies[0], replies[count - 1]], [1, count]);
  assertEquals(c.client.queue, null);
});

Deno.test("EXEC runs an empty transaction", () => {
  const s = testServer();
  s.run("MULTI");
  assertEquals(s.run("EXEC"), []);
});

Deno.test("WATCH counts what it has the server hold, until the watches end", () => {
  const s = testServer();
  const c = new InputClient(s);
  const before = c.client.memoryBytes;
  const keys = Array.from({ length: 10_000 }, (_, i) => `key:${i}`);
  for (let i = 0; i < keys.length; i += 100) {
    c.send(`WATCH ${keys.slice(i, i + 100).join(" ")}\r\n`);
    c.send(`WATCH ${keys[i]}\r\n`);
  }
  const heldBytes = s.keyspace.databases[0].watched!.memoryBytes;
  const counted = c.client.memoryBytes - before;
  assertEquals(counted > heldBytes * 0.7 && counted < heldBytes * 1.1, true);
  assertEquals(counted < 110 * keys.length, true);
  s.run("SET", keys[777], "v");
  assertEquals(c.client.isDirty, true);
  c.send("UNWATCH\r\n");
  assertEquals(c.client.memoryBytes - before < counted / 10, true);
  assertEquals([c.client.isDirty, s.keyspace.databases[0].watched], [false, null]);
});

Deno.test("WATCH of equal keys in several databases tells them apart", () => {
  const s = testServer();
  const other = s.connect();
  s.run("WATCH", "k");
  s.run("SELECT", 1);
  s.run("WATCH", "j");
  other.run("SET", "j", "1");
  assertEquals(execOf(s), ["PONG"]);
  s.run("WATCH", "j");
  s.run("SELECT", 0);
  s.run("WATCH", "k");
  other.run("SELECT", 1);
  other.run("SET", "j", "2");
  assertEquals(execOf(s), null);
});
