import { assertEquals } from "@std/assert";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const SYNTAX = { error: "ERR syntax error" };

function withList(...elements: (string | number)[]): TestServer {
  const s = testServer();
  s.run("RPUSH", "l", ...elements);
  return s;
}

Deno.test("SORT orders by number, or by bytes with ALPHA, and may turn round", () => {
  const s = withList(10, 9, "1.5", -3, "1e2", "inf");
  assertEquals(s.run("SORT", "l"), ["-3", "1.5", "9", "10", "1e2", "inf"]);
  assertEquals(s.run("SORT", "l", "DESC", "LIMIT", 1, 2), ["1e2", "10"]);
  assertEquals(s.run("SORT", "l", "ALPHA"), ["-3", "1.5", "10", "1e2", "9", "inf"]);
  assertEquals(s.run("SORT_RO", "l", "ALPHA", "DESC", "LIMIT", 0, 1), ["inf"]);
  assertEquals(s.run("SORT", "none"), []);
});

Deno.test("SORT needs numbers, or ALPHA", () => {
  const error = { error: "ERR One or more scores can't be converted into double" };
  assertEquals(withList(1, "a").run("SORT", "l"), error);
  assertEquals(withList(1, "1e999").run("SORT", "l"), error);
  assertEquals(withList(2, "").run("SORT", "l"), ["", "2"]);
});

Deno.test("SORT reads a weight up to its first NUL byte, as C does", () => {
  // The list is a b, and b weighs 0.5: what a's weight is can be seen by where it comes.
  const before = ["", "\0\x03", "-1", "-0x1p4", "\v-1", "0.25\0 and more", "-inf", "-.5"];
  const behind = ["1", " 1", "+1", "5.", "0x10", "inf", "infinity", "1e0\0x", "1e300"];
  const refused = [
    " ",
    "1 ",
    "1x",
    "nan",
    "-nan",
    "1e400",
    "-1e400",
    "1e-400",
    "1e-310",
    "0x1p2000",
    "0x",
    "1_0",
    "1e",
  ];
  const s = withList("a", "b");
  s.run("SET", "w_b", "0.5");
  const sortWith = (weight: string) => {
    s.run("SET", "w_a", weight);
    return s.run("SORT", "l", "BY", "w_*");
  };
  for (const weight of before) assertEquals(sortWith(weight), ["a", "b"], JSON.stringify(weight));
  for (const weight of behind) assertEquals(sortWith(weight), ["b", "a"], JSON.stringify(weight));
  const error = { error: "ERR One or more scores can't be converted into double" };
  for (const weight of refused) assertEquals(sortWith(weight), error, JSON.stringify(weight));
});

Deno.test("SORT … BY … ALPHA leaves elements of the same or no weight as they were, also with DESC", () => {
  const s = withList("d", "x", "b", "a", "y", "c");
  for (const letter of "abcd") s.run("SET", `w_${letter}`, letter < "c" ? "early" : "late");
  assertEquals(s.run("SORT", "l", "BY", "w_*", "ALPHA"), ["x", "y", "b", "a", "d", "c"]);
  assertEquals(s.run("SORT", "l", "BY", "w_*", "ALPHA", "DESC"), ["d", "c", "b", "a", "x", "y"]);
});

/** Numbers from 0 to below 1 that a seed determines. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Makers of elements: what they have in common is what the ways of sorting tell apart. */
const ELEMENTS: Record<string, (draw: () => number) => string> = {
  "small integers": (draw) => String(Math.floor(draw() * 200) - 100),
  "large integers": (draw) => String(Math.floor((draw() - 0.5) * 2 ** 53)),
  "integers beyond doubles": (draw) =>
    `${draw() < 0.5 ? "-" : ""}9007199254740${100 + draw() * 900 | 0}`,
  decimals: (draw) => String((draw() - 0.5) * 10 ** Math.floor(draw() * 20 - 10)),
  "texts of one number": (draw) =>
    "0".repeat(draw() * 4 | 0) + (draw() * 3 | 0) + ["", ".", ".0"][draw() * 3 | 0],
};
const TEXTS: Record<string, (draw: () => number) => string> = {
  ...ELEMENTS,
  "a common beginning": (draw) => `element:${draw() * 500 | 0}`,
  "beginnings of each other": (draw) => "ab".repeat(draw() * 40),
  "NUL bytes at the end": (draw) => "a".repeat(draw() * 10) + "\0".repeat(draw() * 10),
  "all byte values": (draw) =>
    Array.from({ length: draw() * 12 | 0 }, () => String.fromCharCode(draw() * 256)).join(""),
};

