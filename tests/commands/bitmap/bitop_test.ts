import { assert, assertEquals } from "@std/assert";
import { ENC_RAW } from "../../../src/arena/record.ts";
import { blocks } from "../../../src/base/blocks.ts";
import { testServer } from "../../support/test_server.ts";

Deno.test("BITOP combines strings of different lengths, the shorter followed by zeros", () => {
  const s = testServer();
  s.run("MSET", "a", "\xff\x0f\x01", "b", "\x0f\xff", "c", "\x01");
  const cases: [string[], string][] = [
    [["AND", "d", "a", "b"], "\x0f\x0f\0"],
    [["and", "d", "c", "a"], "\x01\0\0"],
    [["OR", "d", "b", "a"], "\xff\xff\x01"],
    [["XOR", "d", "a", "b", "c"], "\xf1\xf0\x01"],
    [["NOT", "d", "a"], "\0\xf0\xfe"],
    [["AND", "d", "a", "missing"], "\0\0\0"],
    [["OR", "d", "missing", "a"], "\xff\x0f\x01"],
    [["XOR", "a", "a", "a"], "\0\0\0"],
  ];
  for (const [words, expected] of cases) {
    assertEquals(s.run("BITOP", ...words), expected.length, words.join(" "));
    assertEquals(s.run("GET", words[1]), expected, words.join(" "));
  }
});

Deno.test("BITOP works on strings in slots and stores raw bytes without an expiry", () => {
  const s = testServer();
  const long = "\x0f".repeat(20_000);
  s.run("SET", "a", long);
  s.run("SET", "d", "old", "EX", 100);
  assertEquals(s.run("BITOP", "NOT", "d", "a"), 20_000);
  assertEquals(s.run("GET", "d"), "\xf0".repeat(20_000));
  s.run("SET", "n", "12");
  s.run("BITOP", "OR", "d", "n");
  const database = s.keyspace.databases[0];
  const ref = database.findOrExpire(new TextEncoder().encode("d"), 0, 1);
  assertEquals([database.encodingOf(ref), database.expiryOf(ref)], [ENC_RAW, NaN]);
});

Deno.test("BITOP deletes the destination when the result is empty", () => {
  const s = testServer();
  s.run("SET", "d", "x");
  s.propagated();
  const seen: string[] = [];
  s.keyspace.eventMask = -1 & ~(1 << 11);
  s.keyspace.listener.keyEvent = (event) => seen.push(event);
  assertEquals(s.run("BITOP", "AND", "d", "none", "nothing"), 0);
  assertEquals(s.propagated(), ["BITOP AND d none nothing"]);
  assertEquals(s.run("BITOP", "AND", "d", "none", "nothing"), 0);
  assertEquals(s.propagated(), []);
  assertEquals(seen, ["del"]);
});

Deno.test("BITOP refuses operations, counts and types and changes nothing", () => {
  const s = testServer();
  s.run("MSET", "a", "1", "d", "old");
  s.run("RPUSH", "list", "e");
  s.propagated();
  assertEquals(s.run("BITOP", "NAND", "d", "list"), { error: "ERR syntax error" });
  for (const operation of ["DIFF", "DIFF1", "ANDOR"]) {
    assertEquals(s.run("BITOP", operation, "d", "list"), {
      error: `ERR BITOP ${operation} must be called with at least two source keys.`,
    });
  }
  assertEquals(s.run("BITOP", "NOT", "d", "list", "a"), {
    error: "ERR BITOP NOT must be called with a single source key.",
  });
  assertEquals(s.run("BITOP", "OR", "d", "a", "list"), {
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  });
  assertEquals(s.run("GET", "d"), "old");
  assertEquals(s.propagated(), []);
});

const text = (...bytes: number[]) => String.fromCharCode(...bytes);

