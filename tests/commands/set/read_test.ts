import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";

const SETS: [string, string[]][] = [
  ["intset", ["12", "-3", "9007199254740993"]],
  ["listpack", ["12", "-3", "text"]],
  ["hashtable", ["12", "-3", "x".repeat(65)]],
];
for (const [encoding, members] of SETS) {
  Deno.test(`SISMEMBER, SMISMEMBER, SCARD and SMEMBERS read a ${encoding}`, () => {
    const s = testServer();
    s.run("SADD", "s", ...members);
    assertEquals(s.run("OBJECT", "ENCODING", "s"), encoding);
    for (const member of members) assertEquals(s.run("SISMEMBER", "s", member), 1);
    for (const other of ["none", "", "4", "-12", "9007199254740992", "012"]) {
      assertEquals(s.run("SISMEMBER", "s", other), 0);
    }
    assertEquals(s.run("SMISMEMBER", "s", members[2], "none", members[0]), [1, 0, 1]);
    assertEquals(s.run("SCARD", "s"), 3);
    assertEquals((s.run("SMEMBERS", "s") as string[]).toSorted(), members.toSorted());
  });
}

Deno.test("SMEMBERS is a set in RESP3", () => {
  const s = testServer();
  const c = s.connect(3);
  assertEquals(c.run("SMEMBERS", "s"), { set: [] });
  c.run("SADD", "s", "1", "2");
  assertEquals(c.run("SMEMBERS", "s"), { set: ["1", "2"] });
});

const READS: [string[], unknown][] = [
  [["SISMEMBER", "s", "a"], 0],
  [["SMISMEMBER", "s", "a", "b"], [0, 0]],
  [["SCARD", "s"], 0],
  [["SMEMBERS", "s"], []],
];
for (const [words, missing] of READS) {
  Deno.test(`${words.join(" ")} finds nothing at a missing key and refuses another type`, () => {
    const s = testServer();
    assertEquals(s.run(...words) as unknown, missing);
    s.run("SET", "s", "x");
    assertEquals(s.run(...words), { error: WRONG_TYPE });
  });
}
