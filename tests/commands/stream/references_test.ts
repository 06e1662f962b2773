/** XDELEX, XACKDEL, and KEEPREF, DELREF and ACKED of XADD and XTRIM: as Redis 8.2 has them. */

import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";

/**
 * Entries 1-0 to 5-0; group g has been given 1 to 4 and has acknowledged 1, group h has been given 1 to 3 and has
 * acknowledged 1 and 2. So 1 is done with, 2 to 4 are pending or still to come, 5 is still to come.
 */
function withGroups(): TestServer {
  const s = testServer({ directives: { "stream-node-max-entries": 2 } });
  for (let i = 1; i <= 5; i++) s.run("XADD", "k", `${i}-0`, "f", `${i}`);
  for (const [group, count, ...acknowledged] of [["g", 4, "1-0"], ["h", 3, "1-0", "2-0"]]) {
    s.run("XGROUP", "CREATE", "k", group, "0");
    s.run("XREADGROUP", "GROUP", group, "c", "COUNT", count, "STREAMS", "k", ">");
    s.run("XACK", "k", group, ...acknowledged);
  }
  s.propagated();
  return s;
}

function idsOf(s: TestServer): string {
  return (s.run("XRANGE", "k", "-", "+") as [string, string[]][]).map(([id]) => id[0]).join("");
}

function pendingOf(s: TestServer, group: string): string {
  const rows = s.run("XPENDING", "k", group, "-", "+", "10") as [string][];
  return rows.map(([id]) => id[0]).join("");
}

/** Entries, and what is pending for g and for h. */
function stateOf(s: TestServer): string {
  return `${idsOf(s)} ${pendingOf(s, "g")} ${pendingOf(s, "h")}`;
}

const XDELEX: [string, number[], string, string[]][] = [
  ["IDS 3 1-0 2-0 9-0", [1, 1, -1], "345 234 3", ["XDEL k 1-0 2-0"]],
  ["KEEPREF IDS 1 3-0", [1], "1245 234 3", ["XDEL k 3-0"]],
  ["DELREF IDS 2 1-0 3-0", [1, 1], "245 24 ", [
    "MULTI",
    "XACK k g 3-0",
    "XACK k h 3-0",
    "XDEL k 1-0 3-0",
    "EXEC",
  ]],
  ["ACKED IDS 3 1-0 2-0 5-0", [1, 2, 2], "2345 234 3", ["XDEL k 1-0"]],
  ["IDS 1 1-0 acked", [1], "2345 234 3", ["XDEL k 1-0"]],
  ["acked IDS 1 9-0", [2], "12345 234 3", []],
  ["acked IDS 1 0-1", [-1], "12345 234 3", []],
  ["IDS 2 2-0 2-0", [1, -1], "1345 234 3", ["XDEL k 2-0"]],
];

for (const [words, reply, state, propagated] of XDELEX) {
  Deno.test(`XDELEX k ${words}`, () => {
    const s = withGroups();
    assertEquals(s.run("XDELEX", "k", ...words.split(" ")), reply);
    assertEquals(s.propagated(), propagated);
    assertEquals(stateOf(s), state);
  });
}

const XACKDEL: [string, number[], string, string[]][] = [
  ["g IDS 3 1-0 2-0 9-0", [-1, 1, -1], "1345 34 3", [
    "MULTI",
    "XACK k g 2-0",
    "XDEL k 2-0",
    "EXEC",
  ]],
  ["g KEEPREF IDS 1 3-0", [1], "1245 24 3", ["MULTI", "XACK k g 3-0", "XDEL k 3-0", "EXEC"]],
  ["g DELREF IDS 1 3-0", [1], "1245 24 ", [
    "MULTI",
    "XACK k g 3-0",
    "XACK k h 3-0",
    "XDEL k 3-0",
    "EXEC",
  ]],
  ["g ACKED IDS 2 2-0 3-0", [1, 2], "1345 4 3", [
    "MULTI",
    "XACK k g 2-0 3-0",
    "XDEL k 2-0",
    "EXEC",
  ]],
  ["none IDS 2 2-0 3-0", [-1, -1], "12345 234 3", []],
];

