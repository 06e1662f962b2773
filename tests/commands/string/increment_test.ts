import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };
const OVERFLOW = { error: "ERR increment or decrement would overflow" };
const MAX = "9223372036854775807";
const MIN = "-9223372036854775808";

Deno.test("INCR and DECR count from 0 when the key is missing", () => {
  const s = testServer();
  assertEquals(s.run("INCR", "up"), 1);
  assertEquals(s.run("INCR", "up"), 2);
  assertEquals(s.run("DECR", "down"), -1);
  assertEquals(s.run("INCRBY", "by", "40"), 40);
  assertEquals(s.run("DECRBY", "by", "-2"), 42);
  assertEquals(s.run("MGET", "up", "down", "by"), ["2", "-1", "42"]);
});

Deno.test("INCR writes numbers that grow and shrink in length", () => {
  const s = testServer();
  for (const start of ["9", "99", "-1", "-10", "999999999", "4294967295", "9007199254740990"]) {
    s.run("SET", "k", start);
    const expected = BigInt(start) + 1n;
    assertEquals(BigInt(s.run("INCR", "k") as number), expected);
    assertEquals(s.run("GET", "k"), String(expected));
    s.run("DECR", "k");
    assertEquals(s.run("GET", "k"), start);
  }
});

Deno.test("INCRBY is exact over the whole 64-bit range and refuses to leave it", () => {
  const values = [MIN, "-9007199254740993", "-9007199254740991", "-1", "0", "1"]
    .concat("9007199254740991", "9007199254740993", "4611686018427387904", MAX);
  const s = testServer();
  for (const a of values) {
    for (const b of values) {
      s.run("SET", "k", a);
      s.propagated();
      const sum = BigInt(a) + BigInt(b);
      const answer = s.run("INCRBY", "k", b);
      if (BigInt.asIntN(64, sum) !== sum) {
        assertEquals(answer, OVERFLOW);
        assertEquals(s.run("GET", "k"), a);
        assertEquals(s.propagated(), []);
      } else {
        assertEquals(BigInt(answer as number), sum, `${a} + ${b}`);
        assertEquals(s.run("GET", "k"), String(sum));
      }
    }
    s.run("SET", "k", "0");
    if (a === MIN) {
      assertEquals(s.run("DECRBY", "k", a), { error: "ERR decrement would overflow" });
    } else assertEquals(BigInt(s.run("DECRBY", "k", a) as number), -BigInt(a));
    if (a !== "0") {
      s.run("GETDEL", "fresh");
      assertEquals(BigInt(s.run("INCRBY", "fresh", a) as number), BigInt(a));
    }
  }
});

for (
  const value of ["", " 1", "1 ", "+1", "01", "-0", "1.0", "1e3", "abc", "9223372036854775808"]
    .concat("x".repeat(20000))
) {
  const name = value.length > 100 ? "a long string" : `"${value}"`;
  Deno.test(`INCR refuses ${name} as value and as increment, and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "k", value);
    s.run("SET", "n", "5");
    s.propagated();
    for (const command of ["INCR", "DECR"]) assertEquals(s.run(command, "k"), NOT_AN_INTEGER);
    assertEquals(s.run("INCRBY", "k", MAX), NOT_AN_INTEGER);
    for (const command of ["INCRBY", "DECRBY"]) {
      assertEquals(s.run(command, "n", value), NOT_AN_INTEGER);
    }
    assertEquals(s.run("MGET", "k", "n"), [value, "5"]);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("INCR keeps the expiry, notifies of incrby and propagates as it came", () => {
  const s = testServer();
  s.run("SET", "k", "9", "PX", 100);
  s.propagated();
  const seen: string[] = [];
  s.keyspace.eventMask = -1;
  s.keyspace.listener.keyEvent = (event) => seen.push(event);
  s.run("INCR", "k");
  s.run("DECRBY", "k", 3);
  s.run("INCR", "new");
  assertEquals(seen, ["incrby", "incrby", "new", "incrby"]);
  assertEquals(s.propagated(), ["INCR k", "DECRBY k 3", "INCR new"]);
  s.clock.nowMs += 101;
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("INCRBYFLOAT adds, keeps the expiry and propagates the outcome", () => {
  const s = testServer();
  assertEquals(s.run("INCRBYFLOAT", "new", "1.5"), "1.5");
  s.run("SET", "k", "10.50", "PX", 100);
  s.propagated();
  assertEquals(s.run("INCRBYFLOAT", "k", "0.1"), "10.6");
  assertEquals(s.run("INCRBYFLOAT", "k", "-5.6"), "5");
  assertEquals(s.run("GET", "k"), "5");
  assertEquals(s.run("INCR", "k"), 6);
  assertEquals(s.propagated(), ["SET k 10.6 KEEPTTL", "SET k 5 KEEPTTL", "INCR k"]);
  s.clock.nowMs += 101;
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("INCRBYFLOAT refuses what is no float and sums that are not finite", () => {
  const s = testServer();
  const notAFloat = { error: "ERR value is not a valid float" };
  const notFinite = { error: "ERR increment would produce NaN or Infinity" };
  s.run("SET", "k", "1e4932");
  s.run("SET", "text", "abc");
  s.run("SET", "long", "1".repeat(20000));
  s.propagated();
  for (const by of ["", "x", " 1", "nan", "1e5000"]) {
    assertEquals(s.run("INCRBYFLOAT", "k", by), notAFloat);
  }
  assertEquals(s.run("INCRBYFLOAT", "text", "1"), notAFloat);
  assertEquals(s.run("INCRBYFLOAT", "long", "1"), notAFloat);
  assertEquals(s.run("INCRBYFLOAT", "k", "inf"), notFinite);
  assertEquals(s.run("INCRBYFLOAT", "k", "1e4932"), notFinite);
  assertEquals(s.run("INCRBYFLOAT", "none", "-inf"), notFinite);
  assertEquals(s.run("MGET", "k", "none"), ["1e4932", null]);
  assertEquals(s.propagated(), []);
});

Deno.test("INCRBYFLOAT leaves text, which is no integer to OBJECT ENCODING even if it looks so", () => {
  const s = testServer();
  s.run("SET", "k", "1.5");
  assertEquals(s.run("INCRBYFLOAT", "k", "1.5"), "3");
  assertEquals(s.run("OBJECT", "ENCODING", "k"), "embstr");
  assertEquals(s.run("INCR", "k"), 4);
  assertEquals(s.run("OBJECT", "ENCODING", "k"), "int");
});