/** In the order of their bytes; strings have a character for each. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

for (const count of [2, 8, 21, 300, 9000]) {
  for (const [name, make] of Object.entries(ELEMENTS)) {
    Deno.test(`SORT of ${count} elements (${name}) agrees with a plain sort`, () => {
      const draw = chance(count);
      const elements = Array.from({ length: count }, () => make(draw));
      const s = withList(...elements);
      const sorted = elements.toSorted((a, b) => Number(a) - Number(b) || byBytes(a, b));
      assertEquals(s.run("SORT", "l"), sorted);
      assertEquals(s.run("SORT", "l", "DESC"), sorted.toReversed());
      const from = count >> 2;
      assertEquals(s.run("SORT", "l", "LIMIT", from, 5), sorted.slice(from, from + 5));
      assertEquals(
        s.run("SORT", "l", "GET", "#", "DESC", "LIMIT", 1, 3),
        sorted.toReversed().slice(1, 4),
      );
      s.run("SORT", "l", "STORE", "to");
      assertEquals(s.run("LRANGE", "to", 0, -1), sorted);
    });
  }
  for (const [name, make] of Object.entries(TEXTS)) {
    Deno.test(`SORT … ALPHA of ${count} elements (${name}) agrees with a plain sort`, () => {
      const draw = chance(count);
      const elements = Array.from({ length: count }, () => make(draw));
      const s = withList(...elements);
      const sorted = elements.toSorted(byBytes);
      assertEquals(s.run("SORT", "l", "ALPHA"), sorted);
      assertEquals(s.run("SORT", "l", "ALPHA", "DESC"), sorted.toReversed());
      const from = count >> 1;
      assertEquals(s.run("SORT", "l", "ALPHA", "LIMIT", from, 7), sorted.slice(from, from + 7));
      s.run("SORT", "l", "ALPHA", "STORE", "to");
      assertEquals(s.run("LRANGE", "to", 0, -1), sorted);
    });
  }
}

Deno.test("SORT … STORE reads what its patterns find before the destination is replaced", () => {
  const s = withList(2, 1);
  s.run("SET", "d1", "one");
  s.run("SET", "d2", "two");
  assertEquals(s.run("SORT", "l", "GET", "d*", "STORE", "d1"), 2);
  assertEquals(s.run("LRANGE", "d1", 0, -1), ["one", "two"]);
  assertEquals(s.run("OBJECT", "ENCODING", "d1"), "listpack");
});

Deno.test("elements of the same number are in the order of their bytes", () => {
  const s = withList("c", "a", "b");
  for (const key of ["w_a", "w_b", "w_c"]) s.run("SET", key, 1);
  assertEquals(s.run("SORT", "l", "BY", "w_*"), ["a", "b", "c"]);
  assertEquals(s.run("SORT", "l", "BY", "w_*", "DESC"), ["c", "b", "a"]);
});

Deno.test("SORT compares by other keys and by fields of hashes", () => {
  const s = withList(1, 2, 3);
  s.run("SET", "w_1", 30);
  s.run("SET", "w_2", 20);
  s.run("SET", "w_3", 10);
  assertEquals(s.run("SORT", "l", "BY", "w_*"), ["3", "2", "1"]);
  s.run("HSET", "h1", "f", 5);
  s.run("HSET", "h2", "f", 9);
  assertEquals(s.run("SORT", "l", "BY", "h*->f"), ["3", "1", "2"]); // missing counts as 0
  assertEquals(s.run("SORT", "l", "BY", "h*->f", "GET", "#", "GET", "h*->f", "GET", "w_*"), [
    "3",
    null,
    "10",
    "1",
    "5",
    "30",
    "2",
    "9",
    "20",
  ]);
  assertEquals(s.run("SORT", "l", "GET", "h*"), [null, null, null]); // hashes are no strings
});

Deno.test("a pattern without a star keeps the order", () => {
  const s = withList(3, 1, 2);
  assertEquals(s.run("SORT", "l", "BY", "nosort"), ["3", "1", "2"]);
  assertEquals(s.run("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 0, 2), ["2", "1"]);
  assertEquals(s.run("SORT", "l", "BY", "nosort", "BY", "w_*"), ["3", "1", "2"]);
  s.run("ZADD", "z", 3, "a", 1, "b", 2, "c");
  assertEquals(s.run("SORT", "z", "BY", "nosort"), ["b", "c", "a"]);
  assertEquals(s.run("SORT", "z", "BY", "nosort", "DESC"), ["a", "c", "b"]);
});

Deno.test("SORT STORE makes a list, or removes the key when there is nothing", () => {
  const s = withList(3, 1, 2);
  s.run("SET", "dst", "old", "EX", 100);
  s.propagated();
  assertEquals(s.run("SORT", "l", "GET", "#", "GET", "none_*", "STORE", "dst"), 6);
  assertEquals(s.run("LRANGE", "dst", 0, -1), ["1", "", "2", "", "3", ""]);
  assertEquals(s.run("TTL", "dst"), -1);
  assertEquals(s.propagated(), ["SORT l GET # GET none_* STORE dst"]);
  assertEquals(s.run("SORT", "l", "STORE", "l"), 3);
  assertEquals(s.run("LRANGE", "l", 0, -1), ["1", "2", "3"]);
  assertEquals(s.run("SORT", "none", "STORE", "dst"), 0);
  assertEquals(s.run("EXISTS", "dst"), 0);
  s.propagated();
  assertEquals(s.run("SORT", "none", "STORE", "dst"), 0);
  assertEquals(s.propagated(), []);
});

Deno.test("SORT refuses other types and wrong words", () => {
  const s = withList(1);
  s.run("SET", "str", "v");
  const refused: [(string | number)[], Value][] = [
    [["SORT", "str"], {
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    }],
    [["SORT", "l", "LIMIT", 1], SYNTAX],
    [["SORT", "l", "LIMIT", "a", 1], { error: "ERR value is not an integer or out of range" }],
    [["SORT", "l", "BY"], SYNTAX],
    [["SORT", "l", "NOSUCH"], SYNTAX],
    [["SORT_RO", "l", "STORE", "x"], SYNTAX],
  ];
  for (const [words, error] of refused) assertEquals(s.run(...words), error, words.join(" "));
});

// What redis-server 7.0.15 answers, found by asking it.
const WEIGHTED_PARTS: [options: string, answer: string][] = [
  ["LIMIT 0 8", "29 99 69 9 89 49 19 79"],
  ["LIMIT 40 8", "64 37 10 94 67 40 13 97"],
  ["DESC LIMIT 3 8", "8 14 83 35 56 62 5 32"],
  ["LIMIT 87 14", "5 17 62 32 35 86 8 2 50 56 20 92 98 74"],
];

/** Weights a, b and c, and none for every tenth element. */
function withWeights(s: TestServer, elements: number[]): void {
  for (const each of elements) if (each % 10 !== 9) s.run("SET", `w_${each}`, "abc"[each % 3]);
}

