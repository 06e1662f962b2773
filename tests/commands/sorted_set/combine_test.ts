import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import {
  encodingOf,
  events,
  NOT_AN_INTEGER,
  SYNTAX,
  testBothEncodings,
  WRONG_TYPE,
} from "./support.ts";

testBothEncodings("ZUNION, ZINTER and ZDIFF combine sorted sets", (s) => {
  s.run("ZADD", "a", 1, "x", 2, "y", 3, "z");
  s.run("ZADD", "b", 10, "y", 20, "z", 30, "w");
  assertEquals(s.run("ZUNION", 2, "a", "b", "WITHSCORES"), [
    "x",
    "1",
    "y",
    "12",
    "z",
    "23",
    "w",
    "30",
  ]);
  assertEquals(s.run("ZINTER", 2, "a", "b", "WITHSCORES"), ["y", "12", "z", "23"]);
  assertEquals(s.run("ZDIFF", 2, "a", "b", "WITHSCORES"), ["x", "1"]);
  assertEquals(s.run("ZDIFF", 3, "b", "missing", "a"), ["w"]);
  assertEquals(s.run("ZDIFF", 2, "a", "a"), []);
  assertEquals(s.run("ZINTER", 2, "a", "a", "WITHSCORES"), ["x", "2", "y", "4", "z", "6"]);
  assertEquals(s.run("ZINTER", 2, "a", "missing"), []);
  assertEquals(s.run("ZUNION", 2, "missing", "a"), ["x", "y", "z"]);
  assertEquals(s.connect(3).run("ZINTER", 2, "a", "b", "WITHSCORES"), [["y", "12"], ["z", "23"]]);
  assertEquals(s.connect(3).run("ZINTER", 2, "a", "b"), ["y", "z"]);
});

testBothEncodings("WEIGHTS and AGGREGATE change the scores", (s) => {
  s.run("ZADD", "a", 1, "x", 2, "y");
  s.run("ZADD", "b", 10, "y");
  const union = (...words: (string | number)[]) =>
    s.run("ZUNION", 2, "a", "b", ...words, "WITHSCORES");
  assertEquals(union("WEIGHTS", 2, "0.5"), ["x", "2", "y", "9"]);
  assertEquals(union("AGGREGATE", "MIN"), ["x", "1", "y", "2"]);
  assertEquals(union("aggregate", "max", "weights", -1, 1), ["x", "-1", "y", "10"]);
  assertEquals(s.run("ZINTER", 2, "a", "b", "WEIGHTS", 1, -1, "WITHSCORES"), ["y", "-8"]);
});

testBothEncodings("what would be no number becomes 0", (s) => {
  s.run("ZADD", "a", "inf", "x");
  s.run("ZADD", "b", "-inf", "x");
  assertEquals(s.run("ZUNION", 2, "a", "b", "WITHSCORES"), ["x", "0"]);
  assertEquals(s.run("ZINTER", 2, "a", "b", "WITHSCORES"), ["x", "0"]);
  assertEquals(s.run("ZUNION", 1, "a", "WEIGHTS", 0, "WITHSCORES"), ["x", "0"]);
});

testBothEncodings("ZINTERCARD counts up to its limit", (s) => {
  s.run("ZADD", "a", 1, "x", 2, "y", 3, "z");
  s.run("ZADD", "b", 1, "x", 2, "y", 3, "z", 4, "w");
  assertEquals(s.run("ZINTERCARD", 2, "a", "b"), 3);
  assertEquals(s.run("ZINTERCARD", 2, "a", "b", "LIMIT", 2), 2);
  assertEquals(s.run("ZINTERCARD", 2, "a", "b", "LIMIT", 0), 3);
  assertEquals(s.run("ZINTERCARD", 2, "a", "missing"), 0);
});

Deno.test("plain sets take part with the score 1", () => {
  const s = testServer();
  s.run("ZADD", "z", 5, "1", 6, "b");
  for (
    const members of [
      ["1", "2"],
      ["1", "2", "t"],
      Array.from({ length: 200 }, (_, i) => `${i}.`),
    ]
  ) {
    s.run("DEL", "set");
    s.run("SADD", "set", ...members, "1");
    assertEquals(s.run("ZINTER", 2, "set", "z", "WITHSCORES"), ["1", "6"]);
    assertEquals(s.run("ZDIFF", 2, "z", "set", "WITHSCORES"), ["b", "6"]);
    assertEquals(
      s.run("ZUNIONSTORE", "d", 2, "z", "set", "WEIGHTS", 1, 3),
      new Set([...members, "1", "b"]).size,
    );
    assertEquals(s.run("ZMSCORE", "d", "1", "b", members[1]), ["8", "6", "3"]);
  }
});

