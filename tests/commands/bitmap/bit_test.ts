import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
const BAD_OFFSET = { error: "ERR bit offset is not an integer or out of range" };
const BAD_BIT = { error: "ERR bit is not an integer or out of range" };

Deno.test("SETBIT answers with the bit before and lengthens the string by zeros", () => {
  const s = testServer();
  s.run("SET", "k", "\xff".repeat(30));
  s.run("SET", "k", "a");
  assertEquals(s.run("SETBIT", "k", 7, 0), 1);
  assertEquals(s.run("GET", "k"), "`");
  assertEquals(s.run("SETBIT", "k", 100, 1), 0);
  assertEquals(s.run("GET", "k"), "`" + "\0".repeat(11) + "\x08");
  assertEquals(s.run("SETBIT", "new", 160_000, 1), 0);
  assertEquals(s.run("GET", "new"), "\0".repeat(20_000) + "\x80");
  assertEquals(s.run("GETBIT", "new", 160_000), 1);
  assertEquals(s.run("GETBIT", "new", 159_999), 0);
  assertEquals(s.run("GETBIT", "new", 4294967295), 0);
  assertEquals(s.run("GETBIT", "missing", 0), 0);
});

Deno.test("SETBIT that changes neither bit nor length is no change", () => {
  const s = testServer();
  s.run("SETBIT", "k", 9, 0);
  assertEquals(s.propagated(), ["SELECT 0", "SETBIT k 9 0"]);
  assertEquals(s.run("SETBIT", "k", 9, 0), 0);
  assertEquals(s.run("SETBIT", "k", 3, 0), 0);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("SETBIT", "k", 16, 0), 0);
  assertEquals(s.run("SETBIT", "k", 3, 1), 0);
  assertEquals(s.propagated(), ["SETBIT k 16 0", "SETBIT k 3 1"]);
});

Deno.test("SETBIT and GETBIT refuse offsets, bits and types and change nothing", () => {
  const s = testServer();
  s.run("RPUSH", "list", "e");
  s.propagated();
  for (const offset of ["-1", "", "x", "1.5", "#1", "4294967296", "9223372036854775807"]) {
    assertEquals(s.run("SETBIT", "k", offset, 1), BAD_OFFSET, offset);
    assertEquals(s.run("GETBIT", "k", offset), BAD_OFFSET, offset);
  }
  for (const bit of ["2", "-1", "", "x", "9223372036854775807"]) {
    assertEquals(s.run("SETBIT", "k", 0, bit), BAD_BIT, bit);
  }
  assertEquals(s.run("SETBIT", "list", 0, 1), WRONG_TYPE);
  assertEquals(s.run("GETBIT", "list", 0), WRONG_TYPE);
  s.keyspace.limits.stringBytesMax = 100;
  assertEquals(s.run("SETBIT", "k", 800, 1), BAD_OFFSET);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("SETBIT", "k", 799, 1), 0);
});
