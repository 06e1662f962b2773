import { assertEquals } from "@std/assert";
import { WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { recordEvents } from "../../support/events.ts";
import { Random } from "../../support/random.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const LONG = "x".repeat(65);
const sorted = (reply: unknown) => (reply as string[]).toSorted();
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

/** Sets that overlap, one per encoding: ints, texts, table. */
function withSets(): TestServer {
  const s = testServer();
  s.run("SADD", "ints", "1", "2", "3", "4");
  s.run("SADD", "texts", "2", "3", "a", "b");
  s.run("SADD", "table", "3", "4", "b", LONG);
  s.propagated();
  return s;
}

const OPERATIONS: [string, string[], string[]][] = [
  ["SINTER", ["ints"], ["1", "2", "3", "4"]],
  ["SINTER", ["ints", "texts"], ["2", "3"]],
  ["SINTER", ["table", "ints"], ["3", "4"]],
  ["SINTER", ["ints", "texts", "table"], ["3"]],
  ["SINTER", ["table", "table", "texts"], ["3", "b"]],
  ["SINTER", ["ints", "none"], []],
  ["SUNION", ["texts"], ["2", "3", "a", "b"]],
  ["SUNION", ["ints", "none", "texts"], ["1", "2", "3", "4", "a", "b"]],
  ["SUNION", ["table", "texts", "ints"], ["1", "2", "3", "4", "a", "b", LONG]],
  ["SUNION", ["none", "nothing"], []],
  ["SDIFF", ["table"], ["3", "4", "b", LONG]],
  ["SDIFF", ["ints", "texts"], ["1", "4"]],
  ["SDIFF", ["table", "none", "ints"], ["b", LONG]],
  ["SDIFF", ["texts", "ints", "table"], ["a"]],
  ["SDIFF", ["none", "ints"], []],
  ["SDIFF", ["ints", "ints"], []],
];
for (const [name, keys, expected] of OPERATIONS) {
  Deno.test(`${name} ${keys.join(" ")}, stored and not`, () => {
    const s = withSets();
    assertEquals(sorted(s.run(name, ...keys)), expected.toSorted());
    assertEquals(s.propagated(), []);

    const events = recordEvents(s);
    const store = `${name}STORE`;
    s.run("SET", "to", "x", "EX", "100");
    assertEquals(s.run(store, "to", ...keys), expected.length);
    assertEquals(sorted(s.run("SMEMBERS", "to")), expected.toSorted());
    assertEquals(s.run("TTL", "to"), expected.length > 0 ? -1 : -2);
    assertEquals(events.slice(1).filter((event) => event !== "expire to"), [
      expected.length > 0 ? `${store.toLowerCase()} to` : "del to",
    ]);
    assertEquals(s.propagated().at(-1), `${store} to ${keys.join(" ")}`);

    // Into a new key, and over one of the sources.
    assertEquals(s.run(store, "fresh", ...keys), expected.length);
    assertEquals(sorted(s.run("SMEMBERS", "fresh")), expected.toSorted());
    assertEquals(s.run(store, keys[0], ...keys), expected.length);
    assertEquals(sorted(s.run("SMEMBERS", keys[0])), expected.toSorted());
  });
}

Deno.test("SDIFF of many sets finds the same as of few", () => {
  const s = testServer();
  s.run("SADD", "first", ...range(0, 600));
  const others = range(0, 50);
  for (const other of others) s.run("SADD", `other${other}`, other, "a", `${Number(other) + 100}`);
  assertEquals(
    sorted(s.run("SDIFF", "first", ...others.map((other) => `other${other}`))),
    [...range(50, 100), ...range(150, 600)].toSorted(),
  );
});

Deno.test("the results of SINTER, SUNION and SDIFF are sets in RESP3", () => {
  const s = withSets();
  const c = s.connect(3);
  assertEquals(c.run("SINTER", "ints", "texts", "table"), { set: ["3"] });
  assertEquals(c.run("SUNION", "none"), { set: [] });
  assertEquals(c.run("SDIFF", "texts", "ints", "table"), { set: ["a"] });
});

Deno.test("a stored result has the encoding that fits it, whatever its sources had", () => {
  const s = testServer();
  s.run("SADD", "ints", ...range(0, 512));
  s.run("SADD", "more", ...range(500, 700));
  s.run("SADD", "texts", LONG, "a", ...range(0, 300));
  const encodingOf = (...words: string[]) => {
    s.run(...words);
    return s.run("OBJECT", "ENCODING", "to");
  };
  assertEquals(encodingOf("SINTERSTORE", "to", "texts", "ints"), "intset");
  assertEquals(encodingOf("SUNIONSTORE", "to", "ints", "more"), "hashtable");
  assertEquals(encodingOf("SUNIONSTORE", "to", "ints"), "intset");
  s.run("SREM", "texts", LONG);
  assertEquals(encodingOf("SDIFFSTORE", "to", "texts", "more"), "hashtable");
  assertEquals(encodingOf("SDIFFSTORE", "to", "texts", "ints"), "listpack");
});

Deno.test("a stored result of nothing at a key that was not there changes nothing", () => {
  const s = withSets();
  assertEquals(s.run("SINTERSTORE", "to", "ints", "none"), 0);
  assertEquals(s.propagated(), []);
});

const COUNTS: [string[], number][] = [
  [["SINTERCARD", "2", "ints", "texts"], 2],
  [["SINTERCARD", "2", "ints", "texts", "LIMIT", "0"], 2],
  [["SINTERCARD", "2", "ints", "texts", "limit", "1"], 1],
  [["SINTERCARD", "1", "table", "LIMIT", "3"], 3],
  [["SINTERCARD", "1", "table", "LIMIT", "9"], 4],
  [["SINTERCARD", "2", "ints", "none"], 0],
];
for (const [words, count] of COUNTS) {
  Deno.test(`${words.join(" ")} counts ${count}`, () => {
    assertEquals(withSets().run(...words), count);
  });
}

const NUMKEYS = "ERR numkeys should be greater than 0";
const REFUSED: [string[], string][] = [
  [["SINTER", "none", "text"], WRONG_TYPE],
  [["SINTER", "text", "none"], WRONG_TYPE],
  [["SUNION", "ints", "text"], WRONG_TYPE],
  [["SDIFF", "none", "text"], WRONG_TYPE],
  [["SINTERSTORE", "ints", "none", "text"], WRONG_TYPE],
  [["SUNIONSTORE", "ints", "none", "text"], WRONG_TYPE],
  [["SDIFFSTORE", "ints", "none", "text"], WRONG_TYPE],
  [["SINTERCARD", "1", "text"], WRONG_TYPE],
  [["SINTERCARD", "x", "ints"], NUMKEYS],
  [["SINTERCARD", "0", "ints"], NUMKEYS],
  [["SINTERCARD", "2", "ints"], "ERR Number of keys can't be greater than number of args"],
  [["SINTERCARD", "1", "ints", "LIMIT"], "ERR syntax error"],
  [["SINTERCARD", "1", "ints", "text"], "ERR syntax error"],
  [["SINTERCARD", "1", "text", "LIMIT", "-1"], "ERR LIMIT can't be negative"],
  [["SINTERCARD", "1", "text", "LIMIT", "x"], "ERR LIMIT can't be negative"],
];
for (const [words, error] of REFUSED) {
  Deno.test(`${words.join(" ")} is refused and changes nothing`, () => {
    const s = withSets();
    s.run("SET", "text", "x");
    s.propagated();
    assertEquals(s.run(...words), { error });
    assertEquals(s.run("SCARD", "ints"), 4);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("operations on sets of any encoding and size find what a model finds", () => {
  const random = new Random(21);
  const s = testServer();
  for (let round = 0; round < 150; round++) {
    const models = ["a", "b", "c"].map((key) => {
      const model = new Set<string>();
      const count = [3, 30, 120, 200, 700][random.below(5)];
      const prefix = ["", "", "m"][random.below(3)];
      for (let i = 0; i < count; i++) model.add(prefix + random.below(count * 2));
      s.run("DEL", key);
      s.run("SADD", key, ...model);
      return model;
    });
    const [a, b, c] = models;
    const expected: [string, Set<string>][] = [
      ["SINTER", a.intersection(b).intersection(c)],
      ["SUNION", a.union(b).union(c)],
      ["SDIFF", a.difference(b).difference(c)],
    ];
    for (const [command, members] of expected) {
      const all = [...members].sort();
      assertEquals(sorted(s.run(command, "a", "b", "c")), all, command);
      assertEquals(s.run(`${command}STORE`, "to", "a", "b", "c"), members.size);
      assertEquals(sorted(s.run("SMEMBERS", "to")), all, command);
    }
    const common = expected[0][1].size;
    assertEquals(s.run("SINTERCARD", "3", "a", "b", "c", "LIMIT", "7"), Math.min(7, common));
  }
});

Deno.test("operations with one set in several places", () => {
  const s = testServer();
  const large = Array.from({ length: 600 }, (_, i) => `m${i}`);
  for (const members of [["1", "2", "3"], ["a", "b"], large]) {
    s.run("DEL", "k", "other");
    s.run("SADD", "k", ...members);
    s.run("SADD", "other", members[0]);
    assertEquals(s.run("SDIFF", "k", "k"), []);
    assertEquals(s.run("SDIFF", "k", "other", "k"), []);
    assertEquals(s.run("SDIFF", "k", "other", "other"), s.run("SDIFF", "k", "other"));
    assertEquals(sorted(s.run("SINTER", "k", "k", "k")), [...members].sort());
    assertEquals(s.run("SINTER", "k", "other", "k"), [members[0]]);
    assertEquals(s.run("SINTERCARD", 2, "k", "k"), members.length);
  }
});

Deno.test("operations on sets of integers beyond what a double holds", () => {
  const s = testServer();
  s.run("SADD", "a", 1, "9007199254740993", "9223372036854775807", "-9223372036854775808");
  s.run("SADD", "b", "9007199254740993", "9007199254740992", "9223372036854775807");
  assertEquals(s.run("SINTER", "a", "b"), ["9007199254740993", "9223372036854775807"]);
  assertEquals(s.run("SDIFF", "a", "b"), ["-9223372036854775808", "1"]);
  assertEquals(s.run("SINTERCARD", 2, "a", "b", "LIMIT", 1), 1);
  assertEquals(s.run("OBJECT", "ENCODING", "a"), "intset");
});
