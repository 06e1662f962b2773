/** MSETEX as Redis 8.4 has it. */

import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const NOW = 1_000_000;

Deno.test("MSETEX sets all keys with one expiry", () => {
  const s = testServer({ nowMs: NOW });
  s.run("RPUSH", "b", "a list");
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "2", "EX", "10"), 1);
  assertEquals(s.run("MGET", "a", "b"), ["1", "2"]);
  assertEquals([s.run("PTTL", "a"), s.run("PTTL", "b")], [10_000, 10_000]);
});

for (
  const [words, at] of [
    [["EX", "10"], NOW + 10_000],
    [["PX", "10"], NOW + 10],
    [["EXAT", "2000"], 2_000_000],
    [["PXAT", "2000000"], 2_000_000],
  ] as const
) {
  Deno.test(`MSETEX ${words.join(" ")} enters the stream as a SET for each key`, () => {
    const s = testServer({ nowMs: NOW });
    s.run("SET", "other", "v");
    s.propagated();
    s.run("MSETEX", "2", "a", "1", "b", "2", ...words);
    assertEquals(s.propagated(), [
      "MULTI",
      `SET a 1 PXAT ${at}`,
      `SET b 2 PXAT ${at}`,
      "EXEC",
    ]);
    assertEquals([s.run("PEXPIRETIME", "a"), s.run("PEXPIRETIME", "b")], [at, at]);
  });
}

Deno.test("MSETEX without an expiry ends those that were, and enters the stream as MSET", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "a", "0", "EX", "100");
  s.propagated();
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "2"), 1);
  assertEquals(s.run("TTL", "a"), -1);
  assertEquals(s.propagated(), ["MSET a 1 b 2"]);
});

Deno.test("MSETEX KEEPTTL keeps the expiry that each key has", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "a", "0", "EX", "100");
  s.propagated();
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "x".repeat(20_000), "KEEPTTL"), 1);
  assertEquals([s.run("TTL", "a"), s.run("TTL", "b")], [100, -1]);
  assertEquals(s.propagated().slice(1, 2), ["SET a 1 KEEPTTL"]);
});

Deno.test("MSETEX NX sets none if one is there, XX none if one is missing", () => {
  const s = testServer();
  s.run("SET", "a", "0");
  s.propagated();
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "2", "NX"), 0);
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "2", "XX"), 0);
  assertEquals(s.run("MGET", "a", "b"), ["0", null]);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("MSETEX", "1", "b", "2", "NX", "PX", "100000"), 1);
  assertEquals(s.run("MSETEX", "2", "a", "1", "b", "3", "XX"), 1);
  assertEquals(s.run("MGET", "a", "b"), ["1", "3"]);
});

Deno.test("MSETEX sets long strings, and of a key that is named twice the last value", () => {
  const s = testServer({ nowMs: NOW });
  const long = "0123456789".repeat(10_000);
  assertEquals(s.run("MSETEX", "3", "a", long, "b", "2", "a", long + "!", "PX", "5000"), 1);
  assertEquals(s.run("GET", "a"), long + "!");
  assertEquals(s.run("PTTL", "a"), 5000);
});

Deno.test("MSETEX sends the events of SET for each key", () => {
  const s = testServer();
  s.run("CONFIG", "SET", "notify-keyspace-events", "E$g");
  const listener = s.connect();
  listener.run("PSUBSCRIBE", "*");
  s.run("MSETEX", "2", "a", "1", "b", "2", "EX", "10");
  const events = (listener.received() as string[][]).map((message) => message.slice(2).join(" "));
  assertEquals(events, [
    "__keyevent@0__:set a",
    "__keyevent@0__:expire a",
    "__keyevent@0__:set b",
    "__keyevent@0__:expire b",
  ]);
});

const REFUSALS: [string, string][] = [
  ["x a 1", "ERR invalid numkeys value"],
  ["0 a 1", "ERR invalid numkeys value"],
  ["-1 a 1", "ERR invalid numkeys value"],
  ["2147483648 a 1", "ERR invalid numkeys value"],
  ["2147483647 a 1", "ERR wrong number of key-value pairs"],
  ["2 a 1 b", "ERR wrong number of key-value pairs"],
  ["1 a 1 b", "ERR syntax error"],
  ["1 a 1 NX XX", "ERR syntax error"],
  ["1 a 1 EX", "ERR syntax error"],
  ["1 a 1 EX 1 PX 1", "ERR syntax error"],
  ["1 a 1 EX 1 KEEPTTL", "ERR syntax error"],
  ["1 a 1 GET", "ERR syntax error"],
  ["1 a 1 IFEQ 1", "ERR syntax error"],
  ["1 a 1 PERSIST", "ERR syntax error"],
  ["1 a 1 EX x", "ERR value is not an integer or out of range"],
  ["1 a 1 EX 0", "ERR invalid expire time in 'msetex' command"],
  ["1 a 1 EXAT -1", "ERR invalid expire time in 'msetex' command"],
  ["1 a", "ERR wrong number of arguments for 'msetex' command"],
];

for (const [words, error] of REFUSALS) {
  Deno.test(`MSETEX ${words} is refused and sets nothing`, () => {
    const s = testServer();
    assertEquals(s.run("MSETEX", ...words.split(" ")), { error });
    assertEquals(s.run("DBSIZE"), 0);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("COMMAND GETKEYS of MSETEX gives its keys and not its options", () => {
  const s = testServer();
  const words = ["MSETEX", "2", "a", "1", "b", "2", "EX", "10"];
  assertEquals(s.run("COMMAND", "GETKEYS", ...words), ["a", "b"]);
});
