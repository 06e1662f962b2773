import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import {
  encodingOf,
  events,
  NOT_A_FLOAT,
  SYNTAX,
  testBothEncodings,
  WRONG_TYPE,
} from "./support.ts";

testBothEncodings("ZADD adds members and moves those that are there", (s) => {
  assertEquals(s.run("ZADD", "z", 2, "b", 1, "a", 3, "c"), 3);
  assertEquals(s.run("ZADD", "z", 5, "a", 2, "b", 1.5, "d"), 1);
  assertEquals(s.run("ZRANGE", "z", 0, -1, "WITHSCORES"), [
    "d",
    "1.5",
    "b",
    "2",
    "c",
    "3",
    "a",
    "5",
  ]);
  assertEquals(s.run("ZADD", "z", "CH", 5, "a", 9, "b", 1, "e"), 2);
  assertEquals(s.run("ZADD", "z", 1, "twice", 2, "twice"), 1);
  assertEquals(s.run("ZSCORE", "z", "twice"), "2");
});

testBothEncodings("ZADD keeps members of one score in the order of their bytes", (s) => {
  s.run("ZADD", "z", 0, "b", 0, "10", 0, "9", 0, "", 0, "a", 0, "-1", 0, "ab", 0, "\xff");
  assertEquals(s.run("ZRANGE", "z", 0, -1), ["", "-1", "10", "9", "a", "ab", "b", "\xff"]);
});

testBothEncodings("ZADD obeys NX, XX, GT and LT", (s) => {
  assertEquals(s.run("ZADD", "z", "XX", 1, "a"), 0);
  assertEquals(s.run("EXISTS", "z"), 0);
  assertEquals(s.run("ZADD", "z", "NX", 1, "a"), 1);
  assertEquals(s.run("ZADD", "z", "nx", "CH", 2, "a", 1, "b"), 1);
  assertEquals(s.run("ZADD", "z", "XX", "CH", 3, "a", 1, "new"), 1);
  assertEquals(s.run("ZADD", "z", "GT", "CH", 2, "a", 2, "b", 7, "c"), 2);
  assertEquals(s.run("ZADD", "z", "LT", "CH", 8, "a", 1, "b", 7, "d"), 2);
  assertEquals(s.run("ZADD", "z", "XX", "GT", 9, "a", 1, "e"), 0);
  assertEquals(s.run("ZRANGE", "z", 0, -1, "WITHSCORES"), [
    "b",
    "1",
    "c",
    "7",
    "d",
    "7",
    "a",
    "9",
  ]);
});

testBothEncodings("ZADD INCR answers the new score, or null when a condition fails", (s) => {
  assertEquals(s.run("ZADD", "z", "XX", "INCR", 1, "a"), null);
  assertEquals(s.run("ZADD", "z", "INCR", 1.25, "a"), "1.25");
  assertEquals(s.run("ZADD", "z", "INCR", 1, "a"), "2.25");
  assertEquals(s.run("ZADD", "z", "NX", "INCR", 1, "a"), null);
  assertEquals(s.run("ZADD", "z", "GT", "INCR", -1, "a"), null);
  assertEquals(s.run("ZADD", "z", "LT", "INCR", -1, "a"), "1.25");
  assertEquals(s.connect(3).run("ZADD", "z", "INCR", 0, "a"), "1.25");
});

testBothEncodings("ZINCRBY adds to the score, starting at 0", (s) => {
  const seen = events(s);
  assertEquals(s.run("ZINCRBY", "z", 2.5, "a"), "2.5");
  assertEquals(s.run("ZINCRBY", "z", -3, "a"), "-0.5");
  assertEquals(s.run("ZINCRBY", "z", "-inf", "a"), "-inf");
  assertEquals(s.run("ZINCRBY", "z", "+inf", "a"), {
    error: "ERR resulting score is not a number (NaN)",
  });
  assertEquals(s.run("ZSCORE", "z", "a"), "-inf");
  assertEquals(seen, ["zincr z", "zincr z", "zincr z"]);
  assertEquals(s.propagated().slice(1), ["ZINCRBY z 2.5 a", "ZINCRBY z -3 a", "ZINCRBY z -inf a"]);
});

