import { assert, assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

/** A hash h of fields f0 … with values v0 …, in the encoding asked for. */
function hashOf(s: TestServer, size: number, encoding: string): void {
  s.keyspace.limits.hashMaxListpackEntries = encoding === "listpack" ? size : 0;
  for (let i = 0; i < size; i++) s.run("HSET", "h", `f${i}`, `v${i}`);
  assertEquals(s.run("OBJECT", "ENCODING", "h"), encoding);
}

for (const encoding of ["listpack", "hashtable"]) {
  Deno.test(`HRANDFIELD draws each field of a ${encoding} about as often`, () => {
    const s = testServer({ seed: 7 });
    hashOf(s, 20, encoding);
    const drawn = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const field = s.run("HRANDFIELD", "h") as string;
      drawn.set(field, (drawn.get(field) ?? 0) + 1);
    }
    assertEquals(drawn.size, 20);
    for (const times of drawn.values()) assert(times > 130 && times < 280, `${times} times of 200`);
  });

  // Few out of many, many out of many, all, more than all.
  for (const count of [0, 1, 5, 40, 59, 60, 61, 9_000_000_000_000_000]) {
    Deno.test(`HRANDFIELD h ${count} draws different fields of a ${encoding}`, () => {
      const s = testServer();
      hashOf(s, 60, encoding);
      const fields = s.run("HRANDFIELD", "h", count) as string[];
      assertEquals(fields.length, Math.min(count, 60));
      assertEquals(new Set(fields).size, fields.length);
      const flat = s.run("HRANDFIELD", "h", count, "withvalues") as string[];
      assertEquals(flat.length, Math.min(count, 60) * 2);
      for (let i = 0; i < flat.length; i += 2) {
        assertEquals(flat[i + 1], flat[i].replace("f", "v"));
      }
    });
  }

  Deno.test(`HRANDFIELD with a count draws each field of a ${encoding} about as often`, () => {
    for (const count of [5, 15]) {
      const s = testServer({ seed: 3 });
      hashOf(s, 20, encoding);
      const drawn = new Map<string, number>();
      for (let i = 0; i < 4000 / count; i++) {
        for (const field of s.run("HRANDFIELD", "h", count) as string[]) {
          drawn.set(field, (drawn.get(field) ?? 0) + 1);
        }
      }
      assertEquals(drawn.size, 20);
      for (const times of drawn.values()) assert(times > 130 && times < 280, `${times} of 200`);
    }
  });

  Deno.test(`HRANDFIELD with a negative count repeats fields of a ${encoding}`, () => {
    const s = testServer();
    hashOf(s, 3, encoding);
    const fields = s.run("HRANDFIELD", "h", "-50") as string[];
    assertEquals(fields.length, 50);
    assertEquals(new Set(fields), new Set(["f0", "f1", "f2"]));
    const flat = s.run("HRANDFIELD", "h", "-5", "WITHVALUES") as string[];
    assertEquals(flat.length, 10);
    for (let i = 0; i < 10; i += 2) assertEquals(flat[i + 1], flat[i].replace("f", "v"));
  });
}

Deno.test("HRANDFIELD WITHVALUES gives arrays of pairs in RESP3", () => {
  const s = testServer();
  const c = s.connect(3);
  c.run("HSET", "h", "f", "v");
  assertEquals(c.run("HRANDFIELD", "h", "2", "WITHVALUES"), [["f", "v"]]);
  assertEquals(c.run("HRANDFIELD", "h", "-2", "WITHVALUES"), [["f", "v"], ["f", "v"]]);
  assertEquals(c.run("HRANDFIELD", "h", "-2"), ["f", "f"]);
});

Deno.test("HRANDFIELD finds nothing at a missing key", () => {
  const s = testServer();
  assertEquals(s.run("HRANDFIELD", "h"), null);
  assertEquals(s.run("HRANDFIELD", "h", "3"), []);
  assertEquals(s.run("HRANDFIELD", "h", "-3", "WITHVALUES"), []);
});

const RANGE =
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const REFUSED: [string[], string][] = [
  [["HRANDFIELD", "text"], WRONG_TYPE],
  [["HRANDFIELD", "text", "1"], WRONG_TYPE],
  [["HRANDFIELD", "text", "x"], "ERR value is not an integer or out of range"],
  [["HRANDFIELD", "h", "9223372036854775808"], "ERR value is not an integer or out of range"],
  [["HRANDFIELD", "h", "-9223372036854775808"], RANGE],
  [["HRANDFIELD", "h", "4611686018427387904", "WITHVALUES"], "ERR value is out of range"],
  [["HRANDFIELD", "h", "-4611686018427387904", "WITHVALUES"], "ERR value is out of range"],
  [["HRANDFIELD", "h", "-2147483648"], "ERR value is out of range"],
  [["HRANDFIELD", "text", "1", "VALUES"], "ERR syntax error"],
  [["HRANDFIELD", "text", "1", "WITHVALUES", "x"], "ERR syntax error"],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.run("HSET", "h", "f", "v");
    assertEquals(s.run(...words), { error });
  });
}
