import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { recordEvents } from "../../support/events.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const encodingOf = (s: TestServer, key: string) => s.run("OBJECT", "ENCODING", key);
const membersOf = (s: TestServer, key: string) => (s.run("SMEMBERS", key) as string[]).toSorted();
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

Deno.test("SADD makes a set and counts the members that are new", () => {
  const s = testServer();
  const events = recordEvents(s);
  assertEquals(s.run("SADD", "s", "a", "b", "a"), 2);
  assertEquals(s.run("SADD", "s", "b", "c"), 1);
  assertEquals(s.run("SADD", "s", "c"), 0);
  assertEquals(membersOf(s, "s"), ["a", "b", "c"]);
  assertEquals(s.propagated(), ["SELECT 0", "SADD s a b a", "SADD s b c"]);
  assertEquals(events, ["sadd s", "sadd s"]);
  assertEquals(s.keyspace.dirty, 3);
});

Deno.test("a set of integers is an intset up to 512, then a table", () => {
  const s = testServer();
  s.run("SADD", "s", "-9223372036854775808", "9223372036854775807", "0", "70000", "-7");
  assertEquals(encodingOf(s, "s"), "intset");
  assertEquals(s.run("SMEMBERS", "s"), [
    "-9223372036854775808",
    "-7",
    "0",
    "70000",
    "9223372036854775807",
  ]);
  for (const n of range(1, 508)) s.run("SADD", "s", n);
  assertEquals(encodingOf(s, "s"), "intset");
  s.run("SADD", "s", "508");
  assertEquals(encodingOf(s, "s"), "hashtable");
  assertEquals(s.run("SCARD", "s"), 513);
  assertEquals(s.run("SMISMEMBER", "s", "-9223372036854775808", "508", "509"), [1, 1, 0]);
});

// What SADD adds, and the encoding that comes of it.
const NEW: [string, string[], string][] = [
  ["512 integers", range(0, 512), "intset"],
  ["513 integers", range(0, 513), "hashtable"],
  ["128 texts", range(0, 128).map((n) => `m${n}`), "listpack"],
  ["129 texts", range(0, 129).map((n) => `m${n}`), "hashtable"],
  ["one text 129 times", Array(129).fill("m"), "hashtable"],
  ["one integer 513 times", Array(513).fill("1"), "hashtable"],
  ["a text of 64 bytes", ["x".repeat(64)], "listpack"],
  ["a text of 65 bytes", ["x".repeat(65)], "hashtable"],
  ["127 integers and a text", [...range(0, 127), "x"], "listpack"],
  ["128 integers and a text", [...range(0, 128), "x"], "hashtable"],
  ["an integer and a text of 65 bytes", ["1", "x".repeat(65)], "hashtable"],
  ["what only looks like integers", ["01", "+1", "-0", "9223372036854775808", ""], "listpack"],
];
for (const [what, members, encoding] of NEW) {
  Deno.test(`a new set of ${what} is a ${encoding}`, () => {
    const s = testServer();
    const different = new Set(members);
    assertEquals(s.run("SADD", "s", ...members), different.size);
    assertEquals(encodingOf(s, "s"), encoding);
    assertEquals(membersOf(s, "s"), [...different].toSorted());
  });
}

Deno.test("a set changes its encoding only as far as its members ask for", () => {
  const s = testServer();
  s.keyspace.limits.setMaxListpackEntries = 4;
  s.run("SADD", "s", "3");
  s.run("SADD", "s", "1");
  assertEquals(encodingOf(s, "s"), "intset");
  s.run("SADD", "s", "x");
  assertEquals(encodingOf(s, "s"), "listpack");
  s.run("SREM", "s", "x");
  s.run("SADD", "s", "3", "9", "8");
  assertEquals(encodingOf(s, "s"), "listpack");
  s.run("SADD", "s", "7");
  assertEquals(encodingOf(s, "s"), "hashtable");
  s.run("SREM", "s", "7", "8", "9", "1");
  assertEquals(encodingOf(s, "s"), "hashtable");
  assertEquals(s.run("SMEMBERS", "s"), ["3"]);
});

