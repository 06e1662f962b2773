/** The command line that the tools beside redis-server have in common. */

import { assertEquals, assertThrows } from "@std/assert";
import { choose, readWords, type Vocabulary } from "../../bench/compare/options.ts";
import { reportName, UsageError } from "../../bench/compare/tool.ts";

const TOOL: Vocabulary<"quick" | "mixed", "only"> = {
  flags: ["quick", "mixed"],
  values: ["only"],
  rounds: 3,
};

function read(...line: string[]) {
  return readWords(line, TOOL)!;
}

Deno.test("without options a tool measures everything on Deno, in its own number of rounds, and keeps it", () => {
  const { common, words } = read();
  assertEquals([common.rounds, common.runtimes, common.write], [3, ["deno"], true]);
  assertEquals(common.reference.command, ["redis-server"]);
  assertEquals([words.mixed, words.only], [false, undefined]);
});

Deno.test("a run of a part, a quick one, or one beside another reference is not kept unless asked for", () => {
  for (const line of [["--quick"], ["--only=a"], ["--reference=valkey-server"]]) {
    assertEquals(read(...line).common.write, false);
    assertEquals(read(...line, "--write").common.write, true);
  }
  assertEquals(read("--no-write").common.write, false);
  assertEquals(read("--mixed", "--note=x", "--runtime=bun").common.write, true);
});

Deno.test("a quick run has one round, but as many as are asked for", () => {
  assertEquals(read("--quick").common.rounds, 1);
  assertEquals(read("--quick", "--rounds=2").common.rounds, 2);
});

Deno.test("both runtimes have their turns, and a command for the server leaves no choice of them", () => {
  assertEquals(read("--runtime", "both").common.runtimes, ["deno", "bun"]);
  const { common } = read("--server", "./tsredis --dir 'a b'");
  assertEquals(common.subject.command, ["./tsredis", "--dir", "a b"]);
  assertThrows(() => read("--runtime=bun", "--server=x"), UsageError, "exclude each other");
});

for (
  const [line, error] of [
    [["--runtime=node"], "--runtime: no node; there are deno, bun, both"],
    [["--runtime=toString"], "no toString"],
    [["--rounds=0"], "--rounds: 0 is not a positive number"],
    [["--round=1"], "unknown argument --round=1"],
    [["more"], "unknown argument more"],
    [["--server="], "--server and --reference need a command"],
  ] as const
) {
  Deno.test(`"${line}" is refused with a word about it`, () => {
    assertThrows(() => read(...line), UsageError, error);
  });
}

Deno.test("help is asked for with --help and with -h", () => {
  assertEquals([readWords(["--help"], TOOL), readWords(["-h"], TOOL)], [null, null]);
});

Deno.test("chosen items stand in their own order, and what there is not is named", () => {
  const letter = (item: string) => item;
  assertEquals(choose("only", "c,A", ["a", "b", "c"], letter), ["a", "c"]);
  assertThrows(() => choose("only", "d", ["a"], letter), UsageError, "--only: no d; there are a");
});

Deno.test("reports of Bun have a name of their own", () => {
  assertEquals(reportName("PUBSUB.md", "Bun 1.4.5"), "PUBSUB-bun.md");
  assertEquals(reportName("PUBSUB.md", "Deno 2"), "PUBSUB.md");
});
