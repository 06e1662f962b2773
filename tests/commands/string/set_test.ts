import { assertEquals } from "@std/assert";
import { ENC_EMBSTR, ENC_EXTERNAL, ENC_RAW } from "../../../src/arena/record.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;
const SYNTAX = { error: "ERR syntax error" };
const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };
const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};

function expiryOf(s: TestServer, key: string): number {
  const bytes = new TextEncoder().encode(key);
  const database = s.keyspace.databases[0];
  return database.expiryOf(database.findOrExpire(bytes, 0, bytes.length));
}

/** Names of the events since the call, each with its key. */
function events(s: TestServer): string[] {
  const seen: string[] = [];
  s.keyspace.eventMask = ~(1 << 14);
  s.keyspace.listener.keyEvent = (event, _database, bytes, offset, length) => {
    seen.push(`${event} ${new TextDecoder().decode(bytes.subarray(offset, offset + length))}`);
  };
  return seen;
}

Deno.test("SET stores strings of every length, GET gives them back", () => {
  const s = testServer();
  for (const length of [0, 1, 47, 48, 1000, 16384, 16385, 70000]) {
    const value = "\0\xff\r\n".repeat(length).slice(0, length);
    assertEquals(s.run("SET", `k${length}`, value), "OK");
    assertEquals(s.run("SET", "k", value), "OK");
    assertEquals(s.run("GET", `k${length}`), value);
    assertEquals(s.run("GET", "k"), value);
    assertEquals(s.run("STRLEN", "k"), length);
  }
  assertEquals(s.run("SET", "k", "short again"), "OK");
  assertEquals(s.run("GET", "k"), "short again");
  assertEquals(s.run("STRLEN", "missing"), 0);
});

Deno.test("SET replaces a value of any type and its expiry", () => {
  const s = testServer();
  s.run("RPUSH", "k", "a");
  assertEquals(s.run("SET", "k", "v"), "OK");
  assertEquals(s.run("SET", "k", "v", "EX", 10), "OK");
  assertEquals(s.run("SET", "k", "w"), "OK");
  assertEquals(expiryOf(s, "k"), NaN);
});

Deno.test("SET with an expiry keeps the value through its last millisecond", () => {
  for (
    const [option, time, instant] of [
      ["EX", 10, NOW + 10_000],
      ["px", 10, NOW + 10],
      ["ExAt", 1_700_000_010, NOW + 10_000],
      ["PXAT", NOW + 5, NOW + 5],
    ] as const
  ) {
    const s = testServer({ nowMs: NOW });
    assertEquals(s.run("SET", "k", "v", option, time), "OK");
    assertEquals(expiryOf(s, "k"), instant);
    s.clock.nowMs = instant;
    assertEquals(s.run("GET", "k"), "v");
    s.clock.nowMs = instant + 1;
    assertEquals(s.run("GET", "k"), null);
  }
});

Deno.test("SET KEEPTTL leaves the expiry, also for strings in slots", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SET", "k", "v", "PX", 100);
  for (const value of ["w", "x".repeat(20000), "y".repeat(20001), "z"]) {
    assertEquals(s.run("SET", "k", value, "KEEPTTL"), "OK");
    assertEquals(expiryOf(s, "k"), NOW + 100);
    assertEquals(s.run("GET", "k"), value);
  }
});

Deno.test("SET NX and XX look whether the key is there", () => {
  const s = testServer();
  assertEquals(s.run("SET", "k", "v", "XX"), null);
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.run("SET", "k", "v", "NX"), "OK");
  s.propagated();
  assertEquals(s.run("SET", "k", "w", "NX"), null);
  assertEquals(s.propagated(), []);
  assertEquals(s.run("SET", "k", "w", "XX"), "OK");
  assertEquals(s.run("GET", "k"), "w");
});

Deno.test("SET GET answers with the old string, whatever NX and XX say", () => {
  const s = testServer();
  assertEquals(s.run("SET", "k", "1", "GET"), null);
  assertEquals(s.run("SET", "k", "2", "GET"), "1");
  assertEquals(s.run("SET", "k", "3", "NX", "GET"), "2");
  assertEquals(s.run("SET", "k", "3", "GET", "XX"), "2");
  assertEquals(s.run("SET", "new", "1", "NX", "GET"), null);
  assertEquals(s.run("GET", "new"), "1");
  assertEquals(s.run("SET", "other", "1", "XX", "GET"), null);
  assertEquals(s.run("GET", "other"), null);
  s.run("RPUSH", "list", "a");
  s.propagated();
  assertEquals(s.run("SET", "list", "v", "GET"), WRONG_TYPE);
  assertEquals(s.run("GETSET", "list", "v"), WRONG_TYPE);
  assertEquals(s.propagated(), []);
});

const REFUSED: [string[], unknown][] = [
  [["NX", "XX"], SYNTAX],
  [["XX", "NX"], SYNTAX],
  [["EX"], SYNTAX],
  [["EX", "10", "PX", "10"], SYNTAX],
  [["EX", "10", "KEEPTTL"], SYNTAX],
  [["KEEPTTL", "EX", "10"], SYNTAX],
  [["PERSIST"], SYNTAX],
  [["10"], SYNTAX],
  [["EX", "ten"], NOT_AN_INTEGER],
  [["EX", "1.5"], NOT_AN_INTEGER],
  [["EX", ""], NOT_AN_INTEGER],
  [["EX", "9223372036854775808"], NOT_AN_INTEGER],
  ...[
    ["EX", "0"],
    ["PX", "-1"],
    ["EX", "9223372036854775807"],
    ["EX", "9223372036854775"],
    ["EXAT", "9223372036854776"],
    ["PX", "9223372036854775807"],
  ].map((words): [string[], unknown] => [
    words,
    { error: "ERR invalid expire time in 'set' command" },
  ]),
];
for (const [words, answer] of REFUSED) {
  Deno.test(`SET refuses ${words.join(" ")} and changes nothing`, () => {
    const s = testServer();
    s.run("SET", "k", "old");
    s.propagated();
    assertEquals(s.run("SET", "k", "v", ...words), answer);
    assertEquals(s.run("GET", "k"), "old");
    assertEquals(s.propagated(), []);
  });
}

