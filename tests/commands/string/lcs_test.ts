import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

Deno.test("LCS answers with the subsequence, its length or its runs", () => {
  const s = testServer();
  s.run("MSET", "a", "ohmytext", "b", "mynewtext");
  assertEquals(s.run("LCS", "a", "b"), "mytext");
  assertEquals(s.run("LCS", "a", "b", "LEN"), 6);
  const first = [[2, 3], [0, 1]];
  const last = [[4, 7], [5, 8]];
  assertEquals(s.run("LCS", "a", "b", "IDX"), ["matches", [last, first], "len", 6]);
  assertEquals(s.run("LCS", "a", "b", "idx", "minmatchlen", 4), ["matches", [last], "len", 6]);
  assertEquals(s.run("LCS", "a", "b", "IDX", "MINMATCHLEN", -5, "WITHMATCHLEN"), [
    "matches",
    [[...last, 4], [...first, 2]],
    "len",
    6,
  ]);
  assertEquals(s.connect(3).run("LCS", "a", "b", "IDX", "MINMATCHLEN", 9), {
    map: [["matches", []], ["len", 6]],
  });
});

Deno.test("LCS finds as much as a plain search over all subsequences does", () => {
  const s = testServer();
  const random = new Random(1);
  const isWithin = (part: string, whole: string) => {
    let at = 0;
    for (const c of whole) if (c === part[at]) at++;
    return at === part.length;
  };
  for (let round = 0; round < 50; round++) {
    const word = () =>
      Array.from({ length: random.below(9) }, () => "abc"[random.below(3)]).join("");
    const [a, b] = [word(), word()];
    let longest = 0;
    for (let bits = 0; bits < 1 << a.length; bits++) {
      const part = [...a].filter((_, i) => bits >> i & 1).join("");
      if (part.length > longest && isWithin(part, b)) longest = part.length;
    }
    s.run("MSET", "a", a, "b", b);
    const found = s.run("LCS", "a", "b") as string;
    assertEquals([found.length, isWithin(found, a), isWithin(found, b)], [longest, true, true]);
    assertEquals(s.run("LCS", "a", "b", "LEN"), longest);
  }
});

Deno.test("LCS takes missing keys as empty strings", () => {
  const s = testServer();
  s.run("SET", "a", "text");
  assertEquals(s.run("LCS", "a", "none"), "");
  assertEquals(s.run("LCS", "none", "a", "LEN"), 0);
  assertEquals(s.run("LCS", "none", "none", "IDX"), ["matches", [], "len", 0]);
});

Deno.test("LCS refuses other types, wrong options and tables that are too large", () => {
  const s = testServer();
  s.run("MSET", "a", "x".repeat(99), "b", "y".repeat(99));
  s.run("RPUSH", "list", "e");
  const notStrings = { error: "ERR The specified keys must contain string values" };
  assertEquals(s.run("LCS", "a", "list", "BAD"), notStrings);
  assertEquals(s.run("LCS", "list", "b"), notStrings);
  for (const words of [["BAD"], ["MINMATCHLEN"], ["LEN", "1"]]) {
    assertEquals(s.run("LCS", "a", "b", ...words), { error: "ERR syntax error" });
  }
  assertEquals(s.run("LCS", "a", "b", "MINMATCHLEN", "x"), {
    error: "ERR value is not an integer or out of range",
  });
  assertEquals(s.run("LCS", "a", "b", "LEN", "IDX"), {
    error: "ERR If you want both the length and indexes, please just use IDX.",
  });
  s.keyspace.limits.stringBytesMax = 40_000;
  assertEquals(s.run("LCS", "a", "b"), "");
  s.keyspace.limits.stringBytesMax = 39_999;
  assertEquals(s.run("LCS", "a", "b"), {
    error: "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
  });
});