for (const [words, reply, state, propagated] of XACKDEL) {
  Deno.test(`XACKDEL k ${words}`, () => {
    const s = withGroups();
    assertEquals(s.run("XACKDEL", "k", ...words.split(" ")), reply);
    assertEquals(s.propagated(), propagated);
    assertEquals(stateOf(s), state);
  });
}

Deno.test("XACKDEL counts a pending entry that was deleted before as done", () => {
  const s = withGroups();
  s.run("XDEL", "k", "3-0");
  s.propagated();
  assertEquals(s.run("XACKDEL", "k", "g", "IDS", "1", "3-0"), [1]);
  assertEquals(s.propagated(), ["XACK k g 3-0"]);
});

Deno.test("XDELEX DELREF removes references also to an entry that was deleted before", () => {
  const s = withGroups();
  s.run("XDEL", "k", "3-0");
  s.propagated();
  assertEquals(s.run("XDELEX", "k", "DELREF", "IDS", "1", "3-0"), [-1]);
  assertEquals(stateOf(s), "1245 24 ");
  assertEquals(s.propagated(), ["MULTI", "XACK k g 3-0", "XACK k h 3-0", "EXEC"]);
});

Deno.test("XDELEX and XACKDEL of a missing key know none of the ids", () => {
  const s = testServer();
  assertEquals(s.run("XDELEX", "none", "IDS", "2", "1-0", "x"), [-1, -1]);
  assertEquals(s.run("XACKDEL", "none", "g", "IDS", "2", "1-0", "x"), [-1, -1]);
});

const REFUSALS: [string, string][] = [
  ["KEEPREF DELREF IDS 1 1-0", "ERR syntax error"],
  ["KEEPREF KEEPREF IDS 1 1-0", "ERR syntax error"],
  ["IDS 1 1-0 2-0", "ERR syntax error"],
  ["NOSUCH IDS 1 1-0", "ERR syntax error"],
  ["KEEPREF ACKED x", "ERR syntax error"],
  ["IDS 0 1-0 2-0", "ERR Number of IDs must be a positive integer"],
  ["IDS x 1-0 2-0", "ERR Number of IDs must be a positive integer"],
  ["IDS -1 1-0 2-0", "ERR Number of IDs must be a positive integer"],
  ["IDS 3 1-0 2-0", "ERR The `numids` parameter must match the number of arguments"],
  ["IDS 2 1-0 x", "ERR Invalid stream ID specified as stream command argument"],
];

for (const [words, error] of REFUSALS) {
  for (const command of ["XDELEX k", "XACKDEL k g"]) {
    Deno.test(`${command} ${words} is refused and changes nothing`, () => {
      const s = withGroups();
      assertEquals(s.run(...command.split(" "), ...words.split(" ")), { error });
      assertEquals(stateOf(s), "12345 234 3");
      assertEquals(s.propagated(), []);
    });
  }
}

Deno.test("XDELEX and XACKDEL refuse a string, and no ids at all", () => {
  const s = withGroups();
  s.run("SET", "string", "v");
  const wrongType = { error: "WRONGTYPE Operation against a key holding the wrong kind of value" };
  assertEquals(s.run("XDELEX", "string", "IDS", "1", "1-0"), wrongType);
  assertEquals(s.run("XACKDEL", "string", "g", "IDS", "1", "1-0"), wrongType);
  assertEquals(s.run("XACKDEL", "k", "g", "DELREF", "IDS", "1"), {
    error: "ERR The `numids` parameter must match the number of arguments",
  });
});

