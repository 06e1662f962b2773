import { assert, assertEquals } from "@std/assert";
import { commandCatalog } from "../../src/commands/catalog.ts";
import { commandTable } from "../../src/commands/index.ts";
import type { Call } from "../../src/dispatch/call.ts";
import {
  GATE_FEW_REPLICAS,
  GATE_LOADING,
  GATE_MEMORY,
  GATE_READ_ONLY,
  GATE_SAVE_FAILED,
  GATE_STALE,
} from "../../src/dispatch/dispatcher.ts";
import {
  LOADING,
  NO_AUTH,
  OUT_OF_MEMORY,
  READ_ONLY,
  SAVE_FAILED,
} from "../../src/resp/reply_error.ts";
import { InputClient } from "../support/input_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const FEW_REPLICAS = "NOREPLICAS Not enough good replicas to write.";
const STALE = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";

/** Gate, error, and whether each of these is refused by it: SET, GET, PING, MULTI. */
const GATES: [name: string, bit: number, error: string, refused: string][] = [
  ["over maxmemory", GATE_MEMORY, OUT_OF_MEMORY, "set"],
  ["after a failed save", GATE_SAVE_FAILED, SAVE_FAILED, "set ping"],
  ["on a read-only replica", GATE_READ_ONLY, READ_ONLY, "set"],
  ["with too few replicas", GATE_FEW_REPLICAS, FEW_REPLICAS, "set"],
  ["while loading", GATE_LOADING, LOADING, "set get ping"],
  ["without a master, stale data forbidden", GATE_STALE, STALE, "set get ping"],
];
const CALLS = [["set", "k", "v"], ["get", "k"], ["ping"], ["multi"], ["client", "id"]];

function close(s: TestServer, bit: number): void {
  s.dispatcher.gateBits |= bit;
  s.dispatcher.owner.freeMemory = () => false;
}

for (const [name, bit, error, refused] of GATES) {
  Deno.test(`${name} these commands are refused: ${refused}`, () => {
    for (const call of CALLS) {
      const s = testServer();
      close(s, bit);
      const isError = JSON.stringify(s.run(...call)) === JSON.stringify({ error });
      assertEquals(isError, refused.split(" ").includes(call[0]), call[0]);
      assertEquals(s.propagated().length > 0, call[0] === "set" && !isError);
    }
  });
  Deno.test(`${name} EXEC of a SET queued before is refused and ends the transaction`, () => {
    const s = testServer();
    s.run("MULTI");
    s.run("SET", "k", "v");
    close(s, bit);
    assertEquals(s.run("EXEC"), {
      error: `EXECABORT Transaction discarded because of: ${error.replace(/^ERR /, "")}`,
    });
    s.dispatcher.gateBits = 0;
    assertEquals(s.run("GET", "k"), null);
  });
  Deno.test(`${name} DISCARD is let through`, () => {
    const s = testServer();
    s.run("MULTI");
    close(s, bit);
    assertEquals(s.run("DISCARD"), "OK");
  });
}

Deno.test("over maxmemory nothing is queued, reads neither", () => {
  const s = testServer();
  s.run("MULTI");
  close(s, GATE_MEMORY);
  assertEquals(s.run("GET", "k"), { error: OUT_OF_MEMORY });
  s.dispatcher.gateBits = 0;
  assertEquals(s.run("EXEC"), {
    error: "EXECABORT Transaction discarded because of previous errors.",
  });
});

Deno.test("the master's commands pass the gates that are for others", () => {
  const s = testServer();
  const link = s.connect();
  link.client.becomeMaster();
  close(s, GATE_MEMORY | GATE_READ_ONLY | GATE_SAVE_FAILED | GATE_FEW_REPLICAS);
  assertEquals(link.run("SET", "k", "v"), "OK");
});

Deno.test("before authentication only commands for it run; unknown ones are named as such", () => {
  const s = testServer();
  const c = s.connect();
  c.client.setNeedsAuth(true);
  assertEquals(c.run("GET", "k"), { error: NO_AUTH });
  assertEquals(c.run("MULTI"), { error: NO_AUTH });
  assertEquals(c.run("NOSUCH"), {
    error: "ERR unknown command 'NOSUCH', with args beginning with: ",
  });
  assertEquals(c.run("GET"), { error: "ERR wrong number of arguments for 'get' command" });
  assertEquals(c.run("RESET"), "RESET");
});

Deno.test("a subscriber of RESP2 runs the commands of its mode only", () => {
  const s = testServer();
  const c = s.connect();
  c.client.channelCount = 1;
  c.client.gateBits |= 1 << 2;
  assertEquals(c.run("GET", "k"), {
    error: "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / " +
      "RESET are allowed in this context",
  });
  assertEquals(c.run("PING"), ["pong", ""]);
  c.client.reply.resp = 3;
  assertEquals(c.run("GET", "k"), null);
});

