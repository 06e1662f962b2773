import { assertEquals } from "@std/assert";
import { ENC_RAW } from "../../../src/arena/record.ts";
import { testServer } from "../../support/test_server.ts";

Deno.test("BITOP combines strings of different lengths, the shorter followed by zeros", () => {
  const s = testServer();
  s.run("MSET", "a", "\xff\x0f\x01", "b", "\x0f\xff", "c", "\x01");
  const cases: [string[], string][] = [
    [["AND", "d", "a", "b"], "\x0f\x0f\0"],
    [["and", "d", "c", "a"], "\x01\0\0"],
    [["OR", "d", "b", "a"], "\xff\xff\x01"],
    [["XOR", "d", "a", "b", "c"], "\xf1\xf0\x01"],
    [["NOT", "d", "a"], "\0\xf0\xfe"],
    [["AND", "d", "a", "missing"], "\0\0\0"],
    [["OR", "d", "missing", "a"], "\xff\x0f\x01"],
    [["XOR", "a", "a", "a"], "\0\0\0"],
  ];
  for (const [words, expected] of cases) {
    assertEquals(s.run("BITOP", ...words), expected.length, words.join(" "));
    assertEquals(s.run("GET", words[1]), expected, words.join(" "));
  }
});

Deno.test("BITOP works on strings in slots and stores raw bytes without an expiry", () => {
  const s = testServer();
  const long = "\x0f".repeat(20_000);
  s.run("SET", "a", long);
  s.run("SET", "d", "old", "EX", 100);
  assertEquals(s.run("BITOP", "NOT", "d", "a"), 20_000);
  assertEquals(s.run("GET", "d"), "\xf0".repeat(20_000));
  s.run("SET", "n", "12");
  s.run("BITOP", "OR", "d", "n");
  const database = s.keyspace.databases[0];
  const ref = database.findOrExpire(new TextEncoder().encode("d"), 0, 1);
  assertEquals([database.encodingOf(ref), database.expiryOf(ref)], [ENC_RAW, NaN]);
});

Deno.test("BITOP deletes the destination when the result is empty", () => {
  const s = testServer();
  s.run("SET", "d", "x");
  s.propagated();
  const seen: string[] = [];
  s.keyspace.eventMask = -1 & ~(1 << 11);
  s.keyspace.listener.keyEvent = (event) => seen.push(event);
  assertEquals(s.run("BITOP", "AND", "d", "none", "nothing"), 0);
  assertEquals(s.propagated(), ["BITOP AND d none nothing"]);
  assertEquals(s.run("BITOP", "AND", "d", "none", "nothing"), 0);
  assertEquals(s.propagated(), []);
  assertEquals(seen, ["del"]);
});

Deno.test("BITOP refuses operations, counts and types and changes nothing", () => {
  const s = testServer();
  s.run("MSET", "a", "1", "d", "old");
  s.run("RPUSH", "list", "e");
  s.propagated();
  assertEquals(s.run("BITOP", "DIFF", "d", "list"), { error: "ERR syntax error" });
  assertEquals(s.run("BITOP", "NOT", "d", "list", "a"), {
    error: "ERR BITOP NOT must be called with a single source key.",
  });
  assertEquals(s.run("BITOP", "OR", "d", "a", "list"), {
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  });
  assertEquals(s.run("GET", "d"), "old");
  assertEquals(s.propagated(), []);
});
