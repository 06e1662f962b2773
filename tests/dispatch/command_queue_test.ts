import { assert, assertEquals } from "@std/assert";
import type { Command } from "../../src/dispatch/command.ts";
import { CommandQueue } from "../../src/dispatch/command_queue.ts";
import { Words } from "../../src/resp/words.ts";
import { testServer } from "../support/test_server.ts";

const { byName } = testServer().dispatcher;
const command = (name: string) => byName.get(name)!;

/** Takes all out: the name of each command, and its words as text. */
function drained(queue: CommandQueue): [string, string[]][] {
  const all: [string, string[]][] = [];
  queue.drain(({ fullName }, words) => {
    const texts = Array.from({ length: words.count }, (_, i) => words.text(i));
    all.push([fullName, texts]);
    return true;
  });
  return all;
}

Deno.test("CommandQueue gives back what was added, in order, whatever the lengths of words", () => {
  const queue = new CommandQueue();
  const expected: [string, string[]][] = [];
  const add = (name: string, ...texts: string[]) => {
    queue.add(command(name), Words.of(...texts));
    expected.push([name, texts]);
  };
  for (const length of [0, 1, 47, 48, 127, 128, 129, 255, 256, 16_383, 16_384, 300_000]) {
    add("echo", "ECHO", "x".repeat(length));
    add("ping", "ping");
    add("mset", "mset", ...Array.from({ length: length % 1000 + 1 }, (_, i) => `word:${i}\0\xff`));
  }
  assertEquals(queue.count, expected.length);
  assertEquals(drained(queue), expected);
});

Deno.test("CommandQueue keeps words apart from the buffer that they came in", () => {
  const queue = new CommandQueue();
  const words = Words.of("ECHO", "before");
  queue.add(command("echo"), words);
  words.bytes.fill(0);
  assertEquals(drained(queue), [["echo", ["ECHO", "before"]]]);
});

Deno.test("CommandQueue hands out words that a command may redact", () => {
  const queue = new CommandQueue();
  for (const word of ["a", "b"]) queue.add(command("echo"), Words.of("echo", word));
  const seen: string[] = [];
  queue.drain((_command, words) => {
    seen.push(words.text(1));
    words.redact(1, 2);
    seen.push(words.text(1));
    return true;
  });
  assertEquals(seen, ["a", "(redacted)", "b", "(redacted)"]);
});

Deno.test("CommandQueue knows which flags some and which all of its commands have", () => {
  const queue = new CommandQueue();
  const names = ["set", "get", "ping"];
  for (const name of names) queue.add(command(name), Words.of(name));
  const flags = names.map((name) => command(name).flagBits);
  assertEquals(queue.anyFlags, flags.reduce((a, b) => a | b));
  assertEquals(queue.everyFlags, flags.reduce((a, b) => a & b));
});

const COSTS: [title: string, make: (i: number) => [Command, Words], count: number][] = [
  ["short commands", () => [command("ping"), Words.of("PING")], 100_000],
  ["SETs", (i) => [command("set"), Words.of("SET", `key:${i}`, "0123456789abcdef")], 50_000],
  ["large words", () => [command("echo"), Words.of("ECHO", "x".repeat(70_000))], 50],
];

for (const [title, make, count] of COSTS) {
  Deno.test(`CommandQueue takes little more than the bytes of ${title}, and says so`, () => {
    const queue = new CommandQueue();
    let wordBytes = 0;
    let words = 0;
    for (let i = 0; i < count; i++) {
      const [each, request] = make(i);
      queue.add(each, request);
      wordBytes += request.bytes.length;
      words += request.count;
    }
    assertEquals(queue.wordBytes, wordBytes);
    assert(queue.memoryBytes >= wordBytes + words + 2 * count, String(queue.memoryBytes));
    assert(
      queue.memoryBytes < 1.3 * (wordBytes + 3 * words + 2 * count),
      String(queue.memoryBytes),
    );
  });
}

Deno.test("CommandQueue takes little when little is in it", () => {
  const queue = new CommandQueue();
  queue.add(command("ping"), Words.of("PING"));
  assert(queue.memoryBytes < 1000);
});

Deno.test("CommandQueue goes on where it has paused, over all of its pieces", () => {
  const queue = new CommandQueue();
  const words = Array.from({ length: 50 }, (_, i) => `${i}${"x".repeat(i * 30)}`);
  for (const word of words) queue.add(command("get"), Words.of("get", word));
  const seen: string[] = [];
  let rounds = 1;
  while (
    !queue.drain((_command, request) => {
      seen.push(request.text(1));
      return seen.length % 7 !== 0;
    })
  ) rounds++;
  assertEquals(seen, words);
  assertEquals(rounds, 8);
});
