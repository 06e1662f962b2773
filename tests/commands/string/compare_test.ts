/** DIGEST, DELEX, and SET on condition of the value: as Redis 8.4 has them. */

import { assertEquals } from "@std/assert";
import { testServer } from "../../support/test_server.ts";

const HELLO = "b6acb9d84a38ff74";
const OTHER = "0000000000000000";

Deno.test("DIGEST hashes a string, also a number, and one too long for a record", () => {
  const s = testServer();
  s.run("SET", "k", "Hello world");
  assertEquals(s.run("DIGEST", "k"), HELLO);
  s.run("SET", "n", "12");
  s.run("INCR", "n");
  s.run("SET", "thirteen", "13");
  assertEquals(s.run("DIGEST", "n"), s.run("DIGEST", "thirteen"));
  s.run("SET", "long", "x".repeat(20_000));
  s.run("SET", "appended", "x".repeat(10_000));
  s.run("APPEND", "appended", "x".repeat(10_000));
  assertEquals(s.run("DIGEST", "long"), s.run("DIGEST", "appended"));
});

Deno.test("DIGEST of nothing is null, of a list an error", () => {
  const s = testServer();
  assertEquals(s.run("DIGEST", "k"), null);
  s.run("RPUSH", "k", "a");
  assertEquals(s.run("DIGEST", "k"), {
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  });
});

/** A condition, and whether "Hello world" meets it. */
const CONDITIONS: [string, string, boolean][] = [
  ["IFEQ", "Hello world", true],
  ["ifeq", "Hello worl", false],
  ["IFNE", "Hello world", false],
  ["IFNE", "", true],
  ["IFDEQ", HELLO, true],
  ["IFDEQ", HELLO.toUpperCase(), true],
  ["IFDEQ", OTHER, false],
  ["ifdne", HELLO, false],
  ["IFDNE", OTHER, true],
];

for (const [name, word, isMet] of CONDITIONS) {
  Deno.test(`SET ${name} ${word} ${isMet ? "replaces" : "keeps"} Hello world`, () => {
    const s = testServer();
    s.run("SET", "k", "Hello world");
    s.propagated();
    assertEquals(s.run("SET", "k", "new", name, word), isMet ? "OK" : null);
    assertEquals(s.run("GET", "k"), isMet ? "new" : "Hello world");
    assertEquals(s.propagated(), isMet ? ["SET k new"] : []);
  });

  Deno.test(`DELEX ${name} ${word} ${isMet ? "removes" : "keeps"} Hello world`, () => {
    const s = testServer();
    s.run("SET", "k", "Hello world");
    s.propagated();
    assertEquals(s.run("DELEX", "k", name, word), isMet ? 1 : 0);
    assertEquals(s.run("EXISTS", "k"), isMet ? 0 : 1);
    assertEquals(s.propagated(), isMet ? ["DEL k"] : []);
  });

  Deno.test(`SET ${name} of a missing key sets it if it is to be another`, () => {
    const s = testServer();
    const isSet = name.toUpperCase().includes("N");
    assertEquals(s.run("SET", "k", "new", name, word), isSet ? "OK" : null);
    assertEquals(s.run("EXISTS", "k"), isSet ? 1 : 0);
    assertEquals(s.run("DELEX", "none", name, word), 0);
  });
}

Deno.test("SET with a comparison and GET answers with the old value, set or not", () => {
  const s = testServer();
  s.run("SET", "k", "1");
  assertEquals(s.run("SET", "k", "2", "IFEQ", "0", "GET"), "1");
  assertEquals(s.run("SET", "k", "2", "GET", "IFEQ", "1"), "1");
  assertEquals(s.run("GET", "k"), "2");
  assertEquals(s.run("SET", "none", "2", "IFNE", "1", "GET"), null);
  assertEquals(s.run("GET", "none"), "2");
});

Deno.test("SET with a comparison enters the stream with its expiry and without the comparison", () => {
  const s = testServer({ nowMs: 1_000_000 });
  s.run("SET", "k", "1");
  s.propagated();
  s.run("SET", "k", "2", "IFEQ", "1", "EX", "10");
  s.run("SET", "k", "3", "IFEQ", "2", "KEEPTTL");
  s.run("SET", "k", "4", "PXAT", "2000000", "IFEQ", "3");
  s.run("SET", "k", "5", "IFEQ", "4", "GET");
  assertEquals(s.propagated(), [
    "SET k 2 PXAT 1010000",
    "SET k 3 KEEPTTL",
    "SET k 4 PXAT 2000000",
    "SET k 5",
  ]);
});

