/**
 * OBJECT ENCODING after commands that change nothing in a string, or not what it looks like; as
 * redis 7.0.15 answers. Whoever asks for a string to change it in place makes it "raw".
 */

import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const CASES: [calls: string, encoding: string][] = [
  ["SET k 1; SETBIT k 0 0", "raw"],
  ["SET k 1; SETBIT k 7 1", "raw"],
  ["SET k abc; SETBIT k 0 0", "raw"],
  ["SET k abc; SETBIT k 0 0; RENAME k j; RENAME j k", "raw"],
  ["SET j abc; SETBIT j 0 0; COPY j k", "raw"],
  ["SET k 12; SETBIT k 0 0; INCRBY k 0", "int"],
  ["SETBIT k 0 0", "raw"],
  ["SET k abc; GETBIT k 0", "embstr"],
  ["SET k abc; SETRANGE k 0 ", "embstr"],
  ["SET k 12; SETRANGE k 9 ", "int"],
  ["SET k 12; SETRANGE k 0 1", "raw"],
  ["SETRANGE k 0 12", "raw"],
  ["SET k abc; APPEND k ", "raw"],
  ["SET k 12; APPEND k ", "raw"],
  ["APPEND k 12", "int"],
  ["APPEND k abc", "embstr"],
  ["SET k 12; BITFIELD k GET u8 0", "int"],
  ["SET k 12; BITFIELD_RO k GET u8 0", "int"],
  ["SET k 12; BITFIELD k SET u8 0 49", "raw"],
  ["SET k abc; BITFIELD k INCRBY u8 0 0", "raw"],
  ["SET k abc; BITFIELD k OVERFLOW FAIL INCRBY u8 0 255", "raw"],
  ["SET k 12; INCRBYFLOAT k 0", "embstr"],
  ["SET j 12; BITOP AND k j", "raw"],
];
for (const [calls, encoding] of CASES) {
  Deno.test(`${calls}: the encoding is ${encoding}`, () => {
    const s = testServer();
    for (const call of calls.split("; ")) s.run(...call.split(" "));
    assertEquals(s.run("OBJECT", "ENCODING", "k"), encoding);
  });
}

Deno.test("SETBIT that changes nothing is no change", () => {
  const s = testServer();
  s.run("SET", "k", "abc");
  s.propagated();
  const { dirty } = s.keyspace;
  assertEquals(s.run("SETBIT", "k", 0, 0), 0);
  assertEquals([s.keyspace.dirty, s.propagated()], [dirty, []]);
});
