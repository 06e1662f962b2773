import { assert, assertEquals } from "@std/assert";
import { wholeServer } from "../../support/whole_server.ts";

Deno.test("COMMAND, COMMAND INFO and COMMAND COUNT tell of the same commands", () => {
  const s = wholeServer();
  const all = s.run("COMMAND") as [string, number][];
  assertEquals(all.length, s.run("COMMAND", "COUNT"));
  assertEquals(s.run("COMMAND", "INFO"), all);
  assertEquals(all.find(([name]) => name === "get")![1], 2);
});

Deno.test("COMMAND INFO has null for what does not exist", () => {
  const s = wholeServer();
  const [missing, get] = s.run("COMMAND", "INFO", "nosuch", "GET") as [null, [string]];
  assertEquals(missing, null);
  assertEquals(get[0], "get");
});

Deno.test("COMMAND DOCS leaves out what does not exist", () => {
  const s = wholeServer();
  const docs = s.run("COMMAND", "DOCS", "nosuch", "config|get") as [string, string[]];
  assertEquals(docs.length, 2);
  assertEquals(docs[0], "config|get");
});

Deno.test("COMMAND LIST takes one filter", () => {
  const s = wholeServer();
  assertEquals(s.run("COMMAND", "LIST", "FILTERBY", "PATTERN", "config|s*"), ["config|set"]);
  assertEquals(s.run("COMMAND", "LIST", "FILTERBY", "MODULE", "x"), []);
  const members = s.run("COMMAND", "LIST", "FILTERBY", "ACLCAT", "transaction") as string[];
  assert(members.includes("multi") && !members.includes("get"));
});
for (const words of ["FILTERBY", "FILTERBY PATTERN", "X PATTERN a", "FILTERBY X a"]) {
  Deno.test(`COMMAND LIST ${words} is a syntax error`, () => {
    const s = wholeServer();
    assertEquals(s.run("COMMAND", "LIST", ...words.split(" ")), { error: "ERR syntax error" });
  });
}

Deno.test("COMMAND GETKEYS finds keys, GETKEYSANDFLAGS also what is done to them", () => {
  const s = wholeServer();
  assertEquals(s.run("COMMAND", "GETKEYS", "MSET", "a", 1, "b", 2), ["a", "b"]);
  assertEquals(s.run("COMMAND", "GETKEYSANDFLAGS", "GET", "a"), [["a", ["RO", "access"]]]);
  assertEquals(s.run("COMMAND", "GETKEYS", "PING", "x"), {
    error: "ERR The command has no key arguments",
  });
});

Deno.test("COMMAND GETKEYS takes a command without arguments, and says what is wrong with it", () => {
  const s = wholeServer();
  for (const name of ["GETKEYS", "GETKEYSANDFLAGS"]) {
    assertEquals(s.run("COMMAND", name), {
      error: `ERR wrong number of arguments for 'command|${name.toLowerCase()}' command`,
    });
    assertEquals(s.run("COMMAND", name, "GET"), {
      error: "ERR Invalid number of arguments specified for command",
    });
    assertEquals(s.run("COMMAND", name, "PING"), {
      error: "ERR The command has no key arguments",
    });
  }
});
