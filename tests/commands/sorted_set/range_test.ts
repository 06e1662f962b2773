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

testBothEncodings("ZRANGE reads ranks, scores and bytes, both ways", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d");
  assertEquals(s.run("ZRANGE", "z", 1, 2), ["b", "c"]);
  assertEquals(s.run("ZRANGE", "z", -2, -1, "REV"), ["b", "a"]);
  assertEquals(s.run("ZRANGE", "z", 2, 1), []);
  assertEquals(s.run("ZRANGE", "z", 4, 9), []);
  assertEquals(s.run("ZRANGE", "z", "-99", "9223372036854775807"), ["a", "b", "c", "d"]);
  assertEquals(s.run("ZRANGE", "z", "(1", "+inf", "BYSCORE"), ["b", "c", "d"]);
  assertEquals(s.run("ZRANGE", "z", "3", "(1", "BYSCORE", "REV", "WITHSCORES"), [
    "c",
    "3",
    "b",
    "2",
  ]);
  assertEquals(s.run("ZRANGEBYSCORE", "z", 3, 1), []);
  assertEquals(s.run("ZRANGEBYSCORE", "z", "(2", "(2"), []);
  assertEquals(s.run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", 1, 2), ["b", "c"]);
  assertEquals(s.run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", 2, -5), ["c", "d"]);
  assertEquals(s.run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", -1, 2), []);
  assertEquals(s.run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", 9, 2), []);
  assertEquals(s.run("ZREVRANGEBYSCORE", "z", "inf", 2, "LIMIT", 1, 9, "WITHSCORES"), [
    "c",
    "3",
    "b",
    "2",
  ]);
});

testBothEncodings("BYLEX ranges know open, closed and endless bounds", (s) => {
  s.run("ZADD", "z", 0, "a", 0, "b", 0, "bb", 0, "10", 0, "9");
  assertEquals(s.run("ZRANGEBYLEX", "z", "-", "+"), ["10", "9", "a", "b", "bb"]);
  assertEquals(s.run("ZRANGEBYLEX", "z", "[9", "(b"), ["9", "a"]);
  assertEquals(s.run("ZRANGEBYLEX", "z", "(9", "[b"), ["a", "b"]);
  assertEquals(s.run("ZRANGEBYLEX", "z", "[", "(9"), ["10"]);
  assertEquals(s.run("ZRANGEBYLEX", "z", "+", "-"), []);
  assertEquals(s.run("ZREVRANGEBYLEX", "z", "+", "(a", "LIMIT", 1, 5), ["b"]);
  assertEquals(s.run("ZRANGE", "z", "+", "[9", "BYLEX", "REV"), ["bb", "b", "a", "9"]);
  assertEquals(s.run("ZLEXCOUNT", "z", "[1", "[a"), 3);
  assertEquals(s.run("ZLEXCOUNT", "missing", "-", "+"), 0);
  assertEquals(s.run("ZREMRANGEBYLEX", "z", "[9", "[b"), 3);
  assertEquals(s.run("ZRANGE", "z", 0, -1), ["10", "bb"]);
});

testBothEncodings("scores in a range are doubles in pairs for RESP3 clients", (s) => {
  s.run("ZADD", "z", 1.5, "a", 2, "b");
  const client = s.connect(3);
  assertEquals(client.run("ZRANGE", "z", 0, -1, "WITHSCORES"), [["a", "1.5"], ["b", "2"]]);
  assertEquals(client.run("ZRANGE", "z", 0, -1), ["a", "b"]);
  assertEquals(client.run("ZRANGE", "z", 5, 9, "WITHSCORES"), []);
});

const LIMIT =
  "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
const LEX_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
for (
  const [words, error] of [
    ["ZRANGE z 0 1 LIMIT 0 1", LIMIT],
    ["ZREVRANGE z 0 1 LIMIT 0 1", LIMIT],
    ["ZRANGE z a 1 LIMIT 0 1", LIMIT],
    ["ZRANGE z - + BYLEX WITHSCORES", LEX_SCORES],
    ["ZRANGEBYLEX z - + WITHSCORES", LEX_SCORES],
    ["ZRANGE z 0 1 LIMIT 0", SYNTAX.error],
    ["ZRANGE z 0 1 BYLEX BYSCORE", SYNTAX.error],
    ["ZRANGE z 0 1 REV REV", SYNTAX.error],
    ["ZREVRANGE z 0 1 REV", SYNTAX.error],
    ["ZRANGEBYSCORE z 0 1 BYSCORE", SYNTAX.error],
    ["ZRANGESTORE d z 0 1 WITHSCORES", SYNTAX.error],
    ["ZRANGE z 0 1 LIMIT x 1 WHAT", NOT_AN_INTEGER.error],
    ["ZRANGE z 0 x", NOT_AN_INTEGER.error],
    ["ZRANGE z x 0", NOT_AN_INTEGER.error],
    ["ZRANGEBYSCORE z 0 x", "ERR min or max is not a float"],
    ["ZRANGEBYSCORE z nan 1", "ERR min or max is not a float"],
    ["ZCOUNT z ((1 2", "ERR min or max is not a float"],
    ["ZRANGEBYLEX z a [b", "ERR min or max not valid string range item"],
    ["ZRANGEBYLEX z - ++", "ERR min or max not valid string range item"],
    ["ZLEXCOUNT z -a +", "ERR min or max not valid string range item"],
    ["ZREMRANGEBYLEX z - b", "ERR min or max not valid string range item"],
    ["ZREMRANGEBYSCORE z a b", "ERR min or max is not a float"],
    ["ZREMRANGEBYRANK z a 1", NOT_AN_INTEGER.error],
  ]
) {
  Deno.test(`${words} is refused, whatever is at the key`, () => {
    const s = testServer();
    assertEquals(s.run(...words.split(" ")), { error });
    s.run("SET", "z", "v");
    s.propagated();
    assertEquals(s.run(...words.split(" ")), { error });
    assertEquals(s.propagated(), []);
  });
}

Deno.test("ranges refuse keys of another type and find nothing at missing ones", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  for (
    const words of [
      "ZRANGE # 0 -1",
      "ZRANGE # 0 -1 LIMIT 0 -1",
      "ZRANGEBYSCORE # 0 1 WITHSCORES",
      "ZREVRANGEBYLEX # + -",
    ]
  ) {
    assertEquals(s.run(...words.replace("#", "k").split(" ")), WRONG_TYPE);
    assertEquals(s.run(...words.replace("#", "missing").split(" ")), []);
  }
  assertEquals(s.run("ZRANGESTORE", "d", "k", 0, 1), WRONG_TYPE);
});

testBothEncodings("ZRANGESTORE replaces the destination, or removes it", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 3, "c");
  s.run("SET", "d", "v", "EX", 100);
  s.propagated();
  const seen = events(s);
  assertEquals(s.run("ZRANGESTORE", "d", "z", "(1", "inf", "BYSCORE", "LIMIT", 0, 5), 2);
  assertEquals(s.run("ZRANGE", "d", 0, -1, "WITHSCORES"), ["b", "2", "c", "3"]);
  assertEquals(encodingOf(s, "d"), encodingOf(s, "z"));
  assertEquals(s.run("ZRANGESTORE", "z", "z", 0, 0, "REV"), 1);
  assertEquals(s.run("ZRANGE", "z", 0, -1), ["c"]);
  assertEquals(s.run("ZRANGESTORE", "d", "missing", 0, -1), 0);
  assertEquals(s.run("EXISTS", "d"), 0);
  assertEquals(s.run("ZRANGESTORE", "d", "missing", 0, -1), 0);
  assertEquals(seen, ["zrangestore d", "zrangestore z", "del d"]);
  assertEquals(s.propagated(), [
    "ZRANGESTORE d z (1 inf BYSCORE LIMIT 0 5",
    "ZRANGESTORE z z 0 0 REV",
    "ZRANGESTORE d missing 0 -1",
  ]);
});
