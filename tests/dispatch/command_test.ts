/** Definitions: what follows from what is written, and what contradicts itself. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Command,
  type CommandDefinition,
  defineCommand,
  FLAG_DENYOOM,
  FLAG_MAY_REPLICATE,
  FLAG_MOVABLEKEYS,
  FLAG_READONLY,
  FLAG_WRITE,
} from "../../src/dispatch/command.ts";
import {
  countedKeys,
  keyAfter,
  keyRange,
  KeySpec,
  keysToEnd,
  oneKey,
  unknownKeys,
} from "../../src/dispatch/key_specs.ts";

const run = () => {};
const plain: CommandDefinition = {
  name: "plain",
  group: "string",
  since: "1.0.0",
  summary: "Does nothing",
  complexity: "O(1)",
  arity: 1,
  run,
};

Deno.test("a command has its name as bytes, its arity, flags and handler as plain fields", () => {
  const command = new Command({ ...plain, arity: -3, flags: ["write", "denyoom"] });
  assertEquals(command.nameBytes, new TextEncoder().encode("plain"));
  assertEquals(command.fullName, "plain");
  assertEquals(command.arity, -3);
  assertEquals(command.flagBits, FLAG_WRITE | FLAG_DENYOOM);
  assertStrictEquals(command.run, run);
  assertEquals(command.subcommands, null);
});

Deno.test("a flag that Redis keeps to itself has a bit but no name in COMMAND", () => {
  const command = new Command({ ...plain, flags: ["may_replicate", "readonly"] });
  assertEquals(command.flagBits, FLAG_READONLY | FLAG_MAY_REPLICATE);
  assertEquals(command.flagNames(), ["readonly"]);
});

const categories: [Partial<CommandDefinition>, string[]][] = [
  [{}, ["string", "slow"]],
  [{ flags: ["write", "fast"] }, ["write", "string", "fast"]],
  [{ flags: ["readonly"], group: "sorted-set" }, ["read", "sortedset", "slow"]],
  [{ flags: ["readonly"], group: "scripting" }, ["slow", "scripting"]],
  [{ flags: ["admin"], group: "server" }, ["admin", "slow", "dangerous"]],
  [{ flags: ["pubsub"], group: "pubsub" }, ["pubsub", "slow"]],
  [{ flags: ["blocking", "write"], group: "list" }, ["write", "list", "slow", "blocking"]],
  [{ acl: ["connection"], group: "generic" }, ["slow", "connection"]],
  [{ acl: [], group: "generic" }, ["slow"]],
  [{ subcommands: [], group: "stream" }, ["slow"]],
];
for (const [part, expected] of categories) {
  Deno.test(`${JSON.stringify(part)} means the categories ${expected}`, () => {
    assertEquals(
      new Command({ ...plain, ...part }).categoryNames().toSorted(),
      expected.toSorted(),
    );
  });
}

const ranges: [name: string, keys: KeySpec[], range: number[], isMovable: boolean][] = [
  ["no keys", [], [0, 0, 0], false],
  ["one key", [oneKey("RO")], [1, 1, 1], false],
  ["a key at word 2", [oneKey("RO", 2)], [2, 2, 1], false],
  ["keys to the end", [keysToEnd("RO")], [1, -1, 1], false],
  ["every second word", [keysToEnd("OW update", 1, 2)], [1, -1, 2], false],
  ["keys but the last word", [keyRange("RO", 1, -2)], [1, -2, 1], false],
  ["two keys in a row", [oneKey("RO"), oneKey("OW", 2)], [1, 2, 1], false],
  ["a key and keys behind it", [oneKey("OW"), keysToEnd("RO", 2)], [1, -1, 1], false],
  ["two keys apart", [oneKey("RO"), oneKey("OW", 3)], [1, 1, 1], false],
  ["a counted list", [countedKeys("RO")], [0, 0, 0], true],
  ["a key and a counted list", [oneKey("OW"), countedKeys("RO", 2)], [1, 1, 1], true],
  ["a key and a keyword", [oneKey("RO"), keyAfter("STORE", 2, "OW")], [1, 1, 1], true],
  ["unknown keys", [unknownKeys("RO")], [0, 0, 0], true],
];
for (const [name, keys, range, isMovable] of ranges) {
  Deno.test(`first, last and step of ${name} are ${range}`, () => {
    const command = new Command({ ...plain, keys });
    assertEquals([command.firstKey, command.lastKey, command.keyStep], range);
    assertEquals((command.flagBits & FLAG_MOVABLEKEYS) !== 0, isMovable);
  });
}

Deno.test("a container finds its subcommands by their own lower-case names", () => {
  const get = defineCommand({ ...plain, name: "config|get" });
  const config = new Command({ ...plain, name: "config", subcommands: [get], run: undefined });
  const found = config.subcommands?.get("get");
  assertEquals(found?.nameBytes, new TextEncoder().encode("get"));
  assertStrictEquals(found?.definition, get);
  assertEquals(config.subcommands?.get("config|get"), undefined);
});

Deno.test("resetting a container's statistics resets its subcommands' too", () => {
  const config = new Command({
    ...plain,
    name: "config",
    subcommands: [defineCommand({ ...plain, name: "config|get" })],
  });
  const get = config.subcommands!.get("get")!;
  for (const command of [config, get]) {
    command.calls = 3;
    command.usec = 1.5;
    command.rejectedCalls = 1;
    command.failedCalls = 2;
    command.latencyCounts = new Float64Array(4);
  }
  config.resetStatistics();
  for (const { calls, usec, rejectedCalls, failedCalls, latencyCounts } of [config, get]) {
    assertEquals([calls, usec, rejectedCalls, failedCalls, latencyCounts], [0, 0, 0, 0, null]);
  }
});

Deno.test("what one command counts does not show in another of the same definition", () => {
  const subcommands = [defineCommand({ ...plain, name: "config|get" })];
  const definition = defineCommand({ ...plain, name: "config", subcommands });
  const [one, other] = [new Command(definition), new Command(definition)];
  one.calls++;
  one.subcommands!.get("get")!.calls++;
  assertEquals([other.calls, other.subcommands!.get("get")!.calls], [0, 0]);
});

Deno.test("a definition does not change", () => {
  const definition = defineCommand({ ...plain });
  assertThrows(() => Object.assign(definition, { arity: 7 }), TypeError);
});

const refused: [why: string, part: Partial<CommandDefinition>, message: string][] = [
  ["without a handler", { run: undefined }, "neither a handler nor subcommands"],
  ["with upper-case letters", { name: "Plain" }, "upper-case"],
  ["with arity 0", { arity: 0 }, "arity 0"],
  ["with a foreign subcommand", {
    subcommands: [defineCommand({ ...plain, name: "config|get" })],
  }, "config|get is not named after it"],
];
for (const [why, part, message] of refused) {
  Deno.test(`a command ${why} cannot be defined`, () => {
    assertThrows(() => defineCommand({ ...plain, ...part }), Error, message);
  });
}

Deno.test("a key specification refuses a flag that does not exist", () => {
  assertThrows(() => oneKey("RW  update"), Error, 'no key flag is called ""');
  assertThrows(() => oneKey("rw"), Error, 'no key flag is called "rw"');
});
