import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { recordEvents } from "../../support/events.ts";
import { testServer } from "../../support/test_server.ts";

Deno.test("HINCRBY counts from nothing, over the bounds of exact doubles, up to 64 bits", () => {
  const s = testServer();
  const events = recordEvents(s);
  assertEquals(s.run("HINCRBY", "h", "f", "5"), 5);
  assertEquals(s.run("HINCRBY", "h", "f", "-12"), -7);
  assertEquals(s.run("HINCRBY", "h", "f", "9007199254740991"), 9007199254740984);
  assertEquals(s.run("HINCRBY", "h", "f", "16"), 9007199254741000n);
  assertEquals(s.run("HINCRBY", "h", "f", "9214364837600034807"), 9223372036854775807n);
  assertEquals(s.run("HGET", "h", "f"), "9223372036854775807");
  assertEquals(s.run("HINCRBY", "h", "f", "-9223372036854775807"), 0);
  assertEquals(events, Array(6).fill("hincrby h"));
});

Deno.test("HINCRBYFLOAT adds in extended precision and propagates the sum", () => {
  const s = testServer();
  const events = recordEvents(s);
  assertEquals(s.run("HINCRBYFLOAT", "h", "f", "0.1"), "0.1");
  assertEquals(s.run("HINCRBYFLOAT", "h", "f", "0.2"), "0.3");
  assertEquals(s.run("HINCRBYFLOAT", "h", "f", "5.0e3"), "5000.29999999999999982");
  assertEquals(s.propagated(), [
    "SELECT 0",
    "HSET h f 0.1",
    "HSET h f 0.3",
    "HSET h f 5000.29999999999999982",
  ]);
  assertEquals(events, Array(3).fill("hincrbyfloat h"));
});

Deno.test("a sum that is too long for a listpack makes the hash a table", () => {
  const s = testServer();
  s.run("HSET", "h", "a", "1");
  s.run("HINCRBYFLOAT", "h", "f", "1e99");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
  assertEquals((s.run("HGET", "h", "f") as string).length, 100);
});

const REFUSED: [string[], string][] = [
  [["HINCRBY", "h", "n", "1.5"], "ERR value is not an integer or out of range"],
  [["HINCRBY", "text", "n", "x"], "ERR value is not an integer or out of range"],
  [["HINCRBY", "text", "n", "1"], WRONG_TYPE],
  [["HINCRBY", "h", "word", "1"], "ERR hash value is not an integer"],
  [["HINCRBY", "h", "spaced", "1"], "ERR hash value is not an integer"],
  [["HINCRBY", "h", "empty", "1"], "ERR hash value is not an integer"],
  [["HINCRBY", "h", "max", "1"], "ERR increment or decrement would overflow"],
  [["HINCRBY", "h", "min", "-1"], "ERR increment or decrement would overflow"],
  [["HINCRBYFLOAT", "h", "n", "x"], "ERR value is not a valid float"],
  [["HINCRBYFLOAT", "text", "n", "nan"], "ERR value is not a valid float"],
  [["HINCRBYFLOAT", "text", "n", "inf"], "ERR value is NaN or Infinity"],
  [["HINCRBYFLOAT", "text", "n", "1"], WRONG_TYPE],
  [["HINCRBYFLOAT", "h", "word", "1"], "ERR hash value is not a float"],
  [["HINCRBYFLOAT", "h", "spaced", "1"], "ERR hash value is not a float"],
  [["HINCRBYFLOAT", "h", "empty", "1"], "ERR hash value is not a float"],
  [["HINCRBYFLOAT", "h", "infinite", "1"], "ERR increment would produce NaN or Infinity"],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "text", "x");
    s.run("HSET", "h", "n", "1", "word", "abc", "spaced", " 1", "empty", "");
    s.run("HSET", "h", "max", "9223372036854775807", "min", "-9223372036854775808");
    s.run("HSET", "h", "infinite", "inf");
    const before = s.run("HGETALL", "h");
    s.propagated();
    assertEquals(s.run(...words), { error });
    assertEquals(s.run("HGETALL", "h"), before);
    assertEquals(s.propagated(), []);
  });
}
