import { assert, assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";

for (const members of [["1", "2", "12"], ["a", "1", "12"]]) {
  Deno.test(`SSCAN gives the small set ${members} at once`, () => {
    const s = testServer();
    s.run("SADD", "s", ...members);
    assertEquals(s.run("SSCAN", "s", "0", "COUNT", "1"), ["0", members]);
    assertEquals(s.run("SSCAN", "s", "7", "MATCH", "1*"), ["0", ["1", "12"]]);
  });
}

Deno.test("SSCAN walks a large set in steps, matching and not", () => {
  const s = testServer();
  const members = Array.from({ length: 1000 }, (_, i) => `m${i}`);
  s.run("SADD", "s", ...members);
  for (const pattern of ["*", "m*7"]) {
    const seen = new Set<string>();
    let cursor = "0";
    let steps = 0;
    do {
      const reply = s.run("SSCAN", "s", cursor, "MATCH", pattern, "COUNT", "20");
      const [next, found] = reply as [string, string[]];
      for (const member of found) seen.add(member);
      cursor = next;
      assert(++steps < 1000);
    } while (cursor !== "0");
    assert(steps > 20);
    const expected = members.filter((member) => pattern === "*" || member.endsWith("7"));
    assertEquals([...seen].toSorted(), expected.toSorted());
  }
});

Deno.test("SSCAN finds nothing at a missing key and refuses another type", () => {
  const s = testServer();
  assertEquals(s.run("SSCAN", "s", "0"), ["0", []]);
  assertEquals(s.run("SSCAN", "s", "x"), { error: "ERR invalid cursor" });
  s.run("SET", "s", "x");
  assertEquals(s.run("SSCAN", "s", "0", "COUNT", "0"), { error: WRONG_TYPE });
});
