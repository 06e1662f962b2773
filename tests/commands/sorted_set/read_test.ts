import { assert, assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { NOT_AN_INTEGER, SYNTAX, testBothEncodings } from "./support.ts";

testBothEncodings("ZSCORE, ZMSCORE, ZCARD and ZCOUNT look members up", (s) => {
  s.run("ZADD", "z", 1, "a", 2.5, "12", "-inf", "low");
  assertEquals(s.run("ZSCORE", "z", "12"), "2.5");
  assertEquals(s.run("ZSCORE", "z", "low"), "-inf");
  assertEquals(s.run("ZSCORE", "z", "x"), null);
  assertEquals(s.run("ZSCORE", "missing", "x"), null);
  assertEquals(s.run("ZMSCORE", "z", "a", "x", "12"), ["1", null, "2.5"]);
  assertEquals(s.run("ZMSCORE", "missing", "a", "b"), [null, null]);
  assertEquals(s.run("ZCARD", "z"), 3);
  assertEquals(s.run("ZCARD", "missing"), 0);
  assertEquals(s.run("ZCOUNT", "z", "-inf", 1), 2);
  assertEquals(s.run("ZCOUNT", "z", "(-inf", "+inf"), 2);
  assertEquals(s.run("ZCOUNT", "z", "", " 9e999"), 2);
  assertEquals(s.run("ZCOUNT", "missing", 0, 1), 0);
  assertEquals(s.propagated().length, 2);
});

testBothEncodings("ZRANK and ZREVRANK count from either end, with the score on demand", (s) => {
  s.run("ZADD", "z", 1, "a", 2, "b", 2, "c");
  assertEquals(s.run("ZRANK", "z", "c"), 2);
  assertEquals(s.run("ZREVRANK", "z", "c"), 0);
  assertEquals(s.run("ZRANK", "z", "b", "withscore"), [1, "2"]);
  assertEquals(s.run("ZREVRANK", "z", "a", "WITHSCORE"), [2, "1"]);
  assertEquals(s.run("ZRANK", "z", "x"), null);
  assertEquals(s.run("ZRANK", "missing", "x", "WITHSCORE"), null);
});

testBothEncodings("ZRANDMEMBER draws members, different ones or with repetitions", (s) => {
  const members = Array.from({ length: 60 }, (_, i) => `m${i}`);
  s.run("ZADD", "z", ...members.flatMap((member, i) => [i, member]));
  assert(members.includes(s.run("ZRANDMEMBER", "z") as string));
  for (const count of [0, 1, 5, 30, 59, 60, 100]) {
    const drawn = s.run("ZRANDMEMBER", "z", count) as string[];
    assertEquals(drawn.length, Math.min(count, 60));
    assertEquals(new Set(drawn).size, drawn.length);
    assert(drawn.every((member) => members.includes(member)));
  }
  const repeated = s.run("ZRANDMEMBER", "z", -200, "WITHSCORES") as string[];
  assertEquals(repeated.length, 400);
  for (let i = 0; i < 400; i += 2) assertEquals(repeated[i], `m${repeated[i + 1]}`);
  assert(new Set(repeated.filter((_, i) => i % 2 === 0)).size > 30);
  const pairs = s.connect(3).run("ZRANDMEMBER", "z", 7, "WITHSCORES") as string[][];
  assertEquals(pairs.map(([, score]) => `m${score}`), pairs.map(([member]) => member));
  assertEquals(pairs.length, 7);
  assertEquals(s.run("ZRANDMEMBER", "missing"), null);
  assertEquals(s.run("ZRANDMEMBER", "missing", 3), []);
  assertEquals(s.run("ZRANDMEMBER", "z", "x"), NOT_AN_INTEGER);
  assertEquals(s.run("ZRANDMEMBER", "z", 1, "WITHVALUES"), SYNTAX);
});

Deno.test("ZSCAN walks all members of a large set, of a small one in one step", () => {
  const s = testServer();
  s.run("ZADD", "small", 1, "a", 0.1, "b");
  assertEquals(s.run("ZSCAN", "small", 7), ["0", ["b", "0.1", "a", "1"]]);
  assertEquals(s.run("ZSCAN", "small", 0, "MATCH", "a*"), ["0", ["a", "1"]]);
  assertEquals(s.run("ZSCAN", "missing", 0), ["0", []]);
  assertEquals(s.run("ZSCAN", "small", "x"), { error: "ERR invalid cursor" });
  assertEquals(s.run("ZSCAN", "small", 0, "COUNT", 0), SYNTAX);

  for (let i = 0; i < 1000; i++) s.run("ZADD", "z", i + 0.1, `m${i}`);
  const found = new Map<string, string>();
  let cursor = "0";
  let steps = 0;
  do {
    const [next, elements] = s.run("ZSCAN", "z", cursor, "COUNT", 50) as [string, string[]];
    for (let i = 0; i < elements.length; i += 2) found.set(elements[i], elements[i + 1]);
    cursor = next;
    steps++;
  } while (cursor !== "0");
  assertEquals(found.size, 1000);
  assert(steps > 5);
  // Large sets answer with 17 digits here.
  assertEquals(found.get("m0"), "0.10000000000000001");
  assertEquals(found.get("m200"), "200.09999999999999");
  s.run("ZADD", "z", 5, "whole", 1e17, "wide", 1.5e-7, "tiny", "inf", "endless");
  const scoreOf = (member: string) =>
    (s.run("ZSCAN", "z", 0, "COUNT", 10000, "MATCH", member) as [string, string[]])[1][1];
  assertEquals(scoreOf("whole"), "5");
  assertEquals(scoreOf("wide"), "1e+17");
  assertEquals(scoreOf("tiny"), "1.4999999999999999e-07");
  assertEquals(scoreOf("endless"), "inf");
});