// XTRIM: nodes hold two entries, 12 | 34 | 5.
const XTRIM: [string, number, string, string[]][] = [
  ["MAXLEN 2", 3, "45 234 3", ["XTRIM k MAXLEN 2"]],
  ["MAXLEN 2 KEEPREF", 3, "45 234 3", ["XTRIM k MAXLEN 2"]],
  ["MAXLEN 2 DELREF", 3, "45 4 ", [
    "MULTI",
    "XTRIM k MAXLEN 2",
    "XACK k g 2-0 3-0",
    "XACK k h 3-0",
    "EXEC",
  ]],
  ["MAXLEN 2 ACKED", 1, "2345 234 3", ["XDEL k 1-0"]],
  ["delref MINID 3", 2, "345 34 3", ["MULTI", "XTRIM k MINID 3", "XACK k g 2-0", "EXEC"]],
  ["MINID = 4 acked", 1, "2345 234 3", ["XDEL k 1-0"]],
  ["MAXLEN ~ 3 DELREF", 2, "345 34 3", [
    "MULTI",
    "XTRIM k MAXLEN = 3",
    "XACK k g 2-0",
    "EXEC",
  ]],
  ["MAXLEN ~ 4 DELREF", 0, "12345 234 3", []],
  ["MAXLEN ~ 1 ACKED LIMIT 2", 1, "2345 234 3", ["XDEL k 1-0"]],
  ["MAXLEN ~ 0 ACKED LIMIT 1", 0, "12345 234 3", []],
];

for (const [words, removed, state, propagated] of XTRIM) {
  Deno.test(`XTRIM k ${words}`, () => {
    const s = withGroups();
    assertEquals(s.run("XTRIM", "k", ...words.split(" ")), removed);
    assertEquals(s.propagated(), propagated);
    assertEquals(stateOf(s), state);
  });
}

Deno.test("XTRIM ACKED removes what all groups are done with, past what they are not", () => {
  const s = withGroups();
  for (const group of ["g", "h"]) s.run("XACK", "k", group, "3-0");
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "0", "ACKED"), 2);
  assertEquals(stateOf(s), "245 24 ");
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "0", "ACKED"), 0);
});

Deno.test("XTRIM ACKED of a stream without groups removes as XTRIM does", () => {
  const s = testServer();
  for (let i = 1; i <= 5; i++) s.run("XADD", "k", `${i}-0`, "f", `${i}`);
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "2", "ACKED"), 3);
  assertEquals(idsOf(s), "45");
});

const XADD: [string, string, string[]][] = [
  ["MAXLEN 3 6-0", "456 234 3", ["XADD k MAXLEN 3 6-0 f v"]],
  ["KEEPREF MAXLEN 3 6-0", "456 234 3", ["XADD k MAXLEN 3 6-0 f v"]],
  ["DELREF MAXLEN 3 6-0", "456 4 ", [
    "MULTI",
    "XADD k MAXLEN 3 6-0 f v",
    "XACK k g 2-0 3-0",
    "XACK k h 3-0",
    "EXEC",
  ]],
  ["NOMKSTREAM MAXLEN 3 ACKED 6-0", "23456 234 3", [
    "MULTI",
    "XADD k NOMKSTREAM 6-0 f v",
    "XDEL k 1-0",
    "EXEC",
  ]],
  ["acked 6-0", "123456 234 3", ["XADD k 6-0 f v"]],
];

for (const [words, state, propagated] of XADD) {
  Deno.test(`XADD k ${words} f v`, () => {
    const s = withGroups();
    assertEquals(s.run("XADD", "k", ...words.split(" "), "f", "v"), "6-0");
    assertEquals(s.propagated(), propagated);
    assertEquals(stateOf(s), state);
  });
}

Deno.test("XADD with two policies takes the second for an id", () => {
  const s = withGroups();
  assertEquals(s.run("XADD", "k", "DELREF", "ACKED", "6-0", "f", "v"), {
    error: "ERR Invalid stream ID specified as stream command argument",
  });
  assertEquals(s.run("XTRIM", "k", "MAXLEN", "1", "DELREF", "ACKED"), {
    error: "ERR syntax error",
  });
});
