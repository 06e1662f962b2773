import { assert, assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";

Deno.test("HSCAN gives a small hash at once, whatever cursor and COUNT say", () => {
  const s = testServer();
  s.run("HSET", "h", "a", "1", "b", "2", "ab", "3");
  assertEquals(s.run("HSCAN", "h", "0"), ["0", ["a", "1", "b", "2", "ab", "3"]]);
  assertEquals(s.run("HSCAN", "h", "17", "COUNT", "1"), ["0", ["a", "1", "b", "2", "ab", "3"]]);
  assertEquals(s.run("HSCAN", "h", "0", "match", "a*"), ["0", ["a", "1", "ab", "3"]]);
  assertEquals(s.run("HSCAN", "h", "0", "MATCH", "3"), ["0", []]);
});

Deno.test("HSCAN walks a large hash in steps of about COUNT fields", () => {
  const s = testServer();
  const pairs = Array.from({ length: 1000 }, (_, i) => [`f${i}`, `v${i}`]);
  s.run("HSET", "h", ...pairs.flat());
  const seen = new Map<string, string>();
  let cursor = "0";
  let steps = 0;
  do {
    const [next, flat] = s.run("HSCAN", "h", cursor, "COUNT", "50") as [string, string[]];
    assert(flat.length / 2 < 90, `${flat.length / 2} fields in a step`);
    for (let i = 0; i < flat.length; i += 2) seen.set(flat[i], flat[i + 1]);
    cursor = next;
    steps++;
  } while (cursor !== "0");
  assert(steps > 10);
  assertEquals([...seen].toSorted(), pairs.toSorted());
});

Deno.test("HSCAN of a large hash matches fields, not values", () => {
  const s = testServer();
  const pairs = Array.from({ length: 300 }, (_, i) => [`f${i}`, "f7"]);
  s.run("HSET", "h", ...pairs.flat());
  assertEquals(s.run("HSCAN", "h", "0", "COUNT", "1000", "MATCH", "f7"), ["0", ["f7", "f7"]]);
});

Deno.test("HSCAN of a missing key answers an empty walk without looking at options", () => {
  const s = testServer();
  assertEquals(s.run("HSCAN", "h", "5", "NOSUCH"), ["0", []]);
});

for (const cursor of ["", "00", "+0", "-1", "18446744073709551615"]) {
  Deno.test(`HSCAN takes "${cursor}" as a cursor`, () => {
    const s = testServer();
    s.run("HSET", "h", "a", "1");
    assertEquals(s.run("HSCAN", "h", cursor), ["0", ["a", "1"]]);
  });
}

const REFUSED: [string[], string][] = [
  [["HSCAN", "text", "x"], "ERR invalid cursor"],
  [["HSCAN", "h", "-"], "ERR invalid cursor"],
  [["HSCAN", "h", " 1"], "ERR invalid cursor"],
  [["HSCAN", "h", "1 "], "ERR invalid cursor"],
  [["HSCAN", "h", "18446744073709551616"], "ERR invalid cursor"],
  [["HSCAN", "text", "0", "NOSUCH"], WRONG_TYPE],
  [["HSCAN", "h", "0", "NOSUCH", "1"], "ERR syntax error"],
  [["HSCAN", "h", "0", "MATCH"], "ERR syntax error"],
  [["HSCAN", "h", "0", "TYPE", "hash"], "ERR syntax error"],
  [["HSCAN", "h", "0", "NOVALUES"], "ERR syntax error"],
  [["HSCAN", "h", "0", "COUNT", "0"], "ERR syntax error"],
  [["HSCAN", "h", "0", "COUNT", "x"], "ERR value is not an integer or out of range"],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.run("HSET", "h", "f", "v");
    assertEquals(s.run(...words), { error });
  });
}
