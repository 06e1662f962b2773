import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { events, NOT_AN_INTEGER, SYNTAX, testBothEncodings, WRONG_TYPE } from "./support.ts";

testBothEncodings("ZREM removes members, and the key with the last one", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 3, "c");
  s.propagated();
  const seen = events(s);
  assertEquals(s.run("ZREM", "z", "x"), 0);
  assertEquals(s.run("ZREM", "z", "b", "x", "b"), 1);
  assertEquals(s.run("ZREM", "z", "c", "a", "b"), 2);
  assertEquals(s.run("EXISTS", "z"), 0);
  assertEquals(s.run("ZREM", "z", "a"), 0);
  assertEquals(seen, ["zrem z", "zrem z", "del z"]);
  assertEquals(s.propagated(), ["ZREM z b x b", "ZREM z c a b"]);
  assertEquals(s.keyspace.dirty, 6);
});

testBothEncodings("ZREMRANGEBYRANK and its kin tell of what they remove", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 4, "e");
  const seen = events(s);
  assertEquals(s.run("ZREMRANGEBYRANK", "z", 5, 9), 0);
  assertEquals(s.run("ZREMRANGEBYRANK", "z", -1, 9), 1);
  assertEquals(s.run("ZREMRANGEBYSCORE", "z", "(1", "(3"), 1);
  assertEquals(s.run("ZREMRANGEBYSCORE", "z", 7, 8), 0);
  assertEquals(s.run("ZREMRANGEBYLEX", "missing", "-", "+"), 0);
  assertEquals(s.run("ZRANGE", "z", 0, -1), ["a", "c", "d"]);
  assertEquals(s.run("ZREMRANGEBYLEX", "z", "-", "+"), 3);
  assertEquals(seen, ["zremrangebyrank z", "zremrangebyscore z", "zremrangebylex z", "del z"]);
});

testBothEncodings("ZPOPMIN and ZPOPMAX take members from the ends", (s) => {
  s.run("ZADD", "z", 1, "a", 2.5, "b", 3, "c", 3, "d");
  s.propagated();
  const seen = events(s);
  assertEquals(s.run("ZPOPMIN", "z"), ["a", "1"]);
  assertEquals(s.run("ZPOPMAX", "z", 2), ["d", "3", "c", "3"]);
  assertEquals(s.run("ZPOPMIN", "z", 0), []);
  assertEquals(s.run("ZPOPMIN", "missing"), []);
  assertEquals(s.run("ZPOPMIN", "z", 10), ["b", "2.5"]);
  assertEquals(s.run("EXISTS", "z"), 0);
  assertEquals(seen, ["zpopmin z", "zpopmax z", "zpopmin z", "del z"]);
  assertEquals(s.propagated(), ["ZPOPMIN z", "ZPOPMAX z 2", "ZPOPMIN z 10"]);
});

testBothEncodings("ZPOPMIN answers RESP3 clients with pairs when they name a count", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d");
  const client = s.connect(3);
  assertEquals(client.run("ZPOPMIN", "z"), ["a", "1"]);
  assertEquals(client.run("ZPOPMIN", "z", 1), [["b", "2"]]);
  assertEquals(client.run("ZPOPMAX", "z", 5), [["d", "4"], ["c", "3"]]);
  assertEquals(client.run("ZPOPMAX", "z", 5), []);
});

testBothEncodings(
  "ZMPOP takes from the first key that is there, and propagates what it took",
  (s) => {
    s.run("ZADD", "b", 1, "x", 2, "y", 3, "z");
    s.propagated();
    assertEquals(s.run("ZMPOP", 3, "a", "b", "c", "MIN"), ["b", [["x", "1"]]]);
    assertEquals(s.run("ZMPOP", 2, "a", "b", "max", "count", 9), ["b", [["z", "3"], ["y", "2"]]]);
    assertEquals(s.run("ZMPOP", 2, "a", "b", "MAX"), null);
    assertEquals(s.run("EXISTS", "b"), 0);
    assertEquals(s.propagated(), ["ZPOPMIN b 1", "ZPOPMAX b 2"]);
  },
);

const NOT_POSITIVE = "ERR value is out of range, must be positive";
for (
  const [words, error] of [
    ["ZPOPMIN z -1", NOT_POSITIVE],
    ["ZPOPMAX z x", NOT_POSITIVE],
    ["ZPOPMIN z 1 2", SYNTAX.error],
    ["ZMPOP 0 z MIN", "ERR numkeys should be greater than 0"],
    ["ZMPOP x z MIN", "ERR numkeys should be greater than 0"],
    ["ZMPOP 2 z MIN", SYNTAX.error],
    ["ZMPOP 1 z LEFT", SYNTAX.error],
    ["ZMPOP 1 z MIN COUNT", SYNTAX.error],
    ["ZMPOP 1 z MIN COUNT 0", "ERR count should be greater than 0"],
    ["ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX.error],
    ["ZREMRANGEBYRANK z 0 x", NOT_AN_INTEGER.error],
    ["ZRANK z a b", SYNTAX.error],
    ["ZRANK z a WITHSCORE x", "ERR wrong number of arguments for 'zrank' command"],
  ]
) {
  Deno.test(`${words} is refused, whatever is at the key`, () => {
    const s = testServer();
    s.run("ZADD", "z", 1, "a");
    s.propagated();
    assertEquals(s.run(...words.split(" ")), { error });
    assertEquals(s.run("ZCARD", "z"), 1);
    assertEquals(s.propagated(), []);
    s.run("SET", "z", "v");
    assertEquals(s.run(...words.split(" ")), { error });
  });
}

Deno.test("commands on one sorted set refuse keys of another type", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  s.propagated();
  for (
    const words of [
      "ZREM k a",
      "ZPOPMIN k",
      "ZPOPMAX k 0",
      "ZMPOP 1 k MIN",
      "ZREMRANGEBYRANK k 0 1",
      "ZREMRANGEBYSCORE k 0 1",
      "ZREMRANGEBYLEX k - +",
      "ZSCORE k a",
      "ZMSCORE k a",
      "ZCARD k",
      "ZRANK k a",
      "ZREVRANK k a WITHSCORE",
      "ZCOUNT k 0 1",
      "ZLEXCOUNT k - +",
      "ZRANDMEMBER k",
      "ZRANDMEMBER k 3",
      "ZSCAN k 0",
    ]
  ) assertEquals(s.run(...words.split(" ")), WRONG_TYPE, words);
  assertEquals(s.run("GET", "k"), "v");
  assertEquals(s.propagated(), []);
});
