/** The words of a tool: which is meant, options, help, mistakes. */

import { assertEquals, assertMatch } from "@std/assert";
import { parseArguments } from "../../src/config/arguments.ts";
import { runtime } from "../../src/runtime/here.ts";
import { runTool, toolOf } from "../../src/tools/command_line.ts";
import { tools } from "../../src/tools/index.ts";
import { EXIT_WELL, type Tool, type ToolCall, ToolHost } from "../../src/tools/tool.ts";
import { runToolWith } from "../support/tool_runs.ts";

Deno.test("a tool is meant only where the first word is its name", () => {
  for (const tool of tools) {
    assertEquals(toolOf([tool.name], tools), tool);
    assertEquals(toolOf([`./${tool.name}`], tools), null);
    assertEquals(toolOf(["--port", tool.name], tools), null);
    assertEquals(toolOf([tool.name.toUpperCase()], tools), null);
  }
  assertEquals(toolOf([], tools), null);
  const action = parseArguments(["./check", "--port", "1"], runtime);
  if (action.kind !== "start") throw new Error("no start");
  assertMatch(action.start.file!, /\/check$/);
});

Deno.test("help lists every tool, and has a page for each", async () => {
  const { exitCode, output, remarks } = await runToolWith(["help"]);
  assertEquals([exitCode, remarks], [EXIT_WELL, ""]);
  for (const { name, summary } of tools) {
    assertMatch(output, new RegExp(`^ +tsredis ${name} +${summary}$`, "m"));
    const page = await runToolWith(["help", name]);
    assertEquals(page, await runToolWith([name, "--help"]));
    assertEquals(page.exitCode, EXIT_WELL);
    assertMatch(page.output, new RegExp(`^Usage: tsredis ${name} `));
    assertEquals(page.output.split("\n").filter((line) => line.length > 80), []);
  }
});

Deno.test("help refuses a tool that there is not", async () => {
  const { exitCode, output, remarks } = await runToolWith(["help", "chekc"]);
  assertEquals([exitCode, output], [2, ""]);
  assertMatch(remarks, /there is no tool 'chekc'/);
});

/** What a tool with an option of each kind is called with, or what it says instead. */
async function called(...words: string[]): Promise<unknown> {
  let call: ToolCall | null = null;
  const tool: Tool = {
    ...tools[0],
    name: "try",
    operands: "FILE",
    operandsMin: 1,
    operandsMax: 2,
    options: [{ name: "salvage", value: "OUT", help: "" }, { name: "json", help: "" }],
    run: (given) => {
      call = given;
      return Promise.resolve(EXIT_WELL);
    },
  };
  let remarks = "";
  const process = Object.create(runtime.process, {
    isErrorTerminal: { value: () => false },
    writeStandardOutput: { value: () => {} },
    writeStandardError: {
      value: (bytes: Uint8Array) => remarks += new TextDecoder().decode(bytes),
    },
  });
  const exitCode = await runTool(
    tool,
    words,
    new ToolHost({ ...runtime, process }, () => {
      throw new Error("no dataset is asked for");
    }),
  );
  const { operands, option, has } = (call ?? {}) as ToolCall;
  return call === null
    ? [exitCode, remarks.split("\n")[0]]
    : [operands, option("salvage"), has("json")];
}

const CALLS: [words: string[], expected: unknown][] = [
  [["a"], [["a"], null, false]],
  [["a", "b", "--json"], [["a", "b"], null, true]],
  [["--salvage", "o", "a"], [["a"], "o", false]],
  [["--salvage=o=1", "a"], [["a"], "o=1", false]],
  [["--salvage=--json", "a"], [["a"], "--json", false]],
  [["--json", "a"], [["a"], null, true]],
  [["--", "--json"], [["--json"], null, false]],
  [["007"], [["007"], null, false]],
  [["-"], [["-"], null, false]],
  [[], [2, "tsredis try: FILE is missing."]],
  [["a", "b", "c"], [2, "tsredis try: one word too many: c"]],
  [["--jsno", "a"], [2, "tsredis try: unknown option --jsno; do you mean --json?"]],
  [["--js", "a"], [2, "tsredis try: unknown option --js; do you mean --json?"]],
  [["--xyz", "a"], [2, "tsredis try: unknown option --xyz"]],
  [["-j", "a"], [2, "tsredis try: unknown option -j; do you mean --json?"]],
  [["--no-json", "a"], [2, "tsredis try: unknown option --no-json"]],
  [["--json=1", "a"], [2, "tsredis try: --json takes no value"]],
  [["--json", "--json", "a"], [2, "tsredis try: --json is given twice"]],
  [["a", "--salvage"], [2, "tsredis try: --salvage needs a value"]],
  [["a", "--salvage="], [2, "tsredis try: --salvage needs a value"]],
  [["--salvage", "--json", "a"], [2, "tsredis try: --salvage needs a value"]],
  [["--constructor", "a"], [2, "tsredis try: unknown option --constructor"]],
];
for (const [words, expected] of CALLS) {
  Deno.test(`the words "${words.join(" ")}" of a tool are read`, async () => {
    assertEquals(await called(...words), expected);
  });
}
