/** Every definition of the command table, compared with a real server's answers. */

import { assert, assertEquals } from "@std/assert";
import { Command, defineCommand } from "../../src/dispatch/command.ts";
import { commandTable as table } from "../../src/commands/index.ts";
import { keysToEnd, noted } from "../../src/dispatch/key_specs.ts";
import { compareCommand } from "../support/compare_command.ts";
import { sampleCommands } from "../support/sample_commands.ts";

for (const command of sampleCommands) {
  Deno.test(`the sample of ${command.fullName} equals the real server's`, () => {
    assertEquals(compareCommand(command), []);
  });
}

Deno.test("the command table has commands, each once", () => {
  const names = table.map(({ name }) => name);
  assert(names.length > 0);
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
});

for (const definition of table) {
  Deno.test(`the definition of ${definition.name} equals the real server's`, () => {
    assertEquals(compareCommand(new Command(definition)), []);
  });
}

Deno.test("a definition with mistakes differs in each of them", () => {
  const { definition } = sampleCommands.find(({ fullName }) => fullName === "get")!;
  const mistaken = defineCommand({
    ...definition,
    group: "hash",
    since: "1.0.1",
    summary: "Get the value of a key",
    arity: -2,
    flags: ["write"],
    tips: ["nondeterministic_output"],
    keys: [noted("Something.", keysToEnd("RO access"))],
    args: "key...",
    history: [["9.9.9", ""]],
    deprecated: { since: "2.0.0", use: "`MGET`" },
    subcommands: [defineCommand({ ...definition, name: "get|nosuch" })],
  });
  const aspects = compareCommand(new Command(mistaken)).map((line) =>
    line.replace(/^get: |( \[| "| -?\d).*/g, "")
  );
  assertEquals(aspects, [
    "summary is not in our own words",
    "arity",
    "flags",
    "key range",
    "categories",
    "tips",
    "key specifications",
    "notes on keys",
    "history",
    "history is not in our own words",
    "since",
    "group",
    "doc flags",
    "deprecated since",
    "replaced by",
    "arguments",
    "ACL CAT",
    "is a container true, not false",
    "get|nosuch: the real server has no such command",
  ]);
});
