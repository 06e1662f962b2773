/**
 * The replies of COMMAND and its subcommands. The expected keys and errors of GETKEYS are recorded
 * answers of redis 7.0.15; that the entries of COMMAND INFO and COMMAND DOCS are the real server's is
 * the subject of command_table_test.ts.
 */

import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import {
  type CommandFilter,
  findByFullName,
  writeCommandCount,
  writeCommandDocs,
  writeCommandInfo,
  writeCommandList,
  writeCommands,
  writeGetKeys,
} from "../../src/commands/command_docs.ts";
import { type Reply, replyOf } from "../support/reply_tree.ts";
import { Words } from "../../src/resp/words.ts";
import { sampleCommands } from "../support/sample_commands.ts";

const byName = new Map(sampleCommands.map((command) => [command.fullName, command]));

const all = sampleCommands.flatMap((each) => [each, ...each.subcommands?.values() ?? []]);

const info = (...names: string[]) =>
  replyOf((sink) => writeCommandInfo(sink, byName, names.map(latin1))) as Reply[];
const docs = (...names: string[]) =>
  replyOf((sink) => writeCommandDocs(sink, byName, names.map(latin1)));
const list = (filter: CommandFilter | null) =>
  replyOf((sink) => writeCommandList(sink, all, filter)) as string[];
const getKeys = (line: string, withFlags: boolean) => {
  const words = Words.of(...line.split(" ").map((word) => word === "''" ? "" : word));
  return replyOf((sink) => writeGetKeys(sink, byName, words, withFlags));
};

Deno.test("a command is found by its full name in any case", () => {
  assertEquals(findByFullName(byName, "GET")?.fullName, "get");
  assertEquals(findByFullName(byName, "Object|ENCODING")?.fullName, "object|encoding");
  for (const name of ["", "nosuch", "encoding", "object|nosuch", "get|x", "object|", "|get"]) {
    assertEquals(findByFullName(byName, name), undefined, name);
  }
});

Deno.test("COMMAND INFO has ten elements, flags and categories in the order of a real server", () => {
  assertEquals(info("sort"), [[
    "sort",
    -2,
    ["write", "denyoom", "movablekeys"],
    1,
    1,
    1,
    ["@write", "@set", "@sortedset", "@list", "@slow", "@dangerous"],
    [],
    [
      {
        flags: ["RO", "access"],
        begin_search: { type: "index", spec: { index: 1 } },
        find_keys: { type: "range", spec: { lastkey: 0, keystep: 1, limit: 0 } },
      },
      {
        notes: "`BY` and `GET` make names of keys from the elements.",
        flags: ["RO", "access"],
        begin_search: { type: "unknown", spec: {} },
        find_keys: { type: "unknown", spec: {} },
      },
      {
        notes: "`STORE` may stand anywhere among the options.",
        flags: ["OW", "update"],
        begin_search: { type: "unknown", spec: {} },
        find_keys: { type: "unknown", spec: {} },
      },
    ],
    [],
  ]]);
});

Deno.test("COMMAND INFO answers null for an unknown name and keeps the order asked for", () => {
  const entries = info("set", "nosuch", "object|freq", "GET") as (Reply[] | null)[];
  assertEquals(entries.map((entry) => entry?.[0]), ["set", undefined, "object|freq", "get"]);
  assertEquals(entries[1], null);
});

Deno.test("COMMAND has every command, with its subcommands inside", () => {
  const entries = replyOf((sink) => writeCommands(sink, byName)) as Reply[][];
  assertEquals(entries.map(([name]) => name), sampleCommands.map(({ fullName }) => fullName));
  const object = entries.find(([name]) => name === "object")!;
  assertEquals((object[9] as Reply[][]).map(([name]) => name), [
    "object|encoding",
    "object|freq",
    "object|help",
    "object|idletime",
    "object|refcount",
  ]);
});

Deno.test("COMMAND DOCS leaves unknown names out and fields that do not apply", () => {
  assertEquals(docs("get", "nosuch"), {
    get: {
      summary: "A command as an example",
      since: "1.0.0",
      group: "string",
      complexity: "O(1)",
      arguments: [{ name: "key", type: "key", key_spec_index: 0 }],
    },
  });
});

Deno.test("COMMAND DOCS tells what later versions added", () => {
  const { set } = docs("set") as Record<string, Record<string, Reply>>;
  assertEquals((set.history as Reply[])[1], ["6.0.0", "`KEEPTTL`"]);
});

Deno.test("COMMAND DOCS tells of deprecation, of internal commands and of subcommands", () => {
  const found = docs("getset", "replconf", "config") as Record<string, Record<string, Reply>>;
  assertEquals(found.getset.doc_flags, ["deprecated"]);
  assertEquals(found.getset.deprecated_since, "6.2.0");
  assertEquals(found.getset.replaced_by, "`SET` (`GET`)");
  assertEquals(found.replconf.doc_flags, ["syscmd"]);
  assertEquals("complexity" in found.config, false);
  assertEquals(Object.keys(found.config.subcommands as object), [
    "config|get",
    "config|help",
    "config|resetstat",
    "config|rewrite",
    "config|set",
  ]);
});

Deno.test("COMMAND DOCS without names has all commands", () => {
  assertEquals(Object.keys(docs() as object), sampleCommands.map(({ fullName }) => fullName));
});

Deno.test("COMMAND COUNT does not count subcommands", () => {
  assertEquals(
    replyOf((sink) => writeCommandCount(sink, byName)),
    sampleCommands.length,
  );
});

