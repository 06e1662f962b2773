import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";
import { Random } from "../../support/random.ts";

const SYNTAX = { error: "ERR syntax error" };
const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };
const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};

/** The bits of a latin1 text as "0" and "1". */
function bitsOf(text: string): string {
  return [...text].map((c) => c.charCodeAt(0).toString(2).padStart(8, "0")).join("");
}

/** What a range means in `size` units: its first one and the one behind its last. */
function range(start: number, end: number, size: number): [number, number] {
  const from = start < 0 ? Math.max(0, start + size) : start;
  const to = Math.min(end < 0 ? Math.max(0, end + size) : end, size - 1);
  return [from, to + 1];
}

Deno.test("BITCOUNT and BITPOS find what a search of the bits as text finds", () => {
  const s = testServer();
  const random = new Random(3);
  for (let round = 0; round < 300; round++) {
    const fill = ["\0", "\xff", "mix"][random.below(3)];
    const length = round % 50 === 0 ? 17_000 : 1 + random.below(20);
    const text = Array.from(
      { length },
      () => fill === "mix" || random.below(9) === 0 ? String.fromCharCode(random.below(256)) : fill,
    ).join("");
    s.run("SET", "k", text);
    const bits = bitsOf(text);
    const ones = (part: string) => part.replaceAll("0", "").length;
    assertEquals(s.run("BITCOUNT", "k"), ones(bits));
    for (const unit of ["BYTE", "BIT"]) {
      const scale = unit === "BIT" ? 1 : 8;
      const size = length * 8 / scale;
      const start = random.below(size * 2 + 4) - size - 2;
      const end = random.below(size * 2 + 4) - size - 2;
      const [from, to] = range(start, end, size).map((n) => n * scale);
      const isReversed = start < 0 && end < 0 && start > end;
      const part = isReversed || to <= from ? "" : bits.slice(from, to);
      const note = `seed 3 round ${round}: ${start} ${end} ${unit}`;
      assertEquals(s.run("BITCOUNT", "k", start, end, unit), ones(part), note);
      for (const bit of [0, 1]) {
        const at = bits.slice(0, Math.max(to, 0)).indexOf(String(bit), from);
        assertEquals(s.run("BITPOS", "k", bit, start, end, unit), at, note);
      }
    }
    const start = random.below(length);
    const one = bits.indexOf("1", start * 8);
    assertEquals(s.run("BITPOS", "k", 1, start), one);
    const zero = bits.indexOf("0", start * 8);
    assertEquals(s.run("BITPOS", "k", 0, start), zero < 0 ? bits.length : zero);
  }
});

Deno.test("BITPOS takes a missing key as zeros and an empty string as nothing", () => {
  const s = testServer();
  assertEquals(s.run("BITPOS", "k", 0), 0);
  assertEquals(s.run("BITPOS", "k", 1), -1);
  s.run("SET", "k", "");
  assertEquals(s.run("BITPOS", "k", 0), -1);
  assertEquals(s.run("BITCOUNT", "k"), 0);
  assertEquals(s.run("BITCOUNT", "missing"), 0);
});

Deno.test("BITCOUNT and BITPOS refuse words, but look for the key first", () => {
  const s = testServer();
  s.run("SET", "k", "abc");
  s.run("RPUSH", "list", "e");
  for (
    const [answer, ...words] of [
      [SYNTAX, "BITCOUNT", "k", "0"],
      [SYNTAX, "BITCOUNT", "k", "0", "1", "BITS"],
      [SYNTAX, "BITCOUNT", "k", "0", "1", "BIT", "BIT"],
      [NOT_AN_INTEGER, "BITCOUNT", "k", "x", "1"],
      [NOT_AN_INTEGER, "BITCOUNT", "k", "0", ""],
      [WRONG_TYPE, "BITCOUNT", "list", "x"],
      [0, "BITCOUNT", "missing", "x"],
      [SYNTAX, "BITPOS", "k", "1", "0", "1", "BITS"],
      [SYNTAX, "BITPOS", "k", "1", "0", "x", "BITS"],
      [SYNTAX, "BITPOS", "k", "1", "0", "1", "BIT", "BIT"],
      [NOT_AN_INTEGER, "BITPOS", "k", "1", "x"],
      [NOT_AN_INTEGER, "BITPOS", "k", "x"],
      [{ error: "ERR The bit argument must be 1 or 0." }, "BITPOS", "list", "2"],
      [WRONG_TYPE, "BITPOS", "list", "1", "x"],
      [-1, "BITPOS", "missing", "1", "x"],
    ] as const
  ) assertEquals(s.run(...words), answer, words.join(" "));
});