testBothEncodings("the storing forms replace the destination, or remove it", (s) => {
  s.run("ZADD", "a", 1, "x", 2, "y");
  s.run("ZADD", "b", 10, "y");
  s.run("SET", "d", "v", "EX", 100);
  s.propagated();
  const seen = events(s);
  assertEquals(s.run("ZUNIONSTORE", "d", 2, "a", "b"), 2);
  assertEquals(encodingOf(s, "d"), encodingOf(s, "a"));
  assertEquals(s.run("ZINTERSTORE", "d", 2, "a", "b", "AGGREGATE", "MAX"), 1);
  assertEquals(s.run("ZRANGE", "d", 0, -1, "WITHSCORES"), ["y", "10"]);
  assertEquals(s.run("ZDIFFSTORE", "a", 2, "a", "b"), 1);
  assertEquals(s.run("ZRANGE", "a", 0, -1), ["x"]);
  assertEquals(s.run("ZINTERSTORE", "d", 2, "a", "b"), 0);
  assertEquals(s.run("ZINTERSTORE", "d", 2, "a", "b"), 0);
  assertEquals(seen, [
    "zunionstore d",
    "zinterstore d",
    "zdiffstore a",
    "del d",
  ]);
  assertEquals(s.propagated(), [
    "ZUNIONSTORE d 2 a b",
    "ZINTERSTORE d 2 a b AGGREGATE MAX",
    "ZDIFFSTORE a 2 a b",
    "ZINTERSTORE d 2 a b",
  ]);
});

Deno.test("a stored result has the encoding of its size", () => {
  const s = testServer();
  for (let i = 0; i < 100; i++) s.run("ZADD", "a", i, `a${i}`);
  for (let i = 0; i < 100; i++) s.run("ZADD", "b", i, `b${i}`);
  s.run("ZUNIONSTORE", "d", 2, "a", "b");
  assertEquals(encodingOf(s, "d"), "skiplist");
  s.run("ZDIFFSTORE", "d", 2, "d", "b");
  assertEquals(encodingOf(s, "d"), "listpack");
  assertEquals(s.run("ZCARD", "d"), 100);
  s.run("ZADD", "b", 1, "x".repeat(65));
  s.run("ZRANGESTORE", "d", "b", 0, 5);
  assertEquals(encodingOf(s, "d"), "skiplist");
});

const noKeys = (name: string) => `ERR at least 1 input key is needed for '${name}' command`;
for (
  const [words, error] of [
    ["ZUNION 0 a", noKeys("zunion")],
    ["ZINTERSTORE d 0 a", noKeys("zinterstore")],
    ["ZINTERCARD -1 a", noKeys("zintercard")],
    ["ZDIFF x a", NOT_AN_INTEGER.error],
    ["ZUNION 3 a b", SYNTAX.error],
    ["ZUNION 2 a b WEIGHTS 1", SYNTAX.error],
    ["ZUNION 2 a b WEIGHTS 1 x", "ERR weight value is not a float"],
    ["ZUNION 2 a b AGGREGATE AVG", SYNTAX.error],
    ["ZUNION 2 a b AGGREGATE", SYNTAX.error],
    ["ZUNIONSTORE d 2 a b WITHSCORES", SYNTAX.error],
    ["ZDIFF 2 a b WEIGHTS 1 2", SYNTAX.error],
    ["ZDIFF 2 a b AGGREGATE SUM", SYNTAX.error],
    ["ZINTER 2 a b LIMIT 1", SYNTAX.error],
    ["ZINTERCARD 2 a b LIMIT -1", "ERR LIMIT can't be negative"],
    ["ZINTERCARD 2 a b LIMIT x", "ERR LIMIT can't be negative"],
    ["ZINTERCARD 2 a b LIMIT", SYNTAX.error],
    ["ZINTERCARD 2 a b WITHSCORES", SYNTAX.error],
    ["ZUNION 2 a string WHAT", WRONG_TYPE.error],
    ["ZDIFFSTORE d 2 a string", WRONG_TYPE.error],
  ]
) {
  Deno.test(`${words} is refused and changes nothing`, () => {
    const s = testServer();
    s.run("ZADD", "a", 1, "x");
    s.run("SET", "string", "v");
    s.run("SET", "d", "v");
    s.propagated();
    assertEquals(s.run(...words.split(" ")), { error });
    assertEquals(s.run("GET", "d"), "v");
    assertEquals(s.propagated(), []);
  });
}