Deno.test("SET with a comparison does not compare a list", () => {
  const s = testServer();
  s.run("RPUSH", "k", "a");
  assertEquals(s.run("SET", "k", "v", "IFNE", "a"), {
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  });
  assertEquals(s.run("TYPE", "k"), "list");
});

for (
  const words of [
    ["IFEQ"],
    ["IFEQ", "a", "IFNE", "b"],
    ["NX", "IFEQ", "a"],
    ["IFEQ", "a", "NX"],
    ["IFDEQ", HELLO, "XX"],
    ["NX", "XX"],
    ["XX", "NX"],
  ]
) {
  Deno.test(`SET k v ${words.join(" ")} is a syntax error and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "k", "a");
    assertEquals(s.run("SET", "k", "v", ...words), { error: "ERR syntax error" });
    assertEquals(s.run("GET", "k"), "a");
  });
}

Deno.test("SET with the same condition twice goes by the last word", () => {
  const s = testServer();
  s.run("SET", "k", "a");
  assertEquals(s.run("SET", "k", "b", "IFEQ", "x", "IFEQ", "a"), "OK");
  assertEquals(s.run("SET", "k", "c", "XX", "XX"), "OK");
});

Deno.test("GETEX takes none of the conditions", () => {
  const s = testServer();
  s.run("SET", "k", "a");
  for (const words of [["IFEQ", "a"], ["NX"], ["XX"], ["GET"], ["KEEPTTL"]]) {
    assertEquals(s.run("GETEX", "k", ...words), { error: "ERR syntax error" });
  }
});

for (const digest of ["", "b6acb9d84a38ff7", "b6acb9d84a38ff740"]) {
  for (const name of ["IFDEQ", "IFDNE"]) {
    Deno.test(`SET and DELEX ${name} refuse "${digest}", which is no digest`, () => {
      const s = testServer();
      s.run("SET", "k", "Hello world");
      const error = { error: "ERR must be exactly 16 hexadecimal characters" };
      assertEquals(s.run("SET", "k", "v", name, digest), error);
      assertEquals(s.run("DELEX", "k", name, digest), error);
      assertEquals(s.run("GET", "k"), "Hello world");
    });
  }
}

Deno.test("DELEX without a condition removes whatever is there", () => {
  const s = testServer();
  s.run("RPUSH", "k", "a");
  s.propagated();
  assertEquals(s.run("DELEX", "k"), 1);
  assertEquals(s.run("DELEX", "k"), 0);
  assertEquals(s.propagated(), ["DEL k"]);
});

Deno.test("DELEX says what is wrong with its words, and keeps the key", () => {
  const s = testServer();
  s.run("RPUSH", "list", "a");
  s.run("SET", "k", "v");
  assertEquals(s.run("DELEX", "list", "IFEQ", "a"), {
    error: "ERR Key should be of string type if conditions are specified",
  });
  assertEquals(s.run("DELEX", "k", "FOO", "v"), {
    error: "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE",
  });
  for (const words of [["IFEQ"], ["IFEQ", "v", "extra"]]) {
    assertEquals(s.run("DELEX", "k", ...words), {
      error: "ERR wrong number of arguments for 'delex' command",
    });
  }
  assertEquals(s.run("EXISTS", "list", "k"), 2);
});

Deno.test("COMMAND GETKEYSANDFLAGS tells SET and DELEX that compare from those that do not", () => {
  const s = testServer();
  const flags = (...words: string[]) => s.run("COMMAND", "GETKEYSANDFLAGS", ...words);
  assertEquals(flags("SET", "k", "v"), [["k", ["OW", "update"]]]);
  assertEquals(flags("SET", "k", "v", "IFEQ", "a"), [["k", ["RW", "update"]]]);
  assertEquals(flags("SET", "k", "v", "IFEQ", "a", "GET"), [["k", ["RW", "access", "update"]]]);
  assertEquals(flags("DELEX", "k"), [["k", ["RM", "delete"]]]);
  assertEquals(flags("DELEX", "k", "IFEQ", "a"), [["k", ["RW", "delete"]]]);
});

Deno.test("DELIFEQ removes a string that has the value, and nothing else", () => {
  const s = testServer();
  s.run("MSET", "k", "v", "other", "v");
  s.run("RPUSH", "list", "v");
  s.propagated();
  assertEquals(s.run("DELIFEQ", "k", "w"), 0);
  assertEquals(s.run("DELIFEQ", "k", "v"), 1);
  assertEquals(s.run("DELIFEQ", "k", "v"), 0);
  assertEquals(s.run("DELIFEQ", "list", "v"), {
    error: "WRONGTYPE Operation against a key holding the wrong kind of value",
  });
  assertEquals(s.run("EXISTS", "k", "other", "list"), 2);
  assertEquals(s.propagated(), ["DEL k"]);
});
