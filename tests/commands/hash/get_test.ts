import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { testServer } from "../../support/test_server.ts";

// Each reading command on a hash of either encoding, on nothing, and on another type.
const READS: { words: string[]; found: unknown; missing: unknown }[] = [
  { words: ["HGET", "h", "n"], found: "-12", missing: null },
  { words: ["HGET", "h", "none"], found: null, missing: null },
  {
    words: ["HMGET", "h", "t", "x", "n"],
    found: ["text", null, "-12"],
    missing: [null, null, null],
  },
  { words: ["HGETALL", "h"], found: ["t", "text", "n", "-12", "77", ""], missing: [] },
  { words: ["HKEYS", "h"], found: ["t", "n", "77"], missing: [] },
  { words: ["HVALS", "h"], found: ["text", "-12", ""], missing: [] },
  { words: ["HEXISTS", "h", "77"], found: 1, missing: 0 },
  { words: ["HEXISTS", "h", "text"], found: 0, missing: 0 },
  { words: ["HLEN", "h"], found: 3, missing: 0 },
  { words: ["HSTRLEN", "h", "n"], found: 3, missing: 0 },
  { words: ["HSTRLEN", "h", "77"], found: 0, missing: 0 },
];
for (const { words, found, missing } of READS) {
  for (const entries of [128, 0]) {
    const encoding = entries === 0 ? "hashtable" : "listpack";
    Deno.test(`${words.join(" ")} reads a ${encoding}`, () => {
      const s = testServer();
      s.keyspace.limits.hashMaxListpackEntries = entries;
      s.run("HSET", "h", "t", "text", "n", "-12", "77", "");
      assertEquals(s.run("OBJECT", "ENCODING", "h"), encoding);
      const inAnyOrder = ["HGETALL", "HKEYS", "HVALS"].includes(words[0]);
      const sorted = (value: unknown) => inAnyOrder ? (value as string[]).toSorted() : value;
      assertEquals(sorted(s.run(...words)), sorted(found));
    });
  }
  Deno.test(`${words.join(" ")} finds nothing at a missing key and refuses another type`, () => {
    const s = testServer();
    assertEquals(s.run(...words) as unknown, missing);
    s.run("SET", "h", "x");
    assertEquals(s.run(...words), { error: WRONG_TYPE });
  });
}

Deno.test("HGETALL is a map in RESP3, HKEYS and HVALS are arrays", () => {
  const s = testServer();
  const c = s.connect(3);
  assertEquals(c.run("HGETALL", "h"), { map: [] });
  c.run("HSET", "h", "a", "1", "b", "2");
  assertEquals(c.run("HGETALL", "h"), { map: [["a", "1"], ["b", "2"]] });
  assertEquals(c.run("HKEYS", "h"), ["a", "b"]);
  assertEquals(c.run("HVALS", "h"), ["1", "2"]);
});
