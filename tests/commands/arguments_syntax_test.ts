/** The notation of arguments: each of its forms, all that COMMAND DOCS needs, and what it refuses. */

import { assertEquals, assertThrows } from "@std/assert";
import { type Argument, parseArguments } from "../../src/commands/arguments_syntax.ts";
import { notationOf } from "../support/arguments_notation.ts";
import { allFacts } from "../support/command_facts.ts";

const forms: [notation: string, args: Argument[]][] = [
  ["", []],
  ["value", [{ name: "value", type: "string" }]],
  ["key", [{ name: "key", type: "key", key_spec_index: 0 }]],
  ["newkey:key#1", [{ name: "newkey", type: "key", key_spec_index: 1 }]],
  ["pattern", [{ name: "pattern", type: "pattern" }]],
  ["pattern#0", [{ name: "pattern", type: "pattern", key_spec_index: 0 }]],
  ["key:string", [{ name: "key", type: "string" }]],
  ["timestamp:unix-time", [{ name: "timestamp", type: "unix-time" }]],
  ["NX", [{ name: "nx", type: "pure-token", token: "NX" }]],
  ["LIB-NAME", [{ name: "lib-name", type: "pure-token", token: "LIB-NAME" }]],
  ["sorting:ALPHA", [{ name: "sorting", type: "pure-token", token: "ALPHA" }]],
  ['equal:"="', [{ name: "equal", type: "pure-token", token: "=" }]],
  ['nothing:""', [{ name: "nothing", type: "pure-token", token: "" }]],
  ["EX seconds:integer", [{ name: "seconds", type: "integer", token: "EX" }]],
  ['ADDR "ip:port"', [{ name: "ip:port", type: "string", token: "ADDR" }]],
  ["NO ONE", [
    { name: "no", type: "pure-token", token: "NO" },
    { name: "one", type: "pure-token", token: "ONE" },
  ]],
  ["[REV] key", [
    { name: "rev", type: "pure-token", token: "REV", flags: ["optional"] },
    { name: "key", type: "key", key_spec_index: 0 },
  ]],
  ["[member...]", [{ name: "member", type: "string", flags: ["optional", "multiple"] }]],
  ["[GET... pattern#1]", [{
    name: "pattern",
    type: "pattern",
    key_spec_index: 1,
    token: "GET",
    flags: ["optional", "multiple", "multiple_token"],
  }]],
  ["[KEYS key#1...@3.0.6]", [{
    name: "key",
    type: "key",
    key_spec_index: 1,
    token: "KEYS",
    since: "3.0.6",
    flags: ["optional", "multiple"],
  }]],
  ["GET@6.2.0", [{ name: "get", type: "pure-token", token: "GET", since: "6.2.0" }]],
  ["id@2.4.0-2.8.12", [
    { name: "id", type: "string", since: "2.4.0", deprecated_since: "2.8.12" },
  ]],
  ["id@-2.8.12", [{ name: "id", type: "string", deprecated_since: "2.8.12" }]],
  ["when:(NX | XX)@2.6.12", [{
    name: "when",
    type: "oneof",
    since: "2.6.12",
    arguments: [
      { name: "nx", type: "pure-token", token: "NX" },
      { name: "xx", type: "pure-token", token: "XX" },
    ],
  }]],
  ["\n  LIMIT range:(\n    offset:integer\n    count:integer\n  )...\n", [{
    name: "range",
    type: "block",
    token: "LIMIT",
    flags: ["multiple"],
    arguments: [{ name: "offset", type: "integer" }, { name: "count", type: "integer" }],
  }]],
];
for (const [notation, args] of forms) {
  Deno.test(`the notation ${JSON.stringify(notation)} means what COMMAND DOCS says`, () => {
    assertEquals(parseArguments(notation), args);
  });
}

Deno.test("the notation expresses the arguments of every command of a real server", () => {
  let compared = 0;
  for (const { name, arguments: args } of allFacts()) {
    if (args === undefined) continue;
    assertEquals(parseArguments(notationOf(args)), args, name);
    compared++;
  }
  assertEquals(compared, 276);
});

const malformed: [notation: string, message: string][] = [
  ["key)", "nothing to close here"],
  ["[key", "expected ]"],
  ["[]", "expected an argument"],
  ["[a b]", "expected ]"],
  ["a:(b", "expected )"],
  ["a:()", "expected an argument"],
  ["a:(b |)", "expected an argument"],
  ["a:(b c | d)", "more than one argument before |"],
  ["a | b", "nothing to close here"],
  ["a:number", "expected a type"],
  ["a:block", "expected a type"],
  ["EX mode:ALPHA", "EX stands before another token"],
  ["key#x", "expected white space"],
  ["key,value", "expected white space"],
  ["<key>", "expected an argument"],
];
for (const [notation, message] of malformed) {
  Deno.test(`the notation "${notation}" is refused: ${message}`, () => {
    assertThrows(() => parseArguments(notation), Error, message);
  });
}