const REFUSED: [call: string[], error: string][] = [
  [["nosuch"], "ERR unknown command 'nosuch', with args beginning with: "],
  [["nosuch", "a", "b c"], "ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' "],
  [["x".repeat(200)], `ERR unknown command '${"x".repeat(128)}', with args beginning with: `],
  [["a\0b", "c\0d", "e"], "ERR unknown command 'a', with args beginning with: 'c' 'e' "],
  [["client", "nosuch"], "ERR unknown subcommand 'nosuch'. Try CLIENT HELP."],
  [["client"], "ERR wrong number of arguments for 'client' command"],
  [["client", "id", "x"], "ERR wrong number of arguments for 'client|id' command"],
  [["get"], "ERR wrong number of arguments for 'get' command"],
  [
    ["exec", "x"],
    "EXECABORT Transaction discarded because of: wrong number of arguments for " +
    "'exec' command",
  ],
];
for (const [call, error] of REFUSED) {
  Deno.test(`${call.join(" ").slice(0, 40)} is refused, and dooms a transaction`, () => {
    const s = testServer();
    assertEquals(s.run(...call), { error });
    s.run("MULTI");
    assertEquals(s.run(...call), { error });
    assertEquals(
      s.run("EXEC"),
      call[0] === "exec"
        ? { error: "ERR EXEC without MULTI" }
        : { error: "EXECABORT Transaction discarded because of previous errors." },
    );
  });
}

Deno.test("names are found in any case, and only whole", () => {
  const s = testServer();
  for (const name of ["get", "GET", "gEt"]) assertEquals(s.run(name, "k"), null);
  for (const name of ["ge", "gett", "ge\x54", "GE\x14", ""]) {
    const isGet = name.toLowerCase() === "get";
    const text = JSON.stringify(s.run(name, "k"));
    assertEquals(text.includes("unknown command"), !isGet, JSON.stringify(name));
  }
});

Deno.test("calls, failures and refusals are counted per command and by code", () => {
  const s = testServer();
  const set = s.dispatcher.byName.get("set")!;
  const incr = s.dispatcher.byName.get("incr")!;
  const before = [set.calls, incr.calls, incr.failedCalls, set.rejectedCalls];
  s.run("SET", "k", "x");
  s.run("INCR", "k");
  s.run("SET", "k");
  assertEquals(
    [set.calls, incr.calls, incr.failedCalls, set.rejectedCalls].map((n, i) => n - before[i]),
    [1, 1, 1, 1],
  );
  const { statistics } = s.services;
  assertEquals([statistics.commandsProcessed, statistics.errorReplies], [2, 2]);
  assertEquals([...statistics.errorsByCode], [["ERR", 2]]);
});

Deno.test("an error inside EXEC is counted once, and not as a failure of EXEC", () => {
  const s = testServer();
  const exec = s.dispatcher.byName.get("exec")!;
  const failedBefore = exec.failedCalls;
  s.run("SET", "k", "x");
  s.run("MULTI");
  s.run("INCR", "k");
  s.run("GET", "k");
  s.run("EXEC");
  assertEquals(s.services.statistics.errorReplies, 1);
  assertEquals(exec.failedCalls, failedBefore);
});

Deno.test("a fault in a handler is answered, logged with the words, and ends nothing", () => {
  const s = testServer();
  const { get, ping } = Object.fromEntries(commandTable.map((each) => [each.name, each]));
  const run = (call: Call) => {
    call.reply.ok();
    throw new TypeError("oops");
  };
  s.dispatcher.setCommands([["get", { ...get, run }], ["ping", ping]], commandCatalog());
  assertEquals(s.run("GET", "a key"), { error: "ERR internal error: oops" });
  assertEquals(s.run("PING"), "PONG");
  assert(s.logLines.some((line) => line.includes('"GET" "a key"') && line.includes("oops")));
  assertEquals(s.services.statistics.unexpectedErrors, 1);
});

Deno.test("requests after one that ends the connection are not run", () => {
  const s = testServer();
  const c = new InputClient(s);
  c.send("SET a 1\r\nQUIT\r\nSET b 1\r\n");
  assertEquals(c.received(), ["OK", "OK"]);
  assertEquals(s.run("GET", "b"), null);
});

Deno.test("a protocol error is answered, counted and logged, and nothing after it runs", () => {
  const s = testServer();
  const c = new InputClient(s);
  c.send("SET a 1\r\n*1\r\n!\r\nSET b 1\r\n");
  assertEquals(c.received(), ["OK", { error: "ERR Protocol error: expected '$', got '!'" }]);
  assert(c.client.isClosing);
  assertEquals(s.run("GET", "b"), null);
  assertEquals(s.services.statistics.errorReplies, 1);
});

for (const line of ["POST / HTTP/1.1", "Host: example.org", "post"]) {
  Deno.test(`"${line}" ends the connection without an answer`, () => {
    const s = testServer();
    const c = new InputClient(s);
    c.send(`${line}\r\nSET k v\r\n`);
    assertEquals(c.received(), []);
    assertEquals(c.closed, "at once");
    assertEquals(s.run("GET", "k"), null);
    assert(s.logLines.some((logged) => logged.includes("SECURITY ATTACK")));
  });
}

Deno.test("a turn is ended when its output is over the limit", () => {
  const s = testServer();
  s.dispatcher.owner.isOverOutputLimit = (client) => client.outputBytes > 2_000_000;
  s.run("SET", "k", "x".repeat(100_000));
  const c = new InputClient(s);
  c.send("GET k\r\n".repeat(100) + "SET after 1\r\n");
  assertEquals(c.closed, "at once");
  assertEquals(s.run("GET", "after"), null);
});

Deno.test("a pipeline of 100,000 commands in any pieces runs in order", () => {
  for (const pieceBytes of [Infinity, 1000, 17]) {
    const s = testServer();
    const c = new InputClient(s);
    const calls = pieceBytes === Infinity ? 100_000 : 2000;
    c.send("*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n".repeat(calls), pieceBytes);
    const replies = c.received();
    assertEquals(replies.length, calls);
    assert(replies.every((reply, i) => reply === i + 1));
  }
});
