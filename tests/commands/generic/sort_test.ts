import { assertEquals } from "@std/assert";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const SYNTAX = { error: "ERR syntax error" };

function withList(...elements: (string | number)[]): TestServer {
  const s = testServer();
  s.run("RPUSH", "l", ...elements);
  return s;
}

Deno.test("SORT orders by number, or by bytes with ALPHA, and may turn round", () => {
  const s = withList(10, 9, "1.5", -3, "1e2", "inf");
  assertEquals(s.run("SORT", "l"), ["-3", "1.5", "9", "10", "1e2", "inf"]);
  assertEquals(s.run("SORT", "l", "DESC", "LIMIT", 1, 2), ["1e2", "10"]);
  assertEquals(s.run("SORT", "l", "ALPHA"), ["-3", "1.5", "10", "1e2", "9", "inf"]);
  assertEquals(s.run("SORT_RO", "l", "ALPHA", "DESC", "LIMIT", 0, 1), ["inf"]);
  assertEquals(s.run("SORT", "none"), []);
});

Deno.test("SORT needs numbers, or ALPHA", () => {
  const error = { error: "ERR One or more scores can't be converted into double" };
  assertEquals(withList(1, "a").run("SORT", "l"), error);
  assertEquals(withList(1, "1e999").run("SORT", "l"), error);
  assertEquals(withList(2, "").run("SORT", "l"), ["", "2"]);
});

Deno.test("elements of the same number are in the order of their bytes", () => {
  const s = withList("c", "a", "b");
  for (const key of ["w_a", "w_b", "w_c"]) s.run("SET", key, 1);
  assertEquals(s.run("SORT", "l", "BY", "w_*"), ["a", "b", "c"]);
  assertEquals(s.run("SORT", "l", "BY", "w_*", "DESC"), ["c", "b", "a"]);
});

Deno.test("SORT compares by other keys and by fields of hashes", () => {
  const s = withList(1, 2, 3);
  s.run("SET", "w_1", 30);
  s.run("SET", "w_2", 20);
  s.run("SET", "w_3", 10);
  assertEquals(s.run("SORT", "l", "BY", "w_*"), ["3", "2", "1"]);
  s.run("HSET", "h1", "f", 5);
  s.run("HSET", "h2", "f", 9);
  assertEquals(s.run("SORT", "l", "BY", "h*->f"), ["3", "1", "2"]); // missing counts as 0
  assertEquals(s.run("SORT", "l", "BY", "h*->f", "GET", "#", "GET", "h*->f", "GET", "w_*"), [
    "3",
    null,
    "10",
    "1",
    "5",
    "30",
    "2",
    "9",
    "20",
  ]);
  assertEquals(s.run("SORT", "l", "GET", "h*"), [null, null, null]); // hashes are no strings
});

Deno.test("a pattern without a star keeps the order", () => {
  const s = withList(3, 1, 2);
  assertEquals(s.run("SORT", "l", "BY", "nosort"), ["3", "1", "2"]);
  assertEquals(s.run("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 0, 2), ["2", "1"]);
  assertEquals(s.run("SORT", "l", "BY", "nosort", "BY", "w_*"), ["3", "1", "2"]);
  s.run("ZADD", "z", 3, "a", 1, "b", 2, "c");
  assertEquals(s.run("SORT", "z", "BY", "nosort"), ["b", "c", "a"]);
  assertEquals(s.run("SORT", "z", "BY", "nosort", "DESC"), ["a", "c", "b"]);
});

Deno.test("SORT STORE makes a list, or removes the key when there is nothing", () => {
  const s = withList(3, 1, 2);
  s.run("SET", "dst", "old", "EX", 100);
  s.propagated();
  assertEquals(s.run("SORT", "l", "GET", "#", "GET", "none_*", "STORE", "dst"), 6);
  assertEquals(s.run("LRANGE", "dst", 0, -1), ["1", "", "2", "", "3", ""]);
  assertEquals(s.run("TTL", "dst"), -1);
  assertEquals(s.propagated(), ["SORT l GET # GET none_* STORE dst"]);
  assertEquals(s.run("SORT", "l", "STORE", "l"), 3);
  assertEquals(s.run("LRANGE", "l", 0, -1), ["1", "2", "3"]);
  assertEquals(s.run("SORT", "none", "STORE", "dst"), 0);
  assertEquals(s.run("EXISTS", "dst"), 0);
  s.propagated();
  assertEquals(s.run("SORT", "none", "STORE", "dst"), 0);
  assertEquals(s.propagated(), []);
});

Deno.test("SORT refuses other types and wrong words", () => {
  const s = withList(1);
  s.run("SET", "str", "v");
  const refused: [(string | number)[], Value][] = [
    [["SORT", "str"], {
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    }],
    [["SORT", "l", "LIMIT", 1], SYNTAX],
    [["SORT", "l", "LIMIT", "a", 1], { error: "ERR value is not an integer or out of range" }],
    [["SORT", "l", "BY"], SYNTAX],
    [["SORT", "l", "NOSUCH"], SYNTAX],
    [["SORT_RO", "l", "STORE", "x"], SYNTAX],
  ];
  for (const [words, error] of refused) assertEquals(s.run(...words), error, words.join(" "));
});