for (
  const [words, error] of [
    [["1"], SYNTAX.error],
    [["1", "a", "2"], SYNTAX.error],
    [["NX", "XX", "1", "a"], "ERR XX and NX options at the same time are not compatible"],
    [["GT", "LT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"],
    [["NX", "GT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"],
    [["INCR", "1", "a", "2", "b"], "ERR INCR option supports a single increment-element pair"],
    [["NX", "XX", "x", "a"], "ERR XX and NX options at the same time are not compatible"],
    [["x", "a"], NOT_A_FLOAT.error],
    [["1", "a", "nan", "b"], NOT_A_FLOAT.error],
    [["", "a"], NOT_A_FLOAT.error],
    [[" 1", "a"], NOT_A_FLOAT.error],
    [["1e400", "a"], NOT_A_FLOAT.error],
    [["1e-400", "a"], NOT_A_FLOAT.error],
    [["1.2.3", "a"], NOT_A_FLOAT.error],
    [["-", "a"], NOT_A_FLOAT.error],
  ] as [string[], string][]
) {
  Deno.test(`ZADD refuses ${JSON.stringify(words)} and changes nothing`, () => {
    const s = testServer();
    s.run("ZADD", "z", 7, "seven");
    s.run("SET", "string", "v");
    s.propagated();
    const seen = events(s);
    const expected = words.length === 1
      ? { error: "ERR wrong number of arguments for 'zadd' command" }
      : { error };
    assertEquals(s.run("ZADD", "z", ...words), expected);
    assertEquals(s.run("ZADD", "new", ...words), expected);
    // What is wrong with the words is told before the type of the key.
    assertEquals(s.run("ZADD", "string", ...words), expected);
    assertEquals(s.run("ZRANGE", "z", 0, -1, "WITHSCORES"), ["seven", "7"]);
    assertEquals(s.run("EXISTS", "new"), 0);
    assertEquals(s.propagated(), []);
    assertEquals(seen, []);
  });
}

Deno.test("ZADD refuses keys of another type", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  assertEquals(s.run("ZADD", "k", 1, "a"), WRONG_TYPE);
  assertEquals(s.run("ZADD", "k", "XX", 1, "a"), WRONG_TYPE);
  assertEquals(s.run("ZINCRBY", "k", 1, "a"), WRONG_TYPE);
});

Deno.test("scores are read as numbers of every form and answered in their shortest form", () => {
  const s = testServer();
  const forms = {
    "1": "1",
    "+5": "5",
    "-0": "0",
    "007": "7",
    ".5": "0.5",
    "5.": "5",
    "3.14": "3.14",
    "-2.50": "-2.5",
    "0.1": "0.1",
    "0.30000000000000004": "0.30000000000000004",
    "123456789012345": "123456789012345",
    "9007199254740993": "9007199254740992",
    "4611686018427387904": "4611686018427387904",
    "1e3": "1000",
    "1e30": "1e+30",
    "1.5e-9": "1.5e-9",
    "0x10": "16",
    "inf": "inf",
    "-Infinity": "-inf",
    "0.0000001": "1e-7",
  };
  for (const [text, answer] of Object.entries(forms)) {
    s.run("DEL", "z");
    assertEquals(s.run("ZADD", "z", text, "a"), 1, text);
    assertEquals(s.run("ZSCORE", "z", "a"), answer, text);
  }
  // Only a large set keeps the sign of zero.
  s.keyspace.limits.zsetMaxListpackEntries = 0;
  s.run("ZADD", "large", "-0", "a");
  assertEquals(s.run("ZSCORE", "large", "a"), "-0");
});

Deno.test("a sorted set becomes large above either threshold and stays so", () => {
  const s = testServer();
  for (let i = 0; i < 128; i++) s.run("ZADD", "z", i, `m${i}`);
  assertEquals(encodingOf(s, "z"), "listpack");
  s.run("ZADD", "z", 128, "m127");
  assertEquals(encodingOf(s, "z"), "listpack");
  s.run("ZADD", "z", 0.5, "m128");
  assertEquals(encodingOf(s, "z"), "skiplist");
  s.run("ZREMRANGEBYRANK", "z", 1, -1);
  assertEquals(s.run("ZRANGE", "z", 0, -1), ["m0"]);
  assertEquals(encodingOf(s, "z"), "skiplist");

  s.run("ZADD", "long", 1, "a", 2, "x".repeat(64));
  assertEquals(encodingOf(s, "long"), "listpack");
  s.run("ZADD", "long", 1, "y".repeat(65));
  assertEquals(encodingOf(s, "long"), "skiplist");
  assertEquals(s.run("ZRANGE", "long", 0, -1), ["a", "y".repeat(65), "x".repeat(64)]);
  s.run("ZADD", "first", 1, "x".repeat(65));
  assertEquals(encodingOf(s, "first"), "skiplist");

  const many = Array.from({ length: 129 }, (_, i) => [i, `m${i}`]).flat();
  s.run("ZADD", "many", ...many);
  assertEquals(encodingOf(s, "many"), "skiplist");
  assertEquals(s.run("ZCARD", "many"), 129);
});

Deno.test("a small sorted set that no record can hold becomes large", () => {
  const s = testServer();
  s.keyspace.limits.zsetMaxListpackEntries = 100_000;
  s.keyspace.limits.zsetMaxListpackValue = 100_000;
  for (let i = 0; i < 70; i++) s.run("ZADD", "z", i, String(i).padStart(1000, "0"));
  assertEquals(encodingOf(s, "z"), "skiplist");
  assertEquals(s.run("ZCARD", "z"), 70);
  s.run("ZADD", "one", 1, "x".repeat(65_530));
  assertEquals(encodingOf(s, "one"), "skiplist");
});

testBothEncodings("ZADD tells of changes only", (s) => {
  const seen = events(s);
  s.run("ZADD", "z", 1, "a", 2, "b");
  s.run("ZADD", "z", 1, "a");
  s.run("ZADD", "z", "NX", 5, "a");
  s.run("ZADD", "z", "INCR", 0, "a");
  s.run("ZADD", "z", "INCR", 1, "a");
  assertEquals(seen, ["zadd z", "zincr z"]);
  assertEquals(s.propagated().slice(1), ["ZADD z 1 a 2 b", "ZADD z INCR 1 a"]);
  assertEquals(s.keyspace.dirty, 3);
});

Deno.test("members that come as one request keep their bytes, whatever their size as text", () => {
  const s = testServer();
  const pairs = Array.from({ length: 100 }, (_, i) => [String(i % 7), String(i + 10)]);
  s.run("ZADD", "z", 0, "z".repeat(60), ...pairs.flat());
  const expected = pairs.toSorted(([a, m], [b, n]) => Number(a) - Number(b) || (m < n ? -1 : 1));
  const members = expected.map(([, member]) => member);
  members.splice(pairs.filter(([score]) => score === "0").length, 0, "z".repeat(60));
  assertEquals(s.run("ZRANGE", "z", 0, -1), members);
});
