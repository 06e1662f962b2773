import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

const SYNTAX = { error: "ERR syntax error" };
const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };
const BAD_OFFSET = { error: "ERR bit offset is not an integer or out of range" };
const BAD_TYPE = {
  error: "ERR Invalid bitfield type. Use something like i16 u8. " +
    "Note that u64 is not supported but i64 is.",
};

Deno.test("BITFIELD reads and writes fields at bits and at multiples of their size", () => {
  const s = testServer();
  assertEquals(s.run("BITFIELD", "k", "SET", "u8", "#1", 200, "GET", "i8", 8), [0, -56]);
  assertEquals(s.run("GET", "k"), "\0\xc8");
  assertEquals(s.run("BITFIELD", "k", "INCRBY", "u4", 6, 5, "GET", "u16", 0), [8, 0x0208]);
  assertEquals(s.run("BITFIELD_RO", "k", "GET", "u8", 12, "GET", "u8", 999), [0x80, 0]);
  assertEquals(s.run("BITFIELD", "k"), []);
  assertEquals(s.run("BITFIELD", "missing", "GET", "i64", 0), [0]);
  assertEquals(s.run("GET", "missing"), null);
});

Deno.test("BITFIELD agrees with fields computed on bits as text, for all widths", () => {
  const s = testServer();
  const random = new Random(5);
  const drawWide = () => {
    let value = 0n;
    for (let i = 0; i < 4; i++) value = (value << 16n) | BigInt(random.below(65536));
    return BigInt.asIntN(64, value) >> BigInt(random.below(64));
  };
  let bits = "0".repeat(240);
  s.run("SET", "k", "\0".repeat(30));
  for (let round = 0; round < 3000; round++) {
    const isSigned = random.below(2) === 0;
    const width = 1 + random.below(isSigned ? 64 : 63);
    const at = random.below(240 - width + 1);
    const overflow = ["WRAP", "SAT", "FAIL"][random.below(3)];
    const isIncrement = random.below(2) === 0;
    const operand = drawWide();
    const asField = isSigned ? BigInt.asIntN : BigInt.asUintN;
    const before = asField(width, BigInt("0b" + bits.slice(at, at + width)));
    const min = isSigned ? -(1n << BigInt(width - 1)) : 0n;
    const max = min + (1n << BigInt(width)) - 1n;
    let after: bigint | null = isIncrement ? before + operand : operand;
    if (!isIncrement && !isSigned) after = BigInt.asUintN(64, after);
    if (after < min || after > max) {
      if (overflow === "WRAP") after = asField(width, after);
      else if (overflow === "SAT") after = after > max ? max : min;
      else after = null;
    }
    const command = isIncrement ? "INCRBY" : "SET";
    const words = ["OVERFLOW", overflow, command, `${isSigned ? "i" : "u"}${width}`, at];
    const [answer] = s.run("BITFIELD", "k", ...words, String(operand)) as (number | null)[];
    const expected = after === null ? null : isIncrement ? after : before;
    const note = `seed 5 round ${round}: ${words.join(" ")} ${operand}`;
    assertEquals(answer === null ? null : BigInt(answer), expected, note);
    if (after !== null) {
      const text = BigInt.asUintN(width, after).toString(2).padStart(width, "0");
      bits = bits.slice(0, at) + text + bits.slice(at + width);
    }
    const now = [...s.run("GET", "k") as string]
      .map((c) => c.charCodeAt(0).toString(2).padStart(8, "0")).join("");
    assertEquals(now, bits, note);
  }
});

Deno.test("BITFIELD OVERFLOW holds for what follows it", () => {
  const s = testServer();
  s.run("BITFIELD", "k", "SET", "u8", 0, 250, "SET", "i8", 8, 120);
  assertEquals(
    s.run(
      "BITFIELD",
      "k",
      ...["INCRBY", "u8", "0", "10"],
      ...["OVERFLOW", "SAT", "INCRBY", "i8", "8", "10", "INCRBY", "u8", "0", "-10"],
      ...["overflow", "fail", "INCRBY", "i8", "8", "1", "SET", "u8", "0", "256", "GET", "u8", "0"],
    ),
    [4, 127, 0, null, null, 0],
  );
  assertEquals(s.run("BITFIELD", "k", "OVERFLOW", "SAT", "SET", "u8", 0, -1, "GET", "u8", 0), [
    0,
    255,
  ]);
});

Deno.test("BITFIELD counts and propagates changes only", () => {
  const s = testServer();
  s.run("BITFIELD", "k", "SET", "u8", 0, 0);
  assertEquals(s.propagated(), ["SELECT 0", "BITFIELD k SET u8 0 0"]);
  const dirty = s.keyspace.dirty;
  s.run("BITFIELD", "k", "SET", "u8", 0, 0, "GET", "u8", 0);
  s.run("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u8", 0, 999);
  assertEquals(s.propagated(), []);
  s.run("BITFIELD", "k", "SET", "u8", 0, 1, "INCRBY", "u8", 0, 1, "SET", "u8", 0, 2);
  assertEquals(s.keyspace.dirty, dirty + 2);
  assertEquals(s.propagated().length, 1);
  // The string has become longer: a replica has to know, though no field changed.
  s.run("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u8", 8, 999);
  assertEquals(s.run("STRLEN", "k"), 2);
  assertEquals(s.propagated().length, 1);
});

Deno.test("BITFIELD refuses words before it changes anything", () => {
  const s = testServer();
  s.run("SET", "k", "abc");
  s.run("RPUSH", "list", "e");
  s.propagated();
  const good = ["SET", "u8", "0", "1"];
  for (const type of ["u64", "i65", "u0", "i0", "I8", "U8", "8", "", "i", "u08", "u-1"]) {
    assertEquals(s.run("BITFIELD", "k", ...good, "GET", type, "0"), BAD_TYPE, type);
  }
  for (const offset of ["-1", "x", "", "#", "#-1", "##1", "4294967296", "#536870912"]) {
    assertEquals(s.run("BITFIELD", "k", ...good, "GET", "u8", offset), BAD_OFFSET, offset);
  }
  for (const value of ["x", "", "1.5", "9223372036854775808"]) {
    assertEquals(s.run("BITFIELD", "k", ...good, "SET", "u8", "0", value), NOT_AN_INTEGER);
  }
  for (const words of [["GET", "u8"], ["SET", "u8", "0"], ["INCRBY"], ["OVERFLOW"], ["DEL"]]) {
    assertEquals(s.run("BITFIELD", "k", ...good, ...words), SYNTAX, words.join(" "));
  }
  assertEquals(s.run("BITFIELD", "k", ...good, "OVERFLOW", "CUT"), {
    error: "ERR Invalid OVERFLOW type specified",
  });
  assertEquals(s.run("BITFIELD_RO", "k", "GET", "u8", "0", ...good), {
    error: "ERR BITFIELD_RO only supports the GET subcommand",
  });
  for (const words of [good, ["GET", "u8", "0"], []]) {
    assertEquals(s.run("BITFIELD", "list", ...words), {
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    });
  }
  assertEquals(s.run("GET", "k"), "abc");
  assertEquals(s.propagated(), []);
});