Deno.test("a set becomes a table before a record would be too small, whatever the limits say", () => {
  const s = testServer();
  s.keyspace.limits.setMaxIntsetEntries = 1_000_000;
  s.keyspace.limits.setMaxListpackEntries = 1_000_000;
  s.keyspace.limits.setMaxListpackValue = 1_000_000;
  s.run("SADD", "ints", ...range(0, 5000).map((n) => `${n}000000000`));
  s.run("SADD", "ints", ...range(5000, 9000).map((n) => `${n}000000000`));
  assertEquals(encodingOf(s, "ints"), "hashtable");
  assertEquals(s.run("SCARD", "ints"), 9000);
  for (const n of range(0, 70)) s.run("SADD", "texts", n + "x".repeat(1000));
  assertEquals(encodingOf(s, "texts"), "hashtable");
  assertEquals(s.run("SCARD", "texts"), 70);
});

for (const members of [["1", "2", "3"], ["a", "b", "3"], ["a", "b", "x".repeat(65)]]) {
  Deno.test(`SREM counts what was there and removes an empty set of ${members}`, () => {
    const s = testServer();
    s.run("SADD", "s", ...members);
    s.propagated();
    const events = recordEvents(s);
    assertEquals(s.run("SREM", "s", "none", "99"), 0);
    assertEquals(s.run("SREM", "s", members[1], "none", members[1]), 1);
    assertEquals(membersOf(s, "s"), [members[0], members[2]].toSorted());
    assertEquals(s.run("SREM", "s", members[0], members[2], members[2]), 2);
    assertEquals(s.run("EXISTS", "s"), 0);
    assertEquals(events, ["srem s", "srem s", "del s"]);
    assertEquals(s.propagated().length, 2);
  });
}

Deno.test("SMOVE moves a member, making and removing sets", () => {
  const s = testServer();
  s.run("SADD", "from", "a", "2");
  s.propagated();
  const events = recordEvents(s);
  assertEquals(s.run("SMOVE", "from", "to", "2"), 1);
  assertEquals(encodingOf(s, "to"), "intset");
  assertEquals(s.run("SMOVE", "from", "to", "none"), 0);
  assertEquals(s.run("SMOVE", "from", "to", "a"), 1);
  assertEquals(s.run("EXISTS", "from"), 0);
  assertEquals(membersOf(s, "to"), ["2", "a"]);
  assertEquals(events, ["srem from", "sadd to", "srem from", "del from", "sadd to"]);
  assertEquals(s.propagated(), ["SMOVE from to 2", "SMOVE from to a"]);
});

Deno.test("SMOVE of a member that both sets have only removes it", () => {
  const s = testServer();
  s.run("SADD", "from", "a", "b");
  s.run("SADD", "to", "a");
  const events = recordEvents(s);
  assertEquals(s.run("SMOVE", "from", "to", "a"), 1);
  assertEquals(events, ["srem from"]);
  assertEquals(membersOf(s, "to"), ["a"]);
});

Deno.test("SMOVE from a set to itself changes nothing", () => {
  const s = testServer();
  s.run("SADD", "s", "a");
  s.propagated();
  assertEquals(s.run("SMOVE", "s", "s", "a"), 1);
  assertEquals(s.run("SMOVE", "s", "s", "b"), 0);
  assertEquals(s.propagated(), []);
});

const REFUSED: string[][] = [
  ["SADD", "text", "a"],
  ["SREM", "text", "a"],
  ["SMOVE", "text", "s", "a"],
  ["SMOVE", "s", "text", "a"],
  ["SMOVE", "s", "text", "none"],
];
for (const words of REFUSED) {
  Deno.test(`${words.join(" ")} is refused and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.run("SADD", "s", "a");
    s.propagated();
    assertEquals(s.run(...words), { error: WRONG_TYPE });
    assertEquals(membersOf(s, "s"), ["a"]);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("SREM and SMOVE find nothing at a missing key", () => {
  const s = testServer();
  s.run("SET", "text", "x");
  assertEquals(s.run("SREM", "none", "a"), 0);
  assertEquals(s.run("SMOVE", "none", "text", "a"), 0);
});
