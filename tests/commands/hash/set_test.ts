import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";

Deno.test("HSET makes a hash, answers the number of new fields and replaces values", () => {
  const s = testServer();
  assertEquals(s.run("HSET", "h", "a", "1", "b", "two"), 2);
  assertEquals(s.run("HSET", "h", "a", "one", "c", "", "c", "3"), 1);
  assertEquals(s.run("HGETALL", "h"), ["a", "one", "b", "two", "c", "3"]);
  assertEquals(s.propagated(), ["SELECT 0", "HSET h a 1 b two", "HSET h a one c  c 3"]);
  assertEquals(s.keyspace.dirty, 5);
});

Deno.test("HSET takes a field that comes twice in one call once, with its last value", () => {
  const s = testServer();
  assertEquals(s.run("HSET", "h", "f", "1", "f", "22", "g", "3", "f", "333"), 2);
  assertEquals(s.run("HGETALL", "h"), ["f", "333", "g", "3"]);
});

Deno.test("HMSET answers OK", () => {
  const s = testServer();
  assertEquals(s.run("HMSET", "h", "a", "1", "b", "2"), "OK");
  assertEquals(s.run("HMSET", "h", "a", "3"), "OK");
  assertEquals(s.run("HGETALL", "h"), ["a", "3", "b", "2"]);
});

Deno.test("HSETNX leaves a field that is there alone", () => {
  const s = testServer();
  assertEquals(s.run("HSETNX", "h", "f", "1"), 1);
  s.propagated();
  assertEquals(s.run("HSETNX", "h", "f", "2"), 0);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("HSETNX", "h", "g", "3"), 1);
  assertEquals(s.run("HGETALL", "h"), ["f", "1", "g", "3"]);
});

const REFUSED: [string[], string][] = [
  [["HSET", "h", "f"], "ERR wrong number of arguments for 'hset' command"],
  [["HSET", "h", "f", "v", "g"], "ERR wrong number of arguments for 'hset' command"],
  [["HMSET", "h", "f", "v", "g"], "ERR wrong number of arguments for 'hmset' command"],
  [["HSET", "text", "f", "v", "g"], "ERR wrong number of arguments for 'hset' command"],
  [["HSET", "text", "f", "v"], WRONG_TYPE],
  [["HMSET", "text", "f", "v"], WRONG_TYPE],
  [["HSETNX", "text", "f", "v"], WRONG_TYPE],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.propagated();
    assertEquals(s.run(...words), { error });
    assertEquals(s.run("HLEN", "h"), 0);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("a hash becomes a table with one field too many, and stays one", () => {
  const s = testServer();
  s.keyspace.limits.hashMaxListpackEntries = 3;
  s.run("HSET", "h", "a", "1", "b", "2", "c", "3");
  s.run("HSET", "h", "a", "one");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpack");
  s.run("HSET", "h", "d", "4");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
  s.run("HDEL", "h", "b", "c", "d");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
  assertEquals(s.run("HGETALL", "h"), ["a", "one"]);
});

Deno.test("HSET with more pairs than a listpack may have makes a table at once", () => {
  const s = testServer();
  s.keyspace.limits.hashMaxListpackEntries = 2;
  assertEquals(s.run("HSET", "new", "f", "1", "f", "2", "f", "3"), 1);
  assertEquals(s.run("OBJECT", "ENCODING", "new"), "hashtable");
  s.run("HSET", "old", "f", "0");
  assertEquals(s.run("HSET", "old", "f", "1", "f", "2", "f", "3"), 0);
  assertEquals(s.run("OBJECT", "ENCODING", "old"), "hashtable");
  assertEquals(s.run("HGETALL", "old"), ["f", "3"]);
});

for (const where of ["field", "value"]) {
  Deno.test(`a hash becomes a table with a ${where} that is too long for a listpack`, () => {
    const s = testServer();
    const pair = (length: number) => {
      const text = "x".repeat(length);
      return where === "field" ? [text, "v"] : ["f", text];
    };
    s.run("HSET", "h", "a", "1", ...pair(64));
    assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpack");
    s.run("HSET", "h", ...pair(65));
    assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
    assertEquals(s.run("HGET", "h", "a"), "1");
    s.run("HSET", "new", ...pair(65));
    assertEquals(s.run("OBJECT", "ENCODING", "new"), "hashtable");
    assertEquals(s.run("HGETALL", "new"), pair(65));
  });
}

Deno.test("a hash becomes a table before a record would be too small, whatever the limits say", () => {
  const s = testServer();
  s.keyspace.limits.hashMaxListpackEntries = 1_000_000;
  s.keyspace.limits.hashMaxListpackValue = 1_000_000;
  const text = "v".repeat(1000);
  for (let i = 0; i < 70; i++) s.run("HSET", "h", `f${i}`, text);
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
  assertEquals(s.run("HLEN", "h"), 70);
  assertEquals(s.run("HGET", "h", "f0"), text);
  s.run("HSET", "one", "f", "v".repeat(70_000));
  assertEquals(s.run("HSTRLEN", "one", "f"), 70_000);
  s.run("HSET", "grown", "f", "v");
  s.run("HSET", "grown", "f", "v".repeat(70_000));
  assertEquals(s.run("OBJECT", "ENCODING", "grown"), "hashtable");
});

Deno.test("values longer than a record takes are kept, replaced, copied and removed", () => {
  const s = testServer();
  const long = (letter: string) => letter.repeat(65_536);
  s.run("HSET", "h", "a", long("1"), "b", long("2"), "c", "3");
  assertEquals(s.run("HGET", "h", "b"), long("2"));
  s.run("HSET", "h", "a", "short", "c", long("4"));
  assertEquals(s.run("HMGET", "h", "a", "c"), ["short", long("4")]);
  s.run("HSET", "h", "b", long("5"));
  s.run("COPY", "h", "copy");
  assertEquals(s.run("HDEL", "h", "b"), 1);
  assertEquals(s.run("HGET", "copy", "b"), long("5"));
  const before = s.keyspace.dataBytes;
  s.run("HDEL", "h", "c");
  assertEquals(before - s.keyspace.dataBytes > 60_000, true);
  assertEquals(s.run("HGETALL", "h"), ["a", "short"]);
});
