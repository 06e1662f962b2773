import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;
const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};

Deno.test("GET answers null for a key that is not there", () => {
  const s = testServer();
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.run("GET"), { error: "ERR wrong number of arguments for 'get' command" });
  assertEquals(s.run("NOSUCH", "a"), {
    error: "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
  });
});

Deno.test("commands that read strings refuse other types", () => {
  const s = testServer();
  s.run("RPUSH", "list", "a");
  s.propagated();
  for (
    const words of [
      ["GET", "list"],
      ["GETDEL", "list"],
      ["GETEX", "list", "EX", "0"],
      ["STRLEN", "list"],
      ["GETRANGE", "list", "0", "1"],
      ["APPEND", "list", "x"],
      ["SETRANGE", "list", "0", ""],
      ["INCR", "list"],
      ["INCRBY", "list", "9223372036854775807"],
    ]
  ) assertEquals(s.run(...words), WRONG_TYPE, words.join(" "));
  assertEquals(s.propagated(), []);
});

Deno.test("GETDEL answers with the string, deletes the key and propagates DEL", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.run("SET", "long", "v".repeat(20000));
  s.propagated();
  assertEquals(s.run("GETDEL", "k"), "v");
  assertEquals(s.run("GETDEL", "k"), null);
  assertEquals(s.run("GETDEL", "long"), "v".repeat(20000));
  assertEquals(s.propagated(), ["DEL k", "DEL long"]);
  assertEquals(s.keyspace.databases[0].count, 0);
});

Deno.test("GETEX sets and removes the expiry, and propagates the outcome", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "k", "v");
  s.propagated();
  const cases: [(string | number)[], string[]][] = [
    [[], []],
    [["PERSIST"], []],
    [["EX", 10], [`PEXPIREAT k ${NOW + 10_000}`]],
    [["PX", 10], [`PEXPIREAT k ${NOW + 10}`]],
    [["EXAT", 1_700_000_010], [`PEXPIREAT k ${NOW + 10_000}`]],
    [["PXAT", NOW + 10], [`PEXPIREAT k ${NOW + 10}`]],
    [["PERSIST"], ["PERSIST k"]],
    [["PERSIST"], []],
    [["PXAT", NOW], ["DEL k"]],
  ];
  for (const [words, expected] of cases) {
    assertEquals(s.run("GETEX", "k", ...words), "v");
    assertEquals(s.propagated(), expected, words.join(" "));
  }
  assertEquals(s.run("GETEX", "k", "EX", "0"), null);
});

Deno.test("GETEX refuses SET's options and times that are none", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.propagated();
  const syntax = { error: "ERR syntax error" };
  for (
    const words of [["NX"], ["XX"], ["GET"], ["KEEPTTL"], ["EX"], ["PERSIST", "EX", "1"], [
      "EX",
      "1",
      "PERSIST",
    ], ["EX", "1", "PXAT", "1"]]
  ) assertEquals(s.run("GETEX", "k", ...words), syntax, words.join(" "));
  assertEquals(s.run("GETEX", "k", "EX", "x"), {
    error: "ERR value is not an integer or out of range",
  });
  assertEquals(s.run("GETEX", "k", "PX", "0"), {
    error: "ERR invalid expire time in 'getex' command",
  });
  assertEquals(s.propagated(), []);
});

Deno.test("reads count hits and misses", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.run("GET", "k");
  s.run("MGET", "k", "missing");
  s.run("STRLEN", "missing");
  assertEquals([s.keyspace.keyspaceHits, s.keyspace.keyspaceMisses], [2, 2]);
});
