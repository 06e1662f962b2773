import { assert, assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { recordEvents } from "../../support/events.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const ENCODINGS = ["intset", "listpack", "hashtable"];

/** A set s of `size` members in the encoding asked for; answers them. */
function setOf(s: TestServer, size: number, encoding: string): string[] {
  const prefix = encoding === "intset" ? "1" : "m";
  const members = Array.from({ length: size }, (_, i) => `${prefix}${i}`);
  s.keyspace.limits.setMaxListpackEntries = encoding === "listpack" ? size : 0;
  s.run("SADD", "s", ...members);
  s.keyspace.limits.setMaxListpackEntries = 128;
  assertEquals(s.run("OBJECT", "ENCODING", "s"), encoding);
  s.propagated();
  return members;
}

function assertEven(drawn: Iterable<string>, members: string[], expected: number): void {
  const times = new Map(members.map((member) => [member, 0]));
  for (const member of drawn) times.set(member, times.get(member)! + 1);
  for (const [member, n] of times) {
    assert(n > expected * 0.6 && n < expected * 1.45, `${member} came ${n} times of ${expected}`);
  }
}

for (const encoding of ENCODINGS) {
  Deno.test(`SRANDMEMBER draws each member of a ${encoding} about as often`, () => {
    const s = testServer({ seed: 5 });
    const members = setOf(s, 20, encoding);
    assertEven(
      Array.from({ length: 4000 }, () => s.run("SRANDMEMBER", "s") as string),
      members,
      200,
    );
    for (const count of [4, 12]) {
      const drawn: string[] = [];
      while (drawn.length < 4000) drawn.push(...s.run("SRANDMEMBER", "s", count) as string[]);
      assertEven(drawn, members, 200);
    }
    assertEven(s.run("SRANDMEMBER", "s", "-4000") as string[], members, 200);
  });

  Deno.test(`SPOP draws each member of a ${encoding} about as often`, () => {
    const s = testServer({ seed: 5 });
    const drawn: string[] = [];
    let members: string[] = [];
    while (drawn.length < 4000) {
      s.run("DEL", "s");
      members = setOf(s, 20, encoding);
      for (let i = 0; i < 5; i++) drawn.push(s.run("SPOP", "s") as string);
      drawn.push(...s.run("SPOP", "s", "3") as string[]);
    }
    assertEven(drawn, members, drawn.length / 20);
  });

  for (const count of [1, 10, 55, 59, 60, 61]) {
    Deno.test(`SRANDMEMBER s ${count} gives different members of a ${encoding}`, () => {
      const s = testServer();
      const members = setOf(s, 60, encoding);
      const drawn = s.run("SRANDMEMBER", "s", count) as string[];
      assertEquals(new Set(drawn).size, Math.min(count, 60));
      assertEquals(drawn.filter((member) => !members.includes(member)), []);
      assertEquals(s.run("SCARD", "s"), 60);
      assertEquals(s.propagated(), []);
    });

    Deno.test(`SPOP s ${count} removes different members of a ${encoding}`, () => {
      const s = testServer();
      const members = setOf(s, 60, encoding);
      s.run("PEXPIRE", "s", "100000");
      s.propagated();
      const events = recordEvents(s);
      s.keyspace.dirty = 0;
      const drawn = s.run("SPOP", "s", count) as string[];
      const left = s.run("SMEMBERS", "s") as string[];
      assertEquals([...drawn, ...left].toSorted(), members.toSorted());
      assertEquals(drawn.length, Math.min(count, 60));
      assertEquals(s.keyspace.dirty, drawn.length);
      if (count < 60) {
        assertEquals(events, ["spop s"]);
        assertEquals(s.propagated(), ["SREM s " + drawn.join(" ")]);
        assertEquals(s.run("PTTL", "s"), 100000);
      } else {
        assertEquals(events, ["spop s", "del s"]);
        assertEquals(s.propagated(), ["DEL s"]);
      }
    });
  }

  Deno.test(`SPOP empties a ${encoding} and removes its key`, () => {
    const s = testServer();
    const members = setOf(s, 5, encoding);
    const events = recordEvents(s);
    const drawn = members.map(() => s.run("SPOP", "s") as string);
    assertEquals(drawn.toSorted(), members);
    assertEquals(s.run("SPOP", "s"), null);
    assertEquals(events, [...Array(5).fill("spop s"), "del s"]);
    assertEquals(s.propagated(), drawn.map((member) => `SREM s ${member}`));
  });
}

Deno.test("SPOP of nearly all members of a table leaves a small set", () => {
  const s = testServer();
  const members = setOf(s, 3000, "hashtable");
  const drawn = s.run("SPOP", "s", "2990") as string[];
  assertEquals(s.run("OBJECT", "ENCODING", "s"), "listpack");
  const left = s.run("SMEMBERS", "s") as string[];
  assertEquals(left.length, 10);
  assertEquals([...drawn, ...left].toSorted(), members.toSorted());
  const stream = s.propagated();
  const removals = stream.map((command) => command.split(" ").slice(2));
  assertEquals([stream[0], stream.at(-1)], ["MULTI", "EXEC"]);
  assertEquals(removals.slice(1, -1).map((words) => words.length), [1024, 1024, 942]);
  assertEquals(removals.flat(), drawn);
});

Deno.test("SPOP with a count answers a set in RESP3, SRANDMEMBER an array", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("SADD", "s", "1");
  assertEquals(c.run("SRANDMEMBER", "s", "1"), ["1"]);
  assertEquals(c.run("SPOP", "s", "1"), { set: ["1"] });
  assertEquals(c.run("SPOP", "s", "1"), { set: [] });
});

Deno.test("SPOP and SRANDMEMBER find nothing at a missing key or with a count of 0", () => {
  const s = testServer();
  assertEquals(s.run("SPOP", "s"), null);
  assertEquals(s.run("SPOP", "s", "3"), []);
  assertEquals(s.run("SRANDMEMBER", "s"), null);
  assertEquals(s.run("SRANDMEMBER", "s", "-3"), []);
  s.run("SADD", "s", "a");
  s.propagated();
  assertEquals(s.run("SPOP", "s", "0"), []);
  assertEquals(s.run("SRANDMEMBER", "s", "0"), []);
  assertEquals(s.propagated(), []);
});

const NOT_POSITIVE = "ERR value is out of range, must be positive";
const RANGE =
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const REFUSED: [string[], string][] = [
  [["SPOP", "text"], WRONG_TYPE],
  [["SPOP", "text", "0"], WRONG_TYPE],
  [["SPOP", "text", "-1"], NOT_POSITIVE],
  [["SPOP", "s", "x"], NOT_POSITIVE],
  [["SPOP", "text", "1", "2"], "ERR syntax error"],
  [["SRANDMEMBER", "text"], WRONG_TYPE],
  [["SRANDMEMBER", "text", "x"], "ERR value is not an integer or out of range"],
  [["SRANDMEMBER", "s", "-9223372036854775808"], RANGE],
  [["SRANDMEMBER", "s", "-2147483648"], "ERR value is out of range"],
  [["SRANDMEMBER", "text", "1", "2"], "ERR syntax error"],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.run("SADD", "s", "a");
    s.propagated();
    assertEquals(s.run(...words), { error });
    assertEquals(s.run("SCARD", "s"), 1);
    assertEquals(s.propagated(), []);
  });
}