for (const [options, answer] of WEIGHTED_PARTS) {
  Deno.test(`SORT BY with ALPHA and ${options} has elements of the same weight in Redis's order`, () => {
    const elements = Array.from({ length: 101 }, (_, i) => i * 37 % 101);
    const s = withList(...elements);
    withWeights(s, elements);
    const found = s.run("SORT", "l", "BY", "w_*", "ALPHA", ...options.split(" ")) as string[];
    assertEquals(found, answer.split(" "));
  });
}

Deno.test("SORT BY with ALPHA of all elements leaves those of the same weight as they came", () => {
  const elements = [29, 3, 9, 7, 19, 6, 1, 0, 4, 10];
  const s = withList(...elements);
  withWeights(s, elements);
  const expected = ["29", "9", "19", "3", "6", "0", "7", "1", "4", "10"];
  assertEquals(s.run("SORT", "l", "BY", "w_*", "ALPHA"), expected);
  assertEquals(s.run("SORT", "l", "BY", "w_*", "ALPHA", "LIMIT", 0, 10), expected);
});

Deno.test("SORT BY with ALPHA and LIMIT of a set of integers has Redis's order too", () => {
  const s = testServer();
  const elements = Array.from({ length: 30 }, (_, i) => i * 3);
  s.run("SADD", "s", ...elements);
  for (const each of elements) s.run("SET", `w_${each}`, "ab"[each % 2]);
  assertEquals(
    s.run("SORT", "s", "BY", "w_*", "ALPHA", "LIMIT", 2, 12),
    "6 54 30 60 18 66 36 72 12 78 42 84".split(" "),
  );
});

Deno.test("SORT BY with ALPHA compares weights up to a NUL byte, and whole ones with STORE", () => {
  const s = withList(1, 2, 3);
  s.run("MSET", "w_1", "x\0b", "w_2", "x\0a", "w_3", "x");
  assertEquals(s.run("SORT", "l", "BY", "w_*", "ALPHA"), ["1", "2", "3"]);
  s.run("SORT", "l", "BY", "w_*", "ALPHA", "STORE", "d");
  assertEquals(s.run("LRANGE", "d", 0, -1), ["3", "2", "1"]);
});