Deno.test("BITOP DIFF, DIFF1, ANDOR and ONE compare sources with each other", () => {
  const s = testServer();
  s.run("SET", "x", text(0b11110000, 0xff));
  s.run("SET", "y", text(0b10101010));
  s.run("SET", "z", text(0b00001111, 0, 1));
  const cases: [string[], string][] = [
    [["DIFF", "d", "x", "y", "z"], text(0b01010000, 0xff, 0)],
    [["diff1", "d", "x", "y", "z"], text(0b00001111, 0, 1)],
    [["ANDOR", "d", "x", "y", "z"], text(0b10100000, 0, 0)],
    [["ONE", "d", "x", "y", "z"], text(0b01010101, 0xff, 1)],
    [["ONE", "d", "x", "y", "z", "y"], text(0b01010101, 0xff, 1)],
    [["ONE", "d", "y"], text(0b10101010)],
    [["DIFF", "d", "none", "y"], text(0)],
    [["DIFF1", "d", "none", "y"], text(0b10101010)],
    [["ANDOR", "d", "none", "y"], text(0)],
    [["DIFF", "d", "y", "none"], text(0b10101010)],
    [["DIFF", "x", "x", "x"], text(0, 0)],
  ];
  for (const [words, expected] of cases) {
    s.propagated();
    assertEquals(s.run("BITOP", ...words), expected.length, words.join(" "));
    assertEquals(s.run("GET", words[1]), expected, words.join(" "));
    assertEquals(s.propagated(), [`SET ${words[1]} ${expected}`]);
  }
});

/** Each operation on one bit of each source, said without bytes. */
const BY_BIT: Record<string, (bits: boolean[]) => boolean> = {
  DIFF: ([first, ...others]) => first && !others.includes(true),
  DIFF1: ([first, ...others]) => !first && others.includes(true),
  ANDOR: ([first, ...others]) => first && others.includes(true),
  ONE: (bits) => bits.filter((bit) => bit).length === 1,
};

for (const [operation, ofBits] of Object.entries(BY_BIT)) {
  Deno.test(`BITOP ${operation} of long strings is right in every bit`, () => {
    const s = testServer();
    let state = 1;
    const lengths = [40_000, 16_384, 33_001, 7];
    const sources = lengths.map((length) =>
      Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16)
    );
    for (const [i, bytes] of sources.entries()) {
      s.run("SET", `s${i}`, Array.from(bytes, (byte) => text(byte)).join(""));
    }
    assertEquals(s.run("BITOP", operation, "d", "s0", "s1", "s2", "s3"), 40_000);
    const found = s.run("GET", "d") as string;
    for (let i = 0; i < 40_000; i++) {
      let expected = 0;
      for (let bit = 1; bit < 256; bit <<= 1) {
        if (ofBits(sources.map((bytes) => ((bytes[i] ?? 0) & bit) !== 0))) expected |= bit;
      }
      if (found.charCodeAt(i) !== expected) {
        assertEquals(found.charCodeAt(i), expected, `byte ${i}`);
      }
    }
  });
}

Deno.test("BITOP takes a long result from blocks, whatever was there before, and DEL gives it back", () => {
  const s = testServer();
  s.run("SET", "a", "\xf0".repeat(100_000));
  s.run("SET", "b", "\x3c".repeat(50_000));
  s.run("PING");
  const before = blocks.takenBytes;
  for (const [operation, first, last] of [["AND", "\x30", "\0"], ["OR", "\xfc", "\xf0"]]) {
    assertEquals(s.run("BITOP", operation, "to", "a", "b"), 100_000);
    assertEquals(s.run("GETRANGE", "to", 0, 9), first.repeat(10));
    assertEquals(s.run("GETRANGE", "to", 49_998, 50_001), first.repeat(2) + last.repeat(2));
    assertEquals(s.run("GETRANGE", "to", -10, -1), last.repeat(10));
    assertEquals(s.run("BITOP", "NOT", "to", "to"), 100_000);
    s.run("PING");
    assert(blocks.takenBytes - before >= 100_000);
    s.run("DEL", "to");
    s.run("PING");
    assertEquals(blocks.takenBytes, before);
  }
});