Deno.test("SET takes the last of a repeated expiry, and instants up to 64 bits", () => {
  const s = testServer({ nowMs: NOW });
  assertEquals(s.run("SET", "k", "v", "PX", 10, "PX", 20), "OK");
  assertEquals(expiryOf(s, "k"), NOW + 20);
  assertEquals(s.run("SET", "k", "v", "EXAT", "9223372036854775"), "OK");
  assertEquals(s.run("SET", "k", "v", "PXAT", "9223372036854775807"), "OK");
  assertEquals(s.run("GET", "k"), "v");
});

Deno.test("SET and its relatives propagate instants, and neither GET nor failures", () => {
  const s = testServer({ nowMs: NOW });
  s.run("SELECT", 0);
  const cases: [(string | number)[], string[]][] = [
    [["SET", "k", "v"], ["SELECT 0", "SET k v"]],
    [["SET", "k", "v", "EX", 10], [`SET k v PXAT ${NOW + 10_000}`]],
    [["SET", "k", "v", "PX", 10, "XX"], [`SET k v PXAT ${NOW + 10}`]],
    [["SET", "k", "v", "EXAT", 1_700_000_010, "GET"], [`SET k v PXAT ${NOW + 10_000}`]],
    [["set", "k", "v", "pxat", NOW + 7], [`set k v pxat ${NOW + 7}`]],
    [["SET", "k", "get", "GET", "KEEPTTL"], ["SET k get KEEPTTL"]],
    [["SET", "k", "v", "NX", "GET"], []],
    [["SETEX", "k", 10, "v"], [`SET k v PXAT ${NOW + 10_000}`]],
    [["PSETEX", "k", 10, "v"], [`SET k v PXAT ${NOW + 10}`]],
    [["SETNX", "k", "v"], []],
    [["SETNX", "fresh", "v"], ["SETNX fresh v"]],
    [["GETSET", "k", "w"], ["SET k w"]],
    [["MSET", "a", 1, "b", 2], ["MSET a 1 b 2"]],
    [["MSETNX", "c", 1, "b", 2], []],
    [["MSETNX", "c", 1, "d", 2], ["MSETNX c 1 d 2"]],
  ];
  for (const [words, expected] of cases) {
    s.run(...words);
    assertEquals(s.propagated(), expected, words.join(" "));
  }
});

Deno.test("SET and its relatives notify of set, then expire", () => {
  const s = testServer();
  s.run("SET", "k", "v");
  const seen = events(s);
  s.run("SET", "k", "v");
  s.run("SETEX", "k", 10, "v");
  s.run("MSET", "a", 1, "b", 2);
  s.run("GETSET", "a", 2);
  s.run("SETNX", "a", 2);
  assertEquals(seen, ["set k", "set k", "expire k", "set a", "set b", "set a"]);
});

Deno.test("SETEX and PSETEX refuse times that are not positive integers", () => {
  const s = testServer();
  for (const name of ["setex", "psetex"]) {
    const invalid = { error: `ERR invalid expire time in '${name}' command` };
    for (const time of ["0", "-1"]) assertEquals(s.run(name, "k", time, "v"), invalid);
    for (const time of ["", "x", "1.5", " 1"]) {
      assertEquals(s.run(name, "k", time, "v"), NOT_AN_INTEGER);
    }
  }
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.propagated(), []);
});

Deno.test("MSET and MSETNX set all keys, or none of them", () => {
  const s = testServer();
  assertEquals(s.run("MSET", "a", 1, "b", 2, "a", 3), "OK");
  assertEquals(s.run("MGET", "a", "b", "c"), ["3", "2", null]);
  for (const name of ["mset", "msetnx"]) {
    assertEquals(s.run(name, "x", 1, "y"), {
      error: `ERR wrong number of arguments for '${name}' command`,
    });
  }
  assertEquals(s.run("MSETNX", "x", 1, "a", 1), 0);
  assertEquals(s.run("MGET", "x", "a"), [null, "3"]);
  assertEquals(s.run("MSETNX", "x", 1, "y", 1), 1);
  s.run("RPUSH", "list", "e");
  assertEquals(s.run("MGET", "x", "list"), ["1", null]);
});

Deno.test("a string's encoding tells how it came about", () => {
  const s = testServer();
  const encodingAfter = (...words: (string | number)[]) => {
    s.run(...words);
    const database = s.keyspace.databases[0];
    return database.encodingOf(database.findOrExpire(new Uint8Array([107]), 0, 1));
  };
  assertEquals(encodingAfter("SET", "k", "12"), ENC_EMBSTR);
  assertEquals(encodingAfter("APPEND", "k", "3"), ENC_RAW);
  assertEquals(encodingAfter("INCR", "k"), ENC_EMBSTR);
  assertEquals(encodingAfter("SETRANGE", "k", 0, "9"), ENC_RAW);
  assertEquals(encodingAfter("APPEND", "k", "x".repeat(20000)), ENC_EXTERNAL);
  assertEquals(encodingAfter("SET", "k", "v"), ENC_EMBSTR);
  assertEquals(encodingAfter("GETDEL", "k"), 0);
  assertEquals(encodingAfter("APPEND", "k", "1"), ENC_EMBSTR);
});