Deno.test("COMMAND LIST has subcommands behind their container", () => {
  const names = list(null);
  assertEquals(names.length, sampleCommands.length + 10);
  assertEquals(names.slice(names.indexOf("config")), [
    "config",
    "config|get",
    "config|help",
    "config|resetstat",
    "config|rewrite",
    "config|set",
    "replconf",
    "waitaof",
  ]);
});

const filters: [by: CommandFilter["by"], value: string, names: string[]][] = [
  ["pattern", "get*", ["get", "getset"]],
  ["pattern", "CONFIG|*GET", ["config|get"]],
  ["pattern", "nosuch", []],
  ["aclcat", "hyperloglog", ["pfcount"]],
  ["aclcat", "SortedSet", ["sort", "zunionstore"]],
  ["aclcat", "@list", []],
  ["aclcat", "nosuch", []],
  ["module", "*", []],
];
for (const [by, value, names] of filters) {
  Deno.test(`COMMAND LIST FILTERBY ${by} ${value} lists ${names.join(" ") || "nothing"}`, () => {
    assertEquals(list({ by, value: latin1(value) }), names);
  });
}

const withFlags: [call: string, keys: [key: string, flags: string][]][] = [
  ["set a b", [["a", "OW update"]]],
  ["set a b get", [["a", "RW access update"]]],
  ["set a get", [["a", "OW update"]]],
  ["SET a b Get", [["a", "RW access update"]]],
  ["bitfield a get u8 0", [["a", "RO access"]]],
  ["bitfield a overflow wrap get u8 0", [["a", "RO access"]]],
  ["bitfield a overflow", [["a", "RW access update"]]],
  ["bitfield a get", [["a", "RW access update"]]],
  ["bitfield a set u8 0 1", [["a", "RW access update"]]],
  ["sort l", [["l", "RO access"]]],
  ["sort l by x store dst", [["l", "RO access"], ["dst", "OW update"]]],
  ["sort l store d1 store d2", [["l", "RO access"], ["d2", "OW update"]]],
  ["sort l store STORE x", [["l", "RO access"], ["x", "OW update"]]],
  ["sort l limit store d", [["l", "RO access"]]],
  ["sort l get store store d", [["l", "RO access"], ["d", "OW update"]]],
  ["sort l store", [["l", "RO access"]]],
  ["georadius k 1 2 3 m storedist x store y", [
    ["k", "RO access"],
    ["y", "OW update"],
    ["x", "OW update"],
  ]],
  ["georadius k 1 2 3 m store", [["k", "RO access"]]],
  ["migrate h 1 k 0 1", [["k", "RW access delete"]]],
  ["migrate h 1 '' 0 1 auth keys keys a b", [["a", "RW access delete"], ["b", "RW access delete"]]],
  ["migrate h x k 0 1 keys", [["k", "RW access delete"]]],
  ["migrate h keys k 0 1 copy", [["k", "RW access delete"]]],
  ["pfcount a b", [["a", "RW access"], ["b", "RW access"]]],
  ["object freq k", [["k", "RO"]]],
];
for (const [call, keys] of withFlags) {
  Deno.test(`COMMAND GETKEYSANDFLAGS ${call}`, () => {
    assertEquals(getKeys(call, true), keys.map(([key, flags]) => [key, flags.split(" ")]));
  });
}

const keysOnly: [call: string, keys: string[]][] = [
  ["mset a b c d e", ["a", "c", "e"]],
  ["blpop a b 0", ["a", "b"]],
  ["xread count 2 streams a b 0 0", ["a", "b"]],
  ["xread streams a b 0", ["a"]],
  ["xread streams streams a 1 2", ["streams", "a"]],
  ["zunionstore d 2 a b weights 1 2", ["d", "a", "b"]],
  ["eval s 2 a b c", ["a", "b"]],
  ["eval s 0", []],
  ["eval s 5 a b", []],
  ["eval s -1 a", []],
  ["eval s no a", []],
];
for (const [call, keys] of keysOnly) {
  Deno.test(`COMMAND GETKEYS ${call}`, () => assertEquals(getKeys(call, false), keys));
}

const refused: [call: string, error: string][] = [
  ["nosuch a", "ERR Invalid command specified"],
  ["object nosuch a", "ERR Invalid command specified"],
  ["config|get a", "ERR Invalid command specified"],
  ["ping x", "ERR The command has no key arguments"],
  ["config get x", "ERR The command has no key arguments"],
  ["spublish a b", "ERR The command has no key arguments"],
  ["set a", "ERR Invalid number of arguments specified for command"],
  ["get a b", "ERR Invalid number of arguments specified for command"],
  ["zunionstore d 0", "ERR Invalid number of arguments specified for command"],
  ["zunionstore d 5 a b", "ERR Invalid arguments specified for command"],
  ["zunionstore d x a", "ERR Invalid arguments specified for command"],
  ["zunionstore d 2 a", "ERR Invalid arguments specified for command"],
  ["xread count 2 a b", "ERR Invalid arguments specified for command"],
  ["xread block 0 streams", "ERR Invalid arguments specified for command"],
  ["migrate h keys k 0 auth p keys", "ERR Invalid arguments specified for command"],
  ["migrate h 1 x 0 1 keys a b", "ERR Invalid arguments specified for command"],
];
for (const [call, error] of refused) {
  Deno.test(`COMMAND GETKEYS ${call} is refused`, () => {
    assertEquals(getKeys(call, false), { error });
    assertEquals(getKeys(call, true), { error });
  });
}
